// Inside answers/: one answer, read: without its wrapping, with its kind, and as a formula where it is one.
#ifndef ANSWERS_READING_H
#define ANSWERS_READING_H

#include "answers/verify.h"
#include "answers/formula/formula.h"

enum { ROW_NUMBERS_MOST = 512, TEXT_BYTES = 16384 }; // longer texts are no answers

// Numbers in rows, separated by space only: "1 2\n3 4"
typedef struct Rows {
    Text numbers[ROW_NUMBERS_MOST]; // row by row
    int count, rows, columns;       // columns 0: rows of different lengths
    int ends[ROW_NUMBERS_MOST];     // (rows) where each ends
} Rows;

// Two numbers with a dash or "to" between them: a range, a score, part of a telephone number
typedef struct Range {
    Text low, high; // digits
    Text unit;      // of the second, or both; size 0: none
} Range;

typedef struct Reading {
    Text text; // unwrapped; size 0: nothing
    AnswerKind kind;
    Formula *formula; // text and size are set unless too_long; root where it could be read
    bool too_long;
    bool has_rows, has_range;
    bool one_item; // a list of one: [5]
    Rows rows;
    Range range;
} Reading;

// formula: memory for it, which the reading uses from now on. Nothing is allocated.
void read_answer(Reading *reading, Text text, Formula *formula);

// Without spaces, final full stops, markdown, quotes, dollars, \boxed{}, \text{}, \mathbf{}, {"answer": ...} around all
// of it, and words such as "approximately" before it.
Text unwrapped(Text s);

// "\\textbf{(A) } 12", "(A) 12": without a choice's letter before its content; false: it has none
bool strip_label(Text *s);

bool says_something(Text s); // a letter, a digit or a character beyond ASCII: more than brackets and signs

bool has_letters_only(Text spelled); // words, however many

#endif
