// RMSNorm, second rung: one block per row. Neighbouring lanes read neighbouring columns, so sectors are used whole; the
// row's sum is each thread's part, then a tree over the block (kernels/cuda/reduce.cuh), the same for any number of
// rows.
//
// Its weakness: the row is read twice, and 2 bytes per thread at a time.
#include "dev/ladder/ladder.cuh"
#include "kernels/cuda/reduce.cuh"

namespace PRECISION
{

static __global__ void norm(element *y, const element *x, const element *weight, float epsilon, int C)
{
    SHARED(float, scratch, 32);
    const element *row = x + (int64_t)blockIdx.x * C;
    float squares = 0;
    for (int c = (int)threadIdx.x; c < C; c += (int)blockDim.x)
        squares = fmaf(widen(row[c]), widen(row[c]), squares);
    float rstd = 1.0f / sqrtf(block_sum(squares, scratch) / (float)C + epsilon);
    for (int c = (int)threadIdx.x; c < C; c += (int)blockDim.x)
        y[(int64_t)blockIdx.x * C + c] = rounded(widen(weight[c]) * round_to_element(widen(row[c]) * rstd));
}

void rmsnorm_block(Tensor y, Tensor x, Tensor weight, float epsilon)
{
    launch(NULL, dim3((unsigned)x.rows), dim3(128), 0, norm, (element *)y.data, (const element *)x.data,
           (const element *)weight.data, epsilon, (int)x.columns);
}

} // namespace PRECISION
