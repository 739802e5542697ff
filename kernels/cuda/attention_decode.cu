// Attention of sequences with one new token over KV pages, with the bits of attention_forward.cu: the same products of
// the same blocks of keys, the same softmax in the same lanes, the same merging of segments.
//
// One new token has the query heads of a group, 4 of them in Qwen3-4B, for each kv head: they are packed into one tile
// of 16 rows (a group of more than 16 into several). A piece of work is one segment, KEY_SEGMENT = 1,024 positions, of
// one sequence and kv head; a grid of as many blocks as the card holds walks the list of them, which every block makes
// for itself from the contexts, so that a captured graph stays right while sequences grow. The four warps of a block
// share a segment: each makes the scores of a quarter of a block's keys, all of them turn the scores into weights for
// themselves, each weighs a quarter of the values' columns. A sequence of one segment is done then; the sums of several
// wait in the workspace for merge_segments.
//
// Limit: the bytes of keys and values, read once. While a block of keys is multiplied its values are under way, and the
// next keys during the values; two blocks fit a multiprocessor, 140 KB in flight. On an H200 81 to 91% of the copy's
// bandwidth with 64 sequences and more.
#include "kernels/cuda/attention_softmax.cuh"
#include <assert.h>

namespace PRECISION
{

enum { DECODE_ROWS = 16, WARPS = ATTENTION_THREADS / 32, WARP_KEYS = KEY_BLOCK / WARPS, SCORE_PITCH = KEY_BLOCK + 8 };

struct Decode {
    element *out;
    float *logsumexp;
    const element *q;
    Attention a;
    int group, tiles; // heads that share the keys, and in how many tiles of rows they lie
    int64_t segments; // of a sequence at most
};

__device__ inline int segments_of(const Attention &a, int64_t sequence)
{
    return a.starts[sequence + 1] - a.starts[sequence] == 1 ? a.contexts[sequence] / KEY_SEGMENT + 1 : 0;
}

// Where the workspace has the sums of one row of a segment: m, l, and the weighted values (D).
template <int D> __device__ inline float *segment_sums(const Decode &decode, int64_t sequence, int head, int segment)
{
    return decode.a.workspace + ((sequence * decode.a.heads + head) * decode.segments + segment) * (D + 2);
}

// until (S): segments of this and all earlier sequences. By the first warp.
__device__ inline void list_segments(int *until, const Attention &a)
{
    int lane = (int)threadIdx.x, before = 0;
    for (int64_t base = 0; base < a.sequences; base += 32) {
        int sum = warp_sum_until(base + lane < a.sequences ? segments_of(a, base + lane) : 0);
        if (base + lane < a.sequences)
            until[base + lane] = before + sum;
        before += __shfl_sync(~0u, sum, 31);
    }
}

// A piece of work: which rows, which keys.
struct Piece {
    int sequence, segment, kv_head, head, rows; // head: of row 0; rows: heads that exist, of DECODE_ROWS
    int position, first_block, last_block;
    int64_t row; // of the batch
};

__device__ inline Piece piece_of(const Decode &decode, const int *until, int number)
{
    int per_segment = (int)decode.a.kv_heads * decode.tiles, listed = number / per_segment;
    int low = 0, high = (int)decode.a.sequences - 1;
    while (low < high) { // the first sequence that reaches behind it
        int middle = (low + high) / 2;
        if (until[middle] > listed)
            high = middle;
        else
            low = middle + 1;
    }
    Piece piece;
    piece.sequence = low;
    piece.segment = listed - (low > 0 ? until[low - 1] : 0);
    piece.kv_head = number % per_segment / decode.tiles;
    int tile = number % decode.tiles * DECODE_ROWS;
    piece.head = piece.kv_head * decode.group + tile;
    piece.rows = min(decode.group - tile, (int)DECODE_ROWS);
    piece.position = decode.a.contexts[low];
    piece.first_block = piece.segment * (KEY_SEGMENT / KEY_BLOCK);
    piece.last_block = min(piece.first_block + KEY_SEGMENT / KEY_BLOCK - 1, piece.position / KEY_BLOCK);
    piece.row = decode.a.starts[low];
    return piece;
}

template <int D>
__device__ inline void load_page(element *tile, const Attention &a, const Piece &piece, const void *pages, int block)
{
    int64_t page = a.page_table[piece.sequence * a.pages_per_sequence + block];
    const element *base = (const element *)pages + (page * a.kv_heads + piece.kv_head) * KEY_BLOCK * D;
    int length = piece.position + 1 - block * KEY_BLOCK;
    load_rows<D, KEY_BLOCK>(tile, base, [=](int r) { return r < length ? base + r * D : NULL; });
}

// This warp's quarter of a block's scores, to where all warps see them.
template <int D>
__device__ inline void put_scores(float *scores, const FragmentA queries[D / 16], const element *keys, int first_key,
                                  int position)
{
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    float s[WARP_KEYS / 8][4];
    row_products<D, WARP_KEYS>(
        s, [&](int k) { return queries[k]; }, keys + warp * WARP_KEYS * (D + PAD),
        groups_until(first_key + warp * WARP_KEYS, position, WARP_KEYS / 16));
#pragma unroll
    for (int j = 0; j < WARP_KEYS / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            scores[(lane / 4 + i / 2 * 8) * SCORE_PITCH + warp * WARP_KEYS + j * 8 + lane % 4 * 2 + i % 2] = s[j][i];
}

// All of a block's scores as one warp's accumulators; rows that do not exist are zeros.
__device__ inline void take_scores(float (*s)[4], const float *scores, int rows)
{
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int j = 0; j < KEY_BLOCK / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = lane / 4 + i / 2 * 8;
            s[j][i] = row < rows ? scores[row * SCORE_PITCH + j * 8 + lane % 4 * 2 + i % 2] : 0;
        }
}

// Scores to weights, for the half of the tile's rows that exist; the others' weights are zero.
template <int WIDTH>
__device__ inline void weigh(float (*scores)[4], float (*weighted)[4], RowSums sums[2], int first_key,
                             const Piece &piece, float scale)
{
    int position[2] = {piece.position, piece.position};
    if (first_key + KEY_BLOCK - 1 > piece.position)
        mask(scores, first_key, position);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        if (half * 8 >= piece.rows) {
#pragma unroll
            for (int j = 0; j < KEY_BLOCK / 8; j++)
                scores[j][half * 2] = scores[j][half * 2 + 1] = 0;
            continue;
        }
        scale_row<WIDTH>(weighted, half, softmax_row(scores, half, &sums[half], scale));
    }
}

