// One update's gradient: every micro-batch of a pack forward, its policy loss, and back. The loss of a token is objective.h's, its weight
// the pack's; the entropy bonus is a part of the same sum.
#ifndef RL_UPDATE_H
#define RL_UPDATE_H

#include "model/model.h"
#include "rl/objective.h"
#include "rl/pack.h"
#include "rl/reference.h"

typedef bool UpdateGoOn(void *context, int64_t done, int64_t all);

typedef struct UpdateRules {
    double entropy_coefficient; // loss -= coefficient · entropy
    Objective objective;
    float temperature;
    int64_t n_live;
    UpdateGoOn
        *go_on; // asked before each micro-batch, with how many of how many are done: false, after fail(), gives up. NULL: nobody
    void *go_on_context;
    bool on_policy; // no update came between the samples and this one: every ratio is exactly 1, or it fails
} UpdateRules;

typedef struct UpdateReport { // sums over trained tokens; add up over updates
    double loss, entropy;     // loss: weighted, as it is minimised
    ObjectiveCounts counts;
} UpdateReport;

// clang-format off
#define POLICY_LOSS_ROWS(ROW, IN)                                                                                                \
    ROW(IN, loss,           choice, "clip",       POLICY_LOSSES, loss, IDENTITY, "policy loss")                                  \
    ROW(IN, aggregation,    choice, "token-mean", AGGREGATIONS,  loss, IDENTITY, "how token losses become one loss")             \
    ROW(IN, clip_low,       number, "0.2",        ">= 0",        loss, IDENTITY, "clip ratios below 1 minus this")               \
    ROW(IN, clip_high,      number, "0.2",        ">= 0",        loss, IDENTITY, "clip ratios above 1 plus this")                \
    ROW(IN, dual_clip,      number, "3",          ">= 0",        loss, IDENTITY, "clip: bound of the loss where the advantage is negative; 0: none") \
    ROW(IN, entropy_coef,   number, "0",          ">= 0",        loss, IDENTITY, "weight of the entropy bonus")                  \
    ROW(IN, mask_truncated, flag,   "false",      "",            loss, IDENTITY, "do not train on responses that were cut off")
// clang-format on
OPTION_GROUP(PolicyLossOptions, POLICY_LOSS_ROWS)

// Rules by options, with this coefficient of the KL in the loss (if that is its place); n_live, go_on and on_policy are the caller's.
UpdateRules update_rules(const PolicyLossOptions *loss, const SamplingOptions *sampling, const KlOptions *kl, double coefficient);

// Micro-batches of groups first .. first + count - 1, every response with what its tokens weigh in the update's loss.
typedef struct UpdatePart {
    int64_t first, count;
    int64_t micro_batch_tokens, slots;
} UpdatePart;
bool update_pack(Pack *pack, Rollout *rollout, const UpdatePart *part, const PolicyLossOptions *loss, int64_t longest_response);

// Adds to model->gradients, which the caller has cleared, and to report.
bool update_gradients(Model *model, Pack *pack, const UpdateRules *rules, UpdateReport *report);

#endif
