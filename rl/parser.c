// From tokens to a tree, by recursive descent. From the outside in:
//
//   list       a, b; c and d                     relation   a = b, a < b <= c, x \in s
//   union      (a, b) \cup [c, d)                sum        a + b - c, a \pm b
//   product    2x, a/b, a \cdot b, 5 \text{cm}   power      x^2, n!, 20\%, 30^\circ
//
// Whoever is not understood ends the attempt: false, and no tree.
#include "rl/formula.h"
#include <ctype.h>
#include <string.h>

typedef struct Parser {
    Formula *f;
    int at, depth;
    int bars; // |...| that are open: the next | closes
} Parser;

static Node *parse_list(Parser *p);
static Node *parse_sum(Parser *p);
static Node *parse_power(Parser *p);
static Node *parse_exponent(Parser *p);

// ---- tokens and nodes

static const Token *token(const Parser *p) { return &p->f->tokens[p->at]; }
static const Token *token_after(const Parser *p) { return &p->f->tokens[token(p)->kind == TOKEN_END ? p->at : p->at + 1]; }
static bool at_sign(const Parser *p, char sign) { return token(p)->sign == sign; }
static bool at_command(const Parser *p, const char *name)
{
    return token(p)->kind == TOKEN_COMMAND && text_is(token(p)->span, name);
}

static bool take_sign(Parser *p, char sign)
{
    bool there = at_sign(p, sign);
    p->at += there;
    return there;
}

static bool take_command(Parser *p, const char *name)
{
    bool there = at_command(p, name);
    p->at += there;
    return there;
}

static bool one_of(Text s, const char *const *names)
{
    for (; *names != NULL; names++)
        if (text_is(s, *names))
            return true;
    return false;
}

Node *formula_node(Formula *f, NodeKind kind)
{
    if (f->node_count == NODES_MOST)
        return NULL;
    Node *n = &f->nodes[f->node_count++];
    *n = (Node){.kind = kind};
    return n;
}

