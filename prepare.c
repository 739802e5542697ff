// Rows of problems to shards: read, rendered, tokenised, deduplicated, split at a difficulty, sorted. Then train_sft
// takes OUT/sft, a teacher answers OUT/sft/prompts.jsonl, and train_rl takes OUT/rl. The work is in intake/prepare.h;
// --inspect, which shows what training will see, in inspect/inspect_view.h; here are the options.
#include "base/number.h"
#include "inspect/inspect_view.h"
#include "intake/shard_folders.h"
#include "options/program.h"
#include "prepare_options.h"
#include "rows/field_map.h"
#include "system/machine.h"
#include "system/signals.h"
#include <stdlib.h>
#include <string.h>

typedef struct Preparation {
    PrepareProgramOptions o;
    Options options;
    PrepareInput *inputs; // (o.files.count)
    FieldMaps maps;       // collected so far; an input has those before it
    Tokenizer *tokenizer;
    ChatTemplate chat;
} Preparation;

// ---- files, and the options before each

// A file has the maps given before it.
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

static const char *option_of_files(const OptionRow *row) // its name for people; NULL: not an option of files
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
    return fail_as(ERROR_USAGE,
                   "%s %s: comes after all files, but --map, --format and --missing-difficulty apply to the files "
                   "after them; put it before them",
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
        return template_open(&p->chat, ".", "chatml"); // rows of ids need none; others are refused when read
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

static bool of_rows(const PrepareInput *input) // an option about how rows are read
{
    return input->map_count > 0 || input->missing_difficulty > 0 ||
           (input->format != NULL && strcmp(input->format, "auto") != 0);
}

static bool check_inspected(const Preparation *p)
{
    for (size_t i = 0; i < p->o.files.count; i++)
        if (strcmp(p->o.files.items[i], "-") == 0)
            return fail_as(ERROR_USAGE, "--inspect reads files, not the standard input");
    for (size_t i = 0; i < p->o.files.count; i++)
        if (is_shards(p->o.files.items[i]) && of_rows(&p->inputs[i]))
            return fail_as(ERROR_USAGE,
                           "%s: these are shards, whose rows were read when they were made; drop --map, --format and "
                           "--missing-difficulty, or give them to ./prepare",
                           p->o.files.items[i]);
    return p->o.view.html[0] == 0 || file_may_be_replaced(p->o.view.html, INSPECT_PAGE);
}

static bool inspect_files(Preparation *p)
{
    PrepareOptions options = prepare_options(p);
    ShardFolders folders = {0};
    char *cache;
    options.tau = 0; // JSONL as train_sft would prepare it
    options.holdout = 0;
    options.split = SPLIT_DIFFICULTY;
    options.seed = 0;
    options.need_response = true;
    options.verify = VERIFY_NOT;
    TRY(check_inspected(p) && folder_temporary(&cache, "inspect"));
    bool ok =
        shard_folders(&folders, &options, cache) &&
        inspect_view(&p->o.view, (const char *const *)folders.paths, folders.count, p->tokenizer, (uint64_t)p->o.seed);
    shard_folders_discard(&folders, cache);
    free(cache);
    shard_folders_free(&folders);
    return ok;
}

// ---- the program

// An option without effect is a mistake.
static bool check_options(const Preparation *p)
{
    char shown[OPTION_NAME];
    for (size_t i = 0; i < p->options.table.count && !p->o.inspect; i++) {
        const OptionRow *row = &p->options.table.rows[i];
        if (strcmp(row->group, "inspect") == 0 && strcmp(row->name, "inspect") != 0 &&
            option_on_command_line(&p->options, row->name))
            return fail_as(ERROR_USAGE,
                           "--%s: is for --inspect, which shows what training will see; give --inspect, or drop "
                           "the option",
                           option_shown(shown, row->name));
    }
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
