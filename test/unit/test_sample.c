// The sampler: its log-probabilities are the head's to the bit; what it keeps under top_k, top_p and min_p, and how
// often each token is drawn, agree with the distribution as formulas in double precision have it.
#include "test/support/check.h"
#include "test/support/backends.h"

enum {
    C = 6,
    V = 2600,
    LIVE = 2500,
    ROWS = 70
}; // three blocks of columns, the last one short; more rows than are whole at a time

static float *weights, *hidden; // (V, C), (C)

static int setup(void **state)
{
    weights = random_floats(V * C, 1), hidden = random_floats(C, 2);
    for (int i = 0; i < C; i++)
        hidden[i] *= 6; // some hundred tokens have most of the probability
    return 0;
}

static const Kernels *cpu(void) { return kernels_open("cpu", 1); } // tiny rows: a second thread would only wait

// The logits as the head makes them: chains of fused multiply-adds.
static float logit(int v)
{
    float z = 0;
    for (int i = 0; i < C; i++)
        z = fmaf(hidden[i], weights[v * C + i], z);
    return z;
}

typedef struct Draws {
    int32_t token[ROWS];
    float logprob[ROWS], processed[ROWS], entropy[ROWS];
} Draws;

// The same hidden state in every row; how[r] says how each is sampled.
static void sample(const Kernels *k, Draws *d, const SampleRow how[ROWS], int64_t n_live)
{
    static float x[ROWS * C];
    for (int r = 0; r < ROWS; r++)
        memcpy(x + r * C, hidden, C * sizeof(float));
    float *work = allocate((size_t)k->sample_workspace(ROWS, V), sizeof *work);
    assert_non_null(work);
    k->head_sample(NULL, d->token, d->logprob, d->processed, d->entropy, dense(x, ROWS, C), dense(weights, V, C), how,
                   n_live, work);
    free(work);
}

// ---- the distribution, in double precision

typedef struct Distribution {
    double p[LIVE];    // of the kept ones, which sum to 1
    double full[LIVE]; // before anything was left out
} Distribution;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void keep_from(double *p, double limit)
{
    double sum = 0;
    for (int v = 0; v < LIVE; v++)
        sum += p[v] = p[v] >= limit ? p[v] : 0;
    for (int v = 0; v < LIVE; v++)
        p[v] /= sum;
}

static void expect(Distribution *d, const SampleRow *how)
{
    static double sorted[LIVE];
    double largest = -1e300, sum = 0;
    for (int v = 0; v < LIVE; v++)
        largest = fmax(largest, logit(v) / how->temperature);
    for (int v = 0; v < LIVE; v++)
        sum += d->full[v] = exp(logit(v) / how->temperature - largest);
    for (int v = 0; v < LIVE; v++)
        d->p[v] = d->full[v] /= sum;
    for (int pass = 0; pass < 2; pass++) { // top_k, then top_p of what is left
        memcpy(sorted, d->p, sizeof sorted);
        qsort(sorted, LIVE, sizeof *sorted, by_size);
        int n = 0;
        if (pass == 0 && how->top_k > 0 && how->top_k < LIVE)
            n = how->top_k - 1;
        for (double reached = sorted[0]; pass == 1 && how->top_p < 1 && reached < how->top_p; reached += sorted[n])
            n++;
        if (n > 0 || (pass == 0 && how->top_k == 1) || (pass == 1 && how->top_p < 1))
            keep_from(d->p, sorted[n]);
    }
    double most = 0;
    for (int v = 0; v < LIVE; v++)
        most = fmax(most, d->p[v]);
    keep_from(d->p, how->min_p * most);
}

// The chi-square statistic that a true distribution exceeds once in a million times (Wilson & Hilferty 1931).
static double limit_of_chi_square(int degrees)
{
    double n = degrees, a = 2 / (9 * n);
    return n * pow(1 - a + 4.7534 * sqrt(a), 3);
}

// Tokens expected fewer than ten times are counted together.
static void assert_distribution(const int64_t *seen, const double *p, int64_t draws, const char *what)
{
    double statistic = 0, rare = 0;
    int64_t rare_seen = 0;
    int cells = 0;
    for (int v = 0; v < LIVE; v++) {
        double expected = p[v] * (double)draws;
        if (expected < 10) {
            rare += expected;
            rare_seen += seen[v];
            continue;
        }
        statistic += (seen[v] - expected) * (seen[v] - expected) / expected;
        cells++;
    }
    if (rare > 1) {
        statistic += (rare_seen - rare) * (rare_seen - rare) / rare;
        cells++;
    }
    double limit = cells > 1 ? limit_of_chi_square(cells - 1) : 1e-9;
    print_message("%s: chi-square %.1f of %d cells, limit %.1f\n", what, statistic, cells, limit);
    if (!(statistic <= limit))
        fail_msg("%s: chi-square %.1f of %d cells, limit %.1f", what, statistic, cells, limit);
}

