// RMSNorm, third rung: the row stays in registers, 16 bytes per thread, and is read once. What the last rung,
// kernels/cuda/norm.cu, adds: two vectors per thread, so that more is in flight; the residual added in the same pass;
// rstd kept for the backward pass.
#include "dev/ladder/ladder.cuh"
#include "kernels/cuda/reduce.cuh"

namespace PRECISION
{

static __global__ void norm(element *y, const element *x, const element *weight, float epsilon, int C)
{
    SHARED(float, scratch, 32);
    int column = (int)threadIdx.x * LANES;
    int64_t at = (int64_t)blockIdx.x * C + column;
    Vector row = load(x + at), w = load(weight + column), out;
    float squares = 0;
    for (int i = 0; i < LANES; i++)
        squares = fmaf(widen(row.lane[i]), widen(row.lane[i]), squares);
    float rstd = 1.0f / sqrtf(block_sum(squares, scratch) / (float)C + epsilon);
    for (int i = 0; i < LANES; i++)
        out.lane[i] = rounded(widen(w.lane[i]) * round_to_element(widen(row.lane[i]) * rstd));
    store(y + at, out);
}

void rmsnorm_registers(Tensor y, Tensor x, Tensor weight, float epsilon)
{
    unsigned threads = (unsigned)(x.columns / LANES);
    assert(x.columns % (32 * LANES) == 0 && threads <= 1024);
    launch(NULL, dim3((unsigned)x.rows), dim3(threads), 0, norm, (element *)y.data, (const element *)x.data,
           (const element *)weight.data, epsilon, (int)x.columns);
}

} // namespace PRECISION
