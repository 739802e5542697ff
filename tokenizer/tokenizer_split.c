// Splits a text into the words that are merged separately: Qwen's expression by hand, any other with PCRE2. The
// hand-written splitter follows that expression alternative by alternative, and a test compares the two. Merging is in
// bpe.c.
//
// Expressions are written for oniguruma. Where PCRE2 reads them differently they are translated (\s) or refused by name
// (\h, \w, ...).
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/tokenizer_internal.h"
#include <pcre2.h>
#include <string.h>

const char qwen_expression[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const char gpt2_expression[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// ---- Qwen's expression

static inline uint8_t class_at(const uint8_t *classes, const uint8_t *text, size_t at, size_t *after)
{
    if (text[at] < 0x80) {
        *after = at + 1;
        return classes[text[at]];
    }
    CodePoint c = code_point_at(text + at);
    *after = at + c.length;
    return classes[c.value];
}

static inline bool is_newline(uint8_t c) { return c == '\n' || c == '\r'; }

// (?i:'s|'t|'re|'ve|'m|'ll|'d): bytes after the apostrophe, 0 if none matches. U+017F, the long s, counts as an s when
// case is ignored.
static size_t contraction(const uint8_t *p, size_t left)
{
    if (left < 1)
        return 0;
    uint8_t first = p[0] | 0x20, second = left > 1 ? p[1] | 0x20 : 0;
    if (first == 's' || first == 't' || first == 'm' || first == 'd')
        return 1;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l'))
        return 2;
    return left > 1 && p[0] == 0xC5 && p[1] == 0xBF ? 2 : 0;
}

static size_t letters_end(const uint8_t *classes, const uint8_t *text, size_t size, size_t at)
{
    for (size_t after; at < size && class_at(classes, text, at, &after) & LETTER; at = after)
        ;
    return at;
}

static size_t others_end(const uint8_t *classes, const uint8_t *text, size_t size, size_t at) // [^\s\p{L}\p{N}]*[\r\n]*
{
    for (size_t after; at < size && !(class_at(classes, text, at, &after) & (LETTER | NUMBER | SPACE)); at = after)
        ;
    while (at < size && is_newline(text[at]))
        at++;
    return at;
}

static size_t spaces_end(const uint8_t *classes, const uint8_t *text, size_t size,
                         size_t at) // \s*[\r\n]+|\s+(?!\S)|\s+
{
    size_t newline = 0, last = at, end = at; // after the last newline; where the last space begins; after it
    for (size_t after; end < size && class_at(classes, text, end, &after) & SPACE; end = after) {
        last = end;
        if (is_newline(text[end]))
            newline = after;
    }
    if (newline > 0)
        return newline;
    return end < size && last > at ? last : end; // the last space of several belongs to the word after it
}

size_t split_qwen(const uint8_t *classes, const uint8_t *text, size_t size, size_t at)
{
    if (text[at] == '\'') {
        size_t length = contraction(text + at + 1, size - at - 1);
        if (length > 0)
            return at + 1 + length;
    }
    size_t after, second_after = 0;
    uint8_t first = class_at(classes, text, at, &after);
    if (first & LETTER)
        return letters_end(classes, text, size, after);
    if (first & NUMBER)
        return after;
    uint8_t second = after < size ? class_at(classes, text, after, &second_after) : SPACE;
    if (second & LETTER && !is_newline(text[at]))
        return letters_end(classes, text, size, second_after);
    if (!(first & SPACE))
        return others_end(classes, text, size, after);
    if (text[at] == ' ' && !(second & (LETTER | NUMBER | SPACE)))
        return others_end(classes, text, size, second_after);
    return spaces_end(classes, text, size, at);
}

// ---- any other expression

// Oniguruma's \s is White_Space; PCRE2's includes U+180E too.
static bool translate_space(Bytes *out, char escape, bool in_class, size_t at)
{
    if (in_class && escape == 'S')
        return fail("the expression's \\S inside brackets (byte %zu) is not supported", at);
    return bytes_text(out, in_class        ? "\\t-\\r\\x{85}\\p{Z}"
                           : escape == 's' ? "[\\t-\\r\\x{85}\\p{Z}]"
                                           : "[^\\t-\\r\\x{85}\\p{Z}]");
}

// What oniguruma would read differently: NULL if there is nothing of that kind at p.
static const char *foreign(const char *p, bool in_class)
{
    if (in_class)
        return p[0] == '[' || (p[0] == '&' && p[1] == '&') ? "nesting in brackets" : NULL;
    if (p[0] == '[' && (p[1] == ']' || (p[1] == '^' && p[2] == ']')))
        return "leading ]";
    if (p[0] == '}' && p[1] == '+')
        return "}+";
    if (p[0] != '(' || (p[1] != '?' && p[1] != '*'))
        return NULL;
    bool known = p[1] == '?' && (strncmp(p + 2, "i:", 2) == 0 || (p[2] != 0 && strchr(":=!>", p[2]) != NULL) ||
                                 strncmp(p + 2, "<=", 2) == 0 || strncmp(p + 2, "<!", 2) == 0);
    return known ? NULL : "kind of group";
}

static bool translate(Bytes *out, const char *expression)
{
    bool in_class = false;
    for (size_t i = 0; expression[i] != 0; i++) {
        char c = expression[i], next = expression[i + 1];
        const char *problem = foreign(expression + i, in_class);
        if (problem != NULL)
            return fail("the expression's %s (byte %zu) is not supported", problem, i);
        if (c != '\\') {
            in_class = c == '[' || (in_class && c != ']');
            TRY(bytes_append(out, &c, 1));
            continue;
        }
        size_t length =
            next == 'p' || next == 'P' ? strcspn(expression + i, "}") + 1 : 2; // \p{...} is copied as a whole
        if (next == 's' || next == 'S')
            TRY(translate_space(out, next, in_class, i));
        else if (next != 0 && strchr("rntpPdD.()[]{}|*+?^$/\\-'\"<>", next) != NULL && strlen(expression + i) >= length)
            TRY(bytes_append(out, expression + i, length));
        else
            return fail("the expression's \\%.1s (byte %zu) is not supported", expression + i + 1, i);
        i += length - 1;
    }
    return true;
}

static bool compile(Splitter *splitter, const char *expression)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    uint32_t matches_empty = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL)
        return fail("no memory for the expression");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF); // oniguruma's . excludes \n alone, its ^ and $ match at lines
    splitter->code =
        pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &offset, context);
    pcre2_compile_context_free(context);
    if (splitter->code == NULL) {
        char message[256] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        return fail("the expression is broken near its byte %zu: %s", (size_t)offset, message);
    }
    pcre2_pattern_info(splitter->code, PCRE2_INFO_MATCHEMPTY, &matches_empty);
    if (matches_empty)
        return fail("the expression matches the empty text");
    pcre2_jit_compile(splitter->code, PCRE2_JIT_COMPLETE); // without JIT it is slower, not wrong
    return true;
}

