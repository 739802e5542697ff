// Our own matrix product for few rows on Hopper, as decoding has them, by wgmma and TMA: y (m, n) = x (m, k) · w (n,
// k)ᵀ with m up to HOPPER_FEW_ROWS, and the same with SwiGLU behind it. The bits are matmul.cu's: each output is one
// chain over k, ascending from zero, in groups of 16. The weight takes the place of the tensor core's rows and x that
// of its columns, which changes nothing: an output is a row of x, a row of w and their order.
//
// A block has one to three warpgroups that multiply, 64 rows of w each beside all of its rows of x, and one whose first
// thread loads: slabs of 64 k of both, through a ring of stages. A tile's rows of w are any multiple of 8, so that
// the multiprocessors share them evenly (plan_of): what a warpgroup multiplies beyond them is not loaded, is whatever
// lies there, and is not stored; a row of w touches its own outputs only. With SwiGLU a tile has so many rows of gate
// and of up, and a warpgroup both chains of an output. y's rows run across the accumulators' rows, so a warp turns
// pieces of 16 x 8 with four shuffles, and writes 32 bytes of a row at once.
//
// While a graph is taken down it is launched early (device.cuh): the stages fill with weights while the kernel in front
// still runs. A ring takes half of a multiprocessor's shared memory where that keeps 40 KB of weights on their way, so
// that the ring of the next product fits beside it.
//
//   on 132 multiprocessors  rows   a tile's w, x   tiles   stages      w on its way   est. µs   to read w
//   q|k|v    (6,144; 2,560)    8       48,   8       128   14 x  8 KB       84 KB        2.6       7.3
//                            224       96, 112       128    4 x 26 KB       48 KB       10.2
//   o        (2,560; 4,096)    8       24,   8       107   14 x  8 KB       42 KB        2.3       4.9
//                            224       80,  64       128    6 x 18 KB       60 KB       10.5
//   gate|up, (19,456; 2,560)   8    2 x 80,   8      122    4 x 26 KB       80 KB        7.7      23.2
//   SwiGLU                   224    2 x 56, 112      348    4 x 28 KB       56 KB       30.6
//   down     (2,560; 9,728)    8       24,   8       107   14 x  8 KB       42 KB        5.5      11.6
//                            224       80,  64       128    6 x 18 KB       60 KB       24.9
//   logits (151,936; 2,560)    8      192,   8       792    4 x 25 KB       96 KB         55       181
//   est.: cost_of at 1,755 MHz, the tensor cores' and what a multiprocessor takes in, without a start and an end; to
//   read w: at 4.3 TB/s. The larger of the two is what there is to reach.
//   registers: at most 128 accumulators; 96 with three warpgroups, where a thread has 128 registers
//   limit: w read once, 2·n·k bytes; from about 128 rows of x on 2·m·n·k operations and what a multiprocessor takes in,
//   64 bytes a cycle. No card has run it yet.
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
    SLAB = 64,       // of k
    LINE = SLAB * 2, // bytes of a row in a stage
    GROUP_ROWS = 64, // of w, of a warpgroup
    MOST_GROUPS = 3, // warpgroups that multiply
    STAGES = 24,     // at most
    FULL = 0,        // barriers, by place
    EMPTY = STAGES,
    BARRIER_BYTES = 2 * STAGES * 8,
    ROOM = (227 << 10) - BARRIER_BYTES, // for stages
    HALF_ROOM = (113 << 10) - BARRIER_BYTES,
    ENOUGH_STAGES = 4,
    ENOUGH_IN_FLIGHT = 40 << 10
};

struct FewRows {
    void *y;
    int64_t y_pitch;
    int m, n, k;
    int rows, chunks; // of a tile: rows of w (of each part); tiles beside each other that share them
    int stages, stage_bytes;
    bool add, is_float, fours; // fours: four neighbours of a row of y lie on a multiple of their size
};

__device__ inline int slabs_of(const FewRows &p) { return (p.k + SLAB - 1) / SLAB; }
__device__ inline int tiles_of(const FewRows &p) { return (p.n + p.rows - 1) / p.rows * p.chunks; }

// Where the barriers lie, behind the stages
__device__ inline uint32_t barriers_of(const FewRows &p, uint32_t room) { return room + p.stages * p.stage_bytes; }

struct RingStage {
    int number, parity;
    __device__ inline void advance(int stages)
    {
        if (++number == stages) {
            number = 0;
            parity ^= 1;
        }
    }
};

// ---- the thread that loads

struct SlabPlace {
    int tile, slab;
    __device__ inline void advance(int slabs)
    {
        if (++slab == slabs) {
            slab = 0;
            tile += (int)gridDim.x;
        }
    }
};

