// What a step's line in the log says, under the names that people know from verl.
#ifndef RL_METRICS_H
#define RL_METRICS_H

#include "log/log.h"
#include "rl/dynamic.h"
#include "rl/update.h"
#include "rl/validate.h"

typedef struct StepFacts {
    double gradient_norm; // of the updates, the largest
    UpdateReport report;
    int64_t updates;
    double learning_rate, kl_coefficient;
    DynamicReport dynamic;                                       // batches 0: prompts are not replaced
    double generate, reward, reference, advantage, update, save; // seconds; save: of the checkpoint after the step before
} StepFacts;

enum {
    SHARES = 6,         // of verdicts: equal, different, unknown; judged yes, judged no; unscored
    SOURCES_NAMED = 32, // the first sources of the data; what the others have is added up as "others"
    METRICS_MOST = 128 + (SOURCES_NAMED + 1) * (SHARES + 3) + (ANSWER_KINDS + 1) * SHARES
};

typedef struct Metrics {
    LogField fields[METRICS_MOST];
    char names[METRICS_MOST][128];
    size_t count;
} Metrics;

void metrics_add(Metrics *metrics, double value, const char *format, ...)
    PRINTF_LIKE(3, 4); // there is room for all that are below

// documents: the rollout's. rewards: which parts have a weight. Times come last.
void metrics_of_step(Metrics *metrics, const Rollout *rollout, const Documents *documents, const Rewards *rewards,
                     const StepFacts *facts);

// Of held-out problems, of k samples each: avg@k, pass@k and maj@k of all, by level and by source; and verdicts.
// Samples, judges by rule alone and writes (to folder/step-N.jsonl, N: rules->show.step) rules->samples responses to each of the documents,
// by draws of their own: the same ones whenever it is asked; a single one is the greedy one.
bool validation_run(Metrics *metrics, Engine *engine, const Documents *documents, const RolloutRules *rules, const char *folder);
void metrics_of_validation(Metrics *metrics, const Validation *validation, const Rollout *rollout, const Documents *documents,
                           double seconds);

// What became of responses, as shares of all that were sampled, those of groups that were set aside too: verdict/equal, verdict/different
// and verdict/unknown by rule, which are all of them; of these verdict/judged_yes and verdict/judged_no by a judge; verdict/unscored without
// a reward. The same of each kind of reference (verdict/kind/NAME/...) and source (verdict/source/NAME/...). prefix stands before a name.
void metrics_of_verdicts(Metrics *metrics, const char *prefix, const Rollout *rollout, const Documents *documents);

// What a source is called in a field's name. One that had to be changed to fit, or to stand in JSON as it is, ends in a hash of it, so that
// two sources never have one name.
enum { SOURCE_NAME_BYTES = 64 };
void metrics_source_name(char out[SOURCE_NAME_BYTES], const char *source);

#endif
