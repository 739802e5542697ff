// Rows of problems to shards: read, rendered, tokenised, freed from duplicates, split at a difficulty, sorted. Then train_sft takes
// OUT/sft, a teacher answers OUT/sft/prompts.jsonl, and train_rl takes OUT/rl. All of it is in intake/prepare.h; here are the options,
// and --inspect, which shows what training will see.
#include "base/number.h"
#include "data/mix.h"
#include "intake/inspect.h"
#include "intake/shard_folders.h"
#include "options/program.h"
#include "prepare_options.h"
#include "rows/field_map.h"
#include "system/machine.h"
#include "system/signals.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Preparation {
    PrepareProgramOptions o;
    Options options;
    PrepareInput *inputs; // (o.files.count)
    FieldMaps maps;       // so far; inputs have the ones before them
    Tokenizer *tokenizer;
    ChatTemplate chat;
} Preparation;

// ---- files, and what was said before each

// The maps that hold for a file are those before it.
static bool maps_so_far(PrepareInput *input, const FieldMaps *maps)
{
    FieldMap *map = allocate(maps->count + 1, sizeof *map);
    TRY(map != NULL);
    if (maps->count > 0)
        memcpy(map, maps->list, maps->count * sizeof *map);
    input->map = map;
    input->map_count = maps->count;
    return true;
}

static const char *option_of_files(const OptionRow *row) // as it is shown; NULL: it is none
{
    static const char *const those[][2] = {
        {"map", "--map"}, {"format", "--format"}, {"missing_difficulty", "--missing-difficulty"}};
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (strcmp(row->name, those[i][0]) == 0)
            return those[i][1];
    return NULL;
}

static bool refuse_behind_files(const OptionGiven *last)
{
    return fail_as(
        ERROR_USAGE,
        "%s %s: stands behind all files, and --map, --format and --missing-difficulty apply to the files after them; put "
        "it before those that it is for",
        option_of_files(last->row), last->value);
}

static bool collect_inputs(Preparation *p)
{
    size_t files = 0;
    const OptionGiven *unused = NULL; // since the last file
    int64_t missing = 0;
    const char *format = NULL;
    p->inputs = allocate(p->o.files.count + 1, sizeof *p->inputs);
    TRY(p->inputs != NULL);
    for (size_t i = 0; i < p->options.given_count; i++) {
        const OptionGiven *given = &p->options.given[i];
        bool file = strcmp(given->row->name, "files") == 0;
        unused = option_of_files(given->row) != NULL ? given : file ? NULL : unused;
        if (strcmp(given->row->name, "map") == 0)
            TRY(field_maps_add(&p->maps, given->value));
        if (strcmp(given->row->name, "format") == 0)
            format = given->value;
        if (strcmp(given->row->name, "missing_difficulty") == 0)
            TRY(integer_parse(&missing, given->value));
        if (file) {
            PrepareInput *input = &p->inputs[files++];
            *input = (PrepareInput){.path = given->value, .missing_difficulty = (int)missing, .format = format};
            TRY(maps_so_far(input, &p->maps));
        }
    }
    return unused == NULL || refuse_behind_files(unused);
}

static bool open_tokenizer(Preparation *p)
{
    if (p->o.tokenizer[0] == 0)
        return template_open(&p->chat, ".", "chatml"); // rows of ids need none; others are refused where they are read
    TRY((p->tokenizer = tokenizer_open(p->o.tokenizer)) != NULL);
    TRY(template_open(&p->chat, p->o.tokenizer, p->o.template.name));
    template_set_tokenizer(&p->chat, p->tokenizer, p->o.tokenizer);
    return true;
}

static PrepareOptions prepare_options(const Preparation *p)
{
    const PrepareProgramOptions *o = &p->o;
    return (PrepareOptions){.inputs = p->inputs,
                            .input_count = o->files.count,
                            .out = o->out,
                            .rules = {.tokenizer = p->tokenizer,
                                      .chat = &p->chat,
                                      .vocabulary = p->tokenizer == NULL ? INT32_MAX : tokenizer_size(p->tokenizer),
                                      .train_turn_newline = o->train_turn_newline,
                                      .train_all_turns = o->train_turns.place == TRAIN_ALL_TURNS},
                            .instruction = o->instruction,
                            .tau = (int)o->tau,
                            .split = (SplitKind)o->split.place,
                            .holdout = o->holdout,
                            .seed = (uint64_t)o->seed,
                            .skip_bad_rows = o->skip_bad_rows,
                            .benchmarks = o->decontaminate.items,
                            .benchmark_count = o->decontaminate.count,
                            .verify = (Verify)o->verify.place,
                            .decontaminate_all = o->decontaminate_by.place == 1,
                            .keep_duplicates = o->keep_duplicates,
                            .memory = (size_t)o->memory};
}

