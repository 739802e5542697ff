// The matrix product of the CPU backend: every output is one ascending chain of fused multiply-adds over K, begun at
// zero, whatever M, N, the blocking, the threads and the vector width. Included by backend.c once per instruction set;
// the register tile is tile.h's. Not a BLAS: three forms, fp32. The limit is the multiply-add pipes;
// lab/bench/matmul_bench.c measures it.
//
// Blocking. A thread owns a rectangle of C. It packs PRODUCT_ROWS x PRODUCT_DEPTH of A for its second cache, then B one
// panel of TILE_COLUMNS at a time, and runs all strips of A against the panel while the next panel is prefetched.
// Accumulators of an unfinished chain wait in private tiles, so K blocks neither round nor touch C; C is written once,
// when its chain is complete. Threads share nothing but operands: no barriers. Few rows are matmul_few.h's.
#include <omp.h>

#include "kernels/cpu/matmul_few.h"

enum {
    PRODUCT_DEPTH = 384, // k steps of a block; a multiple of 16
    PRODUCT_STRIPS =
        420 / TILE_ROWS, // strips of A in a block: 420 rows x 384 are 630 KB of a 1 MB cache; 256-512 are as good
    PRODUCT_TILES = 512 * 1024 / (TILE_ROWS * TILE_COLUMNS), // accumulator tiles of a thread: 2 MB
    PRODUCT_SMALL = 1 << 18, // multiply-adds that one thread finishes before a second has woken
};

typedef struct ProductScratch {
    float a[(PRODUCT_STRIPS * TILE_ROWS) * PRODUCT_DEPTH +
            64];                           // strips of [k][TILE_ROWS], and room for the last one's spill
    float b[TILE_COLUMNS * PRODUCT_DEPTH]; // a panel of [k][TILE_COLUMNS]
    float tiles[PRODUCT_TILES * TILE_ROWS * TILE_COLUMNS]; // unfinished chains
} ProductScratch;

static ProductScratch *product_scratch(void) { return thread_scratch(SCRATCH_PRODUCT, sizeof(ProductScratch)); }

// ---- packing

// A panel of B whose rows are rows of memory. Missing columns are zero.
static void pack_panel(float *to, const float *from, int64_t row, int64_t columns, int64_t K)
{
    for (int64_t k = 0; k < K; k++, to += TILE_COLUMNS, from += row) {
        if (columns == TILE_COLUMNS) {
            memcpy(to, from, TILE_COLUMNS * sizeof *to);
        } else {
            memset(to, 0, TILE_COLUMNS * sizeof *to);
            memcpy(to, from, (size_t)columns * sizeof *to);
        }
    }
}

// Strip i of n of a block of `rows` rows: equal heights, so that no strip is thin.
INLINE int64_t strip_begin(int64_t i, int64_t n, int64_t rows) { return rows * i / n; }

// Rows of A (a_k is 1) become strips of [k][TILE_ROWS]. A vector spills past its TILE_ROWS into the next k or the next
// strip, both written later.
static void pack_strips_transposed(float *to, const float *from, int64_t row, int64_t rows, int64_t strips, int64_t K)
{
    for (int64_t s = 0; s < strips; s++, to += TILE_ROWS * K) {
        const float *first = from + strip_begin(s, strips, rows) * row;
        int64_t height = strip_begin(s + 1, strips, rows) - strip_begin(s, strips, rows), k = 0;
        for (; k + VL <= K; k += VL) {
            vf x[VL];
            load_transposed(x, first, row, 0, height, k);
#pragma GCC unroll 16
            for (int i = 0; i < VL; i++)
                vf_store(to + (k + i) * TILE_ROWS, x[i]);
        }
        for (; k < K; k++)
            for (int64_t i = 0; i < TILE_ROWS; i++)
                to[k * TILE_ROWS + i] = first[smaller(i, height - 1) * row + k];
    }
}

