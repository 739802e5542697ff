// The pieces of text.h: a text is a pointer and a size, and nothing here allocates.
#include "base/text.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

bool texts_equal(Text a, Text b) { return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0); }
bool text_is(Text s, const char *text) { return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0; }
Text text_between(const char *begin, const char *end) { return (Text){begin, (size_t)(end - begin)}; }

Text text_trimmed(Text s)
{
    while (s.size > 0 && isspace((unsigned char)*s.data))
        s.data++, s.size--;
    while (s.size > 0 && isspace((unsigned char)s.data[s.size - 1]))
        s.size--;
    return s;
}

const char *text_last(Text s, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = s.size + 1; i-- > 0;)
        if (i + n <= s.size && strncasecmp(s.data + i, text, n) == 0)
            return s.data + i;
    return NULL;
}

bool text_take(const char **at, const char *end, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(end - *at) < size || memcmp(*at, text, size) != 0)
        return false;
    bool command = *text == '\\' && isalpha((unsigned char)text[size - 1]);
    if (command && *at + size < end && isalpha((unsigned char)(*at)[size]))
        return false; // a longer one
    *at += size;
    return true;
}
