// From tokens to a tree, by recursive descent. From the outside in:
//
//   list       a, b; c and d                     relation   a = b, a < b <= c, x \in s
//   union      (a, b) \cup [c, d)                sum        a + b - c, a \pm b
//   product    2x, a/b, a \cdot b, 5 \text{cm}   power      x^2, n!, 20\%, 30^\circ
//
// Whoever is not understood ends the attempt: false, and no tree.
#include "answers/parser.h"
#include <ctype.h>
#include <string.h>

// ---- powers

static bool take_degree(Parser *p)
{
    int at = p->at;
    if (take_sign(p, '^')) {
        bool brace = take_sign(p, '{');
        if ((take_command(p, "circ") || take_command(p, "degree")) && (!brace || take_sign(p, '}')))
            return true;
    }
    p->at = at;
    return take_command(p, "degree");
}

Node *parse_exponent(Parser *p)
{
    if (take_sign(p, '-'))
        return node_of(p, NODE_NEGATE, in_depth(p, parse_exponent), NULL);
    if (take_sign(p, '('))
        return parse_bracket(p, '(');
    return parse_argument(p);
}

Node *parse_power(Parser *p)
{
    Node *n = parse_primary(p);
    if (n == NULL || !take_subscript(p, n))
        return NULL;
    for (;;) {
        if (take_degree(p))
            n = node_of(p, NODE_DEGREE, n, NULL);
        else if (take_sign(p, '^')) {
            Node *exponent = in_depth(p, parse_exponent);
            n = exponent == NULL ? NULL : node_of(p, NODE_POWER, n, exponent);
        } else if (at_sign(p, '!') && token_after(p)->sign != '=') {
            p->at++;
            n = node_of(p, NODE_FACTORIAL, n, NULL);
        } else if (take_sign(p, '%'))
            n = node_of(p, NODE_PERCENT, n, NULL);
        else
            return n;
        if (n == NULL)
            return NULL;
    }
}

// ---- products

static const char *const separators[] = {"and", "or", "AND", "OR", "And", "Or", NULL};
static const char *const relation_commands[] = {"ne",       "neq",    "lt", "gt", "le",    "leq", "leqslant", "ge", "geq",
                                                "geqslant", "approx", "in", "to", "equiv", "sim", "cong",     NULL};

static bool at_separator(const Parser *p)
{
    const Token *t = token(p);
    return t->sign == ',' || t->sign == ';' || t->kind == TOKEN_BREAK || at_command(p, "quad") ||
           ((t->kind == TOKEN_NAME || t->kind == TOKEN_TEXT) && one_of(t->span, separators));
}

bool starts_factor(const Parser *p, bool inside_function)
{
    const Token *t = token(p);
    if (at_separator(p))
        return false;
    switch (t->kind) {
    case TOKEN_NUMBER:
        return true;
    case TOKEN_NAME:
        return !(inside_function && is_function(t->span));
    case TOKEN_TEXT:
        return !inside_function;
    case TOKEN_SIGN:
        return t->sign == '(' || t->sign == '[' || t->sign == '{' || (t->sign == '|' && p->bars == 0);
    case TOKEN_COMMAND:
        if (is_function(t->span))
            return !inside_function;
        return !one_of(t->span, relation_commands) && !text_is(t->span, "cdot") && !text_is(t->span, "times") &&
               !text_is(t->span, "div") && !text_is(t->span, "pm") && !text_is(t->span, "mp") && !text_is(t->span, "cup") &&
               !text_is(t->span, "cap") && !text_is(t->span, "}") && !text_is(t->span, "end") && !text_is(t->span, "rfloor") &&
               !text_is(t->span, "rceil") && !text_is(t->span, "degree");
    default:
        return false;
    }
}

static bool whole(const Node *n)
{
    return n->kind == NODE_NUMBER && n->close == 0 && memchr(n->name.data, '.', n->name.size) == NULL;
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
    return t->kind == TOKEN_NUMBER && t->spaced && t[1].sign == '/' && t[2].kind == TOKEN_NUMBER;
}

