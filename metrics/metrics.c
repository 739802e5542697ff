// The figures of a step, gathered from the rollout and the update into named numbers; log/ writes them. Those of an
// evaluation are in validate.c.
#include "metrics/metrics.h"
#include "log/visible.h"
#include "rl/advantage.h"
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

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
    if (isnan(x)) // missing
        return;
    s->least = s->count == 0 ? x : fmin(s->least, x);
    s->most = s->count == 0 ? x : fmax(s->most, x);
    s->count++;
    s->sum += x;
    s->squares += x * x;
}

static double mean(const Spread *s) { return s->count > 0 ? s->sum / s->count : NAN; }
static double deviation(const Spread *s)
{
    return s->count > 0 ? sqrt(fmax(0, s->squares / s->count - mean(s) * mean(s))) : NAN;
}

typedef struct Spreads {
    Spread reward, advantage, response, prompt, sequence, part[REWARD_PARTS];
    double cut, unknown;      // responses
    double silent;            // groups without a signal
    double judged, passed[6]; // groups with a verdict; of these by pass rate: 0, less than a quarter, ..., 1
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
        s.silent += !group_has_signal(g, o->samples);
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

// ---- verdicts

typedef struct Shares {
    double responses, of[SHARES];
    double decided[3][2]; // by a verdict by rule, and the judge's no or yes
} Shares;

static const char *const SHARE_NAMES[SHARES] = {"unknown", "different",  "equal",     "no_answer",
                                                "judged",  "judged_yes", "judged_no", "unscored"};

static void count_shares(Shares *s, const Response *r)
{
    bool yes = r->judged == JUDGED_YES, no = r->judged == JUDGED_NO;
    s->responses++;
    s->of[r->verdict]++; // the first three are in Verdict's order
    s->of[3] += r->ended && r->answer != NULL && r->answer[0] == 0;
    s->of[4] += r->judged != JUDGED_NOT;
    s->of[5] += yes;
    s->of[6] += no;
    s->of[7] += isnan(r->reward);
    s->decided[r->verdict][yes] += yes || no;
}

static void add_shares(Metrics *m, const Shares *s, const char *prefix, const char *what, const char *name)
{
    static const int order[SHARES] = {VERDICT_EQUAL, VERDICT_DIFFERENT, VERDICT_UNKNOWN, 3, 4, 5, 6, 7};
    for (int i = 0; i < SHARES && s->responses > 0; i++)
        metrics_add(m, s->of[order[i]] / s->responses, "%sverdict/%s%s%s%s", prefix, what, name,
                    name[0] == 0 ? "" : "/", SHARE_NAMES[order[i]]);
}

static void add_judge(Metrics *m, const Shares *s, const char *prefix)
{
    const double *different = s->decided[VERDICT_DIFFERENT], *equal = s->decided[VERDICT_EQUAL];
    double both = different[0] + different[1] + equal[0] + equal[1], yes = s->of[5], all = yes + s->of[6];
    if (all == 0)
        return;
    metrics_add(m, yes / all, "%sjudge/yes", prefix);
    metrics_add(m, both / all, "%sjudge/beside_rule", prefix);
    if (both == 0)
        return;
    metrics_add(m, different[1] / both, "%sjudge/yes_to_different", prefix);
    metrics_add(m, equal[0] / both, "%sjudge/no_to_equal", prefix);
}

void metrics_source_name(char out[SOURCE_NAME_BYTES], const char *source)
{
    enum { ROOM = SOURCE_NAME_BYTES - 10 }; // before ~ and a hash
    size_t size = strlen(source), kept = utf8_valid_prefix(source, size < SOURCE_NAME_BYTES ? size : ROOM);
    bool changed = kept < size || strcmp(source, "others") == 0;
    size_t put = 0;
    for (size_t i = 0; i < kept;) { // names are shown in terminals, too
        Character c = character_at(source + i, kept - i);
        bool odd = character_hidden(c.code) || (c.code < 0x80 && strchr("\"\\~", (int)c.code) != NULL);
        memcpy(out + put, odd ? "_" : source + i, odd ? 1 : c.size);
        put += odd ? 1 : c.size;
        i += c.size;
        changed = changed || odd;
    }
    out[put] = 0;
    put = changed ? utf8_valid_prefix(out, put < ROOM ? put : ROOM) : put;
    if (changed)
        snprintf(out + put, SOURCE_NAME_BYTES - put, "~%08" PRIx32, (uint32_t)hash_bytes(source, size));
}

int metrics_source_place(int32_t source) { return source <= SOURCES_NAMED ? source : SOURCES_NAMED + 1; }

void metrics_place_name(char out[SOURCE_NAME_BYTES], const Documents *documents, int place)
{
    if (place > SOURCES_NAMED)
        snprintf(out, SOURCE_NAME_BYTES, "others");
    else
        metrics_source_name(out, documents->sources[place]);
}

void metrics_of_verdicts(Metrics *m, const char *prefix, const Rollout *rollout, const Documents *documents)
{
    Shares all = {0}, kind[ANSWER_KINDS] = {{0}}, source[SOURCE_PLACES] = {{0}};
    char name[SOURCE_NAME_BYTES];
    for (int64_t i = 0; i < rollout_groups(rollout); i++) {
        const Group *g = rollout_group(rollout, i);
        int place = metrics_source_place(documents->list[g->document].source);
        for (int64_t k = 0; k < rollout->samples; k++) {
            count_shares(&all, &g->responses[k]);
            count_shares(&kind[g->responses[k].kind], &g->responses[k]);
            count_shares(&source[place], &g->responses[k]);
        }
    }
    add_shares(m, &all, prefix, "", "");
    add_judge(m, &all, prefix);
    for (int i = 0; i < ANSWER_KINDS; i++)
        add_shares(m, &kind[i], prefix, "kind/", ANSWER_KIND_NAMES[i]);
    for (int place = 1; place < SOURCE_PLACES; place++)
        if (source[place].responses > 0) {
            metrics_place_name(name, documents, place);
            add_shares(m, &source[place], prefix, "source/", name);
        }
}

// ---- the parts of a line

static void add_rewards(Metrics *m, const Rollout *o, const Documents *documents, const Rewards *rewards,
                        const Spreads *s)
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
    metrics_add(m, s->silent / (double)o->count, "frac_reward_zero_std");
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
    double all = o->generate_seconds + o->reward_seconds + f->reference + f->advantage + f->update;
    double tokens = (double)(o->tokens + o->prompt_tokens * o->samples);
    metrics_add(m, o->generate_seconds, "timing_s/gen");
    metrics_add(m, o->reward_seconds, "timing_s/reward");
    metrics_add(m, 0, "timing_s/old_log_prob"); // the sampler's are the trainer's
    metrics_add(m, f->reference, "timing_s/ref");
    metrics_add(m, f->advantage, "timing_s/adv");
    metrics_add(m, 0, "timing_s/update_weights"); // they are changed in place
    metrics_add(m, f->update, "timing_s/update_actor");
    metrics_add(m, f->save.stall, "timing_s/save_checkpoint");
    metrics_add(m, f->save.writing, "timing_s/save_writing");
    if (f->sent_bytes > 0)
        metrics_add(m, f->sent_bytes, "sent_bytes");
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

static void add_pools(Metrics *m, const PoolCounts *p)
{
    metrics_add(m, (double)p->active, "curriculum/active");
    metrics_add(m, (double)p->solved, "curriculum/resting_solved");
    metrics_add(m, (double)p->unsolved, "curriculum/resting_unsolved");
}

void metrics_of_step(Metrics *m, const Rollout *rollout, const Documents *documents, const Rewards *rewards,
                     const StepFacts *f)
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
    if (f->pools.active + f->pools.solved + f->pools.unsolved > 0)
        add_pools(m, &f->pools);
    add_actor(m, f);
    add_times(m, rollout, f);
}

bool metrics_histograms(RunLog *log, int64_t step, const Rollout *rollout)
{
    int64_t count = rollout->count * rollout->samples;
    double *lengths = allocate((size_t)count, sizeof *lengths),
           *advantages = allocate((size_t)count, sizeof *advantages);
    bool ok = lengths != NULL && advantages != NULL;
    for (int64_t i = 0; ok && i < count; i++) {
        lengths[i] = (double)rollout_response(rollout, i)->count;
        advantages[i] = rollout_response(rollout, i)->advantage;
    }
    ok = ok && log_histogram(log, step, "response_length", lengths, (size_t)count) &&
         log_histogram(log, step, "advantage", advantages, (size_t)count);
    free(lengths);
    free(advantages);
    return ok;
}
