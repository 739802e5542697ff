// Our own matrix product: every output is one chain over k, ascending from zero, in groups of 16 in a tensor core (fp32
// build: one fused multiply-add after the other). It has the same bits for any number of rows, is what SIMT runs, and
// is what a library is held against (matmul_cublaslt.cu).
//
// A block of 4 warps makes a tile of 128 x 128, a warp 64 x 64 of it in 128 registers a thread; slabs of 32 k travel
// through a ring of four stages by cp.async. A slab's rows lie as they lie in memory and are padded by 16 bytes, so
// that the eight rows an ldmatrix reads fall into different banks; operands that are stored with k outside are
// transposed by ldmatrix on their way to the registers. Two blocks fit a multiprocessor. Limit: 2·m·n·k operations; an
// H200 reaches 37 to 40% of what wgmma does (322 of 790 TFLOP/s at 8,192 cubed), so this is the law that a library is
// held against, and what there is without one.
#include "kernels/cuda/hopper.h"
#include "kernels/cuda/product.cuh"
#include <assert.h>

namespace PRECISION
{

// The fp32 build's fragments take twice the registers, so its tiles are a quarter.
enum { TILE = PRECISION_BITS == 16 ? 128 : 64, WARP_TILE = TILE / 2, SLAB = 32, STAGES = 4, THREADS = 128, RASTER = 8 };

// How one operand lies: with k inside, (TILE rows, SLAB k), or outside, (SLAB k, TILE rows).
template <bool K_OUTSIDE> struct Slab {
    static constexpr int ROWS = K_OUTSIDE ? SLAB : TILE, COLUMNS = K_OUTSIDE ? TILE : SLAB, PITCH = COLUMNS + PAD;
    static constexpr int ELEMENTS = ROWS * PITCH;
};

struct Operand {
    const element *data;
    int64_t pitch, extent; // extent: rows of the product (m or n) that it has
};

template <bool K_OUTSIDE>
__device__ inline void load_slab(element *slab, const Operand &x, int64_t first, int64_t k_first, int64_t k)
{
    typedef Slab<K_OUTSIDE> S;
    if (K_OUTSIDE)
        load_tile<S::ROWS, S::COLUMNS, THREADS>(slab, x.data, x.pitch, k_first, k, first, x.extent);
    else
        load_tile<S::ROWS, S::COLUMNS, THREADS>(slab, x.data, x.pitch, first, x.extent, k_first, k);
}

// One slab: a warp's 64 x 64 outputs continue their chains by SLAB / 16 groups.
template <bool A_OUTSIDE, bool B_OUTSIDE>
__device__ inline void multiply_slab(float (*c)[WARP_TILE / 8][4], const element *a, const element *b, int row,
                                     int column)
{
    constexpr int A_PITCH = Slab<A_OUTSIDE>::PITCH, B_PITCH = Slab<B_OUTSIDE>::PITCH;
#pragma unroll
    for (int k = 0; k < SLAB; k += 16) {
        FragmentA x[WARP_TILE / 16];
        FragmentB y[WARP_TILE / 8];
#pragma unroll
        for (int i = 0; i < WARP_TILE / 16; i++)
            x[i] = A_OUTSIDE ? load_a_transposed(a + k * A_PITCH + row + i * 16, A_PITCH)
                             : load_a(a + (row + i * 16) * A_PITCH + k, A_PITCH);
#pragma unroll
        for (int j = 0; j < WARP_TILE / 16; j++)
            if (B_OUTSIDE)
                load_b_transposed(y + 2 * j, b + k * B_PITCH + column + j * 16, B_PITCH);
            else
                load_b(y + 2 * j, b + (column + j * 16) * B_PITCH + k, B_PITCH);
#pragma unroll
        for (int i = 0; i < WARP_TILE / 16; i++)
#pragma unroll
            for (int j = 0; j < WARP_TILE / 8; j++)
                mma(c[i][j], x[i], y[j]);
    }
}

template <bool FROM_ZERO, typename Output>
__device__ inline void put_tile(Output *c, int64_t pitch, const float (*x)[WARP_TILE / 8][4], int64_t first_row,
                                int64_t first_column, int64_t m, int64_t n, bool add)
{
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < WARP_TILE / 16; i++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int64_t row = first_row + i * 16 + half * 8 + lane / 4;
#pragma unroll
            for (int j = 0; j < WARP_TILE / 8; j++) {
                int64_t column = first_column + j * 8 + lane % 4 * 2;
                if (row < m && column < n)
                    put_pair<FROM_ZERO>(c + row * pitch + column, x[i][j][half * 2], x[i][j][half * 2 + 1],
                                        column + 1 < n, add);
            }
        }
}

