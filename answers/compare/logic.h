// Inside answers/: formulas of logic and of the algebra of sets, whose letters are statements or sets: (G \lor H)
// \supset \neg I, A \cap (B \cup C)'. Two are equal when they have the same signs, in any of their notations, or the
// same truth table; with quantifiers only the signs are compared.
#ifndef ANSWERS_COMPARE_LOGIC_H
#define ANSWERS_COMPARE_LOGIC_H

#include "base/base.h"
#include "base/verdict.h"

enum { LOGIC_SIGNS = 256 };

typedef struct Logic {
    char signs[LOGIC_SIGNS +
               1]; // letters as they are, brackets round; & | ! > = - # @ for and, or, not, if, iff, without, all, some
    int count;
} Logic;

// spelled: in ASCII (spelling.c). False: it has no sign of logic, or signs of other kinds.
bool logic_read(Logic *logic, Text spelled);
Verdict logic_compare(const Logic *a, const Logic *b);

#endif
