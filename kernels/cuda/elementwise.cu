// The operations that only move rows or treat each element alone: embedding, gathering, scattering and filling rows,
// SwiGLU, accumulate. All are bound by memory. On an H200 SwiGLU and accumulate reach the speed of a copy, and what
// moves 20 to 40 MB takes as long as a copy and some 4 µs more, which is what any launch takes there.
//
//   rows (embedding, gather, scatter,   a warp copies a row, four vectors of 16 bytes in flight in a lane; moves 2
//   fill)                               elements for each, fill 1: its row comes from the caches
//   scale                               a thread owns one vector of 16 bytes; moves 2 elements for each
//   accumulate, SwiGLU                  a thread owns one vector of 16 bytes and reads the 2 or 3 operands of it at
//                                       once: a full multiprocessor has 64 to 96 KiB in flight; 12 bytes per element
//                                       for accumulate, 3 and 5 elements per element for SwiGLU, forward and backward
//   embedding_backward                  no sort and no atomics: see there
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include <assert.h>

namespace PRECISION
{

enum { BLOCK = 256, ROWS_PER_BLOCK = BLOCK / 32, AT_ONCE = 4 };

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
    launch(s, ceil_divide(count, 4 * BLOCK), BLOCK, 0, accumulate_kernel, sum, x, count);
}

// ---- rows: y[n] = x[places[n]], or y[places[n]] = x[n] if scattered. places NULL: the row is x's first

static __global__ void __launch_bounds__(BLOCK)
    copy_rows(element *y, int64_t y_stride, const element *x, const int32_t *places, int64_t rows, int64_t C,
              bool scattered)
{
    int64_t n = (int64_t)blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / 32;
    dependents_may_begin();
    dependency_wait();
    if (n >= rows)
        return;
    int64_t place = places != NULL ? places[n] : 0;
    element *to = y + (scattered ? place : n) * y_stride;
    const element *from = x + (scattered ? n : place) * C;
    for (int64_t c = threadIdx.x % 32 * LANES; c < C; c += AT_ONCE * 32 * LANES) {
        Words words[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
            words[i] = load_words_or_zeros(from + c + i * 32 * LANES, c + i * 32 * LANES < C);
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
            if (c + i * 32 * LANES < C)
                store_words(to + c + i * 32 * LANES, words[i]);
    }
}

static void copy(Stream *s, Tensor y, Tensor x, const int32_t *places, int64_t rows, bool scattered)
{
    assert(y.columns == x.columns && x.columns % LANES == 0 && y.stride % LANES == 0 && is_dense(x));
    launch_early(s, ceil_divide(rows, ROWS_PER_BLOCK), BLOCK, 0, copy_rows, elements(y), y.stride, elements(x), places,
                 rows, x.columns, scattered);
}

void embedding_forward(Stream *s, Tensor y, Tensor table, const int32_t *ids) { copy(s, y, table, ids, y.rows, false); }

void rows_gather(Stream *s, Tensor y, Tensor x, const int32_t *rows) { copy(s, y, x, rows, y.rows, false); }

// Scattered rows are written twice. It runs once in a micro-batch: a search for the rows that stay zero would not show.
void rows_scatter(Stream *s, Tensor dx, Tensor dy, const int32_t *rows)
{
    assert(is_dense(dx));
    device_zero(s, dx.data, sizeof(element) * (size_t)(dx.rows * dx.columns));
    copy(s, dx, dy, rows, dy.rows, true);
}

void rows_fill(Stream *s, Tensor y, Tensor row) { copy(s, y, row, NULL, y.rows, false); }

// An adapter's few columns: a thread has a vector.
static __global__ void __launch_bounds__(BLOCK)
    scale_rows(element *y, int64_t stride, int64_t rows, int64_t vectors, float factor)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    dependents_may_begin();
    dependency_wait();
    if (i >= rows * vectors)
        return;
    element *at = y + i / vectors * stride + i % vectors * LANES;
    Vector v = load(at);
#pragma unroll
    for (int j = 0; j < LANES; j++)
        v.lane[j] = rounded(factor * widen(v.lane[j]));
    store(at, v);
}

void rows_scale(Stream *s, Tensor y, float factor)
{
    int64_t vectors = y.columns / LANES;
    assert(y.columns % LANES == 0 && y.stride % LANES == 0);
    launch_early(s, ceil_divide(y.rows * vectors, BLOCK), BLOCK, 0, scale_rows, elements(y), y.stride, y.rows, vectors,
                 factor);
}

