// Reinforcement learning with verifiable rewards: a model answers hard problems several times each, and learns from which of its answers
// were right. This is C, whatever the file is called: it compiles with or without nvcc.
//
// A step samples a group of responses to each of its prompts with the generation engine (engine/engine.h), judges them (answers/verify.h),
// compares each with its group (rl/advantage.h) and makes a few updates of the policy loss (rl/objective.h). The engine's
// log-probabilities are the trainer's own, to the bit, so there is no second pass over the responses before an update, and the ratio of the
// first update of a step is exactly 1: that is checked, token by token. Weights are changed where they lie; there is nothing to copy.
#include "data/mix.h"
#include "engine/session.h"
#include "intake/shard_folders.h"
#include "options/program.h"
#include "pretrained/folder.h"
#include "rl/rl.h"
#include "run/run.h"
#include "system/signals.h"
#include "train_rl_options.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Rl {
    TrainRlOptions o;
    Options options;
    Fit fit;        // the memory of all
    Session policy; // the model that samples and learns
    Optimizer optimizer;
    TrainingData data;
    const Documents *prompts, *held_out; // of data
    DroppedPrompts dropped;
    uint32_t *twins; // among the prompts
    Curriculum curriculum;
    Rewards rewards;
    Encoder *encoder;
    Referees referees;
    Reference reference;
    double kl_coefficient; // of now
    Schedule schedule;
    Run run;
    double learn_begin;           // of this step's updates, by clock_seconds()
    double learn_seconds;         // of the last step's
    int64_t updates, updates_all; // of this step, made and to be made
    bool sampled;                 // this step was: what fails from here on is no judge's or grader's fault
    ExplainTold told;             // what was said of steps whose rewards say little
    Bytes silence;                // why a step had nothing to learn from, which ends the run
    char *rollouts, *evaluations; // OUT/rollouts, OUT/evaluations
} Rl;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// ---- a step: sample, judge, compare

static int64_t steps_per_epoch(const Rl *s) { return (s->prompts->count + s->o.prompts_per_step - 1) / s->o.prompts_per_step; }

static RolloutRules rollout_rules(Rl *s)
{
    RolloutRules rules = {0};
    rules.seed = (uint64_t)s->o.seed;
    rules.samples = s->o.samples_per_prompt;
    rules.max_new_tokens = s->o.max_new_tokens;
    rules.temperature = (float)s->o.temperature;
    rules.top_k = (int32_t)s->o.top_k;
    rules.top_p = (float)s->o.top_p;
    rules.min_p = (float)s->o.min_p;
    rules.stop = s->policy.files.stop;
    rules.stop_count = s->policy.files.stop_count;
    rules.rewards = &s->rewards;
    rules.tokenizer = s->policy.files.tokenizer;
    rules.encoder = s->encoder;
    rules.judge = s->referees.judge;
    rules.judge_asks = (JudgeAsks)s->o.referees.judge_asks.place;
    rules.grader = s->referees.grader;
    rules.show.log = &s->run.log;
    rules.show.step = s->run.step + 1;
    rules.show.doing = "sampling";
    return rules;
}

static bool sample(Rl *s, Rollout *rollout, StepFacts *facts)
{
    RolloutRules rules = rollout_rules(s);
    curriculum_begin(&s->curriculum);
    rules.twins = s->twins;
    if (s->o.dynamic_sampling)
        return dynamic_rollout(rollout, s->policy.engine, &s->curriculum, s->o.prompts_per_step, s->o.dynamic_batches,
                               s->run.step, &rules, &facts->dynamic);
    int64_t *numbers = allocate((size_t)s->o.prompts_per_step, sizeof *numbers);
    TRY(numbers != NULL);
    int64_t count = curriculum_take(&s->curriculum, numbers, s->o.prompts_per_step);
    bool ok = rollout_run(rollout, s->policy.engine, s->prompts, numbers, count, s->run.step, &rules);
    free(numbers);
    if (ok)
        curriculum_learn(&s->curriculum, rollout);
    return ok;
}

// KL to the reference model, by the coefficient of this step.
static bool count_kl(Rl *s, Rollout *rollout, StepFacts *facts)
{
    double start = clock_seconds();
    facts->kl_coefficient = s->kl_coefficient;
    if (s->o.kl.kl_coef == 0 || rollout->count == 0)
        return true;
    TRY(reference_logprobs(&s->reference, rollout, s->o.micro_batch_tokens, (float)s->o.temperature, s->policy.files.n_live));
    reference_count(rollout, &s->o.kl, &s->kl_coefficient);
    facts->reference = clock_seconds() - start;
    return true;
}

