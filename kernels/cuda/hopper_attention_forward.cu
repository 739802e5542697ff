// Causal attention over a ragged batch, forward, for Hopper: what attention_forward.cu computes, with its bits, by
// wgmma and TMA (the order of work is that of Shah et al. 2024, FlashAttention-3).
//
// A block takes tiles of up to 128 rows, as many as there are, one after another: the next one's number comes from a
// counter, a sequence's longest first, so that ragged batches leave few multiprocessors idle. Rows are linear over
// queries and heads of a group (attention.cuh), which is also how a box of a tensor lies in shared memory. Two
// warpgroups with 64 rows each take turns on the tensor cores: while one multiplies, the other makes weights of its
// scores. Within a warpgroup the scores of the next key block are under way while this one's weights are made. Queries
// are read from shared memory: as fragments in registers they would be the loop-invariant operand that ptxas has got
// wrong.
//
// Order of a row's sums: as attention_forward.cu's. Rows that end in front of a key block, or that do not exist, take
// it with weights that are zero, which changes no bit of their sums; values behind the last key are made zeros before,
// for zero times what a neighbour has there may be NaN.
//
// Limit: 4·D operations for each head, query and key it sees, on the tensor cores. No card has run it yet.
#include "kernels/cuda/attention_softmax.cuh"
#include "kernels/cuda/hopper.h"
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_attention.cuh"
#endif
#include <assert.h>

namespace PRECISION
{

#if HOPPER_KERNELS

enum { STAGES = 2 };
typedef Stage<STAGES> KeyStage;

// Barriers in shared memory, by place
enum {
    QUERIES_FULL,
    QUERIES_EMPTY,
    KEYS_FULL,
    KEYS_EMPTY = KEYS_FULL + STAGES,
    VALUES_FULL = KEYS_EMPTY + STAGES,
    VALUES_EMPTY = VALUES_FULL + STAGES,
    BARRIERS = VALUES_EMPTY + STAGES
};

// Shared memory of a block, in bytes from its start
template <int D> struct Room {
    enum {
        TILE = D / PART_COLUMNS * PART_BYTES, // 128 rows
        QUERIES = 0,
        KEYS = QUERIES + TILE,
        VALUES = KEYS + STAGES * TILE,
        TOTALS = VALUES + STAGES * TILE, // (D / 8, MULTIPLIERS) of float4: of rows with more than one segment
        BARRIERS_AT = TOTALS + HOPPER_ROWS * D * 4,
        NUMBER = BARRIERS_AT + BARRIERS * 8, // of the tile, and of the next one (next_number)
        BYTES = NUMBER + 8
    };
};

struct HopperForward {
    AttentionForward forward;
    int tiles, tokens; // tiles of all kv heads, at most; tokens of a tile
};

__device__ int next_tile; // whose turn it is; zero between launches

// ---- the warpgroup that loads

template <int D>
__device__ inline void load_tiles(const HopperForward &f, const CUtensorMap *q, const CUtensorMap *k,
                                  const CUtensorMap *v, unsigned char *room)
{
    const Attention &a = f.forward.a;
    uint32_t barriers = shared_address(room + Room<D>::BARRIERS_AT);
    int *slot = (int *)(room + Room<D>::NUMBER);
    KeyStage stage = {0, 0};
    for (int parity = 0;; parity ^= 1) {
        HopperTile tile;
        int number =
            next_number(slot, &next_tile, f.tiles, barriers + 8 * QUERIES_EMPTY, parity, HOPPER_THREADS - MULTIPLIERS);
        bool more = number >= 0 && open_hopper_tile(&tile, a, f.tokens, number);
        if (threadIdx.x == 0 && more) {
            mbarrier_expect(barriers + 8 * QUERIES_FULL, f.tokens * tile.group * D * 2);
            load_queries<D>(shared_address(room), q, barriers + 8 * QUERIES_FULL, tile);
        } else if (threadIdx.x == 0)
            mbarrier_arrive(barriers + 8 * QUERIES_FULL);
        if (number < 0)
            return;
        for (int first = 0; more && first <= tile.last; first += KEY_BLOCK) {
            unsigned char *at = room + stage.number * Room<D>::TILE;
            StageBarriers keys = {barriers + 8 * (KEYS_FULL + stage.number), barriers + 8 * (KEYS_EMPTY + stage.number),
                                  stage.parity};
            StageBarriers values = {barriers + 8 * (VALUES_FULL + stage.number),
                                    barriers + 8 * (VALUES_EMPTY + stage.number), stage.parity};
            load_block<D, KEY_BLOCK>(at + Room<D>::KEYS, k, keys, tile, a, f.forward.k, first);
            load_block<D, KEY_BLOCK>(at + Room<D>::VALUES, v, values, tile, a, f.forward.v, first);
            stage.advance();
        }
    }
}

// ---- the warpgroups that multiply

// Each warp gives a stage back for itself: what a wait of one says about the products of the others is said nowhere.
template <int D> struct Multiplier {
    unsigned char *room;
    uint32_t barriers;
    int me, thread; // which of the two; in it
    KeyStage stage;

    __device__ inline uint32_t barrier(int place) const { return barriers + 8 * place; }
    __device__ inline uint32_t tile(int first, int number) const
    {
        return shared_address(room + first + number * Room<D>::TILE);
    }
    __device__ inline void done_with(int place) const
    {
        if (thread % 32 == 0)
            mbarrier_arrive(barrier(place));
    }
    __device__ inline void done_with_tile() const // with its queries and its number
    {
        __syncwarp();
        done_with(QUERIES_EMPTY);
    }
};

template <int D> struct TileState {
    float weighted[D / 8][4];
    uint32_t weights[KEY_BLOCK / 16][4];
    RowSums segment[2], total[2];
    int position[2], all_see; // of the thread's rows; the last key that no row of the tile is denied
};

template <int D> __device__ inline void begin_tile(TileState<D> *t, const Multiplier<D> &m, const HopperTile &tile)
{
    int row = m.me * 64 + m.thread / 32 * 16 + m.thread % 32 / 4;
    clear<D>(t->weighted);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        t->segment[half] = t->total[half] = RowSums{-INFINITY, 0};
        t->position[half] = position_of(tile, row + half * 8);
    }
    t->all_see = position_of(tile, 0); // what rows that do not exist see is nobody's
    if (tile.blocks > KEY_SEGMENT / KEY_BLOCK)
        for (int d = 0; d < D / 8; d++)
            ((float4 *)(m.room + Room<D>::TOTALS))[d * MULTIPLIERS + m.me * 128 + m.thread] = make_float4(0, 0, 0, 0);
}

