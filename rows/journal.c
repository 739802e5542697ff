// OUT.partial: a first line with the identity, then a line "NUMBER XXH3 TEXT" for each result, the checksum covers
// number and text; each line is whole or absent (system/line_file.h). Any change by another program is detected when
// the file is opened, and again when OUT is written. See journal.h.
#include "rows/journal.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- lines

enum { HASH_DIGITS = 16 };

static void line_hash(char digits[HASH_DIGITS + 1], uint64_t number, const char *text, size_t size)
{
    uint64_t both[] = {number, hash_bytes(text, size)};
    snprintf(digits, HASH_DIGITS + 1, "%016" PRIx64, hash_bytes(both, sizeof both));
}

static bool set_place(Journal *j, uint64_t number, uint64_t place)
{
    if (number >= j->most)
        return fail("%s: has a result number %" PRIu64 ", and there are only %" PRIu64 " (it is damaged; %s)",
                    j->file.path, number, j->most, j->anew.data);
    if (number >= j->place_count) {
        TRY(grow(&j->places, &j->place_capacity, number + 1, sizeof *j->places));
        memset(j->places + j->place_count, 0, (number + 1 - j->place_count) * sizeof *j->places);
        j->place_count = number + 1;
    }
    j->count += j->places[number] == 0;
    j->places[number] = place;
    return true;
}

bool journal_has(const Journal *j, uint64_t number) { return number < j->place_count && j->places[number] != 0; }

bool journal_add(Journal *j, uint64_t number, const char *text, size_t size)
{
    Bytes line = {0};
    char hash[HASH_DIGITS + 1];
    uint64_t begin = j->file.end;
    line_hash(hash, number, text, size);
    bool ok = line_file_is_ours(&j->file) && bytes_printf(&line, "%" PRIu64 " %s ", number, hash);
    size_t head = line.size;
    ok = ok && bytes_append(&line, text, size) && bytes_text(&line, "\n") &&
         line_file_append(&j->file, line.data, line.size) && set_place(j, number, begin + head);
    bytes_free(&line);
    return ok;
}

// ---- opening

bool journal_fact(json_t *identity, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    return json_object_set_new(identity, name, json_string(text)) == 0 || fail("no memory for the identity of a run");
}

// Parses a line; false: it is not one of ours, or was damaged.
static bool parse_entry(uint64_t *number, Text *text, const char *line, size_t size)
{
    char hash[HASH_DIGITS + 1];
    size_t digits = 0;
    *number = 0;
    while (digits < size && digits < 19 && line[digits] >= '0' && line[digits] <= '9')
        *number = *number * 10 + (uint64_t)(line[digits++] - '0');
    size_t head = digits + HASH_DIGITS + 2;
    if (digits == 0 || size <= head || line[digits] != ' ' || line[head - 1] != ' ')
        return false;
    *text = (Text){line + head, size - head};
    line_hash(hash, *number, text->data, text->size);
    return memcmp(line + digits + 1, hash, HASH_DIGITS) == 0;
}

static bool read_entry(Journal *j, const FileLine *line)
{
    uint64_t number;
    Text text;
    bool ours = line->half ? line->text.size == 0 || (line->text.data[0] >= '0' && line->text.data[0] <= '9')
                           : parse_entry(&number, &text, line->text.data, line->text.size);
    if (!ours)
        return fail(
            "%s: byte %" PRIu64
            ": not a line of results, or it was damaged; remove this line to have what it held made again, or %s",
            j->file.path, line->offset, j->anew.data);
    return line->half || set_place(j, number, line->offset + (uint64_t)(text.data - line->text.data));
}

static bool same_identity(const Journal *j, Text line, const Options *options)
{
    json_t *saved = json_parse(line.data, line.size, j->file.path);
    if (saved == NULL)
        return fail_in("the results of an interrupted run (%s)", j->anew.data);
    bool ok = options_same_identity(options, saved, j->file.path);
    const char *key;
    json_t *value;
    json_object_foreach (j->identity, key, value)
        if (ok && !json_equal(value, json_object_get(saved, key)))
            ok = fail("%s: was begun with other %s", j->file.path, key);
    json_decref(saved);
    return ok || fail_in("an interrupted run cannot go on (finish it with the command it was begun with, or %s)",
                         j->anew.data);
}

typedef struct Earlier {
    Journal *journal;
    const Options *options;
} Earlier;

// Takes over a line of an earlier run. An incomplete one, which is then cut off, must begin like a line of ours.
static bool take_over(void *context, const FileLine *line)
{
    Earlier *e = context;
    if (line->number > 1)
        return read_entry(e->journal, line);
    if (!line->half)
        return same_identity(e->journal, line->text, e->options);
    return line->text.size == 0 || line->text.data[0] == '{' ||
           fail("%s: is not a file of results; move it away, or choose another --out", e->journal->file.path);
}

