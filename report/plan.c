// The prompts, the memory, and the longest update as sharded/plan.h wants it.
#include "report/plan.h"
#include "sharded/plan.h"

bool plan_print(const Fit *fit, const Documents *prompts, int64_t steps, const UpdateSizes *u, FILE *out)
{
    int64_t responses = smaller(u->prompts, prompts->count) * u->samples, round = u->micro_batch_tokens * u->slots;
    double length = (double)prompts->tokens / (double)prompts->count + (double)u->max_new_tokens;
    int64_t tokens = (int64_t)((double)responses * length);
    UpdateShape shape = {"an update", (tokens + round - 1) / round * u->slots, tokens, responses * u->max_new_tokens,
                         length};
    fprintf(out, "%" PRId64 " prompts, %" PRId64 " steps\n", prompts->count, steps);
    return fit_print(fit, out) && wire_print(fit, &shape, out);
}