// The segment's sums into the total; what is weighted from here on is the next one's.
template <int D>
__device__ inline void merge_segment(TileState<D> *t, const RowSums segment[2], const Multiplier<D> &m, float scale)
{
    MergeScales by[2] = {merge_sums(&t->total[0], segment[0], scale), merge_sums(&t->total[1], segment[1], scale)};
    float4 *total = (float4 *)(m.room + Room<D>::TOTALS) + m.me * 128 + m.thread;
#pragma unroll
    for (int d = 0; d < D / 8; d++) {
        float4 sum = total[d * MULTIPLIERS];
        float *x = t->weighted[d];
        sum.x = fmaf(sum.x, by[0].before, x[0] * by[0].segment);
        sum.y = fmaf(sum.y, by[0].before, x[1] * by[0].segment);
        sum.z = fmaf(sum.z, by[1].before, x[2] * by[1].segment);
        sum.w = fmaf(sum.w, by[1].before, x[3] * by[1].segment);
        total[d * MULTIPLIERS] = sum;
        x[0] = x[1] = x[2] = x[3] = 0;
    }
}

template <int D> __device__ inline void take_total(TileState<D> *t, const Multiplier<D> &m)
{
    const float4 *total = (const float4 *)(m.room + Room<D>::TOTALS) + m.me * 128 + m.thread;
#pragma unroll
    for (int d = 0; d < D / 8; d++) {
        float4 sum = total[d * MULTIPLIERS];
        t->weighted[d][0] = sum.x, t->weighted[d][1] = sum.y, t->weighted[d][2] = sum.z, t->weighted[d][3] = sum.w;
    }
    t->segment[0] = t->total[0], t->segment[1] = t->total[1];
}

template <int D>
__device__ inline void weigh_scores(TileState<D> *t, float (*scores)[4], int block, float keep[2], float scale)
{
    if ((block + 1) * KEY_BLOCK - 1 > t->all_see)
        mask(scores, block * KEY_BLOCK, t->position);
#pragma unroll
    for (int half = 0; half < 2; half++)
        keep[half] = softmax_row(scores, half, &t->segment[half], scale);
}

template <int D> __device__ inline void first_block(TileState<D> *t, const Multiplier<D> &m, float scale)
{
    float scores[KEY_BLOCK / 8][4], keep[2];
    mbarrier_wait(m.barrier(KEYS_FULL + m.stage.number), m.stage.parity);
    wgmma_fence();
    tile_products<D, KEY_BLOCK>(scores, m.tile(m.me * 64 * 128, 0), PART_BYTES, m.tile(Room<D>::KEYS, m.stage.number),
                                PART_BYTES);
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_hold<KEY_BLOCK / 8>(scores);
    m.done_with(KEYS_EMPTY + m.stage.number);
    weigh_scores(t, scores, 0, keep, scale);
    round_to_fragments<KEY_BLOCK / 16>(t->weights, scores);
}

