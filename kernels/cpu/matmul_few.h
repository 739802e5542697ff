// Products of a few rows with a weight, Y = X Wᵀ, as decoding has them: W comes from memory once, and turning it around
// would cost more than the product. Up to FEW_ROWS rows, W goes through registers: a lane is an output of one row. Up
// to SOME_ROWS, it is the small X that is turned around: a lane is a row, and W's numbers are broadcast as they lie.
// Either way an output is matmul.c's chain.
#ifndef KERNELS_CPU_MATMUL_FEW_H
#define KERNELS_CPU_MATMUL_FEW_H

#include "kernels/cpu/product.h"

enum {
    FEW_ROWS = 8,
    SOME_ROWS = 64,
    SOME_HEIGHT = VL == 16 ? 7 : TILE_ROWS, // rows of W at once: fewer than a set of the first cache has ways
    SOME_DEPTH = 256,                       // k steps of a block of them
    SOME_STRIPS = 16,                       // of SOME_HEIGHT rows, whose outputs are written together
    SOME_VECTORS = VL == 16 ? 4 : TILE_VECTORS,
    SOME_PANEL = SOME_VECTORS * VL, // rows of X at once
};

// ---- few rows: W is read once, in order, and never stored

// VL columns at n, or the last few: a lane is an output, x[i] is one step of k for all of them. The next VL rows of W
// are fetched meanwhile, in the order of their addresses.
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
            x[i] = b[smaller(i, columns - 1) * p->b_column + k];
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

static void product_few_rows(const Product *p)
{
#define FEW_CALL(M) few_rows(M, p)
    CONSTANT_SWITCH(p->M, FEW_ROWS, FEW_CALL)
#undef FEW_CALL
}

// ---- some rows: W block by block, as it lies, each against all of X

typedef struct SomeScratch {
    float out[SOME_STRIPS * SOME_HEIGHT * SOME_ROWS]; // [column][row]
    float x[];                                        // panels of [k][width]
} SomeScratch;

// Vectors of rows of the panel at m.
INLINE int64_t some_vectors(const Product *p, int64_t m)
{
    int64_t left = (p->M - m + VL - 1) / VL;
    return smaller(left, SOME_VECTORS);
}

static void some_pack(float *to, const Product *p)
{
    for (int64_t m = 0; m < p->M; m += SOME_PANEL, to += SOME_PANEL * p->K) {
        int64_t left = smaller(p->M - m, SOME_PANEL);
        pack_panel_transposed(some_vectors(p, m) * VL, to, p->a + m * p->a_row, p->a_row, left, p->K);
    }
}

INLINE void some_tile(const int vectors, int64_t rows, int64_t depth, const float *w, int64_t w_row, const float *x,
                      const float *start, float *to, TileAhead *ahead)
{
#define SOME_CALL(R) tile_block(R, vectors, depth, w, w_row, 1, x, vectors *VL, start, SOME_ROWS, to, SOME_ROWS, ahead)
    CONSTANT_SWITCH(rows, SOME_HEIGHT, SOME_CALL)
#undef SOME_CALL
}

// `rows` rows of W from n on, `depth` steps from k on, against every panel of X. out: of the rows' first column.
static void some_block(const Product *p, int64_t n, int64_t rows, int64_t k, int64_t depth, float *out, const float *x,
                       TileAhead *ahead)
{
    const float *w = p->b + n * p->b_column + k;
    for (int64_t m = 0; m < p->M; m += SOME_PANEL, x += SOME_PANEL * p->K) {
        float *to = out + m;
        const float *start = k > 0 ? to : NULL;
#define SOME_CALL(V) some_tile(V, rows, depth, w, p->b_column, x + k * V * VL, start, to, ahead)
        CONSTANT_SWITCH(some_vectors(p, m), SOME_VECTORS, SOME_CALL)
#undef SOME_CALL
    }
}

// What comes after a block: the same rows' next steps, or the first ones of the next rows, to be fetched.
static TileAhead some_ahead(const Product *p, int64_t n, int64_t k, int64_t depth)
{
    bool more = k + depth < p->K;
    const float *next = more ? p->b + n * p->b_column + k + depth : p->b + (n + SOME_HEIGHT) * p->b_column;
    TileAhead ahead = {
        .line = (const char *)next, .stride = 4 * p->b_column, .left = SOME_HEIGHT, .line_count = SOME_DEPTH / 16};
    int64_t visits = (p->M + SOME_PANEL - 1) / SOME_PANEL * ((depth + 15) / 16);
    ahead.per_visit = (int32_t)((ahead.left * ahead.line_count + visits - 1) / visits);
    return ahead;
}

static void some_strip(const Product *p, int64_t n, int64_t rows, float *out, const float *x)
{
    for (int64_t k = 0; k < p->K; k += SOME_DEPTH) {
        int64_t depth = smaller(p->K - k, SOME_DEPTH);
        TileAhead ahead = some_ahead(p, n, k, depth);
        some_block(p, n, rows, k, depth, out, x, &ahead);
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
    const int64_t group = SOME_STRIPS * SOME_HEIGHT;
    size_t x = (size_t)((p->M + VL - 1) / VL * VL * p->K) * sizeof(float);
    SomeScratch *scratch = thread_scratch(SCRATCH_FEW, sizeof(SomeScratch) + x);
    some_pack(scratch->x, p);
    for (int64_t n = 0; n < p->N; n += group) {
        int64_t columns = smaller(p->N - n, group);
        for (int64_t i = 0; i < columns; i += SOME_HEIGHT)
            some_strip(p, n + i, smaller(columns - i, SOME_HEIGHT), scratch->out + i * SOME_ROWS, scratch->x);
        some_finish(p, n, columns, scratch->out);
    }
}

// ---- which

// Lanes without a row cost as much as rows: one in eight is still worth it where there are two vectors of them.
INLINE bool few_form(const Product *p)
{
    int64_t lanes = (p->M + VL - 1) / VL * VL;
    return p->start == NULL && p->M <= SOME_ROWS && (p->M <= VL || 8 * p->M >= 7 * lanes) && p->a_k == 1 && p->b_k == 1;
}

static void product_few(const Product *p)
{
    if (p->M <= FEW_ROWS)
        product_few_rows(p);
    else
        product_some_rows(p);
}

#endif