static bool write_identity(Journal *j)
{
    Bytes line = {0};
    char *text = json_dumps(j->identity, JSON_COMPACT | JSON_REAL_PRECISION(17));
    bool ok = (text != NULL || fail("no memory for the identity of a run")) && bytes_printf(&line, "%s\n", text) &&
              line_file_append(&j->file, line.data, line.size);
    free(text);
    bytes_free(&line);
    return ok;
}

static bool result_at(const Journal *j, const MappedFile *file, uint64_t number, Text *text)
{
    uint64_t place = j->places[number], found, begin = place;
    const char *data = (const char *)file->data;
    while (begin > 0 && place < file->size && data[begin - 1] != '\n')
        begin--;
    const char *end = place < file->size ? (const char *)memchr(data + place, '\n', file->size - place) : NULL;
    return (end != NULL && parse_entry(&found, text, data + begin, (size_t)(end - data) - begin) && found == number) ||
           fail("%s: was changed by another program; the same command goes on with its intact lines", j->file.path);
}

bool journal_each(const Journal *j, bool (*take)(void *context, Text line), void *context)
{
    MappedFile file;
    Text line;
    bool ok = true;
    TRY(file_map(&file, j->file.path));
    for (size_t i = 0; ok && i < j->place_count; i++)
        ok = j->places[i] == 0 || (result_at(j, &file, i, &line) && take(context, line));
    file_unmap(&file);
    return ok;
}

typedef struct Comparison {
    MappedFile file;
    size_t at;
} Comparison;

static bool is_next(void *context, Text line)
{
    Comparison *c = context;
    size_t size = line.size + 1; // including its newline
    bool same = c->file.size - c->at >= size && memcmp(c->file.data + c->at, line.data, size) == 0;
    c->at += same ? size : 0;
    return same;
}

// Whether OUT holds these results and nothing else.
static bool out_is_of(const Journal *j)
{
    Comparison c = {0};
    TRY(file_map(&c.file, j->out));
    bool same = journal_each(j, is_next, &c) && c.at == c.file.size;
    file_unmap(&c.file);
    return same;
}

static bool refuse_out(const Journal *j)
{
    return fail("%s: already exists; remove it, or choose another --out", j->out);
}

// done: OUT exists, and OUT.partial too: a process that was killed between creating the one and removing the other
// leaves both.
static bool look_at_out(const Journal *j, const char *partial, bool *done)
{
    PathKind out, kind;
    TRY(path_kind(&out, j->out) && path_kind(&kind, partial));
    *done = out == PATH_FILE && kind == PATH_FILE;
    if (out == PATH_FILE && !*done)
        return refuse_out(j);
    if (out == PATH_FOLDER)
        return fail("%s: is a folder; --out is the file to write", j->out);
    return file_may_be_written(j->out);
}

static bool open_file(Journal *j, const char *partial, const Options *options)
{
    Earlier earlier = {j, options};
    bool done;
    TRY(look_at_out(j, partial, &done) && parents_make(partial));
    TRY(line_file_open(&j->file, partial, false,
                       "another process is writing it; wait for it, or choose another --out"));
    bool ok = line_file_read(&j->file, take_over, &earlier);
    if (done)
        TRY((ok && out_is_of(j)) || refuse_out(j)); // and then it is made once more, from the same lines
    j->before = j->count;
    return ok && (j->file.end > 0 || write_identity(j));
}

bool journal_open(Journal *j, const char *out, uint64_t most, const Options *options, const json_t *identity,
                  const char *answers)
{
    *j = (Journal){.most = most, .identity = json_incref((json_t *)(uintptr_t)identity)};
    Bytes partial = {0};
    bool ok = (j->out = copy_text(out)) != NULL && bytes_printf(&partial, "%s.partial", out) &&
              bytes_printf(&j->anew, "remove %s to begin anew", partial.data);
    if (answers != NULL)
        ok = ok && bytes_printf(&j->anew, " (and %s, or the server's answers are used again)", answers);
    ok = ok && open_file(j, partial.data, options);
    bytes_free(&partial);
    if (!ok)
        journal_close(j);
    return ok;
}

void journal_close(Journal *j)
{
    line_file_close(&j->file);
    json_decref(j->identity);
    bytes_free(&j->anew);
    free(j->out);
    free(j->places);
    *j = (Journal){0};
}

// ---- finishing

static bool write_result(void *out, Text line) { return atomic_write(out, line.data, line.size + 1); } // its end, too

bool journal_finish(Journal *j)
{
    AtomicFile out;
    TRY(atomic_open(&out, j->out));
    if (!journal_each(j, write_result, &out)) {
        atomic_abort(&out);
        return false;
    }
    TRY(atomic_commit(&out));
    return unlink(j->file.path) == 0 || fail_errno("%s: removing; %s is complete", j->file.path, j->out);
}

void journal_tell_stopped(const Journal *j, Progress *progress)
{
    if (j->file.path == NULL)
        progress_note(progress, "stopped by a signal before anything was asked; the same command begins again");
    else
        progress_note(progress, "stopped by a signal; what is finished is in %s, and the same command goes on",
                      j->file.path);
}
