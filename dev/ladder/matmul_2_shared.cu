// Matrix product, second and third rung: tiles in shared memory. A block computes 32 x 32 outputs; for each 32 k its
// threads load a tile of x and one of w, with neighbouring lanes along k, so that every fetched sector is used whole;
// and every number is used 32 times.
//
// The weakness of the second: the lanes read 32 rows of w's tile, which are 32 words apart: all in one bank, 32 rounds
// for one read. The third pads each row by a word, so that they are in 32 banks. That is the only difference.
#include "dev/ladder/ladder.cuh"

namespace PRECISION
{

enum { TILE = 32 };

template <int PITCH> static __global__ void product(element *y, const element *x, const element *w, int N, int K)
{
    float *a = dynamic_shared<float>(), *b = a + TILE * PITCH; // (TILE, PITCH) each: rows of x, of w
    int column = (int)threadIdx.x, row = (int)threadIdx.y;
    int m = (int)blockIdx.y * TILE + row, n = (int)blockIdx.x * TILE + column;
    float sum = 0;
    for (int k = 0; k < K; k += TILE) {
        a[row * PITCH + column] = widen(x[m * K + k + column]);
        b[row * PITCH + column] = widen(w[((int)blockIdx.x * TILE + row) * K + k + column]);
        __syncthreads(); // both tiles are loaded
        for (int i = 0; i < TILE; i++)
            sum = fmaf(a[row * PITCH + i], b[column * PITCH + i], sum);
        __syncthreads(); // both tiles are no longer needed
    }
    y[m * N + n] = rounded(sum);
}

template <int PITCH> static void start(Tensor y, Tensor x, Tensor w)
{
    assert(y.rows % TILE == 0 && y.columns % TILE == 0 && x.columns % TILE == 0);
    launch(NULL, dim3((unsigned)(y.columns / TILE), (unsigned)(y.rows / TILE)), dim3(TILE, TILE),
           2 * TILE * PITCH * sizeof(float), product<PITCH>, (element *)y.data, (const element *)x.data,
           (const element *)w.data, (int)y.columns, (int)x.columns);
}

void matmul_shared(Tensor y, Tensor x, Tensor w) { start<TILE>(y, x, w); }
void matmul_padded(Tensor y, Tensor x, Tensor w) { start<TILE + 1>(y, x, w); }

} // namespace PRECISION
