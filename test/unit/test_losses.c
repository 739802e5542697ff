// From logits to the gradient of a loss, and from rewards to advantages, as verl has them: the numbers are PyTorch's in
// fp64 (lab/reference/make_losses.py), and what happens to log-probabilities and derivatives on the way is what
// rl/update.c does.
#include "json/json.h"
#include "rl/objective.h"
#include "test/support/check.h"
#include "test/support/rollouts.h"

static const char *const FIXTURE = "test/fixtures/losses/losses.json";

enum { MOST_RESPONSES = 16, MOST_TOKENS = 32, MOST_VOCABULARY = 16 };

static json_t *fixture_part(json_t *fixture, const char *name)
{
    json_t *part = json_object_get(fixture, name);
    assert_true(json_is_array(part) && json_array_size(part) > 0);
    return part;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text;
    assert_ok(json_need_text(&text, object, key, FIXTURE));
    return text;
}

static double number_of(const json_t *object, const char *key)
{
    double x;
    assert_ok(json_need_number(&x, object, key, -1e9, 1e9, FIXTURE));
    return x;
}

static json_t *row_of(const json_t *object, const char *key, int64_t i, int64_t length)
{
    json_t *row = json_array_get(json_object_get(object, key), (size_t)i);
    assert_int_equal(json_array_size(row), length);
    return row;
}

static double at(const json_t *row, int64_t i) { return json_number_value(json_array_get(row, (size_t)i)); }

static void exact_floats(float *x, const json_t *object, const char *key, int64_t i, int64_t length)
{
    const json_t *row = row_of(object, key, i, length);
    for (int64_t t = 0; t < length; t++)
        x[t] = (float)at(row, t);
}

static int choice_of(const char *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    fail_msg("%s: %s is unknown", FIXTURE, text);
    return -1;
}

// ---- a case: one loss of one batch

static const char *const LOSSES[] = {"clip", "gspo", "cispo"}, *const KLS[] = {"k1", "k2", "k3"},
                         *const AGGREGATION_NAMES[] = {"token-mean", "seq-mean-token-mean", "seq-mean-token-sum-norm"};

typedef struct Token { // what a softmax of logits / temperature says of it, before it is rounded
    double lp, entropy, log_p[MOST_VOCABULARY];
} Token;

typedef struct Case {
    const json_t *said, *batch;
    int64_t vocabulary, responses, tokens[MOST_RESPONSES];
    double weights[MOST_RESPONSES], temperature, entropy_coefficient;
    Aggregation aggregation;
    Objective objective;
    double loss, rounding, gradient_rounding; // rounding: how far float's may have moved them
    ObjectiveCounts counts;
} Case;

static void open_case(Case *c, json_t *fixture, const json_t *said)
{
    *c = (Case){.said = said,
                .batch = json_array_get(fixture_part(fixture, "batches"), (size_t)number_of(said, "batch"))};
    c->vocabulary = (int64_t)number_of(fixture, "vocabulary");
    c->temperature = number_of(c->batch, "temperature");
    c->entropy_coefficient = number_of(said, "entropy_coefficient");
    c->objective = (Objective){.loss = (PolicyLoss)choice_of(text_of(said, "loss"), LOSSES, 3),
                               .clip_low = number_of(said, "clip_low"),
                               .clip_high = number_of(said, "clip_high"),
                               .dual_clip = number_of(said, "dual_clip"),
                               .kl_coefficient = number_of(said, "kl_coefficient"),
                               .importance_cap = number_of(said, "importance_cap")};
    if (c->objective.kl_coefficient != 0)
        c->objective.kl = (KlEstimator)choice_of(text_of(said, "kl"), KLS, 3);
    const json_t *tokens = json_object_get(c->batch, "tokens");
    c->responses = (int64_t)json_array_size(tokens);
    assert_true(c->responses > 0 && c->responses <= MOST_RESPONSES && c->vocabulary <= MOST_VOCABULARY);
    for (int64_t i = 0; i < c->responses; i++)
        c->tokens[i] = (int64_t)at(tokens, i);
    c->aggregation = (Aggregation)choice_of(text_of(said, "aggregation"), AGGREGATION_NAMES, 3);
    TrainedCount update = {0};
    for (int64_t i = 0; i < c->responses; i++) {
        update.tokens += c->tokens[i];
        update.responses += c->tokens[i] > 0;
    }
    for (int64_t i = 0; i < c->responses; i++)
        c->weights[i] = token_weight(c->aggregation, c->tokens[i], &update, (int64_t)number_of(fixture, "longest"));
}

static void softmax_token(Token *token, const float *logits, int64_t vocabulary, double temperature, int64_t target)
{
    double most = -INFINITY, sum = 0;
    for (int64_t v = 0; v < vocabulary; v++)
        most = fmax(most, (double)logits[v] / temperature);
    for (int64_t v = 0; v < vocabulary; v++)
        sum += exp((double)logits[v] / temperature - most);
    token->entropy = 0;
    for (int64_t v = 0; v < vocabulary; v++) {
        token->log_p[v] = (double)logits[v] / temperature - most - log(sum);
        token->entropy -= exp(token->log_p[v]) * token->log_p[v];
    }
    token->lp = token->log_p[target];
}

