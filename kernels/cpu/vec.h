// Vectors for the CPU kernels: one source, three instruction sets, the same bits on the two with fused multiply-adds.
//
// vf is the machine's natural vector of VL floats. Sums over a row always run in 16 lanes (lanes16) and end in one
// fixed tree, whatever VL is (the arithmetic contract: row reductions). Only vf_fma is a fused multiply-add.
#ifndef KERNELS_CPU_VEC_H
#define KERNELS_CPU_VEC_H

#include "base/base.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define VL 16
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define VL 8
#else
#define VL 4
#endif

#define INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(4 * VL)));
typedef int32_t vi __attribute__((vector_size(4 * VL)));
typedef float vf_unaligned __attribute__((vector_size(4 * VL), aligned(4), may_alias));

INLINE vf vf_load(const float *p) { return *(const vf_unaligned *)p; }
INLINE void vf_store(float *p, vf v) { *(vf_unaligned *)p = v; }
INLINE vf vf_set(float x) { return x - (vf){0}; }
INLINE vf vf_zero(void) { return (vf){0}; }

INLINE vf vf_fma(vf a, vf b, vf c) // a·b + c, rounded once (twice on machines without the instruction)
{
#if VL == 16
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VL == 8
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__ARM_FEATURE_FMA)
    for (int i = 0; i < VL; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
}

INLINE float f_fma(float a, float b, float c) // the same, for one number: bits equal to a lane of vf_fma
{
#if VL >= 8 || defined(__ARM_FEATURE_FMA)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

INLINE vf vf_select(vi mask, vf yes, vf no)
{
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
} // mask lanes are 0 or -1
INLINE vf vf_max(vf a, vf b) { return vf_select(a > b, a, b); } // NaN in a is lost, NaN in b stays

// ---- 16 lanes: what a row reduction adds into

#define PARTS (16 / VL)
typedef struct lanes16 {
    vf part[PARTS];
} lanes16;

INLINE lanes16 lanes_set(float x)
{
    lanes16 r;
    for (int i = 0; i < PARTS; i++)
        r.part[i] = vf_set(x);
    return r;
}

// The one tree: 16 lanes -> 8 -> 4 -> 2 -> 1, lane i with lane i + half.
INLINE float lanes_sum(lanes16 a)
{
    float x[16];
    memcpy(x, &a, sizeof x);
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            x[i] = x[i] + x[i + half];
    return x[0];
}

INLINE float lanes_max(lanes16 a)
{
    float x[16];
    memcpy(x, &a, sizeof x);
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
    return x[0];
}

#endif
