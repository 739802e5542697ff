// Our own matrix product for Hopper, by wgmma and TMA: what matmul.cu computes, with its bits, each output one chain
// over k, ascending from zero, in groups of 16; and the product of gate and up with SwiGLU behind it.
//
// A block takes tiles of the result, one after another, of 128 x 256 or of 256 x 160: those with which hopper_tiling.cu
// finds that it is done sooner. One warpgroup loads slabs of 64 k, four stages deep, and is at the next tile's while
// this one is still written; two multiply, half of the rows each. An operand that lies with k outside is loaded as it
// lies, in parts of 64 of its rows, and wgmma reads it the other way round. What lies outside of an operand comes as
// zeros, which end a chain without changing it. Tiles are counted RASTER of them down before a step aside, so that
// those made at a time share rows and columns in the second cache.
//
// In pairs two blocks of a cluster make neighbouring tiles: of 128 x 256 two below each other, which share columns of
// the result, of 256 x 160 two side by side. Each loads half of the operand that both need, for both (multicast). So a
// stage is free when the warps of both blocks have given it back, and a block ends when the other one is done too.
//
// SwiGLU: half of a tile's columns are gate's, the other half the same columns of up, so that a thread has both numbers
// that an output needs. They are rounded before, as the product writes them.
//
//                            accumulators   shared memory   a slab of 64 k: tensor core   loaded   in pairs   read
//   128 x 256                128 a thread   4 x 48 KB       1,024 cycles                  48 KB    32 KB      80 KB
//   256 x 160                160            4 x 52          1,280                         52       36         112
//   256 x 160, B k outside   160            4 x 56          1,280                         56       40         112
// (loaded: by a block from the second cache; read: by wgmma from shared memory, which gives 128 bytes a cycle. Computed
// from the sizes of the tiles.) Registers: 40 a thread that loads, 232 one that multiplies, none spilled.
//
// Limit: 2·m·n·k operations. No card has run it yet.
#include "kernels/cuda/hopper.h"
#include <assert.h>
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_tile.cuh"
#include "kernels/cuda/product.cuh"
#include <type_traits>
#endif