static Node *parse_mixed(Parser *p, Node *n)
{
    Node *fraction = NULL;
    if (at_command(p, "frac"))
        fraction = in_depth(p, parse_power);
    else {
        Node *a = parse_primary(p);
        p->at++;
        Node *b = parse_primary(p);
        fraction = a == NULL || b == NULL ? NULL : node_of(p, NODE_DIVIDE, a, b);
    }
    Node *sum = fraction == NULL ? NULL : node_of(p, NODE_ADD, n, fraction);
    if (sum != NULL)
        sum->close = ')';
    return sum;
}

static Node *parse_factor(Parser *p) // with the sign that may stand behind a * or /
{
    if (take_sign(p, '-'))
        return node_of(p, NODE_NEGATE, in_depth(p, parse_factor), NULL);
    take_sign(p, '+');
    return in_depth(p, parse_power);
}

static Node *parse_product(Parser *p)
{
    Node *n = in_depth(p, parse_power);
    while (n != NULL) {
        if (take_sign(p, '*') || take_command(p, "cdot") || take_command(p, "times"))
            n = joined(p, NODE_MULTIPLY, n, parse_factor(p));
        else if (take_sign(p, '/') || take_command(p, "div")) {
            Node *b = parse_factor(p);
            n = b == NULL ? NULL : node_of(p, NODE_DIVIDE, n, b);
        } else if (is_mixed(p, n))
            n = parse_mixed(p, n);
        else if (starts_factor(p, false))
            n = joined(p, NODE_MULTIPLY, n, in_depth(p, parse_power));
        else
            return n;
    }
    return NULL;
}

// ---- sums, unions, relations, lists

static Node *parse_term(Parser *p)
{
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

Node *parse_sum(Parser *p)
{
    Node *n = parse_term(p);
    while (n != NULL) {
        if (take_sign(p, '+'))
            n = joined(p, NODE_ADD, n, parse_term(p));
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
    while (n != NULL && take_command(p, "cup"))
        n = joined(p, NODE_UNION, n, parse_sum(p));
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
                    {"to", EQUAL},
                    {"equiv", EQUAL}};
    static const char signs[] = "=<>:";
    static const Relation of_signs[] = {EQUAL, LESS, GREATER, RATIO};
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

// a < b <= c is ((a < b) <= c)
static Node *parse_relation(Parser *p)
{
    Relation relation;
    if (at_command(p, "approx") || at_sign(p, '='))
        p->at++; // "about 8.24"
    Node *n = parse_union(p);
    while (n != NULL && take_relation(p, &relation)) {
        Node *b = parse_union(p);
        n = b == NULL ? NULL : node_of(p, NODE_RELATION, n, b);
        if (n != NULL)
            n->relation = relation;
    }
    return n;
}

static bool at_list_end(const Parser *p)
{
    const Token *t = token(p);
    return t->kind == TOKEN_END || t->sign == ')' || t->sign == ']' || t->sign == '}' || at_command(p, "}");
}

// Separated by commas, breaks, "and", "or"; a comma at the end is none.
static Node *parse_items(Parser *p)
{
    Node *n = parse_relation(p), *list = NULL;
    while (n != NULL && at_separator(p) && !at_sign(p, ';')) {
        while (at_separator(p) && !at_sign(p, ';'))
            p->at++;
        if (at_list_end(p) || at_sign(p, ';'))
            break;
        if (list == NULL && (list = node_of(p, NODE_LIST, n, NULL)) == NULL)
            return NULL;
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
    while (f->token_count > 0 && (f->tokens[f->token_count - 1].sign == '.' || f->tokens[f->token_count - 1].kind == TOKEN_BREAK))
        f->tokens[--f->token_count].kind = TOKEN_END, f->tokens[f->token_count].sign = 0;
    f->root = f->token_count == 0 ? NULL : parse_list(&p);
    if (f->root != NULL && token(&p)->kind != TOKEN_END)
        f->root = NULL;
    return f->root != NULL;
}
