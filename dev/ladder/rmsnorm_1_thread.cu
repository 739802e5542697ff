// RMSNorm, first rung: one thread per row. Its weakness: the lanes of a warp read 32 rows at once, each in another
// sector, and a batch of 4,096 tokens is 32 blocks of work for a card that needs thousands of warps.
#include "dev/ladder/ladder.cuh"

namespace PRECISION
{

static __global__ void norm(element *y, const element *x, const element *weight, float epsilon, int T, int C)
{
    int t = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (t >= T)
        return;
    float squares = 0;
    for (int c = 0; c < C; c++)
        squares = fmaf(widen(x[t * C + c]), widen(x[t * C + c]), squares);
    float rstd = 1.0f / sqrtf(squares / (float)C + epsilon);
    for (int c = 0; c < C; c++)
        y[t * C + c] = rounded(widen(weight[c]) * round_to_element(widen(x[t * C + c]) * rstd));
}

void rmsnorm_thread(Tensor y, Tensor x, Tensor weight, float epsilon)
{
    int T = (int)x.rows;
    launch(NULL, dim3((unsigned)ceil_divide(T, 128)), dim3(128), 0, norm, (element *)y.data, (const element *)x.data,
           (const element *)weight.data, epsilon, T, (int)x.columns);
}

} // namespace PRECISION
