// One pass over sequences whose keys and values lie in pages: new tokens of many sequences in, a sampled token for each row that
// the head is asked for out. The forward pass is training's (forward.c); here is what stands around it: the batch in one copy to the
// device, tokens that never pass by the host, decoding as a graph. Who makes batches is the engine (engine.h).
#ifndef MODEL_PAGED_H
#define MODEL_PAGED_H

#include "model/model.h"

// A batch as the host lays it down, within model->limits.cache: T tokens of S sequences, N1 rows to be sampled, N2 to be probed. All
// arrays lie in one block of memory that copies may run from.
typedef struct PagedBatch {
    int64_t tokens, sequences, sampled, probed, copies;
    bool graph;          // it went as one
    SampleRow *sampling; // (N1)
    int32_t *ids;        // (T) -1 - slot stands for the token that was kept there
    int32_t *positions;  // (T)
    int32_t *starts;     // (S+1)
    int32_t *contexts;   // (S)
    int32_t *rows;       // (N1 + N2) of the T tokens; those to be sampled first
    int32_t *slots;      // (N1) where a sampled token is kept
    int32_t *targets;    // (N2) whose log-probability is asked for
    int32_t *copy_pairs; // (copies, 2) pages that are copied before anything else
    int32_t *page_table; // (S, paged_pages)
    void *block;
} PagedBatch;

// What comes back. Probed rows have a logprob and an entropy at temperature 1.
typedef struct PagedResults {
    int32_t *token;                       // (N1)
    float *logprob, *entropy, *processed; // (N1 + N2), (N1 + N2), (N1)
    void *block;
} PagedResults;

int64_t paged_pages(const Model *model); // of a sequence at most
size_t paged_batch_bytes(const Model *model);
size_t paged_results_bytes(const Model *model);
void cached_open(Model *model); // once the arena is allocated
void cached_close(Model *model);

bool cached_batch_open(PagedBatch *batch, const Model *model);
void cached_batch_close(PagedBatch *batch, const Model *model);
bool cached_results_open(PagedResults *results, const Model *model);
void cached_results_close(PagedResults *results, const Model *model);

// Queues the pass. batch and results are the device's until an event behind it has been waited for. A batch that only decodes may
// be padded (with sequences of page 0 and slots behind everybody's), so that few graphs serve all sizes; then batch->graph says so.
bool cached_queue(Model *model, PagedBatch *batch, int64_t n_live, PagedResults *results);

#endif
