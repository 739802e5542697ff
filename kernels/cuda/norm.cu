// RMSNorm with the residual added before it, forward and backward, and the other sum over rows, that of a bias. A block
// owns a row and holds it in registers, so everything is read once and written once; forward moves 4 elements per
// element (2 without a residual), backward 4 (3 without dsum).
//
// A thread has two vectors of 16 bytes of the row, so the number of threads follows from the width alone: C = 2,560 in
// bf16 takes 160. All of a thread's loads are under way before the first is used: 6 to 10 blocks of that width fit a
// multiprocessor and have 50 to 100 KiB in flight. The row's sum is each thread's chain, then block_sum's tree.
//
// A block for each row cannot add rows in order, so the weight's gradient needs blocks of its own, which read dy and
// sum again: a thread owns one vector of columns in one group of NORM_ROWS rows and walks down; 24 rows are in flight
// to it by cp.async, which keeps them out of the registers and the compiler from waiting between them. As a kernel of
// its own that read came from memory (H200: 46% of the copy for all of going backward). Now both kinds of blocks are
// one launch, in an order that has the same rows read by both within 16 MB of each other (C = 2,560), a third of the
// second cache: memory moves 4 elements per element, and only the cache moves 6.
//
// A bias's gradient is summed in the same way, and moves 1 element per element.
//
// Limit: memory. Of Qwen3-4B, 4,096 tokens, on an H200: forward 73% of the copy's bandwidth (89% with a residual),
// backward 44%: a launch costs 4 of the 13 to 44 us, and the second read was meant to be the second cache's (25 us).
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include "kernels/cuda/reduce.cuh"
#include <assert.h>

namespace PRECISION
{

enum {
    VECTORS = 2,
    ELEMENTS = VECTORS * LANES,
    MOST_THREADS = 8192 / ELEMENTS,
    COLUMN_THREADS = 32,
    ROWS_IN_FLIGHT = 24
};

// A thread's part of a row: vector i starts at column (i·threads + thread)·LANES. Behind the row's end there are zeros,
// which add nothing to its sums, and nothing is written.
struct Row {
    Words words[VECTORS];

    __device__ static int column(int i) { return (int)(i * blockDim.x + threadIdx.x) * LANES; }
    __device__ float at(int i) const { return widen(words[i / LANES], i % LANES); }
};

__device__ inline Row read_row(const element *row, int C)
{
    Row r;
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
        r.words[i] = load_words_or_zeros(row + Row::column(i), Row::column(i) < C);
    return r;
}

__device__ inline void write_row(element *row, const float x[ELEMENTS], int C)
{
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        Vector v;
#pragma unroll
        for (int j = 0; j < LANES; j++)
            v.lane[j] = rounded(x[i * LANES + j]);
        if (Row::column(i) < C)
            store(row + Row::column(i), v);
    }
}

// sum and residual are NULL where nothing is added
static __global__ void __launch_bounds__(MOST_THREADS)
    forward_row(element *y, element *sum, float *rstd, const element *x, const element *residual, const element *weight,
                float epsilon, int C)
{
    SHARED(float, scratch, 32);
    int64_t at = (int64_t)blockIdx.x * C;
    Row a = read_row(x + at, C), b, w;
    float total[ELEMENTS], squares = 0;
    if (residual != NULL)
        b = read_row(residual + at, C);
    w = read_row(weight, C);
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++)
        total[i] = residual != NULL ? round_to_element(a.at(i) + b.at(i)) : a.at(i);
    if (residual != NULL)
        write_row(sum + at, total, C);
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++)
        squares = fmaf(total[i], total[i], squares);
    float r = 1.0f / sqrtf(block_sum(squares, scratch) / (float)C + epsilon);
    if (threadIdx.x == 0)
        rstd[blockIdx.x] = r;
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++)
        total[i] = w.at(i) * round_to_element(total[i] * r);
    write_row(y + at, total, C);
}

// ---- sums over rows: groups of NORM_ROWS rows, ascending, into a row of `partial` each, then these from zero

