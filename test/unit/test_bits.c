// The arithmetic contract, kernel by kernel: a row's bits depend on that row's inputs alone. Each operation runs on all
// rows at once; then on runs of 1, 2, 7, 8, 64 rows; with one thread and with two; with AVX2 and AVX-512; and as plain
// loops (kernels/naive.c). All compared by memcmp.
#include "test/support/check.h"
#include "test/support/backends.h"
#include "test/support/pages.h"
#include <omp.h>

enum { ROWS = 257, C = 72, HEADS = 4, KV_HEADS = 2, D = 18, Q = HEADS * D, F = 136, V = 2500, LIVE = 2300 };
enum { QK = Q + KV_HEADS * D, QKV = QK + KV_HEADS * D }; // side by side
static const int64_t SOME_ROWS[] = {1, 2, 7, 8, 9, 16, 31, 47, 64, 65};

// The inputs of every operation, ROWS rows of each; an operation reads rows first .. first + rows - 1 of them.
static struct {
    float *c1, *c2, *c3, *f1, *f2, *f3, *q1, *weights, *table, *norm, *cosine, *sine, *rstd, *small, *qkv;
    int32_t ids[ROWS], positions[ROWS], targets[ROWS];
} in;

static void make_inputs(const Kernels *k)
{
    in.c1 = random_floats(ROWS * C, 1), in.c2 = random_floats(ROWS * C, 2), in.c3 = random_floats(ROWS * C, 3);
    in.f1 = random_floats(ROWS * F, 4), in.f2 = random_floats(ROWS * F, 5), in.f3 = random_floats(ROWS * F, 6);
    in.q1 = random_floats(ROWS * Q, 7), in.weights = random_floats(F * C, 8), in.table = random_floats(V * C, 9);
    in.norm = random_floats(C, 10), in.rstd = random_floats(ROWS * (HEADS + KV_HEADS), 11),
    in.small = random_floats(ROWS, 12);
    in.qkv = random_floats(ROWS * QKV, 13);
    in.cosine = random_floats(ROWS * D, 0), in.sine = random_floats(ROWS * D, 0);
    k->rope_table(NULL, in.cosine, in.sine, ROWS, D, 1e6);
    for (int i = 0; i < ROWS; i++) {
        in.ids[i] = (int32_t)(random_bits(1, RANDOM_SAMPLE, (uint32_t)i, 0, 0).v[0] % 40); // many tokens of one id
        in.targets[i] = (int32_t)(random_bits(2, RANDOM_SAMPLE, (uint32_t)i, 0, 0).v[0] % LIVE);
        in.positions[i] = (i * 7) % ROWS;
    }
}

static Tensor rows_of(float *x, int64_t first, int64_t rows, int64_t columns)
{
    return dense(x + first * columns, rows, columns);
}
static Tensor norm_of(int64_t columns) { return dense(in.norm, 1, columns); }
static const Tensor NONE = {0};
static float scratch[ROWS * F * 4], scratch2[V * C + ROWS * 8];

// ---- operations whose result is rows: `out` gets `width` floats a row

typedef void RowOperation(const Kernels *k, int64_t first, int64_t rows, float *out);

static void do_matmul_forward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->matmul_forward(NULL, dense(out, rows, F), rows_of(in.c1, first, rows, C), dense(in.weights, F, C), false);
}

static void do_matmul_with_bias(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->rows_fill(NULL, dense(out, rows, F), dense(in.f2, 1, F));
    k->matmul_forward(NULL, dense(out, rows, F), rows_of(in.c1, first, rows, C), dense(in.weights, F, C), true);
}

static void do_matmul_backward_input(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->matmul_backward_input(NULL, dense(out, rows, C), rows_of(in.f1, first, rows, F), dense(in.weights, F, C), false);
}

static void do_rmsnorm_forward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->rmsnorm_forward(NULL, dense(out, rows, C), dense(scratch, rows, C), scratch2, rows_of(in.c1, first, rows, C),
                       rows_of(in.c2, first, rows, C), norm_of(C), 1e-6f);
}

static void do_rmsnorm_backward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->rmsnorm_backward(NULL, dense(out, rows, C), scratch, scratch2, rows_of(in.c1, first, rows, C),
                        rows_of(in.c3, first, rows, C), rows_of(in.c2, first, rows, C), norm_of(C), in.rstd + first);
}

