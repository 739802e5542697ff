// Works on the slices of the outermost object's values (json_source.h): a key is removed together with the text between
// the previous value and its own.
#include "json/json_edit.h"
#include "base/text.h"
#include "json/json_source.h"
#include <stdlib.h>
#include <string.h>

static size_t end_of(const Bytes *text, const JsonField *field)
{
    return (size_t)(field->value.data - text->data) + field->value.size;
}

static bool replace(Bytes *text, size_t begin, size_t end, const char *with)
{
    Bytes changed = {0};
    bool ok = bytes_append(&changed, text->data, begin) && bytes_text(&changed, with) &&
              bytes_append(&changed, text->data + end, text->size - end);
    if (!ok) {
        bytes_free(&changed);
        return false;
    }
    bytes_free(text);
    *text = changed;
    return true;
}

static bool set(Bytes *text, const JsonFields *fields, const JsonField *field, const char *key, const json_t *value)
{
    size_t count = fields->count,
           end = count > 0 ? end_of(text, &fields->list[count - 1]) : strcspn(text->data, "{") + 1;
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    Bytes with = {0};
    bool ok = dumped != NULL || fail("no memory for the JSON of \"%s\"", key);
    ok = ok && (field != NULL || bytes_printf(&with, "%s\n  \"%s\": ", count > 0 ? "," : "", key)) &&
         bytes_text(&with, dumped);
    ok = ok && (field != NULL ? replace(text, end_of(text, field) - field->value.size, end_of(text, field), with.data)
                              : replace(text, end, end, with.data));
    free(dumped);
    bytes_free(&with);
    return ok;
}

static bool without(Bytes *text, const JsonFields *fields, const JsonField *field)
{
    bool first = field == fields->list, only = fields->count == 1;
    size_t begin = first ? strcspn(text->data, "{") + 1 : end_of(text, field - 1), end = end_of(text, field);
    if (first && !only)
        end += strcspn(text->data + end, ",") + 1;
    return replace(text, begin, end, "");
}

bool json_edit(Bytes *text, const char *key, const json_t *value)
{
    JsonFields fields = {0};
    const JsonField *field = NULL;
    bool ok = json_fields(&fields, (Text){text->data, text->size});
    for (size_t i = 0; ok && field == NULL && i < fields.count; i++)
        field = text_is(fields.list[i].name, key) ? &fields.list[i] : NULL;
    if (ok && value != NULL)
        ok = set(text, &fields, field, key, value);
    else if (ok && field != NULL)
        ok = without(text, &fields, field);
    json_fields_free(&fields);
    return ok;
}
