// Attention of sequences with one new token over KV pages, with the bits of attention_forward.cu: the same products of
// the same blocks of keys, the same softmax in the same lanes, the same merging of segments.
//
// A piece of work is one segment, KEY_SEGMENT = 1,024 positions, of one kv head, for all rows that read the same pages
// there: the query heads of the group, 4 of them in Qwen3-4B, of one sequence, or of all that share the pages, 32 for 8
// samples of a prompt. They are packed into one tile of 16 rows, where pages are shared into two (more rows are more
// pieces), so that a block of keys and values is read once for them. A grid of as many blocks as the card holds walks
// the list of pieces (decode_pieces.h), which comes with each batch, so that a captured graph stays right while
// sequences grow. The four warps of a block share a segment: each makes the scores of a quarter of a block's keys, all
// of them turn the scores into weights for themselves, each weighs a quarter of the values' columns. A sequence of one
// segment is done then; the sums of several wait in the workspace for merge_segments.
//
// What is shared is a launch of its own. Where sequences share the beginning of a segment only, their sums (m, l and
// the weighted values, in fp32) lie in the workspace then, and the second launch goes on from them with each sequence's
// own pages: it is the same chain, stopped between two blocks.
//
// Limit: the bytes of keys and values, read once. While a block of keys is multiplied its values are under way, and the
// next keys during the values; two blocks fit a multiprocessor, 140 KB in flight. On an H200 81 to 91% of the copy's
// bandwidth with 64 sequences and more, before pages were read for several sequences; no card has run that yet. On
// Hopper pages come in otherwise (hopper_decode.cu).
#include "kernels/cuda/attention_decode.cuh"
#include "kernels/cuda/hopper.h"
#include <assert.h>

