// One pass over sequences whose keys and values are in pages: it takes new tokens of many sequences and returns a
// sampled token for each row given to the head. The forward pass is that of training (forward.c); here is the rest: the
// batch in one copy to the device, sampled tokens that stay on the device, decoding as a graph. engine.h makes batches.
#ifndef MODEL_PAGED_H
#define MODEL_PAGED_H

#include "model/model.h"

// A batch laid out by the host, within model->limits.cache: T tokens of S sequences, N1 rows to sample, N2 to probe, N3
// whose logits the host gets.
// All arrays are in one block of memory that can be copied from.
typedef struct PagedBatch {
    int64_t tokens, sequences, sampled, probed, whole, copies;
    bool graph, shares;                   // it was launched as a graph; some sequences share pages
    SampleRow *sampling;                  // (N1)
    int32_t *ids;                         // (T) -1 - slot: the token kept in that slot
    int32_t *positions;                   // (T)
    int32_t *starts;                      // (S+1)
    int32_t *contexts;                    // (S)
    int32_t *rows;                        // (N1 + N2) of the T tokens; those to sample first
    int32_t *slots;                       // (N1) where the sampled tokens are kept
    int32_t *targets;                     // (N2) whose log-probability is wanted
    int32_t *whole_rows;                  // (N3) of the T tokens
    int32_t *copy_pairs;                  // (copies, 2) pages to copy before anything else
    int32_t *shared_pages, *shared_until; // (S) as in Attention; cached_queue finds them
    int32_t *page_table;                  // (S, paged_pages)
    DecodePiece *pieces;                  // as in Attention; likewise
    void *block;
} PagedBatch;

// The results. Probed rows have a logprob and an entropy at temperature 1.
typedef struct PagedResults {
    int32_t *token;                       // (N1)
    float *logprob, *entropy, *processed; // (N1 + N2), (N1 + N2), (N1)
    void *block;
    // (N3, V) not divided by a temperature: what matmul_forward gives, rounded to the activation type. NULL: none
    float *logits;
} PagedResults;

int64_t paged_pages(const Model *model); // the most that one sequence has
size_t paged_batch_bytes(const Model *model);
size_t paged_results_bytes(const Model *model);
void cached_open(Model *model); // once the arena is allocated
void cached_close(Model *model);

bool cached_batch_open(PagedBatch *batch, const Model *model);
void cached_batch_close(PagedBatch *batch, const Model *model);
bool cached_results_open(PagedResults *results, const Model *model);
void cached_results_close(PagedResults *results, const Model *model);

// Queues the pass. Sequences that decode, stand next to each other and begin with the same pages have those read once.
// The device owns batch and results until an event recorded after it has been waited for. A batch that only decodes may
// be padded (with sequences of page 0 and slots after the real ones), so that few graphs serve all sizes; then
// batch->graph is true.
bool cached_queue(Model *model, PagedBatch *batch, int64_t n_live, PagedResults *results);

#endif
