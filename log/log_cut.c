// Cuts log.jsonl back to a step, so that a resumed run writes on as if it had never gone further. The new file takes the old
// one's place in one rename.
#include "json/json.h"
#include "log/log.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

// Whether the line stays. half: it is the last one and has no newline; then what cannot be read is dropped.
static bool judge_line(bool *stays, LogFacts *facts, const char *line, size_t size, int64_t step, const char *where, bool half)
{
    int64_t here = 0;
    *stays = false;
    json_t *object = json_parse(line, size, where);
    bool ok = object != NULL && (json_is_object(object) || fail("%s: not an object", where));
    ok = ok && json_need_int(&here, object, "step", 0, INT64_MAX, where);
    const char *event = json_string_value(json_object_get(object, "event"));
    *stays = ok && here <= step;
    facts->last = ok && here > facts->last ? here : facts->last;
    if (*stays && event != NULL && strcmp(event, "eval") == 0)
        facts->evaluated = here;
    json_decref(object);
    if (!ok && half)
        error_clear();
    return ok || half;
}

static bool kept_lines(Bytes *kept, LogFacts *facts, const char *path, const char *text, size_t size, int64_t step)
{
    Bytes where = {0};
    bool ok = true;
    int64_t number = 1;
    for (size_t start = 0, next; ok && start < size; start = next, number++) {
        const char *newline = memchr(text + start, '\n', size - start);
        size_t end = newline != NULL ? (size_t)(newline - text) : size;
        next = newline != NULL ? end + 1 : size;
        bool stays = false;
        bytes_clear(&where);
        ok = bytes_printf(&where, "%s:%" PRId64, path, number);
        ok = ok && judge_line(&stays, facts, text + start, end - start, step, where.data, newline == NULL);
        if (ok && stays)
            ok = bytes_append(kept, text + start, end - start) && bytes_text(kept, "\n");
    }
    bytes_free(&where);
    return ok || (step < 0 ? fail_in("a log that is no run's; take another --out, or move it away")
                           : fail_in("cutting the log back to step %" PRId64 "; remove the line if it is damaged", step));
}

bool log_cut(const char *path, int64_t step, LogFacts *facts)
{
    LogFacts unasked;
    facts = facts == NULL ? &unasked : facts;
    *facts = (LogFacts){.evaluated = -1};
    PathKind kind;
    TRY(path_kind(&kind, path));
    if (kind == PATH_NONE)
        return true;
    MappedFile file;
    Bytes kept = {0};
    TRY(file_map(&file, path));
    bool ok = kept_lines(&kept, facts, path, (const char *)file.data, file.size, step);
    bool same = ok && kept.size == file.size;
    file_unmap(&file);
    ok = ok && (same || file_write_atomic(path, kept.data, kept.size));
    bytes_free(&kept);
    return ok;
}
