// Matrix product, fifth rung: tensor cores. A warp multiplies 16 x 16 by 16 x 8 numbers in one instruction (mma), from
// fragments that ldmatrix loads into its registers; tiles stay in bf16, half the bytes, and are copied 16 bytes per
// thread. The chain now runs in groups of 16 k, so the bits differ from plain loops, but are still the same for any
// number of rows.
//
// What the last rung, kernels/cuda/matmul.cu, adds: tiles of 128 x 128, and three slabs in flight (cp.async) while one
// is multiplied; here the tensor cores wait for memory in each round.
#include "dev/ladder/ladder.cuh"

namespace PRECISION
{

enum { SIDE = 64, STEP = 32, PITCH = STEP + PAD, THREADS = 128, WARP_SIDE = 32 };

// tile (SIDE, PITCH) = rows first .. of x, k .., in pieces of 16 bytes
__device__ inline void bring(element *tile, const element *x, int first, int k, int K)
{
    for (int i = (int)threadIdx.x; i < SIDE * STEP / LANES; i += THREADS) {
        int row = i / (STEP / LANES), column = i % (STEP / LANES) * LANES;
        store(tile + row * PITCH + column, load(x + (first + row) * K + k + column));
    }
}

static __global__ void product(element *y, const element *x, const element *w, int N, int K)
{
    SHARED(element, a, SIDE * PITCH);
    SHARED(element, b, SIDE * PITCH);
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, row = warp / 2 * WARP_SIDE,
        column = warp % 2 * WARP_SIDE;
    float c[WARP_SIDE / 16][WARP_SIDE / 8][4] = {};
    for (int k = 0; k < K; k += STEP) {
        bring(a, x, (int)blockIdx.y * SIDE, k, K);
        bring(b, w, (int)blockIdx.x * SIDE, k, K);
        __syncthreads();
        for (int step = 0; step < STEP; step += 16)
            for (int j = 0; j < WARP_SIDE / 16; j++) {
                FragmentB right[2];
                load_b(right, b + (column + j * 16) * PITCH + step, PITCH);
                for (int i = 0; i < WARP_SIDE / 16; i++) {
                    FragmentA left = load_a(a + (row + i * 16) * PITCH + step, PITCH);
                    mma(c[i][2 * j], left, right[0]);
                    mma(c[i][2 * j + 1], left, right[1]);
                }
            }
        __syncthreads();
    }
    int first_row = (int)blockIdx.y * SIDE + row + lane / 4,
        first_column = (int)blockIdx.x * SIDE + column + lane % 4 * 2;
    for (int i = 0; i < WARP_SIDE / 16; i++)
        for (int j = 0; j < WARP_SIDE / 8; j++)
            for (int e = 0; e < 4; e++)
                y[(first_row + i * 16 + e / 2 * 8) * N + first_column + j * 8 + e % 2] = rounded(c[i][j][e]);
}

void matmul_tensor(Tensor y, Tensor x, Tensor w)
{
    assert(y.rows % SIDE == 0 && y.columns % SIDE == 0 && x.columns % STEP == 0);
    launch(NULL, dim3((unsigned)(y.columns / SIDE), (unsigned)(y.rows / SIDE)), dim3(THREADS), 0, product,
           (element *)y.data, (const element *)x.data, (const element *)w.data, (int)y.columns, (int)x.columns);
}

} // namespace PRECISION
