// Texts in pages: see html.h.
#include "html/html.h"
#include "log/visible.h"
#include <stdlib.h>
#include <string.h>

bool html_text(Bytes *out, const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size;) {
        Character c = character_at(text + i, size - i);
        bool plain = c.valid && (c.code == '\n' || c.code == '\t' || !character_hidden(c.code));
        if (c.valid && c.code < 0x80 && strchr("<>&\"'", (int)c.code) != NULL)
            TRY(bytes_printf(out, "&#%u;", (unsigned)c.code));
        else
            TRY(plain     ? bytes_append(out, text + i, c.size)
                : c.valid ? bytes_printf(out, "\\u{%04X}", (unsigned)c.code)
                          : bytes_printf(out, "\\x%02X", (unsigned)c.code));
        i += c.size;
    }
    return true;
}

static bool json_text(Bytes *out, const char *json, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *mark = memchr(json + at, '<', size - at);
        size_t plain = mark == NULL ? size - at : (size_t)(mark - json) - at;
        TRY(bytes_append(out, json + at, plain) && (mark == NULL || bytes_text(out, "\\u003c")));
        at += plain + (mark != NULL);
    }
    return true;
}

bool html_json(Bytes *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    bool ok = (text != NULL || fail("no memory for a page")) && json_text(out, text, strlen(text));
    free(text);
    return ok;
}

bool html_hidden(Bytes *out)
{
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (!character_hidden(code) || code == '\n' || code == '\t')
            continue;
        uint32_t last = code;
        while (character_hidden(last + 1) && last + 1 != '\n' && last + 1 != '\t')
            last++;
        TRY(bytes_printf(out, "\\u{%" PRIX32 "}-\\u{%" PRIX32 "}", code, last));
        code = last;
    }
    return true;
}
