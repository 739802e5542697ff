// The smallest parts of a formula: numbers, letters and words, brackets and sets, functions, roots, matrices; what a command stands for.
#include "answers/parser.h"
#include <ctype.h>
#include <string.h>

// ---- what a name is

static const char *const functions[] = {"sin",    "cos",  "tan",  "cot",  "sec",   "csc",  "arcsin", "arccos",
                                        "arctan", "asin", "acos", "atan", "sinh",  "cosh", "tanh",   "ln",
                                        "log",    "lg",   "exp",  "abs",  "floor", "ceil", "det",    NULL};
bool is_function(Text name) { return one_of(name, functions); }

static const char *const greek[] = {
    "alpha", "beta",   "gamma", "delta", "epsilon",  "varepsilon", "zeta",   "eta",   "theta", "vartheta", "iota",
    "kappa", "lambda", "mu",    "nu",    "xi",       "pi",         "rho",    "sigma", "tau",   "phi",      "varphi",
    "chi",   "psi",    "omega", "Gamma", "Delta",    "Theta",      "Lambda", "Xi",    "Pi",    "Sigma",    "Phi",
    "Psi",   "Omega",  "ell",   "infty", "emptyset", "varnothing", "hbar",   "Re",    "Im",    "mathbb",   NULL};
static const char *const decorations[] = {"overline",  "vec",   "overrightarrow", "hat",        "bar",     "tilde", "widehat",
                                          "underline", "angle", "triangle",       "boldsymbol", "mathcal", NULL};
static const char *const plain_names[] = {"pi", "infinity", "theta", "alpha", "beta", "lambda", NULL};

// ---- the smallest parts

// {...}, or one token
Node *parse_argument(Parser *p)
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

bool take_subscript(Parser *p, Node *n)
{
    if (n->kind == NODE_SYMBOL || n->kind == NODE_WORD || n->kind == NODE_NUMBER)
        while (at_sign(p, '_') || (at_sign(p, '\'') && n->kind == NODE_SYMBOL)) {
            bool prime = take_sign(p, '\'');
            const char *end = n->name.data + n->name.size + prime, *begin = end;
            if (!prime) {
                p->at++;
                begin = token(p)->span.data;
                end = subscript_end(p);
            }
            if (end == NULL)
                return false;
            if (n->kind == NODE_NUMBER)
                n->base = (Text){begin, (size_t)(end - begin)};
            else
                n->name.size = (size_t)(end - n->name.data);
        }
    return true;
}

Node *parse_bracket(Parser *p, char open)
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

Node *parse_primary(Parser *p)
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
