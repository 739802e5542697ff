// Sets of real numbers in any notation: (-\infty, 2) \cup (2, \infty), x \ne 2, \mathbb{R} \setminus \{2\}, |x| < 3,
// \{x \mid 2 \le x < 5\}. Each becomes its intervals in order, adjoining ones merged; two sets are equal when these
// are.
#include "answers/compare/compare.h"
#include <string.h>

enum { INTERVALS_MOST = 16 };

typedef struct Interval {
    mpfr_t low, high;       // may be infinite
    bool has_low, has_high; // whether the ends belong to it
} Interval;

typedef struct RealSet {
    Interval list[INTERVALS_MOST];
    int count;
    Text unknown; // the variable; size 0: none
} RealSet;

static void set_clear(RealSet *s)
{
    while (s->count > 0) {
        s->count--;
        mpfr_clears(s->list[s->count].low, s->list[s->count].high, (mpfr_ptr)NULL);
    }
}

static Interval *set_add(RealSet *s, const mpfr_t low, const mpfr_t high, bool has_low, bool has_high)
{
    if (s->count == INTERVALS_MOST)
        return NULL;
    Interval *i = &s->list[s->count++];
    mpfr_inits2(VALUE_BITS, i->low, i->high, (mpfr_ptr)NULL);
    mpfr_set(i->low, low, MPFR_RNDN);
    mpfr_set(i->high, high, MPFR_RNDN);
    i->has_low = has_low, i->has_high = has_high;
    return i;
}

// ---- ends

static bool is_infinity(const Node *n) { return n->kind == NODE_SYMBOL && text_is(n->name, "infty"); }

static bool end_value(Budget *b, const Node *n, mpfr_t value)
{
    const Node *inside = n->kind == NODE_NEGATE ? n->first : n;
    if (is_infinity(inside)) {
        mpfr_set_inf(value, inside == n ? 1 : -1);
        return true;
    }
    mpc_t x;
    mpc_init2(x, VALUE_BITS);
    bool ok = !has_symbols(n) && evaluate_at(b, n, 0, x) && mpfr_zero_p(mpc_imagref(x));
    if (ok)
        mpfr_set(value, mpc_realref(x), MPFR_RNDN);
    mpc_clear(x);
    return ok;
}

static int compare_ends(const mpfr_t a, const mpfr_t b) // values that agree to AGREE_BITS are one
{
    if (mpfr_inf_p(a) || mpfr_inf_p(b) || mpfr_equal_p(a, b))
        return mpfr_cmp(a, b);
    mpfr_t difference, size;
    mpfr_inits2(VALUE_BITS, difference, size, (mpfr_ptr)NULL);
    mpfr_sub(difference, a, b, MPFR_RNDN);
    mpfr_max(size, a, b, MPFR_RNDN);
    mpfr_abs(size, size, MPFR_RNDN);
    mpfr_add_ui(size, size, 1, MPFR_RNDN);
    mpfr_div_2ui(size, size, AGREE_BITS, MPFR_RNDN);
    int sign = mpfr_cmpabs(difference, size) <= 0 ? 0 : mpfr_sgn(difference);
    mpfr_clears(difference, size, (mpfr_ptr)NULL);
    return sign;
}

// ---- normal form

static bool before(const Interval *a, const Interval *b)
{
    int order = compare_ends(a->low, b->low);
    return order < 0 || (order == 0 && a->has_low && !b->has_low);
}

static bool is_empty(const Interval *i)
{
    int order = compare_ends(i->low, i->high);
    return order > 0 || (order == 0 && !(i->has_low && i->has_high));
}

static void drop(RealSet *s, int k)
{
    mpfr_clears(s->list[k].low, s->list[k].high, (mpfr_ptr)NULL);
    for (s->count--; k < s->count; k++)
        s->list[k] = s->list[k + 1];
}

