// Opens a run's prompts: reads them, drops those whose reference nothing can be compared with, and numbers those that
// share a name (they would share their random draws too).
#include "rl/prompts.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool usable(const ShardEntry *e, const Rewards *rewards, bool has_judge)
{
    const double *weights = reward_weights(rewards, e->source);
    if (weights[REWARD_ACCURACY] == 0 && weights[REWARD_LENGTH] == 0)
        return true;
    return has_judge ? text_trimmed(e->answer).size > 0 : answer_comparable(e->row, e->answer);
}

enum { PROMPTS_NAMED = 5 };

static int shown(Text s) { return s.size <= 40 ? (int)s.size : (int)utf8_valid_prefix(s.data, 40); }

static bool name_one(DroppedPrompts *dropped, const ShardEntry *e)
{
    return dropped->count >= PROMPTS_NAMED ||
           bytes_printf(&dropped->names, "%s%.*s \"%.*s\"", dropped->count > 0 ? ", " : "", shown(e->id), e->id.data,
                        shown(e->answer), e->answer.data == NULL ? "" : e->answer.data);
}

// Appends '3 text, 1 none: a "The heart", ...'.
static bool describe_dropped(Bytes *out, const DroppedPrompts *dropped)
{
    const char *comma = "";
    for (int kind = 0; kind < ANSWER_KINDS; kind++)
        if (dropped->kind[kind] > 0) {
            TRY(bytes_printf(out, "%s%" PRId64 " %s", comma, dropped->kind[kind], ANSWER_KIND_NAMES[kind]));
            comma = ", ";
        }
    return bytes_printf(out, ": %s%s", dropped->names.data, dropped->count > PROMPTS_NAMED ? ", ..." : "");
}

static bool none_left(const DroppedPrompts *dropped, bool has_judge)
{
    Bytes what = {0};
    if (describe_dropped(&what, dropped))
        fail("--data: by none of the %" PRId64
             " references can a rule tell right answers from wrong ones (%s); give %s",
             dropped->count, what.data, has_judge ? "answers" : "a --judge-model, or answers that can be compared");
    bytes_free(&what);
    return false;
}

static bool drop_incomparable(DroppedPrompts *dropped, Documents *d, const Rewards *rewards, bool has_judge)
{
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

// ---- twins

typedef struct Named {
    uint64_t name;
    int64_t number;
} Named;

static int by_name(const void *a, const void *b)
{
    const Named *x = a, *y = b;
    return x->name != y->name ? (x->name > y->name) - (x->name < y->name)
                              : (x->number > y->number) - (x->number < y->number);
}

static bool number_twins(uint32_t **twins, const Documents *d)
{
    Named *all = allocate((size_t)d->count + 1, sizeof *all);
    *twins = allocate((size_t)d->count + 1, sizeof **twins);
    bool ok = all != NULL && *twins != NULL;
    for (int64_t i = 0; ok && i < d->count; i++) {
        ShardEntry e = document_entry(d, i);
        const uint64_t names[] = {hash_bytes(e.id.data, e.id.size), e.key};
        all[i] = (Named){hash_bytes(names, sizeof names), i};
    }
    if (ok)
        qsort(all, (size_t)d->count, sizeof *all, by_name);
    for (int64_t i = 1; ok && i < d->count; i++)
        if (all[i].name == all[i - 1].name)
            (*twins)[all[i].number] = (*twins)[all[i - 1].number] + 1;
    free(all);
    return ok;
}

// ---- the whole

static TrainingRules training_rules(const PromptsRules *r)
{
    const ModelFiles *f = r->files;
    int32_t vocabulary = (int32_t)f->config.vocabulary;
    return (TrainingRules){
        .preparing = {.rules = {.tokenizer = f->tokenizer, .chat = &f->chat, .vocabulary = vocabulary},
                      .split = SPLIT_RL_ONLY},
        .reading = {.kind = SHARD_RL,
                    .seq_len = r->longest,
                    .seq_len_name = "--max-prompt-tokens",
                    .over_length = OVER_LENGTH_DROP,
                    .vocabulary = vocabulary,
                    .tokenizer = tokenizer_hash(f->tokenizer),
                    .template = f->chat.kind}};
}

// Shards that are prepared here end the user's turn like those that were prepared before.
static bool same_instruction(const Prompts *p)
{
    bool prepared_here = p->data.train.folders.cached || p->data.held_out.folders.cached;
    return p->held_out->count == 0 || !prepared_here ||
           documents_about(p->train)->instruction == documents_about(p->held_out)->instruction ||
           fail("%s: --eval-data and --data end the user's turn differently; give the --instruction that %s was "
                "prepared with",
                p->data.options->eval_data.items[0], p->data.options->data.items[0]);
}

bool prompts_open(Prompts *p, const PromptsRules *r)
{
    TrainingRules rules = training_rules(r);
    p->train = &p->data.train.documents;
    p->held_out = &p->data.held_out.documents;
    TRY(training_data_open(&p->data, r->data, r->out, r->plan) && training_data_read(&p->data, &rules) &&
        training_data_read_held_out(&p->data, &rules) && same_instruction(p));
    return rewards_check_sources(r->rewards, p->train) &&
           drop_incomparable(&p->dropped, &p->data.train.documents, r->rewards, r->has_judge) &&
           number_twins(&p->twins, p->train);
}

void prompts_close(Prompts *p)
{
    training_data_close(&p->data);
    bytes_free(&p->dropped.names);
    free(p->twins);
    *p = (Prompts){0};
}

void prompts_announce(const Prompts *p, Run *run, bool has_judge)
{
    Bytes dropped = {0};
    run_announce_rows(run, "--data", &p->data.train.folders);
    run_announce_rows(run, "--eval-data", &p->data.held_out.folders);
    if (p->dropped.count > 0 && describe_dropped(&dropped, &p->dropped))
        log_note(&run->log, "%" PRId64 " problems are left out: %s (%s)%s", p->dropped.count,
                 has_judge ? "they have no reference"
                           : "no rule can tell right answers from wrong ones by their reference",
                 dropped.data, has_judge ? "" : "; a --judge-model could");
    bytes_free(&dropped);
}

bool prompts_check_norm(const Prompts *p, const Rollout *rollout, const PackPart *part, double norm, Run *run)
{
    if (isfinite(norm))
        return true;
    int64_t *numbers = allocate((size_t)part->count, sizeof *numbers);
    for (int64_t i = 0; numbers != NULL && i < part->count; i++)
        numbers[i] = rollout->groups[part->first + i].document;
    bool ok = numbers != NULL && run_leave_out(run, &(LeftOut){"gradient", p->train, numbers, NULL, part->count});
    free(numbers);
    return ok;
}
