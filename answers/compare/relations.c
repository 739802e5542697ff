// Equations and named values: which part is the answer, whether two names are one, and whether two equations say the
// same. They do where the differences of their sides have a constant ratio, whose sign matters for inequalities.
#include "answers/compare/compare.h"
#include <ctype.h>
#include <string.h>

// ---- names

static bool capitals(Text s) // MFC, AB: one name, not a product
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] < 'A' || s.data[i] > 'Z')
            return false;
    return true;
}

static bool mixed_case(Text s) // pH, pKa, Kc
{
    bool upper = false, lower = false;
    for (size_t i = 0; i < s.size; i++) {
        upper = upper || (s.data[i] >= 'A' && s.data[i] <= 'Z');
        lower = lower || (s.data[i] >= 'a' && s.data[i] <= 'z');
    }
    return upper && lower;
}

static bool is_derivative(const Node *n) // dy/dx
{
    return n->kind == NODE_DIVIDE && n->first->kind == NODE_WORD && n->last->kind == NODE_WORD &&
           n->first->name.size <= 3 && n->last->name.size == 2 && *n->first->name.data == 'd' &&
           *n->last->name.data == 'd';
}

static bool is_call(const Node *n) // W(n), of a letter that is not known to be a function
{
    const Node *argument = n->last;
    return n->kind == NODE_MULTIPLY && n->count == 2 && n->first->kind == NODE_SYMBOL && argument->close == ')' &&
           (argument->kind == NODE_SYMBOL || argument->kind == NODE_BRACKET);
}

static bool is_name(const Node *n);

static bool all_names(const Node *n)
{
    EACH_CHILD (c, n)
        if (!is_name(c))
            return false;
    return n->count > 0;
}

// What only names a value: x, x_1, f(x), (p, q), |AB|, "S", \Delta H^\circ
static bool is_name(const Node *n)
{
    switch (n->kind) {
    case NODE_SYMBOL:
        return !text_is(n->name, "i") && !text_is(n->name, "pi");
    case NODE_APPLY:
        return true;
    case NODE_WORD:
        return n->name.size > 3 || capitals(n->name) || mixed_case(n->name);
    case NODE_MULTIPLY: // W(n), \Delta H
        if (is_call(n))
            return true;
        return n->count == 2 && n->first->kind == NODE_SYMBOL && text_is(n->first->name, "Delta") && is_name(n->last);
    case NODE_DEGREE:
        return is_name(n->first);
    case NODE_DIVIDE:
        return is_derivative(n);
    case NODE_BRACKET:
    case NODE_LIST:
        return all_names(n);
    case NODE_CALL:
        return text_is(n->name, "abs") && is_name(n->first);
    case NODE_RELATION:
        return n->relation == RATIO && is_name(n->first) && is_name(n->last);
    default:
        return false;
    }
}

// Letters that only stand for an argument; P(A) and P(B) are two probabilities.
static bool is_variable(Text s) { return s.size == 1 && strchr("xtn", *s.data) != NULL; }

Verdict same_name(Comparison *c, const Node *a, const Node *b)
{
    char x[64], y[64];
    if (a->kind != b->kind || a->count != b->count)
        return VERDICT_DIFFERENT;
    bool calls = (a->kind == NODE_APPLY || (is_call(a) && is_call(b))) && a->last->kind == NODE_SYMBOL &&
                 b->last->kind == NODE_SYMBOL;
    if (calls && is_variable(a->last->name) && is_variable(b->last->name)) // f(x) and f(t)
        return texts_equal(a->name, b->name) && (a->kind == NODE_APPLY || texts_equal(a->first->name, b->first->name))
                   ? VERDICT_EQUAL
                   : VERDICT_DIFFERENT;
    if (!texts_equal(plain_name(x, sizeof x, a->name), plain_name(y, sizeof y, b->name)))
        return VERDICT_DIFFERENT;
    Verdict v = VERDICT_EQUAL;
    for (const Node *m = a->first, *n = b->first; m != NULL && v == VERDICT_EQUAL; m = m->next, n = n->next)
        v = is_name(m) && is_name(n)                   ? same_name(c, m, n)
            : compare_values(c, m, n) == VERDICT_EQUAL ? VERDICT_EQUAL
                                                       : VERDICT_DIFFERENT;
    return v;
}

