// The lines of a configuration file: name = value. It writes a subset of TOML and reads a little more (a value may go
// without quotes). options.c checks the value against its row.
#include "options/options_internal.h"
#include "system/files.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_LIMIT = 1 << 20 };

static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = 0;
    return text;
}

static bool unescape(Bytes *out, const char **p, OptionPlace place)
{
    static const char letters[] = "ntr\"\\", meant[] = "\n\t\r\"\\";
    const char *letter = **p != 0 ? strchr(letters, **p) : NULL;
    if (letter != NULL) {
        (*p)++;
        return bytes_append(out, &meant[letter - letters], 1);
    }
    if (**p == 'u' && strspn(*p + 1, "0123456789abcdefABCDEF") >= 4) {
        char digits[5] = {(*p)[1], (*p)[2], (*p)[3], (*p)[4], 0}, c = (char)strtol(digits, NULL, 16);
        if (strncmp(digits, "00", 2) == 0 && c > 0) {
            *p += 5;
            return bytes_append(out, &c, 1);
        }
    }
    return fail("%s:%d: \\%.1s in \"...\": write \\\\ for a backslash, or put the text in '...'", place.file,
                place.line, *p);
}

// One value at *p, quoted or not; then *p is after it. ends: the characters that end an unquoted value.
static bool read_config_value(Bytes *out, const char **p, const char *ends, OptionPlace place)
{
    bytes_clear(out);
    TRY(bytes_text(out, ""));
    char quote = **p;
    if (quote != '"' && quote != '\'') {
        size_t length = strcspn(*p, ends);
        for (size_t i = 0; i < length; i++)
            if ((*p)[i] == '#' && (i == 0 || isspace((unsigned char)(*p)[i - 1])))
                length = i;
        const char *behind = *p + length;
        while (length > 0 && isspace((unsigned char)(*p)[length - 1]))
            length--;
        TRY(bytes_append(out, *p, length));
        *p = behind;
    } else {
        (*p)++;
        while (**p != quote) {
            if (**p == 0)
                return fail("%s:%d: the closing %c is missing", place.file, place.line, quote);
            char c = *(*p)++;
            TRY(quote == '"' && c == '\\' ? unescape(out, p, place) : bytes_append(out, &c, 1));
        }
        (*p)++;
    }
    *p += strspn(*p, " \t\r");
    return true;
}

static bool read_config_list(Options *options, const OptionRow *row, const char **p, OptionPlace place, Bytes *value)
{
    option_list(options, row)->count = 0;
    option_forget(options, row);
    options->source[row - options->table.rows] = place.source;
    *p += 1 + strspn(*p + 1, " \t");
    while (**p != ']') {
        TRY(read_config_value(value, p, ",]", place));
        TRY(option_set(options, row, value->data, place));
        if (**p == ',')
            *p += 1 + strspn(*p + 1, " \t");
        else if (**p != ']')
            return fail("%s:%d: the list needs a comma or its closing ]", place.file, place.line);
    }
    *p += 1 + strspn(*p + 1, " \t\r");
    return true;
}

static bool read_config_line(Options *options, char *line, OptionPlace place, Bytes *value)
{
    line = trimmed(line);
    if (line[0] == 0 || line[0] == '#')
        return true;
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return fail("%s:%d: %.40s: a line must be name = value", place.file, place.line, line);
    *equals = 0;
    const char *name = trimmed(line), *p = trimmed(equals + 1);
    const OptionRow *row = option_find(&options->table, name, strlen(name));
    if (row == NULL)
        return option_unknown(&options->table, name, place);
    if (!option_is_list(row->type) && options->source[row - options->table.rows] == place.source)
        return fail("%s:%d: %s is set twice in this file", place.file, place.line, name);
    if (option_is_list(row->type) && *p == '[') {
        TRY(read_config_list(options, row, &p, place, value));
    } else {
        TRY(read_config_value(value, &p, "", place));
        TRY(option_set(options, row, value->data, place));
    }
    if (*p != 0 && *p != '#')
        return fail("%s:%d: %.40s: unexpected text after the value", place.file, place.line, p);
    return true;
}

bool options_read_text(Options *options, char *lines, const char *name)
{
    Bytes value = {0};
    OptionPlace place = {.file = name, .source = 1 + ++options->files};
    bool ok = true;
    for (char *line = lines, *next; ok && line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = 0;
        place.line++;
        ok = read_config_line(options, line, place, &value);
    }
    bytes_free(&value);
    return ok;
}

bool options_read_file(Options *options, const char *path)
{
    Bytes text = {0};
    bool ok = file_read(&text, path, CONFIG_LIMIT);
    if (ok && memchr(text.data, 0, text.size) != NULL)
        ok = fail("%s: holds a NUL byte; it is no configuration file", path);
    ok = ok && options_read_text(options, text.data + (strncmp(text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0), path);
    bytes_free(&text);
    return ok || fail_in("--config");
}