typedef struct Setting {
    const char *name;
    float temperature;
    int32_t top_k;
    float top_p, min_p;
} Setting;

static const Setting SETTINGS[] = {
    {"temperature 1", 1, 0, 1, 0},
    {"temperature 0.6", 0.6f, 0, 1, 0},
    {"temperature 1.5", 1.5f, 0, 1, 0},
    {"top_k 1", 1, 1, 1, 0},
    {"top_k 7", 1, 7, 1, 0},
    {"top_k 1000", 1, 1000, 1, 0},
    {"top_p 0.3", 1, 0, 0.3f, 0},
    {"top_p 0.95", 1, 0, 0.95f, 0},
    {"top_p 0", 1, 0, 0, 0},
    {"min_p 0.1", 1, 0, 1, 0.1f},
    {"top_k 20, top_p 0.8", 0.7f, 20, 0.8f, 0},
    {"all of them", 1.2f, 60, 0.9f, 0.05f},
    {"top_k of all", 1, 1 << 30, 1, 0},
};

static SampleRow row_of(const Setting *s)
{
    return (SampleRow){
        .seed = 11, .temperature = s->temperature, .top_k = s->top_k, .top_p = s->top_p, .min_p = s->min_p};
}

// Each draw has a name of its own: sample, position, request and seed take turns in telling them apart.
static void name_draws(SampleRow how[ROWS], const Setting *s, int call)
{
    for (int r = 0; r < ROWS; r++) {
        int n = call * ROWS + r;
        how[r] = row_of(s);
        how[r].sample = n % 8;
        how[r].position = n / 8 % 16;
        how[r].request = (uint64_t)(n / 128 % 16) << 32 | (uint64_t)(n / 2048 % 2);
        how[r].seed += (uint64_t)(n / 4096) << 30;
    }
}

static void tokens_are_drawn_as_often_as_their_distribution_says(void **state)
{
    enum { CALLS = 150 };
    static Distribution d;
    static SampleRow how[ROWS];
    static Draws draws;
    for (size_t i = 0; i < (is_brief() ? 2 : sizeof SETTINGS / sizeof *SETTINGS); i++) {
        static int64_t seen[LIVE];
        memset(seen, 0, sizeof seen);
        SampleRow setting = row_of(&SETTINGS[i]);
        expect(&d, &setting);
        for (int call = 0; call < CALLS; call++) {
            name_draws(how, &SETTINGS[i], call);
            sample(cpu(), &draws, how, LIVE);
            for (int r = 0; r < ROWS; r++) {
                int32_t v = draws.token[r];
                assert_true(v >= 0 && v < LIVE);
                seen[v]++;
                if (d.p[v] == 0)
                    fail_msg("%s: token %d was drawn, and is not kept", SETTINGS[i].name, v);
                // logits of some 20 are off by 6 · 20 · 2^-24, sums of 2,500 terms by less
                assert_true(fabs(draws.logprob[r] - log(d.full[v])) < 2e-5);
                assert_true(fabs(draws.processed[r] - log(d.p[v])) < 2e-5);
            }
        }
        assert_distribution(seen, d.p, CALLS * ROWS, SETTINGS[i].name);
    }
}

static void its_logprob_is_the_heads_to_the_bit(void **state)
{
    const float temperatures[] = {1, 0.6f, 1.5f};
    static SampleRow how[ROWS];
    static Draws draws;
    static float x[ROWS * C], logprob[ROWS], entropy[ROWS], logsumexp[ROWS];
    const Kernels *k = cpu();
    float *work = allocate((size_t)k->head_workspace(ROWS, V, C), sizeof *work);
    for (int r = 0; r < ROWS; r++)
        memcpy(x + r * C, hidden, C * sizeof(float));
    for (int t = 0; t < 3; t++) {
        name_draws(how, &(Setting){"", temperatures[t], 40, 0.9f, 0}, 0);
        sample(k, &draws, how, LIVE);
        k->head_forward(NULL, logprob, entropy, logsumexp, NULL, dense(x, ROWS, C), dense(weights, V, C), draws.token,
                        temperatures[t], LIVE, work);
        assert_memory_equal(logprob, draws.logprob, sizeof logprob);
        assert_memory_equal(entropy, draws.entropy, sizeof entropy);
    }
    free(work);
}

