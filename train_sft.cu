// Supervised fine-tuning: a model learns to write the responses of solved problems. This file is C, in spite of its
// ending: it compiles with or without nvcc.
//
// Documents go through the model end to end, several in a micro-batch, never attending to each other; the loss is the
// cross-entropy of the response tokens of a whole step's documents, divided once by their number. The rest is
// elsewhere: intake/ (rows to shards), data/ (shards to batches), model/ (forward, backward, AdamW), run/ (folders).
#include "benchmarks/in_training.h"
#include "options/program.h"
#include "pretrained/files.h"
#include "pretrained/weights.h"
#include "run/run.h"
#include "system/signals.h"
#include "train_sft_options.h"
#include <math.h>

typedef struct Sft {
    TrainSftOptions o;
    Options options;
    Fit fit; // its memory
    ModelFiles files;
    SftData data;
    Prefetch *prefetch; // fills the steps' batches while the model computes
    Model model;
    Optimizer optimizer;
    Schedule schedule;
    Communicator ranks; // all processes of this run
    Sharded sharded;    // the model among them
    Run run;
    SftEvaluation evaluation;
    InTraining tasks; // benchmarks, at evaluations
    LivePage *live;   // of --watch
} Sft;

static bool open_all(Sft *s);
static bool open_run(Sft *s);

// ---- the recipe

// One update: every micro-batch forward and back, then the clipped gradient through AdamW, if finite.
static bool train_step(Sft *s)
{
    static const Ragged NOTHING;
    double norm = NAN, rate = learning_rate(&s->schedule, s->run.step);
    const StepBatches *step;
    LossSum loss = {.finite = true};
    LevelLosses levels = {0};
    run_updates_begin(&s->run, 1);
    TRY(run_check_signal(&s->run) && prefetch_next(s->prefetch, &step) && gradients_clear(&s->model));
    int64_t all = step->plan.micro_batches, size = s->ranks.size;
    for (int64_t first = 0; first < all; first += size) { // in rounds of one for each rank; the last may lack some
        int64_t m = first + s->ranks.rank;
        const Ragged *batch = m < all ? &step->batches[m] : &NOTHING;
        sharded_round(&s->sharded, (int)smaller(size, all - first));
        TRY(run_update_goes_on(&s->run, first, all));
        TRY(model_forward(&s->model, batch));
        TRY(model_loss(&s->model, batch, 1.0 / (double)step->plan.trained_tokens, &loss));
        if (m < all)
            level_losses_add(&levels, s->data.train.documents, &step->plan, m, batch, model_loss_logprobs(&s->model));
        TRY(loss.finite || run_note_documents(&s->run, &step->plan, m, batch, model_loss_logprobs(&s->model)));
        TRY(model_backward(&s->model, batch));
    }
    TRY(run_add_up(&s->run, &loss, &levels, NULL, 0));
    TRY(!loss.finite || learning_update(&s->o.learning, &s->optimizer, &s->model, rate, &norm));
    TRY(isfinite(norm) || run_leave_out_step(&s->run, s->data.train.documents, &step->plan, loss.finite));
    TRY(run_updates_end(&s->run));
    return run_report(&s->run, &(StepReport){loss_mean(&loss), norm, rate, step->plan.trained_tokens, step->plan.tokens,
                                             s->run.updates_seconds, &levels});
}

static bool train(Sft *s)
{
    TRY(evaluation_if_due(&s->evaluation.of));
    TRY((s->prefetch = prefetch_open(&s->data.train, s->run.step, s->run.steps, s->ranks.rank, s->ranks.size)) != NULL);
    while (run_goes_on(&s->run)) {
        TRY(run_profile_begins(&s->run) && train_step(s) && run_profile_ends(&s->run));
        if (run_saves(&s->run)) // before an evaluation, which may take long, and is repeated on resume if it is missing
            TRY(run_save(&s->run) || run_keep_model(&s->run));
        TRY(evaluation_if_due(&s->evaluation.of));
    }
    return true;
}

static bool fine_tune(void *state)
{
    Sft *s = state;
    TRY(run_prepare(&s->o.run) &&
        communicator_start(&s->ranks, &s->o.ranks, &s->options, s->o.machine.plan, &s->o.machine.threads));
    LiveWork work = {.program = "train_sft", .out = s->o.run.out, .options = &s->options, .rank = s->ranks.rank};
    TRY((s->o.machine.plan || live_open(&s->live, &s->o.watch, &work)) && open_all(s));
    if (s->o.machine.plan)
        return sft_plan(&s->data, &s->fit, s->schedule.steps);
    TRY(open_run(s));
    s->data.rows.kept = true;
    return train(s) && run_export(&s->run);
}

