// Options: a small table of every type for the parser, and train_sft's own for help and defaults.
#include "test/support/check.h"

#include "base/number.h"
#include "json/json.h"
#include "train_sft_options.h"
#include <unistd.h>

// clang-format off
#define SMALL_OPTIONS(ROW, GROUP) \
    ROW(steps,        integer, "10",     ">= 0",            size,   IDENTITY, "how many") \
    ROW(learning_rate,number,  "1e-5",   "> 0 and <= 1",    size,   IDENTITY, "how fast") \
    ROW(shape,        choice,  "round",  "round|square",    size,   IDENTITY, "its shape") \
    ROW(title,        text,    "a \"b\" \\c\n# d", "",      names,  IDENTITY, "its title") \
    ROW(model,        folder,  "",       "",                names,  NEUTRAL,  "a folder") \
    ROW(data,         list,    "",       "required",        names,  IDENTITY, "the rows") \
    ROW(quick,        flag,    "false",  "",                names,  NEUTRAL,  "no waiting")
// clang-format on
OPTIONS_DEFINE(SmallOptions, small_options, SMALL_OPTIONS)

// clang-format off
#define FILE_OPTIONS(ROW, GROUP) \
    ROW(rename, repeated,  "", "",         files, NEUTRAL, "old=new") \
    ROW(extra,  list,      "", "",         files, NEUTRAL, "more") \
    ROW(level,  integer,   "0", "",        files, NEUTRAL, "of what follows") \
    ROW(names,  arguments, "", "required", files, NEUTRAL, "files to read")
// clang-format on
OPTIONS_DEFINE(FileOptions, file_options, FILE_OPTIONS)

// clang-format off
#define MIXED_OPTIONS(ROW, GROUP) \
    ROW(apples, integer, "1", "", fruit, NEUTRAL, "how many") \
    ROW(knives, integer, "2", "", tools, NEUTRAL, "how many") \
    ROW(pears,  integer, "3", "", fruit, NEUTRAL, "how many")
// clang-format on
OPTIONS_DEFINE(MixedOptions, mixed_options, MIXED_OPTIONS)

#define LATER_OPTIONS(ROW, GROUP) ROW(share_prompts, flag, "true", "", steps, IDENTITY, "once") // as train_rl has it
OPTIONS_DEFINE(LaterOptions, later_options, LATER_OPTIONS)

enum { MOST_WORDS = 16 };

