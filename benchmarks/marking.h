// From responses to verdicts: every response of a run is scored, and written to its task's file in the run's folder,
// FOLDER/TASK.jsonl (figures/figures.h has the form of its rows).
#ifndef BENCHMARKS_MARKING_H
#define BENCHMARKS_MARKING_H

#include "benchmarks/prompts.h"

// responses: rows of prompts.jsonl (benchmarks/prompts.h) with "text" and, perhaps, "finish_reason" and "tokens".
bool marking_write(const Asking *asking, size_t count, const char *responses, const char *folder);

#endif