static bool compute_advantages(const Rl *s, Rollout *rollout, StepFacts *facts)
{
    double start = clock_seconds();
    AdvantageRule rule = {.kind = (AdvantageKind)s->o.advantage.place,
                          .deviation = (Deviation)s->o.advantage_std.place,
                          .epsilon = s->o.advantage_eps};
    TRY(rollout_advantages(rollout, &rule));
    facts->advantage = clock_seconds() - start;
    return true;
}

// ---- and learn

// After a signal the updates of a step are finished if they can be in time, and else given up. Before the first of them has
// changed anything, the state is whole; in the middle of several it is not, and the last checkpoint stands.
static bool go_on(void *context, int64_t done, int64_t all)
{
    Rl *s = (Rl *)context;
    double share = ((double)s->updates + (double)done / (double)all) / (double)s->updates_all;
    log_live(&s->run.log, s->run.step + 1, "updating %.0f%%", 100 * share);
    double left = share > 0 ? (clock_seconds() - s->learn_begin) / share * (1 - share) : s->learn_seconds;
    return run_has_time(&s->run, left) || signal_checked("");
}

static UpdateRules update_rules(const Rl *s, bool on_policy)
{
    UpdateRules u = {0};
    u.objective.loss = (PolicyLoss)s->o.loss.place;
    u.objective.clip_low = s->o.clip_low;
    u.objective.clip_high = s->o.clip_high;
    u.objective.dual_clip = s->o.dual_clip;
    u.objective.kl_coefficient = s->o.kl.kl_in.place == KL_IN_LOSS ? s->kl_coefficient : 0;
    u.objective.kl = (KlEstimator)s->o.kl.kl.place;
    u.objective.importance_cap = s->o.importance_cap;
    u.entropy_coefficient = s->o.entropy_coef;
    u.temperature = (float)s->o.temperature;
    u.n_live = s->policy.files.n_live;
    u.go_on = go_on;
    u.go_on_context = (void *)(uintptr_t)s;
    u.on_policy = on_policy;
    return u;
}

static bool update(Rl *s, Rollout *rollout, int64_t first, int64_t count, bool on_policy, StepFacts *facts)
{
    Pack pack;
    double norm = 0;
    UpdateRules rules = update_rules(s, on_policy);
    UpdateWeights weights = {(Aggregation)s->o.aggregation.place, s->o.max_new_tokens, s->o.mask_truncated};
    Model *model = &s->policy.model;
    PackItem *items = update_items(rollout, first, count, &weights);
    bool ok = items != NULL && pack_open(&pack, items, count * rollout->samples, s->o.micro_batch_tokens, s->o.slots);
    if (ok) {
        ok = gradients_clear(model) && update_gradients(model, &pack, &rules, &facts->report) &&
             (learning_update(&s->o.learning, &s->optimizer, model, facts->learning_rate, &norm) || run_fail_in_step(&s->run));
        pack_close(&pack);
    }
    free(items);
    TRY(ok);
    facts->gradient_norm = norm > facts->gradient_norm ? norm : facts->gradient_norm;
    facts->updates++;
    s->updates++;
    return true;
}

static bool learn(Rl *s, Rollout *rollout, StepFacts *facts)
{
    double start = s->learn_begin = clock_seconds();
    s->updates_all = s->o.update_epochs * ((rollout->count + s->o.prompts_per_update - 1) / s->o.prompts_per_update);
    for (int64_t epoch = 0; epoch < s->o.update_epochs; epoch++)
        for (int64_t first = 0; first < rollout->count; first += s->o.prompts_per_update)
            TRY(update(s, rollout, first, smaller(s->o.prompts_per_update, rollout->count - first), first + epoch == 0, facts));
    facts->update = s->learn_seconds = clock_seconds() - start;
    return true;
}

// ---- and tell

static bool report(Rl *s, const Rollout *rollout, const StepFacts *facts)
{
    Metrics metrics;
    ExplainPlace place = {s->rollouts, s->run.step};
    TRY(explain_step(&s->told, &s->run.log, rollout, s->o.prompts_per_step, &facts->dynamic, place));
    metrics_of_step(&metrics, rollout, s->prompts, &s->rewards, facts);
    TRY(log_step(&s->run.log, s->run.step, metrics.fields, metrics.count));
    run_tell_jump(&s->run, 0, facts->gradient_norm, "its responses are among the rollouts; a lower --lr may be calmer");
    return true;
}

