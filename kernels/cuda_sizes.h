// What a plan of memory has to know of the CUDA backend: names, element sizes, what widths it knows, and how much its
// operations work in. It needs neither nvcc nor a GPU, so that every build plans for one; the backend has the same.
#ifndef KERNELS_CUDA_SIZES_H
#define KERNELS_CUDA_SIZES_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CUDA_PITCH_MULTIPLE = 64, // columns: so that every row of logits starts on 256 bytes, of their gradients on 128
    LOGIT_ROWS = 1024         // rows whose logits are there at a time
};

// The head's logits lie in chunks of LOGIT_ROWS rows, a row every cuda_pitch(columns) floats; their gradients, which
// wait for the product that makes the weight's, in blocks of HEAD_ROWS.
static inline int64_t cuda_chunk(int64_t rows) { return rows < LOGIT_ROWS ? rows : (int64_t)LOGIT_ROWS; }
static inline int64_t cuda_block(int64_t rows) { return rows < HEAD_ROWS ? rows : (int64_t)HEAD_ROWS; }
static inline int64_t cuda_pitch(int64_t columns)
{
    return ceil_divide(columns, CUDA_PITCH_MULTIPLE) * CUDA_PITCH_MULTIPLE;
}

// bf16, or what the environment's DEREASON_CUDA says: *parity is fp32's. False after fail().
bool cuda_precision(bool *parity);

// Fills in what a plan asks for; the operations are somebody else's.
void cuda_sizes(Kernels *kernels, bool parity);

#ifdef __cplusplus
}
#endif
#endif
