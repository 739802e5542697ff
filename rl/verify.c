// Two answers compared. What each says is looked at in this order: the same characters; the same words; then by what the trees are:
// lists without order, tuples and matrices place by place, intervals, relations by the ratio of their two sides' differences, and
// everything else by its value.
#include "rl/verify.h"
#include "rl/value.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MOST = 64, PLAIN_MOST = 1024, DECIMALS_APPROXIMATE = 3, DECIMALS_ROUNDED = 4 };

static Verdict compare(Budget *b, const Node *gold, const Node *prediction, int depth);

static Verdict both(Verdict a, Verdict b)
{
    if (a == VERDICT_DIFFERENT || b == VERDICT_DIFFERENT)
        return VERDICT_DIFFERENT;
    return a == VERDICT_UNKNOWN || b == VERDICT_UNKNOWN ? VERDICT_UNKNOWN : VERDICT_EQUAL;
}

static Verdict verdict(bool equal) { return equal ? VERDICT_EQUAL : VERDICT_DIFFERENT; }

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

static bool same_words(Text a, Text b)
{
    char x[PLAIN_MOST], y[PLAIN_MOST];
    size_t n = plain(x, a), m = plain(y, b);
    return n == m && n > 0 && memcmp(x, y, n) == 0;
}

static Text words_of(const Node *n) // of a word or a single letter in brackets or not; size 0: it is something else
{
    return n->kind == NODE_WORD || n->kind == NODE_SYMBOL ? n->name : (Text){NULL, 0};
}

static bool is_truth(Text s, bool *value)
{
    char x[PLAIN_MOST];
    Text p = {x, plain(x, s)};
    *value = text_is(p, "true") || text_is(p, "yes");
    return *value || text_is(p, "false") || text_is(p, "no");
}

// ---- units: what words stand behind a number

static bool is_unit(const Node *n)
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

typedef enum Agreement { AGREE, DISAGREE, NOT_KNOWN } Agreement;

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
        v = verdict(mpq_equal(x, y) != 0);
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

static Verdict compare_quantities(Budget *b, const Node *g, const Node *p)
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

// ---- places: tuples, matrices

static Verdict compare_children(Budget *b, const Node *g, const Node *p, int depth)
{
    if (g->count != p->count)
        return VERDICT_DIFFERENT;
    Verdict v = VERDICT_EQUAL;
    for (const Node *x = g->first, *y = p->first; x != NULL && v != VERDICT_DIFFERENT; x = x->next, y = y->next)
        v = both(v, compare(b, x, y, depth));
    return v;
}

static Verdict compare_matrices(Budget *b, const Node *g, const Node *p, int depth)
{
    if (g->count != p->count)
        return VERDICT_DIFFERENT;
    Verdict v = VERDICT_EQUAL;
    for (const Node *x = g->first, *y = p->first; x != NULL && v != VERDICT_DIFFERENT; x = x->next, y = y->next)
        v = both(v, compare_children(b, x, y, depth));
    return v;
}

static bool is_interval(const Node *n) { return n->kind == NODE_BRACKET && n->count == 2 && n->open != 0; }

static Verdict compare_brackets(Budget *b, const Node *g, const Node *p, int depth)
{
    // (a, b) and [a, b] are two intervals; of three numbers, one tuple or vector
    if (is_interval(g) && is_interval(p) && (g->open != p->open || g->close != p->close))
        return VERDICT_DIFFERENT;
    return compare_children(b, g, p, depth);
}

// ---- collections without order

static bool is_collection(const Node *n) { return n->kind == NODE_LIST || n->kind == NODE_SET || n->kind == NODE_UNION; }

typedef struct Items {
    const Node *items[LIST_MOST];
    Node made[LIST_MOST]; // of a \pm: its two signs
    int count, made_count;
    bool full;
} Items;

static void add_item(Items *list, const Node *n)
{
    list->full = list->full || list->count == LIST_MOST;
    if (!list->full)
        list->items[list->count++] = n;
}

