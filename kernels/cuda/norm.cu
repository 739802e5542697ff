// RMSNorm with the residual added before it, forward and backward, and the other sum over rows, that of a bias. A block
// owns a row and holds it in registers, so everything is read once and written once; forward moves 4 elements per
// element (2 without a residual), backward 4 (3 without dsum).
//
// A thread has two vectors of 16 bytes of the row, so the number of threads follows from the width alone: C = 2,560 in
// bf16 takes 160. All of a thread's loads are under way before the first is used: 6 to 10 blocks of that width fit a
// multiprocessor and have 50 to 100 KiB in flight. The row's sum is each thread's chain, then block_sum's tree.
//
// Going backward a block has NORM_ROWS rows, one after the other, because the weight's gradient adds them in order:
// each thread keeps its columns' chains in registers while it writes dx, so that dy and sum are read once. What a
// thread reads of the next rows is on its way by cp.async to places in shared memory that nobody else looks at: in bf16
// three rows, 45 KiB for C = 2,560, of which three blocks fit a multiprocessor. The chains of the groups, 4 bytes for
// 32 rows (1% of what moves), are added by a second kernel, whose threads take NORM_GROUPS groups each.
//
// A bias's gradient is summed in the same way, and moves 1 element per element.
//
// Limit: memory. Of Qwen3-4B, 4,096 tokens, on an H200: forward 73% of the copy's bandwidth (89% with a residual), a
// launch being 4 of its 13 to 22 us. Backward in one pass has not run on a card.
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
    STAGES = LANES / 2, // rows of a block in shared memory: of 8,192 columns, three arrays' are 192 KiB
    AHEAD = STAGES - 1,
    COLUMN_THREADS = 32,
    ROWS_AT_ONCE = 16
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
    dependents_may_begin();
    Row w = read_row(weight, C);
    dependency_wait();
    Row a = read_row(x + at, C), b;
    float total[ELEMENTS], squares = 0;
    if (residual != NULL)
        b = read_row(residual + at, C);
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

// ---- sums over rows: chains of NORM_ROWS rows into a row of `partial` each, chains of NORM_GROUPS of these, then
// those

enum { FOLDED_COLUMNS = 8, MOST_FOLDED = 128 };

// A thread has one chain of a column; the first FOLDED_COLUMNS threads then add the chains, ascending. How many run
// side by side changes no bit.
static __global__ void __launch_bounds__(FOLDED_COLUMNS *MOST_FOLDED)
    fold_groups(float *to, const float *partial, int64_t groups, int64_t width)
{
    SHARED(float, sums, FOLDED_COLUMNS *MOST_FOLDED);
    int column = (int)threadIdx.x % FOLDED_COLUMNS, chains = (int)blockDim.x / FOLDED_COLUMNS;
    int64_t c = (int64_t)blockIdx.x * FOLDED_COLUMNS + column;
    float all = 0;
    for (int64_t first = 0; first < groups; first += chains * NORM_GROUPS) {
        int64_t start = first + (int)threadIdx.x / FOLDED_COLUMNS * NORM_GROUPS;
        int count = start >= groups ? 0 : groups - start < NORM_GROUPS ? (int)(groups - start) : (int)NORM_GROUPS;
        float sum = 0, terms[NORM_GROUPS]; // all on their way at once; those that are not there are zeros
#pragma unroll
        for (int g = 0; g < NORM_GROUPS; g++)
            terms[g] = g < count ? partial[(start + g) * width + c] : 0;
#pragma unroll
        for (int g = 0; g < NORM_GROUPS; g++)
            sum += terms[g];
        sums[threadIdx.x] = sum;
        __syncthreads();
        int64_t left = (groups - first + NORM_GROUPS - 1) / NORM_GROUPS;
        int added = threadIdx.x >= FOLDED_COLUMNS ? 0 : left < chains ? (int)left : chains;
#pragma unroll 16
        for (int i = 0; i < added; i++)
            all += sums[i * FOLDED_COLUMNS + column];
        __syncthreads();
    }
    if (threadIdx.x < FOLDED_COLUMNS)
        to[c] += all;
}

void add_groups(Stream *s, float *to, const float *partial, int64_t groups, int64_t width)
{
    assert(width % FOLDED_COLUMNS == 0);
    int64_t chains = ceil_divide(groups, 4 * NORM_GROUPS) * 4, most = MOST_FOLDED; // fours: whole warps
    chains = chains < 4 ? 4 : chains > most ? most : chains;
    launch(s, width / FOLDED_COLUMNS, FOLDED_COLUMNS * chains, 0, fold_groups, to, partial, groups, width);
}

// ---- backward: what arrives, what the forward pass left, and what is asked for; T rows of C

typedef struct Backward {
    element *dx;
    float *partial;                          // NULL: the weight's gradient is not wanted
    const element *dy, *dsum, *sum, *weight; // dsum NULL: nothing else arrives
    const float *rstd;
    int64_t T, C;
} Backward;

enum Arriving { DY, SUM, DSUM, ARRAYS };

// This thread's vector i of one array's row
__device__ inline element *ring_place(int row, int array, int i)
{
    int place = ((row % STAGES * ARRAYS + array) * VECTORS + i) * (int)blockDim.x + (int)threadIdx.x;
    return dynamic_shared<element>() + place * LANES;
}

__device__ inline void fetch_row(const Backward &b, int64_t first, int row, int rows)
{
    const element *const arrays[ARRAYS] = {b.dy, b.sum, b.dsum};
#pragma unroll
    for (int array = 0; array < ARRAYS; array++)
#pragma unroll
        for (int i = 0; i < VECTORS && row < rows && arrays[array] != NULL; i++)
            cp_async_16(ring_place(row, array, i), arrays[array] + (first + row) * b.C + Row::column(i),
                        Row::column(i) < b.C);
    cp_async_commit();
}

