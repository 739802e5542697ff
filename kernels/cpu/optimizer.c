// AdamW and the block sums of the gradient norm. Memory-bound: AdamW reads four numbers and writes three per parameter;
// with bf16 moments the random numbers of their rounding cost more than the memory.
#include "kernels/adamw.h"
#include "kernels/cpu/rows.h"
#include <assert.h>

INLINE void adamw_lanes(const AdamWStep *a, lanes16 *w, lanes16 *first, lanes16 *second, const lanes16 *g)
{
    EACH_PART (i) {
        vf x = g->part[i] * vf_set(a->scale);
        first->part[i] = vf_fma(x - first->part[i], vf_set(a->new1), first->part[i]);
        second->part[i] = vf_fma(second->part[i], vf_set(a->keep2), x * x * vf_set(a->new2));
        vf denominator = second->part[i];
        for (int lane = 0; lane < VL; lane++)
            denominator[lane] = sqrtf(denominator[lane]);
        denominator = vf_fma(denominator, vf_set(a->root), vf_set(a->epsilon));
        w->part[i] = w->part[i] * vf_set(a->shrink) - vf_set(a->rate) * (first->part[i] / denominator);
    }
}

// ---- moments in bf16: half the memory. Cut off or rounded to nearest, a second moment that changes by a thousandth a
// step would stand still; rounded stochastically it is right in the mean.

static lanes16 bf16_load(const uint16_t *x, int64_t c, int64_t count)
{
    uint32_t bits[16];
    lanes16 r;
    for (int64_t i = 0; i < 16; i++)
        bits[i] = c + i < count ? (uint32_t)x[c + i] << 16 : 0;
    memcpy(&r, bits, sizeof r);
    return r;
}

// Up with the probability of what would be cut off, otherwise down. noise: 16 bits.
static uint16_t round_stochastically(uint32_t bits, uint32_t noise)
{
    bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
    return (uint16_t)(is_nan ? bits >> 16 | 0x40 : (bits + noise) >> 16); // infinity has no bits to cut off, and stays
}

static void bf16_store(uint16_t *x, int64_t c, int64_t count, lanes16 r, const uint32_t random[16], int shift)
{
    uint32_t bits[16];
    memcpy(bits, &r, sizeof bits);
    for (int64_t i = 0; i < 16 && c + i < count; i++)
        x[c + i] = round_stochastically(bits[i], random[i] >> shift & 0xffff);
}

// One word for each of 16 elements from `element` on; a draw has the words of four.
static void rounding_words(uint32_t words[16], const AdamW *a, int64_t tensor, int64_t element)
{
    Philox draw = {{0}};
    for (int64_t i = 0; i < 16; i++) {
        int64_t e = element + i;
        if (i == 0 || e % 4 == 0)
            draw = random_bits(a->seed, RANDOM_ROUNDING, (uint32_t)tensor, (uint32_t)(e / 4), (uint32_t)a->step);
        words[i] = draw.v[e % 4];
    }
}

static void adamw_bf16_moments(float *weight, uint16_t *m, uint16_t *v, const float *gradient, int64_t count,
                               const AdamW *a, int64_t tensor, int64_t offset)
{
    AdamWStep step = adamw_step(a);
#pragma omp parallel for schedule(static) firstprivate(step)
    for (int64_t c = 0; c < count; c += 16) {
        uint32_t words[16];
        lanes16 w = row_load(weight, c, count, 0), g = row_load(gradient, c, count, 0);
        lanes16 first = bf16_load(m, c, count), second = bf16_load(v, c, count);
        adamw_lanes(&step, &w, &first, &second, &g);
        rounding_words(words, a, tensor, offset + c);
        row_store(weight, c, count, w);
        bf16_store(m, c, count, first, words, 0);
        bf16_store(v, c, count, second, words, 16);
    }
}

static void adamw_fp32_moments(float *weight, float *m, float *v, const float *gradient, int64_t count, const AdamW *a)
{
    AdamWStep step = adamw_step(a);
#pragma omp parallel for schedule(static) firstprivate(step)
    for (int64_t c = 0; c < count; c += 16) {
        lanes16 w = row_load(weight, c, count, 0), g = row_load(gradient, c, count, 0);
        lanes16 first = row_load(m, c, count, 0), second = row_load(v, c, count, 0);
        adamw_lanes(&step, &w, &first, &second, &g);
        row_store(weight, c, count, w);
        row_store(m, c, count, first);
        row_store(v, c, count, second);
    }
}

static void cpu_adamw(Stream *s, void *weight, float *master, void *m, void *v, const float *gradient, int64_t count,
                      const AdamW *settings, int64_t tensor, int64_t offset)
{
    assert(weight == master); // the activation type is fp32
    if (settings->bf16_moments)
        adamw_bf16_moments(master, m, v, gradient, count, settings, tensor, offset);
    else
        adamw_fp32_moments(master, m, v, gradient, count, settings);
}

static void cpu_square_sums(Stream *s, float *sums, const float *x, int64_t count)
{
    int64_t blocks = ceil_divide(count, SQUARES_BLOCK);
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks; b++) {
        const float *block = x + b * SQUARES_BLOCK;
        sums[b] = row_dot(block, block, smaller(count - b * SQUARES_BLOCK, SQUARES_BLOCK));
    }
}
