// QK-norm and RoPE in one, forward and backward, and the tables of cosines and sines. A thread has one vector of 16 bytes from
// each half of a head, columns i .. and i + D/2 .., so that both numbers of every pair it rotates are its own; a head of 128 is 8
// threads (fp32 build: 16) and only its sum goes through shuffles. All of it is fp32 in registers, rounded once, at the end.
//
// Forward moves 2 elements per element, backward's row kernel 3; cosines and sines come from the first caches, a token's heads
// share them. The weight's gradient is a kernel of its own (see weight_pairs), which reads dy and x once more: 5 in all. Heads
// without a norm are turned, and turned back, by one kernel that moves 2.
//
// Limit: memory. The fraction of it that is reached has not been measured on a GPU yet.
#include "base/elementary.h"
#include "kernels/cuda/norm.cuh"
#include "kernels/cuda/operations.h"
#include <assert.h>

namespace PRECISION
{

enum { BLOCK = 256 };

// What all kernels are told: cosine and sine (P, D/2); rows = T · heads
typedef struct Heads {
    const float *cosine, *sine;
    const int32_t *positions;
    int rows, heads, half; // half: D/2
} Heads;

struct Pairs {
    Vector low, high;
};

struct Turn {
    float cosine[LANES], sine[LANES];
};

struct Turned {
    float low[LANES], high[LANES];
};

__device__ inline Pairs load_pairs(const element *head, int i, int half) { return Pairs{load(head + i), load(head + half + i)}; }

__device__ inline Turn load_turn(const Heads &h, int row, int i)
{
    int64_t at = (int64_t)h.positions[row / h.heads] * h.half + i;
    Turn t;
#pragma unroll
    for (int j = 0; j < LANES; j += 4) {
        *(float4 *)(t.cosine + j) = *(const float4 *)(h.cosine + at + j);
        *(float4 *)(t.sine + j) = *(const float4 *)(h.sine + at + j);
    }
    return t;
}

// The rotation undone: what arrives at the normed and weighted head
__device__ inline Turned turn_back(const Pairs &d, const Turn &t)
{
    Turned n;
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        float a = widen(d.low.lane[j]), b = widen(d.high.lane[j]);
        n.low[j] = a * t.cosine[j] + b * t.sine[j];
        n.high[j] = b * t.cosine[j] - a * t.sine[j];
    }
    return n;
}

// The threads of a head, `group` of them (a power of two, those behind D/2 idle), lie side by side in a warp.
__device__ inline float group_sum(float x, int group)
{
    for (int apart = group / 2; apart > 0; apart /= 2)
        x += __shfl_xor_sync(~0u, x, apart);
    return x;
}

__device__ inline float sum_of_squares(const Pairs &x)
{
    float sum = 0;
#pragma unroll
    for (int j = 0; j < LANES; j++)
        sum = fmaf(widen(x.low.lane[j]), widen(x.low.lane[j]), sum);
#pragma unroll
    for (int j = 0; j < LANES; j++)
        sum = fmaf(widen(x.high.lane[j]), widen(x.high.lane[j]), sum);
    return sum;
}

static __global__ void __launch_bounds__(BLOCK)
    turn_heads(element *y, float *rstd, const element *x, const element *weight, Heads h, int group, float epsilon)
{
    int row = (int)(blockIdx.x * (BLOCK / group) + threadIdx.x / group), i = (int)threadIdx.x % group * LANES;
    bool live = row < h.rows && i < h.half;
    Pairs a = {}, w = {};
    Turn t = {};
    if (live) {
        a = load_pairs(x + (int64_t)row * 2 * h.half, i, h.half);
        w = load_pairs(weight, i, h.half);
        t = load_turn(h, row, i);
    }
    float r = 1.0f / sqrtf(group_sum(sum_of_squares(a), group) / (float)(2 * h.half) + epsilon);
    if (!live)
        return;
    if (i == 0)
        rstd[row] = r;
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        float low = widen(w.low.lane[j]) * (widen(a.low.lane[j]) * r), high = widen(w.high.lane[j]) * (widen(a.high.lane[j]) * r);
        a.low.lane[j] = rounded(low * t.cosine[j] - high * t.sine[j]);
        a.high.lane[j] = rounded(high * t.cosine[j] + low * t.sine[j]);
    }
    element *to = y + (int64_t)row * 2 * h.half + i;
    store(to, a.low);
    store(to + h.half, a.high);
}

