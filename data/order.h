// The order of an epoch: a pure function of (seed, epoch, position), computed place by place and never stored. A
// program that resumes in the middle of an epoch needs only the step number. Used by data/loader.h; keyed_permutation
// also wherever exactly n of m things are drawn.
#ifndef DATA_ORDER_H
#define DATA_ORDER_H

#include "data/documents.h"
#include "data/loader.h"

// Where `position` goes in a permutation of 0 .. count-1 that is named by (seed, purpose, a, b): a Feistel network
// (Luby & Rackoff 1988) with Philox as its round function, on the smallest two equal halves that hold count, iterated
// until the result is below count (Black & Rogaway 2002). The caller chooses a and b (below 2^24): an epoch, a bucket.
int64_t keyed_permutation(uint64_t seed, RandomPurpose purpose, uint32_t a, uint32_t b, int64_t count,
                          int64_t position);

typedef struct Stratum {  // documents of one difficulty and source, for ORDER_MIXED
    int64_t first, count; // in Order.members
    uint64_t pace;        // document r of the stratum comes at time (2r + 1) · pace
    int64_t come;         // documents of it before the current place of order_documents
} Stratum;

typedef struct Order {
    const Documents *documents;
    LoaderOrder kind;
    uint64_t seed;
    Stratum *strata;  // (stratum_count) ORDER_MIXED only
    int32_t *members; // (documents->count) stratum after stratum
    size_t stratum_count;
} Order;

bool order_open(Order *order, const Documents *documents, const LoaderOptions *options);
void order_close(Order *order);

// The documents at positions position .. position + count-1 of one epoch.
void order_documents(Order *order, int64_t epoch, int64_t position, int64_t count, int64_t *numbers);

#endif
