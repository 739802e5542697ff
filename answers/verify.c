// The front door: a reference is read, then what the response says, as what the reference is; then the two are compared.
#include "answers/verify.h"
#include "answers/chemical.h"
#include "answers/choice.h"
#include "answers/compare.h"
#include "answers/dates.h"
#include "answers/extract.h"
#include "answers/reading.h"
#include "answers/units.h"
#include "answers/words.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORDS_OF_ANSWER = 6, WORDS_OF_STATEMENT = 40, STATEMENT_BYTES = 4096, LETTER_BYTES = 64 };

const char *const VERDICT_NAMES[3] = {"unknown", "different", "equal"};
const char *const ANSWER_KIND_NAMES[ANSWER_KINDS] = {"none", "number", "quantity", "expression", "equation", "list",
                                                     "set",  "matrix", "choice",   "chemical",   "words",    "text"};

typedef struct Verifier { // what one verdict needs
    Formula formulas[2];
    Reading gold, given;
    char boxes[2][FORMULA_BYTES];  // several joined, of the reference and of the answer
    char points[2][FORMULA_BYTES]; // both without what numbers them
    Comparison comparison;
} Verifier;

static Verdict say(Verifier *v, Verdict verdict, const char *rule) { return decide(&v->comparison, verdict, rule); }

// ---- spelling

static bool is_alnum(char c) { return isalnum((unsigned char)c) || (unsigned char)c >= 0x80; }

// The same characters but for space, which counts only between letters and digits.
static bool same_spelling(const char *a, const char *b)
{
    for (char last = 0;; last = *a++, b++) {
        size_t x = strspn(a, " \n\t\r"), y = strspn(b, " \n\t\r");
        a += x, b += y;
        if (*a != *b || ((x > 0) != (y > 0) && is_alnum(last) && is_alnum(*a)))
            return false;
        if (*a == 0)
            return true;
    }
}

static bool spelled_alike(const Reading *a, const Reading *b)
{
    if (texts_equal(a->text, b->text))
        return a->text.size > 0;
    return !a->too_long && !b->too_long && a->formula->size > 0 && same_spelling(a->formula->text, b->formula->text);
}

// ---- rows and ranges

static bool same_number(Text a, Text b)
{
    mpq_t x, y;
    mpq_inits(x, y, NULL);
    bool same = number_read(x, a) && number_read(y, b) && mpq_equal(x, y) && (*a.data == '-') == (*b.data == '-');
    mpq_clears(x, y, NULL);
    return same;
}

static bool same_rows(const Rows *a, const Rows *b)
{
    bool same = a->count == b->count && a->rows == b->rows;
    for (int i = 0; same && i < a->rows; i++)
        same = a->ends[i] == b->ends[i];
    for (int i = 0; same && i < a->count; i++)
        same = same_number(a->numbers[i], b->numbers[i]);
    return same;
}

// A row as a list of numbers with commas or in brackets; rows as a list of such
static bool row_is_list(const Rows *r, int from, int to, const Node *list)
{
    if (list->kind == NODE_MATRIX && list->count == 1)
        list = list->first;
    if ((list->kind != NODE_LIST && list->kind != NODE_BRACKET && list->kind != NODE_ROW) || list->count != to - from)
        return false;
    const Node *item = list->first;
    for (int i = from; i < to; i++, item = item->next) {
        const Node *number = item->kind == NODE_NEGATE ? item->first : item;
        char sign = item->kind == NODE_NEGATE ? '-' : '+';
        Text own = r->numbers[i];
        bool signs = (*own.data == '-') == (sign == '-');
        own = *own.data == '-' || *own.data == '+' ? (Text){own.data + 1, own.size - 1} : own;
        if (number->kind != NODE_NUMBER || !signs || !same_number(own, number->name))
            return false;
    }
    return true;
}

