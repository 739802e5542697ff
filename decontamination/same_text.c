// Whether two spellings are one question: see same_text.h.
#include "decontamination/same_text.h"
#include <utf8proc.h>

enum { FOLDED_MOST = 64 };

typedef struct Letter {
    utf8proc_int32_t code;
    size_t size;
} Letter;

static Letter letter_at(Text text, size_t at) // code -1: the end, or invalid UTF-8
{
    utf8proc_int32_t code = -1;
    if (at >= text.size)
        return (Letter){-1, 1};
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, (utf8proc_ssize_t)(text.size - at), &code);
    return size > 0 ? (Letter){code, (size_t)size} : (Letter){-1, 1};
}

static bool is_digit(utf8proc_int32_t code) { return code >= '0' && code <= '9'; }

static bool is_space(utf8proc_int32_t code)
{
    utf8proc_category_t c = utf8proc_category(code);
    return c == UTF8PROC_CATEGORY_CC || (c >= UTF8PROC_CATEGORY_ZS && c <= UTF8PROC_CATEGORY_ZP);
}

// Punctuation of a sentence, not of a number or formula: 3.5 and 1,2 and 3:4 keep theirs.
static bool is_punctuation(utf8proc_int32_t before, utf8proc_int32_t code, utf8proc_int32_t after)
{
    if (code == '.')
        return !is_digit(after);
    if (code == ',' || code == ':')
        return !is_digit(before) || !is_digit(after);
    return code == '?' || code == ';' || code == '"' || code == 0x201C || code == 0x201D ||
           code == 0x3002; // curly quotes, 。
}

static uint64_t with_code(uint64_t hash, uint32_t code)
{
    return (hash ^ code) * 0x100000001b3u;
} // FNV-1a, by code points

static uint64_t with_folded(uint64_t hash, utf8proc_int32_t code)
{
    const utf8proc_option_t how = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
    utf8proc_int32_t folded[FOLDED_MOST];
    int boundary = UTF8PROC_BOUNDCLASS_START;
    utf8proc_ssize_t count = utf8proc_decompose_char(code, folded, FOLDED_MOST, how, &boundary);
    for (utf8proc_ssize_t i = 0; i < count && i < FOLDED_MOST; i++)
        if (!is_space(folded[i]) && !is_punctuation(-1, folded[i], -1)) // a full-width question mark counts, too
            hash = with_code(hash, (uint32_t)folded[i]);
    return hash;
}

uint64_t same_text(uint64_t before, Text text)
{
    uint64_t hash = before == 0 ? 0xcbf29ce484222325u : before;
    utf8proc_int32_t last = -1;
    for (size_t at = 0; at < text.size;) {
        Letter letter = letter_at(text, at), next = letter_at(text, at + letter.size);
        at += letter.size;
        if (letter.code < 0 || is_space(letter.code))
            continue;
        if (letter.code < 0x80 && !is_punctuation(last, letter.code, next.code))
            hash =
                with_code(hash, (uint32_t)(letter.code >= 'A' && letter.code <= 'Z' ? letter.code | 32 : letter.code));
        else if (letter.code >= 0x80)
            hash = with_folded(hash, letter.code);
        last = letter.code;
    }
    return hash;
}