// x \pm y is x + y and x - y.
static void add_plus_minus(Items *list, const Node *n)
{
    for (int minus = 0; minus < 2; minus++) {
        if (list->made_count + 4 > LIST_MOST) {
            list->full = true;
            return;
        }
        Node *sum = &list->made[list->made_count], *term = sum + 1, *negated = sum + 2, *first = sum + 3;
        list->made_count += 4;
        *term = *n->last;
        term->next = NULL;
        *negated = (Node){.kind = NODE_NEGATE, .count = 1, .first = term, .last = term};
        if (n->count == 1) {
            add_item(list, minus ? negated : term);
            continue;
        }
        *first = *n->first;
        first->next = minus ? negated : term;
        *sum = (Node){.kind = NODE_ADD, .count = 2, .first = first, .last = first->next};
        add_item(list, sum);
    }
}

static const Node *value_side(const Node *n);

static void collect(Items *list, const Node *n)
{
    n = value_side(n);
    if (is_collection(n))
        EACH_CHILD(c, n)
    collect(list, c);
    else if (n->kind == NODE_PLUS_MINUS) add_plus_minus(list, n);
    else add_item(list, n);
}

// Whether it only lists what names are: p = 5, q = 2, p = 7, q = 2
static bool lists_names(const Node *n)
{
    EACH_CHILD(c, n)
    if (c->kind != NODE_RELATION || c->relation != EQUAL || value_side(c) == c)
        return false;
    return n->kind == NODE_LIST;
}

static void collect_values(Items *list, const Node *n) // of tuples too
{
    n = value_side(n);
    if (is_collection(n) || n->kind == NODE_BRACKET)
        EACH_CHILD(c, n)
    collect_values(list, c);
    else add_item(list, n);
}

static Verdict compare_in_order(Budget *b, const Items *g, const Items *p, int depth)
{
    if (g->full || p->full)
        return VERDICT_UNKNOWN;
    Verdict v = verdict(g->count == p->count);
    for (int i = 0; i < g->count && v == VERDICT_EQUAL; i++)
        v = compare(b, g->items[i], p->items[i], depth);
    return v;
}

static Verdict compare_in_any_order(Budget *b, const Items *g, const Items *p, int depth)
{
    if (g->full || p->full)
        return VERDICT_UNKNOWN;
    Verdict v = verdict(g->count == p->count);
    bool used[LIST_MOST] = {false};
    for (int i = 0; i < g->count && v == VERDICT_EQUAL; i++) {
        v = VERDICT_DIFFERENT;
        for (int k = 0; k < p->count && v != VERDICT_EQUAL; k++) {
            Verdict one = used[k] ? VERDICT_DIFFERENT : compare(b, g->items[i], p->items[k], depth);
            used[k] = used[k] || one == VERDICT_EQUAL;
            v = one == VERDICT_EQUAL || (one == VERDICT_UNKNOWN && v == VERDICT_DIFFERENT) ? one : v;
        }
    }
    return v;
}

static Verdict compare_collections(Budget *b, const Node *g, const Node *p, int depth)
{
    Items *lists = malloc(2 * sizeof *lists);
    if (lists == NULL)
        return VERDICT_UNKNOWN;
    for (int i = 0; i < 2; i++)
        lists[i].count = lists[i].made_count = lists[i].full = 0;
    bool names = lists_names(g) != lists_names(p); // values in order, of names there and of tuples here
    (names ? collect_values : collect)(&lists[0], g);
    (names ? collect_values : collect)(&lists[1], p);
    Verdict v = (names ? compare_in_order : compare_in_any_order)(b, &lists[0], &lists[1], depth);
    free(lists);
    return v;
}

// ---- relations

static bool is_inequality(const Node *n)
{
    return n->kind == NODE_RELATION && n->relation >= LESS && n->relation <= GREATER_EQUAL;
}

