// The matrix product of the CPU backend: every output is one ascending chain of fused multiply-adds over K, begun at zero,
// whatever M, N, the blocking, the threads and the vector width. Included by backend.c once per instruction set; the register
// tile is tile.h's. Not a BLAS: three forms, fp32. The limit is the multiply-add pipes; dev/bench/matmul_bench.c measures it.
//
// Blocking. A thread owns a rectangle of C. It packs PRODUCT_ROWS x PRODUCT_DEPTH of A for its second cache, then B one panel of
// TILE_COLUMNS at a time, and runs all strips of A against the panel while the next panel is prefetched. Accumulators of an
// unfinished chain wait in private tiles, so K blocks neither round nor touch C; C is written once, when its chain is complete.
// Threads share nothing but operands: no barriers. Up to four rows skip the packing (product_few_rows).
#include <omp.h>

#include "kernels/cpu/scratch.h"
#include "kernels/cpu/tile.h"

enum {
    PRODUCT_DEPTH = 384,              // k steps of a block; a multiple of 16
    PRODUCT_STRIPS = 420 / TILE_ROWS, // strips of A in a block: 420 rows x 384 are 630 KB of a 1 MB cache; 256-512 are as good
    PRODUCT_TILES = 512 * 1024 / (TILE_ROWS * TILE_COLUMNS), // accumulator tiles of a thread: 2 MB
    PRODUCT_FEW = 4,                                         // rows up to which packing costs more than it gives
    PRODUCT_SMALL = 1 << 18,                                 // multiply-adds that one thread finishes before a second has woken
};

// c (M, N) = a (M, K) · b (K, N), rows of c c_row apart; a[m][k] = a[m*a_row + k*a_k], b[k][n] = b[k*b_k + n*b_column].
// One of a_row and a_k is 1, and one of b_k and b_column. add: the finished chain is added to the old c once.
typedef struct Product {
    int64_t M, N, K;
    float *c;
    int64_t c_row;
    const float *a;
    int64_t a_row, a_k;
    const float *b;
    int64_t b_k, b_column;
    bool add;
} Product;

typedef struct ProductScratch {
    float a[(PRODUCT_STRIPS * TILE_ROWS) * PRODUCT_DEPTH + 64]; // strips of [k][TILE_ROWS], and room for the last one's spill
    float b[TILE_COLUMNS * PRODUCT_DEPTH];                      // a panel of [k][TILE_COLUMNS]
    float tiles[PRODUCT_TILES * TILE_ROWS * TILE_COLUMNS];      // unfinished chains
} ProductScratch;

static ProductScratch *product_scratch(void) { return thread_scratch(SCRATCH_PRODUCT, sizeof(ProductScratch)); }

// ---- transposition in registers: 4 x 4 within 128-bit lanes, then the lanes. One-instruction shuffles all.

#if defined(__clang__)
#define PICK(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define PICK(x, y, ...) __builtin_shuffle(x, y, (vi){__VA_ARGS__}) // gcc has had it longer
#endif
#if VL == 16
#define SHUFFLE(x, y, A, B, C, D)                                                                                                \
    PICK(x, y, A, B, C, D, A + 4, B + 4, C + 4, D + 4, A + 8, B + 8, C + 8, D + 8, A + 12, B + 12, C + 12, D + 12)
#define LANES(x, y, A, B)                                                                                                        \
    PICK(x, y, A, A + 1, A + 2, A + 3, B, B + 1, B + 2, B + 3, A + 16, A + 17, A + 18, A + 19, B + 16, B + 17, B + 18, B + 19)
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

// VL x VL numbers of rows `row` apart, beginning at k; rows past the last are copies of it, which nobody reads. x[i] = column i.
INLINE void load_transposed(vf x[VL], const float *from, int64_t row, int64_t first, int64_t rows, int64_t k)
{
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
        x[i] = vf_load(from + (first + i < rows ? first + i : rows - 1) * row + k);
    transpose(x);
}

// ---- packing

