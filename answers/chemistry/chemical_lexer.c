// Marks of LaTeX (mhchem too), Unicode and plain text become tokens.
#include "answers/chemistry/chemical_lexer.h"
#include "base/text.h"
#include <ctype.h>
#include <string.h>

enum { BRACES_MOST = 12 };

const char *const ELEMENTS[ELEMENT_COUNT] = {
    "e",  "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si", "P",  "S",  "Cl",
    "Ar", "K",  "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br",
    "Kr", "Rb", "Sr", "Y",  "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I",
    "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu",
    "Hf", "Ta", "W",  "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac",
    "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh",
    "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og", "D",  "T",  "n",
};

typedef struct Reader {
    ChemicalTokens *out;
    const char *at, *end;
    int depth; // of braces
} Reader;

static bool take(Reader *r, const char *text) { return text_take(&r->at, r->end, text); }

// Takes the first of the texts (NULL-terminated) that comes next; returns its index, -1: none
static int take_one_of(Reader *r, const char *const *texts)
{
    for (int i = 0; texts[i] != NULL; i++)
        if (take(r, texts[i]))
            return i;
    return -1;
}

static bool add(Reader *r, ChemicalTokenKind kind, int value, char mark)
{
    if (r->out->count == CHEMICAL_TOKENS_MOST)
        return false;
    r->out->tokens[r->out->count++] = (ChemicalToken){kind, value, mark};
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
    static const char *const wrappings[] = {"\\text",         "\\mathrm", "\\textrm",       "\\mbox",   "\\rm",
                                            "\\operatorname", "\\mathsf", "\\mathbf",       "\\textbf", "\\left",
                                            "\\right",        "\\bf",     "\\displaystyle", NULL};
    return take_one_of(r, wrappings) >= 0;
}

static int digit_of(Reader *r, char *mark) // normal, raised or lowered
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
        if (value > CHEMICAL_NUMBER_MOST)
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

// A number, a charge or a state after ^ or _.
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
        ok = digits && add(r, LEX_NUMBER, sign < 0 ? -value : value, mark);
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

static bool skip_braces(Reader *r) // the text above an arrow
{
    for (char close = take(r, "[")   ? ']'
                      : take(r, "{") ? '}'
                                     : 0;
         close != 0; close = take(r, "[")   ? ']'
                             : take(r, "{") ? '}'
                                            : 0) {
        const char *end = memchr(r->at, close, (size_t)(r->end - r->at));
        if (end == NULL)
            return false;
        r->at = end + 1;
    }
    return true;
}

static bool read_arrow(Reader *r, bool *found)
{
    static const char *const arrows[] = {"<-->",
                                         "<=>",
                                         "<->",
                                         "-->",
                                         "->",
                                         "=>",
                                         "→",
                                         "⟶",
                                         "⇌",
                                         "⇄",
                                         "⟷",
                                         "↔",
                                         "\\to",
                                         "\\rightarrow",
                                         "\\longrightarrow",
                                         "\\rightleftharpoons",
                                         "\\leftrightarrow",
                                         "\\leftrightharpoons",
                                         "\\rightleftarrows",
                                         "\\Rightarrow",
                                         "\\xrightarrow",
                                         "\\xrightleftharpoons",
                                         NULL};
    *found = take_one_of(r, arrows) >= 0;
    return !*found || (skip_braces(r) && add(r, TOKEN_ARROW, 0, 0));
}

static bool take_space(Reader *r)
{
    static const char *const spaces[] = {"\\,",    "\\;",     "\\:",      "\\!",          "\\ ",          "~",
                                         "\\quad", "\\qquad", "\xc2\xa0", "\xe2\x80\x89", "\xe2\x80\xaf", NULL};
    if (isspace((unsigned char)peek(r)))
        return r->at++, true;
    return take_one_of(r, spaces) >= 0;
}

static bool read_half(Reader *r, bool *found)
{
    static const char *const halves[] = {
        "½", "\\frac12", "\\frac{1}{2}", "\\tfrac12", "\\tfrac{1}{2}", "\\dfrac{1}{2}", "\\dfrac12", NULL};
    *found = take_one_of(r, halves) >= 0;
    return !*found || (add(r, LEX_NUMBER, 1, 0) && add(r, TOKEN_SLASH, 0, 0) && add(r, LEX_NUMBER, 2, 0));
}

static bool read_fraction(Reader *r) // \frac has been taken
{
    char mark;
    int above = take(r, "{") ? take_number(r, &mark) : -1;
    int below = above > 0 && take(r, "}") && take(r, "{") ? take_number(r, &mark) : -1;
    return below > 0 && take(r, "}") && add(r, LEX_NUMBER, above, 0) && add(r, TOKEN_SLASH, 0, 0) &&
           add(r, LEX_NUMBER, below, 0);
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
        return add(r, LEX_SIGN, sign, 0);
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
    return value >= 0 && add(r, LEX_NUMBER, value, mark);
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
        return r->out->count == 0 || r->out->tokens[r->out->count - 1].kind == TOKEN_SPACE || add(r, TOKEN_SPACE, 0, 0);
    TRY(read_arrow(r, &found));
    if (found)
        return true;
    if (take(r, "\\ce")) {
        r->out->declared = true;
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

bool chemical_tokens(ChemicalTokens *tokens, Text text)
{
    Reader r = {.out = tokens, .at = text.data, .end = text.data + text.size};
    tokens->count = 0;
    tokens->declared = false;
    while (r.at < r.end)
        TRY(read_token(&r));
    tokens->tokens[tokens->count].kind = LEX_END;
    return r.depth == 0;
}
