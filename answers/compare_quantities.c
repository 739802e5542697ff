// Numbers, expressions and quantities: values that agree, decimals that stand for them, percentages, units.
#include "answers/compare.h"
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
        EACH_CHILD (c, n)
            if (!is_unit(c))
                return false;
        return true;
    default:
        return false;
    }
}

// What a unit says, as one word: letters, quotients, exponents. A plural counts as the singular.
typedef struct Unit {
    char text[PLAIN_MOST];
    size_t size; // 0: there is none
} Unit;

static void unit_text(Unit *u, const char *text, size_t size)
{
    size = size < PLAIN_MOST - u->size ? size : PLAIN_MOST - u->size;
    memcpy(u->text + u->size, text, size);
    u->size += size;
}

static void add_unit(Unit *u, const Node *n)
{
    char word[PLAIN_MOST];
    if (n->kind == NODE_WORD || n->kind == NODE_NUMBER) {
        size_t size = plain(word, n->name);
        size -= n->kind == NODE_WORD && size > 2 && word[size - 1] == 's';
        unit_text(u, word, size);
        return;
    }
    bool begun = false;
    EACH_CHILD (c, n) {
        if (begun && n->kind != NODE_MULTIPLY)
            unit_text(u, n->kind == NODE_DIVIDE ? "/" : "^", 1);
        else if (n->kind == NODE_NEGATE)
            unit_text(u, "-", 1);
        add_unit(u, c);
        begun = true;
    }
}

// A number and its unit, taken apart; copy (2): where the number lies then.
static const Node *without_unit(const Node *n, Node *copy, Unit *unit)
{
    if (n->kind == NODE_NEGATE && n->first->kind != NODE_NEGATE) { // -5 cm
        const Node *value = without_unit(n->first, copy, unit);
        if (unit->size == 0)
            return n;
        copy[0] = *value;
        copy[0].next = NULL;
        copy[1] = (Node){.kind = NODE_NEGATE, .count = 1, .first = &copy[0], .last = &copy[0]};
        return &copy[1];
    }
    if (n->kind == NODE_DIVIDE && is_unit(n->last) && !is_unit(n->first)) { // 5 miles / hour
        const Node *value = without_unit(n->first, copy, unit);
        if (unit->size == 0)
            return n;
        unit_text(unit, "/", 1);
        add_unit(unit, n->last);
        return value;
    }
    if (n->kind != NODE_MULTIPLY || is_unit(n->first))
        return n;
    const Node *last = NULL; // the last that is no unit
    int count = 0, kept = 0;
    EACH_CHILD (c, n) {
        count++;
        if (!is_unit(c))
            last = c, kept = count;
    }
    if (last == n->last)
        return n;
    for (const Node *c = last->next; c != NULL; c = c == n->last ? NULL : c->next)
        add_unit(unit, c);
    if (kept == 1)
        return n->first;
    *copy = *n; // ends earlier: see EACH_CHILD
    copy->count = kept;
    copy->last = (Node *)last;
    return copy;
}

static bool percent_unit(const Unit *unit)
{
    static const char *const words[] = {"percent", "percentage", "pct", NULL};
    for (const char *const *word = words; *word != NULL; word++)
        if (text_is((Text){unit->text, unit->size}, *word))
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

static bool measured(const Node *n) { return n->kind == NODE_PERCENT || n->kind == NODE_DEGREE; } // by a sign of its own

// The subscript of a number that is all there is: 203_7. Where only one of the two has it, the other may have left it out.
static bool other_base(const Node *g, const Node *p)
{
    while (g->kind == NODE_NEGATE && p->kind == NODE_NEGATE)
        g = g->first, p = p->first;
    return g->base.size > 0 && p->base.size > 0 && !same_words(g->base, p->base);
}

Verdict compare_quantities(Budget *b, const Node *g, const Node *p)
{
    Node g_copy[2], p_copy[2];
    Unit g_unit = {.size = 0}, p_unit = {.size = 0};
    const Node *g_value = without_unit(g, g_copy, &g_unit), *p_value = without_unit(p, p_copy, &p_unit);
    if ((g->kind == NODE_PERCENT && p->kind == NODE_DEGREE) || (g->kind == NODE_DEGREE && p->kind == NODE_PERCENT) ||
        other_base(g, p))
        return VERDICT_DIFFERENT;
    if (has_symbols(g_value) || has_symbols(p_value) || (g_unit.size == 0 && p_unit.size == 0))
        return compare_percent(b, g, false, p, false);
    bool g_percent = percent_unit(&g_unit), p_percent = percent_unit(&p_unit);
    if ((measured(g_value) && p_unit.size > 0 && !p_percent) || (measured(p_value) && g_unit.size > 0 && !g_percent))
        return VERDICT_DIFFERENT;
    bool same = g_unit.size == p_unit.size && memcmp(g_unit.text, p_unit.text, g_unit.size) == 0;
    if (g_unit.size > 0 && p_unit.size > 0 && !g_percent && !p_percent && !same)
        return VERDICT_DIFFERENT;
    return compare_percent(b, g_value, g_percent, p_value, p_percent);
}
