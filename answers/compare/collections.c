// Lists, sets of single elements, tuples, matrices. Order matters in tuples, matrices, rows and lists of words; not in
// lists and sets of numbers and expressions. Named elements are compared by name: x = 2, y = 3 is y = 3, x = 2, and (2,
// 3) equals it in that order.
#include "answers/compare/compare.h"
#include "system/start.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MOST = 64 };

Verdict compare_children(Comparison *c, const Node *g, const Node *p, int depth)
{
    if (g->count != p->count)
        return decide(c, VERDICT_DIFFERENT, "another number of parts");
    Verdict v = VERDICT_EQUAL;
    for (const Node *x = g->first, *y = p->first; x != NULL && v != VERDICT_DIFFERENT; x = x->next, y = y->next)
        v = both(v, compare(c, x, y, depth - 1));
    return v;
}

bool is_collection(const Node *n) { return n->kind == NODE_LIST || n->kind == NODE_SET || n->kind == NODE_UNION; }

// ---- the elements of a collection

typedef struct Item {
    const Node *name, *value; // name NULL: none
} Item;

typedef struct Items {
    Item items[LIST_MOST];
    Node made[LIST_MOST]; // for a \pm: its two signs
    int count, made_count;
    bool full, words, braces; // words: at least one is a word; braces: it is a set
} Items;

bool is_wordy(const Node *n)
{
    if (n->kind == NODE_QUANTITY || n->kind == NODE_APPLY)
        return false;
    if (n->kind == NODE_WORD && n->name.size > 3)
        return true;
    EACH_CHILD (c, n)
        if (is_wordy(c))
            return true;
    return false;
}

static void add_item(Items *list, const Node *name, const Node *value)
{
    list->full = list->full || list->count == LIST_MOST;
    list->words = list->words || value->kind == NODE_WORD || is_wordy(value);
    if (!list->full)
        list->items[list->count++] = (Item){name, value};
}

// x \pm y is x + y and x - y.
static void add_plus_minus(Items *list, const Node *name, const Node *n)
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
            add_item(list, name, minus ? negated : term);
            continue;
        }
        *first = *n->first;
        first->next = minus ? negated : term;
        *sum = (Node){.kind = NODE_ADD, .count = 2, .first = first, .last = first->next};
        add_item(list, name, sum);
    }
}

static bool is_tuple(const Node *n) { return (n->kind == NODE_BRACKET || n->kind == NODE_LIST) && n->count > 1; }

bool names_places(const Named *n)
{
    return n->name != NULL && is_tuple(n->name) && is_tuple(n->value) && n->name->count == n->value->count;
}

static void collect(Items *list, const Node *n, bool inside)
{
    Named named = named_value(n);
    if (inside && n->kind == NODE_SET) { // a set in a set
        add_item(list, NULL, n);
        return;
    }
    if (names_places(&named)) {
        const Node *value = named.value->first;
        for (const Node *name = named.name->first; name != NULL; name = name->next, value = value->next)
            add_item(list, name, value);
    } else if (is_collection(named.value))
        EACH_CHILD (c, named.value)
            collect(list, c, true);
    else if (named.value->kind == NODE_PLUS_MINUS)
        add_plus_minus(list, named.name, named.value);
    else
        add_item(list, named.name, named.value);
}

static void collect_values(Items *list, const Node *n) // of tuples too
{
    n = named_value(n).value;
    if (is_collection(n) || n->kind == NODE_BRACKET)
        EACH_CHILD (c, n)
            collect_values(list, c);
    else
        add_item(list, NULL, n);
}

// ---- comparing elements

static Verdict compare_in_order(Comparison *c, const Items *g, const Items *p, int depth)
{
    Verdict v = verdict_of(g->count == p->count);
    for (int i = 0; i < g->count && v == VERDICT_EQUAL; i++)
        v = compare(c, g->items[i].value, p->items[i].value, depth - 1);
    return v;
}

static Verdict compare_in_any_order(Comparison *c, const Items *g, const Items *p, int depth)
{
    Verdict v = verdict_of(g->count == p->count);
    bool used[LIST_MOST] = {false};
    for (int i = 0; i < g->count && v == VERDICT_EQUAL; i++) {
        v = VERDICT_DIFFERENT;
        for (int k = 0; k < p->count && v != VERDICT_EQUAL; k++) {
            Verdict one = used[k] ? VERDICT_DIFFERENT : compare(c, g->items[i].value, p->items[k].value, depth - 1);
            used[k] = used[k] || one == VERDICT_EQUAL;
            v = one == VERDICT_EQUAL || (one == VERDICT_UNKNOWN && v == VERDICT_DIFFERENT) ? one : v;
        }
    }
    return v;
}

