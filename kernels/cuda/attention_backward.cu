// Causal attention, backward: from the output's gradient those of queries, keys and values (Dao 2023, algorithm 2).
//
//   P = exp(Q·Kᵀ·scale - logsumexp),  dP = dO·Vᵀ,  dS = P · (dP - delta) · scale,  delta = Σ dO·O
//   dV = Pᵀ·dO,  dK = dSᵀ·Q,  dQ = dS·K
//
// Two kernels, so that every gradient is one chain with one owner and nothing is added atomically: one owns 64 keys of
// a kv head and walks the heads of the group, then the queries, ascending (each sequence's begin a block of them, and
// with it a group of 16 in the chains); the other owns 64 rows of queries
// (attention.cuh) and walks the keys ascending. P and dS are made twice: 7 products instead of 5. Both work alike: a
// warp owns 16 rows, its P and dS never leave the registers (rounded, they are the next product's fragments), and the
// other side's tiles come by cp.async, two stages deep. Limit: 14·D operations for each head, query and key it sees, in
// mma.sync. An H200 reaches 133 to 166 TFLOP/s of the 10·D that count (cuDNN: 430).
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/hopper.h"
#include <assert.h>

namespace PRECISION
{

// Keys that a block owns or walks at a time; queries that a block walks at a time.
enum { KEYS = 64, QUERIES = 64 };

typedef AttentionBackward Backward;

// ---- delta[t][h] = Σ_d dout · out: a warp for each row

__global__ void output_dots_kernel(float *delta, const element *dout, const element *out, int64_t rows, int D)
{
    int64_t row = (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = (int)threadIdx.x % 32;
    float sum = 0;
    if (row < rows)
        for (int c = lane * LANES; c < D; c += 32 * LANES) {
            Vector x = load(dout + row * D + c), y = load(out + row * D + c);
#pragma unroll
            for (int i = 0; i < LANES; i++)
                sum = fmaf(widen(x.lane[i]), widen(y.lane[i]), sum);
        }
    sum = warp_sum(sum);
    if (row < rows && lane == 0)
        delta[row] = sum;
}

// From scores and dP to P and dS, for one pair (query, key): both exactly zero where the query does not see the key.
__device__ inline void weights_of(float *p, float *ds, bool seen, float logsumexp2, float delta, float scale)
{
    float weight = weight_of(*p, logsumexp2, scale);
    *ds = seen ? score_gradient(weight, *ds, delta, scale) : 0;
    *p = seen ? weight : 0;
}

// ---- keys and values

// What a block of this kernel works on: keys first .. first + 63 of one sequence's own, and one kv head. Whoever sees
// them is in rows before `until`.
struct KeyTile {
    int sequence, start, keys, until; // the sequence's first row, its rows
    int first, kv_head, group;
};

__device__ inline KeyStep first_step(const KeyTile &tile, int head)
{
    return KeyStep{{tile.sequence, tile.start, tile.keys, tile.first}, head};
}

__device__ inline bool next_step(KeyStep *step, const Attention &a, const KeyTile &tile)
{
    if (next_seers(&step->queries, a, tile.until, QUERIES))
        return true;
    *step = first_step(tile, step->head + 1);
    return step->head < tile.group;
}

// Its queries, and what their rows end in: (QUERIES, D + PAD) twice, then two rows of numbers; behind those what they
// are to the tile's keys, how many there are and the tile's first key, counted from the first of them
enum { ABOUT = 4 };

template <int D>
__device__ inline void load_query_stage(element *stage, const Backward &backward, const KeyTile &tile,
                                        const KeyStep &step)
{
    int head = tile.kv_head * tile.group + step.head;
    int64_t token = step.queries.start + step.queries.query, first = token * backward.a.heads + head,
            q_stride = backward.q.stride, dout_stride = backward.dout.stride;
    const element *q = backward.q.data + token * q_stride + head * D,
                  *dout = backward.dout.data + token * dout_stride + head * D;
    int live = step.queries.length - step.queries.query;
    load_rows<D, QUERIES>(stage, q, [=](int r) { return r < live ? q + r * q_stride : NULL; });
    load_rows<D, QUERIES>(stage + QUERIES * (D + PAD), dout,
                          [=](int r) { return r < live ? dout + r * dout_stride : NULL; });
    float *ends = (float *)(stage + 2 * QUERIES * (D + PAD));
    if (threadIdx.x < QUERIES) { // read after the barrier that also follows the copies
        int r = (int)threadIdx.x;
        int64_t row = first + r * backward.a.heads;
        ends[r] = r < live ? backward.logsumexp[row] * LOG2_E : 0;
        ends[QUERIES + r] = r < live ? backward.delta[row] : 0;
    }
    int *about = (int *)(ends + 2 * QUERIES);
    if (threadIdx.x == 0) {
        about[0] = live;
        about[1] =
            step.queries.sequence == tile.sequence ? tile.first - step.queries.query : -KEYS; // another's see all
    }
}

template <int D> __host__ __device__ constexpr int query_stage_elements()
{
    return 2 * QUERIES * (D + PAD) + (2 * QUERIES + ABOUT) * (int)(sizeof(float) / sizeof(element));
}

// One stage: a warp's 16 keys against QUERIES queries. The rows of the products are keys, their columns queries.
template <int D>
__device__ inline void key_step(float (*dk)[4], float (*dv)[4], const element *keys, const element *values,
                                const element *stage, float scale)
{
    const element *q = stage, *dout = stage + QUERIES * (D + PAD);
    const float *ends = (const float *)(stage + 2 * QUERIES * (D + PAD));
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, warp_row = warp * 16 * (D + PAD);
    const int *about = (const int *)(ends + 2 * QUERIES);
    int live = about[0], key = about[1] + warp * 16 + lane / 4;
    float p[QUERIES / 8][4], ds[QUERIES / 8][4];
    row_products<D, QUERIES>(
        p, [&](int k) { return load_a(keys + warp_row + k * 16, D + PAD); }, q, QUERIES / 16);
    row_products<D, QUERIES>(
        ds, [&](int k) { return load_a(values + warp_row + k * 16, D + PAD); }, dout, QUERIES / 16);
#pragma unroll
    for (int j = 0; j < QUERIES / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int column = j * 8 + lane % 4 * 2 + i % 2;
            bool seen = column < live && key + i / 2 * 8 <= column;
            weights_of(&p[j][i], &ds[j][i], seen, ends[column], ends[QUERIES + column], scale);
        }
    accumulate_rows<D, QUERIES>(dv, p, dout, QUERIES / 16);
    accumulate_rows<D, QUERIES>(dk, ds, q, QUERIES / 16);
}

template <int D> __global__ void __launch_bounds__(ATTENTION_THREADS) attention_keys_kernel(Backward backward)
{
    const Attention &a = backward.a;
    Place place = find_tile(a, blockIdx.x, 1, KEYS);
    if (place.sequence < 0)
        return; // the whole block
    int start = a.starts[place.sequence], end = a.starts[place.sequence + 1];
    KeyTile tile = {place.sequence,
                    start,
                    end - start,
                    a.seen_until == NULL ? end : a.seen_until[place.sequence],
                    (int)place.first,
                    (int)blockIdx.y,
                    (int)(a.heads / a.kv_heads)};
    element *keys = dynamic_shared<element>(), *values = keys + KEYS * (D + PAD), *stages = values + KEYS * (D + PAD);
    int64_t token = tile.start + tile.first, k_stride = backward.k.stride, v_stride = backward.v.stride;
    const element *k = backward.k.data + token * k_stride + tile.kv_head * D,
                  *v = backward.v.data + token * v_stride + tile.kv_head * D;
    int live = tile.keys - tile.first;
    load_rows<D, KEYS>(keys, k, [=](int r) { return r < live ? k + r * k_stride : NULL; });
    load_rows<D, KEYS>(values, v, [=](int r) { return r < live ? v + r * v_stride : NULL; });
    KeyStep step = first_step(tile, 0);
    load_query_stage<D>(stages, backward, tile, step);
    cp_async_commit();
    float dk[D / 8][4], dv[D / 8][4], scale = 1.0f / sqrtf((float)D);
    clear<D>(dk);
    clear<D>(dv);
    bool more = true;
    for (int stage = 0; more; stage ^= 1) { // heads of the group, then queries
        more = next_step(&step, a, tile);
        if (more)
            load_query_stage<D>(stages + (stage ^ 1) * query_stage_elements<D>(), backward, tile, step);
        cp_async_commit();
        cp_async_wait<1>();
        __syncthreads(); // this step's stage is there
        key_step<D>(dk, dv, keys, values, stages + stage * query_stage_elements<D>(), scale);
        __syncthreads(); // and may be filled again
    }
    cp_async_wait<0>();
    auto put = [&](const TokenRows &to, const float(*x)[4]) {
        put_rows<D>(to.data, x,
                    [&](int r) -> int64_t { return r < live ? (token + r) * to.stride + tile.kv_head * D : -1; });
    };
    put(backward.dk, dk);
    put(backward.dv, dv);
}

// ---- queries

// Keys and values from `key` on, up to the last that a query of the tile sees: (KEYS, D + PAD) twice
template <int D>
__device__ inline void load_key_stage(element *stage, const Backward &backward, const RowTile &tile, int key, int last)
{
    int live = last + 1 - key, before = key < tile.context ? tile.context - key : KEYS;
    int jump = tile.start - tile.context_row - tile.context, row = key_row(tile, key);
    auto load_side = [=](element *to, const TokenRows &x) {
        const element *from = x.data + row * x.stride + tile.kv_head * D;
        int64_t stride = x.stride;
        load_rows<D, KEYS>(to, from,
                           [=](int r) { return r < live ? from + (r + (r < before ? 0 : jump)) * stride : NULL; });
    };
    load_side(stage, backward.k);
    load_side(stage + KEYS * (D + PAD), backward.v);
}

// A thread's two rows: position (-1: there is no such row), and what the rows end in.
struct RowEnds {
    int position;
    float logsumexp2, delta;
};

__device__ inline RowEnds row_ends(const Backward &backward, const RowTile &tile, int r)
{
    if (r >= tile.rows)
        return RowEnds{-1, 0, 0};
    int64_t row = head_row(tile, backward.a, r);
    return RowEnds{position_of(tile, r), backward.logsumexp[row] * LOG2_E, backward.delta[row]};
}

template <int D>
__device__ inline void query_step(float (*dq)[4], const element *q, const element *dout, const element *stage,
                                  const RowEnds ends[2], int key, float scale, int groups)
{
    const element *keys = stage, *values = stage + KEYS * (D + PAD);
    int lane = (int)threadIdx.x % 32, warp_row = (int)threadIdx.x / 32 * 16 * (D + PAD);
    float p[KEYS / 8][4], ds[KEYS / 8][4];
    row_products<D, KEYS>(
        p, [&](int k) { return load_a(q + warp_row + k * 16, D + PAD); }, keys, groups);
    row_products<D, KEYS>(
        ds, [&](int k) { return load_a(dout + warp_row + k * 16, D + PAD); }, values, groups);
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            bool seen = key + j * 8 + lane % 4 * 2 + i % 2 <= ends[i / 2].position;
            weights_of(&p[j][i], &ds[j][i], seen, ends[i / 2].logsumexp2, ends[i / 2].delta, scale);
        }
    accumulate_rows<D, KEYS>(dq, ds, keys, groups);
}

template <int D> __global__ void __launch_bounds__(ATTENTION_THREADS) attention_queries_kernel(Backward backward)
{
    constexpr int STAGE = 2 * KEYS * (D + PAD);
    RowTile tile;
    if (!open_rows(&tile, backward.a))
        return; // the whole block
    int warp = (int)threadIdx.x / 32, r = warp * 16 + (int)threadIdx.x % 32 / 4,
        last = position_of(tile, tile.rows - 1);
    int warp_last = warp * 16 + 15 < tile.rows ? position_of(tile, warp * 16 + 15) : last;
    element *q = dynamic_shared<element>(), *dout = q + ATTENTION_ROWS * (D + PAD),
            *stages = dout + ATTENTION_ROWS * (D + PAD);
    auto row_of = [&](const TokenRows &x, int r) {
        return r < tile.rows ? x.data + head_place(tile, r, x.stride, D) : NULL;
    };
    load_rows<D, ATTENTION_ROWS>(q, backward.q.data, [&](int r) { return row_of(backward.q, r); });
    load_rows<D, ATTENTION_ROWS>(dout, backward.dout.data, [&](int r) { return row_of(backward.dout, r); });
    load_key_stage<D>(stages, backward, tile, 0, last);
    cp_async_commit();
    RowEnds ends[2] = {row_ends(backward, tile, r), row_ends(backward, tile, r + 8)};
    float dq[D / 8][4], scale = 1.0f / sqrtf((float)D);
    clear<D>(dq);
    int steps = last / KEYS + 1;
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps)
            load_key_stage<D>(stages + (step + 1) % 2 * STAGE, backward, tile, (step + 1) * KEYS, last);
        cp_async_commit();
        cp_async_wait<1>();
        __syncthreads(); // this step's stage is there
        query_step<D>(dq, q, dout, stages + step % 2 * STAGE, ends, step * KEYS, scale,
                      groups_until(step * KEYS, warp_last, KEYS / 16));
        __syncthreads(); // and may be filled again
    }
    cp_async_wait<0>();
    put_rows<D>(backward.dq.data, dq,
                [&](int r) -> int64_t { return r < tile.rows ? head_place(tile, r, backward.dq.stride, D) : -1; });
}