// Whether it only names a value: x, x_1, f(x), (p, q), |AB|, "S"
static bool is_name(const Node *n)
{
    switch (n->kind) {
    case NODE_SYMBOL:
    case NODE_WORD:
        return true;
    case NODE_MULTIPLY: {
        const Node *argument = n->last;
        bool call = n->count == 2 && n->first->kind == NODE_SYMBOL;
        return is_unit(n) ||
               (call && (argument->kind == NODE_SYMBOL || argument->kind == NODE_NUMBER || argument->kind == NODE_BRACKET));
    }
    case NODE_BRACKET:
    case NODE_LIST:
        EACH_CHILD(c, n)
        if (!is_name(c))
            return false;
        return true;
    case NODE_CALL:
        return text_is(n->name, "abs") && is_name(n->first);
    case NODE_RELATION:
        return n->relation == RATIO && is_name(n->first) && is_name(n->last);
    default:
        return false;
    }
}

// What "x = ...", "x \in ..." or "3 + 4 = 7 \approx ..." says.
static const Node *value_side(const Node *n)
{
    while (n->kind == NODE_RELATION) {
        const Node *left = n->first, *right = n->last;
        if (n->relation == ABOUT)
            n = is_name(left) ? right : left;
        else if (n->relation == IN ||
                 (n->relation == EQUAL && (is_name(left) || !has_symbols(left) || left->kind == NODE_RELATION))) {
            if (!is_name(left) && !has_symbols(left) && has_symbols(right))
                return n; // 7 = 11a + c says something else than 11a + c
            n = right;
        } else
            return n;
    }
    return n;
}

static const Node *member_side(const Node *n) { return n->kind == NODE_RELATION && n->relation == IN ? n->last : n; }

// left - right
static void difference(const Node *relation, Node nodes[4])
{
    nodes[2] = *relation->first;
    nodes[3] = *relation->last;
    nodes[3].next = NULL;
    nodes[1] = (Node){.kind = NODE_NEGATE, .count = 1, .first = &nodes[3], .last = &nodes[3]};
    nodes[2].next = &nodes[1];
    nodes[0] = (Node){.kind = NODE_ADD, .count = 2, .first = &nodes[2], .last = &nodes[1]};
}

// The ratio of two functions: constant (and of which sign), or not
static Agreement constant_ratio(Budget *b, const Node *g, const Node *p, int *sign)
{
    mpc_t x, y, first, ratio;
    mpc_init2(x, VALUE_BITS);
    mpc_init2(y, VALUE_BITS);
    mpc_init2(first, VALUE_BITS);
    mpc_init2(ratio, VALUE_BITS);
    int known = 0;
    Agreement a = NOT_KNOWN;
    for (int i = 0; i < 2 * POINTS && a != DISAGREE; i++) {
        if (!evaluate_at(b, g, i, x) || !evaluate_at(b, p, i, y) || mpc_cmp_si(x, 0) == 0 || mpc_cmp_si(y, 0) == 0)
            continue;
        mpc_div(known == 0 ? first : ratio, x, y, MPC_RNDNN);
        if (known++ > 0)
            a = values_agree(first, ratio) ? AGREE : DISAGREE;
    }
    *sign = known == 0 ? 0 : mpfr_sgn(mpc_realref(first));
    mpc_clear(x);
    mpc_clear(y);
    mpc_clear(first);
    mpc_clear(ratio);
    return a;
}

static Relation turned(Relation r)
{
    static const Relation other[] = {EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, ABOUT, IN, RATIO};
    return other[r];
}

static bool same_chain(Budget *b, const Node *g, const Node *p, int depth, Verdict *v)
{
    if (g->first->kind != NODE_RELATION && p->first->kind != NODE_RELATION)
        return false;
    *v = g->relation != p->relation ? VERDICT_UNKNOWN
                                    : both(compare(b, g->first, p->first, depth), compare(b, g->last, p->last, depth));
    return true;
}

