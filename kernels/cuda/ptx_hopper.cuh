// What only Hopper (sm_90a) has, one wrapper for each instruction, as in ptx.cuh: barriers in shared memory that count
// bytes (mbarrier), copies of boxes of a tensor and of pieces of memory (TMA), products of a warpgroup (wgmma),
// registers that move from one warpgroup to another, blocks that know each other (clusters). What they promise: PTX ISA
// 9.7.9 (bulk copies), 9.7.13 (mbarrier, barrier.cluster), 9.7.15 (wgmma). For test/simt/ they are in simt_ptx.h,
// which makes everything asynchronous as late as it may be.
//
// Shared memory is named by its 32-bit address (shared_address). ptxas before 13.3 makes wrong code of products whose
// left operand is in registers (lab/NOTES.md, 2026-11-29), so that what is here is compiled with HAVE_WGMMA only.
#ifndef KERNELS_CUDA_PTX_HOPPER_CUH
#define KERNELS_CUDA_PTX_HOPPER_CUH

#include "kernels/cuda/ptx.cuh"
#include <cuda.h>

// A descriptor of a tile in shared memory, rows of 128 bytes with the swizzle of 128 bytes, groups of 8 rows 1,024
// bytes apart, the tile at a multiple of 1,024 (PTX ISA 9.7.15.5.1). Inner dimension k: 16 elements further are 32
// bytes. Inner dimension not k ("transposed"): 16 further are 2,048 bytes; `halves`: bytes to the next 64 columns.
__device__ const uint64_t SWIZZLE_128 = (uint64_t)1 << 62 | (uint64_t)(1024 >> 4) << 32;
__device__ inline uint64_t tile_descriptor(uint32_t at)
{
    return SWIZZLE_128 | (uint64_t)1 << 16 | (uint64_t)((at & 0x3ffff) >> 4);
}
__device__ inline uint64_t transposed_descriptor(uint32_t at, int halves)
{
    return SWIZZLE_128 | (uint64_t)(halves >> 4) << 16 | (uint64_t)((at & 0x3ffff) >> 4);
}

#if defined(__CUDACC__)

// Made for so many arrivals by one thread, which says mbarrier_init_fence behind the last one, before __syncthreads.
__device__ inline void mbarrier_init(uint32_t at, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(at), "r"(arrivals) : "memory");
}
__device__ inline void mbarrier_init_fence() { asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory"); }

// Arrives; expect: and says that so many bytes are to come in this phase.
__device__ inline void mbarrier_arrive(uint32_t at)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(at) : "memory");
}
__device__ inline void mbarrier_expect(uint32_t at, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(at), "r"(bytes) : "memory");
}

// This block's rank in its cluster; the shared address of the same place in the block of another rank; an arrival at a
// barrier there. What that orders for the other block is what has been waited for (products that have read a stage);
// writes it would need the cluster's scope for, which is a MEMBAR for the whole card.
__device__ inline int cluster_rank()
{
    int rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;\n" : "=r"(rank));
    return rank;
}
__device__ inline uint32_t cluster_address(uint32_t at, int rank)
{
    uint32_t there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;\n" : "=r"(there) : "r"(at), "r"(rank));
    return there;
}
__device__ inline void mbarrier_arrive_at(uint32_t at)
{
    asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];\n" ::"r"(at) : "memory");
}

// The barrier of all threads of a cluster, in whole warps whose lanes are together, in two steps. A block whose
// barriers or shared memory others may still touch waits there before it ends.
__device__ inline void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;\n" ::: "memory"); }
__device__ inline void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;\n" ::: "memory"); }

// Until the phase of this parity is over. A barrier begins in phase 0, and phase -1, of parity 1, counts as over.
__device__ inline void mbarrier_wait(uint32_t at, int parity)
{
    asm volatile("{\n"
                 ".reg .pred over;\n"
                 "again: mbarrier.try_wait.parity.shared::cta.b64 over, [%0], %1;\n"
                 "@over bra done;\n"
                 "bra again;\n"
                 "done:\n"
                 "}\n" ::"r"(at),
                 "r"(parity)
                 : "memory");
}

// What this thread has written to shared memory before, wgmma and bulk copies see behind it (and a barrier).
__device__ inline void proxy_fence() { asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory"); }

// The box at (x, y, z) of a tensor to shared memory, on 1,024 bytes; what lies outside of the tensor becomes zeros, and
// its bytes count all the same. Its bytes come to the barrier. The map is a __grid_constant__ argument.
__device__ inline void tensor_load(uint32_t to, const CUtensorMap *map, uint32_t barrier, int x, int y, int z)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, "
                 "%5}], [%2];\n" ::"r"(to),
                 "l"(map), "r"(barrier), "r"(x), "r"(y), "r"(z)
                 : "memory");
}

