// What attention's kernels share: where rows lie, how a tile of them comes to shared memory, and a warp's two products.
//
// A block has 4 warps and ATTENTION_ROWS rows, 16 to a warp. Rows are linear: row r of a sequence and kv head is query
// r / group, head r % group of the group, so that heads that share keys share the block, and any group fills its tiles.
#ifndef KERNELS_CUDA_ATTENTION_CUH
#define KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include "kernels/cuda/reduce.cuh"

namespace PRECISION
{

enum { ATTENTION_ROWS = 64, ATTENTION_THREADS = 128 };

__device__ const float LOG2_E = 1.44269504088896341f;

// A sequence with one new token over pages decodes, which is attention_decode.cu's: here it has no tokens.
__device__ inline int64_t tokens_in_tiles(const Attention &a, int64_t sequence)
{
    int64_t tokens = a.starts[sequence + 1] - a.starts[sequence];
    return a.key_pages != NULL && tokens == 1 ? 0 : tokens;
}

// Tile `number` of the tiles of all sequences, `rows` to a tile, where a sequence has rows_of(it) rows, or `per_token`
// for each new token. Every warp looks for itself. sequence -1: not so many. The last tile of a sequence, its longest,
// is first.
struct Place {
    int sequence;
    int64_t first; // row within the sequence
};

template <typename RowsOf>
__device__ inline Place find_tile_of(const Attention &a, int64_t number, int64_t rows, RowsOf rows_of)
{
    int lane = (int)threadIdx.x % 32;
    Place place = {-1, 0};
    for (int64_t base = 0; base < a.sequences && place.sequence < 0; base += 32) {
        int64_t all = base + lane < a.sequences ? rows_of(base + lane) : 0;
        int tiles = (int)((all + rows - 1) / rows), until = warp_sum_until(tiles);
        unsigned behind = __ballot_sync(~0u, until > number);
        int holder = behind == 0 ? 31 : __ffs((int)behind) - 1;
        int64_t last = __shfl_sync(~0u, until, holder);
        if (behind != 0)
            place = Place{(int)base + holder, (last - 1 - number) * rows};
        number -= last;
    }
    return place;
}

__device__ inline Place find_tile(const Attention &a, int64_t number, int64_t per_token, int64_t rows)
{
    return find_tile_of(a, number, rows, [&](int64_t s) { return tokens_in_tiles(a, s) * per_token; });
}

// An upper bound of the number of tiles, which the host can tell without knowing the sequences.
inline int64_t tiles_at_most(const Attention *a, int64_t tokens, int64_t per_token, int64_t rows)
{
    return ceil_divide(tokens * per_token, rows) + a->sequences;
}

// What a block works on: rows first .. first + rows - 1 of one sequence and kv head, linear over queries and heads.
struct RowTile {
    int sequence, start;      // start: row of the batch where the sequence starts
    int kv_head, group;       // group: heads that share the keys
    int first, rows;          // rows that exist, of ATTENTION_ROWS
    int context, context_row; // positions before the sequence's first token; without pages, the row where they start
};

__device__ inline bool open_rows(RowTile *tile, const Attention &a)
{
    int group = (int)(a.heads / a.kv_heads);
    Place place = find_tile(a, blockIdx.x, group, ATTENTION_ROWS);
    if (place.sequence < 0)
        return false;
    int start = a.starts[place.sequence], left = (a.starts[place.sequence + 1] - start) * group - (int)place.first;
    *tile = RowTile{place.sequence,
                    start,
                    (int)blockIdx.y,
                    group,
                    (int)place.first,
                    min(left, (int)ATTENTION_ROWS),
                    a.contexts[place.sequence],
                    a.context_rows == NULL ? start : a.context_rows[place.sequence]};
    return true;
}

// Who sees some keys of a sequence, a block of queries at a time: its own ones, then those of the sequences that go on
// from it, each from its first on.
struct Seers {
    int sequence, start, length; // of the queries' sequence: its first row in the batch, its rows
    int query;                   // the block's first, in the sequence
};

// A step of those who own keys: such a block, of one head
struct KeyStep {
    Seers queries;
    int head; // of the group
};

// The next block, of `rows` queries; false: none is left before row `until`.
__device__ inline bool next_seers(Seers *s, const Attention &a, int until, int rows)
{
    s->query += rows;
    while (s->query >= s->length) {
        if (s->start + s->length >= until)
            return false;
        s->start += s->length;
        s->length = a.starts[++s->sequence + 1] - s->start;
        s->query = 0;
    }
    return true;
}

// The row of the batch with the key at this position: of the context, which is another sequence, or of its own.
__device__ inline int key_row(const RowTile &tile, int position)
{
    return position < tile.context ? tile.context_row + position : tile.start + position - tile.context;
}

__device__ inline int query_of(const RowTile &tile, int r)
{
    return (tile.first + r) / tile.group;
} // within its sequence

__device__ inline int position_of(const RowTile &tile, int r) // of row r of the tile; -1 if there is none
{
    return r < tile.rows ? tile.context + query_of(tile, r) : -1;
}

__device__ inline int64_t head_row(const RowTile &tile, const Attention &a, int r) // of row r of the tile in (T·H, D)
{
    int row = tile.first + r;
    return (int64_t)(tile.start + row / tile.group) * a.heads + tile.kv_head * tile.group + row % tile.group;
}

// Where row r of the tile begins in a tensor (T, H, D) whose tokens are `stride` elements apart
__device__ inline int64_t head_place(const RowTile &tile, int r, int64_t stride, int D)
{
    int row = tile.first + r;
    return (tile.start + row / tile.group) * stride + (tile.kv_head * tile.group + row % tile.group) * D;
}

// ROWS rows of D elements to shared memory, asynchronously; row_of(r) is a row's address, NULL for one that is all
// zeros (`anywhere` is an address in global memory, for copies that read nothing). in_page: rows as a page has them.
// Unrolled no further: the addresses would fill the registers.
template <int D, int ROWS, typename RowOf>
__device__ inline void load_rows(element *tile, const element *anywhere, RowOf row_of, bool in_page = false)
{
    constexpr int CHUNKS = D / LANES;
#pragma unroll 4
    for (int i = 0; i < ROWS * CHUNKS / ATTENTION_THREADS; i++) {
        int chunk = (int)threadIdx.x + i * ATTENTION_THREADS, r = chunk / CHUNKS, column = chunk % CHUNKS * LANES;
        const element *row = row_of(r);
        int from = in_page ? page_column(r, column) : column;
        cp_async_16(tile + r * (D + PAD) + column, row == NULL ? anywhere : row + from, row != NULL);
    }
}

// 16 of ROWS such rows, from warp_row on, as fragments of this warp, by way of shared memory, which is free afterwards.
template <int D, int ROWS, typename RowOf>
__device__ inline void load_fragments(FragmentA a[D / 16], element *room, int warp_row, const element *anywhere,
                                      RowOf row_of)
{
    load_rows<D, ROWS>(room, anywhere, row_of);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
#pragma unroll
    for (int k = 0; k < D / 16; k++)
        a[k] = load_a(room + warp_row * (D + PAD) + k * 16, D + PAD);
    __syncthreads();
}

// products (16, COLUMNS) = a (16, D) · tile (COLUMNS, D)ᵀ for the first `groups` times 16 columns; fragment(k) of a
template <int D, int COLUMNS, typename FragmentOf>
__device__ inline void row_products(float (*products)[4], FragmentOf fragment, const element *tile, int groups)
{
#pragma unroll
    for (int j = 0; j < COLUMNS / 8; j++)
        products[j][0] = products[j][1] = products[j][2] = products[j][3] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        FragmentA a = fragment(k);
#pragma unroll
        for (int j = 0; j < COLUMNS / 16; j++)
            if (j < groups) {
                FragmentB b[2];
                load_b(b, tile + j * 16 * (D + PAD) + k * 16, D + PAD);
                mma(products[2 * j], a, b[0]);
                mma(products[2 * j + 1], a, b[1]);
            }
    }
}