static bool prepare_files(Preparation *p)
{
    PrepareOptions options = prepare_options(p);
    PrepareReport report;
    Bytes table = {0};
    if (p->o.out[0] == 0)
        return fail_as(ERROR_USAGE, "--out is missing: the folder to write");
    for (size_t i = 0; i < p->o.files.count; i++)
        if (is_shards(p->o.files.items[i]))
            return fail("%s: these are shards already; --inspect shows them", p->o.files.items[i]);
    bool ok = prepare(&report, &options) && prepare_table(&table, &report, &options);
    if (ok && (fwrite(table.data, 1, table.size, stdout) != table.size || fflush(stdout) != 0))
        ok = fail_errno("%s is prepared; writing the table", p->o.out);
    bytes_free(&table);
    prepare_report_free(&report);
    return ok;
}

// ---- --inspect

typedef struct View {
    Preparation *program;
    Documents documents;
    InspectLook look;
    Bytes out;
} View;

static bool show(View *v, const char *title, const int64_t *numbers, int64_t count)
{
    return inspect(&v->out, v->look, title, &v->documents, v->program->tokenizer, numbers, (size_t)count);
}

static bool show_record(View *v)
{
    int64_t number = v->program->o.record;
    char title[96];
    if (number >= v->documents.count)
        return fail("--record %" PRId64 ": there are %" PRId64 ", numbered from 0", number, v->documents.count);
    snprintf(title, sizeof title, "record %" PRId64 " of %" PRId64, number, v->documents.count);
    return show(v, title, &number, 1);
}

static bool show_step(View *v, Loader *loader)
{
    const PrepareProgramOptions *o = &v->program->o;
    StepPlan plan;
    char title[160];
    TRY(loader_plan(loader, o->step, &plan));
    if (o->micro_batch >= plan.micro_batches)
        return fail("--micro-batch %" PRId64 ": step %" PRId64 " has %" PRId64 ", numbered from 0", o->micro_batch, plan.step,
                    plan.micro_batches);
    if (o->micro_batch < 0 && v->look == INSPECT_HTML) {
        snprintf(title, sizeof title, "step %" PRId64 ", all micro-batches", plan.step);
        return show(v, title, plan.numbers, plan.documents);
    }
    for (int64_t m = 0; m < plan.micro_batches; m++) {
        int64_t count = plan.first[m + 1] - plan.first[m];
        if (o->micro_batch >= 0 && m != o->micro_batch)
            continue;
        snprintf(title, sizeof title, "step %" PRId64 ", micro-batch %" PRId64 " of %" PRId64, plan.step, m, plan.micro_batches);
        TRY(count > 0 ? show(v, title, plan.numbers + plan.first[m], count) : bytes_printf(&v->out, "%s: empty\n", title));
    }
    return true;
}

static bool show_micro_batches(View *v)
{
    const PrepareProgramOptions *o = &v->program->o;
    LoaderWeight *weights;
    Loader loader;
    TRY(mix_parse(&weights, o->mix.items, o->mix.count));
    LoaderOptions dealing = {.seed = (uint64_t)o->seed,
                             .order = (LoaderOrder)o->order.place,
                             .weights = weights,
                             .weight_count = o->mix.count,
                             .global_batch = o->global_batch,
                             .micro_batch_tokens = o->micro_batch_tokens,
                             .slots = o->slots};
    bool ok = loader_open(&loader, &v->documents, &dealing);
    if (ok) {
        ok = show_step(v, &loader);
        loader_close(&loader);
    }
    mix_free(weights, o->mix.count);
    return ok;
}

static bool kind_of(ShardKind *kind, const char *path)
{
    char **files = NULL;
    size_t count = 0;
    Shard shard;
    *kind = SHARD_SFT;
    if (folder_exists(path))
        TRY(shard_files(&files, &count, path));
    bool ok = true;
    if (count > 0 || !folder_exists(path)) {
        ok = shard_open(&shard, count > 0 ? files[0] : path);
        if (ok) {
            *kind = shard.about.kind;
            shard_close(&shard);
        }
    }
    names_free(files, count);
    return ok;
}

