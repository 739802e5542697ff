// Our own matrix product for few rows, as decoding has them: y (m, n) = x (m, k) · w (n, k)ᵀ with m up to FEW_ROWS. The
// bits are matmul.cu's: one chain over k in groups of 16 for every output. The weight takes the place of the tensor
// core's rows and x that of its columns, which changes nothing: an output is a row of x, a row of w and their order.
//
// Bound by reading w once. So the tile is narrow: 16 rows of w to a warp, one warp to a block where n is small, that a
// card's multiprocessors all have something to read; all of m beside it (chunks of 64), read again by every block, from
// the second cache. A ring of stages of 64 k keeps 20 to 60 KB of w under way in each block. An H200 reads at a quarter
// of its copy's bandwidth so; cuBLASLt, where it obeys, at two thirds.
#include "kernels/cuda/product.cuh"
#include <assert.h>

namespace PRECISION
{

enum { SLAB = 64, WARP_ROWS = 16 };

template <int WARPS, int COLUMNS> struct Few {
    static constexpr int ROWS = WARPS * WARP_ROWS, THREADS = WARPS * 32, PITCH = SLAB + PAD;
    static constexpr int STAGE = (ROWS + COLUMNS) * PITCH; // elements: the weight's rows, then x's
    static constexpr int STAGES = ROWS + COLUMNS <= 48 ? 12 : ROWS + COLUMNS <= 96 ? 8 : 5;
};

struct FewOperands {
    const element *x, *w;
    int64_t x_pitch, w_pitch, m, n, k;
};

template <int WARPS, int COLUMNS>
__device__ inline void load_stage(element *stage, const FewOperands &p, int64_t first_n, int64_t first_m, int64_t k)
{
    typedef Few<WARPS, COLUMNS> F;
    load_tile<F::ROWS, SLAB, F::THREADS>(stage, p.w, p.w_pitch, first_n, p.n, k, p.k);
    load_tile<COLUMNS, SLAB, F::THREADS>(stage + F::ROWS * F::PITCH, p.x, p.x_pitch, first_m, p.m, k, p.k);
}

template <int WARPS, int COLUMNS> __device__ inline void multiply_stage(float (*c)[4], const element *stage)
{
    typedef Few<WARPS, COLUMNS> F;
    const element *w = stage + (int)threadIdx.x / 32 * WARP_ROWS * F::PITCH, *x = stage + F::ROWS * F::PITCH;
#pragma unroll
    for (int k = 0; k < SLAB; k += 16) {
        FragmentA a = load_a(w + k, F::PITCH);
#pragma unroll
        for (int j = 0; j < COLUMNS / 16; j++) {
            FragmentB b[2];
            load_b(b, x + j * 16 * F::PITCH + k, F::PITCH);
            mma(c[2 * j], a, b[0]);
            mma(c[2 * j + 1], a, b[1]);
        }
    }
}

template <int WARPS, int COLUMNS, typename Output>
__global__ void __launch_bounds__(WARPS * 32) few_rows_kernel(FewOperands p, Output *y, int64_t y_pitch, bool add)
{
    typedef Few<WARPS, COLUMNS> F;
    element *ring = dynamic_shared<element>();
    int64_t first_n = (int64_t)blockIdx.x * F::ROWS, first_m = (int64_t)blockIdx.y * COLUMNS,
            slabs = (p.k + SLAB - 1) / SLAB;
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    float c[COLUMNS / 8][4] = {};
    for (int64_t slab = -(F::STAGES - 1); slab < slabs; slab++) {
        if (slab >= 0) {
            cp_async_wait<F::STAGES - 2>();
            __syncthreads(); // the slab is there for all, and nobody reads the stage that is filled next
        }
        int64_t next = slab + F::STAGES - 1;
        if (next < slabs)
            load_stage<WARPS, COLUMNS>(ring + next % F::STAGES * F::STAGE, p, first_n, first_m, next * SLAB);
        cp_async_commit();
        if (slab >= 0)
            multiply_stage<WARPS, COLUMNS>(c, ring + slab % F::STAGES * F::STAGE);
    }
    cp_async_wait<0>();
#pragma unroll
    for (int j = 0; j < COLUMNS / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int64_t n = first_n + warp * WARP_ROWS + lane / 4 + i / 2 * 8, m = first_m + j * 8 + lane % 4 * 2 + i % 2;
            if (m < p.m && n < p.n)
                put(y + m * y_pitch + n, c[j][i], add);
        }
}

template <int WARPS, int COLUMNS, typename Output> static void start(Stream *s, const Product *p)
{
    typedef Few<WARPS, COLUMNS> F;
    FewOperands operands = {(const element *)p->a, (const element *)p->b, p->a_pitch, p->b_pitch, p->m, p->n, p->k};
    dim3 grid(ceil_divide(p->n, F::ROWS), ceil_divide(p->m, COLUMNS));
    launch(s, grid, F::THREADS, F::STAGES * F::STAGE * sizeof(element), few_rows_kernel<WARPS, COLUMNS, Output>,
           operands, (Output *)p->c, p->c_pitch, p->add);
}

template <int WARPS, typename Output> static void start_columns(Stream *s, const Product *p)
{
    if (p->m <= 16)
        start<WARPS, 16, Output>(s, p);
    else if (p->m <= 32)
        start<WARPS, 32, Output>(s, p);
    else
        start<WARPS, 64, Output>(s, p);
}

template <typename Output> static void start_warps(Stream *s, const Product *p)
{
    if (p->n >= 64 * (int64_t)device_multiprocessors())
        start_columns<4, Output>(s, p);
    else
        start_columns<1, Output>(s, p);
}

void product_few_rows(Stream *s, const Product *p)
{
    assert(p->form == MATMUL_FORWARD && p->m <= FEW_ROWS && p->a_pitch % LANES == 0 && p->b_pitch % LANES == 0);
    if (p->c_is_float)
        start_warps<float>(s, p);
    else
        start_warps<element>(s, p);
}

} // namespace PRECISION
