// Sums and maxima over a warp or a block, each in one fixed tree: within a warp lanes 16 apart, then 8, 4, 2, 1; then
// the warps in the same way. Every lane receives the same bits (a + b is b + a). How many threads a row gets never
// follows from the grid. Sums up to a lane have a tree of their own.
#ifndef KERNELS_CUDA_REDUCE_CUH
#define KERNELS_CUDA_REDUCE_CUH

#include "kernels/cuda/device.cuh"

template <typename Number> __device__ inline Number warp_sum(Number x)
{
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2)
        x += __shfl_xor_sync(~0u, x, apart);
    return x;
}

__device__ inline float warp_max(float x)
{
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2)
        x = fmaxf(x, __shfl_xor_sync(~0u, x, apart));
    return x;
}

// x of this lane and of all lanes before it
template <typename Number> __device__ inline Number warp_sum_until(Number x)
{
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int apart = 1; apart < 32; apart *= 2) {
        Number before = __shfl_up_sync(~0u, x, apart);
        x += lane >= apart ? before : 0;
    }
    return x;
}

// The whole block, up to 32 warps; scratch: 32 floats in shared memory, free again after the call.
__device__ inline float block_sum(float x, float *scratch)
{
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, warps = (int)blockDim.x / 32;
    x = warp_sum(x);
    if (lane == 0)
        scratch[warp] = x;
    __syncthreads();
    x = warp_sum(lane < warps ? scratch[lane] : 0);
    __syncthreads();
    return x;
}

#endif
