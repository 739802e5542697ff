// Matrix product, first rung: one thread per output, which walks along its row of x and its row of w. It is right, and
// its bits are those of kernels/naive/matmul.c, rounded: one chain, k ascending.
//
// Its weakness: the 32 lanes of a warp read 32 rows of w at once, each in another sector of memory, and use 2 of its 32
// bytes.
#include "dev/ladder/ladder.cuh"

namespace PRECISION
{

static __global__ void product(element *y, const element *x, const element *w, int N, int K)
{
    int n = (int)(blockIdx.x * blockDim.x + threadIdx.x), m = (int)blockIdx.y;
    float sum = 0;
    for (int k = 0; k < K; k++)
        sum = fmaf(widen(x[m * K + k]), widen(w[n * K + k]), sum);
    y[m * N + n] = rounded(sum);
}

void matmul_thread(Tensor y, Tensor x, Tensor w)
{
    int N = (int)y.columns, K = (int)x.columns;
    assert(N % 128 == 0);
    launch(NULL, dim3((unsigned)(N / 128), (unsigned)y.rows), dim3(128), 0, product, (element *)y.data,
           (const element *)x.data, (const element *)w.data, N, K);
}

} // namespace PRECISION
