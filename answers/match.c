// One reference and one answer: first compared as characters; then as chemistry, dates and times; then, by the
// reference's kind, as words, rows, ranges or formulas.
#include "answers/match.h"
#include "answers/chemistry/chemical.h"
#include "answers/words/dates.h"
#include "answers/compare/logic.h"
#include "answers/units/units.h"
#include "answers/words/words.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// ---- spelling

static bool is_alnum(char c) { return isalnum((unsigned char)c) || (unsigned char)c >= 0x80; }

// The same characters, ignoring spaces except between letters and digits.
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
// ---- formulas

Verdict compare_trees(Verifier *v)
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

// "5 m" is five metres, and may be 5 · m: equal in either reading is equal, different in only one is unknown.
static Verdict compare_formulas(Verifier *v)
{
    Verdict with = compare_trees(v);
    if (with == VERDICT_EQUAL || !(v->gold.formula->ambiguous_units || v->given.formula->ambiguous_units))
        return with;
    const char *rule = v->comparison.rule;
    if (with == VERDICT_DIFFERENT && strcmp(rule, ANOTHER_UNIT) == 0) // both are known
        return with;
    bool both_read = parse_again(&v->gold, true, false) && parse_again(&v->given, true, false);
    Verdict without = both_read ? compare_trees(v) : with;
    if (without == VERDICT_EQUAL || (both_read && with == VERDICT_UNKNOWN && strcmp(rule, CANNOT_EVALUATE) == 0))
        return without; // \sqrt{7 E / m} has no units
    if (!both_read)
        parse_again(&v->gold, false, false);
    return with == without ? say(v, with, rule) : say(v, with == VERDICT_DIFFERENT ? with : VERDICT_UNKNOWN, rule);
}

static bool strpbrk_in(Text s, const char *signs)
{
    for (size_t i = 0; i < s.size; i++)
        if (strchr(signs, s.data[i]) != NULL)
            return true;
    return false;
}

// 12,3 for 12.3, where the reference is a number
static bool comma_for_point(Text s, char *out, Text *with_point)
{
    const char *comma = memchr(s.data, ',', s.size);
    if (comma == NULL || s.size >= 64 || comma == s.data ||
        memchr(comma + 1, ',', (size_t)(s.data + s.size - comma - 1)) != NULL)
        return false;
    size_t behind = 0;
    if (strpbrk_in(s, "([{)]}\\"))
        return false;
    while (comma + 1 + behind < s.data + s.size && isdigit((unsigned char)comma[1 + behind]))
        behind++;
    if (!isdigit((unsigned char)comma[-1]) || behind == 0 || behind == 3)
        return false;
    memcpy(out, s.data, s.size);
    out[comma - s.data] = '.';
    *with_point = (Text){out, s.size};
    return true;
}

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

// After the last = outside braces: the value of a sum or a limit that cannot be read, where the reference is a number.
static bool read_right_side(Verifier *v)
{
    Text s = v->given.text;
    int depth = 0;
    if (!is_scalar(v->gold.kind) || words_in(s) > 0)
        return false;
    for (size_t i = s.size; i-- > 0;) {
        depth += s.data[i] == '}';
        depth -= s.data[i] == '{';
        if (s.data[i] == '=' && depth == 0 && i > 0 && strchr("<>!", s.data[i - 1]) == NULL)
            return memmem(s.data, i, "forall", 6) == NULL &&
                   formula_lex(&v->formulas[1], (Text){s.data + i + 1, s.size - i - 1}) &&
                   formula_parse(&v->formulas[1]);
    }
    return false;
}

// "f(x) = cx \text{ for any constant } c": the part after the text is a condition
static bool read_without_condition(Verifier *v)
{
    static const char *const begins[] = {"\\text{ for ",      "\\text{for ", "\\text{ where ", "\\text{where ",
                                         "\\quad\\text{for ", ", where ",    " where ",        " for any ",
                                         " for all ",         NULL};
    Text s = v->given.text;
    for (const char *const *b = begins; *b != NULL; b++) {
        const char *at = memmem(s.data, s.size, *b, strlen(*b));
        if (at != NULL && at > s.data)
            return formula_lex(&v->formulas[1], text_between(s.data, at)) && formula_parse(&v->formulas[1]);
    }
    return false;
}

// \text{FF}_{16} and FF: hexadecimal digits that are letters, and the base left out
static bool base_left_out(Verifier *v)
{
    char plain[64];
    Text g = plain_name(plain, sizeof plain, v->gold.text), p = v->given.text;
    if (g.size >= sizeof plain || g.size <= p.size || p.size == 0 || memcmp(g.data, p.data, p.size) != 0)
        return false;
    for (size_t i = 0; i < p.size; i++)
        if (!isxdigit((unsigned char)p.data[i]))
            return false;
    return text_is((Text){g.data + p.size, g.size - p.size}, "16") &&
           memchr(v->gold.text.data, '_', v->gold.text.size) != NULL;
}

static Verdict compare_numbers_in_rows(Verifier *v) // "5 120 300" may be a row, or a number
{
    bool row = (v->gold.has_rows && v->gold.formula->spaced_thousands) ||
               (v->given.has_rows && v->given.formula->spaced_thousands);
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
    *read =
        !formulas && chemical_read(&g, v->gold.text) && chemical_read(&p, v->given.text) && (g.certain || p.certain);
    return *read ? say(v, chemical_compare(&g, &p), "chemical formulas") : VERDICT_UNKNOWN;
}

static Verdict compare_logic(Verifier *v, bool *read)
{
    Logic g, p;
    const Formula *x = v->gold.formula, *y = v->given.formula;
    *read = !v->gold.too_long && !v->given.too_long && logic_read(&g, (Text){x->text, x->size}) &&
            logic_read(&p, (Text){y->text, y->size});
    return *read ? say(v, logic_compare(&g, &p), "formulas of logic") : VERDICT_UNKNOWN;
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
    *read = (gold && memchr(v->gold.text.data, ':', v->gold.text.size) != NULL) ||
            (given && memchr(v->given.text.data, ':', v->given.text.size) != NULL);
    return *read && gold && given ? say(v, verdict_of(g == p), "times of day")
                                  : say(v, VERDICT_UNKNOWN, "a time of day and something else");
}

static Verdict compare_readings(Verifier *v)
{
    bool chemicals;
    if (v->gold.text.size > TEXT_BYTES || v->given.text.size > TEXT_BYTES) // no answer; responses may hold many
        return say(v, texts_equal(v->gold.text, v->given.text) ? VERDICT_EQUAL : VERDICT_UNKNOWN,
                   "longer than an answer may be");
    if (v->given.text.size == 0)
        return say(v, VERDICT_DIFFERENT, "no answer");
    bool rows = v->gold.has_rows || v->given.has_rows; // where lines count
    if (rows ? texts_equal(v->gold.text, v->given.text) : spelled_alike(&v->gold, &v->given))
        return say(v, VERDICT_EQUAL, "the same characters");
    Verdict verdict = compare_chemicals(v, &chemicals);
    if (chemicals)
        return verdict;
    bool logic;
    verdict = compare_logic(v, &logic);
    if (logic)
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
    if ((v->gold.has_rows && !v->gold.formula->spaced_thousands) ||
        (v->given.has_rows && !v->given.formula->spaced_thousands))
        return compare_rows(v);
    return compare_as_formulas(v);
}

Verdict match_answer(Verifier *v, Text answer)
{
    Text bare = unwrapped(answer);
    if (!is_words(v->gold.kind) && strip_label(&bare))
        answer = bare;
    read_answer(&v->given, answer, &v->formulas[1]);
    return compare_readings(v);
}
