// Cuts log.jsonl back to a step, so that a resumed run goes on as if it had never been further. The new file takes the
// old one's place in one rename.
#include "json/json.h"
#include "log/log.h"
#include "system/files.h"
#include <string.h>

typedef struct Cut {
    const char *path;
    int64_t step;
    LogFacts *facts;
    Bytes kept; // lines
} Cut;

// Whether the line is kept. An incomplete line that cannot be read is dropped.
static bool judge_line(bool *stays, Cut *cut, const FileLine *line, const char *where)
{
    int64_t here = 0;
    json_t *object = json_parse(line->text.data, line->text.size, where);
    bool ok = object != NULL && (json_is_object(object) || fail("%s: not an object", where));
    ok = ok && json_need_int(&here, object, "step", 0, INT64_MAX, where);
    const char *event = json_string_value(json_object_get(object, "event"));
    *stays = ok && here <= cut->step;
    cut->facts->last = ok && here > cut->facts->last ? here : cut->facts->last;
    if (*stays && event != NULL && strcmp(event, "eval") == 0)
        cut->facts->evaluated = here;
    json_decref(object);
    if (!ok && line->half)
        error_clear();
    return ok || line->half;
}

static bool keep_line(void *context, const FileLine *line)
{
    Cut *cut = context;
    Bytes where = {0};
    bool stays = false;
    bool ok = bytes_printf(&where, "%s:%" PRId64, cut->path, line->number) && judge_line(&stays, cut, line, where.data);
    bytes_free(&where);
    TRY(ok);
    return !stays || (bytes_append(&cut->kept, line->text.data, line->text.size) && bytes_text(&cut->kept, "\n"));
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
    Cut cut = {.path = path, .step = step, .facts = facts};
    TRY(file_map(&file, path));
    bool ok = lines_read((Text){(const char *)file.data, file.size}, keep_line, &cut);
    if (!ok && step < 0)
        fail_in("the log is not a run's; take another --out, or move it away");
    else if (!ok)
        fail_in("cutting the log back to step %" PRId64 "; remove the line if it is damaged", step);
    bool same = ok && cut.kept.size == file.size;
    file_unmap(&file);
    ok = ok && (same || file_write_atomic(path, cut.kept.data, cut.kept.size));
    bytes_free(&cut.kept);
    return ok;
}
