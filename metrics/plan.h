// What --plan says of reinforcement learning: its memory, and what ranks send for an update.
#ifndef METRICS_PLAN_H
#define METRICS_PLAN_H

#include "data/documents.h"
#include "fit/fit.h"

typedef struct UpdateSizes { // by options
    int64_t prompts, samples, max_new_tokens, micro_batch_tokens, slots;
} UpdateSizes;

// The update's responses are taken to be as long as they may be. False after fail(): it could not be written.
bool plan_print(const Fit *fit, const Documents *prompts, int64_t steps, const UpdateSizes *update, FILE *out);

#endif
