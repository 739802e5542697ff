// QK-norm and RoPE in one, forward and backward, and the tables of cosines and sines. A thread has one vector of 16
// bytes from each half of a head, columns i .. and i + D/2 .., so that both numbers of every pair it rotates are its
// own; a head of 128 is 8 threads (fp32 build: 16) and only its sum goes through shuffles. All of it is fp32 in
// registers, rounded once, at the end.
//
// Forward moves 2 elements per element. A thread has AT_ONCE heads of one token, which share its cosines and sines:
// with one head to a thread they were two thirds of all that a multiprocessor read (H200: 70% of the copy).
//
// Backward moves 3: the gradient of x and the weight's come out of one pass, see there. Reading dy and x twice, with
// one block to 32 columns of 4,096 heads, had 8 KiB in flight to a multiprocessor (H200: 20% of the copy).
//
// Heads without a norm are turned, and turned back, by one kernel that moves 2.
//
// Limit: memory. Qwen3-4B, 4,096 tokens, H200: queries 75% of the copy's bandwidth forward, 61% back; keys 54% and 33%.
#include "base/elementary.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include <assert.h>

namespace PRECISION
{

enum { BLOCK = 256, AT_ONCE = 2 };

// What all kernels are told: cosine and sine (P, D/2); rows = T · heads
typedef struct Heads {
    const float *cosine, *sine;
    const int32_t *positions;
    int rows, heads;
} Heads;

// A head's width is known when a kernel is compiled; GROUP threads side by side in a warp have a head.
template <int D> struct Head {
    enum { HALF = D / 2, GROUP = HALF / LANES, ROWS = BLOCK / GROUP };
    static_assert(HALF % LANES == 0 && (GROUP & (GROUP - 1)) == 0 && GROUP <= 32,
                  "a head is a power of two of vectors");

    __device__ static int column() { return (int)threadIdx.x % GROUP * LANES; } // this thread's, in the lower half
};

// A thread's numbers of a head: of its lower half, and their partners of the upper one
struct Pairs {
    Words half[2];
};

struct Floats {
    float half[2][LANES];
};

struct Turn {
    float cosine[LANES], sine[LANES];
};

template <int D> __device__ inline Pairs load_pairs(const element *from)
{
    return Pairs{{load_words(from), load_words(from + Head<D>::HALF)}};
}

template <int D> __device__ inline void store_rounded(element *to, const Floats &x)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        Vector v;
#pragma unroll
        for (int j = 0; j < LANES; j++)
            v.lane[j] = rounded(x.half[half][j]);
        store(to + half * Head<D>::HALF, v);
    }
}

__device__ inline Floats widened(const Pairs &x)
{
    Floats wide;
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int j = 0; j < LANES; j++)
            wide.half[half][j] = widen(x.half[half], j);
    return wide;
}

template <int D> __device__ inline Turn load_turn(const Heads &h, int token)
{
    int64_t at = (int64_t)h.positions[token] * Head<D>::HALF + Head<D>::column();
    Turn t;
    load_floats(t.cosine, h.cosine + at);
    load_floats(t.sine, h.sine + at);
    return t;
}

// The rotation of every pair; direction -1 undoes it.
__device__ inline void turn(Floats *x, const Turn &t, float direction)
{
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        float low = x->half[0][j], high = x->half[1][j], sine = direction * t.sine[j];
        x->half[0][j] = low * t.cosine[j] - high * sine;
        x->half[1][j] = high * t.cosine[j] + low * sine;
    }
}

template <int D> __device__ inline float head_sum(float x)
{
#pragma unroll
    for (int apart = Head<D>::GROUP / 2; apart > 0; apart /= 2)
        x += __shfl_xor_sync(~0u, x, apart);
    return x;
}

__device__ inline float sum_of_squares(const Pairs &x)
{
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 2 * LANES; i++)
        sum = fmaf(widen(x.half[i / LANES], i % LANES), widen(x.half[i / LANES], i % LANES), sum);
    return sum;
}

