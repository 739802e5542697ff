// Logic: a text in any notation becomes a string of one-letter signs and letters, and two such strings are compared
// sign by sign or by their truth tables, with at most eight letters. A column of a truth table is 256 bits, so all rows
// are evaluated at once.
#include "answers/compare/logic.h"
#include "base/text.h"
#include <ctype.h>
#include <stdint.h>
#include <string.h>

// ---- signs

typedef struct Sign {
    const char *spelling;
    char sign;
    bool certain; // it occurs in no other kind of formula
} Sign;

static const Sign signs[] = {
    {"\\land", '&', true},           {"\\lor", '|', true},    {"\\neg", '!', true},        {"\\supset", '>', true},
    {"\\implies", '>', false},       {"\\to", '>', false},    {"\\iff", '=', true},        {"\\equiv", '=', false},
    {"\\leftrightarrow", '=', true}, {"\\bullet", '&', true}, {"\\cap", '&', true},        {"\\cup", '|', true},
    {"\\setminus", '-', true},       {"\\forall", '#', true}, {"\\exists", '@', true},     {"\\sim", '!', true},
    {"\\cdot", '&', false},          {"&", '&', true},        {"\\complement", '!', true},
};

static const Sign *sign_at(const char *at)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t n = strlen(signs[i].spelling);
        if (strncmp(at, signs[i].spelling, n) == 0 && !(signs[i].spelling[0] == '\\' && isalpha((unsigned char)at[n])))
            return &signs[i];
    }
    return NULL;
}

static bool put(Logic *l, char sign)
{
    if (l->count == LOGIC_SIGNS)
        return false;
    l->signs[l->count++] = sign;
    l->signs[l->count] = 0;
    return true;
}

// A letter v alone, with space around it, is the sign for "or" as typewriters write it.
static bool is_typed_or(const char *begin, const char *at)
{
    return *at == 'v' && at > begin && at[-1] == ' ' && at[1] == ' ';
}

bool logic_read(Logic *l, Text s)
{
    char text[4 * LOGIC_SIGNS];
    int certain = 0, others = 0;
    l->count = 0;
    if (s.size >= sizeof text)
        return false;
    memcpy(text, s.data, s.size);
    text[s.size] = 0;
    for (const char *at = text; *at != 0;) {
        const Sign *sign = sign_at(at);
        char c = *at;
        if (sign != NULL) {
            certain += sign->certain;
            others += !sign->certain;
            at += strlen(sign->spelling);
            TRY(put(l, sign->sign));
            continue;
        }
        at++;
        if (c == ' ')
            continue;
        bool letter = isalpha((unsigned char)c) != 0;
        if (is_typed_or(text, at - 1))
            TRY(put(l, '|'));
        else if (letter || c == '\'')
            TRY(put(l, c));
        else if (strchr("([{", c) != NULL || strchr(")]}", c) != NULL)
            TRY(put(l, strchr("([{", c) != NULL ? '(' : ')'));
        else
            return false;
    }
    return certain > 0 || (others == 1 && l->count == 3); // p \to q
}

// ---- truth tables: 256 rows, numbered by the letters' values; four words of 64 bits

enum { LETTERS_MOST = 8, WORDS = 4, NEST_MOST = 64 };

typedef struct Column {
    uint64_t words[WORDS];
} Column;

typedef struct Evaluator {
    const char *at;
    const char *letters; // a letter's index is its bit
    int depth;
    bool bad;
} Evaluator;

static Column column_of(int letter)
{
    static const uint64_t patterns[] = {0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0,
                                        0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000, 0xFFFFFFFF00000000};
    Column c;
    for (int w = 0; w < WORDS; w++)
        c.words[w] = letter < 6 ? patterns[letter] : (w >> (letter - 6) & 1) != 0 ? UINT64_MAX : 0;
    return c;
}

static Column combined(char sign, Column a, Column b)
{
    for (int w = 0; w < WORDS; w++) {
        uint64_t x = a.words[w], y = b.words[w];
        a.words[w] = sign == '&' ? x & y : sign == '|' ? x | y : sign == '-' ? x & ~y : sign == '>' ? ~x | y : ~(x ^ y);
    }
    return a;
}

static Column negated(Column a)
{
    for (int w = 0; w < WORDS; w++)
        a.words[w] = ~a.words[w];
    return a;
}

static Column evaluate(Evaluator *e);

static Column evaluate_atom(Evaluator *e)
{
    Column c = {{0}};
    if (*e->at == '!') {
        e->at++;
        return negated(evaluate_atom(e));
    }
    if (*e->at == '(') {
        e->at++;
        c = evaluate(e);
        e->bad = e->bad || *e->at != ')';
    } else if (isalpha((unsigned char)*e->at) && strchr(e->letters, *e->at) != NULL)
        c = column_of((int)(strchr(e->letters, *e->at) - e->letters));
    else
        e->bad = true;
    e->at += *e->at != 0;
    while (*e->at == '\'') { // a complement
        e->at++;
        c = negated(c);
    }
    return c;
}

// Without brackets only one sign, or repetitions of & or of |, are unambiguous.
static Column evaluate(Evaluator *e)
{
    if (++e->depth > NEST_MOST) {
        e->bad = true;
        return (Column){{0}};
    }
    Column c = evaluate_atom(e);
    char first = *e->at;
    for (int n = 0; !e->bad && *e->at != 0 && strchr("&|-=>", *e->at) != NULL; n++) {
        char sign = *e->at++;
        e->bad = n > 0 && (sign != first || (sign != '&' && sign != '|'));
        c = combined(sign, c, evaluate_atom(e));
    }
    e->depth--;
    return c;
}

static int letters_of(char out[LETTERS_MOST + 2], const Logic *a, const Logic *b)
{
    int n = 0;
    for (int i = 0; i < a->count + b->count; i++) {
        char c = i < a->count ? a->signs[i] : b->signs[i - a->count];
        if (isalpha((unsigned char)c) && memchr(out, c, (size_t)n) == NULL && n <= LETTERS_MOST)
            out[n++] = c;
    }
    out[n] = 0;
    return n;
}

static bool table_of(Column *table, const Logic *l, const char *letters)
{
    for (int i = 0; i + 1 < l->count; i++)
        if (isalpha((unsigned char)l->signs[i]) && isalpha((unsigned char)l->signs[i + 1]))
            return false; // of individuals: Fx
    Evaluator e = {.at = l->signs, .letters = letters};
    *table = evaluate(&e);
    return !e.bad && *e.at == 0;
}

Verdict logic_compare(const Logic *a, const Logic *b)
{
    char letters[LETTERS_MOST + 2];
    Column x, y;
    if (a->count == b->count && memcmp(a->signs, b->signs, (size_t)a->count) == 0)
        return VERDICT_EQUAL;
    if (letters_of(letters, a, b) > LETTERS_MOST || !table_of(&x, a, letters) || !table_of(&y, b, letters))
        return VERDICT_UNKNOWN;
    return memcmp(&x, &y, sizeof x) == 0 ? VERDICT_EQUAL : VERDICT_DIFFERENT;
}