// Blocks go down RASTER tiles before they step aside, so that neighbours in time share rows and columns in the cache.
__device__ inline void tile_of_block(int64_t m, int64_t n, int64_t *row, int64_t *column)
{
    int64_t down = (m + TILE - 1) / TILE, across = (n + TILE - 1) / TILE, block = blockIdx.x;
    int64_t band = block / (RASTER * across), inside = block % (RASTER * across);
    int64_t left = down - band * RASTER, height = left < (int64_t)RASTER ? left : (int64_t)RASTER;
    *row = (band * RASTER + inside % height) * TILE;
    *column = inside / height * TILE;
}

template <bool A_OUTSIDE, bool B_OUTSIDE, typename Output>
__global__ void __launch_bounds__(THREADS, 2)
    product_kernel(Operand a, Operand b, Output *c, int64_t c_pitch, int64_t k, bool add)
{
    constexpr int A_SIZE = Slab<A_OUTSIDE>::ELEMENTS, STAGE = A_SIZE + Slab<B_OUTSIDE>::ELEMENTS;
    element *ring = dynamic_shared<element>();
    int64_t first_row, first_column, slabs = (k + SLAB - 1) / SLAB;
    tile_of_block(a.extent, b.extent, &first_row, &first_column);
    int warp = (int)threadIdx.x / 32, row = warp / 2 * WARP_TILE, column = warp % 2 * WARP_TILE;
    bool needed = first_row + row < a.extent && first_column + column < b.extent; // by this warp as a whole
    float x[WARP_TILE / 16][WARP_TILE / 8][4] = {};
    for (int64_t slab = -(STAGES - 1); slab < slabs; slab++) {
        if (slab >= 0) {
            cp_async_wait<STAGES - 2>();
            __syncthreads(); // the slab is there for all, and nobody reads the stage that is filled next
        }
        int64_t next = slab + STAGES - 1;
        if (next < slabs) {
            element *stage = ring + next % STAGES * STAGE;
            load_slab<A_OUTSIDE>(stage, a, first_row, next * SLAB, k);
            load_slab<B_OUTSIDE>(stage + A_SIZE, b, first_column, next * SLAB, k);
        }
        cp_async_commit();
        if (slab >= 0 && needed) {
            const element *stage = ring + slab % STAGES * STAGE;
            multiply_slab<A_OUTSIDE, B_OUTSIDE>(x, stage, stage + A_SIZE, row, column);
        }
    }
    cp_async_wait<0>();
    if (needed)
        put_tile<A_OUTSIDE && B_OUTSIDE>(c, c_pitch, x, first_row + row, first_column + column, a.extent, b.extent,
                                         add);
}

template <bool A_OUTSIDE, bool B_OUTSIDE, typename Output> static void start(Stream *s, const Product *p)
{
    Operand a = {(const element *)p->a, p->a_pitch, p->m}, b = {(const element *)p->b, p->b_pitch, p->n};
    size_t shared = STAGES * sizeof(element) * (size_t)(Slab<A_OUTSIDE>::ELEMENTS + Slab<B_OUTSIDE>::ELEMENTS);
    int64_t tiles = ceil_divide(p->m, TILE) * ceil_divide(p->n, TILE);
    launch(s, tiles, THREADS, shared, product_kernel<A_OUTSIDE, B_OUTSIDE, Output>, a, b, (Output *)p->c, p->c_pitch,
           p->k, p->add);
}

