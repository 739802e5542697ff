// The LM head and its loss. Chunks of HEAD_ROWS rows: their logits are one product with fp32 results, straight from the
// accumulators, (rows, pitch) at the start of the workspace; behind them lies room for their gradients, (rows, pitch) elements.
// The pitch is the number of live columns, rounded up to PITCH_MULTIPLE, so that every row starts on 256 bytes (gradients: 128).
//
// Bound by the products: forward one, backward three (the logits are made again, at a third more, and never kept). Beside them a
// logit is read once, 4 bytes, and going backward its gradient is written, 2 bytes more. At C = 2,560 that is 18% of the
// product's time going forward and 9% of the products' going backward (computed for an H100, 90% of its memory and 700 TFLOP/s;
// not yet measured on a GPU).
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include "kernels/cuda/reduce.cuh"
#include <assert.h>

namespace PRECISION
{

enum { THREADS = 256, PITCH_MULTIPLE = 64, WARP_VECTORS = LOGSUMEXP_COLUMNS / (32 * 4) };

static int64_t chunk_of(int64_t rows) { return rows < HEAD_ROWS ? rows : (int64_t)HEAD_ROWS; }

static int64_t pitch_of(int64_t columns) { return ceil_divide(columns, PITCH_MULTIPLE) * PITCH_MULTIPLE; }

int64_t head_workspace(int64_t rows, int64_t vocabulary)
{
    int64_t logits = chunk_of(rows) * pitch_of(vocabulary);
    return logits + logits * (int64_t)sizeof(element) / (int64_t)sizeof(float);
}

// ---- forward
//
// One block reads a row once. A warp takes a block of LOGSUMEXP_COLUMNS columns at a time, 32 in the registers of each lane,
// eight float4 in flight, and leaves its part of the softmax in shared memory; the first warp puts the parts together,
// ascending, each scaled to the row's largest logit.

// largest logit and where it is first, Σ exp(z - largest), Σ exp(z - largest)·(z - largest): measured from the largest, so that
// the entropy is no difference of large numbers
typedef struct SoftmaxPart {
    float largest, sum, weighted;
    int32_t best;
} SoftmaxPart;

__device__ inline int32_t warp_min(int32_t x)
{
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2)
        x = min(x, __shfl_xor_sync(~0u, x, apart));
    return x;
}

// Lane's columns of the block that starts at `first`: vector i has columns first + i·128 + lane·4 and the next three.
__device__ inline int64_t column_of(int64_t first, int i) { return first + i * 128 + threadIdx.x % 32 * 4; }

// Columns behind the last live one are -inf, and are not read.
__device__ inline void read_columns(float z[WARP_VECTORS][4], const float *row, int64_t first, int64_t n_live, float temperature)
{
    bool whole = first + LOGSUMEXP_COLUMNS <= n_live;
#pragma unroll
    for (int i = 0; i < WARP_VECTORS && whole; i++)
        *(float4 *)z[i] = *(const float4 *)(row + column_of(first, i));
#pragma unroll
    for (int i = 0; i < WARP_VECTORS * 4 && !whole; i++) {
        int64_t c = column_of(first, i / 4) + i % 4;
        z[i / 4][i % 4] = c < n_live ? row[c] : -INFINITY;
    }
#pragma unroll
    for (int i = 0; i < WARP_VECTORS * 4 && temperature != 1; i++)
        z[i / 4][i % 4] /= temperature;
}

__device__ inline SoftmaxPart softmax_part(const float z[WARP_VECTORS][4], int64_t first)
{
    SoftmaxPart part = {-INFINITY, 0, 0, INT32_MAX};
#pragma unroll
    for (int i = 0; i < WARP_VECTORS * 4; i++)
        part.largest = fmaxf(part.largest, z[i / 4][i % 4]);
    part.largest = warp_max(part.largest);
#pragma unroll
    for (int i = WARP_VECTORS * 4 - 1; i >= 0; i--)
        part.best = z[i / 4][i % 4] == part.largest ? (int32_t)column_of(first, i / 4) + i % 4 : part.best;
    part.best = warp_min(part.best);
    float from = part.largest == -INFINITY ? 0 : part.largest; // a block of nothing but -inf has sum 0
#pragma unroll
    for (int i = 0; i < WARP_VECTORS * 4; i++) {
        float below = z[i / 4][i % 4] - from, p = expf(below);
        part.sum += p;
        part.weighted = fmaf(p, fmaxf(below, -100), part.weighted); // p is as good as 0 there, and below may be -inf
    }
    part.sum = warp_sum(part.sum);
    part.weighted = warp_sum(part.weighted);
    return part;
}

