// Rows of numbers separated by space only, and ranges: "10-20", "19,000 to 20,000".
#include "answers/match.h"
#include <string.h>

bool same_number(Text a, Text b)
{
    mpq_t x, y;
    mpq_inits(x, y, NULL);
    bool same = number_read(x, a) && number_read(y, b) && mpq_equal(x, y) && (*a.data == '-') == (*b.data == '-');
    mpq_clears(x, y, NULL);
    return same;
}

static bool same_rows(const Rows *a, const Rows *b)
{
    bool same = a->count == b->count && a->rows == b->rows;
    for (int i = 0; same && i < a->rows; i++)
        same = a->ends[i] == b->ends[i];
    for (int i = 0; same && i < a->count; i++)
        same = same_number(a->numbers[i], b->numbers[i]);
    return same;
}

// A row as a list of numbers with commas or in brackets; rows as a list of such
static bool row_is_list(const Rows *r, int from, int to, const Node *list)
{
    if (list->kind == NODE_MATRIX && list->count == 1)
        list = list->first;
    if (list->kind == NODE_BRACKET && (list->open == '(') != (list->close == ')'))
        return false; // an interval
    if ((list->kind != NODE_LIST && list->kind != NODE_BRACKET && list->kind != NODE_ROW) || list->count != to - from)
        return false;
    const Node *item = list->first;
    for (int i = from; i < to; i++, item = item->next) {
        const Node *number = item->kind == NODE_NEGATE ? item->first : item;
        char sign = item->kind == NODE_NEGATE ? '-' : '+';
        Text own = r->numbers[i];
        bool signs = (*own.data == '-') == (sign == '-');
        own = *own.data == '-' || *own.data == '+' ? (Text){own.data + 1, own.size - 1} : own;
        if (number->kind != NODE_NUMBER || !signs || !same_number(own, number->name))
            return false;
    }
    return true;
}

static bool rows_are_list(const Rows *r, const Node *n)
{
    if (n == NULL)
        return false;
    if (r->rows == 1)
        return row_is_list(r, 0, r->count, n);
    if ((n->kind != NODE_LIST && n->kind != NODE_BRACKET && n->kind != NODE_MATRIX) || n->count != r->rows)
        return false;
    const Node *item = n->first;
    for (int i = 0; i < r->rows; i++, item = item->next)
        if (!row_is_list(r, i == 0 ? 0 : r->ends[i - 1], r->ends[i], item))
            return false;
    return true;
}

Verdict compare_rows(Verifier *v)
{
    const Reading *g = &v->gold, *p = &v->given;
    if (g->has_rows && p->has_rows)
        return say(v, verdict_of(same_rows(&g->rows, &p->rows)), "rows of numbers, in their order");
    const Rows *rows = g->has_rows ? &g->rows : &p->rows;
    bool same = rows_are_list(rows, g->has_rows ? p->formula->root : g->formula->root);
    return say(v, same ? VERDICT_EQUAL : VERDICT_UNKNOWN,
               same ? "rows of numbers, in their order" : "a row of numbers and something else");
}

Verdict compare_ranges(Verifier *v)
{
    const Reading *g = &v->gold, *p = &v->given;
    if (!g->has_range || !p->has_range)
        return say(v, VERDICT_UNKNOWN, "a range, a score or a code, and something else");
    const Range *x = &g->range, *y = &p->range;
    bool numbers = same_number(x->low, y->low) && same_number(x->high, y->high);
    bool units = x->unit.size == 0 || y->unit.size == 0 || texts_equal(x->unit, y->unit);
    return say(v, !numbers ? VERDICT_DIFFERENT : units ? VERDICT_EQUAL : VERDICT_UNKNOWN, "both ends of a range");
}
