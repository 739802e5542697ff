// exp on vectors, of our own: libm's bits differ between versions, and a run's must not. Attention, SwiGLU and the head
// call it; the double-precision functions that make tables and finish rows are in base/elementary.h.
#ifndef KERNELS_CPU_ELEMENTARY_H
#define KERNELS_CPU_ELEMENTARY_H

#include "base/elementary.h"
#include "kernels/cpu/vec.h"

// exp(x), relative error below 2^-22.5; 0 below -87.3 (no denormals), infinity above 88.3; NaN stays NaN.
// x = n·ln 2 + r, |r| <= ln 2 / 2; a polynomial of degree 7 in r (Cephes' coefficients); n goes into the exponent.
INLINE vf vf_exp(vf x)
{
    const float round_by = 12582912.0f; // 1.5 · 2^23: adding it rounds to an integer
    vf inside = vf_select(x < vf_set(-87.3f), vf_set(-87.3f), x);
    inside = vf_select(inside > vf_set(88.3f), vf_set(88.3f), inside);
    vf shifted = vf_fma(inside, vf_set(1.44269504088896341f), vf_set(round_by));
    vf n = shifted - vf_set(round_by);
    vf r = vf_fma(n, vf_set(-0.693359375f), inside);
    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    vf p = vf_set(1.9875691500e-4f);
    p = vf_fma(p, r, vf_set(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set(5.0000001201e-1f));
    p = vf_fma(p, r * r, r) + vf_set(1.0f);
    vf power = (vf)(((vi)shifted << 23) + (vi)vf_set(1.0f)); // the low bits of shifted hold n
    vf y = p * power;
    y = vf_select(x < vf_set(-87.3f), vf_zero(), y);
    return vf_select(x > vf_set(88.3f), vf_set(__builtin_inff()), y);
}

INLINE float f_exp(float x) // one lane of vf_exp
{
    return vf_exp(vf_set(x))[0];
}

#endif
