// Reinforcement learning with verifiable rewards: a model answers hard problems several times each, and learns from which of its answers
// were right.
//
// A step samples a group of responses to each of its prompts with the generation engine (model/engine.h), judges them (rl/verify.h),
// compares each with its group (rl/advantage.h) and makes a few updates of the policy loss (rl/objective.h). The engine's
// log-probabilities are the trainer's own, to the bit, so there is no second pass over the responses before an update, and the ratio of the
// first update of a step is exactly 1: that is checked, token by token. Weights are changed where they lie; there is nothing to copy.
#include "base/signals.h"
#include "data/mix.h"
#include "data/order.h"
#include "model/folder.h"
#include "rl/advantage.h"
#include "rl/update.h"
#include "rl/validate.h"
#include "run/run.h"
#include "sampling/sampler.h"
#include "train_rl_options.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Rl {
    TrainRlOptions o;
    Options options;
    Sampler policy; // the model that samples and learns
    Optimizer optimizer;
    Documents prompts, held_out;
    LoaderWeight *weights; // of --mix
    Order order;
    Schedule schedule;
    Run run;
    char *rollouts; // OUT/rollouts
} Rl;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool due(int64_t every, int64_t step) { return every > 0 && step % every == 0; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// ---- a step: sample, judge, compare

static int64_t steps_per_epoch(const Rl *s) { return (s->prompts.count + s->o.prompts_per_step - 1) / s->o.prompts_per_step; }

static RolloutRules rollout_rules(const Rl *s)
{
    RolloutRules rules = {0};
    rules.seed = (uint64_t)s->o.seed;
    rules.samples = s->o.samples_per_prompt;
    rules.max_new_tokens = s->o.max_new_tokens;
    rules.temperature = (float)s->o.temperature;
    rules.stop = s->policy.stop;
    rules.stop_count = s->policy.stop_count;
    rules.overlong_buffer = s->o.overlong_buffer;
    return rules;
}

static bool sample(Rl *s, Rollout *rollout)
{
    int64_t per_epoch = steps_per_epoch(s), epoch = s->run.step / per_epoch,
            first = s->run.step % per_epoch * s->o.prompts_per_step;
    int64_t count = smaller(s->o.prompts_per_step, s->prompts.count - first);
    RolloutRules rules = rollout_rules(s);
    int64_t *numbers = (int64_t *)allocate((size_t)count, sizeof *numbers);
    TRY(numbers != NULL);
    order_documents(&s->order, epoch, first, count, numbers);
    bool ok = rollout_run(rollout, s->policy.engine, &s->prompts, s->policy.tokenizer, numbers, count, s->run.step, &rules);
    free(numbers);
    return ok;
}

static bool compare(const Rl *s, Rollout *rollout)
{
    int64_t n = rollout->count * rollout->samples;
    AdvantageRule rule = {
        .kind = (AdvantageKind)option_place("grpo|dr-grpo|rloo|reinforce++|reinforce++-baseline", s->o.advantage),
        .deviation = (Deviation)option_place("unbiased|population|none", s->o.advantage_std),
        .epsilon = s->o.advantage_eps,
    };
    double *rewards = (double *)allocate((size_t)n, sizeof *rewards), *result = (double *)allocate((size_t)n, sizeof *result);
    int64_t *tokens = (int64_t *)allocate((size_t)n, sizeof *tokens);
    bool ok = rewards != NULL && result != NULL && tokens != NULL;
    for (int64_t i = 0; ok && i < n; i++) {
        const Response *r = &rollout->groups[i / rollout->samples].responses[i % rollout->samples];
        rewards[i] = r->reward;
        tokens[i] = r->count;
    }
    if (ok)
        advantages(result, rewards, tokens, rollout->count, rollout->samples, &rule);
    for (int64_t i = 0; ok && i < rollout->count; i++)
        rollout->silent += group_without_signal(rewards + i * rollout->samples, rollout->samples);
    for (int64_t i = 0; ok && i < n; i++)
        rollout->groups[i / rollout->samples].responses[i % rollout->samples].advantage = result[i];
    free(rewards);
    free(result);
    free(tokens);
    return ok;
}

// ---- and learn

typedef struct Learned {
    double gradient_norm; // of the updates, the largest
    UpdateReport report;
    int64_t updates;
} Learned;

// Every response of groups first .. first + count - 1 and what its tokens weigh.
static bool update_items(const Rl *s, Rollout *rollout, int64_t first, int64_t count, PackItem **items)
{
    int64_t n = count * rollout->samples;
    *items = (PackItem *)allocate((size_t)n, sizeof **items);
    double *weights = (double *)allocate((size_t)n, sizeof *weights);
    int64_t *tokens = (int64_t *)allocate((size_t)n, sizeof *tokens);
    bool ok = *items != NULL && weights != NULL && tokens != NULL;
    for (int64_t i = 0; ok && i < n; i++) {
        Group *g = &rollout->groups[first + i / rollout->samples];
        Response *r = &g->responses[i % rollout->samples];
        (*items)[i].group = g;
        (*items)[i].response = r;
        tokens[i] = s->o.mask_truncated && !r->ended ? 0 : r->count;
    }
    if (ok)
        aggregation_weights(weights, tokens, n,
                            (Aggregation)option_place("token-mean|seq-mean-token-mean|seq-mean-token-sum-norm", s->o.aggregation),
                            s->o.max_new_tokens);
    for (int64_t i = 0; ok && i < n; i++)
        (*items)[i].weight = weights[i];
    free(weights);
    free(tokens);
    return ok;
}

static UpdateRules update_rules(const Rl *s, bool on_policy)
{
    UpdateRules u = {0};
    u.objective.loss = (PolicyLoss)option_place("clip|gspo|cispo", s->o.loss);
    u.objective.clip_low = s->o.clip_low;
    u.objective.clip_high = s->o.clip_high;
    u.objective.dual_clip = s->o.dual_clip;
    u.entropy_coefficient = s->o.entropy_coef;
    u.temperature = (float)s->o.temperature;
    u.n_live = s->policy.n_live;
    u.on_policy = on_policy;
    return u;
}

static bool update(Rl *s, Rollout *rollout, int64_t first, int64_t count, double rate, Learned *learned)
{
    PackItem *items = NULL;
    Pack pack;
    double norm;
    UpdateRules rules = update_rules(s, first == 0);
    Model *model = &s->policy.model;
    bool ok = update_items(s, rollout, first, count, &items) &&
              pack_open(&pack, items, count * rollout->samples, s->o.micro_batch_tokens, s->o.slots);
    if (ok) {
        ok = gradients_clear(model) && update_gradients(model, &pack, &rules, &learned->report) && gradient_norm(model, &norm);
        pack_close(&pack);
    }
    free(items);
    TRY(ok);
    if (!isfinite(norm))
        return fail("step %" PRId64
                    ": the gradient is not finite; the weights are those before it and the last checkpoint stands; "
                    "lower --lr",
                    s->run.step + 1);
    learned->gradient_norm = norm > learned->gradient_norm ? norm : learned->gradient_norm;
    learned->updates++;
    bool clip = s->o.grad_clip > 0 && norm > s->o.grad_clip;
    return optimizer_step(&s->optimizer, model, rate, clip ? s->o.grad_clip / norm : 1);
}

// ---- and tell

typedef struct Facts { // of a rollout
    double reward, reward_squares, least, most, accuracy, length, longest;
    int64_t responses, cut, unknown;
} Facts;

static Facts facts_of(const Rollout *rollout)
{
    Facts f = {0};
    f.least = INFINITY;
    f.most = -INFINITY;
    for (int64_t i = 0; i < rollout->count; i++) {
        for (int64_t k = 0; k < rollout->samples; k++) {
            const Response *r = &rollout->groups[i].responses[k];
            f.responses++;
            f.reward += r->reward;
            f.reward_squares += r->reward * r->reward;
            f.least = fmin(f.least, r->reward);
            f.most = fmax(f.most, r->reward);
            f.accuracy += r->accuracy;
            f.length += (double)r->count;
            f.longest = fmax(f.longest, (double)r->count);
            f.cut += !r->ended;
            f.unknown += r->verdict == VERDICT_UNKNOWN;
        }
    }
    return f;
}

static bool report(Rl *s, const Rollout *rollout, const Learned *learned, double rate, double update_seconds)
{
    Facts f = facts_of(rollout);
    const ObjectiveCounts *c = &learned->report.counts;
    double n = (double)f.responses, tokens = c->tokens > 0 ? (double)c->tokens : 1, mean = f.reward / n;
    double all = rollout->generate_seconds + rollout->reward_seconds + update_seconds;
    LogField fields[] = {
        {"loss", learned->report.loss / (double)learned->updates},
        {"grad_norm", learned->gradient_norm},
        {"lr", rate},
        {"trained_tokens", (double)c->tokens},
        {"reward/mean", mean},
        {"reward/std", sqrt(fmax(0, f.reward_squares / n - mean * mean))},
        {"reward/min", f.least},
        {"reward/max", f.most},
        {"reward/accuracy", f.accuracy / n},
        {"frac_reward_zero_std", (double)rollout->silent / (double)rollout->count},
        {"verdict_unknown", (double)f.unknown / n},
        {"response_length/mean", f.length / n},
        {"response_length/max", f.longest},
        {"response_length/clip_ratio", (double)f.cut / n},
        {"actor/pg_loss", c->policy / tokens},
        {"actor/entropy", learned->report.entropy / tokens},
        {"actor/pg_clipfrac", (double)c->clipped / tokens},
        {"actor/pg_clipfrac_lower", (double)c->clipped_lower / tokens},
        {"actor/ppo_kl", c->old_minus_new / tokens},
        {"timing_s/gen", rollout->generate_seconds},
        {"timing_s/reward", rollout->reward_seconds},
        {"timing_s/old_log_prob", 0},
        {"timing_s/update_weights", 0},
        {"timing_s/update_actor", update_seconds},
        {"timing_s/step", all},
        {"tokens_per_second", (double)(rollout->tokens + rollout->prompt_tokens * rollout->samples) / all},
    };
    return log_step(&s->run.log, s->run.step, fields, sizeof fields / sizeof *fields);
}

static bool learn(Rl *s, Rollout *rollout)
{
    double rate = learning_rate(&s->schedule, s->run.step), start = seconds();
    Learned learned = {0};
    for (int64_t first = 0; first < rollout->count; first += s->o.prompts_per_update)
        TRY(update(s, rollout, first, smaller(s->o.prompts_per_update, rollout->count - first), rate, &learned));
    s->run.step++;
    return rollout_write(rollout, s->rollouts, s->run.step) && report(s, rollout, &learned, rate, seconds() - start);
}

// ---- held-out problems

enum { EVAL_FIELDS = 64, EVAL_NAME = 96 }; // of more sources than that, the first

typedef struct EvalFields {
    LogField fields[EVAL_FIELDS];
    char names[EVAL_FIELDS][EVAL_NAME];
    size_t count;
} EvalFields;

static void add_field(EvalFields *f, double value, const char *format, ...) PRINTF_LIKE(3, 4);
static void add_field(EvalFields *f, double value, const char *format, ...)
{
    if (f->count == EVAL_FIELDS)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->names[f->count], EVAL_NAME, format, arguments);
    va_end(arguments);
    f->fields[f->count].name = f->names[f->count];
    f->fields[f->count++].value = value;
}

