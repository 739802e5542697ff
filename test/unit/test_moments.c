// AdamW's moments in bf16: rounded as kernels.h says, right in the mean, and the same bits wherever an element lies.
#include "test/support/check.h"
#include "test/support/backends.h"
#include "test/support/bf16.h"

static const char *const SETS[] = {"avx512", "avx2", "plain", "naive"};
enum { SET_COUNT = sizeof SETS / sizeof SETS[0] };

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

// With both betas 0 the moments are the gradient and its square, whatever they were.
static const AdamW FORGETFUL = {
    .learning_rate = 1e-3, .epsilon = 1e-8, .gradient_scale = 1, .step = 5, .bf16_moments = true, .seed = 11};

enum { COUNT = 1003, TENSOR = 3 };

static void an_element_rounds_with_its_own_word(void **state)
{
    static float weights[COUNT], gradient[COUNT];
    static uint16_t m[COUNT], v[COUNT];
    const int64_t offset = (int64_t)4 << 31 | 2; // a draw is of four elements, and its number has 32 bits
    for (int s = 0; s < SET_COUNT; s++) {
        const Kernels *k = backend(SETS[s]);
        if (k == NULL)
            continue;
        fill_random(gradient, COUNT, 1);
        k->adamw(NULL, weights, weights, m, v, gradient, COUNT, &FORGETFUL, TENSOR, offset);
        for (int64_t i = 0; i < COUNT; i++) {
            uint32_t draw = (uint32_t)((offset + i) / 4);
            uint32_t word = random_bits(11, RANDOM_ROUNDING, TENSOR, draw, 5).v[(offset + i) % 4];
            assert_int_equal(m[i], (bits_of(gradient[i]) + (word & 0xffff)) >> 16);
            assert_int_equal(v[i], (bits_of(gradient[i] * gradient[i]) + (word >> 16)) >> 16);
        }
    }
}

// A number goes up with probability p, its share of the way to the next bf16; the mean of n of them has a standard
// deviation of step · sqrt(p (1 - p) / n). In [1, 2) a step is 2^-7.
static void rounding_is_right_in_the_mean(void **state)
{
    enum { N = 4096, SEEDS = 64 };
    static const float shares[] = {0.001f, 0.1f, 0.5f, 0.75f, 0.999f};
    static float weights[N], gradient[N];
    static uint16_t m[N], v[N];
    const Kernels *k = kernels_open("cpu", 2);
    for (int x = 0; x < 5; x++) {
        float first = 1 + shares[x] * 0x1p-7f, second = first * first;
        double sum_m = 0, sum_v = 0, share_v = fmod((double)second, 0x1p-7) * 0x1p7;
        for (int i = 0; i < N; i++)
            gradient[i] = first;
        AdamW settings = FORGETFUL;
        for (settings.seed = 0; settings.seed < SEEDS; settings.seed++) {
            k->adamw(NULL, weights, weights, m, v, gradient, N, &settings, 0, 0);
            for (int i = 0; i < N; i++) {
                sum_m += (double)widened(m[i]);
                sum_v += (double)widened(v[i]);
            }
        }
        double n = (double)N * SEEDS, p = shares[x];
        assert_true(fabs(sum_m / n - (double)first) <= 4 * 0x1p-7 * sqrt(p * (1 - p) / n));
        assert_true(fabs(sum_v / n - (double)second) <= 4 * 0x1p-7 * sqrt(share_v * (1 - share_v) / n));
    }
}

// Rounded to nearest, v would stop at the first step that is smaller than half of its last bit: at a quarter of g².
// After 5,000 steps it should be (1 - 0.999^5000) g² = 0.9933 g². One element's error is stationary noise, a random
// walk of steps below v/128 · 1/2 that is pulled back by a thousandth: 0.004 / sqrt(2 · 0.001) = 0.09 of v; the mean of
// 1,024, four times: 0.011.
static void a_second_moment_does_not_stand_still(void **state)
{
    enum { N = 1024, STEPS = 5000 };
    static float weights[N], gradient[N];
    static uint16_t m[N], v[N];
    const Kernels *k = kernels_open("cpu", 2);
    AdamW settings = FORGETFUL;
    settings.beta2 = 0.999;
    for (int i = 0; i < N; i++)
        gradient[i] = 1;
    for (settings.step = 1; settings.step <= STEPS; settings.step++)
        k->adamw(NULL, weights, weights, m, v, gradient, N, &settings, 0, 0);
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += (double)widened(v[i]);
    assert_true(fabs(sum / N - 0.9933) <= 0.011);
}

typedef struct State {
    float weights[COUNT];
    uint16_t m[COUNT], v[COUNT];
} State;

static void three_steps(const Kernels *k, State *s, const float *gradient, const int *cuts, int parts)
{
    AdamW settings = {1e-3, 0.9, 0.999, 1e-8, 0.1, 0.5, 1, true, 7};
    fill_random(s->weights, COUNT, 2);
    memset(s->m, 0, sizeof s->m);
    memset(s->v, 0, sizeof s->v);
    for (settings.step = 1; settings.step <= 3; settings.step++)
        for (int p = 0; p < parts; p++) {
            int at = cuts[p];
            k->adamw(NULL, s->weights + at, s->weights + at, s->m + at, s->v + at, gradient + at, cuts[p + 1] - at,
                     &settings, TENSOR, at);
        }
}

static void a_tensor_in_pieces_gets_the_same_bits(void **state)
{
    static State whole, pieces;
    const int one[] = {0, COUNT}, many[] = {0, 1, 6, 16, 23, 333, 800, COUNT};
    float *gradient = random_floats(COUNT, 3);
    for (int s = 0; s < SET_COUNT; s++) {
        const Kernels *k = backend(SETS[s]);
        if (k == NULL)
            continue;
        three_steps(k, &whole, gradient, one, 1);
        three_steps(k, &pieces, gradient, many, 7);
        assert_memory_equal(&whole, &pieces, sizeof whole);
    }
    free(gradient);
}

static void what_is_not_finite_stays_so(void **state)
{
    static float weights[64], gradient[64];
    static uint16_t m[64], v[64];
    const uint32_t all_ones = 0x7fffffff; // a NaN to which nothing may be added
    for (int i = 0; i < 64; i++)
        gradient[i] = i % 2 == 0 ? INFINITY : 0;
    for (int i = 1; i < 64; i += 2)
        memcpy(&gradient[i], &all_ones, sizeof all_ones);
    for (int s = 0; s < SET_COUNT; s++) {
        const Kernels *k = backend(SETS[s]);
        if (k == NULL)
            continue;
        memset(m, 0, sizeof m);
        memset(v, 0, sizeof v);
        AdamW settings = FORGETFUL;
        settings.beta1 = 0.9;
        settings.beta2 = 0.999;
        k->adamw(NULL, weights, weights, m, v, gradient, 64, &settings, 0, 0);
        for (int i = 0; i < 64; i++)
            assert_true(i % 2 == 0 ? isinf(widened(m[i])) && isinf(widened(v[i]))
                                   : isnan(widened(m[i])) && isnan(widened(v[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_element_rounds_with_its_own_word),  cmocka_unit_test(rounding_is_right_in_the_mean),
        cmocka_unit_test(a_second_moment_does_not_stand_still), cmocka_unit_test(a_tensor_in_pieces_gets_the_same_bits),
        cmocka_unit_test(what_is_not_finite_stays_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
