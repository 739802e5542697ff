// Walking along a row: 16 lanes at a time, the last group padded with zeros, so that every width takes the same path
// and every row reduction ends in the one tree of vec.h.
#ifndef KERNELS_CPU_ROWS_H
#define KERNELS_CPU_ROWS_H

#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

enum { PARALLEL_ELEMENTS = 1 << 14 }; // below so many numbers, waking a second thread costs more than it gives

INLINE float *row_of(Tensor t, int64_t row) { return (float *)t.data + row * t.stride; }

// Up to 16 numbers of a row from column c on; lanes behind its end hold `fill`.
INLINE lanes16 row_load(const float *row, int64_t c, int64_t width, float fill)
{
    lanes16 r;
    if (c + 16 <= width) {
        for (int i = 0; i < PARTS; i++)
            r.part[i] = vf_load(row + c + i * VL);
        return r;
    }
    float padded[16];
    for (int i = 0; i < 16; i++)
        padded[i] = c + i < width ? row[c + i] : fill;
    memcpy(&r, padded, sizeof r);
    return r;
}

INLINE void row_store(float *row, int64_t c, int64_t width, lanes16 r)
{
    if (c + 16 <= width) {
        for (int i = 0; i < PARTS; i++)
            vf_store(row + c + i * VL, r.part[i]);
        return;
    }
    float padded[16];
    memcpy(padded, &r, sizeof r);
    for (int64_t i = 0; c + i < width; i++)
        row[c + i] = padded[i];
}

#define EACH_PART(i) for (int i = 0; i < PARTS; i++)

INLINE float row_dot(const float *x, const float *y, int64_t width) // Σ x·y
{
    lanes16 sum = lanes_set(0);
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 a = row_load(x, c, width, 0), b = row_load(y, c, width, 0);
        EACH_PART (i)
            sum.part[i] = vf_fma(a.part[i], b.part[i], sum.part[i]);
    }
    return lanes_sum(sum);
}

#endif