static Verdict compare_relations(Budget *b, const Node *g, const Node *p, int depth)
{
    Verdict v;
    if (g->relation == RATIO || p->relation == RATIO)
        return g->relation != p->relation ? VERDICT_UNKNOWN : compare_children(b, g, p, depth);
    if (same_chain(b, g, p, depth, &v))
        return v;
    Node x[4], y[4];
    int sign;
    difference(g, x);
    difference(p, y);
    Agreement a = constant_ratio(b, x, y, &sign);
    if (a == NOT_KNOWN)
        return VERDICT_UNKNOWN;
    if (a == DISAGREE)
        return VERDICT_DIFFERENT;
    return verdict(g->relation == (sign < 0 ? turned(p->relation) : p->relation));
}

// An inequality in one unknown as the interval it is: x > 5, -2 <= x <= 7. Made of the nodes given.
static bool as_interval(const Node *n, Node nodes[4])
{
    static const Node infinity = {.kind = NODE_SYMBOL, .name = {"infty", 5}};
    if (!is_inequality(n))
        return false;
    bool chain = is_inequality(n->first);
    const Node *low = chain ? n->first->first : n->first, *high = n->last;
    Relation first = chain ? n->first->relation : n->relation, last = n->relation;
    if (chain && ((first == LESS || first == LESS_EQUAL) != (last == LESS || last == LESS_EQUAL)))
        return false;
    if (first == GREATER || first == GREATER_EQUAL) {
        const Node *swap = low;
        low = high, high = swap;
        Relation other = turned(first);
        first = turned(last), last = other;
    }
    nodes[1] = *low, nodes[2] = *high;
    if (!chain) { // one side is the unknown, and stands for infinity
        bool low_known = !has_symbols(low);
        if (low_known == !has_symbols(high))
            return false;
        nodes[low_known ? 2 : 1] = infinity;
        if (low_known)
            last = LESS;
        else {
            nodes[3] = infinity;
            nodes[1] = (Node){.kind = NODE_NEGATE, .count = 1, .first = &nodes[3], .last = &nodes[3]};
            first = LESS;
        }
    } else if (has_symbols(low) || has_symbols(high))
        return false;
    nodes[1].next = &nodes[2];
    nodes[2].next = NULL;
    nodes[0] = (Node){.kind = NODE_BRACKET,
                      .count = 2,
                      .first = &nodes[1],
                      .last = &nodes[2],
                      .open = first == LESS ? '(' : '[',
                      .close = last == LESS ? ')' : ']'};
    return true;
}

// ---- trees

static bool is_plain_list(const Node *n) { return n->kind == NODE_LIST || n->kind == NODE_SET; }

static Verdict compare_kinds(Budget *b, const Node *g, const Node *p, int depth)
{
    Node g_nodes[4], p_nodes[4];
    if (g->kind == NODE_BRACKET && as_interval(p, p_nodes))
        p = p_nodes;
    else if (p->kind == NODE_BRACKET && as_interval(g, g_nodes))
        g = g_nodes;
    if (g->kind == NODE_RELATION && p->kind == NODE_RELATION)
        return compare_relations(b, g, p, depth);
    if (g->kind == NODE_MATRIX && p->kind == NODE_MATRIX)
        return compare_matrices(b, g, p, depth);
    if (g->kind == NODE_BRACKET && p->kind == NODE_BRACKET)
        return compare_brackets(b, g, p, depth);
    if ((g->kind == NODE_BRACKET && is_plain_list(p)) || (p->kind == NODE_BRACKET && is_plain_list(g)))
        return compare_children(b, g, p, depth);
    bool g_many = is_collection(g) || g->kind == NODE_PLUS_MINUS, p_many = is_collection(p) || p->kind == NODE_PLUS_MINUS;
    if (g_many || p_many)
        return compare_collections(b, g, p, depth);
    bool g_structure = g->kind == NODE_RELATION || g->kind == NODE_MATRIX || g->kind == NODE_BRACKET;
    bool p_structure = p->kind == NODE_RELATION || p->kind == NODE_MATRIX || p->kind == NODE_BRACKET;
    if (g_structure || p_structure)
        return VERDICT_DIFFERENT;
    return compare_quantities(b, g, p);
}

