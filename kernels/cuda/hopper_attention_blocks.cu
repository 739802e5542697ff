// The gradient of attention's queries for Hopper, from blocks of dS in memory (whose: hopper_attention_backward.cu).
//
// A tile of 128 queries of a head, 64 for each of two warpgroups, walks the keys ascending: dQ += dS·K.
//
// Limit: 2·D operations for each head, query and key it sees. No card has run it yet.
#include "kernels/cuda/hopper.h"
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_backward.cuh"

namespace PRECISION
{

enum { QUERY_STAGES = 5 };

// Tile `number` of all; false: there are not so many. The last queries of a sequence first.
__device__ inline bool open_queries(HopperRows *tile, const HopperBackward &b, int number, int heads)
{
    Place place = find_tile(b.backward.a, number / heads, 1, HOPPER_ROWS);
    if (place.sequence < 0)
        return false;
    *tile = rows_of(b.backward.a, place.sequence, (int)place.first, number % heads);
    return true;
}

enum { STAGE_FULL, STAGE_EMPTY = STAGE_FULL + QUERY_STAGES, QUERY_BARRIERS = STAGE_EMPTY + QUERY_STAGES };

// A stage: the blocks of dS of both warpgroups, and 64 keys.
template <int D> struct QueryRoom {
    enum {
        KEYS = 2 * BLOCK_BYTES,
        STAGE = KEYS + D / PART_COLUMNS * HALF_PART_BYTES,
        BARRIERS = QUERY_STAGES * STAGE,
        BYTES = BARRIERS + QUERY_BARRIERS * 8
    };
};

typedef Stage<QUERY_STAGES> BlockStage;

// How many blocks of keys the tile's first (second) 64 queries see; 0: there are none of these queries
__device__ inline int blocks_seen(const HopperRows &tile, int half)
{
    int query = tile.first + half * SIDE;
    return query < tile.length ? (tile.context + min(query + SIDE, tile.length) - 1) / SIDE + 1 : 0;
}

// As the loads of keys know it
__device__ inline HopperTile tile_of(const HopperBackward &b, const HopperRows &rows)
{
    const Attention &a = b.backward.a;
    HopperTile tile;
    tile.sequence = rows.sequence, tile.start = rows.start, tile.context = rows.context;
    tile.kv_head = b.first_head + rows.head / (int)(a.heads / a.kv_heads);
    tile.context_row = a.context_rows == NULL ? rows.start : a.context_rows[rows.sequence];
    tile.last = rows.context + min(rows.first + (int)HOPPER_ROWS, rows.length) - 1;
    return tile;
}

// By the whole warpgroup, for the keys of a block may lie apart. A stage is full when its keys are, and its blocks.
template <int D>
__device__ inline void load_for_queries(const HopperBackward &b, const HopperRows &tile, const CUtensorMap *k,
                                        unsigned char *room, BlockStage *stage)
{
    const Attention &a = b.backward.a;
    uint32_t base = shared_address(room), barriers = base + QueryRoom<D>::BARRIERS;
    int seen[2] = {blocks_seen(tile, 0), blocks_seen(tile, 1)};
    HopperTile keys_of = tile_of(b, tile);
    Blocks blocks = blocks_of(b, tile.sequence);
    for (int keys = 0; keys < max(seen[0], seen[1]); keys++) {
        int at = stage->number * QueryRoom<D>::STAGE;
        StageBarriers both = {barriers + 8 * (STAGE_FULL + stage->number), barriers + 8 * (STAGE_EMPTY + stage->number),
                              stage->parity};
        bool ends = (keys + 1) * SIDE > tile.context + tile.length; // behind the last key zeros, not what lies there
        load_block<D, SIDE>(room + at + QueryRoom<D>::KEYS, k, both, keys_of, a, b.backward.k, keys * SIDE, ends);
        if (threadIdx.x == 0) {
            int halves = (keys < seen[0]) + (keys < seen[1]);
            mbarrier_expect(both.full, halves * BLOCK_BYTES);
            for (int half = 0; half < 2; half++)
                if (keys < seen[half])
                    bulk_load(base + at + half * BLOCK_BYTES,
                              block_at(b, block_number(b, blocks, tile.head, tile.first / SIDE + half, keys)),
                              BLOCK_BYTES, both.full);
        }
        stage->advance();
    }
}

template <int D>
__device__ inline void work_on_queries(const HopperBackward &b, const HopperRows &tile, uint32_t base, int me,
                                       int thread, BlockStage *stage)
{
    uint32_t barriers = base + QueryRoom<D>::BARRIERS;
    int mine = blocks_seen(tile, me), all = max(blocks_seen(tile, 0), blocks_seen(tile, 1));
    float dq[D / 8][4];
    clear<D>(dq);
    for (int keys = 0; keys < all; keys++) {
        uint32_t at = base + stage->number * QueryRoom<D>::STAGE, rows = at + QueryRoom<D>::KEYS;
        mbarrier_wait(barriers + 8 * (STAGE_FULL + stage->number), stage->parity);
        if (keys < mine) {
            wgmma_hold<D / 8>(dq);
            wgmma_fence();
#pragma unroll
            for (int k = 0; k < SIDE / 16; k++)
                wgmma<D, false, true, true>(dq, transposed_descriptor(at + me * BLOCK_BYTES + k * 2048, BLOCK_BYTES),
                                            transposed_descriptor(rows + k * 2048, HALF_PART_BYTES));
            wgmma_commit();
            wgmma_wait<0>();
            wgmma_hold<D / 8>(dq);
        }
        if (thread % 32 == 0) // each warp for itself: none falls behind where there is no product that all take part in
            mbarrier_arrive(barriers + 8 * (STAGE_EMPTY + stage->number));
        stage->advance();
    }
    put_rows<D>(b.backward.dq.data, dq, [&](int r) -> int64_t {
        int query = tile.first + r - (HOPPER_THREADS - MULTIPLIERS) / 2;
        int head = b.first_head * (int)(b.backward.a.heads / b.backward.a.kv_heads) + tile.head;
        return query < tile.length ? (tile.start + query) * b.backward.dq.stride + head * D : -1;
    });
}

template <int D>
__global__ void __launch_bounds__(HOPPER_THREADS, 1)
    hopper_queries_kernel(const __grid_constant__ CUtensorMap k, const HopperBackward b)
{
#if HOPPER_CODE
    unsigned char *room = dynamic_shared_tiles();
    uint32_t base = shared_address(room);
    if (threadIdx.x == 0) {
        for (int i = 0; i < QUERY_BARRIERS; i++)
            mbarrier_init(base + QueryRoom<D>::BARRIERS + 8 * i, i < STAGE_EMPTY ? 2 : MULTIPLIERS / 32);
        mbarrier_init_fence();
    }
    __syncthreads();
    int heads = b.kv_heads * (int)(b.backward.a.heads / b.backward.a.kv_heads), warpgroup = (int)threadIdx.x / 128;
    BlockStage stage = {0, 0};
    HopperRows tile;
    if (warpgroup == 0) {
        registers_down<72>();
        for (int n = (int)blockIdx.x; n < b.tiles; n += (int)gridDim.x)
            if (open_queries(&tile, b, n, heads))
                load_for_queries<D>(b, tile, &k, room, &stage);
    } else {
        registers_up<216>();
        for (int n = (int)blockIdx.x; n < b.tiles; n += (int)gridDim.x)
            if (open_queries(&tile, b, n, heads))
                work_on_queries<D>(b, tile, base, warpgroup - 1, (int)threadIdx.x % 128, &stage);
    }
#endif
}

template <int D> static void start_blocks(Stream *s, const HopperBackward &b, int64_t tokens)
{
    CUtensorMap k;
    describe_heads(&k, b.backward.k, tokens, b.backward.a.kv_heads, D, SIDE);
    launch(s, dim3((unsigned)min(b.tiles, device_multiprocessors())), HOPPER_THREADS, QueryRoom<D>::BYTES,
           hopper_queries_kernel<D>, k, b);
}

void hopper_attention_blocks(Stream *s, const HopperBackward &b, int64_t tokens)
{
    const Attention *a = &b.backward.a;
    HopperBackward queries = b;
    queries.tiles = (int)(tiles_at_most(a, tokens, 1, HOPPER_ROWS) * b.kv_heads * (a->heads / a->kv_heads));
    if (a->head_width == 64)
        start_blocks<64>(s, queries, tokens);
    else
        start_blocks<128>(s, queries, tokens);
}

} // namespace PRECISION

#endif
