// A text read into pieces: words, numbers and signs, and what joins them. Mere formatting is dropped here: LaTeX's
// wrappers and delimiters, markdown, quotes, invisible characters. What may carry meaning stays a sign.
#include "answers/words/pieces.h"
#include "system/start.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { NESTED_MOST = 64, MARKS_MOST = 8, NOT_UTF8 = 0x110000, NAME_MOST = 24 };

typedef struct Reader {
    const int32_t *in; // ends with a 0
    size_t at, size;
    Pieces *out;
    size_t points;
    Joint joint;                         // before the next piece
    uint64_t dropped;                    // for every open brace, whether it was dropped
    int depth;                           // of braces
    int quotes;                          // single ones that are open
    bool double_quoted;                  // a " is open
    size_t math_end, star_end, line_end; // where the closing $, * or _ is; 0: nowhere
} Reader;

// ---- characters

static bool is_digit(int32_t c) { return c >= '0' && c <= '9'; }
static bool is_greek(int32_t c) { return c >= 0x370 && c <= 0x3FF; }
static bool is_ascii_letter(int32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_mark(int32_t c)
{
    return c >= 0x300 && c < NOT_UTF8 && utf8proc_category(c) <= UTF8PROC_CATEGORY_ME &&
           utf8proc_category(c) >= UTF8PROC_CATEGORY_MN;
}

// Greek letters are signs: \alpha\beta, \alpha \beta and αβ are the same.
static bool is_letter(int32_t c)
{
    if (c < 0x80)
        return is_ascii_letter(c);
    if (is_greek(c) || c >= NOT_UTF8 || (c >= 0x2100 && c < 0x2150)) // ℝ, ℏ
        return false;
    utf8proc_category_t category = utf8proc_category(c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

static bool is_space(int32_t c)
{
    return c == ' ' || (c > 0 && c < ' ') ||
           (c >= 0x7F && c < NOT_UTF8 && utf8proc_category(c) >= UTF8PROC_CATEGORY_ZS &&
            utf8proc_category(c) <= UTF8PROC_CATEGORY_CC);
}

static bool is_apostrophe(int32_t c) { return c == '\'' || c == 0x2019 || c == 0x2018; }
static bool is_dash(int32_t c) { return c == '-' || c == 0x2212; } // the others are mapped to these

// One sign for several that look or mean the same
static int32_t plain(int32_t c)
{
    static const int32_t same[][2] = {
        {0x2010, '-'},  {0x2011, '-'},   {0x2012, '-'},    {0x2013, '-'},   {0xFE63, '-'},   {0x3001, ','},
        {0x3002, '.'},  {0x00B5, 0x3BC}, {0x2206, 0x394},  {0x2126, 0x3A9}, {0x00BA, 0xB0},  {0x02B9, 0x2032},
        {0x22C5, 0xB7}, {0x2715, 0xD7},  {0x27F6, 0x2192}, {0x03D5, 0x3C6}, {0x03F5, 0x3B5}, {0x03D1, 0x3B8},
        {0x00B4, '\''}, {0x2217, '*'},   {0x2032, 0x2032}, {0x2044, '/'},   {0x2215, '/'},   {0x2236, ':'},
        {0x29F9, '\\'}, {0x201F, '"'}};
    if (c >= 0xFF01 && c <= 0xFF5E) // full width
        return c - 0xFEE0;
    for (size_t i = 0; c > 0x7F && i < sizeof same / sizeof *same; i++)
        if (same[i][0] == c)
            return same[i][1];
    return c;
}

// The digit or sign that is raised or lowered here, and whether it is raised
static int32_t small(int32_t c, bool *above)
{
    *above = c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0x2070 && c <= 0x207B);
    if (c == 0xB2 || c == 0xB3)
        return '0' + (c & 0xF);
    if (c == 0xB9)
        return '1';
    if (c == 0x207A || c == 0x208A)
        return '+';
    if (c == 0x207B || c == 0x208B)
        return '-';
    bool digit = c == 0x2070 || (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089);
    return digit ? '0' + (c & 0xF) : 0;
}

// Sorts combining marks; of a long pile of them (no word has one) only neighbours, to save time.
static void add_mark(int32_t *points, size_t count, int32_t mark)
{
    size_t at = count, least = count > MARKS_MOST ? count - MARKS_MOST : 0;
    int class = utf8proc_get_property(mark)->combining_class;
    for (; class > 0 && at > least && utf8proc_get_property(points[at - 1])->combining_class > class; at--)
        points[at] = points[at - 1];
    points[at] = mark;
}

typedef struct Decoder {
    int32_t *points;
    size_t count;
    bool above, below; // the last was a small digit or sign
} Decoder;

// CO₂ is CO2 and 10⁻⁶ is 10^-6; after a digit a lowered one is an index: 101₂.
static void add_small(Decoder *d, int32_t c, bool above)
{
    bool behind_digit = d->count > 0 && is_digit(d->points[d->count - 1]);
    if (above && !d->above)
        d->points[d->count++] = '^';
    else if (!above && !d->below && behind_digit)
        d->points[d->count++] = '_';
    d->points[d->count++] = c;
}

static void add_character(Decoder *d, int32_t c)
{
    bool above;
    int32_t parts[8], digit = small(c, &above);
    if (digit != 0)
        add_small(d, digit, above);
    d->above = digit != 0 && above;
    d->below = digit != 0 && !above;
    if (digit != 0 || (c > 0x7F && c < NOT_UTF8 && utf8proc_category(c) == UTF8PROC_CATEGORY_CF)) // invisible
        return;
    c = plain(c);
    const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    utf8proc_ssize_t n = c < 0x80 || c >= NOT_UTF8 ? 0 : utf8proc_decompose_char(c, parts, 8, how, NULL);
    if (n <= 0)
        d->points[d->count++] = c;
    for (utf8proc_ssize_t i = 0; i < n && i < 8; i++)
        add_mark(d->points, d->count++, parts[i]);
}

static size_t decode(int32_t *points, Text s) // at most 2 for each byte
{
    Decoder d = {points, 0, false, false};
    for (size_t at = 0; at < s.size;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)s.data + at, (utf8proc_ssize_t)(s.size - at), &c);
        add_character(&d, n > 0 ? c : NOT_UTF8 + (unsigned char)s.data[at]);
        at += n > 0 ? (size_t)n : 1;
    }
    return d.count;
}

