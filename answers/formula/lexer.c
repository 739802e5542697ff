// From an answer's text, spelled in ASCII (spelling.c), to tokens.
#include "answers/formula/formula.h"
#include <ctype.h>
#include <string.h>

static bool is_letter(char c) { return isalpha((unsigned char)c) || (unsigned char)c >= 0x80; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static Token *add_token(Formula *f, LexKind kind, const char *text, size_t size, bool spaced)
{
    if (f->token_count >= TOKENS_MOST - 1)
        return NULL;
    Token *t = &f->tokens[f->token_count++];
    *t = (Token){kind, {text, size}, kind == LEX_SIGN ? *text : 0, spaced};
    return t;
}

// \frac12 is a half, \sqrt4 two: these commands take single digits where there are no braces.
static bool wants_digit(const Formula *f)
{
    int n = f->token_count;
    for (int back = 1; back <= 2 && back <= n; back++) {
        const Token *t = &f->tokens[n - back];
        if (t->kind == LEX_COMMAND && (text_is(t->span, "frac") || text_is(t->span, "binom")))
            return true;
        if (t->kind == LEX_COMMAND && text_is(t->span, "sqrt"))
            return back == 1;
        if (t->kind != LEX_NUMBER || t->span.size != 1)
            return false;
    }
    return false;
}

// 12,345,678 and 12 345 678 and 12_345_678: groups of three, with one separator. Lists have spaces, or are in brackets.
static size_t thousands(Formula *f, const char *s, size_t digits, int depth)
{
    if (digits > 3 || s[0] == '0')
        return digits;
    for (const char *separator = depth == 0 ? ",_ " : "_ "; *separator != 0; separator++) {
        size_t at = digits;
        while (s[at] == *separator && is_digit(s[at + 1]) && is_digit(s[at + 2]) && is_digit(s[at + 3]) &&
               !is_digit(s[at + 4]))
            at += 4;
        if (at > digits && *separator == ' ' && f->no_spaced_thousands)
            return digits;
        f->spaced_thousands = f->spaced_thousands || (at > digits && *separator == ' ');
        if (at > digits)
            return at;
    }
    return digits;
}

// The digits that repeat for ever, as LaTeX writes them: \overline{45}, \dot{3}
static size_t repeating_size(const char *s)
{
    static const char *const commands[] = {"\\overline{", "\\bar{", "\\dot{", NULL};
    for (const char *const *c = commands; *c != NULL; c++) {
        size_t n = strlen(*c), digits = 0;
        if (strncmp(s, *c, n) != 0)
            continue;
        while (is_digit(s[n + digits]))
            digits++;
        return digits > 0 && s[n + digits] == '}' ? n + digits + 1 : 0;
    }
    return 0;
}

static size_t exponent_size(const char *s) // e-5
{
    size_t sign = s[0] != 0 && (s[1] == '-' || s[1] == '+'), n = 0;
    if ((s[0] == 'e' || s[0] == 'E') && is_digit(s[1 + sign]))
        for (n = 1 + sign; is_digit(s[n]);)
            n++;
    return n;
}

// 0b1010, 0o17, 0x1f
static size_t prefixed_size(const char *s)
{
    const char *digits = s[0] != '0'   ? NULL
                         : s[1] == 'b' ? "01"
                         : s[1] == 'o' ? "01234567"
                         : s[1] == 'x' ? "0123456789abcdefABCDEF"
                                       : NULL;
    size_t n = digits == NULL ? 0 : strspn(s + 2, digits);
    return n > 0 && !isalnum((unsigned char)s[2 + n]) ? 2 + n : 0;
}

static size_t number_size(Formula *f, const char *s, int depth)
{
    size_t n = prefixed_size(s), repeating;
    if (n > 0)
        return n;
    while (is_digit(s[n]))
        n++;
    if (n > 0 && wants_digit(f))
        return 1;
    n = n > 0 ? thousands(f, s, n, depth) : 0;
    if (s[n] == '.' && (is_digit(s[n + 1]) || repeating_size(s + n + 1) > 0)) {
        for (n++; is_digit(s[n]);)
            n++;
        if ((repeating = repeating_size(s + n)) > 0)
            return n + repeating;
    }
    return n + exponent_size(s + n);
}

static const char *const text_commands[] = {
    "text",       "textbf",       "textit", "textrm", "textnormal", "mbox",   "mathrm", "mathbf",
    "mathit",     "operatorname", "mathsf", "emph",   "hbox",       "textsf", "texttt", "underline",
    "boldsymbol", "bm",           "mathtt", "ce",     "rm",         NULL};

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
    return begin == end || add_token(f, LEX_TEXT, begin, (size_t)(end - begin), spaced) != NULL;
}

