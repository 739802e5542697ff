// Inside units: words, powers and operators of a text, in any notation.
#ifndef ANSWERS_UNITS_UNITS_LEXER_H
#define ANSWERS_UNITS_UNITS_LEXER_H

#include "base/base.h"

enum { UNIT_TOKENS_MOST = 48, UNIT_LETTERS_MOST = 320 };

typedef enum UnitTokenKind {
    TOKEN_WORD,
    TOKEN_POWER,
    TOKEN_ONE, // the 1 of 1/s
    TOKEN_TIMES,
    TOKEN_DIVIDE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    LEX_END
} UnitTokenKind;

typedef struct UnitToken {
    UnitTokenKind kind;
    const char *text; // of a word; ended by 0
    int exponent;     // of a power
    bool bare;        // a power without ^
    bool fraction;    // a bracket that \frac opens
    bool hyphen;      // a word joined by a hyphen to the word before
} UnitToken;

typedef struct UnitTokens {
    UnitToken tokens[UNIT_TOKENS_MOST + 1]; // the last is LEX_END
    int count;
    char letters[UNIT_LETTERS_MOST]; // of all words: must not move
    int letters_used;
} UnitTokens;

bool unit_tokens(UnitTokens *tokens, Text text); // false: it contains something that no unit has

#endif