void product_own(Stream *s, const Product *p)
{
    assert(p->a_pitch % LANES == 0 && p->b_pitch % LANES == 0 && p->c_pitch % 2 == 0);
    assert(p->form == MATMUL_FORWARD || p->c_is_float == (p->form == MATMUL_BACKWARD_WEIGHT));
    if (p->form == MATMUL_BACKWARD_WEIGHT)
        start<true, true, float>(s, p);
    else if (p->form == MATMUL_BACKWARD_INPUT)
        start<false, true, element>(s, p);
    else if (p->c_is_float)
        start<false, false, float>(s, p);
    else
        start<false, false, element>(s, p);
}

void product_ours(Stream *s, const Product *p)
{
    if (hopper_few_rows(s, p))
        return;
    if (p->form == MATMUL_FORWARD && p->m <= FEW_ROWS)
        product_few_rows(s, p);
    else if (!hopper_product(s, p))
        product_own(s, p);
}

void product(Stream *s, const Product *p)
{
    if (p->m > 0 && p->n > 0 && !product_library(s, p))
        product_ours(s, p);
}

void matmul_forward(Stream *s, Tensor y, Tensor x, Tensor w, bool add)
{
    assert(y.rows == x.rows && y.columns == w.rows && x.columns == w.columns && is_dense(w));
    Product p = {MATMUL_FORWARD, y.rows,   y.columns, x.columns, x.data, w.data,
                 y.data,         x.stride, w.stride,  y.stride,  false,  add};
    product(s, &p);
}

void matmul_swiglu_forward(Stream *s, Tensor y, Tensor gate_up, Tensor x, Tensor w, bool keep)
{
    int64_t T = x.rows, F = y.columns, C = x.columns;
    assert(gate_up.columns == 2 * F && w.rows == 2 * F && w.columns == C && is_dense(w));
    Product both = {MATMUL_FORWARD, T,        2 * F,          C,     x.data, w.data, gate_up.data,
                    x.stride,       w.stride, gate_up.stride, false, false},
            alone = both;
    alone.n = F, alone.c = y.data, alone.c_pitch = y.stride;
    SwigluProduct fused = {T,      F,        C,        x.data,         w.data,  keep ? gate_up.data : NULL,
                           y.data, x.stride, w.stride, gate_up.stride, y.stride};
    // in one pass where the products are our own to make
    if (product_is_ours(s, &both) && ((!keep && hopper_few_rows_swiglu(s, &alone)) || hopper_matmul_swiglu(s, &fused)))
        return;
    matmul_forward(s, gate_up, x, w, false);
    swiglu_forward(s, y, columns_of(gate_up, 0, F, sizeof(element)), columns_of(gate_up, F, 2 * F, sizeof(element)));
}

void matmul_backward_input(Stream *s, Tensor dx, Tensor dy, Tensor w, bool add)
{
    assert(dx.rows == dy.rows && dy.columns == w.rows && dx.columns == w.columns && is_dense(w));
    Product p = {MATMUL_BACKWARD_INPUT,
                 dx.rows,
                 dx.columns,
                 dy.columns,
                 dy.data,
                 w.data,
                 dx.data,
                 dy.stride,
                 w.stride,
                 dx.stride,
                 false,
                 add};
    product(s, &p);
}

void matmul_backward_weight(Stream *s, float *dw, Tensor dy, Tensor x, int64_t room, bool add)
{
    assert(dy.rows == x.rows && room >= x.rows);
    Product p = {MATMUL_BACKWARD_WEIGHT,
                 dy.columns,
                 x.columns,
                 x.rows,
                 dy.data,
                 x.data,
                 dw,
                 dy.stride,
                 x.stride,
                 x.columns,
                 true,
                 add,
                 room};
    product(s, &p);
}

} // namespace PRECISION
