// A few numbers as JSON: see state.h.
#include "rl/state.h"
#include <math.h>

static const char WHERE[] = "the checkpoint";

bool rl_identity(Run *run, const RlIdentity *i)
{
    const Judge *judge = i->referees->judge;
    return run_identity(run, i->options, i->prompts, i->policy->session.files.tokenizer) &&
           run_identity_add(run, "answer_checker", ANSWERS_VERSION) &&
           (judge == NULL || (run_identity_add(run, "judge", judge_hash(judge)) &&
                              run_identity_add(run, "judge_prompt", judge_form_of(judge)))) &&
           (!i->reference || run_identity_add(run, "reference", i->policy->reference.hash));
}

static bool add_pools(json_t *state, const CurriculumState *c)
{
    if (c->pools == NULL)
        return true;
    pools_sync(c->pools, c->learned);
    json_t *resting = pools_json(c->pools, c->taken / c->pools->count);
    return resting != NULL && json_object_set_new(json_object_get(state, "curriculum"), "resting", resting) == 0;
}

json_t *rl_state_json(void *context)
{
    const RlState *s = context;
    json_t *levels = json_array();
    bool ok = levels != NULL;
    for (int l = 0; ok && l < LEVELS; l++) {
        const LevelState *level = &s->curriculum.level[l];
        json_t *rate = isnan(level->pass_rate) ? json_null() : json_real(level->pass_rate); // null: not seen
        ok = json_array_append_new(levels,
                                   json_pack("{s:I, s:o}", "taken", (json_int_t)level->taken, "pass_rate", rate)) == 0;
    }
    json_t *state = json_pack("{s:{s:I, s:O}, s:f}", "curriculum", "taken", (json_int_t)s->curriculum.taken, "levels",
                              levels, "kl_coefficient", s->kl_coefficient);
    json_decref(levels);
    if (ok && state != NULL && add_pools(state, &s->curriculum))
        return state;
    json_decref(state);
    fail("no memory for the state of a checkpoint");
    return NULL;
}

bool rl_state_resume(RlState *s, const json_t *saved)
{
    const json_t *curriculum = json_object_get(saved, "curriculum"), *levels = json_object_get(curriculum, "levels");
    TRY(json_need_number(&s->kl_coefficient, saved, "kl_coefficient", 0, 1e300, WHERE));
    TRY(json_need_int(&s->curriculum.taken, curriculum, "taken", 0, INT64_MAX, WHERE));
    for (int l = 0; l < LEVELS; l++) {
        const json_t *level = json_array_get(levels, (size_t)l), *rate = json_object_get(level, "pass_rate");
        TRY(json_need_int(&s->curriculum.level[l].taken, level, "taken", 0, INT64_MAX, WHERE));
        s->curriculum.level[l].pass_rate = json_is_number(rate) ? json_number_value(rate) : NAN;
    }
    return s->curriculum.pools == NULL ||
           pools_resume(s->curriculum.pools, json_object_get(curriculum, "resting"), WHERE);
}
