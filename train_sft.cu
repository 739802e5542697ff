// Supervised fine-tuning: a model learns to write the responses of solved problems.
//
// Documents go through the model end to end, several in a micro-batch, never seeing each other; the loss is the cross-entropy of
// the response tokens of a whole step's documents, divided once by their number. Everything that is not recipe is elsewhere:
// data/ (rows to batches), model/ (forward, backward, AdamW), run/ (folders, checkpoints, evaluation).
#include "base/signals.h"
#include "options/program.h"
#include "intake/shard_folders.h"
#include "data/mix.h"
#include "data/prefetch.h"
#include "model/fit.h"
#include "model/folder.h"
#include "model/learning.h"
#include "run/run.h"
#include "train_sft_options.h"
#include <stdlib.h>
#include <string.h>

typedef struct Sft {
    TrainSftOptions o;
    Options options;
    Fit fit;        // its memory
    FieldMaps maps; // of --map, for rows of JSONL
    Bytes folder;   // of --model, resolved; empty with --init
    const char *tokenizer_folder;
    ModelConfig config;
    Tokenizer *tokenizer; // NULL: the rows are ids
    ChatTemplate chat;
    ShardFolders data_folders, held_out_folders;
    char *cache; // where JSONL becomes shards: OUT/cache, or for --plan a temporary folder
    Documents data, held_out_data;
    LoaderWeight *weights;   // of --mix
    Loader loader, held_out; // held_out.documents NULL: there is none
    Prefetch *prefetch;      // fills the steps' batches while the model computes
    Model model;
    Optimizer optimizer;
    Schedule schedule;
    Run run;
    bool begun; // a run that is not refused keeps its cache
} Sft;

static const size_t CACHE_MEMORY = (size_t)256 << 20; // for sorting JSONL

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
        level_losses_add(&levels, &s->data, &step->plan, m, batch, model_loss_logprobs(&s->model));
        TRY(model_backward(&s->model, batch));
    }
    bool ok = loss.finite ||
              fail("the loss is not finite; lower --lr, or look at the documents of this step (./prepare --inspect --step)");
    TRY((ok && learning_update(&s->o.learning, &s->optimizer, &s->model, rate, &norm)) || run_fail_in_step(&s->run));
    s->run.step++;
    StepReport report = {loss_mean(&loss),        norm,   rate, step->plan.trained_tokens, step->plan.tokens,
                         clock_seconds() - start, &levels};
    return run_report(&s->run, &report);
}

static bool evaluate_if_due(Sft *s)
{
    return !run_evaluation_due(&s->run, s->o.run.eval_every) || run_evaluate(&s->run, &s->held_out);
}

static bool train(Sft *s)
{
    TRY(evaluate_if_due(s));
    TRY((s->prefetch = prefetch_open(&s->loader, s->run.step, s->run.steps)) != NULL);
    while (s->run.step < s->run.steps) {
        TRY(train_step(s));
        if (run_save_due(&s->run)) // before an evaluation, which may take long, and is made again where it is missing
            TRY(run_save(&s->run) || run_keep_model(&s->run));
        TRY(evaluate_if_due(s));
    }
    return true;
}

// ---- what has to be there before the first step

static bool open_config(Sft *s)
{
    bool given = s->o.model[0] != 0, fresh = s->o.init[0] != 0;
    if (given == fresh)
        return fail_as(ERROR_USAGE, "give either --model FOLDER, a model to start from, or --init config.json for a new one");
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
    PathKind kind = PATH_NONE;
    if (s->tokenizer_folder != NULL)
        TRY(path_in_folder_kind(&kind, s->tokenizer_folder, "tokenizer.json"));
    if (kind != PATH_FILE) {
        if (s->o.tokenizer[0] != 0)
            return fail("--tokenizer %s: there is no tokenizer.json in it", s->o.tokenizer);
        s->tokenizer_folder = NULL; // rows of ids need none; others are refused where they are read
        return template_open(&s->chat, ".", "chatml");
    }
    TRY((s->tokenizer = tokenizer_open(s->tokenizer_folder)) != NULL);
    if (tokenizer_size(s->tokenizer) > s->config.vocabulary)
        return fail("%s: %d tokens, but the model has only %" PRId64 " vocabulary rows", s->tokenizer_folder,
                    (int)tokenizer_size(s->tokenizer), s->config.vocabulary);
    return template_open(&s->chat, s->tokenizer_folder, s->o.template.name);
}

static bool trains_all(const Sft *s) { return s->o.train_turns.place == TRAIN_ALL_TURNS; }

