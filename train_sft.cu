// Supervised fine-tuning: a model learns to write the responses of solved problems. This is C, whatever the file is called: it
// compiles with or without nvcc.
//
// Documents go through the model end to end, several in a micro-batch, never seeing each other; the loss is the cross-entropy of
// the response tokens of a whole step's documents, divided once by their number. Everything that is not recipe is elsewhere:
// intake/ (rows to shards), data/ (shards to batches), model/ (forward, backward, AdamW), run/ (folders, checkpoints, evaluation).
#include "data/prefetch.h"
#include "options/program.h"
#include "pretrained/files.h"
#include "run/run.h"
#include "system/signals.h"
#include "train_sft_options.h"

typedef struct Sft {
    TrainSftOptions o;
    Options options;
    Fit fit; // its memory
    ModelFiles files;
    TrainingData data;
    Loader loader, held_out; // held_out.documents NULL: there is none
    Prefetch *prefetch;      // fills the steps' batches while the model computes
    Model model;
    Optimizer optimizer;
    Schedule schedule;
    Run run;
} Sft;

static bool open_all(Sft *s);
static bool open_run(Sft *s);
static bool print_plan(const Sft *s);

// ---- the recipe

// After a signal a step is finished if it can be in time, and else given up: it has changed nothing before its end.
static bool go_on(Sft *s, double start, int64_t done, int64_t all)
{
    log_live(&s->run.log, s->run.step + 1, "micro-batch %" PRId64 "/%" PRId64, done + 1, all);
    double each = done > 0 ? (clock_seconds() - start) / (double)done : 0;
    return (done > 0 && run_has_time(&s->run, each * (double)(all - done))) || signal_checked("");
}

// One update: every micro-batch forward and back, then the clipped gradient through AdamW. Nothing that is not finite gets there.
static bool train_step(Sft *s)
{
    double start = clock_seconds(), norm, rate = learning_rate(&s->schedule, s->run.step);
    const StepBatches *step;
    LossSum loss = {.finite = true};
    LevelLosses levels = {0};
    TRY(prefetch_next(s->prefetch, &step));
    TRY(gradients_clear(&s->model));
    for (int64_t m = 0; m < step->plan.micro_batches; m++) {
        const Ragged *batch = &step->batches[m];
        TRY(go_on(s, start, m, step->plan.micro_batches));
        TRY(model_forward(&s->model, batch));
        TRY(model_loss(&s->model, batch, 1.0 / (double)step->plan.trained_tokens, &loss));
        level_losses_add(&levels, s->loader.documents, &step->plan, m, batch, model_loss_logprobs(&s->model));
        TRY(model_backward(&s->model, batch));
    }
    if (!loss.finite) {
        fail("the loss is not finite; lower --lr, or look at the documents of this step (./prepare --inspect --step)");
        return run_fail_in_step(&s->run);
    }
    TRY(learning_update(&s->o.learning, &s->optimizer, &s->model, rate, &norm) || run_fail_in_step(&s->run));
    s->run.step++;
    StepReport report = {loss_mean(&loss),        norm,   rate, step->plan.trained_tokens, step->plan.tokens,
                         clock_seconds() - start, &levels};
    return run_report(&s->run, &report);
}

static bool train(Sft *s)
{
    TRY(!run_evaluates(&s->run) || run_evaluate(&s->run, &s->held_out));
    TRY((s->prefetch = prefetch_open(&s->loader, s->run.step, s->run.steps)) != NULL);
    while (run_goes_on(&s->run)) {
        TRY(train_step(s));
        if (run_saves(&s->run)) // before an evaluation, which may take long, and is made again where it is missing
            TRY(run_save(&s->run) || run_keep_model(&s->run));
        if (run_evaluates(&s->run))
            TRY(run_evaluate(&s->run, &s->held_out));
    }
    return true;
}

static bool fine_tune(void *state)
{
    Sft *s = state;
    TRY(run_take_signals(s->o.run.stop_within) && open_all(s));
    if (s->o.machine.plan)
        return print_plan(s);
    TRY(open_run(s));
    s->data.kept = true;
    return train(s) && run_export(&s->run);
}

// ---- what has to be there before the first step: data

static bool open_loaders(Sft *s)
{
    LoaderOptions dealing = {.seed = (uint64_t)s->o.seed,
                             .order = (LoaderOrder)s->o.data.order.place,
                             .weights = s->data.weights,
                             .weight_count = s->o.data.mix.count,
                             .global_batch = s->o.global_batch,
                             .micro_batch_tokens = s->o.micro_batch_tokens,
                             .slots = s->o.slots};
    TRY(loader_open(&s->loader, &s->data.train.documents, &dealing));
    dealing.order = ORDER_SORTED; // evaluation walks all of them
    dealing.weight_count = 0;
    return s->o.data.eval_data.count == 0 || loader_open(&s->held_out, &s->data.held_out.documents, &dealing);
}

