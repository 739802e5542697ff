// An answer spelled in ASCII: characters that people type and copy become LaTeX's spelling, without mere formatting
// (dollars around formulas, \left, \!, \displaystyle) and with one name for what has several.
#include "answers/formula/formula.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// ---- characters beyond ASCII, by code point

static const struct {
    uint32_t code;
    const char *to;
} characters[] = {
    {0x00A0, " "},
    {0x00AC, "\\neg "},
    {0x00AD, ""},
    {0x00B0, "^\\circ "},
    {0x00B1, "\\pm "},
    {0x00B5, "\\mu "},
    {0x00B7, "\\cdot "},
    {0x00BA, "^\\circ "},
    {0x00D7, "*"},
    {0x00F7, "/"},
    {0x0131, "i"},
    {0x0391, "A"},
    {0x0392, "B"},
    {0x0393, "\\Gamma "},
    {0x0394, "\\Delta "},
    {0x0395, "E"},
    {0x0398, "\\Theta "},
    {0x039B, "\\Lambda "},
    {0x039E, "\\Xi "},
    {0x03A0, "\\Pi "},
    {0x03A3, "\\Sigma "},
    {0x03A6, "\\Phi "},
    {0x03A8, "\\Psi "},
    {0x03A9, "\\Omega "},
    {0x03B1, "\\alpha "},
    {0x03B2, "\\beta "},
    {0x03B3, "\\gamma "},
    {0x03B4, "\\delta "},
    {0x03B5, "\\epsilon "},
    {0x03B6, "\\zeta "},
    {0x03B7, "\\eta "},
    {0x03B8, "\\theta "},
    {0x03B9, "\\iota "},
    {0x03BA, "\\kappa "},
    {0x03BB, "\\lambda "},
    {0x03BC, "\\mu "},
    {0x03BD, "\\nu "},
    {0x03BE, "\\xi "},
    {0x03C0, "\\pi "},
    {0x03C1, "\\rho "},
    {0x03C3, "\\sigma "},
    {0x03C4, "\\tau "},
    {0x03C6, "\\phi "},
    {0x03C7, "\\chi "},
    {0x03C8, "\\psi "},
    {0x03C9, "\\omega "},
    {0x03D1, "\\theta "},
    {0x03D5, "\\phi "},
    {0x03F5, "\\epsilon "},
    {0x2009, " "},
    {0x200A, " "},
    {0x200B, ""},
    {0x200C, ""},
    {0x200D, ""},
    {0x200E, ""},
    {0x200F, ""},
    {0x2010, "-"},
    {0x2011, "-"},
    {0x2012, "-"},
    {0x2013, "-"},
    {0x2014, "-"},
    {0x2015, "-"},
    {0x2018, "'"},
    {0x2019, "'"},
    {0x201C, "\""},
    {0x201D, "\""},
    {0x2022, "\\bullet "},
    {0x2026, "\\dots "},
    {0x202F, " "},
    {0x2032, "'"},
    {0x2033, "''"},
    {0x2044, "/"},
    {0x205F, " "},
    {0x2060, ""},
    {0x2061, ""},
    {0x2062, ""},
    {0x2102, "\\mathbb{C}"},
    {0x210F, "\\hbar "},
    {0x2113, "\\ell "},
    {0x2115, "\\mathbb{N}"},
    {0x211A, "\\mathbb{Q}"},
    {0x211D, "\\mathbb{R}"},
    {0x2124, "\\mathbb{Z}"},
    {0x2126, "\\Omega "},
    {0x212B, "\xc3\x85"},
    {0x2190, "\\leftarrow "},
    {0x2192, "\\to "},
    {0x2194, "\\leftrightarrow "},
    {0x21CC, "\\rightleftharpoons "},
    {0x21D2, "\\implies "},
    {0x21D4, "\\iff "},
    {0x2200, "\\forall "},
    {0x2202, "\\partial "},
    {0x2203, "\\exists "},
    {0x2205, "\\emptyset "},
    {0x2206, "\\Delta "},
    {0x2207, "\\nabla "},
    {0x2208, "\\in "},
    {0x2209, "\\notin "},
    {0x220F, "\\prod "},
    {0x2211, "\\sum "},
    {0x2212, "-"},
    {0x2213, "\\mp "},
    {0x2215, "/"},
    {0x2216, "\\setminus "},
    {0x2217, "*"},
    {0x2219, "\\cdot "},
    {0x221E, "\\infty "},
    {0x2220, "\\angle "},
    {0x2227, "\\land "},
    {0x2228, "\\lor "},
    {0x2229, "\\cap "},
    {0x222A, "\\cup "},
    {0x222B, "\\int "},
    {0x2236, ":"},
    {0x223C, "\\sim "},
    {0x2248, "\\approx "},
    {0x2260, "\\ne "},
    {0x2261, "\\equiv "},
    {0x2264, "\\le "},
    {0x2265, "\\ge "},
    {0x2282, "\\subset "},
    {0x2283, "\\supset "},
    {0x2286, "\\subseteq "},
    {0x22A5, "\\perp "},
    {0x22C5, "\\cdot "},
    {0x2715, "*"},
    {0x2716, "*"},
    {0x27E8, "\\langle "},
    {0x27E9, "\\rangle "},
    {0x27F6, "\\to "},
    {0x27F9, "\\implies "},
    {0x3001, ","},
    {0x3002, "."},
    {0x300C, "\""},
    {0x300D, "\""},
    {0xFE63, "-"},
    {0xFEFF, ""},
};

