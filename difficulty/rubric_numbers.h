// The numbers of a line that rates something, and how each is meant: as a level, out of how many, as a part of a list or a formula,
// behind a label. Which of them counts is rubric_level.c's.
#ifndef DIFFICULTY_RUBRIC_NUMBERS_H
#define DIFFICULTY_RUBRIC_NUMBERS_H

#include "difficulty/rubric.h"

enum { LINE_MOST = 4096, NUMBERS_MOST = LINE_MOST / 2 + 1 }; // bytes of a line's end that are read

// Clear: with ":", "=" or "is" at the line's beginning, or a key of JSON.
typedef enum NumberLabel { LABEL_NONE, LABEL_BESIDE, LABEL_CLEAR } NumberLabel;

typedef struct Number {
    const char *begin, *end;
    int value;         // 1 to 5; 0: it is no level
    bool scale;        // it says what levels are out of, and is none
    bool other;        // a whole number beyond the levels, or one that counts or names something: it says nothing about one
    NumberLabel label; // "score: ", "I rate it ", ...
} Number;

// In order; lists and ranges ("3-4", "3 or 4", "4 4") are one number without a value.
size_t line_numbers(Number numbers[NUMBERS_MOST], Text line);

// Whether a label stands right before `at`.
NumberLabel label_before(Text line, const char *at);

bool text_has_word(Text text, const char *const words[]); // any of them, whole, ignoring case; the last is NULL
bool letter(char c);
bool digit(char c);

#endif
