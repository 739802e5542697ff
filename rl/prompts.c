#include "rl/prompts.h"
#include "base/text.h"
#include <stdlib.h>

static bool usable(const ShardEntry *e, const Rewards *rewards, bool has_judge)
{
    const double *weights = reward_weights(rewards, e->source);
    if (weights[REWARD_ACCURACY] == 0 && weights[REWARD_LENGTH] == 0)
        return true;
    return has_judge ? text_trimmed(e->answer).size > 0 : answer_comparable(e->row, e->answer);
}

static int shown(Text s) { return s.size <= 40 ? (int)s.size : (int)utf8_valid_prefix(s.data, 40); }

static bool name_one(DroppedPrompts *dropped, const ShardEntry *e)
{
    return dropped->count >= PROMPTS_NAMED ||
           bytes_printf(&dropped->names, "%s%.*s \"%.*s\"", dropped->count > 0 ? ", " : "", shown(e->id), e->id.data,
                        shown(e->answer), e->answer.data == NULL ? "" : e->answer.data);
}

bool prompts_describe_dropped(Bytes *out, const DroppedPrompts *dropped)
{
    bool first = true;
    for (int kind = 0; kind < ANSWER_KINDS; kind++) {
        if (dropped->kind[kind] == 0)
            continue;
        TRY(bytes_printf(out, "%s%" PRId64 " %s", first ? "" : ", ", dropped->kind[kind], ANSWER_KIND_NAMES[kind]));
        first = false;
    }
    return bytes_printf(out, ": %s%s", dropped->names.data, dropped->count > PROMPTS_NAMED ? ", ..." : "");
}

static bool none_left(const DroppedPrompts *dropped, bool has_judge)
{
    Bytes what = {0};
    if (prompts_describe_dropped(&what, dropped))
        fail("--data: by none of the %" PRId64 " references can a rule tell right answers from wrong ones (%s); give %s",
             dropped->count, what.data, has_judge ? "answers" : "a --judge-model, or answers that can be compared");
    bytes_free(&what);
    return false;
}

bool prompts_drop_incomparable(DroppedPrompts *dropped, Documents *d, const Rewards *rewards, bool has_judge)
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
        dropped->kind[answer_kind(e.row, e.answer)]++;
    }
    if (ok)
        documents_keep(d, kept);
    free(kept);
    return ok && (d->count > 0 || none_left(dropped, has_judge));
}
