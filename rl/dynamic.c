// Dynamic sampling: batch after batch is sampled until enough groups have a signal. The others are set aside in the
// rollout, with the reason.
#include "rl/dynamic.h"
#include "rl/advantage.h"
#include <math.h>
#include <stdlib.h>

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
    const char *comma = "";
    for (int i = 0; i < SILENCES; i++)
        if (report->why[i] > 0) {
            TRY(bytes_printf(out, "%s%" PRId64 " %s", comma, report->why[i], SILENCE_NAMES[i]));
            comma = ", ";
        }
    return true;
}

// ---- a step

typedef struct Sampling {
    Engine *engine;
    Curriculum *curriculum;
    const RolloutRules *rules;
    int64_t wanted, *numbers; // (wanted) the prompts of the current batch
} Sampling;

// One batch of the curriculum's next prompts; *count 0: there was none, and batch is empty.
static bool sample_batch(Sampling *s, Rollout *batch, int64_t *count)
{
    *count = curriculum_take(s->curriculum, s->numbers, s->wanted);
    *batch = (Rollout){0};
    TRY(*count == 0 || rollout_run(batch, s->engine, s->curriculum->documents, s->numbers, *count, s->rules));
    curriculum_learn(s->curriculum, batch);
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

// Moves the groups with a signal, up to `wanted` in all, and sets the others aside; *used: how many of the batch's were
// looked at.
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
        if (group_has_signal(g, batch->samples)) {
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

static bool sample_until_signal(Sampling *s, Rollout *all, int64_t batches, DynamicReport *report)
{
    *all = (Rollout){.samples = s->rules->samples, .groups = allocate((size_t)s->wanted, sizeof *all->groups)};
    bool ok = all->groups != NULL;
    while (ok && !report->exhausted && report->batches < batches && all->count < s->wanted) {
        Rollout batch;
        int64_t used = 0, count = 0;
        ok = sample_batch(s, &batch, &count) && accept(all, &batch, s->wanted, &used, report);
        report->exhausted = count == 0;
        report->batches += count > 0;
        curriculum_return(s->curriculum, s->numbers + used, count - used);
        rollout_free(&batch);
    }
    if (!ok)
        rollout_free(all);
    return ok;
}

bool rollout_of_step(Rollout *rollout, Engine *engine, Curriculum *curriculum, StepRollout what,
                     const RolloutRules *rules, DynamicReport *report)
{
    int64_t count;
    Sampling s = {engine, curriculum, rules, what.wanted, allocate((size_t)what.wanted, sizeof *s.numbers)};
    TRY(s.numbers != NULL);
    *report = (DynamicReport){0};
    curriculum_begin(curriculum);
    bool ok =
        what.batches > 0 ? sample_until_signal(&s, rollout, what.batches, report) : sample_batch(&s, rollout, &count);
    free(s.numbers);
    return ok;
}
