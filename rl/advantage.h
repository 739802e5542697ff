// Advantages: how much better a response was than what its prompt, or its batch, led to expect. One number a response: every token of
// a response has the same, since the reward comes at its end and nothing is discounted.
//
// A reward that could not be had is NaN: it is no part of any mean, and its advantage is 0. So is that of a response that is alone
// in its group where the group is the baseline.
#ifndef RL_ADVANTAGE_H
#define RL_ADVANTAGE_H

#include "options/options.h"
#include "rl/rollout.h"

#define ADVANTAGES "grpo|dr-grpo|rloo|reinforce++|reinforce++-baseline"
typedef enum AdvantageKind {
    ADVANTAGE_GRPO,                  // (r - mean) / (std + eps) of the group: Shao et al. 2024 (DeepSeekMath), section 4.1.2
    ADVANTAGE_DR_GRPO,               // r - mean: Liu et al. 2025, eq. 3
    ADVANTAGE_RLOO,                  // r - mean of the others: Ahmadian et al. 2024, eq. 8
    ADVANTAGE_REINFORCE_PP,          // r, whitened over the batch's tokens: Hu 2025, eq. 7 and 8
    ADVANTAGE_REINFORCE_PP_BASELINE, // r - mean of the group, whitened over the batch's tokens
} AdvantageKind;

#define DEVIATIONS "unbiased|population|none"
typedef enum Deviation { DEVIATION_UNBIASED, DEVIATION_POPULATION, DEVIATION_NONE } Deviation; // over n - 1, over n, not divided

typedef struct AdvantageRule {
    AdvantageKind kind;
    Deviation deviation; // of GRPO
    double epsilon;      // of GRPO
} AdvantageRule;

// rewards, advantages (groups, samples); tokens (groups, samples): trained tokens of each response, for what goes over the batch.
void advantages(double *advantages, const double *rewards, const int64_t *tokens, int64_t groups, int64_t samples,
                const AdvantageRule *rule);

// clang-format off
#define ADVANTAGE_ROWS(ROW, IN)                                                                                                  \
    ROW(IN, advantage,     choice, "grpo",     ADVANTAGES, loss, IDENTITY, "advantage estimator: what a reward is compared with") \
    ROW(IN, advantage_std, choice, "unbiased", DEVIATIONS, loss, IDENTITY, "grpo: standard deviation that advantages are divided by") \
    ROW(IN, advantage_eps, number, "1e-6",     ">= 0",     loss, IDENTITY, "grpo: added to that standard deviation")
// clang-format on
OPTION_GROUP(AdvantageOptions, ADVANTAGE_ROWS)

// The same for a rollout: Response.advantage of every response, and Rollout.silent.
bool rollout_advantages(Rollout *rollout, const AdvantageOptions *options);

// Whether a group of rewards says nothing: all that could be had are equal, or fewer than two could.
bool group_without_signal(const double *rewards, int64_t samples);

#endif
