// The figures of a step and of an evaluation, gathered from the rollout and the update into named numbers; run/ writes them to
// the log.
#include "rl/metrics.h"
#include "rl/advantage.h"
#include <stdlib.h>
#include <assert.h>
#include <math.h>
#include <stdarg.h>

void metrics_add(Metrics *m, double value, const char *format, ...)
{
    assert(m->count < METRICS_MOST); // METRICS_MOST counts them
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(m->names[m->count], sizeof m->names[m->count], format, arguments);
    va_end(arguments);
    m->fields[m->count].name = m->names[m->count];
    m->fields[m->count++].value = value;
}

// ---- means, spreads, ends

typedef struct Spread {
    double count, sum, squares, least, most;
} Spread;

static void take(Spread *s, double x)
{
    if (isnan(x)) // it could not be had
        return;
    s->least = s->count == 0 ? x : fmin(s->least, x);
    s->most = s->count == 0 ? x : fmax(s->most, x);
    s->count++;
    s->sum += x;
    s->squares += x * x;
}

static double mean(const Spread *s) { return s->count > 0 ? s->sum / s->count : NAN; }
static double deviation(const Spread *s) { return s->count > 0 ? sqrt(fmax(0, s->squares / s->count - mean(s) * mean(s))) : NAN; }

typedef struct Spreads {
    Spread reward, advantage, response, prompt, sequence, part[REWARD_PARTS];
    double cut, unknown;
    double judged, passed[6]; // groups with a verdict; of which none, less than a quarter, ..., all that have one were right
} Spreads;

static int bin_of(double rate) { return rate <= 0 ? 0 : rate >= 1 ? 5 : 1 + (int)(4 * rate); }

static Spreads spreads_of(const Rollout *o)
{
    Spreads s = {0};
    for (int64_t i = 0; i < o->count; i++) {
        const Group *g = &o->groups[i];
        double right = 0, scored = 0;
        take(&s.prompt, (double)g->prompt.prompt);
        for (int64_t k = 0; k < o->samples; k++) {
            const Response *r = &g->responses[k];
            take(&s.reward, r->reward);
            take(&s.advantage, r->advantage);
            take(&s.response, (double)r->count);
            take(&s.sequence, (double)(r->count + g->prompt.prompt));
            for (int part = 0; part < REWARD_PARTS; part++)
                take(&s.part[part], r->parts[part]);
            s.cut += !r->ended;
            s.unknown += r->verdict == VERDICT_UNKNOWN;
            right += r->parts[REWARD_ACCURACY] == 1;
            scored += !isnan(r->parts[REWARD_ACCURACY]);
        }
        s.judged += scored > 0;
        if (scored > 0)
            s.passed[bin_of(right / scored)]++;
    }
    return s;
}

static void add_spread(Metrics *m, const char *name, const Spread *s)
{
    metrics_add(m, mean(s), "%s/mean", name);
    metrics_add(m, s->most, "%s/max", name);
    metrics_add(m, s->least, "%s/min", name);
}

// ---- the parts of a line

static void add_rewards(Metrics *m, const Rollout *o, const Documents *documents, const Rewards *rewards, const Spreads *s)
{
    static const char *const bins[] = {"0", "0_25", "25_50", "50_75", "75_100", "100"};
    double n = (double)(o->count * o->samples);
    add_spread(m, "reward", &s->reward);
    metrics_add(m, deviation(&s->reward), "reward/std");
    metrics_add(m, mean(&s->part[REWARD_ACCURACY]), "reward/accuracy");
    for (int part = 0; part < REWARD_PARTS; part++)
        if (rewards->has[part] && s->part[part].count > 0) {
            metrics_add(m, mean(&s->part[part]), "reward/%s/mean", REWARD_NAMES[part]);
            metrics_add(m, deviation(&s->part[part]), "reward/%s/std", REWARD_NAMES[part]);
        }
    metrics_add(m, (double)o->unscored / n, "reward/unscored");
    metrics_add(m, s->unknown / n, "verdict_unknown");
    metrics_of_verdicts(m, "", o, documents);
    metrics_add(m, (double)o->silent / (double)o->count, "frac_reward_zero_std");
    for (int i = 0; i < 6; i++)
        metrics_add(m, s->passed[i] / s->judged, "passrate/%s", bins[i]);
    add_spread(m, "advantages", &s->advantage);
}

static void add_actor(Metrics *m, const StepFacts *f)
{
    const ObjectiveCounts *c = &f->report.counts;
    double tokens = c->tokens > 0 ? (double)c->tokens : 1;
    metrics_add(m, c->policy / tokens, "actor/pg_loss");
    metrics_add(m, f->report.entropy / tokens, "actor/entropy");
    metrics_add(m, (double)c->clipped / tokens, "actor/pg_clipfrac");
    metrics_add(m, (double)c->clipped_lower / tokens, "actor/pg_clipfrac_lower");
    metrics_add(m, c->old_minus_new / tokens, "actor/ppo_kl");
    if (f->kl_coefficient != 0) {
        metrics_add(m, c->kl / tokens, "actor/kl_loss");
        metrics_add(m, f->kl_coefficient, "actor/kl_coef");
    }
    metrics_add(m, c->importance / tokens, "rollout_corr/rollout_is_mean");
    metrics_add(m, f->gradient_norm, "actor/grad_norm");
    metrics_add(m, f->learning_rate, "actor/lr");
}

