// A ragged batch: T new tokens of S sequences laid end to end, without padding. In decoding each sequence has one new
// token, and its context in KV pages; in training a context is an earlier sequence of the batch, or empty. The loader
// or the engine fills it, the model reads it.
#ifndef MODEL_RAGGED_H
#define MODEL_RAGGED_H

#include <stdint.h>

typedef struct Ragged {
    int64_t tokens, sequences;                // T, S
    const int32_t *ids;                       // (T)
    const int32_t *positions;                 // (T)   position in its own sequence, context included
    const int32_t *starts;                    // (S+1) sequence s is rows starts[s] .. starts[s+1]-1
    const int32_t *contexts;                  // (S)   tokens before its new ones
    const int32_t *context_rows, *seen_until; // (S) in training, where sequences go on from others (Attention in
                                              // kernels/kernels.h); NULL: none does

    int64_t trained;        // N: rows given to the head
    const int32_t *rows;    // (N)   ascending: rows of the hidden states that predict a trained token
    const int32_t *targets; // (N)   the token that each row should predict
} Ragged;

#endif