// \text{13}, \mathbf{7x}: the content is not a word, and is read as it is. So is a letter.
static bool is_plain_group(const char *s, size_t group)
{
    bool digit = false;
    int letters = 0;
    for (size_t i = 1; i + 1 < group; i++) {
        digit = digit || is_digit(s[i]);
        letters = is_letter(s[i]) ? letters + 1 : 0;
        if (letters > 1 || strchr("=&", s[i]) != NULL)
            return false;
    }
    return digit && is_digit(s[1 + (s[1] == '-')]);
}

// s[0] is a backslash; returns the bytes used, 0 on failure
static size_t lex_command(Formula *f, const char *s, bool spaced)
{
    size_t n = 1;
    while (isalpha((unsigned char)s[n]))
        n++;
    if (s[1] == '\\')
        return add_token(f, LEX_BREAK, s, 2, spaced) != NULL ? 2 : 0;
    if (n > 5 && strncmp(s, "\\quad", 5) == 0)
        n = 5; // \quadx: the letter is no part of the command
    if (s[1] == 0)
        return 1; // of a line that was cut
    if (n == 1)
        return add_token(f, LEX_COMMAND, s + 1, 1, spaced) != NULL ? 2 : 0;
    Text name = {s + 1, n - 1};
    size_t brace = n;
    while (s[brace] == ' ')
        brace++;
    bool vector = text_is(name, "mathbf") || text_is(name, "boldsymbol") || text_is(name, "bm");
    bool letter = vector && s[brace] == '{' &&
                  ((isalpha((unsigned char)s[brace + 1]) && s[brace + 2] == '}') || s[brace + 1] == '\\');
    if (is_text_command(name) && !letter) {
        size_t group = s[brace] == '{' ? group_size(s + brace) : 0;
        if (group == 0)
            return n; // \mathrm without braces: the rest is read as it is
        if (is_plain_group(s + brace, group))
            return n;
        return lex_text(f, s + brace, group, spaced) ? brace + group : 0;
    }
    return add_token(f, LEX_COMMAND, name.data, name.size, spaced) != NULL ? n : 0;
}

// k_BT is k_B T: one letter comes after _, as in LaTeX, unless it is a word.
static size_t name_size(const Formula *f, const char *s)
{
    static const char *const indices[] = {"in", "eq", "th", "ij", "cm", "rms", NULL};
    size_t n = 0;
    while (is_letter(s[n]))
        n++;
    const Token *before = f->token_count > 0 ? &f->tokens[f->token_count - 1] : NULL;
    if (before != NULL && before->kind == LEX_NUMBER && before->span.data + before->span.size == s) { // x=1orx=2
        if (n == 3 && s[0] == 'o' && s[1] == 'r')
            return 2;
        if (n == 4 && strncmp(s, "and", 3) == 0)
            return 3;
    }
    bool index = before != NULL && before->sign == '_';
    if (!index || n != 2)
        return n;
    for (const char *const *word = indices; *word != NULL; word++)
        if (strlen(*word) == n && memcmp(s, *word, n) == 0)
            return n;
    return 1;
}

// 5 x 10^6: the letter for the sign
static bool is_times(const Formula *f, const char *s)
{
    const Token *before = f->token_count > 0 ? &f->tokens[f->token_count - 1] : NULL;
    if ((*s != 'x' && *s != 'X') || before == NULL || before->kind != LEX_NUMBER)
        return false;
    s += 1 + strspn(s + 1, " ");
    return strncmp(s, "10", 2) == 0 && (s[2] == '^' || (s[2] == ' ' && s[3] == '^') || strncmp(s + 2, "{^", 2) == 0);
}

bool formula_lex(Formula *f, Text answer)
{
    f->token_count = 0;
    f->spaced_thousands = false;
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
            n = number_size(f, s, depth), n = add_token(f, LEX_NUMBER, s, n, spaced) != NULL ? n : 0;
        else if (*s == '\\')
            n = lex_command(f, s, spaced);
        else if (is_times(f, s))
            n = add_token(f, LEX_SIGN, "*", 1, spaced) != NULL ? 1 : 0;
        else if (is_letter(*s))
            n = name_size(f, s), n = add_token(f, LEX_NAME, s, n, spaced) != NULL ? n : 0;
        else {
            depth += (*s == '(') + (*s == '[') - (*s == ')') - (*s == ']');
            n = add_token(f, LEX_SIGN, s, 1, spaced) != NULL ? 1 : 0;
        }
        if (n == 0)
            return false;
        spaced = false;
        s += n;
    }
    f->tokens[f->token_count] = (Token){LEX_END, {"", 0}, 0, spaced};
    return true;
}
