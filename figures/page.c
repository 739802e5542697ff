// A run's page: its head (page_above.c), then the rows of each task, packed (html/packed.h), and what the list shows of
// them, then the script (page.js) that reads them.
#include "figures/figures.h"
#include "figures/page_internal.h"
#include "html/html.h"
#include "html/packed.h"
#include "rows/lines.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

enum { INDEX_BYTES = 1 << 21, ROWS_BYTES = 1 << 19 }; // of an element, before it is packed
enum { BEGIN_BYTES = 140, WHERE_BYTES = 1024 };
enum { RIGHT = 1, STRICT = 2, CUT_OFF = 4, FOUND = 8, DRAWN = 16, UNREADABLE = 32 }; // as in page.js

typedef struct Writer {
    AtomicFile file;
    PackedList index, rows;
} Writer;

static bool write_text(Writer *w, const char *text) { return atomic_write(&w->file, text, strlen(text)); }

// ---- a row

static bool is(const json_t *row, const char *key) { return json_is_true(json_object_get(row, key)); }

static int flags_of(const json_t *row)
{
    const char *reason = json_string_value(json_object_get(row, "finish_reason"));
    return (is(row, "right") ? RIGHT : 0) | (is(row, "strict") ? STRICT : 0) | (is(row, "found") ? FOUND : 0) |
           (is(row, "drawn") ? DRAWN : 0) | (is(row, "found") && !is(row, "readable") ? UNREADABLE : 0) |
           (reason != NULL && figures_cut_off(reason) ? CUT_OFF : 0);
}

// Its entry in the list: its element (added later), task, id, sample, flags, categories, how the question begins. NULL
// after fail().
static json_t *entry_of(const json_t *row, const char *task, const char *where)
{
    json_t *id = json_object_get(row, "id"), *sample = json_object_get(row, "sample"), *entry = NULL;
    json_t *categories = json_object_get(row, "categories");
    const char *asked = json_string_value(json_object_get(row, "asked"));
    size_t size = asked == NULL ? 0 : strlen(asked);
    bool cut = size > BEGIN_BYTES;
    if (!json_is_string(id) || !json_is_integer(sample) || asked == NULL ||
        !json_is_string(json_object_get(row, "text")) || !json_is_array(categories))
        fail("%s: is not a response as ./evaluate writes it", where);
    else if ((entry = json_pack("[isOOiOo]", 0, task, id, sample, flags_of(row), categories,
                                json_sprintf("%.*s%s", (int)(cut ? utf8_valid_prefix(asked, BEGIN_BYTES) : size), asked,
                                             cut ? "…" : ""))) == NULL)
        fail("no memory for a page");
    return entry;
}

static bool add_row(Writer *w, const char *task, const char *text, size_t size, const char *where)
{
    json_t *row = json_parse(text, size, where);
    json_t *entry = row == NULL ? NULL : entry_of(row, task, where);
    bool ok = entry != NULL && packed_add_json(&w->rows, row) &&
              json_array_set_new(entry, 0, json_integer(w->rows.elements)) == 0 && packed_add_json(&w->index, entry);
    json_decref(entry);
    json_decref(row);
    return ok;
}

static bool add_task(Writer *w, const char *folder, const char *task)
{
    Bytes name = {0};
    LineReader reader;
    const char *text;
    size_t size;
    char *path = bytes_printf(&name, "%s.jsonl", task) ? path_join(folder, name.data) : NULL;
    bool ok = path != NULL && lines_open(&reader, path);
    bool opened = ok;
    while (ok && (ok = lines_next(&reader, &text, &size)) && text != NULL) {
        char where[WHERE_BYTES];
        snprintf(where, sizeof where, "%s:%" PRId64, path, reader.line);
        ok = add_row(w, task, text, size, where);
    }
    if (opened)
        lines_close(&reader);
    free(path);
    bytes_free(&name);
    return ok;
}

// ---- the page

static bool write_meta(Writer *w, const json_t *summary)
{
    Bytes hidden = {0}, out = {0};
    bool ok = html_hidden(&hidden);
    json_t *tasks = json_object(), *figures;
    const char *task;
    json_object_foreach ((json_t *)summary, task, figures)
        ok = ok &&
             json_object_set_new(tasks, task, json_pack("{sO?}", "fields", json_object_get(figures, "fields"))) == 0;
    json_t *meta = ok ? json_pack("{sssO}", "hidden", hidden.data, "tasks", tasks) : NULL;
    ok = (meta != NULL || fail("no memory for a page")) &&
         bytes_text(&out, "<script type=\"application/json\" id=\"meta\">") && html_json(&out, meta) &&
         bytes_text(&out, "</script>\n") && atomic_write(&w->file, out.data, out.size);
    json_decref(meta);
    json_decref(tasks);
    bytes_free(&hidden);
    bytes_free(&out);
    return ok;
}

static bool write_page(Writer *w, const json_t *summary, const char *folder)
{
    Bytes head = {0};
    bool ok = page_above(&head, summary) && atomic_write(&w->file, head.data, head.size) && write_meta(w, summary);
    bytes_free(&head);
    const char *task;
    json_t *figures;
    json_object_foreach ((json_t *)summary, task, figures)
        ok = ok && add_task(w, folder, task);
    return ok && packed_end(&w->rows) && packed_end(&w->index) && write_text(w, "<script>\n") &&
           write_text(w, HTML_SCRIPT) && write_text(w, PAGE_SCRIPT) && write_text(w, "</script>\n</body></html>\n");
}

bool page_write(const char *path, const json_t *summary, const char *folder)
{
    Writer w = {.index = {.file = &w.file, .name = "index", .each = INDEX_BYTES},
                .rows = {.file = &w.file, .name = "rows", .each = ROWS_BYTES}};
    TRY(atomic_open(&w.file, path));
    bool ok = write_page(&w, summary, folder) && atomic_commit(&w.file);
    atomic_abort(&w.file);
    packed_free(&w.index);
    packed_free(&w.rows);
    return ok;
}
