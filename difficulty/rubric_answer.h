// What an answer to the rubric says about its row, added to what the row's other answers said.
#ifndef DIFFICULTY_RUBRIC_ANSWER_H
#define DIFFICULTY_RUBRIC_ANSWER_H

#include "asking/row_work.h"
#include "difficulty/rubric.h"

// By the probabilities of the digits: a folder's are exact; a server names some candidates, or none: false.
bool rubric_answer_digits(Difficulty *difficulty, const RowAnswer *answer);

// By what it writes. cut: it reached its limit, so its last line is incomplete. One-token answers, wanted for digits,
// always do.
bool rubric_answer_vote(Pending *row, Text said, bool cut);

bool rubric_answer_keep(Pending *row, Text said, bool cut); // its end, of the first that is unusable

#endif
