// Marks of LaTeX, Unicode and plain text become tokens. Marks around a text (\text, braces) mean little: they separate
// words, but not a prefix from its unit.
#include "answers/units/units_lexer.h"
#include "base/text.h"
#include <ctype.h>
#include <string.h>

enum { BRACES_MOST = 12, POWER_DIGITS = 2 };

typedef enum Brace { BRACE_PLAIN, BRACE_TEXT, BRACE_ABOVE, BRACE_BELOW } Brace;

typedef struct Reader {
    UnitTokens *out;
    const char *at, *end;
    bool open;   // the last token is a word that may continue
    bool spaced; // by a space, not only by a mark around the text
    Brace braces[BRACES_MOST];
    int depth;
} Reader;

// ---- marks

typedef enum Mark {
    MARK_SPACE,
    MARK_NOTHING,
    MARK_TEXT,
    MARK_TIMES,
    MARK_DIVIDE,
    MARK_LETTER,
    MARK_PREFIX,
    MARK_SIGN,
    MARK_FRACTION,
    MARK_OPEN,
    MARK_CLOSE,
    MARK_MINUS
} Mark;

typedef struct Spelling {
    const char *spelling;
    Mark mark;
    const char *letters; // of what is (part of) a word
} Spelling;

// clang-format off
// MARK_PREFIX: a space after it does not separate it from its unit. MARK_SIGN: a word of its own. A command ends where
// its letters do.
static const Spelling SPELLINGS[] = {
    {"\\text", MARK_TEXT, NULL}, {"\\mathrm", MARK_TEXT, NULL}, {"\\textrm", MARK_TEXT, NULL},
    {"\\mbox", MARK_TEXT, NULL}, {"\\rm", MARK_TEXT, NULL}, {"\\operatorname", MARK_TEXT, NULL},
    {"\\textit", MARK_TEXT, NULL}, {"\\mathit", MARK_TEXT, NULL}, {"\\textbf", MARK_TEXT, NULL},
    {"\\mathbf", MARK_TEXT, NULL}, {"\\bf", MARK_TEXT, NULL}, {"\\mathsf", MARK_TEXT, NULL},
    {"\\textnormal", MARK_TEXT, NULL}, {"\\unit", MARK_TEXT, NULL}, {"\\si", MARK_TEXT, NULL},
    {"\\hbox", MARK_TEXT, NULL}, {"\\left", MARK_NOTHING, NULL}, {"\\right", MARK_NOTHING, NULL},
    {"\\,", MARK_SPACE, NULL}, {"\\;", MARK_SPACE, NULL}, {"\\:", MARK_SPACE, NULL}, {"\\!", MARK_SPACE, NULL},
    {"\\ ", MARK_SPACE, NULL}, {"\\quad", MARK_SPACE, NULL}, {"\\qquad", MARK_SPACE, NULL}, {"~", MARK_SPACE, NULL},
    {" ", MARK_SPACE, NULL}, {"\xc2\xa0", MARK_SPACE, NULL}, {"\xe2\x80\x89", MARK_SPACE, NULL},
    {"\xe2\x80\xaf", MARK_SPACE, NULL}, {"\xe2\x80\x8a", MARK_SPACE, NULL}, {"\\cdot", MARK_TIMES, NULL},
    {"\\times", MARK_TIMES, NULL}, {"\\bullet", MARK_TIMES, NULL}, {"*", MARK_TIMES, NULL}, {"·", MARK_TIMES, NULL},
    {"⋅", MARK_TIMES, NULL}, {"•", MARK_TIMES, NULL}, {"∙", MARK_TIMES, NULL}, {"×", MARK_TIMES, NULL},
    {"/", MARK_DIVIDE, NULL}, {"∕", MARK_DIVIDE, NULL}, {"⁄", MARK_DIVIDE, NULL}, {"\\per", MARK_DIVIDE, NULL},
    {"(", MARK_OPEN, NULL}, {")", MARK_CLOSE, NULL}, {"-", MARK_MINUS, NULL}, {"−", MARK_MINUS, NULL},
    {"‐", MARK_MINUS, NULL}, {"\\frac", MARK_FRACTION, NULL}, {"\\dfrac", MARK_FRACTION, NULL},
    {"\\tfrac", MARK_FRACTION, NULL}, {"\\mu", MARK_PREFIX, "μ"}, {"\\micro", MARK_PREFIX, "μ"},
    {"\\upmu", MARK_PREFIX, "μ"}, {"μ", MARK_PREFIX, "μ"}, {"µ", MARK_PREFIX, "μ"}, {"\\Omega", MARK_LETTER, "Ω"},
    {"\\ohm", MARK_LETTER, "Ω"}, {"Ω", MARK_LETTER, "Ω"},
    {"\xe2\x84\xa6", MARK_LETTER, "Ω"}, {"\\AA", MARK_SIGN, "Å"}, {"\\r{A}", MARK_SIGN, "Å"},
    {"\\mathring{A}", MARK_SIGN, "Å"},
    {"\xe2\x84\xab", MARK_SIGN, "Å"}, {"\\degree", MARK_SIGN, "°"}, {"\\textdegree", MARK_SIGN, "°"},
    {"°", MARK_SIGN, "°"}, {"º", MARK_SIGN, "°"}, {"℃", MARK_SIGN, "°C"}, {"℉", MARK_SIGN, "°F"},
    {"\\$", MARK_SIGN, "$"}, {"\\textdollar", MARK_SIGN, "$"}, {"$", MARK_SIGN, "$"}, {"\\euro", MARK_SIGN, "€"},
    {"\\texteuro", MARK_SIGN, "€"}, {"€", MARK_SIGN, "€"}, {"\\pounds", MARK_SIGN, "£"}, {"£", MARK_SIGN, "£"},
    {"\\textsterling", MARK_SIGN, "£"}, {"\\yen", MARK_SIGN, "¥"}, {"\\textyen", MARK_SIGN, "¥"}, {"¥", MARK_SIGN, "¥"},
    {"₹", MARK_SIGN, "₹"}, {"¢", MARK_SIGN, "¢"},
};
// clang-format on