static bool report_validation(Rl *s, const Validation *v)
{
    EvalFields f;
    int samples = (int)s->o.eval_samples;
    double n = (double)v->all.prompts;
    f.count = 0;
    add_field(&f, v->all.average / n, "eval/acc/mean@%d", samples);
    if (samples > 1) {
        add_field(&f, v->all.pass / n, "eval/acc/pass@%d", samples);
        add_field(&f, v->all.majority / n, "eval/acc/maj@%d", samples);
    }
    for (int level = 0; level < LEVELS; level++)
        if (v->level[level].prompts > 0)
            add_field(&f, v->level[level].average / (double)v->level[level].prompts, "eval/level_%d/acc/mean@%d", level, samples);
    for (size_t i = 1; i < s->held_out.source_count; i++)
        if (v->source[i].prompts > 0)
            add_field(&f, v->source[i].average / (double)v->source[i].prompts, "val-core/%.60s/acc/mean@%d",
                      s->held_out.sources[i], samples);
    return log_event(&s->run.log, "eval", s->run.step, f.fields, f.count);
}

// All of them, with draws of their own: the same ones whenever it is asked.
static bool evaluate_held_out(Rl *s)
{
    if (s->held_out.count == 0)
        return true;
    RolloutRules rules = rollout_rules(s);
    rules.samples = s->o.eval_samples;
    rules.overlong_buffer = 0;
    if (rules.samples == 1)
        rules.temperature = 0;
    int64_t *numbers = (int64_t *)allocate((size_t)s->held_out.count, sizeof *numbers);
    TRY(numbers != NULL);
    for (int64_t i = 0; i < s->held_out.count; i++)
        numbers[i] = i;
    Rollout rollout;
    bool ok = rollout_run(&rollout, s->policy.engine, &s->held_out, s->policy.tokenizer, numbers, s->held_out.count, -1, &rules);
    free(numbers);
    TRY(ok);
    Validation v;
    ok = validate(&v, &rollout, &s->held_out) && report_validation(s, &v);
    validation_free(&v);
    rollout_free(&rollout);
    return ok;
}

