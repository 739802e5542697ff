// Where a response states its answer. There are many ways; the last and most explicit one counts:
//
//   "Final answer: ...", "#### ...", "Answer: ..." on a line of its own, when no box follows
//   \boxed{...}, several when only words such as "and" stand between them;  <answer>...</answer>
//   "the answer is ..." and the like, where nothing is boxed
//
// and where none of these is, the text's end: how much of it depends on what is wanted. All of it is linear in the
// text.
#ifndef ANSWERS_EXTRACT_H
#define ANSWERS_EXTRACT_H

#include "base/text.h"

typedef enum Mark {
    MARK_NONE,   // the whole text
    MARK_PHRASE, // "the answer is ..."
    MARK_BOX,    // \boxed{...}: its content
    MARK_BOXES,  // several that belong together: from the first backslash to the last brace
    MARK_TAG,    // <answer>...</answer>
    MARK_FINAL,  // "Final answer: ...", "#### ...", "Answer: ..."
} Mark;

typedef struct Statement {
    Text text; // trimmed, never empty; after a phrase its line, or the next non-empty one
    Text all;  // after a phrase: up to the end of the response; the same text otherwise
    Mark mark;
} Statement;

enum { STATEMENTS_MOST = 4, BOXES_MOST = 16 };

// The text after the last </think>, without tokens that end a turn; nothing of a thought without an end.
Text response_said(Text response);

// The statements of a response, the one that counts most first, the whole text last; at most STATEMENTS_MOST. Returns
// how many. Later ones are for readers that can make nothing of the first ("Final answer: see above"), not second
// chances.
int response_statements(Statement out[STATEMENTS_MOST], Text response);

int boxes_in(Text inside[BOXES_MOST], Text text); // of a statement with MARK_BOXES, in order

Text first_sentence(Text text); // without its full stop
int words_in(Text text);        // words of three letters or more, except capitals (AB, CD) and commands

#endif
