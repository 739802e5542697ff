// From an answer's text to tokens: first spelled in ASCII, without what only moves ink (dollars, \left, \!, \displaystyle), then cut.
#include "answers/formula.h"
#include <ctype.h>
#include <string.h>

// ---- spelling

// Longest first where one begins another.
static const struct {
    const char *from, *to;
} spellings[] = {
    // characters that people type
    {"\u2212", "-"},
    {"\u2013", "-"},
    {"\u2010", "-"},
    {"\u00d7", "*"},
    {"\u00b7", "*"},
    {"\u22c5", "*"},
    {"\u00f7", "/"},
    {"\u2044", "/"},
    {"\u2215", "/"},
    {"\u03c0", "\\pi "},
    {"\u221a", "\\sqrt "},
    {"\u00b0", "^\\circ "},
    {"\u2264", "\\le "},
    {"\u2265", "\\ge "},
    {"\u2260", "\\ne "},
    {"\u2248", "\\approx "},
    {"\u221e", "\\infty "},
    {"\u222a", "\\cup "},
    {"\u2208", "\\in "},
    {"\u00b1", "\\pm "},
    {"\u00b2", "^2"},
    {"\u00b3", "^3"},
    {"\u2074", "^4"},
    {"\u2075", "^5"},
    {"\u00bd", "(1/2)"},
    {"\u00bc", "(1/4)"},
    {"\u00be", "(3/4)"},
    {"\u2153", "(1/3)"},
    {"\u2154", "(2/3)"},
    {"\u03b8", "\\theta "},
    {"\u03b1", "\\alpha "},
    {"\u03b2", "\\beta "},
    {"\u03bb", "\\lambda "},
    {"\uff08", "("},
    {"\uff09", ")"},
    {"\uff0c", ","},
    {"\uff1a", ":"},
    {"\uff1d", "="},
    {"\u3001", ","},
    {"\u3002", "."},
    {"\uff05", "%"},
    {"\u00a0", " "},
    {"\u2009", " "},
    {"\u202f", " "},
    {"\u2032", "'"},
    {"\u2019", "'"},
    {"\u20ac", ""},
    {"\u00a3", ""},
    {"\u00a5", ""},
    {"\u2192", "\\to "},
    {"\u21d2", "\\to "},
    // a thousands separator that is kept from looking like a list
    {",\\!", ","},
    // what only moves ink, or is money
    {"\\left", ""},
    {"\\right", ""},
    {"\\Bigl", ""},
    {"\\Bigr", ""},
    {"\\bigl", ""},
    {"\\bigr", ""},
    {"\\Big", ""},
    {"\\big", ""},
    {"\\displaystyle", " "},
    {"\\textstyle", " "},
    {"\\limits", ""},
    {"\\phantom", ""},
    {"\\!", ""},
    {"\\,", " "},
    {"\\;", " "},
    {"\\:", " "},
    {"\\ ", " "},
    {"\\qquad", "\\quad "},
    {"\\(", " "},
    {"\\)", " "},
    {"\\[", " "},
    {"\\]", " "},
    {"\\$", ""},
    {"\\%", "%"},
    {"\\#", ""},
    {"\\&", "&"},
    {"~", " "},
    {"$", " "},
    {"\\dfrac", "\\frac"},
    {"\\tfrac", "\\frac"},
    {"\\cfrac", "\\frac"},
    {"\\lbrace", "\\{"},
    {"\\rbrace", "\\}"},
    {"\\lbrack", "["},
    {"\\rbrack", "]"},
    {"\\lvert", "|"},
    {"\\rvert", "|"},
    {"\\vert", "|"},
    {"\\mid", "|"},
    {"!=", "\\ne "},
    {"<=", "\\le "},
    {">=", "\\ge "},
    {"**", "^"},
};

// A command's name ends where letters end: \left is no beginning of \leftarrow.
static bool spelled(const char *at, size_t left, const char *from)
{
    size_t n = strlen(from);
    if (n > left || memcmp(at, from, n) != 0)
        return false;
    bool command = from[0] == '\\' && isalpha((unsigned char)from[1]);
    return !command || n == left || !isalpha((unsigned char)at[n]);
}

static bool put(Formula *f, const char *text, size_t size)
{
    if (f->size + size >= FORMULA_BYTES)
        return false;
    memcpy(f->text + f->size, text, size);
    f->size += size;
    f->text[f->size] = 0;
    return true;
}

