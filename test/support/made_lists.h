// Made up: lists, tuples, rows, intervals.
#ifndef TEST_MADE_LISTS_H
#define TEST_MADE_LISTS_H

#include "test/support/made_answer.h"

// ---- lists, tuples, rows

static void make_list(Maker *m)
{
    int items[ITEMS_MOST], count = between(m, 2, 5);
    char text[MADE_BYTES];
    distinct(m, items, count, -40, 99);
    join(text, items, count, ", ");
    sames(m, STYLES("%s", "$%s$", "\\{%s\\}"), text);
    if (count == 2)
        sames(m, STYLES("%d \\text{ and } %d", "%d and %d"), items[0], items[1]);
    join(text, items, count - 1, ", ");
    other(m, "one left out", STYLES("%s", "\\{%s\\}"), text);
    items[count] = 150;
    join(text, items, count + 1, ", ");
    other(m, "one more", STYLES("%s", "\\{%s\\}"), text);
    int at = draw(m, count), kept = items[at];
    items[at] = 150;
    join(text, items, count, ", ");
    other(m, "one changed", STYLES("%s", "\\{%s\\}"), text);
    items[at] = items[(at + 1) % count];
    join(text, items, count, ", ");
    other(m, "one twice", STYLES("%s"), text);
    items[at] = kept == 0 ? 151 : -kept;
    bool there = false;
    for (int i = 0; i < count; i++)
        there = there || (i != at && items[i] == -kept);
    join(text, items, count, ", ");
    if (!there)
        other(m, "sign", STYLES("%s", "\\{%s\\}"), text);
}

static void make_set(Maker *m)
{
    int items[ITEMS_MOST], count = between(m, 3, 6);
    char text[MADE_BYTES];
    distinct(m, items, count, -40, 99);
    join(text, items, count, ", ");
    sames(m, STYLES("\\{%s\\}", "\\left\\{%s\\right\\}", "$\\{%s\\}$"), text);
    reverse(items, count);
    join(text, items, count, ", ");
    same(m, "\\{%s\\}", text);
    join(text, items, count - 1, ", ");
    other(m, "one left out", STYLES("\\{%s\\}"), text);
    items[count] = 150;
    join(text, items, count + 1, ", ");
    other(m, "one more", STYLES("\\{%s\\}"), text);
    items[draw(m, count)] = 150;
    join(text, items, count, ", ");
    other(m, "one changed", STYLES("\\{%s\\}"), text);
    other(m, "how many", STYLES("%d"), count);
}

static void make_tuple(Maker *m)
{
    static const char *const styles[] = {"(%s)", "\\left(%s\\right)", "$(%s)$", "\\langle %s \\rangle", NULL};
    int items[ITEMS_MOST], count = between(m, 2, 5);
    char text[MADE_BYTES];
    distinct(m, items, count, -40, 99);
    join(text, items, count, ", ");
    sames(m, styles, text);
    join(text, items, count, " \\\\ ");
    sames(m, STYLES("\\begin{pmatrix}%s\\end{pmatrix}", "\\begin{bmatrix} %s \\end{bmatrix}"), text);
    int at = draw(m, count - 1);
    swap(&items[at], &items[at + 1]);
    join(text, items, count, ", ");
    other(m, "two swapped", styles, text);
    swap(&items[at], &items[at + 1]);
    reverse(items, count);
    join(text, items, count, ", ");
    other(m, "reversed", styles, text);
    reverse(items, count);
    items[count] = 5;
    join(text, items, count + 1, ", ");
    other(m, "one more", styles, text);
    if (count > 2) {
        join(text, items, count - 1, ", ");
        other(m, "one left out", styles, text);
    }
    items[at] = 150;
    join(text, items, count, ", ");
    other(m, "one changed", styles, text);
}

static void make_pairs(Maker *m)
{
    static const char *const styles[] = {"(%d, %d), (%d, %d)", "(%d,%d),(%d,%d)", "(%d, %d) \\text{ and } (%d, %d)",
                                         "\\{(%d, %d), (%d, %d)\\}", NULL};
    int v[4];
    distinct(m, v, 4, -20, 60);
    sames(m, styles, v[0], v[1], v[2], v[3]);
    other(m, "swapped in a pair", styles, v[1], v[0], v[2], v[3]);
    other(m, "swapped between pairs", styles, v[0], v[3], v[2], v[1]);
    other(m, "one changed", styles, v[0], v[1], v[2], v[3] + 100);
    other(m, "one left out", STYLES("(%d, %d)"), v[0], v[1]);
    other(m, "one more", STYLES("(%d, %d), (%d, %d), (1, 1)"), v[0], v[1], v[2], v[3]);
    other(m, "without brackets", STYLES("%d, %d, %d, %d"), v[0], v[1], v[2], v[3]);
    other(m, "one of four", STYLES("(%d, %d, %d, %d)"), v[0], v[1], v[2], v[3]);
}

