// The prompts, the memory, and the longest update as fit/wire.h wants it.
#include "metrics/plan.h"
#include "fit/wire.h"

bool plan_print(const Fit *fit, const Documents *prompts, int64_t steps, const UpdateSizes *u, FILE *out)
{
    int64_t responses = smaller(u->prompts, prompts->count) * u->samples;
    double length = (double)prompts->tokens / (double)prompts->count + (double)u->max_new_tokens;
    int64_t each =
        larger((int64_t)((double)u->micro_batch_tokens / length), 1); // responses in a micro-batch, as rl/pack.c
    int64_t micro_batches = ((responses + each - 1) / each + u->slots - 1) / u->slots * u->slots;
    UpdateShape shape = {.name = "an update",
                         .micro_batches = micro_batches,
                         .filled = smaller(micro_batches, responses),
                         .tokens = (int64_t)((double)responses * length),
                         .trained = responses * u->max_new_tokens,
                         .length = length};
    fprintf(out, "%" PRId64 " prompts, %" PRId64 " steps\n", prompts->count, steps);
    return fit_print(fit, out) && wire_print(fit, &shape, out);
}
