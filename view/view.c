// A run's page: its head, what is known of the run as JSON, the log's lines, the responses (view_rows.c), then the
// script (view.js) that shows them.
#include "html/html.h"
#include "log/visible.h"
#include "system/line_file.h"
#include "view/view_internal.h"
#include <stdlib.h>
#include <string.h>

enum { LOG_BYTES = 1 << 22, INDEX_BYTES = 1 << 21, ROWS_BYTES = 1 << 19 }; // of an element, before it is packed
enum { WHERE_BYTES = 1024 };

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

// A text as JSON. Bytes that are not UTF-8, as names of files may hold them, become their numbers.
static json_t *text_json(Text text)
{
    Bytes shown = {0};
    bool ok = bytes_text(&shown, "");
    for (size_t i = 0; ok && i < text.size;) {
        Character c = character_at(text.data + i, text.size - i);
        ok = c.valid ? bytes_append(&shown, text.data + i, c.size) : bytes_printf(&shown, "\\x%02X", (unsigned)c.code);
        i += c.size;
    }
    json_t *value = ok ? json_stringn(shown.data, shown.size) : NULL;
    bytes_free(&shown);
    return value;
}

typedef json_t *(*FileReading)(Text text, const char *path); // NULL after fail()

static json_t *read_text(Text text, const char *path) { return text_json(text); }

static json_t *read_profile(Text text, const char *path)
{
    json_t *profile = json_parse(text.data, text.size, path);
    if (profile == NULL || json_is_array(json_object_get(profile, "operations")))
        return profile;
    json_decref(profile);
    fail("%s: is not a profile as --profile-step writes it", path);
    return NULL;
}

typedef struct Starts {
    json_t *list;
    const char *path;
} Starts;

static bool read_start(void *context, const FileLine *line)
{
    Starts *s = context;
    char where[WHERE_BYTES];
    snprintf(where, sizeof where, "%s:%" PRId64, s->path, line->number);
    json_t *start = json_parse(line->text.data, line->text.size, where);
    if (start == NULL && line->half) {
        error_clear();
        return true;
    }
    bool ok = start != NULL && (json_is_object(start) || fail("%s: not an object", where));
    ok = ok && json_array_append(s->list, start) == 0;
    json_decref(start);
    return ok;
}

static json_t *read_starts(Text text, const char *path)
{
    Starts starts = {json_array(), path};
    if (starts.list != NULL && lines_read(text, read_start, &starts))
        return starts.list;
    json_decref(starts.list);
    return NULL;
}

// A file of the run, or null where it is not there.
static json_t *file_json(const char *run, const char *name, FileReading reading, bool *ok)
{
    Bytes text = {0};
    char *path = run == NULL ? NULL : path_join(run, name);
    PathKind kind = PATH_NONE;
    *ok = *ok && (run == NULL || (path != NULL && path_kind(&kind, path) &&
                                  (kind == PATH_NONE || (file_read(&text, path, 1 << 24) && bytes_text(&text, "")))));
    json_t *value = *ok && kind != PATH_NONE ? reading((Text){text.data, text.size}, path) : json_null();
    *ok = *ok && value != NULL;
    bytes_free(&text);
    free(path);
    return value;
}

static bool add_meta(Bytes *out, const char *run, const char *options_text)
{
    Bytes hidden = {0};
    bool ok = html_hidden(&hidden);
    json_t *options = file_json(run, "options.conf", read_text, &ok),
           *profile = file_json(run, "profile.json", read_profile, &ok),
           *starts = file_json(run, "starts.jsonl", read_starts, &ok);
    if (json_is_null(options) && options_text != NULL)
        options = text_json((Text){options_text, strlen(options_text)});
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

static const int64_t STEP_MOST = (int64_t)1 << 52; // half of what a script can count

// As log/log.h has it: a step, and numbers, or null where they were not finite; an event has a name.
static bool is_log_row(json_t *row, const char *where)
{
    const char *key, *event = NULL;
    json_t *value;
    int64_t step;
    TRY((json_is_object(row) || fail("%s: not an object", where)) && json_may_text(&event, row, "event", where) &&
        json_need_int(&step, row, "step", 0, STEP_MOST, where));
    json_object_foreach (row, key, value)
        if (!json_is_number(value) && !json_is_null(value) && strcmp(key, "event") != 0)
            return fail("%s: key \"%s\" must be a number or null", where, key);
    return true;
}

static bool put_line(void *context, const FileLine *line)
{
    LogWriter *w = context;
    char where[WHERE_BYTES];
    snprintf(where, sizeof where, "%s:%" PRId64, w->path, line->number);
    json_t *row = json_parse(line->text.data, line->text.size, where);
    if (row == NULL && line->half) {
        error_clear();
        return true;
    }
    bool ok = row != NULL && is_log_row(row, where) && packed_add(&w->list, line->text.data, line->text.size);
    json_decref(row);
    return ok;
}

static bool put_log(AtomicFile *file, const char *path, const MappedFile *log)
{
    LogWriter w = {.list = {.file = file, .name = "log", .each = LOG_BYTES}, .path = path};
    bool ok = lines_read((Text){(const char *)log->data, log->size}, put_line, &w) && packed_end(&w.list);
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
static bool write_page(const char *path, const char *run, const char *log_path, const MappedFile *log)
{
    AtomicFile file = {0};
    Bytes text = {0};
    TRY(file_may_be_replaced(path, VIEW_BEGINNING) && parents_make(path) && atomic_open(&file, path));
    bool ok = add_head(&text, run, "'none'") && add_meta(&text, run, NULL) && put(&file, &text) &&
              put_log(&file, log_path, log) && add_script(&text, VIEW_EMBEDDED) && put(&file, &text) &&
              put_rows(&file, run) && bytes_text(&text, "</body></html>\n") && put(&file, &text) &&
              atomic_commit(&file);
    atomic_abort(&file);
    bytes_free(&text);
    return ok;
}

// Nothing is made for a run that is not there.
bool view_write(const char *path, const char *run)
{
    MappedFile log;
    char *log_path = path_join(run, "log.jsonl");
    bool ok = log_path != NULL && file_map(&log, log_path);
    if (ok) {
        ok = write_page(path, run, log_path, &log);
        file_unmap(&log);
    }
    free(log_path);
    return ok;
}