// Text that went through one escaping too many has \\frac for \frac. A row of a matrix ends with \\ too, so only without one.
static bool doubled(const Text *s, size_t i, bool rows)
{
    return !rows && i + 2 < s->size && s->data[i] == '\\' && s->data[i + 1] == '\\' &&
           (isalpha((unsigned char)s->data[i + 2]) || strchr("[](){}!,;:%$", s->data[i + 2]) != NULL);
}

static bool contains(Text s, const char *text) { return memmem(s.data, s.size, text, strlen(text)) != NULL; }

// {,} with space in it or not: its size, 0 if it is none
static size_t comma_in_braces(Text s)
{
    bool comma = false;
    if (s.size == 0 || s.data[0] != '{')
        return 0;
    for (size_t i = 1; i < s.size; i++) {
        if (s.data[i] == '}')
            return comma ? i + 1 : 0;
        if (s.data[i] != ' ' && (s.data[i] != ',' || comma))
            return 0;
        comma = comma || s.data[i] == ',';
    }
    return 0;
}

bool formula_spell(Formula *f, Text s)
{
    bool rows = contains(s, "\\begin");
    f->size = 0;
    f->text[0] = 0;
    if (memchr(s.data, 0, s.size) != NULL)
        return false;
    for (size_t i = 0; i < s.size;) {
        if (doubled(&s, i, rows)) {
            i++;
            continue;
        }
        size_t k = 0, count = sizeof spellings / sizeof *spellings, comma = comma_in_braces((Text){s.data + i, s.size - i});
        if (comma > 0) { // 14 {, }916
            while (f->size > 0 && f->text[f->size - 1] == ' ')
                f->size--;
            if (!put(f, ",", 1))
                return false;
            for (i += comma; i < s.size && s.data[i] == ' ';)
                i++;
            continue;
        }
        // \\ is a row's end, not the backslash of what follows
        if (s.data[i] == '\\' && i + 1 < s.size && s.data[i + 1] == '\\') {
            if (!put(f, "\\\\", 2))
                return false;
            i += 2;
            continue;
        }
        while (k < count && !spelled(s.data + i, s.size - i, spellings[k].from))
            k++;
        if (k < count) {
            if (!put(f, spellings[k].to, strlen(spellings[k].to)))
                return false;
            i += strlen(spellings[k].from);
            while (spellings[k].from[0] == ',' && i < s.size && s.data[i] == ' ')
                i++;
        } else if (!put(f, s.data + i++, 1))
            return false;
    }
    return true;
}

// ---- cutting