static void add_times(Metrics *m, const Rollout *o, const StepFacts *f)
{
    double all = f->generate + f->reward + f->reference + f->advantage + f->update;
    double tokens = (double)(o->tokens + o->prompt_tokens * o->samples);
    metrics_add(m, f->generate, "timing_s/gen");
    metrics_add(m, f->reward, "timing_s/reward");
    metrics_add(m, 0, "timing_s/old_log_prob"); // the sampler's are the trainer's
    metrics_add(m, f->reference, "timing_s/ref");
    metrics_add(m, f->advantage, "timing_s/adv");
    metrics_add(m, 0, "timing_s/update_weights"); // they are changed where they lie
    metrics_add(m, f->update, "timing_s/update_actor");
    metrics_add(m, f->save, "timing_s/save_checkpoint");
    metrics_add(m, all, "timing_s/step");
    metrics_add(m, tokens, "perf/total_num_tokens");
    metrics_add(m, all, "perf/time_per_step");
    metrics_add(m, tokens / all, "perf/throughput");
    metrics_add(m, tokens / all, "tokens_per_second");
}

static void add_dynamic(Metrics *m, const DynamicReport *d)
{
    metrics_add(m, (double)d->batches, "dynamic/batches");
    metrics_add(m, (double)d->replaced, "dynamic/groups_replaced");
    for (int i = 0; i < SILENCES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s", SILENCE_NAMES[i]);
        for (char *c = name; *c != 0; c++)
            *c = *c == ' ' ? '_' : *c;
        metrics_add(m, (double)d->why[i], "dynamic/%s", name);
    }
}

void metrics_of_step(Metrics *m, const Rollout *rollout, const Documents *documents, const Rewards *rewards, const StepFacts *f)
{
    Spreads s = spreads_of(rollout);
    m->count = 0;
    metrics_add(m, f->report.loss / (double)(f->updates > 0 ? f->updates : 1), "loss");
    metrics_add(m, f->gradient_norm, "grad_norm");
    metrics_add(m, f->learning_rate, "lr");
    metrics_add(m, (double)f->report.counts.tokens, "trained_tokens");
    add_rewards(m, rollout, documents, rewards, &s);
    add_spread(m, "response_length", &s.response);
    metrics_add(m, s.cut / (double)(rollout->count * rollout->samples), "response_length/clip_ratio");
    add_spread(m, "prompt_length", &s.prompt);
    add_spread(m, "global_seqlen", &s.sequence);
    if (f->dynamic.batches > 0)
        add_dynamic(m, &f->dynamic);
    add_actor(m, f);
    add_times(m, rollout, f);
}

// ---- held-out problems

static void add_score(Metrics *m, const Score *s, const char *source, int k)
{
    if (s->prompts == 0)
        return;
    metrics_add(m, s->average / (double)s->prompts, "val-core/%s/acc/mean@%d", source, k);
    if (k > 1) {
        metrics_add(m, s->pass / (double)s->prompts, "val-core/%s/acc/best@%d", source, k);
        metrics_add(m, s->majority / (double)s->prompts, "val-core/%s/acc/maj@%d", source, k);
    }
}

static void add_sources(Metrics *m, const Validation *v, const Documents *documents, int k)
{
    Score others = {0};
    char name[SOURCE_NAME_BYTES];
    for (size_t i = 1; i < documents->source_count; i++) {
        if (i > SOURCES_NAMED) {
            score_add(&others, v->source[i]);
            continue;
        }
        metrics_source_name(name, documents->sources[i]);
        add_score(m, &v->source[i], name, k);
    }
    add_score(m, &others, "others", k);
}

void metrics_of_validation(Metrics *m, const Validation *v, const Rollout *rollout, const Documents *documents, double seconds)
{
    double n = (double)v->all.prompts;
    int k = (int)rollout->samples;
    m->count = 0;
    metrics_add(m, v->all.average / n, "eval/acc/mean@%d", k);
    if (k > 1) {
        metrics_add(m, v->all.pass / n, "eval/acc/pass@%d", k);
        metrics_add(m, v->all.majority / n, "eval/acc/maj@%d", k);
    }
    for (int level = 0; level < LEVELS; level++)
        if (v->level[level].prompts > 0)
            metrics_add(m, v->level[level].average / (double)v->level[level].prompts, "eval/level_%d/acc/mean@%d", level, k);
    add_sources(m, v, documents, k);
    metrics_of_verdicts(m, "eval/", rollout, documents);
    metrics_add(m, seconds, "timing_s/testing");
}

bool validation_run(Metrics *m, Engine *engine, const Documents *documents, const RolloutRules *rules, const char *folder)
{
    RolloutRules by_rule = *rules;
    double start = clock_seconds();
    by_rule.show.doing = "evaluating";
    by_rule.rewards = NULL;
    by_rule.sampling.top_k = 0;
    by_rule.sampling.top_p = 1;
    by_rule.sampling.min_p = 0;
    if (by_rule.samples == 1)
        by_rule.sampling.temperature = 0;
    int64_t *numbers = allocate((size_t)documents->count, sizeof *numbers);
    TRY(numbers != NULL);
    for (int64_t i = 0; i < documents->count; i++)
        numbers[i] = i;
    Rollout rollout;
    bool ok = rollout_run(&rollout, engine, documents, numbers, documents->count, -1, &by_rule);
    free(numbers);
    TRY(ok);
    Validation v;
    ok = validate(&v, &rollout, documents) && rollout_write(&rollout, rules->files->tokenizer, folder, rules->show.step);
    if (ok)
        metrics_of_validation(m, &v, &rollout, documents, clock_seconds() - start);
    validation_free(&v);
    rollout_free(&rollout);
    return ok;
}
