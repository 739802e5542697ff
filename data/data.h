// data/: from shards to batches. A tokenised row (tokenised.h) is a record of a shard (shard.h, FORMAT.md). Documents
// (documents.h) are the mapped records of folders of shards. A Loader (loader.h) decides which documents make a step,
// in which order (order.h, mix.h), and fills the ragged batches (model/ragged.h) that the model reads; Prefetch
// (prefetch.h) does so ahead of time. Shards are written by rows/ (JSONL) and intake/ (./prepare). In a program:
//
//     TRY(documents_open(&documents, &reading, folders.paths, folders.count));
//     TRY(loader_open(&loader, &documents, &(LoaderOptions){.seed = seed, .global_batch = 128, ...}));
//     Prefetch *prefetch = prefetch_open(&loader, 0, steps, 0, 1);           // NULL after fail()
//     TRY(prefetch_next(prefetch, &step));                             // for every step: step->plan, step->batches[m]
#ifndef DATA_H
#define DATA_H

#include "data/documents.h"
#include "data/loader.h"
#include "data/prefetch.h"

#endif
