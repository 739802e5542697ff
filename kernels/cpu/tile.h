// The inner product of the CPU kernels: a tile of outputs held in registers while K goes by, one chain of fused
// multiply-adds per output, ascending. Attention calls tile_product on its blocks; matmul.c packs and blocks around
// tile_block. One thread, no memory of its own, no packing: operands are expected in the first two caches.
#ifndef KERNELS_CPU_TILE_H
#define KERNELS_CPU_TILE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/cpu/vec.h"

// The tile is TILE_ROWS x TILE_COLUMNS: as many accumulators as leave registers for two vectors of b, one number of a.
#if VL == 16
#define TILE_ROWS 14
#elif VL == 8
#define TILE_ROWS 6
#else
#define TILE_ROWS 4
#endif
#define TILE_VECTORS 2
#define TILE_COLUMNS (TILE_VECTORS * VL)
#define TILE_WIDEST 8 // vectors of a tile of one row, where few rows leave few independent chains

// What to fetch into the second cache while a tile is computed: `left` rows of `line_count` cache lines, `stride` bytes
// apart. A visit, once in 16 steps of k, touches `per_visit` lines. A prefetch never traps, wherever it points.
typedef struct TileAhead {
    const char *line;
    int64_t stride;
    int32_t line_count, at, per_visit, left;
} TileAhead;

INLINE void tile_touch(TileAhead *ahead)
{
    for (int32_t i = 0; i < ahead->per_visit && ahead->left > 0; i++) {
        __builtin_prefetch(ahead->line + 64 * ahead->at, 0, 2);
        if (++ahead->at == ahead->line_count) {
            ahead->at = 0;
            ahead->left--;
            ahead->line += ahead->stride;
        }
    }
}

// c[m][n] = chain over ascending k of fma(a[m*a_row + k*a_k], b[k*b_row + n], .), begun at start[m][n], or at 0 if
// start is NULL. rows <= TILE_ROWS and vectors (of VL columns) are constants where inlined. c may be start, ahead NULL.
INLINE void tile_block(const int rows, const int vectors, int64_t K, const float *a, int64_t a_row, int64_t a_k,
                       const float *b, int64_t b_row, const float *start, int64_t start_row, float *c, int64_t c_row,
                       TileAhead *ahead)
{
    vf sum[TILE_ROWS][TILE_WIDEST];
    if (start != NULL) {
#pragma GCC unroll 16
        for (int m = 0; m < rows; m++)
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++)
                sum[m][j] = vf_load(start + m * start_row + j * VL);
    } else {
#pragma GCC unroll 16
        for (int m = 0; m < rows; m++)
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++)
                sum[m][j] = vf_zero();
    }
    for (int64_t k = 0; k < K; k++) {
        if (ahead != NULL && k % 16 == 0)
            tile_touch(ahead);
        vf column[TILE_WIDEST];
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            column[j] = vf_load(b + j * VL);
            if (ahead != NULL && j * VL % 16 == 0)
                __builtin_prefetch(b + 8 * b_row + j * VL);
        }
#pragma GCC unroll 16
        for (int m = 0; m < rows; m++) {
            vf row = vf_set(a[m * a_row]);
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++)
                sum[m][j] = vf_fma(row, column[j], sum[m][j]);
        }
        a += a_k;
        b += b_row;
    }
#pragma GCC unroll 16
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            vf_store(c + m * c_row + j * VL, sum[m][j]);
}

