// What the readers of rows share (records.c: formats; record_messages.c: turns; record_fields.c: what stands beside them); nobody
// else includes it.
#ifndef ROWS_RECORDS_INTERNAL_H
#define ROWS_RECORDS_INTERNAL_H

#include "rows/records.h"
#include <string.h>

typedef struct Reading {
    Record *record;
    const json_t *row;
    const char *where; // "file:line"
    const RecordOptions *options;
} Reading;

static inline const json_t *row_field(const json_t *object, const char *key) // NULL when absent or null
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static inline Text text_of(const json_t *string) // data NULL of anything else
{
    return json_is_string(string) ? (Text){json_string_value(string), json_string_length(string)} : (Text){NULL, 0};
}

static inline bool text_is(Text text, const char *word)
{
    return strlen(word) == text.size && memcmp(word, text.data, text.size) == 0;
}

bool is_nothing(const json_t *value); // absent, null, "", [], {}, or the JSON of one of these as a text, as tables hold it

// A text, or nothing (data NULL) where the key is absent or null; anything else is an error.
bool may_text(Text *out, const json_t *object, const char *key, const char *where);
bool need_text(Text *out, const json_t *object, const char *key, const char *where);

// Of keys that are names for one thing (NULL-terminated), the text; data NULL: none is there. Two that differ are an error.
bool one_text(Text *out, const json_t *object, const char *const *keys, const char *where);

// ---- turns (record_messages.c)

bool turns_begin(const Reading *r, size_t most); // room for so many messages, and the system's and a response
bool add_message(const Reading *r, Role role, Text content);
bool add_response(const Reading *r, Text content);
bool add_messages(const Reading *r, const json_t *list, const char *key);
bool add_system(const Reading *r);  // the row's own system turn: before all others
bool add_history(const Reading *r); // the row's earlier turns: [[question, answer], ...]
Bytes *make_text(const Reading *r); // a text that lives as long as the record; NULL after fail()

// ---- what stands beside them (record_fields.c)

bool check_fields(const Reading *r);  // what is not honoured is refused
bool read_thoughts(const Reading *r); // of the response, where the row has them beside it
bool read_difficulty(const Reading *r);
bool read_names(const Reading *r);  // id, answer, source, category
bool take_choices(Reading *r);      // "choices" of a problem, as options
void find_unread(const Reading *r); // what might have been the response, or the answer

#endif
