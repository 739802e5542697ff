// How a text becomes a unit: words, powers and operators are told apart first, whatever marks they are written in; then runs of words
// between operators are looked up. What the readings are is in units.h.
#include "answers/units_table.h"
#include "base/text.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MOST = 240, TOKENS_MOST = 48, LETTERS_MOST = 320, BRACES_MOST = 12, DEPTH_MOST = 4, POWER_DIGITS = 2, PHRASE_WORDS = 4 };

typedef enum TokenKind { TOKEN_WORD, TOKEN_POWER, TOKEN_ONE, TOKEN_TIMES, TOKEN_DIVIDE, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_END } TokenKind;

typedef struct Token {
    TokenKind kind;
    const char *text; // of a word; ended by 0
    int exponent;     // of a power
    bool bare;        // a power without ^
    bool fraction;    // a bracket that \frac opens
    bool hyphen;      // a word that one joins to the word before
} Token;

typedef enum Brace { BRACE_PLAIN, BRACE_TEXT, BRACE_ABOVE, BRACE_BELOW } Brace;

typedef struct Reader {
    const char *at, *end;
    Token tokens[TOKENS_MOST + 1];
    int count;
    char letters[LETTERS_MOST]; // of all words
    int letters_used;
    bool open;       // the last token is a word that goes on
    bool spaced;     // by a space, not only by a mark around the text
    Brace braces[BRACES_MOST];
    int depth;
    int next; // token to be parsed
    int factors;
    bool refused; // known units that may not stand so, or go beyond the limits: no words either
} Reader;

// ---- marks

typedef enum Mark { MARK_SPACE, MARK_NOTHING, MARK_TEXT, MARK_TIMES, MARK_DIVIDE, MARK_LETTER, MARK_PREFIX, MARK_SIGN, MARK_FRACTION,
                    MARK_OPEN, MARK_CLOSE, MARK_MINUS, MARK_WORD } Mark;

typedef struct Spelling {
    const char *spelling;
    Mark mark;
    const char *letters; // of what is (part of) a word
} Spelling;