static bool take(Reader *r, const char *text) { return text_take(&r->at, r->end, text); }

static const Spelling *take_mark(Reader *r)
{
    if (isspace((unsigned char)*r->at)) {
        static const Spelling space = {" ", MARK_SPACE, NULL};
        r->at++;
        return &space;
    }
    for (size_t i = 0; i < sizeof SPELLINGS / sizeof *SPELLINGS; i++)
        if (*SPELLINGS[i].spelling == *r->at && take(r, SPELLINGS[i].spelling))
            return &SPELLINGS[i];
    return NULL;
}

static void skip_spaces(Reader *r)
{
    while (r->at < r->end && isspace((unsigned char)*r->at))
        r->at++;
}

// ---- tokens

static UnitToken *add_token(Reader *r, UnitTokenKind kind)
{
    r->open = r->spaced = false;
    if (r->out->count == UNIT_TOKENS_MOST)
        return NULL;
    UnitToken *token = &r->out->tokens[r->out->count++];
    *token = (UnitToken){.kind = kind};
    return token;
}

static UnitTokenKind last_kind(const Reader *r)
{
    return r->out->count > 0 ? r->out->tokens[r->out->count - 1].kind : LEX_END;
}

static bool add_letters(Reader *r, const char *letters, size_t size)
{
    if (r->out->letters_used + size + 1 > UNIT_LETTERS_MOST)
        return false;
    if (!r->open) {
        UnitToken *token = add_token(r, TOKEN_WORD);
        TRY(token != NULL);
        token->text = r->out->letters + r->out->letters_used;
        r->open = true;
    } else {
        r->out->letters_used--; // the 0 of the continued word
    }
    memcpy(r->out->letters + r->out->letters_used, letters, size);
    r->out->letters_used += (int)size;
    r->out->letters[r->out->letters_used++] = 0;
    return true;
}

static const char *last_word(const Reader *r)
{
    return last_kind(r) == TOKEN_WORD ? r->out->tokens[r->out->count - 1].text : "";
}

static bool is_prefix_letter(const char *word) { return *word != 0 && word[1] == 0 && strchr("kMGm", *word) != NULL; }

