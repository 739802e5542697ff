// See conversation.h.
#include "chat/conversation.h"
#include "json/json_source.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

static const char ROW_BEGINS[] = "{\"source\":\"dereason chat\",\"messages\":[";
static const char *const ROLES[] = {"system", "user", "assistant"};

static bool copy_of(Text *copy, Text text)
{
    Bytes bytes = {0};
    TRY(bytes_append(&bytes, text.size > 0 ? text.data : "", text.size) && bytes_text(&bytes, ""));
    *copy = (Text){bytes.data, bytes.size};
    return true;
}

static void text_free(Text text) { free((void *)(uintptr_t)text.data); }

static bool insert(Conversation *c, size_t place, Role role, Text text)
{
    Text copy;
    TRY(grow(&c->messages, &c->capacity, c->count + 1, sizeof *c->messages) &&
        grow(&c->facts, &c->facts_capacity, c->count + 1, sizeof *c->facts) && copy_of(&copy, text));
    memmove(c->messages + place + 1, c->messages + place, (c->count - place) * sizeof *c->messages);
    memmove(c->facts + place + 1, c->facts + place, (c->count - place) * sizeof *c->facts);
    c->messages[place] = (Message){.role = role, .content = copy};
    c->facts[place] = (AnswerFacts){0};
    c->count++;
    return true;
}

bool conversation_ask(Conversation *c, Text text) { return insert(c, c->count, ROLE_USER, text); }

bool conversation_answer(Conversation *c, Text text, AnswerFacts facts)
{
    TRY(insert(c, c->count, ROLE_ASSISTANT, text));
    c->facts[c->count - 1] = facts;
    return true;
}

void conversation_forget_from(Conversation *c, size_t first)
{
    while (c->count > first)
        text_free(c->messages[--c->count].content);
}

void conversation_free(Conversation *c)
{
    conversation_forget_from(c, 0);
    free(c->messages);
    free(c->facts);
    *c = (Conversation){0};
}

// ---- the system message

static bool has_system(const Conversation *c) { return c->count > 0 && c->messages[0].role == ROLE_SYSTEM; }

Text conversation_system(const Conversation *c) { return has_system(c) ? c->messages[0].content : (Text){0}; }

bool conversation_set_system(Conversation *c, Text text)
{
    bool had = has_system(c);
    TRY(text.size == 0 || insert(c, 0, ROLE_SYSTEM, text));
    size_t old = text.size > 0;
    if (!had)
        return true;
    text_free(c->messages[old].content);
    c->count--;
    memmove(c->messages + old, c->messages + old + 1, (c->count - old) * sizeof *c->messages);
    memmove(c->facts + old, c->facts + old + 1, (c->count - old) * sizeof *c->facts);
    return true;
}

bool conversation_undo(Conversation *c)
{
    size_t first = has_system(c);
    if (c->count < first + 2)
        return false;
    conversation_forget_from(c, c->count - 2);
    return true;
}

// ---- as a row

static bool append_stopped(Bytes *row, const Conversation *c)
{
    bool any = false;
    for (size_t i = 0; i < c->count; i++)
        if (c->facts[i].stopped) {
            TRY(bytes_printf(row, "%s%zu", any ? "," : ",\"stopped\":[", i));
            any = true;
        }
    return !any || bytes_text(row, "]");
}

static bool append_row(Bytes *row, const Conversation *c, const char *more)
{
    TRY(bytes_text(row, ROW_BEGINS));
    for (size_t i = 0; i < c->count; i++)
        TRY(bytes_printf(row, "%s{\"role\":\"%s\",\"content\":", i > 0 ? "," : "", ROLES[c->messages[i].role]) &&
            json_append_string(row, c->messages[i].content) && bytes_text(row, "}"));
    return bytes_printf(row, "],\"id\":\"%" PRIu64 "\"", c->facts[c->count - 1].turn) && append_stopped(row, c) &&
           bytes_text(row, more) && bytes_text(row, "}\n");
}

// Somebody may have put conversations together in one file.
static bool holds_one(const char *path)
{
    MappedFile file;
    if (!file_exists(path))
        return true;
    TRY(file_map(&file, path));
    const uint8_t *newline = file.size == 0 ? NULL : memchr(file.data, '\n', file.size);
    bool one = newline == NULL || newline == file.data + file.size - 1;
    file_unmap(&file);
    return one || fail("%s: already exists, and holds more than one conversation; name another file", path);
}

bool conversation_save(const Conversation *c, const char *path, const char *more)
{
    Bytes row = {0};
    if (c->count == 0 || c->messages[c->count - 1].role != ROLE_ASSISTANT)
        return fail("nothing has been answered yet");
    bool ok = file_may_be_replaced(path, ROW_BEGINS) && holds_one(path) && append_row(&row, c, more) &&
              file_write_atomic(path, row.data, row.size);
    bytes_free(&row);
    return ok;
}
