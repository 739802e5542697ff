// RMSNorm with the residual added before it, forward and backward, and the other sum over rows, that of a bias. A block owns a
// row and holds it in registers, so everything is read once and written once; forward moves 4 elements per element (2 without a
// residual), backward's row kernel 4 (3 without dsum).
//
// A thread has two vectors of 16 bytes of the row, so the number of threads follows from the width alone: C = 2,560 in bf16 takes
// 160. All of a thread's loads are under way before the first is used: 4 to 7 blocks of that width fit a multiprocessor and
// have 60 to 70 KiB in flight. The row's sum is each thread's chain, then block_sum's tree.
//
// The weight's gradient is a kernel of its own, because a block for each row cannot add rows in order: a thread owns one vector
// of columns in one group of NORM_ROWS rows and walks down; 16 rows are in flight to it by cp.async, which keeps them out of the
// registers and the compiler from waiting between them. It reads dy and sum a second time; going backward thus moves 6 elements
// per element instead of 4. For Qwen3-4B that costs 0.2 µs of the 40 a token takes (computed).
//
// A bias's gradient is summed in the same way, and moves 1 element per element.
//
// Limit: memory. The fraction of it that is reached has not been measured on a GPU yet.
#include "kernels/cuda/norm.cuh"
#include "kernels/cuda/operations.h"
#include "kernels/cuda/reduce.cuh"
#include <assert.h>

namespace PRECISION
{

enum { VECTORS = 2, ELEMENTS = VECTORS * LANES, MOST_THREADS = 8192 / ELEMENTS, COLUMN_THREADS = 64, ROWS_IN_FLIGHT = 16 };

// A thread's part of a row: vector i starts at column (i·threads + thread)·LANES. Behind the row's end there are zeros, which add
// nothing to its sums, and nothing is written.
struct Row {
    Vector v[VECTORS];

    __device__ static int64_t column(int i) { return (int64_t)(i * blockDim.x + threadIdx.x) * LANES; }
    __device__ float at(int i) const { return widen(v[i / LANES].lane[i % LANES]); }
    __device__ void round_to(int i, float x) { v[i / LANES].lane[i % LANES] = rounded(x); }
};

__device__ inline Row read_row(const element *row, int64_t C)
{
    Row r;
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
        r.v[i] = Row::column(i) < C ? load(row + Row::column(i)) : Vector{};
    return r;
}

__device__ inline void write_row(element *row, const Row &r, int64_t C)
{
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
        if (Row::column(i) < C)
            store(row + Row::column(i), r.v[i]);
}

// sum and residual are NULL where nothing is added
static __global__ void __launch_bounds__(MOST_THREADS)
    forward_row(element *y, element *sum, float *rstd, const element *x, const element *residual, const element *weight,
                float epsilon, int64_t C)
{
    SHARED(float, scratch, 32);
    int64_t t = blockIdx.x;
    Row a = read_row(x + t * C, C), b, w;
    if (residual != NULL)
        b = read_row(residual + t * C, C);
    w = read_row(weight, C);
    if (residual != NULL) {
#pragma unroll
        for (int i = 0; i < ELEMENTS; i++)
            a.round_to(i, a.at(i) + b.at(i));
        write_row(sum + t * C, a, C);
    }
    float squares = 0;
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++)
        squares = fmaf(a.at(i), a.at(i), squares);
    float r = 1.0f / sqrtf(block_sum(squares, scratch) / (float)C + epsilon);
    if (threadIdx.x == 0)
        rstd[t] = r;
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++)
        a.round_to(i, w.at(i) * round_to_element(a.at(i) * r));
    write_row(y + t * C, a, C);
}

// dx = rstd · (dy·w - n · mean(dy·w·n)) with n = sum · rstd in fp32, not rounded; added to dsum where there is one
static __global__ void __launch_bounds__(MOST_THREADS)
    backward_row(element *dx, const element *dy, const element *dsum, const element *sum, const element *weight,
                 const float *rstd, int64_t C)
{
    SHARED(float, scratch, 32);
    int64_t t = blockIdx.x;
    float r = rstd[t], dot = 0;
    Row d = read_row(dy + t * C, C), a = read_row(sum + t * C, C), straight, w;
    if (dsum != NULL)
        straight = read_row(dsum + t * C, C);
    w = read_row(weight, C);
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++)
        dot = fmaf(d.at(i) * w.at(i), a.at(i) * r, dot);
    float mean = block_sum(dot, scratch) / (float)C;
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++) {
        float gradient = r * fmaf(-(a.at(i) * r), mean, d.at(i) * w.at(i));
        d.round_to(i, dsum != NULL ? straight.at(i) + gradient : gradient);
    }
    write_row(dx + t * C, d, C);
}

// Where row `row` of this thread's vector of columns, of one array or two, lies in the ring. Nobody else reads that place.
template <int ARRAYS> __device__ inline element *ring_place(element *ring, int row)
{
    return ring + (row % ROWS_IN_FLIGHT * ARRAYS * COLUMN_THREADS + (int)threadIdx.x) * LANES;
}

// The row sets out for its place, dy's and sum's.
__device__ inline void fetch(element *place, const element *dy, const element *sum, bool live)
{
    cp_async_16(place, dy, live);
    cp_async_16(place + COLUMN_THREADS * LANES, sum, live);
    cp_async_commit();
}

