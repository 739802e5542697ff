// JSON with its spelling. jansson keeps a number's value and not how it was written (0.7 comes back as
// 0.69999999999999996), and takes neither integers beyond 64 bits nor 1e400. So a row that is passed on is put together
// from slices of its own text, and a number that jansson can't hold matters only where it is read.
#ifndef JSON_JSON_SOURCE_H
#define JSON_JSON_SOURCE_H

#include "json/json.h"

// json_parse, but numbers of any size pass, and so do NaN, Infinity and -Infinity, which Python writes although they
// are not JSON. A value that can't be held becomes a real outside every range: 9e9, 1e308, or the negative of one.
// *odd: the number of NaNs and infinities.
json_t *json_parse_row(const char *text, size_t size, const char *where, int64_t *odd);

typedef struct JsonField {
    Text name, value; // the value's characters, in the source text
    char *unescaped;  // memory of a name that was written with escapes; NULL: name is in the text itself, or a constant
} JsonField;

typedef struct JsonFields {
    JsonField *list; // (count) in the order of the text
    size_t count, capacity;
} JsonFields;

bool json_fields(JsonFields *fields, Text object);           // of an object that json_parse_row took; replaces *fields
Text json_field(const JsonFields *fields, const char *name); // data NULL: absent
bool json_fields_set(JsonFields *fields, const char *name, Text value); // in place, or last; name must outlive fields
void json_fields_remove(JsonFields *fields, const char *name);
void json_fields_free(JsonFields *fields);

Text json_first_element(Text list); // of a list that is not empty

bool json_append(Bytes *out, Text value);       // as written, without white space; NaN and the infinities as null
bool json_append_string(Bytes *out, Text text); // a text as JSON; an error if it is not UTF-8
bool json_is_odd(Text value);                   // it contains NaN or an infinity

#endif
