// Products of a few rows with a weight, Y = X Wᵀ, as decoding has them: W comes from memory once, and turning it around would cost
// more than the product. Up to FEW_ROWS rows, W goes through registers: a lane is an output of one row. Up to SOME_ROWS, it is the
// small X that is turned around: a lane is a row, and W's numbers are broadcast as they lie. Either way an output is matmul.c's chain.
#ifndef KERNELS_CPU_MATMUL_FEW_H
#define KERNELS_CPU_MATMUL_FEW_H

#include "kernels/cpu/product.h"

enum {
    FEW_ROWS = 8,
    SOME_ROWS = 64,
    SOME_DEPTH = 256,              // k steps of a block of W, which is copied so that its rows do not share a set of the first cache
    SOME_STRIDE = SOME_DEPTH + 16, // between its rows
    SOME_STRIPS = 8,               // of TILE_ROWS rows of W, whose outputs are written together
};

// ---- few rows: W is read once, in order, and never stored

// VL columns at n, or the last few: a lane is an output, x[i] is one step of k for all of them. The next VL rows of W are fetched
// meanwhile, in the order of their addresses.
INLINE void few_rows_block(const int M, const Product *p, int64_t n, int64_t columns)
{
    const float *b = p->b + n * p->b_column, *ahead = b + columns * p->b_column;
    int64_t k = 0;
    vf sum[FEW_ROWS];
#pragma GCC unroll 8
    for (int m = 0; m < M; m++)
        sum[m] = vf_zero();
    for (; k + VL <= p->K; k += VL, ahead += VL * VL) {
        vf x[VL];
#pragma GCC unroll 16
        for (int i = 0; i < VL * VL; i += 16)
            __builtin_prefetch(ahead + i, 0, 2);
        load_transposed(x, b, p->b_column, 0, columns, k);
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++)
#pragma GCC unroll 8
            for (int m = 0; m < M; m++)
                sum[m] = vf_fma(vf_set(p->a[m * p->a_row + k + i]), x[i], sum[m]);
    }
    for (; k < p->K; k++) {
        vf x;
        for (int64_t i = 0; i < VL; i++)
            x[i] = b[(i < columns ? i : columns - 1) * p->b_column + k];
#pragma GCC unroll 8
        for (int m = 0; m < M; m++)
            sum[m] = vf_fma(vf_set(p->a[m * p->a_row + k]), x, sum[m]);
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; m++) {
        float out[VL], *c = p->c + m * p->c_row + n;
        vf_store(out, sum[m]);
        for (int64_t i = 0; i < columns; i++)
            c[i] = p->add ? c[i] + out[i] : out[i];
    }
}

INLINE void few_rows(const int M, const Product *p)
{
    int64_t n = 0;
    for (; n + VL <= p->N; n += VL)
        few_rows_block(M, p, n, VL);
    if (n < p->N)
        few_rows_block(M, p, n, p->N - n);
}

#define FEW_CASE(M)                                                                                                              \
    case M:                                                                                                                      \
        few_rows(M, p);                                                                                                          \
        break;
static void product_few_rows(const Product *p)
{
    switch (p->M) {
        FEW_CASE(1)
        FEW_CASE(2)
        FEW_CASE(3)
        FEW_CASE(4)
        FEW_CASE(5)
        FEW_CASE(6)
        FEW_CASE(7)
        FEW_CASE(8)
    }
}
#undef FEW_CASE

// ---- some rows: W block by block, each against all of X

typedef struct SomeScratch {
    float w[TILE_ROWS * SOME_STRIDE];
    float out[SOME_STRIPS * TILE_ROWS * SOME_ROWS]; // [column][row]
    float x[];                                      // panels of [k][width]
} SomeScratch;

// A panel has two vectors of rows, the last one maybe one.
INLINE int64_t some_width(int64_t rows) { return rows <= VL ? VL : TILE_COLUMNS; }

static void some_pack(float *to, const Product *p)
{
    for (int64_t m = 0; m < p->M; m += TILE_COLUMNS, to += TILE_COLUMNS * p->K) {
        const float *from = p->a + m * p->a_row;
        if (some_width(p->M - m) == VL)
            pack_panel_transposed(VL, to, from, p->a_row, p->M - m, p->K);
        else
            pack_panel_transposed(TILE_COLUMNS, to, from, p->a_row, p->M - m < TILE_COLUMNS ? p->M - m : TILE_COLUMNS, p->K);
    }
}

