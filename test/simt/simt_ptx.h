// The wrappers of kernels/cuda/ptx.cuh for the SIMT runtime: the same names and layouts, without PTX. Barriers with a number have
// no wrapper there yet; they are here for the kernels that will give their warps different work.
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
static SIMT_INLINE void mma_m16n8k16_fp32(float c[4], const float a[8], const float b[4]) { SIMT_CALL(simt_mma_fp32(c, a, b)); }

static SIMT_INLINE void fence_proxy_async() {}
static SIMT_INLINE void wgmma_fence() {}
static SIMT_INLINE void wgmma_commit() {}
template <int Pending> static SIMT_INLINE void wgmma_wait() {}

// As products of each warp, at once: what is asynchronous about them is not looked at. A lane reads its part of an operand where the core
// matrices have it: two numbers of row `row` (a column of b, a row of a), k and k + 1.
static SIMT_INLINE uint32_t simt_core_pair(const uint16_t *core, int row, int k, bool k_outside)
{
    uint32_t low = k_outside ? core[k * 8 + row] : core[row * 8 + k];
    uint32_t high = k_outside ? core[(k + 1) * 8 + row] : core[row * 8 + k + 1];
    return low | high << 16;
}

static SIMT_INLINE void simt_wgmma(float (*c)[4], int columns, const uint32_t a[4], const void *b, int between_k, int between_n,
                                   bool k_outside)
{
    int lane = (int)threadIdx.x % 32;
    for (int j = 0; j < columns / 8; j++) {
        uint32_t part[2];
        for (int half = 0; half < 2; half++)
            part[half] =
                simt_core_pair((const uint16_t *)b + (j * between_n + half * between_k) / 2, lane / 4, lane % 4 * 2, k_outside);
        mma_m16n8k16_bf16(c[j], a, part);
    }
}

template <bool K_OUTSIDE>
static SIMT_INLINE void wgmma_m64n128k16_bf16(float (*c)[4], const uint32_t a[4], const void *b, int between_k, int between_n)
{
    simt_wgmma(c, 128, a, b, between_k, between_n, K_OUTSIDE);
}

static SIMT_INLINE void wgmma_m64n64k16_bf16(float (*c)[4], const void *a, const void *b, int between_k, int between_n)
{
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    uint32_t rows[4];
    for (int i = 0; i < 4; i++) // rows r, r + 8, then both with k + 8
        rows[i] = simt_core_pair((const uint16_t *)a + ((warp * 2 + i % 2) * between_n + i / 2 * between_k) / 2, lane / 4,
                                 lane % 4 * 2, false);
    simt_wgmma(c, 64, rows, b, between_k, between_n, false);
}

// barrier.cta.sync.aligned and barrier.cta.arrive.aligned: `threads` of the block take part, in whole warps.
static SIMT_INLINE void barrier_sync(int id, int threads) { SIMT_CALL(simt_named_barrier(id, threads, true)); }
static SIMT_INLINE void barrier_arrive(int id, int threads) { SIMT_CALL(simt_named_barrier(id, threads, false)); }

#endif