// Where there is no norm: turned by the token's angles, or (direction -1) back
static __global__ void __launch_bounds__(BLOCK) rotate_heads(element *y, const element *x, Heads h, int group, float direction)
{
    int row = (int)(blockIdx.x * (BLOCK / group) + threadIdx.x / group), i = (int)threadIdx.x % group * LANES;
    if (row >= h.rows || i >= h.half)
        return;
    int64_t at = (int64_t)row * 2 * h.half + i;
    Pairs a = load_pairs(x + at, 0, h.half);
    Turn t = load_turn(h, row, i);
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        float low = widen(a.low.lane[j]), high = widen(a.high.lane[j]), sine = direction * t.sine[j];
        a.low.lane[j] = rounded(low * t.cosine[j] - high * sine);
        a.high.lane[j] = rounded(high * t.cosine[j] + low * sine);
    }
    store(y + at, a.low);
    store(y + at + h.half, a.high);
}

// A thread's share of Σ d·w·n, with n = x · rstd
__device__ inline float norm_dot(const Turned &d, const Pairs &w, const Pairs &x, float r)
{
    float dot = 0;
#pragma unroll
    for (int j = 0; j < LANES; j++)
        dot = fmaf(d.low[j] * widen(w.low.lane[j]), widen(x.low.lane[j]) * r, dot);
#pragma unroll
    for (int j = 0; j < LANES; j++)
        dot = fmaf(d.high[j] * widen(w.high.lane[j]), widen(x.high.lane[j]) * r, dot);
    return dot;
}

static __global__ void __launch_bounds__(BLOCK) turn_back_heads(element *dx, const element *dy, const element *x,
                                                                const element *weight, const float *rstd, Heads h, int group)
{
    int row = (int)(blockIdx.x * (BLOCK / group) + threadIdx.x / group), i = (int)threadIdx.x % group * LANES;
    bool live = row < h.rows && i < h.half;
    int64_t at = (int64_t)row * 2 * h.half;
    Pairs d = {}, a = {}, w = {};
    Turn t = {};
    float r = 0;
    if (live) {
        d = load_pairs(dy + at, i, h.half);
        a = load_pairs(x + at, i, h.half);
        w = load_pairs(weight, i, h.half);
        t = load_turn(h, row, i);
        r = rstd[row];
    }
    Turned n = turn_back(d, t);
    float mean = group_sum(norm_dot(n, w, a, r), group) / (float)(2 * h.half);
    if (!live)
        return;
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        d.low.lane[j] = rounded(r * fmaf(-(widen(a.low.lane[j]) * r), mean, n.low[j] * widen(w.low.lane[j])));
        d.high.lane[j] = rounded(r * fmaf(-(widen(a.high.lane[j]) * r), mean, n.high[j] * widen(w.high.lane[j])));
    }
    store(dx + at + i, d.low);
    store(dx + at + h.half + i, d.high);
}

// ---- the weight's gradient
//
// partial (groups, D): the chain of d · n over a group of NORM_ROWS tokens and all their heads, ascending, some 4,096 terms for
// each of D columns. A block takes one group and a slab of 32 columns (fp32 build: 16), 2 vectors from each half. 128 producers
// read 64 rows at a time, 8 KiB, and lay d and n in shared memory, where 32 adders (one for each column) continue their chains
// while the next 64 rows are on their way.

