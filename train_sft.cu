// Supervised fine-tuning: a model learns to write the responses of solved problems.
//
// Documents go through the model end to end, several in a micro-batch, never seeing each other; the loss is the cross-entropy of
// the response tokens of a whole step's documents, divided once by their number. Everything that is not recipe is elsewhere:
// data/ (rows to batches), model/ (forward, backward, AdamW), run/ (folders, checkpoints, evaluation).
#include "base/signals.h"
#include "model/folder.h"
#include "run/run.h"
#include "train_sft_options.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Sft {
    TrainSftOptions o;
    Options options;
    const Kernels *kernels;
    Bytes folder; // of --model, resolved; empty with --init
    const char *tokenizer_folder;
    ModelConfig config;
    Tokenizer *tokenizer; // NULL: the rows are ids
    ChatTemplate chat;
    Documents data, held_out_data;
    Loader loader, held_out; // held_out.documents NULL: there is none
    Model model;
    Optimizer optimizer;
    Schedule schedule;
    Run run;
} Sft;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool due(int64_t every, int64_t step) { return every > 0 && step % every == 0; }

// One update: every micro-batch forward and back, then the clipped gradient through AdamW. Nothing that is not finite gets there.
static bool train_step(Sft *s)
{
    double start = seconds(), norm, rate = learning_rate(&s->schedule, s->run.step);
    StepPlan plan;
    LossSum loss = {.finite = true};
    TRY(loader_plan(&s->loader, s->run.step, &plan));
    TRY(gradients_clear(&s->model));
    for (int64_t m = 0; m < plan.micro_batches; m++) {
        Ragged batch;
        TRY(loader_micro_batch(&s->loader, &plan, m, &batch));
        TRY(model_forward(&s->model, &batch));
        TRY(model_loss(&s->model, &batch, 1.0 / (double)plan.trained_tokens, &loss));
        TRY(model_backward(&s->model, &batch));
    }
    TRY(gradient_norm(&s->model, &norm));
    if (!loss.finite || !isfinite(norm))
        return fail("step %" PRId64 ": the %s is not finite; the weights are those before it and the last checkpoint stands; "
                    "lower --lr, or look at the documents of this step",
                    s->run.step + 1, loss.finite ? "gradient" : "loss");
    bool clip = s->o.grad_clip > 0 && norm > s->o.grad_clip;
    TRY(optimizer_step(&s->optimizer, &s->model, rate, clip ? s->o.grad_clip / norm : 1));
    s->run.step++;
    StepReport report = {loss_mean(&loss), norm, rate, plan.trained_tokens, plan.tokens, seconds() - start};
    return run_report(&s->run, &report);
}

static bool train(Sft *s, bool *stopped)
{
    *stopped = false;
    if (s->run.step == 0)
        TRY(run_evaluate(&s->run, &s->held_out));
    while (s->run.step < s->run.steps && !*stopped) {
        TRY(train_step(s));
        bool last = s->run.step == s->run.steps;
        if (last || due(s->o.eval_every, s->run.step))
            TRY(run_evaluate(&s->run, &s->held_out));
        *stopped = !last && signal_received() != 0;
        if (last || *stopped || due(s->o.save_every, s->run.step))
            TRY(run_save(&s->run));
    }
    return true;
}

// ---- what has to be there before the first step

static bool open_config(Sft *s)
{
    bool given = s->o.model[0] != 0, fresh = s->o.init[0] != 0;
    if (given == fresh)
        return fail("give either --model FOLDER, a model to start from, or --init config.json for a new one");
    Bytes path = {0};
    if (given)
        TRY(model_folder_find(&s->folder, s->o.model) && bytes_printf(&path, "%s/config.json", s->folder.data));
    bool ok = config_read(&s->config, given ? path.data : s->o.init);
    bytes_free(&path);
    s->tokenizer_folder = s->o.tokenizer[0] != 0 ? s->o.tokenizer : given ? s->folder.data : NULL;
    return ok;
}

