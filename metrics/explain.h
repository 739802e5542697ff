// What users are told of a step whose rewards teach nothing: why, and which rows to look at.
#ifndef METRICS_EXPLAIN_H
#define METRICS_EXPLAIN_H

#include "log/log.h"
#include "ranks/communicator.h"
#include "rl/dynamic.h"

typedef struct Explain {
    RunLog *log;
    const char *rollouts; // the folder of step-N.jsonl
    Communicator *ranks;  // of the run: the first writes there, and none ends before it has; NULL: it is alone
    // Notes that were shown, so that they are not repeated after every step: why the first response has no reward; and
    // the last step, from 1, whose rewards were all 0 or missing, and that had too few groups with a signal
    bool told_why;
    int64_t told_no_reward, told_few;
} Explain;

// After dynamic sampling that found no group with a signal, which ends the run: writes the rollout, and fails with what
// to do. Always false.
bool explain_nothing(const Explain *explain, const Rollout *rollout, const Tokenizer *tokenizer,
                     const DynamicReport *report, int64_t step);

// After a step: notes on the terminal where responses have no reward, where every reward is 0 or missing, and where
// fewer groups than `wanted` have a signal.
bool explain_step(Explain *explain, const Rollout *rollout, int64_t wanted, const DynamicReport *report, int64_t step);

#endif
