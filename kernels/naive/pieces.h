// What the plain loops share: elementary functions that are not the compiler's, and two orders of a sum, row and chain.
#ifndef KERNELS_NAIVE_PIECES_H
#define KERNELS_NAIVE_PIECES_H

#include "base/elementary.h"
#include "base/philox.h"
#include "kernels/kernels.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *row_of(Tensor t, int64_t row) { return (float *)t.data + row * t.stride; }
// e^x as kernels/cpu/elementary.h has it: x = n · ln 2 + r, a polynomial in r, and n goes into the exponent. Our own,
// because the bits of libm's differ between versions. 0 below -87.3, infinity above 88.3.
static float exponential(float x)
{
    if (x < -87.3f)
        return 0;
    if (x > 88.3f)
        return INFINITY;
    float shifted =
        fmaf(x, 1.44269504088896341f, 12582912.0f); // adding 1.5 · 2^23 rounds to an integer, which the low bits hold
    float n = shifted - 12582912.0f, r = fmaf(n, 2.12194440e-4f, fmaf(n, -0.693359375f, x));
    const float coefficients[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
                                  5.0000001201e-1f};
    float p = 1.9875691500e-4f, power;
    for (int i = 0; i < 5; i++)
        p = fmaf(p, r, coefficients[i]);
    p = fmaf(p, r * r, r) + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000u;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

// The tree that ends every sum over a row: 16 lanes become 8, 4, 2, 1; lane i takes lane i + half.
static float tree(float lane[16])
{
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] = lane[i] + lane[i + half];
    return lane[0];
}

// Σ x[c] · y[c], in the order of a row
static float row_dot(const float *x, const float *y, int64_t width)
{
    float lane[16] = {0};
    for (int64_t c = 0; c < width; c++)
        lane[c % 16] = fmaf(x[c], y[c], lane[c % 16]);
    return tree(lane);
}

// Σ a[k] · b[k], as a chain; a and b step through their matrices by so many numbers.
static float chain(const float *a, int64_t a_step, const float *b, int64_t b_step, int64_t count)
{
    float sum = 0;
    for (int64_t k = 0; k < count; k++)
        sum = fmaf(a[k * a_step], b[k * b_step], sum);
    return sum;
}

// With `add` a finished chain is added to what is there: one rounding more, but the chain is the same.
static void put(float *y, float finished, bool add) { *y = add ? *y + finished : finished; }

static float largest_of(const float *x, int64_t count)
{
    float largest = -INFINITY;
    for (int64_t i = 0; i < count; i++)
        largest = largest > x[i] ? largest : x[i];
    return largest;
}

#endif
