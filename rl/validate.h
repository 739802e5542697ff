// How good a policy is on problems that it does not learn from: of k responses to each, the share that is right (avg@k), whether one is
// (pass@k), whether the answer that most of them give is (maj@k).
#ifndef RL_VALIDATE_H
#define RL_VALIDATE_H

#include "rl/rollout.h"

typedef struct Score { // sums over prompts; divide by prompts
    int64_t prompts;
    double average, pass, majority;
} Score;

void score_add(Score *sum, Score one);

typedef struct Validation {
    Score all, level[LEVELS];
    Score *source; // (documents->source_count)
} Validation;

bool validate(Validation *validation, const Rollout *rollout, const Documents *documents);
void validation_free(Validation *validation);

// Of one group: the score of a single prompt.
Score group_score(const Group *group, int64_t samples);

#endif
