// From verdicts to scores: what a run says of itself, and how two runs differ.
//
//   score      by the protocol, as its headline says: micro (the mean over questions of the share of right responses),
//              macro (the mean over categories), harmonic (the harmonic mean over categories, as BBEH's paper has it)
//   strict     the same questions, strictly scored (benchmarks/scoring.h)
//   stderr     by the bootstrap over questions; all responses to a question stay together
//   pass@k     where there are several responses to a question (evaluation/attempts.h)
//
// Everything is a function of the rows of TASK.jsonl and of nothing else; resampling is seeded.
//
// A row of TASK.jsonl is a response:
//
//   {"task": "mmlu_pro", "id": "70", "question": 0, "sample": 0, "asked": "Typical advertising ...", "options": ["..."],
//    "categories": ["business"], "reference": "I", "text": "...", "finish_reason": "stop", "tokens": 512,
//    "extracted": "I", "letter": "I", "right": true, "strict": true, "rule": "the same letter", "found": true,
//    "readable": true, "drawn": false, "by_chance": 0}
//
// question: its number in the data, from 0; rows of one question are neighbours, in the order of the data. categories:
// one for each of the task's fields, null where the row has none. options and letter are absent for other questions;
// tokens is absent where a server or somebody else generated.
#ifndef BENCHMARKS_FIGURES_H
#define BENCHMARKS_FIGURES_H

#include "base/names.h"
#include "benchmarks/task.h"
#include "json/json.h"

// The task's object in summary.json, from its rows at `path`: score, stderr, count, strict, by_category, ... A new
// reference; NULL after fail().
json_t *figures_of(const Task *task, const char *path);

// What summary.json says, for the terminal: a table by task and category.
bool figures_table(Bytes *out, const json_t *summary);

// Runs side by side, from their folders (summary.json, TASK.jsonl): scores, paired differences to the first with their
// significance, over the questions that all have, and the questions on which they differ. Fails where two folders have
// no task in common, or the same task by another text.
bool figures_compare(Bytes *out, const char *const *folders, size_t count);

#endif
