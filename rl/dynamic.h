// Dynamic sampling (Yu et al. 2025, DAPO, section 3.2): groups whose rewards are all the same teach nothing, and others are sampled in
// their place. Groups are accepted in the order of their prompts, never in that of their completion, which would favour short ones; what
// lies behind the last one that was needed is asked again in a later step, by the weights of that step: nothing off-policy is kept.
#ifndef RL_DYNAMIC_H
#define RL_DYNAMIC_H

#include "rl/curriculum.h"

// Why a group has no signal.
typedef enum Silence {
    SILENCE_WRONG, // all of its responses are
    SILENCE_RIGHT,
    SILENCE_CUT,      // they are all cut off
    SILENCE_UNSCORED, // fewer than two have a reward
    SILENCE_SAME,     // their rewards are the same for other reasons: a grader's, say
    SILENCES
} Silence;
extern const char *const SILENCE_NAMES[SILENCES]; // "all wrong", ...

typedef struct DynamicReport {
    int64_t batches, replaced; // batches of prompts; groups without a signal,
    int64_t why[SILENCES];     // and what they were
    bool exhausted;            // there was no other prompt: each was sampled in this step
} DynamicReport;

// What a step samples: the curriculum's next `wanted` prompts; or, with batches > 0, `wanted` groups with a signal, in at most so many
// batches of as many prompts, none of them twice; fewer when those had no more. The others that were sampled are then set aside in the
// rollout, for people to look at: those without a signal, and those behind the last one that was needed.
typedef struct StepRollout {
    int64_t wanted, batches;
} StepRollout;
bool rollout_of_step(Rollout *rollout, Engine *engine, Curriculum *curriculum, StepRollout what, int64_t step,
                     const RolloutRules *rules, DynamicReport *report);

bool dynamic_describe(Bytes *out, const DynamicReport *report); // appends "12 all wrong, 1 all cut off"

Silence group_silence(const Group *group, int64_t samples); // of one that is silent
bool group_is_silent(const Group *group, int64_t samples);  // its rewards say nothing

#endif
