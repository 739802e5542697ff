// Held-out loss, how many responses the model would write by itself if each of its tokens were right, and the loss of
// each difficulty.
#include "run/run_internal.h"
#include "system/signals.h"
#include <stdlib.h>

// Rows of a micro-batch ascend: a document's are those before its end that were not counted yet.
static bool row_of(const Ragged *batch, int64_t row, int64_t document)
{
    return row < batch->trained && batch->rows[row] < batch->starts[document + 1];
}

void level_losses_add(LevelLosses *losses, const Documents *documents, const StepPlan *plan, int64_t m,
                      const Ragged *batch, const float *logprob)
{
    int64_t n = 0;
    for (int64_t d = 0; d < batch->sequences; d++) {
        LossSum *sum = &losses->level[documents->list[plan->numbers[plan->first[m] + d]].difficulty];
        sum->finite = sum->finite || sum->tokens == 0;
        for (; row_of(batch, n, d); n++)
            loss_add(sum, logprob[n]);
    }
}

void documents_not_finite(int64_t *flags, const Ragged *batch, const float *logprob)
{
    int64_t n = 0;
    for (int64_t d = 0; d < batch->sequences; d++) {
        LossSum sum = {.finite = true};
        for (; row_of(batch, n, d); n++)
            loss_add(&sum, logprob[n]);
        flags[d] = !sum.finite;
    }
}

size_t level_fields(LogField fields[LEVEL_FIELDS], const LevelLosses *losses, bool evaluation)
{
    static const char *const NAMES[2][LEVELS] = {
        {"loss_0", "loss_1", "loss_2", "loss_3", "loss_4", "loss_5"},
        {"eval_loss_0", "eval_loss_1", "eval_loss_2", "eval_loss_3", "eval_loss_4", "eval_loss_5"}};
    size_t count = 0;
    for (int level = 1; level < LEVELS; level++)
        if (losses->level[level].tokens > 0)
            fields[count++] = (LogField){NAMES[evaluation][level], loss_mean(&losses->level[level])};
    if (count > 0 && losses->level[0].tokens > 0)
        fields[count++] = (LogField){NAMES[evaluation][0], loss_mean(&losses->level[0])};
    return count;
}

typedef struct Scores {
    float *logprob, *entropy;
    int32_t *best;
    LossSum sum;
    LevelLosses levels;
    int64_t documents, exact;
} Scores;

static void count_exact(Scores *s, const Ragged *batch)
{
    int64_t n = 0;
    for (int64_t d = 0; d < batch->sequences; d++) {
        bool exact = true;
        for (; row_of(batch, n, d); n++)
            exact = exact && s->best[n] == batch->targets[n];
        s->documents++;
        s->exact += exact;
    }
}

static bool score_all(Run *run, Loader *held_out, Scores *s)
{
    Model *model = run->model;
    static const Ragged NOTHING;
    StepPlan plan;
    TRY(loader_walk(held_out, &plan));
    int size = run->ranks == NULL ? 1 : run->ranks->size, rank = run->ranks == NULL ? 0 : run->ranks->rank;
    for (int64_t m = rank; m < larger(plan.micro_batches, 1) + rank; m += size) {
        Ragged batch;
        TRY(run_check_signal(run)); // it can be made again, to the bit
        if (m >= plan.micro_batches) {
            TRY(model_forward(model, &NOTHING)); // the other ranks gather weights
            continue;
        }
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

bool run_held_out_loss(Run *run, Loader *held_out, LogField fields[EVAL_LOSS_FIELDS], size_t *count)
{
    size_t rows = (size_t)loader_largest(held_out).rows;
    Scores s = {.logprob = allocate(rows, sizeof(float)),
                .entropy = allocate(rows, sizeof(float)),
                .best = allocate(rows, sizeof(int32_t)),
                .sum = {.finite = true}};
    bool ok = s.logprob != NULL && s.entropy != NULL && s.best != NULL && score_all(run, held_out, &s);
    free(s.logprob);
    free(s.entropy);
    free(s.best);
    TRY(ok);
    int64_t counts[] = {s.documents, s.exact};
    TRY(run_add_up(run, &s.sum, &s.levels, counts, 2));
    double exact = counts[0] == 0 ? 0 : (double)counts[1] / (double)counts[0];
    fields[0] = (LogField){"eval_loss", loss_mean(&s.sum)};
    fields[1] = (LogField){"eval_exact", exact};
    *count = 2 + level_fields(fields + 2, &s.levels, true);
    return true;
}