// ---- pieces

static int32_t before(const Reader *r) { return r->at > 0 ? r->in[r->at - 1] : ' '; }
static int32_t after(const Reader *r) { return r->at + 1 < r->size ? r->in[r->at + 1] : ' '; }

static void join(Reader *r, Joint joint) { r->joint = joint > r->joint ? joint : r->joint; }

static const Piece *last_piece(const Reader *r) { return r->out->count > 0 ? &r->out->list[r->out->count - 1] : NULL; }

static void begin_piece(Reader *r, PieceKind kind)
{
    bool numbers = kind == PIECE_NUMBER && last_piece(r) != NULL && last_piece(r)->kind == PIECE_NUMBER;
    if (r->joint == JOINT_LINE) // between numbers it ends a row; elsewhere it is space
        r->joint = numbers ? JOINT_COMMA : JOINT_SPACE;
    r->out->list[r->out->count++] = (Piece){(uint32_t)r->points, 0, kind, r->joint};
    r->joint = JOINT_NONE;
}

static void add_point(Reader *r, int32_t c)
{
    r->out->points[r->points++] = c;
    r->out->list[r->out->count - 1].size++;
}

static void add_sign(Reader *r, int32_t c)
{
    begin_piece(r, PIECE_SIGN);
    add_point(r, c);
}

