// Bytes of every rank to all, whose sizes only their rank knows.
#ifndef RANKS_GATHER_H
#define RANKS_GATHER_H

#include "ranks/communicator.h"

// all, which is empty before, becomes the ranks' bytes end to end; edges (size + 1): rank r's begin at
// edges[r] and end before edges[r + 1].
bool comm_gather_bytes(Communicator *communicator, const Bytes *own, Bytes *all, size_t *edges);

// Bytes that were gathered, read from front to end.
bool gathered_take(Text *from, void *to, size_t size); // false after fail(): there are fewer
bool gathered_part(Text *from, Text *part, size_t size);

#endif
