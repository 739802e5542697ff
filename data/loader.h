// Which documents make a step, and how they are divided into micro-batches: a pure function of the options, the data
// and the step number. There is no position to save or restore. It knows nothing of ranks: micro-batch m is the same
// wherever it runs, and the number of micro-batches is a multiple of slots so that ranks can share them evenly.
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/documents.h"
#include "model/ragged.h"

// The order of an epoch's documents: a permutation, a pure function of (seed, epoch, position).
#define LOADER_ORDERS "random|sorted|shuffled|mixed"
typedef enum LoaderOrder {
    ORDER_RANDOM,   // all of them, another permutation in each epoch
    ORDER_SORTED,   // in stored order: easy to hard, then by the shards' keyed hash; the same in each epoch
    ORDER_SHUFFLED, // easy to hard, each difficulty another permutation in each epoch
    ORDER_MIXED     // every difficulty and source spread over the epoch, those of a larger weight towards its beginning
} LoaderOrder;

// For ORDER_MIXED: documents of this difficulty (or source) come `weight` times as densely as their share of the data,
// until none are left. A document's weights are multiplied.
typedef struct LoaderWeight {
    int level;          // 0-5; -1: for a source
    const char *source; // NULL: for a level
    double weight;      // 1e-3 to 1e3
} LoaderWeight;

typedef struct LoaderOptions {
    uint64_t seed;
    LoaderOrder order;
    const LoaderWeight *weights; // (weight_count) the caller's; all others are 1
    size_t weight_count;
    int64_t global_batch;       // documents in a step
    int64_t micro_batch_tokens; // the most tokens in a micro-batch; a longer document gets one of its own
    int64_t slots;              // the number of micro-batches of a step is a multiple of it
    int64_t linear_cost;        // a of a document's cost, length · (a + length / 2); 0: LOADER_LINEAR_COST
} LoaderOptions;

// a is a token's cost besides attention, in keys of attention. Per token and layer, matrix products take 2 · (2·H·D·C +
// 2·Hkv·D·C + 3·C·F) operations and each key of attention 4·H·D, so a = C · (1 + Hkv/H + 1.5·F/(H·D)): 3,840 for
// Qwen3-0.6B, 12,320 for 4B. It only balances the micro-batches, but belongs to a run's identity.
enum { LOADER_LINEAR_COST = 4096 };

typedef struct StepPlan {
    int64_t step, epoch;
    int64_t documents, tokens; // of the step
    int64_t trained_tokens;    // N: what the step's loss is divided by
    int64_t micro_batches;     // a multiple of slots; some may be empty
    const int64_t *numbers;    // (documents) micro-batch after micro-batch
    const int64_t *first;      // (micro_batches + 1) micro-batch m is numbers[first[m]] .. numbers[first[m + 1] - 1]
} StepPlan;                    // belongs to the loader, until its next plan

typedef struct LoaderLimits {
    int64_t tokens, rows, sequences; // the maximum over all micro-batches of all plans
} LoaderLimits;

typedef struct Order Order;

typedef struct Loader {
    const Documents *documents; // must outlive the loader
    LoaderOptions options;
    Order *places; // data/order.h
    LoaderLimits limits;
    int64_t *numbers, *order, *micro, *first;                      // (room) (room) (room) (room + slots + 1)
    int64_t *micro_tokens, *micro_cost;                            // (room + slots)
    int64_t room;                                                  // documents of the largest plan so far
    int32_t *ids, *positions, *starts, *contexts, *rows, *targets; // a Ragged of the limits' size
} Loader;

bool loader_open(Loader *loader, const Documents *documents, const LoaderOptions *options);
void loader_close(Loader *loader);

LoaderLimits loader_largest(const Loader *loader);    // for planning memory
int64_t loader_steps_per_epoch(const Loader *loader); // an epoch's last step may be smaller
int64_t loader_document(const Loader *loader, int64_t epoch,
                        int64_t position); // the document at this place of the epoch

bool loader_plan(Loader *loader, int64_t step, StepPlan *plan); // step from 0
// All documents in their stored order, divided greedily: one pass of evaluation, whatever order the steps have.
bool loader_walk(Loader *loader, StepPlan *plan);

// Fills *batch with micro-batch m, the loader's memory until the next call. Row t of rows predicts trained token t + 1.
bool loader_micro_batch(Loader *loader, const StepPlan *plan, int64_t m, Ragged *batch);

#endif
