// Dynamic sampling: batch after batch is sampled until enough groups have a signal. The others are set aside in the rollout, with
// the reason.
#include "rl/dynamic.h"
#include "rl/advantage.h"
#include <math.h>
#include <stdlib.h>

bool group_is_silent(const Group *g, int64_t samples)
{
    double *rewards = allocate((size_t)samples, sizeof *rewards);
    if (rewards == NULL)
        return true;
    for (int64_t k = 0; k < samples; k++)
        rewards[k] = g->responses[k].reward;
    bool silent = group_without_signal(rewards, samples);
    free(rewards);
    return silent;
}

const char *const SILENCE_NAMES[SILENCES] = {"all wrong", "all right", "all cut off", "unscored", "all the same"};

Silence group_silence(const Group *g, int64_t samples)
{
    int64_t cut = 0, scored = 0, right = 0, wrong = 0;
    for (int64_t k = 0; k < samples; k++) {
        const Response *r = &g->responses[k];
        cut += !r->ended;
        scored += !isnan(r->reward);
        right += r->parts[REWARD_ACCURACY] == 1 && r->reward > 0;
        wrong += r->parts[REWARD_ACCURACY] == 0 && r->reward <= 0;
    }
    if (cut == samples)
        return SILENCE_CUT;
    if (scored < 2)
        return SILENCE_UNSCORED;
    return right == scored ? SILENCE_RIGHT : wrong == scored ? SILENCE_WRONG : SILENCE_SAME;
}

bool dynamic_describe(Bytes *out, const DynamicReport *report)
{
    bool first = true;
    for (int i = 0; i < SILENCES; i++) {
        if (report->why[i] == 0)
            continue;
        TRY(bytes_printf(out, "%s%" PRId64 " %s", first ? "" : ", ", report->why[i], SILENCE_NAMES[i]));
        first = false;
    }
    return true;
}

static void learn_from(Rollout *all, Group *g)
{
    for (int64_t k = 0; k < all->samples; k++)
        all->unscored += isnan(g->responses[k].reward);
    all->prompt_tokens += g->prompt.prompt;
    all->groups[all->count++] = *g;
    g->responses = NULL; // they have moved
}

// Moves the groups with a signal, up to wanted in all, and sets the others aside; *used: how many of the batch's were looked at.
static bool accept(Rollout *all, Rollout *batch, int64_t wanted, int64_t *used, DynamicReport *report)
{
    *used = 0;
    for (int64_t i = 0; i < batch->count; i++) {
        Group *g = &batch->groups[i];
        if (all->count == wanted) {
            TRY(rollout_set_aside(all, g, "not needed"));
            continue;
        }
        ++*used;
        if (!group_is_silent(g, batch->samples)) {
            learn_from(all, g);
            continue;
        }
        Silence why = group_silence(g, batch->samples);
        report->replaced++;
        report->why[why]++;
        TRY(rollout_set_aside(all, g, SILENCE_NAMES[why]));
    }
    all->tokens += batch->tokens;
    all->generate_seconds += batch->generate_seconds;
    all->reward_seconds += batch->reward_seconds;
    if (all->why == NULL) {
        all->why = batch->why;
        batch->why = NULL;
    }
    return true;
}

static bool plain(Rollout *rollout, Engine *engine, Curriculum *curriculum, int64_t *numbers, int64_t wanted, int64_t step,
                  const RolloutRules *rules)
{
    int64_t count = curriculum_take(curriculum, numbers, wanted);
    TRY(rollout_run(rollout, engine, curriculum->documents, numbers, count, step, rules));
    curriculum_learn(curriculum, rollout);
    return true;
}

static bool dynamic(Rollout *all, Engine *engine, Curriculum *curriculum, int64_t *numbers, StepRollout what, int64_t step,
                    const RolloutRules *rules, DynamicReport *report)
{
    *all = (Rollout){.samples = rules->samples};
    all->groups = allocate((size_t)what.wanted, sizeof *all->groups);
    bool ok = all->groups != NULL;
    for (; ok && report->batches < what.batches && all->count < what.wanted; report->batches++) {
        Rollout batch;
        int64_t used, count = curriculum_take(curriculum, numbers, what.wanted);
        if ((report->exhausted = count == 0))
            break;
        ok = rollout_run(&batch, engine, curriculum->documents, numbers, count, step, rules);
        if (!ok)
            break;
        curriculum_learn(curriculum, &batch);
        ok = accept(all, &batch, what.wanted, &used, report);
        curriculum_return(curriculum, numbers + used, count - used);
        rollout_free(&batch);
    }
    if (!ok)
        rollout_free(all);
    return ok;
}

bool rollout_of_step(Rollout *rollout, Engine *engine, Curriculum *curriculum, StepRollout what, int64_t step,
                     const RolloutRules *rules, DynamicReport *report)
{
    int64_t *numbers = allocate((size_t)what.wanted, sizeof *numbers);
    TRY(numbers != NULL);
    *report = (DynamicReport){0};
    curriculum_begin(curriculum);
    bool ok = what.batches > 0 ? dynamic(rollout, engine, curriculum, numbers, what, step, rules, report)
                               : plain(rollout, engine, curriculum, numbers, what.wanted, step, rules);
    free(numbers);
    return ok;
}
