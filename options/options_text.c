// Writing options: --help, a complete configuration file, and the values that decide a run's bits. All of it comes from
// the rows and one writer of values. Reading is in options.c, pages in options_pages.c.
#include "base/number.h"
#include "base/version.h"
#include "json/json.h"
#include "options/options_internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CHOICES_SHOWN = 8 };

// ---- values as text

static bool quoted(Bytes *out, const char *text)
{
    TRY(bytes_text(out, "\""));
    for (const char *p = text; *p != 0; p++) {
        static const char meant[] = "\n\t\r\"\\", letters[] = "ntr\"\\";
        const char *special = strchr(meant, *p);
        if (special != NULL)
            TRY(bytes_printf(out, "\\%c", letters[special - meant]));
        else if ((unsigned char)*p < 0x20)
            TRY(bytes_printf(out, "\\u%04x", (unsigned)*p));
        else
            TRY(bytes_append(out, p, 1));
    }
    return bytes_text(out, "\"");
}

bool option_value_text(Bytes *out, const Options *options, const OptionRow *row)
{
    const void *field = (const char *)options->values + row->offset;
    char number[NUMBER_TEXT];
    if (row->type == OPTION_FLAG)
        return bytes_text(out, *(const bool *)field ? "true" : "false");
    if (row->type == OPTION_INTEGER)
        return bytes_printf(out, "%" PRId64, *(const int64_t *)field);
    if (row->type == OPTION_NUMBER) {
        number_text(number, *(const double *)field);
        return bytes_text(out, number);
    }
    if (option_is_text(row->type))
        return quoted(out, *(const char *const *)field);
    const OptionList *list = field;
    TRY(bytes_text(out, "["));
    for (size_t i = 0; i < list->count; i++)
        TRY(bytes_text(out, i > 0 ? ", " : "") && quoted(out, list->items[i]));
    return bytes_text(out, "]");
}

bool options_config(const Options *options, Bytes *out)
{
    const char *group = "";
    char name[OPTION_NAME];
    for (size_t i = 0; i < options->table.count; i++) {
        const OptionRow *row = option_by_group(&options->table, i);
        if (strcmp(group, row->group) != 0)
            TRY(bytes_printf(out, "%s# %s\n", group[0] != 0 ? "\n" : "", row->group));
        group = row->group;
        TRY(bytes_printf(out, "%s = ", option_shown(name, row->name)));
        TRY(option_value_text(out, options, row) && bytes_text(out, "\n"));
    }
    return true;
}

// ---- the options that decide a run's bits

json_t *options_identity(const Options *options)
{
    json_t *object = json_object();
    Bytes value = {0};
    bool ok = object != NULL || fail("no memory for the options of the run");
    for (size_t i = 0; ok && i < options->table.count; i++) {
        if (!options->table.rows[i].identity)
            continue;
        bytes_clear(&value);
        ok = option_value_text(&value, options, &options->table.rows[i]);
        if (ok && json_object_set_new(object, options->table.rows[i].name, json_string(value.data)) != 0)
            ok = fail("no memory for the options of the run");
    }
    bytes_free(&value);
    if (!ok) {
        json_decref(object);
        return NULL;
    }
    return object;
}

// The default of an option, written like the present values.
static bool default_text(Bytes *out, const OptionRow *row)
{
    int64_t integer = 0;
    double number = 0;
    if (option_is_list(row->type))
        return bytes_text(out, "[]");
    if (option_is_text(row->type))
        return quoted(out, row->initial);
    if (row->type == OPTION_INTEGER && integer_parse(&integer, row->initial))
        return bytes_printf(out, "%" PRId64, integer);
    if (row->type == OPTION_NUMBER && number_parse(&number, row->initial)) {
        char text[NUMBER_TEXT];
        number_text(text, number);
        return bytes_text(out, text);
    }
    return bytes_text(out, row->initial);
}

// Where files do not have an option that came later, it was its default, or what the program did before.
static bool absent_text(Bytes *text, const OptionRow *row)
{
    static const struct {
        const char *name, *value;
    } BEFORE[] = {{"share_prompts", "false"}};
    for (size_t i = 0; i < sizeof BEFORE / sizeof *BEFORE; i++)
        if (strcmp(row->name, BEFORE[i].name) == 0)
            return bytes_text(text, BEFORE[i].value);
    return default_text(text, row);
}

// now: the present value as text; before: buffer for the saved one.
static bool same_value(const OptionRow *row, const char *now, const json_t *saved, const char *where, Bytes *before)
{
    const char *text = NULL;
    char name[OPTION_NAME];
    bytes_clear(before);
    TRY(json_may_text(&text, saved, row->name, where) && bytes_printf(before, "%s_", row->name));
    if (text == NULL) // the template's name in older checkpoints
        TRY(json_may_text(&text, saved, before->data, where));
    bytes_clear(before);
    TRY(text != NULL ? bytes_text(before, text) : absent_text(before, row));
    if (strcmp(before->data, now) == 0)
        return true;
    option_shown(name, row->name);
    return fail(
        "%s: was made with --%s %s, and now it is %s; give the saved value, or start a new run with another --out",
        where, name, before->data, now);
}

bool options_same_identity(const Options *options, const json_t *saved, const char *where)
{
    if (!json_is_object(saved))
        return fail("%s: its options are missing", where);
    Bytes now = {0}, before = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < options->table.count; i++) {
        const OptionRow *row = &options->table.rows[i];
        bytes_clear(&now);
        ok = !row->identity ||
             (option_value_text(&now, options, row) && same_value(row, now.data, saved, where, &before));
    }
    bytes_free(&now);
    bytes_free(&before);
    return ok;
}

// ---- help