const Node *left_end(const Node *n)
{
    while (n->kind == NODE_RELATION && n->relation != RATIO)
        n = n->first;
    return n;
}

static bool all_equal(const Node *n) // a = b = c, without any other sign
{
    for (; n->kind == NODE_RELATION; n = n->first)
        if (n->relation != EQUAL && n->relation != ABOUT)
            return false;
    return true;
}

// A chain names its last side where that is a value, or one of the two sides of a definition: P = MR = MC says more
// than P = MC.
static bool chain_ends_in_value(const Node *n)
{
    return n->first->kind != NODE_RELATION || n->first->relation == RATIO || (all_equal(n) && !has_symbols(n->last));
}

Named named_value(const Node *n)
{
    Named named = {NULL, n};
    while (named.value->kind == NODE_RELATION && named.value->relation != RATIO) {
        const Node *r = named.value, *left = r->first, *right = r->last;
        bool chain = left->kind == NODE_RELATION && left->relation != RATIO,
             constant = !has_symbols(left_end(left)) && left->kind != NODE_LIST;
        bool belongs = right->kind == NODE_SET || right->kind == NODE_BRACKET || right->kind == NODE_UNION ||
                       right->kind == NODE_LIST || right->kind == NODE_SUCH_THAT;
        if (r->relation == IN && !chain && belongs) {
            named.name = is_name(left) ? left : NULL;
            named.value = right;
        } else if (!chain_ends_in_value(r))
            break;
        else if (r->relation == EQUAL && is_name(left_end(left))) {
            named.name = left_end(left);
            named.value = right;
        } else if (r->relation == EQUAL && (chain || (constant && !has_symbols(right))))
            named.value = right; // 2x + 1 = 3 + 4 = 7; 3 + 4 = 7; but 7 = 11a + c says more than 11a + c
        else if (r->relation == ABOUT && is_name(left_end(left))) {
            named.name = left_end(left);
            named.value = chain ? left->last : right;
        } else if (r->relation == ABOUT && (chain || constant))
            named.value = left; // 2/3 \approx 0.67
        else
            break;
    }
    return named;
}

// ---- equations

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

static bool is_zero(const mpc_t x) { return mpc_cmp_si(x, 0) == 0; }

// The ratio of two functions: constant (with which sign), not constant, or unknown with fewer than two points
static Verdict constant_ratio(Budget *b, const Node *g, const Node *p, int *sign)
{
    mpc_t x, y, first, ratio;
    mpc_init2(x, VALUE_BITS);
    mpc_init2(y, VALUE_BITS);
    mpc_init2(first, VALUE_BITS);
    mpc_init2(ratio, VALUE_BITS);
    int known = 0;
    Verdict v = VERDICT_UNKNOWN;
    for (int i = 0; i < 2 * POINTS && v != VERDICT_DIFFERENT; i++) {
        if (!evaluate_at(b, g, i, x) || !evaluate_at(b, p, i, y) || is_zero(x) || is_zero(y))
            continue;
        b->magnitude = NO_MAGNITUDE;
        mpc_div(known == 0 ? first : ratio, x, y, MPC_RNDNN);
        if (known++ > 0)
            v = verdict_of(values_agree(b, first, ratio));
    }
    *sign = known == 0 ? 0 : mpfr_sgn(mpc_realref(first));
    mpc_clear(x);
    mpc_clear(y);
    mpc_clear(first);
    mpc_clear(ratio);
    return v;
}

static Relation turned(Relation r)
{
    static const Relation other[] = {EQUAL,      NOT_EQUAL, GREATER, GREATER_EQUAL, LESS,
                                     LESS_EQUAL, ABOUT,     IN,      RATIO,         ARROW};
    return other[r];
}

static bool has_leading_zero(const Node *n) // 1:04 is a time
{
    if (n->kind == NODE_NUMBER && n->name.size > 1 && n->name.data[0] == '0' && isdigit((unsigned char)n->name.data[1]))
        return true;
    EACH_CHILD (c, n)
        if (has_leading_zero(c))
            return true;
    return false;
}

