// From responses to verdicts: every response of a run is scored, and written to its task's file in the run's folder,
// FOLDER/TASK.jsonl (figures/figures.h has the form of its rows).
#ifndef BENCHMARKS_MARKING_H
#define BENCHMARKS_MARKING_H

#include "benchmarks/prompts.h"
#include "judges/judge.h"

// responses: rows of prompts.jsonl (benchmarks/prompts.h) with "text" and, perhaps, "finish_reason" and "tokens".
// judge: asked about every answer that was found, where the task's score is by answer; its verdict is then the
// protocol's, and where it has none, the rules'. NULL: none.
bool marking_write(const Asking *asking, size_t count, const char *responses, const char *folder, Judge *judge);

#endif
