// Responses that somebody else has generated, matched with the prompts of a run: see bench.h.
#include "benchmarks/bench.h"
#include "json/json_source.h"
#include "rows/row_write.h"
#include <stdlib.h>
#include <string.h>

typedef struct Theirs { // rows of their file, by name: "gsm8k/17#0", or "#17" where none has an id
    const Bench *run;
    const char *path;
    NameTable names;
    char **rows; // (names.count)
    size_t capacity;
    NameTable seen; // ids, to count the samples of each
    int64_t *times;
    size_t times_capacity;
    bool with_ids;
    size_t known;
} Theirs;

// ---- names

static bool id_text(Bytes *out, const json_t *id)
{
    if (json_is_integer(id))
        return bytes_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(id));
    return bytes_text(out, json_is_string(id) ? json_string_value(id) : "");
}

// Of a row of prompts.jsonl, or one that ./generate made of it.
static bool name_by_facts(Bytes *name, const json_t *facts)
{
    return bytes_printf(name, "%s/%s#%" JSON_INTEGER_FORMAT, json_string_value(json_object_get(facts, "task")),
                        json_string_value(json_object_get(facts, "id")),
                        json_integer_value(json_object_get(facts, "sample")));
}

// A row's name, as tools call it, or as the task's data do.
static const json_t *id_of(const Theirs *t, const json_t *row)
{
    const json_t *id = task_field(row, "id|custom_id|doc_id");
    return id != NULL || t->run->count > 1 ? id : task_field(row, t->run->list[0].task.o.id);
}

static bool has_task(const Bench *run, const char *id)
{
    for (size_t i = 0; i < run->count; i++) {
        size_t length = strlen(run->list[i].task.name);
        if (strncmp(id, run->list[i].task.name, length) == 0 && id[length] == '/')
            return true;
    }
    return false;
}

// "aime24/3#1" is a prompt's name where the task has several samples: its second one's.
static bool is_prompt(const Theirs *t, const char *id, Bytes *name)
{
    const char *mark = strrchr(id, '#'), *slash = strchr(id, '/');
    for (size_t i = 0; mark != NULL && i < t->run->count; i++) {
        const Asking *asking = &t->run->list[i];
        if (asking->samples > 1 && strlen(asking->task.name) == (size_t)(slash - id) &&
            strncmp(asking->task.name, id, (size_t)(slash - id)) == 0 && mark[1] != 0 &&
            strspn(mark + 1, "0123456789") == strlen(mark + 1))
            return bytes_text(name, id);
    }
    return true;
}

// The next sample of an id, unless the row says which.
static bool next_sample(Theirs *t, const json_t *row, const char *id, int64_t *sample)
{
    const json_t *said = json_object_get(row, "sample");
    size_t place;
    TRY(name_number(&t->seen, id, strlen(id), &place) &&
        grow(&t->times, &t->times_capacity, t->seen.count, sizeof *t->times));
    if (place == t->known) // a new id
        t->times[t->known++] = 0;
    *sample = json_is_integer(said) ? json_integer_value(said) : t->times[place];
    t->times[place]++;
    return true;
}

static bool name_of(Theirs *t, Bytes *name, const json_t *row, const char *where)
{
    const json_t *facts = json_object_get(row, "evaluate"), *id = id_of(t, row);
    Bytes text = {0};
    int64_t sample;
    if (json_is_object(facts))
        return name_by_facts(name, facts);
    if (id == NULL)
        return bytes_printf(name, "#%zu", t->names.count);
    bool ok = id_text(&text, id);
    bool whole = ok && has_task(t->run, text.data);
    if (whole && (ok = is_prompt(t, text.data, name)) && name->size > 0) {
        bytes_free(&text);
        return true;
    }
    if (ok && !whole && t->run->count > 1)
        ok = fail("%s: the id %s does not say which task it belongs to; write TASK/%s, as in %s", where, text.data,
                  text.data, t->run->prompts.data);
    ok = ok && next_sample(t, row, text.data, &sample) &&
         bytes_printf(name, "%s%s%s#%" PRId64, whole ? "" : t->run->list[0].task.name, whole ? "" : "/", text.data,
                      sample);
    bytes_free(&text);
    return ok;
}

// ---- their file