// What was decided when the shards were prepared holds; a command line that asks for something else is refused.
static bool same_preparation(const Sft *s, const Documents *documents)
{
    const ShardAbout *about = documents_about(documents);
    const char *path = documents->paths[0], *instruction = s->o.instruction;
    bool none = instruction[0] == 0 || strcmp(instruction, "none") == 0;
    if (option_on_command_line(&s->options, "train_turn_newline") && about->train_turn_newline != s->o.train_turn_newline)
        return fail("%s: was prepared %s --train-turn-newline; prepare it again, or leave the option away", path,
                    about->train_turn_newline ? "with" : "without");
    if (option_on_command_line(&s->options, "train_turns") && about->train_all_turns != trains_all(s))
        return fail("%s: was prepared with --train-turns %s; prepare it again, or leave the option away", path,
                    about->train_all_turns ? "all" : "last");
    if (option_on_command_line(&s->options, "instruction") &&
        about->instruction != (none ? 0 : hash_bytes(instruction, strlen(instruction))))
        return fail("%s: was prepared with another --instruction; prepare it again, or leave the option away", path);
    return true;
}

// Shards, or JSONL that becomes shards in OUT/cache first.
static bool open_documents(Sft *s, Documents *documents, ShardFolders *folders, const OptionList *words)
{
    TokenRules rules = {.tokenizer = s->tokenizer,
                        .chat = &s->chat,
                        .vocabulary = (int32_t)s->config.vocabulary,
                        .train_turn_newline = s->o.train_turn_newline,
                        .train_all_turns = trains_all(s)};
    PrepareOptions preparing = {.rules = rules,
                                .instruction = s->o.instruction,
                                .skip_bad_rows = s->o.skip_bad_rows,
                                .need_response = true,
                                .map_may_miss = documents == &s->held_out_data, // ./prepare has renamed what it held out
                                .memory = CACHE_MEMORY};
    DocumentOptions reading = {.kind = SHARD_SFT,
                               .seq_len = s->o.seq_len,
                               .over_length = (OverLength)s->o.over_length.place,
                               .vocabulary = rules.vocabulary,
                               .tokenizer = s->tokenizer == NULL ? 0 : tokenizer_hash(s->tokenizer),
                               .template = s->chat.kind};
    TRY(shard_folders_of(folders, preparing, words->items, words->count, &s->maps, s->o.format.name, s->cache));
    bool ok = documents_open(documents, &reading, (const char *const *)folders->paths, folders->count) &&
              same_preparation(s, documents);
    return ok || (folders->cached ? fail_in("the shards of %s in %s, which may be removed", words->items[0], s->cache) : false);
}

static bool open_data(Sft *s, Documents *documents, ShardFolders *folders, Loader *loader, const OptionList *words)
{
    LoaderOptions dealing = {.seed = (uint64_t)s->o.seed,
                             .order = (LoaderOrder)s->o.order.place,
                             .weights = s->weights,
                             .weight_count = s->o.mix.count,
                             .global_batch = s->o.global_batch,
                             .micro_batch_tokens = s->o.micro_batch_tokens,
                             .slots = s->o.slots};
    if (documents == &s->held_out_data) { // evaluation walks all of them
        dealing.order = ORDER_SORTED;
        dealing.weight_count = 0;
    }
    return open_documents(s, documents, folders, words) && loader_open(loader, documents, &dealing);
}

static void plan_steps(Sft *s)
{
    s->run.steps = s->o.steps > 0 ? s->o.steps : s->o.epochs * loader_steps_per_epoch(&s->loader);
    s->schedule = learning_schedule(&s->o.learning, s->run.steps);
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// What training needs, and what of it may be changed to fit.
static Needs memory_needs(const Sft *s, const ModelLimits *limits)
{
    Needs needs = {0};
    needs.own.config = s->config;
    needs.own.limits = *limits;
    needs.own.bf16_moments = s->optimizer.bf16_moments;
    needs.recompute_auto = s->o.recompute.place == RECOMPUTE_AUTO;
    needs.micro_batch_tokens = s->o.micro_batch_tokens;
    needs.longest = limits->positions;
    return needs;
}

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
                          .recompute = s->o.recompute.place == RECOMPUTE_LAYER};
    s->optimizer = learning_optimizer(&s->o.learning, (uint64_t)s->o.seed);
    Needs needs = memory_needs(s, &limits);
    TRY(fit_choose(&s->fit, &needs));
    return s->o.machine.plan ||
           (model_open(&s->model, &s->config, &s->fit.needs.own.limits, s->fit.kernels, false) &&
            optimizer_open(&s->optimizer, &s->model, false)) ||
           fit_fail(&s->fit);
}

