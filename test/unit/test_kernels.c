// The smaller kernels against plain double-precision formulas, and what the contract says of their edges: elementary
// functions, the head with temperature, dead columns and entropy, its gradients, the embedding's, the learning rate.
#include "test/support/check.h"
#include "base/elementary.h"
#include "kernels/cuda/makers.h"
#include "model/model.h"

static const Kernels *cpu(void) { return kernels_open("cpu", 2); }

static void own_logarithm_power_sine_and_cosine_are_those_of_mathematics(void **state)
{
    for (int i = 1; i < 20000; i++) {
        double x = i * 0.37, sine, cosine;
        assert_true(fabs(d_log(x) - log(x)) <= 4e-16 * (1 + fabs(log(x))));
        assert_true(fabs(d_exp(x / 20 - 100) / exp(x / 20 - 100) - 1) <= 1e-14);
        d_sine_cosine(x * 140, &sine, &cosine); // to 2^20, as far as it promises
        assert_true(fabs(sine - sin(x * 140)) <= 1e-14 && fabs(cosine - cos(x * 140)) <= 1e-14);
    }
    assert_true(fabs(d_power(5e6, 0.984375) / pow(5e6, 0.984375) - 1) <= 1e-14);
    for (int n = 1; n <= 1000000; n += 1 + n / 50) { // the bias corrections of a long run
        assert_true(fabs(d_power(0.9, n) - pow(0.9, n)) <= 1e-12 && fabs(d_power(0.999, n) - pow(0.999, n)) <= 1e-11);
        assert_true(d_power(0, n) == 0);
    }
    assert_true(d_power(0, 0) == 1 && isinf(d_exp(710)) && d_exp(-1e9) == 0 && isnan(d_exp(NAN)));
    assert_true(isinf(d_log(0)) && isnan(d_log(-1)) && isnan(d_log(NAN)));
}

// SwiGLU is where the vectorised exp shows: silu over all of its range, with a relative error of a few ulps (2^-23 each
// for exp, sum, quotient, product: 2^-20 covers them) and denormals flushed.
static void swiglu_is_exact_over_the_whole_range(void **state)
{
    enum { N = 4096 };
    static float gate[N], up[N], y[N];
    for (int i = 0; i < N; i++) {
        gate[i] = (float)(i - N / 2) * 0.06f;
        up[i] = 1.5f;
    }
    cpu()->swiglu_forward(NULL, dense(y, 1, N), dense(gate, 1, N), dense(up, 1, N));
    for (int i = 0; i < N; i++) {
        double expected = 1.5 * (double)gate[i] / (1 + exp(-(double)gate[i]));
        assert_true(fabs(y[i] - expected) <= fabs(expected) * 0x1p-20 + 1e-36);
    }
    gate[0] = NAN;
    gate[1] = INFINITY;
    cpu()->swiglu_forward(NULL, dense(y, 1, N), dense(gate, 1, N), dense(up, 1, N));
    assert_true(isnan(y[0]) && isinf(y[1])); // what is not finite is not hidden
}

enum { ROWS = 5, C = 24, V = 3100, LIVE = 3000 };

typedef struct HeadCase {
    float *x, *w, logprob[ROWS], entropy[ROWS], logsumexp[ROWS], dlogprob[ROWS], dentropy[ROWS], *work;
    int32_t targets[ROWS], best[ROWS];
} HeadCase;

static HeadCase head_case(void)
{
    HeadCase h = {.x = random_floats(ROWS * C, 1),
                  .w = random_floats(V * C, 2),
                  .work = allocate((size_t)cpu()->head_workspace(ROWS, V, C), 4)};
    const int32_t targets[ROWS] = {0, 1023, 1024, 2047, LIVE - 1}; // the edges of blocks
    memcpy(h.targets, targets, sizeof targets);
    fill_random(h.dlogprob, ROWS, 3);
    fill_random(h.dentropy, ROWS, 4);
    return h;
}

static void head_case_free(HeadCase *h)
{
    free(h->x);
    free(h->w);
    free(h->work);
}

static void head_forward(HeadCase *h, float temperature)
{
    cpu()->head_forward(NULL, h->logprob, h->entropy, h->logsumexp, h->best, dense(h->x, ROWS, C), dense(h->w, V, C),
                        h->targets, temperature, LIVE, h->work);
}