// MARK_PREFIX: a space behind it does not part it from its unit. MARK_SIGN: a word of its own. A command ends where its letters do.
static const Spelling SPELLINGS[] = {
    {"\\text", MARK_TEXT, NULL}, {"\\mathrm", MARK_TEXT, NULL}, {"\\textrm", MARK_TEXT, NULL}, {"\\mbox", MARK_TEXT, NULL},
    {"\\rm", MARK_TEXT, NULL}, {"\\operatorname", MARK_TEXT, NULL}, {"\\textit", MARK_TEXT, NULL}, {"\\mathit", MARK_TEXT, NULL},
    {"\\textbf", MARK_TEXT, NULL}, {"\\mathbf", MARK_TEXT, NULL}, {"\\bf", MARK_TEXT, NULL}, {"\\mathsf", MARK_TEXT, NULL},
    {"\\textnormal", MARK_TEXT, NULL}, {"\\unit", MARK_TEXT, NULL}, {"\\si", MARK_TEXT, NULL}, {"\\hbox", MARK_TEXT, NULL},
    {"\\left", MARK_NOTHING, NULL}, {"\\right", MARK_NOTHING, NULL},
    {"\\,", MARK_SPACE, NULL}, {"\\;", MARK_SPACE, NULL}, {"\\:", MARK_SPACE, NULL}, {"\\!", MARK_SPACE, NULL}, {"\\ ", MARK_SPACE, NULL},
    {"\\quad", MARK_SPACE, NULL}, {"\\qquad", MARK_SPACE, NULL}, {"~", MARK_SPACE, NULL}, {" ", MARK_SPACE, NULL},
    {"\xc2\xa0", MARK_SPACE, NULL}, {"\xe2\x80\x89", MARK_SPACE, NULL}, {"\xe2\x80\xaf", MARK_SPACE, NULL}, {"\xe2\x80\x8a", MARK_SPACE, NULL},
    {"\\cdot", MARK_TIMES, NULL}, {"\\times", MARK_TIMES, NULL}, {"\\bullet", MARK_TIMES, NULL}, {"*", MARK_TIMES, NULL},
    {"·", MARK_TIMES, NULL}, {"⋅", MARK_TIMES, NULL}, {"•", MARK_TIMES, NULL}, {"∙", MARK_TIMES, NULL}, {"×", MARK_TIMES, NULL},
    {"/", MARK_DIVIDE, NULL}, {"∕", MARK_DIVIDE, NULL}, {"⁄", MARK_DIVIDE, NULL}, {"\\per", MARK_DIVIDE, NULL},
    {"(", MARK_OPEN, NULL}, {")", MARK_CLOSE, NULL}, {"-", MARK_MINUS, NULL}, {"−", MARK_MINUS, NULL}, {"‐", MARK_MINUS, NULL},
    {"\\frac", MARK_FRACTION, NULL}, {"\\dfrac", MARK_FRACTION, NULL}, {"\\tfrac", MARK_FRACTION, NULL},
    {"\\mu", MARK_PREFIX, "μ"}, {"\\micro", MARK_PREFIX, "μ"}, {"\\upmu", MARK_PREFIX, "μ"}, {"μ", MARK_PREFIX, "μ"}, {"µ", MARK_PREFIX, "μ"},
    {"\\Omega", MARK_LETTER, "Ω"}, {"\\ohm", MARK_LETTER, "Ω"}, {"Ω", MARK_LETTER, "Ω"}, {"\xe2\x84\xa6", MARK_LETTER, "Ω"},
    {"\\AA", MARK_SIGN, "Å"}, {"\\r{A}", MARK_SIGN, "Å"}, {"\\mathring{A}", MARK_SIGN, "Å"}, {"\xe2\x84\xab", MARK_SIGN, "Å"},
    {"\\degree", MARK_SIGN, "°"}, {"\\textdegree", MARK_SIGN, "°"}, {"°", MARK_SIGN, "°"}, {"º", MARK_SIGN, "°"},
    {"℃", MARK_SIGN, "°C"}, {"℉", MARK_SIGN, "°F"}, {"\\$", MARK_SIGN, "$"}, {"\\textdollar", MARK_SIGN, "$"}, {"$", MARK_SIGN, "$"},
    {"\\euro", MARK_SIGN, "€"}, {"\\texteuro", MARK_SIGN, "€"}, {"€", MARK_SIGN, "€"}, {"\\pounds", MARK_SIGN, "£"}, {"£", MARK_SIGN, "£"},
    {"\\textsterling", MARK_SIGN, "£"}, {"\\yen", MARK_SIGN, "¥"}, {"\\textyen", MARK_SIGN, "¥"}, {"¥", MARK_SIGN, "¥"},
    {"₹", MARK_SIGN, "₹"}, {"¢", MARK_SIGN, "¢"},
};

static bool take(Reader *r, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(r->end - r->at) < size || memcmp(r->at, text, size) != 0)
        return false;
    if (*text == '\\' && isalpha((unsigned char)text[size - 1]) && r->at + size < r->end && isalpha((unsigned char)r->at[size]))
        return false; // a longer command
    r->at += size;
    return true;
}

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

static Token *add_token(Reader *r, TokenKind kind)
{
    r->open = r->spaced = false;
    if (r->count == TOKENS_MOST)
        return NULL;
    Token *token = &r->tokens[r->count++];
    *token = (Token){.kind = kind};
    return token;
}

static TokenKind last_kind(const Reader *r) { return r->count > 0 ? r->tokens[r->count - 1].kind : TOKEN_END; }

static bool add_letters(Reader *r, const char *letters, size_t size)
{
    if (r->letters_used + size + 1 > LETTERS_MOST)
        return false;
    if (!r->open) {
        Token *token = add_token(r, TOKEN_WORD);
        TRY(token != NULL);
        token->text = r->letters + r->letters_used;
        r->open = true;
    } else {
        r->letters_used--; // the 0 of the word that goes on
    }
    memcpy(r->letters + r->letters_used, letters, size);
    r->letters_used += (int)size;
    r->letters[r->letters_used++] = 0;
    return true;
}

