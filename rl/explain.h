// What people are told of a step whose rewards say nothing: why, and which rows to look at.
#ifndef RL_EXPLAIN_H
#define RL_EXPLAIN_H

#include "log/log.h"
#include "rl/dynamic.h"

// Where they can be looked at: rollouts/step-N.jsonl.
typedef struct ExplainPlace {
    const char *rollouts;
    int64_t step;
} ExplainPlace;

// Each appends one line; nothing, where there is nothing to say.
bool explain_no_reward(Bytes *out, const Rollout *rollout, ExplainPlace place); // every reward is 0 or missing
bool explain_few_signals(Bytes *out, const Rollout *rollout, int64_t wanted, const DynamicReport *report, int64_t step);

// Dynamic sampling without a single group with a signal, which ends the run; with what to do.
bool explain_silence(Bytes *out, const Rollout *rollout, const DynamicReport *report, ExplainPlace place);

// After dynamic sampling that found nothing: what was sampled is written, to be looked at, and that is the error. Always false.
bool explain_nothing(const Rollout *rollout, const Tokenizer *tokenizer, const DynamicReport *report, ExplainPlace place);

// When it was said last, so that it is not said after every step.
typedef struct ExplainTold {
    bool no_reward;       // why the first response has none
    int64_t nothing, few; // steps, from 1
} ExplainTold;

// All of it, of a step that is done, to the terminal.
bool explain_step(ExplainTold *told, RunLog *log, const Rollout *rollout, int64_t wanted, const DynamicReport *report,
                  ExplainPlace place);

#endif
