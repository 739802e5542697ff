// Whether advantages and objective make an estimate of the gradient that they are said to: a policy so small that its
// 25 responses can be enumerated, and with them the gradient of its expected reward. Samples are drawn by name, so the
// statistics are always the same.
#include "test/support/check.h"
#include "rl/objective.h"
#include "test/support/rollouts.h"

enum {
    V = 5,                  // tokens; a response has two
    PARAMETERS = V + V * V, // logits of the first, and of the second after each first
    SAMPLES = 4,
    BLOCK = 256, // groups whose sums are kept together
    BLOCKS = 256,
    SEEDS = 8,
};

typedef struct Policy {
    double first[V], second[V][V]; // probabilities
    double reward[V][V];
    double gradient[PARAMETERS]; // of the expected reward
} Policy;

static double uniform(uint32_t what, uint32_t i)
{
    Philox bits = random_bits(5, RANDOM_DEMO, what, i, 0);
    return random_uniform_double(bits.v[0], bits.v[1]);
}

static void
draw_distribution(double *p,
                  uint32_t what) // logits in (-1, 1): no token is so rare that 1,024 responses don't have it
{
    double sum = 0;
    for (uint32_t v = 0; v < V; v++)
        sum += p[v] = exp(2 * uniform(what, v) - 1);
    for (int v = 0; v < V; v++)
        p[v] /= sum;
}

// Adds scale · d log p(a, b) / d logits.
static void add_score(double *gradient, const Policy *p, int a, int b, double scale_first, double scale_second)
{
    for (int v = 0; v < V; v++) {
        gradient[v] += scale_first * ((double)(v == a) - p->first[v]);
        gradient[V + a * V + v] += scale_second * ((double)(v == b) - p->second[a][v]);
    }
}

static void make_policy(Policy *p)
{
    *p = (Policy){0};
    draw_distribution(p->first, 0);
    for (int a = 0; a < V; a++) {
        draw_distribution(p->second[a], 1 + (uint32_t)a);
        for (int b = 0; b < V; b++) {
            p->reward[a][b] = 2 * uniform(10, (uint32_t)(a * V + b)) - 0.5;
            double weight = p->first[a] * p->second[a][b] * p->reward[a][b];
            add_score(p->gradient, p, a, b, weight, weight);
        }
    }
}

static int sampled_token(const double *p, double u)
{
    int v = 0;
    for (; v < V - 1 && u >= p[v]; v++)
        u -= p[v];
    return v;
}

// ---- estimates

// What one group says of the gradient: the mean over its responses of -dlp · d lp / d logits, at ratio 1 as in a first
// update.
static void group_estimate(double *estimate, const Policy *p, AdvantageOptions rule, uint64_t seed, uint64_t group)
{
    static const Objective objective_of_it = {.loss = LOSS_CLIP, .clip_low = .2, .clip_high = .2, .dual_clip = 3};
    double rewards[SAMPLES], advantage[SAMPLES];
    int64_t lengths[SAMPLES];
    int a[SAMPLES], b[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        a[i] = sampled_token(p->first, random_of_token(seed, group, i, 0));
        b[i] = sampled_token(p->second[a[i]], random_of_token(seed, group, i, 1));
        rewards[i] = p->reward[a[i]][b[i]];
        lengths[i] = 2;
    }
    advantages_of(advantage, rewards, lengths, 1, SAMPLES, rule);
    memset(estimate, 0, PARAMETERS * sizeof *estimate);
    for (int i = 0; i < SAMPLES; i++) {
        float loss[2], dlp[2], lp[2] = {(float)log(p->first[a[i]]), (float)log(p->second[a[i]][b[i]])};
        ObjectiveCounts counts = {0};
        objective(loss, dlp, &(ResponseTokens){.count = 2, .advantage = advantage[i], .lp = lp, .old = lp},
                  &objective_of_it, &counts);
        add_score(estimate, p, a[i], b[i], -(double)dlp[0] / SAMPLES, -(double)dlp[1] / SAMPLES);
    }
}

typedef struct Sums {
    int64_t groups;
    double sum[PARAMETERS], squares[PARAMETERS];
} Sums;

static void add_sums(Sums *to, const Sums *from)
{
    to->groups += from->groups;
    for (int k = 0; k < PARAMETERS; k++)
        to->sum[k] += from->sum[k], to->squares[k] += from->squares[k];
}

// The largest |mean - wanted| in standard errors of its own samples; *square: |mean - wanted|².
static double distance(const Sums *s, const double *wanted, double *square)
{
    double n = (double)s->groups, largest = 0;
    *square = 0;
    for (int k = 0; k < PARAMETERS; k++) {
        double error = s->sum[k] / n - wanted[k], variance = (s->squares[k] - s->sum[k] * s->sum[k] / n) / (n - 1);
        *square += error * error;
        largest = fmax(largest, fabs(error) / sqrt(variance / n));
    }
    return largest;
}

static Sums sums[SEEDS][BLOCKS];
static double products[PARAMETERS][PARAMETERS]; // over the groups of the first seed