// 1:2:3 is 2:4:6
static Verdict compare_ratios(Comparison *c, const Node *g, const Node *p, int depth)
{
    if (has_symbols(g) || has_symbols(p) || has_leading_zero(g) || has_leading_zero(p))
        return compare_children(c, g, p, depth);
    while (g->kind == NODE_RELATION && p->kind == NODE_RELATION && g->relation == RATIO && p->relation == RATIO) {
        const Node *g_left = g->first->kind == NODE_RELATION ? g->first->last : g->first;
        const Node *p_left = p->first->kind == NODE_RELATION ? p->first->last : p->first;
        Node x[3] = {{.kind = NODE_DIVIDE, .count = 2}, *g_left, *g->last},
             y[3] = {{.kind = NODE_DIVIDE, .count = 2}, *p_left, *p->last};
        x[0].first = &x[1], x[0].last = &x[2], x[1].next = &x[2], x[2].next = NULL;
        y[0].first = &y[1], y[0].last = &y[2], y[1].next = &y[2], y[2].next = NULL;
        Verdict v = compare_values(c, x, y);
        if (v != VERDICT_EQUAL)
            return v;
        g = g->first, p = p->first;
    }
    return decide(c, verdict_of((g->kind == NODE_RELATION) == (p->kind == NODE_RELATION)), "ratio");
}

// Three or more sides, and implications: side by side
static Verdict compare_chains(Comparison *c, const Node *g, const Node *p, int depth)
{
    if (g->relation != p->relation)
        return decide(c, VERDICT_UNKNOWN, "other relations");
    Verdict v = both(compare(c, g->first, p->first, depth - 1), compare(c, g->last, p->last, depth - 1));
    if (g->relation == ARROW && v == VERDICT_DIFFERENT)
        v = VERDICT_UNKNOWN; // p -> q may be said in other words
    return decide(c, v, "relation, side by side");
}

static bool is_chain_side(const Node *n) { return n->first->kind == NODE_RELATION || n->last->kind == NODE_RELATION; }

Verdict compare_relations(Comparison *c, const Node *g, const Node *p, int depth)
{
    bool chains = is_chain_side(g) || is_chain_side(p) || g->relation == ARROW || p->relation == ARROW ||
                  g->relation == IN || p->relation == IN;
    if (g->relation == RATIO && p->relation == RATIO)
        return compare_ratios(c, g, p, depth);
    if (g->relation == RATIO || p->relation == RATIO)
        return decide(c, VERDICT_UNKNOWN, "other relations");
    if (chains || g->relation == ABOUT)
        return compare_chains(c, g, p, depth);
    Node x[4], y[4];
    int sign;
    difference(g, x);
    difference(p, y);
    Verdict v = constant_ratio(&c->budget, x, y, &sign);
    if (v == VERDICT_EQUAL)
        v = verdict_of(g->relation == (sign < 0 ? turned(p->relation) : p->relation));
    if (v == VERDICT_DIFFERENT && (has_applications(g) || has_applications(p)))
        v = VERDICT_UNKNOWN;
    if (v == VERDICT_DIFFERENT && g->relation == EQUAL && p->relation == EQUAL)
        v = VERDICT_UNKNOWN; // x y = 1 may be solved for y
    return decide(c, v, "ratio of the sides' differences");
}

// ---- definitions of functions: f(x) = 2x + 1 is g(t) = 2t + 1

static const Node *bound(const Named *n) // the x of f(x)
{
    const Node *argument = n->name->kind == NODE_APPLY ? n->name->first : NULL;
    return argument != NULL && argument->kind == NODE_SYMBOL ? argument : NULL;
}

static bool mentions(const Node *n, Text name)
{
    if (n->kind == NODE_SYMBOL && texts_equal(n->name, name))
        return true;
    EACH_CHILD (c, n)
        if (mentions(c, name))
            return true;
    return false;
}

Verdict compare_definitions(Comparison *c, const Named *g, const Named *p, int depth)
{
    const Node *x = bound(g), *t = bound(p);
    bool other = !texts_equal(x == NULL ? (Text){"", 0} : x->name, t == NULL ? (Text){"", 0} : t->name);
    if (x == NULL || t == NULL || !mentions(g->value, x->name) || !mentions(p->value, t->name) ||
        (other && (mentions(g->value, t->name) || mentions(p->value, x->name))))
        return VERDICT_UNKNOWN;
    c->budget.alias = (Alias){t->name, x->name, p->value};
    Verdict v = compare(c, g->value, p->value, depth - 1);
    c->budget.alias = (Alias){{NULL, 0}, {NULL, 0}, NULL};
    return v == VERDICT_EQUAL ? decide(c, v, "definition of a function") : VERDICT_UNKNOWN;
}
