// The gradient of attention's queries for Hopper, by itself: what attention_backward.cu's second kernel computes, with
// its bits. It makes P and dS again, so that going back takes seven products; it needs no memory for them, and keys
// may lie apart, as those of a prompt that several responses share.
//
// A block takes tiles of up to 128 rows, linear over queries and heads of a group (attention.cuh), one after another.
// S = Q·Kᵀ and dP = dO·Vᵀ come from shared memory, 64 keys at a time, four stages deep; dS, in registers, is the left
// operand of dQ += dS·K. Keys behind a tile's last one become zeros first: zero times what lies there may be NaN.
//
// Limit: 6·D operations for each head, query and key it sees. No card has run it yet.
#include "kernels/cuda/hopper.h"
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_attention.cuh"

namespace PRECISION
{

enum { KEYS = 64, STAGES = 4, KEY_PART_BYTES = KEYS * PART_COLUMNS * 2 };

enum { QUERIES_FULL, QUERIES_EMPTY, FULL, EMPTY = FULL + STAGES, BARRIERS = EMPTY + STAGES };

template <int D> struct Room {
    enum {
        ROWS = D / PART_COLUMNS * PART_BYTES, // 128
        QUERIES = 0,
        DOUT = ROWS,
        STAGE = D / PART_COLUMNS * KEY_PART_BYTES * 2, // 64 keys, their values
        STAGES_AT = 2 * ROWS,
        BARRIERS_AT = STAGES_AT + STAGES * STAGE,
        NUMBER = BARRIERS_AT + BARRIERS * 8,
        BYTES = NUMBER + 8
    };
};

struct HopperQueries {
    AttentionBackward backward;
    int tiles, tokens; // tiles of all kv heads, at most; tokens of a tile
};

struct Maps { // of q, dout, k, v
    CUtensorMap q, dout, k, v;
};

__device__ int next_rows; // whose turn it is; zero between launches

template <int D>
__device__ inline void load_rows_and_keys(const HopperQueries &b, const Maps &maps, unsigned char *room)
{
    const Attention &a = b.backward.a;
    uint32_t base = shared_address(room), barriers = base + Room<D>::BARRIERS_AT;
    int *slot = (int *)(room + Room<D>::NUMBER);
    Stage<STAGES> stage = {0, 0};
    for (int parity = 0;; parity ^= 1) {
        HopperTile tile;
        int number =
            next_number(slot, &next_rows, b.tiles, barriers + 8 * QUERIES_EMPTY, parity, HOPPER_THREADS - MULTIPLIERS);
        bool more = number >= 0 && open_hopper_tile(&tile, a, b.tokens, number);
        uint32_t queries_full = barriers + 8 * QUERIES_FULL;
        if (threadIdx.x == 0 && more) {
            mbarrier_expect(queries_full, 2 * b.tokens * tile.group * D * 2);
            load_queries<D>(base + Room<D>::QUERIES, &maps.q, queries_full, tile);
            load_queries<D>(base + Room<D>::DOUT, &maps.dout, queries_full, tile);
        } else if (threadIdx.x == 0) {
            mbarrier_arrive(queries_full);
        }
        if (number < 0)
            return;
        for (int first = 0; more && first <= tile.last; first += KEYS) {
            unsigned char *at = room + Room<D>::STAGES_AT + stage.number * Room<D>::STAGE;
            StageBarriers both = {barriers + 8 * (FULL + stage.number), barriers + 8 * (EMPTY + stage.number),
                                  stage.parity};
            load_block<D, KEYS>(at, &maps.k, both, tile, a, b.backward.k, first);
            load_block<D, KEYS>(at + Room<D>::STAGE / 2, &maps.v, both, tile, a, b.backward.v, first);
            stage.advance();
        }
    }
}

// A thread's two rows: position (-1: there is no such row), and what the rows end in.
struct Ends {
    int position[2];
    float logsumexp2[2], delta[2];
};

__device__ inline Ends ends_of(const AttentionBackward &b, const HopperTile &tile, int row)
{
    Ends ends = {};
    for (int half = 0; half < 2; half++) {
        int r = row + half * 8;
        bool live = r < tile.rows;
        int64_t at = live ? head_row(tile, b.a, r) : 0;
        ends.position[half] = position_of(tile, r);
        ends.logsumexp2[half] = live ? b.logsumexp[at] * LOG2_E : 0;
        ends.delta[half] = live ? b.delta[at] : 0;
    }
    return ends;
}

// 64 rows against 64 keys from `key` on. masked: some row does not see some key.
template <int D>
__device__ inline void query_step(float (*dq)[4], uint32_t rows, uint32_t keys, const Ends &ends, int key, bool masked,
                                  float scale)
{
    float p[KEYS / 8][4], ds[KEYS / 8][4];
    uint32_t gradients[KEYS / 16][4];
    int column = key + (int)threadIdx.x % 4 * 2;
    wgmma_fence();
    tile_products<D, KEYS>(p, rows + Room<D>::QUERIES, PART_BYTES, keys, KEY_PART_BYTES);
    wgmma_commit();
    tile_products<D, KEYS>(ds, rows + Room<D>::DOUT, PART_BYTES, keys + Room<D>::STAGE / 2, KEY_PART_BYTES);
    wgmma_commit();
    wgmma_wait<1>();
    wgmma_hold<KEYS / 8>(p);
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            p[j][i] = weight_of(p[j][i], ends.logsumexp2[i / 2], scale);
    wgmma_wait<0>();
    wgmma_hold<KEYS / 8>(ds);
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            bool seen = !masked || column + j * 8 + i % 2 <= ends.position[i / 2];
            ds[j][i] = seen ? score_gradient(p[j][i], ds[j][i], ends.delta[i / 2], scale) : 0;
        }
    round_to_fragments<KEYS / 16>(gradients, ds);
    wgmma_hold<KEYS / 16>(gradients);
    wgmma_hold<D / 8>(dq);
    wgmma_fence();
    tile_sums<D, KEYS / 16>(dq, gradients, keys, KEY_PART_BYTES);
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_hold<D / 8>(dq);
    wgmma_hold<KEYS / 16>(gradients);
}

