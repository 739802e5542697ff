// Reading options: defaults, then the words of the command line, in order. Everything known of an option comes from its
// row; nothing here knows a program. options_file.c reads the files of --config; options_text.c writes.
#include "options/options_internal.h"
#include <stdlib.h>
#include <string.h>

enum { COMMAND_LINE = 1 };

static bool set_defaults(Options *options)
{
    for (size_t i = 0; i < options->table.count; i++)
        if (option_is_list(options->table.rows[i].type))
            *option_list(options, &options->table.rows[i]) = (OptionList){0};
    options->source = allocate(options->table.count, sizeof *options->source);
    TRY(options->source != NULL);
    for (size_t i = 0; i < options->table.count; i++) {
        const OptionRow *row = &options->table.rows[i];
        if (!option_is_list(row->type))
            TRY(option_set(options, row, row->initial,
                           (OptionPlace){.file = "the table of defaults", .line = (int)i + 1}));
    }
    return true;
}

// ---- command line

typedef struct Words {
    char **words;
    int count, next;
    bool only_arguments; // after --
} Words;

static bool is_option(const char *word) { return strncmp(word, "--", 2) == 0 || strcmp(word, "-h") == 0; }

// The value after = or in the next word.
static bool take_value(const char **value, Words *words, const char *name, const char *equals)
{
    if (equals != NULL) {
        *value = equals + 1;
        return true;
    }
    if (words->next >= words->count)
        return fail("--%s: its value is missing", name);
    if (is_option(words->words[words->next]))
        return fail("--%s: its value is missing (%s is the next option; write --%s=%s if it is the value)", name,
                    words->words[words->next], name, words->words[words->next]);
    *value = words->words[words->next++];
    return true;
}

static bool read_flag(Options *options, const OptionRow *row, const char *equals, bool negated)
{
    char shown[OPTION_NAME];
    const OptionPlace place = {.source = COMMAND_LINE};
    if (negated && equals != NULL)
        return fail("--no-%s takes no value", option_shown(shown, row->name));
    return option_set(options, row, equals != NULL ? equals + 1 : negated ? "false" : "true", place);
}

static bool read_row(Options *options, const OptionRow *row, Words *words, const char *equals)
{
    char shown[OPTION_NAME];
    const char *value = NULL;
    const OptionPlace place = {.source = COMMAND_LINE};
    option_shown(shown, row->name);
    if (row->type == OPTION_FLAG)
        return read_flag(options, row, equals, false);
    do {
        TRY(take_value(&value, words, shown, equals));
        TRY(option_set(options, row, value, place));
    } while (row->type == OPTION_LIST && equals == NULL && words->next < words->count &&
             !is_option(words->words[words->next]));
    return true;
}

// Options that every program has: --config, --help, --print-config. *known: it was one of them.
static bool read_common(Options *options, Words *words, const char *name, size_t length, const char *equals,
                        bool *known)
{
    const char *path = NULL;
    *known = true;
    if (option_named(name, length, "config")) {
        TRY(take_value(&path, words, "config", equals));
        return options_read_file(options, path);
    }
    if (option_named(name, length, "print_config") && equals == NULL) {
        options->wish = OPTIONS_PRINT;
        return true;
    }
    if (option_named(name, length, "version") && equals == NULL) {
        options->wish = OPTIONS_VERSION;
        return true;
    }
    if (option_named(name, length, "help")) {
        options->wish = OPTIONS_HELP;
        options->help_group = equals != NULL ? equals + 1 : NULL;
        return true;
    }
    *known = false;
    return true;
}

static const OptionRow *arguments_row(const OptionTable *table)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].type == OPTION_ARGUMENTS)
            return &table->rows[i];
    return NULL;
}