// By dynamic sampling, and no group has a signal: what was sampled can be looked at.
static bool explain_nothing(Rl *s, const Rollout *rollout, const StepFacts *facts)
{
    ExplainPlace place = {s->rollouts, s->run.step + 1};
    if (rollout_write(rollout, s->policy.files.tokenizer, s->rollouts, place.step))
        explain_silence(&s->silence, rollout, &facts->dynamic, place);
    return false;
}

static bool learn_from(Rl *s, Rollout *rollout, StepFacts *facts)
{
    if (rollout->count == 0)
        return explain_nothing(s, rollout, facts);
    facts->generate = rollout->generate_seconds;
    facts->reward = rollout->reward_seconds;
    TRY(count_kl(s, rollout, facts) && compute_advantages(s, rollout, facts) && learn(s, rollout, facts));
    s->run.step++;
    s->updates = 0;
    return rollout_write(rollout, s->policy.files.tokenizer, s->rollouts, s->run.step) && report(s, rollout, facts);
}

static bool step(Rl *s)
{
    Rollout rollout = {0};
    StepFacts facts = {0};
    facts.learning_rate = learning_rate(&s->schedule, s->run.step);
    facts.save = s->run.saved > 0 ? s->run.save_seconds : 0;
    int64_t step = s->run.step;
    CurriculumMark before = curriculum_mark(&s->curriculum);
    double kl_coefficient = s->kl_coefficient;
    double start = clock_seconds();
    s->sampled = signal_checked("") && sample(s, &rollout, &facts);
    bool ok = s->sampled && learn_from(s, &rollout, &facts);
    rollout_free(&rollout);
    s->run.step_seconds = clock_seconds() - start;
    if (!ok && s->run.step == step && s->updates == 0) { // as if it had not been tried: it may be saved then
        curriculum_rewind(&s->curriculum, &before);
        s->kl_coefficient = kl_coefficient;
    }
    return ok;
}

// ---- held-out problems

static bool evaluate_if_due(Rl *s)
{
    if (s->held_out->count == 0 || !run_evaluates(&s->run))
        return true;
    RolloutRules rules = rollout_rules(s);
    Metrics m;
    rules.show.step = s->run.step;
    rules.samples = s->o.eval_samples;
    TRY(validation_run(&m, s->policy.engine, s->held_out, &rules, s->evaluations));
    s->run.evaluated = s->run.step;
    return log_event(&s->run.log, "eval", s->run.step, m.fields, m.count);
}

// ---- step after step

static bool save(Rl *s)
{
    json_t *curriculum = curriculum_state(&s->curriculum);
    TRY(curriculum != NULL);
    json_decref(s->run.recipe);
    s->run.recipe = json_pack("{s:o, s:f}", "curriculum", curriculum, "kl_coefficient", s->kl_coefficient);
    return (s->run.recipe != NULL || fail("no memory for the state of a checkpoint")) && run_save(&s->run);
}

// A judge or grader that ended the run must not cost what was learned before.
static bool fail_with_what_is_finished(Rl *s)
{
    if (s->run.step == 0)
        return false;
    char *why = copy_text(error_text());
    TRY(why != NULL);
    bool kept = s->run.saved == s->run.step || save(s);
    kept ? fail("%s; step %" PRId64 " is saved, and --resume auto goes on from there", why, s->run.step)
         : fail_in("%s; and saving the last finished step failed", why);
    free(why);
    return false;
}

// A step that failed: what it was, is said whatever signal has come meanwhile.
static bool end_with_failure(Rl *s)
{
    if (error_kind() == ERROR_STOPPED)
        return false;
    if (s->silence.size > 0) // what was learned before it stays
        return (s->run.step == 0 || save(s)) && fail("%s", s->silence.data);
    return s->sampled ? false : fail_with_what_is_finished(s);
}

static bool train(Rl *s)
{
    TRY(evaluate_if_due(s));
    while (run_goes_on(&s->run)) {
        TRY(step(s) || end_with_failure(s));
        if (run_saves(&s->run)) // before an evaluation, which may take long, and is made again where it is missing
            TRY(save(s) || run_keep_model(&s->run));
        TRY(evaluate_if_due(s));
    }
    return true;
}

// ---- what has to be there before the first step

