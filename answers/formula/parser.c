// From tokens to a tree, by recursive descent. From the outside in:
//
//   list       a, b; c and d                     relation   a = b, a < b <= c, x \in s
//   union      (a, b) \cup [c, d)                sum        a + b - c, a \pm b
//   product    2x, a/b, a \cdot b, 5 \text{cm}   power      x^2, n!, 20\%, 30^\circ
//
// Anything unknown ends the parse: false, no tree.
#include "answers/formula/parser.h"
#include <ctype.h>
#include <string.h>

// ---- powers

// ^\circ C and ^\circ F are units
static bool at_temperature(const Parser *p)
{
    const Token *t = token(p);
    return !p->f->no_units && (t->kind == LEX_NAME || t->kind == LEX_TEXT) &&
           (text_is(t->span, "C") || text_is(t->span, "F"));
}

static bool at_degree(const Parser *p)
{
    return at_sign(p, '^') && token_after(p)->kind == LEX_COMMAND && text_is(token_after(p)->span, "circ");
}

static bool take_degree(Parser *p)
{
    int at = p->at;
    if (take_sign(p, '^')) {
        bool brace = take_sign(p, '{');
        if (take_command(p, "circ") && (!brace || take_sign(p, '}')) && !at_temperature(p))
            return true;
    }
    p->at = at;
    return false;
}

Node *parse_exponent(Parser *p)
{
    if (take_sign(p, '-'))
        return node_of(p, NODE_NEGATE, in_depth(p, parse_exponent), NULL);
    Node *n = take_sign(p, '(') ? parse_bracket(p, '(') : parse_argument(p);
    if (n != NULL && take_sign(p, '^')) { // a^b^c is a^(b^c)
        Node *above = in_depth(p, parse_exponent);
        n = above == NULL ? NULL : node_of(p, NODE_POWER, n, above);
    }
    return n;
}

static bool take_percent(Parser *p)
{
    static const char *const words[] = {"percent", "percentage", "pct", NULL};
    const Token *t = token(p);
    if (take_sign(p, '%'))
        return true;
    bool word = (t->kind == LEX_NAME || t->kind == LEX_TEXT) && one_of(t->span, words);
    p->at += word;
    return word;
}

Node *parse_power(Parser *p)
{
    Node *n = parse_primary(p);
    if (n == NULL || !take_subscript(p, n) || (n = parse_application(p, n)) == NULL)
        return NULL;
    for (;;) {
        if (take_degree(p))
            n = node_of(p, NODE_DEGREE, n, NULL);
        else if (at_degree(p)) // of a temperature: a unit
            return n;
        else if (take_sign(p, '^')) {
            Node *exponent = in_depth(p, parse_exponent);
            n = exponent == NULL ? NULL : node_of(p, NODE_POWER, n, exponent);
        } else if (at_sign(p, '!') && token_after(p)->sign != '=') {
            p->at++;
            n = node_of(p, NODE_FACTORIAL, n, NULL);
        } else if (n->kind != NODE_WORD && take_percent(p))
            n = node_of(p, NODE_PERCENT, n, NULL);
        else
            return n;
        if (n == NULL)
            return NULL;
    }
}

// ---- products

static Node *parse_product(Parser *p);

static const char *const separators[] = {"and", "or", "AND", "OR", "And", "Or", NULL};
static const char *const relation_commands[] = {
    "ne", "neq", "lt",    "gt",  "le",   "leq",     "leqslant", "ge",    "geq",      "geqslant", "approx",
    "in", "to",  "equiv", "sim", "cong", "implies", "iff",      "notin", "setminus", "mid",      NULL};

static bool at_separator(const Parser *p)
{
    const Token *t = token(p);
    return t->sign == ',' || t->sign == ';' || t->kind == LEX_BREAK || at_command(p, "quad") ||
           ((t->kind == LEX_NAME || t->kind == LEX_TEXT) && one_of(t->span, separators));
}

