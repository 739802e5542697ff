// The matrix product, on shapes chosen for its edges: every output equals one chain of fused multiply-adds over the
// summed index, ascending from zero, for all three forms, with and without adding, for several threads and both vector
// widths.
#include "test/support/check.h"
#include "test/support/backends.h"
#include <omp.h>

// T rows, N outputs, K summed: one row; the products of few rows and their ends (8, 9; one to four vectors of rows: 16,
// 30, 44, 57, 62; 65), their strips of W (112, 113) and blocks of K (256, 257, 513); the register tile's rows (13-15,
// 28), a second block of A (421), two blocks of K (385, 769), odd everything, a 4 KB stride.
static const int64_t SHAPES[][3] = {{1, 1, 1},      {1, 33, 47},    {2, 31, 400},   {3, 100, 385},  {4, 257, 769},
                                    {5, 257, 100},  {13, 130, 500}, {14, 64, 1537}, {15, 33, 385},  {28, 100, 64},
                                    {421, 48, 40},  {64, 64, 4096}, {97, 321, 65},  {450, 33, 50},  {7, 2500, 50},
                                    {6, 19, 70},    {8, 113, 300},  {9, 112, 513},  {16, 229, 256}, {17, 40, 300},
                                    {30, 231, 257}, {44, 113, 300}, {57, 120, 261}, {62, 97, 769},  {65, 31, 300}};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof SHAPES[0] };

typedef enum Form { FORWARD, INPUT, WEIGHT } Form;

// The three forms of y (T, N) = x (T, K) · w (N, K)ᵀ
static void run(const Kernels *k, Form form, float *out, int64_t T, int64_t N, int64_t K, float *x, float *w, float *dy,
                bool add)
{
    if (form == FORWARD)
        k->matmul_forward(NULL, dense(out, T, N), dense(x, T, K), dense(w, N, K), add);
    else if (form == INPUT)
        k->matmul_backward_input(NULL, dense(out, T, K), dense(dy, T, N), dense(w, N, K), add);
    else
        k->matmul_backward_weight(NULL, out, dense(dy, T, N), dense(x, T, K), T, add);
}

typedef struct Case {
    int64_t T, N, K, sizes[3]; // sizes of the three forms' results
    float *x, *w, *dy, *expected[3][2];
} Case;

// What is expected is what kernels/naive.c writes out, once for all backends and threads: that takes most of the time.
static Case make_case(const int64_t shape[3])
{
    Case c = {.T = shape[0], .N = shape[1], .K = shape[2]};
    c.sizes[FORWARD] = c.T * c.N, c.sizes[INPUT] = c.T * c.K, c.sizes[WEIGHT] = c.N * c.K;
    c.x = random_floats(c.T * c.K, 1), c.w = random_floats(c.N * c.K, 2), c.dy = random_floats(c.T * c.N, 3);
    for (int form = 0; form < 3; form++)
        for (int add = 0; add < 2; add++) {
            c.expected[form][add] = random_floats(c.sizes[form], 4);
            run(backend("naive"), (Form)form, c.expected[form][add], c.T, c.N, c.K, c.x, c.w, c.dy, add != 0);
        }
    return c;
}

static void free_case(Case *c)
{
    free(c->x);
    free(c->w);
    free(c->dy);
    for (int i = 0; i < 6; i++)
        free(c->expected[i / 2][i % 2]);
}

static void check_case(const Kernels *k, int threads, const Case *c)
{
    omp_set_num_threads(threads);
    for (int form = 0; form < 3; form++)
        for (int add = 0; add < 2; add++) {
            float *out = random_floats(c->sizes[form], 4);
            run(k, (Form)form, out, c->T, c->N, c->K, c->x, c->w, c->dy, add != 0);
            if (memcmp(out, c->expected[form][add], (size_t)c->sizes[form] * sizeof *out) != 0)
                fail_msg("%s, %d threads, form %d, T %d N %d K %d, add %d: not one ascending chain", k->name, threads,
                         form, (int)c->T, (int)c->N, (int)c->K, add);
            free(out);
        }
}

static void every_output_is_one_ascending_chain(void **state)
{
    const Kernels *const sets[] = {backend("avx512"), backend("avx2")};
    if (sets[0] == NULL && sets[1] == NULL) {
        print_message("skipped: this machine has no fused multiply-add\n");
        skip();
    }
    for (int i = 0; i < SHAPE_COUNT; i++) {
        if (is_brief() && SHAPES[i][0] * SHAPES[i][1] * SHAPES[i][2] > 500000)
            continue;
        Case c = make_case(SHAPES[i]);
        for (int s = 0; s < 2; s++)
            for (int threads = 1; sets[s] != NULL && threads <= 3; threads++)
                check_case(sets[s], threads, &c);
        free_case(&c);
    }
    omp_set_num_threads(2);
}

static void nothing_to_sum_gives_zero(void **state)
{
    const Kernels *k = kernels_open("cpu", 2);
    float y[6] = {1, 2, 3, 4, 5, 6}, nothing[1] = {0}, dw[6] = {1, 2, 3, 4, 5, 6};
    k->matmul_forward(NULL, dense(y, 2, 3), dense(nothing, 2, 0), dense(nothing, 3, 0), false);
    k->matmul_backward_weight(NULL, dw, dense(nothing, 0, 2), dense(nothing, 0, 3), 0, true);
    for (int i = 0; i < 6; i++) {
        assert_true(y[i] == 0);
        assert_true(dw[i] == (float)(i + 1));
    }
    k->matmul_backward_weight(NULL, dw, dense(nothing, 0, 2), dense(nothing, 0, 3), 0, false);
    for (int i = 0; i < 6; i++)
        assert_true(dw[i] == 0);
}

// A chain that ends in -0, because its one product is too small to be told from it: what was added to zeros is +0.
static void a_gradient_that_was_not_there_begins_at_zero(void **state)
{
    const char *const sets[] = {"avx512", "avx2", "plain", "naive"};
    float tiny[1] = {1e-30f}, negative[1] = {-1e-30f};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        const Kernels *k = backend(sets[i]);
        if (k == NULL)
            continue;
        for (int add = 0; add < 2; add++) {
            float dw[1] = {add ? 0 : NAN};
            k->matmul_backward_weight(NULL, dw, dense(tiny, 1, 1), dense(negative, 1, 1), 1, add);
            assert_true(dw[0] == 0 && !signbit(dw[0]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_output_is_one_ascending_chain),
        cmocka_unit_test(nothing_to_sum_gives_zero),
        cmocka_unit_test(a_gradient_that_was_not_there_begins_at_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