static bool train(Rl *s, bool *stopped)
{
    *stopped = false;
    if (s->run.step == 0)
        TRY(evaluate_held_out(s));
    while (s->run.step < s->run.steps && !*stopped) {
        Rollout rollout;
        TRY(sample(s, &rollout));
        bool ok = compare(s, &rollout) && learn(s, &rollout);
        rollout_free(&rollout);
        TRY(ok);
        bool last = s->run.step == s->run.steps;
        if (last || due(s->o.eval_every, s->run.step))
            TRY(evaluate_held_out(s));
        *stopped = !last && signal_received() != 0;
        if (last || *stopped || due(s->o.save_every, s->run.step))
            TRY(run_save(&s->run));
    }
    return true;
}

// ---- what has to be there before the first step

static bool open_policy(Rl *s)
{
    SamplerOptions o = {0};
    o.model = s->o.model;
    o.tokenizer = s->o.tokenizer;
    o.template_ = s->o.template_;
    o.device = s->o.device;
    o.threads = s->o.threads;
    o.context = s->o.max_prompt_tokens + s->o.max_new_tokens;
    o.sequences = s->o.sequences;
    o.pass_tokens = s->o.pass_tokens;
    o.cache = s->o.cache;
    o.plan_only = s->o.plan;
    o.moments = strcmp(s->o.moments, "bf16") == 0 ? 4 : 8;
    o.training.tokens = larger(s->o.micro_batch_tokens, o.context);
    o.training.rows = o.training.tokens;
    o.training.sequences = o.training.tokens;
    o.training.positions = o.context;
    o.training.training = true;
    o.training.recompute = strcmp(s->o.recompute, "layer") == 0;
    TRY(sampler_open(&s->policy, &o));
    if (s->policy.tokenizer == NULL)
        return fail("%s: there is no tokenizer.json in it, and answers are judged as text; name a folder with --tokenizer",
                    s->policy.folder.data);
    return true;
}

