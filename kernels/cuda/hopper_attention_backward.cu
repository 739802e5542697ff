// Causal attention, backward, for Hopper: what attention_backward.cu computes, with its bits, by five products instead
// of seven (formulas there; design and budget of both kernels: Dao 2023, Shah et al. 2024).
//
// The kernel that owns keys makes dS, which the one that owns queries needs once more. It writes it to memory, rounded
// as it is for its own product, in blocks of (64 keys, 64 queries), 8 KiB each, for every sequence those with keys that
// it sees; and the other kernel multiplies them with the keys. So every gradient is still one chain with one owner, and
// nothing is added atomically. The blocks of some kv heads at a time, as many as the workspace holds.
//
//   keys     a tile of 128 keys of a kv head, 64 for each of two warpgroups, walks the heads of the group, then
//            queries, ascending. Sᵀ = K·Qᵀ and dPᵀ = V·dOᵀ from shared memory; Pᵀ and dSᵀ, in registers, are the left
//            operands of dV += Pᵀ·dO and dK += dSᵀ·Q; meanwhile dSᵀ goes to shared memory, and from there in one piece.
//   queries  a tile of 128 queries of a head, 64 for each of two warpgroups, walks the keys ascending: dQ += dS·K.
//
// Blocks of keys begin at position 0, with the context of a sequence that goes on from another (shared prompts): its own
// tiles of keys begin where one of these does, with keys that are the context's, and both write their rows of the block
// that has keys of both. Where the workspace does not hold the blocks of one kv head (a long document) the queries make
// dS again (hopper_attention_queries.cu).
//
// Limit: 10·D operations for each head, query and key it sees, and dS, 2 bytes for each of these, to memory and back.
// No card has run it yet.
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/hopper.h"
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_attention.cuh"
#endif

