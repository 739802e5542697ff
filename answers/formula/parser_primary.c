// The smallest parts of a formula: numbers, letters and words, brackets and sets, functions, roots, matrices; and the
// meaning of commands.
#include "answers/formula/parser.h"
#include "answers/formula/value.h"
#include <ctype.h>
#include <string.h>

// ---- what a name is

static const char *const functions[] = {
    "sin",  "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "ln",  "log", "lg",  "exp", "abs", "floor",  "ceil",   "det",    "gcd",  "lcm",  "max",  "min",  NULL};
bool is_function(Text name) { return one_of(name, functions); }

static const char *const greek[] = {
    "alpha", "beta",   "gamma", "delta", "epsilon",  "varepsilon", "zeta",   "eta",   "theta", "vartheta", "iota",
    "kappa", "lambda", "mu",    "nu",    "xi",       "pi",         "rho",    "sigma", "tau",   "phi",      "varphi",
    "chi",   "psi",    "omega", "Gamma", "Delta",    "Theta",      "Lambda", "Xi",    "Pi",    "Sigma",    "Phi",
    "Psi",   "Omega",  "ell",   "infty", "emptyset", "hbar",       "Re",     "Im",    NULL};
static const char *const decorations[] = {"overline", "vec",    "overrightarrow", "hat",     "bar",    "tilde",
                                          "widehat",  "angle",  "triangle",       "mathcal", "mathbb", "ddot",
                                          "dot",      "mathbf", "boldsymbol",     "bm",      NULL};
static const char *const plain_names[] = {"pi", "theta", "alpha", "beta", "gamma", "lambda", "sigma", "omega", NULL};

static const char *const currencies[] = {"$", "\u20ac", "\u00a3", "\u00a5", NULL};

// ---- the smallest parts

// {...}, or one token
Node *parse_argument(Parser *p)
{
    if (take_sign(p, '{')) {
        Node *n = in_depth(p, parse_list);
        return take_sign(p, '}') ? n : NULL;
    }
    const Token *t = token(p);
    if (t->kind == LEX_NUMBER || (t->kind == LEX_NAME && t->span.size == 1)) {
        p->at++;
        return named(p, t->kind == LEX_NUMBER ? NODE_NUMBER : NODE_SYMBOL, t->span);
    }
    return t->kind == LEX_COMMAND || t->kind == LEX_TEXT ? in_depth(p, parse_power) : NULL;
}

// A subscript, as part of the name before it: its end in the text, NULL if it does not end
static const char *subscript_end(Parser *p)
{
    int braces = 0;
    do {
        const Token *t = token(p);
        if (t->kind == LEX_END)
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

// Up to three letters that belong together: f, s_x, P
static bool names_function(const Node *n)
{
    return n->kind == NODE_SYMBOL && n->name.size > 0 && strchr("fghFGHP", *n->name.data) != NULL;
}

// f(x) and f(2, x), for an unknown function; also s(0) and v(t), since such products are written without brackets.
Node *parse_application(Parser *p, Node *name)
{
    const Token *t = token(p);
    bool number = (t[1].kind == LEX_NUMBER || (t[1].kind == LEX_NAME && t[1].span.size == 1)) && t[2].sign == ')';
    if (name->kind == NODE_SYMBOL && t->sign == '[' && !t->spaced)
        return NULL; // a[0]
    if (name->kind != NODE_SYMBOL || t->sign != '(' || t->spaced || (!number && !names_function(name)))
        return name;
    int at = p->at, nodes = p->f->node_count;
    p->at++;
    Node *inside = parse_bracket(p, '(');
    if (inside == NULL) { // an event, or a condition
        p->at = at;
        p->f->node_count = nodes;
        return NULL;
    }
    Node *n = node_of(p, NODE_APPLY, inside, NULL);
    if (n != NULL)
        n->name = name->name;
    return n;
}

// C(10, 3) is a number of choices
static Node *parse_choices(Parser *p, Text name)
{
    const Token *t = token(p);
    bool called = (text_is(name, "C") || text_is(name, "P") || text_is(name, "nCr") || text_is(name, "nPr")) &&
                  t->sign == '(' && !t->spaced && t[1].kind == LEX_NUMBER && t[2].sign == ',' &&
                  t[3].kind == LEX_NUMBER && t[4].sign == ')';
    if (!called)
        return NULL;
    bool ordered = memchr(name.data, 'P', name.size) != NULL;
    Node *n = named(p, NODE_CALL, ordered ? (Text){"permutations", 12} : (Text){"binomial", 8});
    Node *a = named(p, NODE_NUMBER, t[1].span), *b = named(p, NODE_NUMBER, t[3].span);
    p->at += 5;
    if (n == NULL || a == NULL || b == NULL)
        return NULL;
    node_append(n, a);
    node_append(n, b);
    return n;
}

// {}_{10}C_3 and ^{10}C_3, at the sign before the first number
static Node *parse_written_choices(Parser *p)
{
    bool below = at_sign(p, '_');
    p->at++;
    Node *a = parse_argument(p), *b = NULL;
    bool ordered = below && text_is(token(p)->span, "P"); // ^3P_2 is an atomic state
    if (a == NULL || !(take_name(p, "C") || (ordered && take_name(p, "P"))) || !take_sign(p, '_') ||
        (b = parse_argument(p)) == NULL)
        return NULL;
    Node *n = node_of(p, NODE_CALL, a, b);
    if (n != NULL)
        n->name = ordered ? (Text){"permutations", 12} : (Text){"binomial", 8};
    return n;
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

// \{x \mid x > 2\}, \{x : 2 \le x < 5\}, \{x \in \mathbb{R} | ...\}: where its condition begins, 0 if there is none
static int condition_at(const Parser *p)
{
    const Token *t = token(p);
    if (t->kind != LEX_NAME || t->span.size != 1)
        return 0;
    int n = 1;
    if (t[n].kind == LEX_COMMAND && text_is(t[n].span, "in") && t[n + 1].kind == LEX_COMMAND &&
        text_is(t[n + 1].span, "mathbb") && t[n + 2].sign == '{')
        n += 5;
    bool bar = t[n].sign == ':' || t[n].sign == '|' || (t[n].kind == LEX_COMMAND && text_is(t[n].span, "mid"));
    return bar ? n + 1 : 0;
}

static Node *parse_such_that(Parser *p)
{
    int condition = condition_at(p);
    Node *unknown = named(p, NODE_SYMBOL, token(p)->span);
    p->at += condition;
    Node *holds = unknown == NULL ? NULL : in_depth(p, parse_list);
    return holds == NULL || !take_command(p, "}") ? NULL : node_of(p, NODE_SUCH_THAT, unknown, holds);
}

static Node *parse_set(Parser *p, bool escaped)
{
    if (escaped && condition_at(p) > 0)
        return parse_such_that(p);
    Node *n = formula_node(p->f, NODE_SET), *inside = NULL;
    bool empty = escaped ? at_command(p, "}") : at_sign(p, '}');
    if (n == NULL || (!empty && (inside = in_depth(p, parse_list)) == NULL))
        return NULL;
    if (!(escaped ? take_command(p, "}") : take_sign(p, '}')))
        return NULL;
    if (!escaped && inside == NULL) // {}_{10}C_3
        return at_sign(p, '_') || at_sign(p, '^') ? parse_written_choices(p) : NULL;
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
    if (!take_sign(p, '{') || token(p)->kind != LEX_NAME)
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
        if (token(p)->kind == LEX_BREAK)
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
static bool is_minus_one(const Node *n)
{
    return n->kind == NODE_NEGATE && n->first->kind == NODE_NUMBER && text_is(n->first->name, "1");
}

static Text inverse_of(Text name)
{
    static const char *const inverses[][2] = {{"sin", "arcsin"},   {"cos", "arccos"},   {"tan", "arctan"},
                                              {"sinh", "arcsinh"}, {"cosh", "arccosh"}, {"tanh", "arctanh"}};
    for (size_t i = 0; i < sizeof inverses / sizeof *inverses; i++)
        if (text_is(name, inverses[i][0]))
            return (Text){inverses[i][1], strlen(inverses[i][1])};
    return (Text){NULL, 0};
}

// gcd(12, 18): the bracket holds its arguments
static void spread_arguments(Node *n)
{
    Node *list = n->first;
    if (list->kind != NODE_BRACKET || list->open == 0)
        return;
    n->first = list->first, n->last = list->last, n->count = list->count;
}

// sin 2\pi × 2000 t: the argument of the sine is ambiguous
static bool times_follows(const Parser *p, const Node *inside)
{
    bool times = at_sign(p, '*') || at_command(p, "times") || at_command(p, "cdot");
    return times && inside->close == 0 && token_after(p)->kind == LEX_NUMBER && !has_symbols(inside);
}

static Node *parse_function(Parser *p, Text name)
{
    Node *n = named(p, NODE_CALL, name), *power = NULL, *base = NULL;
    if (n == NULL)
        return NULL;
    if (text_is(name, "log") && take_sign(p, '_') && (base = parse_argument(p)) == NULL)
        return NULL;
    if (take_sign(p, '^') && (power = parse_exponent(p)) == NULL)
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
    if (inside == NULL || times_follows(p, inside))
        return NULL;
    node_append(n, inside);
    spread_arguments(n);
    if (base != NULL)
        node_append(n, base);
    if (power != NULL && is_minus_one(power)) {
        n->name = inverse_of(name);
        return n->name.size > 0 ? n : NULL;
    }
    return power == NULL ? n : node_of(p, NODE_POWER, n, power);
}

static Node *parse_decorated(Parser *p, Text command)
{
    const char *end = NULL;
    if (at_sign(p, '{'))
        end = subscript_end(p);
    else if (token(p)->kind == LEX_NAME) {
        end = token(p)->span.data + token(p)->span.size;
        p->at++;
    }
    return end == NULL ? NULL : named(p, NODE_SYMBOL, (Text){command.data, (size_t)(end - command.data)});
}

static Node *parse_vector(Parser *p) // \langle 1, 2 \rangle
{
    Node *n = in_depth(p, parse_list);
    if (n == NULL || n->kind != NODE_LIST || n->close != 0 || !take_command(p, "rangle"))
        return NULL;
    n->kind = NODE_BRACKET;
    n->open = '(', n->close = ')';
    return n;
}

// Commands with a meaning that is not supported; any other is a user's own name.
static const char *const structural[] = {"int",         "iint",
                                         "iiint",       "oint",
                                         "sum",         "prod",
                                         "lim",         "limsup",
                                         "liminf",      "forall",
                                         "exists",      "nexists",
                                         "partial",     "nabla",
                                         "land",        "lor",
                                         "neg",         "not",
                                         "cap",         "bigcup",
                                         "bigcap",      "subset",
                                         "subseteq",    "supset",
                                         "supseteq",    "perp",
                                         "parallel",    "oplus",
                                         "otimes",      "begin",
                                         "end",         "pmod",
                                         "bmod",        "mod",
                                         "stackrel",    "overset",
                                         "underset",    "underbrace",
                                         "overbrace",   "substack",
                                         "xrightarrow", "leftrightarrow",
                                         "leftarrow",   "rightleftharpoons",
                                         "dots",        "ldots",
                                         "cdots",       "vdots",
                                         "ddots",       "colon",
                                         "bullet",      "circ",
                                         "star",        "left",
                                         "right",       "middle",
                                         "over",        "choose",
                                         "atop",        "operatorname",
                                         "nolimits",    "hat",
                                         "bar",         "quad",
                                         "ll",          "gg",
                                         "propto",      "equiv",
                                         "sim",         "cong",
                                         "notin",       "implies",
                                         "iff",         "mid",
                                         "setminus",    "cdot",
                                         "times",       "div",
                                         "pm",          "mp",
                                         "prime",       "AA",
                                         "diamond",     "models",
                                         "vdash",       "therefore",
                                         "because",     "complement",
                                         NULL};

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
    if (text_is(name, "langle"))
        return parse_vector(p);
    if (one_of(name, currencies))
        return parse_currency(p, name);
    if (one_of(name, functions))
        return parse_function(p, name);
    if (one_of(name, greek))
        return named(p, NODE_SYMBOL, name);
    if (one_of(name, decorations))
        return parse_decorated(p, name);
    return one_of(name, structural) || name.size < 2 ? NULL : named(p, NODE_SYMBOL, name);
}

// ---- names without a backslash: functions, letters, words

// ab^2 is a b^2
static Node *parse_letters(Parser *p, Text name)
{
    Node *product = formula_node(p->f, NODE_MULTIPLY);
    for (size_t i = 0; product != NULL && i < name.size; i++) {
        Node *letter = named(p, NODE_SYMBOL, (Text){name.data + i, 1});
        if (letter == NULL)
            return NULL;
        if (i + 1 == name.size && !take_subscript(p, letter))
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

static bool is_ascii(Text s)
{
    for (size_t i = 0; i < s.size; i++)
        if ((unsigned char)s.data[i] >= 0x80)
            return false;
    return true;
}

// log2(3), log10(5)
static Node *parse_based_logarithm(Parser *p)
{
    Node *base = named(p, NODE_NUMBER, token(p)->span), *n = named(p, NODE_CALL, (Text){"log", 3});
    p->at += 2;
    Node *inside = parse_bracket(p, '(');
    if (base == NULL || n == NULL || inside == NULL)
        return NULL;
    node_append(n, inside);
    node_append(n, base);
    return n;
}

static Node *parse_cube_root(Parser *p)
{
    Node *n = take_sign(p, '(') ? named(p, NODE_CALL, (Text){"root", 4}) : NULL,
         *inside = n == NULL ? NULL : parse_bracket(p, '(');
    Node *three = named(p, NODE_NUMBER, (Text){"3", 1});
    if (inside == NULL || three == NULL)
        return NULL;
    node_append(n, inside);
    node_append(n, three);
    return n;
}

static Node *parse_name(Parser *p)
{
    Text name = token(p)->span;
    p->at++;
    static const char *const prose[] = {"of",  "to",  "by", "the",  "are", "is", "at", "from", "with",
                                        "for", "not", "no", "than", "as",  "on", "if", NULL};
    if (one_of(name, prose) && !at_sign(p, '^') && !at_sign(p, '_')) // by^5 is a product
        return NULL;
    if (one_of(name, currencies))
        return parse_currency(p, name);
    Node *choices = parse_choices(p, name);
    if (choices != NULL)
        return choices;
    const Token *next = token(p);
    if (text_is(name, "cbrt"))
        return parse_cube_root(p);
    if (text_is(name, "log") && next->kind == LEX_NUMBER && !next->spaced && next[1].sign == '(')
        return parse_based_logarithm(p);
    if (next->kind == LEX_NUMBER && !next->spaced && !one_of(name, functions)) { // x1 is x_1; H2 is chemistry
        const Token *after = next + 1;
        bool code = (after->kind == LEX_NAME || after->kind == LEX_NUMBER) && !after->spaced; // 9j6kn
        bool index = name.size == 1 && !code && memchr(next->span.data, '.', next->span.size) == NULL;
        p->at += index;
        return index ? named(p, NODE_SYMBOL, (Text){name.data, name.size + next->span.size}) : NULL;
    }
    if (name.size > 1 && name.size <= 3 && is_ascii(name) && (at_sign(p, '^') || at_sign(p, '_')) &&
        !one_of(name, functions) && !one_of(name, plain_names) && !(at_sign(p, '_') && name.size == 3))
        return parse_letters(p, name);
    bool called = at_sign(p, '(') || at_sign(p, '^') || token(p)->kind == LEX_NUMBER || token(p)->kind == LEX_NAME ||
                  token(p)->kind == LEX_COMMAND || at_sign(p, '|') || at_sign(p, '_');
    if (one_of(name, functions) && called)
        return parse_function(p, name);
    if (text_is(name, "sqrt"))
        return parse_root(p);
    if (text_is(name, "frac") && at_sign(p, '{'))
        return parse_two(p, NODE_DIVIDE, "");
    if (text_is(name, "inf") || text_is(name, "infinity") || text_is(name, "Infinity"))
        return named(p, NODE_SYMBOL, (Text){"infty", 5});
    if (name.size == 1 || one_of(name, plain_names))
        return named(p, NODE_SYMBOL, name);
    return named(p, NODE_WORD, name);
}

static Node *parse_number(Parser *p) // with its scale word: 5 million
{
    Text digits_of = token(p)->span;
    bool binary =
        digits_of.size > 2 && digits_of.data[0] == '0' && (digits_of.data[1] == 'b' || digits_of.data[1] == 'o');
    Node *n = named(p, NODE_NUMBER, binary ? (Text){digits_of.data + 2, digits_of.size - 2} : digits_of);
    if (n != NULL && binary)
        n->base = (Text){digits_of.data[1] == 'b' ? "2" : "8", 1};
    static const char *const tens[] = {"100", "1000", "1000000", "1000000000", "1000000000000"};
    int exponent;
    p->at++;
    if (n == NULL || !take_scale(p, &exponent))
        return n;
    const char *digits = tens[exponent == 2 ? 0 : exponent / 3];
    Node *scale = named(p, NODE_NUMBER, (Text){digits, strlen(digits)}),
         *product = scale == NULL ? NULL : node_of(p, NODE_MULTIPLY, n, scale);
    if (product != NULL)
        product->close = ')';
    return product;
}

Node *parse_primary(Parser *p)
{
    const Token *t = token(p);
    switch (t->kind) {
    case LEX_NUMBER:
        return parse_number(p);
    case LEX_TEXT:
        if (one_of(t->span, functions) && t[1].sign == '(') {
            p->at++;
            return parse_function(p, t->span);
        }
        p->at++;
        return named(p, NODE_WORD, t->span);
    case LEX_NAME:
        return parse_name(p);
    case LEX_COMMAND:
        return parse_command(p);
    case LEX_SIGN:
        break;
    default:
        return NULL;
    }
    if (at_sign(p, '_') || at_sign(p, '^'))
        return parse_written_choices(p);
    if (take_sign(p, '(') || take_sign(p, '['))
        return parse_bracket(p, t->sign);
    if (take_sign(p, '{'))
        return parse_set(p, false);
    return take_sign(p, '|') ? parse_absolute(p) : NULL;
}
