// Reading one answer: its wrapping is removed (dollars, \text{}, quotes, labels), it is parsed as a formula or as rows
// of numbers, and both decide its kind. Nothing is compared here: that is compare/ and match.c.
#include "answers/reading.h"
#include "answers/chemistry/chemical.h"
#include "answers/compare/compare.h"
#include "answers/extract.h"
#include "answers/formula/parser.h"
#include "answers/units/units.h"
#include "answers/formula/value.h"
#include "answers/words/words.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { WORDS_MOST = 6, CLAUSES_MOST = 16 };

static const char *text_end(Text s) { return s.data + s.size; }
static bool begins(Text s, const char *with)
{
    return s.size >= strlen(with) && strncasecmp(s.data, with, strlen(with)) == 0;
}
static bool ends(Text s, const char *with)
{
    return s.size >= strlen(with) && memcmp(text_end(s) - strlen(with), with, strlen(with)) == 0;
}

static Text cut(Text s, size_t front, size_t back)
{
    return text_trimmed((Text){s.data + front, s.size - front - back});
}

// ---- the wrapping of an answer

// The size of the group that begins here, with its braces; 0: it does not end.
static size_t group_size(Text s)
{
    int depth = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == '\\' && i + 1 < s.size) {
            i++;
            continue;
        }
        depth += s.data[i] == '{';
        depth -= s.data[i] == '}';
        if (depth == 0)
            return i + 1;
    }
    return 0;
}

static const char *const wrappers[] = {"\\boxed",  "\\text",   "\\textbf", "\\textit", "\\textrm",    "\\mathrm",
                                       "\\mathbf", "\\mathit", "\\mbox",   "\\emph",   "\\underline", "\\boldsymbol",
                                       "\\fbox",   "\\mathsf", "\\textsf", "\\texttt", "\\bm",        NULL};

bool says_something(Text s)
{
    for (size_t i = 0; i < s.size; i++)
        if (isalnum((unsigned char)s.data[i]) || (unsigned char)s.data[i] >= 0x80)
            return true;
    return false;
}

// \text{...}, whole
static bool strip_command(Text *s)
{
    for (const char *const *w = wrappers; *w != NULL; w++) {
        size_t n = strlen(*w);
        if (!begins(*s, *w) || s->size <= n || s->data[n] != '{')
            continue;
        Text group = {s->data + n, s->size - n};
        size_t size = group_size(group);
        if (size == 0 && w == wrappers && says_something(group)) { // a box that was cut; \boxed{{} is not {}
            *s = cut(group, 1, 0);
            return true;
        }
        if (size != group.size)
            return false;
        *s = cut(group, 1, 1);
        return true;
    }
    return false;
}

// The same mark at both ends, and nowhere between
static bool strip_pair(Text *s, const char *open, const char *close)
{
    size_t n = strlen(open), m = strlen(close);
    if (s->size <= n + m || memcmp(s->data, open, n) != 0 || !ends(*s, close))
        return false;
    Text inside = {s->data + n, s->size - n - m};
    if (memmem(inside.data, inside.size, close, m) != NULL || memmem(inside.data, inside.size, open, n) != NULL)
        return false;
    *s = text_trimmed(inside);
    return true;
}

