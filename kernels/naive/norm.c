// RMSNorm, QK-norm with RoPE, and their gradients. A sum over a row is 16 lanes and a tree; a sum over rows, which the
// gradient of a norm's weight is, runs in groups.
#include "kernels/naive/pieces.h"

// ---- sums over rows: chains of NORM_ROWS rows, chains of NORM_GROUPS of these, and one of those, which is `all`. So
// threads may share out the groups (and keep their sums in `partial`, which is idle here), and nothing depends on how
// many they are.

typedef struct RowsSum {
    float chain, chains, all;
} RowsSum;

// `chain` has come to this with row number `row` of `rows`.
static void end_row(RowsSum *sum, float chain, int64_t row, int64_t rows)
{
    bool last = row + 1 == rows;
    sum->chain = chain;
    if (last || (row + 1) % NORM_ROWS == 0) {
        sum->chains += sum->chain;
        sum->chain = 0;
    }
    if (last || (row + 1) % (NORM_ROWS * NORM_GROUPS) == 0) {
        sum->all += sum->chains;
        sum->chains = 0;
    }
}

// ---- RMSNorm: y = weight · (x · rstd), rstd = 1 / sqrt(mean(x²) + epsilon). A row is a token's or a head's.

static float norm_row(float *y, const float *x, const float *weight, float epsilon, int64_t width)
{
    float rstd = 1.0f / sqrtf(row_dot(x, x, width) / (float)width + epsilon);
    for (int64_t c = 0; c < width; c++)
        y[c] = weight[c] * (x[c] * rstd);
    return rstd;
}

// dx = straight + rstd · (dy · w - n · mean(dy · w · n)), n = x · rstd: what y got from x directly, less what it got
// through rstd. straight (what arrives at x on another path) may be NULL; dx may be dy or straight.
static void norm_row_backward(float *dx, const float *dy, const float *straight, const float *x, const float *weight,
                              float rstd, int64_t width)
{
    float lane[16] = {0};
    for (int64_t c = 0; c < width; c++)
        lane[c % 16] = fmaf(dy[c] * weight[c], x[c] * rstd, lane[c % 16]);
    float mean = tree(lane) / (float)width;
    for (int64_t c = 0; c < width; c++) {
        float d = rstd * fmaf(-(x[c] * rstd), mean, dy[c] * weight[c]);
        dx[c] = straight == NULL ? d : straight[c] + d;
    }
}

// dweight[c] += Σ dy · n over all rows, which are a token's `heads` side by side, width numbers each, tokens ascending.
// rstd: of the first token's heads; those of the next token lie rstd_stride further on. dweight NULL: none is wanted
static void norm_weight_backward(float *dweight, Tensor dy, Tensor x, const float *rstd, int64_t rstd_stride,
                                 int64_t heads, int64_t width)
{
    int64_t rows = dy.rows * heads;
    for (int64_t c = 0; dweight != NULL && c < width; c++) {
        RowsSum sum = {0};
        for (int64_t row = 0; row < rows; row++) {
            int64_t t = row / heads, h = row % heads;
            float n = row_of(x, t)[h * width + c] * rstd[t * rstd_stride + h];
            end_row(&sum, fmaf(row_of(dy, t)[h * width + c], n, sum.chain), row, rows);
        }
        dweight[c] += sum.all;
    }
}

// sum = x + residual (or x alone), y = its norm.   x, residual, sum, y (T, C); weight (1, C); rstd (T)
static void rmsnorm_forward(Stream *s, Tensor y, Tensor sum, float *rstd, Tensor x, Tensor residual, Tensor weight,
                            float epsilon)
{
    for (int64_t t = 0; t < x.rows; t++) {
        const float *row = row_of(x, t);
        if (residual.data != NULL) {
            for (int64_t c = 0; c < x.columns; c++)
                row_of(sum, t)[c] = row[c] + row_of(residual, t)[c];
            row = row_of(sum, t);
        }
        rstd[t] = norm_row(row_of(y, t), row, weight.data, epsilon, x.columns);
    }
}

static void rmsnorm_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor dsum, Tensor sum,
                             Tensor weight, const float *rstd)
{
    norm_weight_backward(dweight, dy, sum, rstd, 1, 1, sum.columns);
    for (int64_t t = 0; t < sum.rows; t++)
        norm_row_backward(row_of(dx, t), row_of(dy, t), dsum.data == NULL ? NULL : row_of(dsum, t), row_of(sum, t),
                          weight.data, rstd[t], sum.columns);
}

