// Rows, one after the other: see rows.h.
#include "rows/rows.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

enum { REFUSALS_SHOWN = 10 };

bool part_parse(int64_t *part, int64_t *parts, const char *text)
{
    char behind;
    *part = 0;
    *parts = 1;
    if (text[0] == 0)
        return true;
    bool read = sscanf(text, "%" SCNd64 "/%" SCNd64 "%c", part, parts, &behind) == 2;
    return (read && *parts >= 1 && *part >= 0 && *part < *parts) ||
           fail_as(ERROR_USAGE,
                   "--part %s: write I/N, the part I from 0 to N - 1 of N parts, as in 0/4, 1/4, 2/4 and 3/4", text);
}

static bool find_files(char ***files, size_t *count, const RowOptions *o)
{
    for (size_t i = 0; i < o->path_count; i++)
        if (strcmp(o->paths[i], "-") == 0)
            return fail(
                "rows are read from files, not from the standard input: a run that is interrupted reads them again");
    return jsonl_files(files, count, o->paths, o->path_count);
}

bool row_options_set(RowOptions *o, const RowReadingOptions *given)
{
    for (size_t i = 0; i < given->map.count; i++)
        TRY(field_maps_add(&o->maps, given->map.items[i]));
    o->reading.map = o->maps.list;
    o->reading.map_count = o->maps.count;
    o->reading.format = given->format.name;
    o->skip_bad_rows = given->skip_bad_rows;
    return true;
}

static bool say_what_is_passed_over(const RowOptions *o)
{
    NameTable others = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < o->path_count; i++)
        ok = jsonl_passed_over(&others, o->paths[i]);
    for (size_t i = 0; ok && i < others.count && i < REFUSALS_SHOWN; i++)
        fprintf(stderr, "not read: %s; of a folder only *.jsonl files are\n", others.names[i]);
    if (ok && others.count > REFUSALS_SHOWN)
        fprintf(stderr, "not read: %zu other files and folders beside these\n", others.count - REFUSALS_SHOWN);
    name_table_free(&others);
    return ok;
}

bool rows_open(RowReader *r, const RowOptions *options)
{
    *r = (RowReader){.options = *options, .number = -1};
    return say_what_is_passed_over(options) && find_files(&r->files, &r->file_count, options);
}

void rows_close(RowReader *r)
{
    if (r->open)
        lines_close(&r->lines);
    names_free(r->files, r->file_count);
    *r = (RowReader){0};
}

// The next line of this part; *text NULL: there are no more.
static bool next_line(RowReader *r, const char **text, size_t *size)
{
    for (*text = NULL;;) {
        if (!r->open) {
            if (r->file == r->file_count)
                return true;
            TRY(lines_open(&r->lines, r->files[r->file]));
            r->open = true;
        }
        bool ok = lines_next(&r->lines, text, size);
        if (!ok && r->lines.ended)
            return false;
        if (ok && *text == NULL) {
            lines_close(&r->lines);
            r->open = false;
            r->file++;
            continue;
        }
        r->number++;
        if (r->number % r->options.parts != r->options.part) {
            error_clear(); // the process whose row it is reports the error
            continue;
        }
        return ok;
    }
}

bool rows_refuse(RowReader *r)
{
    if (r->options.skip_bad_rows == 0)
        return false;
    if (r->bad >= r->options.skip_bad_rows)
        return fail_in("more than %" PRId64 " rows are refused (--skip-bad-rows)", r->options.skip_bad_rows);
    r->bad++;
    if (r->bad <= REFUSALS_SHOWN)
        fprintf(stderr, "refused: %s%s\n", error_text(),
                r->bad == REFUSALS_SHOWN ? "; further ones are only counted" : "");
    error_clear();
    return true;
}

static void note_row(RowReader *r, const Record *record)
{
    if (record->odd_numbers > 0 && !r->odd)
        fprintf(stderr, "%s:%" PRId64 ": NaN and Infinity are not JSON; they are written as null\n", r->files[r->file],
                r->lines.line);
    r->odd = r->odd || record->odd_numbers > 0;
}

bool rows_next(RowReader *r, Record *record, bool *there)
{
    for (*there = false;;) {
        const char *text;
        size_t size;
        bool ok = next_line(r, &text, &size);
        if (ok && text == NULL)
            return true;
        if (ok && record_read(record, text, size, r->files[r->file], r->lines.line, &r->options.reading)) {
            note_row(r, record);
            *there = true;
            return true;
        }
        if (r->lines.ended || r->options.skip_bad_rows == 0 || error_kind() == ERROR_SYSTEM)
            return false;
        TRY(rows_refuse(r));
    }
}

// ---- a summary of all rows

static bool add_file(RowFacts *facts, const RowOptions *o, const char *path)
{
    LineReader lines;
    const char *text;
    size_t size;
    MappedFile file;
    TRY(file_map(&file, path));
    uint64_t hashes[2] = {facts->hash, 0};
    bool hashed = mapped_hash(&hashes[1], file.data, file.size);
    facts->hash = hash_bytes(hashes, sizeof hashes);
    file_unmap(&file);
    TRY(hashed && lines_open(&lines, path));
    for (bool more = true; more;) {
        bool ok = lines_next(&lines, &text, &size);
        more = !lines.ended;
        if (!more)
            break;
        error_clear(); // a line that is too long is a row that will be refused
        facts->mine += facts->rows++ % o->parts == o->part;
        more = ok || !lines.ended;
    }
    lines_close(&lines);
    return true;
}

typedef struct MapSearch {
    const RowOptions *options;
    bool *found; // (map_count) found in some row
    size_t left; // not found yet
    int64_t rows;
} MapSearch;

static void look_at_row(MapSearch *s, const char *text, size_t size)
{
    int64_t odd;
    json_t *row = json_parse_row(text, size, "", &odd);
    for (size_t i = 0; json_is_object(row) && i < s->options->reading.map_count; i++)
        if (!s->found[i] && json_object_get(row, s->options->reading.map[i].name) != NULL) {
            s->found[i] = true;
            s->left--;
        }
    s->rows += json_is_object(row);
    json_decref(row);
    error_clear(); // errors of rows are reported where they are read
}

static bool look_at_file(MapSearch *s, const char *path)
{
    LineReader lines;
    const char *text = NULL;
    size_t size;
    TRY(lines_open(&lines, path));
    do {
        if (lines_next(&lines, &text, &size) && text != NULL)
            look_at_row(s, text, size);
    } while (!lines.ended && s->left > 0);
    lines_close(&lines);
    error_clear();
    return true;
}

// Parses rows until all fields are found, usually in the first one.
static bool check_maps(const RowOptions *o, char **files, size_t count)
{
    MapSearch s = {o, allocate(o->reading.map_count + 1, sizeof *s.found), o->reading.map_count, 0};
    bool ok = s.found != NULL;
    for (size_t i = 0; ok && i < count && s.left > 0; i++)
        ok = look_at_file(&s, files[i]);
    for (size_t i = 0; ok && s.rows > 0 && i < o->reading.map_count; i++)
        if (!s.found[i])
            ok = fail("--map %s=%s: no row has a field \"%s\"", o->reading.map[i].field, o->reading.map[i].name,
                      o->reading.map[i].name);
    free(s.found);
    return ok;
}

bool rows_facts(RowFacts *facts, const RowOptions *o)
{
    char **files;
    size_t count;
    *facts = (RowFacts){0};
    TRY(find_files(&files, &count, o));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = add_file(facts, o, files[i]);
    ok = ok && check_maps(o, files, count);
    names_free(files, count);
    return ok;
}
