// Which rank owns which elements of a model's state: gradient sums, moments, master weights (ZeRO-2: Rajbhandari et al.
// 2020, section 5.2). Parameters come in units, as they are finished going back: the embedding, each layer, the final
// norm with the head; of adapters the two outer units are empty. Every unit is divided among all ranks at edges of
// SQUARES_BLOCK elements of its tensors, so that block sums have one owner. One rank owns all.
#ifndef MODEL_SHARDING_H
#define MODEL_SHARDING_H

#include "model/parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ShardUnit {
    int64_t first, count; // of all elements
    int64_t place;        // of its first element in Model.weights
    int64_t *edges;       // (size + 1) rank r owns the elements edges[r] .. edges[r + 1] - 1
    int64_t *block_edges; // (size + 1) and the blocks block_edges[r] .. block_edges[r + 1] - 1 of all blocks
    int64_t local;        // where this rank's elements begin among those that it owns
} ShardUnit;

typedef struct ShardPart { // of a tensor, and of what this rank owns
    int64_t tensor;        // place in Parameters.list
    int64_t first, count;  // elements of the tensor
    int64_t local;         // the first one's place among those that the rank owns
    int64_t block;         // and its block's among all blocks
} ShardPart;

// How a model's state is divided. ZeRO-2 by default: every rank has the whole weights, and its part of everything else.
typedef struct Division {
    int rank, ranks; // 0 ranks: one
    bool weights;    // ZeRO-3: layers' weights, too; each is gathered whenever it is used, into one of two places
    bool once;       // each rank adds up all its micro-batches, and they are sent once a step: other bits
} Division;

typedef struct Sharding {
    int rank, size;
    bool weights, once;
    ShardUnit *units; // (unit_count) the embedding, layers, the final norm and the head
    ShardPart *parts; // (part_count) in the order of the tensors
    int64_t unit_count, part_count;
    int64_t own, blocks;          // elements that this rank owns; blocks of all ranks
    int64_t largest, largest_own; // unit: its elements, and those of it that a rank owns at most
    int64_t held;                 // elements of Model.weights
} Sharding;

bool sharding_open(Sharding *sharding, const Parameters *parameters, const Division *division);
void sharding_close(Sharding *sharding);

int64_t unit_of_tensor(const Parameters *parameters, int64_t tensor);

#ifdef __cplusplus
}
#endif
#endif