// A panel of B whose columns are rows of memory (b_k is 1), `row` apart: [k][TILE_COLUMNS]. Sixteen steps of k at a time, so that
// a cache line is used up when it is read: rows a multiple of 4 KB apart share one set of the first cache.
static void pack_panel_transposed(float *to, const float *from, int64_t row, int64_t columns, int64_t K)
{
    int64_t k = 0;
    for (; k + 16 <= K; k += 16)
        for (int64_t column = 0; column < TILE_COLUMNS; column += VL)
            for (int64_t half = k; half < k + 16; half += VL) {
                vf x[VL];
                load_transposed(x, from, row, column, columns, half);
#pragma GCC unroll 16
                for (int i = 0; i < VL; i++)
                    vf_store(to + (half + i) * TILE_COLUMNS + column, x[i]);
            }
    for (; k < K; k++)
        for (int64_t i = 0; i < TILE_COLUMNS; i++)
            to[k * TILE_COLUMNS + i] = from[(i < columns ? i : columns - 1) * row + k];
}

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

// Rows of A (a_k is 1) become strips of [k][TILE_ROWS]. A vector spills past its TILE_ROWS into the next k or the next strip,
// both written later.
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
                to[k * TILE_ROWS + i] = first[(i < height ? i : height - 1) * row + k];
    }
}

// Columns of memory (a_row is 1) become strips. Eight steps of k at a time across all strips: neighbours share cache lines.
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