static const char *last_word(const Reader *r) { return last_kind(r) == TOKEN_WORD ? r->tokens[r->count - 1].text : ""; }

static bool is_prefix_letter(const char *word) { return *word != 0 && word[1] == 0 && strchr("kMGm", *word) != NULL; }

// A mark around the text is no space: \mathrm{\mu}m and \text{k}\Omega are one symbol, \mathrm{N}\mathrm{m} are two.
static void part_words(Reader *r)
{
    if (strcmp(last_word(r), "μ") != 0)
        r->open = false;
}

static bool add_ohm(Reader *r)
{
    if (last_kind(r) == TOKEN_WORD && is_prefix_letter(last_word(r)) && (!r->spaced || *last_word(r) == 'k'))
        r->open = true;
    TRY(add_letters(r, "Ω", strlen("Ω")));
    return true;
}

static bool add_power(Reader *r, int sign, bool bare)
{
    int value = 0, digits = 0;
    for (; r->at < r->end && isdigit((unsigned char)*r->at); digits++)
        value = digits < POWER_DIGITS ? 10 * value + (*r->at++ - '0') : (r->at++, 0);
    if (digits == 0 || digits > POWER_DIGITS || value == 0 || (last_kind(r) != TOKEN_WORD && last_kind(r) != TOKEN_CLOSE))
        return false;
    if (bare && r->at < r->end && isalpha((unsigned char)*r->at))
        return false; // C2H4
    Token *token = add_token(r, TOKEN_POWER);
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
    Token *token = NULL;
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
    bool one = *r->at++ == '1' && (r->count == 0 || last_kind(r) == TOKEN_OPEN); // 1/s
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
    r->tokens[r->count - 1].hyphen = true;
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
    Token *token = take(r, "{") ? add_token(r, TOKEN_OPEN) : NULL;
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
        bool word = r->open;
        r->at++;
        r->open = false;
        return word;
    }
    default:
        return read_mark(r);
    }
}

static bool read_tokens(Reader *r)
{
    while (r->at < r->end)
        TRY(read_token(r));
    r->tokens[r->count].kind = TOKEN_END;
    return r->depth == 0;
}

// ---- runs of words: known units, or one that is not

static bool word_is(const Token *token, const char *word) { return token->kind == TOKEN_WORD && strcasecmp(token->text, word) == 0; }

static int power_before(const Token *token) // square meters
{
    return word_is(token, "square") || word_is(token, "sq") ? 2 : word_is(token, "cubic") || word_is(token, "cu") ? 3 : 1;
}

static int power_behind(const Token *token) // meters squared
{
    return word_is(token, "squared") ? 2 : word_is(token, "cubed") ? 3 : 1;
}

// Several words that are one name: atomic mass units. How many of them; 0: they are none.
static int named_by_words(Unit *unit, const Token *token, const Token *end)
{
    char name[UNIT_WORD_BYTES];
    for (int words = 3; words > 1; words--) {
        size_t used = 0;
        int i = 0;
        for (; i < words && token + i < end && token[i].kind == TOKEN_WORD; i++) {
            size_t size = strlen(token[i].text);
            if (used + size + 2 > sizeof name)
                break;
            if (i > 0)
                name[used++] = ' ';
            memcpy(name + used, token[i].text, size);
            used += size;
        }
        name[used] = 0;
        if (i == words && unit_of_name(unit, name))
            return words;
    }
    return 0;
}

// Symbols that touch, the last with an exponent: kJmol^{-1}. Only one way to part them may give two.
static bool glued_symbols(Unit *first, Unit *last, const char *word)
{
    int ways = 0;
    char head[UNIT_WORD_BYTES];
    size_t size = strlen(word);
    for (size_t i = 1; i < size && size < sizeof head; i++) {
        Unit a, b;
        uint8_t a_flags, b_flags;
        memcpy(head, word, i);
        head[i] = 0;
        if (!unit_of_symbol(&a, head, &a_flags) || !unit_of_symbol(&b, word + i, &b_flags) || ((a_flags | b_flags) & UNIT_GLUED))
            continue;
        *first = a;
        *last = b;
        ways++;
    }
    return ways == 1;
}

