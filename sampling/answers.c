// See answers.h. Written by hand: numbers of a row keep the digits they came with, log-probabilities get nine.
#include "sampling/answers.h"
#include "base/number.h"
#include <stdlib.h>
#include <string.h>

bool row_begin(Bytes *out, const Record *record, const char *const *own)
{
    json_t *row = json_copy(record->row);
    if (row == NULL)
        return fail("no memory for a row");
    for (; *own != NULL; own++)
        json_object_del(row, *own);
    char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(row);
    if (text == NULL)
        return fail("no memory for a row");
    bytes_clear(out);
    bool ok = bytes_append(out, text, strlen(text) - 1);
    free(text);
    return ok;
}

static bool name_field(Bytes *out, const char *name)
{
    return bytes_printf(out, "%s\"%s\":", out->data[out->size - 1] == '{' ? "" : ",", name);
}

bool row_text(Bytes *out, const char *name, const char *text, size_t size)
{
    json_t *value = json_stringn(text, size);
    char *dumped = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(value);
    if (dumped == NULL)
        return fail("no memory for a text of %zu bytes", size);
    bool ok = name_field(out, name) && bytes_text(out, dumped);
    free(dumped);
    return ok;
}

static Text without_newlines(Text s)
{
    while (s.size > 0 && s.data[0] == '\n')
        s = (Text){s.data + 1, s.size - 1};
    while (s.size > 0 && s.data[s.size - 1] == '\n')
        s.size--;
    return s;
}

bool row_thought(Bytes *out, const char *name, Text thought, Text answer, bool cut)
{
    Bytes text = {0};
    thought = without_newlines(thought);
    bool ok = true;
    if (thought.size > 0) {
        while (answer.size > 0 && answer.data[0] == '\n')
            answer = (Text){answer.data + 1, answer.size - 1};
        ok = bytes_text(&text, "<think>\n") && bytes_append(&text, thought.data, thought.size) &&
             bytes_text(&text, cut && answer.size == 0 ? "" : "\n</think>\n\n");
    }
    ok =
        ok && bytes_append(&text, answer.data, answer.size) && row_text(out, name, text.data == NULL ? "" : text.data, text.size);
    bytes_free(&text);
    return ok;
}

bool row_integer(Bytes *out, const char *name, int64_t value)
{
    return name_field(out, name) && bytes_printf(out, "%" PRId64, value);
}

bool row_number(Bytes *out, const char *name, double value)
{
    char text[NUMBER_TEXT];
    number_text(text, value);
    return name_field(out, name) && bytes_text(out, text);
}

bool row_integers(Bytes *out, const char *name, const int32_t *values, int64_t count)
{
    TRY(name_field(out, name) && bytes_text(out, "["));
    for (int64_t i = 0; i < count; i++)
        TRY(bytes_printf(out, i == 0 ? "%" PRId32 : ",%" PRId32, values[i]));
    return bytes_text(out, "]");
}

bool row_floats(Bytes *out, const char *name, const float *values, int64_t count)
{
    TRY(name_field(out, name) && bytes_text(out, "["));
    for (int64_t i = 0; i < count; i++)
        TRY(bytes_printf(out, i == 0 ? "%.9g" : ",%.9g", (double)values[i]));
    return bytes_text(out, "]");
}

bool row_end(Bytes *out) { return bytes_text(out, "}"); }