bool starts_factor(const Parser *p, bool inside_function)
{
    const Token *t = token(p);
    if (at_separator(p))
        return false;
    switch (t->kind) {
    case LEX_NUMBER:
        return inside_function; // 2 3 is no product
    case LEX_NAME:
        return !(inside_function && is_function(t->span));
    case LEX_TEXT:
        return !inside_function;
    case LEX_SIGN:
        return t->sign == '(' || t->sign == '[' || t->sign == '{' || (t->sign == '|' && p->bars == 0);
    case LEX_COMMAND:
        if (is_function(t->span))
            return !inside_function;
        return !one_of(t->span, relation_commands) && !text_is(t->span, "cdot") && !text_is(t->span, "times") &&
               !text_is(t->span, "bullet") && !text_is(t->span, "div") && !text_is(t->span, "pm") &&
               !text_is(t->span, "mp") && !text_is(t->span, "cup") && !text_is(t->span, "cap") &&
               !text_is(t->span, "}") && !text_is(t->span, "end") && !text_is(t->span, "rfloor") &&
               !text_is(t->span, "rceil") && !text_is(t->span, "rangle");
    default:
        return false;
    }
}

static bool whole(const Node *n)
{
    return n->kind == NODE_NUMBER && n->close == 0 && memchr(n->name.data, '.', n->name.size) == NULL;
}

// 3(1/3), an old form of 3 1/3
static bool at_bracketed_fraction(const Parser *p)
{
    const Token *t = token(p);
    return t->sign == '(' && !t->spaced && t[1].kind == LEX_NUMBER && t[2].sign == '/' && t[3].kind == LEX_NUMBER &&
           t[4].sign == ')' &&
           (t[1].span.size < t[3].span.size ||
            (t[1].span.size == t[3].span.size && memcmp(t[1].span.data, t[3].span.data, t[1].span.size) < 0));
}

// 1\frac{1}{2} and 1 1/2: a whole number before a fraction of whole numbers
static bool is_mixed(Parser *p, const Node *n)
{
    if (n->kind == NODE_MULTIPLY && n->close == 0 && n->last->kind == NODE_NUMBER)
        return false;
    if (!whole(n))
        return false;
    if (at_command(p, "frac")) {
        int at = p->at, nodes = p->f->node_count;
        Node *fraction = in_depth(p, parse_power);
        bool yes = fraction != NULL && fraction->kind == NODE_DIVIDE && whole(fraction->first) && whole(fraction->last);
        p->at = at;
        p->f->node_count = nodes;
        return yes;
    }
    const Token *t = token(p);
    return (t->kind == LEX_NUMBER && t->spaced && t[1].sign == '/' && t[2].kind == LEX_NUMBER) ||
           at_bracketed_fraction(p);
}

static Node *parse_mixed(Parser *p, Node *n)
{
    Node *fraction = NULL;
    if (at_command(p, "frac"))
        fraction = in_depth(p, parse_power);
    else {
        bool bracket = take_sign(p, '(');
        Node *a = parse_primary(p);
        p->at++;
        Node *b = parse_primary(p);
        p->at += bracket;
        fraction = a == NULL || b == NULL ? NULL : node_of(p, NODE_DIVIDE, a, b);
    }
    Node *sum = fraction == NULL ? NULL : node_of(p, NODE_ADD, n, fraction);
    if (sum != NULL)
        sum->close = ')';
    return sum;
}

// 5 ft 3 in: a sum
static Node *parse_compound(Parser *p, Node *n)
{
    Node *smaller = in_depth(p, parse_product);
    if (smaller == NULL || (smaller->kind != NODE_QUANTITY && smaller->kind != NODE_ADD))
        return NULL;
    return node_of(p, NODE_ADD, n, smaller);
}

