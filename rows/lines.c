// A buffer that slides along the file: returned lines leave at the front, the file enters at the end. It grows only to
// the longest line allowed.
#include "rows/lines.h"
#include "system/files.h"
#include "system/signals.h"
#include "system/phase.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MILLISECONDS = 200, CHUNK = 1 << 20 };

static bool give_up(LineReader *r) // after a failure within a line, so that a partial line is never parsed
{
    r->begin = r->end = 0;
    r->drained = r->ended = true;
    return false;
}

// A pipe may block a reader for ever, and a signal that asks it to stop must end that.
static bool await_bytes(const LineReader *r)
{
    struct pollfd wanted = {.fd = r->descriptor, .events = POLLIN};
    for (;;) {
        int ready = poll(&wanted, 1, POLL_MILLISECONDS);
        phase_progress(); // whoever writes there decides how long that takes
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true; // read() reports what is wrong, if anything
        if (signal_received() != 0)
            return fail_as(ERROR_STOPPED, "%s: stopped by a signal while waiting for more", r->path);
    }
}

static bool fill(LineReader *r) // appends more bytes; sets drained at the end
{
    if (r->begin > 0) {
        memmove(r->buffer, r->buffer + r->begin, r->end - r->begin);
        r->end -= r->begin;
        r->begin = 0;
    }
    if (!grow(&r->buffer, &r->capacity, r->end + CHUNK, 1)) {
        fail_in("%s:%" PRId64, r->path, r->line + 1);
        return give_up(r);
    }
    if (!await_bytes(r))
        return give_up(r);
    ssize_t n;
    phase_progress();
    do
        n = read(r->descriptor, r->buffer + r->end, CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        fail_errno("%s: reading after %" PRIu64 " bytes", r->path, r->consumed + r->end);
        return give_up(r);
    }
    r->drained = n == 0;
    r->end += (size_t)n;
    return true;
}

static void pass(LineReader *r, size_t bytes)
{
    r->begin += bytes;
    r->consumed += bytes;
}

// ---- files that are not JSONL, though given as such

typedef struct Look {
    const char *bytes;
    size_t size;
    const char *what; // with the remedy; %s is the file
} Look;

#define COMPRESSED(with) "compressed; " with " %s > rows.jsonl"

static const Look LOOKS[] = {
    {"PAR1", 4, "a Parquet file; turn it into JSONL first: dev/parquet_to_jsonl.py %s > rows.jsonl"},
    {"ARROW1", 6, "an Arrow file; save it as Parquet, or as JSONL: Dataset.to_json(...) of the datasets library"},
    {"\x1F\x8B", 2, COMPRESSED("zcat")},
    {"\x28\xB5\x2F\xFD", 4, COMPRESSED("zstdcat")},
    {"\xFD\x37zXZ", 5, COMPRESSED("xzcat")},
    {"BZh", 3, COMPRESSED("bzcat")},
    {"PK\x03\x04", 4, COMPRESSED("unzip -p")},
    {"\xFF\xFE", 2, "UTF-16, not UTF-8; iconv -f UTF-16 -t UTF-8 %s"},
    {"\xFE\xFF", 2, "UTF-16, not UTF-8; iconv -f UTF-16 -t UTF-8 %s"},
    {"version https://git-lfs", 23, "a Git LFS pointer, not the data; git lfs pull in its folder fetches them"},
    {"<?xml", 5, "XML, not JSONL"},
    {"<!DOCTYPE", 9, "a page of HTML, not the data: was it saved from a browser?"},
    {"<!doctype", 9, "a page of HTML, not the data: was it saved from a browser?"},
    {"<html", 5, "a page of HTML, not the data: was it saved from a browser?"},
    {"%YAML", 5, "YAML, not JSONL; yq -o=json -I=0 '.[]' %s writes JSONL"},
    {"---\n", 4, "YAML, not JSONL; yq -o=json -I=0 '.[]' %s writes JSONL"},
};

static bool refuse_as(const LineReader *r, const char *what)
{
    const char *file = r->descriptor == STDIN_FILENO ? "FILE" : r->path; // in the remedy
    const char *place = strstr(what, "%s");
    Bytes text = {0};
    bool ok = place == NULL ? bytes_text(&text, what)
                            : bytes_append(&text, what, (size_t)(place - what)) && bytes_text(&text, file) &&
                                  bytes_text(&text, place + 2);
    fail("%s: %s", r->path, ok ? text.data : "not JSONL");
    bytes_free(&text);
    return false;
}

