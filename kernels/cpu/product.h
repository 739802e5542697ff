// What the products of matmul.c and matmul_few.h share: the operands of one, and rows of memory turned into columns.
#ifndef KERNELS_CPU_PRODUCT_H
#define KERNELS_CPU_PRODUCT_H

#include "kernels/cpu/scratch.h"
#include "kernels/cpu/tile.h"
#include "kernels/kernels.h"

// c (M, N) = a (M, K) · b (K, N), rows of c c_row apart; a[m][k] = a[m*a_row + k*a_k], b[k][n] = b[k*b_k + n*b_column].
// One of a_row and a_k is 1, and one of b_k and b_column. add: the finished chain is added to the old c once.
// start: unfinished chains, as c lies, that go on in c; NULL: from zero.
typedef struct Product {
    int64_t M, N, K;
    float *c;
    int64_t c_row;
    const float *a;
    int64_t a_row, a_k;
    const float *b;
    int64_t b_k, b_column;
    bool add;
    const float *start;
} Product;

// ---- transposition in registers: 4 x 4 within 128-bit lanes, then the lanes. One-instruction shuffles all.

#if defined(__clang__)
#define PICK(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define PICK(x, y, ...) __builtin_shuffle(x, y, (vi){__VA_ARGS__}) // gcc has had it longer
#endif
#if VL == 16
#define SHUFFLE(x, y, A, B, C, D)                                                                                      \
    PICK(x, y, A, B, C, D, A + 4, B + 4, C + 4, D + 4, A + 8, B + 8, C + 8, D + 8, A + 12, B + 12, C + 12, D + 12)
#define LANES(x, y, A, B)                                                                                              \
    PICK(x, y, A, A + 1, A + 2, A + 3, B, B + 1, B + 2, B + 3, A + 16, A + 17, A + 18, A + 19, B + 16, B + 17, B + 18, \
         B + 19)
#elif VL == 8
#define SHUFFLE(x, y, A, B, C, D) PICK(x, y, A, B, C, D, A + 4, B + 4, C + 4, D + 4)
#define LANES(x, y, A, B) PICK(x, y, A, A + 1, A + 2, A + 3, A + 8, A + 9, A + 10, A + 11)
#else
#define SHUFFLE(x, y, A, B, C, D) PICK(x, y, A, B, C, D)
#endif

// Each 4 rows x[4g..4g+3] become x[4g+j] = (their element j of every lane).
INLINE void transpose_lanes(vf x[4])
{
    vf a = SHUFFLE(x[0], x[1], 0, VL, 1, VL + 1), b = SHUFFLE(x[0], x[1], 2, VL + 2, 3, VL + 3);
    vf c = SHUFFLE(x[2], x[3], 0, VL, 1, VL + 1), d = SHUFFLE(x[2], x[3], 2, VL + 2, 3, VL + 3);
    x[0] = SHUFFLE(a, c, 0, 1, VL, VL + 1);
    x[1] = SHUFFLE(a, c, 2, 3, VL + 2, VL + 3);
    x[2] = SHUFFLE(b, d, 0, 1, VL, VL + 1);
    x[3] = SHUFFLE(b, d, 2, 3, VL + 2, VL + 3);
}

INLINE void transpose(vf x[VL])
{
#pragma GCC unroll 4
    for (int g = 0; g < VL; g += 4)
        transpose_lanes(x + g);
#if VL == 16
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        vf a = LANES(x[j], x[4 + j], 0, 8), b = LANES(x[j], x[4 + j], 4, 12);
        vf c = LANES(x[8 + j], x[12 + j], 0, 8), d = LANES(x[8 + j], x[12 + j], 4, 12);
        x[j] = LANES(a, c, 0, 8);
        x[4 + j] = LANES(b, d, 0, 8);
        x[8 + j] = LANES(a, c, 4, 12);
        x[12 + j] = LANES(b, d, 4, 12);
    }
#elif VL == 8
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        vf a = LANES(x[j], x[4 + j], 0, 0), b = LANES(x[j], x[4 + j], 4, 0);
        x[j] = a;
        x[4 + j] = b;
    }
#endif
}

#undef SHUFFLE
#undef LANES

// VL x VL numbers of rows `row` apart, beginning at k; rows past the last are copies of it, not used. x[i] = column i.
INLINE void load_transposed(vf x[VL], const float *from, int64_t row, int64_t first, int64_t rows, int64_t k)
{
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
        x[i] = vf_load(from + smaller(first + i, rows - 1) * row + k);
    transpose(x);
}

// Rows of memory, `row` apart, become the columns of a panel: [k][width], width a multiple of VL. Sixteen steps of k at
// a time, so that a line is used up when it is read: rows a multiple of 4 KB apart share one set of the first cache.
INLINE void pack_panel_transposed(const int64_t width, float *to, const float *from, int64_t row, int64_t columns,
                                  int64_t K)
{
    int64_t k = 0;
    for (; k + 16 <= K; k += 16)
        for (int64_t column = 0; column < width; column += VL)
            for (int64_t half = k; half < k + 16; half += VL) {
                vf x[VL];
                load_transposed(x, from, row, column, columns, half);
#pragma GCC unroll 16
                for (int i = 0; i < VL; i++)
                    vf_store(to + (half + i) * width + column, x[i]);
            }
    for (; k < K; k++)
        for (int64_t i = 0; i < width; i++)
            to[k * width + i] = from[smaller(i, columns - 1) * row + k];
}

#endif