typedef enum Naming { NAMELESS, ONE_NAME, DISTINCT_NAMES, OTHER_NAMES } Naming;

static Naming naming_of(Comparison *c, const Items *list)
{
    int named = 0, same = 0;
    for (int i = 0; i < list->count; i++) {
        named += list->items[i].name != NULL;
        for (int k = 0; k < i && list->items[i].name != NULL; k++)
            same +=
                list->items[k].name != NULL && same_name(c, list->items[i].name, list->items[k].name) == VERDICT_EQUAL;
    }
    if (named == 0)
        return NAMELESS;
    int pairs = list->count * (list->count - 1) / 2;
    return named < list->count ? OTHER_NAMES : same == pairs ? ONE_NAME : same == 0 ? DISTINCT_NAMES : OTHER_NAMES;
}

static Verdict compare_by_name(Comparison *c, const Items *g, const Items *p, int depth)
{
    Verdict v = g->count == p->count ? VERDICT_EQUAL : VERDICT_UNKNOWN;
    for (int i = 0; i < g->count && v == VERDICT_EQUAL; i++) {
        v = VERDICT_UNKNOWN; // under another name
        for (int k = 0; k < p->count; k++)
            if (same_name(c, g->items[i].name, p->items[k].name) == VERDICT_EQUAL)
                v = compare(c, g->items[i].value, p->items[k].value, depth - 1);
    }
    return decide(c, v, "values by their names");
}

// Whether units tell elements of g apart, and p has none: 10 apples and 5 oranges are 10, 5 in that order only.
static bool units_left_out(const Items *g, const Items *p)
{
    int with = 0, without = 0;
    for (int i = 0; i < g->count; i++)
        with += g->items[i].value->kind == NODE_QUANTITY;
    for (int i = 0; i < p->count; i++)
        without += p->items[i].value->kind != NODE_QUANTITY;
    return with > 0 && without > 0;
}

// Measured values, "respectively": two with one unit, or decimals. Solutions are whole numbers, fractions and roots.
static bool are_measured(const Items *list)
{
    for (int i = 0; i < list->count; i++) {
        const Node *a = list->items[i].value;
        a = a->kind == NODE_NEGATE ? a->first : a;
        if (a->kind == NODE_NUMBER && memchr(a->name.data, '.', a->name.size) != NULL)
            return true;
        for (int k = 0; k < i && a->kind == NODE_QUANTITY; k++) {
            const Node *b = list->items[k].value;
            if (b->kind == NODE_QUANTITY && texts_equal(a->name, b->name))
                return true;
        }
    }
    return false;
}

// Marks, each in its place: T, F, T; Y, N, N; 1, 0, 0, 1
static bool are_marks(const Items *list)
{
    static const char *const pairs[] = {"TF", "YN", "01", "tf", "yn", "+-", NULL};
    for (const char *const *pair = pairs; *pair != NULL; pair++) {
        int marks = 0;
        for (int i = 0; i < list->count; i++) {
            const Node *n = list->items[i].value;
            marks += (n->kind == NODE_SYMBOL || n->kind == NODE_NUMBER) && n->name.size == 1 &&
                     strchr(*pair, *n->name.data) != NULL;
        }
        if (marks == list->count)
            return list->count > 2 || isalpha((unsigned char)**pair);
    }
    return false;
}

// A permutation of 1 to n, or of the first letters: 3, 1, 2; B, A, C
static bool is_ranking(const Items *list)
{
    bool seen[10] = {false}, ascending = true;
    for (int i = 0; i < list->count; i++) {
        const Node *n = list->items[i].value;
        int digit = n->kind == NODE_NUMBER && n->name.size == 1   ? *n->name.data - '0'
                    : n->kind == NODE_SYMBOL && n->name.size == 1 ? *n->name.data - 'A' + 1
                                                                  : 0;
        if (digit < 1 || digit > list->count || digit > 9 || seen[digit])
            return false;
        seen[digit] = true;
        ascending = ascending && digit == i + 1;
    }
    return list->count > 2 && !ascending;
}

