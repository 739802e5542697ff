// Training one model on several ranks: every rank runs micro-batches of its own with the whole weights, and owns a part
// of the rest (sharding.h). Bits are those of one rank: going back, the gradient of a unit is finished on its own and
// travels to its owners, who add up the micro-batches in their order; block sums of the norm and updated weights travel
// back (EXACTNESS 5 and 7). A step:
//
//     gradients_clear(model);
//     for (m = rank; m < rounds * size; m += size) {         // in a round, ranks 0 to active - 1 have a micro-batch
//         sharded_round(model, active);
//         model_forward, model_loss, model_backward           // of an empty one, where this rank has none
//     }
//     gradient_norm, optimizer_step                           // on all ranks; all of them have the weights then
#ifndef MODEL_SHARDED_H
#define MODEL_SHARDED_H

#include "model/model.h"
#include "ranks/communicator.h"

// The model was opened with limits.rank and limits.ranks of this communicator; with one rank nothing is done.
bool sharded_open(Model *model, Communicator *ranks);
void sharded_close(Model *model); // before model_close
void sharded_round(Model *model, int active);

// Bytes that a rank sends for a round with all ranks active, and for an update.
typedef struct ShardedBytes {
    uint64_t round, update;
} ShardedBytes;
ShardedBytes sharded_bytes(const Model *model);

#endif