static Node *parse_factor(Parser *p) // with the sign that may follow a * or /
{
    if (take_sign(p, '-'))
        return node_of(p, NODE_NEGATE, in_depth(p, parse_factor), NULL);
    take_sign(p, '+');
    return in_depth(p, parse_power);
}

static bool is_word(const Node *n) { return n->kind == NODE_WORD && n->name.size > 1; }

// A number before a matrix is a number before each of its cells.
static Node *scale_matrix(Parser *p, Node *n)
{
    Node *matrix = n->last, *scalar = n->first;
    if (n->kind != NODE_MULTIPLY || n->count != 2 || matrix->kind != NODE_MATRIX || scalar->kind == NODE_MATRIX)
        return n;
    for (Node *row = matrix->first; row != NULL; row = row->next) {
        Node *cells = formula_node(p->f, NODE_ROW);
        for (Node *cell = row->first; cells != NULL && cell != NULL;) {
            Node *next = cell->next, *copy = formula_node(p->f, NODE_NUMBER), *scaled = NULL;
            if (copy != NULL) {
                *copy = *scalar;
                scaled = node_of(p, NODE_MULTIPLY, copy, cell);
            }
            if (scaled == NULL)
                return NULL;
            node_append(cells, scaled);
            cell = next;
        }
        if (cells == NULL)
            return NULL;
        row->first = cells->first, row->last = cells->last;
    }
    matrix->next = NULL;
    return matrix;
}

// The next factor, without a sign between. Consecutive words are no product.
static Node *parse_next_factor(Parser *p, Node *n)
{
    const Node *before = n->kind == NODE_MULTIPLY && n->close == 0 ? n->last : n;
    bool after_word = is_word(before);
    Node *factor = in_depth(p, parse_power);
    bool cycles = factor != NULL && factor->kind == NODE_NUMBER && before->kind == NODE_NUMBER &&
                  factor->close == ')'; // (12)(34), 1.23(4)
    if (factor == NULL || (after_word && is_word(factor)) ||
        (cycles && (before->close == ')' || memchr(before->name.data, '.', before->name.size) != NULL)))
        return NULL;
    Node *product = joined(p, NODE_MULTIPLY, n, factor);
    return product == NULL ? NULL : scale_matrix(p, product);
}

static Node *parse_product(Parser *p)
{
    Node *n = in_depth(p, parse_power);
    while (n != NULL) {
        if (at_unit(p, n))
            n = parse_quantity(p, n);
        else if (take_sign(p, '*') || take_command(p, "cdot") || take_command(p, "times") || take_command(p, "bullet"))
            n = joined(p, NODE_MULTIPLY, n, parse_factor(p));
        else if (take_sign(p, '/') || take_command(p, "div")) {
            Node *b = parse_factor(p);
            n = b == NULL ? NULL : node_of(p, NODE_DIVIDE, n, b);
        } else if (is_mixed(p, n))
            n = parse_mixed(p, n);
        else if (n->kind == NODE_QUANTITY && token(p)->kind == LEX_NUMBER)
            return parse_compound(p, n);
        else if (n->kind == NODE_BRACKET && token(p)->kind == LEX_NAME && text_is(token(p)->span, "U"))
            return n; // a union
        else if (starts_factor(p, false))
            n = parse_next_factor(p, n);
        else
            return n;
    }
    return NULL;
}

// ---- sums, unions, relations, lists

static Node *parse_term(Parser *p)
{
    bool doubled =
        (at_sign(p, '-') || at_sign(p, '+')) && token_after(p)->sign == token(p)->sign && !token_after(p)->spaced;
    if (doubled) // --5, ++x
        return NULL;
    if (token(p)->kind == LEX_NAME && token_after(p)->kind == LEX_NUMBER &&
        (take_name(p, "minus") || take_name(p, "negative")))
        return node_of(p, NODE_NEGATE, in_depth(p, parse_term), NULL);
    if (take_sign(p, '-'))
        return node_of(p, NODE_NEGATE, in_depth(p, parse_term), NULL);
    if (take_sign(p, '+'))
        return in_depth(p, parse_term);
    if (take_command(p, "pm") || take_command(p, "mp"))
        return node_of(p, NODE_PLUS_MINUS, in_depth(p, parse_term), NULL);
    return in_depth(p, parse_product);
}