static const struct {
    uint32_t code;
    char digit;
} raised[] = {{0x00B2, '2'}, {0x00B3, '3'}, {0x00B9, '1'}, {0x2070, '0'}, {0x2071, 'i'}, {0x2074, '4'}, {0x2075, '5'},
              {0x2076, '6'}, {0x2077, '7'}, {0x2078, '8'}, {0x2079, '9'}, {0x207A, '+'}, {0x207B, '-'}, {0x207F, 'n'}},
  lowered[] = {{0x2080, '0'}, {0x2081, '1'}, {0x2082, '2'}, {0x2083, '3'}, {0x2084, '4'}, {0x2085, '5'},
               {0x2086, '6'}, {0x2087, '7'}, {0x2088, '8'}, {0x2089, '9'}, {0x208A, '+'}, {0x208B, '-'},
               {0x2090, 'a'}, {0x2091, 'e'}, {0x2092, 'o'}, {0x2093, 'x'}, {0x2099, 'n'}},
  fractions[] = {{0x00BC, '1'}, {0x00BD, '2'}, {0x00BE, '3'}, {0x2150, '4'}, {0x2153, '5'}, {0x2154, '6'},
                 {0x2155, '7'}, {0x2156, '8'}, {0x2157, '9'}, {0x2158, 'a'}, {0x2159, 'b'}, {0x215A, 'c'},
                 {0x215B, 'd'}, {0x215C, 'e'}, {0x215D, 'f'}, {0x215E, 'g'}};

static const char *fraction_text(char letter)
{
    static const char *const texts[] = {"1/4", "1/2", "3/4", "1/7", "1/3", "2/3", "1/5", "2/5",
                                        "3/5", "4/5", "1/6", "5/6", "1/8", "3/8", "5/8", "7/8"};
    return texts[letter <= '9' ? letter - '1' : letter - 'a' + 9];
}

#define DIGIT_OF(table, code)                                                                                          \
    digit_of(&table[0].code, &table[0].digit, sizeof table / sizeof *table, sizeof *table, code)

static char digit_of(const uint32_t *codes, const char *digits, size_t count, size_t step, uint32_t code)
{
    for (size_t i = 0; i < count; i++)
        if (*(const uint32_t *)(const void *)((const char *)codes + i * step) == code)
            return *(digits + i * step);
    return 0;
}

static int by_code(const void *code, const void *entry) // an entry begins with its code
{
    uint32_t a = *(const uint32_t *)code, b = *(const uint32_t *)entry;
    return (a > b) - (a < b);
}

