// Rows of a benchmark from JSONL or CSV: see source.h.
#include "benchmarks/source.h"
#include "json/json_source.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CSV_LIMIT = 1 << 30 };

static bool is_csv(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcasecmp(path + length - 4, ".csv") == 0;
}

// ---- CSV

static bool quoted(Source *s, Bytes *field)
{
    for (s->next++; s->next < s->text.size; s->next++) {
        char c = s->text.data[s->next];
        if (c == '"' && s->text.data[s->next + 1] != '"') {
            s->next++;
            return true;
        }
        s->next += c == '"'; // two of them mean one
        s->below += c == '\n';
        TRY(bytes_append(field, &c, 1));
    }
    return fail("a closing \" is missing");
}

// The field at s->next; then s->next is behind it and its comma or line break.
static bool next_field(Source *s, Bytes *field, bool *last)
{
    bytes_clear(field);
    TRY(bytes_text(field, ""));
    if (s->text.data[s->next] == '"') {
        TRY(quoted(s, field));
    } else {
        size_t length = strcspn(s->text.data + s->next, ",\r\n");
        TRY(bytes_append(field, s->text.data + s->next, length));
        s->next += length;
    }
    const char *behind = s->text.data + s->next;
    *last = *behind != ',';
    if (*behind == '\r' && behind[1] != '\n')
        return fail("a line ends in a carriage return alone; end lines with newlines");
    if (*last && *behind != 0 && *behind != '\n' && strncmp(behind, "\r\n", 2) != 0)
        return fail("a field goes on behind its closing \"");
    s->next += *behind == 0 ? 0 : *behind == '\r' ? 2 : 1;
    s->below += *last;
    return true;
}

static bool read_columns(Source *s)
{
    size_t capacity = 0;
    s->line = 1;
    for (bool last = false; !last;) {
        TRY(grow(&s->columns, &capacity, s->column_count + 1, sizeof *s->columns));
        s->columns[s->column_count] = (Bytes){0};
        TRY(next_field(s, &s->columns[s->column_count++], &last));
        for (size_t i = 0; i + 1 < s->column_count; i++)
            if (strcmp(s->columns[i].data, s->columns[s->column_count - 1].data) == 0)
                return fail("two columns are called %s", s->columns[i].data);
    }
    return true;
}

static bool open_csv(Source *s)
{
    TRY(file_read(&s->text, s->path, CSV_LIMIT));
    if (s->text.size > 1 && memcmp(s->text.data, "\x1f\x8b", 2) == 0)
        return fail("%s: is compressed by gzip; decompress it first, or call JSONL .jsonl.gz", s->path);
    if (memchr(s->text.data, 0, s->text.size) != NULL)
        return fail("%s: holds a NUL byte; it is no CSV file", s->path);
    s->next = strncmp(s->text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    if (s->text.data[s->next] == '{')
        return fail("%s:1: looks like JSONL; then call it .jsonl", s->path);
    TRY(read_columns(s) || fail_in("%s:1", s->path));
    return s->column_count > 1 || strpbrk(s->columns[0].data, ";\t") == NULL ||
           fail("%s:1: has no comma; fields have to be separated by commas", s->path);
}

static bool next_csv(Source *s)
{
    Bytes field = {0};
    size_t count = 0;
    bool ok = bytes_text(&s->row, "{");
    for (bool last = false; ok && !last; count++) {
        ok = next_field(s, &field, &last);
        if (ok && count == s->column_count)
            ok = fail("has more fields than the first line names");
        ok = ok && bytes_text(&s->row, count == 0 ? "" : ",") &&
             json_append_string(&s->row, (Text){s->columns[count].data, s->columns[count].size}) &&
             bytes_text(&s->row, ":") && json_append_string(&s->row, (Text){field.data, field.size});
    }
    bytes_free(&field);
    if (ok && count < s->column_count)
        ok = fail("has %zu fields, and the first line names %zu", count, s->column_count);
    return ok && bytes_text(&s->row, "}");
}

static void skip_blank_lines(Source *s)
{
    size_t length;
    while ((length = strspn(s->text.data + s->next, "\r")), s->text.data[s->next + length] == '\n') {
        s->next += length + 1;
        s->below++;
    }
}

// ---- both

bool source_open(Source *s, const char *path)
{
    *s = (Source){.path = path, .csv = is_csv(path), .lines.descriptor = -1};
    return s->csv ? open_csv(s) : lines_open(&s->lines, path);
}

bool source_next(Source *s, const char **row, size_t *size)
{
    if (!s->csv) {
        TRY(lines_next(&s->lines, row, size));
        s->line = s->lines.line;
        return true;
    }
    *row = NULL;
    skip_blank_lines(s);
    if (s->next == s->text.size)
        return true;
    s->line = s->below + 1;
    bytes_clear(&s->row);
    TRY(next_csv(s) || fail_in("%s:%" PRId64, s->path, s->line));
    *row = s->row.data;
    *size = s->row.size;
    return true;
}

void source_close(Source *s)
{
    lines_close(&s->lines);
    for (size_t i = 0; i < s->column_count; i++)
        bytes_free(&s->columns[i]);
    free(s->columns);
    bytes_free(&s->text);
    bytes_free(&s->row);
    *s = (Source){.lines.descriptor = -1};
}
