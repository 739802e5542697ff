// The numbers of a line that rates something, and the role of each: a level, a scale, part of a list or formula, after
// a label. rubric_level.c decides which of them counts.
#ifndef DIFFICULTY_RUBRIC_NUMBERS_H
#define DIFFICULTY_RUBRIC_NUMBERS_H

#include "difficulty/rubric.h"

enum { LINE_MOST = 4096, NUMBERS_MOST = LINE_MOST / 2 + 1 }; // bytes that are read of a line's end

// Clear: with ":", "=" or "is" at the line's beginning, or a JSON key.
typedef enum NumberLabel { LABEL_NONE, LABEL_BESIDE, LABEL_CLEAR } NumberLabel;

typedef struct Number {
    const char *begin, *end;
    int value;         // 1 to 5; 0: it is no level
    bool scale;        // it is the scale of levels, not a level
    bool other;        // a whole number beyond the levels, or one that counts or names something: it is no level
    NumberLabel label; // "score: ", "I rate it ", ...
} Number;

// In order; lists and ranges ("3-4", "3 or 4", "4 4") are one number without a value.
size_t line_numbers(Number numbers[NUMBERS_MOST], Text line);

// Whether a label comes right before `at`.
NumberLabel label_before(Text line, const char *at);

bool text_has_word(Text text, const char *const words[]); // any of them, whole, ignoring case; the last is NULL
bool letter(char c);
bool digit(char c);

#endif