static void set_normalise(RealSet *s)
{
    for (int k = s->count; k-- > 0;)
        if (is_empty(&s->list[k]))
            drop(s, k);
    for (int i = 1; i < s->count; i++) // by insertion
        for (int k = i; k > 0 && before(&s->list[k], &s->list[k - 1]); k--) {
            Interval swap = s->list[k];
            s->list[k] = s->list[k - 1];
            s->list[k - 1] = swap;
        }
    for (int k = 0; k + 1 < s->count;) {
        Interval *a = &s->list[k], *b = &s->list[k + 1];
        int gap = compare_ends(b->low, a->high);
        if (gap > 0 || (gap == 0 && !a->has_high && !b->has_low)) {
            k++;
            continue;
        }
        int order = compare_ends(b->high, a->high);
        if (order > 0)
            mpfr_set(a->high, b->high, MPFR_RNDN);
        a->has_high = order > 0 ? b->has_high : order == 0 ? a->has_high || b->has_high : a->has_high;
        drop(s, k + 1);
    }
}

static bool set_complement(RealSet *s)
{
    RealSet out = {.unknown = s->unknown};
    mpfr_t low, high;
    mpfr_inits2(VALUE_BITS, low, high, (mpfr_ptr)NULL);
    mpfr_set_inf(low, -1);
    bool has_low = false, ok = true;
    set_normalise(s);
    for (int k = 0; k < s->count; k++) {
        ok = ok && set_add(&out, low, s->list[k].low, has_low, !s->list[k].has_low) != NULL;
        mpfr_set(low, s->list[k].high, MPFR_RNDN);
        has_low = !s->list[k].has_high;
    }
    mpfr_set_inf(high, 1);
    ok = ok && set_add(&out, low, high, has_low && !mpfr_inf_p(low), false) != NULL;
    mpfr_clears(low, high, (mpfr_ptr)NULL);
    set_clear(s);
    *s = out;
    set_normalise(s);
    return ok;
}

static bool set_join(RealSet *s, RealSet *other) // destroys other
{
    bool ok = true;
    for (int k = 0; k < other->count; k++)
        ok = ok && set_add(s, other->list[k].low, other->list[k].high, other->list[k].has_low,
                           other->list[k].has_high) != NULL;
    if (s->unknown.size > 0 && other->unknown.size > 0 && !texts_equal(s->unknown, other->unknown))
        ok = false;
    s->unknown = s->unknown.size > 0 ? s->unknown : other->unknown;
    set_clear(other);
    set_normalise(s);
    return ok;
}

// A and B is not (not A or not B).
static bool set_intersect(RealSet *s, RealSet *other)
{
    if (!set_complement(s) || !set_complement(other)) {
        set_clear(other);
        return false;
    }
    return set_join(s, other) && set_complement(s);
}

// ---- reading

static bool read_set(Budget *b, RealSet *s, const Node *n, int depth);

static bool read_interval(Budget *b, RealSet *s, const Node *low, const Node *high, bool has_low, bool has_high)
{
    mpfr_t x, y;
    mpfr_inits2(VALUE_BITS, x, y, (mpfr_ptr)NULL);
    bool ok = end_value(b, low, x) && end_value(b, high, y) && mpfr_cmp(x, y) <= 0 &&
              set_add(s, x, y, has_low && !mpfr_inf_p(x), has_high && !mpfr_inf_p(y)) != NULL;
    mpfr_clears(x, y, (mpfr_ptr)NULL);
    return ok;
}

static bool read_points(Budget *b, RealSet *s, const Node *n)
{
    EACH_CHILD (c, n)
        if (!read_interval(b, s, c, c, true, true))
            return false;
    return true;
}

static bool is_inequality(const Node *n)
{
    return n->kind == NODE_RELATION && n->relation >= LESS && n->relation <= GREATER_EQUAL;
}
static bool is_less(Relation r) { return r == LESS || r == LESS_EQUAL; }
static bool has_equal(Relation r) { return r == LESS_EQUAL || r == GREATER_EQUAL; }

// The c of x + c; NULL: any other form
static const Node *shift_of(const Node *n)
{
    bool shifted = n->kind == NODE_ADD && n->count == 2 && n->first->kind == NODE_SYMBOL && has_symbols(n->first) &&
                   !has_symbols(n->last);
    return shifted ? n->last : NULL;
}