// ---- commands and signs, longest first where one begins another

static const struct {
    const char *from, *to;
} spellings[] = {
    // a thousands separator written so as not to look like a list
    {",\\!", ","},
    // mere formatting
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
    {"\\mathstrut", ""},
    {"\\!", ""},
    {"\\,", " "},
    {"\\;", " "},
    {"\\:", " "},
    {"\\>", " "},
    {"\\ ", " "},
    {"\\qquad", "\\quad "},
    {"\\(", " "},
    {"\\)", " "},
    {"\\[", " "},
    {"\\]", " "},
    {"\\$", "\\$"},
    {"\\%", "%"},
    {"\\#", ""},
    {"\\&", "&"},
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
    // one name for what has several
    {"\\varepsilon", "\\epsilon "},
    {"\\vartheta", "\\theta "},
    {"\\varphi", "\\phi "},
    {"\\varnothing", "\\emptyset "},
    {"\\not=", "\\ne "},
    {"\\not =", "\\ne "},
    {"\\neq", "\\ne "},
    {"\\not\\in", "\\notin "},
    {"\\wedge", "\\land "},
    {"\\vee", "\\lor "},
    {"\\lnot", "\\neg "},
    {"\\Rightarrow", "\\implies "},
    {"\\Longrightarrow", "\\implies "},
    {"\\longrightarrow", "\\to "},
    {"\\rightarrow", "\\to "},
    {"\\Leftrightarrow", "\\iff "},
    {"\\Longleftrightarrow", "\\iff "},
    {"\\backslash", "\\setminus "},
    {"\\leqslant", "\\le "},
    {"\\geqslant", "\\ge "},
    {"\\degree", "^\\circ "},
    {"\\textdegree", "^\\circ "},
    {"\\prime", "'"},
    {"\\ohm", "\\Omega "},
    {"\\micro", "\\mu "},
    {"\\texteuro", "\u20ac"},
    {"\\euro", "\u20ac"},
    {"\\pounds", "\u00a3"},
    {"\\yen", "\u00a5"},
    {"\\textdollar", "\\$"},
    {"^{\\prime\\prime}", "''"},
    {"^{\\prime}", "'"},
    {"^\\prime", "'"},
    {"^{'}", "'"},
    {"^'", "'"},
    {"\\triangle", ""},
    {"\"", ""},
    {"!=", "\\ne "},
    {"<=>", "\\iff "},
    {"=>", "\\implies "},
    {"<=", "\\le "},
    {">=", "\\ge "},
    {"->", "\\to "},
    {"**", "^"},
};

// A command's name ends where letters end: \left is no beginning of \leftarrow.
static bool spelled(const char *at, size_t left, const char *from)
{
    size_t n = strlen(from);
    if (n > left || memcmp(at, from, n) != 0)
        return false;
    bool command = from[0] == '\\' && isalpha((unsigned char)from[n - 1]);
    return !command || n == left || !isalpha((unsigned char)at[n]);
}

static const char first_bytes[] = "\\,^\"!<=>-*~"; // first bytes of the spellings above

// ---- spelling an answer

typedef struct Speller {
    Formula *f;
    Text s;
    size_t at;
    bool rows;    // there are matrices
    bool dollars; // $ encloses formulas; otherwise it is money
} Speller;

static bool put(Formula *f, const char *text, size_t size)
{
    if (f->size + size >= FORMULA_BYTES)
        return false;
    memcpy(f->text + f->size, text, size);
    f->size += size;
    f->text[f->size] = 0;
    return true;
}

static bool put_text(Formula *f, const char *text) { return put(f, text, strlen(text)); }

static uint32_t code_at(const Speller *w, size_t i, size_t *size)
{
    const unsigned char *c = (const unsigned char *)w->s.data + i;
    size_t left = w->s.size - i, n = *c < 0xE0 ? 2 : *c < 0xF0 ? 3 : 4;
    *size = 1;
    if (*c < 0xC0 || n > left)
        return *c;
    uint32_t code = *c & (0x7Fu >> n);
    for (size_t k = 1; k < n; k++) {
        if ((c[k] & 0xC0) != 0x80)
            return *c;
        code = code << 6 | (c[k] & 0x3F);
    }
    *size = n;
    return code;
}

