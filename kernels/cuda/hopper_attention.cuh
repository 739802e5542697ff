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

// The number of the next tile of `tiles`, or -1: by one thread. The last block to find none makes the counter zero
// again.
__device__ inline void draw_number(int *number, int *counter, int tiles)
{
    int drawn = atomicAdd(counter, 1);
    if (drawn == tiles + (int)gridDim.x - 1)
        atomicExch(counter, 0);
    *number = drawn < tiles ? drawn : -1;
}

// The place of 16 bytes, columns 8 · chunk and on, of a row of such a tile
__device__ inline int chunk_place(int row, int chunk)
{
    return chunk / 8 * PART_BYTES + row * 128 + ((chunk % 8) ^ (row % 8)) * 16;
}

} // namespace PRECISION

#endif
