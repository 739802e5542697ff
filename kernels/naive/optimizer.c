// AdamW, element by element, and the sums of squares that clipping needs. g is the gradient times what clipping asks:
//   m = beta1 · m + (1 - beta1) · g;   v = beta2 · v + (1 - beta2) · g²
//   weight = weight · (1 - lr · decay) - lr / (1 - beta1^step) · m / (sqrt(v / (1 - beta2^step)) + epsilon)
// What all elements have in common is computed in double precision and rounded once.
#include "kernels/naive/pieces.h"

static void adamw_element(float *weight, float *m, float *v, float gradient, const AdamW *a)
{
    double correction1 = 1 - d_power(a->beta1, (double)a->step), correction2 = 1 - d_power(a->beta2, (double)a->step);
    float g = gradient * (float)a->gradient_scale, rate = (float)(a->learning_rate / correction1);
    *m = fmaf(g - *m, (float)(1 - a->beta1), *m);
    *v = fmaf(*v, (float)a->beta2, g * g * (float)(1 - a->beta2));
    float denominator = fmaf(sqrtf(*v), (float)(1 / sqrt(correction2)), (float)a->epsilon);
    *weight = *weight * (float)(1 - a->learning_rate * a->weight_decay) - rate * (*m / denominator);
}

static float widened(uint16_t bf16)
{
    uint32_t bits = (uint32_t)bf16 << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Up with the probability of what is cut off; to nearest, a mean that moves by a thousandth would stand still.
// noise: 16 bits
static uint16_t round_stochastically(float x, uint32_t noise)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(isnan(x) ? bits >> 16 | 0x40 : (bits + noise) >> 16);
}

// An element's noise is named by its tensor and its place there, not by the thread, shard or rank that holds it.
static void adamw(Stream *s, void *weight, float *master, void *m, void *v, const float *gradient, int64_t count,
                  const AdamW *settings, int64_t tensor, int64_t offset)
{
    assert(weight == master); // the activation type is fp32
    for (int64_t i = 0; i < count; i++) {
        if (!settings->bf16_moments) {
            adamw_element(&master[i], (float *)m + i, (float *)v + i, gradient[i], settings);
            continue;
        }
        uint16_t *rounded_m = (uint16_t *)m + i, *rounded_v = (uint16_t *)v + i;
        float whole_m = widened(*rounded_m), whole_v = widened(*rounded_v);
        adamw_element(&master[i], &whole_m, &whole_v, gradient[i], settings);
        int64_t e = offset + i;
        uint32_t word =
            random_bits(settings->seed, RANDOM_ROUNDING, (uint32_t)tensor, (uint32_t)(e / 4), (uint32_t)settings->step)
                .v[e % 4];
        *rounded_m = round_stochastically(whole_m, word & 0xffff);
        *rounded_v = round_stochastically(whole_v, word >> 16);
    }
}

// sums[b] = Σ x² of block b: a row of SQUARES_BLOCK numbers. So a shard that begins at a block's edge has whole sums.
static void square_sums(Stream *s, float *sums, const float *x, int64_t count)
{
    for (int64_t first = 0; first < count; first += SQUARES_BLOCK)
        sums[first / SQUARES_BLOCK] = row_dot(x + first, x + first, smaller(count - first, SQUARES_BLOCK));
}

static void accumulate(Stream *s, float *sum, const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] += x[i];
}
