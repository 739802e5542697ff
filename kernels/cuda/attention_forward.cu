// Causal attention over a ragged batch, forward (Dao 2023, FlashAttention-2; what it computes: kernels/operations.h).
//
// A block takes 64 rows of one sequence and kv head (attention.cuh) and walks its keys in blocks of KEY_BLOCK = 128,
// counted from position 0 and wherever they lie: in the batch, or in KV pages. A warp has 16 rows whole: its queries
// stay in registers as fragments, scores become weights in registers, and the weights are the next product's fragments
// without leaving them. Keys and values of a block are loaded by cp.async while the other one is multiplied. After a
// segment of KEY_SEGMENT = 1,024 positions a row's sums are merged into its total, which lies in shared memory and is
// only touched by rows of more than one segment. A sequence with one new token over pages is attention_decode.cu's,
// with the same bits. Two blocks fit a multiprocessor. Limit: 4·D operations for each head, query and key it sees, in
// mma.sync. An H200 reaches 172 to 199 TFLOP/s (cuDNN: 440 to 570): 64 rows to a block ask the second cache for more
// keys and values than it has to give.
#include "kernels/cuda/attention_softmax.cuh"
#include "kernels/cuda/hopper.h"
#include <assert.h>

namespace PRECISION
{

typedef AttentionForward Forward;

// What a block works on.
template <int D> struct Tile : RowTile {
    int last;               // position of the last query here
    element *keys, *values; // (KEY_BLOCK, D + PAD) each
    float *total;           // (D / 2, ATTENTION_THREADS): thread t's 4 · D / 8 accumulators in column t
};

template <int D>
__device__ inline void load_block(element *room, const Tile<D> &tile, const Attention &a, const TokenRows &rows,
                                  const void *pages, int block)
{
    int first = block * KEY_BLOCK, length = tile.last + 1 - first, distance = pages == NULL ? (int)rows.stride : D;
    const element *base;
    // a block that begins in the context may end behind it
    int before = pages == NULL && first < tile.context ? tile.context - first : KEY_BLOCK;
    int64_t jump = pages == NULL ? (int64_t)(tile.start - tile.context_row - tile.context) * distance : 0;
    if (pages == NULL)
        base = rows.data + key_row(tile, first) * rows.stride + tile.kv_head * D;
    else
        base = (const element *)pages +
               ((int64_t)a.page_table[tile.sequence * a.pages_per_sequence + block] * a.kv_heads + tile.kv_head) *
                   KEY_BLOCK * D;
    load_rows<D, KEY_BLOCK>(
        room, base, [=](int r) { return r < length ? base + (int64_t)r * distance + (r < before ? 0 : jump) : NULL; },
        pages != NULL);
}

// The segment's sums into the total, and a new segment begins.
template <int D>
__device__ inline void merge_segment(const Tile<D> &tile, float (*weighted)[4], RowSums segment[2], RowSums total[2],
                                     float scale)
{
    MergeScales by[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        by[half] = merge_sums(&total[half], segment[half], scale);
        segment[half] = RowSums{-INFINITY, 0};
    }
#pragma unroll
    for (int d = 0; d < D / 8; d++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float *sum = tile.total + (d * 4 + i) * ATTENTION_THREADS + threadIdx.x;
            *sum = fmaf(*sum, by[i / 2].before, weighted[d][i] * by[i / 2].segment);
            weighted[d][i] = 0;
        }
}

template <int D> __device__ inline void clear_total(const Tile<D> &tile)
{
    for (int i = 0; i < D / 2; i++)
        tile.total[i * ATTENTION_THREADS + threadIdx.x] = 0;
}

template <int D> __device__ inline void take_total(float (*weighted)[4], const Tile<D> &tile)
{
#pragma unroll
    for (int d = 0; d < D / 8; d++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            weighted[d][i] = tile.total[(d * 4 + i) * ATTENTION_THREADS + threadIdx.x];
}

template <int D>
__device__ inline void put_result(const Forward &forward, const Tile<D> &tile, const float (*weighted)[4],
                                  const RowSums sums[2], float scale)
{
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = warp * 16 + half * 8 + lane / 4;
        if (r >= tile.rows)
            continue;
        int64_t row = head_row(tile, forward.a, r);
        float inverse = 1.0f / sums[half].l;
#pragma unroll
        for (int d = 0; d < D / 8; d++)
            put_two(forward.out + row * D + d * 8, weighted[d][half * 2] * inverse,
                    weighted[d][half * 2 + 1] * inverse);
        if (lane % 4 == 0)
            forward.logsumexp[row] = logsumexp_of(sums[half], scale);
    }
}

template <int D> __device__ inline bool open_tile(Tile<D> *tile, const Attention &a)
{
    if (!open_rows(tile, a))
        return false;
    tile->last = position_of(*tile, tile->rows - 1);
    tile->keys = dynamic_shared<element>();
    tile->values = tile->keys + KEY_BLOCK * (D + PAD);
    tile->total = (float *)(tile->values + KEY_BLOCK * (D + PAD));
    return true;
}

template <int D>
__global__ void __launch_bounds__(ATTENTION_THREADS, PRECISION_BITS == 16 ? 2 : 1)
    attention_forward_kernel(Forward forward)
{
    const int BLOCKS = KEY_SEGMENT / KEY_BLOCK;
    const Attention &a = forward.a;
    Tile<D> tile;
    if (!open_tile(&tile, a))
        return; // the whole block
    float scale = LOG2_E / sqrtf((float)D), weighted[D / 8][4], scores[KEY_BLOCK / 8][4];
    int warp_row = (int)threadIdx.x / 32 * 16, row = warp_row + (int)threadIdx.x % 32 / 4;
    bool full = warp_row + 15 < tile.rows;
    int position[2] = {position_of(tile, row), position_of(tile, row + 8)};
    int reach = position_of(tile, full ? warp_row + 15 : tile.rows - 1); // of the warp; without rows it keeps pace
    int all_see = full ? position_of(tile, warp_row) : -1; // the last key that no row of the warp is denied
    RowSums segment[2] = {{-INFINITY, 0}, {-INFINITY, 0}}, total[2] = {{-INFINITY, 0}, {-INFINITY, 0}};
    FragmentA queries[D / 16];
    load_fragments<D, ATTENTION_ROWS>(queries, tile.keys, warp_row, forward.q.data, [&](int r) {
        return r < tile.rows ? forward.q.data + head_place(tile, r, forward.q.stride, D) : NULL;
    });
    clear<D>(weighted);
    bool segments = tile.last >= KEY_SEGMENT;
    if (segments)
        clear_total(tile);
    load_block(tile.keys, tile, a, forward.k, a.key_pages, 0);
    cp_async_commit();
    load_block(tile.values, tile, a, forward.v, a.value_pages, 0);
    cp_async_commit();
    for (int block = 0; block <= tile.last / KEY_BLOCK; block++) {
        bool more = block < tile.last / KEY_BLOCK;
        int groups = groups_until(block * KEY_BLOCK, reach, KEY_BLOCK / 16);
        if (block > 0 && block % BLOCKS == 0)
            merge_segment(tile, weighted, segment, total, scale);
        cp_async_wait<1>();
        __syncthreads(); // the keys are there for all
        row_products<D, KEY_BLOCK>(
            scores, [&](int k) { return queries[k]; }, tile.keys, groups);
        __syncthreads(); // nobody reads them any more
        if (more)
            load_block(tile.keys, tile, a, forward.k, a.key_pages, block + 1);
        cp_async_commit();
        if ((block + 1) * KEY_BLOCK - 1 > all_see)
            mask(scores, block * KEY_BLOCK, position);
#pragma unroll
        for (int half = 0; half < 2; half++)
            scale_row<D>(weighted, half, softmax_row(scores, half, &segment[half], scale));
        cp_async_wait<1>();
        __syncthreads(); // the values
        accumulate_rows<D, KEY_BLOCK>(weighted, scores, tile.values, groups);
        __syncthreads();
        if (more)
            load_block(tile.values, tile, a, forward.v, a.value_pages, block + 1);
        cp_async_commit();
    }
    cp_async_wait<0>();
    if (segments) {
        merge_segment(tile, weighted, segment, total, scale);
        take_total(weighted, tile);
        segment[0] = total[0];
        segment[1] = total[1];
    }
    put_result(forward, tile, weighted, segment, scale);
}

template <int D> static void start(Stream *s, const Forward &forward, int64_t tokens)
{
    const Attention *a = &forward.a;
    int64_t tiles = tiles_at_most(a, tokens, a->heads / a->kv_heads, ATTENTION_ROWS);
    size_t shared = 2 * KEY_BLOCK * (D + PAD) * sizeof(element) + ATTENTION_ROWS * D * sizeof(float);
    launch(s, dim3(tiles, a->kv_heads), ATTENTION_THREADS, shared, attention_forward_kernel<D>, forward);
}

void attention_forward(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a)
{
    assert(q.columns == a->heads * a->head_width && (a->head_width == 64 || a->head_width == 128) &&
           a->heads % a->kv_heads == 0);
    assert(is_dense(out) && q.stride % LANES == 0 && k.stride % LANES == 0 && v.stride % LANES == 0);
    Forward forward = {elements(out), logsumexp, token_rows(q), token_rows(k), token_rows(v), *a};
    if (a->key_pages != NULL)
        attention_decode(s, out, logsumexp, q, a);
    if (q.rows == 0 || (a->key_pages != NULL && q.rows == a->sequences))
        return; // one new token each: all of them decode
    if (hopper_attention_forward(s, forward, q.rows))
        return;
    if (a->head_width == 64)
        start<64>(s, forward, q.rows);
    else
        start<128>(s, forward, q.rows);
}

} // namespace PRECISION
