// A few numbers, as JSON and as a copy: see state.h.
#include "rl/state.h"

json_t *rl_state_json(void *context)
{
    const RlState *s = context;
    json_t *curriculum = curriculum_state(&s->curriculum);
    if (curriculum == NULL)
        return NULL;
    json_t *state = json_pack("{s:o, s:f}", "curriculum", curriculum, "kl_coefficient", s->kl_coefficient);
    if (state == NULL)
        fail("no memory for the state of a checkpoint");
    return state;
}

bool rl_state_resume(RlState *s, const json_t *saved)
{
    const char *where = "the checkpoint";
    TRY(json_need_number(&s->kl_coefficient, saved, "kl_coefficient", 0, 1e300, where));
    return curriculum_resume(&s->curriculum, json_object_get(saved, "curriculum"), where);
}

RlMark rl_state_mark(const RlState *s) { return (RlMark){curriculum_mark(&s->curriculum), s->kl_coefficient}; }

void rl_state_rewind(RlState *s, const RlMark *mark)
{
    curriculum_rewind(&s->curriculum, &mark->curriculum);
    s->kl_coefficient = mark->kl_coefficient;
}
