// Inside answers/: shared by the parser's files. parser.c has the grammar from the outside in, parser_primary.c its
// smallest parts, parser_nodes.c tokens and nodes. A NULL node ends the parse.
#ifndef ANSWERS_FORMULA_PARSER_H
#define ANSWERS_FORMULA_PARSER_H

#include "answers/formula/formula.h"

typedef struct Parser {
    Formula *f;
    int at, depth;
    int bars; // |...| that are open: the next | closes
} Parser;

// ---- parser_nodes.c

static inline const Token *token(const Parser *p) { return &p->f->tokens[p->at]; }
static inline const Token *token_after(const Parser *p)
{
    return &p->f->tokens[token(p)->kind == LEX_END ? p->at : p->at + 1];
}
static inline bool at_sign(const Parser *p, char sign) { return token(p)->sign == sign; }
bool at_command(const Parser *p, const char *name);
bool take_sign(Parser *p, char sign);
bool take_command(Parser *p, const char *name);
bool take_name(Parser *p, const char *name);
bool one_of(Text s, const char *const *names);

Node *named(Parser *p, NodeKind kind, Text name);
Node *node_of(Parser *p, NodeKind kind, Node *a, Node *b); // b NULL: one child
Node *joined(Parser *p, NodeKind kind, Node *a, Node *b);  // appends b to a of that kind without brackets
Node *in_depth(Parser *p, Node *(*part)(Parser *));        // one level deeper, within the limit

// ---- parser_primary.c

bool is_function(Text name);
Node *parse_primary(Parser *p);
Node *parse_argument(Parser *p);           // {...}, or one token
Node *parse_bracket(Parser *p, char open); // after the opening bracket
bool take_subscript(Parser *p, Node *n);
Node *parse_application(Parser *p, Node *name); // f(x), where f is a function; name itself otherwise

// ---- parser_quantity.c

bool at_unit(const Parser *p, const Node *value); // whether a unit begins here, and value may have one
Node *parse_quantity(Parser *p, Node *value);     // with it
Node *parse_currency(Parser *p, Text unit);       // after its sign
bool take_scale(Parser *p, int *exponent);        // million

// ---- parser.c

Node *parse_list(Parser *p);
Node *parse_sum(Parser *p);
Node *parse_power(Parser *p);
Node *parse_exponent(Parser *p);
bool starts_factor(const Parser *p, bool inside_function);

#endif