// A mark around the text is no space: \mathrm{\mu}m and \text{k}\Omega are one symbol, \mathrm{N}\mathrm{m} are two.
static void part_words(Reader *r)
{
    if (strcmp(last_word(r), "μ") != 0)
        r->open = false;
}

static bool add_ohm(Reader *r)
{
    bool prefix = last_kind(r) == TOKEN_WORD && is_prefix_letter(last_word(r));
    if (prefix && (!r->spaced || *last_word(r) != 'm')) // a metre may stand before an ohm; molars and gausses do not
        r->open = true;
    TRY(add_letters(r, "Ω", strlen("Ω")));
    return true;
}

static bool add_power(Reader *r, int sign, bool bare)
{
    int value = 0, digits = 0;
    for (; r->at < r->end && isdigit((unsigned char)*r->at); digits++)
        value = digits < POWER_DIGITS ? 10 * value + (*r->at++ - '0') : (r->at++, 0);
    if (digits == 0 || digits > POWER_DIGITS || value == 0 ||
        (last_kind(r) != TOKEN_WORD && last_kind(r) != TOKEN_CLOSE))
        return false;
    if (bare && r->at < r->end && isalpha((unsigned char)*r->at))
        return false; // C2H4
    UnitToken *token = add_token(r, TOKEN_POWER);
    TRY(token != NULL);
    token->exponent = sign * value;
    token->bare = bare;
    return true;
}

static int take_sign(Reader *r)
{
    if (take(r, "-") || take(r, "−"))
        return -1;
    take(r, "+");
    return 1;
}

static bool degree_sign(Reader *r) // behind ^
{
    static const char *const spellings[] = {"\\circ", "{\\circ}", "{ \\circ }", "{\\circ }", "{ \\circ}", NULL};
    for (const char *const *s = spellings; *s != NULL; s++)
        if (take(r, *s))
            return true;
    const char *begin = r->at; // ^oC, as it is typed
    if ((take(r, "{o}") || take(r, "o")) && r->at < r->end && (*r->at == 'C' || *r->at == 'F'))
        return true;
    r->at = begin;
    return false;
}

static bool add_sign(Reader *r, const char *letters)
{
    r->open = r->open && strcmp(letters, "$") == 0; // US$
    TRY(add_letters(r, letters, strlen(letters)));
    r->open = false;
    return true;
}

static bool read_power(Reader *r) // behind ^ or **
{
    skip_spaces(r);
    if (degree_sign(r))
        return add_sign(r, "°");
    char closing = take(r, "{") ? '}' : take(r, "(") ? ')' : 0;
    skip_spaces(r);
    int sign = take_sign(r);
    TRY(add_power(r, sign, false));
    skip_spaces(r);
    if (closing == 0)
        return true;
    return r->at < r->end && *r->at++ == closing;
}

static int superscript_digit(Reader *r)
{
    static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    for (int i = 0; i < 10; i++)
        if (take(r, digits[i]))
            return i;
    return -1;
}

static bool read_superscript(Reader *r, bool *found)
{
    int sign = take(r, "⁻") ? -1 : 1, digit = superscript_digit(r);
    *found = sign < 0 || digit >= 0;
    if (!*found)
        return true;
    UnitToken *token = NULL;
    if (digit > 0 && (last_kind(r) == TOKEN_WORD || last_kind(r) == TOKEN_CLOSE))
        token = add_token(r, TOKEN_POWER);
    TRY(token != NULL);
    token->exponent = sign * digit;
    return superscript_digit(r) < 0; // no unit has a higher power
}

static bool read_digits(Reader *r)
{
    if (r->open)
        return add_power(r, 1, true);
    bool one = *r->at++ == '1' && (r->out->count == 0 || last_kind(r) == TOKEN_OPEN); // 1/s
    return one && add_token(r, TOKEN_ONE) != NULL;
}

static bool read_hyphen(Reader *r)
{
    if (!r->open || r->at == r->end)
        return false;
    if (isdigit((unsigned char)*r->at))
        return add_power(r, -1, true);
    r->open = false;
    if (!isalpha((unsigned char)*r->at) || !add_letters(r, r->at++, 1))
        return false;
    r->out->tokens[r->out->count - 1].hyphen = true;
    return true;
}

