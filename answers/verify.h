// Is an answer right? Answers to problems of mathematics and science as people and models write them, in LaTeX or plain
// text, compared by meaning: 1/2, 0.5, \frac12 and 50\% are one number, 5 kg and 5000 g one mass, x > 2 and (2, \infty)
// one set, (C) and C one choice.
//
// The reference is read first, and its kind decides how a response is read and what is compared: words are never
// algebra unless the reference is. There are three verdicts. Equal and different come from a rule that has a name;
// whatever no rule covers is unknown, and a judge may be asked. A verdict is the same on every machine and takes a
// bounded time: work is counted in steps, not seconds; numbers, nesting and lists have limits. Threads may verify in
// parallel.
#ifndef ANSWERS_VERIFY_H
#define ANSWERS_VERIFY_H

#include "base/base.h"
#include "base/verdict.h"

// Increased whenever a verdict may change: a run continues only with the rules it began with.
enum { ANSWERS_VERSION = 4 };

extern const char *const VERDICT_NAMES[3];

typedef enum AnswerKind {
    ANSWER_NONE,       // there is no reference, or one that cannot be read at all
    ANSWER_NUMBER,     // without symbols: 7, 2\sqrt3, 45^\circ, 20\%
    ANSWER_QUANTITY,   // a number and its unit
    ANSWER_EXPRESSION, // with symbols
    ANSWER_EQUATION,   // = and the like, implications
    ANSWER_LIST,       // of anything else; a row of numbers
    ANSWER_SET,        // intervals, inequalities, \{...\}
    ANSWER_MATRIX,     // vectors and tuples, too
    ANSWER_CHOICE,     // a letter, or an option of the row
    ANSWER_CHEMICAL,   // a formula, or a reaction
    ANSWER_WORDS,      // a few of them
    ANSWER_TEXT,       // more than a few: only a judge can tell whether another text means the same
    ANSWER_KINDS
} AnswerKind;
extern const char *const ANSWER_KIND_NAMES[ANSWER_KINDS];

enum { FINDING_BYTES = 256 };

// A verdict and its reason.
typedef struct Finding {
    Verdict verdict;
    AnswerKind kind;               // of the reference
    const char *rule;              // the rule that decided, in a few words; never NULL
    char reference[FINDING_BYTES]; // as read, cut to fit; valid UTF-8 where the text was
    char answer[FINDING_BYTES];    // the answer found in the response, likewise; "": none
} Finding;

// reference: a bare answer, or a text that has it after #### or in a box. response: a bare answer, or sentences that
// lead to one. row: the problem as JSON, whose `options` make it multiple choice, and whose `answer` may be a JSON
// number; size 0: none.
void verify_finding(Finding *finding, Text row, Text reference, Text response);
Verdict verify(Text reference, Text response); // the same without a row

// A reference such as 2e3 may be a code, but not where the row has it as a JSON number. False for texts that cannot be
// a code.
bool answer_is_number(Text row, Text reference);

AnswerKind answer_kind(Text row, Text reference);

// Whether rules can tell right answers from wrong ones: not for texts, where they can only find that the words are the
// same.
bool answer_comparable(Text row, Text reference);

// The answer that a response ends with (extract.h defines where), a part of its text. Size 0: none. Several boxes that
// belong together are written to out (capacity bytes), with commas.
Text response_answer(Text response, char *out, size_t capacity);
bool response_marks_answer(Text response); // by a box, a tag, or words such as "The answer is"

#endif
