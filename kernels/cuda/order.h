// Numbers that show in which order a product adds. Where they cancel, each half of k holds the same products, of the
// other sign in the second half: what a chain ends with is nothing but its roundings, which are another sum's in
// another order. So two results of one order are equal to the bit, and two of different ones differ nearly everywhere,
// in bf16 too, where ordinary numbers would round most differences away. Where they do not cancel they show what
// cancelling hides: how a result is rounded, and added to what is there.
#ifndef KERNELS_CUDA_ORDER_H
#define KERNELS_CUDA_ORDER_H

#include "base/philox.h"

// Number κ of k of a row; left: of the operand whose second half has the other sign. A bf16: 8 bits, times 2^-8 to 2^7.
ON_DEVICE_TOO static inline float order_number(bool left, bool cancels, int64_t row, int64_t kappa, int64_t k)
{
    int64_t half = k / 2;
    if (cancels && kappa >= 2 * half)
        return 0;
    Philox bits = random_bits(left, RANDOM_ORDER, (uint32_t)row, (uint32_t)(cancels ? kappa % half : kappa), 0);
    float size = (float)(128 + bits.v[0] % 128) / 128;
    bool negative = (bits.v[1] & 1) != (left && cancels && kappa >= half);
    return (negative ? -size : size) * (float)(1 << bits.v[2] % 16) / 256;
}

#endif