// kernels.h, head_backward
static double logit_derivative(const Token *token, int64_t v, bool target, float dlp, float dentropy,
                               double temperature)
{
    double p = exp(token->log_p[v]);
    return ((double)dlp * ((double)target - p) - (double)dentropy * p * (token->log_p[v] + token->entropy)) /
           temperature;
}

// To first order, of everything that is a float: lp, off by 2^-24 |lp|, moves the loss by its slope and the slope by
// its own (of the policy the slope itself; CISPO's loss is ratio · lp within its band; of k2 1, of k3 exp(reference -
// lp)); loss, dlp and dentropy are rounded once or twice themselves. The sums are asserted to lie below 1e-6, and then
// the differences.
static void add_rounding(Case *c, const ResponseTokens *r, double weight, const float *loss, const float *dlp)
{
    const Objective *o = &c->objective;
    double size = 0; // GSPO's ratio moves by the mean of the response's
    for (int64_t t = 0; t < r->count; t++)
        size = fmax(size, o->loss == LOSS_GSPO ? fabs((double)r->lp[t]) : 0);
    for (int64_t t = 0; t < r->count; t++) {
        double lp = fabs((double)r->lp[t]), moved = fmax(size, lp), kl_slope = 0, kl_bend = 0;
        if (r->reference != NULL) {
            kl_slope = fabs(kl_derivative(o->kl, (double)r->lp[t], (double)r->reference[t]));
            kl_bend = o->kl == KL_K1 || kl_slope == 0 ? 0 : o->kl == KL_K2 ? 1 : 1 + kl_slope;
        }
        double slope = fabs((double)dlp[t]), policy = slope + o->kl_coefficient * kl_slope;
        double ratio = exp((double)r->lp[t] - (double)r->old[t]);
        bool with_lp = o->loss == LOSS_CISPO && ratio > 1 - o->clip_low && ratio < 1 + o->clip_high;
        double steep = policy * (with_lp ? 1 + lp : 1) + o->kl_coefficient * kl_slope;
        double entropy = c->entropy_coefficient * log((double)c->vocabulary);
        c->rounding += 0x1p-24 * weight * (moved * steep + fabs((double)loss[t]) + entropy);
        double bend = moved * (policy + o->kl_coefficient * kl_bend) + 2 * slope + 2 * entropy;
        c->gradient_rounding = fmax(c->gradient_rounding, 0x1p-24 * weight * bend / c->temperature);
    }
}

static void response_loss(Case *c, int64_t i)
{
    int64_t count = c->tokens[i];
    float logits[MOST_TOKENS * MOST_VOCABULARY], lp[MOST_TOKENS], old[MOST_TOKENS], reference[MOST_TOKENS],
        sampled[MOST_TOKENS], loss[MOST_TOKENS], dlp[MOST_TOKENS];
    Token tokens[MOST_TOKENS];
    assert_true(count <= MOST_TOKENS);
    exact_floats(logits, c->batch, "logits", i, count * c->vocabulary);
    exact_floats(old, c->batch, "old", i, count);
    exact_floats(reference, c->batch, "reference", i, count);
    exact_floats(sampled, c->batch, "sampled", i, count);
    const json_t *targets = row_of(c->batch, "targets", i, count),
                 *wanted = row_of(c->said, "dlogits", i, count * c->vocabulary);
    for (int64_t t = 0; t < count; t++) {
        softmax_token(&tokens[t], logits + t * c->vocabulary, c->vocabulary, c->temperature, (int64_t)at(targets, t));
        lp[t] = (float)tokens[t].lp;
    }
    ResponseTokens r = {
        .count = count, .advantage = at(json_object_get(c->batch, "advantages"), i), .lp = lp, .old = old};
    r.reference = c->objective.kl_coefficient != 0 ? reference : NULL;
    r.sampled = sampled;
    objective(loss, dlp, &r, &c->objective, &c->counts);
    double weight = c->weights[i];
    add_rounding(c, &r, weight, loss, dlp);
    for (int64_t t = 0; t < count; t++) {
        c->loss += weight * ((double)loss[t] - c->entropy_coefficient * (double)(float)tokens[t].entropy);
        float dlogprob = (float)(weight * (double)dlp[t]), dentropy = (float)(-weight * c->entropy_coefficient);
        for (int64_t v = 0; v < c->vocabulary; v++) {
            double d = logit_derivative(&tokens[t], v, (double)v == at(targets, t), dlogprob, dentropy, c->temperature);
            if (!(fabs(d - at(wanted, t * c->vocabulary + v)) < 1e-6))
                fail_msg("response %" PRId64 ", token %" PRId64 ", logit %" PRId64
                         ": derivative %.10g instead of %.10g",
                         i, t, v, d, at(wanted, t * c->vocabulary + v));
        }
    }
}

