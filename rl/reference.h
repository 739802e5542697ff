// The reference model: a second set of weights that does not learn; where the policy learns adapters for the same
// model, the policy itself without them. It is kept near the reference by the KL between their log-probabilities.
#ifndef RL_REFERENCE_H
#define RL_REFERENCE_H

#include "fit/fit.h"
#include "options/options.h"
#include "ranks/communicator.h"
#include "rl/objective.h"
#include "rl/rollout.h"

typedef struct Reference {
    Model own;     // own.kernels NULL: not open
    Model *model;  // that is run: own, or the policy
    uint64_t hash; // of its weights
    // How it runs: in micro-batches of this size, at the policy's temperature and over its live columns
    int64_t micro_batch_tokens, n_live;
    float temperature;
    Communicator *ranks; // that share its micro-batches; NULL: it is alone
} Reference;

// clang-format off
#define KL_ROWS(ROW, IN) \
    ROW(IN, kl_coef,    number, "0",     ">= 0",        loss, IDENTITY, "weight of the KL to --reference; 0: no reference model") \
    ROW(IN, kl,         choice, "k3",    KL_ESTIMATORS, loss, IDENTITY, "KL estimator") \
    ROW(IN, kl_in,      choice, "loss",  KL_PLACES,     loss, IDENTITY, "whether KL is counted in the loss or in the reward") \
    ROW(IN, kl_target,  number, "0",     ">= 0",        loss, IDENTITY, "adapt --kl-coef towards this KL per token; 0: fixed") \
    ROW(IN, kl_horizon, number, "10000", "> 0",         loss, IDENTITY, "responses over which --kl-coef adapts") \
    ROW(IN, reference,  folder, "",      "",            loss, NEUTRAL,  "folder of the reference model; default: --model")
// clang-format on
OPTION_GROUP(KlOptions, KL_ROWS)

// limits: of its micro-batches. reference_needs: the memory that it will take, for a plan; fit: of the whole program.
bool reference_needs(ModelNeeds *needs, const char *folder, const ModelLimits *limits);
bool reference_open(Reference *reference, const char *folder, const ModelLimits *limits, const Fit *fit);
bool reference_in_policy(Reference *reference, Model *policy, const char *folder); // which folder its weights are of
void reference_close(Reference *reference);

// For a rollout: the reference's log-probabilities, each response's KL, taken off its reward where options say so, and
// the coefficient of the next step. Does nothing without --kl-coef.
bool reference_count(Reference *reference, Rollout *rollout, const KlOptions *options, double *coefficient);

// The next coefficient of an adaptive controller (Ziegler et al. 2019, section 2.2), after n responses of this mean KL.
double kl_coefficient_next(double coefficient, double kl, double target, double n, double horizon);

#endif
