// Where sentences end: see sentences.h.
#include "decontamination/sentences.h"
#include <ctype.h>
#include <string.h>

// 。？！, after which there is no space.
static bool is_wide_end(Text text, size_t at)
{
    static const char *const ends[] = {"\xE3\x80\x82", "\xEF\xBC\x9F", "\xEF\xBC\x81"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (text.size - at >= 3 && memcmp(text.data + at, ends[i], 3) == 0)
            return true;
    return false;
}

static bool is_space(char c) { return isspace((unsigned char)c); }

// Quotes and markup may close after a sentence's end: "Why?" and **Why?**
static bool ends_here(Text text, size_t at)
{
    while (at < text.size && strchr("\"'*_`)]", text.data[at]) != NULL && text.data[at] != 0)
        at++;
    return at == text.size || is_space(text.data[at]);
}

static size_t end_of_sentence(Text text, size_t at)
{
    enum { LABEL = 5 }; // bytes of "(iv)", with one to spare
    int open = 0;
    while (at < text.size && is_space(text.data[at]))
        at++;
    for (size_t begin = at; at < text.size; at++) {
        switch (text.data[at]) {
        case '\n':
            return at + 1;
        case '.':
        case '?':
        case '!':
        case ':':
        case ';':
            if (ends_here(text, at + 1))
                return at + 1;
            break;
        case '(':
            open++;
            break;
        case ')':
            open--;
            if ((open < 0 || (text.data[begin] == '(' && at - begin < LABEL)) && ends_here(text, at + 1))
                return at + 1;
            break;
        case '\xE3':
        case '\xEF':
            if (is_wide_end(text, at))
                return at + 3;
        }
    }
    return at;
}

static bool is_markup(Text text) // at its beginning
{
    static const char dash[] = "- ";
    return is_space(*text.data) || (*text.data != 0 && strchr("*_#>`\"'", *text.data) != NULL) ||
           (text.size > 1 && memcmp(text.data, dash, 2) == 0);
}

static Text without_markup(Text text)
{
    while (text.size > 0 && is_markup(text))
        text = (Text){text.data + 1, text.size - 1};
    while (text.size > 0 && is_markup((Text){text.data + text.size - 1, 1}))
        text.size--;
    return text;
}

Text sentence_next(Text text, size_t *at)
{
    Text found = {NULL, 0};
    while (*at < text.size && found.size == 0) {
        size_t begin = *at;
        *at = end_of_sentence(text, begin);
        found = without_markup((Text){text.data + begin, *at - begin});
    }
    return found;
}
