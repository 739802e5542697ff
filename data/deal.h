// How a step's documents are dealt into micro-batches of nearly equal cost; inside of data/loader.h.
#ifndef DATA_DEAL_H
#define DATA_DEAL_H

#include "data/loader.h"

// Gives each of the step's documents, loader->numbers[0] .. [documents - 1], its micro-batch in loader->micro, and returns how
// many micro-batches there are: a multiple of the slots. It uses loader->order and the sums of the micro-batches.
int64_t deal_step(Loader *loader, int64_t documents);

#endif
