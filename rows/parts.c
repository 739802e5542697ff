// A finished part is described in OUT.I-of-N.json. Joining opens all parts, checks that they are finished, unchanged
// and of one run, and takes a line from each in turn.
#include "rows/parts.h"
#include "rows/rows.h"
#include "system/files.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ABOUT_LIMIT = 64 << 20 }; // bytes of an OUT.I-of-N.json

bool part_path(Bytes *path, const char *out, const char *part)
{
    int64_t i, n;
    return part[0] == 0 ? bytes_text(path, out)
                        : part_parse(&i, &n, part) && bytes_printf(path, "%s.%" PRId64 "-of-%" PRId64, out, i, n);
}

// ---- one finished part

typedef struct Sum { // over the lines of a file, in order
    uint64_t hash;
} Sum;

static bool add_line(void *sum, Text line)
{
    uint64_t both[2] = {((Sum *)sum)->hash, hash_bytes(line.data, line.size)};
    ((Sum *)sum)->hash = hash_bytes(both, sizeof both);
    return true;
}

static json_t *missing_of(const Journal *j, int64_t part, int64_t parts, int64_t each)
{
    json_t *missing = json_array();
    for (int64_t n = 0; missing != NULL && n < (int64_t)j->most; n++)
        if (n / each % parts == part && !journal_has(j, (uint64_t)n) &&
            json_array_append_new(missing, json_integer(n)) != 0) {
            json_decref(missing);
            return NULL;
        }
    return missing;
}

static bool describe(const Journal *j, int64_t part, int64_t parts, int64_t each)
{
    Sum sum = {0};
    Bytes path = {0};
    char hash[24];
    TRY(journal_each(j, add_line, &sum));
    snprintf(hash, sizeof hash, "%016" PRIx64, sum.hash);
    json_t *identity = json_copy(j->identity);
    json_object_del(identity, "part");
    json_t *about = json_pack("{s:I, s:I, s:I, s:I, s:s, s:o, s:o}", "part", (json_int_t)part, "parts",
                              (json_int_t)parts, "results", (json_int_t)j->most, "each", (json_int_t)each, "hash", hash,
                              "missing", missing_of(j, part, parts, each), "identity", identity);
    bool ok = (about != NULL || fail("no memory for what a part is")) && bytes_printf(&path, "%s.json", j->out) &&
              json_write_atomic(path.data, about);
    json_decref(about);
    bytes_free(&path);
    return ok;
}

bool part_finish(Journal *j, const char *part, int64_t each)
{
    int64_t i, n;
    return part_parse(&i, &n, part) && (part[0] == 0 || describe(j, i, n, each)) && journal_finish(j);
}

// ---- joining: which parts exist

// "taught.jsonl.3-of-8" of OUT "taught.jsonl": 3 and 8.
static bool names_a_part(const char *name, const char *out, int64_t *part, int64_t *parts)
{
    char expected[64];
    size_t size = strlen(out);
    if (strncmp(name, out, size) != 0 || name[size] != '.' ||
        sscanf(name + size + 1, "%18" SCNd64 "-of-%18" SCNd64, part, parts) != 2)
        return false;
    snprintf(expected, sizeof expected, "%" PRId64 "-of-%" PRId64, *part, *parts);
    return *part >= 0 && *part < *parts && strcmp(name + size + 1, expected) == 0;
}

// ---- the parts of ranks

static bool remove_ending(char *name, const char *ending)
{
    size_t size = strlen(name), end = strlen(ending);
    bool there = size > end && strcmp(name + size - end, ending) == 0;
    if (there)
        name[size - end] = 0;
    return there;
}

static bool refuse_begun(const char *out, const char *file, int64_t had, int64_t parts)
{
    char now[32] = "";
    if (parts > 1)
        snprintf(now, sizeof now, "--ranks %" PRId64, parts);
    if (had == 1)
        return fail("%s: is of one process; the same command without %s goes on with it, or remove it to begin anew",
                    file, now);
    return fail("%s: %s is shared by %" PRId64 " processes; the same command with --ranks %" PRId64
                " goes on (each with --part, if you started them so), or remove its parts to begin anew",
                file, out, had, had);
}

bool parts_begin(bool *joined, const char *out, int64_t parts)
{
    const char *slash = strrchr(out, '/'), *name = slash == NULL ? out : slash + 1;
    Bytes folder = {0}, partial = {0};
    char **names = NULL;
    size_t count = 0;
    int64_t i, n;
    PathKind kind;
    bool ok = (slash == NULL ? bytes_text(&folder, ".") : bytes_append(&folder, out, (size_t)(slash - out) + 1)) &&
              bytes_text(&folder, "") && bytes_printf(&partial, "%s.partial", name) && path_kind(&kind, folder.data) &&
              (kind == PATH_NONE || folder_list(&names, &count, folder.data));
    for (size_t k = 0; ok && k < count; k++) {
        if (parts > 1 && strcmp(names[k], partial.data) == 0)
            ok = refuse_begun(out, names[k], 1, parts);
        remove_ending(names[k], ".json");
        remove_ending(names[k], ".partial");
        if (ok && names_a_part(names[k], name, &i, &n) && n != parts)
            ok = refuse_begun(out, names[k], n, parts);
    }
    names_free(names, count);
    bytes_free(&folder);
    bytes_clear(&partial);
    ok = ok && bytes_printf(&partial, "%s.0-of-%" PRId64 ".json", out, parts);
    *joined = ok && parts > 1 && file_exists(out) && file_exists(partial.data);
    bytes_free(&partial);
    return ok && (parts == 1 || *joined || !file_exists(out) ||
                  fail("%s: already exists; remove it, or choose another --out", out));
}

