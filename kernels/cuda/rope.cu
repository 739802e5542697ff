// QK-norm and RoPE of a token's queries and keys in one, forward and backward, and the tables of cosines and sines. A
// thread has one vector of 16 bytes from each half of a head, columns i .. and i + D/2 .., so that both numbers of
// every pair it rotates are its own; a head of 128 is 8 threads (fp32 build: 16) and only its sum goes through
// shuffles. All of it is fp32 in registers, rounded once, at the end.
//
// Forward moves 2 elements per element. A thread has AT_ONCE heads of one token, which share its cosines and sines:
// with one head to a thread they were two thirds of all that a multiprocessor read (H200: 70% of the copy). In pages
// the same launch brings keys and values there. While a graph is taken down it is launched early (device.cuh): what
// depends on positions alone, angles and places in pages, a dozen reads one after the other, is on its way before the
// product in front has ended.
//
// Backward moves 3: the gradient of x and the weight's come out of one pass, see there. Reading dy and x twice, with
// one block to 32 columns of 4,096 heads, had 8 KiB in flight to a multiprocessor (H200: 20% of the copy).
//
// Limit: memory. Qwen3-4B, 4,096 tokens, H200, when queries and keys were launches of their own: queries 75% of the
// copy's bandwidth forward, 61% back; keys 54% and 33%.
#include "base/elementary.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include <assert.h>