static int64_t product_of(const int *items, int count) // below 100 to the 7th
{
    int64_t product = 1;
    for (int i = 0; i < count; i++)
        product *= items[i];
    return product;
}

// Numbers with spaces between them are a row, not a product.
static void make_row(Maker *m)
{
    int items[ITEMS_MOST], count = between(m, 3, 7), sum = 0;
    char text[MADE_BYTES];
    distinct(m, items, count, 0, draw(m, 2) == 0 ? 9 : 99);
    join(text, items, count, " ");
    same(m, "%s", text);
    same(m, "\\text{%s}", text);
    join(text, items, count, "  ");
    same(m, "%s", text);
    join(text, items, count, ", ");
    m->made->references = m->made->same_count;
    same(m, "%s", text); // as a reference, numbers with commas may be a list whose order does not count
    for (int i = 0; i < count; i++)
        sum += items[i];
    other(m, "product", STYLES("%" PRId64), product_of(items, count));
    other(m, "sum", STYLES("%d"), sum);
    join(text, items, count - 1, " ");
    other(m, "one left out", STYLES("%s"), text);
    items[count] = between(m, 0, 9);
    join(text, items, count + 1, " ");
    other(m, "one more", STYLES("%s"), text);
    join(text, items, count, " \\cdot ");
    other(m, "multiplied", STYLES("%s"), text);
    join(text, items, count, "");
    other(m, "without spaces", STYLES("%s"), text);
    reverse(items, count);
    join(text, items, count, " ");
    other(m, "reversed", STYLES("%s"), text);
    reverse(items, count);
    int at = draw(m, count - 1);
    swap(&items[at], &items[at + 1]);
    join(text, items, count, " ");
    other(m, "two swapped", STYLES("%s"), text);
    items[at] = (items[at] + 1) % 100;
    swap(&items[at], &items[at + 1]);
    join(text, items, count, " ");
    other(m, "one changed", STYLES("%s"), text);
}

static void grid(char out[MADE_BYTES], const int *items, int rows, int columns, const char *gap, const char *line_end)
{
    size_t n = 0;
    for (int i = 0; i < rows * columns; i++)
        n += (size_t)snprintf(out + n, MADE_BYTES - n, "%s%d",
                              i == 0             ? ""
                              : i % columns == 0 ? line_end
                                                 : gap,
                              items[i]);
    assert(n < MADE_BYTES);
}

static void transpose(int *out, const int *items, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            out[j * rows + i] = items[i * columns + j];
}

// Digits in lines, as puzzles have them
static void make_grid(Maker *m)
{
    int items[ITEMS_MOST], other_items[ITEMS_MOST], rows = between(m, 2, 3), columns = 3;
    char text[MADE_BYTES];
    distinct(m, items, rows * columns, 0, 9);
    grid(text, items, rows, columns, " ", "\n");
    same(m, "%s", text);
    grid(text, items, rows, columns, "  ", " \n");
    same(m, "%s", text);
    grid(text, items, rows, columns, " ", " ");
    other(m, "in one line", STYLES("%s"), text);
    transpose(other_items, items, rows, columns);
    grid(text, other_items, columns, rows, " ", "\n");
    other(m, "transposed", STYLES("%s"), text);
    grid(text, items, rows - 1, columns, " ", "\n");
    other(m, "a line left out", STYLES("%s"), text);
    other(m, "product", STYLES("%" PRId64), product_of(items, rows * columns));
    int at = draw(m, rows * columns - 1);
    swap(&items[at], &items[at + 1]);
    grid(text, items, rows, columns, " ", "\n");
    other(m, "two swapped", STYLES("%s"), text);
    swap(&items[at], &items[at + 1]);
    reverse(items, rows * columns);
    grid(text, items, rows, columns, " ", "\n");
    other(m, "reversed", STYLES("%s"), text);
}

static void make_matrix(Maker *m)
{
    static const char *const styles[] = {"\\begin{pmatrix} %s \\end{pmatrix}", "\\begin{bmatrix}%s\\end{bmatrix}",
                                         "\\left(\\begin{array}{ccc} %s \\end{array}\\right)", NULL};
    int items[ITEMS_MOST], other_items[ITEMS_MOST], rows = between(m, 2, 3), columns = between(m, 2, 3);
    char text[MADE_BYTES];
    distinct(m, items, rows * columns, -20, 40);
    grid(text, items, rows, columns, " & ", " \\\\ ");
    sames(m, styles, text);
    grid(text, items, rows, columns, ", ", "], [");
    same(m, "[[%s]]", text);
    transpose(other_items, items, rows, columns);
    grid(text, other_items, columns, rows, " & ", " \\\\ ");
    other(m, "transposed", styles, text);
    int at = draw(m, rows * columns - 1);
    swap(&items[at], &items[at + 1]);
    grid(text, items, rows, columns, " & ", " \\\\ ");
    other(m, "two swapped", styles, text);
    swap(&items[at], &items[at + 1]);
    items[at] += 100;
    grid(text, items, rows, columns, " & ", " \\\\ ");
    other(m, "one changed", styles, text);
    items[at] = items[at] == 100 ? 9 : 100 - items[at];
    grid(text, items, rows, columns, " & ", " \\\\ ");
    other(m, "sign", styles, text);
    if (rows == 3) {
        grid(text, items, 2, columns, " & ", " \\\\ ");
        other(m, "a row left out", styles, text);
    }
}

