// The loss of each difficulty: rows of a micro-batch ascend, so a document's are those below its end that were not counted yet.
#include "run/run.h"

void level_losses_add(LevelLosses *losses, const Documents *documents, const StepPlan *plan, int64_t m, const Ragged *batch,
                      const float *logprob)
{
    int64_t n = 0;
    for (int64_t d = 0; d < batch->sequences; d++) {
        int32_t difficulty = documents->list[plan->numbers[plan->first[m] + d]].difficulty;
        LossSum *sum = &losses->level[difficulty];
        if (sum->tokens == 0)
            sum->finite = true;
        for (; n < batch->trained && batch->rows[n] < batch->starts[d + 1]; n++)
            loss_add(sum, logprob[n]);
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