static bool read_word(Options *options, Words *words)
{
    const char *word = words->words[words->next++];
    const OptionRow *arguments = arguments_row(&options->table);
    if (arguments != NULL && !words->only_arguments && strcmp(word, "--") == 0) {
        words->only_arguments = true;
        return true;
    }
    if (arguments != NULL && (words->only_arguments || word[0] != '-' || word[1] == 0)) // - is standard input
        return option_set(options, arguments, word, (OptionPlace){.source = COMMAND_LINE});
    if (strcmp(word, "-h") == 0)
        word = "--help";
    if (strncmp(word, "--", 2) != 0 || word[2] == 0)
        return fail("%s: an option begins with --, as in --help", word);
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    bool known;
    TRY(read_common(options, words, name, length, equals, &known));
    if (known)
        return true;
    const OptionRow *row = option_find(&options->table, name, length);
    if (row != NULL)
        return read_row(options, row, words, equals);
    bool negated = strncmp(name, "no-", 3) == 0 || strncmp(name, "no_", 3) == 0;
    row = negated ? option_find(&options->table, name + 3, length - 3) : NULL;
    char asked[OPTION_NAME];
    if (row != NULL && row->type == OPTION_FLAG)
        return read_flag(options, row, equals, true);
    if (row != NULL)
        return fail("--%.*s: --%s takes a value; only a flag can be switched off", (int)length, name,
                    option_shown(asked, row->name));
    snprintf(asked, sizeof asked, "%.*s", (int)(length < 60 ? length : 60), name);
    return option_unknown(&options->table, asked, (OptionPlace){0});
}

static const char *text_of(const Options *options, const OptionRow *row)
{
    return *(const char *const *)(const void *)((const char *)options->values + row->offset);
}

static bool is_missing(const Options *options, const OptionRow *row)
{
    if (strcmp(row->range, "required") != 0)
        return false;
    return option_is_list(row->type) ? option_list(options, row)->count == 0
                                     : option_is_text(row->type) && *text_of(options, row) == 0;
}

// Names all missing options at once.
static bool check_required(const Options *options)
{
    char shown[OPTION_NAME];
    Bytes names = {0};
    int missing = 0;
    bool ok = true;
    for (size_t i = 0; i < options->table.count; i++) {
        const OptionRow *row = &options->table.rows[i];
        if (!is_missing(options, row))
            continue;
        if (row->type == OPTION_ARGUMENTS) {
            bytes_free(&names);
            return fail("%s: none were given; --help shows how to call this program", row->help);
        }
        ok = ok &&
             bytes_printf(&names, "%s--%s (%s)", missing++ > 0 ? ", " : "", option_shown(shown, row->name), row->help);
    }
    if (ok && missing > 0)
        ok = fail("%s %s missing; --help shows how to call this program", names.data, missing == 1 ? "is" : "are");
    bytes_free(&names);
    return ok;
}

bool options_read(Options *options, OptionTable table, void *values, int argc, char **argv)
{
    *options = (Options){.table = table, .values = values};
    TRY(set_defaults(options));
    Words words = {.words = argv, .count = argc, .next = 1};
    while (words.next < argc && options->wish != OPTIONS_HELP)
        TRY(read_word(options, &words));
    return options->wish == OPTIONS_RUN ? check_required(options) : true;
}

bool options_read_lines(Options *options, OptionTable table, void *values, char *lines, const char *name)
{
    *options = (Options){.table = table, .values = values};
    return set_defaults(options) && options_read_text(options, lines, name);
}

bool option_on_command_line(const Options *options, const char *name)
{
    const OptionRow *row = option_find(&options->table, name, strlen(name));
    return row != NULL && options->source[row - options->table.rows] == COMMAND_LINE;
}

bool option_alone(const Options *options, const char *name)
{
    char shown[OPTION_NAME], own[OPTION_NAME];
    for (size_t i = 0; i < options->table.count; i++) {
        const char *other = options->table.rows[i].name;
        if (strcmp(other, name) != 0 && option_on_command_line(options, other))
            return fail_as(ERROR_USAGE, "--%s takes no other options; drop --%s", option_shown(own, name),
                           option_shown(shown, other));
    }
    return true;
}

void options_free(Options *options)
{
    for (size_t i = 0; options->values != NULL && i < options->table.count; i++)
        if (option_is_list(options->table.rows[i].type))
            free(option_list(options, &options->table.rows[i])->items);
    for (size_t i = 0; i < options->text_count; i++)
        free(options->texts[i]);
    free(options->texts);
    free(options->source);
    free(options->given);
    *options = (Options){0};
}
