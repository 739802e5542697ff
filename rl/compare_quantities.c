// Numbers, expressions and quantities: values that agree, decimals that stand for them, percentages, units.
#include "rl/compare.h"
#include <ctype.h>
#include <string.h>

enum { PLAIN_MOST = 1024, DECIMALS_APPROXIMATE = 3, DECIMALS_ROUNDED = 4 };

// ---- words

// Letters and digits only, in lower case. What a word says, whatever it is wrapped in.
static size_t plain(char *out, Text s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.size && n < PLAIN_MOST; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (isalnum(c) || c >= 0x80)
            out[n++] = (char)tolower(c);
    }
    return n;
}

bool same_words(Text a, Text b)
{
    char x[PLAIN_MOST], y[PLAIN_MOST];
    if (a.size > PLAIN_MOST || b.size > PLAIN_MOST)
        return false; // their ends would not be looked at
    size_t n = plain(x, a), m = plain(y, b);
    return n == m && n > 0 && memcmp(x, y, n) == 0;
}

Text words_of(const Node *n) // of a word or a single letter in brackets or not; size 0: it is something else
{
    return n->kind == NODE_WORD || n->kind == NODE_SYMBOL ? n->name : (Text){NULL, 0};
}

// ---- units: what words stand behind a number

bool is_unit(const Node *n)
{
    switch (n->kind) {
    case NODE_WORD:
        return true;
    case NODE_POWER:
    case NODE_NEGATE:
        return is_unit(n->first);
    case NODE_DIVIDE:
        return is_unit(n->first) && is_unit(n->last);
    case NODE_MULTIPLY:
        EACH_CHILD(c, n)
        if (!is_unit(c))
            return false;
        return true;
    default:
        return false;
    }
}

// A number and its unit, taken apart; copy: where the number lies then. The unit is NULL where there is none.
static const Node *without_unit(const Node *n, Node *copy, const Node **unit)
{
    *unit = NULL;
    if (n->kind == NODE_NEGATE && n->first->kind == NODE_MULTIPLY) // -5 cm: the sign belongs to the number
        return n;
    if (n->kind == NODE_DIVIDE && is_unit(n->last) && !is_unit(n->first)) { // 5 m / s
        const Node *inner;
        const Node *value = without_unit(n->first, copy, &inner);
        *unit = inner != NULL ? n->last : NULL;
        return inner != NULL ? value : n;
    }
    if (n->kind != NODE_MULTIPLY || is_unit(n->first))
        return n;
    const Node *last = NULL; // the last that is no unit
    int count = 0, kept = 0;
    EACH_CHILD(c, n)
    {
        count++;
        if (!is_unit(c))
            last = c, kept = count;
    }
    if (last->next == NULL)
        return n;
    *unit = last->next;
    if (kept == 1)
        return n->first;
    *copy = *n;
    copy->count = kept; // children are counted, not only linked: see value_nodes
    copy->last = (Node *)last;
    return copy;
}

static bool percent_word(const Node *unit)
{
    static const char *const words[] = {"percent", "percentage", "per cent", "pct", NULL};
    if (unit == NULL || unit->kind != NODE_WORD || unit->next != NULL)
        return false;
    for (const char *const *word = words; *word != NULL; word++)
        if (same_words(unit->name, (Text){*word, strlen(*word)}))
            return true;
    return false;
}

// ---- values

// Digits behind the point, and significant ones, of a plain decimal or its negative; false: it is none
static bool decimal_of(const Node *n, int *places, int *significant)
{
    while (n->kind == NODE_NEGATE || n->kind == NODE_PERCENT || n->kind == NODE_DEGREE)
        n = n->first;
    const char *point = n->kind == NODE_NUMBER ? memchr(n->name.data, '.', n->name.size) : NULL;
    *places = *significant = 0;
    if (point == NULL || memchr(n->name.data, 'e', n->name.size) != NULL || memchr(n->name.data, 'E', n->name.size) != NULL)
        return false;
    for (size_t i = 0; i < n->name.size; i++) {
        char c = n->name.data[i];
        *significant += isdigit((unsigned char)c) && (*significant > 0 || c != '0');
        *places += isdigit((unsigned char)c) && n->name.data + i > point;
    }
    return true;
}

// Whether `rounded`, which has so many places, is what `fine` rounds to (half a unit of the last place, either way)
static bool rounds_to(const mpfr_t fine, const mpq_t rounded, int places)
{
    mpfr_t difference, unit;
    mpfr_inits2(VALUE_BITS, difference, unit, (mpfr_ptr)NULL);
    mpfr_sub_q(difference, fine, rounded, MPFR_RNDN);
    mpfr_abs(difference, difference, MPFR_RNDN);
    mpfr_ui_pow_ui(unit, 10, (unsigned long)places, MPFR_RNDN);
    mpfr_mul(difference, difference, unit, MPFR_RNDN);
    bool yes = mpfr_cmp_d(difference, 0.5 + 1e-9) <= 0;
    mpfr_clears(difference, unit, (mpfr_ptr)NULL);
    return yes;
}

