// The wrappers of kernels/cuda/ptx.cuh and ptx_hopper.cuh for the SIMT runtime: the same names and layouts, without
// PTX.
#ifndef SIMT_PTX_H
#define SIMT_PTX_H

#include "simt.h"
#include <cuda.h>

static SIMT_INLINE void cp_async_16(void *shared, const void *global, bool live)
{
    SIMT_CALL(simt_copy_16(shared, global, live));
}
static SIMT_INLINE void cp_async_commit() { SIMT_CALL(simt_copy_commit()); }
template <int Pending> static SIMT_INLINE void cp_async_wait() { SIMT_CALL(simt_copy_wait(Pending)); }

static SIMT_INLINE void dependency_wait() { SIMT_CALL(simt_dependency_wait()); }
static SIMT_INLINE void dependents_may_begin() {} // they begin as early as they may in any case

static SIMT_INLINE float exp2_flushed(float x)
{
    float y = exp2f(x);
    return y < 0x1p-126f ? 0 : y;
}

static SIMT_INLINE void ldmatrix_x4(uint32_t r[4], const void *row) { SIMT_CALL(simt_ldmatrix(r, row, false)); }
static SIMT_INLINE void ldmatrix_x4_trans(uint32_t r[4], const void *row) { SIMT_CALL(simt_ldmatrix(r, row, true)); }

static SIMT_INLINE void ldmatrix_x4(uint32_t r[4], uint32_t row) { SIMT_CALL(simt_ldmatrix(r, row, false)); }
static SIMT_INLINE void ldmatrix_x4_trans(uint32_t r[4], uint32_t row) { SIMT_CALL(simt_ldmatrix(r, row, true)); }

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

static SIMT_INLINE void stmatrix_x4(void *row, const uint32_t r[4]) { SIMT_CALL(simt_stmatrix(row, r)); }

// ---- ptx_hopper.cuh

static SIMT_INLINE uint32_t shared_address(const void *p) { return simt_shared_address(p); }
static SIMT_INLINE void mbarrier_init(uint32_t at, int arrivals) { SIMT_CALL(simt_mbarrier_init(at, arrivals)); }
static SIMT_INLINE void mbarrier_init_fence() { SIMT_CALL(simt_mbarrier_init_fence()); }
static SIMT_INLINE void mbarrier_expect(uint32_t at, int bytes) { SIMT_CALL(simt_mbarrier_expect(at, bytes)); }
static SIMT_INLINE void mbarrier_arrive(uint32_t at) { SIMT_CALL(simt_mbarrier_arrive(at)); }
static SIMT_INLINE void mbarrier_wait(uint32_t at, int parity) { SIMT_CALL(simt_mbarrier_wait(at, parity)); }
static SIMT_INLINE void proxy_fence() { SIMT_CALL(simt_proxy_fence()); }

static SIMT_INLINE void tensor_load(uint32_t to, const CUtensorMap *map, uint32_t barrier, int x, int y, int z)
{
    SIMT_CALL(simt_tensor_load(to, map, barrier, x, y, z));
}
static SIMT_INLINE void tensor_load_multicast(uint32_t to, const CUtensorMap *map, uint32_t barrier, int x, int y,
                                              int z, uint32_t ranks)
{
    SIMT_CALL(simt_tensor_load_multicast(to, map, barrier, x, y, z, ranks));
}
static SIMT_INLINE int cluster_rank() { return simt_cluster_rank(); }
static SIMT_INLINE uint32_t cluster_address(uint32_t at, int rank) { return simt_cluster_address(at, rank); }
static SIMT_INLINE void mbarrier_arrive_at(uint32_t at) { SIMT_CALL(simt_mbarrier_arrive_at(at)); }
static SIMT_INLINE void cluster_arrive() { SIMT_CALL(simt_cluster_arrive()); }
static SIMT_INLINE void cluster_wait() { SIMT_CALL(simt_cluster_wait()); }

static SIMT_INLINE void bulk_load(uint32_t to, const void *from, int bytes, uint32_t barrier)
{
    SIMT_CALL(simt_bulk_load(to, from, bytes, barrier));
}
static SIMT_INLINE void bulk_load_once(uint32_t to, const void *from, int bytes, uint32_t barrier)
{
    SIMT_CALL(simt_bulk_load(to, from, bytes, barrier));
}
static SIMT_INLINE void bulk_store(void *to, uint32_t from, int bytes) { SIMT_CALL(simt_bulk_store(to, from, bytes)); }
static SIMT_INLINE void bulk_commit() { SIMT_CALL(simt_bulk_commit()); }
template <int Pending> static SIMT_INLINE void bulk_wait_read() { SIMT_CALL(simt_bulk_wait(Pending, true)); }
template <int Pending> static SIMT_INLINE void bulk_wait() { SIMT_CALL(simt_bulk_wait(Pending, false)); }

template <int Registers> static SIMT_INLINE void registers_up() { SIMT_CALL(simt_registers(Registers, true)); }
template <int Registers> static SIMT_INLINE void registers_down() { SIMT_CALL(simt_registers(Registers, false)); }

static SIMT_INLINE void wgmma_fence() { SIMT_CALL(simt_wgmma_fence()); }
static SIMT_INLINE void wgmma_commit() { SIMT_CALL(simt_wgmma_commit()); }
template <int Pending> static SIMT_INLINE void wgmma_wait() { SIMT_CALL(simt_wgmma_wait(Pending)); }
template <int Pieces> static SIMT_INLINE void wgmma_hold(float (*)[4]) {}
template <int Pieces> static SIMT_INLINE void wgmma_hold(uint32_t (*)[4]) {}

template <int Columns, bool First, bool ATransposed = false, bool BTransposed = false>
static SIMT_INLINE void wgmma(float (*c)[4], uint64_t a, uint64_t b)
{
    SIMT_CALL(simt_wgmma(c, Columns, NULL, a, ATransposed, b, BTransposed, First));
}
template <int Columns, bool BTransposed> static SIMT_INLINE void wgmma(float (*c)[4], const uint32_t a[4], uint64_t b)
{
    SIMT_CALL(simt_wgmma(c, Columns, a, 0, false, b, BTransposed, false));
}

#endif
