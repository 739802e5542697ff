// Our own matrix product for Hopper, by wgmma and TMA: what matmul.cu computes, with its bits, each output one chain
// over k, ascending from zero, in groups of 16.
//
// A block takes tiles of 128 x 256 of the result, one after another. One warpgroup loads slabs of 64 k, four stages
// deep, and is at the next tile's while this one is still written; two multiply, 64 rows each, in 128 registers a
// thread. An operand that lies with k outside is loaded as it lies, in parts of 64 of its rows, and wgmma reads it the
// other way round. What lies outside of an operand comes as zeros, which end a chain without changing it. Blocks go
// down RASTER tiles before they step aside, so that those at work at a time share rows and columns in the second
// cache.
//
// Limit: 2·m·n·k operations. Next, when a card can say what it gives: clusters of two blocks that load half of the
// shared operand each, and a tile of 256 x 160 where N = 2,560 fills 81% of the last wave. No card has run it yet.
#include "kernels/cuda/hopper.h"
#include <assert.h>
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_tile.cuh"
#include "kernels/cuda/product.cuh"
#endif

namespace PRECISION
{

#if HOPPER_KERNELS

enum {
    TILE_ROWS = HOPPER_ROWS,
    TILE_COLUMNS = 256,
    SLAB = 64, // of k
    STAGES = 4,
    RASTER = 8,
    A_BYTES = TILE_ROWS * SLAB * 2,
    B_BYTES = TILE_COLUMNS * SLAB * 2,
    STAGE_BYTES = A_BYTES + B_BYTES,
    OUTSIDE_PART_BYTES = SLAB * PART_COLUMNS * 2, // of an operand with k outside: 64 k, 64 of its rows
    FULL = 0,
    EMPTY = STAGES, // barriers, by place
    ROOM_BYTES = STAGES * STAGE_BYTES + 2 * STAGES * 8
};

struct HopperProduct {
    void *c;
    int64_t c_pitch, m, n, k;
    bool add;
};

struct ProductTile {
    int row, column;
};

__device__ inline int tiles_of(int64_t extent, int side) { return (int)((extent + side - 1) / side); }

__device__ inline ProductTile product_tile(const HopperProduct &p, int number)
{
    int down = tiles_of(p.m, TILE_ROWS), across = tiles_of(p.n, TILE_COLUMNS);
    int band = number / (RASTER * across), inside = number % (RASTER * across);
    int height = min(down - band * RASTER, (int)RASTER);
    return ProductTile{(band * RASTER + inside % height) * TILE_ROWS, inside / height * TILE_COLUMNS};
}

// ---- the warpgroup that loads: one thread of it

// ROWS rows of an operand from `first` on, 64 k from `k` on
template <bool K_OUTSIDE, int ROWS>
__device__ inline void load_operand(uint32_t to, const CUtensorMap *map, uint32_t full, int first, int k)
{
    if (!K_OUTSIDE)
        tensor_load(to, map, full, k, 0, first);
    else
        for (int part = 0; part < ROWS / PART_COLUMNS; part++)
            tensor_load(to + part * OUTSIDE_PART_BYTES, map, full, first + part * PART_COLUMNS, 0, k);
}

template <bool A_OUTSIDE, bool B_OUTSIDE>
__device__ inline void load_products(const HopperProduct &p, const CUtensorMap *a, const CUtensorMap *b, uint32_t room)
{
    uint32_t barriers = room + STAGES * STAGE_BYTES;
    int tiles = tiles_of(p.m, TILE_ROWS) * tiles_of(p.n, TILE_COLUMNS), slabs = tiles_of(p.k, SLAB);
    Stage<STAGES> stage = {0, 0};
    for (int number = (int)blockIdx.x; number < tiles; number += (int)gridDim.x) {
        ProductTile tile = product_tile(p, number);
        for (int slab = 0; slab < slabs; slab++) {
            uint32_t full = barriers + 8 * (FULL + stage.number), to = room + stage.number * STAGE_BYTES;
            mbarrier_wait(barriers + 8 * (EMPTY + stage.number), stage.parity ^ 1);
            mbarrier_expect(full, STAGE_BYTES);
            load_operand<A_OUTSIDE, TILE_ROWS>(to, a, full, tile.row, slab * SLAB);
            load_operand<B_OUTSIDE, TILE_COLUMNS>(to + A_BYTES, b, full, tile.column, slab * SLAB);
            stage.advance();
        }
    }
}

// ---- the warpgroups that multiply

// 64 rows of the tile (64, 256) continue their chains by a slab.
template <bool A_OUTSIDE, bool B_OUTSIDE>
__device__ inline void multiply_slab(float (*c)[4], uint32_t a, uint32_t b, int me)
{
#pragma unroll
    for (int k = 0; k < SLAB / 16; k++) {
        uint64_t x = A_OUTSIDE ? transposed_descriptor(a + me * OUTSIDE_PART_BYTES + k * 2048, OUTSIDE_PART_BYTES)
                               : tile_descriptor(a + me * 64 * 128 + k * 32);
        uint64_t y = B_OUTSIDE ? transposed_descriptor(b + k * 2048, OUTSIDE_PART_BYTES) : tile_descriptor(b + k * 32);
        wgmma<TILE_COLUMNS, false, A_OUTSIDE, B_OUTSIDE>(c, x, y);
    }
}

template <typename Output>
__device__ inline void put_tile(const HopperProduct &p, const float (*c)[4], ProductTile tile, int me)
{
    int thread = (int)threadIdx.x % 128, lane = thread % 32;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int64_t row = tile.row + me * 64 + thread / 32 * 16 + half * 8 + lane / 4;
        if (row >= p.m)
            continue;
#pragma unroll
        for (int j = 0; j < TILE_COLUMNS / 8; j++) {
            int64_t column = tile.column + j * 8 + lane % 4 * 2;
            if (column < p.n)
                put_pair((Output *)p.c + row * p.c_pitch + column, c[j][half * 2], c[j][half * 2 + 1], column + 1 < p.n,
                         p.add);
        }
    }
}