// A run of raised or lowered characters as one exponent or index
static bool put_script(Speller *w, bool up)
{
    TRY(put_text(w->f, up ? "^{" : "_{"));
    size_t size;
    while (w->at < w->s.size && (unsigned char)w->s.data[w->at] >= 0x80) {
        uint32_t code = code_at(w, w->at, &size);
        char digit = up ? DIGIT_OF(raised, code) : DIGIT_OF(lowered, code);
        if (digit == 0)
            break;
        TRY(put(w->f, &digit, 1));
        w->at += size;
    }
    return put_text(w->f, "}");
}

// The argument of a root sign without braces: digits, or one letter
static bool put_root(Speller *w, const char *degree)
{
    TRY(put_text(w->f, "\\sqrt") && put_text(w->f, degree));
    size_t n = 0;
    while (w->at + n < w->s.size && (isdigit((unsigned char)w->s.data[w->at + n]) ||
                                     (n > 0 && w->s.data[w->at + n] == '.' && w->at + n + 1 < w->s.size &&
                                      isdigit((unsigned char)w->s.data[w->at + n + 1]))))
        n++;
    if (n == 0)
        return true;
    TRY(put_text(w->f, "{") && put(w->f, w->s.data + w->at, n));
    w->at += n;
    return put_text(w->f, "}");
}

static bool put_fraction(Speller *w, char letter)
{
    bool mixed = w->f->size > 0 && isdigit((unsigned char)w->f->text[w->f->size - 1]);
    return mixed ? put_text(w->f, " ") && put_text(w->f, fraction_text(letter))
                 : put_text(w->f, "(") && put_text(w->f, fraction_text(letter)) && put_text(w->f, ")");
}

// Mathematical letters and digits (U+1D400 ...), by blocks of 26 and 10: the plain ones
static char plain_letter(uint32_t code)
{
    if (code >= 0x1D7CE && code <= 0x1D7FF)
        return (char)('0' + (code - 0x1D7CE) % 10);
    if (code >= 0x1D400 && code <= 0x1D6A3) {
        uint32_t i = (code - 0x1D400) % 52;
        return (char)(i < 26 ? 'A' + i : 'a' + i - 26);
    }
    return code >= 0xFF01 && code <= 0xFF5E ? (char)(code - 0xFF01 + '!') : 0; // full width
}

static bool put_character(Speller *w)
{
    size_t size;
    uint32_t code = code_at(w, w->at, &size);
    char letter = plain_letter(code), fraction = DIGIT_OF(fractions, code);
    if (DIGIT_OF(raised, code) != 0 || DIGIT_OF(lowered, code) != 0)
        return put_script(w, DIGIT_OF(raised, code) != 0);
    const char *at = w->s.data + w->at;
    w->at += size;
    if (fraction != 0)
        return put_fraction(w, fraction);
    if (code >= 0x221A && code <= 0x221C)
        return put_root(w, code == 0x221A ? "" : code == 0x221B ? "[3]" : "[4]");
    if (letter != 0)
        return put(w->f, &letter, 1);
    const void *found = bsearch(&code, characters, sizeof characters / sizeof *characters, sizeof *characters, by_code);
    return found == NULL ? put(w->f, at, size) : put_text(w->f, ((const __typeof__(*characters) *)found)->to);
}

// Text escaped once too often has \\frac for \frac. A row of a matrix ends with \\ too, so only in texts without
// matrices.
static bool doubled(const Speller *w)
{
    const char *s = w->s.data + w->at;
    size_t left = w->s.size - w->at;
    return !w->rows && left > 2 && s[0] == '\\' && s[1] == '\\' &&
           (isalpha((unsigned char)s[2]) || strchr("[](){}!,;:%$", s[2]) != NULL);
}

// {,} with or without a space in it: its size, 0 if it is none
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