bool part_is_of(const char *path, const json_t *identity)
{
    Bytes about = {0};
    const char *key;
    json_t *value, *file = NULL;
    bool ok = bytes_printf(&about, "%s.json", path) && (file = json_read(about.data, ABOUT_LIMIT)) != NULL;
    json_object_foreach (json_object_get(file, "identity"), key, value)
        if (ok && !json_equal(value, json_object_get(identity, key)))
            ok = fail("%s: was made with other %s; remove it, or choose another --out", path, key);
    json_decref(file);
    bytes_free(&about);
    return ok;
}

// ---- joining

// *parts: the N of all OUT.I-of-N found.
static bool count_parts(int64_t *parts, const char *out)
{
    const char *slash = strrchr(out, '/');
    Bytes folder = {0};
    char **names = NULL;
    size_t count = 0;
    int64_t i, n;
    *parts = 0;
    bool ok = (slash == NULL ? bytes_text(&folder, ".") : bytes_append(&folder, out, (size_t)(slash - out) + 1)) &&
              bytes_text(&folder, "") && folder_list(&names, &count, folder.data);
    for (size_t k = 0; ok && k < count; k++) {
        if (!names_a_part(names[k], slash == NULL ? out : slash + 1, &i, &n))
            continue;
        if (*parts != 0 && *parts != n)
            ok = fail("%s: there are parts of %" PRId64 " and parts of %" PRId64 " of it; remove the wrong ones", out,
                      *parts, n);
        *parts = n;
    }
    names_free(names, count);
    bytes_free(&folder);
    return ok && (*parts > 0 ||
                  fail("%s: there are no parts of it, %s.0-of-N and so on; --part 0/N makes the first", out, out));
}

typedef struct Part {
    char *path;
    json_t *about;
    const json_t *missing;
    size_t next_missing; // index in it
    MappedFile file;
    size_t at; // in the file
    Sum sum;
} Part;

static bool is_finished(const Part *p, int64_t i, int64_t parts)
{
    Bytes partial = {0};
    if (file_exists(p->path))
        return true;
    TRY(bytes_printf(&partial, "%s.partial", p->path));
    bool begun = file_exists(partial.data);
    bytes_free(&partial);
    return begun
               ? fail("%s: is not finished; the command with --part %" PRId64 "/%" PRId64 " goes on", p->path, i, parts)
               : fail("%s: is missing; the same command with --part %" PRId64 "/%" PRId64 " makes it", p->path, i,
                      parts);
}

static bool read_about(Part *p, int64_t i, int64_t parts)
{
    Bytes path = {0};
    int64_t number, count;
    TRY(bytes_printf(&path, "%s.json", p->path));
    bool ok = (file_exists(path.data) ||
               fail("%s: is missing, so it is unknown what %s is a part of; make it again", path.data, p->path)) &&
              (p->about = json_read(path.data, ABOUT_LIMIT)) != NULL &&
              json_need_int(&number, p->about, "part", 0, INT64_MAX, path.data) &&
              json_need_int(&count, p->about, "parts", 1, INT64_MAX, path.data) &&
              ((number == i && count == parts) || fail("%s: is of another part; make it again", path.data));
    bytes_free(&path);
    p->missing = json_object_get(p->about, "missing");
    return ok && file_map(&p->file, p->path);
}

static bool open_part(Part *p, const char *out, int64_t i, int64_t parts)
{
    Bytes path = {0};
    TRY(bytes_printf(&path, "%s.%" PRId64 "-of-%" PRId64, out, i, parts));
    p->path = path.data;
    return is_finished(p, i, parts) && read_about(p, i, parts);
}

static bool of_one_run(const Part *first, const Part *other)
{
    const json_t *a = json_object_get(first->about, "identity"), *b = json_object_get(other->about, "identity");
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)a, key, value)
        if (!json_equal(value, json_object_get(b, key)))
            return fail("%s: was made with other %s than %s; make it again", other->path, key, first->path);
    return true;
}