// ---- both

template <int D> static void start(Stream *s, const Backward &backward, int64_t tokens)
{
    size_t row = (D + PAD) * sizeof(element);
    size_t keys_shared = 2 * KEYS * row + 2 * query_stage_elements<D>() * sizeof(element);
    size_t queries_shared = 2 * ATTENTION_ROWS * row + 4 * KEYS * row;
    int64_t query_tiles = tiles_at_most(&backward.a, tokens, backward.a.heads / backward.a.kv_heads, ATTENTION_ROWS);
    launch(s, dim3(tiles_at_most(&backward.a, tokens, 1, KEYS), backward.a.kv_heads), ATTENTION_THREADS, keys_shared,
           attention_keys_kernel<D>, backward);
    launch(s, dim3(query_tiles, backward.a.kv_heads), ATTENTION_THREADS, queries_shared, attention_queries_kernel<D>,
           backward);
}

void attention_backward(Stream *s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor dout, Tensor q, Tensor k,
                        Tensor v, Tensor out, const float *logsumexp, const Attention *a)
{
    assert(a->key_pages == NULL && q.columns == a->heads * a->head_width && k.columns == a->kv_heads * a->head_width);
    assert((a->head_width == 64 || a->head_width == 128) && is_dense(dout) && is_dense(out));
    for (Tensor t : {dq, dk, dv, q, k, v})
        assert(t.stride % LANES == 0);
    if (q.rows == 0)
        return;
    int64_t rows = q.rows * a->heads, warps = 8;
    launch(s, ceil_divide(rows, warps), 32 * warps, 0, output_dots_kernel, delta, elements(dout), elements(out), rows,
           (int)a->head_width);
    Backward backward = {token_rows(dq), token_rows(dk),   token_rows(dv), token_rows(q), token_rows(k),
                         token_rows(v),  token_rows(dout), logsumexp,      delta,         *a};
    if (hopper_attention_backward(s, backward, q.rows))
        return;
    if (a->head_width == 64)
        start<64>(s, backward, q.rows);
    else
        start<128>(s, backward, q.rows);
}

} // namespace PRECISION