// ---- intervals

static void make_interval(Maker *m)
{
    int a = between(m, -30, 30), b = a + between(m, 2, 40);
    bool left = draw(m, 2) == 0; // the left end is closed, and the right one open; or the other way round
    const char *open = left ? "[" : "(", *close = left ? ")" : "]", *below = left ? "\\le" : "<",
               *above = left ? "<" : "\\le";
    same(m, "%s%d, %d%s", open, a, b, close);
    same(m, "\\left%s%d, %d\\right%s", open, a, b, close);
    same(m, "%d %s x %s %d", a, below, above, b);
    same(m, "x \\in %s%d, %d%s", open, a, b, close);
    same(m, "\\{x : %d %s x %s %d\\}", a, below, above, b);
    other(m, "brackets swapped", STYLES("%s%d, %d%s"), left ? "(" : "[", a, b, left ? "]" : ")");
    other(m, "both open", STYLES("(%d, %d)", "%d < x < %d"), a, b);
    other(m, "both closed", STYLES("[%d, %d]", "%d \\le x \\le %d"), a, b);
    other(m, "left end", STYLES("%s%d, %d%s"), open, a + 1, b, close);
    other(m, "right end", STYLES("%s%d, %d%s"), open, a, b + 1, close);
    other(m, "mirrored", STYLES("%s%d, %d%s"), open, -b, -a + (a == -b), close);
    other(m, "one end alone", STYLES("x %s %d"), above, b);
    other(m, "its length", STYLES("%d"), b - a);
}

static void make_ray(Maker *m)
{
    int a = between(m, -40, 40);
    bool up = draw(m, 2) == 0, closed = draw(m, 2) == 0;
    const char *relation = up       ? closed ? "\\ge" : ">"
                           : closed ? "\\le"
                                    : "<",
               *flipped = up       ? closed ? "\\le" : "<"
                          : closed ? "\\ge"
                                   : ">";
    const char *loose = up ? closed ? ">" : "\\ge" : closed ? "<" : "\\le";
    static const char *const up_styles[] = {"%s%d, \\infty)", "%s%d, ∞)", NULL}, *const down_styles[] = {
                                                                                     "(-\\infty, %2$d%1$s",
                                                                                     "(-∞, %2$d%1$s", NULL};
    const char *const *styles = up ? up_styles : down_styles;
    const char *bracket = up       ? closed ? "[" : "("
                          : closed ? "]"
                                   : ")",
               *wrong = up       ? closed ? "(" : "["
                        : closed ? ")"
                                 : "]";
    sames(m, styles, bracket, a);
    same(m, "x %s %d", relation, a);
    same(m, "%d %s x", a, flipped);
    other(m, "bracket", styles, wrong, a);
    other(m, "strictness", STYLES("x %s %d"), loose, a);
    other(m, "direction", STYLES("x %s %d"), flipped, a);
    other(m, "changed end", styles, bracket, a + 1);
    if (a != 0)
        other(m, "sign", styles, bracket, -a);
    other(m, "an equation", STYLES("x = %d"), a);
    other(m, "its end", STYLES("%d"), a);
    other(m, "all but one", STYLES("x \\ne %d"), a);
}

static void make_union(Maker *m)
{
    int a = between(m, -30, 10), b = a + between(m, 2, 9), c = b + between(m, 2, 9), d = c + between(m, 2, 9);
    static const char *const styles[] = {"[%d, %d) \\cup (%d, %d]", "[%d,%d)\\cup(%d,%d]", "[%d, %d) ∪ (%d, %d]", NULL};
    sames(m, styles, a, b, c, d);
    same(m, "(%d, %d] \\cup [%d, %d)", c, d, a, b);
    same(m, "%d \\le x < %d \\text{ or } %d < x \\le %d", a, b, c, d);
    other(m, "a bracket",
          STYLES("[%d, %d] \\cup (%d, %d]", "[%d, %d) \\cup [%d, %d]", "(%d, %d) \\cup (%d, %d]",
                 "[%d, %d) \\cup (%d, %d)"),
          a, b, c, d);
    other(m, "an end", styles, a, b, c, d + 1);
    other(m, "gap moved", styles, a, b + 1, c + 1, d);
    other(m, "one part", STYLES("[%d, %d)"), a, b);
    other(m, "without the gap", STYLES("[%d, %d]"), a, d);
    other(m, "the gap", STYLES("[%d, %d]"), b, c);
    other(m, "intersection", STYLES("[%d, %d) \\cap (%d, %d]"), a, b, c, d);
}

#endif
