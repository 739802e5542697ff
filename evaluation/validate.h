// How good a policy is on problems that it does not learn from: of k responses to each, the share that is right
// (avg@k), whether one is (pass@k), and whether the answer that most of them give is (maj@k).
#ifndef EVALUATION_VALIDATE_H
#define EVALUATION_VALIDATE_H

#include "metrics/metrics.h"

typedef struct Score { // sums over prompts; divide by prompts
    int64_t prompts;
    double average, pass, majority;
} Score;

Score group_score(const Group *group, int64_t samples); // of a single prompt

// Samples rules->samples responses to each document, judges them by rule alone, writes them to folder/step-N.jsonl (N:
// rules->show.step; folder NULL: nowhere, as on ranks other than the first) and adds to metrics. The draws are the same
// at every call; a single response is the greedy one.
bool validation_run(Metrics *metrics, Engine *engine, const Documents *documents, const RolloutRules *rules,
                    const char *folder);

// avg@k, pass@k and maj@k of all, by level and by source; and verdicts.
void metrics_of_validation(Metrics *metrics, const Rollout *rollout, const Documents *documents);

#endif
