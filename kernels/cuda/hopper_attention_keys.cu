// The gradients of attention's keys and values for Hopper, and dS on the way (what for: hopper_attention_backward.cu).
//
// A tile of 128 keys of a kv head, 64 for each of two warpgroups, walks the heads of the group, then queries,
// ascending. Sᵀ = K·Qᵀ and dPᵀ = V·dOᵀ from shared memory; Pᵀ and dSᵀ, in registers, are the left operands of
// dV += Pᵀ·dO and dK += dSᵀ·Q; meanwhile dSᵀ goes to shared memory, and from there in one piece. Which queries come
// next, and where their dS belongs, is worked out by a warp that loads: those that multiply have no register left.
//
// Limit: 8·D operations for each head, query and key it sees. No card has run it yet.
#include "kernels/cuda/hopper.h"
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_backward.cuh"

namespace PRECISION
{

enum { KEY_STAGES = 3 };

__device__ int next_key_tile; // zero between launches

// ---- tiles of keys

// What is left of a sequence's context behind its last whole block: the first of its own blocks begins with so many
// keys that are the context's.
__device__ inline int keys_ahead(const Attention &a, int sequence) { return a.contexts[sequence] % SIDE; }

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

// ---- the steps of a tile of keys: the heads of the group, for each the blocks of queries that see some of its keys

__device__ inline KeyStep first_step(const HopperRows &tile, int head)
{
    return KeyStep{{tile.sequence, tile.start, tile.length, max(tile.first, 0) / SIDE * SIDE}, head};
}

// The row behind the last that sees the tile's keys
__device__ inline int seen_until(const Attention &a, const HopperRows &tile)
{
    return a.seen_until == NULL ? tile.start + tile.length : a.seen_until[tile.sequence];
}

__device__ inline void next_step(KeyStep *step, const Attention &a, const HopperRows &tile)
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
__device__ inline void tell_rows(StageRows *rows, const HopperBackward &b, const HopperRows &tile, const KeyStep &step,
                                 const Blocks &blocks, int left)
{
    int me = (int)threadIdx.x % 32, first = tile.first + me * SIDE;
    bool own = step.queries.sequence == tile.sequence;
    if (me >= 2)
        return;
    int from = max(-first, 0), until = own ? (int)SIDE : min(tile.length - first, (int)SIDE);
    bool there = b.ds != NULL && from < until && (!own || first < min(step.queries.query + (int)SIDE, tile.length));
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
    int number = next_number(slot, &next_key_tile, b.tiles, empty, parity, 64);
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
        HopperRows tile = {};
        int left,
            number = next_keys(&tile, &left, b, (int *)(room + KeyRoom<D>::NUMBER), barriers + 8 * KEYS_EMPTY, parity);
        if (threadIdx.x == 0 && left > 0)
            load_keys<D>(b, tile, k, v, base, barriers + 8 * KEYS_FULL);
        else if (threadIdx.x == 0)
            mbarrier_arrive(barriers + 8 * KEYS_FULL);
        if (number < 0)
            return;
        KeyStep step = first_step(tile, 0);
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
        HopperRows opened = {};
        int left, number = next_keys(&opened, &left, b, (int *)(room + KeyRoom<D>::NUMBER), barriers + 8 * KEYS_EMPTY,
                                     parity);
        if (number < 0)
            return;
        if (threadIdx.x % 32 == 0)
            *tile = opened;
        __syncwarp();
        KeyStep step = first_step(*tile, 0);
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

// Zeros where a query does not see a key, or is not there. key: of the thread's first row, from the block's first
// column on; queries: how many are there
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

template <int D> static void start_keys(Stream *s, const HopperBackward &b, int64_t tokens)
{
    const AttentionBackward &backward = b.backward;
    const Attention &a = backward.a;
    CUtensorMap q, dout, k, v;
    describe_heads(&q, backward.q, tokens, a.heads, D, SIDE);
    describe_heads(&dout, backward.dout, tokens, a.heads, D, SIDE);
    describe_heads(&k, backward.k, tokens, a.kv_heads, D, HOPPER_ROWS);
    describe_heads(&v, backward.v, tokens, a.kv_heads, D, HOPPER_ROWS);
    launch(s, dim3((unsigned)min(b.tiles, device_multiprocessors())), HOPPER_THREADS, KeyRoom<D>::BYTES,
           hopper_keys_kernel<D>, q, dout, k, v, b);
}

void hopper_attention_keys(Stream *s, const HopperBackward &b, int64_t tokens)
{
    const Attention *a = &b.backward.a;
    int64_t rows = a->context_rows == NULL ? tokens : tokens + a->sequences * SIDE; // tiles may begin before their keys
    HopperBackward keys = b;
    keys.tiles = (int)tiles_at_most(a, rows, 1, HOPPER_ROWS) * b.kv_heads;
    if (a->head_width == 64)
        start_keys<64>(s, keys, tokens);
    else
        start_keys<128>(s, keys, tokens);
}

} // namespace PRECISION

#endif