// 14 {, }916 is a number; so is 3{,}14, whose comma is a point
static bool put_comma(Speller *w, size_t size)
{
    size_t digits = 0;
    while (w->f->size > 0 && w->f->text[w->f->size - 1] == ' ')
        w->f->size--;
    for (w->at += size; w->at < w->s.size && w->s.data[w->at] == ' ';)
        w->at++;
    while (w->at + digits < w->s.size && isdigit((unsigned char)w->s.data[w->at + digits]))
        digits++;
    return put_text(w->f, digits == 3 || digits == 0 ? "," : ".");
}

// \color{blue} and \textcolor{blue}: their size with the group, 0 for anything else
static size_t colour_size(Text s)
{
    static const char *const commands[] = {"\\color{", "\\textcolor{", NULL};
    for (const char *const *c = commands; *c != NULL; c++) {
        size_t n = strlen(*c);
        const char *end =
            s.size > n && memcmp(s.data, *c, n) == 0 ? memchr(s.data, '}', s.size < 64 ? s.size : 64) : NULL;
        if (end != NULL)
            return (size_t)(end + 1 - s.data);
    }
    return 0;
}

// LaTeX's space that does not break, "about", or "not"
static bool put_tilde(Speller *w)
{
    char before = w->f->size > 0 ? w->f->text[w->f->size - 1] : ' ',
         after = w->at + 1 < w->s.size ? w->s.data[w->at + 1] : ' ';
    w->at++;
    bool sign =
        memchr(" ([{&", before, 5) != NULL && (isalpha((unsigned char)after) || memchr("(~\\[", after, 4) != NULL);
    return put_text(w->f, sign ? "\\neg " : " ");
}

static bool put_next(Speller *w)
{
    const char *s = w->s.data + w->at;
    size_t left = w->s.size - w->at, n;
    if ((unsigned char)*s >= 0x80)
        return put_character(w);
    if (*s == '$') {
        w->at++;
        return put_text(w->f, w->dollars ? " " : "\\$");
    }
    if (*s == '~')
        return put_tilde(w);
    if ((n = comma_in_braces((Text){s, left})) > 0)
        return put_comma(w, n);
    if ((n = *s == '\\' ? colour_size((Text){s, left}) : 0) > 0) {
        w->at += n;
        return true;
    }
    if (left > 1 && s[0] == '\\' && s[1] == '\\') { // a row's end, not the backslash of what follows
        w->at += 2;
        return put_text(w->f, "\\\\");
    }
    for (size_t k = 0; strchr(first_bytes, *s) != NULL && k < sizeof spellings / sizeof *spellings; k++)
        if (spelled(s, left, spellings[k].from)) {
            w->at += strlen(spellings[k].from);
            while (spellings[k].from[0] == ',' && w->at < w->s.size && w->s.data[w->at] == ' ')
                w->at++;
            return put_text(w->f, spellings[k].to);
        }
    w->at++;
    return put(w->f, s, 1);
}

// A dollar sign before a digit is money unless another one ends a formula: "$5", "$3 and 50 cents", "$5 or $10", but
// "$5$".
bool dollars_delimit(Text s)
{
    int count = 0, amounts = 0;
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] == '$' && (i == 0 || s.data[i - 1] != '\\')) {
            bool digit = i + 1 < s.size && isdigit((unsigned char)s.data[i + 1]);
            count++;
            amounts += digit && (i == 0 || s.data[i - 1] == ' ' || s.data[i - 1] == '-');
        }
    return count % 2 == 0 && (amounts < count || count == 0);
}

bool formula_spell(Formula *f, Text s)
{
    Speller w = {.f = f, .s = s};
    w.rows = memmem(s.data, s.size, "\\begin", 6) != NULL;
    w.dollars = dollars_delimit(s);
    f->size = 0;
    f->text[0] = 0;
    if (s.size >= FORMULA_BYTES || memchr(s.data, 0, s.size) != NULL)
        return false;
    while (w.at < s.size) {
        if (doubled(&w))
            w.at++;
        TRY(put_next(&w));
    }
    return true;
}
