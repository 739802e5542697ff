// The operations that only move rows or treat each element alone: embedding, rows, SwiGLU. All are bound by memory.
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/rows.h"
#include <stdlib.h>

static void cpu_upload_rounded(Stream *s, void *elements, const float *host, int64_t count)
{
    memcpy(elements, host, (size_t)count * sizeof(float)); // the activation type is fp32
}

static bool cpu_download_widened(Stream *s, float *host, const void *elements, int64_t count)
{
    return cpu_download(s, host, elements, (size_t)count * sizeof(float));
}

static void cpu_accumulate(Stream *s, float *sum, const float *x, int64_t count)
{
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < count; i++)
        sum[i] += x[i];
}

static void cpu_embedding_forward(Stream *s, Tensor y, Tensor table, const int32_t *ids)
{
    int64_t C = table.columns;
    assert(is_dense(y) && is_dense(table));
#pragma omp parallel for schedule(static) if (y.rows * C > PARALLEL_ELEMENTS)
    for (int64_t t = 0; t < y.rows; t++)
        memcpy((float *)y.data + t * C, (const float *)table.data + ids[t] * C, (size_t)C * sizeof(float));
}

static int by_id_then_token(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return x[0] != y[0] ? (x[0] < y[0] ? -1 : 1) : (x[1] > y[1]) - (x[1] < y[1]);
}

// One vocabulary row: its tokens lie side by side in `pairs`. Sixteen columns at a time: chains stay in registers.
static void embedding_row(float *drow, const float *dy, const int32_t *pairs, int64_t count, int64_t C)
{
    for (int64_t c = 0; c < C; c += 16) {
        lanes16 sum = lanes_set(0), old = row_load(drow, c, C, 0);
        for (int64_t n = 0; n < count; n++) {
            lanes16 d = row_load(dy + pairs[2 * n + 1] * C, c, C, 0);
            EACH_PART (i)
                sum.part[i] = sum.part[i] + d.part[i];
        }
        EACH_PART (i)
            old.part[i] = old.part[i] + sum.part[i];
        row_store(drow, c, C, old);
    }
}

static void cpu_embedding_backward(Stream *s, float *dtable, Tensor dy, const int32_t *ids, int32_t *scratch)
{
    int64_t T = dy.rows, C = dy.columns;
    assert(is_dense(dy));
    for (int64_t t = 0; t < T; t++) {
        scratch[2 * t] = ids[t];
        scratch[2 * t + 1] = (int32_t)t;
    }
    qsort(scratch, (size_t)T, 2 * sizeof(int32_t), by_id_then_token);
#pragma omp parallel for schedule(dynamic, 16)
    for (int64_t t = 0; t < T; t++) {
        if (t > 0 && scratch[2 * t] == scratch[2 * t - 2])
            continue; // not the first of its row
        int64_t end = t + 1;
        while (end < T && scratch[2 * end] == scratch[2 * t])
            end++;
        embedding_row(dtable + scratch[2 * t] * C, dy.data, scratch + 2 * t, end - t, C);
    }
}

static void cpu_rows_gather(Stream *s, Tensor y, Tensor x, const int32_t *rows)
{
    int64_t C = x.columns;
    assert(is_dense(y) && is_dense(x));
#pragma omp parallel for schedule(static) if (y.rows * C > PARALLEL_ELEMENTS)
    for (int64_t n = 0; n < y.rows; n++)
        memcpy((float *)y.data + n * C, (const float *)x.data + rows[n] * C, (size_t)C * sizeof(float));
}

static void cpu_rows_scatter(Stream *s, Tensor dx, Tensor dy, const int32_t *rows)
{
    int64_t C = dx.columns;
    assert(is_dense(dx) && is_dense(dy));
    cpu_zero(s, dx.data, (size_t)(dx.rows * C) * sizeof(float));
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < dy.rows; n++)
        memcpy((float *)dx.data + rows[n] * C, (const float *)dy.data + n * C, (size_t)C * sizeof(float));
}

static void cpu_rows_fill(Stream *s, Tensor y, Tensor row)
{
    int64_t N = y.columns;
#pragma omp parallel for schedule(static) if (y.rows * N > PARALLEL_ELEMENTS)
    for (int64_t t = 0; t < y.rows; t++)
        memcpy(row_of(y, t), row.data, (size_t)N * sizeof(float));
}

static void cpu_rows_scale(Stream *s, Tensor y, float factor)
{
#pragma omp parallel for schedule(static) if (y.rows * y.columns > PARALLEL_ELEMENTS)
    for (int64_t t = 0; t < y.rows; t++)
        for (int64_t c = 0; c < y.columns; c++)
            row_of(y, t)[c] *= factor;
}

static void cpu_swiglu_forward(Stream *s, Tensor y, Tensor gate, Tensor up)
{
    int64_t F = y.columns;
#pragma omp parallel for schedule(static) if (y.rows * F > PARALLEL_ELEMENTS)
    for (int64_t t = 0; t < y.rows; t++)
        for (int64_t c = 0; c < F; c += 16) {
            lanes16 g = row_load(row_of(gate, t), c, F, 0), u = row_load(row_of(up, t), c, F, 0);
            EACH_PART (i)
                g.part[i] = g.part[i] / (vf_set(1) + vf_exp(-g.part[i])) * u.part[i];
            row_store(row_of(y, t), c, F, g);
        }
}

// With σ = 1/(1 + e^-g): dup = dy·g·σ, dgate = dy·up·σ·(1 + g·(1 - σ))
static void cpu_swiglu_backward(Stream *s, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up)
{
    int64_t F = dy.columns;
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < dy.rows; t++)
        for (int64_t c = 0; c < F; c += 16) {
            lanes16 g = row_load(row_of(gate, t), c, F, 0), u = row_load(row_of(up, t), c, F, 0);
            lanes16 d = row_load(row_of(dy, t), c, F, 0);
            EACH_PART (i) {
                vf one = vf_set(1), sigmoid = one / (one + vf_exp(-g.part[i]));
                vf slope = sigmoid * vf_fma(g.part[i], one - sigmoid, one);
                vf by_up = d.part[i] * (g.part[i] * sigmoid);
                g.part[i] = d.part[i] * u.part[i] * slope;
                u.part[i] = by_up;
            }
            row_store(row_of(dgate, t), c, F, g);
            row_store(row_of(dup, t), c, F, u);
        }
}
