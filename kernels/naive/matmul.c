// The matrix products, which are nearly all of the work: three forms, and each output of each is one chain. That a
// chain is never cut is why a row's bits do not depend on how many rows there are, and a fast product may do everything
// else: tile, pack, reorder loops.
#include "kernels/naive/pieces.h"

// y (T, N) = x (T, K) · w (N, K)ᵀ: row t of x against row n of w, over K
static void matmul_forward(Stream *s, Tensor y, Tensor x, Tensor w, bool add)
{
    assert(y.rows == x.rows && y.columns == w.rows && x.columns == w.columns);
    for (int64_t t = 0; t < y.rows; t++)
        for (int64_t n = 0; n < y.columns; n++)
            put(&row_of(y, t)[n], chain(row_of(x, t), 1, row_of(w, n), 1, x.columns), add);
}

// dx (T, K) = dy (T, N) · w (N, K): row t of dy against column k of w, over N
static void matmul_backward_input(Stream *s, Tensor dx, Tensor dy, Tensor w, bool add)
{
    assert(dx.rows == dy.rows && dy.columns == w.rows && dx.columns == w.columns);
    for (int64_t t = 0; t < dx.rows; t++)
        for (int64_t k = 0; k < dx.columns; k++)
            put(&row_of(dx, t)[k], chain(row_of(dy, t), 1, row_of(w, 0) + k, w.stride, w.rows), add);
}

// dw (N, K) = dy (T, N)ᵀ · x (T, K): column n of dy against column k of x, over the tokens. Added to zero, -0 is +0.
static void matmul_backward_weight(Stream *s, float *dw, Tensor dy, Tensor x, int64_t room, bool add)
{
    assert(dy.rows == x.rows);
    for (int64_t n = 0; n < dy.columns; n++)
        for (int64_t k = 0; k < x.columns; k++)
            put(&dw[n * x.columns + k], 0 + chain(row_of(dy, 0) + n, dy.stride, row_of(x, 0) + k, x.stride, x.rows),
                add);
}