void node_append(Node *parent, Node *child)
{
    child->next = NULL;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static Node *node_of(Parser *p, NodeKind kind, Node *a, Node *b)
{
    Node *n = a == NULL ? NULL : formula_node(p->f, kind);
    if (n == NULL)
        return NULL;
    node_append(n, a);
    if (b != NULL)
        node_append(n, b);
    return n;
}

// a grows by b where it is of that kind already and not in brackets of its own
static Node *joined(Parser *p, NodeKind kind, Node *a, Node *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    if (a->kind != kind || a->close != 0)
        return node_of(p, kind, a, b);
    node_append(a, b);
    return a;
}

static Node *named(Parser *p, NodeKind kind, Text name)
{
    Node *n = formula_node(p->f, kind);
    if (n != NULL)
        n->name = name;
    return n;
}

// ---- what a name is

static const char *const functions[] = {"sin",    "cos",  "tan",  "cot",  "sec",   "csc",  "arcsin", "arccos",
                                        "arctan", "asin", "acos", "atan", "sinh",  "cosh", "tanh",   "ln",
                                        "log",    "lg",   "exp",  "abs",  "floor", "ceil", "det",    NULL};
static const char *const greek[] = {
    "alpha", "beta",   "gamma", "delta", "epsilon",  "varepsilon", "zeta",   "eta",   "theta", "vartheta", "iota",
    "kappa", "lambda", "mu",    "nu",    "xi",       "pi",         "rho",    "sigma", "tau",   "phi",      "varphi",
    "chi",   "psi",    "omega", "Gamma", "Delta",    "Theta",      "Lambda", "Xi",    "Pi",    "Sigma",    "Phi",
    "Psi",   "Omega",  "ell",   "infty", "emptyset", "varnothing", "hbar",   "Re",    "Im",    "mathbb",   NULL};
static const char *const decorations[] = {"overline",  "vec",   "overrightarrow", "hat",        "bar",     "tilde", "widehat",
                                          "underline", "angle", "triangle",       "boldsymbol", "mathcal", NULL};
static const char *const plain_names[] = {"pi", "infinity", "theta", "alpha", "beta", "lambda", NULL};

// ---- the smallest parts

static Node *in_depth(Parser *p, Node *(*part)(Parser *))
{
    if (p->depth == DEPTH_MOST)
        return NULL;
    p->depth++;
    Node *n = part(p);
    p->depth--;
    return n;
}

// {...}, or one token
static Node *parse_argument(Parser *p)
{
    if (take_sign(p, '{')) {
        Node *n = in_depth(p, parse_list);
        return take_sign(p, '}') ? n : NULL;
    }
    const Token *t = token(p);
    if (t->kind == TOKEN_NUMBER || (t->kind == TOKEN_NAME && t->span.size == 1)) {
        p->at++;
        return named(p, t->kind == TOKEN_NUMBER ? NODE_NUMBER : NODE_SYMBOL, t->span);
    }
    return t->kind == TOKEN_COMMAND || t->kind == TOKEN_TEXT ? in_depth(p, parse_power) : NULL;
}

// What an _ brings, as a part of the name before it: its end in the text, NULL where it does not end
static const char *subscript_end(Parser *p)
{
    int braces = 0;
    do {
        const Token *t = token(p);
        if (t->kind == TOKEN_END)
            return NULL;
        braces += at_sign(p, '{');
        braces -= at_sign(p, '}');
        p->at++;
    } while (braces > 0);
    const Token *last = &p->f->tokens[p->at - 1];
    return last->span.data + last->span.size;
}

static bool take_subscript(Parser *p, Node *n)
{
    if (n->kind == NODE_SYMBOL || n->kind == NODE_WORD || n->kind == NODE_NUMBER)
        while (at_sign(p, '_') || (at_sign(p, '\'') && n->kind == NODE_SYMBOL)) {
            bool prime = take_sign(p, '\'');
            const char *end = n->name.data + n->name.size + prime;
            if (!prime) {
                p->at++;
                end = subscript_end(p);
            }
            if (end == NULL)
                return false;
            if (n->kind != NODE_NUMBER) // a number's base is left aside: two answers of one problem have the same
                n->name.size = (size_t)(end - n->name.data);
        }
    return true;
}

static Node *parse_bracket(Parser *p, char open)
{
    int bars = p->bars;
    p->bars = 0;
    Node *n = in_depth(p, parse_list);
    p->bars = bars;
    char close = token(p)->sign;
    if (n == NULL || (close != ')' && close != ']'))
        return NULL;
    p->at++;
    if (n->kind == NODE_LIST && n->close == 0) {
        n->kind = NODE_BRACKET;
        n->open = open;
    }
    n->close = close; // closed: a sum in brackets does not grow
    return n;
}

static Node *parse_set(Parser *p, bool escaped)
{
    Node *n = formula_node(p->f, NODE_SET), *inside = NULL;
    bool empty = escaped ? at_command(p, "}") : at_sign(p, '}');
    if (n == NULL || (!empty && (inside = in_depth(p, parse_list)) == NULL))
        return NULL;
    if (!(escaped ? take_command(p, "}") : take_sign(p, '}')))
        return NULL;
    if (!escaped) { // braces that only group
        if (inside != NULL && inside->close == 0)
            inside->close = inside->kind == NODE_LIST ? 0 : '}';
        return inside;
    }
    if (inside != NULL && inside->kind == NODE_LIST && inside->close == 0) {
        inside->kind = NODE_SET;
        inside->close = '}';
        return inside;
    }
    if (inside != NULL)
        node_append(n, inside);
    n->close = '}';
    return n;
}

static Node *parse_absolute(Parser *p)
{
    p->bars++;
    Node *inside = in_depth(p, parse_sum), *n = named(p, NODE_CALL, (Text){"abs", 3});
    p->bars--;
    if (inside == NULL || n == NULL || !take_sign(p, '|'))
        return NULL;
    node_append(n, inside);
    return n;
}

static Node *parse_rounding(Parser *p, const char *name, const char *end)
{
    Node *inside = in_depth(p, parse_sum), *n = named(p, NODE_CALL, (Text){name, strlen(name)});
    if (inside == NULL || n == NULL || !take_command(p, end))
        return NULL;
    node_append(n, inside);
    return n;
}

// ---- commands

static Node *parse_root(Parser *p)
{
    Node *degree = NULL;
    if (take_sign(p, '[')) {
        degree = in_depth(p, parse_sum);
        if (degree == NULL || !take_sign(p, ']'))
            return NULL;
    }
    Node *n = named(p, NODE_CALL, (Text){"root", 4}), *inside = NULL;
    if (at_sign(p, '('))
        p->at++, inside = parse_bracket(p, '(');
    else
        inside = parse_argument(p);
    if (n == NULL || inside == NULL)
        return NULL;
    node_append(n, inside);
    if (degree != NULL)
        node_append(n, degree);
    return n;
}

static Node *parse_two(Parser *p, NodeKind kind, const char *name)
{
    Node *a = parse_argument(p), *b = a == NULL ? NULL : parse_argument(p);
    Node *n = b == NULL ? NULL : node_of(p, kind, a, b);
    if (n != NULL)
        n->name = (Text){name, strlen(name)};
    return n;
}

static bool skip_group(Parser *p)
{
    if (!at_sign(p, '{'))
        return true;
    return subscript_end(p) != NULL;
}

static bool take_name_group(Parser *p, Text *name) // {pmatrix}
{
    if (!take_sign(p, '{') || token(p)->kind != TOKEN_NAME)
        return false;
    *name = token(p)->span;
    p->at++;
    return take_sign(p, '}');
}

static const char *const matrices[] = {"pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "vmatrix", NULL};

static Node *parse_rows(Parser *p)
{
    Node *matrix = formula_node(p->f, NODE_MATRIX), *row = NULL;
    while (matrix != NULL && !at_command(p, "end")) {
        if (row == NULL) {
            row = formula_node(p->f, NODE_ROW);
            if (row == NULL)
                return NULL;
            node_append(matrix, row);
        }
        Node *cell = parse_sum(p);
        if (cell == NULL)
            return NULL;
        node_append(row, cell);
        if (token(p)->kind == TOKEN_BREAK)
            p->at++, row = NULL;
        else if (!take_sign(p, '&') && !at_command(p, "end"))
            return NULL;
    }
    return matrix;
}

static Node *parse_matrix(Parser *p)
{
    Text name, end;
    if (!take_name_group(p, &name) || !one_of(name, matrices))
        return NULL;
    if (text_is(name, "array") && !skip_group(p))
        return NULL;
    int bars = p->bars;
    p->bars = 0;
    Node *n = in_depth(p, parse_rows);
    p->bars = bars;
    if (n == NULL || !take_command(p, "end") || !take_name_group(p, &end) || !texts_equal(name, end))
        return NULL;
    if (!text_is(name, "vmatrix"))
        return n;
    Node *call = named(p, NODE_CALL, (Text){"det", 3});
    if (call != NULL)
        node_append(call, n);
    return call;
}

static bool starts_factor(const Parser *p, bool inside_function);

// sin x, sin(x), sin^2 x, log_2 8: without brackets, the product up to the next sign or function
static Node *parse_function(Parser *p, Text name)
{
    Node *n = named(p, NODE_CALL, name), *power = NULL, *base = NULL;
    if (n == NULL)
        return NULL;
    if (text_is(name, "log") && take_sign(p, '_') && (base = parse_argument(p)) == NULL)
        return NULL;
    if (take_sign(p, '^') && (power = parse_argument(p)) == NULL)
        return NULL;
    if (base == NULL && text_is(name, "log") && take_sign(p, '_') && (base = parse_argument(p)) == NULL)
        return NULL;
    Node *inside = NULL;
    if (at_sign(p, '(') || at_sign(p, '{') || at_sign(p, '[')) {
        char open = token(p)->sign;
        p->at++;
        inside = open == '{' ? parse_set(p, false) : parse_bracket(p, open);
    } else {
        if (!starts_factor(p, true))
            return NULL;
        inside = in_depth(p, parse_power);
        while (inside != NULL && starts_factor(p, true) && !at_sign(p, '('))
            inside = joined(p, NODE_MULTIPLY, inside, in_depth(p, parse_power));
    }
    if (inside == NULL)
        return NULL;
    node_append(n, inside);
    if (base != NULL)
        node_append(n, base);
    return power == NULL ? n : node_of(p, NODE_POWER, n, power);
}

static Node *parse_decorated(Parser *p, Text command)
{
    const char *end = NULL;
    if (at_sign(p, '{'))
        end = subscript_end(p);
    else if (token(p)->kind == TOKEN_NAME) {
        end = token(p)->span.data + token(p)->span.size;
        p->at++;
    }
    return end == NULL ? NULL : named(p, NODE_SYMBOL, (Text){command.data, (size_t)(end - command.data)});
}

static Node *parse_command(Parser *p)
{
    Text name = token(p)->span;
    p->at++;
    if (text_is(name, "frac"))
        return parse_two(p, NODE_DIVIDE, "");
    if (text_is(name, "binom") || text_is(name, "dbinom") || text_is(name, "tbinom"))
        return parse_two(p, NODE_CALL, "binomial");
    if (text_is(name, "sqrt"))
        return parse_root(p);
    if (text_is(name, "boxed") || text_is(name, "fbox"))
        return parse_argument(p);
    if (text_is(name, "begin"))
        return parse_matrix(p);
    if (text_is(name, "{"))
        return parse_set(p, true);
    if (text_is(name, "lfloor"))
        return parse_rounding(p, "floor", "rfloor");
    if (text_is(name, "lceil"))
        return parse_rounding(p, "ceil", "rceil");
    if (text_is(name, "circ"))
        return named(p, NODE_SYMBOL, name);
    if (one_of(name, functions))
        return parse_function(p, name);
    if (one_of(name, greek))
        return named(p, NODE_SYMBOL, name);
    return one_of(name, decorations) ? parse_decorated(p, name) : NULL;
}

// ---- names without a backslash: functions, letters, words

static const char *const units[] = {"cm", "km", "mm", "dm", "ft", "in", "mi", "yd", "kg", "mg", "sec", "min", "hr", NULL};

// ab^2 is a b^2, and cm^2 is not c m^2
static Node *parse_letters(Parser *p, Text name)
{
    Node *product = formula_node(p->f, NODE_MULTIPLY);
    for (size_t i = 0; product != NULL && i < name.size; i++) {
        Node *letter = named(p, NODE_SYMBOL, (Text){name.data + i, 1});
        if (letter == NULL)
            return NULL;
        if (i + 1 == name.size && take_sign(p, '^')) {
            Node *exponent = in_depth(p, parse_exponent);
            letter = exponent == NULL ? NULL : node_of(p, NODE_POWER, letter, exponent);
        }
        if (letter == NULL)
            return NULL;
        node_append(product, letter);
    }
    return product;
}

static Node *parse_name(Parser *p)
{
    Text name = token(p)->span;
    p->at++;
    if (name.size > 1 && name.size <= 3 && at_sign(p, '^') && !one_of(name, units) && !one_of(name, functions) &&
        !one_of(name, plain_names))
        return parse_letters(p, name);
    bool called = at_sign(p, '(') || at_sign(p, '^') || token(p)->kind == TOKEN_NUMBER || token(p)->kind == TOKEN_NAME;
    if (one_of(name, functions) && called)
        return parse_function(p, name);
    if (text_is(name, "sqrt"))
        return parse_root(p);
    if (text_is(name, "frac") && at_sign(p, '{'))
        return parse_two(p, NODE_DIVIDE, "");
    if (name.size == 1 || one_of(name, plain_names))
        return named(p, NODE_SYMBOL, name);
    return named(p, NODE_WORD, name);
}

static Node *parse_primary(Parser *p)
{
    const Token *t = token(p);
    switch (t->kind) {
    case TOKEN_NUMBER:
        p->at++;
        return named(p, NODE_NUMBER, t->span);
    case TOKEN_TEXT:
        p->at++;
        return named(p, NODE_WORD, t->span);
    case TOKEN_NAME:
        return parse_name(p);
    case TOKEN_COMMAND:
        return parse_command(p);
    case TOKEN_SIGN:
        break;
    default:
        return NULL;
    }
    if (take_sign(p, '(') || take_sign(p, '['))
        return parse_bracket(p, t->sign);
    if (take_sign(p, '{'))
        return parse_set(p, false);
    return take_sign(p, '|') ? parse_absolute(p) : NULL;
}

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

static Node *parse_exponent(Parser *p)
{
    if (take_sign(p, '-'))
        return node_of(p, NODE_NEGATE, in_depth(p, parse_exponent), NULL);
    if (take_sign(p, '('))
        return parse_bracket(p, '(');
    return parse_argument(p);
}

static Node *parse_power(Parser *p)
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

static bool starts_factor(const Parser *p, bool inside_function)
{
    const Token *t = token(p);
    if (at_separator(p))
        return false;
    switch (t->kind) {
    case TOKEN_NUMBER:
        return true;
    case TOKEN_NAME:
        return !(inside_function && one_of(t->span, functions));
    case TOKEN_TEXT:
        return !inside_function;
    case TOKEN_SIGN:
        return t->sign == '(' || t->sign == '[' || t->sign == '{' || (t->sign == '|' && p->bars == 0);
    case TOKEN_COMMAND:
        if (one_of(t->span, functions))
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
    EACH_CHILD(c, sum)
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

static Node *parse_sum(Parser *p)
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
static Node *parse_list(Parser *p)
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
    EACH_CHILD(c, list)
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
