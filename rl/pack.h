// Responses to micro-batches: prompt and response laid end to end, a document each, the response's tokens trained. Which documents
// share a micro-batch is a function of their lengths and places alone, so that ranks may share the micro-batches.
#ifndef RL_PACK_H
#define RL_PACK_H

#include "model/ragged.h"
#include "rl/rollout.h"

typedef struct PackItem {
    const Group *group;
    Response *response;
    double weight; // of each of its tokens in the loss; 0: it is not trained, and not packed
} PackItem;

typedef struct Pack {
    int64_t micro_batches;
    int64_t *first;                                                // (micro_batches + 1)
    PackItem *owned;                                               // the caller's items, where the pack is to free them; NULL
    PackItem **items;                                              // (first[micro_batches]) micro-batch after micro-batch
    int64_t tokens;                                                // in all
    int32_t *ids, *positions, *starts, *contexts, *rows, *targets; // of the micro-batch at hand
} Pack;

// The longest first, each to the micro-batch with the fewest tokens that has room; their number is a multiple of slots.
bool pack_open(Pack *pack, PackItem *items, int64_t count, int64_t micro_batch_tokens, int64_t slots);
void pack_close(Pack *pack);

// Micro-batch m, until the next call: document d is items[first[m] + d], its trained rows in the order of its tokens.
void pack_micro_batch(Pack *pack, int64_t m, Ragged *batch);

int64_t pack_item_tokens(const PackItem *item); // of prompt and response

#endif