template <int D>
__device__ inline void put_piece(const Decode &decode, const Piece &piece, const float (*weighted)[4],
                                 const RowSums sums[2], float scale)
{
    const int WIDTH = D / WARPS;
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    bool whole = piece.position < KEY_SEGMENT, first = warp == 0 && lane % 4 == 0;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = half * 8 + lane / 4;
        if (r >= piece.rows)
            continue;
        int64_t row = piece.row * decode.a.heads + piece.head + r;
        float *to = segment_sums<D>(decode, piece.sequence, piece.head + r, piece.segment),
              inverse = 1.0f / sums[half].l;
#pragma unroll
        for (int d = 0; d < WIDTH / 8; d++) {
            int column = warp * WIDTH + d * 8;
            float left = weighted[d][half * 2], right = weighted[d][half * 2 + 1];
            if (whole) {
                put_two(decode.out + row * D + column, left * inverse, right * inverse);
            } else {
                to[2 + column + lane % 4 * 2] = left;
                to[2 + column + lane % 4 * 2 + 1] = right;
            }
        }
        if (first && whole)
            decode.logsumexp[row] = logsumexp_of(sums[half], scale);
        else if (first)
            *(RowSums *)to = sums[half];
    }
}

// A block's shared memory, in this order.
template <int D> struct Room {
    element keys[KEY_BLOCK * (D + PAD)], values[KEY_BLOCK * (D + PAD)];
    float scores[DECODE_ROWS * SCORE_PITCH];
    int until[4]; // (S), as many as there are
};

