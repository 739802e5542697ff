// Inside answers/: numbers of formulas. Exact rationals (GMP) where all parts are rational; otherwise complex numbers
// of 192 bits (MPC), at points that replace the symbols. Work is counted: an evaluation that would take too long stops,
// and its value is unknown.
#ifndef ANSWERS_FORMULA_VALUE_H
#define ANSWERS_FORMULA_VALUE_H

#include "answers/formula/formula.h"
#include <gmp.h>
#include <mpc.h>

enum { VALUE_BITS = 192, AGREE_BITS = 128, POINTS = 4, WHOLE_POINT = 2 * POINTS, STEPS_MOST = 40000 };

// In one of the trees a letter replaces another: the C of an integral written c, f(x) written g(t).
typedef struct Alias {
    Text from, to; // sizes 0: none
    const Node *tree;
} Alias;

// The limit for all evaluations of one verdict together: a step takes at most a microsecond.
typedef struct Budget {
    int64_t steps;
    bool common_logarithm; // "log" without a base is to base 10, not e
    bool met_logarithm;    // there was one
    long magnitude;        // binary exponent of the largest term or argument so far: cancellation leaves its noise
    Alias alias;
    bool aliased; // while the alias's tree is evaluated
} Budget;

enum { NO_MAGNITUDE = -(1 << 30), FACTORIAL_MOST = 3000 };

static inline bool spend(Budget *b, int64_t steps)
{
    b->steps -= steps;
    return b->steps >= 0;
}

// For a call: gcd, lcm, max, min, of any number of arguments
static inline bool is_fold(Text name)
{
    return text_is(name, "gcd") || text_is(name, "lcm") || text_is(name, "max") || text_is(name, "min");
}

bool evaluate_exact(Budget *b, const Node *n, mpq_t value); // false: not a rational number, or not within limits
// point: 0 .. POINTS - 1 give symbols positive values, POINTS .. 2 POINTS - 1 both signs. False: not a finite number,
// unknown.
bool evaluate_at(Budget *b, const Node *n, int point, mpc_t value);
bool values_agree(const Budget *b, const mpc_t x, const mpc_t y); // to AGREE_BITS of the larger, or of their terms

bool has_symbols(const Node *n);      // symbols other than e, i and pi
bool is_vector(const Node *n);        // \vec{a}, \hat{H}, \mathbf{B}
bool has_applications(const Node *n); // of unknown functions
bool needs_signs(const Node *n);      // absolute values and the like, which positive points do not distinguish
bool needs_wholes(
    const Node *n); // roundings, inverses, (-1)^n: equalities may hold for whole numbers only, or never for them
bool number_read(mpq_t value, Text digits);             // also 0.1\overline{6} and 0b101
Text plain_name(char *out, size_t capacity, Text name); // of a symbol: without braces, _ and font commands

#endif
