// Evaluations of fine-tuning in which the model that trains answers: the memory of an engine beside the training, and
// how held-out problems are answered. What an evaluation is: evaluation/in_run.h.
#ifndef EVALUATION_SFT_H
#define EVALUATION_SFT_H

#include "evaluation/in_run.h"
#include "intake/sft_data.h"
#include "rl/rollout_ranks.h"
#include "session/session.h"

// Before anything is read: with weights that ranks divide nothing can be sampled. tasks: --eval-tasks is given.
bool sft_sampling_check(const SftSamplingOptions *options, bool tasks, bool divided);

// Where problems, or benchmarks' questions, are answered: adds what the engine takes, in the memory that micro-batches
// have between evaluations and as much more as it may. Sets data->new_tokens. Refused where a prompt leaves no room for
// a response, and where ranks divide the weights (needs->own.limits.division).
typedef struct SftSampling {
    const SftSamplingOptions *options;
    const SessionSizes *sizes;
    int64_t seq_len;
    const Kernels *kernels;
    Requests tasks; // of benchmarks
} SftSampling;
bool sft_sampling_needs(Needs *needs, SftData *data, const SftSampling *sampling);

bool sft_fit(Fit *fit, const Needs *needs); // fit_choose, without an engine as another advice

// The evaluations of fine-tuning, which has no engine of its own between them.
typedef struct SftEvaluation {
    Evaluation of;
    RolloutRanks ranks; // that share the problems
    char *folder;
} SftEvaluation;

// Before run_open.
bool sft_evaluation_measures(Run *run, const SftData *data, const SftSamplingOptions *options);

// After run_open, of the same run. Says what is held out, and what will be answered.
bool sft_evaluation_open(SftEvaluation *evaluation, Run *run, SftData *data, const ModelFiles *files,
                         const SftSamplingOptions *options, uint64_t seed);
void sft_evaluation_close(SftEvaluation *evaluation);

#endif
