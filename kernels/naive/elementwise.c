// The operations that only move rows, and those that treat each number alone. The one sum: the embedding's gradient.
#include "kernels/naive/pieces.h"

// y[t] = table[ids[t]].   y (T, C); table (V, C); ids (T)
static void embedding_forward(Stream *s, Tensor y, Tensor table, const int32_t *ids)
{
    for (int64_t t = 0; t < y.rows; t++)
        memcpy(row_of(y, t), row_of(table, ids[t]), (size_t)table.columns * sizeof(float));
}

static bool seen_before(const int32_t *ids, int64_t t)
{
    for (int64_t n = 0; n < t; n++)
        if (ids[n] == ids[t])
            return true;
    return false;
}

// dtable[id] += Σ dy[t] over all t with ids[t] = id: a chain over t, then added once. Were each token added on its own,
// by whatever thread has it, the order would be another one in every run. dy (T, C); dtable (V, C); tokens (T) is
// scratch: the tokens of one id
static void embedding_backward(Stream *s, float *dtable, Tensor dy, const int32_t *ids, int32_t *tokens)
{
    for (int64_t t = 0; t < dy.rows; t++) {
        if (seen_before(ids, t))
            continue;
        int64_t count = 0;
        for (int64_t n = t; n < dy.rows; n++)
            if (ids[n] == ids[t])
                tokens[count++] = (int32_t)n;
        for (int64_t c = 0; c < dy.columns; c++) {
            float sum = 0;
            for (int64_t i = 0; i < count; i++)
                sum += row_of(dy, tokens[i])[c];
            dtable[ids[t] * dy.columns + c] += sum;
        }
    }
}

// y[n] = x[rows[n]]
static void rows_gather(Stream *s, Tensor y, Tensor x, const int32_t *rows) { embedding_forward(s, y, x, rows); }

// dx[rows[n]] = dy[n], and zero elsewhere
static void rows_scatter(Stream *s, Tensor dx, Tensor dy, const int32_t *rows)
{
    for (int64_t t = 0; t < dx.rows; t++)
        memset(row_of(dx, t), 0, (size_t)dx.columns * sizeof(float));
    for (int64_t n = 0; n < dy.rows; n++)
        memcpy(row_of(dx, rows[n]), row_of(dy, n), (size_t)dy.columns * sizeof(float));
}

// y[t] = row: a bias, to which a matrix product is then added
static void rows_fill(Stream *s, Tensor y, Tensor row)
{
    for (int64_t t = 0; t < y.rows; t++)
        memcpy(row_of(y, t), row.data, (size_t)y.columns * sizeof(float));
}

// y = factor · y, of columns of a wider one too
static void rows_scale(Stream *s, Tensor y, float factor)
{
    for (int64_t t = 0; t < y.rows; t++)
        for (int64_t c = 0; c < y.columns; c++)
            row_of(y, t)[c] *= factor;
}

// SwiGLU: y = gate · σ(gate) · up, σ(g) = 1 / (1 + e^-g); all (T, F)
static void swiglu_forward(Stream *s, Tensor y, Tensor gate, Tensor up)
{
    for (int64_t t = 0; t < y.rows; t++)
        for (int64_t c = 0; c < y.columns; c++) {
            float g = row_of(gate, t)[c], u = row_of(up, t)[c];
            row_of(y, t)[c] = g / (1.0f + exponential(-g)) * u;
        }
}

static void matmul_swiglu_forward(Stream *s, Tensor y, Tensor gate_up, Tensor x, Tensor w, bool keep)
{
    int64_t F = y.columns;
    matmul_forward(s, gate_up, x, w, false);
    swiglu_forward(s, y, columns_of(gate_up, 0, F, sizeof(float)), columns_of(gate_up, F, 2 * F, sizeof(float)));
}

// dup = dy · g · σ,  dgate = dy · up · σ · (1 + g · (1 - σ))
static void swiglu_backward(Stream *s, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up)
{
    for (int64_t t = 0; t < dy.rows; t++)
        for (int64_t c = 0; c < dy.columns; c++) {
            float g = row_of(gate, t)[c], u = row_of(up, t)[c], d = row_of(dy, t)[c];
            float sigmoid = 1.0f / (1.0f + exponential(-g)), slope = sigmoid * fmaf(g, 1.0f - sigmoid, 1.0f);
            row_of(dup, t)[c] = d * (g * sigmoid);
            row_of(dgate, t)[c] = d * u * slope;
        }
}