static bool rows_are_list(const Rows *r, const Node *n)
{
    if (n == NULL)
        return false;
    if (r->rows == 1)
        return row_is_list(r, 0, r->count, n);
    if ((n->kind != NODE_LIST && n->kind != NODE_BRACKET && n->kind != NODE_MATRIX) || n->count != r->rows)
        return false;
    const Node *item = n->first;
    for (int i = 0; i < r->rows; i++, item = item->next)
        if (!row_is_list(r, i == 0 ? 0 : r->ends[i - 1], r->ends[i], item))
            return false;
    return true;
}

static Verdict compare_rows(Verifier *v)
{
    const Reading *g = &v->gold, *p = &v->given;
    if (g->has_rows && p->has_rows)
        return say(v, verdict_of(same_rows(&g->rows, &p->rows)), "rows of numbers, in their order");
    const Rows *rows = g->has_rows ? &g->rows : &p->rows;
    bool same = rows_are_list(rows, g->has_rows ? p->formula->root : g->formula->root);
    return say(v, same ? VERDICT_EQUAL : VERDICT_UNKNOWN,
               same ? "rows of numbers, in their order" : "a row of numbers and something else");
}

static Verdict compare_ranges(Verifier *v)
{
    const Reading *g = &v->gold, *p = &v->given;
    if (!g->has_range || !p->has_range)
        return say(v, VERDICT_UNKNOWN, "a range, a score or a code, and something else");
    const Range *x = &g->range, *y = &p->range;
    bool numbers = same_number(x->low, y->low) && same_number(x->high, y->high);
    bool units = x->unit.size == 0 || y->unit.size == 0 || texts_equal(x->unit, y->unit);
    return say(v, !numbers ? VERDICT_DIFFERENT : units ? VERDICT_EQUAL : VERDICT_UNKNOWN, "both ends of a range");
}

// ---- formulas

static Verdict compare_trees(Verifier *v)
{
    v->comparison.budget = (Budget){.steps = STEPS_MOST};
    return compare(&v->comparison, v->gold.formula->root, v->given.formula->root, COMPARE_DEPTH);
}

static bool parse_again(Reading *r, bool no_units, bool no_spaced_thousands)
{
    r->formula->no_units = no_units;
    r->formula->no_spaced_thousands = no_spaced_thousands;
    return formula_lex(r->formula, r->text) && formula_parse(r->formula);
}

// "5 m" is five metres, and may be 5 · m: equal in either way is equal, and what differs in one alone is not known.
static Verdict compare_formulas(Verifier *v)
{
    Verdict with = compare_trees(v);
    if (with == VERDICT_EQUAL || !(v->gold.formula->ambiguous_units || v->given.formula->ambiguous_units))
        return with;
    const char *rule = v->comparison.rule;
    bool both_read = parse_again(&v->gold, true, false) && parse_again(&v->given, true, false);
    Verdict without = both_read ? compare_trees(v) : with;
    if (without == VERDICT_EQUAL)
        return without;
    if (!both_read)
        parse_again(&v->gold, false, false);
    return with == without ? say(v, with, rule) : say(v, with == VERDICT_DIFFERENT ? with : VERDICT_UNKNOWN, rule);
}

// 12,3 for 12.3, where a number is asked for
static bool comma_for_point(Text s, char *out, Text *with_point)
{
    const char *comma = memchr(s.data, ',', s.size);
    if (comma == NULL || s.size >= 64 || comma == s.data || memchr(comma + 1, ',', (size_t)(s.data + s.size - comma - 1)) != NULL)
        return false;
    size_t behind = 0;
    while (comma + 1 + behind < s.data + s.size && isdigit((unsigned char)comma[1 + behind]))
        behind++;
    if (!isdigit((unsigned char)comma[-1]) || behind == 0 || behind == 3)
        return false;
    memcpy(out, s.data, s.size);
    out[comma - s.data] = '.';
    *with_point = (Text){out, s.size};
    return true;
}

static bool is_scalar(AnswerKind k) { return k == ANSWER_NUMBER || k == ANSWER_QUANTITY; }

