// The loader in a thread of its own: while a step is computed, the next one's plan is made and its micro-batches are filled, so
// that pages come from the disk before anybody waits for them. What is given is what loader_plan and loader_micro_batch give.
#ifndef DATA_PREFETCH_H
#define DATA_PREFETCH_H

#include "data/loader.h"

typedef struct Prefetch Prefetch;

typedef struct StepBatches {
    StepPlan plan;
    const Ragged *batches; // (plan.micro_batches)
} StepBatches;

// Steps first .. last-1, in order; the loader must not be used by others until prefetch_close. NULL after fail().
Prefetch *prefetch_open(Loader *loader, int64_t first, int64_t last);
void prefetch_close(Prefetch *prefetch); // stops the thread, wherever it is

// The next step; it stands until the next call. An error of the loader is given where its step would have been.
bool prefetch_next(Prefetch *prefetch, const StepBatches **step);
double prefetch_waited(const Prefetch *prefetch); // seconds that prefetch_next has waited so far

#endif
