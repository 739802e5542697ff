// Findings by trial and their file: see findings.h.
#include "system/findings.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

static const char FIRST_LINE[] = "dereason.c: what was found out about a machine by trial, format 1\n";
static const char ABOUT[] = "about: ", CHECKSUM[] = "checksum: ";
enum { CHECKSUM_LINE = sizeof CHECKSUM - 1 + 16 + 1 };

bool cache_folder(char **folder)
{
    const char *ours = getenv("DEREASON_CACHE");
    *folder = NULL;
    if (ours != NULL && (ours[0] == 0 || strcmp(ours, "off") == 0))
        return true;
    if (ours != NULL)
        return (*folder = copy_text(ours)) != NULL;
    return user_folder(folder, "XDG_CACHE_HOME", ".cache");
}

// ---- in memory

const char *findings_of(const Findings *f, const char *what)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->list[i].what, what) == 0)
            return f->list[i].found;
    return NULL;
}

static bool printable(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return size > 0;
}

static bool put(Findings *f, const char *what, const char *found)
{
    size_t what_size = strlen(what), found_size = strlen(found);
    if (!printable(what, what_size) || !printable(found, found_size) || strstr(what, ": ") != NULL ||
        what_size + found_size > FINDINGS_LINE || f->count == FINDINGS_MOST)
        return fail("a finding that no file can hold: %.40s", what);
    TRY(grow(&f->list, &f->capacity, f->count + 1, sizeof *f->list));
    Finding one = {copy_text(what), copy_text(found)};
    if (one.what == NULL || one.found == NULL) {
        free(one.what);
        free(one.found);
        return false;
    }
    f->list[f->count++] = one;
    return true;
}

bool findings_put(Findings *f, const char *what, const char *found)
{
    if (findings_of(f, what) != NULL)
        return true; // it was found out before
    TRY(put(f, what, found));
    f->unsaved++;
    f->changed = clock_seconds();
    return true;
}

static void forget_from(Findings *f, size_t first)
{
    while (f->count > first) {
        f->count--;
        free(f->list[f->count].what);
        free(f->list[f->count].found);
    }
}

// ---- as a file

// The next line, without its end, as a string; at the end of the text NULL.
static char *next_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = 0;
    *rest = end + 1;
    return line;
}

static bool take_lines(Findings *f, char *rest)
{
    for (char *line = next_line(&rest); line != NULL; line = next_line(&rest)) {
        char *colon = strstr(line, ": ");
        if (colon == NULL)
            return fail("a line without \": \"");
        *colon = 0;
        if (findings_of(f, line) == NULL)
            TRY(put(f, line, colon + 2));
    }
    return true;
}

static bool whole(const char *data, size_t size)
{
    char last[CHECKSUM_LINE + 1];
    if (size < sizeof FIRST_LINE - 1 + CHECKSUM_LINE || memchr(data, 0, size) != NULL)
        return false;
    size_t before = size - CHECKSUM_LINE;
    snprintf(last, sizeof last, "%s%016" PRIx64 "\n", CHECKSUM, hash_bytes(data, before));
    return memcmp(data + before, last, CHECKSUM_LINE) == 0 && data[before - 1] == '\n';
}

bool findings_take(Findings *f, const char *data, size_t size)
{
    if (size < sizeof FIRST_LINE - 1 || memcmp(data, FIRST_LINE, sizeof FIRST_LINE - 1) != 0)
        return fail("it is not a file of ours, or of another version");
    if (!whole(data, size))
        return fail("it is damaged (its checksum is another)");
    size_t begin = sizeof FIRST_LINE - 1, known = f->count;
    Bytes lines = {0};
    bool ok = bytes_append(&lines, data + begin, size - begin - CHECKSUM_LINE);
    char *rest = lines.data, *about = ok ? next_line(&rest) : NULL;
    if (ok && (about == NULL || strncmp(about, ABOUT, sizeof ABOUT - 1) != 0 ||
               strcmp(about + sizeof ABOUT - 1, f->about) != 0))
        ok = fail("it speaks of another machine than this one (%s)", f->about);
    ok = ok && take_lines(f, rest);
    if (!ok)
        forget_from(f, known);
    bytes_free(&lines);
    return ok;
}

static bool read_file(Findings *f)
{
    Bytes text = {0};
    PathKind kind = PATH_NONE;
    bool ok = path_kind(&kind, f->path);
    if (ok && kind != PATH_NONE) {
        ok = file_read(&text, f->path, FINDINGS_BYTES);
        if (ok && !findings_take(f, text.data != NULL ? text.data : "", text.size))
            ok = fail_in("%s", f->path);
    }
    bytes_free(&text);
    return ok;
}

bool findings_open(Findings *f, const char *folder, const char *name, const char *about)
{
    Bytes path = {0};
    *f = (Findings){.about = copy_text(about)};
    TRY(f->about != NULL);
    if (folder == NULL)
        return true;
    if (!printable(about, strlen(about)))
        return fail("a machine whose name no file can hold");
    if (!bytes_printf(&path, "%s/%s-%016" PRIx64 ".txt", folder, name, hash_bytes(about, strlen(about))))
        return false;
    f->path = path.data;
    return read_file(f);
}

void findings_close(Findings *f)
{
    forget_from(f, 0);
    free(f->list);
    free(f->about);
    free(f->path);
    *f = (Findings){0};
}

static bool write_file(const Findings *f)
{
    Bytes text = {0};
    bool ok = parents_make(f->path) && file_may_be_replaced(f->path, FIRST_LINE) && bytes_text(&text, FIRST_LINE) &&
              bytes_printf(&text, "%s%s\n", ABOUT, f->about);
    for (size_t i = 0; ok && i < f->count; i++)
        ok = bytes_printf(&text, "%s: %s\n", f->list[i].what, f->list[i].found);
    ok = ok && bytes_printf(&text, "%s%016" PRIx64 "\n", CHECKSUM, hash_bytes(text.data, text.size)) &&
         file_write_atomic(f->path, text.data, text.size);
    bytes_free(&text);
    return ok;
}

bool findings_save(Findings *f, double quiet)
{
    if (f->unsaved == 0 || f->path == NULL || clock_seconds() - f->changed < quiet)
        return true;
    if (!read_file(f)) // what is damaged is written anew; others may have mended it in the meantime
        error_clear();
    if (write_file(f)) {
        f->unsaved = 0;
        return true;
    }
    free(f->path);
    f->path = NULL;
    return false;
}
