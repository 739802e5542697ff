// Shared by the readers of rows only (records.c: formats; record_messages.c: turns; record_options.c: multiple choice;
// record_fields.c: other fields; record_unread.c: fields that may have been meant).
#ifndef ROWS_RECORDS_INTERNAL_H
#define ROWS_RECORDS_INTERNAL_H

#include "base/text.h"
#include "rows/records.h"
#include <string.h>

typedef struct Reading {
    Record *record;
    const json_t *row;
    const char *where; // "file:line"
    const RecordOptions *options;
    bool pair;                // a pair of answers, which has no turns
    const char *answer_key;   // its name in the line: "answer", or "gold" of a pair
    const char *options_key;  // "options" or "choices"
    const char *options_path; // the same for jq
} Reading;

static inline const json_t *row_field(const json_t *object, const char *key) // NULL when absent or null
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static inline Text text_of(const json_t *string) // data NULL for anything else
{
    return json_is_string(string) ? (Text){json_string_value(string), json_string_length(string)} : (Text){NULL, 0};
}

bool is_nothing(
    const json_t *value); // absent, null, "", [], {}, or the JSON of one of these as a text, as tables hold it

// A string, or nothing (data NULL) where the key is absent or null; anything else is an error.
bool may_text(Text *out, const json_t *object, const char *key, const char *where);
bool need_text(Text *out, const json_t *object, const char *key, const char *where);

// The text under one of several names for one thing (NULL-terminated); data NULL: none. Two that differ are an error.
bool one_text(Text *out, const json_t *object, const char *const *keys, const char *where);

// ---- turns (record_messages.c)

bool turns_begin(const Reading *r, size_t most); // room for `most` messages, a system turn and a response
bool add_message(const Reading *r, Role role, Text content);
bool add_response(const Reading *r, Text content);
bool add_messages(const Reading *r, const json_t *list, const char *key);
bool add_system(const Reading *r);  // the row's own system turn: before all others
bool add_history(const Reading *r); // the row's earlier turns: [[question, answer], ...]
Bytes *make_text(const Reading *r); // a text owned by the record; NULL after fail()

// ---- other fields (record_fields.c)

bool check_fields(const Reading *r);  // refuses fields that are not honoured
bool check_shown(const Reading *r);   // refuses a passage that the question is about and the model would not see
bool read_thoughts(const Reading *r); // of the response, where the row has it as a field
bool read_difficulty(const Reading *r);
bool take_answer(const Reading *r); // a blank one counts as none; with options it must be one of them
bool read_names(const Reading *r);  // id, source, category

bool value_text(char **out, const json_t *value, Text written, const char *key, const char *where);

// ---- multiple choice (record_options.c)

bool take_options(Reading *r);              // "options", or "choices", which become options; each of them a text
bool check_options_shown(const Reading *r); // to the model, by a row that is not a problem
size_t option_count(const json_t *options);
const json_t *option_at(const json_t *options, size_t i);
int place_of_option(Text text, size_t count);       // of a number below count; -1: it is none
bool check_choice(const Reading *r, char **answer); // names one of the options; *answer may become its letter

// ---- fields that may have been meant (record_unread.c)

void find_unread(const Reading *r); // by the response, or the answer

#endif