static bool speed_symbol(const char *word) // ms^{-1} is m s^{-1}, as it is written in schools; nobody means upon a millisecond
{
    static const char *const lengths[] = {"ms", "cms", "kms", NULL};
    for (const char *const *length = lengths; *length != NULL; length++)
        if (strcmp(word, *length) == 0)
            return true;
    return false;
}

static bool length_or_time(const Unit *unit)
{
    for (int i = 0; i < DIMENSIONS; i++)
        if (i != LENGTH && i != TIME && unit->exponents[i] != 0)
            return false;
    return unit->words_count == 0 && (unit->exponents[LENGTH] == 0) != (unit->exponents[TIME] == 0);
}

// An inch is "in" where no words stand beside it.
static bool inch_among_words(const Token *token, const Token *begin, const Token *end)
{
    if (!word_is(token, "in") || (token + 1 < end && (token[1].kind == TOKEN_POWER || token[1].hyphen)))
        return false;
    return token + 1 < end || (token > begin && !token->hyphen && power_before(token - 1) == 1);
}

typedef struct Run {
    Reader *reader;
    Unit *unit;
    const Token *begin, *end;
    int sign; // -1: below a slash
} Run;

static bool put(Run *run, const Unit *factor, int exponent)
{
    run->reader->factors++;
    bool either_way = exponent < 0 && run->sign < 0; // J/kg K^-1
    run->reader->refused |= either_way || !unit_multiply(run->unit, factor, run->sign * exponent);
    return !run->reader->refused;
}

// The c of GeV/c^2; anywhere else it is no unit, but a letter.
static bool light_below_energy(const Run *run, const Token *token)
{
    const int8_t *exponents = run->unit->exponents;
    return run->sign < 0 && strcmp(token->text, "c") == 0 && exponents[LENGTH] == 2 && exponents[MASS] == 1 && exponents[TIME] == -2;
}

static bool put_word(Run *run, const Token *token, int exponent, bool power, bool bare)
{
    Unit one, first, last;
    uint8_t flags = 0;
    if (inch_among_words(token, run->begin, run->end))
        return false;
    if (light_below_energy(run, token))
        return unit_of_name(&one, "speed of light") && put(run, &one, exponent);
    bool speed = power && exponent < 0 && speed_symbol(token->text);
    bool known = !speed && (unit_of_symbol(&one, token->text, &flags) || unit_of_name(&one, token->text));
    if (known && !(power && (flags & UNIT_GLUED)))
        return (!bare || exponent < 0 || length_or_time(&one)) && put(run, &one, exponent);
    if (!power || bare > (exponent < 0) || !glued_symbols(&first, &last, token->text))
        return false;
    return put(run, &first, 1) && put(run, &last, exponent);
}

static bool known_units(Run *run)
{
    const Token *token = run->begin;
    while (token < run->end) {
        int exponent = power_before(token);
        bool power = exponent != 1, bare = false;
        token += power;
        if (token >= run->end || token->kind != TOKEN_WORD)
            return false;
        Unit named;
        int words = named_by_words(&named, token, run->end);
        const Token *behind = token + (words > 0 ? words : 1);
        const Token *next = behind;
        if (behind < run->end && behind->kind == TOKEN_POWER) {
            exponent *= behind->exponent;
            power = true;
            bare = behind->bare;
            next++;
        } else if (behind < run->end && power_behind(behind) > 1) {
            exponent *= power_behind(behind);
            power = true;
            next++;
        }
        TRY(words > 0 ? put(run, &named, exponent) : put_word(run, token, exponent, power, bare));
        token = next;
    }
    return true;
}

