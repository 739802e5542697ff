// The operations that only move rows or treat each element alone: embedding, gathering, scattering and filling rows, SwiGLU,
// accumulate. All are bound by memory, and none has been measured on a GPU yet.
//
//   rows (embedding, gather, scatter,   a warp copies a row, four vectors of 16 bytes in flight in a lane; moves 2 elements
//   fill)                               for each, fill 1: its row comes from the caches
//   accumulate, SwiGLU                  a thread owns one vector of 16 bytes and reads the 2 or 3 operands of it at once: a full
//                                       multiprocessor has 64 to 96 KiB in flight; 12 bytes per element for accumulate, 3 and 5
//                                       elements per element for SwiGLU, forward and backward
//   embedding_backward                  no sort and no atomics: see there
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include <assert.h>

namespace PRECISION
{

enum { BLOCK = 256, ROWS_PER_BLOCK = BLOCK / 32 };

static dim3 blocks_for(int64_t threads) { return dim3((unsigned)ceil_divide(threads, BLOCK)); }

// ---- accumulate

static __global__ void __launch_bounds__(BLOCK) accumulate_kernel(float *sum, const float *x, int64_t count)
{
    int64_t i = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * 4;
    if (i + 4 <= count) {
        float4 a = *(const float4 *)(sum + i), b = *(const float4 *)(x + i);
        *(float4 *)(sum + i) = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
    } else {
        for (; i < count; i++)
            sum[i] += x[i];
    }
}

void accumulate(Stream *s, float *sum, const float *x, int64_t count)
{
    assert((uintptr_t)sum % 16 == 0 && (uintptr_t)x % 16 == 0);
    launch(s, blocks_for(ceil_divide(count, 4)), dim3(BLOCK), 0, accumulate_kernel, sum, x, count);
}

// ---- rows: y[n] = x[places[n]], or y[places[n]] = x[n] if scattered. places NULL: the row is x's first

static __global__ void __launch_bounds__(BLOCK) copy_rows(element *__restrict__ y, const element *__restrict__ x,
                                                          const int32_t *places, int64_t rows, int64_t C, bool scattered)
{
    int64_t n = (int64_t)blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / 32;
    if (n >= rows)
        return;
    int64_t place = places != NULL ? places[n] : 0;
    element *to = y + (scattered ? place : n) * C;
    const element *from = x + (scattered ? n : place) * C;
#pragma unroll 4
    for (int64_t c = threadIdx.x % 32 * LANES; c < C; c += 32 * LANES)
        store(to + c, load(from + c));
}

static void copy(Stream *s, Tensor y, Tensor x, const int32_t *places, int64_t rows, bool scattered)
{
    assert(y.columns == x.columns && x.columns % LANES == 0);
    launch(s, dim3((unsigned)ceil_divide(rows, ROWS_PER_BLOCK)), dim3(BLOCK), 0, copy_rows, (element *)y.data, (element *)x.data,
           places, rows, x.columns, scattered);
}

void embedding_forward(Stream *s, Tensor y, Tensor table, const int32_t *ids) { copy(s, y, table, ids, y.rows, false); }

void rows_gather(Stream *s, Tensor y, Tensor x, const int32_t *rows) { copy(s, y, x, rows, y.rows, false); }

// Scattered rows are written twice. It runs once in a micro-batch: a search for the rows that stay zero would not show.
void rows_scatter(Stream *s, Tensor dx, Tensor dy, const int32_t *rows)
{
    device_zero(s, dx.data, sizeof(element) * (size_t)(dx.rows * dx.columns));
    copy(s, dx, dy, rows, dy.rows, true);
}

void rows_fill(Stream *s, Tensor y, Tensor row) { copy(s, y, row, NULL, y.rows, false); }

// ---- the embedding's gradient
//
// The tokens of one vocabulary row are a list: the first of them, then from each to the next. find_repeats makes the lists by
// comparing every token with every other, T² comparisons of integers in shared memory, two or three instructions each (T =
// 16,384: 2.7e8 of them, computed to take 50 µs on an H100); a sort would do with less and be more code. Then 64 threads for each
// first token and each 64 vectors of columns walk its list, ascending, and add the finished chain to the table's row. Each
// token's gradient is read once, and 2 elements of fp32 are moved for each element of a row that occurs. A step of the walk waits
// for the memory, so the commonest token decides how long it takes: computed 0.3 µs for each time it occurs, in a micro-batch
// that lasts most of a second.

enum { COMPARERS = 128, COMPARED = 1024, WALKERS = 64 };

// Bits of 32 ids in shared memory that equal `mine`
__device__ inline uint32_t equal_bits(const int32_t *ids, int32_t mine)
{
    uint32_t equal = 0;
#pragma unroll
    for (int i = 0; i < 32; i += 4) {
        int4 four = *(const int4 *)(ids + i);
        equal |= (four.x == mine ? 1u << i : 0) | (four.y == mine ? 2u << i : 0) | (four.z == mine ? 4u << i : 0) |
                 (four.w == mine ? 8u << i : 0);
    }
    return equal;
}

__device__ inline uint32_t lowest_bits(int32_t count) { return count <= 0 ? 0 : count < 32 ? (1u << count) - 1 : ~0u; }

// next (T): the next token of the same id, or T; first (T): is it the first one
static __global__ void __launch_bounds__(COMPARERS) find_repeats(int32_t *next, int32_t *first, const int32_t *ids, int32_t T)
{
    SHARED(int32_t, others, COMPARED);
    int32_t t = (int32_t)(blockIdx.x * COMPARERS + threadIdx.x), mine = t < T ? ids[t] : -1, after = T;
    bool repeats = false;
    for (int32_t start = 0; start < T; start += COMPARED) {
        for (int i = (int)threadIdx.x; i < COMPARED; i += COMPARERS)
            others[i] = start + i < T ? ids[start + i] : -1;
        __syncthreads();
        for (int i = 0; i < COMPARED; i += 32) {
            uint32_t equal = equal_bits(others + i, mine);
            if (equal == 0)
                continue;
            int32_t own = t - start - i; // the bit that is t itself, where it is one of the 32
            uint32_t later = equal & ~lowest_bits(own + 1);
            repeats = repeats || (equal & lowest_bits(own)) != 0;
            if (later != 0 && after == T)
                after = start + i + __ffs((int)later) - 1;
        }
        __syncthreads();
    }
    if (t < T) {
        next[t] = after;
        first[t] = !repeats;
    }
}

__device__ inline void add_widened(float sum[LANES], Vector x)
{
#pragma unroll
    for (int i = 0; i < LANES; i++)
        sum[i] += widen(x.lane[i]);
}

static __global__ void __launch_bounds__(WALKERS) add_chains(float *dtable, const element *dy, const int32_t *ids,
                                                             const int32_t *next, const int32_t *first, int64_t T, int64_t C)
{
    int64_t t = blockIdx.x, c = ((int64_t)blockIdx.y * WALKERS + threadIdx.x) * LANES;
    if (!first[t] || c >= C)
        return;
    float sum[LANES] = {};
    Vector row = load(dy + t * C + c);
    for (int64_t at = next[t]; at < T; at = next[at]) { // one row ahead of the sum
        Vector following = load(dy + at * C + c);
        add_widened(sum, row);
        row = following;
    }
    add_widened(sum, row);
    float *to = dtable + ids[t] * C + c;
#pragma unroll
    for (int i = 0; i < LANES; i += 4) {
        float4 old = *(const float4 *)(to + i);
        *(float4 *)(to + i) = make_float4(old.x + sum[i], old.y + sum[i + 1], old.z + sum[i + 2], old.w + sum[i + 3]);
    }
}

void embedding_backward(Stream *s, float *dtable, Tensor dy, const int32_t *ids, int32_t *scratch)
{
    int64_t T = dy.rows, C = dy.columns;
    int32_t *next = scratch, *first = scratch + T;
    assert(C % LANES == 0 && (uintptr_t)dtable % 16 == 0 && T <= INT32_MAX - COMPARED);
    launch(s, dim3((unsigned)ceil_divide(T, COMPARERS)), dim3(COMPARERS), 0, find_repeats, next, first, ids, T);
    dim3 grid((unsigned)T, (unsigned)ceil_divide(C, WALKERS * LANES));
    launch(s, grid, dim3(WALKERS), 0, add_chains, dtable, (const element *)dy.data, ids, next, first, T, C);
}

// ---- SwiGLU, with σ = 1/(1 + e^-gate). Forward rounds silu(gate) before it multiplies, as transformers does. Backward computes
// in fp32 from what is stored and rounds its two results, once each:
//   dup = dy·gate·σ,  dgate = dy·up·σ·(1 + gate·(1 - σ))

static __global__ void __launch_bounds__(BLOCK)
    swiglu_forward_kernel(element *y, const element *gate, const element *up, int64_t vectors)
{
    int64_t at = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * LANES;
    if (at >= vectors * LANES)
        return;
    Vector g = load(gate + at), u = load(up + at), out;
#pragma unroll
    for (int i = 0; i < LANES; i++) {
        float x = widen(g.lane[i]), silu = x / (1.0f + expf(-x));
        out.lane[i] = rounded(round_to_element(silu) * widen(u.lane[i]));
    }
    store(y + at, out);
}

static __global__ void __launch_bounds__(BLOCK) swiglu_backward_kernel(element *dgate, element *dup, const element *dy,
                                                                       const element *gate, const element *up, int64_t vectors)
{
    int64_t at = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * LANES;
    if (at >= vectors * LANES)
        return;
    Vector d = load(dy + at), g = load(gate + at), u = load(up + at);
#pragma unroll
    for (int i = 0; i < LANES; i++) {
        float x = widen(g.lane[i]), arriving = widen(d.lane[i]), sigmoid = 1.0f / (1.0f + expf(-x));
        float slope = sigmoid * fmaf(x, 1.0f - sigmoid, 1.0f);
        g.lane[i] = rounded(arriving * widen(u.lane[i]) * slope);
        u.lane[i] = rounded(arriving * (x * sigmoid));
    }
    store(dgate + at, g);
    store(dup + at, u);
}

void swiglu_forward(Stream *s, Tensor y, Tensor gate, Tensor up)
{
    assert(y.columns % LANES == 0);
    int64_t vectors = y.rows * y.columns / LANES;
    launch(s, blocks_for(vectors), dim3(BLOCK), 0, swiglu_forward_kernel, (element *)y.data, (const element *)gate.data,
           (const element *)up.data, vectors);
}

void swiglu_backward(Stream *s, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up)
{
    assert(dy.columns % LANES == 0);
    int64_t vectors = dy.rows * dy.columns / LANES;
    launch(s, blocks_for(vectors), dim3(BLOCK), 0, swiglu_backward_kernel, (element *)dgate.data, (element *)dup.data,
           (const element *)dy.data, (const element *)gate.data, (const element *)up.data, vectors);
}

} // namespace PRECISION
