// Inside answers/: comparing two trees, gold's and the prediction's. What does not agree is different; what no rule
// covers, or exceeds the limits or the budget, is unknown. *rule: the rule that decided, in a few words (verify.h).
#ifndef ANSWERS_COMPARE_COMPARE_H
#define ANSWERS_COMPARE_COMPARE_H

#include "answers/formula/value.h"

typedef struct Comparison {
    Budget budget;
    const char *rule;
    bool number; // the reference is a number in any spelling: 2e3 is no code
} Comparison;

static inline Verdict verdict_of(bool equal) { return equal ? VERDICT_EQUAL : VERDICT_DIFFERENT; }

static inline Verdict both(Verdict a, Verdict b)
{
    if (a == VERDICT_DIFFERENT || b == VERDICT_DIFFERENT)
        return VERDICT_DIFFERENT;
    return a == VERDICT_UNKNOWN || b == VERDICT_UNKNOWN ? VERDICT_UNKNOWN : VERDICT_EQUAL;
}

static inline Verdict decide(Comparison *c, Verdict v, const char *rule)
{
    c->rule = rule;
    return v;
}

enum { COMPARE_DEPTH = 24 };
#define ANOTHER_UNIT "another unit"
#define CANNOT_EVALUATE "cannot be evaluated" // a rule that other files test for

// ---- compare.c: any two trees

Verdict compare(Comparison *c, const Node *gold, const Node *prediction, int depth);

// ---- quantities.c: numbers, expressions, numbers with units

Verdict compare_quantities(Comparison *c, const Node *gold, const Node *prediction);
Verdict compare_values(Comparison *c, const Node *gold, const Node *prediction); // without units
Verdict compare_totals(Comparison *c, const Node *gold,
                       const Node *prediction); // 2 hours 30 minutes; unknown: they are not sums of quantities

// ---- relations.c: equations and named values

typedef struct Named {
    const Node *name;  // the name; NULL: none
    const Node *value; // its value
} Named;

Named named_value(const Node *n);    // "x = 3", "3 + 4 = 7", "E \\approx 2": value and name; else the node itself
const Node *left_end(const Node *n); // of a = b = c
Verdict same_name(Comparison *c, const Node *a, const Node *b);
Verdict compare_relations(Comparison *c, const Node *gold, const Node *prediction, int depth);
Verdict compare_definitions(Comparison *c, const Named *gold, const Named *prediction,
                            int depth); // f(x) = 2x and g(t) = 2t

// ---- collections.c: lists and sets of single elements

bool is_collection(const Node *n);
bool is_wordy(const Node *n);      // it contains words
bool names_places(const Named *n); // (x, y) = (1, 2)
Verdict compare_collections(Comparison *c, const Node *gold, const Node *prediction, int depth);
Verdict compare_children(Comparison *c, const Node *gold, const Node *prediction, int depth); // in their order

// ---- sets.c: sets of real numbers

bool says_set(const Node *n); // a union, an inequality, a set by its condition: more than a pair in brackets
Verdict compare_sets(Comparison *c, const Node *gold, const Node *prediction); // unknown: one is no readable set

#endif
