// Losses and their gradients with respect to the logits, against PyTorch's automatic differentiation of verl's and TRL's formulas in fp64
// (dev/reference/make_losses.py): every loss, aggregation and KL, with entropy bonus, temperature, dual clip and importance weights.
#include "base/json.h"
#include "rl/advantage.h"
#include "rl/objective.h"
#include "test/support/check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESPONSES = 6, TOKENS = 8, VOCABULARY = 5 };

// What is fp32 here and fp64 there: the log-probability of a token, to 2^-24 · |lp|, |lp| < 16, and so its ratio, below e^0.3 wherever
// it is not clipped; the token's loss and its derivative, to 2^-24 of themselves; all of it times weights that add up to 1 and advantages
// below 2. In all less than 4e-7 of the largest; logits, weights and sums are doubles.
static const double BOUND = 1e-6;

typedef struct Row {
    int64_t count;
    double logits[TOKENS][VOCABULARY], advantage;
    int64_t targets[TOKENS];
    float old[TOKENS], reference[TOKENS], sampled[TOKENS];
} Row;

static json_t *root;
static Row rows[RESPONSES];

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void read_floats(float *out, const json_t *object, const char *key, int64_t count)
{
    const json_t *list = json_object_get(object, key);
    assert_int_equal(json_array_size(list), count);
    for (int64_t i = 0; i < count; i++) {
        double value = json_number_value(json_array_get(list, (size_t)i));
        out[i] = (float)value;
        assert_true((double)out[i] == value); // it was recorded in fp32
    }
}

static int start(void **state)
{
    root = json_read("test/fixtures/losses/losses.json", 1 << 20);
    const json_t *list = json_object_get(root, "responses");
    if (root == NULL || json_array_size(list) != RESPONSES)
        return -1;
    for (int i = 0; i < RESPONSES; i++) {
        const json_t *one = json_array_get(list, (size_t)i), *targets = json_object_get(one, "targets"),
                     *logits = json_object_get(one, "logits");
        Row *r = &rows[i];
        r->count = (int64_t)json_array_size(targets);
        r->advantage = number(one, "advantage");
        for (int64_t t = 0; t < r->count; t++) {
            r->targets[t] = json_integer_value(json_array_get(targets, (size_t)t));
            for (int v = 0; v < VOCABULARY; v++)
                r->logits[t][v] = json_number_value(json_array_get(logits, (size_t)(t * VOCABULARY + v)));
        }
        read_floats(r->old, one, "old", r->count);
        read_floats(r->reference, one, "reference", r->count);
        read_floats(r->sampled, one, "sampled", r->count);
    }
    return 0;
}

static int stop(void **state)
{
    json_decref(root);
    return 0;
}

static int place(const json_t *c, const char *key, const char *const *names)
{
    const char *name = json_string_value(json_object_get(c, key));
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    fail_msg("%s: %s is not known", key, name);
    return -1;
}

static Objective objective_of(const json_t *c)
{
    return (Objective){.loss = (PolicyLoss)place(c, "loss", (const char *const[]){"clip", "gspo", "cispo", NULL}),
                       .kl = (KlEstimator)place(c, "kl", (const char *const[]){"k1", "k2", "k3", NULL}),
                       .clip_low = number(c, "clip_low"),
                       .clip_high = number(c, "clip_high"),
                       .dual_clip = number(c, "dual_clip"),
                       .kl_coefficient = number(c, "kl_coef"),
                       .importance_cap = number(c, "importance_cap")};
}

// A token's distribution: ln p of all, and the entropy.
static double softmax(double log_p[VOCABULARY], const double *logits, double temperature)
{
    double largest = -INFINITY, sum = 0, entropy = 0;
    for (int v = 0; v < VOCABULARY; v++)
        largest = fmax(largest, logits[v] / temperature);
    for (int v = 0; v < VOCABULARY; v++)
        sum += exp(logits[v] / temperature - largest);
    for (int v = 0; v < VOCABULARY; v++) {
        log_p[v] = logits[v] / temperature - largest - log(sum);
        entropy -= exp(log_p[v]) * log_p[v];
    }
    return entropy;
}

// As rl/update.c has it: the token's loss, weighted, and the entropy bonus in the same sum; then back through the softmax.
static double response_loss(const Row *r, const json_t *c, double weight, const double *wanted, double *worst,
                            ObjectiveCounts *counts)
{
    Objective o = objective_of(c);
    double temperature = number(c, "temperature"), bonus = number(c, "entropy"), sum = 0, log_p[TOKENS][VOCABULARY],
           entropy[TOKENS];
    float lp[TOKENS], loss[TOKENS], dlp[TOKENS];
    for (int64_t t = 0; t < r->count; t++) {
        entropy[t] = softmax(log_p[t], r->logits[t], temperature);
        lp[t] = (float)log_p[t][r->targets[t]];
    }
    ResponseTokens tokens = {.count = r->count, .advantage = r->advantage, .lp = lp, .old = r->old};
    tokens.reference = o.kl_coefficient != 0 ? r->reference : NULL;
    tokens.sampled = r->sampled;
    objective(loss, dlp, &tokens, &o, counts);
    for (int64_t t = 0; t < r->count; t++) {
        sum += weight * ((double)loss[t] - bonus * entropy[t]);
        for (int v = 0; v < VOCABULARY; v++) {
            double p = exp(log_p[t][v]), dlog = ((v == r->targets[t]) - p) / temperature,
                   dentropy = -p * (log_p[t][v] + entropy[t]) / temperature;
            double got = weight * ((double)dlp[t] * dlog - bonus * dentropy);
            *worst = fmax(*worst, fabs(got - wanted[t * VOCABULARY + v]));
        }
    }
    return sum;
}

