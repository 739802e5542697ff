// What a step's line in the log says, under the names that people know from verl.
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "log/log.h"
#include "rl/dynamic.h"
#include "rl/update.h"
#include "run/run.h"

typedef struct StepFacts {
    double gradient_norm; // of the updates, the largest
    UpdateReport report;
    int64_t updates;
    double learning_rate, kl_coefficient;
    DynamicReport dynamic;               // batches 0: no dynamic sampling
    PoolCounts pools;                    // after it; zeros: no prompt rests
    double reference, advantage, update; // seconds
    SaveTimes save;                      // of checkpoints, since the step before
    double sent_bytes;                   // by this rank, likewise
} StepFacts;

enum {
    SHARES = 8,         // of verdicts: equal, different, unknown; no answer; judged, judged yes, judged no; unscored
    SOURCES_NAMED = 32, // the first sources of the data have fields of their own; all others are added up as "others"
    SOURCE_NAME_BYTES = 64,
    TASKS_LOGGED = 32, // benchmarks in an evaluation
    TASK_FIGURES = 5,  // of each
    METRICS_MOST = 128 + TASKS_LOGGED * TASK_FIGURES + (SOURCES_NAMED + 1) * (SHARES + 3) + (ANSWER_KINDS + 1) * SHARES
};

typedef struct Metrics {
    LogField fields[METRICS_MOST];
    char names[METRICS_MOST][128];
    size_t count;
} Metrics;

void metrics_add(Metrics *metrics, double value, const char *format, ...)
    PRINTF_LIKE(3, 4); // METRICS_MOST has room for all

// documents: the rollout's. rewards: which parts have a weight. Times come last.
void metrics_of_step(Metrics *metrics, const Rollout *rollout, const Documents *documents, const Rewards *rewards,
                     const StepFacts *facts);

// Of all responses that are learned from: their lengths and advantages.
bool metrics_histograms(RunLog *log, int64_t step, const Rollout *rollout);

// What became of responses, as shares of all that were sampled, with the groups that were set aside: by rule
// verdict/equal, verdict/different or verdict/unknown, and whatever those say verdict/no_answer where a response ended
// by itself and no answer was found in it; verdict/judged by a judge, verdict/judged_yes and verdict/judged_no by its
// decision, where it had one; verdict/unscored without a reward. The same for each kind of reference
// (verdict/kind/NAME/...) and source (verdict/source/NAME/...). prefix comes before a name.
//
// Then what the judge said, where it decided anything: judge/yes, the share of yes among its decisions;
// judge/beside_rule, the share of its decisions where a rule had one, too; and of these the shares of disagreement,
// judge/yes_to_different and judge/no_to_equal (the latter needs --judge-asks all). Whole numbers are counted, so that
// no order of ranks or responses matters.
void metrics_of_verdicts(Metrics *metrics, const char *prefix, const Rollout *rollout, const Documents *documents);

// A source has a place in an array of SOURCE_PLACES: 0 for no source, and the last for all that have no fields of their
// own.
enum { SOURCE_PLACES = SOURCES_NAMED + 2 };
int metrics_source_place(int32_t source);
void metrics_place_name(char out[SOURCE_NAME_BYTES], const Documents *documents, int place);

// A source's name as a part of a field's name. One that had to be changed, to fit, for JSON, or for terminals, in which
// nothing of it may act (log/visible.h), ends in a hash of it, so that no two sources share a name.
void metrics_source_name(char out[SOURCE_NAME_BYTES], const char *source);

#endif
