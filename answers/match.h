// Inside answers/: compares one reference with the answer in one response. verify.c opens a verifier, answer_said.c
// finds the answer, match.c compares the two.
#ifndef ANSWERS_MATCH_H
#define ANSWERS_MATCH_H

#include "answers/verify.h"
#include "answers/compare/compare.h"
#include "answers/extract.h"
#include "answers/reading.h"

enum { SENTENCE_BYTES = 512 };

typedef struct Verifier { // the state of one verdict
    Formula formulas[2];
    Reading gold, given;
    char boxes[2][FORMULA_BYTES];  // several joined, of the reference and of the answer
    char points[2][FORMULA_BYTES]; // both without the numbers of their points
    char sentence[SENTENCE_BYTES]; // without the marks of formulas
    Comparison comparison;
} Verifier;

static inline Verdict say(Verifier *v, Verdict verdict, const char *rule)
{
    return decide(&v->comparison, verdict, rule);
}
static inline bool is_words(AnswerKind k) { return k == ANSWER_WORDS || k == ANSWER_TEXT || k == ANSWER_NONE; }
static inline bool is_scalar(AnswerKind k) { return k == ANSWER_NUMBER || k == ANSWER_QUANTITY; }

// ---- match.c

Verdict compare_trees(Verifier *v);             // of the two formulas
Verdict match_answer(Verifier *v, Text answer); // reads it into v->given; the rule is in v->comparison

// ---- match_rows.c: rows of numbers and ranges

bool same_number(Text a, Text b); // digits as written
Verdict compare_rows(Verifier *v);
Verdict compare_ranges(Verifier *v);

// ---- match_words.c: answers compared as words, and numbers in words

Verdict compare_as_words(Verifier *v);
Verdict compare_number_word(Verifier *v);

// ---- sentence.c: what a sentence plainly says about a number

bool reads_as_formula(Verifier *v, Text s);         // into v->given
Text sentence_formula(Verifier *v, Text sentence);  // the formula at its end; size 0: none, or not plain
bool is_doubtful(Text sentence);                    // it denies, compares or offers something else
Text last_sentence_formula(Verifier *v, Text text); // of the last sentence with one
bool number_in_digits(char out[SENTENCE_BYTES], Text sentence,
                      Text *with_digits); // "five apples"; false: it has digits, or no number

// ---- answer_said.c: from statements (extract.h) to the answer to compare

Text answer_said(Verifier *v, const Statement *list, int count, const Statement **from); // size 0: none
Text last_box(Text statement);
Text joined_boxes(char out[FORMULA_BYTES], Text statement); // with commas

#endif
