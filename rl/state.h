// What a step changes besides weights and moments: where the curriculum stands, and the coefficient of the KL. A checkpoint keeps it,
// and a step that is given up puts it back, so that a save there has the step before it.
#ifndef RL_STATE_H
#define RL_STATE_H

#include "rl/curriculum.h"

typedef struct RlState {
    Curriculum curriculum;
    double kl_coefficient;
} RlState;

json_t *rl_state_json(void *state); // an RlState's, as Run.recipe_state asks for it; NULL after fail()
bool rl_state_resume(RlState *state, const json_t *saved);

typedef struct RlMark {
    CurriculumMark curriculum;
    double kl_coefficient;
} RlMark;
RlMark rl_state_mark(const RlState *state);
void rl_state_rewind(RlState *state, const RlMark *mark);

#endif