static bool open_prompts(Rl *s)
{
    DocumentOptions reading = {.kind = SHARD_RL,
                               .seq_len = s->o.max_prompt_tokens,
                               .over_length = OVER_LENGTH_DROP,
                               .vocabulary = (int32_t)s->policy.config.vocabulary,
                               .tokenizer = tokenizer_hash(s->policy.tokenizer),
                               .template_ = s->policy.chat.kind};
    TRY(documents_open(&s->prompts, &reading, s->o.data.items, s->o.data.count));
    if (s->o.eval_data.count > 0)
        TRY(documents_open(&s->held_out, &reading, s->o.eval_data.items, s->o.eval_data.count));
    TRY(mix_parse(&s->weights, s->o.mix.items, s->o.mix.count));
    LoaderOptions dealing = {0};
    dealing.seed = (uint64_t)s->o.seed;
    dealing.order = (LoaderOrder)option_place("random|sorted|shuffled|mixed", s->o.order);
    dealing.weights = s->weights;
    dealing.weight_count = s->o.mix.count;
    return order_open(&s->order, &s->prompts, &dealing);
}

static void plan_steps(Rl *s)
{
    static const ScheduleShape SHAPES[] = {SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_WSD};
    s->run.steps = s->o.steps > 0 ? s->o.steps : s->o.epochs * steps_per_epoch(s);
    s->schedule.shape = SHAPES[option_place("constant|linear|cosine|wsd", s->o.lr_schedule)];
    s->schedule.peak = s->o.lr;
    s->schedule.end = s->o.lr_end;
    s->schedule.steps = s->run.steps;
    s->schedule.warmup = s->o.warmup_steps;
    s->schedule.decay = s->o.wsd_decay;
}