static bool last_is(const Reader *r, PieceKind kind) // and joined to what comes
{
    return last_piece(r) != NULL && last_piece(r)->kind == kind && r->joint == JOINT_NONE;
}

static void read_word(Reader *r)
{
    if (!last_is(r, PIECE_WORD)) // a word that is partly bold continues
        begin_piece(r, PIECE_WORD);
    for (; r->at < r->size; r->at++) {
        int32_t c = r->in[r->at];
        bool inside = is_apostrophe(c) && is_letter(before(r)) && is_letter(after(r));
        if (!is_letter(c) && !is_mark(c) && !inside)
            return;
        add_point(r, inside ? '\'' : c);
    }
}

static void read_number(Reader *r)
{
    if (!last_is(r, PIECE_NUMBER))
        begin_piece(r, PIECE_NUMBER);
    for (; r->at < r->size; r->at++) {
        int32_t c = r->in[r->at];
        if (!is_digit(c) && !((c == '.' || c == ',') && is_digit(after(r))))
            return;
        add_point(r, c);
    }
}

// ---- LaTeX

// clang-format off
static const char *const wrappers[] = {
    "text", "textbf", "textit", "textrm", "textsf", "texttt", "textnormal", "textup", "textsc", "emph", "mathrm",
    "underline", "mathbf", "mathit", "mathsf", "mathtt", "mathnormal", "bm", "boldsymbol", "operatorname", "mbox",
    "hbox", "boxed", "fbox", "left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg",
    "displaystyle", "textstyle", "rm", "bf", "it", "limits", "ensuremath", "mathop", NULL};
static const char *const functions[] = {
    "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "lg", "exp", "max", "min", "sup", "lim", "det", "gcd",
    "lcm", "deg", "dim", "ker", "mod", "arg", NULL};
// clang-format on
static const char *const spaces[] = {"quad", "qquad", "space", "enspace", "thinspace", "newline", "par", NULL};

static const struct {
    const char *name;
    int32_t sign;
} signs[] = {
    // clang-format off
    {"alpha", 0x3B1}, {"beta", 0x3B2}, {"gamma", 0x3B3}, {"delta", 0x3B4}, {"epsilon", 0x3B5}, {"varepsilon", 0x3B5},
    {"zeta", 0x3B6}, {"eta", 0x3B7}, {"theta", 0x3B8}, {"vartheta", 0x3B8}, {"iota", 0x3B9}, {"kappa", 0x3BA},
    {"lambda", 0x3BB}, {"mu", 0x3BC}, {"nu", 0x3BD}, {"xi", 0x3BE}, {"pi", 0x3C0}, {"rho", 0x3C1}, {"sigma", 0x3C3},
    {"tau", 0x3C4}, {"upsilon", 0x3C5}, {"phi", 0x3C6}, {"varphi", 0x3C6}, {"chi", 0x3C7}, {"psi", 0x3C8},
    {"omega", 0x3C9}, {"Gamma", 0x393}, {"Delta", 0x394}, {"Theta", 0x398}, {"Lambda", 0x39B}, {"Xi", 0x39E},
    {"Pi", 0x3A0}, {"Sigma", 0x3A3}, {"Phi", 0x3A6}, {"Psi", 0x3A8}, {"Omega", 0x3A9}, {"to", 0x2192},
    {"rightarrow", 0x2192}, {"longrightarrow", 0x2192}, {"leftarrow", 0x2190}, {"Rightarrow", 0x21D2},
    {"implies", 0x21D2}, {"leftrightarrow", 0x2194}, {"Leftrightarrow", 0x21D4}, {"iff", 0x21D4}, {"pm", 0xB1},
    {"mp", 0x2213}, {"neg", 0xAC}, {"lnot", 0xAC}, {"sim", '~'}, {"le", 0x2264}, {"leq", 0x2264}, {"ge", 0x2265},
    {"geq", 0x2265}, {"ne", 0x2260}, {"neq", 0x2260}, {"times", 0xD7}, {"cdot", 0xB7}, {"bullet", 0x2022},
    {"infty", 0x221E}, {"emptyset", 0x2205}, {"varnothing", 0x2205}, {"lor", 0x2228}, {"vee", 0x2228},
    {"land", 0x2227}, {"wedge", 0x2227}, {"supset", 0x2283}, {"subset", 0x2282}, {"degree", 0xB0}, {"prime", 0x2032},
    {"equiv", 0x2261}, {"approx", 0x2248}, {"cup", 0x222A}, {"cap", 0x2229}, {"in", 0x2208}, {"forall", 0x2200},
    {"exists", 0x2203}, {"angle", 0x2220}, {"hbar", 0x210F}, {"textdegree", 0xB0}, {"euro", 0x20AC}, {"pounds", 0xA3},
    {"lt", '<'}, {"gt", '>'}, {"div", 0xF7}, {"lbrace", '{'}, {"rbrace", '}'}, {"backslash", '\\'},
    // clang-format on
};