static void tile_packed(int64_t rows, int64_t K, const float *a, const float *b, const float *start, float *c, int64_t c_row,
                        TileAhead *ahead)
{
#define TILE_CALL(R) tile_block(R, TILE_VECTORS, K, a, 1, TILE_ROWS, b, TILE_COLUMNS, start, TILE_COLUMNS, c, c_row, ahead)
    TILE_SWITCH(rows, TILE_CALL)
#undef TILE_CALL
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

static void product_panel(const Product *p, int64_t rows, int64_t strips, int64_t n, int64_t columns, int64_t k, int64_t depth,
                          TileAhead *ahead, float *tiles, ProductScratch *scratch)
{
    bool last = k + depth == p->K;
    for (int64_t s = 0; s < strips; s++) {
        int64_t begin = strip_begin(s, strips, rows), height = strip_begin(s + 1, strips, rows) - begin;
        float *tile = tiles + s * TILE_ROWS * TILE_COLUMNS, *c = p->c + begin * p->c_row + n;
        const float *a = scratch->a + s * TILE_ROWS * depth, *start = k > 0 ? tile : NULL;
        if (last && !p->add && columns == TILE_COLUMNS) {
            tile_packed(height, depth, a, scratch->b, start, c, p->c_row, ahead);
        } else {
            tile_packed(height, depth, a, scratch->b, start, tile, TILE_COLUMNS, ahead);
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
        int64_t depth = p->K - k < step ? p->K - k : step;
        const float *a = p->a + k * p->a_k;
        if (p->a_k == 1)
            pack_strips_transposed(scratch->a, a, p->a_row, p->M, strips, depth);
        else
            pack_strips(scratch->a, a, p->a_k, p->M, strips, depth);
        float *tiles = scratch->tiles;
        for (int64_t n = 0; n < p->N; n += TILE_COLUMNS, tiles += strips * TILE_ROWS * TILE_COLUMNS) {
            int64_t columns = p->N - n < TILE_COLUMNS ? p->N - n : TILE_COLUMNS, next = n + TILE_COLUMNS, next_k = k;
            const float *b = p->b + k * p->b_k + n * p->b_column;
            if (p->b_k == 1)
                pack_panel_transposed(scratch->b, b, p->b_column, columns, depth);
            else
                pack_panel(scratch->b, b, p->b_k, columns, depth);
            if (next >= p->N)
                next = 0, next_k = k + step < p->K ? k + step : k;
            int64_t next_columns = p->N - next < TILE_COLUMNS ? p->N - next : TILE_COLUMNS;
            int64_t next_depth = p->K - next_k < step ? p->K - next_k : step;
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
            Product part = product_part(*p, m, rows, n, p->N - n < width ? p->N - n : width);
            product_block(&part, strips, scratch);
        }
    }
}

// ---- few rows, B by rows of memory: W is read once, in order, and never stored

// VL columns at n, or the last few: a lane is an output, x[i] is one step of k for all of them. The next VL rows of W are fetched
// meanwhile, in the order of their addresses.
INLINE void few_rows_block(const int M, const Product *p, int64_t n, int64_t columns)
{
    const float *b = p->b + n * p->b_column, *ahead = b + columns * p->b_column;
    int64_t k = 0;
    vf sum[PRODUCT_FEW];
#pragma GCC unroll 4
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
#pragma GCC unroll 4
            for (int m = 0; m < M; m++)
                sum[m] = vf_fma(vf_set(p->a[m * p->a_row + k + i]), x[i], sum[m]);
    }
    for (; k < p->K; k++) {
        vf x;
        for (int64_t i = 0; i < VL; i++)
            x[i] = b[(i < columns ? i : columns - 1) * p->b_column + k];
#pragma GCC unroll 4
        for (int m = 0; m < M; m++)
            sum[m] = vf_fma(vf_set(p->a[m * p->a_row + k]), x, sum[m]);
    }
#pragma GCC unroll 4
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
    switch (p->M) {
    case 1:
        few_rows(1, p);
        break;
    case 2:
        few_rows(2, p);
        break;
    case 3:
        few_rows(3, p);
        break;
    default:
        few_rows(4, p);
        break;
    }
}

// ---- threads

// Parts of rows among `threads`, the rest splitting columns: the grid whose largest rectangle costs least, packing included.
static int64_t row_parts(const Product *p, int64_t threads)
{
    int64_t best = 1;
    double least = 0;
    for (int64_t parts = 1; parts <= threads; parts++) {
        if (threads % parts != 0 || (parts > 1 && p->M <= PRODUCT_FEW))
            continue;
        int64_t columns = threads / parts, panels = (p->N + TILE_COLUMNS - 1) / TILE_COLUMNS;
        double rows = (double)((p->M + parts - 1) / parts), width = (double)((panels + columns - 1) / columns * TILE_COLUMNS);
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
    if (p->M <= PRODUCT_FEW && p->b_k == 1 && p->a_k == 1)
        product_few_rows(&mine);
    else
        product_rectangle(&mine, product_scratch());
}

// Any M, N, K >= 0; c overlaps neither a nor b. Called inside a parallel region, or for a small product, it stays on its thread.
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

// ---- the three forms; rows dense

// c (M, N) = a (M, K) · bᵀ, b (N, K): the forward pass, Y = X Wᵀ.
static __attribute__((unused)) void matmul_nt(int64_t M, int64_t N, int64_t K, float *c, const float *a, const float *b, bool add)
{
    product(&(Product){
        .M = M, .N = N, .K = K, .c = c, .c_row = N, .a = a, .a_row = K, .a_k = 1, .b = b, .b_k = 1, .b_column = K, .add = add});
}

// c (M, N) = a (M, K) · b, b (K, N): the gradient of an input, dX = dY W.
static __attribute__((unused)) void matmul_nn(int64_t M, int64_t N, int64_t K, float *c, const float *a, const float *b, bool add)
{
    product(&(Product){
        .M = M, .N = N, .K = K, .c = c, .c_row = N, .a = a, .a_row = K, .a_k = 1, .b = b, .b_k = N, .b_column = 1, .add = add});
}

// c (M, N) = aᵀ · b, a (K, M), b (K, N): the gradient of a weight, dW = dYᵀ X.
static __attribute__((unused)) void matmul_tn(int64_t M, int64_t N, int64_t K, float *c, const float *a, const float *b, bool add)
{
    product(&(Product){
        .M = M, .N = N, .K = K, .c = c, .c_row = N, .a = a, .a_row = 1, .a_k = M, .b = b, .b_k = N, .b_column = 1, .add = add});
}
