// Opens a run's prompts: reads them, drops those whose reference nothing can be compared with, numbers those that share a name (they
// would share their random draws too), and finds the problem's text for a judge.
#include "rl/prompts.h"
#include "base/text.h"
#include "rows/records.h"
#include <stdlib.h>
#include <string.h>

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

// ---- twins

typedef struct Named {
    uint64_t name;
    int64_t number;
} Named;

static int by_name(const void *a, const void *b)
{
    const Named *x = a, *y = b;
    return x->name != y->name ? (x->name > y->name) - (x->name < y->name) : (x->number > y->number) - (x->number < y->number);
}

bool prompts_number_twins(uint32_t **twins, const Documents *d)
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

// ---- for a judge

// The turns of a row, without the system's.
static bool append_turns(Bytes *out, const Record *r)
{
    for (size_t i = 0; i < record_prompt(r); i++)
        if (r->messages[i].role != ROLE_SYSTEM)
            TRY(bytes_text(out, out->size > 0 ? "\n\n" : "") &&
                bytes_append(out, r->messages[i].content.data, r->messages[i].content.size));
    return true;
}

// What is left of a rendered prompt: between the marks of its last user's turn, where it has these.
static Text last_turn(const Bytes *rendered)
{
    static const char opens[] = "<|im_start|>user\n", closes[] = "<|im_end|>";
    Text all = {rendered->data, rendered->size};
    const char *begin = text_last(all, opens);
    if (begin == NULL)
        return all;
    all = text_between(begin + strlen(opens), rendered->data + rendered->size);
    const char *end = memmem(all.data, all.size, closes, strlen(closes));
    return end == NULL ? all : text_between(all.data, end);
}

static bool decode_turn(Bytes *out, const ShardEntry *prompt, const Tokenizer *tokenizer)
{
    Bytes rendered = {0};
    bool ok = decode(tokenizer, &rendered, prompt->ids, prompt->prompt, false) && bytes_text(&rendered, "");
    if (ok) {
        Text turn = last_turn(&rendered);
        ok = bytes_append(out, turn.data, turn.size);
    }
    bytes_free(&rendered);
    return ok;
}

bool prompt_problem(Bytes *out, const ShardEntry *prompt, const Tokenizer *tokenizer)
{
    Record record;
    RecordOptions reading = {.instruction = "none", .prompts = true, .any_difficulty = true};
    bool ok = false;
    if (prompt->row.data != NULL && record_read(&record, prompt->row.data, prompt->row.size, "its row", 1, &reading)) {
        ok = record.format == ROW_IDS || append_turns(out, &record);
        record_free(&record);
        TRY(ok);
    }
    error_clear(); // a row that was read under other names (--map): its tokens know
    return (out->size > 0 || decode_turn(out, prompt, tokenizer)) && bytes_text(out, "");
}

// ---- all of it

static TrainingRules training_rules(const PromptsRules *r)
{
    const ModelFiles *f = r->files;
    int32_t vocabulary = (int32_t)f->config.vocabulary;
    return (TrainingRules){
        .preparing = {.rules = {.tokenizer = f->tokenizer, .chat = &f->chat, .vocabulary = vocabulary}, .split = SPLIT_RL_ONLY},
        .reading = {.kind = SHARD_RL,
                    .seq_len = r->longest,
                    .seq_len_name = "--max-prompt-tokens",
                    .over_length = OVER_LENGTH_DROP,
                    .vocabulary = vocabulary,
                    .tokenizer = tokenizer_hash(f->tokenizer),
                    .template = f->chat.kind}};
}

// What is prepared here asks as what was prepared before does.
static bool asked_alike(const Prompts *p)
{
    if (p->held_out->count == 0)
        return true;
    bool prepared_here = p->data.train.folders.cached || p->data.held_out.folders.cached;
    return !prepared_here || documents_about(p->train)->instruction == documents_about(p->held_out)->instruction ||
           fail("%s: --eval-data and --data end the user's turn otherwise; give the --instruction that %s was prepared with",
                p->data.options->eval_data.items[0], p->data.options->data.items[0]);
}

bool prompts_open(Prompts *p, const PromptsRules *r)
{
    TrainingRules rules = training_rules(r);
    p->train = &p->data.train.documents;
    p->held_out = &p->data.held_out.documents;
    TRY(training_data_open(&p->data, r->data, r->out, r->plan) && training_data_read(&p->data, &rules) &&
        training_data_read_held_out(&p->data, &rules) && asked_alike(p));
    return rewards_check_sources(r->rewards, p->train) &&
           prompts_drop_incomparable(&p->dropped, &p->data.train.documents, r->rewards, r->has_judge) &&
           prompts_number_twins(&p->twins, p->train);
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
    if (p->dropped.count > 0 && prompts_describe_dropped(&dropped, &p->dropped))
        log_note(&run->log, "%" PRId64 " problems are left out: %s (%s)%s", p->dropped.count,
                 has_judge ? "they have no reference" : "no rule can tell right answers from wrong ones by their reference",
                 dropped.data, has_judge ? "" : "; a --judge-model could");
    bytes_free(&dropped);
}
