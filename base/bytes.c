// A growable run of bytes, used for texts, lines and file contents; and the one check for UTF-8.
#include "base/base.h"
#include <stdlib.h>
#include <string.h>

bool bytes_append(Bytes *b, const void *data, size_t size)
{
    size_t wanted;
    TRY(size_add(&wanted, b->size, size));
    TRY(size_add(&wanted, wanted, 1));
    TRY(grow(&b->data, &b->capacity, wanted, 1));
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = 0;
    return true;
}

bool bytes_text(Bytes *b, const char *text) { return bytes_append(b, text, strlen(text)); }

bool bytes_printf(Bytes *b, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    bool ok = length >= 0 && grow(&b->data, &b->capacity, b->size + (size_t)length + 1, 1);
    if (ok)
        vsnprintf(b->data + b->size, (size_t)length + 1, format, again);
    va_end(again);
    if (ok)
        b->size += (size_t)length;
    return ok;
}

void bytes_clear(Bytes *b)
{
    b->size = 0;
    if (b->data != NULL)
        b->data[0] = 0;
}

void bytes_free(Bytes *b)
{
    free(b->data);
    *b = (Bytes){0};
}

static size_t sequence_length(const unsigned char *p, size_t left) // of one valid code point, 0 if it is not valid
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    if (c < 0xC2 || c > 0xF4 || left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (c == 0xE0 && p[1] < 0xA0) || (c == 0xF0 && p[1] < 0x90);
    bool surrogate = c == 0xED && p[1] >= 0xA0;
    bool too_large = c == 0xF4 && p[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

size_t utf8_valid_prefix(const char *data, size_t size)
{
    size_t i = 0;
    while (i < size) {
        size_t length = sequence_length((const unsigned char *)data + i, size - i);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}
