// A run's page: its head, what is known of the run as JSON, the log's lines, the responses (view_rows.c), then the
// script (view.js) that shows them.
#include "html/html.h"
#include "system/line_file.h"
#include "view/view_internal.h"
#include <stdlib.h>
#include <string.h>

enum { LOG_BYTES = 1 << 22, INDEX_BYTES = 1 << 21, ROWS_BYTES = 1 << 19 }; // of an element, before it is packed

const char VIEW_BEGINNING[] = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                              "<meta name=\"generator\" content=\"report\">\n";

// Nothing is fetched, whatever a text holds.
static const char HEAD[] = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; connect-src %s; "
                           "img-src data:; style-src "
                           "'unsafe-inline'; script-src 'unsafe-inline'\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link "
                           "rel=\"icon\" href=\"data:,\">\n"; // an empty icon: browsers ask for one

static const char BODY[] =
    "<noscript><p>This page needs JavaScript; log.jsonl holds the same figures.</p></noscript>\n"
    "<p id=\"facts\"></p>\n"
    "<div id=\"charts\">\n<h2>Curves</h2>\n<div class=\"filters\"><label>steps <input id=\"from\" size=\"6\" "
    "inputmode=\"numeric\"> to "
    "<input id=\"to\" size=\"6\" inputmode=\"numeric\"></label>"
    "<select id=\"more\" aria-label=\"one more curve\"><option value=\"\">one more curve …</option></select></div>\n"
    "<div id=\"curves\"></div>\n</div>\n"
    "<div id=\"times\"></div>\n<div id=\"verdicts\"></div>\n<div id=\"evaluations\"></div>\n"
    "<details id=\"options\"><summary><b>Options</b></summary></details>\n"
    "<details id=\"starts\"><summary><b>Versions and memory</b></summary></details>\n"
    "<div id=\"responses\" hidden><h2>Responses</h2>\n<div class=\"filters\">"
    "<input type=\"search\" id=\"search\" placeholder=\"search prompts and responses\" aria-label=\"search\">"
    "<select id=\"kind\" aria-label=\"kind\"></select><select id=\"step\" aria-label=\"step\"></select>"
    "<select id=\"verdict\" aria-label=\"verdict\"></select><select id=\"level\" aria-label=\"difficulty\"></select>"
    "<select id=\"source\" aria-label=\"source\"></select>"
    "<select id=\"order\" aria-label=\"order\"><option value=\"\">in order</option>"
    "<option value=\"new\">newest first</option>"
    "<option value=\"high\">highest reward first</option><option value=\"low\">lowest reward first</option></select>"
    "</div>\n<div class=\"pages\"><button id=\"before\">← before</button><button id=\"after\">after →</button>"
    "<span id=\"status\" role=\"status\"></span></div>\n<div id=\"list\"></div></div>\n";

static bool add_head(Bytes *out, const char *title, const char *connect)
{
    return bytes_text(out, VIEW_BEGINNING) && bytes_printf(out, HEAD, connect) && bytes_text(out, "<title>") &&
           html_text(out, title) && bytes_text(out, "</title>\n<style>\n") && bytes_text(out, HTML_STYLE) &&
           bytes_text(out, VIEW_STYLE) && bytes_text(out, "</style></head><body>\n<h1>") && html_text(out, title) &&
           bytes_text(out, "</h1>\n") && bytes_text(out, BODY);
}

// A text file of the run whole, or null where it is not there.
static json_t *file_json(const char *run, const char *name, bool *ok)
{
    Bytes text = {0};
    char *path = run == NULL ? NULL : path_join(run, name);
    PathKind kind = PATH_NONE;
    json_t *value = json_null();
    *ok = *ok && (run == NULL || path != NULL) &&
          (run == NULL || (path_kind(&kind, path) && (kind == PATH_NONE || file_read(&text, path, 1 << 24))));
    if (*ok && kind != PATH_NONE) {
        value = json_stringn(text.data == NULL ? "" : text.data, text.size);
        *ok = value != NULL || fail("%s: is not UTF-8", path);
    }
    bytes_free(&text);
    free(path);
    return value;
}