// dweight (width) += the partial sums of all groups. A thread owns a column; its reads do not wait for each other.
static __global__ void __launch_bounds__(32)
    add_partials_kernel(float *dweight, const float *partial, int64_t groups, int64_t width)
{
    int64_t c = (int64_t)blockIdx.x * 32 + threadIdx.x;
    if (c >= width)
        return;
    float sum = 0;
#pragma unroll 32
    for (int64_t g = 0; g < groups; g++)
        sum += partial[g * width + c];
    dweight[c] += sum;
}

static inline void add_partials(Stream *s, float *dweight, const float *partial, int64_t groups, int64_t width)
{
    launch(s, ceil_divide(width, 32), 32, 0, add_partials_kernel, dweight, partial, groups, width);
}

// ---- backward: what arrives, what the forward pass left, and what is asked for; T rows of C

typedef struct Backward {
    element *dx;
    float *partial;
    const element *dy, *dsum, *sum, *weight; // dsum NULL: nothing else arrives
    const float *rstd;
    int64_t T, C;
} Backward;

// dx = rstd · (dy·w - n · mean(dy·w·n)) with n = sum · rstd in fp32, not rounded; added to dsum where there is one
__device__ inline void backward_row(const Backward &b, int64_t t, float *scratch)
{
    int C = (int)b.C;
    int64_t at = t * C;
    float r = b.rstd[t], dot = 0, gradient[ELEMENTS];
    Row d = read_row(b.dy + at, C), a = read_row(b.sum + at, C), straight, w;
    if (b.dsum != NULL)
        straight = read_row(b.dsum + at, C);
    w = read_row(b.weight, C);
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++)
        dot = fmaf(d.at(i) * w.at(i), a.at(i) * r, dot);
    float mean = block_sum(dot, scratch) / (float)C;
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++) {
        gradient[i] = r * fmaf(-(a.at(i) * r), mean, d.at(i) * w.at(i));
        gradient[i] = b.dsum != NULL ? straight.at(i) + gradient[i] : gradient[i];
    }
    write_row(b.dx + at, gradient, C);
}

// Down `rows` rows of one vector of columns, of one array or two whose rows lie `pitch` apart: add(row, words of each
// array) while ROWS_IN_FLIGHT rows are under way to the ring, each thread's to a place that nobody else reads.
template <int ARRAYS, typename Add>
__device__ inline void walk_rows(element *ring, const element *const (&arrays)[ARRAYS], int64_t pitch, int rows,
                                 Add add)
{
    auto place = [=](int row, int array) {
        return ring + ((row % ROWS_IN_FLIGHT * ARRAYS + array) * COLUMN_THREADS + (int)threadIdx.x) * LANES;
    };
    for (int row = 1 - ROWS_IN_FLIGHT; row < rows; row++) {
        int ahead = row + ROWS_IN_FLIGHT - 1;
#pragma unroll
        for (int i = 0; i < ARRAYS; i++)
            cp_async_16(place(ahead, i), arrays[i] + ahead * pitch, ahead < rows);
        cp_async_commit();
        if (row < 0)
            continue;
        cp_async_wait<ROWS_IN_FLIGHT - 1>();
        Words words[ARRAYS];
#pragma unroll
        for (int i = 0; i < ARRAYS; i++)
            words[i] = load_words(place(row, i));
        add(row, words);
    }
    cp_async_wait<0>();
}

// partial (groups, C): its row `group` gets that group's chains of dy · n, for a slab of columns. By a warp.
__device__ inline void weight_columns(const Backward &b, int64_t group, int slab, element *ring, float *scales)
{
    int64_t first = group * NORM_ROWS, C = b.C, c = ((int64_t)slab * COLUMN_THREADS + threadIdx.x) * LANES;
    int rows = b.T - first < NORM_ROWS ? (int)(b.T - first) : (int)NORM_ROWS;
    for (int i = (int)threadIdx.x; i < rows; i += COLUMN_THREADS)
        scales[i] = b.rstd[first + i];
    __syncwarp();
    if (c >= C)
        return;
    float chain[LANES] = {};
    walk_rows<2>(ring, {b.dy + first * C + c, b.sum + first * C + c}, C, rows, [&](int row, const Words words[2]) {
#pragma unroll
        for (int i = 0; i < LANES; i++)
            chain[i] = fmaf(widen(words[0], i), widen(words[1], i) * scales[row], chain[i]);
    });
    store_floats(b.partial + group * C + c, chain);
}