static bool open_tokenizer(Sft *s)
{
    bool there = false;
    if (s->tokenizer_folder != NULL) {
        char *file = path_join(s->tokenizer_folder, "tokenizer.json");
        TRY(file != NULL);
        there = file_exists(file);
        free(file);
    }
    if (!there) {
        if (s->o.tokenizer[0] != 0)
            return fail("--tokenizer %s: there is no tokenizer.json in it", s->o.tokenizer);
        s->tokenizer_folder = NULL; // rows of ids need none; others are refused where they are read
        return template_open(&s->chat, ".", "chatml");
    }
    TRY((s->tokenizer = tokenizer_open(s->tokenizer_folder)) != NULL);
    if (tokenizer_size(s->tokenizer) > s->config.vocabulary)
        return fail("%s: %d tokens, but the model has only %" PRId64 " vocabulary rows", s->tokenizer_folder,
                    (int)tokenizer_size(s->tokenizer), s->config.vocabulary);
    return template_open(&s->chat, s->tokenizer_folder, s->o.template_);
}

static bool open_data(Sft *s, Documents *documents, Loader *loader, const OptionList *paths)
{
    static const OverLength OVER[] = {OVER_LENGTH_DROP, OVER_LENGTH_CUT, OVER_LENGTH_ERROR};
    DocumentOptions reading = {.tokenizer = s->tokenizer,
                               .chat = &s->chat,
                               .instruction = s->o.instruction,
                               .vocabulary = (int32_t)s->config.vocabulary,
                               .seq_len = s->o.seq_len,
                               .over_length = OVER[option_place("drop|cut|error", s->o.over_length)],
                               .train_turn_newline = s->o.train_turn_newline,
                               .skip_bad_rows = s->o.skip_bad_rows};
    LoaderOptions dealing = {.seed = (uint64_t)s->o.seed,
                             .order = strcmp(s->o.order, "file") == 0 ? ORDER_SEQUENTIAL : ORDER_RANDOM,
                             .global_batch = s->o.global_batch,
                             .micro_batch_tokens = s->o.micro_batch_tokens,
                             .slots = s->o.slots};
    return documents_read(documents, &reading, paths->items, paths->count) && loader_open(loader, documents, &dealing);
}

