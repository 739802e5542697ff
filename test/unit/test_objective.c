// Advantages, losses and weights against numbers that other trainers' own tests work out by hand (verl, TRL, NeMo-RL,
// SkyRL, slime), and derivatives against differences.
#include "test/support/check.h"
#include "rl/objective.h"
#include "rl/reference.h"
#include "test/support/rollouts.h"
#include <math.h>

static void near(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance * fmax(1, fabs(wanted))))
        fail_msg("%.10g instead of %.10g", value, wanted);
}

enum { SAMPLES = 8 };
static const double REWARDS[SAMPLES] = {1, 0, 0, 1, 0, 0, 0, 0};
static const int64_t LENGTHS[SAMPLES] = {3, 5, 2, 4, 8, 8, 6, 7};

static void expect_advantages(AdvantageOptions rule, double right, double wrong)
{
    double a[SAMPLES];
    advantages_of(a, REWARDS, LENGTHS, 1, SAMPLES, rule);
    for (int i = 0; i < SAMPLES; i++)
        near(a[i], REWARDS[i] == 1 ? right : wrong, 1e-12);
}

static void advantages_are_verls_and_trls(void **state)
{
    expect_advantages(advantage_rule(ADVANTAGE_GRPO, DEVIATION_UNBIASED, 1e-6), 1.6201816746095261,
                      -0.5400605582031753);
    expect_advantages(advantage_rule(ADVANTAGE_GRPO, DEVIATION_UNBIASED, 1e-4), 1.6198352501942768,
                      -0.5399450833980923);
    expect_advantages(advantage_rule(ADVANTAGE_GRPO, DEVIATION_POPULATION, 0), 0.75 / sqrt(0.1875),
                      -0.25 / sqrt(0.1875));
    expect_advantages(advantage_rule(ADVANTAGE_GRPO, DEVIATION_NONE, 1), 0.75, -0.25);
    expect_advantages(advantage_rule(ADVANTAGE_DR_GRPO, DEVIATION_UNBIASED, 0), 0.75, -0.25);
    expect_advantages(advantage_rule(ADVANTAGE_RLOO, DEVIATION_UNBIASED, 0), 0.8571428571428571, -0.2857142857142857);
}

static void whitened_advantages_have_mean_0_and_variance_1_over_tokens(void **state)
{
    static const AdvantageKind kinds[] = {ADVANTAGE_REINFORCE_PP, ADVANTAGE_REINFORCE_PP_BASELINE};
    for (int kind = 0; kind < 2; kind++) {
        double a[SAMPLES], sum = 0, squares = 0, count = 0;
        advantages_of(a, REWARDS, LENGTHS, 2, SAMPLES / 2, advantage_rule(kinds[kind], DEVIATION_UNBIASED, 0));
        for (int i = 0; i < SAMPLES; i++) {
            count += (double)LENGTHS[i];
            sum += (double)LENGTHS[i] * a[i];
            squares += (double)LENGTHS[i] * a[i] * a[i];
        }
        near(sum, 0, 1e-12);
        near(squares / (count - 1), 1, 1e-6); // but for the 1e-8 under the root
    }
}

static void a_reward_that_is_missing_has_no_part_in_it(void **state)
{
    double with[4], without[3], rewards[4] = {1, NAN, 0, 0}, others[3] = {1, 0, 0};
    int64_t tokens[4] = {5, 5, 5, 5};
    for (int kind = ADVANTAGE_GRPO; kind <= ADVANTAGE_REINFORCE_PP_BASELINE; kind++) {
        AdvantageOptions rule = advantage_rule((AdvantageKind)kind, DEVIATION_UNBIASED, 1e-6);
        advantages_of(with, rewards, tokens, 1, 4, rule);
        advantages_of(without, others, tokens, 1, 3, rule);
        near(with[1], 0, 0);
        near(with[0], without[0], 1e-15);
        near(with[3], without[2], 1e-15);
    }
}

static bool has_signal(const double *rewards, int64_t samples)
{
    MadeRollout m;
    make_rollout(&m, rewards, LENGTHS, 1, samples);
    return group_has_signal(&m.groups[0], samples);
}

