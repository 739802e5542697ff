// data/: from files to batches. A Tokenizer (tokenizer.h) turns text into ids and back. A ChatTemplate (template.h) turns messages
// into the text that a model reads. A Record (records.h) is one row of a JSONL file (lines.h), whatever its format, and Tokenised
// (tokenised.h) what the model sees of it. A preparation (prepare.h) makes folders of shards (shard.h, FORMAT.md) of many rows,
// sorted by difficulty and split for SFT and RL. Documents (documents.h) are the mapped records of such folders. A Loader
// (loader.h) says which documents make a step and fills the ragged batches (model/ragged.h) that the model reads; Prefetch
// (prefetch.h) does so ahead of time. In a program:
//
//     TRY(shard_folders(&folders, words, count, cache, &preparing));   // JSONL becomes shards first (cache.h)
//     TRY(documents_open(&documents, &reading, folders.paths, folders.count));
//     TRY(loader_open(&loader, &documents, &(LoaderOptions){.seed = seed, .global_batch = 128, ...}));
//     Prefetch *prefetch = prefetch_open(&loader, 0, steps);           // NULL after fail()
//     TRY(prefetch_next(prefetch, &step));                             // for every step: step->plan, step->batches[m]
#ifndef DATA_H
#define DATA_H

#include "data/cache.h"
#include "data/documents.h"
#include "data/loader.h"
#include "data/prefetch.h"
#include "data/prepare.h"
#include "data/records.h"
#include "data/template.h"
#include "data/tokenizer.h"

#endif
