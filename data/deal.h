// How a step's documents are dealt into micro-batches of nearly equal cost; internal to data/loader.h.
#ifndef DATA_DEAL_H
#define DATA_DEAL_H

#include "data/loader.h"

// Gives each of the step's documents, loader->numbers[0] .. [documents - 1], its micro-batch in loader->micro, and
// returns the number of micro-batches: a multiple of the slots. Uses loader->order and the micro-batches' sums.
int64_t deal_step(Loader *loader, int64_t documents);

#endif