static ModelLimits training_limits(const Rl *s, bool training)
{
    ModelLimits l = {0};
    l.positions = s->o.max_prompt_tokens + s->o.max_new_tokens;
    l.tokens = l.rows = l.sequences = larger(s->o.micro_batch_tokens, l.positions);
    l.training = training;
    l.recompute = training && s->o.recompute.place == RECOMPUTE_LAYER;
    return l;
}

static const char *reference_folder(const Rl *s) { return s->o.kl.reference[0] != 0 ? s->o.kl.reference : s->o.model; }

static bool open_reference(Rl *s)
{
    s->kl_coefficient = s->o.kl.kl_coef;
    if (s->o.kl.kl_coef == 0 || s->o.machine.plan)
        return true;
    return reference_open(&s->reference, reference_folder(s), &s->fit.needs.others[0].limits, &s->fit);
}

static bool check_options(const Rl *s)
{
    bool processed = s->o.top_k > 0 || s->o.top_p < 1 || s->o.min_p > 0;
    if (processed && s->o.exact)
        return fail(
            "--top-k, --top-p and --min-p sample from another distribution than the one that learns; give --no-exact to do so, "
            "with --importance-cap against it");
    if (s->o.adapt && s->o.adapt_low >= s->o.adapt_high)
        return fail_as(ERROR_USAGE, "--adapt-low must be below --adapt-high");
    return true;
}

static SessionOptions policy_options(const Rl *s)
{
    SessionOptions o = {0};
    o.model = s->o.model;
    o.tokenizer = s->o.tokenizer;
    o.template = s->o.template.name;
    o.device = s->o.machine.device.name;
    o.threads = s->o.machine.threads;
    o.context = s->o.max_prompt_tokens + s->o.max_new_tokens;
    o.sequences = s->o.sequences;
    o.pass_tokens = s->o.pass_tokens;
    o.cache = s->o.cache;
    o.bf16_moments = s->o.learning.moments.place == MOMENTS_BF16;
    o.training = training_limits(s, true);
    return o;
}

// What all models need, and what of it may be changed to fit. A judge that is open has its memory already.
static bool choose_memory(Rl *s)
{
    Needs needs = {0};
    SessionOptions policy = policy_options(s);
    ModelLimits limits = training_limits(s, false);
    JudgeOptions judge = referees_judge(&s->o.referees, &s->o.machine, NULL);
    TRY(fit_open(&s->fit, &s->o.machine) && session_needs(&needs.own, s->fit.kernels, &policy));
    needs.recompute_auto = s->o.recompute.place == RECOMPUTE_AUTO;
    needs.micro_batch_tokens = s->o.micro_batch_tokens;
    needs.longest = limits.positions;
    if (s->o.kl.kl_coef > 0)
        TRY(reference_needs(&needs.others[needs.other_count++], reference_folder(s), &limits));
    if (s->o.machine.plan && s->o.referees.judge_model[0] != 0 && s->o.referees.endpoint[0] == 0)
        TRY(judge_needs(&needs.others[needs.other_count++], s->fit.kernels, &judge));
    return fit_choose(&s->fit, &needs);
}

static bool open_policy(Rl *s)
{
    SessionOptions o = policy_options(s);
    o.training = s->fit.needs.own.limits; // layers recomputed or not
    o.fit = &s->fit;
    o.plan_only = s->o.machine.plan;
    TRY(session_open(&s->policy, &o));
    if (s->policy.files.tokenizer == NULL)
        return fail("%s: there is no tokenizer.json in it, and answers are judged as text; name a folder with --tokenizer",
                    s->policy.files.folder.data);
    const ModelConfig *reference = &s->fit.needs.others[0].config;
    if (s->o.kl.kl_coef > 0 && reference->vocabulary != s->policy.files.config.vocabulary)
        return fail("--reference: it has %" PRId64 " vocabulary rows and the model %" PRId64
                    "; take a model of the same tokenizer",
                    reference->vocabulary, s->policy.files.config.vocabulary);
    return (s->encoder = encoder_open(s->policy.files.tokenizer)) != NULL;
}