static const Attention SHAPE = {.heads = HEADS, .kv_heads = KV_HEADS, .head_width = D};
static Tensor k_norm(void) { return dense(in.norm + D, 1, D); }

static void do_qk_norm_rope_forward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->qk_norm_rope_forward(NULL, dense(out, rows, QK), scratch2, rows_of(in.qkv, first, rows, QKV), norm_of(D),
                            k_norm(), in.cosine, in.sine, in.positions + first, &SHAPE, 1e-6f);
}

static void do_qk_norm_rope_backward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->qk_norm_rope_backward(NULL, dense(out, rows, QK), scratch, scratch + D, scratch2, rows_of(in.f1, first, rows, F),
                             rows_of(in.qkv, first, rows, QKV), norm_of(D), k_norm(),
                             in.rstd + first * (HEADS + KV_HEADS), in.cosine, in.sine, in.positions + first, &SHAPE);
}

static void do_rope_forward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->qk_norm_rope_forward(NULL, dense(out, rows, QK), NULL, rows_of(in.qkv, first, rows, QKV), NONE, NONE, in.cosine,
                            in.sine, in.positions + first, &SHAPE, 0);
}

static void do_rope_backward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->qk_norm_rope_backward(NULL, dense(out, rows, QK), NULL, NULL, NULL, rows_of(in.qkv, first, rows, QKV), NONE,
                             NONE, NONE, NULL, in.cosine, in.sine, in.positions + first, &SHAPE);
}

static void do_swiglu_forward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->swiglu_forward(NULL, dense(out, rows, F), rows_of(in.f1, first, rows, F), rows_of(in.f2, first, rows, F));
}

static void do_swiglu_backward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->swiglu_backward(NULL, dense(out, rows, F), dense(scratch, rows, F), rows_of(in.f3, first, rows, F),
                       rows_of(in.f1, first, rows, F), rows_of(in.f2, first, rows, F));
}

static void do_embedding_forward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    k->embedding_forward(NULL, dense(out, rows, C), dense(in.table, V, C), in.ids + first);
}

static void do_head_forward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    float *work = allocate((size_t)k->head_workspace(rows, V, C), sizeof *work),
          *result = allocate((size_t)rows * 4, sizeof *result);
    k->head_forward(NULL, result, result + rows, result + 2 * rows, (int32_t *)(result + 3 * rows),
                    rows_of(in.c1, first, rows, C), dense(in.table, V, C), in.targets + first, 0.7f, LIVE, work);
    for (int64_t r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++)
            out[4 * r + i] = result[i * rows + r];
    free(work);
    free(result);
}

static void do_head_backward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    float *work = allocate((size_t)k->head_workspace(rows, V, C), sizeof *work);
    k->head_backward(NULL, dense(out, rows, C), scratch2, rows_of(in.c1, first, rows, C), dense(in.table, V, C),
                     in.targets + first, 0.7f, LIVE, in.f1 + first, in.f2 + first, in.small + first, in.c2 + first,
                     work);
    free(work);
}

// Attention has no rows on their own: a row's inputs are those before it in its sequence. Here every row is the last of
// a sequence that starts at 0, so that a run of rows is a set of sequences of different lengths.
static void do_attention_forward(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    float *result = allocate((size_t)((first + rows) * Q), sizeof *result), *lse = scratch2;
    int32_t starts[2] = {0, (int32_t)(first + rows)}, contexts[1] = {0};
    Attention a = {
        .sequences = 1, .heads = HEADS, .kv_heads = KV_HEADS, .head_width = D, .starts = starts, .contexts = contexts};
    int64_t T = first + rows;
    k->attention_forward(NULL, dense(result, T, Q), lse, dense(in.q1, T, Q), dense(in.f1, T, KV_HEADS * D),
                         dense(in.f2, T, KV_HEADS * D), &a);
    memcpy(out, result + first * Q, (size_t)(rows * Q) * sizeof(float));
    free(result);
}