static void sample_estimates(const Policy *p, AdvantageOptions rule, int seeds)
{
    memset(sums, 0, sizeof sums);
    memset(products, 0, sizeof products);
    for (int s = 0; s < seeds; s++)
        for (int g = 0; g < BLOCK * BLOCKS; g++) {
            double x[PARAMETERS];
            Sums *to = &sums[s][g / BLOCK];
            group_estimate(x, p, rule, (uint64_t)s, (uint64_t)g);
            to->groups++;
            for (int k = 0; k < PARAMETERS; k++) {
                to->sum[k] += x[k];
                to->squares[k] += x[k] * x[k];
                for (int j = 0; s == 0 && j <= k; j++)
                    products[k][j] += x[k] * x[j];
            }
        }
}

// The degrees of freedom of |error|², (tr C)² / tr C² with C the estimates' covariance: the chi-square that has its
// mean and variance (Satterthwaite). Less than 24, the rank: softmax's gradients add up to 0 in each of six rows.
static double degrees_of_freedom(void)
{
    Sums all = {0};
    for (int b = 0; b < BLOCKS; b++)
        add_sums(&all, &sums[0][b]);
    double trace = 0, trace_of_square = 0, n = (double)all.groups;
    for (int k = 0; k < PARAMETERS; k++)
        for (int j = 0; j <= k; j++) {
            double c = products[k][j] / n - all.sum[k] * all.sum[j] / (n * n);
            trace += j == k ? c : 0;
            trace_of_square += (j == k ? 1 : 2) * c * c;
        }
    return trace * trace / trace_of_square;
}

// Of each seed the first n groups: 8 seeds, 3 sizes and 30 components are 720 normal deviations, one of which is beyond
// 5 with a probability of at most 720 · 5.7e-7, whatever their correlation. If none is, |error|² <= 25 · Σ (standard
// error)² as well. dlp's float, 2^-24 of it, is a hundred thousand times less than any of this.
//
// |error|² averaged over the m estimates that there are of a size is a chi-square of m · freedom degrees: its relative
// deviation is sqrt(2 / (m · freedom)), half of that for the root. Two sizes' add up in squares (they share groups,
// which moves both the same way); four deviations are allowed.
static void expect_gradient(AdvantageOptions rule, double scale)
{
    Policy p;
    double wanted[PARAMETERS], rms[3], m[3], square;
    make_policy(&p);
    for (int k = 0; k < PARAMETERS; k++)
        wanted[k] = scale * p.gradient[k];
    sample_estimates(&p, rule, SEEDS);
    double freedom = degrees_of_freedom();
    assert_true(freedom > 1 && freedom < 24);
    for (int size = 0, blocks = 1; size < 3; size++, blocks *= 16) {
        double total = 0;
        m[size] = (double)SEEDS * BLOCKS / blocks;
        for (int s = 0; s < SEEDS; s++)
            for (int b = 0; b < BLOCKS; b += blocks) {
                Sums estimate = {0};
                for (int i = 0; i < blocks; i++)
                    add_sums(&estimate, &sums[s][b + i]);
                double away = distance(&estimate, wanted, &square);
                if (b == 0 && !(away < 5))
                    fail_msg("seed %d, %d groups: a component is %.2f standard errors away", s, blocks * BLOCK, away);
                total += square;
            }
        rms[size] = sqrt(total / m[size]);
    }
    for (int size = 0; size < 2; size++) {
        double factor = rms[size] / rms[size + 1], band = 4 * 0.5 * sqrt(2 / freedom * (1 / m[size] + 1 / m[size + 1]));
        if (!(fabs(factor / 4 - 1) < band))
            fail_msg("16 times the groups make the error %.3f times smaller, and not 4 (1 +- %.3f)", factor, band);
    }
}

static void rloo_is_the_gradient_of_the_expected_reward(void **state)
{
    expect_gradient(advantage_rule(ADVANTAGE_RLOO, DEVIATION_UNBIASED, 0), 1);
}

// r - mean = (G - 1) / G · (r - mean of the others)
static void dr_grpo_is_that_but_for_the_sample_in_its_own_mean(void **state)
{
    expect_gradient(advantage_rule(ADVANTAGE_DR_GRPO, DEVIATION_UNBIASED, 0), (double)(SAMPLES - 1) / SAMPLES);
}

// The same samples tell them apart: divided by the group's deviation they are another objective's gradient (Liu et al.
// 2025, section 3), so that no multiple of the expected reward's is within 5 standard errors. It also shows what an
// error of that kind would look like here.
static void grpo_is_not_at_any_scale(void **state)
{
    Policy p;
    Sums all = {0};
    make_policy(&p);
    sample_estimates(&p, advantage_rule(ADVANTAGE_GRPO, DEVIATION_UNBIASED, 1e-6), 1);
    for (int b = 0; b < BLOCKS; b++)
        add_sums(&all, &sums[0][b]);
    for (double scale = 0.25; scale < 8; scale *= 1.002) {
        double wanted[PARAMETERS], square;
        for (int k = 0; k < PARAMETERS; k++)
            wanted[k] = scale * p.gradient[k];
        assert_true(distance(&all, wanted, &square) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rloo_is_the_gradient_of_the_expected_reward),
        cmocka_unit_test(dr_grpo_is_that_but_for_the_sample_in_its_own_mean),
        cmocka_unit_test(grpo_is_not_at_any_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