template <bool A_OUTSIDE, bool B_OUTSIDE, typename Output>
__device__ inline void multiply_products(const HopperProduct &p, uint32_t room, int me)
{
    uint32_t barriers = room + STAGES * STAGE_BYTES;
    int tiles = tiles_of(p.m, TILE_ROWS) * tiles_of(p.n, TILE_COLUMNS), slabs = tiles_of(p.k, SLAB);
    bool speaks = threadIdx.x % 32 == 0; // for its warp
    Stage<STAGES> stage = {0, 0};
    for (int number = (int)blockIdx.x; number < tiles; number += (int)gridDim.x) {
        float c[TILE_COLUMNS / 8][4];
#pragma unroll
        for (int j = 0; j < TILE_COLUMNS / 8; j++)
            c[j][0] = c[j][1] = c[j][2] = c[j][3] = 0;
        int before = stage.number; // the stage of the slab before
        for (int slab = 0; slab < slabs; slab++) {
            uint32_t at = room + stage.number * STAGE_BYTES;
            mbarrier_wait(barriers + 8 * (FULL + stage.number), stage.parity);
            wgmma_hold<TILE_COLUMNS / 8>(c);
            wgmma_fence();
            multiply_slab<A_OUTSIDE, B_OUTSIDE>(c, at, at + A_BYTES, me);
            wgmma_commit();
            wgmma_wait<1>(); // the slab before is done with
            if (speaks && slab > 0)
                mbarrier_arrive(barriers + 8 * (EMPTY + before));
            before = stage.number;
            stage.advance();
        }
        wgmma_wait<0>();
        wgmma_hold<TILE_COLUMNS / 8>(c);
        if (speaks)
            mbarrier_arrive(barriers + 8 * (EMPTY + before));
        put_tile<Output>(p, c, product_tile(p, number), me);
    }
}

template <bool A_OUTSIDE, bool B_OUTSIDE, typename Output>
__global__ void __launch_bounds__(HOPPER_THREADS, 1)
    hopper_product_kernel(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
                          const HopperProduct p)
{
#if HOPPER_CODE
    uint32_t room = shared_address(dynamic_shared_tiles());
    if (threadIdx.x == 0) {
        for (int i = 0; i < 2 * STAGES; i++)
            mbarrier_init(room + STAGES * STAGE_BYTES + 8 * i, i < EMPTY ? 1 : MULTIPLIERS / 32);
        mbarrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x < HOPPER_THREADS - MULTIPLIERS) {
        registers_down<40>();
        if (threadIdx.x == 0)
            load_products<A_OUTSIDE, B_OUTSIDE>(p, &a, &b, room);
    } else {
        registers_up<232>();
        multiply_products<A_OUTSIDE, B_OUTSIDE, Output>(p, room, (int)threadIdx.x / 128 - 1);
    }
#endif
}

template <bool K_OUTSIDE>
static void describe_operand(CUtensorMap *map, const void *x, int64_t rows, int64_t k, int64_t pitch, int side)
{
    if (K_OUTSIDE)
        describe_matrix(map, (const element *)x, k, rows, pitch, SLAB);
    else
        describe_matrix(map, (const element *)x, rows, k, pitch, side);
}

template <bool A_OUTSIDE, bool B_OUTSIDE, typename Output> static void start_hopper(Stream *s, const Product *p)
{
    CUtensorMap a, b;
    describe_operand<A_OUTSIDE>(&a, p->a, p->m, p->k, p->a_pitch, TILE_ROWS);
    describe_operand<B_OUTSIDE>(&b, p->b, p->n, p->k, p->b_pitch, TILE_COLUMNS);
    HopperProduct product = {p->c, p->c_pitch, p->m, p->n, p->k, p->add};
    int64_t tiles = ceil_divide(p->m, TILE_ROWS) * ceil_divide(p->n, TILE_COLUMNS), most = device_multiprocessors();
    launch(s, dim3((unsigned)(tiles < most ? tiles : most)), HOPPER_THREADS, ROOM_BYTES,
           hopper_product_kernel<A_OUTSIDE, B_OUTSIDE, Output>, a, b, product);
}

bool hopper_product(Stream *s, const Product *p)
{
    if (!hopper_chosen("DEREASON_MATMUL") || p->k == 0)
        return false;
    assert(p->a_pitch % LANES == 0 && p->b_pitch % LANES == 0 && p->c_pitch % 2 == 0);
    if (p->form == MATMUL_BACKWARD_WEIGHT)
        start_hopper<true, true, float>(s, p);
    else if (p->form == MATMUL_BACKWARD_INPUT)
        start_hopper<false, true, element>(s, p);
    else if (p->c_is_float)
        start_hopper<false, false, float>(s, p);
    else
        start_hopper<false, false, element>(s, p);
    return true;
}

#elif PRECISION_BITS == 16

bool hopper_product(Stream *, const Product *) { return false; }

#endif

} // namespace PRECISION
