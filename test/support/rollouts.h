// Rollouts that are made of numbers, for tests of what follows sampling.
#ifndef TEST_SUPPORT_ROLLOUTS_H
#define TEST_SUPPORT_ROLLOUTS_H

#include "rl/advantage.h"

enum { MADE_MOST = 32 };

typedef struct MadeRollout {
    Response responses[MADE_MOST];
    Group groups[MADE_MOST];
    Rollout rollout;
} MadeRollout;

static inline AdvantageOptions advantage_rule(AdvantageKind kind, Deviation deviation, double epsilon)
{
    return (AdvantageOptions){
        .advantage = {"", (int)kind}, .advantage_std = {"", (int)deviation}, .advantage_eps = epsilon};
}

// groups of samples responses with these rewards and lengths (groups, samples), at most MADE_MOST
static inline void make_rollout(MadeRollout *m, const double *rewards, const int64_t *tokens, int64_t groups,
                                int64_t samples)
{
    for (int64_t i = 0; i < groups * samples; i++)
        m->responses[i] = (Response){.reward = rewards[i], .count = tokens[i]};
    for (int64_t g = 0; g < groups; g++)
        m->groups[g] = (Group){.responses = m->responses + g * samples};
    m->rollout = (Rollout){.groups = m->groups, .count = groups, .samples = samples};
}

// made (groups, samples): the advantages of such a rollout
static inline void advantages_of(double *made, const double *rewards, const int64_t *tokens, int64_t groups,
                                 int64_t samples, AdvantageOptions rule)
{
    MadeRollout m;
    make_rollout(&m, rewards, tokens, groups, samples);
    advantages(&m.rollout, &rule);
    for (int64_t i = 0; i < groups * samples; i++)
        made[i] = m.responses[i].advantage;
}

#endif
