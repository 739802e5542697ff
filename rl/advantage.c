// Each estimator of advantage.h in a few lines: a baseline, a scale, and for some a whitening of the whole batch.
#include "rl/advantage.h"
#include <math.h>

static int64_t rewards_known(const Group *g, int64_t samples)
{
    int64_t count = 0;
    for (int64_t k = 0; k < samples; k++)
        count += !isnan(g->responses[k].reward);
    return count;
}

static double mean_reward(const Group *g, int64_t samples)
{
    double sum = 0;
    for (int64_t k = 0; k < samples; k++)
        sum += isnan(g->responses[k].reward) ? 0 : g->responses[k].reward;
    return sum / (double)rewards_known(g, samples);
}

static double grpo_scale(const Group *g, int64_t samples, double mean, const AdvantageOptions *o)
{
    double squares = 0, count = (double)(rewards_known(g, samples) - (o->advantage_std.place == DEVIATION_UNBIASED));
    if (o->advantage_std.place == DEVIATION_NONE)
        return 1;
    for (int64_t k = 0; k < samples; k++) {
        double away = g->responses[k].reward - mean;
        squares += isnan(away) ? 0 : away * away;
    }
    return 1 / (sqrt(squares / count) + o->advantage_eps);
}

static void advantages_of_group(Group *g, int64_t samples, const AdvantageOptions *o)
{
    int64_t count = rewards_known(g, samples);
    bool baseline = o->advantage.place != ADVANTAGE_REINFORCE_PP, alone = baseline && count < 2;
    double mean = baseline && !alone ? mean_reward(g, samples) : 0, scale = 1;
    if (!alone && o->advantage.place == ADVANTAGE_GRPO)
        scale = grpo_scale(g, samples, mean, o);
    if (!alone && o->advantage.place == ADVANTAGE_RLOO)
        scale = (double)count / (double)(count - 1); // r - mean of the others = (r - mean) n / (n - 1)
    for (int64_t k = 0; k < samples; k++) {
        Response *r = &g->responses[k];
        r->advantage = alone || isnan(r->reward) ? 0 : (r->reward - mean) * scale;
    }
}

// To mean 0 and variance 1 over all tokens of responses that have a reward.
static void whiten(Rollout *rollout)
{
    int64_t n = rollout->count * rollout->samples;
    double count = 0, sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        const Response *r = rollout_response(rollout, i);
        if (!isnan(r->reward)) {
            count += (double)r->count;
            sum += (double)r->count * r->advantage;
        }
    }
    double mean = sum / count;
    for (int64_t i = 0; i < n; i++) {
        const Response *r = rollout_response(rollout, i);
        if (!isnan(r->reward))
            squares += (double)r->count * (r->advantage - mean) * (r->advantage - mean);
    }
    double scale = count > 1 ? 1 / sqrt(squares / (count - 1) + 1e-8) : 0;
    for (int64_t i = 0; i < n; i++) {
        Response *r = rollout_response(rollout, i);
        r->advantage = isnan(r->reward) || count <= 1 ? 0 : (r->advantage - mean) * scale;
    }
}

void advantages(Rollout *rollout, const AdvantageOptions *o)
{
    for (int64_t g = 0; g < rollout->count; g++)
        advantages_of_group(&rollout->groups[g], rollout->samples, o);
    if (o->advantage.place == ADVANTAGE_REINFORCE_PP || o->advantage.place == ADVANTAGE_REINFORCE_PP_BASELINE)
        whiten(rollout);
}

bool group_has_signal(const Group *g, int64_t samples)
{
    double first = NAN;
    for (int64_t k = 0; k < samples; k++) {
        double reward = g->responses[k].reward;
        if (!isnan(first) && !isnan(reward) && reward != first)
            return true;
        first = isnan(first) ? reward : first;
    }
    return false;
}
