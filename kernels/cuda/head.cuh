// The softmax of a row of logits, as the head's forward pass and the sampler have it, to the bit: blocks of
// LOGSUMEXP_COLUMNS columns, each by one warp with 32 columns in the registers of each lane, eight float4 in flight;
// then the first warp puts the parts together, ascending, each scaled to the row's largest logit.
#ifndef KERNELS_CUDA_HEAD_CUH
#define KERNELS_CUDA_HEAD_CUH

#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include "kernels/cuda/reduce.cuh"
#include <assert.h>

namespace PRECISION
{

enum { HEAD_THREADS = 256, WARP_VECTORS = LOGSUMEXP_COLUMNS / (32 * 4) };

// largest logit and where it is first, Σ exp(z - largest), Σ exp(z - largest)·(z - largest): measured from the largest,
// so that the entropy is no difference of large numbers
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
__device__ inline void read_columns(float z[WARP_VECTORS][4], const float *row, int64_t first, int64_t n_live,
                                    float temperature)
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

// A chunk's logits, of the live columns: (cuda_chunk(rows behind n), cuda_pitch(n_live)) fp32
static inline void make_logits(Stream *s, float *logits, Tensor x, int64_t n, Tensor w, int64_t n_live)
{
    assert(x.columns == w.columns && n_live <= w.rows && n_live > 0 && (uintptr_t)logits % 16 == 0);
    assert(is_dense(x) && is_dense(w));
    int64_t C = x.columns, rows = cuda_chunk(x.rows - n), pitch = cuda_pitch(n_live);
    Product p = {MATMUL_FORWARD, rows, n_live, C, elements(x) + n * C, w.data, logits, C, C, pitch, true, false};
    product(s, &p);
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

// The whole row by the whole block, which has HEAD_THREADS threads; parts: room for each of its blocks of columns. What
// comes back is the first warp's lane 0's to use (row.largest and row.best the first warp's).
__device__ inline RowSoftmax softmax_of_row(SoftmaxPart *parts, const float *logits, int64_t n_live, float temperature)
{
    int warp = (int)threadIdx.x / 32, count = (int)((n_live + LOGSUMEXP_COLUMNS - 1) / LOGSUMEXP_COLUMNS);
    for (int i = warp; i < count; i += HEAD_THREADS / 32) {
        float z[WARP_VECTORS][4];
        read_columns(z, logits, (int64_t)i * LOGSUMEXP_COLUMNS, n_live, temperature);
        SoftmaxPart part = softmax_part(z, (int64_t)i * LOGSUMEXP_COLUMNS);
        if (threadIdx.x % 32 == 0)
            parts[i] = part;
    }
    __syncthreads();
    RowSoftmax row = {-INFINITY, 0, 0, INT32_MAX};
    return warp == 0 ? merge_parts(parts, count) : row;
}

// What a finished row gives: rounded to fp32 once, at the end.
__device__ inline float row_logprob(const RowSoftmax &row, float z)
{
    return (float)((double)z - row.largest - log(row.sum));
}
__device__ inline float row_entropy(const RowSoftmax &row) { return (float)(log(row.sum) - row.weighted / row.sum); }
__device__ inline int32_t row_best(const RowSoftmax &row, int64_t n_live)
{
    return row.best < n_live ? row.best : 0; // a row of nothing but NaN has none
}

} // namespace PRECISION

#endif
