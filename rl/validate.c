// Scores of held-out problems: two answers are alike if both are right, or spelled the same; from that the majority, and avg@k,
// pass@k and maj@k of a group and of all.
#include "rl/validate.h"
#include <stdlib.h>

static Text text_of(const Response *r) { return (Text){r->text.data, r->text.size}; }
static bool gives_none(const Response *r) { return r->answer != NULL && r->answer[0] == 0; }

// Whether the two give one answer. What is right is alike, and so is what cannot be read only where it is spelled alike.
static bool alike(const Response *a, const Response *b)
{
    if (a->verdict == VERDICT_EQUAL || b->verdict == VERDICT_EQUAL)
        return a->verdict == b->verdict;
    return verify(text_of(a), text_of(b)) == VERDICT_EQUAL;
}

// The first of the answers that are given most often; whoever gives none has no vote.
static const Response *majority(const Group *g, int64_t samples)
{
    const Response *best = &g->responses[0];
    int64_t most = 0;
    for (int64_t i = 0; i < samples; i++) {
        int64_t votes = 0;
        if (gives_none(&g->responses[i]))
            continue;
        for (int64_t k = 0; k < samples; k++)
            votes += k == i || (!gives_none(&g->responses[k]) && alike(&g->responses[i], &g->responses[k]));
        if (votes > most)
            best = &g->responses[i], most = votes;
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

void score_add(Score *sum, Score one)
{
    sum->prompts += one.prompts;
    sum->average += one.average;
    sum->pass += one.pass;
    sum->majority += one.majority;
}

bool validate(Validation *v, const Rollout *rollout, const Documents *documents)
{
    *v = (Validation){.source = allocate(documents->source_count + 1, sizeof *v->source)};
    TRY(v->source != NULL);
    for (int64_t i = 0; i < rollout->count; i++) {
        const Group *g = &rollout->groups[i];
        const Document *d = &documents->list[g->document];
        Score one = group_score(g, rollout->samples);
        score_add(&v->all, one);
        score_add(&v->level[d->difficulty], one);
        score_add(&v->source[d->source], one);
    }
    return true;
}

void validation_free(Validation *v)
{
    free(v->source);
    *v = (Validation){0};
}