static Verdict compare(Budget *b, const Node *g, const Node *p, int depth)
{
    bool x, y;
    if (depth == 0)
        return VERDICT_UNKNOWN;
    Text g_words = words_of(g), p_words = words_of(p);
    if (g_words.size > 0 && p_words.size > 0) {
        if (same_words(g_words, p_words))
            return VERDICT_EQUAL;
        if (is_truth(g_words, &x) && is_truth(p_words, &y))
            return verdict(x == y);
        if (g->kind == NODE_WORD && p->kind == NODE_WORD && (g_words.size > 3 || p_words.size > 3))
            return VERDICT_DIFFERENT;
    }
    g = member_side(g);
    p = member_side(p);
    if (g->kind != NODE_RELATION || p->kind != NODE_RELATION) {
        g = value_side(g);
        p = value_side(p);
    } else if (value_side(g) != g && value_side(p) != p) {
        Verdict v = compare_kinds(b, value_side(g), value_side(p), depth - 1);
        if (v == VERDICT_EQUAL)
            return v;
    }
    return compare_kinds(b, g, p, depth - 1);
}

// ---- texts

// Behind the last = that is in no braces: what a sum or a limit that is not understood comes to.
static bool right_side(Text *answer)
{
    int depth = 0;
    for (size_t i = answer->size; i-- > 0;) {
        depth += answer->data[i] == '}';
        depth -= answer->data[i] == '{';
        if (answer->data[i] == '=' && depth == 0) {
            *answer = (Text){answer->data + i + 1, answer->size - i - 1};
            return true;
        }
    }
    return false;
}

static bool read_formula(Formula *f, Text answer)
{
    if (formula_lex(f, answer) && formula_parse(f))
        return true;
    return right_side(&answer) && formula_lex(f, answer) && formula_parse(f);
}

static Verdict verify_formulas(Formula *g, Formula *p, Text gold, Text prediction)
{
    bool g_read = read_formula(g, gold), p_read = read_formula(p, prediction);
    if (g_read && p_read) {
        Budget budget = {STEPS_MOST};
        Verdict v = compare(&budget, g->root, p->root, DEPTH_MOST);
        if (v != VERDICT_UNKNOWN)
            return v;
    }
    return same_words(gold, prediction) && !(g_read && p_read) ? VERDICT_EQUAL : VERDICT_UNKNOWN;
}

static Verdict verify_answers(Text gold, Text prediction)
{
    gold = text_trimmed(gold);
    prediction = text_trimmed(prediction);
    if (texts_equal(gold, prediction))
        return VERDICT_EQUAL;
    if (gold.size == 0 || prediction.size == 0)
        return gold.size > 0 ? VERDICT_DIFFERENT : VERDICT_UNKNOWN;
    Formula *formulas = malloc(2 * sizeof *formulas);
    if (formulas == NULL)
        return VERDICT_UNKNOWN;
    Verdict v = verify_formulas(&formulas[0], &formulas[1], gold, prediction);
    free(formulas);
    return v;
}

// Several boxes side by side may be parts of one answer, or ways of writing it of which the last one counts.
Verdict verify(Text gold, Text prediction)
{
    char g_text[FORMULA_BYTES], p_text[FORMULA_BYTES], last[FORMULA_BYTES];
    Text g = response_answer(gold, g_text, sizeof g_text), p = response_answer(prediction, p_text, sizeof p_text);
    Verdict v = verify_answers(g, p);
    if (v == VERDICT_EQUAL)
        return v;
    Text q = response_last_box(prediction, last, sizeof last);
    return texts_equal(p, q) ? v : verify_answers(g, q);
}

bool answer_readable(Text gold)
{
    char text[FORMULA_BYTES];
    gold = text_trimmed(response_answer(gold, text, sizeof text));
    Formula *f = malloc(sizeof *f);
    bool readable = f != NULL && gold.size > 0 && read_formula(f, gold);
    free(f);
    return readable;
}
