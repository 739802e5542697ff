// A policy so small that all of its responses can be counted: two tokens over a vocabulary of five, with a table of logits for the first, and
// one for the second after each first. The exact gradient of the expected reward is a sum over 25 responses; what advantages and
// objective make of samples is an estimate of it, and approaches it as 1/√n.
#include "base/philox.h"
#include "rl/advantage.h"
#include "rl/objective.h"
#include "test/support/check.h"
#include <math.h>
#include <string.h>

enum { V = 5, G = 4, PARAMETERS = V + V * V, SEEDS = 8 };

typedef struct Toy {
    double logits[PARAMETERS]; // of the first token; then of the second, after each first
    double reward[V][V];
} Toy;

static Toy make_toy(void)
{
    Toy toy;
    for (int i = 0; i < PARAMETERS; i++)
        toy.logits[i] = 2 * random_uniform_double(random_bits(5, RANDOM_DEMO, 0, (uint32_t)i, 0).v[0], 0) - 1;
    for (int a = 0; a < V; a++)
        for (int b = 0; b < V; b++)
            toy.reward[a][b] = (a + 2 * b) % 3 == 0; // some are right
    return toy;
}

static void probabilities(double p[V], const double *logits)
{
    double sum = 0;
    for (int v = 0; v < V; v++)
        sum += p[v] = exp(logits[v]);
    for (int v = 0; v < V; v++)
        p[v] /= sum;
}

static const double *second(const Toy *toy, int first) { return toy->logits + V + first * V; }

// d (scale · ln p(a, b)) / d logits, added
static void add_score(double gradient[PARAMETERS], const Toy *toy, int a, int b, double first_scale, double second_scale)
{
    double p[V], q[V];
    probabilities(p, toy->logits);
    probabilities(q, second(toy, a));
    for (int v = 0; v < V; v++) {
        gradient[v] += first_scale * ((v == a) - p[v]);
        gradient[V + a * V + v] += second_scale * ((v == b) - q[v]);
    }
}

static void exact_gradient(double gradient[PARAMETERS], const Toy *toy) // of minus the expected reward: a loss
{
    double p[V], q[V];
    memset(gradient, 0, PARAMETERS * sizeof *gradient);
    probabilities(p, toy->logits);
    for (int a = 0; a < V; a++) {
        probabilities(q, second(toy, a));
        for (int b = 0; b < V; b++)
            add_score(gradient, toy, a, b, -p[a] * q[b] * toy->reward[a][b], -p[a] * q[b] * toy->reward[a][b]);
    }
}

static int draw(const double p[V], uint64_t seed, uint32_t group, uint32_t place)
{
    Philox bits = random_bits(seed, RANDOM_TOKEN, group, place, 0);
    double u = random_uniform_double(bits.v[0], bits.v[1]);
    int v = 0;
    while (v < V - 1 && u >= p[v])
        u -= p[v++];
    return v;
}

// One group's estimate: G responses, their advantages, and the objective's derivatives at ratio 1, a mean over responses.
static void group_gradient(double gradient[PARAMETERS], const Toy *toy, const AdvantageRule *rule, uint64_t seed, uint32_t group)
{
    double rewards[G], advantage[G], p[V], q[V];
    int64_t tokens[G];
    int responses[G][2];
    Objective o = {.loss = LOSS_CLIP, .clip_low = .2, .clip_high = .2, .dual_clip = 3};
    memset(gradient, 0, PARAMETERS * sizeof *gradient);
    probabilities(p, toy->logits);
    for (int k = 0; k < G; k++) {
        int a = responses[k][0] = draw(p, seed, group, (uint32_t)(2 * k));
        probabilities(q, second(toy, a));
        responses[k][1] = draw(q, seed, group, (uint32_t)(2 * k + 1));
        rewards[k] = toy->reward[a][responses[k][1]];
        tokens[k] = 2;
    }
    advantages(advantage, rewards, tokens, 1, G, rule);
    for (int k = 0; k < G; k++) {
        probabilities(q, second(toy, responses[k][0]));
        const float lp[2] = {(float)log(p[responses[k][0]]), (float)log(q[responses[k][1]])};
        float loss[2], dlp[2];
        ObjectiveCounts counts = {0};
        ResponseTokens r = {.count = 2, .advantage = advantage[k], .lp = lp, .old = lp};
        objective(loss, dlp, &r, &o, &counts);
        add_score(gradient, toy, responses[k][0], responses[k][1], (double)dlp[0] / G, (double)dlp[1] / G);
    }
}