static void a_group_that_says_nothing_has_no_advantage(void **state)
{
    double a[3], equal[3] = {1, 1, 1}, alone[3] = {NAN, 1, NAN}, none[3] = {NAN, NAN, NAN};
    const double *groups[] = {equal, alone, none};
    int64_t tokens[3] = {1, 2, 3};
    for (int g = 0; g < 3; g++) {
        assert_false(has_signal(groups[g], 3));
        for (int kind = ADVANTAGE_GRPO; kind <= ADVANTAGE_REINFORCE_PP_BASELINE; kind++) {
            advantages_of(a, groups[g], tokens, 1, 3, advantage_rule((AdvantageKind)kind, DEVIATION_UNBIASED, 1e-6));
            for (int i = 0; i < 3; i++)
                near(a[i], 0, 0);
        }
    }
    assert_true(has_signal(REWARDS, SAMPLES));
}

// ---- losses

// Float log-probabilities carry 2^-24 of their size, and the hand-made numbers five digits: 1e-4 of the larger ones.
static void expect_losses(const Objective *o, int count, const float *old, const float *lp, const double *A,
                          const double *wanted)
{
    for (int i = 0; i < count; i++) {
        float loss, dlp;
        ObjectiveCounts counts = {0};
        ResponseTokens one = {.count = 1, .advantage = A[i], .lp = lp + i, .old = old + i};
        objective(&loss, &dlp, &one, o, &counts);
        near(loss, wanted[i], 1e-4);
    }
}

static void losses_are_the_peers(void **state)
{
    const float nemo_old[] = {-1, -1, -1}, nemo_lp[] = {-1.69315f, -1, -.59453f};
    expect_losses(&(Objective){.loss = LOSS_CLIP, .clip_low = .2, .clip_high = .2, .dual_clip = 0}, 3, nemo_old,
                  nemo_lp, (double[]){1, -1, 2}, (double[]){-.5, 1, -2.4});
    const float skyrl_old[] = {-1, -1, -3}, skyrl_lp[] = {-1.69315f, -1, -.69741f};
    expect_losses(&(Objective){.loss = LOSS_CLIP, .clip_low = .2, .clip_high = .2, .dual_clip = 3}, 3, skyrl_old,
                  skyrl_lp, (double[]){1, -1, -4}, (double[]){-.5, 1, 12});
    expect_losses(&(Objective){.loss = LOSS_CISPO, .clip_low = 1, .clip_high = 4, .dual_clip = 0}, 3, skyrl_old,
                  skyrl_lp, (double[]){1, -1, -4}, (double[]){0.8465726131359005, -1, -13.9482});
    const float slime_old[] = {0, 0, 0}, slime_lp[] = {(float)M_LN2, (float)M_LN2, (float)-M_LN2};
    expect_losses(&(Objective){.loss = LOSS_CLIP, .clip_low = .2, .clip_high = .2, .dual_clip = 1.5}, 3, slime_old,
                  slime_lp, (double[]){2, -2, 2}, (double[]){-2.4, 3, -1});
}

static void gspo_has_one_ratio_for_a_response(void **state)
{
    const float old[] = {-1, -1, -1}, lp[] = {-1.69315f, -1, -.59453f};
    float loss[3], dlp[3];
    ObjectiveCounts counts = {0};
    Objective o = {.loss = LOSS_GSPO, .clip_low = .2, .clip_high = .2};
    objective(loss, dlp, &(ResponseTokens){.count = 3, .advantage = 1, .lp = lp, .old = old}, &o, &counts);
    for (int t = 0; t < 3; t++) {
        near(loss[t], -.9086, 1e-4);
        near(dlp[t], -.9086, 1e-4);
    }
}

