// Held-out loss, and how many answers the model would write by itself if each of its tokens were right.
#include "run/run.h"
#include "system/signals.h"
#include <stdlib.h>

typedef struct Scores {
    float *logprob, *entropy;
    int32_t *best;
    LossSum sum;
    LevelLosses levels;
    int64_t documents, exact;
} Scores;

// Rows are ascending, so a document's are those below its end that were not counted yet.
static void count_exact(Scores *s, const Ragged *batch)
{
    int64_t n = 0;
    for (int64_t d = 0; d < batch->sequences; d++) {
        bool exact = true;
        for (; n < batch->trained && batch->rows[n] < batch->starts[d + 1]; n++)
            exact = exact && s->best[n] == batch->targets[n];
        s->documents++;
        s->exact += exact;
    }
}

static bool score_all(Run *run, Loader *held_out, Scores *s)
{
    Model *model = run->model;
    StepPlan plan;
    TRY(loader_walk(held_out, &plan));
    for (int64_t m = 0; m < plan.micro_batches; m++) {
        Ragged batch;
        TRY(signal_checked("")); // it can be made again, to the bit
        log_live(&run->log, run->step, "evaluating %" PRId64 "/%" PRId64, m + 1, plan.micro_batches);
        TRY(loader_micro_batch(held_out, &plan, m, &batch));
        TRY(model_forward(model, &batch));
        TRY(model_logprobs(model, &batch, 1, model->config.vocabulary, s->logprob, s->entropy, s->best));
        for (int64_t n = 0; n < batch.trained; n++)
            loss_add(&s->sum, s->logprob[n]);
        level_losses_add(&s->levels, held_out->documents, &plan, m, &batch, s->logprob);
        count_exact(s, &batch);
    }
    return true;
}

bool evaluate(Run *run, Loader *held_out, Evaluation *result)
{
    size_t rows = (size_t)loader_largest(held_out).rows;
    Scores s = {.sum = {.finite = true}};
    s.logprob = allocate(rows, sizeof(float));
    s.entropy = allocate(rows, sizeof(float));
    s.best = allocate(rows, sizeof(int32_t));
    bool ok = s.logprob != NULL && s.entropy != NULL && s.best != NULL && score_all(run, held_out, &s);
    *result = (Evaluation){loss_mean(&s.sum), s.documents == 0 ? 0 : (double)s.exact / (double)s.documents, s.levels};
    free(s.logprob);
    free(s.entropy);
    free(s.best);
    return ok;
}
