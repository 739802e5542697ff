// What reinforcement learning minimises: a loss for every trained token of a response, and its derivative with respect
// to the token's log-probability under the policy that is trained. lp: that log-probability; old: the one that was
// recorded when the token was sampled; A: the response's advantage; rho = exp(lp - old).
//
//   loss = sum of weight · (policy + kl_coefficient · kl) over all trained tokens of the update; weight: see
//   token_weight
//
// Signs, clamps and corner cases are verl's (core_algos.py), whose numbers people compare with.
#ifndef RL_OBJECTIVE_H
#define RL_OBJECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_LOSSES "clip|gspo|cispo"
typedef enum PolicyLoss {
    // max(-A rho, -A clip(rho, 1 - low, 1 + high)): Schulman et al. 2017, eq. 7; clip-higher: Yu et al. 2025 (DAPO),
    // eq. 10
    LOSS_CLIP,
    LOSS_GSPO,  // the same with the response's s = exp(mean(lp - old)) for rho: Zheng et al. 2025, eq. 5 to 7 and 13
    LOSS_CISPO, // -constant(clip(rho, 1 - low, 1 + high)) · A · lp: MiniMax 2025 (MiniMax-M1), eq. 4
} PolicyLoss;

#define KL_ESTIMATORS "k1|k2|k3"
typedef enum KlEstimator { KL_K1, KL_K2, KL_K3 } KlEstimator; // Schulman, "Approximating KL divergence", 2020

typedef struct Objective {
    PolicyLoss loss;
    double clip_low, clip_high;
    double dual_clip; // where A < 0, the loss is at most -A · dual_clip: Ye et al. 2020, eq. 4. 0: off. Of LOSS_CLIP
    double kl_coefficient;
    KlEstimator kl;
    // Truncated importance sampling: with `sampled`, a token's policy loss is multiplied by min(exp(old - sampled),
    // cap), a constant (Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training"). 0:
    // off
    double importance_cap;
} Objective;

// One response; arrays of length count.
typedef struct ResponseTokens {
    int64_t count;
    double advantage;
    const float *lp, *old;
    const float *reference; // log-probabilities of the reference model, or NULL
    const float
        *sampled; // of the distribution that was sampled from, where it is another one (top-k and the like), or NULL
} ResponseTokens;

typedef struct ObjectiveCounts {                  // sums over tokens
    int64_t tokens, clipped, clipped_lower;       // clipped: the clipped branch is the larger; lower: by the dual clip
    double policy, kl, old_minus_new, importance; // importance: its weights, 1 where there are none
    int64_t ratio_not_one;                        // rho != 1, bitwise lp != old
} ObjectiveCounts;

// loss, dlp (count): the token's loss and its derivative, before weights. counts is added to.
void objective(float *loss, float *dlp, const ResponseTokens *r, const Objective *o, ObjectiveCounts *counts);

double kl_value(KlEstimator kl, double lp, double reference); // clamped as verl's: the difference to ±20, k3 to ±10
double kl_derivative(KlEstimator kl, double lp, double reference); // 0 where it is clamped

#define KL_PLACES "loss|reward"
typedef enum KlPlace { KL_IN_LOSS, KL_IN_REWARD } KlPlace; // where KL(policy || reference) is counted

#define AGGREGATIONS "token-mean|seq-mean-token-mean|seq-mean-token-sum-norm"
typedef enum Aggregation {
    TOKEN_MEAN,              // each token the same: 1 / tokens of the update
    SEQ_MEAN_TOKEN_MEAN,     // each response the same, its tokens the same: 1 / (responses · its tokens)
    SEQ_MEAN_TOKEN_SUM_NORM, // 1 / (responses · longest), a constant: Liu et al. 2025 (Dr. GRPO)
} Aggregation;

// The weight of each token of a response in the update's loss. tokens: the response's trained ones; a response without
// any has weight 0 and is not counted. It depends on the whole update, so that the cut into micro-batches does not
// matter.
typedef struct TrainedCount {
    int64_t tokens, responses; // of the update
} TrainedCount;
double token_weight(Aggregation aggregation, int64_t tokens, const TrainedCount *update, int64_t longest);

// DAPO's soft overlong punishment (Yu et al. 2025, eq. 13): 0 up to longest - buffer tokens, then falling to -1 at
// longest.
double overlong_punishment(int64_t tokens, int64_t longest, int64_t buffer);

#endif
