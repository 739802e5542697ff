// Where a response says its answer. A response may say it in many ways; what is said last and most explicitly counts:
//
//   "Final answer: ...", "#### ...", "Answer: ..." on a line of its own, when nothing is boxed behind it
//   \boxed{...}, several when only words such as "and" stand between them;  <answer>...</answer>
//   "the answer is ..." and the like, where nothing is boxed
//
// and where none of these is, the text's end: how much of it depends on what is looked for. All of it is linear in the text.
#ifndef ANSWERS_EXTRACT_H
#define ANSWERS_EXTRACT_H

#include "base/text.h"

typedef enum Mark {
    MARK_NONE,   // the whole text
    MARK_PHRASE, // "the answer is ..."
    MARK_BOX,    // \boxed{...}: what is in it
    MARK_BOXES,  // several that belong together: from the first backslash to the last brace
    MARK_TAG,    // <answer>...</answer>
    MARK_FINAL,  // "Final answer: ...", "#### ...", "Answer: ..."
} Mark;

typedef struct Statement {
    Text text; // trimmed, never empty; behind a phrase its line, or the next one that is not empty
    Text all;  // behind a phrase: up to the end of the response; the same text otherwise
    Mark mark;
} Statement;

enum { STATEMENTS_MOST = 4, BOXES_MOST = 16 };

// Behind the last </think>, without tokens that end a turn; nothing of a thought that has no end.
Text response_said(Text response);

// The statements of a response, the one that counts most first, the whole text last; at most STATEMENTS_MOST. Returns how many. Those
// behind the first are for readers that can make nothing of it ("Final answer: see above"), not second chances.
int response_statements(Statement out[STATEMENTS_MOST], Text response);

int boxes_in(Text inside[BOXES_MOST], Text text); // of a statement with MARK_BOXES, in order

Text first_sentence(Text text); // without its point
int words_in(Text text);        // of three letters or more, not all of them capitals (AB, CD), that are no command's

#endif
