// AdamW and the block sums of the gradient norm. Memory-bound: AdamW reads four numbers and writes three per parameter.
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/rows.h"

static void cpu_adamw(Stream *s, float *weight, float *m, float *v, const float *gradient, int64_t count, const AdamW *a,
                      int64_t tensor, int64_t offset)
{
    double correction1 = 1 - d_power(a->beta1, (double)a->step), correction2 = 1 - d_power(a->beta2, (double)a->step);
    float shrink = (float)(1 - a->learning_rate * a->weight_decay);
    float scale = (float)a->gradient_scale, keep2 = (float)a->beta2, new1 = (float)(1 - a->beta1), new2 = (float)(1 - a->beta2);
    float epsilon = (float)a->epsilon, rate = (float)(a->learning_rate / correction1), root = (float)(1 / sqrt(correction2));
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < count; c += 16) {
        lanes16 w = row_load(weight, c, count, 0), g = row_load(gradient, c, count, 0);
        lanes16 first = row_load(m, c, count, 0), second = row_load(v, c, count, 0);
        EACH_PART (i) {
            vf x = g.part[i] * vf_set(scale);
            first.part[i] = vf_fma(x - first.part[i], vf_set(new1), first.part[i]);
            second.part[i] = vf_fma(second.part[i], vf_set(keep2), x * x * vf_set(new2));
            vf denominator = second.part[i];
            for (int lane = 0; lane < VL; lane++)
                denominator[lane] = sqrtf(denominator[lane]);
            denominator = vf_fma(denominator, vf_set(root), vf_set(epsilon));
            w.part[i] = w.part[i] * vf_set(shrink) - vf_set(rate) * (first.part[i] / denominator);
        }
        row_store(weight, c, count, w);
        row_store(m, c, count, first);
        row_store(v, c, count, second);
    }
}

static void cpu_square_sums(Stream *s, float *sums, const float *x, int64_t count)
{
    int64_t blocks = ceil_divide(count, SQUARES_BLOCK);
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t first = b * SQUARES_BLOCK, width = count - first < SQUARES_BLOCK ? count - first : SQUARES_BLOCK;
        lanes16 sum = lanes_set(0);
        for (int64_t c = 0; c < width; c += 16) {
            lanes16 a = row_load(x + first, c, width, 0);
            EACH_PART (i)
                sum.part[i] = vf_fma(a.part[i], a.part[i], sum.part[i]);
        }
        sums[b] = lanes_sum(sum);
    }
}
