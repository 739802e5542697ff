// One update's gradient: every micro-batch of a pack forward, its policy loss, and back. The loss of a token is
// objective.h's, its weight the response's; the entropy bonus is a part of the same sum.
#ifndef RL_UPDATE_H
#define RL_UPDATE_H

#include "model/model.h"
#include "rl/objective.h"
#include "rl/pack.h"
#include "rl/reference.h"
#include "sharded/sharded.h"

typedef bool UpdateGoOn(void *context, int64_t done, int64_t all);

typedef struct UpdateRules {
    double entropy_coefficient; // loss -= coefficient · entropy
    Objective objective;
    float temperature;
    int64_t n_live;
    UpdateGoOn *go_on; // asked before each micro-batch, with the number done; false, after fail(), gives up. NULL: none
    void *go_on_context;
    Sharded *sharded; // the model among ranks, which take micro-batches in turns; NULL: it is alone
    bool on_policy;   // weights and arithmetic are those that sampled: every ratio is exactly 1, or it fails
} UpdateRules;

typedef struct UpdateReport { // sums over trained tokens; add up over updates. Every field has 8 bytes
    double loss, entropy;     // loss: weighted, as it is minimised
    ObjectiveCounts counts;
} UpdateReport;

// clang-format off
#define POLICY_LOSS_ROWS(ROW, IN) \
    ROW(IN, loss,           choice, "clip",       POLICY_LOSSES, loss, IDENTITY, "policy loss") \
    ROW(IN, aggregation,    choice, "token-mean", AGGREGATIONS,  loss, IDENTITY, "how token losses become one loss") \
    ROW(IN, clip_low,       number, "0.2",        ">= 0",        loss, IDENTITY, "clip ratios below 1 minus this") \
    ROW(IN, clip_high,      number, "0.2",        ">= 0",        loss, IDENTITY, "clip ratios above 1 plus this") \
    ROW(IN, dual_clip,      number, "3",          ">= 0",        loss, IDENTITY, "clip: bound of the loss where the advantage is negative; 0: none") \
    ROW(IN, entropy_coef,   number, "0",          ">= 0",        loss, IDENTITY, "weight of the entropy bonus") \
    ROW(IN, mask_truncated, flag,   "false",      "",            loss, IDENTITY, "do not train on responses that were cut off")
// clang-format on
OPTION_GROUP(PolicyLossOptions, POLICY_LOSS_ROWS)

// The rules that options say, with this KL coefficient (if KL is in the loss); n_live, go_on and on_policy are the
// caller's.
UpdateRules update_rules(const PolicyLossOptions *loss, const SamplingOptions *sampling, const KlOptions *kl,
                         double coefficient);

// Sets Response.weight of the part: what each of its tokens weighs in the update's loss. longest: --max-new-tokens.
void update_weights(Rollout *rollout, const PackPart *part, const PolicyLossOptions *loss, int64_t longest);

// Adds to model->sums, which the caller has cleared, and to report: response after response in the pack's order, so
// that both have the same bits on any number of ranks.
bool update_gradients(Model *model, Pack *pack, const UpdateRules *rules, UpdateReport *report);

#endif