static bool open_optimizer(Rl *s)
{
    s->optimizer.beta1 = s->o.beta1;
    s->optimizer.beta2 = s->o.beta2;
    s->optimizer.epsilon = s->o.eps;
    s->optimizer.weight_decay = s->o.weight_decay;
    s->optimizer.bf16_moments = strcmp(s->o.moments, "bf16") == 0;
    s->optimizer.seed = (uint64_t)s->o.seed;
    return optimizer_open(&s->optimizer, &s->policy.model, s->o.plan);
}

static bool open_run(Rl *s)
{
    bool resumed; // the weights are the model folder's otherwise: the sampler has read them
    s->run.out = s->o.out;
    s->run.model = &s->policy.model;
    s->run.optimizer = &s->optimizer;
    s->run.keep = (int)s->o.keep_checkpoints;
    s->run.log_every = s->o.log_every;
    s->run.template_name = template_name(s->policy.chat.kind);
    TRY(run_identity(&s->run, &s->options, &s->prompts, s->policy.tokenizer));
    TRY(run_open(&s->run, &s->options, s->o.resume, &resumed));
    TRY((s->rollouts = path_join(s->o.out, "rollouts")) != NULL && rollouts_cut(s->rollouts, s->run.step));
    TRY(run_describe(&s->run, &s->options, s->policy.tokenizer_folder.data));
    run_announce(&s->run);
    log_note(&s->run.log,
             "%" PRId64 " prompts (%" PRId64 " longer ones dropped), %" PRId64 " responses a step, %" PRId64 " updates",
             s->prompts.count, s->prompts.too_long, s->o.prompts_per_step * s->o.samples_per_prompt,
             (s->o.prompts_per_step + s->o.prompts_per_update - 1) / s->o.prompts_per_update);
    return true;
}

static bool print_plan(const Rl *s)
{
    printf("%" PRId64 " prompts, %" PRId64 " steps\n", s->prompts.count, s->run.steps);
    sampler_print_plan(&s->policy, stdout);
    arena_print(&s->optimizer.state, stdout);
    return fflush(stdout) == 0 || fail_errno("writing the plan");
}

static bool export_policy(Rl *s)
{
    char *folder = path_join(s->o.out, "model");
    bool ok = folder != NULL &&
              export_model(&s->policy.model, s->policy.tokenizer_folder.data, s->run.template_name, s->o.export_dtype, folder);
    if (ok)
        log_note(&s->run.log, "the model is in %s", folder);
    free(folder);
    return ok;
}

static bool reinforce(Rl *s, bool *stopped)
{
    *stopped = false;
    TRY(open_policy(s) && open_prompts(s));
    plan_steps(s);
    TRY(open_optimizer(s));
    if (s->o.plan)
        return print_plan(s);
    TRY(open_run(s) && train(s, stopped));
    if (*stopped)
        log_note(&s->run.log, "stopped by a signal and saved after step %" PRId64 "; the same command goes on", s->run.step);
    return *stopped || export_policy(s);
}

static void close_all(Rl *s)
{
    run_close(&s->run);
    free(s->rollouts);
    optimizer_close(&s->optimizer);
    order_close(&s->order);
    documents_close(&s->prompts);
    documents_close(&s->held_out);
    mix_free(s->weights, s->o.mix.count);
    sampler_close(&s->policy);
}

int main(int count, char **arguments)
{
    Rl s = {0};
    bool answered = false, stopped = false;
    bool understood = options_read(&s.options, train_rl_options(), &s.o, count, arguments);
    bool ok = understood && options_answer(&s.options, TRAIN_RL_USAGE, stdout, &answered);
    if (ok && !answered)
        ok = signals_install() && reinforce(&s, &stopped);
    close_all(&s); // the terminal's line first, then the error
    if (!ok)
        fprintf(stderr, "train_rl: %s\n", error_text());
    options_free(&s.options);
    return !understood ? 2 : !ok ? 1 : stopped ? EXIT_STOPPED : 0;
}