template <int D>
__device__ inline void decode_piece(const Decode &decode, const Piece &piece, Room<D> *room, float scale)
{
    const int WIDTH = D / WARPS;
    const Attention &a = decode.a;
    int warp = (int)threadIdx.x / 32;
    float weighted[WIDTH / 8][4], scores[KEY_BLOCK / 8][4];
    RowSums sums[2] = {{-INFINITY, 0}, {-INFINITY, 0}};
    FragmentA queries[D / 16];
    const element *rows = decode.q + (piece.row * a.heads + piece.head) * D;
    load_fragments<D, DECODE_ROWS>(queries, room->keys, 0, rows,
                                   [=](int r) { return r < piece.rows ? rows + r * D : NULL; });
    clear<WIDTH>(weighted);
    load_page<D>(room->keys, a, piece, a.key_pages, piece.first_block);
    cp_async_commit();
    load_page<D>(room->values, a, piece, a.value_pages, piece.first_block);
    cp_async_commit();
    for (int block = piece.first_block; block <= piece.last_block; block++) {
        int groups = groups_until(block * KEY_BLOCK, piece.position, KEY_BLOCK / 16);
        cp_async_wait<1>();
        __syncthreads(); // the keys are there for all
        put_scores<D>(room->scores, queries, room->keys, block * KEY_BLOCK, piece.position);
        __syncthreads(); // the scores are, and nobody reads the keys any more
        if (block < piece.last_block)
            load_page<D>(room->keys, a, piece, a.key_pages, block + 1);
        cp_async_commit();
        take_scores(scores, room->scores, piece.rows);
        weigh<WIDTH>(scores, weighted, sums, block * KEY_BLOCK, piece, scale);
        cp_async_wait<1>();
        __syncthreads(); // the values
        accumulate_rows<D, KEY_BLOCK, WIDTH>(weighted, scores, room->values + warp * WIDTH, groups);
        __syncthreads();
        if (block < piece.last_block)
            load_page<D>(room->values, a, piece, a.value_pages, block + 1);
        cp_async_commit();
    }
    cp_async_wait<0>();
    put_piece<D>(decode, piece, weighted, sums, scale);
}

template <int D>
__global__ void __launch_bounds__(ATTENTION_THREADS, PRECISION_BITS == 16 ? 2 : 1) decode_kernel(Decode decode)
{
    Room<D> *room = dynamic_shared<Room<D>>();
    if (threadIdx.x < 32)
        list_segments(room->until, decode.a);
    __syncthreads();
    int pieces = room->until[decode.a.sequences - 1] * (int)decode.a.kv_heads * decode.tiles;
    for (int number = (int)blockIdx.x; number < pieces; number += (int)gridDim.x)
        decode_piece<D>(decode, piece_of(decode, room->until, number), room, LOG2_E / sqrtf((float)D));
}

// One head of one sequence: its segments into a total, ascending, as in attention_forward.cu. A thread has one column.
template <int D> __global__ void __launch_bounds__(D) merge_segments(Decode decode)
{
    int64_t sequence = blockIdx.x;
    int head = (int)blockIdx.y, column = (int)threadIdx.x, segments = segments_of(decode.a, sequence);
    if (segments < 2)
        return;
    float scale = LOG2_E / sqrtf((float)D), total = 0;
    RowSums all = {-INFINITY, 0};
    for (int segment = 0; segment < segments; segment++) {
        const float *sums = segment_sums<D>(decode, sequence, head, segment);
        MergeScales by = merge_sums(&all, *(const RowSums *)sums, scale);
        total = fmaf(total, by.before, sums[2 + column] * by.segment);
    }
    int64_t row = decode.a.starts[sequence] * decode.a.heads + head;
    decode.out[row * D + column] = rounded(total * (1.0f / all.l) + 0.0f); // + 0: one sign of zero
    if (column == 0)
        decode.logsumexp[row] = logsumexp_of(all, scale);
}

template <int D> static void start(Stream *s, const Decode &decode)
{
    size_t shared = sizeof(Room<D>) + sizeof(int) * (size_t)decode.a.sequences;
    int64_t most = decode.a.sequences * decode.a.kv_heads * decode.tiles * decode.segments,
            blocks = 2 * device_multiprocessors();
    launch(s, most < blocks ? most : blocks, ATTENTION_THREADS, shared, decode_kernel<D>, decode);
    if (decode.segments > 1)
        launch(s, dim3(decode.a.sequences, decode.a.heads), D, 0, merge_segments<D>, decode);
}

void attention_decode(Stream *s, Tensor out, float *logsumexp, Tensor q, const Attention *a)
{
    int group = (int)(a->heads / a->kv_heads);
    Decode decode = {elements(out),
                     logsumexp,
                     elements(q),
                     *a,
                     group,
                     (int)ceil_divide(group, DECODE_ROWS),
                     ceil_divide(a->pages_per_sequence, KEY_SEGMENT / KEY_BLOCK)};
    assert(a->workspace != NULL || decode.segments == 1);
    if (a->head_width == 64)
        start<64>(s, decode);
    else
        start<128>(s, decode);
}

} // namespace PRECISION
