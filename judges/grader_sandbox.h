// The sandbox around a grader, for the process that starts one: see grader.h for what it promises.
#ifndef JUDGES_GRADER_SANDBOX_H
#define JUDGES_GRADER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

enum { GRADER_SANDBOX_WORDS = 40 };

// The words to put before the command's; returns how many. folder: the working folder, visible even where its parent is
// hidden.
size_t grader_sandbox_words(const char *words[GRADER_SANDBOX_WORDS], const char *folder);
bool grader_sandbox_works(void); // bubblewrap is installed, and may create its namespaces here

// Removes variables named like a key, token or password from this process's environment.
void grader_sandbox_forget_secrets(void);

#endif