// What a row's blocks come to; the sums in double, as 150 of them follow each other.
struct RowSoftmax {
    float largest;
    double sum, weighted;
    int32_t best;
};

// By one warp. Each part is first scaled to the row's largest, in its place; then lane 0 adds them, ascending.
__device__ inline RowSoftmax merge_parts(SoftmaxPart *parts, int count)
{
    int lane = (int)threadIdx.x;
    RowSoftmax row = {-INFINITY, 0, 0, INT32_MAX};
    for (int i = lane; i < count; i += 32)
        row.largest = fmaxf(row.largest, parts[i].largest);
    row.largest = warp_max(row.largest);
    for (int i = lane; i < count; i += 32) {
        SoftmaxPart *part = &parts[i];
        if (part->largest == row.largest)
            row.best = min(row.best, part->best);
        float below = part->largest - row.largest, scale = expf(below);
        part->weighted = scale == 0 ? 0 : (part->weighted + part->sum * below) * scale;
        part->sum *= scale;
    }
    row.best = warp_min(row.best);
    __syncwarp();
    for (int i = 0; i < count && lane == 0; i++) {
        row.sum += (double)parts[i].sum;
        row.weighted += (double)parts[i].weighted;
    }
    return row;
}

// What the kernels know of a chunk: logits (rows, pitch)
typedef struct Chunk {
    const float *logits;
    int64_t pitch, n_live;
    float temperature;
    const int32_t *targets;
} Chunk;

static __global__ void __launch_bounds__(THREADS)
    softmax_row(float *logprob, float *entropy, float *logsumexp, int32_t *best, Chunk chunk)
{
    SoftmaxPart *parts = dynamic_shared<SoftmaxPart>();
    const float *logits = chunk.logits + blockIdx.x * chunk.pitch;
    int warp = (int)threadIdx.x / 32, count = (int)((chunk.n_live + LOGSUMEXP_COLUMNS - 1) / LOGSUMEXP_COLUMNS);
    for (int i = warp; i < count; i += THREADS / 32) {
        float z[WARP_VECTORS][4];
        read_columns(z, logits, (int64_t)i * LOGSUMEXP_COLUMNS, chunk.n_live, chunk.temperature);
        SoftmaxPart part = softmax_part(z, (int64_t)i * LOGSUMEXP_COLUMNS);
        if (threadIdx.x % 32 == 0)
            parts[i] = part;
    }
    __syncthreads();
    if (warp != 0)
        return;
    RowSoftmax row = merge_parts(parts, count);
    if (threadIdx.x != 0)
        return;
    float target = logits[chunk.targets[blockIdx.x]] / chunk.temperature;
    double log_sum = log(row.sum); // rounded to fp32 once, at the end
    logsumexp[blockIdx.x] = (float)(row.largest + log_sum);
    logprob[blockIdx.x] = (float)((double)target - row.largest - log_sum);
    entropy[blockIdx.x] = (float)(log_sum - row.weighted / row.sum);
    if (best != NULL)
        best[blockIdx.x] = row.best < chunk.n_live ? row.best : 0; // a row of nothing but NaN has none
}

// ---- backward
//
// z becomes d loss / d (x·w): ([v = target] - p)·dlogprob - p·(ln p + entropy)·dentropy, over temperature. A thread makes one
// vector; columns behind the last live one are zeros, so that a product may run over them.

typedef struct RowGradients {
    const float *logsumexp, *entropy, *dlogprob, *dentropy; // dentropy may be NULL
} RowGradients;

__device__ inline float logit_gradient(float z, float temperature, bool is_target, float logsumexp, float entropy, float dlogprob,
                                       float dentropy)
{
    float log_p = (temperature != 1 ? z / temperature : z) - logsumexp, p = expf(log_p), d = -(p * dlogprob);
    if (dentropy != 0)
        d = d - p * (log_p + entropy) * dentropy;
    if (is_target)
        d += dlogprob;
    return temperature != 1 ? d / temperature : d;
}

