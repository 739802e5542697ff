// What the kernels of our own matrix products share: tiles on their way to shared memory, chains on theirs home
#ifndef KERNELS_CUDA_PRODUCT_CUH
#define KERNELS_CUDA_PRODUCT_CUH

#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"

namespace PRECISION
{

// ROWS x COLUMNS elements of x (rows, columns), from (first_row, first_column) on, to a tile of rows COLUMNS + PAD
// apart, asynchronously; zeros where there is nothing more of x. A thread's chunks lie in one column of chunks, STEP
// rows apart: one address, and a distance to the next. What is left of the operand is small numbers, so that nothing
// but the address is 64 bits wide.
template <int ROWS, int COLUMNS, int THREADS>
__device__ inline void load_tile(element *tile, const element *x, int64_t pitch, int64_t first_row, int64_t rows,
                                 int64_t first_column, int64_t columns)
{
    constexpr int CHUNKS = COLUMNS / LANES, STEP = THREADS / CHUNKS;
    static_assert(THREADS % CHUNKS == 0 && ROWS % STEP == 0, "chunks in whole columns");
    int row = (int)threadIdx.x / CHUNKS, column = (int)threadIdx.x % CHUNKS * LANES;
    int64_t rows_left = rows - first_row, columns_left = columns - first_column;
    int live_rows = rows_left < ROWS ? (int)rows_left : ROWS,
        live_columns = columns_left < COLUMNS ? (int)columns_left : COLUMNS;
    const element *from = x + (first_row + row) * pitch + first_column + column;
    element *to = tile + row * (COLUMNS + PAD) + column;
#pragma unroll
    for (int i = 0; i < ROWS / STEP; i++, from += STEP * pitch) {
        bool live = row + i * STEP < live_rows && column < live_columns;
        cp_async_16(to + i * STEP * (COLUMNS + PAD), live ? from : x, live);
    }
}

__device__ inline void put(float *c, float x, bool add) { *c = add ? *c + x : x; }
#if PRECISION_BITS == 16
__device__ inline void put(element *c, float x, bool add) { *c = rounded(add ? widen(*c) + x : x); }
#endif

template <typename Output> struct alignas(2 * sizeof(Output)) Pair {
    Output left, right;
};

// Two neighbouring columns at once where both are there: the pitch is even, and so is the column. FROM_ZERO: what is
// not added to what is there is added to zero, and never -0, which a chain may end in.
template <bool FROM_ZERO, typename Output>
__device__ inline void put_pair(Output *c, float left, float right, bool both, bool add)
{
    bool sums = add || FROM_ZERO;
    if (!both) {
        Output alone = add ? *c : Output{};
        put(&alone, left, sums);
        *c = alone;
        return;
    }
    Pair<Output> pair = add ? *(const Pair<Output> *)c : Pair<Output>{};
    put(&pair.left, left, sums);
    put(&pair.right, right, sums);
    *(Pair<Output> *)c = pair;
}

} // namespace PRECISION

#endif
