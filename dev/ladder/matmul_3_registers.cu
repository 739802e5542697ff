// Matrix product, fourth rung: a tile of outputs in a thread's registers. Before, one multiply-add took two reads of
// shared memory; with 4 x 4 outputs a thread reads 8 numbers for 16, and a block of as many threads computes 64 x 64
// outputs, so memory is read half as often.
#include "dev/ladder/ladder.cuh"

namespace PRECISION
{

enum {
    SIDE = 64,
    STEP = 16,
    EACH = 4,
    PITCH = SIDE + 1
}; // outputs of a block, k at a time, outputs of a thread; both squared

// tile (STEP, PITCH) = rows first .. of x, k .. : k outside, so that lanes that own neighbouring rows read neighbouring
// words
__device__ inline void bring(float *tile, const element *x, int first, int k, int K)
{
    for (int i = (int)threadIdx.x; i < SIDE * STEP; i += (int)blockDim.x)
        tile[i % STEP * PITCH + i / STEP] = widen(x[(first + i / STEP) * K + k + i % STEP]);
}

static __global__ void product(element *y, const element *x, const element *w, int N, int K)
{
    SHARED(float, a, STEP *PITCH);
    SHARED(float, b, STEP *PITCH);
    int across = (int)threadIdx.x % 16, down = (int)threadIdx.x / 16;
    float sum[EACH][EACH] = {};
    for (int k = 0; k < K; k += STEP) {
        bring(a, x, (int)blockIdx.y * SIDE, k, K);
        bring(b, w, (int)blockIdx.x * SIDE, k, K);
        __syncthreads();
        for (int step = 0; step < STEP; step++) {
            float left[EACH], right[EACH];
            for (int i = 0; i < EACH; i++) {
                left[i] = a[step * PITCH + down + 16 * i];
                right[i] = b[step * PITCH + across + 16 * i];
            }
            for (int i = 0; i < EACH; i++)
                for (int j = 0; j < EACH; j++)
                    sum[i][j] = fmaf(left[i], right[j], sum[i][j]);
        }
        __syncthreads();
    }
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++)
            y[((int)blockIdx.y * SIDE + down + 16 * i) * N + (int)blockIdx.x * SIDE + across + 16 * j] =
                rounded(sum[i][j]);
}

void matmul_registers(Tensor y, Tensor x, Tensor w)
{
    assert(y.rows % SIDE == 0 && y.columns % SIDE == 0 && x.columns % STEP == 0);
    launch(NULL, dim3((unsigned)(y.columns / SIDE), (unsigned)(y.rows / SIDE)), dim3(256), 0, product,
           (element *)y.data, (const element *)x.data, (const element *)w.data, (int)y.columns, (int)x.columns);
}

} // namespace PRECISION