// sums (16, WIDTH) += round(weights) (16, K) · WIDTH columns of tile (K, D), k16 groups ascending, the first `groups`
// of them: behind those the weights are zero.
template <int D, int K, int WIDTH = D>
__device__ inline void accumulate_rows(float (*sums)[4], const float (*weights)[4], const element *tile, int groups)
{
#pragma unroll
    for (int k = 0; k < K / 16; k++)
        if (k < groups) {
            FragmentA a = as_a(weights[2 * k], weights[2 * k + 1]);
#pragma unroll
            for (int d = 0; d < WIDTH / 16; d++) {
                FragmentB b[2];
                load_b_transposed(b, tile + k * 16 * (D + PAD) + d * 16, D + PAD);
                mma(sums[2 * d], a, b[0]);
                mma(sums[2 * d + 1], a, b[1]);
            }
        }
}

// How many groups of 16 columns (rows) from `first` on hold a position that is not behind `last`: 0 to limit.
__device__ inline int groups_until(int first, int last, int limit)
{
    int groups = last < first ? 0 : (last - first) / 16 + 1;
    return groups < limit ? groups : limit;
}

template <int D> __device__ inline void clear(float (*sums)[4])
{
#pragma unroll
    for (int d = 0; d < D / 8; d++)
        sums[d][0] = sums[d][1] = sums[d][2] = sums[d][3] = 0;
}

struct alignas(2 * sizeof(element)) Two {
    element left, right;
};

// Writes two of a thread's accumulators, rounded: the columns 2·(lane % 4) and the next of an 8-wide piece.
__device__ inline void put_two(element *row, float left, float right)
{
    *(Two *)(row + (int)threadIdx.x % 4 * 2) =
        Two{rounded(left + 0.0f), rounded(right + 0.0f)}; // + 0: one sign of zero
}

// P = exp(score · scale - logsumexp) and dS = P · (dP - delta) · scale of one pair (query, key)
__device__ inline float weight_of(float score, float logsumexp2, float scale)
{
    return exp2_flushed(fmaf(score, scale * LOG2_E, -logsumexp2));
}
__device__ inline float score_gradient(float p, float dp, float delta, float scale) { return p * (dp - delta) * scale; }

// A warp's accumulators, rounded, to rows of D elements: row r of the block begins at place_of(r) in out, -1: there is
// none.
template <int D, typename PlaceOf> __device__ inline void put_rows(element *out, const float (*x)[4], PlaceOf place_of)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int64_t place = place_of((int)threadIdx.x / 32 * 16 + half * 8 + (int)threadIdx.x % 32 / 4);
        if (place >= 0)
#pragma unroll
            for (int d = 0; d < D / 8; d++)
                put_two(out + place + d * 8, x[d][half * 2], x[d][half * 2 + 1]);
    }
}

} // namespace PRECISION

#endif
