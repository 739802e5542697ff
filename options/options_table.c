// One row of the table: its name as people write it, the values that it takes, and setting it. Any other value is
// refused with its place and the values allowed.
#include "base/number.h"
#include "options/options_internal.h"
#include <stdlib.h>
#include <string.h>

const char *option_shown(char out[OPTION_NAME], const char *name)
{
    size_t i = 0;
    for (; name[i] != 0 && i + 1 < OPTION_NAME; i++)
        out[i] = name[i] == '_' ? '-' : name[i];
    out[i] = 0;
    return out;
}

bool option_is_text(OptionType type)
{
    return type == OPTION_TEXT || type == OPTION_FILE || type == OPTION_FOLDER ||
           type == OPTION_CHOICE; // a choice's name
}

bool option_is_list(OptionType type)
{
    return type == OPTION_LIST || type == OPTION_REPEATED || type == OPTION_ARGUMENTS;
}

static int place_in(const char *choices, const char *value) // index of a value in "a|b|c"; -1 if absent
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

bool option_named(const char *word, size_t length, const char *name)
{
    if (strlen(name) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] != (word[i] == '-' ? '_' : word[i]))
            return false;
    return true;
}

const OptionRow *option_find(const OptionTable *table, const char *word, size_t length)
{
    for (size_t i = 0; i < table->count; i++)
        if (option_named(word, length, table->rows[i].name))
            return &table->rows[i];
    return NULL;
}

static bool same_group(const OptionRow *a, const OptionRow *b) { return strcmp(a->group, b->group) == 0; }

const OptionRow *option_by_group(const OptionTable *table, size_t place)
{
    for (const OptionRow *first = table->rows, *end = first + table->count; first < end; first++) {
        const OptionRow *earlier = table->rows;
        while (!same_group(earlier, first))
            earlier++;
        for (const OptionRow *row = first; row < end && earlier == first; row++)
            if (same_group(row, first) && place-- == 0)
                return row;
    }
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

// A list given at another place is replaced; at the same place it grows.
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
    if (row->type == OPTION_CHOICE && place_in(row->range, value) < 0)
        return refuse(row, value, place, "one of ", row->range);
    bool may_be_empty = row->type == OPTION_TEXT || (!option_is_list(row->type) && place.file != NULL);
    if (value[0] == 0 && !may_be_empty) // on a command line this is an unset shell variable
        return refuse(row, "\"\"", place, "a name", "");
    const char *text = keep_text(options, value);
    TRY(text != NULL);
    if (option_is_list(row->type))
        return add_to_list(options, row, field, text, place);
    if (row->type == OPTION_CHOICE)
        *(OptionChoice *)field = (OptionChoice){text, place_in(row->range, value)};
    else
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
