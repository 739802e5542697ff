#include "rl/prompts.h"
#include <stdlib.h>

static bool usable(const ShardEntry *e, const Rewards *rewards, bool has_judge)
{
    const double *weights = reward_weights(rewards, e->source);
    if (weights[REWARD_ACCURACY] == 0 && weights[REWARD_LENGTH] == 0)
        return true;
    return e->answer.size > 0 && (has_judge || answer_comparable(e->row, e->answer));
}

static bool name_one(DroppedPrompts *dropped, const ShardEntry *e)
{
    int size = (int)(e->answer.size < 40 ? e->answer.size : 40);
    return dropped->count >= PROMPTS_NAMED ||
           bytes_printf(&dropped->names, "%s%.*s \"%.*s\"", dropped->count > 0 ? ", " : "",
                        (int)(e->id.size < 40 ? e->id.size : 40), e->id.data, size, e->answer.data == NULL ? "" : e->answer.data);
}

bool prompts_drop_unreadable(DroppedPrompts *dropped, Documents *d, const Rewards *rewards, bool has_judge)
{
    *dropped = (DroppedPrompts){0};
    bool *kept = allocate((size_t)d->count + 1, sizeof *kept), ok = kept != NULL;
#pragma omp parallel for schedule(dynamic, 64) if (ok)
    for (int64_t i = 0; i < (ok ? d->count : 0); i++) {
        ShardEntry e = document_entry(d, i);
        kept[i] = usable(&e, rewards, has_judge);
    }
    for (int64_t i = 0; ok && i < d->count; i++) {
        ShardEntry e = document_entry(d, i);
        if (kept[i])
            continue;
        ok = name_one(dropped, &e);
        dropped->count++;
    }
    if (ok)
        documents_keep(d, kept);
    free(kept);
    if (ok && d->count == 0)
        ok = fail("--data: no rule can read any of the %" PRId64
                  " references (%s); give a --judge-model, or answers that can be compared",
                  dropped->count, dropped->names.data);
    return ok;
}