static bool name_in(const char *name, const char *const *list)
{
    while (*list != NULL && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

static int32_t sign_of(const char *name)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strcmp(signs[i].name, name) == 0)
            return signs[i].sign;
    return 0;
}

static void open_brace(Reader *r, bool dropped)
{
    if (r->depth < NESTED_MOST) // deeper, all of them are signs
        r->dropped = (r->dropped & ~(1ull << r->depth)) | ((uint64_t)dropped << r->depth);
    if (!dropped || r->depth >= NESTED_MOST)
        add_sign(r, '{');
    r->depth++;
    r->at++;
}

static void close_brace(Reader *r)
{
    r->depth -= r->depth > 0;
    if (r->depth >= NESTED_MOST || !(r->dropped >> r->depth & 1))
        add_sign(r, '}');
    else
        r->dropped &= ~(1ull << r->depth); // one } too many is a sign
    r->at++;
}

static void skip_spaces(Reader *r)
{
    while (r->at < r->size && r->in[r->at] == ' ')
        r->at++;
}

static void skip_group(Reader *r) // {red}
{
    size_t at = r->at;
    while (at < r->size && at < r->at + NAME_MOST && r->in[at] != '}')
        at++;
    if (r->at < r->size && r->in[r->at] == '{' && at < r->size && r->in[at] == '}')
        r->at = at + 1;
}

static void drop_group(Reader *r) // its braces alone
{
    size_t at = r->at;
    skip_spaces(r);
    if (r->at < r->size && r->in[r->at] == '{')
        open_brace(r, true);
    else if (r->at > at)
        join(r, JOINT_SPACE);
}

// \mathbb{R}; false: another command
static bool read_double_struck(Reader *r, const char *name)
{
    static const int32_t sets[][2] = {{'R', 0x211D}, {'N', 0x2115}, {'Z', 0x2124}, {'Q', 0x211A}, {'C', 0x2102}};
    if (strcmp(name, "mathbb") != 0 || r->at + 2 >= r->size || r->in[r->at] != '{' || r->in[r->at + 2] != '}')
        return false;
    for (int i = 0; i < 5; i++)
        if (sets[i][0] == r->in[r->at + 1]) {
            add_sign(r, sets[i][1]);
            r->at += 3;
            return true;
        }
    return false;
}

static void add_name(Reader *r, PieceKind kind, const char *name)
{
    begin_piece(r, kind);
    if (kind == PIECE_SIGN)
        add_point(r, '\\');
    for (; *name != 0; name++)
        add_point(r, *name);
}

