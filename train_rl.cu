// Reinforcement learning with verifiable rewards: a model answers hard problems several times each, and learns from
// which of its answers were right. This file is C, in spite of its ending: it compiles with or without nvcc.
//
// A step samples a group of responses to each of its prompts with the generation engine (engine/engine.h), judges them
// (answers/verify.h), compares each with its group (rl/advantage.h) and makes a few updates of the policy loss
// (rl/objective.h). The engine's log-probabilities are the trainer's own, to the bit, so no second pass precedes an
// update, and the ratio of the first update of a step is exactly 1: that is checked, token by token.
#include "benchmarks/in_training.h"
#include "options/program.h"
#include "metrics/explain.h"
#include "metrics/plan.h"
#include "rl/rl.h"
#include "rl/rollout_ranks.h"
#include "run/run.h"
#include "system/signals.h"
#include "train_rl_options.h"
#include <stdlib.h>

typedef struct Rl {
    TrainRlOptions o;
    Options options;
    Communicator ranks;  // all processes of this run
    RolloutRanks shares; // of a rollout among them
    Policy policy;       // the model that samples and learns
    Prompts prompts;
    Curriculum curriculum;
    RlState state; // of the curriculum and the KL: saved, and restored when a step is abandoned
    Rewards rewards;
    Referees referees;
    Schedule schedule;
    Run run;
    bool sampled; // this step has its samples: a later error is not a judge's or grader's, and nothing is saved for it
    Evaluation evaluation;
    InTraining tasks;             // benchmarks, at evaluations
    LivePage *live;               // of --watch
    Explain explain;              // warns of steps whose rewards teach nothing
    char *rollouts, *evaluations; // OUT/rollouts, OUT/evaluations
} Rl;

static bool open_all(Rl *s);
static bool open_run(Rl *s);

// ---- a step: sample and judge

static RolloutRules rollout_rules(Rl *s)
{
    return (RolloutRules){.seed = (uint64_t)s->o.seed,
                          .step = s->run.step,
                          .samples = s->o.samples_per_prompt,
                          .sampling = s->o.sampling,
                          .files = &s->policy.session.files,
                          .encoder = s->policy.encoder,
                          .rewards = &s->rewards,
                          .referees = s->referees,
                          .ranks = &s->shares,
                          .show = {&s->run.log, s->run.step + 1, "sampling"}};
}

static bool sample(Rl *s, Rollout *rollout, StepFacts *facts)
{
    RolloutRules rules = rollout_rules(s);
    StepRollout what = {s->o.prompts_per_step, s->o.dynamic_sampling ? s->o.dynamic_batches : 0};
    rules.twins = s->prompts.twins;
    TRY(rollout_of_step(rollout, s->policy.session.engine, &s->curriculum, what, &rules, &facts->dynamic));
    facts->pools = curriculum_pools(&s->curriculum);
    return rollout->count > 0 ||
           explain_nothing(&s->explain, rollout, rules.files->tokenizer, &facts->dynamic, s->run.step + 1);
}

// ---- compare: with a reference model, if there is one, and with each other

static bool compare(Rl *s, Rollout *rollout, StepFacts *facts)
{
    double start = clock_seconds();
    facts->kl_coefficient = s->state.kl_coefficient; // of this step; counting sets the next step's
    TRY(reference_count(&s->policy.reference, rollout, &s->o.kl, &s->state.kl_coefficient));
    double counted = clock_seconds();
    advantages(rollout, &s->o.advantage);
    facts->reference = counted - start;
    facts->advantage = clock_seconds() - counted;
    return true;
}

// ---- and learn

// One update, from some groups of the rollout. The first one's ratios are exactly 1, unless attention is a library's.
static bool update(Rl *s, Rollout *rollout, int64_t first, StepFacts *facts)
{
    PackPart part = {first, smaller(s->o.prompts_per_update, rollout->count - first), s->o.policy.micro_batch_tokens,
                     s->o.slots, s->o.policy.share_prompts};
    UpdateRules rules = update_rules(&s->o.loss, &s->o.sampling, &s->o.kl, s->state.kl_coefficient);
    Model *model = &s->policy.session.model;
    Pack pack;
    double norm = 0;
    rules.n_live = s->policy.session.files.n_live;
    rules.go_on = run_update_goes_on;
    rules.go_on_context = &s->run;
    rules.sharded = &s->policy.sharded;
    rules.on_policy = s->run.updates == 0 && model->kernels->inexact == NULL;
    update_weights(rollout, &part, &s->o.loss, s->o.sampling.max_new_tokens);
    TRY(pack_open(&pack, rollout, &part));
    bool ok = gradients_clear(model) && update_gradients(model, &pack, &rules, &facts->report) &&
              learning_update(&s->o.learning, &s->policy.optimizer, model, facts->learning_rate, &norm) &&
              prompts_check_norm(&s->prompts, rollout, &part, norm, &s->run);
    pack_close(&pack);
    TRY(ok);
    facts->gradient_norm = norm <= facts->gradient_norm ? facts->gradient_norm : norm; // or not finite
    facts->updates = ++s->run.updates;
    return true;
}

