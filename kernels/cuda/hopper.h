// Kernels that are for Hopper (compute capability 9.0) only, beside those that any card runs: whether this build has
// them, whether this card takes them, and what they are called with. Both kinds give the same bits.
//
// The build has them (HOPPER_KERNELS) where there is an assembler that gets wgmma right (HAVE_WGMMA, dev/cuda.mk), in
// bf16; of fp32 there are none. Their bodies (HOPPER_CODE) are compiled for sm_90a alone.
#ifndef KERNELS_CUDA_HOPPER_H
#define KERNELS_CUDA_HOPPER_H

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/hopper_product.h"

#if defined(HAVE_WGMMA) && PRECISION_BITS == 16
#define HOPPER_KERNELS 1
#endif
#if HOPPER_KERNELS && (!defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL))
#define HOPPER_CODE 1
#endif

namespace PRECISION
{

// out and dout are dense.
struct AttentionForward {
    element *out;
    float *logsumexp;
    TokenRows q, k, v;
    Attention a;
};

struct AttentionBackward {
    TokenRows dq, dk, dv, q, k, v, dout;
    const float *logsumexp, *delta;
    Attention a;
};

struct Decode; // attention_decode.cuh

#if PRECISION_BITS == 16

// False: not on this card, or not for this shape; nothing was done.
bool hopper_attention_forward(Stream *s, const AttentionForward &forward, int64_t tokens);
bool hopper_attention_backward(Stream *s, const AttentionBackward &backward, int64_t tokens);
bool hopper_decode(Stream *s, const Decode &decode); // but for the merging of segments
void hopper_attention_queries(Stream *s, const AttentionBackward &backward, int64_t tokens); // dq alone

// hopper_product (operations.h) with tiles of the caller's choice
bool hopper_product_tiled(Stream *s, const Product *p, HopperTiling tiling);

// In one pass; false: not on this card, or not for this shape; nothing was done. takes: whether it would be true: with
// F even, rows of x and w a multiple of 16 bytes apart, those of the results an even number of elements. Any T has the
// same bits; up to FEW_ROWS product_few_rows has more multiprocessors read w.
bool hopper_matmul_swiglu(Stream *s, const SwigluProduct *p);
bool hopper_swiglu_tiled(Stream *s, const SwigluProduct *p, HopperTiling tiling);
bool hopper_takes_swiglu(const SwigluProduct *p);

// Compares them with the others once, on this card, and leaves them out from then on where a bit differs
// (hopper_trial.cu).
void hopper_try(void);
bool hopper_differs(const char *variable);

bool hopper_wish_is_known(void);          // of DEREASON_ATTENTION; false after fail()
bool hopper_chosen(const char *variable); // the card is one, and this variable of the environment does not say mma

#else

inline bool hopper_attention_forward(Stream *, const AttentionForward &, int64_t) { return false; }
inline bool hopper_attention_backward(Stream *, const AttentionBackward &, int64_t) { return false; }
inline bool hopper_decode(Stream *, const Decode &) { return false; }
inline bool hopper_product(Stream *, const Product *) { return false; }
inline bool hopper_matmul_swiglu(Stream *, const SwigluProduct *) { return false; }
inline bool hopper_takes_swiglu(const SwigluProduct *) { return false; }
inline bool hopper_few_rows(Stream *, const Product *) { return false; }
inline bool hopper_few_rows_swiglu(Stream *, const Product *) { return false; }

#endif

} // namespace PRECISION

#endif