static void read_named(Reader *r, const char *name)
{
    if (name_in(name, wrappers))
        drop_group(r);
    else if (strcmp(name, "color") == 0 || strcmp(name, "textcolor") == 0) {
        skip_group(r);
        drop_group(r);
    } else if (name_in(name, spaces))
        join(r, JOINT_SPACE);
    else if (sign_of(name) != 0)
        add_sign(r, sign_of(name));
    else if (name_in(name, functions)) {
        join(r, JOINT_SPACE); // a word of its own
        add_name(r, PIECE_WORD, name);
        join(r, JOINT_SPACE);
    } else if (!read_double_struck(r, name))
        add_name(r, PIECE_SIGN, name);
}

static void read_command(Reader *r)
{
    char name[NAME_MOST];
    size_t n = 0;
    int32_t c = after(r);
    for (r->at++; r->at < r->size && is_ascii_letter(r->in[r->at]) && n + 1 < NAME_MOST; r->at++)
        name[n++] = (char)r->in[r->at];
    name[n] = 0;
    if (n > 0) {
        read_named(r, name);
        return;
    }
    r->at += r->at < r->size;
    if (c == '\\')
        join(r, JOINT_LINE);
    else if (c == ' ' || c == ',' || c == ';' || c == ':' || c == '>')
        join(r, JOINT_SPACE);
    else if (c == '{' || c == '}' || c == '$' || c == '%' || c == '&' || c == '#' || c == '_' || c == '|')
        add_sign(r, c);
    else if (c != '(' && c != ')' && c != '[' && c != ']' && c != '!' && c != '/' && c != '-')
        add_sign(r, '\\'), r->at -= r->at < r->size;
}

// x^{2}, H_{12}, 10^{-6}: a single character or number needs no braces. \{ is not such a brace: it is read as a
// command.
static bool is_needless(const Reader *r)
{
    size_t at = r->at + 1;
    if (before(r) != '^' && before(r) != '_')
        return false;
    at += at < r->size && (r->in[at] == '-' || r->in[at] == '+');
    size_t begin = at;
    while (at < r->size && is_digit(r->in[at]))
        at++;
    at += at == begin;
    return at < r->size && r->in[at] == '}' && r->in[at - 1] != '{' && r->in[at - 1] != '\\';
}

// ^\circ and ^{\circ}
static bool read_degree(Reader *r)
{
    static const char circ[] = "\\circ";
    size_t at = r->at + 1;
    bool braced = at < r->size && r->in[at] == '{';
    at += braced;
    for (size_t i = 0; i < 5; i++, at++)
        if (at >= r->size || r->in[at] != circ[i])
            return false;
    if (braced ? at >= r->size || r->in[at] != '}' : at < r->size && is_ascii_letter(r->in[at]))
        return false;
    add_sign(r, 0xB0);
    r->at = at + braced;
    return true;
}

// ---- dollars, markdown, quotes

// A $ opens a formula if no space follows, and the next $ closes it if no space precedes and no digit follows.
static void read_dollar(Reader *r)
{
    size_t next = r->at + 1;
    if (r->at == r->math_end && r->at > 0) {
        r->math_end = 0;
        r->at++;
        return;
    }
    if (after(r) == '$') { // $$
        r->at += 2;
        return;
    }
    while (next < r->size && (r->in[next] != '$' || r->in[next - 1] == '\\'))
        next++;
    bool formula = next < r->size && !is_space(after(r)) && !is_space(r->in[next - 1]) && next > r->at + 1 &&
                   !is_digit(r->in[next + 1]);
    if (formula)
        r->math_end = next;
    else
        add_sign(r, '$');
    r->at++;
}

static bool is_bare(int32_t c) // what may be next to **a word**
{
    return is_space(c) || (c < 0x80 && !is_ascii_letter(c) && !is_digit(c));
}