static void losses_and_their_gradients_are_verls(void **state)
{
    json_t *fixture = json_read(FIXTURE, 1 << 20);
    assert_ok(fixture != NULL);
    json_t *said;
    size_t number, seen[3][3][4] = {{{0}}};
    json_array_foreach (fixture_part(fixture, "cases"), number, said) {
        Case c;
        open_case(&c, fixture, said);
        for (int64_t i = 0; i < c.responses; i++)
            response_loss(&c, i);
        if (!(c.rounding < 1e-6 && c.gradient_rounding < 1e-6))
            fail_msg("case %zu: float's rounding is %.3g of the loss, %.3g of the gradient", number, c.rounding,
                     c.gradient_rounding);
        if (!(fabs(c.loss - number_of(said, "value")) < 1e-6))
            fail_msg("case %zu: loss %.10g instead of %.10g", number, c.loss, number_of(said, "value"));
        assert_int_equal(c.counts.clipped, (int64_t)number_of(said, "clipped"));
        assert_int_equal(c.counts.clipped_lower, (int64_t)number_of(said, "clipped_lower"));
        seen[c.objective.loss][c.aggregation][c.objective.kl_coefficient == 0 ? 3 : (int)c.objective.kl]++;
    }
    for (int i = 0; i < 3 * 3 * 4; i++)
        if (seen[i / 12][i / 4 % 3][i % 4] == 0)
            fail_msg("no case of %s, %s and %s", LOSSES[i / 12], AGGREGATION_NAMES[i / 4 % 3],
                     i % 4 == 3 ? "no KL" : KLS[i % 4]);
    json_decref(fixture);
}

// ---- advantages

static AdvantageOptions rule_of(const char *name)
{
    static const char *const names[] = {
        "grpo-unbiased", "grpo-unbiased-trl", "grpo-population",     "grpo-none", "dr-grpo",
        "rloo",          "reinforce++",       "reinforce++-baseline"};
    const AdvantageOptions rules[] = {advantage_rule(ADVANTAGE_GRPO, DEVIATION_UNBIASED, 1e-6),
                                      advantage_rule(ADVANTAGE_GRPO, DEVIATION_UNBIASED, 1e-4),
                                      advantage_rule(ADVANTAGE_GRPO, DEVIATION_POPULATION, 1e-6),
                                      advantage_rule(ADVANTAGE_GRPO, DEVIATION_NONE, 1e-6),
                                      advantage_rule(ADVANTAGE_DR_GRPO, DEVIATION_UNBIASED, 0),
                                      advantage_rule(ADVANTAGE_RLOO, DEVIATION_UNBIASED, 0),
                                      advantage_rule(ADVANTAGE_REINFORCE_PP, DEVIATION_UNBIASED, 0),
                                      advantage_rule(ADVANTAGE_REINFORCE_PP_BASELINE, DEVIATION_UNBIASED, 0)};
    return rules[choice_of(name, names, sizeof names / sizeof *names)];
}

// Both sides are doubles: some ten roundings of 2^-53 relative to the largest reward of a group, times 1 / std of up to
// 10.
static void advantages_are_verls_and_trls(void **state)
{
    json_t *fixture = json_read(FIXTURE, 1 << 20), *said;
    assert_ok(fixture != NULL);
    size_t number;
    json_array_foreach (fixture_part(fixture, "advantages"), number, said) {
        enum { GROUPS = 5, SAMPLES = 4 };
        double rewards[GROUPS * SAMPLES], made[GROUPS * SAMPLES];
        int64_t tokens[GROUPS * SAMPLES], groups = (int64_t)json_array_size(json_object_get(said, "rewards"));
        assert_true(groups <= GROUPS);
        for (int64_t i = 0; i < groups * SAMPLES; i++) {
            const json_t *reward = json_array_get(row_of(said, "rewards", i / SAMPLES, SAMPLES), (size_t)(i % SAMPLES));
            rewards[i] = json_is_null(reward) ? NAN : json_number_value(reward);
            tokens[i] = (int64_t)at(row_of(said, "tokens", i / SAMPLES, SAMPLES), i % SAMPLES);
        }
        advantages_of(made, rewards, tokens, groups, SAMPLES, rule_of(text_of(said, "rule")));
        for (int64_t i = 0; i < groups * SAMPLES; i++) {
            double wanted = at(json_object_get(said, "advantages"), i);
            if (!(fabs(made[i] - wanted) <= 1e-12 * fmax(1, fabs(wanted))))
                fail_msg("%s, response %" PRId64 ": %.17g instead of %.17g", text_of(said, "rule"), i, made[i], wanted);
        }
    }
    json_decref(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_their_gradients_are_verls),
        cmocka_unit_test(advantages_are_verls_and_trls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
