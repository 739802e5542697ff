// What Hopper's tensor cores do with bf16, bit for bit as far as is known: wgmma's and mma.sync's k16 group of sixteen
// products and an fp32 sum is one exact addition of numbers that were cut off 25 binary places below the largest of
// them, and the result is cut off to 24 bits (MMA-Sim, Microsoft 2025, compared over a million groups with a card).
// Exponents of zeros count as -126. lab/bench/chain_check.cu holds cards against it. Infinities and NaN are left out.
#ifndef DEV_TENSOR_CORE_H
#define DEV_TENSOR_CORE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

// significand · 2^(exponent - 23)
typedef struct TensorCoreTerm {
    int64_t significand;
    int exponent;
} TensorCoreTerm;

static inline TensorCoreTerm tensor_core_term(uint32_t bits)
{
    int field = (int)(bits >> 23 & 255);
    int64_t significand = (bits & 0x7fffff) | (field > 0 ? 0x800000 : 0);
    TensorCoreTerm term = {bits >> 31 ? -significand : significand, field > 0 ? field - 127 : -126};
    return term;
}

// Both have at most eight bits, at the top of 24.
static inline TensorCoreTerm tensor_core_product(uint16_t a, uint16_t b)
{
    TensorCoreTerm x = tensor_core_term((uint32_t)a << 16), y = tensor_core_term((uint32_t)b << 16);
    TensorCoreTerm product = {x.significand * y.significand / (1 << 23), x.exponent + y.exponent};
    return product;
}

static inline int64_t tensor_core_cut(int64_t x, int places) // towards zero
{
    int64_t size = x < 0 ? -x : x;
    size = places < 63 ? size >> places : 0;
    return x < 0 ? -size : size;
}

static inline float tensor_core_result(int64_t sum, int last) // sum · 2^last, cut off to an fp32
{
    int64_t size = sum < 0 ? -sum : sum;
    int drop = 0;
    while (size >> drop >= 1 << 24)
        drop++;
    if (last + drop < -149)
        drop = -149 - last; // subnormal: fewer bits
    float result = ldexpf((float)tensor_core_cut(size, drop), last + drop);
    return sum < 0 ? -result : result;
}

// c + Σ a[i]·b[i] over 16
static inline float tensor_core_group(const uint16_t *a, const uint16_t *b, float c)
{
    TensorCoreTerm terms[17];
    uint32_t bits;
    int64_t sum = 0;
    memcpy(&bits, &c, sizeof bits);
    terms[16] = tensor_core_term(bits);
    int largest = terms[16].exponent;
    for (int i = 0; i < 16; i++) {
        terms[i] = tensor_core_product(a[i], b[i]);
        largest = terms[i].exponent > largest ? terms[i].exponent : largest;
    }
    for (int i = 0; i < 17; i++)
        sum += tensor_core_cut(terms[i].significand * 4, largest - terms[i].exponent);
    return tensor_core_result(sum, largest - 25);
}

// One chain over k (a multiple of 16), ascending, from zero: what every bf16 product of the house is on a Hopper card.
static inline float tensor_core_chain(const uint16_t *a, const uint16_t *b, int64_t k)
{
    float sum = 0;
    for (int64_t i = 0; i < k; i += 16)
        sum = tensor_core_group(a + i, b + i, sum);
    return sum;
}

#endif