static bool learn(Rl *s, Rollout *rollout, StepFacts *facts)
{
    int64_t each = s->o.prompts_per_update;
    run_updates_begin(&s->run, s->o.update_epochs * ((rollout->count + each - 1) / each));
    for (int64_t epoch = 0; epoch < s->o.update_epochs; epoch++)
        for (int64_t first = 0; first < rollout->count; first += each)
            TRY(update(s, rollout, first, facts));
    TRY(run_updates_end(&s->run));
    facts->update = s->run.updates_seconds;
    facts->sent_bytes = run_take_sent(&s->run);
    return true;
}

static bool report(Rl *s, const Rollout *rollout, const StepFacts *facts)
{
    Metrics metrics;
    TRY(!run_is_first(&s->run) || rollout_write(rollout, s->policy.session.files.tokenizer, s->rollouts, s->run.step));
    TRY(explain_step(&s->explain, rollout, s->o.prompts_per_step, &facts->dynamic, s->run.step));
    metrics_of_step(&metrics, rollout, s->prompts.train, &s->rewards, facts);
    TRY(log_step(&s->run.log, s->run.step, metrics.fields, metrics.count) &&
        metrics_histograms(&s->run.log, s->run.step, rollout));
    run_tell_jump(&s->run, 0, facts->gradient_norm, "its responses are among the rollouts; a lower --lr may be calmer");
    return true;
}

static bool step(Rl *s)
{
    Rollout rollout = {0};
    StepFacts facts = {.learning_rate = learning_rate(&s->schedule, s->run.step), .save = run_take_save_times(&s->run)};
    int64_t step = s->run.step;
    RlState before = s->state;
    double start = clock_seconds();
    s->sampled = run_check_signal(&s->run) && sample(s, &rollout, &facts);
    bool ok = s->sampled && compare(s, &rollout, &facts) && learn(s, &rollout, &facts) && report(s, &rollout, &facts);
    rollout_free(&rollout);
    s->run.step_seconds = clock_seconds() - start;
    if (!ok && s->run.step == step && s->run.updates == 0)
        s->state = before;
    return ok && run_hear_clock(&s->run);
}

// ---- step after step

static bool train(Rl *s)
{
    TRY(evaluation_if_due(&s->evaluation));
    while (run_goes_on(&s->run)) {
        // a judge or grader that ends the run must not cost what was learned before
        if (!(run_profile_begins(&s->run) && step(s) && run_profile_ends(&s->run)))
            return error_kind() == ERROR_STOPPED || s->sampled || s->ranks.failed ? false : run_save_and_fail(&s->run);
        if (run_saves(&s->run)) // before an evaluation, which may take long, and is repeated on resume if it is missing
            TRY(run_save(&s->run) || run_keep_model(&s->run));
        TRY(evaluation_if_due(&s->evaluation));
    }
    return true;
}

static bool reinforce(void *state)
{
    Rl *s = state;
    UpdateSizes sizes = {s->o.prompts_per_update, s->o.samples_per_prompt, s->o.sampling.max_new_tokens,
                         s->o.policy.micro_batch_tokens, s->o.slots};
    TRY(run_prepare(&s->o.run) &&
        communicator_start(&s->ranks, &s->o.ranks, &s->options, s->o.machine.plan, &s->o.machine.threads));
    LiveWork work = {.program = "train_rl", .out = s->o.run.out, .options = &s->options, .rank = s->ranks.rank};
    TRY((s->o.machine.plan || live_open(&s->live, &s->o.watch, &work)) && open_all(s));
    if (s->o.machine.plan)
        return plan_print(&s->policy.fit, s->prompts.train, s->schedule.steps, &sizes, stdout);
    TRY(rollout_greet_grader(s->prompts.train, s->referees.grader, &s->rewards) && open_run(s));
    s->prompts.data.kept = true;
    return train(s) && run_export(&s->run);
}

// ---- checks before the first step

static bool open_prompts(Rl *s)
{
    PromptsRules rules = {.data = &s->o.data,
                          .out = s->o.run.out,
                          .plan = s->o.machine.plan,
                          .longest = s->o.policy.max_prompt_tokens,
                          .files = &s->policy.session.files,
                          .rewards = &s->rewards,
                          .has_judge = s->o.referees.judge_model[0] != 0};
    TRY(comm_turn(&s->ranks, s->ranks.rank > 0) && // rank 0 first: what it prepares of JSONL, the others find there
        prompts_open(&s->prompts, &rules) && comm_turn(&s->ranks, s->ranks.rank == 0));
    CurriculumOptions o = {training_data_order(&s->prompts.data, (uint64_t)s->o.seed), s->o.adapt};
    return curriculum_open(&s->curriculum, s->prompts.train, &o, &s->state.curriculum);
}