// A strip of `rows` rows, their number known to the compiler: columns from the widest tile that fits to the narrowest.
INLINE void tile_strip(const int rows, int64_t N, int64_t K, const float *a, int64_t a_row, int64_t a_k, const float *b,
                       int64_t b_row, float *c, int64_t c_row, bool continue_chain, TileAhead *ahead)
{
    int64_t n = 0;
#define TILE_COLUMNS_OF(V)                                                                                             \
    for (; n + (V)*VL <= N; n += (V)*VL)                                                                               \
    tile_block(rows, V, K, a, a_row, a_k, b + n, b_row, continue_chain ? c + n : NULL, c_row, c + n, c_row, ahead)
    if (rows == 1)
        TILE_COLUMNS_OF(8);
    if (rows <= 3)
        TILE_COLUMNS_OF(4);
    TILE_COLUMNS_OF(2);
    TILE_COLUMNS_OF(1);
#undef TILE_COLUMNS_OF
}

// The switch from a number, up to the constant MOST, to the code made for it. CALL is a macro of one argument, that
// number as a constant; cases above MOST are dead constants and leave no code.
#define CONSTANT_CASE(I, MOST, CALL)                                                                                   \
    case I:                                                                                                            \
        if (I <= (MOST))                                                                                               \
            CALL((I <= (MOST) ? I : 1));                                                                               \
        break;
// clang-format off
#define CONSTANT_SWITCH(NUMBER, MOST, CALL)                                                                         \
    switch (NUMBER) {                                                                                               \
        CONSTANT_CASE(1, MOST, CALL)  CONSTANT_CASE(2, MOST, CALL)  CONSTANT_CASE(3, MOST, CALL)                    \
        CONSTANT_CASE(4, MOST, CALL)  CONSTANT_CASE(5, MOST, CALL)  CONSTANT_CASE(6, MOST, CALL)                    \
        CONSTANT_CASE(7, MOST, CALL)  CONSTANT_CASE(8, MOST, CALL)  CONSTANT_CASE(9, MOST, CALL)                    \
        CONSTANT_CASE(10, MOST, CALL) CONSTANT_CASE(11, MOST, CALL) CONSTANT_CASE(12, MOST, CALL)                   \
        CONSTANT_CASE(13, MOST, CALL) CONSTANT_CASE(14, MOST, CALL)                                                 \
    }
// clang-format on

// The same for a number of rows that is not known. Where a lies transposed, its row distance is a constant too.
static __attribute__((noinline, unused)) void tile_rows(int rows, int64_t N, int64_t K, const float *a, int64_t a_row,
                                                        int64_t a_k, const float *b, int64_t b_row, float *c,
                                                        int64_t c_row, bool continue_chain, TileAhead *ahead)
{
#define TRANSPOSED(R) tile_strip(R, N, K, a, 1, a_k, b, b_row, c, c_row, continue_chain, ahead)
#define STRIDED(R) tile_strip(R, N, K, a, a_row, a_k, b, b_row, c, c_row, continue_chain, ahead)
    if (a_row == 1)
        CONSTANT_SWITCH(rows, TILE_ROWS, TRANSPOSED)
    else
        CONSTANT_SWITCH(rows, TILE_ROWS, STRIDED)
#undef TRANSPOSED
#undef STRIDED
}

// c[m][n] = chain over ascending k of fma(a[m*a_row + k*a_k], b[k*b_row + n], .), begun at 0, or at the old c[m][n] if
// continue_chain. N a multiple of 16; any M, K >= 0. c overlaps neither a nor b. One thread. ahead: as in tile_block.
// Exact: an output depends on its row of a and column of b alone; the bits are those of a loop of fmaf.
INLINE void tile_product(int64_t M, int64_t N, int64_t K, const float *a, int64_t a_row, int64_t a_k, const float *b,
                         int64_t b_row, float *c, int64_t c_row, bool continue_chain, TileAhead *ahead)
{
    int64_t strips = (M + TILE_ROWS - 1) / TILE_ROWS, done = 0; // strips of equal height: no thin last one
    for (int64_t i = 0; i < strips; i++) {
        int64_t end = M * (i + 1) / strips;
        tile_rows((int)(end - done), N, K, a + done * a_row, a_row, a_k, b, b_row, c + done * c_row, c_row,
                  continue_chain, ahead);
        done = end;
    }
}

#endif