static bool named(const LineReader *r, const char *ending)
{
    size_t length = strlen(r->path), tail = strlen(ending);
    return length > tail && strcasecmp(r->path + length - tail, ending) == 0;
}

// A table of values with a header line: a separator in the first line, and no object anywhere.
static bool is_table(Text head, Text first, char mark)
{
    return memchr(first.data, mark, first.size) != NULL && memchr(head.data, '{', head.size) == NULL &&
           first.size < head.size;
}

#define TABLE(how)                                                                                                     \
    "; python3 -c 'import csv, json, sys; [print(json.dumps(row)) for row in csv.DictReader(open(sys.argv[1], "        \
    "newline=\"\")" how ")]' %s > rows.jsonl"

static bool refuse_others(const LineReader *r)
{
    Text head = {r->buffer + r->begin, r->end - r->begin};
    for (size_t i = 0; i < sizeof LOOKS / sizeof *LOOKS; i++)
        if (head.size >= LOOKS[i].size && memcmp(head.data, LOOKS[i].bytes, LOOKS[i].size) == 0)
            return refuse_as(r, LOOKS[i].what);
    while (head.size > 0 && head.data[0] != 0 && strchr(" \t\r\n", head.data[0]) != NULL)
        head = (Text){head.data + 1, head.size - 1};
    if (head.size == 0 ||
        (head.data[0] == '{' && !(head.size > 1 && strchr("\r\n", head.data[1]) != NULL && head.data[1] != 0)))
        return true;
    if (head.data[0] == '{')
        return refuse_as(r, "objects over several lines, not one object a line; jq -c . %s writes JSONL");
    if (head.data[0] == '[')
        return refuse_as(r, "a JSON array, not one object a line; jq -c '.[]' %s writes JSONL");
    const char *newline = memchr(head.data, '\n', head.size);
    Text first = {head.data, newline == NULL ? head.size : (size_t)(newline - head.data)};
    if (named(r, ".tsv") || is_table(head, first, '\t'))
        return refuse_as(r, "a table of values (TSV), not JSONL" TABLE(", delimiter=\"\\t\""));
    if (named(r, ".csv") || is_table(head, first, ','))
        return refuse_as(r, "a table of values (CSV), not JSONL" TABLE(""));
    if (named(r, ".yaml") || named(r, ".yml"))
        return refuse_as(r, "YAML, not JSONL; yq -o=json -I=0 '.[]' %s writes JSONL");
    return true;
}

bool lines_open(LineReader *reader, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    *reader = (LineReader){.descriptor = -1, .path = copy_text(standard ? "stdin" : path)};
    bool ok = reader->path != NULL;
    if (ok) {
        reader->descriptor = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
        ok = reader->descriptor >= 0 || fail_errno("%s", path);
    }
    struct stat facts = {0};
    if (ok && fstat(reader->descriptor, &facts) == 0 && S_ISDIR(facts.st_mode))
        ok = fail("%s: a folder, not a file", path);
    else if (ok && !standard && !S_ISREG(facts.st_mode) && !S_ISFIFO(facts.st_mode))
        ok = fail("%s: neither a regular file nor a pipe", path);
    while (ok && !reader->drained && reader->end < 4096) // a pipe delivers little at a time
        ok = fill(reader);
    if (ok && reader->end >= 3 && memcmp(reader->buffer, "\xEF\xBB\xBF", 3) == 0)
        pass(reader, 3);
    ok = ok && refuse_others(reader);
    if (!ok)
        lines_close(reader);
    return ok;
}

void lines_close(LineReader *reader)
{
    if (reader->descriptor > STDIN_FILENO)
        close(reader->descriptor);
    free(reader->buffer);
    free(reader->path);
    *reader = (LineReader){.descriptor = -1};
}

// ---- lines

static bool blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

// Skips the rest of a line that is too long, without keeping it.
static bool discard_line(LineReader *r)
{
    for (;;) {
        char *newline = memchr(r->buffer + r->begin, '\n', r->end - r->begin);
        pass(r, newline == NULL ? r->end - r->begin : (size_t)(newline + 1 - r->buffer) - r->begin);
        if (newline != NULL || r->drained)
            return fail("%s:%" PRId64 ": a line of more than %zu bytes; a row may have no more", r->path, r->line,
                        LINE_LIMIT);
        TRY(fill(r));
    }
}