// A word keeps its capitals where they say something: Apples and APPLES are apples, dBm and AaBb are what they are.
static void ordinary_word(char *out, const char *word)
{
    size_t size = strlen(word), capitals = 0;
    bool vowel = false;
    for (size_t i = 0; i < size; i++) {
        capitals += isupper((unsigned char)word[i]) != 0;
        vowel |= strchr("aeiouyAEIOUY", word[i]) != NULL;
    }
    bool ordinary = vowel && size >= 3 && (capitals == 0 || (capitals == 1 && isupper((unsigned char)*word)) || (capitals == size && size > 3));
    for (size_t i = 0; i <= size; i++)
        out[i] = (char)(ordinary ? tolower((unsigned char)word[i]) : word[i]);
}

static bool only_letters(const char *word)
{
    for (; *word != 0; word++)
        if (!isalpha((unsigned char)*word) && (unsigned char)*word < 0xc3)
            return false;
    return true;
}

// Words as they are compared, one space between each; 0: they are no phrase that could be a unit
static size_t phrase(char *out, size_t capacity, const Token *token, const Token *end)
{
    size_t used = 0;
    bool long_word = false;
    if (end - token > PHRASE_WORDS)
        return 0;
    for (; token < end; token++) {
        char word[UNIT_WORD_BYTES], single[UNIT_WORD_BYTES];
        const char *text = token->kind == TOKEN_WORD ? token->text : "";
        if (strcmp(text, "°") == 0)
            text = "degree";
        size_t size = strlen(text);
        if (size == 0 || size >= UNIT_WORD_BYTES || !only_letters(text))
            return 0;
        ordinary_word(word, text);
        size = word_singular(single, word, size);
        bool first_of = used == 0 && strcmp(word, "of") == 0;
        if (first_of || word_counts_or_joins(word) || word_counts_or_joins(single) || used + size + 2 > capacity)
            return 0;
        if (used > 0)
            out[used++] = ' ';
        memcpy(out + used, single, size);
        used += size;
        long_word |= size >= 3;
    }
    return long_word ? used : 0;
}

static bool unknown_unit(Run *run)
{
    char words[UNIT_WORD_BYTES];
    const Token *end = run->end;
    int exponent = 1;
    if (end[-1].kind == TOKEN_POWER && !end[-1].bare && end - run->begin == 2)
        exponent = (--end)->exponent;
    size_t size = phrase(words, sizeof words, run->begin, end);
    Unit word;
    unit_one(&word);
    return size > 0 && unit_add_word(&word, words, size, 1) && put(run, &word, exponent);
}

// What stands behind "of" may hold formulas: grams of H2O. NULL: it is no remark
static bool read_remark(Run *run, const Token *of)
{
    size_t used = 0;
    char remark[UNIT_WORD_BYTES];
    if (run->end - of - 1 > PHRASE_WORDS || run->end - of < 2)
        return false;
    for (const Token *token = of + 1; token < run->end; token++) {
        char word[UNIT_WORD_BYTES], single[UNIT_WORD_BYTES];
        if (token->kind != TOKEN_WORD || strlen(token->text) >= sizeof word || !only_letters(token->text))
            return false;
        ordinary_word(word, token->text);
        size_t size = word_singular(single, word, strlen(word));
        if (word_counts_or_joins(word) || word_counts_or_joins(single) || used + size + 2 > sizeof remark)
            return false;
        if (used > 0)
            remark[used++] = ' ';
        memcpy(remark + used, single, size);
        used += size;
    }
    remark[used] = 0;
    Unit one;
    unit_one(&one);
    memcpy(one.remark, remark, used + 1);
    one.offset_numerator = run->unit->offset_numerator;
    one.offset_denominator = run->unit->offset_denominator;
    return unit_multiply(run->unit, &one, 1);
}

static bool try_known(Run *run, const Token *of)
{
    Unit before = *run->unit;
    int factors = run->reader->factors;
    Run known = *run;
    if (of != NULL)
        known.end = of;
    if (known.begin < known.end && known_units(&known) && (of == NULL || read_remark(run, of)))
        return true;
    *run->unit = before;
    run->reader->factors = factors;
    return false;
}

static bool read_run(Run *run)
{
    if (run->end - run->begin > 2 && word_is(run->begin, "number") && word_is(run->begin + 1, "of"))
        run->begin += 2;
    const Token *of = NULL;
    for (const Token *token = run->begin; token < run->end && of == NULL; token++)
        of = word_is(token, "of") ? token : NULL;
    if (try_known(run, NULL))
        return true;
    return !run->reader->refused && ((of != NULL && try_known(run, of)) || unknown_unit(run));
}

