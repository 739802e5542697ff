// Each rule of advantage.h in a few lines: a baseline, a scale, and for some a whitening of the whole batch. NaN rewards are left
// out of every sum.
#include "rl/advantage.h"
#include <math.h>
#include <stdlib.h>
#include <stddef.h>

static int64_t known(const double *x, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += !isnan(x[i]);
    return count;
}

static double mean_of(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += isnan(x[i]) ? 0 : x[i];
    return sum / (double)known(x, n);
}

static double squares_of(const double *x, int64_t n, double mean)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += isnan(x[i]) ? 0 : (x[i] - mean) * (x[i] - mean);
    return sum;
}

static double grpo_scale(const double *r, int64_t n, double mean, const AdvantageRule *rule)
{
    if (rule->deviation == DEVIATION_NONE)
        return 1;
    double count = (double)(known(r, n) - (rule->deviation == DEVIATION_UNBIASED));
    return 1 / (sqrt(squares_of(r, n, mean) / count) + rule->epsilon);
}

static void advantages_of_group(double *a, const double *r, int64_t n, const AdvantageRule *rule)
{
    int64_t count = known(r, n);
    bool alone = count < 2 && rule->kind != ADVANTAGE_REINFORCE_PP;
    double mean = alone || rule->kind == ADVANTAGE_REINFORCE_PP ? 0 : mean_of(r, n), scale = 1;
    if (!alone && rule->kind == ADVANTAGE_GRPO)
        scale = grpo_scale(r, n, mean, rule);
    if (!alone && rule->kind == ADVANTAGE_RLOO)
        scale = (double)count / (double)(count - 1); // r - mean of the others = (r - mean) n / (n - 1)
    for (int64_t i = 0; i < n; i++)
        a[i] = alone || isnan(r[i]) ? 0 : (r[i] - mean) * scale;
}

// To mean 0 and variance 1 over all tokens of responses that have a reward.
static void whiten(double *a, const double *r, const int64_t *tokens, int64_t n)
{
    double count = 0, sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(r[i]))
            count += (double)tokens[i], sum += (double)tokens[i] * a[i];
    double mean = sum / count;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(r[i]))
            squares += (double)tokens[i] * (a[i] - mean) * (a[i] - mean);
    double scale = count > 1 ? 1 / sqrt(squares / (count - 1) + 1e-8) : 0;
    for (int64_t i = 0; i < n; i++)
        a[i] = isnan(r[i]) || count <= 1 ? 0 : (a[i] - mean) * scale;
}

void advantages(double *a, const double *r, const int64_t *tokens, int64_t groups, int64_t samples, const AdvantageRule *rule)
{
    for (int64_t g = 0; g < groups; g++)
        advantages_of_group(a + g * samples, r + g * samples, samples, rule);
    if (rule->kind == ADVANTAGE_REINFORCE_PP || rule->kind == ADVANTAGE_REINFORCE_PP_BASELINE)
        whiten(a, r, tokens, groups * samples);
}

bool group_without_signal(const double *r, int64_t samples)
{
    const double *first = NULL;
    for (int64_t i = 0; i < samples; i++) {
        if (isnan(r[i]))
            continue;
        if (first != NULL && r[i] != *first)
            return false;
        first = &r[i];
    }
    return true;
}

bool rollout_advantages(Rollout *rollout, const AdvantageOptions *o)
{
    AdvantageRule rule = {(AdvantageKind)o->advantage.place, (Deviation)o->advantage_std.place, o->advantage_eps};
    int64_t n = rollout->count * rollout->samples;
    double *rewards = allocate((size_t)n + 1, sizeof *rewards), *result = allocate((size_t)n + 1, sizeof *result);
    int64_t *tokens = allocate((size_t)n + 1, sizeof *tokens);
    bool ok = rewards != NULL && result != NULL && tokens != NULL;
    for (int64_t i = 0; ok && i < n; i++) {
        rewards[i] = rollout_response(rollout, i)->reward;
        tokens[i] = rollout_response(rollout, i)->count;
    }
    if (ok && n > 0)
        advantages(result, rewards, tokens, rollout->count, rollout->samples, &rule);
    for (int64_t i = 0; ok && i < rollout->count; i++)
        rollout->silent += group_without_signal(rewards + i * rollout->samples, rollout->samples);
    for (int64_t i = 0; ok && i < n; i++)
        rollout_response(rollout, i)->advantage = result[i];
    free(rewards);
    free(result);
    free(tokens);
    return ok;
}
