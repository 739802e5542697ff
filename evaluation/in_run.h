// The evaluations of a training run, at its start, its end and every --eval-every steps: the loss on held-out
// documents, and how good the model's own responses to held-out problems are. One line in the log has all of it
// (run_evaluated).
//
// Nothing of the run changes by a bit: the draws are named by the problems (rl/rollout.h), and what the engine works in
// is what micro-batches work in between evaluations.
#ifndef EVALUATION_IN_RUN_H
#define EVALUATION_IN_RUN_H

#include "evaluation/validate.h"

typedef struct Evaluation Evaluation;
struct Evaluation {
    Run *run;
    Loader *loss;              // NULL, or without documents: no loss
    const Documents *problems; // count 0: none is answered
    Engine *engine;            // over the run's model; NULL: one is opened for each evaluation
    RolloutRules rules;        // how problems are answered
    const char *folder;        // OUT/evaluations, for the responses
    // What else is asked of the model, into the line's fields (benchmarks/in_training.h); NULL: nothing
    bool (*tasks)(void *context, const Evaluation *evaluation, Engine *engine, Metrics *metrics);
    void *tasks_context;
};

// Before run_open: what the loss and the answers are measured with (log/measured.h). loss: NULL where there is none;
// rules: how problems are answered.
bool evaluation_measures(Run *run, const Documents *loss, const Documents *problems, const RolloutRules *rules);

bool evaluation_if_due(const Evaluation *evaluation);

#endif