template <int COLUMNS, int PARTS>
__device__ inline void load_weights(const FewRows &p, const CUtensorMap *w, uint32_t at, uint32_t full, SlabPlace place)
{
    mbarrier_expect(full, (PARTS * p.rows + COLUMNS) * LINE); // those of x, too, which come later
    for (int part = 0; part < PARTS; part++)
        tensor_load(at + part * p.rows * LINE, w, full, place.slab * SLAB, 0,
                    part * p.n + place.tile / p.chunks * p.rows);
}

template <int COLUMNS, int PARTS>
__device__ inline void load_few_rows(const FewRows &p, const CUtensorMap *w, const CUtensorMap *x, uint32_t room)
{
    uint32_t barriers = barriers_of(p, room);
    int tiles = tiles_of(p), slabs = slabs_of(p), ahead = 0;
    SlabPlace place = {(int)blockIdx.x, 0};
    for (; ahead < p.stages && place.tile < tiles; ahead++, place.advance(slabs))
        load_weights<COLUMNS, PARTS>(p, w, room + ahead * p.stage_bytes, barriers + 8 * (FULL + ahead), place);
    dependency_wait();
    RingStage stage = {0, 0};
    for (place = {(int)blockIdx.x, 0}; place.tile < tiles; place.advance(slabs), stage.advance(p.stages)) {
        uint32_t at = room + stage.number * p.stage_bytes, full = barriers + 8 * (FULL + stage.number);
        if (ahead > 0) {
            ahead--;
        } else {
            mbarrier_wait(barriers + 8 * (EMPTY + stage.number), stage.parity ^ 1);
            load_weights<COLUMNS, PARTS>(p, w, at, full, place);
        }
        tensor_load(at + PARTS * p.rows * LINE, x, full, place.slab * SLAB, 0, place.tile % p.chunks * COLUMNS);
    }
}

// ---- the warpgroups that multiply

template <int COLUMNS, int PARTS>
__device__ inline void multiply_slab(float (*c)[4], const FewRows &p, uint32_t at, int me)
{
#pragma unroll
    for (int k = 0; k < SLAB / 16; k++)
#pragma unroll
        for (int part = 0; part < PARTS; part++)
            wgmma<COLUMNS, false>(c + part * (COLUMNS / 8),
                                  tile_descriptor(at + (part * p.rows + me * GROUP_ROWS) * LINE + k * 32),
                                  tile_descriptor(at + PARTS * p.rows * LINE + k * 32));
}

// Of a piece, 16 rows of w by 8 of x, a thread has two of x in two of w; behind this it has four neighbours of w in one
// of x: row_in_piece of x, from column_in_piece on.
__device__ inline void turn_piece(float c[4])
{
    bool odd = threadIdx.x / 4 % 2 == 1, second = threadIdx.x / 8 % 2 == 1;
    float above = __shfl_xor_sync(~0u, odd ? c[0] : c[1], 4), below = __shfl_xor_sync(~0u, odd ? c[2] : c[3], 4);
    float upper[2] = {odd ? above : c[0], odd ? c[1] : above}, lower[2] = {odd ? below : c[2], odd ? c[3] : below};
    float left = __shfl_xor_sync(~0u, second ? upper[0] : lower[0], 8),
          right = __shfl_xor_sync(~0u, second ? upper[1] : lower[1], 8);
    c[0] = second ? left : upper[0];
    c[1] = second ? right : upper[1];
    c[2] = second ? lower[0] : left;
    c[3] = second ? lower[1] : right;
}
__device__ inline int row_in_piece() { return (int)threadIdx.x % 4 * 2 + (int)threadIdx.x / 4 % 2; }
__device__ inline int column_in_piece() { return (int)threadIdx.x / 8 % 2 * 8 + (int)threadIdx.x % 32 / 16 * 4; }

template <typename Output> struct alignas(4 * sizeof(Output)) Four {
    Output lane[4];
};

// The first `live` of four neighbours
template <typename Output> __device__ inline void put_four(Output *y, const float x[4], int live, bool whole, bool add)
{
    if (!whole) {
        for (int i = 0; i < 4; i++)
            if (i < live)
                put(y + i, x[i], add);
        return;
    }
    Four<Output> four = add ? *(const Four<Output> *)y : Four<Output>{};
#pragma unroll
    for (int i = 0; i < 4; i++)
        put(&four.lane[i], x[i], add);
    *(Four<Output> *)y = four;
}

// first: of w's rows, this warp's; limit: where the tile's end
template <int COLUMNS>
__device__ inline void put_few_rows(const FewRows &p, float (*c)[4], int first, int limit, int first_x)
{
    int n = first + column_in_piece(), live = min(limit - n, 4);
#pragma unroll
    for (int j = 0; j < COLUMNS / 8; j++) {
        if (first_x + j * 8 >= p.m) // for the whole warp
            continue;
        turn_piece(c[j]);
        int t = first_x + j * 8 + row_in_piece();
        if (t >= p.m || live <= 0)
            continue;
        if (p.is_float)
            put_four((float *)p.y + t * p.y_pitch + n, c[j], live, p.fours && live == 4, p.add);
        else
            put_four((element *)p.y + t * p.y_pitch + n, c[j], live, p.fours && live == 4, p.add);
    }
}