// Matrices that are added become one, of sums.
static Node *add_matrices(Parser *p, Node *sum)
{
    Node *total = sum->first;
    EACH_CHILD (c, sum)
        if (c->kind != NODE_MATRIX || c->count != total->count)
            return sum;
    for (Node *next = total->next; next != NULL; next = next->next)
        for (Node *row = total->first, *other = next->first; row != NULL; row = row->next, other = other->next) {
            Node *cells = formula_node(p->f, NODE_ROW), *a = row->first, *b = other->first;
            if (cells == NULL || row->count != other->count)
                return NULL;
            for (int i = 0; i < row->count; i++) {
                Node *after_a = a->next, *after_b = b->next, *cell = node_of(p, NODE_ADD, a, b);
                if (cell == NULL)
                    return NULL;
                node_append(cells, cell);
                a = after_a, b = after_b;
            }
            row->first = cells->first, row->last = cells->last;
        }
    total->next = NULL;
    return total;
}

// tyr-ala, carbon-14, x-linked: a word is no difference
static bool at_hyphen(const Parser *p)
{
    const Token *t = token(p), *next = token_after(p);
    if (t->sign != '-' || t->spaced || next->spaced || p->at == 0)
        return false;
    const Token *before = t - 1;
    return (before->kind == LEX_NAME && before->span.size > 2 && !is_function(before->span)) ||
           (next->kind == LEX_NAME && next->span.size > 2 && !is_function(next->span));
}

Node *parse_sum(Parser *p)
{
    Node *n = parse_term(p);
    while (n != NULL) {
        if (take_sign(p, '+'))
            n = joined(p, NODE_ADD, n, parse_term(p));
        else if (at_hyphen(p))
            return NULL;
        else if (take_sign(p, '-'))
            n = joined(p, NODE_ADD, n, node_of(p, NODE_NEGATE, in_depth(p, parse_product), NULL));
        else if (take_command(p, "pm") || take_command(p, "mp")) {
            Node *b = in_depth(p, parse_product);
            n = b == NULL ? NULL : node_of(p, NODE_PLUS_MINUS, n, b);
        } else
            return n->kind == NODE_ADD && n->close == 0 ? add_matrices(p, n) : n;
    }
    return NULL;
}

static Node *parse_union(Parser *p)
{
    Node *n = parse_sum(p);
    for (;;)
        if (n != NULL && (take_command(p, "cup") || take_name(p, "U")))
            n = joined(p, NODE_UNION, n, parse_sum(p));
        else if (n != NULL && take_command(p, "setminus")) {
            Node *b = parse_sum(p);
            n = b == NULL ? NULL : node_of(p, NODE_DIFFERENCE, n, b);
        } else
            return n;
}