// The scores of a block, and meanwhile the values of the one before, whose weights are ready.
template <int D> __device__ inline void next_block(TileState<D> *t, Multiplier<D> *m, int block, float scale)
{
    float scores[KEY_BLOCK / 8][4], keep[2];
    KeyStage old = m->stage;
    m->stage.advance();
    mbarrier_wait(m->barrier(KEYS_FULL + m->stage.number), m->stage.parity);
    barrier_sync(TURN + m->me, MULTIPLIERS);
    wgmma_hold<D / 8>(t->weighted);
    wgmma_hold<KEY_BLOCK / 16>(t->weights);
    wgmma_fence();
    tile_products<D, KEY_BLOCK>(scores, m->tile(m->me * 64 * 128, 0), PART_BYTES,
                                m->tile(Room<D>::KEYS, m->stage.number), PART_BYTES);
    wgmma_commit();
    mbarrier_wait(m->barrier(VALUES_FULL + old.number), old.parity);
    wgmma_fence(); // this wait is a branch: without a fence behind it ptxas makes the two products one after the other
    tile_sums<D, KEY_BLOCK / 16>(t->weighted, t->weights, m->tile(Room<D>::VALUES, old.number), PART_BYTES);
    wgmma_commit();
    barrier_arrive(OTHER_TURN - m->me, MULTIPLIERS);
    wgmma_wait<1>();
    wgmma_hold<KEY_BLOCK / 8>(scores);
    m->done_with(KEYS_EMPTY + m->stage.number);
    bool ended = block % (KEY_SEGMENT / KEY_BLOCK) == 0; // the segment, with the block before
    RowSums segment[2] = {t->segment[0], t->segment[1]};
    if (ended)
        t->segment[0] = t->segment[1] = RowSums{-INFINITY, 0};
    weigh_scores(t, scores, block, keep, scale);
    wgmma_wait<0>();
    wgmma_hold<D / 8>(t->weighted);
    wgmma_hold<KEY_BLOCK / 16>(t->weights);
    m->done_with(VALUES_EMPTY + old.number);
    if (ended)
        merge_segment(t, segment, *m, scale);
    else
#pragma unroll
        for (int half = 0; half < 2; half++)
            scale_row<D>(t->weighted, half, keep[half]);
    round_to_fragments<KEY_BLOCK / 16>(t->weights, scores);
}

// The values of the last block; behind the tile's last key they become zeros first, by both warpgroups together.
template <int D>
__device__ inline void last_values(TileState<D> *t, Multiplier<D> *m, const HopperTile &tile, float scale)
{
    int keys = tile.last + 1 - (tile.blocks - 1) * KEY_BLOCK;
    mbarrier_wait(m->barrier(VALUES_FULL + m->stage.number), m->stage.parity);
    if (keys < KEY_BLOCK) {
        zero_rows<D, KEY_BLOCK>(m->room + Room<D>::VALUES + m->stage.number * Room<D>::TILE, keys,
                                m->me * 128 + m->thread, MULTIPLIERS);
        proxy_fence();
        barrier_sync(TAIL_IS_ZERO, MULTIPLIERS);
    }
    wgmma_hold<D / 8>(t->weighted);
    wgmma_hold<KEY_BLOCK / 16>(t->weights);
    wgmma_fence();
    tile_sums<D, KEY_BLOCK / 16>(t->weighted, t->weights, m->tile(Room<D>::VALUES, m->stage.number), PART_BYTES);
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_hold<D / 8>(t->weighted);
    m->done_with(VALUES_EMPTY + m->stage.number);
    m->stage.advance();
    if (tile.blocks <= KEY_SEGMENT / KEY_BLOCK)
        return;
    RowSums segment[2] = {t->segment[0], t->segment[1]};
    merge_segment(t, segment, *m, scale);
    take_total(t, *m);
}

template <int D>
__device__ inline void put_tile(const AttentionForward &f, const TileState<D> &t, const Multiplier<D> &m,
                                const HopperTile &tile, float scale)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = m.me * 64 + m.thread / 32 * 16 + half * 8 + m.thread % 32 / 4;
        if (r >= tile.rows)
            continue;
        int64_t row = head_row(tile, f.a, r);
        float inverse = 1.0f / t.segment[half].l;