// Rows with and without limits, greedy ones among them; no draw twice.
static void do_head_sample(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    float *work = allocate((size_t)k->sample_workspace(rows, V), sizeof *work);
    float *result = allocate((size_t)rows * 4, sizeof *result);
    SampleRow how[ROWS];
    for (int64_t r = 0; r < rows; r++) {
        int32_t n = (int32_t)(first + r);
        how[r] = (SampleRow){
            .seed = 5, .request = (uint64_t)n, .sample = n % 3, .position = n, .temperature = 0.7f, .top_p = 1};
        how[r].temperature = n % 5 == 0 ? 0 : n % 5 == 1 ? 1 : 0.7f;
        how[r].top_k = n % 4 == 1 ? 50 : 0;
        how[r].top_p = n % 4 == 2 ? 0.8f : 1;
        how[r].min_p = n % 4 == 3 ? 0.02f : 0;
    }
    k->head_sample(NULL, (int32_t *)result, result + rows, result + 2 * rows, result + 3 * rows,
                   rows_of(in.c1, first, rows, C), dense(in.table, V, C), how, LIVE, work);
    for (int64_t r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++)
            out[4 * r + i] = result[i * rows + r];
    free(work);
    free(result);
}

// Every row the next token of a sequence of its own length, 0 to 2,500 positions over the same pages.
static void do_decode(const Kernels *k, int64_t first, int64_t rows, float *out)
{
    enum { LONGEST = 2500, PAGES = LONGEST / KEY_BLOCK + 1, KV = KV_HEADS * D };
    size_t elements = PAGES * (size_t)k->page_elements(KV_HEADS, D);
    float *keys = allocate(elements, sizeof *keys), *values = allocate(elements, sizeof *values), lse[ROWS * HEADS];
    int32_t table[ROWS * PAGES], starts[ROWS + 1], contexts[ROWS], whole[2] = {0, LONGEST}, none[1] = {0};
    for (int i = 0; i < ROWS * PAGES; i++)
        table[i] = i % PAGES;
    for (int r = 0; r <= rows; r++)
        starts[r] = r;
    for (int64_t r = 0; r < rows; r++)
        contexts[r] = (int32_t)((first + r) * 389 % LONGEST);
    Attention a = {
        .sequences = 1, .heads = HEADS, .kv_heads = KV_HEADS, .head_width = D, .starts = whole, .contexts = none};
    a.key_pages = keys;
    a.value_pages = values;
    a.page_table = table;
    a.pages_per_sequence = PAGES;
    write_to_pages(k, in.table, in.table + LONGEST * KV, LONGEST, &a);
    a.sequences = rows;
    a.starts = starts;
    a.contexts = contexts;
    a.workspace = allocate((size_t)k->attention_workspace(rows, LONGEST, HEADS, D), sizeof(float));
    k->attention_forward(NULL, dense(out, rows, Q), lse, rows_of(in.q1, first, rows, Q), NONE, NONE, &a);
    free(a.workspace);
    free(keys);
    free(values);
}

static const struct {
    const char *name;
    RowOperation *run;
    int64_t width;
} ROW_OPERATIONS[] = {{"matmul_forward", do_matmul_forward, F},
                      {"rows_fill and matmul_forward", do_matmul_with_bias, F},
                      {"matmul_backward_input", do_matmul_backward_input, C},
                      {"rmsnorm_forward", do_rmsnorm_forward, C},
                      {"rmsnorm_backward", do_rmsnorm_backward, C},
                      {"qk_norm_rope_forward", do_qk_norm_rope_forward, QK},
                      {"qk_norm_rope_backward", do_qk_norm_rope_backward, QK},
                      {"qk_norm_rope_forward without a norm", do_rope_forward, QK},
                      {"qk_norm_rope_backward without a norm", do_rope_backward, QK},
                      {"swiglu_forward", do_swiglu_forward, F},
                      {"swiglu_backward", do_swiglu_backward, F},
                      {"embedding_forward", do_embedding_forward, C},
                      {"head_forward", do_head_forward, 4},
                      {"head_backward", do_head_backward, C},
                      {"attention_forward", do_attention_forward, Q},
                      {"head_sample", do_head_sample, 4},
                      {"attention over pages", do_decode, Q}};
enum { ROW_OPERATION_COUNT = sizeof ROW_OPERATIONS / sizeof ROW_OPERATIONS[0] };

