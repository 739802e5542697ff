// Advantages: how much better a response was than its prompt, or its batch, led to expect. One number a response: every
// token of a response has the same, since the reward comes at its end and nothing is discounted.
//
// A missing reward is NaN: it enters no mean, and its advantage is 0. Where the group is the baseline, so is the
// advantage of a response whose group has no other reward.
#ifndef RL_ADVANTAGE_H
#define RL_ADVANTAGE_H

#include "options/options.h"
#include "rl/rollout.h"

#define ADVANTAGES "grpo|dr-grpo|rloo|reinforce++|reinforce++-baseline"
typedef enum AdvantageKind {
    ADVANTAGE_GRPO,         // (r - mean) / (std + eps) of the group: Shao et al. 2024 (DeepSeekMath), section 4.1.2
    ADVANTAGE_DR_GRPO,      // r - mean: Liu et al. 2025, eq. 3
    ADVANTAGE_RLOO,         // r - mean of the others: Ahmadian et al. 2024, eq. 8
    ADVANTAGE_REINFORCE_PP, // r, whitened over the batch's tokens: Hu 2025, eq. 7 and 8
    ADVANTAGE_REINFORCE_PP_BASELINE, // r - mean of the group, whitened over the batch's tokens
} AdvantageKind;

// The standard deviation over n - 1 or over n; or no division by it.
#define DEVIATIONS "unbiased|population|none"
typedef enum Deviation { DEVIATION_UNBIASED, DEVIATION_POPULATION, DEVIATION_NONE } Deviation;

// clang-format off
#define ADVANTAGE_ROWS(ROW, IN) \
    ROW(IN, advantage,     choice, "grpo",     ADVANTAGES, loss, IDENTITY, "advantage estimator: what a reward is compared with") \
    ROW(IN, advantage_std, choice, "unbiased", DEVIATIONS, loss, IDENTITY, "grpo: standard deviation that advantages are divided by") \
    ROW(IN, advantage_eps, number, "1e-6",     ">= 0",     loss, IDENTITY, "grpo: added to that standard deviation")
// clang-format on
OPTION_GROUP(AdvantageOptions, ADVANTAGE_ROWS)

void advantages(Rollout *rollout, const AdvantageOptions *options); // sets Response.advantage from Response.reward

// Whether there is anything to learn from: two rewards that differ. Missing ones do not count.
bool group_has_signal(const Group *group, int64_t samples);

#endif