static bool open_run(Sft *s)
{
    bool resumed;
    s->run.o = s->o.run;
    s->run.model = &s->model;
    s->run.optimizer = &s->optimizer;
    s->run.schedule = &s->schedule;
    s->run.template_name = template_name(s->chat.kind);
    TRY(run_identity(&s->run, &s->options, &s->data, s->tokenizer));
    s->run.tokenizer = s->tokenizer_folder;
    TRY(run_open(&s->run, &s->options, &resumed));
    TRY(run_describe(&s->run, &s->options));
    run_announce(&s->run, &s->fit);
    run_announce_data(&s->run, "data", &s->data, &s->data_folders);
    run_announce_data(&s->run, "held out", &s->held_out_data, &s->held_out_folders);
    if (resumed)
        return true;
    return s->o.init[0] != 0 ? model_initialise(&s->model, (uint64_t)s->o.seed) : model_load(&s->model, s->folder.data);
}

// What the training data were made with holds from here on: for rows that are held out, for options.conf, for the export.
static void take_preparation(Sft *s)
{
    const ShardAbout *about = documents_about(&s->data);
    s->o.train_turn_newline = about->train_turn_newline;
    s->o.train_turns = about->train_all_turns ? (OptionChoice){"all", TRAIN_ALL_TURNS} : (OptionChoice){"last", TRAIN_LAST_TURN};
    if (about->template != TEMPLATE_UNKNOWN)
        s->chat.kind = about->template;
}

static bool prepared_alike(const Sft *s)
{
    const ShardAbout *data = documents_about(&s->data), *held_out = documents_about(&s->held_out_data);
    return (data->train_turn_newline == held_out->train_turn_newline && data->train_all_turns == held_out->train_all_turns &&
            data->instruction == held_out->instruction) ||
           fail("%s: --eval-data and --data were prepared with another --instruction, --train-turns or --train-turn-newline; "
                "prepare them "
                "alike, or "
                "give the --instruction that %s was prepared with",
                s->o.eval_data.items[0], s->o.data.items[0]);
}

static bool open_all(Sft *s)
{
    TRY(fit_open(&s->fit, &s->o.machine));
    TRY(open_config(s) && open_tokenizer(s));
    TRY(s->o.machine.plan ? folder_temporary(&s->cache, "plan") : (s->cache = path_join(s->o.run.out, "cache")) != NULL);
    TRY(mix_parse(&s->weights, s->o.mix.items, s->o.mix.count));
    for (size_t i = 0; i < s->o.map.count; i++)
        TRY(field_maps_add(&s->maps, s->o.map.items[i]));
    TRY(open_data(s, &s->data, &s->data_folders, &s->loader, &s->o.data));
    take_preparation(s);
    if (s->o.eval_data.count > 0)
        TRY(open_data(s, &s->held_out_data, &s->held_out_folders, &s->held_out, &s->o.eval_data) && prepared_alike(s));
    plan_steps(s);
    return open_model(s);
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
    documents_close(&s->data);
    documents_close(&s->held_out_data);
    field_maps_free(&s->maps);
    if (!s->begun && s->cache != NULL) {
        shard_folders_discard(&s->data_folders, s->cache);
        shard_folders_discard(&s->held_out_folders, s->cache);
    }
    free(s->cache);
    shard_folders_free(&s->data_folders);
    shard_folders_free(&s->held_out_folders);
    mix_free(s->weights, s->o.mix.count);
    tokenizer_close(s->tokenizer);
    fit_close(&s->fit);
    bytes_free(&s->folder);
}

static bool print_plan(const Sft *s)
{
    printf("%" PRId64 " documents, %" PRId64 " tokens, %" PRId64 " of them trained; %" PRId64 " steps\n", s->data.count,
           s->data.tokens, s->data.trained_tokens, s->run.steps);
    TRY(fit_print(&s->fit, stdout));
    printf("beside these: the tokenizer, some 6 MiB of scratch for each thread, and the data's %.1f MiB, mapped and not copied\n",
           (double)(s->data.tokens + s->held_out_data.tokens) * 4 / 0x1p20);
    return fflush(stdout) == 0 || fail_errno("writing the plan");
}

static bool fine_tune(void *state)
{
    Sft *s = state;
    TRY(run_take_signals(s->o.run.stop_within) && open_all(s));
    if (s->o.machine.plan)
        return print_plan(s);
    TRY(open_run(s));
    s->begun = true;
    return train(s) && run_export(&s->run);
}

// What a signal leaves is whole: weights change at the end of a step.
static bool stop(void *state)
{
    Sft *s = state;
    if (!s->run.open || s->run.step == 0) {
        printf("stopped by a signal before the end of the first step; the same command begins again\n");
        return true;
    }
    TRY(s->run.saved == s->run.step || run_save(&s->run));
    log_note(&s->run.log, "stopped by a signal and saved after step %" PRId64 "; the same command goes on", s->run.step);
    return true;
}

static const Program TRAIN_SFT = {"train_sft", TRAIN_SFT_USAGE, train_sft_options, fine_tune, stop, close_all};

int main(int count, char **words)
{
    Sft s = {0};
    return program_main(&TRAIN_SFT, &s, &s.options, &s.o, count, words);
}
