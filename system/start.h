// The first call of every program's main, and the last one of a process that can neither continue nor return an error.
#ifndef SYSTEM_START_H
#define SYSTEM_START_H

#include "base/base.h"

// Opens those of the descriptors 0 to 2 that are closed, so that no file gets their numbers. From then on reading a
// mapped file that was truncated, and a JSON value that gets no memory, each end the program with one line.
void program_start(void);

// Writes "PROGRAM: WHAT HOW" and ends with status 1, leaving files as a kill would: nothing finished is lost. For a
// signal handler, and for libraries that cannot fail: they get memory, or the process ends.
void end_at_once(const char *what, const char *how) __attribute__((noreturn));
void *memory_or_end(size_t size);
void *memory_or_end_again(void *old, size_t size); // realloc

// What this process is among several of one program: it goes before its errors. "" until then.
void process_is(const char *format, ...) PRINTF_LIKE(1, 2);
const char *process_text(void); // "rank 2: "

#endif