static bool open_documents(View *v, const ShardFolders *folders)
{
    const PrepareProgramOptions *o = &v->program->o;
    DocumentOptions reading = {.seq_len = o->seq_len,
                               .over_length = (OverLength)o->over_length.place,
                               .vocabulary = INT32_MAX,
                               .tokenizer = v->program->tokenizer == NULL ? 0 : tokenizer_hash(v->program->tokenizer)};
    reading.template = TEMPLATE_UNKNOWN;
    return kind_of(&reading.kind, folders->paths[0]) &&
           documents_open(&v->documents, &reading, (const char *const *)folders->paths, folders->count);
}

static bool write_view(const View *v)
{
    const char *page = v->program->o.html;
    if (v->look == INSPECT_HTML)
        return file_may_be_replaced(page, INSPECT_PAGE) && parents_make(page) &&
               file_write_atomic(page, v->out.data, v->out.size);
    return (fwrite(v->out.data, 1, v->out.size, stdout) == v->out.size && fflush(stdout) == 0) || fail_errno("writing");
}

static bool of_rows(const PrepareInput *input) // it says how rows are to be read
{
    return input->map_count > 0 || input->missing_difficulty > 0 || (input->format != NULL && strcmp(input->format, "auto") != 0);
}

static bool inspect_files(Preparation *p)
{
    const char *no_colour = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == 0);
    View v = {.program = p, .look = p->o.html[0] != 0 ? INSPECT_HTML : terminal ? INSPECT_COLOUR : INSPECT_PLAIN};
    PrepareOptions options = prepare_options(p);
    ShardFolders folders = {0};
    char *cache;
    options.tau = 0; // JSONL as train_sft would prepare it
    options.holdout = 0;
    options.split = SPLIT_DIFFICULTY;
    options.seed = 0;
    options.need_response = true;
    options.verify = VERIFY_NOT;
    for (size_t i = 0; i < p->o.files.count; i++)
        if (strcmp(p->o.files.items[i], "-") == 0)
            return fail_as(ERROR_USAGE, "--inspect reads files, not the standard input");
    for (size_t i = 0; i < p->o.files.count; i++)
        if (is_shards(p->o.files.items[i]) && of_rows(&p->inputs[i]))
            return fail_as(ERROR_USAGE,
                           "%s: these are shards, whose rows were read when they were made; leave --map, --format and "
                           "--missing-difficulty away, or give them to ./prepare",
                           p->o.files.items[i]);
    TRY(p->o.html[0] == 0 || file_may_be_replaced(p->o.html, INSPECT_PAGE));
    TRY(folder_temporary(&cache, "inspect"));
    bool ok = shard_folders(&folders, &options, cache) && open_documents(&v, &folders);
    if (ok) {
        ok = (p->o.step >= 0 ? show_micro_batches(&v) : show_record(&v)) && write_view(&v);
        documents_close(&v.documents);
    }
    shard_folders_discard(&folders, cache);
    free(cache);
    shard_folders_free(&folders);
    bytes_free(&v.out);
    return ok;
}

// ---- the program

// What would be without effect is not what was meant.
static bool check_options(const Preparation *p)
{
    static const char *const views[][2] = {
        {"record", "--record"}, {"step", "--step"}, {"micro_batch", "--micro-batch"}, {"html", "--html"}};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (!p->o.inspect && option_on_command_line(&p->options, views[i][0]))
            return fail_as(ERROR_USAGE, "%s: is for --inspect, which shows what training will see; give that, or leave it away",
                           views[i][1]);
    return true;
}

static bool run(void *state)
{
    Preparation *p = state;
    threads_use(p->o.threads);
    TRY(check_options(p) && collect_inputs(p) && open_tokenizer(p));
    if (p->o.inspect)
        return inspect_files(p);
    return signals_install("stopping (again: at once)\n") && prepare_files(p);
}

static void close_all(void *state)
{
    Preparation *p = state;
    for (size_t i = 0; p->inputs != NULL && i < p->o.files.count; i++)
        free((void *)(uintptr_t)p->inputs[i].map);
    free(p->inputs);
    field_maps_free(&p->maps);
    tokenizer_close(p->tokenizer);
}

static const Program PREPARE = {"prepare", PREPARE_USAGE, prepare_program_options, run, NULL, close_all};

int main(int count, char **words)
{
    Preparation p = {0};
    return program_main(&PREPARE, &p, &p.options, &p.o, count, words);
}
