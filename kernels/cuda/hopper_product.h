// What our own matrix products for Hopper are asked with, beside Product (operations.h): in plain words, for callers
// and tests that no compiler of kernels sees.
#ifndef KERNELS_CUDA_HOPPER_PRODUCT_H
#define KERNELS_CUDA_HOPPER_PRODUCT_H

#include "kernels/cuda/operations.h"

// Both halves of an MLP's first product and SwiGLU behind them, with the bits of matmul_forward and swiglu_forward:
//   gate_up (T, 2F) = x (T, C) · w (2F, C)ᵀ     gate's F rows of w before up's; NULL: nobody wants it
//   y (T, F)        = silu(gate) · up
// All in bf16; pitches are elements from one row to the next.
typedef struct SwigluProduct {
    int64_t T, F, C;
    const void *x, *w;
    void *gate_up, *y;
    int64_t x_pitch, w_pitch, gate_up_pitch, y_pitch;
} SwigluProduct;

// Which tiles a product is made of, 128 x 256, or 256 x 160; and whether two blocks make two neighbours at a time, and
// load together what both need.
typedef struct HopperTiling {
    bool tall, pairs;
} HopperTiling;

// The one that is done sooner, for a result (m, n), where so many blocks work at a time.
HopperTiling hopper_tiling(int64_t m, int64_t n, int multiprocessors);

#endif
