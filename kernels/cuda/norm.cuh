// What the gradients of the norms' weights have in common (norm.cu, rope.cu): they are summed over groups of NORM_ROWS rows,
// ascending, into one row of `partial` each, and then over the groups, ascending from zero.
#ifndef KERNELS_CUDA_NORM_CUH
#define KERNELS_CUDA_NORM_CUH

#include "kernels/cuda/element.cuh"

namespace PRECISION
{

// One vector's numbers in fp32; to: 16-byte aligned
__device__ inline void store_floats(float *to, const float x[LANES])
{
#pragma unroll
    for (int j = 0; j < LANES; j += 4)
        *(float4 *)(to + j) = make_float4(x[j], x[j + 1], x[j + 2], x[j + 3]);
}

// dweight (width) += the partial sums of all groups. A thread owns a column; its reads do not wait for each other.
static __global__ void __launch_bounds__(64)
    add_partials_kernel(float *dweight, const float *partial, int64_t groups, int64_t width)
{
    int64_t c = (int64_t)blockIdx.x * 64 + threadIdx.x;
    if (c >= width)
        return;
    float sum = 0;
#pragma unroll 16
    for (int64_t g = 0; g < groups; g++)
        sum += partial[g * width + c];
    dweight[c] += sum;
}

static inline void add_partials(Stream *s, float *dweight, const float *partial, int64_t groups, int64_t width)
{
    launch(s, dim3((unsigned)ceil_divide(width, 64)), dim3(64), 0, add_partials_kernel, dweight, partial, groups, width);
}

} // namespace PRECISION

#endif
