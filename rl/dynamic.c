#include "rl/dynamic.h"
#include "rl/advantage.h"
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

// Moves the groups with a signal, up to wanted in all; *used: how many of the batch's were looked at.
static void accept(Rollout *all, Rollout *batch, int64_t wanted, int64_t *used, int64_t *replaced)
{
    for (*used = 0; *used < batch->count && all->count < wanted; ++*used) {
        Group *g = &batch->groups[*used];
        if (group_is_silent(g, batch->samples)) {
            ++*replaced;
            continue;
        }
        for (int64_t k = 0; k < batch->samples; k++)
            all->unscored += g->responses[k].reward != g->responses[k].reward;
        all->prompt_tokens += g->prompt.prompt;
        all->groups[all->count++] = *g;
        g->responses = NULL; // they have moved
    }
    all->tokens += batch->tokens;
    all->generate_seconds += batch->generate_seconds;
    all->reward_seconds += batch->reward_seconds;
    if (all->why == NULL) {
        all->why = batch->why;
        batch->why = NULL;
    }
}

bool dynamic_rollout(Rollout *all, Engine *engine, Curriculum *curriculum, int64_t wanted, int64_t most, int64_t step,
                     const RolloutRules *rules, int64_t *batches, int64_t *replaced)
{
    int64_t *numbers = allocate((size_t)wanted, sizeof *numbers);
    *all = (Rollout){.samples = rules->samples};
    all->groups = allocate((size_t)wanted, sizeof *all->groups);
    bool ok = numbers != NULL && all->groups != NULL;
    for (*batches = *replaced = 0; ok && *batches < most && all->count < wanted; ++*batches) {
        Rollout batch;
        int64_t used, count = curriculum_take(curriculum, numbers, wanted);
        ok = rollout_run(&batch, engine, curriculum->documents, numbers, count, step, rules);
        if (!ok)
            break;
        curriculum_learn(curriculum, &batch);
        accept(all, &batch, wanted, &used, replaced);
        curriculum_return(curriculum, numbers + used, count - used);
        rollout_free(&batch);
    }
    free(numbers);
    if (!ok)
        rollout_free(all);
    return ok;
}