// * and _ are markdown at the two ends of words, ** anywhere except between two factors.
static void read_emphasis(Reader *r)
{
    int32_t c = r->in[r->at];
    size_t n = 1, at;
    while (r->at + n < r->size && r->in[r->at + n] == c)
        n++;
    int32_t left = before(r), right = r->at + n < r->size ? r->in[r->at + n] : ' ';
    bool opens = is_bare(left) && !is_space(right), closes = !is_space(left) && is_bare(right);
    bool factors = !is_space(left) && !is_space(right) && !is_bare(left) && !is_bare(right);
    if (n == 1 && opens) { // does the next one close?
        for (at = r->at + 1; at < r->size && r->in[at] != c; at++)
            ;
        int32_t behind = at + 1 < r->size ? r->in[at + 1] : ' ';
        if (at < r->size && !is_space(r->in[at - 1]) && is_bare(behind) && behind != c) {
            if (c == '*')
                r->star_end = at;
            else
                r->line_end = at;
            r->at++;
            return;
        }
    }
    opens |= r->at == 0;
    closes |= r->at + n == r->size;
    bool drop = n == 1 ? r->at > 0 && r->at == (c == '*' ? r->star_end : r->line_end) : (opens || closes) && !factors;
    for (size_t i = 0; i < n && !drop; i++)
        add_sign(r, c);
    r->at += n;
}

static void read_quote(Reader *r)
{
    int32_t c = r->in[r->at], left = before(r);
    bool behind = is_letter(left) || is_digit(left) || is_greek(left) || left == ')' || left == '\'';
    if (c == '"') {
        bool inches = is_digit(left) && !r->double_quoted;
        if (inches)
            add_sign(r, 0x2033);
        else
            r->double_quoted = !r->double_quoted;
    } else if (c == '`' || c == 0x2018) {
        r->quotes++;
    } else if (r->quotes > 0) {
        r->quotes--;
    } else if (behind) {
        add_sign(r, 0x2032);
    } else {
        r->quotes++;
    }
    r->at++;
}

// ---- punctuation

static bool is_function_name(const int32_t *in, size_t n)
{
    char name[4] = "";
    for (size_t i = 0; i < n && n < sizeof name; i++)
        name[i] = in[i] < 0x80 ? (char)in[i] : 0;
    return n < sizeof name && name_in(name, functions);
}

// Between words, not between the names of a formula: profit-seeking, x-ray, but not x-y and not 2x-cos
static bool is_hyphen(const Reader *r)
{
    const Piece *last = last_piece(r);
    size_t left = 0, right = 0;
    if (r->in[r->at] != '-' || !is_letter(after(r)) || !last_is(r, PIECE_WORD))
        return false;
    while (left < 5 && left < r->at && (is_letter(r->in[r->at - 1 - left]) || is_mark(r->in[r->at - 1 - left])))
        left++;
    while (right < 5 && r->at + 1 + right < r->size &&
           (is_letter(r->in[r->at + 1 + right]) || is_mark(r->in[r->at + 1 + right])))
        right++;
    return left > 0 && (left > 2 || right > 2) && !is_function_name(r->out->points + last->begin, last->size) &&
           !is_function_name(r->in + r->at + 1, right);
}

static void read_dash(Reader *r)
{
    if (is_hyphen(r))
        join(r, JOINT_HYPHEN);
    else
        add_sign(r, after(r) == '>' ? 0x2192 : '-');
    r->at += after(r) == '>';
    for (r->at++; r->at < r->size && r->in[r->at] == '-' && before(r) == '-';)
        r->at++;
}

static bool is_compact(const Reader *r) // 3:4, A:B
{
    int32_t left = before(r), right = after(r);
    return (is_letter(left) || is_digit(left)) && (is_letter(right) || is_digit(right));
}