static bool push_brace(Reader *r, Brace brace)
{
    if (r->depth == BRACES_MOST)
        return false;
    r->braces[r->depth++] = brace;
    return true;
}

static bool open_fraction(Reader *r)
{
    skip_spaces(r);
    UnitToken *token = take(r, "{") ? add_token(r, TOKEN_OPEN) : NULL;
    TRY(token != NULL);
    token->fraction = true;
    return add_token(r, TOKEN_OPEN) != NULL && push_brace(r, BRACE_ABOVE);
}

static bool close_brace(Reader *r)
{
    if (r->depth == 0)
        return false;
    switch (r->braces[--r->depth]) {
    case BRACE_ABOVE:
        skip_spaces(r);
        return add_token(r, TOKEN_CLOSE) != NULL && take(r, "{") && add_token(r, TOKEN_DIVIDE) != NULL &&
               add_token(r, TOKEN_OPEN) != NULL && push_brace(r, BRACE_BELOW);
    case BRACE_BELOW:
        return add_token(r, TOKEN_CLOSE) != NULL && add_token(r, TOKEN_CLOSE) != NULL;
    case BRACE_TEXT:
        part_words(r);
        return true;
    default:
        return true;
    }
}

static bool read_mark(Reader *r)
{
    const Spelling *s = take_mark(r);
    if (s == NULL)
        return false;
    switch (s->mark) {
    case MARK_SPACE:
        r->open = false;
        r->spaced = true;
        return true;
    case MARK_TEXT:
        part_words(r);
        skip_spaces(r);
        return !take(r, "{") || push_brace(r, BRACE_TEXT);
    case MARK_TIMES:
        return take(r, "*") ? read_power(r) : add_token(r, TOKEN_TIMES) != NULL;
    case MARK_DIVIDE:
        return add_token(r, TOKEN_DIVIDE) != NULL;
    case MARK_OPEN:
        return add_token(r, TOKEN_OPEN) != NULL;
    case MARK_CLOSE:
        return add_token(r, TOKEN_CLOSE) != NULL;
    case MARK_MINUS:
        return read_hyphen(r);
    case MARK_FRACTION:
        return open_fraction(r);
    case MARK_PREFIX:
        skip_spaces(r);
        return add_letters(r, s->letters, strlen(s->letters));
    case MARK_LETTER:
        TRY(add_ohm(r));
        r->open = r->at < r->end && *r->at != ' ';
        return true;
    case MARK_SIGN:
        return add_sign(r, s->letters);
    default:
        return true;
    }
}

// Latin letters with accents are letters: U+00C0 .. U+024F but × and ÷.
static size_t accented_letter(const Reader *r)
{
    unsigned char first = (unsigned char)*r->at;
    if (first < 0xc3 || first > 0xc9 || r->end - r->at < 2)
        return 0;
    unsigned char second = (unsigned char)r->at[1];
    return first == 0xc3 && (second == 0x97 || second == 0xb7) ? 0 : 2;
}

static bool read_token(Reader *r)
{
    char c = *r->at;
    bool superscript;
    if (isalpha((unsigned char)c))
        return add_letters(r, r->at++, 1);
    if (isdigit((unsigned char)c))
        return read_digits(r);
    if ((unsigned char)c >= 0x80) {
        size_t letter = accented_letter(r);
        r->at += letter;
        if (letter > 0)
            return add_letters(r, r->at - letter, letter);
        TRY(read_superscript(r, &superscript));
        return superscript || read_mark(r);
    }
    switch (c) {
    case '^':
        r->at++;
        return read_power(r);
    case '{':
        r->at++;
        return push_brace(r, BRACE_PLAIN);
    case '}':
        r->at++;
        return close_brace(r);
    case '.': { // of an abbreviation
        bool word = last_kind(r) == TOKEN_WORD;
        r->at++;
        r->open = false;
        return word;
    }
    default:
        return read_mark(r);
    }
}

bool unit_tokens(UnitTokens *tokens, Text text)
{
    Reader r = {.out = tokens, .at = text.data, .end = text.data + text.size};
    tokens->count = tokens->letters_used = 0;
    while (r.at < r.end)
        TRY(read_token(&r));
    tokens->tokens[tokens->count].kind = LEX_END;
    return r.depth == 0;
}