// x, or |x|, or |x - 2|; f(x) and x_1 stand for themselves, too
static bool is_unknown(const Node *n, Text *name, bool *absolute)
{
    *absolute = n->kind == NODE_CALL && text_is(n->name, "abs");
    n = *absolute ? n->first : n;
    if (*absolute && shift_of(n) != NULL)
        n = n->first;
    bool yes = (n->kind == NODE_SYMBOL && has_symbols(n) && !is_infinity(n)) || n->kind == NODE_APPLY;
    *name = yes ? n->name : (Text){NULL, 0};
    return yes;
}

static const Node infinity = {.kind = NODE_SYMBOL, .name = {"infty", 5}};

static bool read_side(Budget *b, RealSet *s, const Node *bound, bool below,
                      bool has_bound) // x below the bound, or above
{
    Node inf = infinity, minus = {.kind = NODE_NEGATE, .count = 1, .first = &inf, .last = &inf};
    return below ? read_interval(b, s, &minus, bound, false, has_bound)
                 : read_interval(b, s, bound, &infinity, has_bound, false);
}

static bool read_inequality(Budget *b, RealSet *s, const Node *left, Relation r, const Node *right)
{
    bool absolute, turned = false;
    if (!is_unknown(left, &s->unknown, &absolute)) { // 5 < x
        if (!is_unknown(right, &s->unknown, &absolute))
            return false;
        turned = true;
    }
    const Node *bound = turned ? left : right;
    bool below = is_less(r) != turned;
    if (!absolute)
        return read_side(b, s, bound, below, has_equal(r));
    // -bound - c and bound - c
    const Node *side = turned ? right : left, *c = shift_of(side->first);
    Node zero = {.kind = NODE_NUMBER, .name = {"0", 1}}, copy[2] = {*bound, *bound},
         shift[2] = {c == NULL ? zero : *c, c == NULL ? zero : *c};
    Node away[2], ends[2], minus = {.kind = NODE_NEGATE, .count = 1, .first = &copy[0], .last = &copy[0]};
    copy[0].next = NULL;
    for (int i = 0; i < 2; i++) {
        shift[i].next = NULL;
        away[i] = (Node){.kind = NODE_NEGATE, .count = 1, .first = &shift[i], .last = &shift[i]};
        Node *first = i == 0 ? &minus : &copy[1];
        first->next = &away[i];
        ends[i] = (Node){.kind = NODE_ADD, .count = 2, .first = first, .last = &away[i]};
    }
    return below ? read_interval(b, s, &ends[0], &ends[1], has_equal(r), has_equal(r))
                 : read_side(b, s, &ends[0], true, has_equal(r)) && read_side(b, s, &ends[1], false, has_equal(r));
}

static bool read_relation(Budget *b, RealSet *s, const Node *n, int depth)
{
    bool absolute;
    if (n->relation == IN)
        return is_unknown(n->first, &s->unknown, &absolute) && !absolute && read_set(b, s, n->last, depth - 1);
    if (n->relation == NOT_EQUAL)
        return is_unknown(n->first, &s->unknown, &absolute) && !absolute &&
               read_interval(b, s, n->last, n->last, true, true) && set_complement(s);
    if (!is_inequality(n))
        return false;
    if (!is_inequality(n->first))
        return read_inequality(b, s, n->first, n->relation, n->last);
    const Node *first = n->first; // a < x < b
    Text middle;
    if (is_less(first->relation) != is_less(n->relation) || is_inequality(first->first) ||
        !is_unknown(first->last, &middle, &absolute))
        return false;
    RealSet other = {.count = 0};
    bool ok = read_inequality(b, s, first->first, first->relation, first->last) &&
              read_inequality(b, &other, first->last, n->relation, n->last);
    if (!ok) {
        set_clear(&other);
        return false;
    }
    return set_intersect(s, &other);
}

