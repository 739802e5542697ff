// Is an answer right? Answers to problems of mathematics and science as people and models write them, in LaTeX or plain text, compared
// by what they say: 1/2, 0.5, \frac12 and 50\% are one number, 5 kg and 5000 g one mass, x > 2 and (2, \infty) one set, (C) and C one
// choice.
//
// A reference is read first, and what kind it is of decides how a response is read and what is compared: words are never algebra where the
// reference is none. A verdict is one of three. Equal and different are said by a rule that has a name; whatever no rule covers is
// unknown, and a judge may be asked. It is the same on every machine and takes a bounded time: work is counted in steps, not seconds;
// numbers, nesting and lists have limits. Threads may verify side by side.
#ifndef ANSWERS_VERIFY_H
#define ANSWERS_VERIFY_H

#include "base/base.h"
#include "base/verdict.h"

// Rises whenever a verdict may change: a run that goes on does so by the rules it began with.
enum { ANSWERS_VERSION = 3 };

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
    ANSWER_TEXT,       // more than a few: only a judge can say that another text means the same
    ANSWER_KINDS
} AnswerKind;
extern const char *const ANSWER_KIND_NAMES[ANSWER_KINDS];

enum { FINDING_BYTES = 256 };

// A verdict, and how it came about.
typedef struct Finding {
    Verdict verdict;
    AnswerKind kind;               // of the reference
    const char *rule;              // that decided, in a few words; never NULL
    char reference[FINDING_BYTES]; // as it was read, cut to fit; valid UTF-8 where the text was
    char answer[FINDING_BYTES];    // what the response was taken to answer, likewise; "": nothing
} Finding;

// reference: a bare answer, or a text that has it behind #### or in a box. response: a bare answer, or sentences that lead to one.
// row: the problem as JSON, whose `options` make it multiple choice, and whose `answer` may be a JSON number; size 0: there is none.
void verify_finding(Finding *finding, Text row, Text reference, Text response);
Verdict verify(Text reference, Text response); // the same without a row

// A reference such as 2e3 may be a code; it is none where the row has it as a JSON number. False of whatever can be no code.
bool answer_is_number(Text row, Text reference);

AnswerKind answer_kind(Text row, Text reference);

// Whether rules can tell right answers from wrong ones: not of texts, of which they can only say that they are the same words.
bool answer_comparable(Text row, Text reference);

// The answer that a response ends with (extract.h says where it is looked for), a part of its text. Size 0: there is none. Several
// boxes that belong together are written to out (capacity bytes), with commas.
Text response_answer(Text response, char *out, size_t capacity);
bool response_marks_answer(Text response); // by a box, a tag, or words such as "The answer is"

#endif
