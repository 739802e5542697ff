// See python_text.h.
#include "tasks/python_text.h"
#include "base/text.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

bool python_text(Bytes *out, Text text)
{
    TRY(bytes_text(out, ""));
    while (text.size > 0) {
        size_t valid = utf8_valid_prefix(text.data, text.size);
        TRY(bytes_append(out, text.data, valid));
        bool broken = valid < text.size;
        if (broken)
            TRY(bytes_text(out, "\xEF\xBF\xBD"));
        text.data += valid + broken;
        text.size -= valid + broken;
    }
    return true;
}

// ---- parts

static bool is_space(int32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static int32_t character(const char *at, size_t size, size_t *length)
{
    utf8proc_int32_t c = -1;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)at, (utf8proc_ssize_t)size, &c);
    *length = n > 0 ? (size_t)n : 1;
    return c;
}

Text python_rstrip(Text text)
{
    while (text.size > 0) {
        size_t begin = text.size - 1, length;
        while (begin > 0 && ((unsigned char)text.data[begin] & 0xC0) == 0x80)
            begin--;
        if (!is_space(character(text.data + begin, text.size - begin, &length)))
            break;
        text.size = begin;
    }
    return text;
}

Text python_strip(Text text)
{
    for (size_t length; text.size > 0 && is_space(character(text.data, text.size, &length));)
        text = (Text){text.data + length, text.size - length};
    return python_rstrip(text);
}

static const char *first_of(Text text, const char *what)
{
    return text.size == 0 ? NULL : memmem(text.data, text.size, what, strlen(what));
}

bool python_in(const char *what, Text text) { return first_of(text, what) != NULL; }

Text python_split_first(Text text, const char *by)
{
    const char *at = first_of(text, by);
    return at == NULL ? text : text_between(text.data, at);
}

Text python_split_last(Text text, const char *by)
{
    for (const char *at; (at = first_of(text, by)) != NULL;)
        text = text_between(at + strlen(by), text.data + text.size);
    return text;
}

bool python_starts(Text text, const char *with)
{
    return text.size >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

bool python_ends(Text text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data + text.size - size, with, size) == 0;
}

// ---- changes

bool python_lower(Bytes *out, Text text)
{
    TRY(bytes_text(out, ""));
    for (size_t at = 0, length; at < text.size; at += length) {
        int32_t c = character(text.data + at, text.size - at, &length);
        utf8proc_uint8_t lower[4];
        utf8proc_ssize_t size = c < 0 ? 0 : utf8proc_encode_char(utf8proc_tolower(c), lower);
        TRY(size > 0 ? bytes_append(out, lower, (size_t)size) : bytes_append(out, text.data + at, length));
    }
    return true;
}

bool python_replace(Bytes *out, Text text, const char *from, const char *to)
{
    TRY(bytes_text(out, ""));
    for (const char *at; (at = first_of(text, from)) != NULL;) {
        TRY(bytes_append(out, text.data, (size_t)(at - text.data)) && bytes_text(out, to));
        text = text_between(at + strlen(from), text.data + text.size);
    }
    return bytes_append(out, text.data, text.size);
}

// ---- numbers

static void skip_digits(const char **at, bool *any)
{
    for (*any = false; isdigit((unsigned char)**at); ++*at)
        *any = true;
}

// [digits][.digits][e[sign]digits], with a digit before the exponent.
static bool is_decimal(const char *at)
{
    bool whole, fraction = false, exponent = true;
    skip_digits(&at, &whole);
    if (*at == '.')
        at++, skip_digits(&at, &fraction);
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '+' || at[1] == '-' ? 2 : 1;
        skip_digits(&at, &exponent);
    }
    return (whole || fraction) && exponent && *at == 0;
}

static bool is_named(const char *at)
{
    return strcasecmp(at, "inf") == 0 || strcasecmp(at, "infinity") == 0 || strcasecmp(at, "nan") == 0;
}

bool python_float(double *value, Text text)
{
    char digits[512]; // longer ones are no answers
    size_t size = 0;
    text = python_strip(text);
    for (size_t i = 0; i < text.size; i++) {
        bool between = i > 0 && i + 1 < text.size && isdigit((unsigned char)text.data[i - 1]) &&
                       isdigit((unsigned char)text.data[i + 1]);
        if (text.data[i] == '_' && between)
            continue; // 1_000
        if (text.data[i] == 0 || size + 1 == sizeof digits)
            return false;
        digits[size++] = text.data[i];
    }
    digits[size] = 0;
    const char *unsigned_part = digits + (*digits == '+' || *digits == '-');
    if (!is_decimal(unsigned_part) && !is_named(unsigned_part))
        return false;
    *value = strtod(digits, NULL);
    return true;
}
