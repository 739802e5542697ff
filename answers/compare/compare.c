// Compares any two trees. In this order: words; sets of real numbers, where one side is more than a pair in brackets;
// named values by their value; then by kind: relations, matrices, tuples, lists, and everything else by value.
#include "answers/compare/compare.h"
#include "answers/words/words.h"
#include <string.h>

static bool is_word(const Node *n) { return n->kind == NODE_WORD; }
static bool is_structure(const Node *n)
{
    return n->kind == NODE_RELATION || n->kind == NODE_MATRIX || n->kind == NODE_ROW || n->kind == NODE_BRACKET ||
           n->kind == NODE_SUCH_THAT || n->kind == NODE_DIFFERENCE;
}

// ---- words among formulas

// A word in a formula is a name: any other meaning is unknown.
static Verdict compare_word(Comparison *c, const Node *g, const Node *p)
{
    const char *rule;
    if (is_word(g) && is_word(p)) {
        Verdict v = words_compare(g->name, p->name, &rule);
        return decide(c, v, rule);
    }
    return decide(c, VERDICT_UNKNOWN, "a word and a formula");
}

// A short word is a product of letters, against a product.
static bool may_be_product(const Node *word, const Node *other)
{
    return word->name.size <= 3 && (other->kind == NODE_MULTIPLY || other->kind == NODE_DIVIDE ||
                                    other->kind == NODE_POWER || other->kind == NODE_ADD);
}

// ---- nothing

static bool is_empty_set(const Node *n)
{
    return (n->kind == NODE_SET && n->count == 0) || (n->kind == NODE_SYMBOL && text_is(n->name, "emptyset"));
}

// ---- infinity, which is no number

static int infinity_of(const Node *n) // its sign; 0: it is none
{
    int sign = n->kind == NODE_NEGATE ? -1 : 1;
    n = n->kind == NODE_NEGATE ? n->first : n;
    return n->kind == NODE_SYMBOL && text_is(n->name, "infty") ? sign : 0;
}

// ---- vectors: a column, a row, and a bracket

static const Node *vector_cells(const Node *n, Node *row) // its cells as children of *row; NULL: it is no vector
{
    if (n->kind == NODE_BRACKET && n->count > 1)
        return n;
    if (n->kind != NODE_MATRIX || n->count == 0)
        return NULL;
    if (n->count == 1)
        return n->first;
    *row = (Node){.kind = NODE_ROW, .count = n->count};
    EACH_CHILD (line, n)
        if (line->count != 1)
            return NULL;
    return row; // its children are rows of one cell each
}

// [[1, 2], [3, 4]] is a matrix, too.
static bool is_nested(const Node *n)
{
    EACH_CHILD (row, n)
        if (row->kind != NODE_BRACKET)
            return false;
    return n->kind == NODE_BRACKET && n->count > 0;
}

static Verdict compare_nested(Comparison *c, const Node *g, const Node *p, int depth)
{
    Verdict v = verdict_of(g->count == p->count);
    for (const Node *x = g->first, *y = p->first; x != NULL && y != NULL && v == VERDICT_EQUAL;
         x = x->next, y = y->next)
        v = compare_children(c, x, y, depth - 1);
    return decide(c, v, "cells in their places");
}

static const Node *cell_of(const Node *n) { return n->kind == NODE_ROW && n->count == 1 ? n->first : n; }

static Verdict compare_vectors(Comparison *c, const Node *g, const Node *p, int depth)
{
    Node g_row, p_row;
    const Node *x = vector_cells(g, &g_row), *y = vector_cells(p, &p_row);
    if (x == NULL || y == NULL || x->count != y->count)
        return decide(c, VERDICT_DIFFERENT, "another shape");
    const Node *a = x == &g_row ? g->first : x->first, *b = y == &p_row ? p->first : y->first;
    Verdict v = VERDICT_EQUAL;
    for (; a != NULL && b != NULL && v != VERDICT_DIFFERENT; a = a->next, b = b->next)
        v = both(v, compare(c, cell_of(a), cell_of(b), depth - 1));
    return decide(c, v, "cells in their places");
}

// ---- brackets

static bool is_interval(const Node *n) { return n->kind == NODE_BRACKET && n->count == 2 && n->open != 0; }

// (1, 2) may be written 1, 2; an interval may not, and a set or "1 or 2" is no tuple.
static bool is_tuple_as_list(const Node *tuple, const Node *list)
{
    bool round = tuple->open != '[' && tuple->close != ']';
    EACH_CHILD (part, tuple)
        round = round && infinity_of(part) == 0;
    EACH_CHILD (part, list)
        round = round && part->kind != NODE_RELATION;
    return (round || tuple->count > 2) && list->kind == NODE_LIST && list->open != 'o';
}

