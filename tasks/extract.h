// Where in a response its answer stands: the lines `extract` of a task (tasks/task.h), compiled by PCRE2 to mean
// what they mean to Python's re. A pattern that takes too many steps finds nothing, so that no response can hang it.
#ifndef TASKS_EXTRACT_H
#define TASKS_EXTRACT_H

#include "options/options.h"

typedef struct Extractor Extractor;

Extractor *extractor_open(const OptionList *lines, const char *where); // NULL after fail("where: extract: ...")
void extractor_close(Extractor *extractor);

// What the first pattern found that matches, a part of text, which is valid UTF-8; data NULL: none does. *option: the
// first option that reads like it, where that pattern looks for options; else -1.
Text extractor_find(Extractor *extractor, Text text, const Text *options, size_t option_count, int *option);

// Whether a pattern found nothing in the last text because it took too many steps, or had too many options to be one.
// Where it might have found something, what a later pattern found may not be what the protocol would have.
bool extractor_gave_up(const Extractor *extractor);

#endif
