// One update's backward passes. Where the policy has not changed since sampling, every token's log-probability must be
// the sampled one to the bit: the loss's derivatives are known before the head is run, and check_on_policy ends the run
// where they were not those of what the head found.
#include "rl/update.h"
#include <stdlib.h>
#include <string.h>

typedef struct MicroBatch {
    const Pack *pack;
    int64_t number;
    const UpdateRules *rules;
    UpdateReport *reports; // of each of the pack's items
    float *loss;           // of the longest response
} MicroBatch;

static bool check_on_policy(const PackItem *item, const float *logprob)
{
    for (int64_t t = 0; t < item->response->count; t++)
        if (logprob[t] != item->response->logprob[t])
            return fail("token %" PRId64
                        " of a response to %.*s was sampled with log-probability %.9g, and the update finds "
                        "%.9g: the two passes are not the same arithmetic, which is a fault of this program",
                        t, (int)item->group->prompt.id.size, item->group->prompt.id.data,
                        (double)item->response->logprob[t], (double)logprob[t]);
    return true;
}

// Those of a response whose tokens have these log-probabilities; their losses are in m->loss.
static void response_derivatives(const MicroBatch *m, const Response *r, ObjectiveCounts *counts, const float *logprob,
                                 float *dlogprob, float *dentropy)
{
    ResponseTokens tokens = {.count = r->count, .advantage = r->advantage, .lp = logprob, .old = r->logprob};
    tokens.reference = m->rules->objective.kl_coefficient != 0 ? r->reference : NULL;
    tokens.sampled = r->processed;
    objective(m->loss, dlogprob, &tokens, &m->rules->objective, counts);
    for (int64_t t = 0; t < r->count; t++) {
        dlogprob[t] = (float)(r->weight * (double)dlogprob[t]);
        dentropy[t] = (float)(-r->weight * m->rules->entropy_coefficient);
    }
}

static void response_loss(const MicroBatch *m, const Response *r, UpdateReport *report, const float *logprob,
                          const float *entropy, float *dlogprob, float *dentropy)
{
    response_derivatives(m, r, &report->counts, logprob, dlogprob, dentropy);
    for (int64_t t = 0; t < r->count; t++) {
        report->loss += r->weight * ((double)m->loss[t] - m->rules->entropy_coefficient * (double)entropy[t]);
        report->entropy += (double)entropy[t];
    }
}

static bool row_loss(void *context, const float *logprob, const float *entropy, float *dlogprob, float *dentropy,
                     bool *of_entropy)
{
    const MicroBatch *m = context;
    int64_t at = 0;
    for (int64_t i = m->pack->first[m->number]; i < m->pack->first[m->number + 1]; i++) {
        const PackItem *item = &m->pack->items[i];
        if (m->rules->on_policy)
            TRY(check_on_policy(item, logprob + at));
        response_loss(m, item->response, &m->reports[i], logprob + at, entropy + at, dlogprob + at, dentropy + at);
        at += item->response->count;
    }
    *of_entropy = m->rules->entropy_coefficient != 0;
    return true;
}

// On policy: of the log-probabilities that were recorded
static bool known_loss(void *context, float *dlogprob, float *dentropy, bool *of_entropy)
{
    const MicroBatch *m = context;
    int64_t at = 0;
    for (int64_t i = m->pack->first[m->number]; i < m->pack->first[m->number + 1]; i++) {
        const Response *r = m->pack->items[i].response;
        ObjectiveCounts nobodys = {0};
        response_derivatives(m, r, &nobodys, r->logprob, dlogprob + at, dentropy + at);
        at += r->count;
    }
    *of_entropy = m->rules->entropy_coefficient != 0;
    return true;
}

static int64_t longest_response(const Pack *pack)
{
    int64_t longest = 1;
    for (int64_t i = 0; i < pack->first[pack->micro_batches]; i++)
        longest = pack->items[i].response->count > longest ? pack->items[i].response->count : longest;
    return longest;
}

// ---- what it says of itself

// An item's report is its rank's, and zeros elsewhere: the sum of their bits is that rank's bits.
static bool share_reports(UpdateReport *reports, int64_t count, Communicator *ranks)
{
    size_t bytes = (size_t)count * sizeof *reports;
    int64_t *bits = allocate(bytes / sizeof *bits + 1, sizeof *bits);
    TRY(bits != NULL);
    memcpy(bits, reports, bytes);
    bool ok = comm_sum(ranks, bits, bytes / sizeof *bits);
    memcpy(reports, bits, bytes);
    free(bits);
    return ok;
}