static bool strip_pairs(Text *s)
{
    static const char *const pairs[][2] = {{"$$", "$$"},
                                           {"$", "$"},
                                           {"\\(", "\\)"},
                                           {"\\[", "\\]"},
                                           {"**", "**"},
                                           {"__", "__"},
                                           {"```", "```"},
                                           {"`", "`"},
                                           {"\"", "\""},
                                           {"'", "'"},
                                           {"\xe2\x80\x9c", "\xe2\x80\x9d"},
                                           {"\xe2\x80\x98", "\xe2\x80\x99"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strip_pair(s, pairs[i][0], pairs[i][1]))
            return true;
    return false;
}

static bool strip_ends(Text *s)
{
    size_t before = s->size;
    *s = text_trimmed(*s);
    while (s->size > 1 && ((ends(*s, ".") && !ends(*s, "..")) || ends(*s, ",") || ends(*s, ";")))
        *s = cut(*s, 0, 1);
    if (s->size > 3 && ends(*s, "\xe3\x80\x82")) // the Chinese full stop
        *s = cut(*s, 0, 3);
    while (begins(*s, "\\\\boxed")) // after an escape too many
        *s = cut(*s, 1, 0);
    while (s->size > 3 && (begins(*s, "\xe2\x80\x8b") || begins(*s, "\xef\xbb\xbf"))) // of no width
        *s = cut(*s, 3, 0);
    return s->size < before;
}

// {"answer": 7}
static bool strip_json(Text *s)
{
    static const char KEY[] = "\"answer\"";
    if (s->size < 12 || s->data[0] != '{' || !ends(*s, "}"))
        return false;
    Text inside = cut(*s, 1, 1);
    if (!begins(inside, KEY))
        return false;
    inside = cut(inside, strlen(KEY), 0);
    if (!begins(inside, ":") || memchr(inside.data + 1, ':', inside.size - 1) != NULL)
        return false;
    *s = cut(inside, 1, 0);
    return true;
}

// "\text{The answer is } 73": a group that introduces the rest
static bool strip_introduction(Text *s)
{
    static const char *const lasts[] = {" is", " is:", ":", " are", "answer", NULL};
    size_t n = begins(*s, "\\text{") ? 5 : begins(*s, "\\textbf{") ? 7 : 0;
    size_t group = n > 0 ? group_size((Text){s->data + n, s->size - n}) : 0;
    if (group == 0 || group > 64 || n + group >= s->size)
        return false;
    Text said = cut((Text){s->data + n, group}, 1, 1);
    for (const char *const *last = lasts; *last != NULL; last++)
        if (ends(said, *last)) {
            *s = cut(*s, n + group, 0);
            return true;
        }
    return false;
}

bool strip_label(Text *s)
{
    const char *at = s->data, *end = text_end(*s);
    bool wrapped =
        begins(*s, "\\textbf{(") || begins(*s, "\\text{(") || begins(*s, "\\mathrm{(") || begins(*s, "\\textrm{(");
    if (wrapped)
        at = memchr(at, '(', s->size);
    if (at == end || *at != '(' || end - at < 4 || at[1] < 'A' || at[1] > 'J' || at[2] != ')')
        return false;
    for (at += 3; wrapped && at < end && *at != '}'; at++)
        if (strchr(" ~\\", *at) == NULL)
            return false;
    at += wrapped && at < end;
    if (at >= end || (!wrapped && *at != ' '))
        return false;
    while (at < end && strchr(" ~", *at) != NULL)
        at++;
    if (at == end)
        return false;
    *s = text_between(at, end);
    return true;
}

// "2. Because": a point of a list
static bool strip_number(Text *s)
{
    size_t n = 0;
    while (n < s->size && isdigit((unsigned char)s->data[n]))
        n++;
    if (n == 0 || n > 2 || s->size < n + 4 || (s->data[n] != '.' && s->data[n] != ')') || s->data[n + 1] != ' ' ||
        !isalpha((unsigned char)s->data[n + 2]) || !isalpha((unsigned char)s->data[n + 3]))
        return false;
    *s = cut(*s, n + 1, 0);
    return true;
}

static bool strip_about(Text *s)
{
    static const char *const words[] = {"approximately ", "approx. ",     "approx ",  "about ", "roughly ", "around ",
                                        "nearly ",        "\xe2\x89\x88", "\\approx", "~",      "\\sim",    NULL};
    for (const char *const *w = words; *w != NULL; w++) {
        size_t n = strlen(*w);
        Text rest = begins(*s, *w) ? cut(*s, n, 0) : (Text){NULL, 0};
        if (rest.size > 0 && (isdigit((unsigned char)*rest.data) || strchr("-.$\\", *rest.data) != NULL)) {
            *s = rest;
            return true;
        }
    }
    return false;
}

Text unwrapped(Text s)
{
    for (int i = 0; i < 16 && s.size <= TEXT_BYTES; i++)
        if (!strip_ends(&s) && !strip_pairs(&s) && !strip_command(&s) && !strip_json(&s) && !strip_introduction(&s) &&
            !strip_number(&s) && !strip_about(&s))
            break;
    return s;
}

// ---- rows of numbers, and ranges

static size_t plain_number(const char *s, const char *end, bool sign)
{
    const char *at = s;
    at += sign && at < end && (*at == '-' || *at == '+');
    const char *digits = at;
    while (at < end && (isdigit((unsigned char)*at) ||
                        ((*at == '.' || *at == ',') && at > digits && at + 1 < end && isdigit((unsigned char)at[1]))))
        at++;
    return at > digits ? (size_t)(at - s) : 0;
}

static bool read_rows(Rows *r, Text s)
{
    r->count = r->rows = 0;
    int in_row = 0;
    for (const char *at = s.data, *end = text_end(s); at < end;) {
        if (*at == '\n' && in_row > 0) {
            r->ends[r->rows++] = r->count;
            in_row = 0;
        }
        if (isspace((unsigned char)*at)) {
            at++;
            continue;
        }
        size_t n = plain_number(at, end, true);
        bool apart = n > 0 && (at + n == end || isspace((unsigned char)at[n]));
        if (!apart || r->count == ROW_NUMBERS_MOST || memchr(at, ',', n) != NULL)
            return false;
        r->numbers[r->count++] = (Text){at, n};
        in_row++;
        at += n;
    }
    if (in_row > 0)
        r->ends[r->rows++] = r->count;
    r->columns = r->rows > 0 ? r->ends[0] : 0;
    for (int i = 1; i < r->rows; i++)
        if (r->ends[i] - r->ends[i - 1] != r->columns)
            r->columns = 0;
    return r->count > 1;
}

static const char *behind_dash(const char *at, const char *end) // "-", "--", "to", with space around
{
    while (at < end && *at == ' ')
        at++;
    if (at < end && *at == '-')
        at += at + 1 < end && at[1] == '-' ? 2 : 1;
    else if (end - at > 3 && strncasecmp(at, "to ", 3) == 0)
        at += 3;
    else
        return NULL;
    while (at < end && *at == ' ')
        at++;
    return at;
}

static const char *behind_unit(const char *at, const char *end) // %, or a word
{
    while (at < end && *at == ' ')
        at++;
    if (at < end && *at == '%')
        return at + 1;
    while (at < end && isalpha((unsigned char)*at) && !(end - at > 3 && strncasecmp(at, "to ", 3) == 0))
        at++;
    return at;
}

// Nothing, % or a unit that is known; 2-2p, 3-x and 555-12-34 are no ranges
static bool is_range_unit(Text s, const char *behind_number)
{
    Unit unit;
    if (s.size == 0 || text_is(s, "%"))
        return true;
    return (s.size > 1 || s.data > behind_number) && unit_read(&unit, s) && unit.words_count == 0;
}

// s: spelled in ASCII
static bool read_range(Range *r, Text s)
{
    const char *at = s.data, *end = text_end(s);
    size_t n = plain_number(at, end, false);
    r->low = (Text){at, n};
    at += n;
    const char *unit = at, *behind = n > 0 ? behind_unit(at, end) : NULL,
               *second = behind == NULL ? NULL : behind_dash(behind, end);
    if (second == NULL)
        return false;
    Text first_unit = text_trimmed(text_between(unit, behind));
    n = plain_number(second, end, false);
    r->high = (Text){second, n};
    r->unit = text_trimmed(text_between(second + n, end));
    if (n == 0)
        return false;
    if (first_unit.size > 0 && !texts_equal(first_unit, r->unit))
        return false;
    return is_range_unit(r->unit, second + n);
}

// ---- kinds

bool has_letters_only(Text s)
{
    int letters = 0;
    for (size_t i = 0; i < s.size; i++) {
        bool letter = isalpha((unsigned char)s.data[i]) || (unsigned char)s.data[i] >= 0x80;
        letters += letter;
        if (!letter && s.data[i] != ' ')
            return false;
    }
    return letters > 1;
}

static bool names_function(Text s) // n log n
{
    for (size_t i = 0; i < s.size;) {
        size_t n = 0;
        while (i + n < s.size && isalpha((unsigned char)s.data[i + n]))
            n++;
        if (n > 0 && (is_function((Text){s.data + i, n}) || (n == 2 && memcmp(s.data + i, "pi", 2) == 0)))
            return true;
        i += n > 0 ? n : 1;
    }
    return false;
}

static AnswerKind kind_of_list(const Node *n)
{
    EACH_CHILD (c, n)
        if (c->kind != NODE_WORD && !is_wordy(c))
            return ANSWER_LIST;
    return ANSWER_WORDS;
}

static bool is_inequality(const Node *n)
{
    return n->relation != EQUAL && n->relation != ABOUT && n->relation != RATIO && n->relation != ARROW;
}

static AnswerKind kind_of_node(const Node *n)
{
    switch (n->kind) {
    case NODE_LIST:
        return kind_of_list(n);
    case NODE_RELATION:
        return is_inequality(n) ? ANSWER_SET : ANSWER_EQUATION;
    case NODE_BRACKET:
        return n->count == 2 && n->first->kind != NODE_BRACKET ? ANSWER_SET : ANSWER_MATRIX;
    case NODE_SET:
    case NODE_UNION:
    case NODE_DIFFERENCE:
    case NODE_SUCH_THAT:
        return ANSWER_SET;
    case NODE_MATRIX:
    case NODE_ROW:
        return ANSWER_MATRIX;
    case NODE_QUANTITY:
        return ANSWER_QUANTITY;
    case NODE_NEGATE:
        return kind_of_node(n->first);
    case NODE_WORD:
        return ANSWER_WORDS;
    default:
        return has_symbols(n) ? ANSWER_EXPRESSION : ANSWER_NUMBER;
    }
}

// Few words in each part of a sentence, or in each point of an enumeration
static AnswerKind kind_of_words(Text s)
{
    int clauses = 1, words = 0;
    const char *begin = s.data;
    if (s.size > TEXT_BYTES)
        return ANSWER_TEXT;
    for (const char *at = s.data; at <= text_end(s); at++) {
        if (at < text_end(s) && strchr(",;()\n", *at) == NULL)
            continue;
        int more = words_count(text_between(begin, at));
        words = more > words ? more : words;
        clauses += more > 0;
        begin = at + 1;
    }
    return words <= WORDS_MOST && clauses <= CLAUSES_MOST ? ANSWER_WORDS : ANSWER_TEXT;
}

// Letters and signs that need others to make a formula: what cannot be read may still be a formula.
static bool looks_like_formula(Text s)
{
    return memchr(s.data, '\\', s.size) != NULL || memchr(s.data, '=', s.size) != NULL ||
           memchr(s.data, '^', s.size) != NULL;
}

// 2020-03-05, 3/5/2020: three or more numbers with dashes or slashes are no difference; A-C-B is an order; 1960s is a
// time.
static bool is_code(Text s)
{
    int parts = 0;
    char sign = 0;
    for (const char *at = s.data, *end = text_end(s);;) {
        bool letter = at < end && isupper((unsigned char)*at) && (at + 1 == end || !isalpha((unsigned char)at[1]));
        size_t n = letter ? 1 : plain_number(at, end, false);
        if (n == 0)
            return false;
        if (end - at == 5 && n == 4 && at[3] == '0' && at[4] == 's')
            return true;
        parts++;
        at += n;
        while (letter && at < end && *at == ' ')
            at++;
        if (at == end)
            return parts > 2;
        if ((*at != '-' && *at != '/') || (sign != 0 && *at != sign))
            return false;
        for (sign = *at++; letter && at < end && *at == ' ';)
            at++;
    }
}

static int words_below(const Node *n)
{
    int words = n->kind == NODE_WORD && n->name.size > 3;
    EACH_CHILD (c, n)
        words += words_below(c);
    return words;
}

// Queue | Map | Stack is no product.
static bool multiplies_words(const Node *n)
{
    if (n->kind == NODE_MULTIPLY && words_below(n) > 1)
        return true;
    EACH_CHILD (c, n)
        if (multiplies_words(c))
            return true;
    return false;
}

static AnswerKind kind_of(Reading *r)
{
    Formula *f = r->formula;
    Chemical chemical;
    if (r->text.size == 0)
        return ANSWER_NONE;
    if (r->too_long)
        return kind_of_words(r->text);
    bool choices = strchr("^_{", *r->text.data) != NULL && formula_lex(f, r->text) && formula_parse(f) &&
                   f->root->kind == NODE_CALL;
    if (choices) // ^{10}C_3 is no isotope
        return ANSWER_NUMBER;
    f->root = NULL;
    if (chemical_read(&chemical, r->text) && chemical.certain)
        return ANSWER_CHEMICAL;
    Text spelled = {f->text, f->size};
    r->has_range = read_range(&r->range, text_trimmed(spelled));
    r->has_rows = read_rows(&r->rows, r->text);
    if (is_code(spelled))
        return kind_of_words(r->text);
    if (has_letters_only(spelled) && !names_function(spelled))
        return kind_of_words(r->text);
    bool parsed = formula_lex(f, r->text) && formula_parse(f) && !multiplies_words(f->root);
    if (!parsed)
        f->root = NULL;
    r->one_item = parsed && f->root->close == ']' && f->root->kind != NODE_BRACKET && f->root->kind != NODE_LIST &&
                  *f->text == '[';
    if (r->has_range)
        return ANSWER_SET;
    if (r->has_rows && !(parsed && f->spaced_thousands))
        return ANSWER_LIST;
    if (parsed)
        return kind_of_node(f->root);
    return looks_like_formula(r->text) && words_in(r->text) < 3 ? ANSWER_NONE : kind_of_words(r->text);
}

void read_answer(Reading *r, Text text, Formula *formula)
{
    r->text = unwrapped(text);
    r->formula = formula;
    r->has_rows = r->has_range = r->one_item = false;
    formula->root = NULL;
    formula->no_units = formula->no_spaced_thousands = formula->ambiguous_units = false;
    r->too_long = r->text.size == 0 || !formula_spell(formula, r->text);
    r->kind = kind_of(r);
}
