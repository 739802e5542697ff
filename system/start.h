// The first call of every program's main, and the last one of a process that can neither go on nor pass an error on.
#ifndef SYSTEM_START_H
#define SYSTEM_START_H

#include <stddef.h>

// Opens those of the descriptors 0 to 2 that are closed, so that no file gets their numbers; and sees to it that a mapped file which was
// cut short while it is read ends the program with one line that names it, and a JSON value without memory with one, too.
void program_start(void);

// Writes "PROGRAM: WHAT HOW", and ends with status 1. Whoever is in the middle of writing something leaves it as a kill would: nothing that
// was finished is lost. For a signal's handler, and libraries that cannot fail: memory is had from them, or the process ends.
void end_at_once(const char *what, const char *how) __attribute__((noreturn));
void *memory_or_end(size_t size);
void *memory_or_end_again(void *old, size_t size); // realloc

#endif