static void add(UpdateReport *sum, const UpdateReport *one)
{
    ObjectiveCounts *s = &sum->counts;
    const ObjectiveCounts *c = &one->counts;
    sum->loss += one->loss;
    sum->entropy += one->entropy;
    s->tokens += c->tokens;
    s->clipped += c->clipped;
    s->clipped_lower += c->clipped_lower;
    s->policy += c->policy;
    s->kl += c->kl;
    s->old_minus_new += c->old_minus_new;
    s->importance += c->importance;
    s->ratio_not_one += c->ratio_not_one;
}

// ---- the update

// In rounds of one micro-batch for each rank; the last may lack some.
static bool run_rounds(MicroBatch *m, Model *model, Pack *pack, const Communicator *ranks)
{
    static const Ragged NOTHING;
    const UpdateRules *rules = m->rules;
    PolicyRows rows = {rules->temperature, rules->n_live, row_loss, rules->on_policy ? known_loss : NULL, m};
    int64_t all = pack->micro_batches, size = ranks == NULL ? 1 : ranks->size;
    for (int64_t first = 0; first < all; first += size) {
        Ragged batch = NOTHING;
        m->number = first + (ranks == NULL ? 0 : ranks->rank);
        if (m->number < all)
            pack_micro_batch(pack, m->number, &batch);
        if (rules->sharded != NULL)
            sharded_round(rules->sharded, (int)smaller(size, all - first));
        TRY(rules->go_on == NULL || rules->go_on(rules->go_on_context, first, all));
        TRY(model_forward(model, &batch) && model_policy_loss(model, &batch, &rows) && model_backward(model, &batch));
    }
    return true;
}

bool update_gradients(Model *model, Pack *pack, const UpdateRules *rules, UpdateReport *report)
{
    int64_t items = pack->first[pack->micro_batches];
    Communicator *ranks = rules->sharded == NULL ? NULL : rules->sharded->ranks;
    MicroBatch m = {.pack = pack, .rules = rules};
    m.loss = allocate((size_t)longest_response(pack), sizeof *m.loss);
    m.reports = allocate((size_t)items + 1, sizeof *m.reports);
    bool ok = m.loss != NULL && m.reports != NULL && run_rounds(&m, model, pack, ranks) &&
              (ranks == NULL || ranks->size == 1 || share_reports(m.reports, items, ranks));
    for (int64_t i = 0; ok && i < items; i++)
        add(report, &m.reports[i]);
    free(m.loss);
    free(m.reports);
    return ok;
}

UpdateRules update_rules(const PolicyLossOptions *loss, const SamplingOptions *sampling, const KlOptions *kl,
                         double coefficient)
{
    return (UpdateRules){.objective = {.loss = (PolicyLoss)loss->loss.place,
                                       .clip_low = loss->clip_low,
                                       .clip_high = loss->clip_high,
                                       .dual_clip = loss->dual_clip,
                                       .kl_coefficient = kl->kl_in.place == KL_IN_LOSS ? coefficient : 0,
                                       .kl = (KlEstimator)kl->kl.place,
                                       .importance_cap = sampling->importance_cap},
                         .entropy_coefficient = loss->entropy_coef,
                         .temperature = (float)sampling->temperature};
}

static int64_t trained_tokens(const Response *r, const PolicyLossOptions *loss)
{
    return loss->mask_truncated && !r->ended ? 0 : r->count;
}

void update_weights(Rollout *rollout, const PackPart *part, const PolicyLossOptions *loss, int64_t longest)
{
    int64_t first = part->first * rollout->samples, end = first + part->count * rollout->samples;
    TrainedCount all = {0};
    for (int64_t i = first; i < end; i++) {
        int64_t tokens = trained_tokens(rollout_response(rollout, i), loss);
        all.tokens += tokens;
        all.responses += tokens > 0;
    }
    for (int64_t i = first; i < end; i++) {
        Response *r = rollout_response(rollout, i);
        r->weight = token_weight((Aggregation)loss->aggregation.place, trained_tokens(r, loss), &all, longest);
    }
}
