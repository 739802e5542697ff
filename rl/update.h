// One update's gradient: every micro-batch of a pack forward, its policy loss, and back. The loss of a token is objective.h's, its weight
// the pack's; the entropy bonus is a part of the same sum.
#ifndef RL_UPDATE_H
#define RL_UPDATE_H

#include "model/model.h"
#include "rl/objective.h"
#include "rl/pack.h"

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

// What a token of each response of an update weighs.
typedef struct UpdateWeights {
    Aggregation aggregation;
    int64_t longest;     // response, in tokens
    bool mask_truncated; // responses that were cut off weigh nothing
} UpdateWeights;

// (count * samples), to be freed: every response of groups first .. first + count - 1, with its weight. NULL after fail().
PackItem *update_items(Rollout *rollout, int64_t first, int64_t count, const UpdateWeights *rule);

// Adds to model->gradients, which the caller has cleared, and to report.
bool update_gradients(Model *model, Pack *pack, const UpdateRules *rules, UpdateReport *report);

#endif
