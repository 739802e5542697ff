// Causal attention over a ragged batch, forward (Dao 2023, FlashAttention-2; what it computes: kernels/operations.h).
//
// A block takes 64 rows of one sequence and kv head (attention.cuh) and walks its keys in blocks of KEY_BLOCK = 128, counted from
// position 0 and wherever they lie: in the batch, or in KV pages. A warp has 16 rows whole: its queries stay in registers as
// fragments, scores become weights in registers, and the weights are the next product's fragments without leaving them. Keys and
// values of a block are loaded by cp.async while the other one is multiplied. After a segment of KEY_SEGMENT = 1,024 positions a
// row's sums are merged into its total, which lies in shared memory and is only touched by rows of more than one segment.
// A sequence with one new token over pages is attention_decode.cu's, with the same bits.
// Two blocks fit a multiprocessor. Limit: 4·D operations for each head, query and key it sees, in mma.sync. An H200
// reaches 172 to 199 TFLOP/s (cuDNN: 440 to 570): 64 rows to a block ask the second cache for more keys and values than it has to give.
#include "kernels/cuda/attention_softmax.cuh"
#include <assert.h>

namespace PRECISION
{

struct Forward {
    element *out;
    float *logsumexp;
    const element *q, *k, *v;
    Attention a;
};

// What a block works on.
template <int D> struct Tile {
    int sequence, kv_head, group; // group: heads that share the keys
    int first, rows;              // first row within the sequence; rows that exist, of ATTENTION_ROWS
    int start, context, last; // row of the batch where the sequence starts; position of its new token 0, of the last query here
    element *keys, *values;   // (KEY_BLOCK, D + PAD) each
    float *total;             // (D / 2, ATTENTION_THREADS): thread t's 4 · D / 8 accumulators in column t
};

template <int D> __device__ inline int position_of(const Tile<D> &t, int r) // of row r of the tile; -1 if there is none
{
    return r < t.rows ? t.context + (t.first + r) / t.group : -1;
}

template <int D> __device__ inline int64_t head_row(const Tile<D> &t, const Attention &a, int r) // of row r in (T·H, D)
{
    int row = t.first + r;
    return (int64_t)(t.start + row / t.group) * a.heads + t.kv_head * t.group + row % t.group;
}

template <int D>
__device__ inline void load_block(element *tile, const Tile<D> &t, const Attention &a, const element *rows, const void *pages,
                                  int block)
{
    int length = t.last + 1 - block * KEY_BLOCK, distance = pages == NULL ? (int)a.kv_heads * D : D;
    const element *base;
    if (pages == NULL)
        base = rows + ((int64_t)(t.start + block * KEY_BLOCK) * a.kv_heads + t.kv_head) * D;
    else
        base = (const element *)pages +
               ((int64_t)a.page_table[t.sequence * a.pages_per_sequence + block] * a.kv_heads + t.kv_head) * KEY_BLOCK * D;
    load_rows<D, KEY_BLOCK>(tile, base, [=](int r) { return r < length ? base + (int64_t)r * distance : (const element *)NULL; });
}

// The segment's sums into the total. Where the total is still empty this is the segment itself, to the bit.
template <int D>
__device__ inline void merge_segment(const Tile<D> &t, float (*o)[4], RowSums now[2], RowSums all[2], float scale)
{
    float a[2], b[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float m = fmaxf(all[half].m, now[half].m), from = m == -INFINITY ? 0 : m;
        a[half] = exp2_flushed((all[half].m - from) * scale);
        b[half] = exp2_flushed((now[half].m - from) * scale);
        all[half] = RowSums{m, fmaf(all[half].l, a[half], now[half].l * b[half])};
        now[half] = RowSums{-INFINITY, 0};
    }
#pragma unroll
    for (int d = 0; d < D / 8; d++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float *total = t.total + (d * 4 + i) * ATTENTION_THREADS + threadIdx.x;
            *total = fmaf(*total, a[i / 2], o[d][i] * b[i / 2]);
            o[d][i] = 0;
        }
}

template <int D> __device__ inline void clear_total(const Tile<D> &t)
{
    for (int i = 0; i < D / 2; i++)
        t.total[i * ATTENTION_THREADS + threadIdx.x] = 0;
}

template <int D>
__device__ inline void put_rows(const Forward &f, const Tile<D> &t, const float (*o)[4], const RowSums sums[2], float scale)
{
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = warp * 16 + half * 8 + lane / 4;
        if (r >= t.rows)
            continue;
        int64_t row = head_row(t, f.a, r);
        float inverse = 1.0f / sums[half].l;
#pragma unroll
        for (int d = 0; d < D / 8; d++)
            put_two(f.out + row * D + d * 8, o[d][half * 2] * inverse, o[d][half * 2 + 1] * inverse);
        if (lane % 4 == 0)
            f.logsumexp[row] = fmaf(sums[half].m, scale / LOG2_E, logf(sums[half].l));
    }
}

// The block's queries as fragments of its warps, by way of the room of the keys.
template <int D> __device__ inline void load_queries(FragmentA q[D / 16], const Forward &f, const Tile<D> &t)
{
    load_rows<D, ATTENTION_ROWS>(t.keys, f.q,
                                 [&](int r) { return r < t.rows ? f.q + head_row(t, f.a, r) * D : (const element *)NULL; });
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
#pragma unroll
    for (int k = 0; k < D / 16; k++)
        q[k] = load_a(t.keys + (int)threadIdx.x / 32 * 16 * (D + PAD) + k * 16, D + PAD);
    __syncthreads();
}