// A decimal says an exact value with at least three significant digits, or a longer decimal with at least four.
static bool approximates(Budget *b, const Node *decimal, const Node *other, const mpc_t value)
{
    int places, significant, other_places, other_significant;
    if (!decimal_of(decimal, &places, &significant))
        return false;
    bool both_decimals = decimal_of(other, &other_places, &other_significant);
    if (significant < (both_decimals ? DECIMALS_ROUNDED : DECIMALS_APPROXIMATE) || (both_decimals && other_places <= places))
        return false;
    if (!both_decimals && other->kind == NODE_NUMBER)
        return false; // a whole number is meant exactly
    mpq_t q;
    mpq_init(q);
    bool percent = decimal->kind == NODE_PERCENT || (decimal->kind == NODE_NEGATE && decimal->first->kind == NODE_PERCENT);
    bool yes = !percent && evaluate_exact(b, decimal, q) && rounds_to(mpc_realref(value), q, places);
    mpq_clear(q);
    return yes;
}

static Agreement agree_at(Budget *b, const Node *g, const Node *p, int point)
{
    mpc_t x, y;
    mpc_init2(x, VALUE_BITS);
    mpc_init2(y, VALUE_BITS);
    Agreement a = NOT_KNOWN;
    if (evaluate_at(b, g, point, x) && evaluate_at(b, p, point, y)) {
        a = values_agree(x, y) ? AGREE : DISAGREE;
        if (a == DISAGREE && !has_symbols(g) && !has_symbols(p) && (approximates(b, p, g, x) || approximates(b, g, p, y)))
            a = AGREE;
    }
    mpc_clear(x);
    mpc_clear(y);
    return a;
}

static Verdict compare_exact(Budget *b, const Node *g, const Node *p)
{
    mpq_t x, y;
    mpq_inits(x, y, NULL);
    Verdict v = VERDICT_UNKNOWN;
    if (evaluate_exact(b, g, x) && evaluate_exact(b, p, y))
        v = verdict_of(mpq_equal(x, y) != 0);
    mpq_clears(x, y, NULL);
    return v;
}

static Verdict compare_values(Budget *b, const Node *g, const Node *p)
{
    bool symbols = has_symbols(g) || has_symbols(p);
    Verdict exact = symbols ? VERDICT_UNKNOWN : compare_exact(b, g, p);
    if (exact == VERDICT_EQUAL)
        return exact;
    int places, digits;
    if (exact == VERDICT_DIFFERENT && !decimal_of(g, &places, &digits) && !decimal_of(p, &places, &digits))
        return exact;
    int points = !symbols ? 1 : needs_signs(g) || needs_signs(p) ? 2 * POINTS : POINTS, agreed = 0;
    for (int i = 0; i < points; i++) {
        Agreement a = agree_at(b, g, p, i);
        if (a == DISAGREE)
            return VERDICT_DIFFERENT;
        agreed += a == AGREE;
    }
    return agreed > 0 ? VERDICT_EQUAL : VERDICT_UNKNOWN;
}

// 20% is 0.2, and where only one of the two has the sign, 20 as well.
static Verdict compare_percent(Budget *b, const Node *g, bool g_percent, const Node *p, bool p_percent)
{
    if (g->kind == NODE_PERCENT)
        g_percent = true, g = g->first;
    if (p->kind == NODE_PERCENT)
        p_percent = true, p = p->first;
    Verdict v = compare_values(b, g, p);
    if (v == VERDICT_EQUAL || g_percent == p_percent)
        return v;
    Node hundredth = {.kind = NODE_PERCENT, .count = 1}, inside = g_percent ? *g : *p;
    inside.next = NULL;
    hundredth.first = hundredth.last = &inside;
    Verdict scaled = g_percent ? compare_values(b, &hundredth, p) : compare_values(b, g, &hundredth);
    return scaled == VERDICT_UNKNOWN ? v : scaled;
}

// Spelled alike, but for a plural
static bool same_unit(const Node *a, const Node *b)
{
    char x[PLAIN_MOST], y[PLAIN_MOST];
    size_t n = 0, m = 0;
    for (; a != NULL; a = a->next)
        n += a->kind == NODE_WORD && n + a->name.size <= PLAIN_MOST ? plain(x + n, a->name) : 0;
    for (; b != NULL; b = b->next)
        m += b->kind == NODE_WORD && m + b->name.size <= PLAIN_MOST ? plain(y + m, b->name) : 0;
    n -= n > 1 && x[n - 1] == 's';
    m -= m > 1 && y[m - 1] == 's';
    return n == m && memcmp(x, y, n) == 0;
}

static bool measured(const Node *n) { return n->kind == NODE_PERCENT || n->kind == NODE_DEGREE; } // by a sign of its own

Verdict compare_quantities(Budget *b, const Node *g, const Node *p)
{
    Node g_copy, p_copy;
    const Node *g_unit, *p_unit, *g_value = without_unit(g, &g_copy, &g_unit), *p_value = without_unit(p, &p_copy, &p_unit);
    if ((g->kind == NODE_PERCENT && p->kind == NODE_DEGREE) || (g->kind == NODE_DEGREE && p->kind == NODE_PERCENT))
        return VERDICT_DIFFERENT;
    if (has_symbols(g_value) || has_symbols(p_value) || (g_unit == NULL && p_unit == NULL))
        return compare_percent(b, g, false, p, false);
    bool g_percent = percent_word(g_unit), p_percent = percent_word(p_unit);
    if (measured(g_value) && p_unit != NULL && !p_percent)
        return VERDICT_DIFFERENT;
    if (measured(p_value) && g_unit != NULL && !g_percent)
        return VERDICT_DIFFERENT;
    if (g_unit != NULL && p_unit != NULL && !g_percent && !p_percent && !same_unit(g_unit, p_unit))
        return VERDICT_DIFFERENT;
    return compare_percent(b, g_value, g_percent, p_value, p_percent);
}
