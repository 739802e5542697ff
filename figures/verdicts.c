// TASK.jsonl as verdicts by question: see figures_internal.h. Texts are read past, but for their beginnings.
#include "figures/figures_internal.h"
#include "rows/lines.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXCERPT_BYTES = 160, WHERE_BYTES = 1024 };

Text text_of(const char *text) { return (Text){text, text == NULL ? 0 : strlen(text)}; }

static char *excerpt(const char *text)
{
    size_t size = strlen(text);
    size_t kept = size <= EXCERPT_BYTES ? size : utf8_valid_prefix(text, EXCERPT_BYTES);
    char *copy = allocate(kept + 1, 1);
    if (copy != NULL)
        memcpy(copy, text, kept);
    return copy;
}

// What makes it the same question in another run.
static bool content_hash(uint64_t *hash, const json_t *row)
{
    json_t *parts = json_pack("[O?O?O?]", json_object_get(row, "asked"), json_object_get(row, "options"),
                              json_object_get(row, "reference"));
    char *text = parts == NULL ? NULL : json_dumps(parts, JSON_COMPACT);
    if (text != NULL)
        *hash = hash_bytes(text, strlen(text));
    json_decref(parts);
    bool ok = text != NULL || fail("no memory for a row");
    free(text);
    return ok;
}

// ---- a question

static bool name_question(Verdicts *v, Answered *q, const char *id)
{
    size_t plain, known = v->plain.count;
    Bytes key = {0};
    TRY(name_number(&v->plain, id, strlen(id), &plain) &&
        grow(&v->occurrences, &v->occurrence_capacity, plain + 1, sizeof *v->occurrences));
    if (v->plain.count > known)
        v->occurrences[plain] = 0;
    bool ok = bytes_printf(&key, "%" PRIu32 ":%s", v->occurrences[plain]++, id) &&
              name_number(&v->ids, key.data, key.size, &q->id);
    bytes_free(&key);
    return ok;
}

static bool category_name(Bytes *name, const json_t *value, const char *where)
{
    bytes_clear(name);
    if (json_is_null(value))
        return bytes_text(name, NO_CATEGORY);
    if (json_is_integer(value))
        return bytes_printf(name, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value))
        return bytes_text(name, json_string_value(value));
    return fail("%s: key \"categories\" holds what is no text", where);
}

static bool place_question(Verdicts *v, const json_t *row, const char *where)
{
    const json_t *list = json_object_get(row, "categories");
    if (v->fields > 0 && json_array_size(list) != v->fields)
        return fail("%s: key \"categories\" must be a list of %zu", where, v->fields);
    TRY(grow(&v->places, &v->place_capacity, (v->count + 1) * v->fields, sizeof *v->places));
    Bytes name = {0};
    bool ok = true;
    for (size_t f = 0; ok && f < v->fields; f++) {
        size_t number;
        ok = category_name(&name, json_array_get(list, f), where) &&
             name_number(&v->names[f], name.data, name.size, &number);
        v->places[v->count * v->fields + f] = ok ? (uint32_t)number : 0;
    }
    bytes_free(&name);
    return ok;
}

static bool add_question(Verdicts *v, const json_t *row, int64_t number, const char *where)
{
    const char *id, *asked = json_string_value(json_object_get(row, "asked")); // may hold NUL
    const char *extracted = json_string_value(json_object_get(row, "extracted"));
    TRY(json_need_text(&id, row, "id", where) && (asked != NULL || fail("%s: key \"asked\" must be a string", where)));
    TRY(grow(&v->list, &v->capacity, v->count + 1, sizeof *v->list) && place_question(v, row, where));
    Answered q = {.number = number, .last = -1};
    TRY(name_question(v, &q, id) && content_hash(&q.content, row));
    q.asked = excerpt(asked);
    q.extracted = excerpt(extracted == NULL ? "" : extracted);
    v->list[v->count++] = q;
    return q.asked != NULL && q.extracted != NULL;
}

// ---- a row

bool figures_cut_off(const char *reason)
{
    static const char *const words[] = {"length", "max_tokens", "model_length", "MAX_TOKENS"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(reason, words[i]) == 0)
            return true;
    return false;
}