namespace PRECISION
{

#if HOPPER_KERNELS

enum {
    SLAB = 64, // of k
    STAGES = 4,
    RASTER = 8,
    OUTSIDE_PART_BYTES = SLAB * PART_COLUMNS * 2, // of an operand with k outside: 64 k, 64 of its rows
    FULL = 0,
    EMPTY = STAGES, // barriers, by place
};

// Of each kind the operand that two blocks share is the one of which a tile needs more.
struct Wide {
    enum { ROWS = 128, COLUMNS = 256, SHARES_A = 0, SHARES_B = 1 };
};
struct Tall {
    enum { ROWS = 256, COLUMNS = 160, SHARES_A = 1, SHARES_B = 0 };
};

struct Swiglu {
}; // in the place of an output's type

// A kernel: its tiles, how its operands lie, what becomes of the sums.
template <typename Tile, bool A, bool B, typename Output> struct Form : Tile {
    typedef Output Result;
    static constexpr bool A_OUTSIDE = A, B_OUTSIDE = B, SWIGLU = std::is_same<Output, Swiglu>::value;
    static constexpr int WIDTH = SWIGLU ? Tile::COLUMNS / 2 : Tile::COLUMNS; // of the result
    static constexpr int B_ROWS = B ? (Tile::COLUMNS + PART_COLUMNS - 1) / PART_COLUMNS * PART_COLUMNS : Tile::COLUMNS;
    static constexpr int A_BYTES = Tile::ROWS * SLAB * 2, STAGE_BYTES = A_BYTES + B_ROWS * SLAB * 2;
    static constexpr int BARRIERS = STAGES * STAGE_BYTES, ROOM_BYTES = BARRIERS + 2 * STAGES * 8;
    static constexpr int PIECES = Tile::ROWS / HOPPER_ROWS; // of 64 rows, for each warpgroup that multiplies
    static constexpr int FRAGMENTS = Tile::COLUMNS / 8;     // of a piece
};

struct HopperProduct {
    void *c;
    int64_t c_pitch, m, n, k;
    bool add;
    int64_t up; // SwiGLU: up's first row of b, and column of c, which may be NULL
    element *y; // SwiGLU: the result
    int64_t y_pitch;
    int blocks;       // that make neighbouring tiles, and load their common operand together
    int down, across; // such tiles, of 1 or 2
};

struct ProductTile {
    int row, column;
};

// This block's tile of those with this number
template <typename F> __device__ inline ProductTile product_tile(const HopperProduct &p, int number)
{
    int rank = p.blocks == 2 ? cluster_rank() : 0;
    int band = number / (RASTER * p.across), inside = number % (RASTER * p.across);
    int height = min(p.down - band * RASTER, (int)RASTER);
    int row = band * RASTER + inside % height, column = inside / height;
    return F::SHARES_A ? ProductTile{row * F::ROWS, (column * p.blocks + rank) * F::WIDTH}
                       : ProductTile{(row * p.blocks + rank) * F::ROWS, column * F::WIDTH};
}

__device__ inline int first_number(const HopperProduct &p) { return (int)blockIdx.x / p.blocks; }
__device__ inline int numbers_at_a_time(const HopperProduct &p) { return (int)gridDim.x / p.blocks; }
__device__ inline int slabs_of(const HopperProduct &p) { return (int)((p.k + SLAB - 1) / SLAB); }

// ---- the warpgroup that loads: one thread of it

// Whose shared memory a load is for
enum Target { MY_OWN, BOTH };

__device__ inline void load_box(uint32_t to, const CUtensorMap *map, uint32_t full, int x, int z, Target target)
{
    if (target == BOTH)
        tensor_load_multicast(to, map, full, x, 0, z, 3);
    else
        tensor_load(to, map, full, x, 0, z);
}

// ROWS rows of an operand from `first` on, 64 k from `k` on
template <bool K_OUTSIDE, int ROWS>
__device__ inline void load_rows(uint32_t to, const CUtensorMap *map, uint32_t full, int first, int k, Target target)
{
    if (!K_OUTSIDE)
        load_box(to, map, full, k, first, target);
    else
        for (int part = 0; part < ROWS / PART_COLUMNS; part++)
            load_box(to + part * OUTSIDE_PART_BYTES, map, full, first + part * PART_COLUMNS, k, target);
}

// The rows of an operand that a tile needs, in two halves, of which the second begins `step` rows behind the first; in
// one piece where parts do not halve. Where the operand is shared, each block loads the half of its rank for both.
template <bool K_OUTSIDE, int ROWS>
__device__ inline void load_operand(uint32_t to, const CUtensorMap *map, uint32_t full, int first, int step, int k,
                                    bool shared)
{
    constexpr int HALVES = K_OUTSIDE && ROWS / 2 % PART_COLUMNS != 0 ? 1 : 2, EACH = ROWS / HALVES;
    int mine = shared ? cluster_rank() : 0;
    for (int half = mine; half < (shared ? mine + 1 : HALVES); half++)
        load_rows<K_OUTSIDE, EACH>(to + half * EACH * SLAB * 2, map, full, first + half * step, k,
                                   shared ? BOTH : MY_OWN);
}

template <typename F>
__device__ inline void load_products(const HopperProduct &p, const CUtensorMap *a, const CUtensorMap *b, uint32_t room)
{
    uint32_t barriers = room + F::BARRIERS;
    int tiles = p.down * p.across, slabs = slabs_of(p), step = F::SWIGLU ? (int)p.up : F::COLUMNS / 2;
    bool pairs = p.blocks == 2;
    Stage<STAGES> stage = {0, 0};
    for (int number = first_number(p); number < tiles; number += numbers_at_a_time(p)) {
        ProductTile tile = product_tile<F>(p, number);
        for (int slab = 0; slab < slabs; slab++) {
            uint32_t full = barriers + 8 * (FULL + stage.number), to = room + stage.number * F::STAGE_BYTES;
            mbarrier_wait(barriers + 8 * (EMPTY + stage.number), stage.parity ^ 1);
            mbarrier_expect(full, F::STAGE_BYTES);
            load_operand<F::A_OUTSIDE, F::ROWS>(to, a, full, tile.row, F::ROWS / 2, slab * SLAB, F::SHARES_A && pairs);
            load_operand<F::B_OUTSIDE, F::B_ROWS>(to + F::A_BYTES, b, full, tile.column, step, slab * SLAB,
                                                  F::SHARES_B && pairs);
            stage.advance();
        }
    }
}

// ---- the warpgroups that multiply

// The rows of one of them continue their chains by a slab, or begin them: not by zeros, which the assembler would put
// in between products that are under way, and then wait for those.
template <typename F, bool FIRST> __device__ inline void multiply_slab(float (*c)[4], uint32_t a, uint32_t b, int me)
{
#pragma unroll
    for (int k = 0; k < SLAB / 16; k++) {
        uint64_t y =
            F::B_OUTSIDE ? transposed_descriptor(b + k * 2048, OUTSIDE_PART_BYTES) : tile_descriptor(b + k * 32);
#pragma unroll
        for (int piece = 0; piece < F::PIECES; piece++) {
            int part = me * F::PIECES + piece; // of 64 rows
            uint64_t x = F::A_OUTSIDE
                             ? transposed_descriptor(a + part * OUTSIDE_PART_BYTES + k * 2048, OUTSIDE_PART_BYTES)
                             : tile_descriptor(a + part * 64 * 128 + k * 32);
            if (FIRST && k == 0)
                wgmma<F::COLUMNS, true, F::A_OUTSIDE, F::B_OUTSIDE>(c + piece * F::FRAGMENTS, x, y);
            else
                wgmma<F::COLUMNS, false, F::A_OUTSIDE, F::B_OUTSIDE>(c + piece * F::FRAGMENTS, x, y);
        }
    }
}

// ---- what becomes of the sums: c is a row's, of which a thread has two neighbours in each eight columns

template <typename F>
__device__ inline void put_row(const HopperProduct &p, const float (*c)[4], int half, int64_t row, int first)
{
    typedef typename F::Result Output;
#pragma unroll
    for (int j = 0; j < F::FRAGMENTS; j++) {
        int64_t column = first + j * 8;
        if (column < p.n)
            put_pair<F::A_OUTSIDE && F::B_OUTSIDE>((Output *)p.c + row * p.c_pitch + column, c[j][half * 2],
                                                   c[j][half * 2 + 1], column + 1 < p.n, p.add);
    }
}

template <typename F>
__device__ inline void put_swiglu(const HopperProduct &p, const float (*c)[4], int half, int64_t row, int first)
{
    element *gate_up = (element *)p.c;
#pragma unroll
    for (int j = 0; j < F::FRAGMENTS / 2; j++) {
        int64_t column = first + j * 8;
        if (column >= p.n)
            continue;
        const float *up_sums = c[j + F::FRAGMENTS / 2] + half * 2;
        Pair<element> gate = {rounded(c[j][half * 2]), rounded(c[j][half * 2 + 1])},
                      up = {rounded(up_sums[0]), rounded(up_sums[1])};
        if (gate_up != NULL) {
            *(Pair<element> *)(gate_up + row * p.c_pitch + column) = gate;
            *(Pair<element> *)(gate_up + row * p.c_pitch + p.up + column) = up;
        }
        *(Pair<element> *)(p.y + row * p.y_pitch + column) = Pair<element>{
            rounded(swiglu(widen(gate.left), widen(up.left))), rounded(swiglu(widen(gate.right), widen(up.right)))};
    }
}

template <typename F>
__device__ inline void put_tile(const HopperProduct &p, const float (*c)[4], ProductTile tile, int me)
{
    int thread = (int)threadIdx.x % 128, lane = thread % 32;
#pragma unroll
    for (int i = 0; i < 2 * F::PIECES; i++) {
        int64_t row = tile.row + (me * F::PIECES + i / 2) * 64 + thread / 32 * 16 + i % 2 * 8 + lane / 4;
        if (row >= p.m)
            continue;
        if constexpr (F::SWIGLU)
            put_swiglu<F>(p, c + i / 2 * F::FRAGMENTS, i % 2, row, tile.column + lane % 4 * 2);
        else
            put_row<F>(p, c + i / 2 * F::FRAGMENTS, i % 2, row, tile.column + lane % 4 * 2);
    }
}

// A warp is done with a stage: its own block may load into it, and the other one, which loads half of it too.
__device__ inline void give_back(uint32_t empty, int blocks)
{
    int lane = (int)threadIdx.x % 32;
    if (lane == 0)
        mbarrier_arrive(empty);
    else if (lane < blocks)
        mbarrier_arrive_at(cluster_address(empty, cluster_rank() ^ 1));
}

// Continues the chains by the slab that comes next, and gives back the stage of the slab before. FIRST: there is none.
template <typename F, bool FIRST>
__device__ inline void next_slab(const HopperProduct &p, float (*c)[4], uint32_t room, Stage<STAGES> *stage,
                                 int *before, int me)
{
    uint32_t barriers = room + F::BARRIERS, at = room + stage->number * F::STAGE_BYTES;
    mbarrier_wait(barriers + 8 * (FULL + stage->number), stage->parity);
    wgmma_hold<F::PIECES * F::FRAGMENTS>(c);
    wgmma_fence();
    multiply_slab<F, FIRST>(c, at, at + F::A_BYTES, me);
    wgmma_commit();
    if (!FIRST) {
        wgmma_wait<1>(); // the slab before is done with
        give_back(barriers + 8 * (EMPTY + *before), p.blocks);
    }
    *before = stage->number;
    stage->advance();
}

template <typename F> __device__ inline void multiply_products(const HopperProduct &p, uint32_t room, int me)
{
    constexpr int SUMS = F::PIECES * F::FRAGMENTS;
    int tiles = p.down * p.across, slabs = slabs_of(p), before = 0; // the stage of the slab before
    Stage<STAGES> stage = {0, 0};
    for (int number = first_number(p); number < tiles; number += numbers_at_a_time(p)) {
        float c[SUMS][4];
        next_slab<F, true>(p, c, room, &stage, &before, me);
        for (int slab = 1; slab < slabs; slab++)
            next_slab<F, false>(p, c, room, &stage, &before, me);
        wgmma_wait<0>();
        wgmma_hold<SUMS>(c);
        give_back(room + F::BARRIERS + 8 * (EMPTY + before), p.blocks);
        put_tile<F>(p, c, product_tile<F>(p, number), me);
    }
}

// All threads of the block, or of both.
__device__ inline void meet(int blocks)
{
    __syncwarp();
    if (blocks == 1) {
        __syncthreads();
    } else {
        cluster_arrive();
        cluster_wait();
    }
}

template <typename F>
__global__ void __launch_bounds__(HOPPER_THREADS, 1)
    hopper_product_kernel(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
                          const HopperProduct p)
{
#if HOPPER_CODE
    uint32_t room = shared_address(dynamic_shared_tiles());
    if (threadIdx.x == 0) {
        for (int i = 0; i < 2 * STAGES; i++)
            mbarrier_init(room + F::BARRIERS + 8 * i, i < EMPTY ? 1 : MULTIPLIERS / 32 * p.blocks);
        mbarrier_init_fence();
    }
    meet(p.blocks);
    if (threadIdx.x < HOPPER_THREADS - MULTIPLIERS) {
        registers_down<40>();
        if (threadIdx.x == 0)
            load_products<F>(p, &a, &b, room);
    } else {
        registers_up<232>();
        multiply_products<F>(p, room, (int)threadIdx.x / 128 - 1);
    }
    if (p.blocks == 2) // the other block may still give stages back
        meet(p.blocks);
#endif
}

// ---- the host's side

template <bool K_OUTSIDE, int ROWS>
static void describe_operand(CUtensorMap *map, const void *x, int64_t rows, int64_t k, int64_t pitch)
{
    if (K_OUTSIDE)
        describe_matrix(map, (const element *)x, k, rows, pitch, SLAB);
    else
        describe_matrix(map, (const element *)x, rows, k, pitch, ROWS / 2);
}

// b_rows: more than p's columns where they are gate's and up's
template <typename F>
static void start_tiles(Stream *s, const Product *p, int64_t b_rows, HopperProduct product, bool pairs)
{
    CUtensorMap a, b;
    describe_operand<F::A_OUTSIDE, F::ROWS>(&a, p->a, p->m, p->k, p->a_pitch);
    describe_operand<F::B_OUTSIDE, F::COLUMNS>(&b, p->b, b_rows, p->k, p->b_pitch);
    int blocks = pairs ? 2 : 1;
    product.blocks = blocks;
    product.down = (int)ceil_divide(p->m, F::ROWS * (F::SHARES_B ? blocks : 1));
    product.across = (int)ceil_divide(p->n, F::WIDTH * (F::SHARES_A ? blocks : 1));
    int64_t tiles = (int64_t)product.down * product.across, most = device_multiprocessors() / blocks;
    launch_clusters(s, blocks, dim3((unsigned)(tiles < most ? tiles : most) * blocks), HOPPER_THREADS, F::ROOM_BYTES,
                    hopper_product_kernel<F>, a, b, product);
}

template <bool A_OUTSIDE, bool B_OUTSIDE, typename Output>
static void start_hopper(Stream *s, const Product *p, HopperTiling tiling)
{
    HopperProduct product = {p->c, p->c_pitch, p->m, p->n, p->k, p->add, 0, NULL, 0, 0, 0, 0};
    if (tiling.tall)
        start_tiles<Form<Tall, A_OUTSIDE, B_OUTSIDE, Output>>(s, p, p->n, product, tiling.pairs);
    else
        start_tiles<Form<Wide, A_OUTSIDE, B_OUTSIDE, Output>>(s, p, p->n, product, tiling.pairs);
}

bool hopper_product_tiled(Stream *s, const Product *p, HopperTiling tiling)
{
    if (!hopper_chosen("DEREASON_MATMUL") || p->k == 0)
        return false;
    assert(p->a_pitch % LANES == 0 && p->b_pitch % LANES == 0 && p->c_pitch % 2 == 0);
    if (p->form == MATMUL_BACKWARD_WEIGHT)
        start_hopper<true, true, float>(s, p, tiling);
    else if (p->form == MATMUL_BACKWARD_INPUT)
        start_hopper<false, true, element>(s, p, tiling);
    else if (p->c_is_float)
        start_hopper<false, false, float>(s, p, tiling);
    else
        start_hopper<false, false, element>(s, p, tiling);
    return true;
}

bool hopper_product(Stream *s, const Product *p)
{
    return hopper_product_tiled(s, p, hopper_tiling(p->m, p->n, device_multiprocessors()));
}

bool hopper_takes_swiglu(const SwigluProduct *p)
{
    return hopper_chosen("DEREASON_MATMUL") && p->T > 0 && p->F > 0 && p->C > 0 && p->F % 2 == 0 &&
           p->x_pitch % LANES == 0 && p->w_pitch % LANES == 0 && p->gate_up_pitch % 2 == 0 && p->y_pitch % 2 == 0;
}

bool hopper_swiglu_tiled(Stream *s, const SwigluProduct *p, HopperTiling tiling)
{
    if (!hopper_takes_swiglu(p))
        return false;
    Product product = {};
    product.m = p->T, product.n = p->F, product.k = p->C;
    product.a = p->x, product.a_pitch = p->x_pitch, product.b = p->w, product.b_pitch = p->w_pitch;
    HopperProduct swiglu = {p->gate_up, p->gate_up_pitch, p->T,       p->F, p->C, false,
                            p->F,       (element *)p->y,  p->y_pitch, 0,    0,    0};
    if (tiling.tall)
        start_tiles<Form<Tall, false, false, Swiglu>>(s, &product, 2 * p->F, swiglu, tiling.pairs);
    else
        start_tiles<Form<Wide, false, false, Swiglu>>(s, &product, 2 * p->F, swiglu, tiling.pairs);
    return true;
}

bool hopper_matmul_swiglu(Stream *s, const SwigluProduct *p)
{
    return hopper_swiglu_tiled(s, p, hopper_tiling(p->T, 2 * p->F, device_multiprocessors()));
}

#elif PRECISION_BITS == 16

bool hopper_product(Stream *, const Product *) { return false; }
bool hopper_product_tiled(Stream *, const Product *, HopperTiling) { return false; }
bool hopper_takes_swiglu(const SwigluProduct *) { return false; }
bool hopper_matmul_swiglu(Stream *, const SwigluProduct *) { return false; }
bool hopper_swiglu_tiled(Stream *, const SwigluProduct *, HopperTiling) { return false; }

#endif

} // namespace PRECISION