// Columns of memory (a_row is 1) become strips. Eight steps of k at a time across all: neighbours share cache lines.
static void pack_strips(float *to, const float *from, int64_t column, int64_t rows, int64_t strips, int64_t K)
{
    for (int64_t k0 = 0; k0 < K; k0 += 8)
        for (int64_t s = 0; s < strips; s++) {
            int64_t begin = strip_begin(s, strips, rows), height = strip_begin(s + 1, strips, rows) - begin;
            float *strip = to + s * TILE_ROWS * K;
            for (int64_t k = k0; k < k0 + 8 && k < K; k++) {
                if (height == TILE_ROWS)
                    memcpy(strip + k * TILE_ROWS, from + k * column + begin, TILE_ROWS * sizeof *to);
                else
                    for (int64_t i = 0; i < height; i++)
                        strip[k * TILE_ROWS + i] = from[k * column + begin + i];
            }
        }
}

// ---- a thread's rectangle

static void tile_packed(int64_t rows, int64_t K, const float *a, const float *b, const float *start, int64_t start_row,
                        float *c, int64_t c_row, TileAhead *ahead)
{
#define TILE_CALL(R) tile_block(R, TILE_VECTORS, K, a, 1, TILE_ROWS, b, TILE_COLUMNS, start, start_row, c, c_row, ahead)
    CONSTANT_SWITCH(rows, TILE_ROWS, TILE_CALL)
#undef TILE_CALL
}

// Unfinished chains of an earlier product, as a tile has them
static void tile_start(float *tile, int64_t rows, int64_t columns, const float *start, int64_t row)
{
    for (int64_t m = 0; m < rows; m++, tile += TILE_COLUMNS, start += row) {
        memset(tile, 0, TILE_COLUMNS * sizeof *tile);
        memcpy(tile, start, (size_t)columns * sizeof *tile);
    }
}

// Finished chains go home: a whole tile or its first columns, stored or added.
static void tile_finish(const float *tile, int64_t rows, int64_t columns, float *c, int64_t c_row, bool add)
{
    for (int64_t m = 0; m < rows; m++, tile += TILE_COLUMNS, c += c_row)
        if (add)
            for (int64_t n = 0; n < columns; n++)
                c[n] = c[n] + tile[n];
        else
            memcpy(c, tile, (size_t)columns * sizeof *c);
}

// What to prefetch while the panel before it is computed: the source of the panel at column n, steps k to k + depth.
static TileAhead panel_ahead(const Product *p, int64_t n, int64_t columns, int64_t k, int64_t depth, int64_t strips)
{
    TileAhead ahead = {.line = (const char *)(p->b + k * p->b_k + n * p->b_column)};
    bool transposed = p->b_k == 1;
    ahead.stride = 4 * (transposed ? p->b_column : p->b_k);
    ahead.left = (int32_t)(transposed ? columns : depth);
    ahead.line_count = (int32_t)((transposed ? depth : columns) + 15) / 16;
    int64_t visits = strips * ((depth + 15) / 16);
    ahead.per_visit = (int32_t)((ahead.left * ahead.line_count + visits - 1) / visits);
    return ahead;
}

static void product_panel(const Product *p, int64_t rows, int64_t strips, int64_t n, int64_t columns, int64_t k,
                          int64_t depth, TileAhead *ahead, float *tiles, ProductScratch *scratch)
{
    bool last = k + depth == p->K;
    for (int64_t s = 0; s < strips; s++) {
        int64_t begin = strip_begin(s, strips, rows), height = strip_begin(s + 1, strips, rows) - begin;
        float *tile = tiles + s * TILE_ROWS * TILE_COLUMNS, *c = p->c + begin * p->c_row + n;
        const float *a = scratch->a + s * TILE_ROWS * depth, *start = k > 0 ? tile : NULL;
        int64_t start_row = TILE_COLUMNS;
        if (k == 0 && p->start != NULL) {
            start = p->start + begin * p->c_row + n, start_row = p->c_row;
            if (columns < TILE_COLUMNS) {
                tile_start(tile, height, columns, start, start_row);
                start = tile, start_row = TILE_COLUMNS;
            }
        }
        if (last && !p->add && columns == TILE_COLUMNS) {
            tile_packed(height, depth, a, scratch->b, start, start_row, c, p->c_row, ahead);
        } else {
            tile_packed(height, depth, a, scratch->b, start, start_row, tile, TILE_COLUMNS, ahead);
            if (last)
                tile_finish(tile, height, columns, c, p->c_row, p->add);
        }
    }
}

