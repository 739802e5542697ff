// Responses to micro-batches, a document each, the response's tokens trained: prompt and response laid end to end, or,
// with share_prompts, a group's responses behind one copy of their prompt. Then the prompt, but for its last token, is
// a sequence of its own, and a response's goes on from it: the prompt's last token, and all of the response but its
// last, which predicts nothing. What a token's row computes has the same bits either way (EXACTNESS, attention); a
// gradient of the prompt is one sum over the group's responses, in the order of samples, where it was a sum of copies.
// Which documents share a micro-batch depends on their lengths and places alone, so that ranks may share the micro-
// batches.
#ifndef RL_PACK_H
#define RL_PACK_H

#include "model/ragged.h"
#include "rl/rollout.h"

typedef struct PackItem {
    const Group *group;
    Response *response;
} PackItem;

typedef struct Pack {
    int64_t micro_batches;
    int64_t *first;  // (micro_batches + 1)
    PackItem *items; // micro-batch m has first[m] .. first[m + 1] - 1
    bool share_prompts;
    int32_t *ids, *positions, *rows, *targets; // of the current micro-batch
    int32_t *starts, *contexts, *context_rows, *seen_until;
} Pack;

// What is packed: groups first .. first + count - 1 of a rollout.
typedef struct PackPart {
    int64_t first, count;
    int64_t micro_batch_tokens,
        slots; // a longer document has a micro-batch of its own; their number is a multiple of slots
    bool share_prompts;
} PackPart;

// Packs the part's responses of a weight other than 0: the longest first, each into the emptiest micro-batch that has
// room. Shared prompts: groups are dealt so, in pieces where they are longer than a micro-batch, or than its part of
// all where there are several slots.
bool pack_open(Pack *pack, const Rollout *rollout, const PackPart *part);
void pack_close(Pack *pack);

// Micro-batch m, valid until the next call: document d is items[first[m] + d], its trained rows in the order of its
// tokens.
void pack_micro_batch(Pack *pack, int64_t m, Ragged *batch);

#endif
