// AdamW and the block sums of the gradient norm.
//
// A thread updates four elements whose global numbers share a multiple of 4, so that one Philox draw serves them and a
// shard that begins anywhere gets the same bits; their gradients, masters and moments are read at once, 64 bytes in
// flight (bf16 moments: 48). Moved per element: 30 bytes with fp32 moments (gradient 4, master 8, moments 16, weight
// 2), 22 with bf16 ones. With the share of a Philox draw, a square root and a division an element is some 90
// instructions, under half of what an H100 issues while it moves that many bytes (computed).
//
// square_sums: a block sums SQUARES_BLOCK elements, 16 of them in a thread, four float4 in flight; 4 bytes per element.
//
// Limit: memory. H200, 4B's largest weight: adamw 98% of the copy, square_sums 92%; with bf16 moments it was 86%, when
// their four numbers were still taken apart before the next were asked for, and reaches 98% since.
#include "kernels/adamw.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include "kernels/cuda/reduce.cuh"
#include <assert.h>
#include <math.h>

namespace PRECISION
{

enum { THREADS = 256 };

// Four neighbours of one type, read and written at once
template <typename T> struct alignas(4 * sizeof(T)) Four {
    T x[4];
};

// Elements first .. first + 3 of an array of `count`; `whole`: all are there, at a multiple of their size
struct Place {
    int64_t first, count;
    bool whole;
};

template <typename Many, typename T> __device__ inline Many read(const T *p, const Place &at)
{
    if (at.whole)
        return *(const Many *)(p + at.first);
    Many many = {};
#pragma unroll
    for (int j = 0; j < 4; j++)
        if (at.first + j >= 0 && at.first + j < at.count)
            ((T *)&many)[j] = p[at.first + j];
    return many;
}

template <typename Many, typename T> __device__ inline void write(T *p, const Place &at, const Many &many)
{
    if (at.whole) {
        *(Many *)(p + at.first) = many;
        return;
    }
#pragma unroll
    for (int j = 0; j < 4; j++)
        if (at.first + j >= 0 && at.first + j < at.count)
            p[at.first + j] = ((const T *)&many)[j];
}

// ---- moments: fp32, or the upper half of one, rounded by 16 random bits

// Four of the second kind, two in a word: taken apart as they arrive, they would have the next read wait.
struct alignas(8) Halves {
    uint32_t word[2];
};

__device__ inline float moment(const Four<float> &four, int j) { return four.x[j]; }
__device__ inline void put_moment(Four<float> *four, int j, float x, uint32_t) { four->x[j] = x; }

__device__ inline float moment(const Halves &four, int j)
{
    return __uint_as_float(j % 2 == 0 ? four.word[j / 2] << 16 : four.word[j / 2] & 0xFFFF0000u);
}

// The random bits are added below bf16's last one, then the rest is cut off. Infinity stays, NaN stays NaN.
__device__ inline void put_moment(Halves *four, int j, float x, uint32_t random)
{
    uint32_t bits = __float_as_uint(x), *word = &four->word[j / 2];
    bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
    bits = nan ? bits | 0x400000 : bits + random;
    *word = j % 2 == 0 ? (*word & 0xFFFF0000u) | bits >> 16 : (*word & 0xFFFFu) | (bits & 0xFFFF0000u);
}

// ---- AdamW

// Who the elements of a launch are, and what names the noise of their moments.
typedef struct Elements {
    int64_t tensor, offset, count, step;
    uint64_t seed;
    bool aligned; // every array's whole fours lie where Four wants them
} Elements;

// One element, in the order of kernels/cpu/optimizer.c
__device__ inline void update(float *w, float *m, float *v, float gradient, const AdamWStep &s)
{
    float g = gradient * s.scale;
    *m = fmaf(g - *m, s.new1, *m);
    *v = fmaf(*v, s.keep2, g * g * s.new2);
    *w = *w * s.shrink - s.rate * (*m / fmaf(sqrtf(*v), s.root, s.epsilon));
}

template <typename Moment, typename Moments>
static __global__ void __launch_bounds__(THREADS) adamw_kernel(element *weight, float *master, Moment *m, Moment *v,
                                                               const float *gradient, AdamWStep step, Elements e)
{
    int64_t four = e.offset / 4 + (int64_t)blockIdx.x * THREADS + threadIdx.x; // elements 4·four .. of the tensor
    Place at = {four * 4 - e.offset, e.count, false};
    if (at.first >= e.count)
        return;
    at.whole = e.aligned && at.first >= 0 && at.first + 4 <= e.count;
    Four<float> g = read<Four<float>>(gradient, at), w = read<Four<float>>(master, at);
    Moments first = read<Moments>(m, at), second = read<Moments>(v, at);
    Philox random = {};
    if (sizeof(Moment) == 2)
        random = random_bits(e.seed, RANDOM_ROUNDING, (uint32_t)e.tensor, (uint32_t)four, (uint32_t)e.step);
    Four<element> out;
#pragma unroll
    for (int j = 0; j < 4; j++) {
        float mean = moment(first, j), square = moment(second, j);
        update(&w.x[j], &mean, &square, g.x[j], step);
        put_moment(&first, j, mean, random.v[j] & 0xFFFF);
        put_moment(&second, j, square, random.v[j] >> 16);
        out.x[j] = rounded(w.x[j]);
    }
    write(m, at, first);
    write(v, at, second);
    write(master, at, w);
    if (PRECISION_BITS == 16) // otherwise weight is master
        write(weight, at, out);
}

static bool is_aligned(const void *p, int64_t elements, int64_t size)
{
    return ((int64_t)(uintptr_t)p + elements * size) % (4 * size) == 0;
}

void adamw(Stream *s, void *weight, float *master, void *m, void *v, const float *gradient, int64_t count,
           const AdamW *settings, int64_t tensor, int64_t offset)
{
    assert(PRECISION_BITS == 16 || weight == (void *)master);
    AdamWStep step = adamw_step(settings);
    Elements e = {tensor, offset, count, settings->step, settings->seed, false};
    int64_t start = -(offset % 4),
            size = settings->bf16_moments ? 2 : 4; // of the four that element 0 is in, and of a moment
    e.aligned = is_aligned(gradient, start, 4) && is_aligned(master, start, 4) && is_aligned(m, start, size) &&
                is_aligned(v, start, size) && is_aligned(weight, start, sizeof(element));
    int64_t blocks = count == 0 ? 0 : ceil_divide(count - start, 4 * THREADS);
    if (settings->bf16_moments)
        launch(s, blocks, THREADS, 0, adamw_kernel<uint16_t, Halves>, (element *)weight, master, (uint16_t *)m,
               (uint16_t *)v, gradient, step, e);
    else
        launch(s, blocks, THREADS, 0, adamw_kernel<float, Four<float>>, (element *)weight, master, (float *)m,
               (float *)v, gradient, step, e);
}

// ---- the gradient norm

static __global__ void __launch_bounds__(THREADS) square_sums_kernel(float *sums, const float *x, int64_t count)
{
    SHARED(float, scratch, 32);
    Four<float> four[SQUARES_BLOCK / (4 * THREADS)];
    float sum = 0;
#pragma unroll
    for (int i = 0; i < SQUARES_BLOCK / (4 * THREADS); i++) {
        int64_t first = (int64_t)blockIdx.x * SQUARES_BLOCK + (i * THREADS + (int)threadIdx.x) * 4;
        four[i] = read<Four<float>>(x, Place{first, count, first + 4 <= count});
    }
#pragma unroll
    for (int i = 0; i < SQUARES_BLOCK / (4 * THREADS); i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            sum = fmaf(four[i].x[j], four[i].x[j], sum);
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

void square_sums(Stream *s, float *sums, const float *x, int64_t count)
{
    assert((uintptr_t)x % 16 == 0);
    launch(s, ceil_divide(count, SQUARES_BLOCK), THREADS, 0, square_sums_kernel, sums, x, count);
}

} // namespace PRECISION
