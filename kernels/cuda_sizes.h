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

// Fills in what a plan asks for; the operations are somebody else's. cudnn_sizes, behind cuda_sizes: and attention is
// cuDNN's (kernels/cuda/attention_cudnn.cu).
void cuda_sizes(Kernels *kernels, bool parity);
void cudnn_sizes(Kernels *kernels);

// A plan of cuDNN's is for so many tokens: up by a quarter of a power of two at most, so that few plans are made.
int64_t cudnn_tokens(int64_t tokens);
int64_t power_of_two(int64_t n);               // the next one from n on
int64_t cudnn_layout_bytes(int64_t sequences); // offsets and lengths, behind what the plan works in
static inline size_t cudnn_aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

#ifdef __cplusplus
}
#endif
#endif