// Options on the command line beside --join.
static bool as_given(const Part *p, const Options *options)
{
    json_t *now = options_identity(options);
    const json_t *made = json_object_get(p->about, "identity");
    bool ok = now != NULL;
    for (size_t i = 0; ok && i < options->given_count; i++) {
        const OptionRow *row = options->given[i].row;
        const json_t *a = json_object_get(now, row->name), *b = json_object_get(made, row->name);
        if (row->identity && strcmp(row->name, "part") != 0 &&
            !json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b))
            ok = fail("%s: was made with --%s %s, and now it is %s; drop the option", p->path, row->name,
                      json_is_string(b) ? json_string_value(b) : "otherwise",
                      json_is_string(a) ? json_string_value(a) : "otherwise");
    }
    json_decref(now);
    return ok;
}

// ---- joining the parts

static bool is_missing(Part *p, int64_t number)
{
    const json_t *next = json_array_get(p->missing, p->next_missing);
    bool missing = json_is_integer(next) && json_integer_value(next) == number;
    p->next_missing += missing;
    return missing;
}

static bool changed(const Part *p) { return fail("%s: was changed since it was made; make it again", p->path); }

static bool copy_line(AtomicFile *out, Part *p)
{
    const char *line = (const char *)p->file.data + p->at;
    const char *end = p->at < p->file.size ? (const char *)memchr(line, '\n', p->file.size - p->at) : NULL;
    if (end == NULL)
        return changed(p);
    size_t size = (size_t)(end - line);
    p->at += size + 1;
    return add_line(&p->sum, (Text){line, size}) && atomic_write(out, line, size + 1);
}

static bool is_unchanged(const Part *p)
{
    char hash[24];
    const char *made = json_string_value(json_object_get(p->about, "hash"));
    snprintf(hash, sizeof hash, "%016" PRIx64, p->sum.hash);
    return (p->at == p->file.size && made != NULL && strcmp(made, hash) == 0) || changed(p);
}

static bool write_all(AtomicFile *out, Part *list, int64_t parts, int64_t *lines)
{
    int64_t results, each;
    TRY(json_need_int(&results, list[0].about, "results", 0, INT64_MAX, list[0].path) &&
        json_need_int(&each, list[0].about, "each", 1, INT64_MAX, list[0].path));
    for (int64_t n = 0; n < results; n++) {
        Part *p = &list[n / each % parts];
        if (is_missing(p, n))
            continue;
        TRY(copy_line(out, p));
        (*lines)++;
    }
    for (int64_t i = 0; i < parts; i++)
        TRY(is_unchanged(&list[i]));
    return true;
}

static bool join(const char *out, Part *list, int64_t parts, const Options *options, int64_t *rows)
{
    AtomicFile file;
    int64_t lines = 0;
    for (int64_t i = 0; i < parts; i++)
        TRY(open_part(&list[i], out, i, parts) && of_one_run(&list[0], &list[i]));
    TRY(as_given(&list[0], options) && atomic_open(&file, out));
    if (!write_all(&file, list, parts, &lines)) {
        atomic_abort(&file);
        return false;
    }
    *rows = lines;
    return atomic_commit(&file);
}

static bool join_all(const char *out, int64_t parts, const Options *options, int64_t *rows)
{
    Part *list = allocate((size_t)parts, sizeof *list);
    bool ok = list != NULL && join(out, list, parts, options, rows);
    for (int64_t i = 0; list != NULL && i < parts; i++) {
        file_unmap(&list[i].file);
        json_decref(list[i].about);
        free(list[i].path);
    }
    free(list);
    return ok;
}

bool parts_join(const PartOptions *part, const Options *options)
{
    const char *out = part->out;
    int64_t parts, rows;
    if (out[0] == 0)
        return fail_as(ERROR_USAGE, "--join: give --out, the file whose parts --part has made");
    if (part->part[0] != 0)
        return fail_as(ERROR_USAGE, "--join puts the parts together that --part makes; drop one of the two");
    PathKind there;
    TRY(path_kind(&there, out));
    if (there == PATH_FILE)
        return fail("%s: already exists; remove it, or choose another --out", out);
    TRY(count_parts(&parts, out) && join_all(out, parts, options, &rows));
    fprintf(stderr, "%s: %" PRId64 " rows of %" PRId64 " parts, which may be removed\n", out, rows, parts);
    return true;
}

static bool parts_remove(const char *out, int64_t parts)
{
    // .partial: of a rank that was killed between making its part and removing what it made that from
    static const char *const ENDINGS[] = {".json", "", ".partial"};
    bool ok = true;
    for (int64_t k = 3 * parts - 1; ok && k >= 0; k--) { // OUT.0-of-N.json last: the others may be gone then
        Bytes path = {0};
        ok = bytes_printf(&path, "%s.%" PRId64 "-of-%" PRId64 "%s", out, k / 3, parts, ENDINGS[k % 3]) &&
             (remove(path.data) == 0 || errno == ENOENT || fail_errno("%s: removing it", path.data));
        bytes_free(&path);
    }
    return ok;
}

bool parts_end(const char *out, int64_t parts, bool joined, const Options *options)
{
    int64_t rows;
    return (joined || join_all(out, parts, options, &rows)) && parts_remove(out, parts);
}