static void kl_estimates_are_the_peers(void **state)
{
    static const double references[] = {0, -15, -30}, k1[] = {-1, 14, 29}, k2[] = {.5, 98, 420.5},
                        k3[] = {.7182818, 10, 10};
    for (int i = 0; i < 3; i++) {
        near(kl_value(KL_K1, -1, references[i]), k1[i], 1e-12);
        near(kl_value(KL_K2, -1, references[i]), k2[i], 1e-12);
        near(kl_value(KL_K3, -1, references[i]), k3[i], 1e-7);
    }
    static const double differences[][2] = {{-30, 10}, {-1, 0.7182818284590451},      {-0.01, 5.0167084167940246e-05},
                                            {0, 0},    {0.01, 4.983374916811556e-05}, {1, 0.36787944117144233},
                                            {30, 10}};
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        near(kl_value(KL_K3, differences[i][0], 0), differences[i][1], 1e-15);
}

// The loss is piecewise smooth; points at its corners are left out. Central differences over 2e-3 err by a sixth of the
// third derivative times 1e-6, and by the float's 2^-24 · |loss| / 2e-3, in all well below 1e-3 of the numbers here.
static void derivatives_are_differences(void **state)
{
    static const Objective objectives[] = {
        {LOSS_CLIP, .2, .28, 3, .1, KL_K3, 0},
        {LOSS_CLIP, .2, .2, 0, .1, KL_K1, 0},
        {LOSS_GSPO, .2, .2, 0, .1, KL_K2, 0},
    };
    static const float olds[] = {-1.1f, -2.3f, -.4f, -1.9f}, references[] = {-1.3f, -2, -1, -1.5f};
    const float step = 1e-3f;
    for (size_t k = 0; k < sizeof objectives / sizeof *objectives; k++)
        for (int a = -2; a <= 2; a++)
            for (int i = 0; i < 4; i++)
                for (float lp = -4; lp < 0; lp += 0.237f) {
                    float loss[3], dlp[3], at[] = {lp - step, lp, lp + step};
                    bool corner = false;
                    for (int j = 0; j < 3; j++) {
                        ObjectiveCounts c = {0};
                        ResponseTokens r = {
                            .count = 1, .advantage = a, .lp = at + j, .old = olds + i, .reference = references + i};
                        objective(loss + j, dlp + j, &r, &objectives[k], &c);
                        double ratio = exp((double)at[j] - (double)olds[i]);
                        for (double edge = -1; edge <= 1; edge += 2)
                            corner |= fabs(ratio - 1 -
                                           edge * (edge < 0 ? objectives[k].clip_low : objectives[k].clip_high)) < 0.01;
                        corner |= fabs(ratio - objectives[k].dual_clip) < 0.02;
                    }
                    if (corner)
                        continue;
                    double slope = ((double)loss[2] - (double)loss[0]) / ((double)at[2] - (double)at[0]);
                    near(dlp[1], slope, 2e-3);
                }
}

static void cispo_clips_what_it_weighs_with(void **state)
{
    const float old[] = {-1, -1, -1}, lp[] = {-.9f, -.2f, -3};
    float loss[3], dlp[3];
    ObjectiveCounts counts = {0};
    Objective o = {.loss = LOSS_CISPO, .clip_low = .5, .clip_high = .5};
    objective(loss, dlp, &(ResponseTokens){.count = 3, .advantage = 2, .lp = lp, .old = old}, &o, &counts);
    near(dlp[0], -2 * exp(.1), 1e-6);
    near(dlp[1], -2 * 1.5, 1e-6);
    near(dlp[2], -2 * .5, 1e-6);
    assert_int_equal(counts.clipped, 2);
}

static void the_first_update_has_the_gradient_of_the_policy(void **state)
{
    // at ratio 1 no loss is clipped, and the derivative is -A whatever the loss
    const float lp[] = {-1.25f, -.5f};
    for (int loss = LOSS_CLIP; loss <= LOSS_CISPO; loss++)
        for (int a = -1; a <= 1; a += 2) {
            float value[2], dlp[2];
            ObjectiveCounts c = {0};
            Objective o = {.loss = (PolicyLoss)loss, .clip_low = .2, .clip_high = .2, .dual_clip = 3};
            objective(value, dlp, &(ResponseTokens){.count = 2, .advantage = a, .lp = lp, .old = lp}, &o, &c);
            assert_true(dlp[0] == (float)-a && dlp[1] == (float)-a);
            assert_true(c.clipped == 0 && c.clipped_lower == 0 && c.ratio_not_one == 0 && c.tokens == 2);
        }
}

