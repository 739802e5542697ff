// Numbers with units: which tokens after a value are one, and amounts of money, whose unit comes first.
#include "answers/formula/parser.h"
#include "answers/units/units.h"
#include "answers/formula/value.h"
#include <ctype.h>
#include <string.h>

enum { EXPONENT_MOST = 6 }; // of a dimension

// ---- where a unit begins and ends

static bool has_number(const Node *n)
{
    if (n->kind == NODE_NUMBER)
        return true;
    EACH_CHILD (c, n)
        if (has_number(c))
            return true;
    return false;
}

static bool has_quantity(const Node *n)
{
    if (n->kind == NODE_QUANTITY || n->kind == NODE_MATRIX || n->kind == NODE_BRACKET || n->kind == NODE_LIST ||
        n->kind == NODE_SET)
        return true;
    EACH_CHILD (c, n)
        if (has_quantity(c))
            return true;
    return false;
}

static bool is_unit_word(const Token *t)
{
    static const char *const none[] = {"and", "or", "AND",   "OR", "And", "Or",        "U",         "x", "pi",
                                       "e",   "i",  "where", "if", "for", "repeating", "Repeating", NULL};
    static const char *const commands[] = {"Omega", "mu", "AA", "$", NULL};
    if (t->kind == LEX_COMMAND)
        return one_of(t->span, commands);
    bool minutes = text_is(t->span, "min") && t[1].sign != '(';
    return t->kind == LEX_TEXT ? !one_of(t->span, none)
                               : t->kind == LEX_NAME && !one_of(t->span, none) && (minutes || !is_function(t->span));
}

static const Token *behind_group(const Token *t) // t is an opening brace or bracket; NULL: it does not end
{
    char open = t->sign, close = open == '{' ? '}' : ')';
    for (int depth = 0; t->kind != LEX_END; t++) {
        depth += t->sign == open;
        depth -= t->sign == close;
        if (depth == 0)
            return t + 1;
    }
    return NULL;
}

static const Token *behind_exponent(const Token *t) // t is ^
{
    t++;
    if (t->sign == '{' || t->sign == '(')
        return behind_group(t);
    t += t->sign == '-' || t->sign == '+';
    return t->kind == LEX_NUMBER ? t + 1 : NULL;
}

static bool is_product_sign(const Token *t)
{
    return t->sign == '/' || t->sign == '*' ||
           (t->kind == LEX_COMMAND &&
            (text_is(t->span, "cdot") || text_is(t->span, "times") || text_is(t->span, "bullet")));
}

static bool is_hyphen(const Token *t) // ft-lb
{
    return t->sign == '-' && !t->spaced && is_unit_word(t + 1) && !t[1].spaced && t[1].kind == LEX_NAME &&
           t[1].span.size > 1;
}

// One factor: a word with its parts, or a bracket of factors; NULL: none.
static const Token *behind_unit_factor(const Token *t)
{
    if (t->sign == '(')
        return is_unit_word(t + 1) ? behind_group(t) : NULL;
    if (t->sign == '^' && t[1].kind == LEX_COMMAND && text_is(t[1].span, "circ")) // of a temperature
        return is_unit_word(t + 2) ? t + 3 : NULL;
    if (t->sign == '{' && is_unit_word(t + 1))
        return behind_group(t);
    if (!is_unit_word(t))
        return NULL;
    t++;
    if (t->kind == LEX_NUMBER && !t->spaced && t[-1].kind == LEX_NAME) // dm3
        return t + 1;
    return t->sign == '^' ? behind_exponent(t) : t;
}

// From t as far as units go; t itself: no unit.
static const Token *unit_run(const Token *t)
{
    const Token *begin = t, *end = behind_unit_factor(t);
    while (end != NULL) {
        t = end;
        bool sign = is_product_sign(t) || is_hyphen(t);
        if (t->sign == '(' && !sign)
            return t;
        end = behind_unit_factor(t + sign);
    }
    return t == begin ? begin : t;
}

static Text span_of(const Token *begin, const Token *end)
{
    const Token *last = end - 1;
    const char *from = begin->span.data, *to = last->span.data + last->span.size;
    if (begin->kind == LEX_COMMAND)
        from--;                                              // its backslash
    if (begin->kind == LEX_TEXT || last->kind == LEX_TEXT) { // \text{...}: include the command and the brace
        while (begin->kind == LEX_TEXT && *from != '\\')
            from--;
        while (last->kind == LEX_TEXT && *to != '}')
            to++;
        to += last->kind == LEX_TEXT;
    }
    return text_between(from, to);
}

