// The sandbox around a grader, for the process that starts one: see grader.h for what it promises.
#ifndef JUDGES_GRADER_SANDBOX_H
#define JUDGES_GRADER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

enum { GRADER_SANDBOX_WORDS = 40 };

// The words before the command's own: of them so many. folder: the working folder, which is there even where it is hidden otherwise.
size_t grader_sandbox_words(const char *words[GRADER_SANDBOX_WORDS], const char *folder);
bool grader_sandbox_works(void); // bubblewrap is installed, and may make its namespaces here

// Takes what has the name of a key, a token or a password out of this process's environment.
void grader_sandbox_forget_secrets(void);

#endif