static void plan_steps(Sft *s)
{
    static const ScheduleShape SHAPES[] = {SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_WSD};
    int64_t steps = s->o.steps > 0 ? s->o.steps : s->o.epochs * loader_steps_per_epoch(&s->loader);
    int64_t warmup = s->o.warmup_steps >= 0 ? s->o.warmup_steps : steps / 10;
    s->schedule = (Schedule){.shape = SHAPES[option_place("constant|linear|cosine|wsd", s->o.lr_schedule)],
                             .peak = s->o.lr,
                             .end = s->o.lr_end,
                             .steps = steps,
                             .warmup = warmup,
                             .decay = s->o.wsd_decay};
    s->run.steps = steps;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static bool open_model(Sft *s)
{
    LoaderLimits train = loader_largest(&s->loader), held = {0};
    int64_t longest = larger(s->data.longest, s->held_out_data.longest);
    if (s->held_out.documents != NULL)
        held = loader_largest(&s->held_out);
    if (longest > s->config.max_positions)
        return fail("the longest document has %" PRId64 " tokens, but the model's max_position_embeddings is %" PRId64
                    "; lower --seq-len",
                    longest, s->config.max_positions);
    ModelLimits limits = {.tokens = larger(train.tokens, held.tokens),
                          .rows = larger(train.rows, held.rows),
                          .sequences = larger(train.sequences, held.sequences),
                          .positions = longest,
                          .training = true,
                          .recompute = strcmp(s->o.recompute, "layer") == 0};
    s->optimizer = (Optimizer){.beta1 = s->o.beta1,
                               .beta2 = s->o.beta2,
                               .epsilon = s->o.eps,
                               .weight_decay = s->o.weight_decay,
                               .bf16_moments = strcmp(s->o.moments, "bf16") == 0,
                               .seed = (uint64_t)s->o.seed};
    TRY(model_open(&s->model, &s->config, &limits, s->kernels, s->o.plan));
    return optimizer_open(&s->optimizer, &s->model, s->o.plan);
}

static bool open_run(Sft *s)
{
    bool resumed;
    s->run.out = s->o.out;
    s->run.model = &s->model;
    s->run.optimizer = &s->optimizer;
    s->run.keep = (int)s->o.keep_checkpoints;
    s->run.log_every = s->o.log_every;
    s->run.template_name = template_name(s->chat.kind);
    TRY(run_identity(&s->run, &s->options, &s->data, s->tokenizer));
    TRY(run_open(&s->run, &s->options, s->o.resume, &resumed));
    TRY(run_describe(&s->run, &s->options, s->tokenizer_folder));
    run_announce(&s->run);
    run_announce_data(&s->run, "data", &s->data);
    run_announce_data(&s->run, "held out", &s->held_out_data);
    if (resumed)
        return true;
    return s->o.init[0] != 0 ? model_initialise(&s->model, (uint64_t)s->o.seed) : model_load(&s->model, s->folder.data);
}

static bool open_all(Sft *s)
{
    s->kernels = s->o.plan ? kernels_for_plan(s->o.device) : kernels_open(s->o.device, (int)s->o.threads);
    TRY(s->kernels != NULL);
    TRY(open_config(s) && open_tokenizer(s));
    TRY(open_data(s, &s->data, &s->loader, &s->o.data));
    if (s->o.eval_data.count > 0)
        TRY(open_data(s, &s->held_out_data, &s->held_out, &s->o.eval_data));
    plan_steps(s);
    return open_model(s);
}

static void close_all(Sft *s)
{
    run_close(&s->run);
    optimizer_close(&s->optimizer);
    model_close(&s->model);
    loader_close(&s->loader);
    loader_close(&s->held_out);
    documents_free(&s->data);
    documents_free(&s->held_out_data);
    tokenizer_close(s->tokenizer);
    bytes_free(&s->folder);
}

static bool print_plan(const Sft *s)
{
    printf("%" PRId64 " documents, %" PRId64 " tokens, %" PRId64 " of them trained; %" PRId64 " steps\n", s->data.count,
           s->data.tokens, s->data.trained_tokens, s->run.steps);
    arena_print(&s->model.state, stdout);
    arena_print(&s->optimizer.state, stdout);
    arena_print(&s->model.activations, stdout);
    double bytes = (double)(s->model.state.bytes + s->optimizer.state.bytes + s->model.activations.bytes);
    printf("%-50s %12.1f MiB = %.2f GB (%.2f GiB) for %s\n", "in all", bytes / 0x1p20, bytes / 1e9, bytes / 0x1p30,
           s->kernels->name);
    printf("beside these: the tokenised data %.1f MiB, the tokenizer, and some 6 MiB of scratch for each thread\n",
           (double)(s->data.tokens + s->held_out_data.tokens) * 5 / 0x1p20);
    return fflush(stdout) == 0 || fail_errno("writing the plan");
}

static bool fine_tune(Sft *s, bool *stopped)
{
    *stopped = false;
    TRY(open_all(s));
    if (s->o.plan)
        return print_plan(s);
    TRY(open_run(s));
    TRY(train(s, stopped));
    char *folder = path_join(s->o.out, "model");
    bool ok = folder != NULL &&
              (*stopped || export_model(&s->model, s->tokenizer_folder, s->run.template_name, s->o.export_dtype, folder));
    if (ok && *stopped)
        log_note(&s->run.log, "stopped by a signal and saved after step %" PRId64 "; the same command goes on", s->run.step);
    else if (ok)
        log_note(&s->run.log, "the model is in %s", folder);
    free(folder);
    return ok;
}

int main(int count, char **arguments)
{
    Sft s = {0};
    bool answered = false, stopped = false;
    bool understood = options_read(&s.options, train_sft_options(), &s.o, count, arguments);
    bool ok = understood && options_answer(&s.options, TRAIN_SFT_USAGE, stdout, &answered);
    if (ok && !answered)
        ok = signals_install() && fine_tune(&s, &stopped);
    close_all(&s); // the terminal's line first, then the error
    if (!ok)
        fprintf(stderr, "train_sft: %s\n", error_text());
    options_free(&s.options);
    return !understood ? 2 : !ok ? 1 : stopped ? EXIT_STOPPED : 0;
}
