// A ragged batch: T new tokens of S sequences laid end to end, no padding and no rectangle. Training is the case of empty
// contexts; decoding the case of one new token per sequence. The loader (and later the sampler) fills it, the model reads it.
#ifndef MODEL_RAGGED_H
#define MODEL_RAGGED_H

#include <stdint.h>

typedef struct Ragged {
    int64_t tokens, sequences; // T, S
    const int32_t *ids;        // (T)
    const int32_t *positions;  // (T)   place in its own sequence, context included
    const int32_t *starts;     // (S+1) sequence s is rows starts[s] .. starts[s+1]-1
    const int32_t *contexts;   // (S)   tokens that lie in KV pages already; all 0 in training

    int64_t trained;        // N: how many rows the head is asked for
    const int32_t *rows;    // (N)   ascending: rows of the hidden states that predict a trained token
    const int32_t *targets; // (N)   the token that each of them should predict
} Ragged;

#endif