// At most PRODUCT_STRIPS strips of rows, and no more columns than there are tiles for.
static void product_block(const Product *p, int64_t strips, ProductScratch *scratch)
{
    int64_t blocks = (p->K + PRODUCT_DEPTH - 1) / PRODUCT_DEPTH, step = ((p->K + blocks - 1) / blocks + 15) / 16 * 16;
    for (int64_t k = 0; k < p->K; k += step) {
        int64_t depth = smaller(p->K - k, step);
        const float *a = p->a + k * p->a_k;
        if (p->a_k == 1)
            pack_strips_transposed(scratch->a, a, p->a_row, p->M, strips, depth);
        else
            pack_strips(scratch->a, a, p->a_k, p->M, strips, depth);
        float *tiles = scratch->tiles;
        for (int64_t n = 0; n < p->N; n += TILE_COLUMNS, tiles += strips * TILE_ROWS * TILE_COLUMNS) {
            int64_t columns = smaller(p->N - n, TILE_COLUMNS), next = n + TILE_COLUMNS, next_k = k;
            const float *b = p->b + k * p->b_k + n * p->b_column;
            if (p->b_k == 1)
                pack_panel_transposed(TILE_COLUMNS, scratch->b, b, p->b_column, columns, depth);
            else
                pack_panel(scratch->b, b, p->b_k, columns, depth);
            if (next >= p->N)
                next = 0, next_k = k + step < p->K ? k + step : k;
            int64_t next_columns = smaller(p->N - next, TILE_COLUMNS);
            int64_t next_depth = smaller(p->K - next_k, step);
            TileAhead ahead = panel_ahead(p, next, next_columns, next_k, next_depth, strips);
            product_panel(p, p->M, strips, n, columns, k, depth, &ahead, tiles, scratch);
        }
    }
}

// The rows [m, m + rows) and columns [n, n + columns) of a product, as a product.
static Product product_part(Product p, int64_t m, int64_t rows, int64_t n, int64_t columns)
{
    p.M = rows;
    p.N = columns;
    p.a += m * p.a_row;
    p.b += n * p.b_column;
    p.c += m * p.c_row + n;
    p.start = p.start == NULL ? NULL : p.start + m * p.c_row + n;
    return p;
}

