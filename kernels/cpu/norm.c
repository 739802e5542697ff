// RMSNorm (with the residual added before it) and QK-norm + RoPE, forward and backward, and the other sum over rows,
// that of a bias. A row is a token, or one head of one token. Memory-bound: a row is read once for its mean and once,
// from the cache, for its result.
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/rows.h"

// y = weight · (x · rstd); returns rstd
INLINE float norm_row(float *y, const float *x, const float *weight, float epsilon, int64_t width)
{
    float rstd = 1.0f / sqrtf(row_dot(x, x, width) / (float)width + epsilon);
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 a = row_load(x, c, width, 0), w = row_load(weight, c, width, 0);
        EACH_PART (i)
            a.part[i] = w.part[i] * (a.part[i] * vf_set(rstd));
        row_store(y, c, width, a);
    }
    return rstd;
}

// dx = rstd · (dy·w - n · mean(dy·w·n)) with n = x · rstd, added to `straight` where there is one.
static void norm_row_backward(float *dx, const float *dy, const float *straight, const float *x, const float *weight,
                              float rstd, int64_t width)
{
    lanes16 dot = lanes_set(0);
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 d = row_load(dy, c, width, 0), w = row_load(weight, c, width, 0), a = row_load(x, c, width, 0);
        EACH_PART (i)
            dot.part[i] = vf_fma(d.part[i] * w.part[i], a.part[i] * vf_set(rstd), dot.part[i]);
    }
    float mean = lanes_sum(dot) / (float)width;
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 d = row_load(dy, c, width, 0), w = row_load(weight, c, width, 0), a = row_load(x, c, width, 0);
        EACH_PART (i)
            d.part[i] = vf_set(rstd) * vf_fma(-(a.part[i] * vf_set(rstd)), vf_set(mean), d.part[i] * w.part[i]);
        if (straight != NULL) {
            lanes16 s = row_load(straight, c, width, 0);
            EACH_PART (i)
                d.part[i] = s.part[i] + d.part[i];
        }
        row_store(dx, c, width, d);
    }
}

static void weight_gradient_row(float *partial, const float *dy, const float *x, float rstd, int64_t width)
{
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 d = row_load(dy, c, width, 0), a = row_load(x, c, width, 0), p = row_load(partial, c, width, 0);
        EACH_PART (i)
            p.part[i] = vf_fma(d.part[i], a.part[i] * vf_set(rstd), p.part[i]);
        row_store(partial, c, width, p);
    }
}

// to (width) += the sum of all rows of `partial`, each of a group: chains of NORM_GROUPS of them, then these
static void add_groups(float *to, const float *partial, int64_t groups, int64_t width)
{
#pragma omp parallel for schedule(static) if (groups * width > PARALLEL_ELEMENTS)
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 all = lanes_set(0), sum = lanes_set(0), old = row_load(to, c, width, 0);
        for (int64_t g = 0; g < groups; g++) {
            lanes16 p = row_load(partial + g * width, c, width, 0);
            if (g % NORM_GROUPS == 0)
                sum = lanes_set(0);
            EACH_PART (i)
                sum.part[i] = sum.part[i] + p.part[i];
            if (g + 1 == groups || (g + 1) % NORM_GROUPS == 0)
                EACH_PART (i)
                    all.part[i] = all.part[i] + sum.part[i];
        }
        EACH_PART (i)
            old.part[i] = old.part[i] + all.part[i];
        row_store(to, c, width, old);
    }
}

static void cpu_rmsnorm_forward(Stream *s, Tensor y, Tensor sum, float *rstd, Tensor x, Tensor residual, Tensor weight,
                                float epsilon)
{
    int64_t T = x.rows, C = x.columns;
    assert(is_dense(y) && is_dense(x) && is_dense(sum) && is_dense(residual));
#pragma omp parallel for schedule(static) if (T * C > PARALLEL_ELEMENTS)
    for (int64_t t = 0; t < T; t++) {
        const float *row = (const float *)x.data + t * C;
        if (residual.data != NULL) {
            const float *r = (const float *)residual.data + t * C;
            float *out = (float *)sum.data + t * C;
            for (int64_t c = 0; c < C; c += 16) {
                lanes16 a = row_load(row, c, C, 0), b = row_load(r, c, C, 0);
                EACH_PART (i)
                    a.part[i] = a.part[i] + b.part[i];
                row_store(out, c, C, a);
            }
            row = out;
        }
        rstd[t] = norm_row((float *)y.data + t * C, row, weight.data, epsilon, C);
    }
}

static void cpu_rmsnorm_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor dsum,
                                 Tensor sum, Tensor weight, const float *rstd)
{
    int64_t T = sum.rows, C = sum.columns, groups = row_groups(T);
    assert(is_dense(dx) && is_dense(dy) && is_dense(dsum) && is_dense(sum));
#pragma omp parallel for schedule(static)
    for (int64_t g = 0; g < groups; g++) {
        float *chains = dweight == NULL ? NULL : partial + g * C;
        if (chains != NULL)
            memset(chains, 0, (size_t)C * sizeof(float));
        for (int64_t t = g * NORM_ROWS; t < T && t < (g + 1) * NORM_ROWS; t++) {
            const float *d = (const float *)dy.data + t * C, *x = (const float *)sum.data + t * C;
            const float *straight = dsum.data == NULL ? NULL : (const float *)dsum.data + t * C;
            if (chains != NULL)
                weight_gradient_row(chains, d, x, rstd[t], C);
            norm_row_backward((float *)dx.data + t * C, d, straight, x, weight.data, rstd[t], C);
        }
    }
    if (dweight != NULL)
        add_groups(dweight, partial, groups, C);
}

