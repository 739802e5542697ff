// The loader in its own thread: while a step is computed, the next one is planned and its micro-batches filled, so that
// pages are read from disk before they are needed. Results are those of loader_plan and loader_micro_batch.
#ifndef DATA_PREFETCH_H
#define DATA_PREFETCH_H

#include "data/loader.h"

typedef struct Prefetch Prefetch;

typedef struct StepBatches {
    StepPlan plan;
    const Ragged *batches; // (plan.micro_batches) those of other ranks are empty
} StepBatches;

// Steps first .. last-1, in order; the loader must not be used by others until prefetch_close. Of a step's
// micro-batches, rank `rank` of `size` fills rank, rank + size, ... NULL after fail().
Prefetch *prefetch_open(Loader *loader, int64_t first, int64_t last, int rank, int size);
void prefetch_close(Prefetch *prefetch); // stops the thread, whatever it is doing

// The next step, valid until the next call. An error of the loader is returned in place of its step.
bool prefetch_next(Prefetch *prefetch, const StepBatches **step);
double prefetch_waited(const Prefetch *prefetch); // seconds that prefetch_next has waited so far

#endif
