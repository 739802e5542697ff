// The responses of a run's page: see view_internal.h.
#include "html/html.h"
#include "rows/lines.h"
#include "view/view_internal.h"
#include <stdlib.h>
#include <string.h>

enum { WHERE_BYTES = 1024 };

static json_t *or_null(const json_t *row, const char *key)
{
    json_t *value = json_object_get(row, key);
    return value != NULL ? value : json_null();
}

// Its entry in the list, as embedded.js reads it, but for its element. NULL after fail().
static json_t *entry_of(bool held, const json_t *row, const char *where)
{
    json_t *step = json_object_get(row, "step");
    if (!json_is_integer(step) || !json_is_string(json_object_get(row, "response"))) {
        fail("%s: is not a response as train_rl writes it", where);
        return NULL;
    }
    json_t *entry =
        json_pack("[iOiOOOOOO]", 0, step, held, or_null(row, "id"), or_null(row, "sample"), or_null(row, "difficulty"),
                  or_null(row, "source"), or_null(row, "verdict"), or_null(row, "reward"));
    if (entry == NULL)
        fail("no memory for a page");
    return entry;
}

static bool add_row(ViewRows *lists, bool held, const char *text, size_t size, const char *where)
{
    json_t *row = json_parse(text, size, where), *entry = NULL;
    json_object_del(row, "ids"); // people read texts
    json_object_del(row, "prompt_ids");
    bool ok = row != NULL && (entry = entry_of(held, row, where)) != NULL && packed_add_json(&lists->rows, row) &&
              json_array_set_new(entry, 0, json_integer(lists->rows.elements)) == 0 &&
              packed_add_json(&lists->index, entry);
    json_decref(entry);
    json_decref(row);
    return ok;
}

static bool add_file(ViewRows *lists, bool held, const char *path)
{
    LineReader reader;
    const char *text;
    size_t size;
    TRY(lines_open(&reader, path));
    bool ok = true;
    while (ok && (ok = lines_next(&reader, &text, &size)) && text != NULL) {
        char where[WHERE_BYTES];
        snprintf(where, sizeof where, "%s:%" PRId64, path, reader.line);
        ok = add_row(lists, held, text, size, where);
    }
    lines_close(&reader);
    return ok;
}

// step-N.jsonl: N; anything else: -1
static int64_t step_of(const char *name)
{
    char *end;
    if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9')
        return -1;
    int64_t step = strtoll(name + 5, &end, 10);
    return strcmp(end, ".jsonl") == 0 ? step : -1;
}

static int by_step(const void *a, const void *b)
{
    int64_t x = step_of(*(char *const *)a), y = step_of(*(char *const *)b);
    return (x > y) - (x < y);
}

bool view_rows(ViewRows *lists, const char *folder, bool held)
{
    char **names;
    size_t count;
    if (!folder_exists(folder))
        return true;
    TRY(folder_list(&names, &count, folder));
    qsort(names, count, sizeof *names, by_step);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        if (step_of(names[i]) < 0)
            continue;
        char *path = path_join(folder, names[i]);
        ok = path != NULL && add_file(lists, held, path);
        free(path);
    }
    names_free(names, count);
    return ok;
}
