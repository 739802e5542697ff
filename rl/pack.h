// Responses to micro-batches: prompt and response laid end to end, a document each, the response's tokens trained.
// Which documents share a micro-batch depends on their lengths and places alone, so that ranks may share the
// micro-batches.
#ifndef RL_PACK_H
#define RL_PACK_H

#include "model/ragged.h"
#include "rl/rollout.h"

typedef struct PackItem {
    const Group *group;
    Response *response;
    int64_t place, micro_batch; // among the responses of the part; where it was dealt to
} PackItem;

typedef struct Pack {
    int64_t micro_batches;
    int64_t *first;                                                // (micro_batches + 1)
    PackItem *items;                                               // micro-batch m has first[m] .. first[m + 1] - 1
    int32_t *ids, *positions, *starts, *contexts, *rows, *targets; // of the current micro-batch
} Pack;

// What is packed: groups first .. first + count - 1 of a rollout.
typedef struct PackPart {
    int64_t first, count;
    int64_t micro_batch_tokens,
        slots; // a longer document has a micro-batch of its own; their number is a multiple of slots
} PackPart;

// Packs the part's responses of a weight other than 0: the longest first, each into the emptiest micro-batch that has
// room.
bool pack_open(Pack *pack, const Rollout *rollout, const PackPart *part);
void pack_close(Pack *pack);

// Micro-batch m, valid until the next call: document d is items[first[m] + d], its trained rows in the order of its
// tokens.
void pack_micro_batch(Pack *pack, int64_t m, Ragged *batch);

#endif
