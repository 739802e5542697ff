// The instructions that C++ has no word for, one wrapper each, and the only inline PTX in the house. test/simt/ gives
// each of them a body that runs on a CPU (simt_ptx.h). The names are PTX's; what they promise is in its chapter 9.7.
#ifndef KERNELS_CUDA_PTX_CUH
#define KERNELS_CUDA_PTX_CUH

#include "kernels/cuda/device.cuh"

#if defined(__CUDACC__)

__device__ inline uint32_t shared_address(const void *p) { return (uint32_t)__cvta_generic_to_shared(p); }

// 16 bytes from global to shared memory, asynchronously; zeros instead where `live` is false (global is not read then).
// Both 16-byte aligned. Done after this thread's cp_async_wait, and seen by other threads after a barrier behind that.
__device__ inline void cp_async_16(void *shared, const void *global, bool live)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)), "l"(global),
                 "r"(live ? 16 : 0)
                 : "memory");
}

// Of a kernel that is launched early (device.cuh has the rule): the kernels in front of it have ended, and what they
// wrote is there. dependents_may_begin: the kernel behind this one, if it is launched early, begins once every block
// has said so, or ended. Before Hopper neither does anything, and no kernel is launched early.
__device__ inline void dependency_wait()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}
__device__ inline void dependents_may_begin()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

// 2^x to two units in the last place; results below 2^-126 are zero.
__device__ inline float exp2_flushed(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
    return y;
}

// Closes a group of this thread's copies; waits until all but the newest `Pending` groups are done.
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
template <int Pending> __device__ inline void cp_async_wait()
{
    asm volatile("cp.async.wait_group %0;\n" ::"n"(Pending) : "memory");
}

// Four 8x8 matrices of 16-bit numbers; lane i gives the address of row i % 8 of matrix i / 8 (16 bytes, 16-byte
// aligned), or its shared address. Lane i receives, of each matrix, row i / 4, columns 2·(i % 4) and the next; _trans:
// column i / 4, rows 2·(i % 4) and the next.
__device__ inline void ldmatrix_x4(uint32_t r[4], uint32_t row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row)
                 : "memory");
}
__device__ inline void ldmatrix_x4(uint32_t r[4], const void *row) { ldmatrix_x4(r, shared_address(row)); }

__device__ inline void ldmatrix_x4_trans(uint32_t r[4], uint32_t row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row)
                 : "memory");
}
__device__ inline void ldmatrix_x4_trans(uint32_t r[4], const void *row) { ldmatrix_x4_trans(r, shared_address(row)); }

// c (16, 8) fp32 += a (16, 16) · b (16, 8), both bf16. Hopper adds the 16 products and c with each of them cut off 25
// bits below the largest, and cuts the sum off to fp32 (MMA-Sim; confirmed on an H200 by
// lab/bench/chain_check.cu, but for sums near the smallest numbers).
__device__ inline void mma_m16n8k16_bf16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The same product in fp32, in the layout of mma.m16n8k16: each output one chain of 16 fused multiply-adds, k
// ascending. No instruction does that; it is made of shuffles, slow, and only the fp32 build uses it. Not inlined:
// unrolled into the kernels it would keep the compiler busy for longer than anybody waits.
static __device__ __noinline__ void mma_m16n8k16_fp32(float c[4], const float a[8], const float b[4])
{
    int lane = (int)(threadIdx.x % 32), row = lane / 4, column = lane % 4 * 2;
#pragma unroll
    for (int k = 0; k < 16; k++) {
        int holder = k % 8 / 2, half = k / 8, odd = k % 2; // who holds column k of a and row k of b
        float mine = b[half * 2 + odd];
        float upper = __shfl_sync(~0u, a[half * 4 + odd], row * 4 + holder);
        float lower = __shfl_sync(~0u, a[half * 4 + 2 + odd], row * 4 + holder);
        float left = __shfl_sync(~0u, mine, column * 4 + holder),
              right = __shfl_sync(~0u, mine, (column + 1) * 4 + holder);
        c[0] = fmaf(upper, left, c[0]);
        c[1] = fmaf(upper, right, c[1]);
        c[2] = fmaf(lower, left, c[2]);
        c[3] = fmaf(lower, right, c[3]);
    }
}

#else
#include "simt_ptx.h"
#endif

#endif