bool splitter_open_general(Splitter *splitter, const uint8_t *classes, const char *expression)
{
    *splitter = (Splitter){.classes = classes};
    if (strlen(expression) > 65536)
        return fail("the expression is longer than 65,536 bytes");
    Bytes translated = {0};
    bool ok = translate(&translated, expression) && bytes_text(&translated, "") && compile(splitter, translated.data);
    bytes_free(&translated);
    return ok;
}

bool splitter_open(Splitter *splitter, const uint8_t *classes, const char *expression)
{
    if (expression != NULL && strcmp(expression, qwen_expression) != 0)
        return splitter_open_general(splitter, classes, expression);
    *splitter = (Splitter){.classes = classes, .whole = expression == NULL};
    return true;
}

void splitter_close(Splitter *splitter)
{
    pcre2_code_free(splitter->code);
    *splitter = (Splitter){0};
}

bool split_scratch_open(SplitScratch *scratch, const Splitter *splitter)
{
    *scratch = (SplitScratch){0};
    if (splitter->code == NULL)
        return true;
    scratch->match = pcre2_match_data_create(1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(32 << 10, 64 << 20, NULL); // grows when needed
    if (scratch->match == NULL || scratch->context == NULL || scratch->stack == NULL)
        return fail("no memory for matching the expression");
    pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    pcre2_set_match_limit(scratch->context, 100 * 1000 * 1000); // a hostile expression fails, eventually
    return true;
}

void split_scratch_close(SplitScratch *scratch)
{
    pcre2_match_data_free(scratch->match);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    *scratch = (SplitScratch){0};
}

static bool match_from(const Splitter *splitter, SplitScratch *scratch, const uint8_t *text, size_t size, size_t at)
{
    int found = pcre2_match(splitter->code, text, size, at, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, scratch->match,
                            scratch->context);
    scratch->begin = scratch->end = size;
    if (found == PCRE2_ERROR_NOMATCH)
        return true;
    if (found < 0) {
        char message[256] = "";
        pcre2_get_error_message(found, (PCRE2_UCHAR *)message, sizeof message);
        return fail("the tokenizer's expression gave up at byte %zu: %s", at, message);
    }
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(scratch->match);
    scratch->begin = bounds[0] < at ? at : bounds[0];
    scratch->end = bounds[1];
    return true;
}

bool split_next(const Splitter *splitter, SplitScratch *scratch, const uint8_t *text, size_t size, size_t at,
                size_t *end)
{
    *end = size;
    if (splitter->code == NULL) {
        if (!splitter->whole)
            *end = split_qwen(splitter->classes, text, size, at);
        return true;
    }
    if (at == 0 || at >= scratch->end)
        TRY(match_from(splitter, scratch, text, size, at));
    *end = at < scratch->begin ? scratch->begin : scratch->end; // text between matches is a word, too
    return true;
}
