// What a step's line in the log says, under the names that people know from verl.
#ifndef RL_METRICS_H
#define RL_METRICS_H

#include "base/log.h"
#include "rl/rollout.h"
#include "rl/update.h"
#include "rl/validate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct StepFacts {
    double gradient_norm; // of the updates, the largest
    UpdateReport report;
    int64_t updates;
    double learning_rate, kl_coefficient;
    int64_t batches, replaced; // of dynamic sampling: batches of prompts, groups without a signal
    double generate, reward, reference, advantage, update, save; // seconds; save: of the checkpoint after the step before
} StepFacts;

enum { METRICS_MOST = 96 };

typedef struct Metrics {
    LogField fields[METRICS_MOST];
    char names[METRICS_MOST][96];
    size_t count;
} Metrics;

void metrics_add(Metrics *metrics, double value, const char *format, ...) PRINTF_LIKE(3, 4); // one too many is left out

// rewards: which parts have a weight. Times come last.
void metrics_of_step(Metrics *metrics, const Rollout *rollout, const Rewards *rewards, const StepFacts *facts);

// Of held-out problems, of k samples each: avg@k, pass@k and maj@k of all, by level and by source.
void metrics_of_validation(Metrics *metrics, const Validation *validation, const Documents *documents, int samples,
                           double seconds);

#ifdef __cplusplus
}
#endif
#endif
