// Reading options: defaults, then the words of the command line, in order. Everything that is said about an option comes from
// its row; nothing here knows a program. The files that --config names are read in options_config.c; writing is options_text.c.
#include "base/number.h"
#include "options/options_internal.h"
#include <stdlib.h>
#include <string.h>

enum { COMMAND_LINE = 1 };

const char *option_shown(char out[OPTION_NAME], const char *name)
{
    size_t i = 0;
    for (; name[i] != 0 && strcmp(name + i, "_") != 0 && i + 1 < OPTION_NAME; i++) // template_ is --template
        out[i] = name[i] == '_' ? '-' : name[i];
    out[i] = 0;
    return out;
}

bool option_is_text(OptionType type)
{
    return type == OPTION_TEXT || type == OPTION_FILE || type == OPTION_FOLDER || type == OPTION_CHOICE;
}

bool option_is_list(OptionType type) { return type == OPTION_LIST || type == OPTION_REPEATED || type == OPTION_ARGUMENTS; }

int option_place(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (int place = 0;; place++) {
        size_t here = strcspn(choices, "|");
        if (here == length && strncmp(choices, value, length) == 0)
            return place;
        if (choices[here] == 0)
            return -1;
        choices += here + 1;
    }
}

// ---- names

static bool same_name(const char *word, size_t length, const char *name)
{
    if (strlen(name) != length && (strlen(name) != length + 1 || name[length] != '_'))
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] != (word[i] == '-' ? '_' : word[i]))
            return false;
    return true;
}

const OptionRow *option_find(const OptionTable *table, const char *word, size_t length)
{
    for (size_t i = 0; i < table->count; i++)
        if (same_name(word, length, table->rows[i].name))
            return &table->rows[i];
    return NULL;
}

// ---- one value into its field

static bool refuse(const OptionRow *row, const char *value, OptionPlace place, const char *what, const char *detail)
{
    char name[OPTION_NAME];
    option_shown(name, row->name);
    if (place.file == NULL)
        return fail("--%s %s: must be %s%s", name, value, what, detail);
    return fail("%s:%d: %s = %s: must be %s%s", place.file, place.line, name, value, what, detail);
}

// "> 0", ">= 0 and <= 1", ""
static bool in_range(const char *range, double value)
{
    while (*range != 0) {
        bool less = range[0] == '<', equal = range[1] == '=';
        char *end;
        double bound = strtod(range + 1 + equal, &end);
        bool holds = less ? value < bound || (equal && value == bound) : value > bound || (equal && value == bound);
        if (!holds)
            return false;
        range = strpbrk(end, "<>");
        if (range == NULL)
            break;
    }
    return true;
}

static bool set_flag(bool *field, const char *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value, words[i]) == 0) {
            *field = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static const char *keep_text(Options *options, const char *value)
{
    if (!grow(&options->texts, &options->text_capacity, options->text_count + 1, sizeof(char *)))
        return NULL;
    char *copy = copy_text(value);
    if (copy != NULL)
        options->texts[options->text_count++] = copy;
    return copy;
}

void option_forget(Options *options, const OptionRow *row)
{
    size_t kept = 0;
    for (size_t i = 0; i < options->given_count; i++)
        if (options->given[i].row != row)
            options->given[kept++] = options->given[i];
    options->given_count = kept;
}

// A list that another place gave is replaced; one that this place gave grows.
static bool add_to_list(Options *options, const OptionRow *row, OptionList *list, const char *text, OptionPlace place)
{
    if (options->source[row - options->table.rows] != place.source) {
        list->count = 0;
        option_forget(options, row);
    }
    TRY(grow(&list->items, &list->capacity, list->count + 1, sizeof(char *)));
    list->items[list->count++] = text;
    return true;
}

static bool set_text(Options *options, const OptionRow *row, void *field, const char *value, OptionPlace place)
{
    if (utf8_valid_prefix(value, strlen(value)) != strlen(value))
        return refuse(row, value, place, "valid UTF-8", "");
    if (row->type == OPTION_CHOICE && option_place(row->range, value) < 0)
        return refuse(row, value, place, "one of ", row->range);
    bool may_be_empty = row->type == OPTION_TEXT || (!option_is_list(row->type) && place.file != NULL);
    if (value[0] == 0 && !may_be_empty) // on a command line it is a shell variable that is not set
        return refuse(row, "\"\"", place, "a name", "");
    const char *text = keep_text(options, value);
    TRY(text != NULL);
    if (option_is_list(row->type))
        return add_to_list(options, row, field, text, place);
    *(const char **)field = text;
    return true;
}

static bool note_given(Options *options, const OptionRow *row, const char *value)
{
    TRY(grow(&options->given, &options->given_capacity, options->given_count + 1, sizeof *options->given));
    const char *text = keep_text(options, value);
    options->given[options->given_count++] = (OptionGiven){row, text};
    return text != NULL;
}

bool option_set(Options *options, const OptionRow *row, const char *value, OptionPlace place)
{
    void *field = (char *)options->values + row->offset;
    int64_t integer;
    double number;
    if (row->type == OPTION_FLAG) {
        if (!set_flag(field, value))
            return refuse(row, value, place, "true or false", "");
    } else if (row->type == OPTION_INTEGER) {
        if (!integer_parse(&integer, value) || !in_range(row->range, (double)integer))
            return refuse(row, value, place, "a whole number ", row->range);
        *(int64_t *)field = integer;
    } else if (row->type == OPTION_NUMBER) {
        if (!number_parse(&number, value) || !in_range(row->range, number))
            return refuse(row, value, place, "a number ", row->range);
        *(double *)field = number;
    } else {
        TRY(set_text(options, row, field, value, place));
    }
    options->source[row - options->table.rows] = place.source;
    return place.source == 0 || note_given(options, row, value);
}

OptionList *option_list(const Options *options, const OptionRow *row)
{
    return (OptionList *)(void *)((char *)options->values + row->offset);
}

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
            TRY(option_set(options, row, row->initial, (OptionPlace){.file = "the table of defaults", .line = (int)i + 1}));
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

// The value behind = or in the next word.
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
    } while (row->type == OPTION_LIST && equals == NULL && words->next < words->count && !is_option(words->words[words->next]));
    return true;
}

// What every program has: --config, --help, --print-config. *known: it was one of them.
static bool read_common(Options *options, Words *words, const char *name, size_t length, const char *equals, bool *known)
{
    const char *path = NULL;
    *known = true;
    if (same_name(name, length, "config")) {
        TRY(take_value(&path, words, "config", equals));
        return options_read_file(options, path);
    }
    if (same_name(name, length, "print_config") && equals == NULL) {
        options->wish = OPTIONS_PRINT;
        return true;
    }
    if (same_name(name, length, "version") && equals == NULL) {
        options->wish = OPTIONS_VERSION;
        return true;
    }
    if (same_name(name, length, "help")) {
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
    if (arguments != NULL && (words->only_arguments || word[0] != '-' || word[1] == 0)) // - is the standard input
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

// All that are missing at once, not one after the other.
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
        ok = ok && bytes_printf(&names, "%s--%s (%s)", missing++ > 0 ? ", " : "", option_shown(shown, row->name), row->help);
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

bool option_on_command_line(const Options *options, const char *name)
{
    const OptionRow *row = option_find(&options->table, name, strlen(name));
    return row != NULL && options->source[row - options->table.rows] == COMMAND_LINE;
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