static const json_t *text_field(const json_t *row)
{
    static const char *const names[] = {"text", "response", "output", "completion"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (json_is_string(json_object_get(row, names[i])))
            return json_object_get(row, names[i]);
    return NULL;
}

// What a row of responses.jsonl takes from it: ",\"text\":\"...\",...}".
static bool keep(Bytes *kept, const json_t *row, const char *where)
{
    const json_t *text = text_field(row), *reason = json_object_get(row, "finish_reason");
    const json_t *tokens = json_object_get(row, "tokens");
    if (text == NULL)
        return fail("%s: has no text (text, response, output or completion)", where);
    return bytes_text(kept, ",\"text\":") &&
           json_append_string(kept, (Text){json_string_value(text), json_string_length(text)}) &&
           (!json_is_string(reason) ||
            row_text(kept, "finish_reason", json_string_value(reason), json_string_length(reason))) &&
           (!json_is_integer(tokens) || row_integer(kept, "tokens", json_integer_value(tokens))) &&
           bytes_text(kept, "}\n");
}

static bool take(Theirs *t, Text line, const char *where)
{
    Bytes name = {0}, kept = {0};
    size_t place;
    json_t *row = json_parse(line.data, line.size, where);
    bool ok = row != NULL;
    bool with_id = json_object_get(row, "evaluate") != NULL || id_of(t, row) != NULL;
    if (ok && t->names.count > 0 && with_id != t->with_ids)
        ok = fail("%s: some rows have an id, and others none", where);
    t->with_ids = with_id;
    ok = ok && name_of(t, &name, row, where) && keep(&kept, row, where) &&
         name_number(&t->names, name.data, name.size, &place);
    if (ok && place + 1 != t->names.count)
        ok = fail("%s: a second response for %s", where, name.data);
    ok = ok && grow(&t->rows, &t->capacity, t->names.count, sizeof *t->rows);
    if (ok) {
        t->rows[place] = kept.data;
        kept = (Bytes){0};
    }
    bytes_free(&kept);
    bytes_free(&name);
    json_decref(row);
    return ok;
}

static bool each_line(void *context, const char *path, bool (*take_line)(void *, Text, const char *))
{
    LineReader lines;
    const char *text = NULL;
    char where[1024];
    size_t size;
    bool ok = lines_open(&lines, path);
    while (ok && (ok = lines_next(&lines, &text, &size)) && text != NULL) {
        snprintf(where, sizeof where, "%s:%" PRId64, path, lines.line);
        ok = take_line(context, (Text){text, size}, where);
    }
    lines_close(&lines);
    return ok;
}

static bool take_line(void *context, Text line, const char *where) { return take(context, line, where); }

// ---- the prompts

typedef struct Joining {
    Theirs *theirs;
    AtomicFile file;
    int64_t number;
    Bytes line;
} Joining;

static bool name_of_prompt(Bytes *name, const Joining *j, const json_t *row)
{
    return j->theirs->with_ids ? name_by_facts(name, json_object_get(row, "evaluate"))
                               : bytes_printf(name, "#%" PRId64, j->number);
}

static bool join(void *context, Text line, const char *where)
{
    Joining *j = context;
    Theirs *t = j->theirs;
    Bytes name = {0};
    JsonFields fields = {0};
    size_t place = 0;
    json_t *row = json_parse(line.data, line.size, where);
    bool ok = row != NULL && json_fields(&fields, line) && name_of_prompt(&name, j, row);
    if (ok && !name_known(&t->names, name.data, name.size))
        ok = fail("%s: has no response to the prompt %s of %s", t->path, name.data, t->run->prompts.data);
    ok = ok && name_number(&t->names, name.data, name.size, &place);
    bytes_clear(&j->line);
    ok = ok && bytes_text(&j->line, "{\"id\":") && json_append(&j->line, json_field(&fields, "id")) &&
         bytes_text(&j->line, ",\"evaluate\":") && json_append(&j->line, json_field(&fields, "evaluate")) &&
         bytes_text(&j->line, t->rows[place]) && atomic_write(&j->file, j->line.data, j->line.size);
    j->number++;
    json_fields_free(&fields);
    json_decref(row);
    bytes_free(&name);
    return ok;
}

static bool write_joined(Theirs *t)
{
    Joining j = {.theirs = t};
    bool ok = atomic_open(&j.file, t->run->responses.data);
    TRY(ok);
    ok = each_line(&j, t->run->prompts.data, join);
    int64_t more = (int64_t)t->names.count - j.number;
    if (ok && more > 0 && !t->with_ids && (t->run->o->limit == 0 || t->run->count > 1))
        ok = fail("%s: has %zu responses without ids to %" PRId64 " prompts; --samples K takes K of them to each "
                  "question, one behind the other",
                  t->path, t->names.count, j.number);
    if (ok && more > 0 && t->run->o->limit == 0)
        fprintf(stderr,
                "%s: %" PRId64 " of its responses belong to no prompt of this run (--samples K takes K to each "
                "question)\n",
                t->path, more);
    ok = ok && atomic_commit(&j.file);
    if (!ok)
        atomic_abort(&j.file);
    bytes_free(&j.line);
    return ok;
}

// Responses that are there already, of a model or from another file, are not lost.
static bool may_take(const Bench *run, const char *path)
{
    if (file_exists(run->partial.data))
        return fail("%s: a run in this folder has not ended; give another --out, or remove that file",
                    run->partial.data);
    if (!file_exists(run->responses.data))
        return true;
    json_t *facts = json_read(run->facts.data, (size_t)1 << 24);
    const char *from = json_string_value(json_object_get(facts, "responses"));
    bool same = from != NULL && strcmp(from, path) == 0;
    json_decref(facts);
    return same || fail("%s: holds other responses than %s; give another --out", run->responses.data, path);
}

bool bench_take_responses(const Bench *run, const char *path)
{
    TRY(may_take(run, path) && bench_note(run, NULL, path)); // so that a kill leaves no responses of nobody
    Theirs t = {.run = run, .path = path};
    bool ok = each_line(&t, path, take_line) && (t.names.count > 0 || fail("%s: holds no responses", path)) &&
              write_joined(&t);
    for (size_t i = 0; i < t.names.count && i < t.capacity; i++)
        free(t.rows[i]);
    free(t.rows);
    free(t.times);
    name_table_free(&t.names);
    name_table_free(&t.seen);
    return ok;
}