__device__ inline Row fetched_row(int row, int array)
{
    Row r;
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
        r.words[i] = load_words(ring_place(row, array, i));
    return r;
}

// dx = rstd · (dy·w - n · mean(dy·w·n)) with n = sum · rstd in fp32, not rounded; added to dsum where there is one. And
// each column's chain of dy · n goes one row further.
__device__ inline void backward_row(const Backward &b, int64_t first, int row, float r, const Row &w,
                                    float chain[ELEMENTS], float *scratch)
{
    float dot = 0, gradient[ELEMENTS];
    Row d = fetched_row(row, DY), a = fetched_row(row, SUM);
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++) {
        dot = fmaf(d.at(i) * w.at(i), a.at(i) * r, dot);
        chain[i] = fmaf(d.at(i), a.at(i) * r, chain[i]);
    }
    float mean = block_sum(dot, scratch) / (float)b.C;
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++)
        gradient[i] = r * fmaf(-(a.at(i) * r), mean, d.at(i) * w.at(i));
    if (b.dsum != NULL) {
        Row straight = fetched_row(row, DSUM);
#pragma unroll
        for (int i = 0; i < ELEMENTS; i++)
            gradient[i] = straight.at(i) + gradient[i];
    }
    write_row(b.dx + (first + row) * b.C, gradient, (int)b.C);
}

// Block g has the rows of group g, and writes row g of partial (groups, C).
static __global__ void __launch_bounds__(MOST_THREADS) backward_rows(Backward b)
{
    SHARED(float, scales, NORM_ROWS);
    SHARED(float, scratch, 32);
    int64_t first = (int64_t)blockIdx.x * NORM_ROWS;
    int rows = b.T - first < NORM_ROWS ? (int)(b.T - first) : (int)NORM_ROWS;
#pragma unroll
    for (int row = 0; row < AHEAD; row++)
        fetch_row(b, first, row, rows);
    for (int i = (int)threadIdx.x; i < rows; i += (int)blockDim.x)
        scales[i] = b.rstd[first + i];
    Row w = read_row(b.weight, (int)b.C);
    float chain[ELEMENTS] = {};
    __syncthreads();
    for (int row = 0; row < rows; row++) {
        fetch_row(b, first, row + AHEAD, rows);
        cp_async_wait<AHEAD>();
        backward_row(b, first, row, scales[row], w, chain, scratch);
    }
    cp_async_wait<0>();
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
        if (b.partial != NULL && Row::column(i) < b.C)
            store_floats(b.partial + blockIdx.x * b.C + Row::column(i), chain + i * LANES);
}

// ---- a bias

// partial (groups, N): row blockIdx.x gets the sums of that group's rows. A thread has one vector of columns.
static __global__ void __launch_bounds__(COLUMN_THREADS)
    sum_columns(float *partial, const element *dy, int64_t stride, int64_t T, int64_t N)
{
    int64_t first = (int64_t)blockIdx.x * NORM_ROWS, c = ((int64_t)blockIdx.y * COLUMN_THREADS + threadIdx.x) * LANES;
    if (c >= N)
        return;
    float chain[LANES] = {};
    for (int64_t t = first; t < first + NORM_ROWS; t += ROWS_AT_ONCE) {
        Words words[ROWS_AT_ONCE];
#pragma unroll
        for (int row = 0; row < ROWS_AT_ONCE; row++)
            words[row] = load_words_or_zeros(dy + (t + row) * stride + c, t + row < T);
#pragma unroll
        for (int row = 0; row < ROWS_AT_ONCE; row++)
#pragma unroll
            for (int i = 0; i < LANES; i++)
                chain[i] += widen(words[row], i);
    }
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
    assert(is_dense(y) && is_dense(sum) && is_dense(x) && is_dense(residual));
    launch_early(s, x.rows, threads_for(x.columns), 0, forward_row, elements(y), elements(sum), rstd, elements(x),
                 elements(residual), elements(weight), epsilon, (int)x.columns);
}

void rmsnorm_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor dsum, Tensor sum,
                      Tensor weight, const float *rstd)
{
    int64_t T = sum.rows, C = sum.columns, groups = row_groups(T);
    dim3 threads = threads_for(C);
    size_t ring = sizeof(Words) * STAGES * ARRAYS * VECTORS * threads.x;
    assert((uintptr_t)partial % 16 == 0 && groups <= INT32_MAX);
    assert(is_dense(dx) && is_dense(dy) && is_dense(dsum) && is_dense(sum));
    Backward b = {elements(dx),
                  dweight == NULL ? dweight : partial,
                  elements(dy),
                  elements(dsum),
                  elements(sum),
                  elements(weight),
                  rstd,
                  T,
                  C};
    launch(s, groups, threads, ring, backward_rows, b);
    if (dweight != NULL)
        add_groups(s, dweight, partial, groups, C);
}

void rows_sum(Stream *s, float *drow, float *partial, Tensor dy)
{
    int64_t T = dy.rows, N = dy.columns, groups = row_groups(T);
    assert(N % LANES == 0 && dy.stride % LANES == 0 && (uintptr_t)partial % 16 == 0);
    dim3 grid(groups, ceil_divide(N, COLUMN_THREADS * LANES));
    launch(s, grid, COLUMN_THREADS, 0, sum_columns, partial, elements(dy), dy.stride, T, N);
    add_groups(s, drow, partial, groups, N);
}

} // namespace PRECISION