namespace PRECISION
{

enum { SCORE_PITCH = KEY_BLOCK + 8 };

__device__ inline int segments_of(const Attention &a, int64_t sequence)
{
    return a.starts[sequence + 1] - a.starts[sequence] == 1 ? a.contexts[sequence] / KEY_SEGMENT + 1 : 0;
}

// ---- a block of keys

template <int D>
__device__ inline void load_page(element *tile, const Attention &a, const Piece &piece, const void *pages, int block)
{
    int64_t page = a.page_table[piece.sequence * a.pages_per_sequence + block];
    const element *base = (const element *)pages + (page * a.kv_heads + piece.kv_head) * KEY_BLOCK * D;
    int length = piece.position + 1 - block * KEY_BLOCK;
    load_rows<D, KEY_BLOCK>(
        tile, base, [=](int r) { return r < length ? base + r * D : NULL; }, true);
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

// ---- a piece

// A block's shared memory, in this order.
template <int D, int TILES> struct Room {
    element keys[KEY_BLOCK * (D + PAD)], values[KEY_BLOCK * (D + PAD)];
    float scores[TILES * 16 * SCORE_PITCH];
    Piece piece;
};

template <int D, int TILES>
__device__ inline void decode_piece(const Decode &decode, const Piece &piece, Room<D, TILES> *room, float scale)
{
    const int WIDTH = D / WARPS;
    const Attention &a = decode.a;
    int warp = (int)threadIdx.x / 32;
    float scores[KEY_BLOCK / 8][4];
    TileSums<D> sums[TILES];
    FragmentA queries[TILES][D / 16];
#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
        if (tile * 16 < piece.rows) {
            load_fragments<D, 16>(queries[tile], room->keys, 0, decode.q.data, [&](int r) {
                int row = tile * 16 + r;
                return row < piece.rows ? decode.q.data + query_place(decode, piece, row, D) : NULL;
            });
            begin_tile<D>(&sums[tile], decode, piece, tile * 16);
        }
    load_page<D>(room->keys, a, piece, a.key_pages, piece.first_block);
    cp_async_commit();
    load_page<D>(room->values, a, piece, a.value_pages, piece.first_block);
    cp_async_commit();
    for (int block = piece.first_block; block <= piece.last_block; block++) {
        int groups = groups_until(block * KEY_BLOCK, piece.position, KEY_BLOCK / 16);
        cp_async_wait<1>();
        __syncthreads(); // the keys are there for all
#pragma unroll
        for (int tile = 0; tile < TILES; tile++)
            if (tile * 16 < piece.rows)
                put_scores<D>(room->scores + tile * 16 * SCORE_PITCH, queries[tile], room->keys, block * KEY_BLOCK,
                              piece.position);
        __syncthreads(); // the scores are, and nobody reads the keys any more
        if (block < piece.last_block)
            load_page<D>(room->keys, a, piece, a.key_pages, block + 1);
        cp_async_commit();
#pragma unroll
        for (int tile = 0; tile < TILES; tile++)
            if (tile * 16 < piece.rows) {
                take_scores(scores, room->scores + tile * 16 * SCORE_PITCH, piece.rows - tile * 16);
                weigh<WIDTH>(scores, sums[tile].weighted, sums[tile].row, block * KEY_BLOCK, piece.position,
                             piece.rows - tile * 16, scale);
                if (tile == 0) {
                    cp_async_wait<1>();
                    __syncthreads(); // the values
                }
                accumulate_rows<D, KEY_BLOCK, WIDTH>(sums[tile].weighted, scores, room->values + warp * WIDTH, groups);
            }
        __syncthreads();
        if (block < piece.last_block)
            load_page<D>(room->values, a, piece, a.value_pages, block + 1);
        cp_async_commit();
    }
    cp_async_wait<0>();
#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
        if (tile * 16 < piece.rows)
            end_tile<D>(sums[tile], decode, piece, tile * 16, scale);
}

template <int D, int TILES>
__global__ void __launch_bounds__(ATTENTION_THREADS, PRECISION_BITS == 16 ? 2 : 1) decode_kernel(Decode decode)
{
    Room<D, TILES> *room = dynamic_shared<Room<D, TILES>>();
    dependents_may_begin();
    int pieces = pieces_of(decode);
    dependency_wait();
    for (int number = (int)blockIdx.x; number < pieces; number += (int)gridDim.x) {
        if (threadIdx.x == 0) // all have taken the last one: barriers lie behind that
            room->piece = piece_of(decode, number);
        __syncthreads();
        Piece piece = room->piece;
        decode_piece<D, TILES>(decode, piece, room, LOG2_E / sqrtf((float)D));
    }
}

// One head of one sequence: its segments into a total, ascending, as in attention_forward.cu. A thread has one column.
template <int D> __global__ void __launch_bounds__(D) merge_segments(Decode decode)
{
    int64_t sequence = blockIdx.x;
    dependents_may_begin();
    int head = (int)blockIdx.y, column = (int)threadIdx.x, segments = segments_of(decode.a, sequence);
    dependency_wait();
    if (segments < 2)
        return;
    float scale = LOG2_E / sqrtf((float)D), total = 0;
    RowSums all = {-INFINITY, 0};
    for (int segment = 0; segment < segments; segment++) {
        const float *sums = segment_sums<D>(decode, sequence * decode.a.heads + head, segment);
        MergeScales by = merge_sums(&all, *(const RowSums *)sums, scale);
        total = fmaf(total, by.before, sums[2 + column] * by.segment);
    }
    int64_t row = decode.a.starts[sequence] * decode.a.heads + head;
    decode.out[row * D + column] = rounded(total * (1.0f / all.l) + 0.0f); // + 0: one sign of zero
    if (column == 0)
        decode.logsumexp[row] = logsumexp_of(all, scale);
}

template <int D, int TILES> static void start_pieces(Stream *s, Decode decode)
{
    decode.rows = TILES * DECODE_ROWS;
    decode.together = TILES == 2;
    launch_early(s, decode_at_once(decode, 2), ATTENTION_THREADS, sizeof(Room<D, TILES>), decode_kernel<D, TILES>,
                 decode);
}

template <int D> static void start(Stream *s, const Decode &decode)
{
    if (!hopper_decode(s, decode)) {
        if (decode.a.shared_pages != NULL)
            start_pieces<D, 2>(s, decode);
        start_pieces<D, 1>(s, decode);
    }
    if (decode.segments > 1)
        launch_early(s, dim3(decode.a.sequences, decode.a.heads), D, 0, merge_segments<D>, decode);
}

void attention_decode(Stream *s, Tensor out, float *logsumexp, Tensor q, const Attention *a)
{
    Decode decode = {elements(out),
                     logsumexp,
                     token_rows(q),
                     *a,
                     (int)(a->heads / a->kv_heads),
                     0,
                     ceil_divide(a->pages_per_sequence, KEY_SEGMENT / KEY_BLOCK),
                     false};
    assert(a->workspace != NULL && a->pieces != NULL);
    if (a->head_width == 64)
        start<64>(s, decode);
    else
        start<128>(s, decode);
}

} // namespace PRECISION
