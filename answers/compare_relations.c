// Equations and inequalities: which part of one is an answer, and whether two say the same. Two do where the differences of their sides
// have a constant ratio (and of which sign, where it matters); an inequality in one unknown is also an interval.
#include "answers/compare.h"

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
        EACH_CHILD (c, n)
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
const Node *value_side(const Node *n)
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

const Node *member_side(const Node *n) { return n->kind == NODE_RELATION && n->relation == IN ? n->last : n; }

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

Verdict compare_relations(Budget *b, const Node *g, const Node *p, int depth)
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
    return verdict_of(g->relation == (sign < 0 ? turned(p->relation) : p->relation));
}

// An inequality in one unknown as the interval it is: x > 5, -2 <= x <= 7. Made of the nodes given.
bool as_interval(const Node *n, Node nodes[4])
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