// A group of threads has AT_ONCE neighbouring heads of one token; the last group of a token may have fewer.
template <int D>
static __global__ void __launch_bounds__(BLOCK)
    turn_heads(element *y, float *rstd, const element *x, const element *weight, Heads h, float epsilon)
{
    int groups = (h.heads + AT_ONCE - 1) / AT_ONCE,
        which = (int)(blockIdx.x * Head<D>::ROWS + threadIdx.x / Head<D>::GROUP);
    int token = which / groups, head = which % groups * AT_ONCE, row = token * h.heads + head;
    int heads = row < h.rows ? min((int)AT_ONCE, h.heads - head) : 0;
    int64_t at = (int64_t)row * D + Head<D>::column();
    Pairs a[AT_ONCE] = {}, w = {};
    Turn t = {};
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++)
        if (k < heads)
            a[k] = load_pairs<D>(x + at + k * D);
    if (heads > 0) {
        w = load_pairs<D>(weight + Head<D>::column());
        t = load_turn<D>(h, token);
    }
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++) {
        Floats out;
        float r = 1.0f / sqrtf(head_sum<D>(sum_of_squares(a[k])) / (float)D + epsilon);
        if (k >= heads)
            continue;
        if (Head<D>::column() == 0)
            rstd[row + k] = r;
#pragma unroll
        for (int i = 0; i < 2 * LANES; i++)
            out.half[i / LANES][i % LANES] =
                widen(w.half[i / LANES], i % LANES) * (widen(a[k].half[i / LANES], i % LANES) * r);
        turn(&out, t, 1);
        store_rounded<D>(y + at + k * D, out);
    }
}

// Where there is no norm: turned by the token's angles, or (direction -1) back
template <int D>
static __global__ void __launch_bounds__(BLOCK) rotate_heads(element *y, const element *x, Heads h, float direction)
{
    int row = (int)(blockIdx.x * Head<D>::ROWS + threadIdx.x / Head<D>::GROUP);
    if (row >= h.rows)
        return;
    int64_t at = (int64_t)row * D + Head<D>::column();
    Floats out = widened(load_pairs<D>(x + at));
    turn(&out, load_turn<D>(h, row / h.heads), direction);
    store_rounded<D>(y + at, out);
}

// ---- backward
//
// dx of a head needs all of its columns at once, the weight's gradient all heads of a column one after the other. A
// block has BLOCK_ROWS heads that lie side by side in memory, of few tokens, and takes them a tile at a time, as many
// heads as its threads hold (D = 128: 16, fp32 build: 8). Row by row the threads turn d back, write dx, and lay d and n
// down in shared memory; then, column by column, each of D adders continues its chain of d · n down the tile, and
// begins a new one behind NORM_ROWS heads. What a thread reads of its next three tiles is on its way by cp.async to
// places in shared memory that nobody else looks at: 96 KiB in flight to a multiprocessor with four blocks. 20
// instructions an element: under half its bytes' time.

enum { BACK_THREADS = 128, STAGES = 4, BLOCK_ROWS = 128 };

// A thread's share of Σ d·w·n, with n = x · rstd
__device__ inline float norm_dot(const Floats &d, const Pairs &w, const Pairs &x, float r)
{
    float dot = 0;
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int j = 0; j < LANES; j++)
            dot = fmaf(d.half[half][j] * widen(w.half[half], j), widen(x.half[half], j) * r, dot);
    return dot;
}

// What a block of the backward kernel has in shared memory, and how it goes through its rows.
template <int D> struct Back {
    enum {
        GROUP = Head<D>::GROUP,
        ROWS = BACK_THREADS / GROUP, // of a tile
        TILES = BLOCK_ROWS / ROWS,
        GROUP_TILES = NORM_ROWS / ROWS,
        PITCH = GROUP * LANES * 4 // floats in a row of terms: d and n of its columns
    };
    static_assert(D <= BACK_THREADS && NORM_ROWS % ROWS == 0 && BLOCK_ROWS % NORM_ROWS == 0,
                  "an adder for each column, and whole tiles");
};

// This thread's place in the ring for a tile: a vector of each half of dy, then of x
__device__ inline element *ring_place(element *ring, int tile)
{
    return ring + (tile % STAGES * 4 * BACK_THREADS + (int)threadIdx.x) * LANES;
}