// `rows` rows of W, `depth` steps from k on, against every panel of X. out: of the rows' first column.
static void some_block(const Product *p, int64_t rows, int64_t k, int64_t depth, float *out, SomeScratch *scratch, TileAhead *ahead)
{
    for (int64_t m = 0; m < p->M; m += TILE_COLUMNS) {
        const float *w = scratch->w, *x = scratch->x + m * p->K;
        float *to = out + m;
        const float *start = k > 0 ? to : NULL;
#define SOME_ONE(R) tile_block(R, 1, depth, w, SOME_STRIDE, 1, x + k * VL, VL, start, SOME_ROWS, to, SOME_ROWS, ahead)
#define SOME_TWO(R)                                                                                                              \
    tile_block(R, TILE_VECTORS, depth, w, SOME_STRIDE, 1, x + k * TILE_COLUMNS, TILE_COLUMNS, start, SOME_ROWS, to, SOME_ROWS, ahead)
        if (some_width(p->M - m) == VL)
            TILE_SWITCH(rows, SOME_ONE)
        else
            TILE_SWITCH(rows, SOME_TWO)
#undef SOME_ONE
#undef SOME_TWO
    }
}

// What comes after a block: the same rows' next steps, or the first ones of the next rows. Wherever that is, it is only fetched.
static TileAhead some_ahead(const Product *p, int64_t n, int64_t k, int64_t depth)
{
    bool more = k + depth < p->K;
    const float *next = more ? p->b + n * p->b_column + k + depth : p->b + (n + TILE_ROWS) * p->b_column;
    TileAhead ahead = {.line = (const char *)next, .stride = 4 * p->b_column, .left = TILE_ROWS, .line_count = SOME_DEPTH / 16};
    int64_t visits = (p->M + TILE_COLUMNS - 1) / TILE_COLUMNS * ((depth + 15) / 16);
    ahead.per_visit = (int32_t)((ahead.left * ahead.line_count + visits - 1) / visits);
    return ahead;
}

// Vector by vector: a copy as short as a row of the block spends half of its time on beginning.
static void some_copy(float *to, const float *from, int64_t row, int64_t rows, int64_t depth)
{
    for (int64_t i = 0; i < rows; i++, to += SOME_STRIDE, from += row) {
        int64_t k = 0;
        for (; k + VL <= depth; k += VL)
            vf_store(to + k, vf_load(from + k));
        for (; k < depth; k++)
            to[k] = from[k];
    }
}

static void some_strip(const Product *p, int64_t n, int64_t rows, float *out, SomeScratch *scratch)
{
    for (int64_t k = 0; k < p->K; k += SOME_DEPTH) {
        int64_t depth = p->K - k < SOME_DEPTH ? p->K - k : SOME_DEPTH;
        some_copy(scratch->w, p->b + n * p->b_column + k, p->b_column, rows, depth);
        TileAhead ahead = some_ahead(p, n, k, depth);
        some_block(p, rows, k, depth, out, scratch, &ahead);
    }
}

static void some_finish_few(const Product *p, int64_t n, int64_t columns, const float *out)
{
    for (int64_t m = 0; m < p->M; m++)
        for (int64_t i = 0; i < columns; i++) {
            float *c = p->c + m * p->c_row + n + i, x = out[i * SOME_ROWS + m];
            *c = p->add ? *c + x : x;
        }
}

static void some_finish(const Product *p, int64_t n, int64_t columns, const float *out)
{
    for (; columns >= VL; columns -= VL, n += VL, out += VL * SOME_ROWS)
        for (int64_t m = 0; m < p->M; m += VL) {
            vf x[VL];
            load_transposed(x, out, SOME_ROWS, 0, VL, m);
            float *c = p->c + m * p->c_row + n;
            for (int64_t i = 0; i < VL && m + i < p->M; i++, c += p->c_row)
                vf_store(c, p->add ? vf_load(c) + x[i] : x[i]);
        }
    some_finish_few(p, n, columns, out);
}

static void product_some_rows(const Product *p)
{
    size_t x = (size_t)((p->M + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS * p->K) * sizeof(float);
    SomeScratch *scratch = thread_scratch(SCRATCH_FEW, sizeof(SomeScratch) + x);
    some_pack(scratch->x, p);
    for (int64_t n = 0; n < p->N; n += SOME_STRIPS * TILE_ROWS) {
        int64_t columns = p->N - n < SOME_STRIPS * TILE_ROWS ? p->N - n : SOME_STRIPS * TILE_ROWS;
        for (int64_t i = 0; i < columns; i += TILE_ROWS) {
            int64_t rows = columns - i < TILE_ROWS ? columns - i : TILE_ROWS;
            some_strip(p, n + i, rows, scratch->out + i * SOME_ROWS, scratch);
        }
        some_finish(p, n, columns, scratch->out);
    }
}

// ---- which

// Lanes without a row cost as much as rows: one in eight is still worth it where there are two vectors of them.
INLINE bool few_form(const Product *p)
{
    int64_t lanes = (p->M + VL - 1) / VL * VL;
    return p->M <= SOME_ROWS && (p->M <= VL || 8 * p->M >= 7 * lanes) && p->a_k == 1 && p->b_k == 1;
}

static void product_few(const Product *p)
{
    if (p->M <= FEW_ROWS)
        product_few_rows(p);
    else
        product_some_rows(p);
}

#endif