namespace PRECISION
{

enum { BLOCK = 256, AT_ONCE = 2 };

// What all kernels are told: cosine and sine (P, D/2); of a token so many heads of queries, then of keys
typedef struct Heads {
    const float *cosine, *sine;
    const int32_t *positions;
    const element *q_weight, *k_weight; // NULL: no norm
    int tokens, queries, keys;
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

// apart: elements from the lower half's vector to the upper one's
__device__ inline void store_pairs(element *to, const Pairs &x, int apart)
{
    store_words(to, x.half[0]);
    store_words(to + apart, x.half[1]);
}

__device__ inline void store_rounded(element *to, const Floats &x, int apart)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        Vector v;
#pragma unroll
        for (int j = 0; j < LANES; j++)
            v.lane[j] = rounded(x.half[half][j]);
        store(to + half * apart, v);
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

// The sequence of a row of the batch, by halving: starts ascends.
__device__ inline int sequence_of(const Attention &a, int row)
{
    int low = 0, high = (int)a.sequences;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (a.starts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

// Where a group of threads has its heads: `heads` neighbours from number `first` of the token's on. They are keys, or,
// in pages, values; otherwise queries.
struct Share {
    int token, first, heads, of_kind; // of_kind: number of the first among its kind
    bool keys, values;
};

// The last group of a kind may have fewer than AT_ONCE heads, and groups behind the last token have none.
__device__ inline Share share_of(const Heads &h, int which, bool pages)
{
    int of_queries = (h.queries + AT_ONCE - 1) / AT_ONCE, of_keys = (h.keys + AT_ONCE - 1) / AT_ONCE;
    int groups = of_queries + of_keys * (pages ? 2 : 1), group = which % groups;
    Share share = {
        which / groups, 0, 0, 0, group >= of_queries && group < of_queries + of_keys, group >= of_queries + of_keys};
    int before = share.values ? of_queries + of_keys : share.keys ? of_queries : 0;
    share.of_kind = (group - before) * AT_ONCE;
    share.first = share.of_kind + (share.values ? h.queries + h.keys : share.keys ? h.queries : 0);
    int left = (group < of_queries ? h.queries : h.keys) - share.of_kind;
    share.heads = share.token < h.tokens ? min((int)AT_ONCE, left) : 0;
    return share;
}

// Where a token's keys (values) lie in the pages, from one head's on; the next head's are KEY_BLOCK · D further on.
// This thread has `column` of them, and its partner in the upper half, which may lie anywhere in the row (page_column).
struct PagePlace {
    element *to;
    int apart;
};

template <int D>
__device__ inline PagePlace page_place(const Attention &a, void *pages, int token, int head, int column)
{
    int sequence = sequence_of(a, token), position = a.contexts[sequence] + token - a.starts[sequence];
    int64_t page = a.page_table[sequence * a.pages_per_sequence + position / KEY_BLOCK];
    element *row = (element *)pages + ((page * a.kv_heads + head) * KEY_BLOCK + position % KEY_BLOCK) * D;
    int low = page_column(position, column), high = page_column(position, column + Head<D>::HALF);
    return PagePlace{row + low, high - low};
}

// direction: without a norm, -1 turns back
template <int D, bool NORMED>
static __global__ void __launch_bounds__(BLOCK)
    turn_heads(TokenRows y, float *rstd, TokenRows x, Heads h, Attention a, float epsilon, float direction)
{
    bool pages = a.key_pages != NULL;
    Share share = share_of(h, (int)(blockIdx.x * Head<D>::ROWS + threadIdx.x / Head<D>::GROUP), pages);
    int column = Head<D>::column(), at = share.first * D + column, step = D, apart = Head<D>::HALF;
    const element *from = x.data + share.token * x.stride + at;
    element *to = y.data + share.token * y.stride + at;
    Pairs heads[AT_ONCE] = {}, w = {};
    Turn t = {};
    dependents_may_begin();
    if (share.heads > 0 && !share.values) {
        if (NORMED)
            w = load_pairs<D>((share.keys ? h.k_weight : h.q_weight) + column);
        t = load_turn<D>(h, share.token);
    }
    if (share.heads > 0 && pages && (share.keys || share.values)) {
        PagePlace place =
            page_place<D>(a, share.keys ? a.key_pages : a.value_pages, share.token, share.of_kind, column);
        to = place.to;
        apart = place.apart;
        step = KEY_BLOCK * D;
    }
    dependency_wait(); // none of that comes from the kernels in front; the heads do
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++)
        if (k < share.heads)
            heads[k] = load_pairs<D>(from + k * D);
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++) {
        float r = NORMED ? 1.0f / sqrtf(head_sum<D>(sum_of_squares(heads[k])) / (float)D + epsilon) : 0;
        if (k >= share.heads)
            continue;
        if (share.values) {
            store_pairs(to + k * step, heads[k], apart);
            continue;
        }
        Floats out = widened(heads[k]);
        if (NORMED && column == 0)
            rstd[share.token * (h.queries + h.keys) + share.first + k] = r;
#pragma unroll
        for (int i = 0; NORMED && i < 2 * LANES; i++)
            out.half[i / LANES][i % LANES] = widen(w.half[i / LANES], i % LANES) * (out.half[i / LANES][i % LANES] * r);
        turn(&out, t, NORMED ? 1 : direction);
        store_rounded(to + k * step, out, apart);
    }
}

// ---- backward
//
// dx of a head needs all of its columns at once, the weight's gradient all heads of a column one after the other. A
// block has BLOCK_ROWS heads, of the queries or of the keys of few tokens, and takes them a tile at a time, as many
// heads as its threads hold (D = 128: 16, fp32 build: 8). Row by row the threads turn d back, write dx, and lay d and n
// down in shared memory; then, column by column, each of D adders continues its chain of d · n down the tile, and
// begins a new one behind NORM_ROWS heads. What a thread reads of its next three tiles is on its way by cp.async to
// places in shared memory that nobody else looks at: 96 KiB in flight to a multiprocessor with four blocks. 20
// instructions an element: under half its bytes' time.
//
// partial (row_groups(T·H) + row_groups(T·Hkv), D): the queries' groups of heads, then the keys'; NULL: not wanted

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

// A place among the heads of the queries, or of the keys: so many for each token
struct Walk {
    int token, head;
};

// `tokens` tokens and `more` heads, fewer than a token has, further on
__device__ inline void advance(Walk *at, int tokens, int more, int heads)
{
    at->head += more;
    at->token += tokens + (at->head >= heads);
    at->head -= at->head >= heads ? heads : 0;
}

template <int D>
static __global__ void __launch_bounds__(BACK_THREADS, 4)
    turn_back_heads(TokenRows dx, float *partial, float *partial_keys, TokenRows dy, TokenRows x, const float *rstd,
                    Heads h, int of_queries)
{
    enum { ROWS = Back<D>::ROWS, TILES = Back<D>::TILES, GROUP_TILES = Back<D>::GROUP_TILES, AHEAD = STAGES - 1 };
    SHARED(element, ring, STAGES * 4 * BACK_THREADS * LANES);
    SHARED(float, terms, ROWS *Back<D>::PITCH);
    bool keys = (int)blockIdx.x >= of_queries; // of the blocks
    int heads = keys ? h.keys : h.queries, before = keys ? h.queries : 0, all = h.queries + h.keys;
    int thread = (int)threadIdx.x, in_tile = thread / Back<D>::GROUP;
    int first = ((int)blockIdx.x - (keys ? of_queries : 0)) * BLOCK_ROWS, row = first + in_tile,
        rows = h.tokens * heads;
    partial = keys ? partial_keys : partial;
    int left = min((int)BLOCK_ROWS, rows - first) - in_tile; // this thread has row 0, ROWS .. below it
    int more_tokens = ROWS / heads, more_heads = ROWS % heads, column = before * D + Head<D>::column();
    Walk now = {row / heads, row % heads}, ahead = now;
    auto place_of = [=](Walk at, const TokenRows &rows) { return at.token * rows.stride + at.head * D + column; };
#pragma unroll
    for (int tile = 0; tile < AHEAD; tile++) {
        fetch<D>(ring_place(ring, tile), dy.data + place_of(ahead, dy), x.data + place_of(ahead, x),
                 tile * ROWS < left);
        advance(&ahead, more_tokens, more_heads, heads);
    }
    Pairs w = load_pairs<D>((keys ? h.k_weight : h.q_weight) + Head<D>::column());
    Turn t = left > 0 ? load_turn<D>(h, now.token) : Turn{};
    rstd += before;
    float r = left > 0 ? rstd[now.token * all + now.head] : 0, chain = 0;
    for (int tile = 0; tile < TILES; tile++) {
        fetch<D>(ring_place(ring, tile + AHEAD), dy.data + place_of(ahead, dy), x.data + place_of(ahead, x),
                 AHEAD * ROWS < left);
        advance(&ahead, more_tokens, more_heads, heads);
        cp_async_wait<AHEAD>();
        const element *place = ring_place(ring, tile);
        Pairs d = {{load_words(place), load_words(place + BACK_THREADS * LANES)}};
        Pairs a = {{load_words(place + 2 * BACK_THREADS * LANES), load_words(place + 3 * BACK_THREADS * LANES)}};
        Floats n = widened(d); // then what arrives at the normed and weighted head
        turn(&n, t, -1);
        element *to = dx.data + place_of(now, dx);
        advance(&now, more_tokens, more_heads, heads); // the next row's angles and scale are on their way meanwhile
        float next_r = ROWS < left ? rstd[now.token * all + now.head] : 0;
        if (ROWS < left)
            t = load_turn<D>(h, now.token);
        float mean = head_sum<D>(norm_dot(n, w, a, r)) / (float)D;
        if (left > 0)
            store_rounded(to, gradient(n, w, a, r, mean), Head<D>::HALF);
        __syncthreads(); // the tile before has been added
        lay_down<D>(terms + in_tile * Back<D>::PITCH, n, a, r);
        __syncthreads();
        if (thread < D)
            chain = continue_chain<D>(chain, terms + thread * 2);
        if ((tile + 1) % GROUP_TILES == 0) {
            int group = first / NORM_ROWS + tile / GROUP_TILES;
            if (partial != NULL && thread < D && group * NORM_ROWS < rows)
                partial[(int64_t)group * D + column_at<D>(thread)] = chain;
            chain = 0;
        }
        r = next_r;
        left -= ROWS;
    }
    cp_async_wait<0>();
}

// ---- what the backend calls

static Heads heads_of(Tensor x, Tensor q_weight, Tensor k_weight, const float *cosine, const float *sine,
                      const int32_t *positions, const Attention *a)
{
    int64_t heads = a->heads + a->kv_heads, D = a->head_width;
    assert((D == 64 || D == 128) && x.columns >= heads * D && x.rows * (heads + a->kv_heads) < INT32_MAX / 2);
    assert(a->key_pages == NULL || x.columns == (heads + a->kv_heads) * D);
    return Heads{cosine,      sine,          positions,       elements(q_weight), elements(k_weight),
                 (int)x.rows, (int)a->heads, (int)a->kv_heads};
}

template <int D>
static void forward(Stream *s, Tensor y, float *rstd, Tensor x, const Heads &h, const Attention *a, float epsilon,
                    float direction)
{
    int64_t groups = ceil_divide(h.queries, AT_ONCE) + ceil_divide(h.keys, AT_ONCE) * (a->key_pages != NULL ? 2 : 1);
    assert(x.stride % LANES == 0 && y.stride % LANES == 0);
    launch_early(s, ceil_divide(h.tokens * groups, (int64_t)Head<D>::ROWS), BLOCK, 0,
                 h.q_weight != NULL || h.k_weight != NULL ? turn_heads<D, true> : turn_heads<D, false>, token_rows(y),
                 rstd, token_rows(x), h, *a, epsilon, direction);
}

// dx may be dy: a block writes only rows that it reads itself, and after it has read them.
template <int D>
static void backward(Stream *s, Tensor dx, float *dq_weight, float *dk_weight, float *partial, Tensor dy, Tensor x,
                     const float *rstd, const Heads &h)
{
    int of_queries = (int)ceil_divide(h.tokens * h.queries, BLOCK_ROWS),
        of_keys = (int)ceil_divide(h.tokens * h.keys, BLOCK_ROWS);
    bool wanted = dq_weight != NULL; // and dk_weight
    float *partial_keys = wanted ? partial + row_groups((int64_t)h.tokens * h.queries) * D : NULL;
    partial = wanted ? partial : NULL;
    assert(dx.stride % LANES == 0 && dy.stride % LANES == 0 && x.stride % LANES == 0);
    launch(s, of_queries + of_keys, BACK_THREADS, 0, turn_back_heads<D>, token_rows(dx), partial, partial_keys,
           token_rows(dy), token_rows(x), rstd, h, of_queries);
    if (wanted && h.queries > 0)
        add_groups(s, dq_weight, partial, row_groups((int64_t)h.tokens * h.queries), D);
    if (wanted && h.keys > 0)
        add_groups(s, dk_weight, partial_keys, row_groups((int64_t)h.tokens * h.keys), D);
}

void qk_norm_rope_forward(Stream *s, Tensor y, float *rstd, Tensor x, Tensor q_weight, Tensor k_weight,
                          const float *cosine, const float *sine, const int32_t *positions, const Attention *a,
                          float epsilon)
{
    Heads h = heads_of(x, q_weight, k_weight, cosine, sine, positions, a);
    a->head_width == 64 ? forward<64>(s, y, rstd, x, h, a, epsilon, 1) : forward<128>(s, y, rstd, x, h, a, epsilon, 1);
}

void qk_norm_rope_backward(Stream *s, Tensor dx, float *dq_weight, float *dk_weight, float *partial, Tensor dy,
                           Tensor x, Tensor q_weight, Tensor k_weight, const float *rstd, const float *cosine,
                           const float *sine, const int32_t *positions, const Attention *a)
{
    Heads h = heads_of(dy, q_weight, k_weight, cosine, sine, positions, a);
    bool narrow = a->head_width == 64;
    assert(a->key_pages == NULL);
    if (h.q_weight == NULL && h.k_weight == NULL)
        narrow ? forward<64>(s, dx, NULL, dy, h, a, 0, -1) : forward<128>(s, dx, NULL, dy, h, a, 0, -1);
    else
        narrow ? backward<64>(s, dx, dq_weight, dk_weight, partial, dy, x, rstd, h)
               : backward<128>(s, dx, dq_weight, dk_weight, partial, dy, x, rstd, h);
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
