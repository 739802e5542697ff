// What attention's kernels for Hopper share: products of a warpgroup over tiles of queries, keys and values (D columns,
// as D / 64 parts), and the numbers of tiles (hopper_tile.cuh).
#ifndef KERNELS_CUDA_HOPPER_ATTENTION_CUH
#define KERNELS_CUDA_HOPPER_ATTENTION_CUH

#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/hopper_tile.cuh"

namespace PRECISION
{

// sums (64, COLUMNS) = rows (64, D) · columns (COLUMNS, D)ᵀ, both in shared memory
template <int D, int COLUMNS>
__device__ inline void tile_products(float (*sums)[4], uint32_t rows, int row_part, uint32_t columns, int column_part)
{
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        uint64_t a = tile_descriptor(rows + k / 4 * row_part + k % 4 * 32);
        uint64_t b = tile_descriptor(columns + k / 4 * column_part + k % 4 * 32);
        if (k == 0)
            wgmma<COLUMNS, true>(sums, a, b);
        else
            wgmma<COLUMNS, false>(sums, a, b);
    }
}

// sums (64, D) += weights (64, 16 · GROUPS), fragments in registers, · rows (16 · GROUPS, D) in shared memory
template <int D, int GROUPS>
__device__ inline void tile_sums(float (*sums)[4], const uint32_t (*weights)[4], uint32_t rows, int part)
{
#pragma unroll
    for (int k = 0; k < GROUPS; k++)
        wgmma<D, true>(sums, weights[k], transposed_descriptor(rows + k * 2048, part));
}

// Accumulators, rounded, as the fragments of the next product
template <int GROUPS> __device__ inline void round_to_fragments(uint32_t (*fragments)[4], const float (*x)[4])
{
#pragma unroll
    for (int k = 0; k < GROUPS; k++) {
        FragmentA a = as_a(x[2 * k], x[2 * k + 1]);
#pragma unroll
        for (int i = 0; i < 4; i++)
            fragments[k][i] = a.r[i];
    }
}

// Zeros in rows first .. ROWS - 1 of a tile, by `threads` threads of which this is number `thread`
template <int D, int ROWS> __device__ inline void zero_rows(unsigned char *tile, int first, int thread, int threads)
{
    const int CHUNKS = D / 8;
    for (int i = first * CHUNKS + thread; i < ROWS * CHUNKS; i += threads) {
        int row = i / CHUNKS, chunk = i % CHUNKS;
        *(int4 *)(tile + chunk / 8 * ROWS * 128 + row * 128 + chunk % 8 * 16) = make_int4(0, 0, 0, 0);
    }
}

// ---- tiles of rows: of one sequence and kv head, linear over queries and heads of the group (attention.cuh)

struct HopperTile : RowTile {
    int last, blocks; // position of the last query here; key blocks until then
};

// Tile `number` of all, of so many tokens each; false: there are not so many. Every warp looks for itself.
__device__ inline bool open_hopper_tile(HopperTile *tile, const Attention &a, int tokens, int number)
{
    int group = (int)(a.heads / a.kv_heads), rows = tokens * group;
    Place place = find_tile(a, number / a.kv_heads, group, rows);
    if (place.sequence < 0)
        return false;
    int start = a.starts[place.sequence], left = (a.starts[place.sequence + 1] - start) * group - (int)place.first;
    *(RowTile *)tile = RowTile{place.sequence,
                               start,
                               number % (int)a.kv_heads,
                               group,
                               (int)place.first,
                               min(left, rows),
                               a.contexts[place.sequence],
                               a.context_rows == NULL ? start : a.context_rows[place.sequence]};
    tile->last = position_of(*tile, tile->rows - 1);
    tile->blocks = tile->last / KEY_BLOCK + 1;
    return true;
}

// The tile's rows of a tensor (T, H, D) to shared memory, by one thread; the caller has told the barrier.
template <int D>
__device__ inline void load_queries(uint32_t to, const CUtensorMap *map, uint32_t full, const HopperTile &tile)
{
    for (int part = 0; part < D / PART_COLUMNS; part++)
        tensor_load(to + part * PART_BYTES, map, full, part * PART_COLUMNS, tile.kv_head * tile.group,
                    tile.start + tile.first / tile.group);
}

// ROWS keys (values) from position `first` on, some of which are a context's and some the sequence's own, which do not
// lie together: by hand, by the whole warpgroup, once its first thread knows that there is room.
template <int D, int ROWS>
__device__ inline void copy_block(unsigned char *to, const HopperTile &tile, const TokenRows &rows, int first)
{
    const int CHUNKS = D / 8, ROWS_AT_ONCE = (HOPPER_THREADS - MULTIPLIERS) / CHUNKS;
    int chunk = (int)threadIdx.x % CHUNKS;
    __syncwarp();
    barrier_sync(PRODUCERS, HOPPER_THREADS - MULTIPLIERS);
#pragma unroll 4
    for (int r = (int)threadIdx.x / CHUNKS; r < ROWS; r += ROWS_AT_ONCE) {
        int64_t row = key_row(tile, min(first + r, tile.last)) * rows.stride + tile.kv_head * D;
        int4 x = *(const int4 *)(rows.data + row + chunk * 8);
        int place = chunk / 8 * ROWS * 128 + r * 128 + ((chunk % 8) ^ (r % 8)) * 16;
        *(int4 *)(to + place) = first + r <= tile.last ? x : make_int4(0, 0, 0, 0);
    }
    proxy_fence();
    barrier_sync(PRODUCERS, HOPPER_THREADS - MULTIPLIERS);
}

// The barriers of a stage, and in which parity of them it is
struct StageBarriers {
    uint32_t full, empty;
    int parity;
};

// ROWS keys (values) from position `first` on to a stage, which becomes full by one arrival, whoever brings them. The
// whole warpgroup calls it; one thread waits for the stage, for nothing would keep the others within a phase of it.
// by_hand: with zeros behind the tile's last position.
template <int D, int ROWS>
__device__ inline void load_block(unsigned char *to, const CUtensorMap *map, StageBarriers stage,
                                  const HopperTile &tile, const Attention &a, const TokenRows &rows, int first,
                                  bool by_hand = false)
{
    int end = min(first + ROWS - 1, tile.last);
    bool parted = by_hand || (a.key_pages == NULL && first < tile.context && end >= tile.context &&
                              tile.context_row + tile.context != tile.start);
    if (threadIdx.x == 0)
        mbarrier_wait(stage.empty, stage.parity ^ 1);
    if (parted)
        copy_block<D, ROWS>(to, tile, rows, first);
    if (threadIdx.x != 0)
        return;
    if (parted) {
        mbarrier_arrive(stage.full);
        return;
    }
    int page = a.key_pages == NULL ? 0 : a.page_table[tile.sequence * a.pages_per_sequence + first / KEY_BLOCK];
    int row = a.key_pages == NULL ? key_row(tile, first) : (page * (int)a.kv_heads + tile.kv_head) * KEY_BLOCK;
    mbarrier_expect(stage.full, ROWS * D * 2);
    for (int part = 0; part < D / PART_COLUMNS; part++)
        tensor_load(shared_address(to) + part * ROWS * 128, map, stage.full, part * PART_COLUMNS,
                    a.key_pages == NULL ? tile.kv_head : 0, row);
}

} // namespace PRECISION

#endif
