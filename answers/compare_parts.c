// What has parts: tuples, intervals and matrices, place by place; lists, sets and unions in any order.
#include "answers/compare.h"
#include <stdlib.h>
#include <string.h>

enum { LIST_MOST = 64 };

// ---- places: tuples, matrices

Verdict compare_children(Budget *b, const Node *g, const Node *p, int depth)
{
    if (g->count != p->count)
        return VERDICT_DIFFERENT;
    Verdict v = VERDICT_EQUAL;
    for (const Node *x = g->first, *y = p->first; x != NULL && v != VERDICT_DIFFERENT; x = x->next, y = y->next)
        v = both(v, compare(b, x, y, depth));
    return v;
}

static bool is_interval(const Node *n) { return n->kind == NODE_BRACKET && n->count == 2 && n->open != 0; }

Verdict compare_brackets(Budget *b, const Node *g, const Node *p, int depth)
{
    // (a, b) and [a, b] are two intervals; of three numbers, one tuple or vector
    if (is_interval(g) && is_interval(p) && (g->open != p->open || g->close != p->close))
        return VERDICT_DIFFERENT;
    return compare_children(b, g, p, depth);
}

// ---- collections without order

bool is_collection(const Node *n) { return n->kind == NODE_LIST || n->kind == NODE_SET || n->kind == NODE_UNION; }

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

static void collect(Items *list, const Node *n)
{
    n = value_side(n);
    if (is_collection(n))
        EACH_CHILD (c, n)
            collect(list, c);
    else if (n->kind == NODE_PLUS_MINUS)
        add_plus_minus(list, n);
    else
        add_item(list, n);
}

// Whether it only lists what names are: p = 5, q = 2, p = 7, q = 2
static bool lists_names(const Node *n)
{
    EACH_CHILD (c, n)
        if (c->kind != NODE_RELATION || c->relation != EQUAL || value_side(c) == c)
            return false;
    return n->kind == NODE_LIST;
}

static void collect_values(Items *list, const Node *n) // of tuples too
{
    n = value_side(n);
    if (is_collection(n) || n->kind == NODE_BRACKET)
        EACH_CHILD (c, n)
            collect_values(list, c);
    else
        add_item(list, n);
}

static Verdict compare_in_order(Budget *b, const Items *g, const Items *p, int depth)
{
    if (g->full || p->full)
        return VERDICT_UNKNOWN;
    Verdict v = verdict_of(g->count == p->count);
    for (int i = 0; i < g->count && v == VERDICT_EQUAL; i++)
        v = compare(b, g->items[i], p->items[i], depth);
    return v;
}

static Verdict compare_in_any_order(Budget *b, const Items *g, const Items *p, int depth)
{
    if (g->full || p->full)
        return VERDICT_UNKNOWN;
    Verdict v = verdict_of(g->count == p->count);
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

Verdict compare_collections(Budget *b, const Node *g, const Node *p, int depth)
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