// d loss / d x[r] by the formulas, in double precision; and logprob, entropy, the arg-max.
static void plain_row(const HeadCase *h, int r, double temperature, double *logprob, double *entropy, int *best,
                      double *dx)
{
    static double z[V], p[V];
    double largest = -1e300, sum = 0;
    for (int v = 0; v < LIVE; v++) {
        z[v] = 0;
        for (int c = 0; c < C; c++)
            z[v] += (double)h->x[r * C + c] * h->w[v * C + c];
        z[v] /= temperature;
        if (z[v] > largest) {
            largest = z[v];
            *best = v;
        }
    }
    for (int v = 0; v < LIVE; v++)
        sum += exp(z[v] - largest);
    *entropy = 0;
    for (int v = 0; v < LIVE; v++) {
        double log_p = z[v] - largest - log(sum);
        p[v] = exp(log_p);
        *entropy -= p[v] * log_p;
    }
    *logprob = z[h->targets[r]] - largest - log(sum);
    memset(dx, 0, C * sizeof *dx);
    for (int v = 0; v < LIVE; v++) {
        double dz = h->dlogprob[r] * ((v == h->targets[r]) - p[v]) - h->dentropy[r] * p[v] * (log(p[v]) + *entropy);
        for (int c = 0; c < C; c++)
            dx[c] += dz / temperature * h->w[v * C + c];
    }
}

// fp32 logits are off by 24 · 2^-24 of their largest term; sums over 3,000 probabilities by less: 2e-6 absolute is four
// times that.
static void the_head_agrees_with_the_formulas(void **state)
{
    const float temperatures[] = {1, 0.6f, 2};
    for (int t = 0; t < 3; t++) {
        HeadCase h = head_case();
        float dx[ROWS * C], *dw = random_floats(V * C, 9), *before = random_floats(V * C, 9);
        head_forward(&h, temperatures[t]);
        cpu()->head_backward(NULL, dense(dx, ROWS, C), dw, dense(h.x, ROWS, C), dense(h.w, V, C), h.targets,
                             temperatures[t], LIVE, h.logsumexp, h.entropy, h.dlogprob, h.dentropy, h.work);
        for (int r = 0; r < ROWS; r++) {
            double logprob, entropy, expected[C];
            int best = -1;
            plain_row(&h, r, (double)temperatures[t], &logprob, &entropy, &best, expected);
            assert_true(fabs(h.logprob[r] - logprob) <= 4e-6 && fabs(h.entropy[r] - entropy) <= 4e-6);
            assert_int_equal(h.best[r], best);
            for (int c = 0; c < C; c++)
                assert_true(fabs(dx[r * C + c] - expected[c]) <= 4e-6);
        }
        assert_memory_equal(dw + LIVE * C, before + LIVE * C, (V - LIVE) * C * sizeof *dw); // dead columns get nothing
        free(dw);
        free(before);
        head_case_free(&h);
    }
}

static void the_heads_gradient_agrees_with_finite_differences_of_its_own_loss(void **state)
{
    HeadCase h = head_case();
    float dx[ROWS * C], *dw = allocate(V * C, 4);
    head_forward(&h, 0.8f);
    cpu()->head_backward(NULL, dense(dx, ROWS, C), dw, dense(h.x, ROWS, C), dense(h.w, V, C), h.targets, 0.8f, LIVE,
                         h.logsumexp, h.entropy, h.dlogprob, h.dentropy, h.work);
    for (int i = 0; i < 8; i++) { // rows of w around the targets; loss = Σ dlogprob·logprob + dentropy·entropy
        int64_t at = h.targets[i % ROWS] * C + i;
        double loss[2];
        for (int side = 0; side < 2; side++) {
            float kept = h.w[at];
            h.w[at] += side == 0 ? 0.05f : -0.05f;
            head_forward(&h, 0.8f);
            h.w[at] = kept;
            loss[side] = 0;
            for (int r = 0; r < ROWS; r++)
                loss[side] += (double)h.dlogprob[r] * h.logprob[r] + (double)h.dentropy[r] * h.entropy[r];
        }
        assert_true(fabs((loss[0] - loss[1]) / 0.1 - dw[at]) <=
                    2e-4); // h²/6 · third derivative < 1e-4, rounding 4e-6 / 0.1
    }
    free(dw);
    head_case_free(&h);
}