static Verdict compare_brackets(Comparison *c, const Node *g, const Node *p, int depth)
{
    // (a, b) and [a, b] are two intervals; of three numbers, one tuple or vector
    if (is_interval(g) && is_interval(p) && (g->open != p->open || g->close != p->close))
        return decide(c, VERDICT_DIFFERENT, "other ends");
    Verdict v = compare_children(c, g, p, depth);
    return decide(c, v, "parts in their order");
}

// ---- arrows

// 1 -> 2 -> 3 as a list in order: all but the first, from last to first, are right sides.
static Verdict compare_chain_with_list(Comparison *c, const Node *chain, const Node *list, int depth)
{
    int links = 1;
    for (const Node *n = chain; n->kind == NODE_RELATION && n->relation == ARROW; n = n->first)
        links++;
    if (links < 3 || links != list->count)
        return decide(c, VERDICT_UNKNOWN, "a chain and a list");
    Verdict v = VERDICT_EQUAL;
    const Node *at = chain;
    for (int i = links; i-- > 0 && v == VERDICT_EQUAL;) {
        const Node *item = list->first, *link = i > 0 ? at->last : at;
        for (int k = 0; k < i; k++)
            item = item->next;
        v = compare(c, link, item, depth - 1);
        at = i > 0 ? at->first : at;
    }
    return decide(c, v == VERDICT_DIFFERENT ? VERDICT_UNKNOWN : v, "chain in its order");
}

static bool is_chain(const Node *n) { return n->kind == NODE_RELATION && n->relation == ARROW; }

// ---- by kind

static bool is_plain_list(const Node *n) { return n->kind == NODE_LIST || n->kind == NODE_SET; }
static bool is_many(const Node *n) { return is_collection(n) || n->kind == NODE_PLUS_MINUS; }

static Verdict compare_ratio_with_number(Comparison *c, const Node *ratio, const Node *number)
{
    Node x[3] = {{.kind = NODE_DIVIDE, .count = 2}, *ratio->first, *ratio->last};
    x[0].first = &x[1], x[0].last = &x[2], x[1].next = &x[2], x[2].next = NULL;
    if (has_symbols(ratio) || has_symbols(number) || ratio->first->kind == NODE_RELATION)
        return decide(c, VERDICT_UNKNOWN, "a ratio and no number");
    Verdict v = compare_values(c, x, number);
    return decide(c, v, "ratio");
}

static bool is_ratio(const Node *n) { return n->kind == NODE_RELATION && n->relation == RATIO; }

static Verdict compare_kinds(Comparison *c, const Node *g, const Node *p, int depth)
{
    if (is_empty_set(g) || is_empty_set(p))
        return decide(c, is_empty_set(g) && is_empty_set(p) ? VERDICT_EQUAL : VERDICT_UNKNOWN, "the empty set");
    if (infinity_of(g) != 0 && infinity_of(p) != 0)
        return decide(c, verdict_of(infinity_of(g) == infinity_of(p)), "infinity");
    Verdict v = compare_totals(c, g, p);
    if (v != VERDICT_UNKNOWN)
        return v;
    if (is_ratio(g) != is_ratio(p) && !is_structure(is_ratio(g) ? p : g) && !is_many(is_ratio(g) ? p : g))
        return compare_ratio_with_number(c, is_ratio(g) ? g : p, is_ratio(g) ? p : g);
    if ((is_chain(g) && is_plain_list(p)) || (is_chain(p) && is_plain_list(g)))
        return compare_chain_with_list(c, is_chain(g) ? g : p, is_chain(g) ? p : g, depth);
    if (g->kind == NODE_RELATION && p->kind == NODE_RELATION)
        return compare_relations(c, g, p, depth);
    if (g->kind == p->kind && (g->kind == NODE_MATRIX || g->kind == NODE_ROW)) {
        v = compare_children(c, g, p, depth);
        return decide(c, v, "cells in their places");
    }
    if (g->kind == NODE_BRACKET && p->kind == NODE_BRACKET)
        return compare_brackets(c, g, p, depth);
    if ((g->kind == NODE_MATRIX && p->kind == NODE_BRACKET) || (g->kind == NODE_BRACKET && p->kind == NODE_MATRIX))
        return is_nested(g->kind == NODE_BRACKET ? g : p) ? compare_nested(c, g, p, depth)
                                                          : compare_vectors(c, g, p, depth);
    if ((g->kind == NODE_BRACKET && is_plain_list(p)) || (p->kind == NODE_BRACKET && is_plain_list(g))) {
        if (!is_tuple_as_list(g->kind == NODE_BRACKET ? g : p, g->kind == NODE_BRACKET ? p : g))
            return decide(c, VERDICT_UNKNOWN, "an interval or a tuple, and a list");
        v = compare_children(c, g, p, depth);
        return decide(c, v, "parts in their order");
    }
    if ((g->kind == NODE_UNION) != (p->kind == NODE_UNION))
        return decide(c, VERDICT_UNKNOWN, "a union and something else");
    if (is_many(g) || is_many(p))
        return compare_collections(c, g, p, depth);
    if (is_word(g) != is_word(p) && may_be_product(is_word(g) ? g : p, is_word(g) ? p : g))
        return compare_quantities(c, g, p);
    if (is_word(g) || is_word(p))
        return compare_word(c, g, p);
    if (is_chain(g) || is_chain(p))
        return decide(c, VERDICT_UNKNOWN, "an implication");
    if (is_structure(g) || is_structure(p))
        return decide(c, has_symbols(g) || has_symbols(p) ? VERDICT_UNKNOWN : VERDICT_DIFFERENT, "another structure");
    return compare_quantities(c, g, p);
}

