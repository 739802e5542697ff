// The wrappers of kernels/cuda/ptx.cuh for the SIMT runtime: the same names and layouts, without PTX. Barriers with a
// number have no wrapper there yet; they are here for the kernels that will give their warps different work.
#ifndef SIMT_PTX_H
#define SIMT_PTX_H

#include "simt.h"

static SIMT_INLINE void cp_async_16(void *shared, const void *global, bool live)
{
    SIMT_CALL(simt_copy_16(shared, global, live));
}
static SIMT_INLINE void cp_async_commit() { SIMT_CALL(simt_copy_commit()); }
template <int Pending> static SIMT_INLINE void cp_async_wait() { SIMT_CALL(simt_copy_wait(Pending)); }

static SIMT_INLINE float exp2_flushed(float x)
{
    float y = exp2f(x);
    return y < 0x1p-126f ? 0 : y;
}

static SIMT_INLINE void ldmatrix_x4(uint32_t r[4], const void *row) { SIMT_CALL(simt_ldmatrix(r, row, false)); }
static SIMT_INLINE void ldmatrix_x4_trans(uint32_t r[4], const void *row) { SIMT_CALL(simt_ldmatrix(r, row, true)); }

static SIMT_INLINE void mma_m16n8k16_bf16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    SIMT_CALL(simt_mma_bf16(c, a, b));
}
static SIMT_INLINE void mma_m16n8k16_fp32(float c[4], const float a[8], const float b[4])
{
    SIMT_CALL(simt_mma_fp32(c, a, b));
}

// barrier.cta.sync.aligned and barrier.cta.arrive.aligned: `threads` of the block take part, in whole warps.
static SIMT_INLINE void barrier_sync(int id, int threads) { SIMT_CALL(simt_named_barrier(id, threads, true)); }
static SIMT_INLINE void barrier_arrive(int id, int threads) { SIMT_CALL(simt_named_barrier(id, threads, false)); }

#endif