static bool read_with_point(Verifier *v)
{
    char text[64];
    Text with_point;
    if (is_scalar(v->gold.kind) && memchr(v->gold.text.data, '.', v->gold.text.size) != NULL &&
        comma_for_point(v->given.text, text, &with_point))
        return formula_lex(&v->formulas[1], with_point) && formula_parse(&v->formulas[1]);
    if (is_scalar(v->given.kind) && memchr(v->given.text.data, '.', v->given.text.size) != NULL &&
        comma_for_point(v->gold.text, text, &with_point))
        return formula_lex(&v->formulas[0], with_point) && formula_parse(&v->formulas[0]);
    return false;
}

static bool same_digits(Verifier *v)
{
    const Node *g = v->gold.formula->root, *p = v->given.formula->root;
    return g->kind == NODE_NUMBER && p->kind == NODE_NUMBER && same_number(g->name, p->name);
}

// Behind the last = that is in no braces: what a sum or a limit that cannot be read comes to, where a number is asked for.
static bool read_right_side(Verifier *v)
{
    Text s = v->given.text;
    int depth = 0;
    if (!is_scalar(v->gold.kind))
        return false;
    for (size_t i = s.size; i-- > 0;) {
        depth += s.data[i] == '}';
        depth -= s.data[i] == '{';
        if (s.data[i] == '=' && depth == 0 && i > 0 && strchr("<>!", s.data[i - 1]) == NULL)
            return memmem(s.data, i, "forall", 6) == NULL &&
                   formula_lex(&v->formulas[1], (Text){s.data + i + 1, s.size - i - 1}) && formula_parse(&v->formulas[1]);
    }
    return false;
}

// "f(x) = cx \text{ for any constant } c": what follows the text says for which
static bool read_without_condition(Verifier *v)
{
    static const char *const begins[] = {"\\text{ for ", "\\text{for ", "\\text{ where ", "\\text{where ", "\\quad\\text{for ",
                                         ", where ",     " where ",     " for any ",      " for all ",     NULL};
    Text s = v->given.text;
    for (const char *const *b = begins; *b != NULL; b++) {
        const char *at = memmem(s.data, s.size, *b, strlen(*b));
        if (at != NULL && at > s.data)
            return formula_lex(&v->formulas[1], text_between(s.data, at)) && formula_parse(&v->formulas[1]);
    }
    return false;
}

// Letters of several options: AC; A and C; A, C
static size_t letters_joined(char out[16], Text s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.size;) {
        if (s.size - i > 4 && memcmp(s.data + i, " and ", 5) == 0)
            i += 4;
        else if (s.data[i] >= 'A' && s.data[i] <= 'J' && n < 16)
            out[n++] = s.data[i++];
        else if (strchr(" ,;&", s.data[i]) != NULL)
            i++;
        else
            return 0;
    }
    for (size_t i = 1; i < n; i++)
        if (out[i] <= out[i - 1])
            return 0;
    return n > 1 ? n : 0;
}

// Without the (1), (2) that number the points of a list; size 0: it has none.
static Text unnumbered(char out[FORMULA_BYTES], Text s)
{
    size_t n = 0, points = 0;
    if (s.size >= FORMULA_BYTES / 2)
        return (Text){out, 0};
    for (size_t i = 0; i < s.size;) {
        size_t digits = 0;
        while (s.data[i] == '(' && i + 1 + digits < s.size && isdigit((unsigned char)s.data[i + 1 + digits]))
            digits++;
        if (digits == 0 || i + 1 + digits >= s.size || s.data[i + 1 + digits] != ')') {
            out[n++] = s.data[i++];
            continue;
        }
        memcpy(out + n, ", ", 2);
        n += points > 0 ? 2 : 0;
        i += digits + 2;
        points++;
    }
    return points > 1 ? text_trimmed((Text){out, n}) : (Text){out, 0};
}