static TrainingRules prompt_rules(const Rl *s)
{
    const ModelFiles *f = &s->policy.files;
    int32_t vocabulary = (int32_t)f->config.vocabulary;
    return (TrainingRules){
        .preparing = {.rules = {.tokenizer = f->tokenizer, .chat = &f->chat, .vocabulary = vocabulary}, .split = SPLIT_RL_ONLY},
        .reading = {.kind = SHARD_RL,
                    .seq_len = s->o.max_prompt_tokens,
                    .seq_len_name = "--max-prompt-tokens",
                    .over_length = OVER_LENGTH_DROP,
                    .vocabulary = vocabulary,
                    .tokenizer = tokenizer_hash(f->tokenizer),
                    .template = f->chat.kind}};
}

// What is prepared here asks as what was prepared before does.
static bool asked_alike(const Rl *s)
{
    if (s->held_out->count == 0)
        return true;
    const ShardAbout *data = documents_about(s->prompts), *held_out = documents_about(s->held_out);
    bool prepared_here = s->data.train.folders.cached || s->data.held_out.folders.cached;
    return !prepared_here || data->instruction == held_out->instruction ||
           fail("%s: --eval-data and --data end the user's turn otherwise; give the --instruction that %s was prepared with",
                s->o.data.eval_data.items[0], s->o.data.data.items[0]);
}

static bool open_prompts(Rl *s)
{
    TrainingRules rules = prompt_rules(s);
    s->prompts = &s->data.train.documents;
    s->held_out = &s->data.held_out.documents;
    TRY(training_data_open(&s->data, &s->o.data, s->o.run.out, s->o.machine.plan) && training_data_read(&s->data, &rules) &&
        training_data_read_held_out(&s->data, &rules) && asked_alike(s));
    TRY(rewards_check_sources(&s->rewards, s->prompts));
    TRY(prompts_drop_incomparable(&s->dropped, &s->data.train.documents, &s->rewards, s->o.referees.judge_model[0] != 0));
    TRY(prompts_number_twins(&s->twins, s->prompts));
    CurriculumOptions o = {0};
    o.order.seed = (uint64_t)s->o.seed;
    o.order.order = (LoaderOrder)s->o.data.order.place;
    o.order.weights = s->data.weights;
    o.order.weight_count = s->o.data.mix.count;
    o.adaptive = s->o.adapt;
    o.low = s->o.adapt_low;
    o.high = s->o.adapt_high;
    o.rare = s->o.adapt_rare;
    return curriculum_open(&s->curriculum, s->prompts, &o);
}

static void plan_steps(Rl *s)
{
    s->run.steps = s->o.steps > 0 ? s->o.steps : s->o.epochs * steps_per_epoch(s);
    s->schedule = learning_schedule(&s->o.learning, s->run.steps);
}

static bool open_optimizer(Rl *s)
{
    s->optimizer = learning_optimizer(&s->o.learning, (uint64_t)s->o.seed);
    return optimizer_open(&s->optimizer, &s->policy.model, false) || fit_fail(&s->fit);
}

static bool resume(Rl *s)
{
    const char *where = "the checkpoint";
    TRY(json_need_number(&s->kl_coefficient, s->run.recipe, "kl_coefficient", 0, 1e300, where));
    return curriculum_resume(&s->curriculum, json_object_get(s->run.recipe, "curriculum"), where);
}

static bool announce(Rl *s)
{
    RunLog *log = &s->run.log;
    int64_t prompts = smaller(s->o.prompts_per_step, s->prompts->count); // of a step
    Bytes dropped = {0};
    TRY(s->dropped.count == 0 || prompts_describe_dropped(&dropped, &s->dropped));
    run_announce(&s->run, &s->fit);
    log_note(log, "%" PRId64 " prompts (%" PRId64 " longer ones dropped), %" PRId64 " responses a step, %" PRId64 " updates",
             s->prompts->count, s->prompts->too_long, prompts * s->o.samples_per_prompt,
             s->o.update_epochs * ((prompts + s->o.prompts_per_update - 1) / s->o.prompts_per_update));
    run_announce_rows(&s->run, "--data", &s->data.train.folders);
    run_announce_rows(&s->run, "--eval-data", &s->data.held_out.folders);
    if (s->dropped.count > 0)
        log_note(log, "%" PRId64 " problems are left out: %s (%s)%s", s->dropped.count,
                 s->referees.judge != NULL ? "they have no reference"
                                           : "no rule can tell right answers from wrong ones by their reference",
                 dropped.data, s->referees.judge != NULL ? "" : "; a --judge-model could");
    uint64_t zeros = referees_zeros(&s->referees);
    if (zeros > 0)
        log_note(log,
                 "%" PRIu64 " zeros, as a power cut leaves, were cut off what judges and graders had said; it is asked again",
                 zeros);
    if (s->referees.grader != NULL)
        log_note(log, "graders: %" PRId64 " processes, sandbox: %s", s->o.referees.grader_processes,
                 grader_sandbox(s->referees.grader));
    bytes_free(&dropped);
    return true;
}

