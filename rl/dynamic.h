// Dynamic sampling (Yu et al. 2025, DAPO, section 3.2): groups whose rewards are all the same teach nothing, and others are sampled in
// their place. Groups are accepted in the order of their prompts, never in that of their completion, which would favour short ones; what
// lies behind the last one that was needed is asked again in a later step, by the weights of that step: nothing off-policy is kept.
#ifndef RL_DYNAMIC_H
#define RL_DYNAMIC_H

#include "rl/curriculum.h"

#ifdef __cplusplus
extern "C" {
#endif

// A rollout of `wanted` groups with a signal, in at most `most` batches of as many prompts; fewer when those had no more (a step of none
// learns nothing). *batches, *replaced: how many there were, and groups without a signal.
bool dynamic_rollout(Rollout *rollout, Engine *engine, Curriculum *curriculum, int64_t wanted, int64_t most, int64_t step,
                     const RolloutRules *rules, int64_t *batches, int64_t *replaced);

bool group_is_silent(const Group *group, int64_t samples); // its rewards say nothing

#ifdef __cplusplus
}
#endif
#endif