// The same to the same place of each block of the cluster whose bit is set, its bytes to the same barrier there
__device__ inline void tensor_load_multicast(uint32_t to, const CUtensorMap *map, uint32_t barrier, int x, int y, int z,
                                             uint32_t ranks)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster "
                 "[%0], [%1, {%3, %4, %5}], [%2], %6;\n" ::"r"(to),
                 "l"(map), "r"(barrier), "r"(x), "r"(y), "r"(z), "h"((uint16_t)ranks)
                 : "memory");
}

// A piece of memory, in multiples of 16 bytes: to shared memory, its bytes come to the barrier; or to global memory, in
// this thread's groups. bulk_wait_read: all but the newest `Pending` groups have read shared memory.
__device__ inline void bulk_load(uint32_t to, const void *from, int bytes, uint32_t barrier)
{
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];\n" ::"r"(to),
                 "l"(from), "r"(bytes), "r"(barrier)
                 : "memory");
}
// The same of what nobody reads again soon: the second cache gives its place away first.
__device__ inline void bulk_load_once(uint32_t to, const void *from, int bytes, uint32_t barrier)
{
    uint64_t policy;
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;\n" : "=l"(policy));
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, "
                 "[%3], %4;\n" ::"r"(to),
                 "l"(from), "r"(bytes), "r"(barrier), "l"(policy)
                 : "memory");
}
__device__ inline void bulk_store(void *to, uint32_t from, int bytes)
{
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;\n" ::"l"(to), "r"(from), "r"(bytes)
                 : "memory");
}
__device__ inline void bulk_commit() { asm volatile("cp.async.bulk.commit_group;\n" ::: "memory"); }
template <int Pending> __device__ inline void bulk_wait_read()
{
    asm volatile("cp.async.bulk.wait_group.read %0;\n" ::"n"(Pending) : "memory");
}
template <int Pending> __device__ inline void bulk_wait()
{
    asm volatile("cp.async.bulk.wait_group %0;\n" ::"n"(Pending) : "memory");
}

// The way back from ldmatrix_x4: lane i gives the address of row i % 8 of matrix i / 8, and holds of each what that
// gives it.
__device__ inline void stmatrix_x4(void *row, const uint32_t r[4])
{
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(shared_address(row)),
                 "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
                 : "memory");
}

// `threads` of the block, in whole warps whose lanes are together (__syncwarp behind a branch), at a barrier with a
// number from 1 to 15; arrive: without waiting there.
__device__ inline void barrier_sync(int id, int threads)
{
    asm volatile("barrier.cta.sync.aligned %0, %1;\n" ::"r"(id), "r"(threads) : "memory");
}
__device__ inline void barrier_arrive(int id, int threads)
{
    asm volatile("barrier.cta.arrive.aligned %0, %1;\n" ::"r"(id), "r"(threads) : "memory");
}

// Registers of each thread of the warpgroup from here on; all of its warps say so.
template <int Registers> __device__ inline void registers_up()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(Registers));
}
template <int Registers> __device__ inline void registers_down()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(Registers));
}

// Before the first product behind a wait: what the threads did with its registers comes before it. commit closes a
// group; wait: all but the newest `Pending` groups are done. hold keeps the compiler from moving what reads or writes
// these registers across the place where it stands; it is no instruction.
__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory"); }
__device__ inline void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory"); }
template <int Pending> __device__ inline void wgmma_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(Pending) : "memory");
}
template <int Pieces> __device__ inline void wgmma_hold(float (*c)[4])
{
#pragma unroll
    for (int j = 0; j < Pieces; j++)
        asm volatile("" : "+f"(c[j][0]), "+f"(c[j][1]), "+f"(c[j][2]), "+f"(c[j][3])::"memory");
}
template <int Pieces> __device__ inline void wgmma_hold(uint32_t (*a)[4])
{
#pragma unroll
    for (int j = 0; j < Pieces; j++)
        asm volatile("" : "+r"(a[j][0]), "+r"(a[j][1]), "+r"(a[j][2]), "+r"(a[j][3])::"memory");
}

