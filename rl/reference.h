// A second set of weights that does not learn: the log-probabilities of its tokens are what a policy's are held against (KL).
#ifndef RL_REFERENCE_H
#define RL_REFERENCE_H

#include "model/fit.h"
#include "rl/objective.h"
#include "rl/rollout.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Reference {
    Model model;   // model.kernels NULL: not open
    uint64_t hash; // of which weights they are
} Reference;

// limits: of its micro-batches. reference_needs: the memory that it will take, for a plan; fit: of the whole program.
bool reference_needs(ModelNeeds *needs, const char *folder, const ModelLimits *limits);
bool reference_open(Reference *reference, const char *folder, const ModelLimits *limits, const Fit *fit);
void reference_close(Reference *reference);

// Response.reference of every response, at the policy's temperature and over its live columns.
bool reference_logprobs(Reference *reference, Rollout *rollout, int64_t micro_batch_tokens, float temperature, int64_t n_live);

// Response.kl, the sum over a response's tokens at the log-probabilities that they were sampled with; returns the mean over tokens.
double reference_kl(Rollout *rollout, KlEstimator kl);

// The next coefficient of an adaptive controller (Ziegler et al. 2019, section 2.2): n responses had this mean KL.
double kl_coefficient_next(double coefficient, double kl, double target, double n, double horizon);

#ifdef __cplusplus
}
#endif
#endif
