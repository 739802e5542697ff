// What a step changes besides weights and moments, as plain numbers: a step that is given up puts its copy back. A
// checkpoint keeps it.
#ifndef RL_STATE_H
#define RL_STATE_H

#include "json/json.h"
#include "rl/curriculum.h"

typedef struct RlState {
    CurriculumState curriculum;
    double kl_coefficient;
} RlState;

json_t *rl_state_json(void *context); // an RlState's, as Run.recipe_state asks for it; NULL after fail()
bool rl_state_resume(RlState *state, const json_t *saved);

#endif
