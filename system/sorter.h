// An external merge sort: records of any size and number, ordered by keys of a fixed size under memcmp, in bounded
// memory. What does not fit is sorted in runs, written to unnamed files (nothing is left behind, however the process
// ends), and merged. Equal keys keep the order in which they were added.
#ifndef SYSTEM_SORTER_H
#define SYSTEM_SORTER_H

#include "base/base.h"

typedef struct Sorter Sorter;

// folder: an existing folder for the runs. memory: in bytes, approximate, at least a few MB; a larger record is a run
// of its own. NULL after fail().
Sorter *sorter_open(const char *folder, size_t key_size, size_t memory);
void sorter_close(Sorter *sorter);

bool sorter_add(Sorter *sorter, const void *key, const void *data, size_t size); // copies both
bool sorter_sort(Sorter *sorter); // after the last sorter_add, before the first record; again: back to it

// The next record; *key is NULL after the last one. Both are valid until the next call.
bool sorter_next(Sorter *sorter, const uint8_t **key, const uint8_t **data, size_t *size);

uint64_t sorter_runs(const Sorter *sorter); // runs written to disk; 0: all of it was in memory

#endif
