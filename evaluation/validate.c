// Scores of held-out problems, from the majority vote of a group to the fields of the log's line.
#include "evaluation/validate.h"
#include <stdlib.h>

static Text text_of(const Response *r) { return (Text){r->text.data, r->text.size}; }
static bool gives_none(const Response *r) { return r->answer != NULL && r->answer[0] == 0; }

// Whether both give the same answer: two right answers agree; unreadable answers agree only if spelled alike.
static bool agree(const Response *a, const Response *b)
{
    if (a->verdict == VERDICT_EQUAL || b->verdict == VERDICT_EQUAL)
        return a->verdict == b->verdict;
    return verify(text_of(a), text_of(b)) == VERDICT_EQUAL;
}

// The first of the answers that are given most often; a response without an answer has no vote.
static const Response *majority(const Group *g, int64_t samples)
{
    const Response *best = &g->responses[0];
    int64_t most = 0;
    for (int64_t i = 0; i < samples; i++) {
        int64_t votes = 0;
        if (gives_none(&g->responses[i]))
            continue;
        for (int64_t k = 0; k < samples; k++)
            votes += k == i || (!gives_none(&g->responses[k]) && agree(&g->responses[i], &g->responses[k]));
        if (votes > most) {
            best = &g->responses[i];
            most = votes;
        }
    }
    return best;
}

Score group_score(const Group *g, int64_t samples)
{
    Score s = {.prompts = 1};
    for (int64_t k = 0; k < samples; k++) {
        bool right = g->responses[k].verdict == VERDICT_EQUAL;
        s.average += (double)right / (double)samples;
        s.pass = right ? 1 : s.pass;
    }
    s.majority = majority(g, samples)->verdict == VERDICT_EQUAL;
    return s;
}

static void add(Score *sum, Score one)
{
    sum->prompts += one.prompts;
    sum->average += one.average;
    sum->pass += one.pass;
    sum->majority += one.majority;
}

// ---- the log's line

// best: what pass@k is called.
static void add_fields(Metrics *m, const Score *s, const char *where, const char *best, int64_t k)
{
    double n = (double)s->prompts;
    metrics_add(m, s->average / n, "%s/acc/mean@%" PRId64, where, k);
    if (k > 1) {
        metrics_add(m, s->pass / n, "%s/acc/%s@%" PRId64, where, best, k);
        metrics_add(m, s->majority / n, "%s/acc/maj@%" PRId64, where, k);
    }
}

void metrics_of_validation(Metrics *m, const Rollout *rollout, const Documents *documents)
{
    Score all = {0}, level[LEVELS] = {{0}}, source[SOURCE_PLACES] = {{0}};
    char name[SOURCE_NAME_BYTES], where[SOURCE_NAME_BYTES + 16];
    for (int64_t i = 0; i < rollout->count; i++) {
        const Document *d = &documents->list[rollout->groups[i].document];
        Score one = group_score(&rollout->groups[i], rollout->samples);
        add(&all, one);
        add(&level[d->difficulty], one);
        add(&source[metrics_source_place(d->source)], one);
    }
    add_fields(m, &all, "eval", "pass", rollout->samples);
    for (int l = 0; l < LEVELS; l++)
        if (level[l].prompts > 0)
            metrics_add(m, level[l].average / (double)level[l].prompts, "eval/level_%d/acc/mean@%" PRId64, l,
                        rollout->samples);
    for (int place = 1; place < SOURCE_PLACES; place++)
        if (source[place].prompts > 0) {
            metrics_place_name(name, documents, place);
            snprintf(where, sizeof where, "val-core/%s", name);
            add_fields(m, &source[place], where, "best", rollout->samples);
        }
    metrics_of_verdicts(m, "eval/", rollout, documents);
}

bool validation_run(Metrics *m, Engine *engine, const Documents *documents, const RolloutRules *rules,
                    const char *folder)
{
    Rollout rollout;
    RolloutRules by_rule = *rules;
    SamplingOptions *sampling = &by_rule.sampling;
    by_rule.show.doing = "evaluating";
    by_rule.step = -1;
    by_rule.rewards = NULL;
    sampling->top_k = 0;
    sampling->top_p = 1;
    sampling->min_p = 0;
    sampling->temperature = rules->samples == 1 ? 0 : sampling->temperature;
    int64_t *numbers = allocate((size_t)documents->count, sizeof *numbers);
    TRY(numbers != NULL);
    for (int64_t i = 0; i < documents->count; i++)
        numbers[i] = i;
    bool ok = rollout_run(&rollout, engine, documents, numbers, documents->count, &by_rule);
    free(numbers);
    TRY(ok);
    ok = folder == NULL || rollout_write(&rollout, rules->files->tokenizer, folder, rules->show.step);
    metrics_of_validation(m, &rollout, documents);
    rollout_free(&rollout);
    return ok;
}