static void a_row_does_not_depend_on_its_neighbours(void **state)
{
    const Kernels *k = kernels_open("cpu", 2);
    static float all[ROWS * F], some[ROWS * F];
    for (int o = 0; o < ROW_OPERATION_COUNT; o++) {
        int64_t width = ROW_OPERATIONS[o].width;
        ROW_OPERATIONS[o].run(k, 0, ROWS, all);
        for (size_t i = 0; i < sizeof SOME_ROWS / sizeof SOME_ROWS[0]; i++) {
            const int64_t rows = SOME_ROWS[i], places[] = {0, 100, ROWS - rows};
            for (int p = 0; p < 3; p++) {
                ROW_OPERATIONS[o].run(k, places[p], rows, some);
                if (memcmp(some, all + places[p] * width, (size_t)(rows * width) * sizeof(float)) != 0)
                    fail_msg("%s: rows %d.. alone (%d of them) differ from the same rows among %d",
                             ROW_OPERATIONS[o].name, (int)places[p], (int)rows, ROWS);
            }
        }
    }
}

// ---- operations that sum over rows: equal for every number of threads and every vector width

static void do_matmul_backward_weight(const Kernels *k, float *out)
{
    memset(out, 0, F * C * sizeof(float));
    k->matmul_backward_weight(NULL, out, rows_of(in.f1, 0, ROWS, F), rows_of(in.c1, 0, ROWS, C), ROWS, true);
}

static void do_norm_weight(const Kernels *k, float *out)
{
    memset(out, 0, C * sizeof(float));
    k->rmsnorm_backward(NULL, dense(scratch, ROWS, C), out, scratch2, rows_of(in.c1, 0, ROWS, C), NONE,
                        rows_of(in.c2, 0, ROWS, C), norm_of(C), in.rstd);
}

static void do_qk_norm_weight(const Kernels *k, float *out)
{
    memset(out, 0, 2 * D * sizeof(float));
    k->qk_norm_rope_backward(NULL, dense(scratch, ROWS, QK), out, out + D, scratch2, rows_of(in.f1, 0, ROWS, F),
                             rows_of(in.qkv, 0, ROWS, QKV), norm_of(D), k_norm(), in.rstd, in.cosine, in.sine,
                             in.positions, &SHAPE);
}

static void do_rows_sum(const Kernels *k, float *out)
{
    memset(out, 0, F * sizeof(float));
    k->rows_sum(NULL, out, scratch2, rows_of(in.f1, 0, ROWS, F));
}

static void do_embedding_backward(const Kernels *k, float *out)
{
    int32_t sort[2 * ROWS];
    memset(out, 0, 40 * C * sizeof(float));
    k->embedding_backward(NULL, out, rows_of(in.c1, 0, ROWS, C), in.ids, sort);
}

static void do_head_weight(const Kernels *k, float *out)
{
    float *work = allocate((size_t)k->head_workspace(ROWS, V, C), sizeof *work);
    memset(out, 0, V * C * sizeof(float));
    k->head_backward(NULL, dense(scratch, ROWS, C), out, rows_of(in.c1, 0, ROWS, C), dense(in.table, V, C), in.targets,
                     1, LIVE, in.f1, in.f2, in.small, NULL, work);
    free(work);
}

static void do_attention_backward(const Kernels *k, float *out)
{
    int32_t starts[4] = {0, 3, 140, ROWS}, contexts[3] = {0};
    Attention a = {
        .sequences = 3, .heads = HEADS, .kv_heads = KV_HEADS, .head_width = D, .starts = starts, .contexts = contexts};
    int64_t KV = KV_HEADS * D;
    Tensor q = dense(in.q1, ROWS, Q), keys = dense(in.f1, ROWS, KV), values = dense(in.f2, ROWS, KV),
           result = dense(scratch, ROWS, Q);
    float *lse = scratch2, *delta = scratch2 + ROWS * HEADS;
    k->attention_forward(NULL, result, lse, q, keys, values, &a);
    k->attention_backward(NULL, dense(out, ROWS, Q), dense(out + ROWS * Q, ROWS, KV),
                          dense(out + ROWS * (Q + KV), ROWS, KV), delta, dense(in.c1, ROWS, Q), q, keys, values, result,
                          lse, &a);
}

static void three_adamw_steps(const Kernels *k, float *out, bool bf16_moments)
{
    memcpy(out, in.f1, F * C * sizeof(float));
    memset(scratch, 0, 2 * F * C * sizeof(float));
    AdamW settings = {1e-3, 0.9, 0.999, 1e-8, 0.1, 0.5, 1, bf16_moments, 7};
    for (settings.step = 1; settings.step < 4; settings.step++)
        k->adamw(NULL, out, out, scratch, scratch + F * C, in.weights, F * C - 3, &settings, 0, 0);
}