// c (64, Columns) of the warpgroup, laid out as mma's, = [c +] a (64, 16) · b (Columns, 16)ᵀ, b from shared memory, a
// too, or a thread's fragment in registers. First: c is not read. The order of additions is mma_m16n8k16's.
#define C4(j) "+f"(c[j][0]), "+f"(c[j][1]), "+f"(c[j][2]), "+f"(c[j][3])
#define C16(j) C4(j), C4(j + 1), C4(j + 2), C4(j + 3)
#define C64(j) C16(j), C16(j + 4), C16(j + 8), C16(j + 12)
#define FIRST_TEN "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, "
#define TEN(t) "%" #t "0, %" #t "1, %" #t "2, %" #t "3, %" #t "4, %" #t "5, %" #t "6, %" #t "7, %" #t "8, %" #t "9, "
#define NAMES_4 "{%0, %1, %2, %3}"
#define NAMES_8 "{%0, %1, %2, %3, %4, %5, %6, %7}"
#define NAMES_16 "{" FIRST_TEN "%10, %11, %12, %13, %14, %15}"
#define NAMES_32 "{" FIRST_TEN TEN(1) TEN(2) "%30, %31}"
#define NAMES_48 "{" FIRST_TEN TEN(1) TEN(2) TEN(3) "%40, %41, %42, %43, %44, %45, %46, %47}"
#define NAMES_56 "{" FIRST_TEN TEN(1) TEN(2) TEN(3) TEN(4) "%50, %51, %52, %53, %54, %55}"
#define NAMES_64 "{" FIRST_TEN TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) "%60, %61, %62, %63}"
#define NAMES_80                                                                                                       \
    "{" FIRST_TEN TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) "%70, %71, %72, %73, %74, %75, %76, %77, %78, %79}"
#define NAMES_96 "{" FIRST_TEN TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) "%90, %91, %92, %93, %94, %95}"
#define NAMES_128                                                                                                      \
    "{" FIRST_TEN TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9) TEN(10)                               \
        TEN(11) "%120, %121, %122, %123, %124, %125, %126, %127}"
// operands behind the accumulators: the two descriptors, whether it adds, whether either is transposed
#define WGMMA_OF(columns, names, a_at, b_at, adds, a_turned, b_turned, ...)                                            \
    if constexpr (Columns == columns)                                                                                  \
    asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, %" #adds ", 0;\n"                                             \
                 "wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32.bf16.bf16 " names ", %" #a_at ", %" #b_at       \
                 ", adds, 1, 1, %" #a_turned ", %" #b_turned ";\n}\n"                                                  \
                 : __VA_ARGS__                                                                                         \
                 : "l"(a), "l"(b), "n"(!First), "n"(ATransposed), "n"(BTransposed))

template <int Columns, bool First, bool ATransposed = false, bool BTransposed = false>
__device__ inline void wgmma(float (*c)[4], uint64_t a, uint64_t b)
{
    static_assert(Columns == 8 || Columns == 16 || Columns == 32 || Columns == 64 || Columns == 96 || Columns == 112 ||
                      Columns == 128 || Columns == 160 || Columns == 192 || Columns == 256,
                  "more shapes when they are needed");
    WGMMA_OF(8, NAMES_4, 4, 5, 6, 7, 8, C4(0));
    WGMMA_OF(16, NAMES_8, 8, 9, 10, 11, 12, C4(0), C4(1));
    WGMMA_OF(32, NAMES_16, 16, 17, 18, 19, 20, C16(0));
    WGMMA_OF(64, NAMES_32, 32, 33, 34, 35, 36, C16(0), C16(4));
    WGMMA_OF(96, NAMES_48, 48, 49, 50, 51, 52, C16(0), C16(4), C16(8));
    WGMMA_OF(112, NAMES_56, 56, 57, 58, 59, 60, C16(0), C16(4), C16(8), C4(12), C4(13));
    WGMMA_OF(128, NAMES_64, 64, 65, 66, 67, 68, C64(0));
    WGMMA_OF(160, NAMES_80, 80, 81, 82, 83, 84, C64(0), C16(16));
    WGMMA_OF(192, NAMES_96, 96, 97, 98, 99, 100, C64(0), C16(16), C16(20));
    WGMMA_OF(256, NAMES_128, 128, 129, 130, 131, 132, C64(0), C64(16));
}

template <int Columns, bool BTransposed> __device__ inline void wgmma(float (*c)[4], const uint32_t a[4], uint64_t b)
{
    static_assert(Columns == 64 || Columns == 128, "more shapes when they are needed");
    if constexpr (Columns == 64)
        asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, 1, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " NAMES_32
                     ", {%32, %33, %34, %35}, %36, adds, 1, 1, %37;\n}\n"
                     : C16(0), C16(4)
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(BTransposed));
    else
        asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, 1, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " NAMES_64
                     ", {%64, %65, %66, %67}, %68, adds, 1, 1, %69;\n}\n"
                     : C16(0), C16(4), C16(8), C16(12)
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(BTransposed));
}

#undef C4
#undef C16
#undef C64
#undef FIRST_TEN
#undef TEN
#undef NAMES_4
#undef NAMES_8
#undef NAMES_16
#undef NAMES_32
#undef NAMES_48
#undef NAMES_56
#undef NAMES_64
#undef NAMES_80
#undef NAMES_96
#undef NAMES_128
#undef WGMMA_OF

#endif

#endif