enum { SOLUTIONS_MOST = 4 }; // more single numbers than that are a sequence rather than solutions

static bool is_sequence(const Items *list)
{
    for (int i = 0; i < list->count; i++) {
        const Node *n = list->items[i].value;
        n = n->kind == NODE_NEGATE ? n->first : n;
        if (n->kind != NODE_NUMBER)
            return false;
    }
    return list->count > SOLUTIONS_MOST;
}

// "1/4 or 0.25" is one value twice.
static bool says_one(Comparison *c, const Items *g, const Items *p, int depth)
{
    bool same = g->count == 1 && p->count > 1 && p->count <= 3 && !p->full && p->items[0].value->kind != NODE_SYMBOL;
    for (int i = 0; same && i < p->count; i++)
        same = compare(c, g->items[0].value, p->items[i].value, depth - 1) == VERDICT_EQUAL;
    return same;
}

static Verdict compare_items(Comparison *c, const Items *g, const Items *p, int depth)
{
    if (g->full || p->full)
        return decide(c, VERDICT_UNKNOWN, "too many parts");
    if (says_one(c, g, p, depth))
        return decide(c, VERDICT_EQUAL, "one value, said twice");
    Naming gold = naming_of(c, g), given = naming_of(c, p);
    if (gold == DISTINCT_NAMES && given == DISTINCT_NAMES)
        return compare_by_name(c, g, p, depth);
    bool one = gold == ONE_NAME && given == ONE_NAME;
    if (one && g->count > 0 && same_name(c, g->items[0].name, p->items[0].name) != VERDICT_EQUAL)
        return decide(c, VERDICT_UNKNOWN, "other names");
    bool ordered = gold == DISTINCT_NAMES || given == DISTINCT_NAMES || units_left_out(g, p) || units_left_out(p, g);
    if (ordered) {
        Verdict v = compare_in_order(c, g, p, depth);
        return decide(c, v, "parts in their order");
    }
    bool free = g->braces || !(are_measured(g) || are_measured(p) || is_ranking(g) || is_sequence(g) || are_marks(g));
    if (free && !g->words && !p->words) {
        Verdict v = compare_in_any_order(c, g, p, depth);
        return decide(c, v, "parts in any order");
    }
    Verdict v = compare_in_order(c, g, p, depth);
    bool permuted = v == VERDICT_DIFFERENT && (g->words || compare_in_any_order(c, g, p, depth) != VERDICT_DIFFERENT);
    return decide(c, permuted ? VERDICT_UNKNOWN : v,
                  g->words || p->words ? "words in their order" : "values in their order");
}

// Whether tuples are on one side and names on the other: p = 5, q = 2, p = 7, q = 2 and (5, 2), (7, 2)
static bool holds_tuples(const Items *list)
{
    for (int i = 0; i < list->count; i++)
        if (list->items[i].value->kind == NODE_BRACKET)
            return true;
    return false;
}

Verdict compare_collections(Comparison *c, const Node *g, const Node *p, int depth)
{
    Items *lists = memory_or_end(2 * sizeof *lists);
    for (int i = 0; i < 2; i++)
        lists[i].count = lists[i].made_count = lists[i].full = 0, lists[i].words = lists[i].braces = false;
    collect(&lists[0], g, false);
    collect(&lists[1], p, false);
    lists[0].braces = lists[1].braces = g->kind == NODE_SET || p->kind == NODE_SET;
    bool names = lists[0].count != lists[1].count && holds_tuples(&lists[0]) != holds_tuples(&lists[1]) &&
                 !lists[0].full && !lists[1].full &&
                 (naming_of(c, &lists[0]) == OTHER_NAMES || naming_of(c, &lists[1]) == OTHER_NAMES ||
                  naming_of(c, &lists[0]) == DISTINCT_NAMES);
    if (names) {
        lists[0].count = lists[1].count = 0;
        collect_values(&lists[0], g);
        collect_values(&lists[1], p);
    }
    Verdict v = names && !lists[0].full && !lists[1].full
                    ? decide(c, compare_in_order(c, &lists[0], &lists[1], depth), "parts in their order")
                    : compare_items(c, &lists[0], &lists[1], depth);
    free(lists);
    return v;
}