static void do_adamw(const Kernels *k, float *out) { three_adamw_steps(k, out, false); }
static void do_adamw_with_bf16_moments(const Kernels *k, float *out) { three_adamw_steps(k, out, true); }

static void do_square_sums(const Kernels *k, float *out) { k->square_sums(NULL, out, in.table, V * C - 5); }

static void do_rope_table(const Kernels *k, float *out) { k->rope_table(NULL, out, out + ROWS * D / 2, ROWS, D, 5e6); }

static const struct {
    const char *name;
    void (*run)(const Kernels *, float *);
    int64_t count;
} SUMS[] = {{"matmul_backward_weight", do_matmul_backward_weight, F *C},
            {"rmsnorm_backward's weight", do_norm_weight, C},
            {"qk_norm_rope_backward's weights", do_qk_norm_weight, 2 * D},
            {"rows_sum", do_rows_sum, F},
            {"embedding_backward", do_embedding_backward, 40 * C},
            {"head_backward's weight", do_head_weight, V *C},
            {"attention_backward", do_attention_backward, ROWS *(Q + 2 * KV_HEADS * D)},
            {"adamw", do_adamw, F *C},
            {"adamw with bf16 moments", do_adamw_with_bf16_moments, F *C},
            {"square_sums", do_square_sums, (V * C - 5 + SQUARES_BLOCK - 1) / SQUARES_BLOCK},
            {"rope_table", do_rope_table, ROWS *D}};
enum { SUM_COUNT = sizeof SUMS / sizeof SUMS[0] };

typedef struct Outputs {
    float *rows[ROW_OPERATION_COUNT], *sums[SUM_COUNT];
} Outputs;

static Outputs run_all(const Kernels *k, int threads)
{
    Outputs out;
    omp_set_num_threads(threads);
    for (int o = 0; o < ROW_OPERATION_COUNT; o++) {
        out.rows[o] = allocate((size_t)(ROWS * ROW_OPERATIONS[o].width), sizeof(float));
        ROW_OPERATIONS[o].run(k, 0, ROWS, out.rows[o]);
    }
    for (int o = 0; o < SUM_COUNT; o++) {
        out.sums[o] = allocate((size_t)SUMS[o].count, sizeof(float));
        SUMS[o].run(k, out.sums[o]);
    }
    return out;
}

static void compare_all(Outputs a, Outputs b, const char *what)
{
    for (int o = 0; o < ROW_OPERATION_COUNT; o++) {
        if (memcmp(a.rows[o], b.rows[o], (size_t)(ROWS * ROW_OPERATIONS[o].width) * sizeof(float)) != 0)
            fail_msg("%s: %s differ", ROW_OPERATIONS[o].name, what);
        free(b.rows[o]);
    }
    for (int o = 0; o < SUM_COUNT; o++) {
        if (memcmp(a.sums[o], b.sums[o], (size_t)SUMS[o].count * sizeof(float)) != 0)
            fail_msg("%s: %s differ", SUMS[o].name, what);
        free(b.sums[o]);
    }
}

static void free_all(Outputs a)
{
    for (int o = 0; o < ROW_OPERATION_COUNT; o++)
        free(a.rows[o]);
    for (int o = 0; o < SUM_COUNT; o++)
        free(a.sums[o]);
}

static void one_thread_equals_many(void **state)
{
    const char *const sets[] = {"avx512", "avx2", "plain"};
    for (int s = 0; s < 3; s++) {
        const Kernels *k = backend(sets[s]);
        if (k == NULL)
            continue;
        Outputs one = run_all(k, 1);
        compare_all(one, run_all(k, 2), "one thread and two");
        compare_all(one, run_all(k, 3), "one thread and three");
        free_all(one);
    }
    omp_set_num_threads(2);
}

static void avx2_equals_avx512(void **state)
{
    const Kernels *wide = backend("avx512"), *narrow = backend("avx2");
    if (wide == NULL || narrow == NULL) {
        print_message("skipped: this machine has no AVX-512\n");
        skip();
    }
    Outputs a = run_all(wide, 2);
    compare_all(a, run_all(narrow, 2), "AVX-512 and AVX2");
    free_all(a);
}