// partial (groups, C): row blockIdx.x gets the chains of dy · n over the rows of that group
static __global__ void __launch_bounds__(COLUMN_THREADS)
    weight_columns(float *partial, const element *dy, const element *sum, const float *rstd, int64_t T, int64_t C)
{
    SHARED(element, ring, ROWS_IN_FLIGHT * 2 * COLUMN_THREADS * LANES);
    SHARED(float, scales, NORM_ROWS);
    int64_t first = (int64_t)blockIdx.x * NORM_ROWS;
    int rows = T - first < NORM_ROWS ? (int)(T - first) : (int)NORM_ROWS;
    for (int i = (int)threadIdx.x; i < rows; i += COLUMN_THREADS)
        scales[i] = rstd[first + i];
    __syncthreads();
    int64_t c = ((int64_t)blockIdx.y * COLUMN_THREADS + threadIdx.x) * LANES;
    if (c >= C)
        return;
    float chain[LANES] = {};
    for (int row = 1 - ROWS_IN_FLIGHT; row < rows; row++) {
        int ahead = row + ROWS_IN_FLIGHT - 1;
        int64_t from = (first + ahead) * C + c;
        fetch(ring_place<2>(ring, ahead), dy + from, sum + from, ahead < rows);
        if (row < 0)
            continue;
        cp_async_wait<ROWS_IN_FLIGHT - 1>();
        Vector d = load(ring_place<2>(ring, row)), a = load(ring_place<2>(ring, row) + COLUMN_THREADS * LANES);
#pragma unroll
        for (int i = 0; i < LANES; i++)
            chain[i] = fmaf(widen(d.lane[i]), widen(a.lane[i]) * scales[row], chain[i]);
    }
    cp_async_wait<0>();
    store_floats(partial + blockIdx.x * C + c, chain);
}

// partial (groups, N): row blockIdx.x gets the sums of that group's rows
static __global__ void __launch_bounds__(COLUMN_THREADS) sum_columns(float *partial, const element *dy, int64_t T, int64_t N)
{
    SHARED(element, ring, ROWS_IN_FLIGHT * COLUMN_THREADS * LANES);
    int64_t first = (int64_t)blockIdx.x * NORM_ROWS, c = ((int64_t)blockIdx.y * COLUMN_THREADS + threadIdx.x) * LANES;
    int rows = T - first < NORM_ROWS ? (int)(T - first) : (int)NORM_ROWS;
    if (c >= N)
        return;
    float chain[LANES] = {};
    for (int row = 1 - ROWS_IN_FLIGHT; row < rows; row++) {
        int ahead = row + ROWS_IN_FLIGHT - 1;
        cp_async_16(ring_place<1>(ring, ahead), dy + (first + ahead) * N + c, ahead < rows);
        cp_async_commit();
        if (row < 0)
            continue;
        cp_async_wait<ROWS_IN_FLIGHT - 1>();
        Vector d = load(ring_place<1>(ring, row));
#pragma unroll
        for (int i = 0; i < LANES; i++)
            chain[i] += widen(d.lane[i]);
    }
    cp_async_wait<0>();
    store_floats(partial + blockIdx.x * N + c, chain);
}

// Whole warps, as many as hold a row of C
static dim3 threads_for(int64_t C)
{
    assert(C % LANES == 0 && C <= MOST_THREADS * ELEMENTS);
    return dim3((unsigned)ceil_divide(C, 32 * ELEMENTS) * 32);
}

void rmsnorm_forward(Stream *s, Tensor y, Tensor sum, float *rstd, Tensor x, Tensor residual, Tensor weight, float epsilon)
{
    launch(s, dim3((unsigned)x.rows), threads_for(x.columns), 0, forward_row, (element *)y.data, (element *)sum.data, rstd,
           (const element *)x.data, (const element *)residual.data, (const element *)weight.data, epsilon, x.columns);
}

void rmsnorm_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor dsum, Tensor sum, Tensor weight,
                      const float *rstd)
{
    int64_t T = sum.rows, C = sum.columns, groups = ceil_divide(T, NORM_ROWS);
    assert((uintptr_t)partial % 16 == 0);
    dim3 grid((unsigned)groups, (unsigned)ceil_divide(C, COLUMN_THREADS * LANES));
    launch(s, grid, dim3(COLUMN_THREADS), 0, weight_columns, partial, (const element *)dy.data, (const element *)sum.data, rstd,
           T, C);
    add_partials(s, dweight, partial, groups, C);
    launch(s, dim3((unsigned)T), threads_for(C), 0, backward_row, (element *)dx.data, (const element *)dy.data,
           (const element *)dsum.data, (const element *)sum.data, (const element *)weight.data, rstd, C);
}

void rows_sum(Stream *s, float *drow, float *partial, Tensor dy)
{
    int64_t T = dy.rows, N = dy.columns, groups = ceil_divide(T, NORM_ROWS);
    assert(N % LANES == 0 && (uintptr_t)partial % 16 == 0);
    dim3 grid((unsigned)groups, (unsigned)ceil_divide(N, COLUMN_THREADS * LANES));
    launch(s, grid, dim3(COLUMN_THREADS), 0, sum_columns, partial, (const element *)dy.data, T, N);
    add_partials(s, drow, partial, groups, N);
}

} // namespace PRECISION