static Verdict compare_points(Verifier *v)
{
    const char *rule;
    Text g = unnumbered(v->points[0], v->gold.text), p = unnumbered(v->points[1], v->given.text);
    if (g.size == 0)
        return VERDICT_UNKNOWN;
    return words_compare(g, p.size > 0 ? p : v->given.text, &rule);
}

static Verdict compare_as_words(Verifier *v)
{
    char g[16], p[16];
    size_t n = letters_joined(g, v->gold.text), m = letters_joined(p, v->given.text);
    if (n > 0 && m > 0)
        return say(v, verdict_of(n == m && memcmp(g, p, n) == 0), "letters");
    const char *rule;
    Verdict verdict = words_compare(v->gold.text, v->given.text, &rule);
    if (verdict == VERDICT_UNKNOWN && compare_points(v) == VERDICT_EQUAL)
        return say(v, VERDICT_EQUAL, "points of a list, in their order");
    return say(v, verdict, rule);
}

// "She needs five apples.": the only number of a sentence without digits; "one" is too often none
static bool read_number_word(Verifier *v, int64_t *number)
{
    Text s = v->given.text;
    int found = 0;
    for (size_t i = 0, n; i<s.size; i += n> 0 ? n : 1) {
        n = 0;
        if (isdigit((unsigned char)s.data[i]))
            return false;
        while (i + n < s.size && (isalpha((unsigned char)s.data[i + n]) || (n > 0 && s.data[i + n] == '-')))
            n++;
        int64_t one;
        if (n > 0 && words_number((Text){s.data + i, n}, &one) && ++found == 1)
            *number = one;
    }
    return found == 1 && *number > 1;
}

static Verdict compare_number_word(Verifier *v)
{
    int64_t number = 0;
    char digits[24];
    if (!is_scalar(v->gold.kind) || !read_number_word(v, &number))
        return VERDICT_UNKNOWN;
    snprintf(digits, sizeof digits, "%" PRId64, number);
    if (!formula_lex(&v->formulas[1], (Text){digits, strlen(digits)}) || !formula_parse(&v->formulas[1]))
        return VERDICT_UNKNOWN;
    Verdict verdict = compare_trees(v);
    return say(v, verdict, "number in words");
}

// \text{FF}_{16} and FF: digits of another base that are letters, and the base left out
static bool base_left_out(Verifier *v)
{
    char plain[64];
    Text g = plain_name(plain, sizeof plain, v->gold.text), p = v->given.text;
    if (g.size >= sizeof plain || g.size <= p.size || p.size == 0 || memcmp(g.data, p.data, p.size) != 0)
        return false;
    for (size_t i = 0; i < p.size; i++)
        if (!isxdigit((unsigned char)p.data[i]))
            return false;
    return text_is((Text){g.data + p.size, g.size - p.size}, "16") && memchr(v->gold.text.data, '_', v->gold.text.size) != NULL;
}

static Verdict compare_numbers_in_rows(Verifier *v) // "5 120 300" may be a row, or a number
{
    bool row =
        (v->gold.has_rows && v->gold.formula->spaced_thousands) || (v->given.has_rows && v->given.formula->spaced_thousands);
    return row ? compare_rows(v) : VERDICT_UNKNOWN;
}

static Verdict compare_as_formulas(Verifier *v)
{
    Verdict verdict = VERDICT_UNKNOWN;
    bool given = v->given.formula->root != NULL, gold = v->gold.formula->root != NULL;
    const char *rule = "the answer cannot be read";
    if (gold && given) {
        verdict = compare_formulas(v);
        rule = v->comparison.rule;
        if (verdict != VERDICT_EQUAL && compare_numbers_in_rows(v) == VERDICT_EQUAL)
            return VERDICT_EQUAL;
        if (verdict != VERDICT_EQUAL && read_with_point(v) && same_digits(v))
            return say(v, VERDICT_EQUAL, "a comma for a point");
    } else if (gold && (read_without_condition(v) || read_right_side(v))) {
        Verdict part = compare_trees(v);
        return part == VERDICT_EQUAL ? part : say(v, VERDICT_UNKNOWN, rule);
    }
    if (verdict == VERDICT_UNKNOWN && (compare_as_words(v) == VERDICT_EQUAL || compare_number_word(v) == VERDICT_EQUAL))
        return VERDICT_EQUAL;
    return say(v, verdict, rule);
}