// NeMo-RL's test of truncated importance sampling: the losses -.5, 1, -2.4 of three responses of a token, weighted.
static void importance_weights_are_cut_off(void **state)
{
    static const float lp[] = {-1.69315f, -1, -.59453f}, old = -1, sampled[] = {-.5f, -1.5f, -.8f};
    static const double advantages[] = {1, -1, 2};
    Objective o = {.loss = LOSS_CLIP, .clip_low = .2, .clip_high = .2, .importance_cap = .8};
    ObjectiveCounts c = {0};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        float loss, dlp;
        ResponseTokens t = {.count = 1, .advantage = advantages[i], .lp = &lp[i], .old = &old, .sampled = &sampled[i]};
        objective(&loss, &dlp, &t, &o, &c);
        sum += (double)loss;
    }
    near(sum / 3, -.4744, 5e-5); // as many digits as it gives
    near(c.importance, exp(-.5) + .8 + .8, 1e-7);
}

static void an_adaptive_coefficient_follows_its_target(void **state)
{
    near(kl_coefficient_next(.1, .01, .01, 256, 10000), .1, 0);
    near(kl_coefficient_next(.1, .011, .01, 256, 10000), .1 * (1 + .1 * .0256), 1e-15);
    near(kl_coefficient_next(.1, 5, .01, 256, 10000), .1 * (1 + .2 * .0256), 1e-15);
    near(kl_coefficient_next(.1, 0, .01, 256, 10000), .1 * (1 - .2 * .0256), 1e-15);
}

// ---- weights

static double aggregated(Aggregation aggregation, int64_t longest)
{
    static const double losses[4][4] = {{1, 2, 3}, {4}, {5, 6}, {9, 9, 9, 9}};
    static const int64_t tokens[4] = {3, 1, 2, 0}; // the last is masked
    const TrainedCount update = {.tokens = 6, .responses = 3};
    double sum = 0;
    for (int i = 0; i < 4; i++)
        for (int t = 0; t < tokens[i]; t++)
            sum += token_weight(aggregation, tokens[i], &update, longest) * losses[i][t];
    return sum;
}

static void aggregations_are_verls(void **state)
{
    near(aggregated(TOKEN_MEAN, 4), 3.5, 1e-14);
    near(aggregated(SEQ_MEAN_TOKEN_SUM_NORM, 4), 1.75, 1e-14);
    near(aggregated(SEQ_MEAN_TOKEN_MEAN, 4), 3.8333333333333335, 1e-14); // verl adds 1e-8 to each length
    near(token_weight(TOKEN_MEAN, 0, &(TrainedCount){6, 3}, 4), 0, 0);   // that of a masked response
}

static void overlong_responses_are_punished_gently(void **state)
{
    static const struct {
        int64_t tokens;
        double wanted;
    } cases[] = {{100, 0}, {4096, 0}, {4097, -0.000244140625}, {6144, -.5}, {8192, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        near(overlong_punishment(cases[i].tokens, 8192, 4096), cases[i].wanted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(advantages_are_verls_and_trls),
        cmocka_unit_test(whitened_advantages_have_mean_0_and_variance_1_over_tokens),
        cmocka_unit_test(a_reward_that_is_missing_has_no_part_in_it),
        cmocka_unit_test(a_group_that_says_nothing_has_no_advantage),
        cmocka_unit_test(losses_are_the_peers),
        cmocka_unit_test(gspo_has_one_ratio_for_a_response),
        cmocka_unit_test(kl_estimates_are_the_peers),
        cmocka_unit_test(derivatives_are_differences),
        cmocka_unit_test(cispo_clips_what_it_weighs_with),
        cmocka_unit_test(the_first_update_has_the_gradient_of_the_policy),
        cmocka_unit_test(importance_weights_are_cut_off),
        cmocka_unit_test(an_adaptive_coefficient_follows_its_target),
        cmocka_unit_test(aggregations_are_verls),
        cmocka_unit_test(overlong_responses_are_punished_gently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
