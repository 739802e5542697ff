// One HTML page of a whole run, without anything from elsewhere: scores, and below them every question, response and
// verdict, to be read, searched and filtered (task, category, right or wrong, strict verdicts that differ, cut off,
// without an answer, drawn). It works as a file; rows are unpacked only when they are looked at, so that a hundred
// megabytes of responses do not stop a browser. Texts of data and models are shown as text, whatever they hold.
#ifndef FIGURES_PAGE_H
#define FIGURES_PAGE_H

#include "json/json.h"

extern const char PAGE_BEGINNING[]; // of such a page (file_may_be_replaced)

// From folder/summary.json's content and folder/TASK.jsonl of its tasks; written whole or not at all. Memory does not
// grow with the responses.
bool page_write(const char *path, const json_t *summary, const char *folder);

#endif