#pragma unroll
        for (int d = 0; d < D / 8; d++)
            put_two(f.out + row * D + d * 8, t.weighted[d][half * 2] * inverse, t.weighted[d][half * 2 + 1] * inverse);
        if (m.thread % 4 == 0)
            f.logsumexp[row] = logsumexp_of(t.segment[half], scale);
    }
}

template <int D> __device__ inline void multiply_tiles(const HopperForward &f, unsigned char *room)
{
    float scale = LOG2_E / sqrtf((float)D);
    int warpgroup = (int)threadIdx.x / 128 - 1;
    Multiplier<D> m = {room, shared_address(room + Room<D>::BARRIERS_AT), warpgroup, (int)threadIdx.x % 128,
                       KeyStage{0, 0}};
    if (m.me == 1)
        barrier_arrive(TURN, MULTIPLIERS); // the first turn
    for (int parity = 0;; parity ^= 1) {
        HopperTile tile;
        TileState<D> t;
        mbarrier_wait(m.barrier(QUERIES_FULL), parity);
        int number = ((const int *)(room + Room<D>::NUMBER))[parity];
        if (number < 0)
            break;
        if (!open_hopper_tile(&tile, f.forward.a, f.tokens, number)) {
            m.done_with_tile();
            continue;
        }
        begin_tile(&t, m, tile);
        first_block(&t, m, scale);
        for (int block = 1; block < tile.blocks; block++)
            next_block(&t, &m, block, scale);
        m.done_with_tile(); // no score is to be made any more: the next tile's queries may come
        last_values(&t, &m, tile, scale);
        put_tile(f.forward, t, m, tile, scale);
    }
    if (m.me == 0)
        barrier_sync(TURN, MULTIPLIERS); // the last turn, which was given and not taken
}

template <int D>
__global__ void __launch_bounds__(HOPPER_THREADS, 1)
    hopper_forward_kernel(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap k,
                          const __grid_constant__ CUtensorMap v, const HopperForward f)
{
#if HOPPER_CODE
    unsigned char *room = dynamic_shared_tiles();
    if (threadIdx.x == 0) {
        for (int i = 0; i < BARRIERS; i++) {
            bool empty = i == QUERIES_EMPTY || (i >= KEYS_EMPTY && i < VALUES_FULL) || i >= VALUES_EMPTY;
            mbarrier_init(shared_address(room + Room<D>::BARRIERS_AT + 8 * i), empty ? MULTIPLIERS / 32 : 1);
        }
        mbarrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x < HOPPER_THREADS - MULTIPLIERS) {
        registers_down<56>();
        load_tiles<D>(f, &q, &k, &v, room);
    } else {
        registers_up<224>();
        multiply_tiles<D>(f, room);
    }
#endif
}

template <int D> static void start_hopper(Stream *s, const AttentionForward &forward, int64_t tokens)
{
    const Attention *a = &forward.a;
    int64_t group = a->heads / a->kv_heads, of_tile = HOPPER_ROWS / group;
    int64_t tiles = tiles_at_most(a, tokens, 1, of_tile) * a->kv_heads;
    CUtensorMap q_map, k_map, v_map;
    describe_tensor(&q_map, forward.q.data, tokens, a->heads, D, forward.q.stride, (int)of_tile, (int)group);
    if (a->key_pages != NULL) {
        describe_pages(&k_map, (const element *)a->key_pages, D);
        describe_pages(&v_map, (const element *)a->value_pages, D);
    } else {
        describe_tensor(&k_map, forward.k.data, tokens, a->kv_heads, D, forward.k.stride, KEY_BLOCK, 1);
        describe_tensor(&v_map, forward.v.data, tokens, a->kv_heads, D, forward.v.stride, KEY_BLOCK, 1);
    }
    HopperForward f = {forward, (int)tiles, (int)of_tile};
    int64_t blocks = tiles < device_multiprocessors() ? tiles : device_multiprocessors();
    launch(s, dim3((unsigned)blocks), HOPPER_THREADS, Room<D>::BYTES, hopper_forward_kernel<D>, q_map, k_map, v_map, f);
}

bool hopper_attention_forward(Stream *s, const AttentionForward &forward, int64_t tokens)
{
    const Attention *a = &forward.a;
    if (!hopper_chosen("DEREASON_ATTENTION") || a->heads / a->kv_heads > HOPPER_ROWS)
        return false;
    if (a->head_width == 64)
        start_hopper<64>(s, forward, tokens);
    else
        start_hopper<128>(s, forward, tokens);
    return true;
}

#elif PRECISION_BITS == 16

bool hopper_attention_forward(Stream *, const AttentionForward &, int64_t) { return false; }

#endif

} // namespace PRECISION