static bool open_run(Rl *s)
{
    bool resumed; // the weights are the model folder's otherwise: the sampler has read them
    s->run.o = s->o.run;
    s->run.model = &s->policy.model;
    s->run.optimizer = &s->optimizer;
    s->run.schedule = &s->schedule;
    s->run.template_name = template_name(s->policy.files.chat.kind);
    TRY(run_identity(&s->run, &s->options, s->prompts, s->policy.files.tokenizer));
    TRY(run_identity_add(&s->run, "answer_checker", ANSWERS_VERSION));
    TRY(s->referees.judge == NULL || (run_identity_add(&s->run, "judge", judge_hash(s->referees.judge)) &&
                                      run_identity_add(&s->run, "judge_prompt", judge_form_of(s->referees.judge))));
    TRY(s->o.kl.kl_coef == 0 || run_identity_add(&s->run, "reference", s->reference.hash));
    s->run.tokenizer = s->policy.files.tokenizer_folder.data;
    TRY(run_open(&s->run, &s->options, &resumed));
    TRY(!resumed || resume(s));
    TRY((s->rollouts = path_join(s->o.run.out, "rollouts")) != NULL && rollouts_cut(s->rollouts, s->run.step));
    TRY((s->evaluations = path_join(s->o.run.out, "evaluations")) != NULL && rollouts_cut(s->evaluations, s->run.step));
    TRY(run_describe(&s->run, &s->options));
    return announce(s);
}

static bool print_plan(const Rl *s)
{
    printf("%" PRId64 " prompts, %" PRId64 " steps\n", s->prompts->count, s->run.steps);
    return fit_print(&s->fit, stdout);
}

static bool reinforce(void *state)
{
    Rl *s = state;
    TRY(run_take_signals(s->o.run.stop_within) && check_options(s) &&
        rewards_open_by(&s->rewards, &s->o.rewards, s->o.referees.grader[0] != 0, s->o.max_new_tokens) &&
        referees_open(&s->referees, &s->o.referees, &s->options, &s->o.machine, s->o.run.out));
    TRY(choose_memory(s) && open_reference(s) && open_policy(s) && open_prompts(s));
    plan_steps(s);
    if (s->o.machine.plan)
        return print_plan(s);
    TRY(rollout_greet_grader(s->prompts, s->referees.grader, &s->rewards) && open_optimizer(s) && open_run(s));
    s->data.kept = true;
    return train(s) && run_export(&s->run);
}

static bool stop(void *state)
{
    Rl *s = state;
    bool begins_again = s->run.step == 0 || !s->run.open;
    if (s->updates > 0) {
        log_note(&s->run.log,
                 "stopped by a signal in the middle of step %" PRId64 "'s updates, of which no half is saved; %s; the same "
                 "command %s",
                 s->run.step + 1, run_what_stands(&s->run), s->run.saved > 0 ? "goes on" : "begins again");
        return true;
    }
    TRY(begins_again || s->run.saved == s->run.step || save(s));
    if (!s->run.open)
        printf("stopped by a signal before the first step; the same command begins again\n");
    else
        log_note(&s->run.log,
                 begins_again ? "stopped by a signal before the end of the first step; the same command begins again"
                              : "stopped by a signal and saved after step %" PRId64 "; the same command goes on",
                 s->run.step);
    return true;
}

static void close_all(void *state)
{
    Rl *s = state;
    run_close(&s->run);
    free(s->rollouts);
    free(s->evaluations);
    bytes_free(&s->silence);
    optimizer_close(&s->optimizer);
    curriculum_close(&s->curriculum);
    free(s->twins);
    training_data_close(&s->data);
    bytes_free(&s->dropped.names);
    encoder_close(s->encoder);
    reference_close(&s->reference);
    referees_close(&s->referees);
    rewards_close(&s->rewards);
    session_close(&s->policy);
    fit_close(&s->fit);
}

static const Program TRAIN_RL = {"train_rl", TRAIN_RL_USAGE, train_rl_options, reinforce, stop, close_all};

int main(int count, char **words)
{
    Rl s = {0};
    return program_main(&TRAIN_RL, &s, &s.options, &s.o, count, words);
}