template <int D> __device__ inline void fetch(element *place, const element *dy, const element *x, bool live)
{
    cp_async_16(place, dy, live);
    cp_async_16(place + BACK_THREADS * LANES, dy + Head<D>::HALF, live);
    cp_async_16(place + 2 * BACK_THREADS * LANES, x, live);
    cp_async_16(place + 3 * BACK_THREADS * LANES, x + Head<D>::HALF, live);
    cp_async_commit();
}

__device__ inline Floats gradient(const Floats &d, const Pairs &w, const Pairs &x, float r, float mean)
{
    Floats out;
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int j = 0; j < LANES; j++)
            out.half[half][j] = r * fmaf(-(widen(x.half[half], j) * r), mean, d.half[half][j] * widen(w.half[half], j));
    return out;
}

// d and n side by side, two columns in 16 bytes; the threads of a head write neighbouring 16 bytes, LANES times.
template <int D> __device__ inline void lay_down(float *row, const Floats &d, const Pairs &x, float r)
{
    float *to = row + (int)threadIdx.x % Back<D>::GROUP * 4;
#pragma unroll
    for (int i = 0; i < 2 * LANES; i += 2) {
        int half = i / LANES, j = i % LANES;
        *(float4 *)(to + i / 2 * Back<D>::GROUP * 4) = make_float4(d.half[half][j], widen(x.half[half], j) * r,
                                                                   d.half[half][j + 1], widen(x.half[half], j + 1) * r);
    }
}

// Which column an adder finds at its place of a row that lay_down has written
template <int D> __device__ inline int column_at(int place)
{
    int of_thread = place / 2 / Back<D>::GROUP * 2 + place % 2, thread = place / 2 % Back<D>::GROUP;
    return of_thread / LANES * Head<D>::HALF + thread * LANES + of_thread % LANES;
}

template <int D> __device__ inline float continue_chain(float chain, const float *terms)
{
#pragma unroll
    for (int row = 0; row < Back<D>::ROWS; row++) {
        float2 term = *(const float2 *)(terms + row * Back<D>::PITCH);
        chain = fmaf(term.x, term.y, chain);
    }
    return chain;
}

template <int D>
static __global__ void __launch_bounds__(BACK_THREADS, 4)
    turn_back_heads(element *dx, float *partial, const element *dy, const element *x, const element *weight,
                    const float *rstd, Heads h)
{
    enum { ROWS = Back<D>::ROWS, TILES = Back<D>::TILES, GROUP_TILES = Back<D>::GROUP_TILES, AHEAD = STAGES - 1 };
    SHARED(element, ring, STAGES * 4 * BACK_THREADS * LANES);
    SHARED(float, terms, ROWS *Back<D>::PITCH);
    int thread = (int)threadIdx.x, in_tile = thread / Back<D>::GROUP, row = (int)blockIdx.x * BLOCK_ROWS + in_tile;
    int left = min((int)BLOCK_ROWS, h.rows - (int)blockIdx.x * BLOCK_ROWS) -
               in_tile; // this thread has row 0, ROWS .. below it
    int token = row / h.heads, head = row % h.heads, more_tokens = ROWS / h.heads, more_heads = ROWS % h.heads;
    int64_t at = (int64_t)row * D + Head<D>::column();
    dx += at;
    dy += at;
    x += at;
#pragma unroll
    for (int tile = 0; tile < AHEAD; tile++)
        fetch<D>(ring_place(ring, tile), dy + tile * ROWS * D, x + tile * ROWS * D, tile * ROWS < left);
    Pairs w = load_pairs<D>(weight + Head<D>::column());
    Turn t = left > 0 ? load_turn<D>(h, token) : Turn{};
    float r = left > 0 ? rstd[row] : 0, chain = 0;
    rstd += row;
    for (int tile = 0; tile < TILES; tile++) {
        fetch<D>(ring_place(ring, tile + AHEAD), dy + AHEAD * ROWS * D, x + AHEAD * ROWS * D, AHEAD * ROWS < left);
        cp_async_wait<AHEAD>();
        const element *place = ring_place(ring, tile);
        Pairs d = {{load_words(place), load_words(place + BACK_THREADS * LANES)}};
        Pairs a = {{load_words(place + 2 * BACK_THREADS * LANES), load_words(place + 3 * BACK_THREADS * LANES)}};
        Floats n = widened(d); // then what arrives at the normed and weighted head
        turn(&n, t, -1);
        head += more_heads; // the next row's angles and scale are on their way while this one is worked on
        token += more_tokens + (head >= h.heads);
        head -= head >= h.heads ? h.heads : 0;
        rstd += ROWS;
        float next_r = ROWS < left ? *rstd : 0;
        if (ROWS < left)
            t = load_turn<D>(h, token);
        float mean = head_sum<D>(norm_dot(n, w, a, r)) / (float)D;
        if (left > 0)
            store_rounded<D>(dx, gradient(n, w, a, r, mean));
        __syncthreads(); // the tile before has been added
        lay_down<D>(terms + in_tile * Back<D>::PITCH, n, a, r);
        __syncthreads();
        if (thread < D)
            chain = continue_chain<D>(chain, terms + thread * 2);
        if ((tile + 1) % GROUP_TILES == 0) {
            int64_t group = (int64_t)blockIdx.x * (BLOCK_ROWS / NORM_ROWS) + tile / GROUP_TILES;
            if (thread < D && group * NORM_ROWS < h.rows)
                partial[group * D + column_at<D>(thread)] = chain;
            chain = 0;
        }
        r = next_r;
        left -= ROWS;
        dx += ROWS * D;
        dy += ROWS * D;
        x += ROWS * D;
    }
    cp_async_wait<0>();
}

