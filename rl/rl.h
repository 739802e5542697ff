// rl/: reinforcement learning with verifiable rewards. A rollout (rollout.h) samples groups of responses to the prompts
// that a curriculum (curriculum.h) gives, if wanted until enough groups have a signal (dynamic.h), and rewards them
// (reward.h): by rule (answers/verify.h), by a judge (judges/judge.h) or an external program (judges/grader.h). A
// reference model (reference.h) adds a KL. Advantages (advantage.h) and the objective (objective.h) make an update's
// gradient (pack.h, update.h). prompts.h says which problems can be learned from. What is told of a step: metrics/; of
// held-out problems: evaluation/.
#ifndef RL_H
#define RL_H

#include "rl/advantage.h"
#include "rl/dynamic.h"
#include "rl/policy.h"
#include "rl/prompts.h"
#include "rl/reference.h"
#include "rl/state.h"

#endif