template <int D> __device__ inline bool open_tile(Tile<D> *t, const Attention &a)
{
    int group = (int)(a.heads / a.kv_heads);
    Place place = find_tile(a, blockIdx.x, group, ATTENTION_ROWS);
    if (place.sequence < 0)
        return false;
    t->sequence = place.sequence;
    t->kv_head = (int)blockIdx.y;
    t->group = group;
    t->first = (int)place.first;
    t->start = a.starts[place.sequence];
    t->context = a.contexts[place.sequence];
    int left = (a.starts[place.sequence + 1] - t->start) * group - t->first;
    t->rows = left < ATTENTION_ROWS ? left : ATTENTION_ROWS;
    t->last = position_of(*t, t->rows - 1);
    t->keys = dynamic_shared<element>();
    t->values = t->keys + KEY_BLOCK * (D + PAD);
    t->total = (float *)(t->values + KEY_BLOCK * (D + PAD));
    return true;
}

template <int D>
__global__ void __launch_bounds__(ATTENTION_THREADS, PRECISION_BITS == 16 ? 2 : 1) attention_forward_kernel(Forward f)
{
    const int BLOCKS = KEY_SEGMENT / KEY_BLOCK;
    Tile<D> t;
    if (!open_tile(&t, f.a))
        return; // the whole block
    float scale = LOG2_E / sqrtf((float)D), o[D / 8][4], s[KEY_BLOCK / 8][4];
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, r = warp * 16 + lane / 4;
    int position[2] = {position_of(t, r), position_of(t, r + 8)};
    int reach = position_of(t, warp * 16 + 15 < t.rows ? warp * 16 + 15 : t.rows - 1); // of the warp; without rows it keeps pace
    int all_see = warp * 16 + 15 < t.rows ? position_of(t, warp * 16) : -1; // the last key that no row of the warp is denied
    RowSums now[2] = {{-INFINITY, 0}, {-INFINITY, 0}}, all[2] = {{-INFINITY, 0}, {-INFINITY, 0}};
    FragmentA q[D / 16];
    load_queries(q, f, t);
    clear<D>(o);
    bool segments = t.last >= KEY_SEGMENT;
    if (segments)
        clear_total(t);
    load_block(t.keys, t, f.a, f.k, f.a.key_pages, 0);
    cp_async_commit();
    load_block(t.values, t, f.a, f.v, f.a.value_pages, 0);
    cp_async_commit();
    for (int block = 0; block <= t.last / KEY_BLOCK; block++) {
        bool more = block < t.last / KEY_BLOCK;
        int groups = groups_until(block * KEY_BLOCK, reach, KEY_BLOCK / 16);
        if (block > 0 && block % BLOCKS == 0)
            merge_segment(t, o, now, all, scale);
        cp_async_wait<1>();
        __syncthreads(); // the keys are there for all
        row_products<D, KEY_BLOCK>(
            s, [&](int k) { return q[k]; }, t.keys, groups);
        __syncthreads(); // nobody reads them any more
        if (more)
            load_block(t.keys, t, f.a, f.k, f.a.key_pages, block + 1);
        cp_async_commit();
        if ((block + 1) * KEY_BLOCK - 1 > all_see)
            mask(s, block * KEY_BLOCK, position);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float keep = softmax_row(s, half, &now[half], scale);
#pragma unroll
            for (int d = 0; d < D / 8; d++) {
                o[d][half * 2] *= keep;
                o[d][half * 2 + 1] *= keep;
            }
        }
        cp_async_wait<1>();
        __syncthreads(); // the values
        accumulate_rows<D, KEY_BLOCK>(o, s, t.values, groups);
        __syncthreads();
        if (more)
            load_block(t.values, t, f.a, f.v, f.a.value_pages, block + 1);
        cp_async_commit();
    }
    cp_async_wait<0>();
    if (segments) {
        merge_segment(t, o, now, all, scale);
#pragma unroll
        for (int d = 0; d < D / 8; d++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                o[d][i] = t.total[(d * 4 + i) * ATTENTION_THREADS + threadIdx.x];
        now[0] = all[0];
        now[1] = all[1];
    }
    put_rows(f, t, o, now, scale);
}

template <int D> static void start(Stream *s, const Forward &f, int64_t tokens)
{
    int64_t tiles = tiles_at_most(&f.a, tokens, f.a.heads / f.a.kv_heads, ATTENTION_ROWS);
    size_t shared = 2 * KEY_BLOCK * (D + PAD) * sizeof(element) + ATTENTION_ROWS * D * sizeof(float);
    launch(s, dim3((unsigned)tiles, (unsigned)f.a.kv_heads), dim3(ATTENTION_THREADS), shared, attention_forward_kernel<D>, f);
}

void attention_forward(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a)
{
    assert(q.columns == a->heads * a->head_width && (a->head_width == 64 || a->head_width == 128) && a->heads % a->kv_heads == 0);
    Forward f = {(element *)out.data, logsumexp, (const element *)q.data, (const element *)k.data, (const element *)v.data, *a};
    if (a->key_pages != NULL)
        attention_decode(s, out, logsumexp, q, a);
    if (q.rows == 0 || (a->key_pages != NULL && q.rows == a->sequences))
        return; // one new token each: all of them decode
    if (a->head_width == 64)
        start<64>(s, f, q.rows);
    else
        start<128>(s, f, q.rows);
}

} // namespace PRECISION