// ---- units that may also be symbols

static bool is_letter_token(const Token *t) { return t->kind == LEX_NAME && t->span.size == 1; }

// 5 m, but not 5m; N m and the like are units of letters alone, 2 g h is not.
static bool letters_are_units(const Token *begin, const Token *end, bool *ambiguous)
{
    static const char *const pairs[] = {"Nm", "Js", "Wh", "Ah", "As", "Vs", "Cm", "Tm", "VA", NULL};
    static const char *const lengths[] = {"m", "mm", "cm", "dm", "km", "nm", "um", "ft", "in", "yd", "mi", NULL};
    int letters = 0, others = 0;
    char two[2] = {0};
    bool power = begin->kind == LEX_NAME && !begin->spaced && begin[1].sign == '^' && behind_exponent(begin + 1) == end;
    *ambiguous = begin->kind == LEX_NAME && !begin->spaced && begin->span.size <= 3;
    if (power && !one_of(begin->span, lengths)) // 5cm^2, but not 5au^2
        return false;
    for (const Token *t = begin; t < end; t++) {
        if (is_letter_token(t) && letters < 2)
            two[letters] = *t->span.data;
        letters += is_letter_token(t);
        others += !is_letter_token(t);
    }
    *ambiguous = *ambiguous || (letters > 0 && begin->kind == LEX_NAME);
    bool touches = is_letter_token(begin) && !begin->spaced; // 9.8m/s^2 and 30m^2, but not 3s
    if (letters == 0 || others > 0)
        return !touches || letters > 1 || text_is(begin->span, "m");
    if (!begin->spaced)
        return false;
    return letters == 1 || (letters == 2 && one_of((Text){two, 2}, pairs));
}

static bool unit_here(const Parser *p, const Token **end, bool *ambiguous)
{
    const Token *begin = token(p);
    *end = unit_run(begin);
    Unit unit;
    bool foreign = begin->kind == LEX_NAME && (unsigned char)*begin->span.data >= 0x80; // where words are not set apart
    if (*end != begin && foreign)
        return true;
    if (*end == begin || !letters_are_units(begin, *end, ambiguous) || !unit_read(&unit, span_of(begin, *end)))
        return false;
    for (int i = 0; i < DIMENSIONS; i++)
        if (unit.exponents[i] > EXPONENT_MOST || unit.exponents[i] < -EXPONENT_MOST)
            return false; // kw^5 is a product of symbols
    // unknown words are separate from the number, and are words
    return unit.words_count == 0 || ((begin->spaced || begin->kind == LEX_TEXT) && begin->span.size > 1);
}

bool at_unit(const Parser *p, const Node *value)
{
    const Token *end;
    bool ambiguous;
    return !p->f->no_units && value->kind != NODE_DEGREE && value->kind != NODE_PERCENT &&
           (is_unit_word(token(p)) || at_sign(p, '^') || at_sign(p, '{')) && has_number(value) &&
           !has_quantity(value) && !has_symbols(value) && unit_here(p, &end, &ambiguous);
}

Node *parse_quantity(Parser *p, Node *value)
{
    const Token *begin = token(p), *end;
    bool ambiguous = false;
    unit_here(p, &end, &ambiguous);
    p->f->ambiguous_units = p->f->ambiguous_units || ambiguous;
    Node *n = node_of(p, NODE_QUANTITY, value, NULL);
    if (n != NULL)
        n->name = span_of(begin, end);
    p->at += (int)(end - begin);
    return n;
}

// ---- money, and large numbers

bool take_scale(Parser *p, int *exponent)
{
    static const struct {
        const char *name;
        int exponent;
    } scales[] = {{"hundred", 2}, {"thousand", 3}, {"million", 6}, {"billion", 9}, {"trillion", 12}};
    const Token *t = token(p);
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if ((t->kind == LEX_NAME || t->kind == LEX_TEXT) && text_is(t->span, scales[i].name)) {
            *exponent = scales[i].exponent;
            p->at++;
            return true;
        }
    return false;
}

Node *parse_currency(Parser *p, Text unit)
{
    Node *value = token(p)->kind == LEX_NUMBER || at_command(p, "frac") ? in_depth(p, parse_power) : NULL;
    Node *n = value == NULL ? NULL : node_of(p, NODE_QUANTITY, value, NULL);
    if (n != NULL)
        n->name = unit;
    return n;
}
