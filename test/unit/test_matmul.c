// The matrix product, on shapes chosen for its edges: every output equals one chain of fused multiply-adds over the summed
// index, ascending from zero, for all three forms, with and without adding, for several threads and both vector widths.
#include "test/support/check.h"
#include "test/support/backends.h"
#include <omp.h>

// T rows, N outputs, K summed: one row, the few-rows path and its end (4, 5), the register tile's rows (13-15, 28), a second block
// of A (421), two blocks of K (385, 769), odd everything, a 4 KB stride.
static const int64_t SHAPES[][3] = {{1, 1, 1},     {1, 33, 47},    {2, 31, 400},   {3, 100, 385}, {4, 257, 769},
                                    {5, 257, 100}, {13, 130, 500}, {14, 64, 1537}, {15, 33, 385}, {28, 100, 64},
                                    {421, 48, 40}, {64, 64, 4096}, {97, 321, 65},  {450, 33, 50}, {7, 2500, 50}};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof SHAPES[0] };

typedef enum Form { FORWARD, INPUT, WEIGHT } Form;

// a (rows, inner) · b (inner, columns), each given by its strides: the chain written out.
static void naive(float *c, int64_t rows, int64_t columns, int64_t inner, const float *a, int64_t a_row, int64_t a_k,
                  const float *b, int64_t b_k, int64_t b_column, bool add)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t n = 0; n < columns; n++) {
            float chain = 0;
            for (int64_t k = 0; k < inner; k++)
                chain = fmaf(a[r * a_row + k * a_k], b[k * b_k + n * b_column], chain);
            c[r * columns + n] = add ? c[r * columns + n] + chain : chain;
        }
}

// The three forms of y (T, N) = x (T, K) · w (N, K)ᵀ
static void expected_of(Form form, float *out, int64_t T, int64_t N, int64_t K, const float *x, const float *w, const float *dy,
                        bool add)
{
    if (form == FORWARD)
        naive(out, T, N, K, x, K, 1, w, 1, K, false);
    else if (form == INPUT)
        naive(out, T, K, N, dy, N, 1, w, K, 1, add);
    else
        naive(out, N, K, T, dy, 1, N, x, K, 1, true);
}

static void run(const Kernels *k, Form form, float *out, int64_t T, int64_t N, int64_t K, float *x, float *w, float *dy, bool add)
{
    if (form == FORWARD)
        k->matmul_forward(NULL, (Tensor){out, T, N}, (Tensor){x, T, K}, (Tensor){w, N, K});
    else if (form == INPUT)
        k->matmul_backward_input(NULL, (Tensor){out, T, K}, (Tensor){dy, T, N}, (Tensor){w, N, K}, add);
    else
        k->matmul_backward_weight(NULL, out, (Tensor){dy, T, N}, (Tensor){x, T, K});
}

static void check_shape(const Kernels *k, int threads, const int64_t shape[3])
{
    int64_t T = shape[0], N = shape[1], K = shape[2];
    float *x = random_floats(T * K, 1), *w = random_floats(N * K, 2), *dy = random_floats(T * N, 3);
    const int64_t sizes[3] = {T * N, T * K, N * K};
    for (int form = 0; form < 3; form++)
        for (int add = 0; add < 2; add++) {
            float *out = random_floats(sizes[form], 4), *expected = random_floats(sizes[form], 4);
            expected_of((Form)form, expected, T, N, K, x, w, dy, add != 0);
            run(k, (Form)form, out, T, N, K, x, w, dy, add != 0);
            if (memcmp(out, expected, (size_t)sizes[form] * sizeof *out) != 0)
                fail_msg("%s, %d threads, form %d, T %d N %d K %d, add %d: not one ascending chain", k->name, threads, form,
                         (int)T, (int)N, (int)K, add);
            free(out);
            free(expected);
        }
    free(x);
    free(w);
    free(dy);
}

static void every_output_is_one_ascending_chain(void **state)
{
    static const char *const SETS[] = {"avx512", "avx2"};
    int seen = 0;
    for (int s = 0; s < 2; s++) {
        const Kernels *k = backend(SETS[s]);
        seen += k != NULL;
        for (int threads = 1; k != NULL && threads <= 3; threads++) {
            omp_set_num_threads(threads);
            for (int i = 0; i < SHAPE_COUNT; i++)
                check_shape(k, threads, SHAPES[i]);
        }
    }
    omp_set_num_threads(2);
    if (seen == 0) {
        print_message("skipped: this machine has no fused multiply-add\n");
        skip();
    }
}

static void nothing_to_sum_gives_zero(void **state)
{
    const Kernels *k = kernels_open("cpu", 2);
    float y[6] = {1, 2, 3, 4, 5, 6}, nothing[1] = {0}, dw[6] = {1, 2, 3, 4, 5, 6};
    k->matmul_forward(NULL, (Tensor){y, 2, 3}, (Tensor){nothing, 2, 0}, (Tensor){nothing, 3, 0});
    k->matmul_backward_weight(NULL, dw, (Tensor){nothing, 0, 2}, (Tensor){nothing, 0, 3});
    for (int i = 0; i < 6; i++) {
        assert_true(y[i] == 0);
        assert_true(dw[i] == (float)(i + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_output_is_one_ascending_chain),
        cmocka_unit_test(nothing_to_sum_gives_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
