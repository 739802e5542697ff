// One HTML page of a whole run, without anything from elsewhere: every question, response and verdict, to be read,
// searched and filtered (task, category, right or wrong, strict verdicts that differ, cut off, without an answer, drawn).
#ifndef BENCHMARKS_PAGE_H
#define BENCHMARKS_PAGE_H

#include "json/json.h"

// From folder/summary.json's content and folder/TASK.jsonl of its tasks; written whole or not at all.
bool page_write(const char *path, const json_t *summary, const char *folder);

#endif
