// Opens the data of fine-tuning by the options, or by what its shards were prepared with: see sft_data.h.
#include "intake/sft_data.h"
#include "fit/wire.h"
#include <string.h>

static TrainingRules rules_of(const SftTextOptions *o, const ModelFiles *f)
{
    TokenRules tokens = {.tokenizer = f->tokenizer,
                         .chat = &f->chat,
                         .vocabulary = (int32_t)f->config.vocabulary,
                         .train_turn_newline = o->train_turn_newline,
                         .train_all_turns = o->train_turns.place == TRAIN_ALL_TURNS};
    return (TrainingRules){.preparing = {.rules = tokens, .need_response = true},
                           .reading = {.kind = SHARD_SFT,
                                       .seq_len = o->seq_len,
                                       .over_length = (OverLength)o->over_length.place,
                                       .vocabulary = tokens.vocabulary,
                                       .tokenizer = f->tokenizer == NULL ? 0 : tokenizer_hash(f->tokenizer),
                                       .template = f->chat.kind}};
}

// A command line that asks for something else than shards were prepared with is refused.
static bool check_asked(const TrainingData *d, const SftTextOptions *o, const Options *options)
{
    const ShardAbout *about = documents_about(&d->train.documents);
    const char *instruction = d->options->instruction, *other = NULL;
    bool none = instruction[0] == 0 || strcmp(instruction, "none") == 0;
    uint64_t hash = none ? 0 : hash_bytes(instruction, strlen(instruction));
    if (option_on_command_line(options, "train_turn_newline") && about->train_turn_newline != o->train_turn_newline)
        other = about->train_turn_newline ? "with --train-turn-newline" : "without --train-turn-newline";
    else if (option_on_command_line(options, "train_turns") &&
             about->train_all_turns != (o->train_turns.place == TRAIN_ALL_TURNS))
        other = about->train_all_turns ? "with --train-turns all" : "with --train-turns last";
    else if (option_on_command_line(options, "instruction") && about->instruction != hash)
        other = "with another --instruction";
    return other == NULL ||
           fail("%s: was prepared %s; prepare it again, or drop the option", d->train.documents.paths[0], other);
}

static void take_preparation(const TrainingData *d, SftTextOptions *o, ModelFiles *f)
{
    static const OptionChoice TURNS[] = {{"last", TRAIN_LAST_TURN}, {"all", TRAIN_ALL_TURNS}};
    const ShardAbout *about = documents_about(&d->train.documents);
    o->train_turn_newline = about->train_turn_newline;
    o->train_turns = TURNS[about->train_all_turns];
    if (about->template != TEMPLATE_UNKNOWN)
        f->chat.kind = about->template;
}

static bool check_held_out(const TrainingData *d)
{
    if (d->held_out.documents.count == 0)
        return true;
    const ShardAbout *data = documents_about(&d->train.documents), *held_out = documents_about(&d->held_out.documents);
    bool alike = data->train_turn_newline == held_out->train_turn_newline &&
                 data->train_all_turns == held_out->train_all_turns && data->instruction == held_out->instruction;
    return alike ||
           fail("%s: --eval-data and --data were prepared with another --instruction, --train-turns or "
                "--train-turn-newline; prepare them alike, or give the --instruction that %s was prepared with",
                d->options->eval_data.items[0], d->options->data.items[0]);
}

// What samples nothing does not honour how.
static bool check_sampling(const TrainingData *d, const SftDataRules *r, const ModelFiles *f)
{
    static const char *const HOW[] = {"eval_new_tokens", "sequences", "pass_tokens", "cache"};
    bool problems = r->sampling->eval_samples > 0;
    char shown[OPTION_NAME];
    for (size_t i = 0; !problems && i < (r->tasks ? 1 : sizeof HOW / sizeof *HOW); i++)
        if (option_on_command_line(r->given, HOW[i]))
            return fail_as(ERROR_USAGE, "--%s: nothing is sampled; give --eval-samples, or leave it out",
                           option_shown(shown, HOW[i]));
    if (!problems)
        return true;
    if (d->options->eval_data.count == 0)
        return fail_as(ERROR_USAGE, "--eval-samples: there are no held-out problems; give --eval-data");
    return f->tokenizer != NULL ||
           fail("--eval-samples: there is no tokenizer, and answers are judged as text; name its folder with "
                "--tokenizer, or give --eval-samples 0");
}

