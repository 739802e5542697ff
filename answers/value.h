// Inside answers/: numbers of formulas. Exact rationals (GMP) where there are only such; otherwise complex numbers of 192 bits (MPC), at
// points that stand for the symbols. Work is counted: an evaluation that would take too long ends, and its value is not known.
#ifndef ANSWERS_VALUE_H
#define ANSWERS_VALUE_H

#include "answers/formula.h"
#include <gmp.h>
#include <mpc.h>

enum { VALUE_BITS = 192, AGREE_BITS = 128, POINTS = 4, STEPS_MOST = 40000 };

// What all evaluations of one verdict may cost together: a step is at most a microsecond.
typedef struct Budget {
    int64_t steps;
} Budget;

bool evaluate_exact(Budget *b, const Node *n, mpq_t value); // false: not a rational number, or not within limits
// point: 0 .. POINTS - 1 have positive numbers for symbols, POINTS .. 2 POINTS - 1 of both signs. False: not a finite number, not known.
bool evaluate_at(Budget *b, const Node *n, int point, mpc_t value);
bool values_agree(const mpc_t a, const mpc_t b); // to AGREE_BITS of the larger

bool has_symbols(const Node *n); // others than the constants e, i and pi
bool needs_signs(const Node *n); // absolute values and the like, which positive points do not tell apart
bool number_read(mpq_t value, Text digits);

#endif
