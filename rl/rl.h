// rl/: reinforcement learning with verifiable rewards. A rollout (rollout.h) samples groups of responses to the prompts that a curriculum
// (curriculum.h) gives, maybe until enough of them have a signal (dynamic.h), and rewards them (reward.h): by rule (answers/verify.h), by a
// judge (judge.h) or an external program (grader.h), whose verdicts are kept (verdicts.h). A reference model may be held against them
// (reference.h). Advantages (advantage.h) and the objective (objective.h) make an update's gradient (pack.h, update.h). What is said of it
// all is metrics.h, of a step whose rewards say nothing explain.h, of held-out problems validate.h. Which problems can be learned from at
// all: prompts.h.
#ifndef RL_H
#define RL_H

#include "rl/advantage.h"
#include "rl/dynamic.h"
#include "rl/explain.h"
#include "rl/metrics.h"
#include "rl/policy.h"
#include "rl/prompts.h"
#include "rl/reference.h"
#include "rl/state.h"

#endif
