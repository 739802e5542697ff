// JSON as it was written. jansson keeps what a number is worth and not how it was spelled (0.7 comes back as 0.69999999999999996),
// and takes neither integers beyond 64 bits nor 1e400. So a row that is passed on is put together from slices of its own text, and
// a number that jansson can't hold hurts nobody but who reads it.
#ifndef JSON_JSON_SOURCE_H
#define JSON_JSON_SOURCE_H

#include "json/json.h"

// json_parse, but numbers of any size pass, and so do NaN, Infinity and -Infinity, which are no JSON but are written as such by
// Python. What can't be held is a real beyond every range in the tree: 9e9, 1e308, or the negative of one. *odd: how many of
// NaN and the infinities there are.
json_t *json_parse_row(const char *text, size_t size, const char *where, int64_t *odd);

typedef struct JsonField {
    Text name, value; // the value's characters, in the text that it came from
    char *unescaped;  // what name points into, where the text has it with escapes; NULL: the text itself, or a constant
} JsonField;

typedef struct JsonFields {
    JsonField *list; // (count) in the order of the text
    size_t count, capacity;
} JsonFields;

bool json_fields(JsonFields *fields, Text object);                      // of an object that json_parse_row took; replaces *fields
Text json_field(const JsonFields *fields, const char *name);            // data NULL: there is none
bool json_fields_set(JsonFields *fields, const char *name, Text value); // in its place, or behind the last one; name must last
void json_fields_remove(JsonFields *fields, const char *name);
void json_fields_free(JsonFields *fields);

Text json_first_element(Text list); // of a list that is not empty

bool json_append(Bytes *out, Text value);       // as it is written, without the white space; NaN and the infinities as null
bool json_append_string(Bytes *out, Text text); // a text as JSON; an error if it is not UTF-8
bool json_is_odd(Text value);                   // NaN or an infinity is in it

#endif