static bool open_data(Sft *s)
{
    return training_data_open(&s->data, &s->o.data, s->o.run.out, s->o.machine.plan) &&
           sft_data_open(&s->data, &s->o.text, &s->files, &s->options) && open_loaders(s);
}

// ---- the model and its memory

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static bool open_model(Sft *s)
{
    LoaderLimits train = loader_largest(&s->loader), held = {0};
    int64_t longest = larger(s->data.train.documents.longest, s->data.held_out.documents.longest);
    if (s->held_out.documents != NULL)
        held = loader_largest(&s->held_out);
    if (longest > s->files.config.max_positions)
        return fail("the longest document has %" PRId64 " tokens, but the model's max_position_embeddings is %" PRId64
                    "; lower --seq-len",
                    longest, s->files.config.max_positions);
    Needs needs = {.own.config = s->files.config,
                   .own.limits = {.tokens = larger(train.tokens, held.tokens),
                                  .rows = larger(train.rows, held.rows),
                                  .sequences = larger(train.sequences, held.sequences),
                                  .positions = longest,
                                  .training = true,
                                  .recompute = s->o.recompute.place == RECOMPUTE_LAYER},
                   .own.bf16_moments = s->optimizer.bf16_moments,
                   .recompute_auto = s->o.recompute.place == RECOMPUTE_AUTO,
                   .micro_batch_tokens = s->o.micro_batch_tokens,
                   .longest = longest};
    TRY(fit_choose(&s->fit, &needs));
    return s->o.machine.plan ||
           (model_open(&s->model, &s->files.config, &s->fit.needs.own.limits, s->fit.kernels, false) &&
            optimizer_open(&s->optimizer, &s->model, false)) ||
           fit_fail(&s->fit);
}

static bool open_all(Sft *s)
{
    ModelFilesOptions files = {s->o.model, s->o.init, s->o.tokenizer, s->o.template.name};
    TRY(fit_open(&s->fit, &s->o.machine) && model_files_open(&s->files, &files) && open_data(s));
    s->run.steps = s->o.steps > 0 ? s->o.steps : s->o.epochs * loader_steps_per_epoch(&s->loader);
    s->schedule = learning_schedule(&s->o.learning, s->run.steps);
    s->optimizer = learning_optimizer(&s->o.learning, (uint64_t)s->o.seed);
    return open_model(s);
}

static bool open_run(Sft *s)
{
    bool resumed;
    s->run.o = s->o.run;
    s->run.model = &s->model;
    s->run.optimizer = &s->optimizer;
    s->run.schedule = &s->schedule;
    s->run.tokenizer = s->files.tokenizer_folder.data;
    s->run.template_name = template_name(s->files.chat.kind);
    TRY(run_identity(&s->run, &s->options, &s->data.train.documents, s->files.tokenizer));
    TRY(run_open(&s->run, &s->options, &resumed) && run_describe(&s->run, &s->options));
    run_announce(&s->run, &s->fit);
    run_announce_data(&s->run, "data", &s->data.train);
    run_announce_data(&s->run, "held out", &s->data.held_out);
    if (resumed)
        return true;
    return s->o.init[0] != 0 ? model_initialise(&s->model, (uint64_t)s->o.seed) : model_load(&s->model, s->files.folder.data);
}

// ---- plans, signals and the end

static bool print_plan(const Sft *s)
{
    const Documents *train = &s->data.train.documents;
    printf("%" PRId64 " documents, %" PRId64 " tokens, %" PRId64 " of them trained; %" PRId64 " steps\n", train->count,
           train->tokens, train->trained_tokens, s->run.steps);
    TRY(fit_print(&s->fit, stdout));
    printf("beside these: the tokenizer, some 6 MiB of scratch for each thread, and the data's %.1f MiB, mapped and not copied\n",
           (double)(train->tokens + s->data.held_out.documents.tokens) * 4 / 0x1p20);
    return fflush(stdout) == 0 || fail_errno("writing the plan");
}

// What a signal leaves is whole: weights change at the end of a step.
static bool stop(void *state)
{
    Sft *s = state;
    return run_stop(&s->run);
}

static void close_all(void *state)
{
    Sft *s = state;
    if (s->prefetch != NULL)
        prefetch_close(s->prefetch);
    run_close(&s->run);
    optimizer_close(&s->optimizer);
    model_close(&s->model);
    loader_close(&s->loader);
    loader_close(&s->held_out);
    training_data_close(&s->data);
    model_files_close(&s->files);
    fit_close(&s->fit);
}

static const Program TRAIN_SFT = {"train_sft", TRAIN_SFT_USAGE, train_sft_options, fine_tune, stop, close_all};

int main(int count, char **words)
{
    Sft s = {0};
    return program_main(&TRAIN_SFT, &s, &s.options, &s.o, count, words);
}
