// A run's page: its head, what is known of the run as JSON, the log's lines, the responses (view_rows.c), then the
// script (view.js) that shows them.
#include "html/html.h"
#include "system/line_file.h"
#include "view/view_internal.h"
#include <stdlib.h>
#include <string.h>

const char VIEW_BEGINNING[] = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                              "<meta name=\"generator\" content=\"report\">\n";

// Nothing is fetched, whatever a text holds.
static const char HEAD[] =
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

static const char BODY[] =
    "<noscript><p>This page needs JavaScript; log.jsonl holds the same figures.</p></noscript>\n"
    "<p id=\"facts\"></p>\n"
    "<h2>Curves</h2>\n<div class=\"filters\"><label>steps <input id=\"from\" size=\"6\" inputmode=\"numeric\"> to "
    "<input id=\"to\" size=\"6\" inputmode=\"numeric\"></label>"
    "<select id=\"more\" aria-label=\"one more curve\"><option value=\"\">one more curve …</option></select></div>\n"
    "<div id=\"curves\"></div>\n"
    "<div id=\"times\"></div>\n<div id=\"verdicts\"></div>\n<div id=\"evaluations\"></div>\n"
    "<details id=\"options\"><summary><b>Options</b></summary></details>\n"
    "<div id=\"responses\" hidden><h2>Responses</h2>\n<div class=\"filters\">"
    "<input type=\"search\" id=\"search\" placeholder=\"search prompts and responses\" aria-label=\"search\">"
    "<select id=\"kind\" aria-label=\"kind\"></select><select id=\"step\" aria-label=\"step\"></select>"
    "<select id=\"verdict\" aria-label=\"verdict\"></select><select id=\"level\" aria-label=\"difficulty\"></select>"
    "<select id=\"source\" aria-label=\"source\"></select>"
    "<select id=\"order\" aria-label=\"order\"><option value=\"\">in order</option>"
    "<option value=\"high\">highest reward first</option><option value=\"low\">lowest reward first</option></select>"
    "</div>\n<div class=\"pages\"><button id=\"before\">← before</button><button id=\"after\">after →</button>"
    "<span id=\"status\" role=\"status\"></span></div>\n<div id=\"list\"></div></div>\n";

bool view_put(AtomicFile *file, const Bytes *bytes) { return atomic_write(file, bytes->data, bytes->size); }

static bool put_text(AtomicFile *file, const char *text) { return atomic_write(file, text, strlen(text)); }

static bool put_head(AtomicFile *file, const char *run)
{
    Bytes out = {0};
    bool ok = bytes_text(&out, VIEW_BEGINNING) && bytes_text(&out, HEAD) && bytes_text(&out, "<title>") &&
              html_text(&out, run) && bytes_text(&out, "</title>\n<style>\n") && bytes_text(&out, HTML_STYLE) &&
              bytes_text(&out, VIEW_STYLE) && bytes_text(&out, "</style></head><body>\n<h1>") && html_text(&out, run) &&
              bytes_text(&out, "</h1>\n") && bytes_text(&out, BODY) && view_put(file, &out);
    bytes_free(&out);
    return ok;
}

// A text file of the run whole, or null where it is not there.
static json_t *file_json(const char *run, const char *name, bool *ok)
{
    Bytes text = {0};
    char *path = path_join(run, name);
    PathKind kind = PATH_NONE;
    json_t *value = json_null();
    *ok = *ok && path != NULL && path_kind(&kind, path) && (kind == PATH_NONE || file_read(&text, path, 1 << 24));
    if (*ok && kind != PATH_NONE) {
        value = json_stringn(text.data, text.size);
        *ok = value != NULL || fail("%s: is not UTF-8", path);
    }
    bytes_free(&text);
    free(path);
    return value;
}

static bool put_meta(AtomicFile *file, const char *run)
{
    Bytes hidden = {0}, out = {0};
    bool ok = html_hidden(&hidden);
    json_t *options = file_json(run, "options.conf", &ok), *profile = file_json(run, "profile.json", &ok);
    json_t *meta = ok ? json_pack("{sssOsO}", "hidden", hidden.data, "options", options, "profile", profile) : NULL;
    ok = ok && (meta != NULL || fail("no memory for a page")) &&
         bytes_text(&out, "<script type=\"application/json\" id=\"meta\">") && html_json(&out, meta) &&
         bytes_text(&out, "</script>\n") && view_put(file, &out);
    json_decref(options);
    json_decref(profile);
    json_decref(meta);
    bytes_free(&hidden);
    bytes_free(&out);
    return ok;
}

// ---- the log

typedef struct LogWriter {
    AtomicFile *file;
    const char *path;
    Bytes line;
    bool first;
} LogWriter;

static bool put_line(void *context, const FileLine *line)
{
    LogWriter *w = context;
    char where[1024];
    snprintf(where, sizeof where, "%s:%" PRId64, w->path, line->number);
    json_t *row = json_parse(line->text.data, line->text.size, where);
    if (row == NULL && line->half) {
        error_clear();
        return true;
    }
    bytes_clear(&w->line);
    bool ok = row != NULL && (w->first || bytes_text(&w->line, ",\n")) &&
              html_json_text(&w->line, line->text.data, line->text.size) && view_put(w->file, &w->line);
    json_decref(row);
    w->first = false;
    return ok;
}

static bool put_log(AtomicFile *file, const char *run)
{
    MappedFile log;
    LogWriter w = {.file = file, .path = path_join(run, "log.jsonl"), .first = true};
    bool ok = w.path != NULL && file_map(&log, w.path);
    if (ok) {
        ok = put_text(file, "<script type=\"application/json\" id=\"log\">[") &&
             lines_read((Text){(const char *)log.data, log.size}, put_line, &w) && put_text(file, "]</script>\n");
        file_unmap(&log);
    }
    free((char *)w.path);
    bytes_free(&w.line);
    return ok;
}

// ---- the page

static bool put_rows(AtomicFile *file, const char *run)
{
    char *rollouts = path_join(run, "rollouts"), *held = path_join(run, "evaluations");
    bool ok = rollouts != NULL && held != NULL && view_rows(file, rollouts, false) && view_rows(file, held, true);
    free(rollouts);
    free(held);
    return ok;
}

bool view_write(const char *path, const char *run)
{
    AtomicFile file = {0};
    TRY(file_may_be_replaced(path, VIEW_BEGINNING) && parents_make(path) && atomic_open(&file, path));
    bool ok = put_head(&file, run) && put_meta(&file, run) && put_log(&file, run) && put_rows(&file, run) &&
              put_text(&file, "<script>\n") && put_text(&file, HTML_SCRIPT) && put_text(&file, VIEW_SCRIPT) &&
              put_text(&file, "</script>\n</body></html>\n") && atomic_commit(&file);
    atomic_abort(&file);
    return ok;
}
