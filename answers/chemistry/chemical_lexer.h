// Inside chemical: symbols, numbers, charges and joints of a text, in any notation.
#ifndef ANSWERS_CHEMISTRY_CHEMICAL_LEXER_H
#define ANSWERS_CHEMISTRY_CHEMICAL_LEXER_H

#include "base/base.h"

enum { CHEMICAL_TOKENS_MOST = 128, CHEMICAL_NUMBER_MOST = 999 };

// Elements are their atomic numbers; besides there are
enum { ELECTRON = 0, DEUTERIUM = 119, TRITIUM = 120, NEUTRON = 121, ELEMENT_COUNT };
extern const char *const ELEMENTS[ELEMENT_COUNT]; // their symbols

typedef enum ChemicalTokenKind {
    TOKEN_ELEMENT,
    LEX_NUMBER,
    TOKEN_CHARGE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_DOT,
    LEX_SIGN,
    TOKEN_SLASH,
    TOKEN_BOND,
    TOKEN_EQUALS,
    TOKEN_ARROW,
    TOKEN_STATE,
    TOKEN_SPACE,
    LEX_END
} ChemicalTokenKind;

typedef struct ChemicalToken {
    ChemicalTokenKind kind;
    int value; // of an element, a number, a charge, a sign (1, -1), a state or a bond (its letter)
    char
        // of a number: '_', '^', or 0 where none is given; of a charge: '-' where its sign comes first, as that of an
        // inverse
        mark;
} ChemicalToken;

typedef struct ChemicalTokens {
    ChemicalToken tokens[CHEMICAL_TOKENS_MOST + 1]; // the last is LEX_END
    int count;
    bool declared; // \ce
} ChemicalTokens;

bool chemical_tokens(ChemicalTokens *tokens, Text text); // false: it contains something that no formula has

#endif
