// What attention's kernels for Hopper share: tiles of a tensor in shared memory by TMA, products of a warpgroup over
// them, and the pipeline between the warpgroup that loads and those that multiply.
//
// A block has 384 threads. The first warpgroup loads: it needs few registers and gives the rest away. The other two
// multiply, 64 rows of the tile each. A stage of the pipeline is full when its bytes have come, and empty when both of
// them have said that their products are done with it.
//
// A tile in shared memory is (rows, D) as D / 64 parts of 64 columns, a row of a part 128 bytes, swizzled, as TMA lays
// it down and wgmma reads it.
#ifndef KERNELS_CUDA_HOPPER_ATTENTION_CUH
#define KERNELS_CUDA_HOPPER_ATTENTION_CUH

#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/ptx_hopper.cuh"

namespace PRECISION
{

enum {
    HOPPER_ROWS = 128,    // of a tile, two warpgroups'
    HOPPER_THREADS = 384, // of a block
    MULTIPLIERS = 256,    // of them
    PART_COLUMNS = 64,
    PART_BYTES = HOPPER_ROWS * PART_COLUMNS * 2
};

// Barriers with numbers; MINE + w: of multiplying warpgroup w
enum { TURN = 1, OTHER_TURN = 2, TAIL_IS_ZERO = 3, PRODUCERS = 4, MINE = 5 };

// Where a pipeline of STAGES stages stands, and in which parity of its barriers
template <int STAGES> struct Stage {
    int number, parity;
    __device__ inline void advance()
    {
        if (++number == STAGES) {
            number = 0;
            parity ^= 1;
        }
    }
};

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

const int64_t ANY_ROWS = (int64_t)1 << 31; // of pages, which know their number themselves

// A tensor (rows, heads, width) as TMA knows it, by boxes of (box_rows, box_heads, 64). What the driver does not like
// goes to device_check.
void describe_tensor(CUtensorMap *map, const element *start, int64_t rows, int64_t heads, int64_t width, int box_rows,
                     int box_heads);

// Dynamic shared memory, on 1,024 bytes, which the swizzle asks for
#if defined(__CUDACC__)
__device__ inline unsigned char *dynamic_shared_tiles()
{
    extern __shared__ __align__(1024) unsigned char dynamic_shared_tile_memory[];
    if (shared_address(dynamic_shared_tile_memory) % 1024 != 0)
        __trap(); // the swizzle would be another one
    return dynamic_shared_tile_memory;
}
#else
inline unsigned char *dynamic_shared_tiles() { return (unsigned char *)simt_dynamic_shared(); }
#endif

} // namespace PRECISION

#endif