template <int COLUMNS, int PARTS> __device__ inline void multiply_few_rows(const FewRows &p, uint32_t room)
{
    const int PIECES = COLUMNS / 8;
    uint32_t barriers = barriers_of(p, room);
    int tiles = tiles_of(p), slabs = slabs_of(p), me = (int)threadIdx.x / 128, warp = (int)threadIdx.x / 32;
    bool speaks = threadIdx.x % 32 == 0; // for its warp
    RingStage stage = {0, 0};
    dependency_wait(); // y may be read by the kernel in front, or be what it makes
    for (int tile = (int)blockIdx.x; tile < tiles; tile += (int)gridDim.x) {
        float c[PARTS * PIECES][4];
#pragma unroll
        for (int j = 0; j < PARTS * PIECES; j++)
            c[j][0] = c[j][1] = c[j][2] = c[j][3] = 0;
        int before = stage.number; // the stage of the slab before
        for (int slab = 0; slab < slabs; slab++) {
            mbarrier_wait(barriers + 8 * (FULL + stage.number), stage.parity);
            wgmma_hold<PARTS * PIECES>(c);
            wgmma_fence();
            multiply_slab<COLUMNS, PARTS>(c, p, room + stage.number * p.stage_bytes, me);
            wgmma_commit();
            wgmma_wait<1>(); // the slab before is done with
            if (speaks && slab > 0)
                mbarrier_arrive(barriers + 8 * (EMPTY + before));
            before = stage.number;
            stage.advance(p.stages);
        }
        wgmma_wait<0>();
        wgmma_hold<PARTS * PIECES>(c);
        if (speaks)
            mbarrier_arrive(barriers + 8 * (EMPTY + before));
        if (PARTS == 2) {
#pragma unroll
            for (int j = 0; j < PIECES; j++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    c[j][i] = swiglu(round_to_element(c[j][i]), round_to_element(c[PARTS / 2 * PIECES + j][i]));
        }
        int first = tile / p.chunks * p.rows;
        put_few_rows<COLUMNS>(p, c, first + warp * 16, min(first + p.rows, p.n), tile % p.chunks * COLUMNS);
    }
}

template <int COLUMNS, int PARTS, int GROUPS>
__global__ void __launch_bounds__(GROUPS * 128 + 128, 1)
    hopper_few_rows_kernel(const __grid_constant__ CUtensorMap w, const __grid_constant__ CUtensorMap x,
                           const FewRows p)
{
#if HOPPER_CODE
    uint32_t room = shared_address(dynamic_shared_tiles());
    dependents_may_begin(); // those that are launched early wait, too, and then for the end of this one
    if (threadIdx.x == 0) {
        for (int i = 0; i < p.stages; i++) {
            mbarrier_init(barriers_of(p, room) + 8 * (FULL + i), 1);
            mbarrier_init(barriers_of(p, room) + 8 * (EMPTY + i), GROUPS * 4);
        }
        mbarrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x < GROUPS * 128)
        multiply_few_rows<COLUMNS, PARTS>(p, room);
    else if (threadIdx.x == GROUPS * 128)
        load_few_rows<COLUMNS, PARTS>(p, &w, &x, room);
#endif
}

// ---- how the work is shared

struct FewPlan {
    int groups, columns, rows, chunks, rounds; // warpgroups; rows of x and of w (of each part) in a tile
};

// The busiest multiprocessor's time for 16 k, in half cycles: `rounds` tiles one after another, each multiplied (half a
// cycle for each row of x beside a warpgroup's 64) while it is loaded (32 bytes for each row of both, 64 a cycle).
static int64_t cost_of(const FewPlan &plan, int parts)
{
    return (int64_t)plan.rounds * max(plan.groups * parts * plan.columns, parts * plan.rows + plan.columns);
}

// What all tiles load together, in rows
static int64_t loads_of(const FewPlan &plan, int parts, int64_t n)
{
    return ceil_divide(n, plan.rows) * plan.chunks * (parts * plan.rows + plan.columns);
}

// As many accumulators as the registers of its threads hold
static bool fits(int groups, int columns, int parts) { return columns * parts <= (groups == 3 ? 192 : 256); }

// Of all shapes of a tile the one whose busiest multiprocessor is done first, of those the one that loads least. Rounds
// are as few as with whole warpgroups, and rows so few that these rounds are full.
static FewPlan plan_of(int64_t m, int64_t n, int parts)
{
    const int shapes[] = {8, 16, 32, 64, 96, 112, 128, 192, 256};
    int64_t processors = device_multiprocessors();
    FewPlan best = {};
    for (int groups = 1; groups <= MOST_GROUPS; groups++)
        for (int columns : shapes) {
            if (!fits(groups, columns, parts))
                break;
            int64_t chunks = ceil_divide(m, columns);
            int64_t rounds = ceil_divide(ceil_divide(n, GROUP_ROWS * groups) * chunks, processors);
            int64_t rows = ceil_divide(ceil_divide(n, processors * rounds / chunks), 8) * 8;
            FewPlan plan = {groups, columns, (int)rows, (int)chunks, (int)rounds};
            int64_t saved = best.groups == 0 ? 1 : cost_of(best, parts) - cost_of(plan, parts);
            if (saved > 0 || (saved == 0 && loads_of(plan, parts, n) < loads_of(best, parts, n)))
                best = plan;
            if (columns >= m)
                break;
        }
    return best;
}

template <int COLUMNS, int PARTS, int GROUPS> static void start_few(Stream *s, const Product *p, const FewPlan &plan)
{
    // a warpgroup reads 64 rows of its part wherever that ends, and not beyond the stage
    int lines = max((PARTS - 1) * plan.rows + GROUPS * GROUP_ROWS, PARTS * plan.rows + COLUMNS);
    int stage = lines * LINE, half = min(HALF_ROOM / stage, (int)STAGES);
    bool enough = half >= ENOUGH_STAGES && half * PARTS * plan.rows * LINE >= ENOUGH_IN_FLIGHT;
    int stages = enough ? half : min(ROOM / stage, (int)STAGES), wide = p->c_is_float ? 16 : 8;
    CUtensorMap w, x;
    describe_matrix(&w, (const element *)p->b, PARTS * p->n, p->k, p->b_pitch, plan.rows);
    describe_matrix(&x, (const element *)p->a, p->m, p->k, p->a_pitch, COLUMNS);
    FewRows few = {p->c,      p->c_pitch, (int)p->m,     (int)p->n,
                   (int)p->k, plan.rows,  plan.chunks,   stages,
                   stage,     p->add,     p->c_is_float, p->c_pitch % 4 == 0 && (uintptr_t)p->c % (size_t)wide == 0};
    int64_t tiles = ceil_divide(p->n, plan.rows) * plan.chunks, most = device_multiprocessors();
    launch_early(s, dim3((unsigned)(tiles < most ? tiles : most)), dim3(GROUPS * 128 + 128),
                 (size_t)(stages * stage + BARRIER_BYTES), hopper_few_rows_kernel<COLUMNS, PARTS, GROUPS>, w, x, few);
}

template <int COLUMNS, int PARTS> static void start_columns(Stream *s, const Product *p, const FewPlan &plan)
{
    if (plan.groups == 1)
        start_few<COLUMNS, PARTS, 1>(s, p, plan);
    else if (plan.groups == 2)
        start_few<COLUMNS, PARTS, 2>(s, p, plan);
    else if constexpr (PARTS * COLUMNS <= 192)
        start_few<COLUMNS, PARTS, 3>(s, p, plan);
}

// Whether it is a product for this file, and the card one for it
static bool takes(const Product *p)
{
    if (!hopper_chosen("DEREASON_MATMUL") || p->form != MATMUL_FORWARD || p->m > HOPPER_FEW_ROWS || p->k == 0)
        return false;
    assert(p->a_pitch % LANES == 0 && p->b_pitch % LANES == 0 && p->n <= INT32_MAX / 4 && p->k <= INT32_MAX / 2);
    return true;
}

template <int PARTS> static void start_shape(Stream *s, const Product *p, const FewPlan &plan)
{
    switch (plan.columns) {
#define SHAPE(columns)                                                                                                 \
    case columns:                                                                                                      \
        return start_columns < columns, columns <= 128 ? PARTS : 1 > (s, p, plan);
        SHAPE(8)
        SHAPE(16)
        SHAPE(32)
        SHAPE(64)
        SHAPE(96)
        SHAPE(112)
        SHAPE(128)
        SHAPE(192)
        SHAPE(256)
#undef SHAPE
    }
}

bool hopper_few_rows(Stream *s, const Product *p)
{
    if (!takes(p))
        return false;
    start_shape<1>(s, p, plan_of(p->m, p->n, 1));
    return true;
}

bool hopper_few_rows_swiglu(Stream *s, const Product *p)
{
    if (!takes(p) || p->add || p->c_is_float)
        return false;
    start_shape<2>(s, p, plan_of(p->m, p->n, 2));
    return true;
}

#elif PRECISION_BITS == 16

bool hopper_few_rows(Stream *, const Product *) { return false; }
bool hopper_few_rows_swiglu(Stream *, const Product *) { return false; }

#endif

} // namespace PRECISION
