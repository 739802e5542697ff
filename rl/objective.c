// The losses of objective.h, token by token, each with its derivative beside it: KL estimators, the clipped ratio,
// GSPO's ratio of a whole response, CISPO, and the weights that turn tokens into one loss.
#include "rl/objective.h"
#include <math.h>
#include <stddef.h>

static const double LOG_RATIO_MOST = 20, SEQUENCE_LOG_RATIO_MOST = 10, KL_MOST = 10;

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

// ---- KL

static double k3_of(double difference) // of reference - lp; expm1 keeps the digits of small ones
{
    double x = clamp(difference, -LOG_RATIO_MOST, LOG_RATIO_MOST);
    return expm1(x) - x;
}

double kl_value(KlEstimator kl, double lp, double reference)
{
    double d = lp - reference;
    return kl == KL_K1 ? d : kl == KL_K2 ? 0.5 * d * d : clamp(k3_of(-d), -KL_MOST, KL_MOST);
}

double kl_derivative(KlEstimator kl, double lp, double reference)
{
    double d = lp - reference;
    if (kl != KL_K3)
        return kl == KL_K1 ? 1 : d;
    bool clamped = fabs(d) > LOG_RATIO_MOST || k3_of(-d) > KL_MOST;
    return clamped ? 0 : -expm1(-d);
}

// ---- policy losses

typedef struct TokenLoss {
    double loss, dlp;
    bool clipped, clipped_lower;
} TokenLoss;

// ratio and its derivative with respect to what it is the exponential of
static TokenLoss clip_loss(double ratio, double dratio, double advantage, const Objective *o, double dual_clip)
{
    double kept = clamp(ratio, 1 - o->clip_low, 1 + o->clip_high), plain = -advantage * ratio,
           clipped = -advantage * kept;
    TokenLoss t = {plain, -advantage * dratio, clipped > plain, false};
    if (t.clipped)
        t.loss = clipped, t.dlp = 0; // the ratio is outside of the band, or both are equal
    if (dual_clip > 0 && advantage < 0 && t.loss > -advantage * dual_clip) {
        t.loss = -advantage * dual_clip;
        t.dlp = 0;
        t.clipped_lower = true;
    }
    return t;
}

static TokenLoss token_loss(double lp, double old, double advantage, const Objective *o)
{
    double difference = clamp(lp - old, -LOG_RATIO_MOST, LOG_RATIO_MOST), ratio = exp(difference);
    if (o->loss == LOSS_CISPO) {
        double kept = clamp(ratio, 1 - o->clip_low, 1 + o->clip_high);
        return (TokenLoss){-kept * advantage * lp, -kept * advantage, kept != ratio, false};
    }
    return clip_loss(ratio, difference == lp - old ? ratio : 0, advantage, o, o->dual_clip);
}

// The response's ratio; each token's derivative is ratio · d lp, since the mean's 1 / count is undone (verl's token
// form).
static TokenLoss sequence_loss(const ResponseTokens *r, const Objective *o)
{
    double sum = 0;
    for (int64_t t = 0; t < r->count; t++)
        sum += (double)r->lp[t] - (double)r->old[t];
    double mean = sum / (double)r->count, kept = fmin(mean, SEQUENCE_LOG_RATIO_MOST), ratio = exp(kept);
    return clip_loss(ratio, kept == mean ? ratio : 0, r->advantage, o, 0);
}

static double importance(const ResponseTokens *r, int64_t t, double cap)
{
    if (r->sampled == NULL || cap == 0)
        return 1;
    double difference = (double)r->old[t] - (double)r->sampled[t];
    return fmin(exp(clamp(difference, -LOG_RATIO_MOST, LOG_RATIO_MOST)), cap);
}

void objective(float *loss, float *dlp, const ResponseTokens *r, const Objective *o, ObjectiveCounts *counts)
{
    TokenLoss sequence = {0};
    if (o->loss == LOSS_GSPO && r->count > 0)
        sequence = sequence_loss(r, o);
    for (int64_t t = 0; t < r->count; t++) {
        double lp = r->lp[t], old = r->old[t];
        TokenLoss one = o->loss == LOSS_GSPO ? sequence : token_loss(lp, old, r->advantage, o);
        double kl = 0, dkl = 0, weight = importance(r, t, o->importance_cap);
        one.loss *= weight;
        one.dlp *= weight;
        if (r->reference != NULL) {
            kl = kl_value(o->kl, lp, r->reference[t]);
            dkl = kl_derivative(o->kl, lp, r->reference[t]);
        }
        loss[t] = (float)(one.loss + o->kl_coefficient * kl);
        dlp[t] = (float)(one.dlp + o->kl_coefficient * dkl);
        counts->policy += one.loss;
        counts->importance += weight;
        counts->kl += kl;
        counts->old_minus_new += old - lp;
        counts->clipped += one.clipped;
        counts->clipped_lower += one.clipped_lower;
        counts->ratio_not_one += r->lp[t] != r->old[t];
    }
    counts->tokens += r->count;
}

// ---- weights

double token_weight(Aggregation aggregation, int64_t tokens, const TrainedCount *update, int64_t longest)
{
    if (tokens == 0)
        return 0;
    if (aggregation == TOKEN_MEAN)
        return 1 / (double)update->tokens;
    return 1 / ((double)update->responses * (double)(aggregation == SEQ_MEAN_TOKEN_MEAN ? tokens : longest));
}

double overlong_punishment(int64_t tokens, int64_t longest, int64_t buffer)
{
    int64_t over = tokens - (longest - buffer);
    if (over <= 0)
        return 0;
    return over >= buffer ? -1 : -(double)over / (double)buffer;
}