namespace PRECISION
{

#if HOPPER_KERNELS

enum {
    SIDE = PAIR_BLOCK, // of a block of dS
    BLOCK_BYTES = SIDE * SIDE * 2,
    KEY_STAGES = 3,
    QUERY_STAGES = 5,
    HALF_PART_BYTES = PART_BYTES / 2 // 64 rows
};

struct HopperBackward {
    AttentionBackward backward;
    element *ds;                // the blocks of the kv heads first_head .. first_head + kv_heads - 1
    int first_head, kv_heads;   // of this launch
    int key_tiles, query_tiles; // at most
    int blocks;                 // of one head
};

__device__ int next_key_tile, next_query_tile; // zero between launches

__device__ inline int triangle(int n) { return n * (n + 1) / 2; }
__device__ inline int blocks_in(int positions) { return (positions + SIDE - 1) / SIDE; }

// What is left of a sequence's context behind its last whole block: the first of its own blocks begins with so many keys
// that are the context's.
__device__ inline int keys_ahead(const Attention &a, int sequence) { return a.contexts[sequence] % SIDE; }

// Blocks of a head in front of this sequence's. Every warp looks for itself.
__device__ inline int blocks_before(const Attention &a, int sequence)
{
    int lane = (int)threadIdx.x % 32;
    int sum = 0;
    for (int base = 0; base < sequence; base += 32) {
        int s = base + lane, length = s < sequence ? a.starts[s + 1] - a.starts[s] : 0;
        int context = s < sequence ? a.contexts[s] : 0, queries = blocks_in(length);
        int blocks = triangle(queries) + queries * blocks_in(context); // pair_blocks of kernels.h
        for (int by = 16; by > 0; by /= 2)
            blocks += __shfl_xor_sync(~0u, blocks, by);
        sum += blocks;
    }
    return sum;
}

// What a block works on: 128 rows, keys of a kv head or queries of a head, from `first` on in one sequence; of keys,
// `first` may be below it (keys_ahead)
struct HopperRows {
    int sequence, start, length, first; // the sequence's row in the batch, its rows
    int context;                        // positions in front of it
    int head;                           // of the launch's kv heads, or heads
};

__device__ inline HopperRows rows_of(const Attention &a, int sequence, int first, int head)
{
    int start = a.starts[sequence];
    return HopperRows{sequence, start, a.starts[sequence + 1] - start, first, a.contexts[sequence], head};
}

// Tile `number` of all; false: there are not so many. The longest of a sequence first: the first keys, the last
// queries.
__device__ inline bool open_keys(HopperRows *tile, const HopperBackward &b, int number)
{
    const Attention &a = b.backward.a;
    auto all_of = [&](int64_t s) {
        int length = a.starts[s + 1] - a.starts[s];
        return length == 0 ? 0 : length + keys_ahead(a, (int)s);
    };
    Place place = find_tile_of(a, number / b.kv_heads, HOPPER_ROWS, all_of);
    if (place.sequence < 0)
        return false;
    int last = ((int)all_of(place.sequence) - 1) / HOPPER_ROWS * HOPPER_ROWS;
    *tile = rows_of(a, place.sequence, last - (int)place.first - keys_ahead(a, place.sequence), number % b.kv_heads);
    return true;
}

__device__ inline bool open_queries(HopperRows *tile, const HopperBackward &b, int number, int heads)
{
    Place place = find_tile(b.backward.a, number / heads, 1, HOPPER_ROWS);
    if (place.sequence < 0)
        return false;
    *tile = rows_of(b.backward.a, place.sequence, (int)place.first, number % heads);
    return true;
}

// A sequence's blocks of dS
struct Blocks {
    int before;  // of one head, in front of them
    int context; // its context's blocks of keys, the last of which may have keys of its own
};

__device__ inline Blocks blocks_of(const HopperBackward &b, int sequence)
{
    const Attention &a = b.backward.a;
    return b.ds == NULL ? Blocks{0, 0} : Blocks{blocks_before(a, sequence), blocks_in(a.contexts[sequence])};
}

// The one of a head of the launch, by number of its queries in the sequence and of its keys from position 0 on
__device__ inline int block_number(const HopperBackward &b, const Blocks &of, int head, int queries, int keys)
{
    return head * b.blocks + of.before + triangle(queries) + queries * of.context + keys;
}

__device__ inline element *block_at(const HopperBackward &b, int number)
{
    return b.ds + (int64_t)number * (SIDE * SIDE);
}

// ---- the steps of a tile of keys: the heads of the group, for each the blocks of queries that see some of its keys

struct HopperStep {
    Seers queries;
    int head; // of the group
};

__device__ inline HopperStep first_step(const HopperRows &tile, int head)
{
    return HopperStep{{tile.sequence, tile.start, tile.length, max(tile.first, 0) / SIDE * SIDE}, head};
}

// The row behind the last that sees the tile's keys
__device__ inline int seen_until(const Attention &a, const HopperRows &tile)
{
    return a.seen_until == NULL ? tile.start + tile.length : a.seen_until[tile.sequence];
}

__device__ inline void next_step(HopperStep *step, const Attention &a, const HopperRows &tile)
{
    if (!next_seers(&step->queries, a, seen_until(a, tile), SIDE))
        *step = first_step(tile, step->head + 1);
}

__device__ inline int steps_of(const Attention &a, const HopperRows &tile)
{
    int steps = blocks_in(tile.length) - max(tile.first, 0) / SIDE, until = seen_until(a, tile);
    for (int s = tile.sequence + 1, row = tile.start + tile.length; row < until; row = a.starts[++s])
        steps += blocks_in(a.starts[s + 1] - row);
    return steps * (int)(a.heads / a.kv_heads);
}

// What the queries of a step are to the tile's keys; those who load tell those who multiply
struct StageRows {
    int live;              // queries that are there
    int first;             // the tile's first key, counted from the first of the queries
    int block[2];          // of dS, for each warpgroup's keys; -1: there is none
    int from[2], until[2]; // its rows that are written
    int left;              // steps of the tile from this one on
};

// Of the keys of a tile those are written that are its sequence's own, and of other sequences' queries no more than
// those: what is behind them is the other's. Where its own queries see none of a block it is not there.
__device__ inline void tell_rows(StageRows *rows, const HopperBackward &b, const HopperRows &tile,
                                 const HopperStep &step, const Blocks &blocks, int left)
{
    int me = (int)threadIdx.x % 32, first = tile.first + me * SIDE;
    bool own = step.queries.sequence == tile.sequence;
    if (me >= 2)
        return;
    int from = max(-first, 0), until = own ? (int)SIDE : min(tile.length - first, (int)SIDE);
    bool there = b.ds != NULL && from < until && (!own || first < step.queries.query + (int)SIDE);
    int head = tile.head * (int)(b.backward.a.heads / b.backward.a.kv_heads) + step.head;
    rows->block[me] =
        there ? block_number(b, blocks, head, step.queries.query / SIDE, (tile.context + first) / SIDE) : -1;
    rows->from[me] = from;
    rows->until[me] = until;
    if (me == 1)
        return;
    rows->live = step.queries.length - step.queries.query;
    rows->first = own ? tile.first - step.queries.query : -HOPPER_ROWS; // another's queries see all
    rows->left = left;
}

// ---- keys and values: shared memory, in bytes from its start, and its barriers

enum {
    KEYS_FULL,
    KEYS_EMPTY,
    QUERIES_FULL,
    QUERIES_EMPTY = QUERIES_FULL + KEY_STAGES,
    KEY_BARRIERS = QUERIES_EMPTY + KEY_STAGES
};

template <int D> struct KeyRoom {
    enum {
        TILE = D / PART_COLUMNS * PART_BYTES, // 128 rows
        KEYS = 0,
        VALUES = TILE,
        STAGES = 2 * TILE,                                 // each: 64 queries, and the gradients of their outputs
        DS = STAGES + KEY_STAGES * TILE,                   // two of each warpgroup
        ENDS = DS + 4 * BLOCK_BYTES,                       // (KEY_STAGES, 2, SIDE) of float: logsumexp · log2 e, delta
        TOLD = ENDS + KEY_STAGES * 2 * SIDE * 4,           // (KEY_STAGES) of StageRows
        KEPT = TOLD + KEY_STAGES * (int)sizeof(StageRows), // the HopperRows of who tells
        BARRIERS = (KEPT + (int)sizeof(HopperRows) + 7) / 8 * 8,
        NUMBER = BARRIERS + KEY_BARRIERS * 8,
        BYTES = NUMBER + 8
    };
};

typedef Stage<KEY_STAGES> QueryStage;

// ---- the warpgroup that loads: its first warp the tiles, its second what the rows are and end in

template <int D>
__device__ inline void load_keys(const HopperBackward &b, const HopperRows &tile, const CUtensorMap *k,
                                 const CUtensorMap *v, uint32_t room, uint32_t full)
{
    mbarrier_expect(full, 2 * KeyRoom<D>::TILE);
    for (int part = 0; part < D / PART_COLUMNS; part++) {
        uint32_t to = room + part * PART_BYTES;
        int column = part * PART_COLUMNS, head = b.first_head + tile.head, row = tile.start + tile.first;
        tensor_load(to + KeyRoom<D>::KEYS, k, full, column, head, row);
        tensor_load(to + KeyRoom<D>::VALUES, v, full, column, head, row);
    }
}

template <int D>
__device__ inline void load_query_stage(const CUtensorMap *q, const CUtensorMap *dout, uint32_t to, uint32_t full,
                                        int head, int row)
{
    mbarrier_expect(full, KeyRoom<D>::TILE);
    for (int part = 0; part < D / PART_COLUMNS; part++) {
        tensor_load(to + part * HALF_PART_BYTES, q, full, part * PART_COLUMNS, head, row);
        tensor_load(to + KeyRoom<D>::TILE / 2 + part * HALF_PART_BYTES, dout, full, part * PART_COLUMNS, head, row);
    }
}

__device__ inline void load_ends(float *ends, const AttentionBackward &b, const Seers &queries, int head, uint32_t full)
{
    for (int r = (int)threadIdx.x % 32; r < SIDE; r += 32) {
        int64_t row = (int64_t)(queries.start + queries.query + r) * b.a.heads + head;
        bool live = queries.query + r < queries.length;
        ends[r] = live ? b.logsumexp[row] * LOG2_E : 0;
        ends[SIDE + r] = live ? b.delta[row] : 0;
    }
    __syncwarp();
    if (threadIdx.x % 32 == 0)
        mbarrier_arrive(full);
}

// The number of the next tile, for both warps that load; -1: there is none
__device__ inline int next_keys(HopperRows *tile, int *steps, const HopperBackward &b, int *slot, uint32_t empty,
                                int parity)
{
    int number = next_number(slot, &next_key_tile, b.key_tiles, empty, parity, 64);
    *steps = number >= 0 && open_keys(tile, b, number) ? steps_of(b.backward.a, *tile) : 0;
    return number;
}

template <int D>
__device__ inline void load_for_keys(const HopperBackward &b, const CUtensorMap *q, const CUtensorMap *dout,
                                     const CUtensorMap *k, const CUtensorMap *v, unsigned char *room)
{
    const Attention &a = b.backward.a;
    uint32_t base = shared_address(room), barriers = base + KeyRoom<D>::BARRIERS;
    QueryStage stage = {0, 0};
    for (int parity = 0;; parity ^= 1) {
        HopperRows tile;
        int left,
            number = next_keys(&tile, &left, b, (int *)(room + KeyRoom<D>::NUMBER), barriers + 8 * KEYS_EMPTY, parity);
        if (threadIdx.x == 0 && left > 0)
            load_keys<D>(b, tile, k, v, base, barriers + 8 * KEYS_FULL);
        else if (threadIdx.x == 0)
            mbarrier_arrive(barriers + 8 * KEYS_FULL);
        if (number < 0)
            return;
        HopperStep step = first_step(tile, 0);
        for (; threadIdx.x == 0 && left > 0; left--, next_step(&step, a, tile), stage.advance()) {
            int head = (b.first_head + tile.head) * (int)(a.heads / a.kv_heads) + step.head;
            mbarrier_wait(barriers + 8 * (QUERIES_EMPTY + stage.number), stage.parity ^ 1);
            load_query_stage<D>(q, dout, base + KeyRoom<D>::STAGES + stage.number * KeyRoom<D>::TILE,
                                barriers + 8 * (QUERIES_FULL + stage.number), head,
                                step.queries.start + step.queries.query);
        }
    }
}

// What it knows of its tile and of the blocks of a sequence lies in shared memory: there are few registers.
template <int D> __device__ inline void tell_for_keys(const HopperBackward &b, unsigned char *room)
{
    const Attention &a = b.backward.a;
    uint32_t barriers = shared_address(room) + KeyRoom<D>::BARRIERS;
    HopperRows *tile = (HopperRows *)(room + KeyRoom<D>::KEPT);
    QueryStage stage = {0, 0};
    for (int parity = 0;; parity ^= 1) {
        HopperRows opened;
        int left, number = next_keys(&opened, &left, b, (int *)(room + KeyRoom<D>::NUMBER), barriers + 8 * KEYS_EMPTY,
                                     parity);
        if (number < 0)
            return;
        if (threadIdx.x % 32 == 0)
            *tile = opened;
        __syncwarp();
        HopperStep step = first_step(*tile, 0);
        Blocks blocks = {};
        for (int sequence = -1; left > 0; left--, next_step(&step, a, *tile), stage.advance()) {
            if (sequence != step.queries.sequence)
                blocks = blocks_of(b, sequence = step.queries.sequence);
            mbarrier_wait(barriers + 8 * (QUERIES_EMPTY + stage.number), stage.parity ^ 1);
            tell_rows((StageRows *)(room + KeyRoom<D>::TOLD) + stage.number, b, *tile, step, blocks, left);
            load_ends((float *)(room + KeyRoom<D>::ENDS) + stage.number * 2 * SIDE, b.backward, step.queries,
                      (b.first_head + tile->head) * (int)(a.heads / a.kv_heads) + step.head,
                      barriers + 8 * (QUERIES_FULL + stage.number));
        }
    }
}

// ---- the warpgroups that multiply

template <int D> struct KeyWorker {
    unsigned char *room;
    uint32_t base;
    int me, thread; // which of the two; in it
    QueryStage stage;
    int buffer; // of the two for dS, which is next

    __device__ inline uint32_t barrier(int place) const { return base + KeyRoom<D>::BARRIERS + 8 * place; }

    // Each warp for itself: it has read the tile's number, and its products are done.
    __device__ inline void done_with_tile() const
    {
        __syncwarp();
        if (thread % 32 == 0)
            mbarrier_arrive(barrier(KEYS_EMPTY));
    }
};

// Rows behind the sequence's last query become zeros, by both warpgroups: zero times what is there may be NaN.
template <int D> __device__ inline void zero_tail(const KeyWorker<D> &w, int live)
{
    unsigned char *queries = w.room + KeyRoom<D>::STAGES + w.stage.number * KeyRoom<D>::TILE;
    zero_rows<D, SIDE>(queries, live, w.me * 128 + w.thread, MULTIPLIERS);
    zero_rows<D, SIDE>(queries + KeyRoom<D>::TILE / 2, live, w.me * 128 + w.thread, MULTIPLIERS);
    proxy_fence();
    barrier_sync(TAIL_IS_ZERO, MULTIPLIERS);
}

// dSᵀ, rounded, (64 keys, 64 queries) to shared memory, and from there to its rows of a block
template <int D>
__device__ inline void put_ds(KeyWorker<D> *w, const uint32_t (*ds)[4], const HopperBackward &b, const StageRows &rows)
{
    int lane = w->thread % 32, row = w->thread / 32 * 16 + lane % 16;
    unsigned char *buffer = w->room + KeyRoom<D>::DS + (w->me * 2 + w->buffer) * BLOCK_BYTES;
    if (w->thread == 0)
        bulk_wait_read<1>();         // who stored from this buffer before has read it
    barrier_sync(MINE + w->me, 128); // and all have read what the rows end in
    if (rows.block[w->me] < 0)
        return;
#pragma unroll
    for (int k = 0; k < SIDE / 16; k++)
        stmatrix_x4(buffer + row * 128 + ((k * 2 + lane / 16) ^ (row % 8)) * 16, ds[k]);
    proxy_fence();
    barrier_sync(MINE + w->me, 128);
    if (w->thread == 0) {
        int from = rows.from[w->me];
        bulk_store(block_at(b, rows.block[w->me]) + from * SIDE, shared_address(buffer) + from * SIDE * 2,
                   (rows.until[w->me] - from) * SIDE * 2);
        bulk_commit();
    }
    w->buffer ^= 1;
}

// Scores to weights, then the weights' gradients to those of scores, in place
__device__ inline void weigh_scores(float (*p)[4], const float *ends, float scale)
{
#pragma unroll
    for (int j = 0; j < SIDE / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            p[j][i] = weight_of(p[j][i], ends[j * 8 + (int)threadIdx.x % 4 * 2 + i % 2], scale);
}

__device__ inline void weigh_gradients(float (*ds)[4], const float (*p)[4], const float *delta, float scale)
{
#pragma unroll
    for (int j = 0; j < SIDE / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            ds[j][i] = score_gradient(p[j][i], ds[j][i], delta[j * 8 + (int)threadIdx.x % 4 * 2 + i % 2], scale);
}

// A thread's first row: its key, counted from the first of the queries
template <int D> __device__ inline int first_key(const KeyWorker<D> &w, const StageRows &rows)
{
    return rows.first + w.me * SIDE + w.thread / 32 * 16 + w.thread % 32 / 4;
}

// Zeros where a query does not see a key, or is not there. key: of the thread's first row, from the block's first column
// on; queries: how many are there
__device__ inline void hide_unseen(float (*x)[4], int key, int queries)
{
    int column = (int)threadIdx.x % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int from = key + half * 8; // a key that is not there is nobody's: in blocks of dS it lies behind all queries
#pragma unroll
        for (int j = 0; j < SIDE / 8; j++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                if (column + j * 8 + i < from || column + j * 8 + i >= queries)
                    x[j][half * 2 + i] = 0;
    }
}

// False: it was the tile's last.
template <int D>
__device__ inline bool key_step(float (*dk)[4], float (*dv)[4], KeyWorker<D> *w, const HopperBackward &b, float scale)
{
    uint32_t queries = w->base + KeyRoom<D>::STAGES + w->stage.number * KeyRoom<D>::TILE,
             douts = queries + KeyRoom<D>::TILE / 2, mine = w->base + w->me * SIDE * 128;
    const float *ends = (const float *)(w->room + KeyRoom<D>::ENDS) + w->stage.number * 2 * SIDE;
    const StageRows &rows = ((const StageRows *)(w->room + KeyRoom<D>::TOLD))[w->stage.number];
    float p[SIDE / 8][4], ds[SIDE / 8][4];
    uint32_t weights[SIDE / 16][4], gradients[SIDE / 16][4];
    mbarrier_wait(w->barrier(QUERIES_FULL + w->stage.number), w->stage.parity);
    if (rows.live < SIDE)
        zero_tail(*w, rows.live);
    bool masked = rows.first + HOPPER_ROWS > 0 || rows.live < SIDE;
    wgmma_fence();
    tile_products<D, SIDE>(p, mine + KeyRoom<D>::KEYS, PART_BYTES, queries, HALF_PART_BYTES);
    wgmma_commit();
    tile_products<D, SIDE>(ds, mine + KeyRoom<D>::VALUES, PART_BYTES, douts, HALF_PART_BYTES);
    wgmma_commit();
    wgmma_wait<1>();
    wgmma_hold<SIDE / 8>(p);
    weigh_scores(p, ends, scale);
    if (masked)
        hide_unseen(p, first_key(*w, rows), rows.live);
    round_to_fragments<SIDE / 16>(weights, p);
    wgmma_wait<0>();
    wgmma_hold<SIDE / 8>(ds);
    weigh_gradients(ds, p, ends + SIDE, scale);
    if (masked)
        hide_unseen(ds, first_key(*w, rows), rows.live);
    round_to_fragments<SIDE / 16>(gradients, ds);
    wgmma_hold<SIDE / 16>(weights);
    wgmma_hold<SIDE / 16>(gradients);
    wgmma_hold<D / 8>(dv);
    wgmma_hold<D / 8>(dk);
    wgmma_fence();
    tile_sums<D, SIDE / 16>(dv, weights, douts, HALF_PART_BYTES);
    tile_sums<D, SIDE / 16>(dk, gradients, queries, HALF_PART_BYTES);
    wgmma_commit();
    put_ds(w, gradients, b, rows);
    wgmma_wait<0>();
    wgmma_hold<D / 8>(dv);
    wgmma_hold<D / 8>(dk);
    wgmma_hold<SIDE / 16>(weights);
    wgmma_hold<SIDE / 16>(gradients);
    bool more = rows.left > 1;
    __syncwarp();
    if (w->thread % 32 == 0) // each warp for itself
        mbarrier_arrive(w->barrier(QUERIES_EMPTY + w->stage.number));
    w->stage.advance();
    return more;
}

template <int D>
__device__ inline void work_on_keys(KeyWorker<D> *w, const HopperBackward &b, const HopperRows &tile, float scale)
{
    float dk[D / 8][4], dv[D / 8][4];
    clear<D>(dk);
    clear<D>(dv);
    while (key_step<D>(dk, dv, w, b, scale))
        ;
    w->done_with_tile();
    auto put = [&](const TokenRows &to, const float(*x)[4]) {
        put_rows<D>(to.data, x, [&](int r) -> int64_t { // rows of the block begin behind those of the producers
            int key = tile.first + r - (HOPPER_THREADS - MULTIPLIERS) / 2;
            bool own = key >= 0 && key < tile.length;
            return own ? (tile.start + key) * to.stride + (b.first_head + tile.head) * D : -1;
        });
    };
    put(b.backward.dk, dk);
    put(b.backward.dv, dv);
}

template <int D> __device__ inline void multiply_for_keys(const HopperBackward &b, unsigned char *room)
{
    KeyWorker<D> w = {room, shared_address(room), (int)threadIdx.x / 128 - 1, (int)threadIdx.x % 128, {0, 0}, 0};
    float scale = 1.0f / sqrtf((float)D);
    for (int parity = 0;; parity ^= 1) {
        HopperRows tile;
        mbarrier_wait(w.barrier(KEYS_FULL), parity);
        int number = ((const int *)(room + KeyRoom<D>::NUMBER))[parity];
        if (number < 0)
            break;
        if (open_keys(&tile, b, number))
            work_on_keys<D>(&w, b, tile, scale);
        else
            w.done_with_tile();
    }
    if (w.thread == 0)
        bulk_wait<0>();
}

template <int D>
__global__ void __launch_bounds__(HOPPER_THREADS, 1)
    hopper_keys_kernel(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap dout,
                       const __grid_constant__ CUtensorMap k, const __grid_constant__ CUtensorMap v,
                       const HopperBackward b)
{
#if HOPPER_CODE
    unsigned char *room = dynamic_shared_tiles();
    if (threadIdx.x == 0) {
        for (int i = 0; i < KEY_BARRIERS; i++) { // a stage is full when both loading warps have been there
            int arrivals = i == KEYS_FULL ? 1 : i == KEYS_EMPTY || i >= QUERIES_EMPTY ? MULTIPLIERS / 32 : 2;
            mbarrier_init(shared_address(room + KeyRoom<D>::BARRIERS + 8 * i), arrivals);
        }
        mbarrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x < HOPPER_THREADS - MULTIPLIERS) {
        registers_down<40>();
        if (threadIdx.x < 32)
            load_for_keys<D>(b, &q, &dout, &k, &v, room);
        else if (threadIdx.x < 64)
            tell_for_keys<D>(b, room);
    } else {
        registers_up<232>();
        multiply_for_keys<D>(b, room);
    }
#endif
}

// ---- queries

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
        for (int n = (int)blockIdx.x; n < b.query_tiles; n += (int)gridDim.x)
            if (open_queries(&tile, b, n, heads))
                load_for_queries<D>(b, tile, &k, room, &stage);
    } else {
        registers_up<216>();
        for (int n = (int)blockIdx.x; n < b.query_tiles; n += (int)gridDim.x)
            if (open_queries(&tile, b, n, heads))
                work_on_queries<D>(b, tile, base, warpgroup - 1, (int)threadIdx.x % 128, &stage);
    }
#endif
}

// ---- both

template <int D> static void start_hopper(Stream *s, const AttentionBackward &backward, int64_t tokens, int kv_heads)
{
    const Attention *a = &backward.a;
    int64_t tiles = tiles_at_most(a, tokens, 1, HOPPER_ROWS), group = a->heads / a->kv_heads;
    int64_t key_tiles =
        a->context_rows == NULL ? tiles : tiles_at_most(a, tokens + a->sequences * SIDE, 1, HOPPER_ROWS);
    int most = device_multiprocessors();
    CUtensorMap q, dout, k, v, k_half;
    auto describe = [=](CUtensorMap *map, const TokenRows &x, int64_t heads, int box_rows) {
        describe_tensor(map, x.data, tokens, heads, D, x.stride, box_rows, 1);
    };
    describe(&q, backward.q, a->heads, SIDE);
    describe(&dout, backward.dout, a->heads, SIDE);
    describe(&k, backward.k, a->kv_heads, HOPPER_ROWS);
    describe(&v, backward.v, a->kv_heads, HOPPER_ROWS);
    describe(&k_half, backward.k, a->kv_heads, SIDE);
    bool blocks = kv_heads > 0; // otherwise the queries make dS again, for themselves
    for (int first = 0, count; first < a->kv_heads; first += count) {
        count = blocks ? min(kv_heads, (int)a->kv_heads - first) : (int)a->kv_heads;
        HopperBackward b = {
            backward,           blocks ? (element *)a->workspace : NULL, first, count, (int)key_tiles * count, 0,
            (int)a->block_pairs};
        b.query_tiles = (int)(tiles * count * group);
        launch(s, dim3((unsigned)min(b.key_tiles, most)), HOPPER_THREADS, KeyRoom<D>::BYTES, hopper_keys_kernel<D>, q,
               dout, k, v, b);
        if (blocks)
            launch(s, dim3((unsigned)min(b.query_tiles, most)), HOPPER_THREADS, QueryRoom<D>::BYTES,
                   hopper_queries_kernel<D>, k_half, b);
    }
}

// How many kv heads' blocks of dS the workspace holds
static int64_t heads_at_a_time(const Attention *a)
{
    if (a->workspace == NULL || a->block_pairs == 0 || a->block_pairs * a->heads > INT32_MAX)
        return 0;
    return a->workspace_floats * (int64_t)sizeof(float) / (a->block_pairs * BLOCK_BYTES * (a->heads / a->kv_heads));
}

bool hopper_attention_backward(Stream *s, const AttentionBackward &backward, int64_t tokens)
{
    const Attention *a = &backward.a;
    if (!hopper_chosen("DEREASON_ATTENTION") || a->heads / a->kv_heads > HOPPER_ROWS)
        return false;
    int kv_heads = (int)min(heads_at_a_time(a), a->kv_heads);
    if (a->head_width == 64)
        start_hopper<64>(s, backward, tokens, kv_heads);
    else
        start_hopper<128>(s, backward, tokens, kv_heads);
    if (kv_heads == 0)
        hopper_attention_queries(s, backward, tokens);
    return true;
}

#elif PRECISION_BITS == 16

bool hopper_attention_backward(Stream *, const AttentionBackward &, int64_t) { return false; }

#endif

} // namespace PRECISION