const char *option_placeholder(const OptionRow *row)
{
    static const char *const words[] = {" N", " X", "", " TEXT", " FILE", " FOLDER", " NAME", " FILE…", " TEXT", "…"};
    return words[row->type];
}

const char *option_dashes(const OptionRow *row) { return row->type == OPTION_ARGUMENTS ? "" : "--"; }

bool option_is_required(const OptionRow *row)
{
    return row->type != OPTION_CHOICE && strcmp(row->range, "required") == 0;
}

// ": cosine, linear"; more than CHOICES_SHOWN only for --help=GROUP
static bool list_choices(Bytes *out, const OptionRow *row, bool all)
{
    int count = 1;
    for (const char *p = row->range; *p != 0; p++)
        count += *p == '|';
    if (count > CHOICES_SHOWN && !all)
        return bytes_printf(out, ", one of %d: --help=%s", count, row->group);
    TRY(bytes_text(out, ": "));
    for (const char *p = row->range; *p != 0; p++)
        TRY(*p == '|' ? bytes_text(out, ", ") : bytes_append(out, p, 1));
    return true;
}

bool option_describe(Bytes *out, const OptionRow *row, bool with_range)
{
    TRY(bytes_text(out, row->help));
    if (row->type == OPTION_CHOICE)
        TRY(list_choices(out, row, with_range));
    if (with_range && (row->type == OPTION_NUMBER || row->type == OPTION_INTEGER) && row->range[0] != 0)
        TRY(bytes_printf(out, ", %s", row->range));
    if (option_is_required(row))
        return bytes_text(out, " (required)");
    bool shown = row->type != OPTION_FLAG && row->initial[0] != 0;
    return !shown || bytes_printf(out, " [%s]", row->initial);
}

static int columns(const char *text, size_t size) // of UTF-8 text without wide characters
{
    int count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

// Wraps text from column `indent` on; the line up to there is already written.
static bool wrap(Bytes *out, const char *text, int indent, int width)
{
    int column = indent;
    while (*text != 0) {
        size_t size = strcspn(text, " ");
        int word = columns(text, size);
        if (column > indent && column + 1 + word > width) {
            TRY(bytes_printf(out, "\n%*s", indent, ""));
            column = indent;
        } else if (column > indent) {
            TRY(bytes_text(out, " "));
            column++;
        }
        TRY(bytes_append(out, text, size));
        column += word;
        text += size;
        text += strspn(text, " ");
    }
    return bytes_text(out, "\n");
}

static int name_column(const OptionTable *table)
{
    int widest = 0;
    for (size_t i = 0; i < table->count; i++) {
        const char *place = option_placeholder(&table->rows[i]);
        char shown[OPTION_NAME];
        int here = (int)strlen(option_shown(shown, table->rows[i].name)) + columns(place, strlen(place));
        widest = here > widest ? here : widest;
    }
    return widest + 6; // two blanks and two dashes before, two blanks after
}

static bool help_row(Bytes *out, const OptionRow *row, int column, int width, bool with_range)
{
    char name[OPTION_NAME];
    Bytes text = {0};
    const char *place = option_placeholder(row);
    int used = 4 + (int)strlen(option_shown(name, row->name)) + columns(place, strlen(place));
    bool ok = bytes_printf(out, "  %s%s%s%*s", option_dashes(row), option_shown(name, row->name), place,
                           column - used + 2 - (int)strlen(option_dashes(row)), "");
    ok = ok && option_describe(&text, row, with_range) && wrap(out, text.data, column, width);
    bytes_free(&text);
    return ok;
}

bool options_help(const Options *options, const char *usage, const char *group, int width, Bytes *out)
{
    int column = name_column(&options->table);
    const char *last = "";
    bool found = group == NULL;
    width = width < column + 24 ? column + 24 : width > 140 ? 140 : width;
    if (group == NULL)
        TRY(bytes_text(out, usage));
    for (size_t i = 0; i < options->table.count; i++) {
        const OptionRow *row = option_by_group(&options->table, i);
        if (group != NULL && strcmp(group, row->group) != 0)
            continue;
        if (strcmp(last, row->group) != 0)
            TRY(bytes_printf(out, "%s\n", row->group));
        last = row->group;
        found = true;
        TRY(help_row(out, row, column, width, group != NULL));
    }
    if (found)
        return true;
    const char *nearest = option_nearest(&options->table, group, true);
    return fail_as(ERROR_USAGE, "--help=%s: no such group of options; %s%s", group,
                   nearest != NULL ? "did you mean --help=" : "--help lists them", nearest != NULL ? nearest : "");
}

static int terminal_width(FILE *out)
{
    struct winsize size;
    if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static bool asks_for(const Options *options, const char *page)
{
    return options->help_group != NULL && strcmp(options->help_group, page) == 0;
}

bool options_answer(const Options *options, const char *usage, FILE *out, bool *answered)
{
    *answered = options->wish != OPTIONS_RUN;
    if (!*answered)
        return true;
    Bytes text = {0};
    bool ok;
    if (options->wish == OPTIONS_PRINT)
        ok = options_config(options, &text);
    else if (options->wish == OPTIONS_VERSION)
        ok = bytes_printf(&text, "dereason.c %s\n", program_version());
    else if (asks_for(options, "markdown"))
        ok = options_markdown(options, &text);
    else if (asks_for(options, "man"))
        ok = options_man(options, usage, &text);
    else if (asks_for(options, "bash"))
        ok = options_bash(options, usage, &text);
    else
        ok = options_help(options, usage, options->help_group, terminal_width(out), &text);
    if (ok && (fwrite(text.data, 1, text.size, out) != text.size || fflush(out) != 0))
        ok = fail_errno("writing the options");
    bytes_free(&text);
    return ok;
}
