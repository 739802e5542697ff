// Formulas are read in two steps: marks and wrappings become tokens, tokens become terms. What a term says is its structure, written in one
// way, and the atoms that it has.
#include "answers/chemical.h"
#include "base/text.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MOST = 300, TOKENS_MOST = 128, NUMBER_MOST = 999, DEPTH_MOST = 4, BRACES_MOST = 12, ELECTRON = 0, DEUTERIUM = 119, TRITIUM = 120, NEUTRON = 121 };

static const char *const ELEMENTS[] = {
    "e",  "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si", "P",  "S",  "Cl", "Ar", "K",  "Ca",
    "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",  "Zr", "Nb",
    "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm",
    "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W",  "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi",
    "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf",
    "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og", "D",  "T",
    "n",
};
enum { ELEMENT_COUNT = sizeof ELEMENTS / sizeof *ELEMENTS };

// ---- tokens

typedef enum TokenKind {
    TOKEN_ELEMENT, TOKEN_NUMBER, TOKEN_CHARGE, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_DOT, TOKEN_SIGN, TOKEN_SLASH, TOKEN_BOND, TOKEN_EQUALS,
    TOKEN_ARROW, TOKEN_STATE, TOKEN_SPACE, TOKEN_END
} TokenKind;

typedef struct Token {
    TokenKind kind;
    int value; // of an element, a number, a charge, a sign (1, -1), a state or a bond (its letter)
    char mark; // of a number: '_', '^', or 0 where none is given; of a charge: '-' where its sign comes first, as that of an inverse
} Token;

typedef struct Reader {
    const char *at, *end;
    Token tokens[TOKENS_MOST + 1];
    int count, next;
    int braces[BRACES_MOST], depth; // what they close: see BRACE_...
    bool declared;                  // \ce
} Reader;

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

// Of texts, ended by NULL: which one is next, and is taken; -1: none
static int take_one_of(Reader *r, const char *const *texts)
{
    for (int i = 0; texts[i] != NULL; i++)
        if (take(r, texts[i]))
            return i;
    return -1;
}

static bool add(Reader *r, TokenKind kind, int value, char mark)
{
    if (r->count == TOKENS_MOST)
        return false;
    r->tokens[r->count++] = (Token){kind, value, mark};
    return true;
}

static char peek(const Reader *r) { return r->at < r->end ? *r->at : 0; }

static void skip_spaces(Reader *r)
{
    while (isspace((unsigned char)peek(r)))
        r->at++;
}

static bool take_wrapping(Reader *r)
{
    static const char *const wrappings[] = {"\\text", "\\mathrm", "\\textrm", "\\mbox", "\\rm", "\\operatorname", "\\mathsf",
                                            "\\mathbf", "\\textbf", "\\left", "\\right", "\\bf", "\\displaystyle", NULL};
    return take_one_of(r, wrappings) >= 0;
}

