// Inside answers/: comparing two trees, gold's and the prediction's. What does not hold is different; what is beyond the limits or the
// budget is unknown. depth: how many levels are still allowed.
#ifndef ANSWERS_COMPARE_H
#define ANSWERS_COMPARE_H

#include "answers/value.h"

Verdict compare(Budget *b, const Node *gold, const Node *prediction, int depth); // verify.c

static inline Verdict verdict_of(bool equal) { return equal ? VERDICT_EQUAL : VERDICT_DIFFERENT; }

static inline Verdict both(Verdict a, Verdict b)
{
    if (a == VERDICT_DIFFERENT || b == VERDICT_DIFFERENT)
        return VERDICT_DIFFERENT;
    return a == VERDICT_UNKNOWN || b == VERDICT_UNKNOWN ? VERDICT_UNKNOWN : VERDICT_EQUAL;
}

typedef enum Agreement { AGREE, DISAGREE, NOT_KNOWN } Agreement;

// ---- compare_quantities.c

Verdict compare_quantities(Budget *b, const Node *gold, const Node *prediction);
bool same_words(Text a, Text b); // letters and digits only, in any case; false for none
Text words_of(const Node *n);    // of a word or a symbol; size 0: it is something else
bool is_unit(const Node *n);     // words, their powers and quotients

// ---- compare_parts.c

Verdict compare_children(Budget *b, const Node *gold, const Node *prediction,
                         int depth); // in their order: rows of a matrix, cells of a row
Verdict compare_brackets(Budget *b, const Node *gold, const Node *prediction, int depth);
bool is_collection(const Node *n);
Verdict compare_collections(Budget *b, const Node *gold, const Node *prediction, int depth);

// ---- compare_relations.c

const Node *value_side(const Node *n);  // what "x = ...", "x \\in ..." or "3 + 4 = 7 \\approx ..." says; else n
const Node *member_side(const Node *n); // of "x \\in ..." alone
Verdict compare_relations(Budget *b, const Node *gold, const Node *prediction, int depth);
bool as_interval(const Node *n, Node nodes[4]); // x > 5, -2 <= x <= 7 as the intervals they are, made of the nodes given

#endif