static void the_embeddings_gradient_adds_tokens_in_order(void **state)
{
    const int32_t ids[] = {3, 1, 3, 3, 0};
    float dy[5 * 20], table[4 * 20] = {0};
    int32_t scratch[10];
    fill_random(dy, 100, 5);
    table[3 * 20] = 0.5f;
    cpu()->embedding_backward(NULL, table, dense(dy, 5, 20), ids, scratch);
    assert_true(table[3 * 20] == 0.5f + ((dy[0] + dy[2 * 20]) + dy[3 * 20]));
    assert_memory_equal(table + 20, dy + 20, 20 * sizeof(float));
    for (int c = 0; c < 20; c++)
        assert_true(table[2 * 20 + c] == 0);
}

static void the_learning_rate_is_a_pure_function_of_the_step(void **state)
{
    Schedule s = {.shape = SCHEDULE_COSINE, .peak = 1, .end = 0.1, .steps = 110, .warmup = 10, .decay = 0.2};
    assert_true(fabs(learning_rate(&s, 0) - 0.1) < 1e-15 && learning_rate(&s, 9) == 1 && learning_rate(&s, 10) == 1);
    assert_true(fabs(learning_rate(&s, 60) - 0.55) < 1e-12); // half-way down: the mean of peak and end
    assert_true(learning_rate(&s, 109) > 0.1 && learning_rate(&s, 109) < 0.101 &&
                fabs(learning_rate(&s, 500) - 0.1) < 1e-15);
    s.shape = SCHEDULE_LINEAR;
    assert_true(fabs(learning_rate(&s, 60) - 0.55) < 1e-12);
    s.shape = SCHEDULE_CONSTANT;
    assert_true(learning_rate(&s, 109) == 1);
    s.shape = SCHEDULE_WSD;
    assert_true(learning_rate(&s, 87) == 1 && fabs(learning_rate(&s, 99) - 0.55) < 1e-12);
    s.warmup = 0;
    assert_true(learning_rate(&s, 0) == 1);
}

// What a run says after its first step of products that a library was asked for.
static void own_products_are_named_with_how_often_they_are_ours_and_why(void **state)
{
    static Makers m;
    assert_string_equal(makers_text(&m), "");
    const Maker k = {.operation = "matmul_forward", .n = 1024, .k = 2560};
    Maker adds = {.operation = "matmul_backward_input", .n = 1024, .k = 2560, .adds = true}, never = adds;
    never.adds = false;
    makers_note(&m, &k, MADE_AS_NONE_OBEYS);
    makers_note(&m, &never, MADE_BY_LIBRARY);
    makers_note(&m, &adds, MADE_AS_NONE_OBEYS);
    makers_note(&m, &k, MADE_BY_LIBRARY);
    assert_string_equal(makers_text(&m), "matmul_forward 1024 x 2560 (at 1 of 2 numbers of rows); "
                                         "matmul_backward_input 1024 x 2560, adds");
    makers_note(&m, &k, MADE_FASTER);
    assert_string_equal(makers_text(&m), "matmul_forward 1024 x 2560 (at 1 of 3 numbers of rows); "
                                         "matmul_forward 1024 x 2560, faster (at 1 of 3 numbers of rows); "
                                         "matmul_backward_input 1024 x 2560, adds");
    for (int i = 0; i < 2 * MAKERS_MOST; i++) // more than it keeps, and longer than its text
        makers_note(&m, &(Maker){.operation = "matmul_backward_weight", .n = INT64_MAX - i, .k = INT64_MAX},
                    MADE_FASTER);
    assert_in_range(strlen(makers_text(&m)), sizeof m.text - 180, sizeof m.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_logarithm_power_sine_and_cosine_are_those_of_mathematics),
        cmocka_unit_test(swiglu_is_exact_over_the_whole_range),
        cmocka_unit_test(the_head_agrees_with_the_formulas),
        cmocka_unit_test(the_heads_gradient_agrees_with_finite_differences_of_its_own_loss),
        cmocka_unit_test(the_embeddings_gradient_adds_tokens_in_order),
        cmocka_unit_test(the_learning_rate_is_a_pure_function_of_the_step),
        cmocka_unit_test(own_products_are_named_with_how_often_they_are_ours_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