static int digit_of(Reader *r, char *mark) // in any of three heights
{
    static const char *const above[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹", NULL};
    static const char *const below[] = {"₀", "₁", "₂", "₃", "₄", "₅", "₆", "₇", "₈", "₉", NULL};
    *mark = 0;
    if (isdigit((unsigned char)peek(r)))
        return *r->at++ - '0';
    if ((unsigned char)peek(r) < 0x80)
        return -1;
    int digit = take_one_of(r, below);
    *mark = digit >= 0 ? '_' : '^';
    return digit >= 0 ? digit : take_one_of(r, above);
}

static int take_number(Reader *r, char *mark) // -1: there is none, or it is too large
{
    int value = digit_of(r, mark);
    if (value < 0)
        return -1;
    for (;;) {
        const char *begin = r->at;
        char other;
        int digit = digit_of(r, &other);
        if (digit < 0 || other != *mark) {
            r->at = begin;
            return value;
        }
        value = 10 * value + digit;
        if (value > NUMBER_MOST)
            return -1;
    }
}

static int take_sign(Reader *r) // 0: none
{
    static const char *const signs[] = {"+", "-", "−", "–", "⁺", "⁻", NULL};
    int i = take_one_of(r, signs);
    return i < 0 ? 0 : i == 0 || i == 4 ? 1 : -1;
}

static bool take_raised_sign(Reader *r, int *sign)
{
    *sign = take(r, "⁺") ? 1 : take(r, "⁻") ? -1 : 0;
    return *sign != 0;
}

// A number, a charge or a state behind ^ or _.
static bool read_raised(Reader *r, char mark)
{
    skip_spaces(r);
    int depth = 0;
    while (take_wrapping(r) || take(r, "{"))
        depth += r->at[-1] == '{';
    skip_spaces(r);
    int sign = take_sign(r), repeats = sign != 0;
    while (sign != 0 && mark == '^' && take_sign(r) == sign) // ^{++}
        repeats++;
    char height;
    bool digits = isdigit((unsigned char)peek(r)), first = sign != 0 && digits; // ^{-2}
    int value = digits ? take_number(r, &height) : 0;
    if (value < 0)
        return false;
    if (sign == 0 && mark == '^' && digits)
        sign = take_sign(r); // ^{2+}, and ^2+ as well
    bool ok = false;
    if (!digits && sign == 0 && mark == '_') {
        static const char *const states[] = {"(s)", "(l)", "(g)", "(aq)", "aq", "s", "l", "g", NULL};
        int state = take_one_of(r, states);
        ok = state >= 0 && add(r, TOKEN_STATE, "slgaaslg"[state], 0);
    } else if (mark == '^' && sign != 0) {
        ok = (repeats <= 1 || !digits) && add(r, TOKEN_CHARGE, sign * (digits ? value : repeats), first ? '-' : 0);
    } else {
        ok = digits && add(r, TOKEN_NUMBER, sign < 0 ? -value : value, mark);
    }
    for (; ok && depth > 0; depth--) {
        skip_spaces(r);
        ok = take(r, "}");
    }
    return ok;
}

static bool read_element(Reader *r)
{
    char symbol[3] = {*r->at++, 0, 0};
    if (islower((unsigned char)peek(r)))
        symbol[1] = *r->at++;
    for (int i = 1; i < NEUTRON; i++)
        if (strcmp(symbol, ELEMENTS[i]) == 0)
            return add(r, TOKEN_ELEMENT, i, 0);
    return false;
}

static bool skip_braces(Reader *r) // what stands above an arrow
{
    for (char close = take(r, "[") ? ']' : take(r, "{") ? '}' : 0; close != 0; close = take(r, "[") ? ']' : take(r, "{") ? '}' : 0) {
        const char *end = memchr(r->at, close, (size_t)(r->end - r->at));
        if (end == NULL)
            return false;
        r->at = end + 1;
    }
    return true;
}

static bool read_arrow(Reader *r, bool *found)
{
    static const char *const arrows[] = {
        "<-->", "<=>", "<->", "-->", "->", "=>", "→", "⟶", "⇌", "⇄", "⟷", "↔", "\\to", "\\rightarrow", "\\longrightarrow",
        "\\rightleftharpoons", "\\leftrightarrow", "\\leftrightharpoons", "\\rightleftarrows", "\\Rightarrow", "\\xrightarrow",
        "\\xrightleftharpoons", NULL};
    *found = take_one_of(r, arrows) >= 0;
    return !*found || (skip_braces(r) && add(r, TOKEN_ARROW, 0, 0));
}

static bool take_space(Reader *r)
{
    static const char *const spaces[] = {"\\,", "\\;", "\\:", "\\!", "\\ ", "~", "\\quad", "\\qquad", "\xc2\xa0", "\xe2\x80\x89", "\xe2\x80\xaf", NULL};
    if (isspace((unsigned char)peek(r)))
        return r->at++, true;
    return take_one_of(r, spaces) >= 0;
}

static bool read_half(Reader *r, bool *found)
{
    static const char *const halves[] = {"½", "\\frac12", "\\frac{1}{2}", "\\tfrac12", "\\tfrac{1}{2}", "\\dfrac{1}{2}", "\\dfrac12", NULL};
    *found = take_one_of(r, halves) >= 0;
    return !*found || (add(r, TOKEN_NUMBER, 1, 0) && add(r, TOKEN_SLASH, 0, 0) && add(r, TOKEN_NUMBER, 2, 0));
}

static bool read_fraction(Reader *r) // \frac has been taken
{
    char mark;
    int above = take(r, "{") ? take_number(r, &mark) : -1;
    int below = above > 0 && take(r, "}") && take(r, "{") ? take_number(r, &mark) : -1;
    return below > 0 && take(r, "}") && add(r, TOKEN_NUMBER, above, 0) && add(r, TOKEN_SLASH, 0, 0) && add(r, TOKEN_NUMBER, below, 0);
}

static bool read_symbol(Reader *r)
{
    static const char *const dots[] = {"\\cdot", "·", "⋅", "•", "∙", "*", "\\bullet", ".", NULL};
    static const char *const triples[] = {"≡", "\\equiv", "#", NULL};
    bool found;
    int sign;
    TRY(read_half(r, &found));
    if (found)
        return true;
    if (take(r, "\\frac") || take(r, "\\tfrac") || take(r, "\\dfrac"))
        return read_fraction(r);
    if (take_one_of(r, dots) >= 0)
        return add(r, TOKEN_DOT, 0, 0);
    if (take_one_of(r, triples) >= 0)
        return add(r, TOKEN_BOND, '#', 0);
    if (take_raised_sign(r, &sign))
        return add(r, TOKEN_CHARGE, sign, 0);
    sign = take_sign(r);
    if (sign != 0)
        return add(r, TOKEN_SIGN, sign, 0);
    return take(r, "=") && add(r, TOKEN_EQUALS, 0, 0);
}

static bool read_digits(Reader *r, bool *found)
{
    char mark;
    const char *begin = r->at;
    int value = take_number(r, &mark), sign = 0;
    *found = r->at > begin;
    if (!*found)
        return true;
    if (value >= 0 && mark == '^' && take_raised_sign(r, &sign)) // ²⁺
        return add(r, TOKEN_CHARGE, sign * value, 0);
    return value >= 0 && add(r, TOKEN_NUMBER, value, mark);
}

static bool read_plain(Reader *r) // letters, brackets and what holds them
{
    static const char *const states[] = {"(s)", "(l)", "(g)", "(aq)", NULL};
    bool found;
    int state = take_one_of(r, states);
    if (state >= 0)
        return add(r, TOKEN_STATE, "slga"[state], 0);
    if (isupper((unsigned char)*r->at))
        return read_element(r);
    if (take(r, "e"))
        return add(r, TOKEN_ELEMENT, ELECTRON, 0);
    if (take(r, "n"))
        return add(r, TOKEN_ELEMENT, NEUTRON, 0);
    if (take(r, "(") || take(r, "["))
        return add(r, TOKEN_OPEN, 0, 0);
    if (take(r, ")") || take(r, "]"))
        return add(r, TOKEN_CLOSE, 0, 0);
    if (take(r, "/"))
        return add(r, TOKEN_SLASH, 0, 0);
    TRY(read_digits(r, &found));
    return found || read_symbol(r);
}

static bool read_token(Reader *r)
{
    bool found;
    if (take_space(r))
        return r->count == 0 || r->tokens[r->count - 1].kind == TOKEN_SPACE || add(r, TOKEN_SPACE, 0, 0);
    TRY(read_arrow(r, &found));
    if (found)
        return true;
    if (take(r, "\\ce")) {
        r->declared = true;
        return peek(r) == '{';
    }
    if (take_wrapping(r))
        return true;
    if (take(r, "{"))
        return r->depth++ < BRACES_MOST;
    if (take(r, "}"))
        return r->depth-- > 0;
    if (take(r, "^"))
        return read_raised(r, '^');
    if (take(r, "_"))
        return read_raised(r, '_');
    return read_plain(r);
}

// ---- species

typedef struct Builder {
    Reader *reader;
    Species *species;
    size_t used;
    bool split;     // a digit before a sign without marks is the charge: Fe2+
    bool ambiguous; // there was one
    int isotopes;
    int counts[ELEMENT_COUNT];
} Builder;

static bool write_text(Builder *b, const char *text)
{
    size_t size = strlen(text);
    if (b->used + size >= CHEMICAL_BYTES)
        return false;
    memcpy(b->species->structure + b->used, text, size + 1);
    b->used += size;
    return true;
}

static bool write_count(Builder *b, int count)
{
    char text[16];
    if (count == 1)
        return true;
    snprintf(text, sizeof text, "%d", count);
    return write_text(b, text);
}

static const Token *token_at(const Builder *b) { return &b->reader->tokens[b->reader->next]; }
static bool next_is(const Builder *b, TokenKind kind) { return token_at(b)->kind == kind; }

// A sign that ends a term is its charge; between terms it joins them.
static bool sign_is_charge(const Token *sign)
{
    switch (sign[1].kind) {
    case TOKEN_SPACE:
    case TOKEN_END:
    case TOKEN_ARROW:
    case TOKEN_EQUALS:
    case TOKEN_STATE:
        return true;
    case TOKEN_SIGN:
        return sign->value > 0 || sign[1].value > 0;
    default:
        return false;
    }
}

// The index behind an atom or a bracket. Digits before a final sign may belong to it: SO42-, Fe2+.
static bool take_index(Builder *b, int *count)
{
    const Token *token = token_at(b);
    *count = 1;
    if (token->kind != TOKEN_NUMBER || token->mark == '^')
        return true;
    b->reader->next++;
    *count = token->value;
    if (token->mark == 0 && token[1].kind == TOKEN_SIGN && sign_is_charge(token + 1)) {
        b->ambiguous = true;
        if (b->split) {
            b->species->charge = token[1].value * (token->value % 10);
            *count = token->value < 10 ? 1 : token->value / 10;
            b->reader->next++;
            return token->value % 10 > 0;
        }
    }
    return *count > 0;
}

static bool count_atoms(Builder *b, int element, int count)
{
    b->counts[element] += count;
    return b->counts[element] < 1000000;
}

enum { NO_NUMBER = -2 };

// ^{14}C, {}^{14}_6C, and _6^{14}C: mass and atomic number, which must be the element's.
static bool read_isotope(Builder *b, int *mass, int *number)
{
    *mass = 0;
    *number = NO_NUMBER;
    for (const Token *token = token_at(b); token->kind == TOKEN_NUMBER && token->mark != 0; token = token_at(b)) {
        if (token->mark == '^')
            *mass = token->value;
        else
            *number = token->value;
        b->reader->next++;
    }
    return *mass >= 0;
}

// ^0_{-1}e says its charge by its number, and D and T are hydrogen.
static bool number_fits(Builder *b, int element, int mass, int number)
{
    int own = element == DEUTERIUM || element == TRITIUM ? 1 : element == NEUTRON ? 0 : element;
    if (element == ELECTRON) {
        b->species->charge = abs(number) == 1 ? number : 0;
        return mass == 0;
    }
    return (number == NO_NUMBER || number == own) && (mass == 0 || (mass >= own && mass <= 3 * own + 1));
}

static bool read_atom(Builder *b, int multiplier)
{
    int mass, number, count;
    char text[16];
    TRY(read_isotope(b, &mass, &number));
    const Token *token = token_at(b);
    if (token->kind != TOKEN_ELEMENT || !number_fits(b, token->value, mass, number))
        return false;
    b->reader->next++;
    if (mass == 0 && token[1].kind == TOKEN_SIGN && token[1].value < 0 && token[2].kind == TOKEN_NUMBER && token[2].mark == 0) {
        mass = token[2].value; // C-14
        b->reader->next += 2;
        TRY(number_fits(b, token->value, mass, NO_NUMBER));
    }
    if (mass > 0) {
        snprintf(text, sizeof text, "[%d]", mass);
        TRY(write_text(b, text));
        b->isotopes++;
        b->species->mass = mass;
    }
    TRY(write_text(b, ELEMENTS[token->value]) && take_index(b, &count) && write_count(b, count));
    return count_atoms(b, token->value, count * multiplier);
}

static bool read_atoms(Builder *b, int multiplier, int depth);

static bool roman_number(const Token *token) // Fe(III): names, not atoms
{
    enum { VANADIUM = 23, IODINE = 53 };
    int letters = 0;
    for (; token->kind == TOKEN_ELEMENT && (token->value == VANADIUM || token->value == IODINE); token++)
        letters++;
    return letters > 0 && token->kind == TOKEN_CLOSE;
}

// What the bracket holds is counted once its index is known: it is read twice, first to find its end.
static bool read_bracket(Builder *b, int multiplier, int depth)
{
    Builder probe = *b;
    Species scratch = *b->species;
    Reader reader = *b->reader;
    int count;
    probe.species = &scratch;
    probe.reader = &reader;
    reader.next++;
    if (depth == DEPTH_MOST || roman_number(&reader.tokens[reader.next]) || !read_atoms(&probe, 1, depth + 1) || !next_is(&probe, TOKEN_CLOSE))
        return false;
    reader.next++;
    TRY(take_index(&probe, &count) && count * multiplier <= NUMBER_MOST);
    b->reader->next++;
    TRY(write_text(b, "(") && read_atoms(b, multiplier * count, depth + 1) && write_text(b, ")"));
    b->reader->next++;
    return take_index(b, &count) && write_count(b, count);
}

static bool index_before_space(const Token *space) { return space[-1].kind == TOKEN_NUMBER && space[-1].mark == '_'; }

static bool starts_atom(const Token *token)
{
    return token->kind == TOKEN_ELEMENT || token->kind == TOKEN_OPEN ||
           (token->kind == TOKEN_NUMBER && token->mark != 0 && (token[1].kind == TOKEN_ELEMENT || token[1].kind == TOKEN_NUMBER));
}

static bool read_bond(Builder *b)
{
    const Token *token = token_at(b);
    bool single = token->kind == TOKEN_SIGN && token->value < 0;
    bool other = token->kind == TOKEN_BOND || token->kind == TOKEN_EQUALS;
    if (!(single || other) || !starts_atom(token + 1) || token[1].kind == TOKEN_NUMBER)
        return true; // it is none
    b->reader->next++;
    return single || write_text(b, token->kind == TOKEN_BOND ? "#" : "=");
}

static bool read_crystal(Builder *b) // .5H2O
{
    int count = 1;
    b->reader->next++;
    b->reader->next += next_is(b, TOKEN_SPACE);
    if (next_is(b, TOKEN_NUMBER) && token_at(b)->mark == 0) {
        count = token_at(b)->value;
        b->reader->next++;
        b->reader->next += next_is(b, TOKEN_SPACE);
    }
    return count > 0 && write_text(b, ".") && write_count(b, count) && read_atoms(b, count, 1);
}

static bool read_atoms(Builder *b, int multiplier, int depth)
{
    int atoms = 0;
    for (;; atoms++) {
        const Token *token = token_at(b);
        if (atoms > 0 && token->kind == TOKEN_SPACE && index_before_space(token) && starts_atom(token + 1))
            b->reader->next++;
        else if (atoms > 0)
            TRY(read_bond(b));
        token = token_at(b);
        if (!starts_atom(token))
            break;
        TRY(token->kind == TOKEN_OPEN ? read_bracket(b, multiplier, depth) : read_atom(b, multiplier));
    }
    if (atoms == 0 || depth > 0)
        return atoms > 0;
    b->reader->next += token_at(b)[0].kind == TOKEN_SPACE && token_at(b)[1].kind == TOKEN_DOT;
    return !next_is(b, TOKEN_DOT) || read_crystal(b);
}

static bool read_charge(Builder *b)
{
    const Token *token = token_at(b);
    if (token->kind == TOKEN_CHARGE || (token->kind == TOKEN_SIGN && sign_is_charge(token))) {
        if (b->species->charge != 0)
            return false;
        b->species->charge = token->value;
        b->reader->next++;
    }
    return true;
}

// [Cu(NH3)4]: brackets around everything say nothing
static void strip_brackets(Species *s)
{
    size_t size = strlen(s->structure);
    int depth = 0;
    if (size < 2 || s->structure[0] != '(' || s->structure[size - 1] != ')')
        return;
    for (size_t i = 0; i + 1 < size; i++) {
        depth += (s->structure[i] == '(') - (s->structure[i] == ')');
        if (depth == 0)
            return;
    }
    memmove(s->structure, s->structure + 1, size - 2);
    s->structure[size - 2] = 0;
}

static bool settle(Builder *b)
{
    Species *s = b->species;
    for (int i = 0; i < ELEMENT_COUNT; i++) {
        if (b->counts[i] == 0)
            continue;
        if (s->elements_count == CHEMICAL_ELEMENTS)
            return false;
        s->elements[s->elements_count].element = i;
        s->elements[s->elements_count++].count = b->counts[i];
    }
    if (b->isotopes != 1)
        s->mass = 0;
    strip_brackets(s);
    if (b->counts[ELECTRON] > 0)
        return strcmp(s->structure, "e") == 0 && abs(s->charge) == 1;
    return b->counts[NEUTRON] == 0 || strcmp(s->structure, "[1]n") == 0;
}

static bool read_species(Reader *r, Species *species, bool split, bool *ambiguous)
{
    Builder b = {.reader = r, .species = species, .split = split};
    memset(species, 0, sizeof *species);
    TRY(read_atoms(&b, 1, 0) && read_charge(&b) && settle(&b));
    *ambiguous = b.ambiguous;
    return true;
}

// ---- terms, sides, reactions

static void skip_space(Reader *r) { r->next += r->tokens[r->next].kind == TOKEN_SPACE; }

static bool read_coefficient(Reader *r, ChemicalTerm *term)
{
    const Token *token = &r->tokens[r->next];
    term->numerator = term->denominator = 1;
    if (token->kind != TOKEN_NUMBER || token->mark != 0)
        return true;
    term->numerator = token->value;
    r->next++;
    if (token[1].kind == TOKEN_SLASH && token[2].kind == TOKEN_NUMBER && token[2].mark == 0) {
        term->denominator = token[2].value;
        r->next += 2;
    }
    skip_space(r);
    return term->numerator > 0 && term->denominator > 0;
}

static bool read_term(Reader *r, ChemicalTerm *term)
{
    memset(term, 0, sizeof *term);
    TRY(read_coefficient(r, term));
    int begin = r->next, end;
    bool ambiguous;
    TRY(read_species(r, &term->species[0], false, &ambiguous));
    end = r->next;
    term->readings = 1;
    if (ambiguous) {
        r->next = begin;
        term->readings += read_species(r, &term->species[1], true, &ambiguous) && r->next == end;
        r->next = end;
    }
    const Token *token = &r->tokens[r->next];
    if (token->kind == TOKEN_SPACE && token[1].kind == TOKEN_STATE)
        token++, r->next++;
    if (token->kind == TOKEN_STATE) {
        term->state = (char)token->value;
        r->next++;
    }
    return true;
}

static bool read_side(Reader *r, Chemical *c, int *terms)
{
    for (;;) {
        int at = c->left + c->right;
        skip_space(r);
        if (at == CHEMICAL_TERMS || !read_term(r, &c->terms[at]))
            return false;
        ++*terms;
        skip_space(r);
        const Token *token = &r->tokens[r->next];
        if (token->kind != TOKEN_SIGN || token->value < 0)
            return true;
        r->next++;
    }
}

// ---- whether it is chemistry

static int letters_of(int element) { return ELEMENTS[element][1] != 0 ? 2 : 1; }

static bool holds(const Species *s, int element)
{
    for (int i = 0; i < s->elements_count; i++)
        if (s->elements[i].element == element)
            return true;
    return false;
}

// Several symbols of which one has two letters; or an index and H, O or F, which names of quantities seldom go with.
static bool surely_formula(const Species *s)
{
    enum { HYDROGEN = 1, OXYGEN = 8, FLUORINE = 9 };
    bool long_symbol = false, digit = strpbrk(s->structure, "23456789") != NULL, several = s->elements_count > 1;
    for (int i = 0; i < s->elements_count; i++)
        long_symbol |= letters_of(s->elements[i].element) == 2;
    if (long_symbol)
        return several || digit;
    return several && digit && (holds(s, HYDROGEN) || holds(s, OXYGEN) || holds(s, FLUORINE));
}

// Marks that nothing but chemistry has: a charge above, an isotope before, a state behind.
static bool surely_marked(const Reader *r)
{
    for (int i = 0; i < r->count; i++) {
        const Token *token = &r->tokens[i];
        bool behind = i > 0 && (token[-1].kind == TOKEN_ELEMENT || token[-1].kind == TOKEN_NUMBER || token[-1].kind == TOKEN_CLOSE);
        if ((token->kind == TOKEN_CHARGE && token->mark == 0) || token->kind == TOKEN_STATE)
            return true;
        if (token->kind == TOKEN_NUMBER && token->mark == '^' && !behind)
            return true;
    }
    return false;
}

static bool wrong_index(const Reader *r) // P_1 V_1 = P_2 V_2: nobody writes the index 1 in a formula
{
    for (int i = 1; i < r->count; i++)
        if (r->tokens[i].kind == TOKEN_NUMBER && r->tokens[i].mark == '_' && r->tokens[i].value == 1 && r->tokens[i - 1].kind == TOKEN_ELEMENT)
            return true;
    return false;
}

static bool surely_chemistry(const Reader *r, const Chemical *c)
{
    if (r->declared || surely_marked(r))
        return true;
    bool sure = false;
    for (int i = 0; i < c->left + c->right; i++) {
        const ChemicalTerm *term = &c->terms[i];
        const Species *s = &term->species[0];
        sure |= surely_formula(s);
        for (int j = 0; j < term->readings; j++) // Na+; but B+ is a mark
            sure |= term->species[j].charge != 0 && (s->elements_count > 1 || letters_of(s->elements[0].element) == 2);
    }
    return sure && !wrong_index(r);
}

// An = without spaces and other signs of a reaction is a double bond.
static bool arrow_of(const Token *token, bool joined)
{
    return token->kind == TOKEN_ARROW || (token->kind == TOKEN_EQUALS && (joined || token[-1].kind == TOKEN_SPACE));
}

static void arrows_of_equals(Reader *r)
{
    bool joined = false;
    for (int i = 1; i < r->count; i++) {
        const Token *token = &r->tokens[i];
        joined |= token->kind == TOKEN_SIGN && token->value > 0 && (token[-1].kind == TOKEN_SPACE || !sign_is_charge(token));
    }
    for (int i = 1; i < r->count; i++)
        if (arrow_of(&r->tokens[i], joined || (r->tokens[i + 1].kind == TOKEN_NUMBER && r->tokens[i + 1].mark == 0)))
            r->tokens[i].kind = TOKEN_ARROW;
}

bool chemical_read(Chemical *chemical, Text text)
{
    text = text_trimmed(text);
    if (text.size == 0 || text.size > TEXT_MOST)
        return false;
    Reader r = {.at = text.data, .end = text.data + text.size};
    while (r.at < r.end)
        TRY(read_token(&r));
    r.tokens[r.count].kind = TOKEN_END;
    TRY(r.depth == 0);
    arrows_of_equals(&r);
    memset(chemical, 0, sizeof *chemical);
    TRY(read_side(&r, chemical, &chemical->left));
    if (r.tokens[r.next].kind == TOKEN_ARROW) {
        r.next++;
        chemical->reaction = true;
        TRY(read_side(&r, chemical, &chemical->right));
    }
    chemical->certain = surely_chemistry(&r, chemical);
    return r.tokens[r.next].kind == TOKEN_END;
}

// ---- comparing

static Verdict compare_species(const Species *a, const Species *b)
{
    bool same = a->elements_count == b->elements_count && a->charge == b->charge;
    for (int i = 0; same && i < a->elements_count; i++)
        same = a->elements[i].element == b->elements[i].element && a->elements[i].count == b->elements[i].count;
    if (!same || (a->mass > 0 && b->mass > 0 && a->mass != b->mass))
        return VERDICT_DIFFERENT;
    return strcmp(a->structure, b->structure) == 0 ? VERDICT_EQUAL : VERDICT_UNKNOWN;
}

static Verdict compare_terms(const ChemicalTerm *a, const ChemicalTerm *b)
{
    Verdict best = VERDICT_DIFFERENT; // unless a reading says more: equal before unknown before different
    for (int i = 0; i < a->readings; i++)
        for (int j = 0; j < b->readings; j++) {
            Verdict v = compare_species(&a->species[i], &b->species[j]);
            if (v == VERDICT_EQUAL || (v == VERDICT_UNKNOWN && best == VERDICT_DIFFERENT))
                best = v;
        }
    bool states = a->state != 0 && b->state != 0 && a->state != b->state;
    return best == VERDICT_EQUAL && states ? VERDICT_UNKNOWN : best;
}

static bool same_coefficient(const ChemicalTerm *a, const ChemicalTerm *b)
{
    return (int64_t)a->numerator * b->denominator == (int64_t)b->numerator * a->denominator;
}

// Each term of one side has one of the other's.
static bool same_terms(const ChemicalTerm *a, const ChemicalTerm *b, int count)
{
    bool taken[CHEMICAL_TERMS] = {false};
    for (int i = 0; i < count; i++) {
        int j = 0;
        while (j < count && (taken[j] || !same_coefficient(&a[i], &b[j]) || compare_terms(&a[i], &b[j]) != VERDICT_EQUAL))
            j++;
        if (j == count)
            return false;
        taken[j] = true;
    }
    return true;
}

// All atoms of a side times the product of all denominators, and the charge. false: a term has several readings, or the numbers are large.
typedef struct Total {
    int64_t atoms[ELEMENT_COUNT + 1];
} Total;

static bool add_total(Total *total, const Chemical *c, int from, int count, int64_t denominators)
{
    for (int i = from; i < from + count; i++) {
        const ChemicalTerm *term = &c->terms[i];
        const Species *s = &term->species[0];
        int64_t times = denominators / term->denominator * term->numerator;
        if (term->readings > 1)
            return false;
        for (int j = 0; j < s->elements_count; j++)
            total->atoms[s->elements[j].element] += times * s->elements[j].count;
        total->atoms[ELEMENT_COUNT] += times * s->charge;
    }
    return true;
}

static bool totals(Total sides[2], const Chemical *c)
{
    int64_t denominators = 1;
    memset(sides, 0, 2 * sizeof *sides);
    for (int i = 0; i < c->left + c->right; i++) {
        denominators *= c->terms[i].denominator;
        if (denominators > 1000)
            return false;
    }
    return add_total(&sides[0], c, 0, c->left, denominators) && add_total(&sides[1], c, c->left, c->right, denominators);
}

// No factor makes one the other: coefficients may have a common one.
static bool surely_differ(const Chemical *a, const Chemical *b)
{
    Total x[2], y[2];
    if (!totals(x, a) || !totals(y, b))
        return false;
    int64_t p = 0, q = 0; // the ratio, of the first that is not 0
    for (int side = 0; side < 2; side++)
        for (int i = 0; i <= ELEMENT_COUNT; i++) {
            int64_t m = x[side].atoms[i], n = y[side].atoms[i];
            if (p == 0 && q == 0 && (m != 0 || n != 0))
                p = m, q = n;
            if ((__int128)m * q != (__int128)n * p || (m == 0) != (n == 0))
                return true;
        }
    return false;
}

Verdict chemical_compare(const Chemical *a, const Chemical *b)
{
    bool one = a->left == 1 && b->left == 1 && !a->reaction && !b->reaction, both = a->certain && b->certain;
    if ((!a->certain && !b->certain) || a->reaction != b->reaction)
        return VERDICT_UNKNOWN;
    if (a->left == b->left && a->right == b->right && same_terms(a->terms, b->terms, a->left) &&
        same_terms(a->terms + a->left, b->terms + b->left, a->right))
        return VERDICT_EQUAL;
    bool differ = one ? compare_terms(&a->terms[0], &b->terms[0]) == VERDICT_DIFFERENT : surely_differ(a, b);
    return both && differ ? VERDICT_DIFFERENT : VERDICT_UNKNOWN;
}
