// Byte-pair encoding of one word: neighbours are merged, lowest rank first, leftmost first among equals, until no pair
// merges. Knows ranks and ids, nothing of text, splitting or special tokens (tokenizer/tokenizer_encode.c). Time n log
// n for a word of n bytes.
#ifndef TOKENIZER_BPE_H
#define TOKENIZER_BPE_H

#include "base/base.h"

typedef struct BpePair {
    int32_t left, right; // ids; left is -1 in an empty slot
    uint32_t rank;
} BpePair;

typedef struct Bpe {
    BpePair *pairs; // open addressing, at most half full
    size_t mask;
    int32_t *merged; // (count) by rank: the id of the merged pair
    size_t count, limit;
    int32_t of_byte[256]; // the id of each byte alone
} Bpe;

bool bpe_open(Bpe *bpe, size_t merges); // merges: the most that will be added
bool bpe_add(Bpe *bpe, int32_t left, int32_t right,
             int32_t merged); // the next rank; false and an error if the pair exists
void bpe_close(Bpe *bpe);

typedef struct BpeNode BpeNode;

typedef struct BpeScratch { // one per thread, starts as {0}
    BpeNode *nodes;
    uint64_t *heap;
    size_t node_capacity, heap_capacity;
    uint64_t steps; // work done so far: look-ups of pairs and moves in the heap
} BpeScratch;

void bpe_scratch_free(BpeScratch *scratch);

// Writes the ids of a word of size bytes (1 .. 2^30), at most size of them, to ids, and their number to count.
bool bpe_word(const Bpe *bpe, BpeScratch *scratch, int32_t *ids, size_t *count, const uint8_t *word, size_t size);

#endif
