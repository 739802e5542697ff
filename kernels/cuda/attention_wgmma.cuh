// Attention's products by wgmma, for heads of 128 in bf16: what attention.cuh's row_products and accumulate_rows make of a warp's 16 rows, a
// warpgroup makes of 64, and the tensor cores read the tiles themselves. The chains are the same, so the bits are: all columns of a block
// are multiplied, of which those that a row does not see have the weight 0, and those behind the sequence are zeros.
//
// A tile (rows, 128) lies in core matrices of 8 rows by 8 columns, sixteen of them beside each other. So it is either operand: of a product
// over its columns, where a row of a core matrix is 8 k, and of one over its rows, where it is 8 columns of one k.
#ifndef KERNELS_CUDA_ATTENTION_WGMMA_CUH
#define KERNELS_CUDA_ATTENTION_WGMMA_CUH

#include "kernels/cuda/attention.cuh"
#include <stdlib.h>
#include <string.h>

namespace PRECISION
{

enum {
    CORE = 64,
    BESIDE = 128,
    BELOW = 16 * BESIDE
}; // elements of a core matrix; bytes to the next 8 columns, to the next 8 rows

// Whether the two-sided kernels are there: the environment's DEREASON_ATTENTION=mma leaves them out, for comparisons.
static inline bool wgmma_is_there()
{
#if defined(HAVE_SM90A) || !defined(__CUDACC__)
    static int major;
    const char *wanted = getenv("DEREASON_ATTENTION");
    if (major == 0)
        device_check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), "asking for the compute capability");
    return major == 9 && (wanted == NULL || strcmp(wanted, "mma") != 0);
#else
    return false;
#endif
}

// ROWS rows of 128 elements, asynchronously; row_of(r) is a row's address, NULL for one of zeros. Eight lanes write the 128 bytes of a core
// matrix, a warp reads 64 bytes of each of 8 rows.
template <int ROWS, typename RowOf>
__device__ inline void load_core_matrices(element *tile, const element *anywhere, RowOf row_of)
{
    int lane = (int)threadIdx.x % 32, chunk = (int)threadIdx.x / 32 * 4 + lane / 8; // of 8 columns
#pragma unroll 4
    for (int i = 0; i < ROWS / 8; i++) {
        const element *row = row_of(i * 8 + lane % 8);
        cp_async_16(tile + (i * 16 + chunk) * CORE + lane % 8 * 8, row == NULL ? anywhere : row + chunk * 8, row != NULL);
    }
}

#if PRECISION_BITS == 16

// s (64, 128) = a (64, 128) · tile (128, 128)ᵀ; a in fragments
__device__ inline void wgmma_scores(float (*s)[4], const FragmentA *a, const element *tile)
{
#pragma unroll
    for (int j = 0; j < 16; j++)
        s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < 8; k++)
        wgmma_m64n128k16_bf16<false>(s, a[k].r, tile + k * 2 * CORE, BESIDE, BELOW);
    wgmma_commit();
    wgmma_wait<0>();
}

// s (64, 64) = a (64, 128) · tile (64, 128)ᵀ, and the same of another pair; all four in shared memory
__device__ inline void wgmma_two_scores(float (*s)[4], const element *a, const element *tile, float (*s2)[4], const element *a2,
                                        const element *tile2)
{
#pragma unroll
    for (int j = 0; j < 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            s[j][i] = s2[j][i] = 0;
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < 8; k++)
        wgmma_m64n64k16_bf16(s, a + k * 2 * CORE, tile + k * 2 * CORE, BESIDE, BELOW);
#pragma unroll
    for (int k = 0; k < 8; k++)
        wgmma_m64n64k16_bf16(s2, a2 + k * 2 * CORE, tile2 + k * 2 * CORE, BESIDE, BELOW);
    wgmma_commit();
    wgmma_wait<0>();
}

// The fragments of round(p) (64, ROWS)
template <int ROWS> __device__ inline void wgmma_fragments(FragmentA *a, const float (*p)[4])
{
#pragma unroll
    for (int k = 0; k < ROWS / 16; k++)
        a[k] = as_a(p[2 * k], p[2 * k + 1]);
}

// o (64, 128) += a (64, ROWS) · tile (ROWS, 128), to be waited for
template <int ROWS> __device__ inline void wgmma_accumulate(float (*o)[4], const FragmentA *a, const element *tile)
{
#pragma unroll
    for (int k = 0; k < ROWS / 16; k++)
        wgmma_m64n128k16_bf16<true>(o, a[k].r, tile + k * 2 * 16 * CORE, BELOW, BESIDE);
}

#else // the fp32 build's kernels do not ask for these

__device__ inline void wgmma_scores(float (*)[4], const FragmentA *, const element *) {}
__device__ inline void wgmma_two_scores(float (*)[4], const element *, const element *, float (*)[4], const element *,
                                        const element *)
{
}
template <int ROWS> __device__ inline void wgmma_fragments(FragmentA *, const float (*)[4]) {}
template <int ROWS> __device__ inline void wgmma_accumulate(float (*)[4], const FragmentA *, const element *) {}

#endif

} // namespace PRECISION

#endif
