// One update's backward passes. Where the policy has not changed since sampling, every token's log-probability must be
// the sampled one to the bit: check_on_policy ends the run otherwise.
#include "rl/update.h"
#include <stdlib.h>

typedef struct MicroBatch {
    const Pack *pack;
    int64_t number;
    const UpdateRules *rules;
    UpdateReport *report;
    float *loss; // of the longest response
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

static void response_loss(const MicroBatch *m, const Response *r, const float *logprob, const float *entropy,
                          float *dlogprob, float *dentropy)
{
    ResponseTokens tokens = {.count = r->count, .advantage = r->advantage, .lp = logprob, .old = r->logprob};
    tokens.reference = m->rules->objective.kl_coefficient != 0 ? r->reference : NULL;
    tokens.sampled = r->processed;
    objective(m->loss, dlogprob, &tokens, &m->rules->objective, &m->report->counts);
    for (int64_t t = 0; t < r->count; t++) {
        m->report->loss += r->weight * ((double)m->loss[t] - m->rules->entropy_coefficient * (double)entropy[t]);
        m->report->entropy += (double)entropy[t];
        dlogprob[t] = (float)(r->weight * (double)dlogprob[t]);
        dentropy[t] = (float)(-r->weight * m->rules->entropy_coefficient);
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
        response_loss(m, item->response, logprob + at, entropy + at, dlogprob + at, dentropy + at);
        at += item->response->count;
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

bool update_gradients(Model *model, Pack *pack, const UpdateRules *rules, UpdateReport *report)
{
    MicroBatch m = {.pack = pack, .rules = rules, .report = report};
    m.loss = allocate((size_t)longest_response(pack), sizeof *m.loss);
    bool ok = m.loss != NULL;
    PolicyRows rows = {rules->temperature, rules->n_live, row_loss, &m};
    for (; ok && m.number < pack->micro_batches; m.number++) {
        Ragged batch;
        pack_micro_batch(pack, m.number, &batch);
        ok = (rules->go_on == NULL || rules->go_on(rules->go_on_context, m.number, pack->micro_batches)) &&
             model_forward(model, &batch) && model_policy_loss(model, &batch, &rows) && model_backward(model, &batch);
    }
    free(m.loss);
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