// ---- the embedding's gradient
//
// sort_tokens finds the place of every token in the order of (id, token) by counting the tokens before it: T²
// comparisons of integers in shared memory, three instructions each (T = 4,096: computed to take 2 µs, T = 16,384: 30);
// a sort would do with less and be more code. All of it takes 68 µs on an H200 (4,096 tokens, width 2,560), and did
// 152. A block takes 32 tokens, each of its warps an eighth of those they are compared with.
//
// Then a vocabulary row's tokens lie side by side, ascending. A warp takes the first of them and 32 vectors of columns,
// walks down the list and adds the finished chain to the table's row. Each token's gradient is read once, and 2
// elements of fp32 are moved for each element of a row that occurs. The commonest token, every twentieth in a text,
// decides how long the longest walk takes: 16 of its rows are in flight by cp.async (one by one, as links of a list,
// they were nine tenths of 150 µs on an H200).

enum { RANKED = 32, RANKERS = 8, COMPARED = 4096, WALK_WARPS = 8, WALK_AHEAD = 16 };

// How many of 32 ids in shared memory are below the limit
__device__ inline int count_below(const int32_t *ids, int32_t limit)
{
    int count = 0;
#pragma unroll
    for (int i = 0; i < 32; i += 4) {
        int4 four = *(const int4 *)(ids + i);
        count += (four.x < limit) + (four.y < limit) + (four.z < limit) + (four.w < limit);
    }
    return count;
}

// order (T): tokens by id, those of one id ascending; sorted (T): their ids
static __global__ void __launch_bounds__(RANKED *RANKERS)
    sort_tokens(int32_t *order, int32_t *sorted, const int32_t *ids, int32_t T)
{
    SHARED(int32_t, others, COMPARED);
    SHARED(int, counts, RANKED *RANKERS);
    int lane = (int)threadIdx.x % 32, ranker = (int)threadIdx.x / 32, count = 0;
    int32_t own = (int32_t)blockIdx.x * RANKED, t = own + lane, mine = t < T ? ids[t] : 0;
    for (int32_t start = 0; start < T; start += COMPARED) {
        for (int i = (int)threadIdx.x; i < COMPARED; i += RANKED * RANKERS)
            others[i] = start + i < T ? ids[start + i] : INT32_MAX;
        __syncthreads();
        for (int i = ranker * (COMPARED / RANKERS); i < (ranker + 1) * (COMPARED / RANKERS); i += 32) {
            if (start + i != own)
                count += count_below(others + i,
                                     start + i < own ? mine + 1 : mine); // earlier ones of the same id come before
            for (int j = 0; j < 32 && start + i == own; j++)
                count += others[i + j] < mine + (j < lane);
        }
        __syncthreads();
    }
    counts[threadIdx.x] = count;
    __syncthreads();
    if (ranker > 0 || t >= T)
        return;
    for (int i = 1; i < RANKERS; i++)
        count += counts[i * RANKED + lane];
    order[count] = t;
    sorted[count] = mine;
}

// 32 places of the order, a lane each: the token, and bits of those that belong to the list
struct Stretch {
    int32_t token;
    unsigned members;
};

__device__ inline Stretch read_stretch(const int32_t *order, const int32_t *sorted, int64_t first, int32_t id,
                                       int64_t T)
{
    int64_t place = first + threadIdx.x % 32;
    bool member = place < T && sorted[place] == id;
    return Stretch{member ? order[place] : 0, __ballot_sync(~0u, member)};
}

__device__ inline void add_widened(float sum[LANES], Words x)
{
#pragma unroll
    for (int i = 0; i < LANES; i++)
        sum[i] += widen(x, i);
}

static __global__ void __launch_bounds__(WALK_WARPS * 32)
    add_lists(float *dtable, const element *dy, const int32_t *order, const int32_t *sorted, int64_t T, int64_t C)
{
    element *ring =
        dynamic_shared<element>() + (int)threadIdx.x * LANES; // this thread's vector of a row; nobody else looks at it
    int row_pitch = (int)blockDim.x * LANES;
    int64_t place = blockIdx.x, c = ((int64_t)blockIdx.y * blockDim.x + threadIdx.x) * LANES;
    int32_t id = sorted[place], before = place > 0 ? sorted[place - 1] : -1;
    Stretch now = read_stretch(order, sorted, place, id, T), next = {0, 0};
    if (before == id)
        return;
    if (now.members == ~0u)
        next = read_stretch(order, sorted, place + 32, id, T);
    float *to = dtable + id * C + c, sum[LANES] = {}, old[LANES] = {};
    if (c < C)
        load_floats(old, to);
    bool more = true; // is there a row that has not set out yet
    for (int row = 0, ahead = 0; row == 0 || row < ahead; row++) {
        for (; more && ahead < row + WALK_AHEAD; more = (now.members >> ahead % 32 & 1) != 0) {
            int64_t t = __shfl_sync(~0u, now.token, ahead % 32);
            cp_async_16(ring + ahead % WALK_AHEAD * row_pitch, dy + t * C + c, c < C);
            cp_async_commit();
            ahead++;
            if (ahead % 32 == 0) {
                now = next;
                next = Stretch{0, 0};
                if (now.members == ~0u)
                    next = read_stretch(order, sorted, place + ahead + 32, id, T);
            }
        }
        if (more)
            cp_async_wait<WALK_AHEAD - 1>();
        else
            cp_async_wait<0>();
        add_widened(sum, load_words(ring + row % WALK_AHEAD * row_pitch));
    }
#pragma unroll
    for (int i = 0; i < LANES; i++)
        sum[i] = old[i] + sum[i];
    if (c < C)
        store_floats(to, sum);
}