static void read_punctuation(Reader *r)
{
    int32_t c = r->in[r->at], left = before(r), right = after(r);
    bool lone = last_is(r, PIECE_NUMBER) || (last_is(r, PIECE_WORD) && last_piece(r)->size == 1) || left == ')';
    r->out->question |= c == '?';
    if (c == '!' && right == '=')
        add_sign(r, 0x2260), r->at++;
    else if ((c == ':' && is_compact(r)) ||
             (c == '!' && ((lone && !is_apostrophe(right)) || is_letter(right) || is_digit(right))))
        add_sign(r, c);
    else if (c == '.' && is_letter(left) && is_letter(right))
        join(r, JOINT_HYPHEN); // U.S.
    else
        join(r, c == ',' || c == ';' || c == ':' ? JOINT_COMMA : JOINT_SENTENCE);
    r->at++;
}

// LaTeX's unbreakable space: Figure~1, 5~kg. Anywhere else it means not, or about.
static bool is_tie(const Reader *r)
{
    const Piece *last = last_piece(r);
    bool word = last_is(r, PIECE_WORD) && last->size > 2, number = last_is(r, PIECE_NUMBER);
    return (word || number) && (is_letter(after(r)) || is_digit(after(r)));
}

static void read_sign(Reader *r)
{
    int32_t c = r->in[r->at];
    if (c == '^' && read_degree(r))
        return;
    bool equal = after(r) == '=' && (c == '<' || c == '>');
    if (c == '~' && is_tie(r))
        join(r, JOINT_SPACE);
    else
        add_sign(r, !equal ? c : c == '<' ? 0x2264 : 0x2265);
    r->at += 1 + (size_t)equal;
}

// H_2O is H2O
static bool is_index(const Reader *r)
{
    size_t at = r->at + 1;
    if (r->in[r->at] != '_' || !last_is(r, PIECE_WORD))
        return false;
    at += at < r->size && r->in[at] == '{';
    return at < r->size && is_digit(r->in[at]);
}

static void read_piece(Reader *r)
{
    int32_t c = r->in[r->at];
    if (is_space(c))
        join(r, c == '\n' ? JOINT_LINE : JOINT_SPACE), r->at++;
    else if (is_letter(c))
        read_word(r);
    else if (is_digit(c) || (c == '.' && is_digit(after(r)) && !is_letter(before(r))))
        read_number(r);
    else if (c == '\\')
        read_command(r);
    else if (c == '{')
        open_brace(r, is_needless(r));
    else if (c == '}')
        close_brace(r);
    else if (c == '$')
        read_dollar(r);
    else if (is_index(r))
        r->at++;
    else if (c == '*' || c == '_')
        read_emphasis(r);
    else if (c == '\'' || c == '"' || c == '`' || c == 0x2018 || c == 0x2019)
        read_quote(r);
    else if (c == 0x201C || c == 0x201D || c == 0x201E || c == 0xAB || c == 0xBB)
        r->at++;
    else if (c == ',' || c == ';' || c == ':' || c == '.' || c == '!' || c == '?' || c == 0x2026)
        read_punctuation(r);
    else if (c == 0x2014 || c == 0x2015) // a pause, never a minus
        join(r, JOINT_COMMA), r->at++;
    else if (is_dash(c))
        read_dash(r);
    else
        read_sign(r);
}

static bool signs_alone(const Pieces *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].kind != PIECE_SIGN)
            return false;
    return true;
}

bool pieces_read(Pieces *p, Text s)
{
    size_t most = 2 * s.size + 2; // points: read and written; as many pieces
    *p = (Pieces){0};
    if (most >= UINT32_MAX / 16)
        return false;
    p->memory = memory_or_end(most * (2 * sizeof(int32_t) + sizeof(Piece)));
    p->list = p->memory;
    p->points = (int32_t *)(p->list + most);
    int32_t *in = p->points + most;
    Reader r = {.in = in, .size = decode(in, s), .out = p};
    in[r.size] = 0;
    while (r.at < r.size)
        read_piece(&r);
    if (r.dropped != 0 && signs_alone(p)) // a wrapper that never ends took a brace of what it holds: \text{{} is not {}
        add_sign(&r, '{');
    return true;
}

void pieces_free(Pieces *p) { free(p->memory); }
