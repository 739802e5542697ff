// The order of an epoch: a pure function of (seed, epoch, position), computed place by place and never stored. What a program
// needs to go on in the middle of an epoch is the number of the step. Used by data/loader.h; keyed_permutation also by whoever
// has to draw exactly n of m things.
#ifndef DATA_ORDER_H
#define DATA_ORDER_H

#include "data/documents.h"
#include "data/loader.h"

// Where `position` goes in a permutation of 0 .. count-1 that is named by (seed, purpose, a, b): a Feistel network (Luby &
// Rackoff 1988) whose round function is Philox, on the smallest two equal halves that hold count, walked until it lands below
// count (Black & Rogaway 2002). a and b (below 2^24) are the caller's: an epoch, a bucket.
int64_t keyed_permutation(uint64_t seed, RandomPurpose purpose, uint32_t a, uint32_t b, int64_t count, int64_t position);

typedef struct Stratum {  // documents of one difficulty and source, for ORDER_MIXED
    int64_t first, count; // in Order.members
    uint64_t pace;        // document r of it comes at the time (2r + 1) · pace
    int64_t come;         // how many came before the place that order_documents is at
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

// The documents at the places position .. position + count-1 of an epoch, all of them in it.
void order_documents(Order *order, int64_t epoch, int64_t position, int64_t count, int64_t *numbers);

#endif
