// Attention of sequences with one new token over KV pages, with the bits of attention_forward.cu: the same products of
// the same blocks of keys, the same softmax in the same lanes, the same merging of segments.
//
// A piece of work is one segment, KEY_SEGMENT = 1,024 positions, of one kv head, for all rows that read the same pages
// there: the query heads of the group, 4 of them in Qwen3-4B, of one sequence, or of all that share the pages, 32 for 8
// samples of a prompt. They are packed into two tiles of 16 rows, where nothing is shared into one (more rows are more
// pieces), so that a block of keys and values is read once for them. A grid of as many blocks as the card holds walks
// the list of pieces, which every block makes for itself from the contexts and from what is shared, so that a captured
// graph stays right while sequences grow. The four warps of a block share a segment: each makes the scores of a quarter
// of a block's keys, all of them turn the scores into weights for themselves, each weighs a quarter of the values'
// columns. A sequence of one segment is done then; the sums of several wait in the workspace for merge_segments.
//
// Where sequences share the beginning of a segment only, their sums (m, l and the weighted values, in fp32) lie in the
// workspace when the shared piece is done, and a second launch goes on from them with each sequence's own pages: it is
// the same chain, stopped between two blocks.
//
// Limit: the bytes of keys and values, read once. While a block of keys is multiplied its values are under way, and the
// next keys during the values; two blocks fit a multiprocessor, 140 KB in flight. On an H200 81 to 91% of the copy's
// bandwidth with 64 sequences and more, before pages were read for several sequences; no card has run that yet.
#include "kernels/cuda/attention_softmax.cuh"
#include <assert.h>

