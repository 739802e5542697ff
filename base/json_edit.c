// Walks over the outermost object's members, which are known to be well formed; only quotes and brackets matter.
#include "base/json_edit.h"
#include <stdlib.h>
#include <string.h>

typedef struct Member {
    size_t begin, value, end; // of its key's quote, of its value, and behind that
    bool found;
} Member;

static size_t pass_space(const Bytes *t, size_t at)
{
    while (at < t->size && strchr(" \t\r\n", t->data[at]) != NULL && t->data[at] != 0)
        at++;
    return at;
}

static size_t pass_text(const Bytes *t, size_t at) // from its opening quote
{
    for (at++; at < t->size && t->data[at] != '"'; at++)
        at += t->data[at] == '\\';
    return at + 1;
}

static size_t pass_value(const Bytes *t, size_t at)
{
    int depth = 0;
    while (at < t->size) {
        char c = t->data[at];
        if (depth == 0 && strchr(",}] \t\r\n", c) != NULL)
            break;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        at = c == '"' ? pass_text(t, at) : at + 1;
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            break;
    }
    return at;
}

// The member with this key; if there is none, where the last one ends (or behind the bracket).
static Member find_member(const Bytes *t, const char *key)
{
    size_t at = pass_space(t, 0) + 1, length = strlen(key);
    Member last = {.end = at};
    for (at = pass_space(t, at); at < t->size && t->data[at] == '"'; at = pass_space(t, at + 1)) {
        Member here = {.begin = at};
        size_t quote = pass_text(t, at) - 1;
        here.value = pass_space(t, pass_space(t, quote + 1) + 1);
        here.end = pass_value(t, here.value);
        here.found = quote - at - 1 == length && memcmp(t->data + at + 1, key, length) == 0;
        if (here.found)
            return here;
        last = here;
        at = pass_space(t, here.end); // a comma, or the closing bracket
    }
    return last;
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

// With the comma before it, or behind it if it is the first.
static bool remove_member(Bytes *text, Member m)
{
    size_t begin = m.begin, end = m.end, next = pass_space(text, m.end);
    while (begin > 0 && strchr(" \t\r\n", text->data[begin - 1]) != NULL)
        begin--;
    if (begin > 0 && text->data[begin - 1] == ',')
        begin--;
    else if (text->data[next] == ',')
        end = next + 1;
    return replace(text, begin, end, "");
}

bool json_edit(Bytes *text, const char *key, const json_t *value)
{
    Member m = find_member(text, key);
    if (value == NULL)
        return !m.found || remove_member(text, m);
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    Bytes with = {0};
    bool first = !m.found && m.begin == 0;
    bool ok = dumped != NULL || fail("no memory for the JSON of \"%s\"", key);
    ok = ok && (m.found || bytes_printf(&with, "%s\n  \"%s\": ", first ? "" : ",", key)) && bytes_text(&with, dumped);
    ok = ok && replace(text, m.found ? m.value : m.end, m.end, with.data);
    free(dumped);
    bytes_free(&with);
    return ok;
}