static void cpu_rows_sum(Stream *s, float *drow, float *partial, Tensor dy)
{
    int64_t T = dy.rows, N = dy.columns, groups = row_groups(T);
#pragma omp parallel for schedule(static)
    for (int64_t g = 0; g < groups; g++) {
        float *sum = partial + g * N;
        memset(sum, 0, (size_t)N * sizeof(float));
        for (int64_t t = g * NORM_ROWS; t < T && t < (g + 1) * NORM_ROWS; t++)
            for (int64_t c = 0; c < N; c++)
                sum[c] += row_of(dy, t)[c];
    }
    add_groups(drow, partial, groups, N);
}

static void cpu_rope_table(Stream *s, float *cosine, float *sine, int64_t positions, int64_t head_width, double theta)
{
    int64_t half = head_width / 2;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < half; i++) {
        float exponent = (float)(2 * i) / (float)head_width; // rounded where transformers rounds: power, inverse, angle
        float frequency = 1.0f / (float)d_power(theta, exponent);
        for (int64_t p = 0; p < positions; p++) {
            double sin_angle, cos_angle;
            d_sine_cosine((double)((float)p * frequency), &sin_angle, &cos_angle);
            sine[p * half + i] = (float)sin_angle;
            cosine[p * half + i] = (float)cos_angle;
        }
    }
}

// y[i] = x[i]·cos - x[i+half]·sin,  y[i+half] = x[i+half]·cos + x[i]·sin;  turned back with -sin
static void rotate(float *y, const float *x, const float *cosine, const float *sine, float direction, int64_t half)
{
    for (int64_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half], c = cosine[i], d = direction * sine[i];
        y[i] = a * c - b * d;
        y[i + half] = b * c + a * d;
    }
}

static bool fits_heads(Tensor x, const Attention *a) { return x.columns >= (a->heads + a->kv_heads) * a->head_width; }

static void cpu_qk_norm_rope_forward(Stream *s, Tensor y, float *rstd, Tensor x, Tensor q_weight, Tensor k_weight,
                                     const float *cosine, const float *sine, const int32_t *positions,
                                     const Attention *a, float epsilon)
{
    int64_t T = x.rows, D = a->head_width, heads = a->heads + a->kv_heads, half = D / 2;
    assert(fits_heads(x, a) && fits_heads(y, a));
#pragma omp parallel for schedule(static) if (T * heads * D > PARALLEL_ELEMENTS)
    for (int64_t t = 0; t < T; t++)
        for (int64_t h = 0; h < heads; h++) {
            const float *from = row_of(x, t) + h * D, *weight = h < a->heads ? q_weight.data : k_weight.data;
            float *to = row_of(y, t) + h * D;
            int64_t angle = positions[t] * half;
            if (weight != NULL) {
                rstd[t * heads + h] = norm_row(to, from, weight, epsilon, D);
                from = to;
            }
            rotate(to, from, cosine + angle, sine + angle, 1, half);
        }
    if (a->key_pages != NULL) {
        assert(x.columns == (heads + a->kv_heads) * D);
        write_pages(columns_of(y, a->heads * D, heads * D, sizeof(float)),
                    columns_of(x, heads * D, x.columns, sizeof(float)), a);
    }
}

// Some heads of every token that share a weight, the first of them number `first`
typedef struct HeadGroup {
    const float *weight;
    int64_t first, count;
    float *dweight; // NULL: there is no weight, or it lies still
} HeadGroup;

// Of the group's heads, tokens ascending, those from number `row` to end - 1: dx, and their chain of the weight's
// gradient
static void heads_backward(float *chain, const HeadGroup *of, Tensor dx, Tensor dy, Tensor x, const float *rstd,
                           const float *cosine, const float *sine, const int32_t *positions, const Attention *a,
                           int64_t row, int64_t end)
{
    int64_t D = a->head_width, half = D / 2, heads = a->heads + a->kv_heads;
    for (; row < end; row++) {
        int64_t t = row / of->count, h = of->first + row % of->count, angle = positions[t] * half;
        const float *from = row_of(x, t) + h * D;
        float *out = row_of(dx, t) + h * D, r = rstd == NULL ? 0 : rstd[t * heads + h];
        rotate(out, row_of(dy, t) + h * D, cosine + angle, sine + angle, -1, half);
        if (of->weight == NULL)
            continue;
        if (chain != NULL)
            weight_gradient_row(chain, out, from, r, D);
        norm_row_backward(out, out, NULL, from, of->weight, r, D);
    }
}

static void cpu_qk_norm_rope_backward(Stream *s, Tensor dx, float *dq_weight, float *dk_weight, float *partial,
                                      Tensor dy, Tensor x, Tensor q_weight, Tensor k_weight, const float *rstd,
                                      const float *cosine, const float *sine, const int32_t *positions,
                                      const Attention *a)
{
    int64_t T = dy.rows, D = a->head_width;
    const HeadGroup of[2] = {{q_weight.data, 0, a->heads, dq_weight},
                             {k_weight.data, a->heads, a->kv_heads, dk_weight}};
    assert(fits_heads(dx, a) && fits_heads(dy, a));
    for (int i = 0; i < 2; i++) {
        int64_t rows = T * of[i].count, groups = row_groups(rows);
#pragma omp parallel for schedule(static)
        for (int64_t g = 0; g < groups; g++) {
            float *chain = of[i].dweight == NULL ? NULL : partial + g * D;
            if (chain != NULL)
                memset(chain, 0, (size_t)D * sizeof(float));
            heads_backward(chain, &of[i], dx, dy, x, rstd, cosine, sine, positions, a, g * NORM_ROWS,
                           smaller((g + 1) * NORM_ROWS, rows));
        }
        if (of[i].dweight != NULL && of[i].count > 0)
            add_groups(of[i].dweight, partial, groups, D);
    }
}