enum {
    SLAB_VECTORS = 2,
    SLAB = 2 * SLAB_VECTORS * LANES, // columns
    TILE_ROWS = 64,
    PRODUCERS = TILE_ROWS * SLAB_VECTORS,
    PITCH = SLAB + 4 // floats, against conflicts of banks
};

// What a producer reads of one row
struct Producer {
    Pairs d, x;
    Turn t;
    float r;
};

__device__ inline Producer read_row(const element *dy, const element *x, const float *rstd, const Heads &h, int row, int i,
                                    bool live)
{
    Producer p = {};
    if (live) {
        int64_t at = (int64_t)row * 2 * h.half;
        p.d = load_pairs(dy + at, i, h.half);
        p.x = load_pairs(x + at, i, h.half);
        p.t = load_turn(h, row, i);
        p.r = rstd[row];
    }
    return p;
}

// d and n: this row of the tile, columns of the slab: those of the low half first. A dead row is zeros, which add nothing.
__device__ inline void lay_down(float *d, float *n, const Producer &p, int vector)
{
    Turned turned = turn_back(p.d, p.t), normed;
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        normed.low[j] = widen(p.x.low.lane[j]) * p.r;
        normed.high[j] = widen(p.x.high.lane[j]) * p.r;
    }
    store_floats(d + vector * LANES, turned.low);
    store_floats(d + vector * LANES + SLAB / 2, turned.high);
    store_floats(n + vector * LANES, normed.low);
    store_floats(n + vector * LANES + SLAB / 2, normed.high);
}

__device__ inline float continue_chain(float chain, const float *d, const float *n)
{
#pragma unroll 16
    for (int row = 0; row < TILE_ROWS; row++)
        chain = fmaf(d[row * PITCH], n[row * PITCH], chain);
    return chain;
}

static __global__ void __launch_bounds__(PRODUCERS + 32)
    weight_pairs(float *partial, const element *dy, const element *x, const float *rstd, Heads h)
{
    SHARED(float, tiles, 2 * 2 * TILE_ROWS * PITCH); // two tiles of d and n, in turns
    int thread = (int)threadIdx.x, column = thread - PRODUCERS, row_in_tile = thread / SLAB_VECTORS;
    int i = ((int)blockIdx.y * SLAB_VECTORS + thread % SLAB_VECTORS) * LANES; // of a producer
    int first = (int)blockIdx.x * NORM_ROWS * h.heads + row_in_tile;
    int end = min(((int)blockIdx.x + 1) * NORM_ROWS * h.heads, h.rows),
        count = (end - (first - row_in_tile) + TILE_ROWS - 1) / TILE_ROWS;
    bool producer = thread < PRODUCERS, adder = !producer && column < SLAB;
    Producer p = read_row(dy, x, rstd, h, first, i, producer && i < h.half && first < end);
    float chain = 0;
    for (int tile = 0; tile <= count; tile++) {
        float *d = tiles + tile % 2 * 2 * TILE_ROWS * PITCH, *before = tiles + (tile + 1) % 2 * 2 * TILE_ROWS * PITCH;
        if (producer && tile < count) {
            int row = first + (tile + 1) * TILE_ROWS;
            lay_down(d + row_in_tile * PITCH, d + (TILE_ROWS + row_in_tile) * PITCH, p, thread % SLAB_VECTORS);
            p = read_row(dy, x, rstd, h, row, i, i < h.half && row < end); // under way while the adders work
        }
        if (adder && tile > 0)
            chain = continue_chain(chain, before + column, before + TILE_ROWS * PITCH + column);
        __syncthreads();
    }
    int in_half = (int)blockIdx.y * SLAB / 2 + column % (SLAB / 2);
    if (adder && in_half < h.half)
        partial[(int64_t)blockIdx.x * 2 * h.half + in_half + column / (SLAB / 2) * h.half] = chain;
}

