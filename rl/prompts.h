// The problems that can be learned from: those whose reference somebody can compare an answer with.
#ifndef RL_PROMPTS_H
#define RL_PROMPTS_H

#include "rl/reward.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PROMPTS_NAMED = 5 };

typedef struct DroppedPrompts {
    int64_t count;
    Bytes names; // the first of them, with their references: 'id "reference", ...'
} DroppedPrompts;

// Leaves out the problems that have no reference, or one that no rule can read, unless a judge is there for these, or nobody's reward
// hangs on it. Fails when none are left.
bool prompts_drop_unreadable(DroppedPrompts *dropped, Documents *documents, const Rewards *rewards, bool has_judge);

#ifdef __cplusplus
}
#endif
#endif