static bool open_problems(TrainingData *d, const SftSamplingOptions *o, TrainingRules rules)
{
    char why[1024];
    rules.preparing.split = SPLIT_RL_ONLY;
    rules.reading.prompts = true;
    rules.reading.over_length = OVER_LENGTH_DROP;
    if (o->eval_samples == 0 || training_data_read_problems(d, &rules))
        return true;
    snprintf(why, sizeof why, "%s", error_text());
    return fail("%s; answers are judged by a reference: give rows with an answer, or --eval-samples 0", why);
}

static bool open_rows(TrainingData *d, const SftDataRules *r, ModelFiles *f)
{
    TrainingRules rules = rules_of(r->text, f);
    TRY(check_sampling(d, r, f) && training_data_read(d, &rules) && check_asked(d, r->text, r->given));
    take_preparation(d, r->text, f);
    rules = rules_of(r->text, f);
    rules.may_be_empty = r->sampling->eval_samples > 0;
    rules.preparing.need_response = !rules.may_be_empty;
    return training_data_read_held_out(d, &rules) && check_held_out(d) && open_problems(d, r->sampling, rules);
}

static bool open_loaders(SftData *d, const SftBatchOptions *o)
{
    LoaderOptions dealing = training_data_order(&d->rows, (uint64_t)o->seed);
    dealing.global_batch = o->global_batch;
    dealing.micro_batch_tokens = o->micro_batch_tokens;
    dealing.slots = o->slots;
    TRY(loader_open(&d->train, &d->rows.train.documents, &dealing));
    dealing.order = ORDER_SORTED; // evaluation walks all of them
    dealing.weight_count = 0;
    return d->rows.held_out.documents.count == 0 || loader_open(&d->held_out, &d->rows.held_out.documents, &dealing);
}

bool sft_data_open(SftData *d, const SftDataRules *rules, ModelFiles *files)
{
    return open_rows(&d->rows, rules, files) && open_loaders(d, rules->batch);
}

void sft_data_close(SftData *d)
{
    loader_close(&d->train);
    loader_close(&d->held_out);
    training_data_close(&d->rows);
}

bool sft_needs(Needs *needs, const SftData *d, const ModelConfig *config, Recompute recompute)
{
    LoaderLimits train = loader_largest(&d->train), held = {0};
    int64_t longest = larger(d->rows.train.documents.longest, d->rows.held_out.documents.longest);
    if (d->held_out.documents != NULL)
        held = loader_largest(&d->held_out);
    *needs = (Needs){.own = {.config = *config,
                             .limits = {.tokens = larger(train.tokens, held.tokens),
                                        .rows = larger(train.rows, held.rows),
                                        .sequences = larger(train.sequences, held.sequences),
                                        .positions = longest,
                                        .training = true,
                                        .recompute = recompute == RECOMPUTE_LAYER}},
                     .recompute_auto = recompute == RECOMPUTE_AUTO,
                     .micro_batch_tokens = d->train.options.micro_batch_tokens,
                     .longest = longest};
    return longest <= config->max_positions ||
           fail("the longest document has %" PRId64 " tokens, but the model's max_position_embeddings is %" PRId64
                "; lower --seq-len",
                longest, config->max_positions);
}

bool sft_plan(SftData *d, const Fit *fit, int64_t steps)
{
    const Documents *train = d->train.documents;
    StepPlan step;
    int64_t filled = 0;
    printf("%" PRId64 " documents, %" PRId64 " tokens, %" PRId64 " of them trained; %" PRId64 " steps\n", train->count,
           train->tokens, train->trained_tokens, steps);
    TRY(fit_print(fit, stdout) && loader_plan(&d->train, 0, &step));
    for (int64_t m = 0; m < step.micro_batches; m++)
        filled += step.first[m] < step.first[m + 1];
    UpdateShape shape = {"a step",    step.micro_batches,  filled,
                         step.tokens, step.trained_tokens, (double)step.tokens / (double)step.documents};
    TRY(wire_print(fit, &shape, stdout));
    printf("beside these: the tokenizer, some 6 MiB of scratch for each thread, and the data's %.1f MiB, mapped and "
           "not copied\n",
           (double)(train->tokens + d->rows.held_out.documents.tokens) * 4 / 0x1p20);
    return fflush(stdout) == 0 || fail_errno("writing the plan");
}