// ---- one reference, one answer

static Verdict compare_chemicals(Verifier *v, bool *read)
{
    Chemical g, p;
    bool formulas = v->gold.formula->root != NULL && v->given.formula->root != NULL;
    *read = !formulas && chemical_read(&g, v->gold.text) && chemical_read(&p, v->given.text) && (g.certain || p.certain);
    return *read ? say(v, chemical_compare(&g, &p), "chemical formulas") : VERDICT_UNKNOWN;
}

static Verdict compare_dates(Verifier *v)
{
    int g[3], p[3];
    if (!date_read(g, v->gold.text) || !date_read(p, v->given.text))
        return VERDICT_UNKNOWN;
    return say(v, verdict_of(memcmp(g, p, sizeof g) == 0), "dates");
}

// 5:30 PM and 17:30; 1:04 is no ratio
static Verdict compare_times(Verifier *v, bool *read)
{
    int g, p;
    bool gold = time_read(&g, v->gold.text), given = time_read(&p, v->given.text);
    *read = (gold || given) && memchr(v->gold.text.data, ':', v->gold.text.size) != NULL &&
            memchr(v->given.text.data, ':', v->given.text.size) != NULL;
    return *read && gold && given ? say(v, verdict_of(g == p), "times of day")
                                  : say(v, VERDICT_UNKNOWN, "a time of day and something else");
}

static Verdict compare_readings(Verifier *v)
{
    bool chemicals;
    if (v->gold.text.size > TEXT_BYTES || v->given.text.size > TEXT_BYTES) // no answer, and a response may be made of such
        return say(v, texts_equal(v->gold.text, v->given.text) ? VERDICT_EQUAL : VERDICT_UNKNOWN, "longer than an answer may be");
    if (v->given.text.size == 0)
        return say(v, VERDICT_DIFFERENT, "no answer");
    bool rows = v->gold.has_rows || v->given.has_rows; // where lines count
    if (rows ? texts_equal(v->gold.text, v->given.text) : spelled_alike(&v->gold, &v->given))
        return say(v, VERDICT_EQUAL, "the same characters");
    Verdict verdict = compare_chemicals(v, &chemicals);
    if (chemicals)
        return verdict;
    if ((verdict = compare_dates(v)) != VERDICT_UNKNOWN)
        return verdict;
    bool times;
    verdict = compare_times(v, &times);
    if (times)
        return verdict;
    if (base_left_out(v))
        return say(v, VERDICT_EQUAL, "base left out");
    if (v->gold.kind == ANSWER_WORDS || v->gold.kind == ANSWER_TEXT || v->gold.kind == ANSWER_NONE ||
        v->gold.kind == ANSWER_CHEMICAL)
        return compare_as_words(v);
    if (v->gold.one_item && !v->given.one_item)
        return say(v, VERDICT_UNKNOWN, "a list of one thing and the thing");
    if (v->gold.has_range || v->given.has_range)
        return compare_ranges(v);
    if ((v->gold.has_rows && !v->gold.formula->spaced_thousands) || (v->given.has_rows && !v->given.formula->spaced_thousands))
        return compare_rows(v);
    return compare_as_formulas(v);
}

static bool is_words(AnswerKind k) { return k == ANSWER_WORDS || k == ANSWER_TEXT || k == ANSWER_NONE; }

static Verdict compare_with(Verifier *v, Text answer)
{
    Text bare = unwrapped(answer);
    if (!is_words(v->gold.kind) && strip_label(&bare))
        answer = bare;
    read_answer(&v->given, answer, &v->formulas[1]);
    return compare_readings(v);
}

// ---- what a response says, read as what the reference is