static bool is_letter(char c) { return isalpha((unsigned char)c) || (unsigned char)c >= 0x80; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static Token *add_token(Formula *f, TokenKind kind, const char *text, size_t size, bool spaced)
{
    if (f->token_count >= TOKENS_MOST - 1)
        return NULL;
    Token *t = &f->tokens[f->token_count++];
    *t = (Token){kind, {text, size}, kind == TOKEN_SIGN ? *text : 0, spaced};
    return t;
}

// \frac12 is a half, \sqrt4 two: the arguments of these commands are single digits where no brace says otherwise.
static bool wants_digit(const Formula *f)
{
    int n = f->token_count;
    for (int back = 1; back <= 2 && back <= n; back++) {
        const Token *t = &f->tokens[n - back];
        if (t->kind == TOKEN_COMMAND && (text_is(t->span, "frac") || text_is(t->span, "binom")))
            return true;
        if (t->kind == TOKEN_COMMAND && text_is(t->span, "sqrt"))
            return back == 1;
        if (t->kind != TOKEN_NUMBER || t->span.size != 1)
            return false;
    }
    return false;
}

// 12,345,678 and 12 345 678: groups of three, of one separator. Lists are written with spaces, or inside of brackets.
static size_t thousands(const char *s, size_t digits, int depth)
{
    if (digits > 3 || s[0] == '0')
        return digits;
    for (const char *separator = depth == 0 ? ", " : " "; *separator != 0; separator++) {
        size_t at = digits;
        while (s[at] == *separator && is_digit(s[at + 1]) && is_digit(s[at + 2]) && is_digit(s[at + 3]) && !is_digit(s[at + 4]))
            at += 4;
        if (at > digits)
            return at;
    }
    return digits;
}

static size_t number_size(const Formula *f, const char *s, int depth)
{
    size_t n = 0;
    while (is_digit(s[n]))
        n++;
    if (n > 0 && wants_digit(f))
        return 1;
    n = n > 0 ? thousands(s, n, depth) : 0;
    if (s[n] == '.' && is_digit(s[n + 1]))
        for (n++; is_digit(s[n]);)
            n++;
    size_t sign = s[n + 1] == '-' || s[n + 1] == '+';
    if ((s[n] == 'e' || s[n] == 'E') && is_digit(s[n + 1 + sign]))
        for (n += 1 + sign; is_digit(s[n]);)
            n++;
    return n;
}

static const char *const text_commands[] = {"text",   "textbf", "textit",       "textrm", "textnormal", "mbox", "mathrm",
                                            "mathbf", "mathit", "operatorname", "mathsf", "emph",       "hbox", NULL};

static bool is_text_command(Text name)
{
    for (const char *const *c = text_commands; *c != NULL; c++)
        if (text_is(name, *c))
            return true;
    return false;
}

// The size of {...} with its braces, 0 if it does not close
static size_t group_size(const char *s)
{
    int depth = 0;
    for (size_t i = 0; s[i] != 0; i++) {
        depth += s[i] == '{';
        depth -= s[i] == '}';
        if (depth == 0)
            return i + 1;
    }
    return 0;
}

static bool lex_text(Formula *f, const char *s, size_t group, bool spaced)
{
    const char *begin = s + 1, *end = s + group - 1;
    while (begin < end && isspace((unsigned char)*begin))
        begin++;
    while (end > begin && isspace((unsigned char)end[-1]))
        end--;
    return begin == end || add_token(f, TOKEN_TEXT, begin, (size_t)(end - begin), spaced) != NULL;
}

// s[0] is a backslash; returns what was used, 0 on failure
static size_t lex_command(Formula *f, const char *s, bool spaced)
{
    size_t n = 1;
    while (isalpha((unsigned char)s[n]))
        n++;
    if (s[1] == '\\')
        return add_token(f, TOKEN_BREAK, s, 2, spaced) != NULL ? 2 : 0;
    if (n > 5 && strncmp(s, "\\quad", 5) == 0)
        n = 5; // the letter behind a space that somebody wrote too little of
    if (s[1] == 0)
        return 1; // of a line that was cut
    if (n == 1)
        return add_token(f, TOKEN_COMMAND, s + 1, 1, spaced) != NULL ? 2 : 0;
    Text name = {s + 1, n - 1};
    size_t brace = n;
    while (s[brace] == ' ')
        brace++;
    if (is_text_command(name)) {
        size_t group = s[brace] == '{' ? group_size(s + brace) : 0;
        if (group == 0)
            return n; // \mathrm without braces: what follows stands for itself
        return lex_text(f, s + brace, group, spaced) ? brace + group : 0;
    }
    return add_token(f, TOKEN_COMMAND, name.data, name.size, spaced) != NULL ? n : 0;
}

bool formula_lex(Formula *f, Text answer)
{
    f->token_count = 0;
    if (!formula_spell(f, answer))
        return false;
    bool spaced = false;
    int depth = 0;
    for (const char *s = f->text; *s != 0;) {
        size_t n = 1;
        if (*s == '\n' || *s == ' ' || *s == '\t' || *s == '\r') {
            spaced = true;
            s++;
            continue;
        }
        if (is_digit(*s) || (*s == '.' && is_digit(s[1])))
            n = number_size(f, s, depth), n = add_token(f, TOKEN_NUMBER, s, n, spaced) != NULL ? n : 0;
        else if (*s == '\\')
            n = lex_command(f, s, spaced);
        else if (is_letter(*s)) {
            while (is_letter(s[n]))
                n++;
            n = add_token(f, TOKEN_NAME, s, n, spaced) != NULL ? n : 0;
        } else {
            depth += (*s == '(') + (*s == '[') - (*s == ')') - (*s == ']');
            n = add_token(f, TOKEN_SIGN, s, 1, spaced) != NULL ? 1 : 0;
        }
        if (n == 0)
            return false;
        spaced = false;
        s += n;
    }
    f->tokens[f->token_count] = (Token){TOKEN_END, {"", 0}, 0, spaced};
    return true;
}
