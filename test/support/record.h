// One row, read, and what it should be: its turns, or why it is refused.
#ifndef TEST_RECORD_H
#define TEST_RECORD_H

#include "test/support/check.h"
#include "rows/records.h"

static inline bool read_with(Record *record, const char *json, const char *instruction)
{
    const RecordOptions options = {.instruction = instruction};
    return record_read(record, json, strlen(json), "rows.jsonl", 17, &options);
}

static inline Record record_of(const char *json)
{
    Record record;
    if (!read_with(&record, json, "none"))
        fail_msg("%s: %s", json, error_text());
    return record;
}

static inline void assert_message(const Message *m, Role role, const char *content)
{
    assert_int_equal(m->role, role);
    if (m->content.size != strlen(content) || memcmp(m->content.data, content, m->content.size) != 0)
        fail_msg("got '%.*s', expected '%s'", (int)m->content.size, m->content.data, content);
}

// A row of one question; response NULL: it has none.
static inline void assert_row(const char *json, const char *question, const char *response)
{
    Record r = record_of(json);
    assert_int_equal(record_prompt(&r), 1);
    assert_message(&r.messages[0], ROLE_USER, question);
    assert_int_equal(r.has_response, response != NULL);
    if (response != NULL)
        assert_message(&r.messages[1], ROLE_ASSISTANT, response);
    record_free(&r);
}

static inline void assert_row_refused(const char *json, const char *what)
{
    Record record;
    assert_refused(read_with(&record, json, "none"), what);
    if (strncmp(error_text(), "rows.jsonl:17:", 14) != 0)
        fail_msg("the error should begin with file and line: %s", error_text());
}

#endif
