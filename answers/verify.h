// Is an answer right? Answers to problems of mathematics and science as people and models write them, in LaTeX or plain text, compared
// by what they say: 1/2, 0.5, \frac12 and 50\% are one number, x > 2 and (2, \infty) one set, (C) and C one choice.
//
// A verdict is the same on every machine and takes a bounded time: work is counted in steps, not seconds; numbers, nesting and lists
// have limits. What is beyond them, or not understood, cannot be told: that is not "different". Threads may verify side by side.
#ifndef ANSWERS_VERIFY_H
#define ANSWERS_VERIFY_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum Verdict { VERDICT_UNKNOWN, VERDICT_DIFFERENT, VERDICT_EQUAL } Verdict;

// What is compared: gold, the reference, and prediction may both be a bare answer, or sentences that lead to one.
Verdict verify(Text gold, Text prediction);

// Whether the reference says anything that can be compared with more than its own spelling.
bool answer_readable(Text gold);

// The answer that a response ends with (answers/extract.c says where it is looked for), a part of its text. Size 0: there is none. Several
// boxes that belong together are written to out (capacity bytes), with commas.
Text response_answer(Text response, char *out, size_t capacity);
Text response_last_box(Text response); // what the last box holds; size 0: there is none
bool response_marks_answer(
    Text response); // whether it says which part of it is the answer: by a box, or by words such as "The answer is"

#ifdef __cplusplus
}
#endif
#endif
