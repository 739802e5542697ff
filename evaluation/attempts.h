// How good the responses in files are, several to a problem: rows of ./generate, of train_rl's rollouts and of its
// evaluations. Each is judged by rule as in training (rl/reward.h); in a rollout, a judge's decision counts where there
// is one.
//
//   avg@n    the share of right responses; ± its standard error over the problems
//   pass@k   whether one of k is right, unbiased from n responses: 1 - C(n - right, k) / C(n, k) (Chen et al. 2021)
//   maj@n    whether the answer that most of the n give is right
#ifndef EVALUATION_ATTEMPTS_H
#define EVALUATION_ATTEMPTS_H

#include "base/names.h"
#include "evaluation/validate.h"
#include "json/json.h"

typedef struct Attempted { // a problem
    Response *responses;   // (count) with verdict, text (of the answer alone) and answer
    size_t count, capacity;
    size_t source, category; // indices of their names
    int level;               // 1-5; 0: unknown
} Attempted;

typedef struct Attempts {
    NameTable keys, sources, categories; // keys: of problems
    Attempted *list;                     // (count)
    size_t count, capacity;
    int64_t responses, unfinished, without_reference; // the last ones are in no figure
} Attempts;

bool attempts_know(const json_t *row); // it is one of these rows

typedef struct AttemptLine {
    const json_t *row;
    Text text; // of it
    const char *file;
    int64_t number;
} AttemptLine;

// Judges a row. *judged is false where it has no reference.
bool attempts_add(Attempts *attempts, const AttemptLine *line, Finding *finding, bool *judged);

// For all problems, by source, category and level where there are several. Takes up to seconds for many responses to a
// problem.
bool attempts_table(Bytes *out, const Attempts *attempts);
void attempts_free(Attempts *attempts);

double pass_at(int64_t k, int64_t right, int64_t responses); // 1 <= k <= responses

#endif