// The oracle: what every operation is, said in plain loops.
static void plain_loops_equal_vectors(void **state)
{
    const Kernels *naive = backend("naive"), *narrow = backend("avx2");
    assert_non_null(naive);
    if (narrow == NULL) {
        print_message("skipped: this machine has no AVX2\n");
        skip();
    }
    if (is_brief()) { // test_naive has them at smaller sizes
        print_message("plain loops at these sizes: release build and long tests\n");
        return;
    }
    Outputs a = run_all(naive, 1);
    compare_all(a, run_all(narrow, 2), "plain loops and AVX2");
    free_all(a);
}

// Plain builds round twice where the others round once; a sum of n terms of size 1 is then off by n · 2^-24 at most.
static void the_plain_build_is_close(void **state)
{
    const Kernels *best = kernels_open("cpu", 2), *plain = backend("plain");
    assert_non_null(plain);
    Outputs a = run_all(best, 2), b = run_all(plain, 2);
    for (int o = 0; o < ROW_OPERATION_COUNT; o++) {
        int64_t count = ROWS * ROW_OPERATIONS[o].width;
        if (ROW_OPERATIONS[o].run != do_head_forward &&
            ROW_OPERATIONS[o].run != do_head_sample) // tokens are no numbers
            assert_true(largest_difference(a.rows[o], b.rows[o], count) <= 3e-4 * (1 + largest_of(a.rows[o], count)));
    }
    free_all(a);
    free_all(b);
}

// What the head gives in one pass over its logits, or in two
typedef struct HeadResult {
    float *rows, *dx, *dweight; // rows: logprob, entropy, logsumexp, (N) each
} HeadResult;

static HeadResult head_in_passes(const Kernels *k, int passes, int64_t N, int64_t columns, int64_t live, bool policy)
{
    enum { WIDTH = 8 };
    int64_t room = N > 0 ? N : 1;
    HeadResult h = {allocate((size_t)(3 * room), 4), allocate((size_t)(room * WIDTH), 4),
                    random_floats(columns * WIDTH, 3)};
    float *x = random_floats(room * WIDTH, 1), *w = random_floats(columns * WIDTH, 2), *d = random_floats(room, 4),
          *of_entropy = random_floats(room, 5), *dentropy = policy ? of_entropy : NULL, temperature = policy ? 0.7f : 1;
    float *work = allocate((size_t)k->head_workspace(room, columns, WIDTH), 4);
    int32_t *targets = allocate((size_t)room, 4);
    for (int64_t n = 0; n < N; n++)
        targets[n] = (int32_t)(n * 7919 % live);
    Tensor input = dense(x, N, WIDTH), dx = dense(h.dx, N, WIDTH), weights = dense(w, columns, WIDTH);
    float *entropy = h.rows + N, *logsumexp = entropy + N;
    if (passes == 1) {
        k->head_forward_backward(NULL, h.rows, entropy, logsumexp, dx, h.dweight, input, weights, targets, temperature,
                                 live, d, dentropy, work);
    } else {
        k->head_forward(NULL, h.rows, entropy, logsumexp, NULL, input, weights, targets, temperature, live, work);
        k->head_backward(NULL, dx, h.dweight, input, weights, targets, temperature, live, logsumexp, entropy, d,
                         dentropy, work);
    }
    void *done[] = {x, w, d, of_entropy, work, targets};
    for (int i = 0; i < 6; i++)
        free(done[i]);
    return h;
}

// No rows; a block of rows and a part of one; several blocks of columns; so many that logits are not kept, of one chunk
// of rows and of two; dead ones.
static void the_head_in_one_pass_equals_two(void **state)
{
    const int64_t shapes[][3] = {{0, 9, 9},       {1, 40, 1},        {HEAD_ROWS + 7, 40, 33},
                                 {9, 4200, 4099}, {5, 33000, 32990}, {1030, 33000, 2099}};
    const char *const sets[] = {"avx512", "avx2", "plain", "naive"};
    for (int s = 0; s < (is_brief() ? 3 : 4); s++)
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && backend(sets[s]) != NULL; i++) {
            int64_t N = shapes[i][0], columns = shapes[i][1], live = shapes[i][2];
            bool policy = i % 2 == 1; // with a temperature and a part of the loss for entropies
            HeadResult one = head_in_passes(backend(sets[s]), 1, N, columns, live, policy),
                       two = head_in_passes(backend(sets[s]), 2, N, columns, live, policy);
            assert_memory_equal(one.rows, two.rows, (size_t)(3 * N) * sizeof(float));
            assert_memory_equal(one.dx, two.dx, (size_t)(8 * N) * sizeof(float));
            assert_memory_equal(one.dweight, two.dweight, (size_t)(8 * columns) * sizeof(float));
            float *all[] = {one.rows, one.dx, one.dweight, two.rows, two.dx, two.dweight};
            for (int j = 0; j < 6; j++)
                free(all[j]);
        }
}