static __global__ void __launch_bounds__(THREADS) gradient_row(element *dlogits, Chunk chunk, RowGradients g)
{
    int64_t row = blockIdx.x, c = ((int64_t)blockIdx.y * THREADS + threadIdx.x) * LANES;
    if (c >= chunk.pitch)
        return;
    float z[LANES] = {};
#pragma unroll
    for (int j = 0; j < LANES; j += 4)
        if (c + j < chunk.n_live) // what is behind the last live column is read with it, and not used
            *(float4 *)(z + j) = *(const float4 *)(chunk.logits + row * chunk.pitch + c + j);
    int64_t target = chunk.targets[row] - c;
    float dentropy = g.dentropy == NULL ? 0 : g.dentropy[row];
    Vector d;
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        float x =
            logit_gradient(z[j], chunk.temperature, j == target, g.logsumexp[row], g.entropy[row], g.dlogprob[row], dentropy);
        d.lane[j] = rounded(c + j < chunk.n_live ? x : 0);
    }
    store(dlogits + row * chunk.pitch + c, d);
}

// ---- chunk by chunk

static Chunk make_logits(Stream *s, float *workspace, Tensor x, int64_t n, Tensor w, const int32_t *targets, float temperature,
                         int64_t n_live)
{
    assert(x.columns == w.columns && n_live <= w.rows && n_live > 0 && (uintptr_t)workspace % 16 == 0);
    int64_t C = x.columns, pitch = pitch_of(n_live);
    const element *rows = (const element *)x.data + n * C;
    Product p = {MATMUL_FORWARD, chunk_of(x.rows - n), n_live, C, rows, w.data, workspace, C, C, pitch, true, false};
    product(s, &p);
    return Chunk{workspace, pitch, n_live, temperature, targets + n};
}

void head_forward(Stream *s, float *logprob, float *entropy, float *logsumexp, int32_t *best, Tensor x, Tensor w,
                  const int32_t *targets, float temperature, int64_t n_live, float *workspace)
{
    size_t shared = sizeof(SoftmaxPart) * (size_t)ceil_divide(n_live, LOGSUMEXP_COLUMNS);
    for (int64_t n = 0; n < x.rows; n += HEAD_ROWS) {
        Chunk chunk = make_logits(s, workspace, x, n, w, targets, temperature, n_live);
        launch(s, dim3((unsigned)chunk_of(x.rows - n)), dim3(THREADS), shared, softmax_row, logprob + n, entropy + n,
               logsumexp + n, best == NULL ? best : best + n, chunk);
    }
}

// Both products read the rounded gradients: dx one chain over the live columns, dweight one chain over the chunk's rows.
void head_backward(Stream *s, Tensor dx, float *dweight, Tensor x, Tensor w, const int32_t *targets, float temperature,
                   int64_t n_live, const float *logsumexp, const float *entropy, const float *dlogprob, const float *dentropy,
                   float *workspace)
{
    int64_t C = x.columns, pitch = pitch_of(n_live);
    for (int64_t n = 0; n < x.rows; n += HEAD_ROWS) {
        int64_t rows = chunk_of(x.rows - n);
        Chunk chunk = make_logits(s, workspace, x, n, w, targets, temperature, n_live);
        element *dlogits = (element *)(workspace + rows * pitch);
        RowGradients g = {logsumexp + n, entropy + n, dlogprob + n, dentropy == NULL ? dentropy : dentropy + n};
        launch(s, dim3((unsigned)rows, (unsigned)ceil_divide(pitch, THREADS * LANES)), dim3(THREADS), 0, gradient_row, dlogits,
               chunk, g);
        element *rows_dx = (element *)dx.data + n * C;
        const element *rows_x = (const element *)x.data + n * C;
        Product input = {MATMUL_BACKWARD_INPUT, rows, C, n_live, dlogits, w.data, rows_dx, pitch, C, C, false, false};
        Product weight = {MATMUL_BACKWARD_WEIGHT, n_live, C, rows, dlogits, rows_x, dweight, pitch, C, C, true, true};
        product(s, &input);
        product(s, &weight);
    }
}

} // namespace PRECISION