namespace PRECISION
{

enum { WARPS = ATTENTION_THREADS / 32, WARP_KEYS = KEY_BLOCK / WARPS, SCORE_PITCH = KEY_BLOCK + 8 };
enum { SEGMENT_PAGES = KEY_SEGMENT / KEY_BLOCK };

struct Decode {
    element *out;
    float *logsumexp;
    const element *q;
    Attention a;
    int group, rows;  // heads that share the keys; rows that a piece has room for
    int64_t segments; // of a sequence at most
    bool rest;        // the second launch: what is left of segments that began with shared pages
};

__device__ inline int segments_of(const Attention &a, int64_t sequence)
{
    return a.starts[sequence + 1] - a.starts[sequence] == 1 ? a.contexts[sequence] / KEY_SEGMENT + 1 : 0;
}

// Where the workspace has the sums of one row of a segment: m, l, and the weighted values (D). row: of (S, H)
template <int D> __device__ inline float *segment_sums(const Decode &decode, int64_t row, int segment)
{
    return decode.a.workspace + (row * decode.segments + segment) * (D + 2);
}

// ---- who does what

// What a sequence reads with others. The first of them stands for all of them.
struct Company {
    int pages, segments; // that they share; segments that begin with them
    int sequences;       // how many they are; 0 where it is another that stands for them
};

__device__ inline Company company_of(const Attention &a, int64_t sequence)
{
    if (a.shared_pages == NULL)
        return Company{0, 0, 0};
    int pages = a.shared_pages[sequence];
    bool first = sequence == 0 || a.shared_until[sequence - 1] == sequence;
    return Company{pages, (pages + SEGMENT_PAGES - 1) / SEGMENT_PAGES,
                   first ? a.shared_until[sequence] - (int)sequence : 0};
}

// Pieces of a segment that `sequences` read together
__device__ inline int pieces_for(const Decode &decode, int sequences)
{
    return (sequences * decode.group + decode.rows - 1) / decode.rows;
}

// A sequence's pieces in this launch, for each kv head: its company's, if it stands for it, then its own.
__device__ inline int pieces_of(const Decode &decode, int64_t sequence)
{
    int segments = segments_of(decode.a, sequence);
    Company company = company_of(decode.a, sequence);
    if (decode.rest)
        return company.pages % SEGMENT_PAGES != 0 ? pieces_for(decode, 1) : 0;
    return company.segments * pieces_for(decode, company.sequences) +
           (segments - company.segments) * pieces_for(decode, 1);
}

// until (S): pieces of this and all earlier sequences, for each kv head. By the first warp.
__device__ inline void list_pieces(int *until, const Decode &decode)
{
    int lane = (int)threadIdx.x, before = 0;
    for (int64_t base = 0; base < decode.a.sequences; base += 32) {
        int sum = warp_sum_until(base + lane < decode.a.sequences ? pieces_of(decode, base + lane) : 0);
        if (base + lane < decode.a.sequences)
            until[base + lane] = before + sum;
        before += __shfl_sync(~0u, sum, 31);
    }
}

// A piece of work: which rows, which keys. Rows are linear over the piece's sequences and the heads of the group.
struct Piece {
    int sequence, segment, kv_head;        // sequence: the first one
    int first, rows;                       // rows: that exist
    int position, first_block, last_block; // position: the last one that its rows see
    bool shared;
};

__device__ inline Piece piece_of(const Decode &decode, const int *until, int number)
{
    int kv_heads = (int)decode.a.kv_heads, low = 0, high = (int)decode.a.sequences - 1;
    while (low < high) { // the first sequence that reaches behind it
        int middle = (low + high) / 2;
        if (until[middle] > number / kv_heads)
            high = middle;
        else
            low = middle + 1;
    }
    Company company = company_of(decode.a, low);
    int index = number / kv_heads - (low > 0 ? until[low - 1] : 0),
        together = decode.rest ? 0 : company.segments * pieces_for(decode, company.sequences);
    Piece piece;
    piece.shared = index < together;
    int sequences = piece.shared ? company.sequences : 1, each = pieces_for(decode, sequences);
    index -= piece.shared ? 0 : together;
    piece.sequence = low;
    piece.kv_head = number % kv_heads;
    piece.first = index % each * decode.rows;
    piece.rows = min(sequences * decode.group - piece.first, decode.rows);
    piece.segment = index / each + (piece.shared ? 0 : decode.rest ? company.pages / SEGMENT_PAGES : company.segments);
    piece.position = piece.shared ? company.pages * KEY_BLOCK - 1 : decode.a.contexts[low];
    piece.first_block = decode.rest ? company.pages : piece.segment * SEGMENT_PAGES;
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

// ---- a piece

// What a thread has of a tile of rows: of each of its two rows the sums, and two columns in 8 of its warp's quarter of
// the weighted values.
template <int D> struct TileSums {
    float weighted[D / WARPS / 8][4];
    RowSums row[2];
};

template <int D>
__device__ inline void begin_tile(TileSums<D> *tile, const Decode &decode, const Piece &piece, int first_row)
{
    int column = (int)threadIdx.x / 32 * (D / WARPS) + (int)threadIdx.x % 4 * 2;
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
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, column = warp * (D / WARPS);
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

// A block's shared memory, in this order.
template <int D, int TILES> struct Room {
    element keys[KEY_BLOCK * (D + PAD)], values[KEY_BLOCK * (D + PAD)];
    float scores[TILES * 16 * SCORE_PITCH];
    int until[4]; // (S), as many as there are
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
            load_fragments<D, 16>(queries[tile], room->keys, 0, decode.q, [&](int r) {
                int row = tile * 16 + r;
                return row < piece.rows ? decode.q + batch_row(decode, piece, row) * D : NULL;
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
    if (threadIdx.x < 32)
        list_pieces(room->until, decode);
    __syncthreads();
    int pieces = room->until[decode.a.sequences - 1] * (int)decode.a.kv_heads;
    for (int number = (int)blockIdx.x; number < pieces; number += (int)gridDim.x)
        decode_piece<D, TILES>(decode, piece_of(decode, room->until, number), room, LOG2_E / sqrtf((float)D));
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
        const float *sums = segment_sums<D>(decode, sequence * decode.a.heads + head, segment);
        MergeScales by = merge_sums(&all, *(const RowSums *)sums, scale);
        total = fmaf(total, by.before, sums[2 + column] * by.segment);
    }
    int64_t row = decode.a.starts[sequence] * decode.a.heads + head;
    decode.out[row * D + column] = rounded(total * (1.0f / all.l) + 0.0f); // + 0: one sign of zero
    if (column == 0)
        decode.logsumexp[row] = logsumexp_of(all, scale);
}

template <int D, int TILES> static void start_pieces(Stream *s, Decode decode, int64_t segments)
{
    decode.rows = TILES * 16;
    size_t shared = sizeof(Room<D, TILES>) + sizeof(int) * (size_t)decode.a.sequences;
    int64_t most = decode.a.sequences * decode.a.kv_heads * ceil_divide(decode.group, decode.rows) * segments,
            blocks = 2 * device_multiprocessors();
    launch(s, most < blocks ? most : blocks, ATTENTION_THREADS, shared, decode_kernel<D, TILES>, decode);
}

template <int D> static void start(Stream *s, Decode decode)
{
    if (decode.a.shared_pages == NULL) {
        start_pieces<D, 1>(s, decode, decode.segments);
    } else {
        start_pieces<D, 2>(s, decode, decode.segments);
        decode.rest = true;
        start_pieces<D, 1>(s, decode, 1);
    }
    if (decode.segments > 1)
        launch(s, dim3(decode.a.sequences, decode.a.heads), D, 0, merge_segments<D>, decode);
}

void attention_decode(Stream *s, Tensor out, float *logsumexp, Tensor q, const Attention *a)
{
    Decode decode = {elements(out),
                     logsumexp,
                     elements(q),
                     *a,
                     (int)(a->heads / a->kv_heads),
                     0,
                     ceil_divide(a->pages_per_sequence, KEY_SEGMENT / KEY_BLOCK),
                     false};
    assert(a->workspace != NULL);
    if (a->head_width == 64)
        start<64>(s, decode);
    else
        start<128>(s, decode);
}

} // namespace PRECISION