static Text joined_boxes(char out[FORMULA_BYTES], Text statement)
{
    Text inside[BOXES_MOST];
    int count = boxes_in(inside, statement);
    size_t n = 0;
    if (count == 1)
        return inside[0];
    for (int i = 0; i < count; i++) {
        if (n + inside[i].size + 2 > FORMULA_BYTES)
            return inside[count - 1];
        memcpy(out + n, ", ", i > 0 ? 2 : 0);
        n += i > 0 ? 2 : 0;
        memcpy(out + n, inside[i].data, inside[i].size);
        n += inside[i].size;
    }
    return (Text){out, n};
}

static Text last_box(Text statement)
{
    Text inside[BOXES_MOST];
    int count = boxes_in(inside, statement);
    return count > 0 ? inside[count - 1] : statement;
}

static bool reads_as_formula(Verifier *v, Text s)
{
    read_answer(&v->given, s, &v->formulas[1]);
    return v->given.formula->root != NULL || v->given.kind == ANSWER_CHEMICAL || v->given.has_rows || v->given.has_range;
}

static bool known_quantity(Verifier *v, Text s)
{
    Unit unit;
    if (!reads_as_formula(v, s) || v->given.kind != ANSWER_QUANTITY)
        return false;
    const Node *n = v->given.formula->root;
    n = n->kind == NODE_NEGATE ? n->first : n;
    return unit_read(&unit, n->name) && unit.words_count == 0;
}

// "less than 0.8 N" is not 0.8 N.
static bool is_limited(Text s, Text quantity)
{
    static const char *const limits[] = {"less than",  "more than", "greater than", "smaller than", "larger than", "higher than",
                                         "lower than", "at least",  "at most",      "up to",        "below",       "above",
                                         "under",      "over",      "not",          "never",        "except",      NULL};
    Text before = quantity.data > s.data && quantity.data <= s.data + s.size ? text_trimmed(text_between(s.data, quantity.data))
                                                                             : (Text){NULL, 0};
    for (const char *const *l = limits; *l != NULL; l++) {
        size_t n = strlen(*l);
        if (before.size >= n && strncasecmp(before.data + before.size - n, *l, n) == 0 &&
            (before.size == n || !isalpha((unsigned char)before.data[before.size - n - 1])))
            return true;
    }
    return false;
}

// Of a sentence: all of it where it is a formula, or else the formula or number that it ends with, with its unit.
static Text formula_of_sentence(Verifier *v, Text s, bool *found)
{
    Text whole = unwrapped(s), quantity = sentence_quantity(first_sentence(whole));
    *found = true;
    bool set_apart = quantity.size > 0 && quantity.data > whole.data && strchr("$([", quantity.data[-1]) != NULL; // "Answer $x$"
    if (!set_apart && whole.size < FORMULA_BYTES && reads_as_formula(v, whole))
        return whole;
    *found = last_quantity(s).size > 0;
    if (!*found || quantity.size == 0)
        return whole;
    if (is_limited(whole, quantity)) {
        *found = false;
        return whole;
    }
    const char *end = whole.data + whole.size;
    Text with_unit = unwrapped(quantity.data < end ? text_between(quantity.data, end) : quantity);
    bool behind = quantity.data >= whole.data && with_unit.size > quantity.size && with_unit.size < quantity.size + 64;
    return behind && known_quantity(v, with_unit) ? with_unit : quantity;
}

// A mark behind the box that says nothing of a formula ("our final answer is a common one") is none.
static bool says_formula(Verifier *v, const Statement *s)
{
    bool found;
    Text said = formula_of_sentence(v, s->text, &found);
    return found ? words_in(said) <= 2 || reads_as_formula(v, said) : reads_as_formula(v, said) && words_in(said) == 0;
}