static bool add_meta(Bytes *out, const char *run, const char *options_text)
{
    Bytes hidden = {0};
    bool ok = html_hidden(&hidden);
    json_t *options = file_json(run, "options.conf", &ok), *profile = file_json(run, "profile.json", &ok),
           *starts = file_json(run, "starts.jsonl", &ok);
    if (json_is_null(options) && options_text != NULL)
        options = json_string(options_text);
    json_t *meta =
        ok ? json_pack("{sssOsOsO}", "hidden", hidden.data, "options", options, "profile", profile, "starts", starts)
           : NULL;
    ok = ok && (meta != NULL || fail("no memory for a page")) &&
         bytes_text(out, "<script type=\"application/json\" id=\"meta\">") && html_json(out, meta) &&
         bytes_text(out, "</script>\n");
    json_decref(options);
    json_decref(profile);
    json_decref(starts);
    json_decref(meta);
    bytes_free(&hidden);
    return ok;
}

static bool add_script(Bytes *out, const char *last)
{
    return bytes_text(out, "<script>\n") && bytes_text(out, HTML_SCRIPT) && bytes_text(out, VIEW_SCRIPT) &&
           bytes_text(out, last) && bytes_text(out, "</script>\n");
}

bool view_page(Bytes *out, const ViewPage *page)
{
    return add_head(out, page->title, "'self'") && add_meta(out, page->run, page->options) &&
           add_script(out, page->script) && bytes_text(out, "</body></html>\n");
}

// ---- the log

typedef struct LogWriter {
    PackedList list;
    const char *path;
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
    bool ok = row != NULL && packed_add(&w->list, line->text.data, line->text.size);
    json_decref(row);
    return ok;
}

static bool put_log(AtomicFile *file, const char *run)
{
    MappedFile log;
    LogWriter w = {.list = {.file = file, .name = "log", .each = LOG_BYTES}, .path = path_join(run, "log.jsonl")};
    bool ok = w.path != NULL && file_map(&log, w.path);
    if (ok) {
        ok = lines_read((Text){(const char *)log.data, log.size}, put_line, &w) && packed_end(&w.list);
        file_unmap(&log);
    }
    free((char *)w.path);
    packed_free(&w.list);
    return ok;
}

// ---- the page

static bool put(AtomicFile *file, Bytes *text)
{
    bool ok = atomic_write(file, text->data, text->size);
    bytes_clear(text);
    return ok;
}

static bool put_rows(AtomicFile *file, const char *run)
{
    ViewRows lists = {.index = {.file = file, .name = "index", .each = INDEX_BYTES},
                      .rows = {.file = file, .name = "rows", .each = ROWS_BYTES}};
    char *rollouts = path_join(run, "rollouts"), *held = path_join(run, "evaluations");
    bool ok = rollouts != NULL && held != NULL && view_rows(&lists, rollouts, false) && view_rows(&lists, held, true) &&
              packed_end(&lists.rows) && packed_end(&lists.index);
    free(rollouts);
    free(held);
    packed_free(&lists.index);
    packed_free(&lists.rows);
    return ok;
}

// The script stands before the responses, so that the curves are there while those still come.
bool view_write(const char *path, const char *run)
{
    AtomicFile file = {0};
    Bytes text = {0};
    TRY(file_may_be_replaced(path, VIEW_BEGINNING) && parents_make(path) && atomic_open(&file, path));
    bool ok = add_head(&text, run, "'none'") && add_meta(&text, run, NULL) && put(&file, &text) &&
              put_log(&file, run) && add_script(&text, VIEW_EMBEDDED) && put(&file, &text) && put_rows(&file, run) &&
              bytes_text(&text, "</body></html>\n") && put(&file, &text) && atomic_commit(&file);
    atomic_abort(&file);
    bytes_free(&text);
    return ok;
}
