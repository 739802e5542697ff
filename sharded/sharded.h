// Training one model on several ranks: every rank runs micro-batches of its own with the whole weights, and owns a part
// of the rest (model/sharding.h). Bits are those of one rank: going back, the gradient of a unit is finished on its own
// and travels to its owners, who add up the micro-batches in their order; block sums of the norm and updated weights
// travel back (EXACTNESS 5 and 7). Between devices a unit's gradient travels while the next one's is computed: two
// buffers of gradients take turns (link.h). A step:
//
//     gradients_clear(model);
//     for (m = rank; m < rounds * size; m += size) {         // in a round, ranks 0 to active - 1 have a micro-batch
//         sharded_round(&sharded, active);
//         model_forward, model_loss, model_backward           // of an empty one, where this rank has none
//     }
//     gradient_norm, optimizer_step                           // on all ranks; all of them have the weights then
#ifndef SHARDED_SHARDED_H
#define SHARDED_SHARDED_H

#include "model/model.h"
#include "sharded/link.h"

// Transfers: of the two buffers' gradients, by turns; of weights that every rank has; of the two places of layers.
enum { OUTER_WEIGHTS = 2, LAYER_WEIGHTS = 3, TRANSFERS = 5 };

typedef struct Sharded {
    Model *model;
    Communicator *ranks;
    int active;       // ranks that have a micro-batch in this round: 0 .. active - 1
    int64_t held[2];  // Division.weights: the layers that lie, or are to lie, at the two places; -1: none
    int64_t acquired; // the last
    char *host;       // a unit's gradient or weights, of a device; NULL: they are read and written where they lie
    float *received;  // (size, largest_own) what the others have made of this rank's part; NULL: it lies on the device
    Piece *send, *receive;
    DeviceLink link;
    Transfer transfers[TRANSFERS];
    int buffer; // of model->gradients
} Sharded;

// The model was opened with limits.division of this communicator; with one rank nothing is done.
bool sharded_open(Sharded *sharded, Model *model, Communicator *ranks);
void sharded_close(Sharded *sharded); // before model_close
void sharded_round(Sharded *sharded, int active);

// clang-format off
#define SHARDED_ROWS(ROW, IN) \
    ROW(IN, shard,       choice,  "state", SHARDS, ranks, NEUTRAL, "what ranks divide") \
    ROW(IN, fast_reduce, flag,    "false", "",     ranks, IDENTITY, "gradients sent once a step: other bits")
// clang-format on
#define SHARDS "state|weights"
typedef enum Divided { DIVIDED_STATE, DIVIDED_WEIGHTS } Divided; // in the order of SHARDS
OPTION_GROUP(ShardedOptions, SHARDED_ROWS)

Division division_of(const ShardedOptions *options, const Communicator *ranks);

// Bytes that a rank sends in a round: gradients, where it has a micro-batch, and weights that are divided, which are
// gathered for the forward and for the backward pass, but for two layers that still lie there from the pass before. And
// for an update.
typedef struct ShardedBytes {
    uint64_t gradients, weights, update;
} ShardedBytes;
ShardedBytes sharded_bytes(const Model *model);

#endif