// Reads a command line, "--data x" behind it so that it is complete.
static bool read_words(Options *options, SmallOptions *values, const char *const words[], bool complete)
{
    char *argv[MOST_WORDS] = {(char *)"program"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    if (complete)
        argv[argc++] = (char *)"--data=x";
    return options_read(options, small_options(), values, argc, argv);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define assert_words_refused(text, ...)                                                                                \
    do {                                                                                                               \
        Options options;                                                                                               \
        SmallOptions values;                                                                                           \
        assert_refused(read_words(&options, &values, WORDS(__VA_ARGS__), true), text);                                 \
        options_free(&options);                                                                                        \
    } while (0)

static char config_path[] = "/tmp/test_options-XXXXXX";

static void write_config(const char *text) { assert_ok(file_write_atomic(config_path, text, strlen(text))); }

static void assert_config_refused(const char *text, const char *what)
{
    Options options;
    SmallOptions values;
    write_config(text);
    assert_refused(read_words(&options, &values, WORDS("--config", config_path), true), what);
    options_free(&options);
}

static void values_that_nobody_gives_are_the_tables(void **state)
{
    Options options;
    SmallOptions v;
    assert_ok(read_words(&options, &v, (const char *const[]){NULL}, true));
    assert_int_equal(v.steps, 10);
    assert_true(v.learning_rate == 1e-5);
    assert_string_equal(v.shape.name, "round");
    assert_string_equal(v.title, "a \"b\" \\c\n# d");
    assert_string_equal(v.model, "");
    assert_false(v.quick);
    assert_int_equal(v.data.count, 1);
    options_free(&options);
}

static void words_fill_fields_in_every_spelling(void **state)
{
    Options options;
    SmallOptions v;
    const char *const *words = WORDS("--steps", "64k", "--learning-rate=2.5e-3", "--learning_rate", "1e-3",
                                     "--shape=square", "--quick", "--title=--steps", "--model", "-x");
    assert_ok(read_words(&options, &v, words, true));
    assert_int_equal(v.steps, 64000);
    assert_true(v.learning_rate == 1e-3);
    assert_int_equal(v.shape.place, 1);
    assert_string_equal(v.shape.name, "square");
    assert_string_equal(v.title, "--steps");
    assert_string_equal(v.model, "-x");
    assert_true(v.quick);
    options_free(&options);
    assert_ok(read_words(&options, &v, WORDS("--quick", "--no-quick"), true));
    assert_false(v.quick);
    options_free(&options);
    assert_ok(read_words(&options, &v, WORDS("--quick=yes"), true));
    assert_true(v.quick);
    options_free(&options);
}

static void a_list_takes_words_up_to_the_next_option_and_grows(void **state)
{
    Options options;
    SmallOptions v;
    assert_ok(read_words(&options, &v, WORDS("--data", "a", "b", "--steps", "1", "--data", "c"), false));
    assert_int_equal(v.data.count, 3);
    assert_string_equal(v.data.items[1], "b");
    assert_string_equal(v.data.items[2], "c");
    options_free(&options);
}

static void a_word_that_is_wrong_is_refused_with_its_name_and_range(void **state)
{
    assert_words_refused("--steps -1: must be a whole number >= 0", "--steps", "-1");
    assert_words_refused("--steps 1.5: must be a whole number", "--steps=1.5");
    assert_words_refused("--learning-rate 0: must be a number > 0 and <= 1", "--learning-rate", "0");
    assert_words_refused("--learning-rate 1.1: must be", "--learning-rate", "1.1");
    assert_words_refused("--learning-rate nan: must be", "--learning-rate", "nan");
    assert_words_refused("--learning-rate 0x1: must be", "--learning-rate", "0x1");
    assert_words_refused("--shape oval: must be one of round|square", "--shape", "oval");
    assert_words_refused("--shape roun: must be one of", "--shape", "roun");
    assert_words_refused("--quick maybe: must be true or false", "--quick=maybe");
    assert_words_refused("--steps: its value is missing", "--steps", "--quick");
    assert_words_refused("--model \"\": must be a name", "--model", "");
    assert_words_refused("--title \xff: must be valid UTF-8", "--title", "\xff");
    assert_words_refused("stray: an option begins with --", "stray");
    assert_words_refused("--no-quick takes no value", "--no-quick=1");
}

static void the_last_words_value_may_not_be_missing(void **state)
{
    Options options;
    SmallOptions v;
    assert_refused(read_words(&options, &v, WORDS("--data", "x", "--steps"), false), "--steps: its value is missing");
    options_free(&options);
}

static void an_unknown_option_is_refused_with_the_nearest_one(void **state)
{
    assert_words_refused("--setps: no such option; did you mean --steps", "--setps", "1");
    assert_words_refused("--learningrate: no such option; did you mean --learning-rate", "--learningrate=1");
    assert_words_refused("--max_steps: no such option; here it is --steps", "--max_steps=1"); // as others call it
    assert_words_refused("--total-trainin-steps: no such option; here it is --steps", "--total-trainin-steps", "1");
    assert_words_refused("--rate: no such option; did you mean --learning-rate", "--rate", "1");
    assert_words_refused("--no-shape: --shape takes a value; only a flag can be switched off", "--no-shape");
    assert_words_refused("--xyzzy: no such option; --help lists them", "--xyzzy");
}

static void a_required_option_that_is_missing_is_named(void **state)
{
    Options options;
    SmallOptions v;
    assert_refused(read_words(&options, &v, WORDS("--steps", "1"), false), "--data (the rows) is missing");
    options_free(&options);
    assert_ok(read_words(&options, &v, WORDS("--help"), false));
    options_free(&options);
    assert_ok(read_words(&options, &v, WORDS("--print-config"), false));
    options_free(&options);
}

static void a_file_takes_effect_where_it_stands(void **state)
{
    Options options;
    SmallOptions v;
    write_config("\xEF\xBB\xBF# a comment\r\n  steps = 5   # five\n\nlearning-rate=0.5\ndata = [\"a\", 'b', c]\n"
                 "title = 'raw \\n'\nquick = on");
    assert_ok(
        read_words(&options, &v, WORDS("--steps", "1", "--config", config_path, "--learning-rate", "0.25"), false));
    assert_int_equal(v.steps, 5);
    assert_true(v.learning_rate == 0.25);
    assert_int_equal(v.data.count, 3);
    assert_string_equal(v.data.items[2], "c");
    assert_string_equal(v.title, "raw \\n");
    assert_true(v.quick);
    options_free(&options);
}

static void a_list_given_later_replaces_the_files(void **state)
{
    Options options;
    SmallOptions v;
    write_config("data = a\ndata = b\n");
    assert_ok(read_words(&options, &v, WORDS("--config", config_path), false));
    assert_int_equal(v.data.count, 2);
    options_free(&options);
    assert_ok(read_words(&options, &v, WORDS("--config", config_path, "--data", "c"), false));
    assert_int_equal(v.data.count, 1);
    assert_string_equal(v.data.items[0], "c");
    options_free(&options);
}

static void a_bad_line_of_a_file_is_refused_with_its_number(void **state)
{
    assert_config_refused("steps = 1\nstesp = 2\n", ":2: stesp: no such option; did you mean steps");
    assert_config_refused("steps = many\n", ":1: steps = many: must be a whole number >= 0");
    assert_config_refused("\n\nquick\n", ":3: quick: a line must be name = value");
    assert_config_refused("steps = 1\nsteps = 2\n", ":2: steps is set twice");
    assert_config_refused("title = \"a\n", ":1: the closing \" is missing");
    assert_config_refused("title = \"\\boxed\"\n", ":1: \\b in \"...\"");
    assert_config_refused("title = \"a\" b\n", ":1: b: unexpected text after");
    assert_config_refused("data = [a, b\n", ":1: the list needs a comma or its closing ]");
    assert_config_refused("steps =\n", ":1: steps = : must be a whole number");
    assert_config_refused("config = other\n", ":1: config: no such option");
    assert_config_refused("title = \xff\n", "must be valid UTF-8");
    assert_words_refused("--config: /proc/nonexistent/x: No such file", "--config", "/proc/nonexistent/x");
}

static void a_file_with_a_nul_byte_is_refused(void **state)
{
    Options options;
    SmallOptions v;
    assert_ok(file_write_atomic(config_path, "steps = 1\n\0data = x\n", 20));
    assert_refused(read_words(&options, &v, WORDS("--config", config_path), true), "holds a NUL byte");
    options_free(&options);
}

static void a_printed_configuration_reads_back_to_the_same_values(void **state)
{
    Options first, second;
    SmallOptions a, b;
    Bytes once = {0}, again = {0};
    const char *const *words =
        WORDS("--learning-rate", "0.1", "--title", "tab\tquote\"hash # back\\slash\x01 \xC3\xA9", "--data", "x, y",
              "z#", "--steps", "9007199254740993", "--shape", "square", "--quick");
    assert_ok(read_words(&first, &a, words, false));
    assert_ok(options_config(&first, &once));
    write_config(once.data);
    assert_ok(read_words(&second, &b, WORDS("--config", config_path), false));
    assert_ok(options_config(&second, &again));
    assert_string_equal(once.data, again.data);
    assert_string_equal(b.title, a.title);
    assert_int_equal(b.steps, 9007199254740993);
    assert_true(b.learning_rate == a.learning_rate);
    assert_string_equal(b.data.items[0], "x, y");
    options_free(&first);
    options_free(&second);
    bytes_free(&once);
    bytes_free(&again);
}

static bool same_as_saved(const json_t *saved, const char *const words[])
{
    Options options;
    SmallOptions v;
    assert_ok(read_words(&options, &v, words, true));
    bool same = options_same_identity(&options, saved, "step-7");
    options_free(&options);
    return same;
}

static json_t *saved_identity(void)
{
    Options options;
    SmallOptions v;
    assert_ok(read_words(&options, &v, WORDS("--steps", "7", "--title", "t"), true));
    json_t *saved = options_identity(&options),
           *expected = json_pack("{s:s, s:s, s:s, s:s, s:s}", "steps", "7", "learning_rate", "1e-5", "shape",
                                 "\"round\"", "title", "\"t\"", "data", "[\"x\"]");
    assert_true(json_equal(saved, expected));
    json_decref(expected);
    options_free(&options);
    return saved;
}

static void the_same_identity_goes_on_whatever_else_changes(void **state)
{
    json_t *saved = saved_identity();
    assert_ok(same_as_saved(saved, WORDS("--steps", "7", "--title", "t", "--model", "elsewhere", "--quick")));
    json_object_del(saved, "learning_rate"); // made before there was such an option: it had its default
    assert_ok(same_as_saved(saved, WORDS("--steps", "7", "--title", "t")));
    json_decref(saved);
}

static void another_identity_is_refused_by_name_with_both_values(void **state)
{
    json_t *saved = saved_identity();
    assert_refused(same_as_saved(saved, WORDS("--steps", "7", "--title", "t", "--learning-rate", "2e-5")),
                   "step-7: was made with --learning-rate 1e-5, and now it is 2e-5");
    assert_refused(same_as_saved(saved, WORDS("--steps", "8", "--title", "t")),
                   "was made with --steps 7, and now it is 8");
    json_decref(saved);
}

static void a_damaged_identity_is_refused(void **state)
{
    const char *const *same = WORDS("--steps", "7", "--title", "t");
    json_t *saved = saved_identity(), *list = json_array();
    json_object_set_new(saved, "steps", json_integer(7));
    assert_refused(same_as_saved(saved, same), "key \"steps\" must be a string");
    assert_refused(same_as_saved(list, same), "step-7: its options are missing");
    assert_refused(same_as_saved(NULL, same), "step-7: its options are missing");
    json_decref(saved);
    json_decref(list);
}

// A run that began before prompts could be shared had a copy for each response.
static void a_run_from_before_prompts_were_shared_goes_on_without(void **state)
{
    char *words[] = {(char *)"train_rl", (char *)"--no-share-prompts"};
    Options options;
    LaterOptions v;
    assert_ok(options_read(&options, later_options(), &v, 1, words));
    assert_true(v.share_prompts);
    json_t *saved = options_identity(&options);
    assert_ok(options_same_identity(&options, saved, "step-7"));
    json_object_del(saved, "share_prompts");
    assert_refused(options_same_identity(&options, saved, "step-7"),
                   "step-7: was made with --share-prompts false, and now it is true");
    options_free(&options);
    assert_ok(options_read(&options, later_options(), &v, 2, words));
    assert_ok(options_same_identity(&options, saved, "step-7"));
    options_free(&options);
    json_decref(saved);
}

// A run goes on only with the moments that it has; one from before there was a choice has fp32.
static void the_moments_of_train_sft_are_part_of_a_runs_identity(void **state)
{
    char *words[] = {(char *)"train_sft", (char *)"--data=x", (char *)"--out=y", (char *)"--moments=bf16"};
    Options options;
    TrainSftOptions v;
    assert_ok(options_read(&options, train_sft_options(), &v, 3, words));
    assert_string_equal(v.learning.moments.name, "fp32");
    json_t *saved = options_identity(&options);
    options_free(&options);
    assert_ok(options_read(&options, train_sft_options(), &v, 4, words));
    assert_string_equal(v.learning.moments.name, "bf16");
    assert_refused(options_same_identity(&options, saved, "step-7"),
                   "step-7: was made with --moments \"fp32\", and now it is \"bf16\"");
    json_object_del(saved, "moments");
    assert_refused(options_same_identity(&options, saved, "step-7"), "--moments");
    json_decref(saved);
    options_free(&options);
    words[3] = (char *)"--moments=fp8";
    assert_refused(options_read(&options, train_sft_options(), &v, 4, words),
                   "--moments fp8: must be one of fp32|bf16");
    options_free(&options);
}

static void help_has_a_line_for_nearly_every_option_and_fits_its_width(void **state)
{
    char *argv[] = {(char *)"train_sft", (char *)"-h"};
    Options options;
    TrainSftOptions v;
    Bytes help = {0};
    assert_ok(options_read(&options, train_sft_options(), &v, 2, argv));
    assert_int_equal(options.wish, OPTIONS_HELP);
    assert_ok(options_help(&options, TRAIN_SFT_USAGE, NULL, 80, &help));
    int lines = 0, column = 0;
    for (const char *p = help.data; *p != 0; p++) {
        column = *p == '\n' ? 0 : column + (((unsigned char)*p & 0xC0) != 0x80);
        lines += *p == '\n';
        if (column > 80)
            fail_msg("a line is wider than 80 columns: %.100s", p - column);
    }
    assert_true(lines <= 104); // 96, and a line for each option of adapters, live pages, attention, and each heading
    for (size_t i = 0; i < options.table.count; i++) {
        char name[64];
        snprintf(name, sizeof name, "  --%s", options.table.rows[i].name);
        for (char *p = name; *p != 0; p++)
            *p = *p == '_' ? '-' : *p;
        assert_non_null(strstr(help.data, name));
    }
    assert_non_null(strstr(help.data, "chat template, one of 11: --help=model [auto]"));
    bytes_clear(&help);
    assert_ok(options_help(&options, TRAIN_SFT_USAGE, "model", 80, &help));
    assert_non_null(strstr(help.data, "qwen2.5-math"));
    options_free(&options);
    bytes_free(&help);
}

static void help_of_a_group_shows_ranges_and_no_other_group(void **state)
{
    Options options;
    SmallOptions v;
    Bytes help = {0};
    assert_ok(read_words(&options, &v, WORDS("--help=size"), true));
    assert_ok(options_help(&options, "usage\n", options.help_group, 100, &help));
    assert_non_null(strstr(help.data, "how fast, > 0 and <= 1 [1e-5]"));
    assert_null(strstr(help.data, "--title"));
    assert_refused(options_help(&options, "", "sizes", 80, &help),
                   "no such group of options; did you mean --help=size");
    options_free(&options);
    bytes_free(&help);
}

static void rows_of_a_group_are_shown_together_wherever_they_stand(void **state)
{
    static const char *const shown[][4] = {
        {"usage\nfruit\n", "--apples", "--pears", "\ntools\n  --knives"},
        {"# fruit\n", "apples = 1\n", "pears = 3\n", "\n# tools\nknives = 2\n"},
        {"| **fruit** |", "`--apples`", "`--pears`", "| **tools** | | |\n| `--knives`"},
        {".SS fruit\n", "apples", "pears", ".SS tools\n"}};
    Options options;
    MixedOptions v;
    char *argv[] = {(char *)"program"};
    assert_ok(options_read(&options, mixed_options(), &v, 1, argv));
    for (int page = 0; page < 4; page++) {
        Bytes text = {0};
        assert_ok(page == 0   ? options_help(&options, "usage\n", NULL, 80, &text)
                  : page == 1 ? options_config(&options, &text)
                  : page == 2 ? options_markdown(&options, &text)
                              : options_man(&options, "program: what it does\nusage: program\n", &text));
        const char *at = text.data;
        for (int i = 0; i < 4; i++)
            assert_non_null(at = strstr(at, shown[page][i]));
        assert_null(strstr(strstr(text.data, "fruit") + 1, "fruit"));
        bytes_free(&text);
    }
    options_free(&options);
}

static void the_markdown_table_has_a_row_for_each_option(void **state)
{
    Options options;
    SmallOptions v;
    Bytes table = {0};
    assert_ok(read_words(&options, &v, WORDS("--help=markdown"), true));
    assert_ok(options_markdown(&options, &table));
    assert_non_null(strstr(table.data, "| `--shape` | `round` | its shape: `round\\|square` |\n"));
    assert_non_null(strstr(table.data, "| `--data` | required | the rows |\n"));
    options_free(&options);
    bytes_free(&table);
}

static void a_manual_page_has_usage_and_options_with_their_ranges(void **state)
{
    Options options;
    SmallOptions v;
    Bytes page = {0};
    assert_ok(read_words(&options, &v, WORDS("--help=man"), true));
    assert_ok(options_man(
        &options, "tiny: a back\\slash-example\nusage: tiny --data rows\n       tiny --join\n.hidden at first\n",
        &page));
    assert_non_null(strstr(page.data, ".TH TINY 1 "));
    assert_non_null(strstr(page.data, ".SH NAME\ntiny \\- a back\\eslash\\-example\n"));
    assert_non_null(
        strstr(page.data, ".nf\ntiny \\-\\-data rows\ntiny \\-\\-join\n.fi\n.SH DESCRIPTION\n\\&.hidden at first\n"));
    assert_non_null(strstr(page.data, ".TP\n\\fB\\-\\-learning\\-rate\\fR X\nhow fast, > 0 and <= 1 [1e\\-5]\n"));
    options_free(&options);
    bytes_free(&page);
}

static void completion_knows_choices_folders_and_both_forms_of_a_flag(void **state)
{
    Options options;
    SmallOptions v;
    Bytes text = {0};
    assert_ok(read_words(&options, &v, WORDS("--help=bash"), true));
    assert_ok(options_bash(&options, "tiny: an example\n", &text));
    assert_non_null(
        strstr(text.data, "    --shape) COMPREPLY=($(compgen -W \"round square\" -- \"$word\")); return ;;\n"));
    assert_non_null(strstr(text.data, "    --model) COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n"));
    assert_non_null(strstr(text.data, " --quick --no-quick"));
    assert_non_null(strstr(text.data, "complete -o default -F _tiny tiny\n"));
    options_free(&options);

    FileOptions files;
    bytes_clear(&text);
    assert_ok(options_read(&options, file_options(), &files, 2, (char *[]){(char *)"program", (char *)"rows.jsonl"}));
    assert_ok(options_bash(&options, "tiny: an example\n", &text));
    assert_non_null(strstr(text.data, " --extra --level\"")); // and not --names: arguments have no dashes
    options_free(&options);
    bytes_free(&text);
}

static void numbers_read_as_people_write_them(void **state)
{
    double x = 0;
    int64_t n = 0;
    assert_true(number_parse(&x, "2.3M") && x == 2300000.0);
    assert_true(number_parse(&x, "-.5") && x == -0.5);
    assert_true(number_parse(&x, "1E+3") && x == 1000.0);
    assert_true(integer_parse(&n, "1.5k") && n == 1500);
    assert_true(integer_parse(&n, "2e6") && n == 2000000);
    assert_true(integer_parse(&n, "9223372036854775807") && n == INT64_MAX);
    static const char *const bad[] = {"",   "k",  "1kk",   "1e", "1e3k",  "0x10", "inf",  "nan",
                                      "1 ", " 1", "1,000", ".",  "1e999", "--1",  "1.2.3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (number_parse(&x, bad[i]) || integer_parse(&n, bad[i]))
            fail_msg("'%s' was read as a number", bad[i]);
    assert_false(integer_parse(&n, "9223372036854775808"));
    assert_false(integer_parse(&n, "0.5"));
    assert_false(integer_parse(&n, "10000000000G"));
}

static void a_written_number_reads_back_as_the_same_bits(void **state)
{
    char text[NUMBER_TEXT];
    for (uint32_t i = 0; i < 20000; i++) {
        Philox bits = random_bits(7, RANDOM_SAMPLE, i, 0, 0);
        uint64_t pattern = (uint64_t)bits.v[0] << 32 | bits.v[1];
        double value, back;
        memcpy(&value, &pattern, sizeof value);
        if (!isfinite(value))
            continue;
        number_text(text, value);
        back = strtod(text, NULL);
        assert_memory_equal(&back, &value, sizeof value);
    }
    number_text(text, 1e-5);
    assert_string_equal(text, "1e-5");
    number_text(text, 16384);
    assert_string_equal(text, "16384");
    number_text(text, -0.0);
    assert_string_equal(text, "-0");
}

static int make_path(void **state)
{
    int fd = mkstemp(config_path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state) { return unlink(config_path); }

// ---- arguments, and the order in which things were given

static bool read_files(Options *options, FileOptions *values, const char *const words[])
{
    char *argv[MOST_WORDS] = {(char *)"program"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    return options_read(options, file_options(), values, argc, argv);
}

static void words_without_an_option_are_arguments_and_the_order_is_kept(void **state)
{
    Options options;
    FileOptions v;
    assert_ok(read_files(&options, &v, WORDS("--rename", "a=b", "one", "--level=2", "--rename", "c=d", "-", "two")));
    assert_int_equal(v.names.count, 3);
    assert_string_equal(v.names.items[1], "-");
    assert_int_equal(v.rename.count, 2); // one word each time
    static const char *const expected[][2] = {{"rename", "a=b"}, {"names", "one"}, {"level", "2"},
                                              {"rename", "c=d"}, {"names", "-"},   {"names", "two"}};
    assert_int_equal(options.given_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(options.given[i].row->name, expected[i][0]);
        assert_string_equal(options.given[i].value, expected[i][1]);
    }
    assert_true(option_on_command_line(&options, "level") && !option_on_command_line(&options, "extra"));
    options_free(&options);
}

static void what_a_later_place_replaces_was_not_given(void **state)
{
    Options options;
    FileOptions v;
    write_config("names = [\"x\", \"y\", \"z\"]\nrename = \"a=b\"\n");
    assert_ok(read_files(&options, &v, WORDS("--config", config_path, "one", "--rename", "c=d")));
    assert_int_equal(v.names.count, 1);
    assert_int_equal(options.given_count, 2);
    assert_string_equal(options.given[0].value, "one");
    assert_string_equal(options.given[1].value, "c=d");
    options_free(&options);
    assert_ok(read_files(&options, &v, WORDS("one", "--config", config_path)));
    assert_int_equal(v.names.count, 3);
    assert_int_equal(options.given_count, 4);
    assert_string_equal(options.given[0].value, "x");
    options_free(&options);
}

static void two_dashes_end_a_list_and_the_options(void **state)
{
    Options options;
    FileOptions v;
    assert_ok(read_files(&options, &v, WORDS("--extra", "a", "b", "--", "--level", "-x")));
    assert_int_equal(v.extra.count, 2);
    assert_int_equal(v.names.count, 2);
    assert_string_equal(v.names.items[0], "--level");
    options_free(&options);
    assert_refused(read_files(&options, &v, WORDS("--extra", "a", "b")), "files to read: none were given");
    options_free(&options);
    assert_refused(read_files(&options, &v, WORDS("-x")), "-x: an option begins with --");
    options_free(&options);
}

static void arguments_and_repeated_options_stand_in_configuration_files_and_help(void **state)
{
    Options options;
    FileOptions v;
    Bytes text = {0};
    write_config("names = [\"x\", \"y\"]\nrename = [\"a=b\", \"c=d\"]\n");
    assert_ok(read_files(&options, &v, WORDS("--config", config_path)));
    assert_int_equal(v.names.count, 2);
    assert_int_equal(v.rename.count, 2);
    assert_ok(options_help(&options, "", NULL, 80, &text));
    assert_non_null(strstr(text.data, "\n  names…"));
    assert_non_null(strstr(text.data, "\n  --rename TEXT"));
    bytes_clear(&text);
    assert_ok(options_config(&options, &text));
    options_free(&options);
    write_config(text.data);
    assert_ok(read_files(&options, &v, WORDS("--config", config_path)));
    assert_string_equal(v.names.items[1], "y");
    options_free(&options);
    bytes_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_without_an_option_are_arguments_and_the_order_is_kept),
        cmocka_unit_test(what_a_later_place_replaces_was_not_given),
        cmocka_unit_test(two_dashes_end_a_list_and_the_options),
        cmocka_unit_test(arguments_and_repeated_options_stand_in_configuration_files_and_help),
        cmocka_unit_test(values_that_nobody_gives_are_the_tables),
        cmocka_unit_test(words_fill_fields_in_every_spelling),
        cmocka_unit_test(a_list_takes_words_up_to_the_next_option_and_grows),
        cmocka_unit_test(a_word_that_is_wrong_is_refused_with_its_name_and_range),
        cmocka_unit_test(the_last_words_value_may_not_be_missing),
        cmocka_unit_test(an_unknown_option_is_refused_with_the_nearest_one),
        cmocka_unit_test(a_required_option_that_is_missing_is_named),
        cmocka_unit_test(a_file_takes_effect_where_it_stands),
        cmocka_unit_test(a_list_given_later_replaces_the_files),
        cmocka_unit_test(a_bad_line_of_a_file_is_refused_with_its_number),
        cmocka_unit_test(a_file_with_a_nul_byte_is_refused),
        cmocka_unit_test(a_printed_configuration_reads_back_to_the_same_values),
        cmocka_unit_test(the_same_identity_goes_on_whatever_else_changes),
        cmocka_unit_test(another_identity_is_refused_by_name_with_both_values),
        cmocka_unit_test(a_damaged_identity_is_refused),
        cmocka_unit_test(a_run_from_before_prompts_were_shared_goes_on_without),
        cmocka_unit_test(the_moments_of_train_sft_are_part_of_a_runs_identity),
        cmocka_unit_test(help_has_a_line_for_nearly_every_option_and_fits_its_width),
        cmocka_unit_test(help_of_a_group_shows_ranges_and_no_other_group),
        cmocka_unit_test(rows_of_a_group_are_shown_together_wherever_they_stand),
        cmocka_unit_test(the_markdown_table_has_a_row_for_each_option),
        cmocka_unit_test(a_manual_page_has_usage_and_options_with_their_ranges),
        cmocka_unit_test(completion_knows_choices_folders_and_both_forms_of_a_flag),
        cmocka_unit_test(numbers_read_as_people_write_them),
        cmocka_unit_test(a_written_number_reads_back_as_the_same_bits),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
