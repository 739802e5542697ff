// Whether a file of responses still is what was written for these prompts: before anything is made of it.
#ifndef EVALUATION_RESPONSES_H
#define EVALUATION_RESPONSES_H

#include "base/base.h"

// Both are rows of JSONL, and a response has the "evaluate" of its prompt (benchmarks/prompts.h) and a text. Each
// prompt has at most one, in the order of the prompts, and at most `skips` have none. Fails with file and line.
bool responses_are_those_asked_for(const char *responses, const char *prompts, int64_t skips);

#endif
