// Inside answers/: an answer as a tree. lexer.c makes tokens from its text, the parser (parser.h) a tree from them,
// value.h numbers; compare.h compares.
#ifndef ANSWERS_FORMULA_FORMULA_H
#define ANSWERS_FORMULA_FORMULA_H

#include "base/text.h"
#include "base/base.h"
#include "base/verdict.h"
#include <stdint.h>

enum { TOKENS_MOST = 1024, NODES_MOST = 1024, DEPTH_MOST = 48, FORMULA_BYTES = 8192 };

typedef enum LexKind {
    LEX_END,
    LEX_NUMBER,  // digits, at most one point, perhaps an exponent
    LEX_NAME,    // letters
    LEX_COMMAND, // \letters, without the backslash
    LEX_TEXT,    // the content of \text{...} and the like
    LEX_SIGN,    // one character
    LEX_BREAK,   // a new row: \\ or the end of a line
} LexKind;

typedef struct Token {
    LexKind kind;
    Text span;
    char sign;
    bool spaced; // a space comes before it
} Token;

typedef enum NodeKind {
    NODE_NUMBER, // name: its digits
    NODE_SYMBOL, // name: a letter, a Greek letter, "infinity", a vector; with its subscript and primes
    NODE_WORD,   // name: letters that are no symbol, or a \text
    NODE_ADD,    // of two or more
    NODE_NEGATE,
    NODE_PLUS_MINUS, // of one or two
    NODE_MULTIPLY,   // of two or more
    NODE_DIVIDE,
    NODE_POWER,
    NODE_CALL, // name: the function; its arguments
    NODE_FACTORIAL,
    NODE_PERCENT,
    NODE_DEGREE,
    NODE_RELATION, // relation; left and right
    NODE_BRACKET,  // open, close: ( [ ; two or more
    NODE_SET,      // of any number
    NODE_LIST,     // of any number, without brackets
    NODE_UNION,
    NODE_DIFFERENCE, // of two sets
    NODE_SUCH_THAT,  // the variable, and its condition: \{x \mid x > 2\}
    NODE_MATRIX,     // rows
    NODE_ROW,
    NODE_QUANTITY, // a value without symbols; name: its unit (units.h)
    NODE_APPLY,    // name: of an unknown function; its arguments
} NodeKind;

typedef enum Relation { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, ABOUT, IN, RATIO, ARROW } Relation;

typedef struct Node {
    NodeKind kind;
    Relation relation;
    char open, close;
    Text name;
    Text base; // of a number: its subscript, size 0 for none
    int count; // children
    struct Node *first, *last, *next;
} Node;

typedef struct Formula {
    bool no_units;            // set by the caller: letters after a number are symbols, "5 m" is 5 · m
    bool no_spaced_thousands; // set by the caller: "5 120 300" is three numbers
    bool ambiguous_units;     // result: units that may be symbols
    bool spaced_thousands;    // result
    char text[FORMULA_BYTES]; // the answer, spelled in ASCII
    size_t size;
    Token tokens[TOKENS_MOST];
    int token_count;
    Node nodes[NODES_MOST];
    int node_count;
    Node *root; // NULL: not understood
} Formula;

bool dollars_delimit(Text text);               // whether $ encloses formulas; otherwise it marks amounts of money
bool formula_spell(Formula *f, Text answer);   // spelling.c: text and size; false: too long, or not text
bool formula_lex(Formula *f, Text answer);     // and tokens; false: too many
bool formula_parse(Formula *f);                // root, or false
Node *formula_node(Formula *f, NodeKind kind); // NULL: there are too many
void node_append(Node *parent, Node *child);

// A copied node may end before its last sibling: iterate over children from first to last.
#define EACH_CHILD(c, n) for (const Node *c = (n)->first; c != NULL; c = c == (n)->last ? NULL : c->next)

#endif