static bool open_all(Rl *s)
{
    bool evaluates = s->o.data.eval_data.count + s->o.tasks.eval_tasks.count > 0;
    ModelFilesOptions files = {s->o.policy.model, NULL, s->o.policy.tokenizer, s->o.policy.template.name};
    TRY(sampling_check(&s->o.sampling) && adapt_check(&s->o.adapt) && lora_check(&s->o.lora, false) &&
        (s->o.machine.plan || s->ranks.rank > 0 || run_may_use(&s->o.run, evaluates)) && comm_barrier(&s->ranks));
    TRY(in_training_open_with(&s->tasks, &s->o.tasks, &s->options, &files, (uint64_t)s->o.seed));
    TRY(rewards_open(&s->rewards, &s->o.rewards, s->o.referees.grader[0] != 0, s->o.sampling.max_new_tokens));
    TRY(referees_open(&s->referees, &s->o.referees, &s->options, &s->o.machine, s->o.run.out, &s->ranks));
    PolicySetup setup = {&s->o.policy,   &s->o.sizes, &s->o.sampling,      &s->o.learning,
                         &s->o.lora,     &s->o.kl,    &s->o.referees,      &s->o.machine,
                         &s->o.sharding, &s->ranks,   (uint64_t)s->o.seed, s->tasks.needs.longest};
    TRY(policy_open(&s->policy, &setup) && open_prompts(s));
    s->shares.ranks = &s->ranks;
    s->state.kl_coefficient = s->o.kl.kl_coef;
    int64_t per_epoch = (s->prompts.train->count + s->o.prompts_per_step - 1) / s->o.prompts_per_step;
    s->schedule = learning_schedule(&s->o.learning, s->o.steps > 0 ? s->o.steps : s->o.epochs * per_epoch);
    return true;
}

// ---- the run, and where it resumes

static void announce(Rl *s)
{
    int64_t prompts = smaller(s->o.prompts_per_step, s->prompts.train->count); // per step
    run_announce(&s->run, &s->policy.fit);
    log_note(&s->run.log,
             "%" PRId64 " prompts (%" PRId64 " longer ones dropped), %" PRId64 " responses a step, %" PRId64 " updates",
             s->prompts.train->count, s->prompts.train->too_long, prompts * s->o.samples_per_prompt,
             s->o.update_epochs * ((prompts + s->o.prompts_per_update - 1) / s->o.prompts_per_update));
    prompts_announce(&s->prompts, &s->run, s->referees.judge != NULL);
    referees_announce(&s->referees, &s->o.referees, &s->run.log);
}

static bool open_run(Rl *s)
{
    bool resumed; // else the weights are those of the model folder, loaded by the session
    run_of(&s->run, &s->o.run, &s->policy.session.model, &s->policy.optimizer, &s->schedule, &s->policy.session.files,
           &s->ranks);
    s->run.recipe_state = rl_state_json;
    s->run.recipe_context = &s->state;
    RlIdentity identity = {&s->options, s->prompts.train, &s->policy, &s->referees, s->o.kl.kl_coef != 0};
    s->evaluation = (Evaluation){.run = &s->run, .problems = s->prompts.held_out, .rules = rollout_rules(s)};
    s->evaluation.rules.samples = s->o.eval_samples;
    TRY(rl_identity(&s->run, &identity) && in_training_measures(&s->tasks, &s->run) &&
        evaluation_measures(&s->run, NULL, s->prompts.held_out, &s->evaluation.rules));
    TRY(run_open(&s->run, &s->options, &resumed) && (!resumed || rl_state_resume(&s->state, s->run.recipe)));
    TRY(rollouts_open(&s->rollouts, &s->run, "rollouts") && rollouts_open(&s->evaluations, &s->run, "evaluations"));
    s->evaluation.folder = s->evaluations;
    s->evaluation.engine = s->policy.session.engine;
    s->explain = (Explain){.log = &s->run.log, .rollouts = s->rollouts, .ranks = &s->ranks};
    announce(s);
    return in_training_join(&s->tasks, &s->evaluation, &s->policy.session.files) &&
           run_describe(&s->run, &s->options, &s->policy.fit);
}

static bool stop(void *state) { return run_stop(&((Rl *)state)->run); }

static void close_all(void *state)
{
    Rl *s = state;
    live_close(s->live);
    run_close(&s->run);
    free(s->rollouts);
    free(s->evaluations);
    curriculum_close(&s->curriculum);
    prompts_close(&s->prompts);
    referees_close(&s->referees);
    rewards_close(&s->rewards);
    in_training_close(&s->tasks);
    policy_close(&s->policy);
    rollout_ranks_close(&s->shares);
    communicator_close(&s->ranks);
}

static const Program TRAIN_RL = {"train_rl", TRAIN_RL_USAGE, train_rl_options, reinforce, stop, close_all};

int main(int count, char **words)
{
    Rl s = {0};
    return program_main(&TRAIN_RL, &s, &s.options, &s.o, count, words);
}