// ---- RoPE: the pair (x[i], x[i + D/2]) of a head is turned by the angle position · theta^(-2i/D), so that q · k
// depends on the distance of their positions alone. Going back turns the other way.

static void rope_table(Stream *s, float *cosine, float *sine, int64_t positions, int64_t head_width, double theta)
{
    int64_t half = head_width / 2;
    for (int64_t p = 0; p < positions; p++)
        for (int64_t i = 0; i < half; i++) {
            float exponent = (float)(2 * i) / (float)head_width; // rounded to fp32 where transformers rounds
            float frequency = 1.0f / (float)d_power(theta, exponent);
            double sin_angle, cos_angle;
            d_sine_cosine((double)((float)p * frequency), &sin_angle, &cos_angle);
            cosine[p * half + i] = (float)cos_angle;
            sine[p * half + i] = (float)sin_angle;
        }
}

// direction: 1, or -1 to turn back; y may be x
static void rotate(float *y, const float *x, const float *cosine, const float *sine, float direction, int64_t half)
{
    for (int64_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half], c = cosine[i], d = direction * sine[i];
        y[i] = a * c - b * d;
        y[i + half] = b * c + a * d;
    }
}

// QK-norm (where the model has it) and RoPE, head by head: x (T, H + 2·Hkv, D), y (T, H + Hkv, D), rstd (T, H + Hkv).
// In pages, the keys then go to theirs, and so do the values, as they are.
static void qk_norm_rope_forward(Stream *s, Tensor y, float *rstd, Tensor x, Tensor q_weight, Tensor k_weight,
                                 const float *cosine, const float *sine, const int32_t *positions, const Attention *a,
                                 float epsilon)
{
    int64_t D = a->head_width, half = D / 2, heads = a->heads + a->kv_heads;
    for (int64_t t = 0; t < x.rows; t++)
        for (int64_t h = 0; h < heads; h++) {
            const float *from = row_of(x, t) + h * D, *weight = h < a->heads ? q_weight.data : k_weight.data;
            float *to = row_of(y, t) + h * D;
            if (weight != NULL) {
                rstd[t * heads + h] = norm_row(to, from, weight, epsilon, D);
                from = to;
            }
            rotate(to, from, cosine + positions[t] * half, sine + positions[t] * half, 1, half);
        }
    if (a->key_pages != NULL)
        write_pages(columns_of(y, a->heads * D, heads * D, sizeof(float)),
                    columns_of(x, heads * D, x.columns, sizeof(float)), a);
}

static void qk_norm_rope_backward(Stream *s, Tensor dx, float *dq_weight, float *dk_weight, float *partial, Tensor dy,
                                  Tensor x, Tensor q_weight, Tensor k_weight, const float *rstd, const float *cosine,
                                  const float *sine, const int32_t *positions, const Attention *a)
{
    int64_t D = a->head_width, half = D / 2, heads = a->heads + a->kv_heads, q = a->heads * D, all = heads * D;
    for (int64_t t = 0; t < dy.rows; t++)
        for (int64_t h = 0; h < heads; h++)
            rotate(row_of(dx, t) + h * D, row_of(dy, t) + h * D, cosine + positions[t] * half,
                   sine + positions[t] * half, -1, half);
    if (q_weight.data == NULL)
        return;
    norm_weight_backward(dq_weight, dx, x, rstd, heads, a->heads, D);
    if (a->kv_heads > 0)
        norm_weight_backward(dk_weight, columns_of(dx, q, all, sizeof(float)), columns_of(x, q, all, sizeof(float)),
                             rstd + a->heads, heads, a->kv_heads, D);
    for (int64_t t = 0; t < dy.rows; t++)
        for (int64_t h = 0; h < heads; h++) {
            float *d = row_of(dx, t) + h * D;
            norm_row_backward(d, d, NULL, row_of(x, t) + h * D, h < a->heads ? q_weight.data : k_weight.data,
                              rstd[t * heads + h], D);
        }
}

// ---- a bias: drow[c] += Σ dy[t][c]

static void rows_sum(Stream *s, float *drow, float *partial, Tensor dy)
{
    for (int64_t c = 0; c < dy.columns; c++) {
        RowsSum sum = {0};
        for (int64_t t = 0; t < dy.rows; t++)
            end_row(&sum, sum.chain + row_of(dy, t)[c], t, dy.rows);
        drow[c] += sum.all;
    }
}