// ---- checks before the first step

static bool open_model(Sft *s)
{
    Needs needs;
    TRY(sft_needs(&needs, &s->data, &s->files.config, (Recompute)s->o.recompute.place));
    needs.own.bf16_moments = s->optimizer.bf16_moments;
    needs.own.limits.division = division_of(&s->o.sharding, &s->ranks);
    needs.own.limits.adapters = lora_adapters(&s->o.lora);
    SftSampling sampling = {&s->o.sampling, &s->o.sizes, s->o.text.seq_len, s->fit.kernels, s->tasks.needs};
    TRY(sft_sampling_needs(&needs, &s->data, &sampling) && sft_fit(&s->fit, &needs));
    if (s->o.machine.plan)
        return true;
    return ((model_open(&s->model, &s->files.config, &s->fit.needs.own.limits, s->fit.kernels, false) &&
             optimizer_open(&s->optimizer, &s->model, false)) ||
            fit_fail(&s->fit)) &&
           sharded_open(&s->sharded, &s->model, &s->ranks);
}

static bool open_all(Sft *s)
{
    ModelFilesOptions files = {s->o.model, s->o.init, s->o.tokenizer, s->o.template.name};
    bool tasks = s->o.tasks.eval_tasks.count > 0;
    TRY(lora_check(&s->o.lora, s->o.init[0] != 0) &&
        sft_sampling_check(&s->o.sampling, tasks, division_of(&s->o.sharding, &s->ranks).weights) &&
        (s->o.machine.plan || s->ranks.rank > 0 || run_may_use(&s->o.run, s->o.data.eval_data.count > 0 || tasks)));
    TRY(fit_open_training(&s->fit, &s->o.machine, &s->o.attention) && model_files_open(&s->files, &files));
    SftDataRules rules = {&s->o.text, &s->o.batch, &s->o.sampling, tasks, &s->options};
    TRY(comm_turn(&s->ranks, s->ranks.rank > 0) && // rank 0 first: what it prepares of JSONL, the others find there
        training_data_open(&s->data.rows, &s->o.data, s->o.run.out, s->o.machine.plan) &&
        sft_data_open(&s->data, &rules, &s->files) && comm_turn(&s->ranks, s->ranks.rank == 0) &&
        in_training_open(&s->tasks, &s->o.tasks, &s->options, &s->files, (uint64_t)s->o.batch.seed));
    int64_t steps = s->o.steps > 0 ? s->o.steps : s->o.epochs * loader_steps_per_epoch(&s->data.train);
    s->schedule = learning_schedule(&s->o.learning, steps);
    s->optimizer = learning_optimizer(&s->o.learning, (uint64_t)s->o.batch.seed);
    return open_model(s);
}

static bool open_run(Sft *s)
{
    bool resumed;
    run_of(&s->run, &s->o.run, &s->model, &s->optimizer, &s->schedule, &s->files, &s->ranks);
    TRY(run_identity(&s->run, &s->options, s->data.train.documents, s->files.tokenizer) &&
        sft_evaluation_measures(&s->run, &s->data, &s->o.sampling) && in_training_measures(&s->tasks, &s->run));
    TRY(run_open(&s->run, &s->options, &resumed) && run_describe(&s->run, &s->options, &s->fit));
    run_announce(&s->run, &s->fit);
    run_announce_data(&s->run, "data", &s->data.rows.train);
    uint64_t seed = (uint64_t)s->o.batch.seed;
    return sft_evaluation_open(&s->evaluation, &s->run, &s->data, &s->files, &s->o.sampling, seed) &&
           in_training_join(&s->tasks, &s->evaluation.of, &s->files) &&
           model_begin(&s->model, s->files.folder.data, seed, resumed);
}

static bool stop(void *state) { return run_stop(&((Sft *)state)->run); } // it is whole: weights change at a step's end

static void close_all(void *state)
{
    Sft *s = state;
    live_close(s->live);
    prefetch_close(s->prefetch);
    sft_evaluation_close(&s->evaluation);
    in_training_close(&s->tasks);
    run_close(&s->run);
    optimizer_close(&s->optimizer);
    sharded_close(&s->sharded);
    model_close(&s->model);
    sft_data_close(&s->data);
    model_files_close(&s->files);
    fit_close(&s->fit);
    communicator_close(&s->ranks);
}

static const Program TRAIN_SFT = {"train_sft", TRAIN_SFT_USAGE, train_sft_options, fine_tune, stop, close_all};

int main(int count, char **words)
{
    Sft s = {0};
    return program_main(&TRAIN_SFT, &s, &s.options, &s.o, count, words);
}