static bool take_relation(Parser *p, Relation *relation)
{
    static const struct {
        const char *name;
        Relation relation;
    } commands[] = {{"ne", NOT_EQUAL},
                    {"neq", NOT_EQUAL},
                    {"lt", LESS},
                    {"gt", GREATER},
                    {"le", LESS_EQUAL},
                    {"leq", LESS_EQUAL},
                    {"leqslant", LESS_EQUAL},
                    {"ge", GREATER_EQUAL},
                    {"geq", GREATER_EQUAL},
                    {"geqslant", GREATER_EQUAL},
                    {"approx", ABOUT},
                    {"in", IN},
                    {"to", ARROW},
                    {"implies", ARROW}};
    static const char signs[] = "=<>";
    static const Relation of_signs[] = {EQUAL, LESS, GREATER};
    const char *sign = token(p)->sign == 0 ? NULL : strchr(signs, token(p)->sign);
    if (sign != NULL) {
        *relation = of_signs[sign - signs];
        p->at++;
        take_sign(p, '='); // ==
        return true;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (take_command(p, commands[i].name)) {
            *relation = commands[i].relation;
            return true;
        }
    return false;
}

static Node *parse_ratio(Parser *p) // a : b : c binds more than a relation: S : T = 7 : 32
{
    Node *n = parse_union(p);
    while (n != NULL && take_sign(p, ':')) {
        take_sign(p, '=');
        Node *b = parse_union(p);
        n = b == NULL ? NULL : node_of(p, NODE_RELATION, n, b);
        if (n != NULL)
            n->relation = RATIO;
    }
    return n;
}

// a < b <= c is ((a < b) <= c)
static Node *parse_relation(Parser *p)
{
    Relation relation;
    if (p->at == 0 && (at_command(p, "approx") || at_sign(p, '=')))
        p->at++; // "about 8.24"
    Node *n = parse_ratio(p);
    while (n != NULL && take_relation(p, &relation)) {
        Node *b = parse_ratio(p);
        n = b == NULL ? NULL : node_of(p, NODE_RELATION, n, b);
        if (n != NULL)
            n->relation = relation;
    }
    return n;
}

static bool at_list_end(const Parser *p)
{
    const Token *t = token(p);
    return t->kind == LEX_END || t->sign == ')' || t->sign == ']' || t->sign == '}' || at_command(p, "}");
}

// Separated by commas, breaks, "and", "or"; a comma at the end is none.
static Node *parse_items(Parser *p)
{
    Node *n = parse_relation(p), *list = NULL;
    while (n != NULL && at_separator(p) && !at_sign(p, ';')) {
        bool either = false;
        while (at_separator(p) && !at_sign(p, ';')) {
            bool word = token(p)->kind == LEX_NAME || token(p)->kind == LEX_TEXT;
            if (word && token_after(p)->sign == ',')
                return NULL; // "a, or, b": a word of the list
            either = either || text_is(token(p)->span, "or");
            p->at++;
        }
        if (at_list_end(p) || at_sign(p, ';'))
            break;
        if (list == NULL && (list = node_of(p, NODE_LIST, n, NULL)) == NULL)
            return NULL;
        list->open = either ? 'o' : list->open; // see sets.c
        n = parse_relation(p);
        if (n != NULL)
            node_append(list, n);
    }
    return n == NULL ? NULL : list != NULL ? list : n;
}

// p=5, q=2; p=7, q=2 are two pairs; 1; 2; 3 is 1, 2, 3.
Node *parse_list(Parser *p)
{
    Node *n = parse_items(p), *list = NULL;
    while (n != NULL && at_sign(p, ';')) {
        while (at_separator(p))
            p->at++;
        if (list == NULL && (list = node_of(p, NODE_LIST, n, NULL)) == NULL)
            return NULL;
        if (at_list_end(p))
            break;
        n = parse_items(p);
        if (n != NULL)
            node_append(list, n);
    }
    if (n == NULL || list == NULL)
        return n;
    EACH_CHILD (c, list)
        if (c->kind == NODE_LIST && c->close == 0) {
            Node *pair = (Node *)c;
            pair->kind = NODE_BRACKET;
            pair->open = '(', pair->close = ')';
        }
    return list;
}

bool formula_parse(Formula *f)
{
    Parser p = {.f = f};
    f->node_count = 0;
    while (f->token_count > 0 &&
           (f->tokens[f->token_count - 1].sign == '.' || f->tokens[f->token_count - 1].kind == LEX_BREAK))
        f->tokens[--f->token_count].kind = LEX_END, f->tokens[f->token_count].sign = 0;
    f->root = f->token_count == 0 ? NULL : parse_list(&p);
    if (f->root != NULL && token(&p)->kind != LEX_END)
        f->root = NULL;
    return f->root != NULL;
}