// Blocks start in the order of their numbers: first the slabs of LEAD groups, then of each group its rows and the slabs
// of the group LEAD further on. A group's slabs take two or three times as long as a row, and end before the last rows.
enum { LEAD = 6 };

static __global__ void __launch_bounds__(MOST_THREADS) backward_rows_and_slabs(Backward b, int slabs)
{
    SHARED(element, ring, ROWS_IN_FLIGHT * 2 * COLUMN_THREADS * LANES);
    SHARED(float, scales, NORM_ROWS);
    SHARED(float, scratch, 32);
    int block = (int)blockIdx.x - LEAD * slabs, of_group = NORM_ROWS + slabs;
    int64_t group = block < 0 ? (int)blockIdx.x / slabs : block / of_group;
    int place = block < 0 ? (int)blockIdx.x % slabs : block % of_group, slab = block < 0 ? place : place - NORM_ROWS;
    if (slab < 0) {
        if (group * NORM_ROWS + place < b.T)
            backward_row(b, group * NORM_ROWS + place, scratch);
        return;
    }
    group += block < 0 ? 0 : LEAD;
    if (group * NORM_ROWS < b.T && threadIdx.x < COLUMN_THREADS)
        weight_columns(b, group, slab, ring, scales);
}

// partial (groups, N): row blockIdx.x gets the sums of that group's rows
static __global__ void __launch_bounds__(COLUMN_THREADS)
    sum_columns(float *partial, const element *dy, int64_t T, int64_t N)
{
    SHARED(element, ring, ROWS_IN_FLIGHT * COLUMN_THREADS * LANES);
    int64_t first = (int64_t)blockIdx.x * NORM_ROWS, c = ((int64_t)blockIdx.y * COLUMN_THREADS + threadIdx.x) * LANES;
    int rows = T - first < NORM_ROWS ? (int)(T - first) : (int)NORM_ROWS;
    if (c >= N)
        return;
    float chain[LANES] = {};
    walk_rows<1>(ring, {dy + first * N + c}, N, rows, [&](int, const Words words[1]) {
#pragma unroll
        for (int i = 0; i < LANES; i++)
            chain[i] += widen(words[0], i);
    });
    store_floats(partial + blockIdx.x * N + c, chain);
}

// Whole warps, as many as hold a row of C
static dim3 threads_for(int64_t C)
{
    assert(C % LANES == 0 && C <= MOST_THREADS * ELEMENTS);
    return ceil_divide(C, 32 * ELEMENTS) * 32;
}

void rmsnorm_forward(Stream *s, Tensor y, Tensor sum, float *rstd, Tensor x, Tensor residual, Tensor weight,
                     float epsilon)
{
    launch(s, x.rows, threads_for(x.columns), 0, forward_row, elements(y), elements(sum), rstd, elements(x),
           elements(residual), elements(weight), epsilon, (int)x.columns);
}

void rmsnorm_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor dsum, Tensor sum,
                      Tensor weight, const float *rstd)
{
    int64_t T = sum.rows, C = sum.columns, groups = ceil_divide(T, NORM_ROWS);
    int64_t slabs = ceil_divide(C, COLUMN_THREADS * LANES), blocks = LEAD * slabs + groups * (NORM_ROWS + slabs);
    assert((uintptr_t)partial % 16 == 0 && blocks <= INT32_MAX);
    Backward b = {elements(dx), partial, elements(dy), elements(dsum), elements(sum), elements(weight), rstd, T, C};
    launch(s, T == 0 ? 0 : blocks, threads_for(C), 0, backward_rows_and_slabs, b, (int)slabs);
    add_partials(s, dweight, partial, groups, C);
}

void rows_sum(Stream *s, float *drow, float *partial, Tensor dy)
{
    int64_t T = dy.rows, N = dy.columns, groups = ceil_divide(T, NORM_ROWS);
    assert(N % LANES == 0 && (uintptr_t)partial % 16 == 0);
    dim3 grid(groups, ceil_divide(N, COLUMN_THREADS * LANES));
    launch(s, grid, COLUMN_THREADS, 0, sum_columns, partial, elements(dy), T, N);
    add_partials(s, drow, partial, groups, N);
}

} // namespace PRECISION
