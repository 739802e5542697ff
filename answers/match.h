// Inside answers/: one reference and what one response says, compared. verify.c opens a verifier, answer_said.c finds what a response
// says, match.c compares the two.
#ifndef ANSWERS_MATCH_H
#define ANSWERS_MATCH_H

#include "answers/verify.h"
#include "answers/compare/compare.h"
#include "answers/extract.h"
#include "answers/reading.h"

enum { SENTENCE_BYTES = 512 };

typedef struct Verifier { // what one verdict needs
    Formula formulas[2];
    Reading gold, given;
    char boxes[2][FORMULA_BYTES];  // several joined, of the reference and of the answer
    char points[2][FORMULA_BYTES]; // both without what numbers them
    char sentence[SENTENCE_BYTES]; // without the signs that set formulas apart
    Comparison comparison;
} Verifier;

static inline Verdict say(Verifier *v, Verdict verdict, const char *rule) { return decide(&v->comparison, verdict, rule); }
static inline bool is_words(AnswerKind k) { return k == ANSWER_WORDS || k == ANSWER_TEXT || k == ANSWER_NONE; }
static inline bool is_scalar(AnswerKind k) { return k == ANSWER_NUMBER || k == ANSWER_QUANTITY; }

// ---- match.c

Verdict compare_trees(Verifier *v);             // of the two formulas
Verdict match_answer(Verifier *v, Text answer); // reads it into v->given; the rule is in v->comparison

// ---- match_rows.c: rows of numbers and ranges

bool same_number(Text a, Text b); // digits as they are written
Verdict compare_rows(Verifier *v);
Verdict compare_ranges(Verifier *v);

// ---- match_words.c: what is compared as words, and numbers that words say

Verdict compare_as_words(Verifier *v);
Verdict compare_number_word(Verifier *v);

// ---- sentence.c: what a sentence plainly says of a number

bool reads_as_formula(Verifier *v, Text s);         // into v->given
Text sentence_formula(Verifier *v, Text sentence);  // the formula that it ends with; size 0: none, or not plainly
bool is_doubtful(Text sentence);                    // it denies, compares or offers something else
Text last_sentence_formula(Verifier *v, Text text); // of the last one that says any
bool number_in_digits(char out[SENTENCE_BYTES], Text sentence,
                      Text *with_digits); // "five apples"; false: it has digits, or no number

// ---- answer_said.c: from statements (extract.h) to the answer that is compared

Text answer_said(Verifier *v, const Statement *list, int count, const Statement **from); // size 0: there is none
Text last_box(Text statement);
Text joined_boxes(char out[FORMULA_BYTES], Text statement); // with commas

#endif
