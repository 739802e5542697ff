// What attention's two kernels for decoding share, which get the same pages to shared memory in two ways: what a piece
// of work is (attention_decode.cu), where its rows and their sums lie, and what a warp does with scores.
#ifndef KERNELS_CUDA_ATTENTION_DECODE_CUH
#define KERNELS_CUDA_ATTENTION_DECODE_CUH

#include "kernels/cuda/attention_softmax.cuh"
#include "kernels/decode_pieces.h"

namespace PRECISION
{

enum { WARPS = ATTENTION_THREADS / 32, WARP_KEYS = KEY_BLOCK / WARPS, SEGMENT_PAGES = KEY_SEGMENT / KEY_BLOCK };

struct Decode {
    element *out;
    float *logsumexp;
    TokenRows q;
    Attention a;
    int group, rows;  // heads that share the keys; rows that a piece has room for
    int64_t segments; // of a sequence at most
    bool together;    // the first of two launches: what companies read
};

// How many pieces may be worked on at a time: `most` of them at a multiprocessor, and no more than there can be.
inline int64_t decode_at_once(const Decode &decode, int64_t most)
{
    int64_t pieces = decode.a.sequences * decode.a.kv_heads * ceil_divide(decode.group, decode.rows) * decode.segments;
    return smaller(pieces, most * device_multiprocessors());
}

// Where the workspace has the sums of one row of a segment: m, l, and the weighted values (D). row: of (S, H)
template <int D> __device__ inline float *segment_sums(const Decode &decode, int64_t row, int segment)
{
    return decode.a.workspace + (row * decode.segments + segment) * (D + 2);
}

// Which of the four that share a piece
__device__ inline int warp_of_piece() { return (int)threadIdx.x / 32 % WARPS; }

// A piece of work: which rows, which keys. Rows are linear over the piece's sequences and the heads of the group.
struct Piece {
    int sequence, segment, kv_head;        // sequence: the first one
    int first, rows;                       // rows: that exist
    int position, first_block, last_block; // position: the last one that its rows see
    bool shared;
};

// Pieces of this launch: those of a kv head are the list's, and stand next to each other for all kv heads.
__device__ inline int pieces_of(const Decode &decode)
{
    DecodePiece counts = decode.a.pieces[0];
    return (decode.together ? counts.sequence : counts.sequences) * (int)decode.a.kv_heads;
}

__device__ inline Piece piece_of(const Decode &decode, int number)
{
    const Attention &a = decode.a;
    int kv_heads = (int)a.kv_heads;
    DecodePiece listed = a.pieces[1 + number / kv_heads + (decode.together ? 0 : a.pieces[0].sequence)];
    int pages = a.shared_pages == NULL ? 0 : a.shared_pages[listed.sequence];
    Piece piece;
    piece.shared = decode.together;
    piece.sequence = listed.sequence;
    piece.segment = listed.segment;
    piece.kv_head = number % kv_heads;
    piece.first = listed.first_row;
    piece.rows = min(listed.sequences * decode.group - piece.first, decode.rows);
    piece.position = piece.shared ? pages * KEY_BLOCK - 1 : a.contexts[listed.sequence];
    piece.first_block = max(piece.segment * SEGMENT_PAGES, piece.shared ? 0 : pages);
    piece.last_block = min((piece.segment + 1) * SEGMENT_PAGES - 1, piece.position / KEY_BLOCK);
    return piece;
}

// Row r of the piece among the sequences' heads (S, H), and among the batch's (T, H).
__device__ inline int64_t sums_row(const Decode &decode, const Piece &piece, int r)
{
    int row = piece.first + r;
    return (int64_t)(piece.sequence + row / decode.group) * decode.a.heads + piece.kv_head * decode.group +
           row % decode.group;
}

__device__ inline int64_t batch_row(const Decode &decode, const Piece &piece, int r)
{
    return sums_row(decode, piece, r) + (decode.a.starts[piece.sequence] - piece.sequence) * decode.a.heads;
}

// Where its query begins
__device__ inline int64_t query_place(const Decode &decode, const Piece &piece, int r, int D)
{
    int row = piece.first + r;
    return (decode.a.starts[piece.sequence] + row / decode.group) * decode.q.stride +
           (piece.kv_head * decode.group + row % decode.group) * D;
}

// Scores to weights, for the halves of a tile that have rows; the others' weights are zero.
template <int WIDTH>
__device__ inline void weigh(float (*scores)[4], float (*weighted)[4], RowSums sums[2], int first_key, int last_key,
                             int rows, float scale)
{
    int position[2] = {last_key, last_key};
    if (first_key + KEY_BLOCK - 1 > last_key)
        mask(scores, first_key, position);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        if (half * 8 >= rows) {
#pragma unroll
            for (int j = 0; j < KEY_BLOCK / 8; j++)
                scores[j][half * 2] = scores[j][half * 2 + 1] = 0;
            continue;
        }
        scale_row<WIDTH>(weighted, half, softmax_row(scores, half, &sums[half], scale));
    }
}

// What a thread has of a tile of rows: of each of its two rows the sums, and two columns in 8 of its warp's quarter of
// the weighted values.
template <int D> struct TileSums {
    float weighted[D / WARPS / 8][4];
    RowSums row[2];
};

template <int D>
__device__ inline void begin_tile(TileSums<D> *tile, const Decode &decode, const Piece &piece, int first_row)
{
    int column = warp_of_piece() * (D / WARPS) + (int)threadIdx.x % 4 * 2;
    bool anew = piece.first_block % SEGMENT_PAGES == 0;
    clear<D / WARPS>(tile->weighted);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = first_row + half * 8 + (int)threadIdx.x % 32 / 4;
        tile->row[half] = RowSums{-INFINITY, 0};
        if (anew || r >= piece.rows)
            continue;
        const float *from = segment_sums<D>(decode, sums_row(decode, piece, r), piece.segment);
        tile->row[half] = *(const RowSums *)from;
#pragma unroll
        for (int d = 0; d < D / WARPS / 8; d++) {
            tile->weighted[d][half * 2] = from[2 + column + d * 8];
            tile->weighted[d][half * 2 + 1] = from[2 + column + d * 8 + 1];
        }
    }
}

template <int D>
__device__ inline void end_tile(const TileSums<D> &tile, const Decode &decode, const Piece &piece, int first_row,
                                float scale)
{
    int warp = warp_of_piece(), lane = (int)threadIdx.x % 32, column = warp * (D / WARPS);
    bool whole = !piece.shared && piece.position < KEY_SEGMENT, first = warp == 0 && lane % 4 == 0;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = first_row + half * 8 + lane / 4;
        if (r >= piece.rows)
            continue;
        int64_t row = batch_row(decode, piece, r);
        float *to = segment_sums<D>(decode, sums_row(decode, piece, r), piece.segment) + 2 + column + lane % 4 * 2,
              inverse = 1.0f / tile.row[half].l;
#pragma unroll
        for (int d = 0; d < D / WARPS / 8; d++) {
            float left = tile.weighted[d][half * 2], right = tile.weighted[d][half * 2 + 1];
            if (whole) {
                put_two(decode.out + row * D + column + d * 8, left * inverse, right * inverse);
            } else {
                to[d * 8] = left;
                to[d * 8 + 1] = right;
            }
        }
        if (first && whole)
            decode.logsumexp[row] = logsumexp_of(tile.row[half], scale);
        else if (first)
            *(RowSums *)(to - 2) = tile.row[half];
    }
}

} // namespace PRECISION

#endif
