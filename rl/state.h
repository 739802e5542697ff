// What a step changes besides weights and moments, as plain numbers: a step that is given up puts its copy back. A
// checkpoint keeps it.
#ifndef RL_STATE_H
#define RL_STATE_H

#include "json/json.h"
#include "rl/curriculum.h"
#include "rl/policy.h"
#include "run/run.h"

typedef struct RlState {
    CurriculumState curriculum;
    double kl_coefficient;
} RlState;

// What the bits of a run depend on, for run_open to compare, besides what run_identity says.
typedef struct RlIdentity {
    const Options *options;
    const Documents *prompts;
    const Policy *policy;
    const Referees *referees;
    bool reference; // its weights are used
} RlIdentity;
bool rl_identity(Run *run, const RlIdentity *identity);

json_t *rl_state_json(void *context); // an RlState's, as Run.recipe_state asks for it; NULL after fail()
bool rl_state_resume(RlState *state, const json_t *saved);

#endif