// ---- groups

static bool is_per(const Token *token) { return token->kind == TOKEN_DIVIDE || word_is(token, "per"); }

static bool in_run(const Token *token) { return (token->kind == TOKEN_WORD && !word_is(token, "per")) || token->kind == TOKEN_POWER; }

static bool read_group(Reader *r, Unit *unit, int depth);

// touching: what stands before the bracket, without an operator. J (mol K)^{-1}, but not meters (m).
static bool read_brackets(Reader *r, Unit *unit, int sign, bool touching, int depth)
{
    Unit inner;
    touching &= !r->tokens[r->next].fraction;
    unit_one(&inner);
    r->next++;
    TRY(depth < DEPTH_MOST && read_group(r, &inner, depth + 1) && r->tokens[r->next].kind == TOKEN_CLOSE);
    r->next++;
    int exponent = r->tokens[r->next].kind == TOKEN_POWER ? r->tokens[r->next++].exponent : 1;
    r->factors += exponent != 1; // (°C)^2 is no temperature
    if ((touching && exponent > 0) || (sign < 0 && exponent < 0))
        return false;
    return unit_multiply(unit, &inner, sign * exponent);
}

static bool read_operand(Reader *r, Unit *unit, int sign, bool touching, int depth)
{
    const Token *token = &r->tokens[r->next];
    if (token->kind == TOKEN_OPEN)
        return read_brackets(r, unit, sign, touching, depth);
    if (!in_run(token) || token->kind == TOKEN_POWER)
        return false;
    Run run = {.reader = r, .unit = unit, .begin = token, .end = token, .sign = sign};
    while (in_run(run.end))
        run.end++;
    r->next += (int)(run.end - run.begin);
    return read_run(&run);
}

// The words "parts per million" have a "per" that divides nothing.
static bool read_parts(Reader *r, Unit *unit)
{
    const Token *token = &r->tokens[r->next];
    if (!(word_is(token, "parts") || word_is(token, "part")) || !word_is(token + 1, "per"))
        return false;
    const char *name = word_is(token + 2, "million") ? "ppm" : word_is(token + 2, "billion") ? "ppb" : NULL;
    Unit parts;
    if (name == NULL || !unit_of_name(&parts, name))
        return false;
    r->next += 3;
    r->factors++;
    return unit_multiply(unit, &parts, 1);
}

static bool read_group(Reader *r, Unit *unit, int depth)
{
    int sign = 1;
    bool operand = false; // the last thing read was one
    if (r->tokens[r->next].kind == TOKEN_ONE) {
        r->next++;
        operand = true;
        TokenKind kind = r->tokens[r->next].kind;
        TRY(is_per(&r->tokens[r->next]) || kind == TOKEN_CLOSE);
    }
    operand |= read_parts(r, unit);
    for (;;) {
        const Token *token = &r->tokens[r->next];
        if (token->kind == TOKEN_CLOSE || token->kind == TOKEN_END)
            return operand;
        bool per = is_per(token), first = r->next == 0;
        if (per || token->kind == TOKEN_TIMES) {
            TRY(operand || (per && first));
            sign = per ? -1 : sign;
            operand = false;
            r->next++;
            continue;
        }
        TRY(read_operand(r, unit, sign, operand, depth));
        operand = true;
    }
}

bool unit_read(Unit *unit, Text text)
{
    Reader r;
    text = text_trimmed(text);
    if (text.size == 0 || text.size > TEXT_MOST)
        return false;
    r.at = text.data;
    r.end = text.data + text.size;
    r.count = r.letters_used = r.depth = r.next = r.factors = 0;
    r.open = r.spaced = r.refused = false;
    unit_one(unit);
    TRY(read_tokens(&r) && read_group(&r, unit, 0) && r.tokens[r.next].kind == TOKEN_END && r.factors > 0);
    unit_settle(unit, r.factors);
    return true;
}