typedef struct Estimate {
    double mean[PARAMETERS], variance[PARAMETERS]; // of the mean
} Estimate;

static Estimate estimate(const Toy *toy, const AdvantageRule *rule, uint64_t seed, int n)
{
    Estimate e = {0};
    double squares[PARAMETERS] = {0};
    for (int i = 0; i < n; i++) {
        double one[PARAMETERS];
        group_gradient(one, toy, rule, seed, (uint32_t)i);
        for (int j = 0; j < PARAMETERS; j++) {
            e.mean[j] += one[j] / n;
            squares[j] += one[j] * one[j] / n;
        }
    }
    for (int j = 0; j < PARAMETERS; j++)
        e.variance[j] = (squares[j] - e.mean[j] * e.mean[j]) / (n - 1);
    return e;
}

// Mean over seeds and parameters of (error / its standard deviation)²: expected 1. Squares of standard normal numbers have variance 2, and
// 24 of the 30 parameters of a seed are free (each row of logits has a gradient that sums to zero), so the mean over S seeds is within
// 1 ± 5·√(2 / 24·S): at 8 seeds, 1 ± 0.52. The gradient must be known that well, or it is another one.
static double misfit(const Toy *toy, const AdvantageRule *rule, double scale, int n, double *error)
{
    double exact[PARAMETERS], sum = 0;
    exact_gradient(exact, toy);
    *error = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        Estimate e = estimate(toy, rule, 100 * (uint64_t)n + seed, n);
        for (int j = 0; j < PARAMETERS; j++) {
            double d = e.mean[j] - scale * exact[j];
            sum += d * d / e.variance[j] / (PARAMETERS * SEEDS);
            *error += d * d / SEEDS;
        }
    }
    *error = sqrt(*error); // of the whole vector, in the mean square
    return sum;
}

static const double SPREAD = 0.52;

static void check_rule(const char *name, AdvantageKind kind, double scale)
{
    AdvantageRule rule = {.kind = kind, .deviation = DEVIATION_NONE};
    Toy toy = make_toy();
    double before = 0, error;
    for (int n = 256; n <= 65536; n *= 16) {
        double fit = misfit(&toy, &rule, scale, n, &error);
        print_message("%s, %5d groups: error %.5f, (error / deviation)^2 %.3f\n", name, n, error, fit);
        if (fabs(fit - 1) > SPREAD)
            fail_msg("%s, %d groups: squared errors are %.3f of their variance", name, n, fit);
        // the root of a quotient of two means, each within 1 ± SPREAD, times 4
        if (before > 0 &&
            (before / error < 4 * sqrt((1 - SPREAD) / (1 + SPREAD)) || before / error > 4 * sqrt((1 + SPREAD) / (1 - SPREAD))))
            fail_msg("%s: sixteen times the groups and the error falls by %.2f, not 4", name, before / error);
        before = error;
    }
}

// RLOO's baseline does not know the response, so the estimate has no bias.
static void rloo_approaches_the_exact_gradient(void **state) { check_rule("RLOO", ADVANTAGE_RLOO, 1); }

// The mean of a group has the response itself in it, which takes 1/G of the gradient away, and nothing else.
static void dr_grpo_approaches_all_of_it_but_a_share(void **state)
{
    check_rule("Dr. GRPO", ADVANTAGE_DR_GRPO, (double)(G - 1) / G);
}

// A wrong scale would be seen: that of the one is not that of the other.
static void another_gradient_is_told_apart(void **state)
{
    AdvantageRule rule = {.kind = ADVANTAGE_DR_GRPO};
    Toy toy = make_toy();
    double error;
    assert_true(misfit(&toy, &rule, 1, 65536, &error) > 1 + 10 * SPREAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rloo_approaches_the_exact_gradient),
        cmocka_unit_test(dr_grpo_approaches_all_of_it_but_a_share),
        cmocka_unit_test(another_gradient_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