static void product_rectangle(const Product *p, ProductScratch *scratch)
{
    int64_t all = (p->M + TILE_ROWS - 1) / TILE_ROWS, blocks = (all + PRODUCT_STRIPS - 1) / PRODUCT_STRIPS;
    for (int64_t i = 0; i < blocks; i++) {
        int64_t m = p->M * i / blocks, rows = p->M * (i + 1) / blocks - m, strips = (rows + TILE_ROWS - 1) / TILE_ROWS;
        int64_t panels = PRODUCT_TILES / strips, most = panels * TILE_COLUMNS;
        int64_t chunks = (p->N + most - 1) / most, width = (p->N + chunks - 1) / chunks;
        width = (width + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
        for (int64_t n = 0; n < p->N; n += width) {
            Product part = product_part(*p, m, rows, n, smaller(p->N - n, width));
            product_block(&part, strips, scratch);
        }
    }
}

// ---- threads

// Parts of rows among `threads`, the rest splitting columns: the grid whose largest rectangle, packing too, costs least
static int64_t row_parts(const Product *p, int64_t threads)
{
    int64_t best = 1;
    double least = 0;
    bool few = few_form(p);
    for (int64_t parts = 1; parts <= threads; parts++) {
        if (threads % parts != 0 || (parts > 1 && few))
            continue;
        int64_t columns = threads / parts, panels = (p->N + TILE_COLUMNS - 1) / TILE_COLUMNS;
        double rows = (double)((p->M + parts - 1) / parts),
               width = (double)((panels + columns - 1) / columns * TILE_COLUMNS);
        double cost = rows * width + 8 * rows + 8 * width; // packing a number costs about as much as 8 multiply-adds
        if (parts == 1 || cost < least)
            least = cost, best = parts;
    }
    return best;
}

static void product_of_part(const Product *p, int64_t part, int64_t parts_m, int64_t parts_n)
{
    int64_t i = part / parts_n, j = part % parts_n, panels = (p->N + TILE_COLUMNS - 1) / TILE_COLUMNS;
    int64_t m = p->M * i / parts_m, rows = p->M * (i + 1) / parts_m - m;
    int64_t n = panels * j / parts_n * TILE_COLUMNS, end = panels * (j + 1) / parts_n * TILE_COLUMNS;
    if (end > p->N)
        end = p->N;
    if (rows == 0 || n >= end)
        return;
    Product mine = product_part(*p, m, rows, n, end - n);
    if (few_form(p))
        product_few(&mine);
    else
        product_rectangle(&mine, product_scratch());
}

// Any M, N, K >= 0; c overlaps neither a nor b. In a parallel region, or for a small product, it stays on its thread.
static void product(const Product *p)
{
    if (p->K <= 0 && !p->add)
        for (int64_t m = 0; m < p->M; m++)
            memset(p->c + m * p->c_row, 0, (size_t)p->N * sizeof *p->c);
    if (p->M <= 0 || p->N <= 0 || p->K <= 0)
        return;
    bool alone = omp_in_parallel() || (double)p->M * (double)p->N * (double)p->K < PRODUCT_SMALL;
    int64_t threads = alone ? 1 : omp_get_max_threads(), parts_m = row_parts(p, threads), parts_n = threads / parts_m;
    if (threads == 1) {
        product_of_part(p, 0, 1, 1);
        return;
    }
#pragma omp parallel num_threads((int)threads)
    for (int64_t part = omp_get_thread_num(); part < threads; part += omp_get_num_threads())
        product_of_part(p, part, parts_m, parts_n);
}

// ---- the three forms

// c (M, N) = a (M, K) · bᵀ, b (N, K): the forward pass, Y = X Wᵀ.
static __attribute__((unused)) void matmul_nt(Tensor c, Tensor a, Tensor b, bool add)
{
    product(&(Product){.M = c.rows,
                       .N = c.columns,
                       .K = a.columns,
                       .c = c.data,
                       .c_row = c.stride,
                       .a = a.data,
                       .a_row = a.stride,
                       .a_k = 1,
                       .b = b.data,
                       .b_k = 1,
                       .b_column = b.stride,
                       .add = add});
}

// c (M, N) = a (M, K) · b, b (K, N): the gradient of an input, dX = dY W.
static __attribute__((unused)) void matmul_nn(Tensor c, Tensor a, Tensor b, bool add)
{
    product(&(Product){.M = c.rows,
                       .N = c.columns,
                       .K = a.columns,
                       .c = c.data,
                       .c_row = c.stride,
                       .a = a.data,
                       .a_row = a.stride,
                       .a_k = 1,
                       .b = b.data,
                       .b_k = b.stride,
                       .b_column = 1,
                       .add = add});
}

// c (M, N) = aᵀ · b, a (K, M), b (K, N): the gradient of a weight, dW = dYᵀ X. Where the rows of a and b come in
// several calls, start has the chains of the rows before these, dense, NULL for the first; add, for the last: finished,
// they are added to c.
static __attribute__((unused)) void matmul_tn_from(Tensor c, const float *start, Tensor a, Tensor b, bool add)
{
    product(&(Product){.M = c.rows,
                       .N = c.columns,
                       .K = a.rows,
                       .c = c.data,
                       .c_row = c.stride,
                       .a = a.data,
                       .a_row = 1,
                       .a_k = a.stride,
                       .b = b.data,
                       .b_k = b.stride,
                       .b_column = 1,
                       .add = add,
                       .start = start});
}

static __attribute__((unused)) void matmul_tn(Tensor c, Tensor a, Tensor b, bool add)
{
    matmul_tn_from(c, NULL, a, b, add);
}