// Each warp for itself: it has read the tile's number, and its products are done.
__device__ inline void done_with_rows(uint32_t barriers)
{
    __syncwarp();
    if (threadIdx.x % 32 == 0)
        mbarrier_arrive(barriers + 8 * QUERIES_EMPTY);
}

template <int D>
__device__ inline void work_on_rows(const HopperQueries &b, const HopperTile &tile, unsigned char *room,
                                    uint32_t barriers, Stage<STAGES> *stage)
{
    int me = (int)threadIdx.x / 128 - 1, thread = (int)threadIdx.x % 128;
    uint32_t base = shared_address(room);
    Ends ends = ends_of(b.backward, tile, me * 64 + thread / 32 * 16 + thread % 32 / 4);
    float dq[D / 8][4], scale = 1.0f / sqrtf((float)D);
    clear<D>(dq);
    for (int first = 0; first <= tile.last; first += KEYS) {
        int at = Room<D>::STAGES_AT + stage->number * Room<D>::STAGE;
        mbarrier_wait(barriers + 8 * (FULL + stage->number), stage->parity);
        if (first + KEYS > tile.last + 1) {
            zero_rows<D, KEYS>(room + at, tile.last + 1 - first, me * 128 + thread, MULTIPLIERS);
            proxy_fence();
            barrier_sync(TAIL_IS_ZERO, MULTIPLIERS);
        }
        query_step<D>(dq, base + me * 64 * 128, base + at, ends, first, first + KEYS - 1 > position_of(tile, 0), scale);
        if (thread % 32 == 0) // each warp for itself
            mbarrier_arrive(barriers + 8 * (EMPTY + stage->number));
        stage->advance();
    }
    done_with_rows(barriers);
    put_rows<D>(b.backward.dq.data, dq, [&](int r) -> int64_t { // rows of the block begin behind those of the producers
        int row = r - (HOPPER_THREADS - MULTIPLIERS) / 2;
        return row < tile.rows ? head_place(tile, row, b.backward.dq.stride, D) : -1;
    });
}

template <int D>
__global__ void __launch_bounds__(HOPPER_THREADS, 1)
    hopper_rows_kernel(const __grid_constant__ Maps maps, const HopperQueries b)
{
#if HOPPER_CODE
    unsigned char *room = dynamic_shared_tiles();
    uint32_t barriers = shared_address(room) + Room<D>::BARRIERS_AT;
    if (threadIdx.x == 0) {
        for (int i = 0; i < BARRIERS; i++) { // a stage is full when keys and values are
            int arrivals = i == QUERIES_FULL ? 1 : i == QUERIES_EMPTY || i >= EMPTY ? MULTIPLIERS / 32 : 2;
            mbarrier_init(barriers + 8 * i, arrivals);
        }
        mbarrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x < HOPPER_THREADS - MULTIPLIERS) {
        registers_down<56>();
        load_rows_and_keys<D>(b, maps, room);
        return;
    }
    registers_up<224>();
    Stage<STAGES> stage = {0, 0};
    for (int parity = 0;; parity ^= 1) {
        HopperTile tile;
        mbarrier_wait(barriers + 8 * QUERIES_FULL, parity);
        int number = ((const int *)(room + Room<D>::NUMBER))[parity];
        if (number < 0)
            break;
        if (open_hopper_tile(&tile, b.backward.a, b.tokens, number))
            work_on_rows<D>(b, tile, room, barriers, &stage);
        else
            done_with_rows(barriers);
    }
#endif
}

template <int D> static void start_hopper(Stream *s, const AttentionBackward &backward, int64_t tokens)
{
    const Attention *a = &backward.a;
    int64_t group = a->heads / a->kv_heads, of_tile = HOPPER_ROWS / group;
    int64_t tiles = tiles_at_most(a, tokens, 1, of_tile) * a->kv_heads, most = device_multiprocessors();
    Maps maps;
    auto describe = [=](CUtensorMap *map, const TokenRows &x, int64_t heads, int64_t box_rows, int64_t box_heads) {
        describe_tensor(map, x.data, tokens, heads, D, x.stride, (int)box_rows, (int)box_heads);
    };
    describe(&maps.q, backward.q, a->heads, of_tile, group);
    describe(&maps.dout, backward.dout, a->heads, of_tile, group);
    describe(&maps.k, backward.k, a->kv_heads, KEYS, 1);
    describe(&maps.v, backward.v, a->kv_heads, KEYS, 1);
    HopperQueries b = {backward, (int)tiles, (int)of_tile};
    launch(s, dim3((unsigned)(tiles < most ? tiles : most)), HOPPER_THREADS, Room<D>::BYTES, hopper_rows_kernel<D>,
           maps, b);
}

void hopper_attention_queries(Stream *s, const AttentionBackward &backward, int64_t tokens)
{
    if (backward.a.head_width == 64)
        start_hopper<64>(s, backward, tokens);
    else
        start_hopper<128>(s, backward, tokens);
}

} // namespace PRECISION

#endif