void embedding_backward(Stream *s, float *dtable, Tensor dy, const int32_t *ids, int32_t *scratch)
{
    int64_t T = dy.rows, C = dy.columns, warps = ceil_divide(C, 32 * LANES), parts = ceil_divide(warps, WALK_WARPS);
    int64_t threads = ceil_divide(warps, parts) * 32;
    int32_t *order = scratch, *sorted = scratch + T;
    assert(is_dense(dy) && C % LANES == 0 && (uintptr_t)dtable % 16 == 0 && T <= INT32_MAX - COMPARED);
    launch(s, ceil_divide(T, RANKED), RANKED * RANKERS, 0, sort_tokens, order, sorted, ids, T);
    launch(s, dim3(T, parts), threads, (size_t)(WALK_AHEAD * 16 * threads), add_lists, dtable, elements(dy), order,
           sorted, T, C);
}

// ---- SwiGLU, with σ = 1/(1 + e^-gate). Forward is element.cuh's. Backward computes in fp32 from what is stored and
// rounds its two results, once each:
//   dup = dy·gate·σ,  dgate = dy·up·σ·(1 + gate·(1 - σ))
//
// A block takes a part of one row.

struct GateUp { // rows of gate and up, or of their gradients
    element *gate, *up;
    int64_t gate_stride, up_stride;
};

static GateUp gate_up(Tensor gate, Tensor up)
{
    assert(gate.stride % LANES == 0 && up.stride % LANES == 0);
    return GateUp{elements(gate), elements(up), gate.stride, up.stride};
}

__device__ inline int64_t swiglu_column() { return ((int64_t)blockIdx.y * blockDim.x + threadIdx.x) * LANES; }

static __global__ void __launch_bounds__(BLOCK) swiglu_forward_kernel(element *y, GateUp x, int64_t F)
{
    dependents_may_begin();
    dependency_wait();
    int64_t c = swiglu_column(), row = blockIdx.x;
    if (c >= F)
        return;
    Vector g = load(x.gate + row * x.gate_stride + c), u = load(x.up + row * x.up_stride + c), out;
#pragma unroll
    for (int i = 0; i < LANES; i++)
        out.lane[i] = rounded(swiglu(widen(g.lane[i]), widen(u.lane[i])));
    store(y + row * F + c, out);
}

static __global__ void __launch_bounds__(BLOCK)
    swiglu_backward_kernel(GateUp dx, const element *dy, GateUp x, int64_t F)
{
    int64_t c = swiglu_column(), row = blockIdx.x;
    if (c >= F)
        return;
    Vector d = load(dy + row * F + c), g = load(x.gate + row * x.gate_stride + c),
           u = load(x.up + row * x.up_stride + c);
#pragma unroll
    for (int i = 0; i < LANES; i++) {
        float z = widen(g.lane[i]), arriving = widen(d.lane[i]), sigmoid = 1.0f / (1.0f + expf(-z));
        float slope = sigmoid * fmaf(z, 1.0f - sigmoid, 1.0f);
        g.lane[i] = rounded(arriving * widen(u.lane[i]) * slope);
        u.lane[i] = rounded(arriving * (z * sigmoid));
    }
    store(dx.gate + row * dx.gate_stride + c, g);
    store(dx.up + row * dx.up_stride + c, u);
}

// Parts of a row of F, as many as there have to be of BLOCK threads at most
static int64_t swiglu_parts(int64_t F) { return ceil_divide(F / LANES, BLOCK); }
static int64_t swiglu_threads(int64_t F) { return ceil_divide(F / LANES, swiglu_parts(F) * 32) * 32; }

void swiglu_forward(Stream *s, Tensor y, Tensor gate, Tensor up)
{
    int64_t F = y.columns;
    assert(F % LANES == 0 && is_dense(y));
    launch_early(s, dim3(y.rows, swiglu_parts(F)), swiglu_threads(F), 0, swiglu_forward_kernel, elements(y),
                 gate_up(gate, up), F);
}

void swiglu_backward(Stream *s, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up)
{
    int64_t F = dy.columns;
    assert(F % LANES == 0 && is_dense(dy));
    launch(s, dim3(dy.rows, swiglu_parts(F)), swiglu_threads(F), 0, swiglu_backward_kernel, gate_up(dgate, dup),
           elements(dy), gate_up(gate, up), F);
}

} // namespace PRECISION