// ---- definitions of a name

static Verdict compare_named(Comparison *c, const Node *g, const Node *p, const Named *gold, const Named *given,
                             int depth)
{
    if (same_name(c, gold->name, given->name) == VERDICT_EQUAL)
        return compare_kinds(c, gold->value, given->value, depth - 1);
    if (is_collection(gold->value) || is_collection(given->value) || gold->name->kind == NODE_BRACKET ||
        given->name->kind == NODE_BRACKET)
        return compare_collections(c, g, p, depth - 1); // (x, y) = (1, 2)
    Verdict v = compare_definitions(c, gold, given, depth - 1);
    if (v != VERDICT_EQUAL && g->kind == NODE_RELATION && p->kind == NODE_RELATION && g->relation == EQUAL &&
        p->relation == EQUAL)
        v = compare_relations(c, g, p, depth - 1); // x = 2y is y = x / 2
    return v == VERDICT_EQUAL ? v : decide(c, VERDICT_UNKNOWN, "other names");
}

static bool is_unsolved(const Node *n, const Named *named)
{
    return n->kind == NODE_RELATION && n->relation == EQUAL && named->value == n && has_symbols(n);
}

// 2x + 4y = 3 and y = 3/4 - x/2; whether another equation has the same solutions is unknown.
static Verdict compare_solution(Comparison *c, const Node *g, const Node *p, int depth)
{
    bool equations =
        g->kind == NODE_RELATION && p->kind == NODE_RELATION && g->relation == EQUAL && p->relation == EQUAL;
    if (equations && compare_relations(c, g, p, depth - 1) == VERDICT_EQUAL)
        return VERDICT_EQUAL;
    return decide(c, VERDICT_UNKNOWN, "an equation, and what may solve it");
}

static bool is_lone(const Node *n) { return n->kind == NODE_SYMBOL && has_symbols(n); }

static bool is_false_calculation(Comparison *c, const Node *n, const Named *named)
{
    if (n->kind != NODE_RELATION || n->relation != EQUAL || named->value == n)
        return false;
    const Node *before =
        named->name != NULL ? (n->first->kind == NODE_RELATION ? n->first->last : NULL) : left_end(n); // x = 2 = 3
    return before != NULL && !has_symbols(before) && !has_symbols(named->value) &&
           compare_values(c, before, named->value) == VERDICT_DIFFERENT;
}

Verdict compare(Comparison *c, const Node *g, const Node *p, int depth)
{
    if (depth <= 0 || (c->budget.steps -= 4) < 0)
        return decide(c, VERDICT_UNKNOWN, "beyond the limits");
    if (says_set(g) || says_set(p)) {
        Verdict v = compare_sets(c, g, p);
        if (v != VERDICT_UNKNOWN)
            return v;
    }
    Named gold = named_value(g), given = named_value(p);
    if ((names_places(&gold) && is_collection(p)) || (names_places(&given) && is_collection(g)))
        return compare_collections(c, g, p, depth - 1);
    if (is_false_calculation(c, p, &given))
        return decide(c, VERDICT_UNKNOWN, "a calculation that is wrong"); // 3 = 2
    if (is_unsolved(g, &gold) != is_unsolved(p, &given) &&
        (gold.name != NULL || given.name != NULL || is_many(g) || is_many(p)))
        return compare_solution(c, g, p, depth);
    if (gold.name != NULL && given.name != NULL)
        return compare_named(c, g, p, &gold, &given, depth);
    if (g->kind == NODE_RELATION && p->kind == NODE_RELATION && (gold.value == g || given.value == p)) {
        Verdict v = compare_kinds(c, g, p, depth - 1);
        if (v == VERDICT_EQUAL || (gold.value == g && given.value == p))
            return v;
    }
    if ((gold.name == NULL) != (given.name == NULL) && is_lone(gold.value) && is_lone(given.value))
        return decide(c, VERDICT_UNKNOWN, "a letter and an equation of two"); // O and C=O
    Verdict v = compare_kinds(c, gold.value, given.value, depth - 1);
    bool calculations =
        v == VERDICT_EQUAL && gold.name == NULL && given.name == NULL && gold.value != g && given.value != p;
    if (calculations && compare(c, left_end(g), left_end(p), depth - 1) != VERDICT_EQUAL)
        return decide(c, VERDICT_UNKNOWN, "other calculations"); // 25 kcal = 106 kJ and 30 kcal = 106 kJ
    return v;
}
