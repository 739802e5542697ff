// See row_write.h. JSON is written directly: numbers of a row keep their digits, log-probabilities get nine.
#include "rows/row_write.h"
#include "base/number.h"
#include <string.h>

bool row_begin(Bytes *out, const Record *record, const char *const *own)
{
    bytes_clear(out);
    return record_append(out, record, own);
}

static bool name_field(Bytes *out, const char *name)
{
    return bytes_printf(out, "%s\"%s\":", out->data[out->size - 1] == '{' ? "" : ",", name);
}

static bool put_aside(Bytes *out, const JsonFields *fields, const char *name, Text value)
{
    Bytes aside = {0}, longer = {0};
    bool ok = bytes_printf(&aside, "source_%s", name);
    while (ok && json_field(fields, aside.data).data != NULL) {
        bytes_clear(&longer);
        ok = bytes_printf(&longer, "source_%s", aside.data);
        Bytes shorter = aside;
        aside = longer;
        longer = shorter;
    }
    ok = ok && name_field(out, aside.data) && json_append(out, value);
    bytes_free(&aside);
    bytes_free(&longer);
    return ok;
}

bool row_begin_aside(Bytes *out, const Record *record, const char *const *own)
{
    TRY(row_begin(out, record, own));
    for (; *own != NULL; own++) {
        Text value = json_field(&record->fields, *own);
        TRY(value.data == NULL || put_aside(out, &record->fields, *own, value));
    }
    return true;
}

bool row_text(Bytes *out, const char *name, const char *text, size_t size)
{
    return name_field(out, name) && json_append_string(out, (Text){text, size});
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
    ok = ok && bytes_append(&text, answer.data, answer.size) &&
         row_text(out, name, text.data == NULL ? "" : text.data, text.size);
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