static bool find_question(Verdicts *v, const json_t *row, const char *where)
{
    int64_t number, sample;
    TRY(json_need_int(&number, row, "question", 0, INT32_MAX, where) &&
        json_need_int(&sample, row, "sample", 0, INT32_MAX - 1, where));
    Answered *last = v->count == 0 ? NULL : &v->list[v->count - 1];
    if (last != NULL && number < last->number)
        return fail("%s: question %" PRId64 " stands behind question %" PRId64 "; rows are in the order of the data",
                    where, number, last->number);
    if (last == NULL || number > last->number)
        TRY(add_question(v, row, number, where));
    last = &v->list[v->count - 1];
    if (sample <= last->last)
        return fail("%s: sample %" PRId64 " of question %" PRId64 " stands behind sample %" PRId64, where, sample,
                    number, last->last);
    last->last = sample;
    return true;
}

static bool take_row(Verdicts *v, const json_t *row, const char *where)
{
    bool right, strict, found, readable, drawn;
    double by_chance = 0, tokens = -1;
    const char *reason = "";
    TRY(json_need_bool(&right, row, "right", where) && json_need_bool(&strict, row, "strict", where) &&
        json_need_bool(&found, row, "found", where) && json_need_bool(&readable, row, "readable", where) &&
        json_need_bool(&drawn, row, "drawn", where) && json_may_number(&by_chance, row, "by_chance", 0, 1, where) &&
        json_may_number(&tokens, row, "tokens", 0, 1e15, where) &&
        json_may_text(&reason, row, "finish_reason", where) && find_question(v, row, where));
    Answered *q = &v->list[v->count - 1];
    q->responses++;
    q->right += right;
    q->strict += strict;
    v->responses++;
    v->ended += reason[0] != 0;
    v->cut_off += figures_cut_off(reason);
    v->without_answer += !found;
    v->unreadable += found && !readable;
    v->drawn += drawn;
    v->drawn_right += drawn && right;
    v->by_chance += drawn ? by_chance : 0;
    v->only_protocol += right && !strict;
    v->only_strict += strict && !right;
    v->asked += json_object_get(row, "judge") != NULL;
    v->decided += json_is_boolean(json_object_get(row, "judge"));
    v->gave_up += json_is_true(json_object_get(row, "gave_up"));
    v->counted += tokens >= 0;
    if (tokens >= 0 && figures_cut_off(reason))
        v->shortest_cut = fmin(v->shortest_cut, tokens);
    v->tokens += tokens >= 0 ? tokens : 0;
    return true;
}

bool verdicts_read(Verdicts *v, const char *path, size_t fields)
{
    *v = (Verdicts){.fields = fields, .shortest_cut = INFINITY, .names = allocate(fields + 1, sizeof *v->names)};
    LineReader reader;
    TRY(v->names != NULL && lines_open(&reader, path));
    const char *text;
    size_t size;
    bool ok;
    while ((ok = lines_next(&reader, &text, &size)) && text != NULL) {
        char where[WHERE_BYTES];
        snprintf(where, sizeof where, "%s:%" PRId64, path, reader.line);
        json_t *row = json_parse(text, size, where);
        ok = row != NULL && take_row(v, row, where);
        json_decref(row);
        if (!ok)
            break;
    }
    lines_close(&reader);
    return ok;
}

void verdicts_free(Verdicts *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free(v->list[i].asked);
        free(v->list[i].extracted);
    }
    for (size_t f = 0; v->names != NULL && f < v->fields; f++)
        name_table_free(&v->names[f]);
    name_table_free(&v->ids);
    name_table_free(&v->plain);
    free(v->occurrences);
    free(v->names);
    free(v->places);
    free(v->list);
    *v = (Verdicts){0};
}

bool verdicts_shares(Shares *shares, const Verdicts *v, bool strict, size_t field)
{
    Share *list = allocate(v->count + 1, sizeof *list);
    TRY(list != NULL);
    for (size_t i = 0; i < v->count; i++) {
        const Answered *q = &v->list[i];
        list[i] =
            (Share){strict ? q->strict : q->right, q->responses, v->fields == 0 ? 0 : v->places[i * v->fields + field]};
    }
    *shares = (Shares){list, v->count, v->fields == 0 ? 1 : v->names[field].count};
    return true;
}