// ---- one product for what were several: the bits of each by itself

static void same_columns(Tensor all, int64_t from, const float *alone, int64_t columns)
{
    for (int64_t t = 0; t < all.rows; t++)
        assert_memory_equal((float *)all.data + t * all.stride + from, alone + t * columns,
                            (size_t)columns * sizeof(float));
}

static void weights_side_by_side_give_the_bits_of_each_alone(void **state)
{
    enum { PARTS = 3, N = F };
    static const int64_t rows_of_part[PARTS] = {72, 45, 19}, tokens[] = {1, 5, 40, ROWS};
    const char *const sets[] = {"avx512", "avx2", "plain", "naive"};
    static float all[ROWS * N], alone[ROWS * N], gradient[N * C], gradient_alone[N * C];
    for (size_t i = 0; i < 16; i++) {
        const Kernels *k = backend(sets[i / 4]);
        int64_t T = tokens[i % 4];
        if (k == NULL)
            continue;
        Tensor x = rows_of(in.c1, 0, T, C), y = dense(all, T, N), dy = rows_of(in.f1, 0, T, N);
        memset(gradient, 0, sizeof gradient);
        memset(gradient_alone, 0, sizeof gradient_alone);
        k->matmul_forward(NULL, y, x, dense(in.weights, N, C), false);
        k->matmul_backward_weight(NULL, gradient, dy, x, T, true);
        for (int64_t part = 0, from = 0; part < PARTS; from += rows_of_part[part++]) {
            int64_t columns = rows_of_part[part];
            k->matmul_forward(NULL, dense(alone, T, columns), x, dense(in.weights + from * C, columns, C), false);
            same_columns(y, from, alone, columns);
            k->matmul_backward_weight(NULL, gradient_alone + from * C,
                                      columns_of(dy, from, from + columns, sizeof(float)), x, T, true);
        }
        assert_memory_equal(gradient, gradient_alone, sizeof gradient);
    }
}

static void a_product_with_swiglu_behind_it_gives_the_bits_of_three_steps(void **state)
{
    enum { HALF = F / 2 };
    const char *const sets[] = {"avx512", "avx2", "plain", "naive"};
    static float both[ROWS * F], y[ROWS * HALF], gate[ROWS * HALF], up[ROWS * HALF], expected[ROWS * HALF];
    for (int i = 0; i < 4; i++) {
        const Kernels *k = backend(sets[i]);
        if (k == NULL)
            continue;
        Tensor x = rows_of(in.c1, 0, ROWS, C), g = dense(gate, ROWS, HALF), u = dense(up, ROWS, HALF);
        k->matmul_swiglu_forward(NULL, dense(y, ROWS, HALF), dense(both, ROWS, F), x, dense(in.weights, F, C), true);
        k->matmul_forward(NULL, g, x, dense(in.weights, HALF, C), false);
        k->matmul_forward(NULL, u, x, dense(in.weights + HALF * C, HALF, C), false);
        k->swiglu_forward(NULL, dense(expected, ROWS, HALF), g, u);
        assert_memory_equal(y, expected, sizeof y);
        same_columns(dense(both, ROWS, F), 0, gate, HALF);
        same_columns(dense(both, ROWS, F), HALF, up, HALF);
    }
}

static int setup(void **state)
{
    make_inputs(kernels_open("cpu", 2));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_does_not_depend_on_its_neighbours),
        cmocka_unit_test(one_thread_equals_many),
        cmocka_unit_test(avx2_equals_avx512),
        cmocka_unit_test(plain_loops_equal_vectors),
        cmocka_unit_test(the_plain_build_is_close),
        cmocka_unit_test(the_head_in_one_pass_equals_two),
        cmocka_unit_test(weights_side_by_side_give_the_bits_of_each_alone),
        cmocka_unit_test(a_product_with_swiglu_behind_it_gives_the_bits_of_three_steps),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