// ---- what the backend calls

static Heads heads_of(Tensor x, const float *cosine, const float *sine, const int32_t *positions, int64_t D)
{
    assert(D % (2 * LANES) == 0 && D / 2 <= 32 * LANES && x.columns % D == 0 && x.rows * x.columns / D < INT32_MAX / 2);
    int64_t heads = x.columns / D;
    return Heads{cosine, sine, positions, (int)(x.rows * heads), (int)heads, (int)(D / 2)};
}

static int group_of(const Heads &h)
{
    int group = 1;
    while (group * LANES < h.half)
        group *= 2;
    return group;
}

static dim3 blocks_of(const Heads &h) { return dim3((unsigned)ceil_divide(h.rows, BLOCK / group_of(h))); }

static void rotate(Stream *s, Tensor y, Tensor x, const Heads &h, float direction)
{
    launch(s, blocks_of(h), dim3(BLOCK), 0, rotate_heads, (element *)y.data, (const element *)x.data, h, group_of(h), direction);
}

void qk_norm_rope_forward(Stream *s, Tensor y, float *rstd, Tensor x, Tensor weight, const float *cosine, const float *sine,
                          const int32_t *positions, int64_t head_width, float epsilon)
{
    Heads h = heads_of(x, cosine, sine, positions, head_width);
    if (weight.data == NULL)
        rotate(s, y, x, h, 1);
    else
        launch(s, blocks_of(h), dim3(BLOCK), 0, turn_heads, (element *)y.data, rstd, (const element *)x.data,
               (const element *)weight.data, h, group_of(h), epsilon);
}

// dx may be dy: the weight's gradient is made first.
void qk_norm_rope_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor x, Tensor weight,
                           const float *rstd, const float *cosine, const float *sine, const int32_t *positions,
                           int64_t head_width)
{
    Heads h = heads_of(dy, cosine, sine, positions, head_width);
    int64_t groups = ceil_divide(dy.rows, NORM_ROWS);
    if (weight.data == NULL) {
        rotate(s, dx, dy, h, -1);
        return;
    }
    const element *d = (const element *)dy.data, *a = (const element *)x.data;
    launch(s, dim3((unsigned)groups, (unsigned)ceil_divide(head_width, SLAB)), dim3(PRODUCERS + 32), 0, weight_pairs, partial, d,
           a, rstd, h);
    add_partials(s, dweight, partial, groups, head_width);
    launch(s, blocks_of(h), dim3(BLOCK), 0, turn_back_heads, (element *)dx.data, d, a, (const element *)weight.data, rstd, h,
           group_of(h));
}

// The tables are made on the host, by the functions that make the CPU's, and have its bits; once, at start-up.
void rope_table(Stream *s, float *cosine, float *sine, int64_t positions, int64_t head_width, double theta)
{
    enum { PIECE = 16384 };
    float cosines[PIECE], sines[PIECE];
    int64_t half = head_width / 2, at_once = PIECE / half;
    assert(at_once > 0);
    for (int64_t first = 0; first < positions; first += at_once) {
        int64_t count = positions - first < at_once ? positions - first : at_once;
        for (int64_t i = 0; i < half; i++) {
            float exponent = (float)(2 * i) / (float)head_width; // rounded where transformers rounds: power, inverse, angle
            float frequency = 1.0f / (float)d_power(theta, exponent);
            for (int64_t p = 0; p < count; p++) {
                double sin_angle, cos_angle;
                d_sine_cosine((double)((float)(first + p) * frequency), &sin_angle, &cos_angle);
                sines[p * half + i] = (float)sin_angle;
                cosines[p * half + i] = (float)cos_angle;
            }
        }
        device_upload(s, cosine + first * half, cosines, sizeof(float) * (size_t)(count * half));
        device_upload(s, sine + first * half, sines, sizeof(float) * (size_t)(count * half));
    }
}

} // namespace PRECISION