// x < 1 or x > 3; x > 1 and x < 3; x \ne 1, 2 is no list of these
static bool read_conditions(Budget *b, RealSet *s, const Node *n, int depth)
{
    bool any = n->open == 'o';
    EACH_CHILD (c, n) {
        RealSet other = {.count = 0};
        if (c->kind != NODE_RELATION || !read_set(b, &other, c, depth - 1)) {
            set_clear(&other);
            return false;
        }
        if (c == n->first)
            *s = other;
        else if (!(any ? set_join : set_intersect)(s, &other))
            return false;
    }
    return true;
}

static bool read_difference(Budget *b, RealSet *s, const Node *n, int depth)
{
    RealSet other = {.count = 0};
    if (!read_set(b, s, n->first, depth - 1) || !read_set(b, &other, n->last, depth - 1) || !set_complement(&other)) {
        set_clear(&other);
        return false;
    }
    return set_intersect(s, &other);
}

static bool is_reals(const Node *n)
{
    char name[16];
    return n->kind == NODE_SYMBOL && text_is(plain_name(name, sizeof name, n->name), "mathbbR");
}

static bool read_set(Budget *b, RealSet *s, const Node *n, int depth)
{
    if (depth == 0)
        return false;
    switch (n->kind) {
    case NODE_BRACKET:
        return n->count == 2 && n->open != 0 && read_interval(b, s, n->first, n->last, n->open == '[', n->close == ']');
    case NODE_SET:
        return n->count > 0 && read_points(b, s, n);
    case NODE_SYMBOL:
        return is_reals(n) && read_side(b, s, &infinity, true, false);
    case NODE_SUCH_THAT: {
        Text unknown = n->first->name;
        bool ok = read_set(b, s, n->last, depth - 1) && texts_equal(unknown, s->unknown);
        s->unknown = (Text){NULL, 0}; // bound
        return ok;
    }
    case NODE_RELATION:
        return read_relation(b, s, n, depth);
    case NODE_LIST:
        return read_conditions(b, s, n, depth);
    case NODE_DIFFERENCE:
        return read_difference(b, s, n, depth);
    case NODE_UNION:
        EACH_CHILD (c, n) {
            RealSet other = {.count = 0};
            if (!read_set(b, &other, c, depth - 1)) {
                set_clear(&other);
                return false;
            }
            if (!set_join(s, &other))
                return false;
        }
        return true;
    default:
        return false;
    }
}

bool says_set(const Node *n)
{
    if (n->kind == NODE_UNION || n->kind == NODE_DIFFERENCE || n->kind == NODE_SUCH_THAT || is_reals(n) ||
        is_inequality(n))
        return true;
    if (n->kind == NODE_RELATION)
        return n->relation == NOT_EQUAL || (n->relation == IN && n->last->kind != NODE_LIST);
    if (n->kind != NODE_LIST)
        return false;
    EACH_CHILD (c, n)
        if (!is_inequality(c) && !(c->kind == NODE_RELATION && c->relation == NOT_EQUAL))
            return false;
    return true;
}

Verdict compare_sets(Comparison *c, const Node *g, const Node *p)
{
    RealSet x = {.count = 0}, y = {.count = 0};
    Verdict v = VERDICT_UNKNOWN;
    if (read_set(&c->budget, &x, g, 8) && read_set(&c->budget, &y, p, 8)) {
        set_normalise(&x);
        set_normalise(&y);
        bool same = x.count == y.count;
        for (int k = 0; same && k < x.count; k++)
            same = compare_ends(x.list[k].low, y.list[k].low) == 0 &&
                   compare_ends(x.list[k].high, y.list[k].high) == 0 && x.list[k].has_low == y.list[k].has_low &&
                   x.list[k].has_high == y.list[k].has_high;
        bool names = x.unknown.size > 0 && y.unknown.size > 0 && !texts_equal(x.unknown, y.unknown);
        v = same && names ? VERDICT_UNKNOWN : verdict_of(same);
        c->rule = "sets of real numbers";
    }
    set_clear(&x);
    set_clear(&y);
    return v;
}