// ---- what the backend calls

static Heads heads_of(Tensor x, const float *cosine, const float *sine, const int32_t *positions, int64_t D)
{
    assert((D == 64 || D == 128) && x.columns % D == 0 && x.rows * x.columns / D < INT32_MAX / 2);
    int64_t heads = x.columns / D;
    return Heads{cosine, sine, positions, (int)(x.rows * heads), (int)heads};
}

template <int D> static dim3 blocks_for(int64_t groups) { return ceil_divide(groups, (int64_t)Head<D>::ROWS); }

template <int D> static void rotate(Stream *s, Tensor y, Tensor x, const Heads &h, float direction)
{
    launch(s, blocks_for<D>(h.rows), BLOCK, 0, rotate_heads<D>, elements(y), elements(x), h, direction);
}

template <int D>
static void forward(Stream *s, Tensor y, float *rstd, Tensor x, Tensor weight, const Heads &h, float epsilon)
{
    if (weight.data == NULL)
        rotate<D>(s, y, x, h, 1);
    else
        launch(s, blocks_for<D>(x.rows * ceil_divide(h.heads, AT_ONCE)), BLOCK, 0, turn_heads<D>, elements(y), rstd,
               elements(x), elements(weight), h, epsilon);
}

// dx may be dy: a block writes only rows that it reads itself, and after it has read them.
template <int D>
static void backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor x, Tensor weight,
                     const float *rstd, const Heads &h)
{
    if (weight.data == NULL) {
        rotate<D>(s, dx, dy, h, -1);
        return;
    }
    launch(s, ceil_divide(h.rows, BLOCK_ROWS), BACK_THREADS, 0, turn_back_heads<D>, elements(dx), partial, elements(dy),
           elements(x), elements(weight), rstd, h);
    add_groups(s, dweight, partial, row_groups(h.rows), D);
}

void qk_norm_rope_forward(Stream *s, Tensor y, float *rstd, Tensor x, Tensor weight, const float *cosine,
                          const float *sine, const int32_t *positions, int64_t head_width, float epsilon)
{
    Heads h = heads_of(x, cosine, sine, positions, head_width);
    head_width == 64 ? forward<64>(s, y, rstd, x, weight, h, epsilon) : forward<128>(s, y, rstd, x, weight, h, epsilon);
}

void qk_norm_rope_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor x, Tensor weight,
                           const float *rstd, const float *cosine, const float *sine, const int32_t *positions,
                           int64_t head_width)
{
    Heads h = heads_of(dy, cosine, sine, positions, head_width);
    head_width == 64 ? backward<64>(s, dx, dweight, partial, dy, x, weight, rstd, h)
                     : backward<128>(s, dx, dweight, partial, dy, x, weight, rstd, h);
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
            float exponent =
                (float)(2 * i) / (float)head_width; // rounded where transformers rounds: power, inverse, angle
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
