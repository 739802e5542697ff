// Dynamic sampling (Yu et al. 2025, DAPO, section 3.2): groups whose rewards are all the same teach nothing, and others
// are sampled in their place. Groups are accepted in the order of their prompts, not of their completion, which would
// favour short ones; prompts behind the last one that was needed are sampled again in a later step, by that step's
// weights: nothing off-policy is kept.
#ifndef RL_DYNAMIC_H
#define RL_DYNAMIC_H

#include "rl/curriculum.h"

// Why a group has no signal.
typedef enum Silence {
    SILENCE_WRONG,    // all responses are wrong
    SILENCE_RIGHT,    // all are right
    SILENCE_CUT,      // all are cut off
    SILENCE_UNSCORED, // fewer than two have a reward
    SILENCE_SAME,     // the rewards are the same for other reasons: a grader's, say
    SILENCES
} Silence;
extern const char *const SILENCE_NAMES[SILENCES]; // "all wrong", ...

typedef struct DynamicReport {
    int64_t batches, replaced; // batches of prompts; groups without a signal
    int64_t why[SILENCES];     // of these groups, how many of each kind
    bool exhausted;            // this step has sampled every prompt
} DynamicReport;

// What a step samples: the curriculum's next `wanted` prompts; or, with batches > 0, `wanted` groups with a signal, in
// at most that many batches of as many prompts, no prompt twice; fewer when the batches had no more. The other groups
// are set aside in the rollout, for people to look at: those without a signal, and those behind the last one that was
// needed.
typedef struct StepRollout {
    int64_t wanted, batches;
} StepRollout;
bool rollout_of_step(Rollout *rollout, Engine *engine, Curriculum *curriculum, StepRollout what,
                     const RolloutRules *rules, DynamicReport *report);

bool dynamic_describe(Bytes *out, const DynamicReport *report); // appends "12 all wrong, 1 all cut off"

Silence group_silence(const Group *group, int64_t samples); // why a group has no signal

#endif