// The next line with its newline, if it has one; size 0 at the end.
static bool next_line(LineReader *r, size_t *size)
{
    size_t searched = 0;
    *size = 0;
    for (;;) {
        char *from = r->buffer + r->begin + searched, *newline = NULL;
        if (r->end > r->begin + searched)
            newline = memchr(from, '\n', r->end - r->begin - searched);
        searched = newline != NULL ? (size_t)(newline - r->buffer) - r->begin : r->end - r->begin;
        if (searched > LINE_LIMIT) {
            r->line++;
            return discard_line(r);
        }
        if (newline != NULL || r->drained) {
            *size = searched + (newline != NULL);
            r->line += *size > 0;
            return true;
        }
        TRY(fill(r));
    }
}

bool lines_next(LineReader *reader, const char **text, size_t *size)
{
    *text = NULL;
    for (;;) {
        size_t whole;
        *size = 0;
        TRY(next_line(reader, &whole));
        reader->ended = whole == 0;
        if (reader->ended)
            return true;
        const char *line = reader->buffer + reader->begin;
        pass(reader, whole); // it stays in place until the next fill
        size_t length = line[whole - 1] == '\n' ? whole - 1 : whole;
        if (blank(line, length))
            continue;
        *text = line;
        *size = length - (line[length - 1] == '\r' ? 1 : 0);
        return true;
    }
}

// ---- files

static bool add_name(char ***files, size_t *count, size_t *capacity, char *name) // takes name
{
    if (name == NULL || !grow(files, capacity, *count + 1, sizeof **files)) {
        free(name);
        return false;
    }
    (*files)[(*count)++] = name;
    return true;
}

static bool ends(const char *name, const char *with)
{
    size_t length = strlen(name), tail = strlen(with);
    return length > tail && strcasecmp(name + length - tail, with) == 0;
}

static bool is_jsonl(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 6 && strcmp(name + length - 6, ".jsonl") == 0;
}

static bool holds_data(const char *folder, const char *name)
{
    static const char *const kinds[] = {".json", ".jsonl", ".ndjson", ".jsonlines", ".parquet", ".arrow", ".feather",
                                        ".csv",  ".tsv",   ".gz",     ".zst",       ".xz",      ".bz2",   ".zip",
                                        ".tar",  ".tgz",   ".xml",    ".yaml",      ".yml",     ".txt",   ".bin",
                                        ".lz4",  ".7z",    ".avro",   ".orc",       ".pkl",     ".npy"};
    if (name[0] == '.' || is_jsonl(name))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ends(name, kinds[i]))
            return true;
    char *path = path_join(folder, name);
    bool inside = path != NULL && folder_exists(path);
    free(path);
    return inside;
}

bool jsonl_passed_over(NameTable *paths, const char *path)
{
    char **names;
    size_t count, number;
    if (!folder_exists(path))
        return true;
    TRY(folder_list(&names, &count, path));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        if (!holds_data(path, names[i]))
            continue;
        char *whole = path_join(path, names[i]);
        ok = whole != NULL && name_number(paths, whole, strlen(whole), &number);
        free(whole);
    }
    names_free(names, count);
    return ok;
}

// Names the first other file where a folder has no *.jsonl.
static bool no_jsonl(const char *folder)
{
    NameTable others = {0};
    bool ok = jsonl_passed_over(&others, folder);
    if (ok && others.count > 0)
        fail("%s: there is no *.jsonl in this folder, but %s%s; give files by their names", folder, others.names[0],
             others.count > 1 ? " and others" : "");
    else if (ok)
        fail("%s: there is no *.jsonl in this folder", folder);
    name_table_free(&others);
    return false;
}

static bool add_folder(char ***files, size_t *count, size_t *capacity, const char *folder)
{
    char **names;
    size_t name_count, before = *count;
    TRY(folder_list(&names, &name_count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < name_count; i++)
        if (is_jsonl(names[i]))
            ok = add_name(files, count, capacity, path_join(folder, names[i]));
    names_free(names, name_count);
    return ok && (*count > before || no_jsonl(folder));
}

bool jsonl_files(char ***files, size_t *count, const char *const *paths, size_t path_count)
{
    size_t capacity = 0;
    bool ok = true;
    *files = NULL;
    *count = 0;
    for (size_t i = 0; ok && i < path_count; i++)
        ok = folder_exists(paths[i]) ? add_folder(files, count, &capacity, paths[i])
                                     : add_name(files, count, &capacity, copy_text(paths[i]));
    if (!ok) {
        names_free(*files, *count);
        *files = NULL;
        *count = 0;
    }
    return ok;
}