static void greedy_takes_the_first_of_the_largest_with_temperature_1(void **state)
{
    static SampleRow how[ROWS];
    static Draws draws;
    int best = 0;
    for (int v = 1; v < LIVE; v++)
        if (logit(v) > logit(best))
            best = v;
    float saved[C];
    int again = (best + 1300) % LIVE, first = again < best ? again : best;
    memcpy(saved, weights + again * C, sizeof saved);
    memcpy(weights + again * C, weights + best * C, sizeof saved); // two of one size, in different blocks
    for (int r = 0; r < ROWS; r++)
        how[r] = (SampleRow){.temperature = 0, .top_k = 3, .top_p = 0.5f, .position = r};
    sample(cpu(), &draws, how, LIVE);
    for (int r = 0; r < ROWS; r++)
        assert_int_equal(draws.token[r], first);
    assert_memory_equal(draws.logprob, draws.processed, sizeof draws.logprob);
    memcpy(weights + again * C, saved, sizeof saved);
    Distribution *d = allocate(1, sizeof *d);
    expect(d, &(SampleRow){.temperature = 1, .top_p = 1});
    sample(cpu(), &draws, how, LIVE);
    assert_true(fabs(draws.logprob[0] - log(d->full[best])) < 2e-5);
    free(d);
}

// Three tokens of one size at the limit of top_k 2: none of them is preferred.
static void tokens_as_likely_as_the_last_one_kept_are_kept_too(void **state)
{
    static SampleRow how[ROWS];
    static Draws draws;
    float saved[3][C];
    int best = 0, seen[LIVE] = {0};
    for (int v = 1; v < LIVE; v++)
        if (logit(v) > logit(best))
            best = v;
    for (int i = 0; i < 3; i++) {
        float *row = weights + (i == 0 ? best : (best + i * 900) % LIVE) * C;
        memcpy(saved[i], row, sizeof saved[i]);
        memcpy(row, saved[0], sizeof saved[i]);
    }
    for (int call = 0; call < 4; call++) {
        name_draws(how, &(Setting){"", 1, 2, 1, 0}, call);
        sample(cpu(), &draws, how, LIVE);
        for (int r = 0; r < ROWS; r++) {
            seen[draws.token[r]]++;
            assert_true(fabs(draws.processed[r] - log(1.0 / 3)) < 1e-6);
        }
    }
    for (int i = 0; i < 3; i++) {
        assert_true(seen[(best + i * 900) % LIVE] > 50); // of 280, expected 93
        memcpy(weights + (i == 0 ? best : (best + i * 900) % LIVE) * C, saved[i], sizeof saved[i]);
    }
}

static void columns_behind_the_live_ones_are_never_drawn(void **state)
{
    static SampleRow how[ROWS];
    static Draws draws;
    float *behind = weights + LIVE * C, saved[C];
    memcpy(saved, behind, sizeof saved);
    for (int i = 0; i < C; i++)
        behind[i] = hidden[i] * 100; // by far the largest logit
    const Setting some[] = {{"", 1, 0, 1, 0}, {"", 0, 0, 1, 0}, {"", 1, 10, 0.9f, 0.01f}};
    for (int i = 0; i < 3; i++) {
        name_draws(how, &some[i], 0);
        sample(cpu(), &draws, how, LIVE);
        for (int r = 0; r < ROWS; r++)
            assert_true(draws.token[r] < LIVE && draws.logprob[r] <= 0);
    }
    memcpy(behind, saved, sizeof saved);
}

// A model that has diverged: some token comes out, and its log-probability says so.
static void logits_that_are_not_finite_give_a_token_and_no_finite_logprob(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    static SampleRow how[ROWS];
    static Draws draws;
    float kept = hidden[0];
    for (int b = 0; b < 3; b++)
        for (int i = 0; i < 3; i++) {
            const Setting some[] = {{"", 1, 0, 1, 0}, {"", 0, 0, 1, 0}, {"", 1, 10, 0.9f, 0.01f}};
            hidden[0] = bad[b];
            name_draws(how, &some[i], 0);
            sample(cpu(), &draws, how, LIVE);
            for (int r = 0; r < ROWS; r++) {
                assert_true(draws.token[r] >= 0 && draws.token[r] < LIVE);
                assert_false(isfinite(draws.logprob[r]));
            }
        }
    hidden[0] = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_drawn_as_often_as_their_distribution_says),
        cmocka_unit_test(its_logprob_is_the_heads_to_the_bit),
        cmocka_unit_test(greedy_takes_the_first_of_the_largest_with_temperature_1),
        cmocka_unit_test(tokens_as_likely_as_the_last_one_kept_are_kept_too),
        cmocka_unit_test(columns_behind_the_live_ones_are_never_drawn),
        cmocka_unit_test(logits_that_are_not_finite_give_a_token_and_no_finite_logprob),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