static Text formula_answer(Verifier *v, const Statement *list, int count, const Statement **from)
{
    bool found;
    for (int i = 0; i < count; i++) {
        const Statement *s = *from = &list[i];
        bool more = i + 1 < count;
        if (s->mark == MARK_BOX)
            return s->text;
        if (s->mark == MARK_BOXES)
            return joined_boxes(v->boxes[1], s->text);
        if ((s->mark == MARK_FINAL || s->mark == MARK_PHRASE) && more && !says_formula(v, s) && list[i + 1].mark != MARK_NONE)
            continue;
        if (s->mark == MARK_NONE && words_in(s->text) >= WORDS_OF_ANSWER && !(s->text.size < 256 && reads_as_formula(v, s->text)))
            return last_quantity(unwrapped(s->text));
        return formula_of_sentence(v, s->text, &found);
    }
    return (Text){NULL, 0};
}

static Text words_answer(Verifier *v, const Statement *list, int count, const Statement **from)
{
    if (count == 0)
        return (Text){NULL, 0};
    const Statement *s = *from = &list[0];
    if (s->mark == MARK_BOXES)
        return joined_boxes(v->boxes[1], s->text);
    if (s->mark != MARK_NONE || (s->text.size < STATEMENT_BYTES && words_count(s->text) <= WORDS_OF_STATEMENT))
        return s->text;
    const char *line = memrchr(s->text.data, '\n', s->text.size);
    Text last = line == NULL ? s->text : text_trimmed(text_between(line, s->text.data + s->text.size));
    return last.size < STATEMENT_BYTES && words_count(last) <= WORDS_OF_STATEMENT ? last : (Text){NULL, 0};
}

// ---- the whole

// A reference is taken whole, but for what stands behind #### or in a box, and the words before "answer is".
static Text reference_text(Verifier *v, Text gold)
{
    Text whole = text_trimmed(gold), inside[BOXES_MOST];
    const char *marked = text_last(whole, "####");
    if (marked != NULL)
        return text_trimmed(text_between(marked + 4, whole.data + whole.size));
    if (boxes_in(inside, whole) > 0)
        return joined_boxes(v->boxes[0], whole);
    static const char *const phrases[] = {"answer is:", "answer is", "answer:", NULL};
    for (const char *const *p = phrases; *p != NULL; p++) {
        const char *at = text_last(whole, *p);
        Text behind = at == NULL ? (Text){NULL, 0} : text_trimmed(text_between(at + strlen(*p), whole.data + whole.size));
        if (behind.size > 0)
            return behind;
    }
    return whole;
}

static void show(char out[FINDING_BYTES], Text s)
{
    size_t n = s.size < FINDING_BYTES - 1 ? s.size : FINDING_BYTES - 1;
    while (n < s.size && n > 0 && ((unsigned char)s.data[n] & 0xC0) == 0x80)
        n--; // between two characters
    if (n > 0)
        memcpy(out, s.data, n);
    out[n] = 0;
}

static void find(Verifier *v, Finding *f, Text response)
{
    Statement list[STATEMENTS_MOST];
    const Statement *from = NULL;
    int count = response_statements(list, response);
    bool words = is_words(v->gold.kind);
    if (count > 0 && texts_equal(unwrapped(list[0].text), v->gold.text)) {
        show(f->answer, v->gold.text);
        f->verdict = VERDICT_EQUAL;
        f->rule = "the same characters";
        return;
    }
    Text answer = (words ? words_answer : formula_answer)(v, list, count, &from);
    show(f->answer, answer);
    if (answer.size == 0) {
        f->verdict = count == 0 ? VERDICT_DIFFERENT : VERDICT_UNKNOWN;
        f->rule = count == 0 ? "no answer" : "no answer is marked";
        return;
    }
    f->verdict = compare_with(v, answer);
    bool lines = words || v->gold.has_rows; // a grid, or points of a list, on lines of their own
    if (f->verdict != VERDICT_EQUAL && lines && from->all.size > from->text.size && from->all.size < FORMULA_BYTES) {
        Verdict one = compare_with(v, from->all);
        f->verdict = one == VERDICT_EQUAL || v->given.has_rows ? one : f->verdict;
    }
    if (f->verdict != VERDICT_EQUAL && from->mark == MARK_BOXES) { // ways of writing it, of which the last one counts
        Text last = last_box(from->text);
        Verdict one = compare_with(v, last);
        f->verdict = one == VERDICT_EQUAL ? one : f->verdict;
    }
    if (f->verdict != VERDICT_EQUAL && words && from->mark != MARK_BOX && from->mark != MARK_BOXES) {
        Verdict one = compare_with(v, first_sentence(answer));
        f->verdict = one == VERDICT_EQUAL ? one : f->verdict;
    }
    f->rule = v->comparison.rule;
}