static double largest_gradient(const json_t *c)
{
    double largest = 0;
    for (size_t i = 0; i < RESPONSES; i++) {
        const json_t *list = json_array_get(json_object_get(c, "dlogits"), i);
        for (size_t j = 0; j < json_array_size(list); j++)
            largest = fmax(largest, fabs(json_number_value(json_array_get(list, j))));
    }
    return largest;
}

static void check_case(const json_t *c, size_t number_of_case)
{
    static const char *const aggregations[] = {"token-mean", "seq-mean-token-mean", "seq-mean-token-sum-norm", NULL};
    double weights[RESPONSES], sum = 0, worst = 0, wanted[TOKENS * VOCABULARY];
    int64_t counts_of[RESPONSES];
    ObjectiveCounts counts = {0};
    for (int i = 0; i < RESPONSES; i++)
        counts_of[i] = rows[i].count;
    aggregation_weights(weights, counts_of, RESPONSES, (Aggregation)place(c, "aggregation", aggregations),
                        (int64_t)number(root, "longest"));
    for (int i = 0; i < RESPONSES; i++) {
        const json_t *list = json_array_get(json_object_get(c, "dlogits"), (size_t)i);
        for (int64_t j = 0; j < rows[i].count * VOCABULARY; j++)
            wanted[j] = json_number_value(json_array_get(list, (size_t)j));
        sum += response_loss(&rows[i], c, weights[i], wanted, &worst, &counts);
    }
    double value = number(c, "value"), largest = largest_gradient(c);
    if (fabs(sum - value) > BOUND * fmax(1, fabs(value)) || worst > BOUND * fmax(1, largest))
        fail_msg("case %zu: loss %.9g, should be %.9g; a logit's gradient is off by %.3g of %.3g", number_of_case, sum, value,
                 worst, largest);
    if (number(c, "clipped") != (double)counts.clipped || number(c, "clipped_lower") != (double)counts.clipped_lower)
        fail_msg("case %zu: %d tokens are clipped and %d from below, should be %g and %g", number_of_case, (int)counts.clipped,
                 (int)counts.clipped_lower, number(c, "clipped"), number(c, "clipped_lower"));
}

static void losses_and_gradients_are_verls_and_trls(void **state)
{
    const json_t *cases = json_object_get(root, "cases");
    assert_int_equal(json_array_size(cases), 3 * (3 * 4 + 1) + 1);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i), i);
}

// Both in double precision, and the sums of a few dozen numbers: 1e-12.
static void advantages_are_theirs(void **state)
{
    enum { GROUPS = 4, SAMPLES = 6, N = GROUPS * SAMPLES };
    const json_t *g = json_object_get(root, "groups"), *made = json_object_get(g, "advantages");
    const struct {
        const char *name;
        AdvantageRule rule;
    } kinds[] = {{"grpo unbiased", {ADVANTAGE_GRPO, DEVIATION_UNBIASED, 1e-6}},
                 {"grpo population", {ADVANTAGE_GRPO, DEVIATION_POPULATION, 1e-6}},
                 {"grpo none", {ADVANTAGE_GRPO, DEVIATION_NONE, 1e-6}},
                 {"dr-grpo", {ADVANTAGE_DR_GRPO, DEVIATION_UNBIASED, 0}},
                 {"rloo", {ADVANTAGE_RLOO, DEVIATION_UNBIASED, 0}},
                 {"reinforce++", {ADVANTAGE_REINFORCE_PP, DEVIATION_UNBIASED, 0}},
                 {"reinforce++-baseline", {ADVANTAGE_REINFORCE_PP_BASELINE, DEVIATION_UNBIASED, 0}}};
    double rewards[N], got[N];
    int64_t tokens[N];
    for (size_t i = 0; i < N; i++) {
        rewards[i] = json_number_value(json_array_get(json_array_get(json_object_get(g, "rewards"), i / SAMPLES), i % SAMPLES));
        tokens[i] = json_integer_value(json_array_get(json_array_get(json_object_get(g, "tokens"), i / SAMPLES), i % SAMPLES));
    }
    assert_int_equal(json_object_size(made), sizeof kinds / sizeof *kinds);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        advantages(got, rewards, tokens, GROUPS, SAMPLES, &kinds[k].rule);
        for (size_t i = 0; i < N; i++) {
            const json_t *row = json_array_get(json_object_get(made, kinds[k].name), i / SAMPLES);
            double wanted = json_number_value(json_array_get(row, i % SAMPLES));
            if (fabs(got[i] - wanted) > 1e-12 * fmax(1, fabs(wanted)))
                fail_msg("%s: advantage %d is %.17g, should be %.17g", kinds[k].name, (int)i, got[i], wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_gradients_are_verls_and_trls),
        cmocka_unit_test(advantages_are_theirs),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