static Verifier *open_verifier(Text gold)
{
    Verifier *v = malloc(sizeof *v);
    if (v == NULL)
        return NULL;
    v->comparison.rule = "";
    read_answer(&v->gold, reference_text(v, gold), &v->formulas[0]);
    return v;
}

static bool is_letter(Text gold, char *letter) { return gold.size <= LETTER_BYTES && choice_letter(gold, letter); }

// A reference that is a letter may be that of an option which stands in the question's text.
static bool find_letter(Finding *f, Text gold, Text response)
{
    char right, said;
    if (!is_letter(gold, &right) || !choice_letter_said(response, &said))
        return false;
    f->kind = ANSWER_CHOICE;
    f->verdict = verdict_of(right == said);
    f->rule = "letter";
    show(f->reference, text_trimmed(gold));
    show(f->answer, (Text){&said, 1});
    return true;
}

void verify_finding(Finding *f, Text row, Text gold, Text response)
{
    *f = (Finding){.rule = "no memory", .kind = ANSWER_NONE};
    gold.data = gold.size > 0 ? gold.data : "";
    response.data = response.size > 0 ? response.data : "";
    if (choice_finding(f, row, gold, response)) {
        f->kind = ANSWER_CHOICE;
        return;
    }
    if (find_letter(f, gold, response))
        return;
    Verifier *v = open_verifier(gold);
    if (v == NULL)
        return;
    char letter;
    f->kind = is_letter(gold, &letter) ? ANSWER_CHOICE : v->gold.kind;
    show(f->reference, v->gold.text);
    if (v->gold.text.size == 0)
        f->rule = "no reference";
    else
        find(v, f, response);
    free(v);
}

Verdict verify(Text gold, Text response)
{
    Finding f;
    verify_finding(&f, (Text){NULL, 0}, gold, response);
    return f.verdict;
}

AnswerKind answer_kind(Text row, Text gold)
{
    Finding f;
    char letter;
    gold.data = gold.size > 0 ? gold.data : "";
    if (text_trimmed(gold).size == 0)
        return ANSWER_NONE;
    if (choice_finding(&f, row, gold, gold) || is_letter(gold, &letter))
        return ANSWER_CHOICE;
    Verifier *v = open_verifier(gold);
    AnswerKind kind = v == NULL ? ANSWER_NONE : v->gold.kind;
    free(v);
    return kind;
}

bool answer_comparable(Text row, Text gold)
{
    AnswerKind kind = answer_kind(row, gold);
    return kind != ANSWER_NONE && kind != ANSWER_TEXT;
}

Text response_answer(Text response, char *out, size_t capacity)
{
    Verifier *v = open_verifier((Text){"0", 1}); // as a formula
    if (v == NULL)
        return (Text){NULL, 0};
    Statement list[STATEMENTS_MOST];
    const Statement *from;
    Text answer = formula_answer(v, list, response_statements(list, response), &from);
    if (answer.data == v->boxes[1]) {
        answer.size = answer.size < capacity ? answer.size : capacity;
        memcpy(out, answer.data, answer.size);
        answer.data = out;
    }
    free(v);
    return answer;
}

bool response_marks_answer(Text response)
{
    Statement list[STATEMENTS_MOST];
    int count = response_statements(list, response);
    return count > 0 && list[0].mark != MARK_NONE;
}
