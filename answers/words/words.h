// Answers that are words, not formulas. Two texts are equal when they are the same words in the same order, in any
// wrapping; when both are one number; when both are phrases of one line of a small table; or when the answer is a
// sentence that plainly states the reference. They are different only where they say opposite things. Nothing else is
// decided here.
#ifndef ANSWERS_WORDS_WORDS_H
#define ANSWERS_WORDS_WORDS_H

#include "base/base.h"
#include "base/verdict.h"

// Linear in the texts. *rule: a static text that names the rule that decided, or says that none did.
Verdict words_compare(Text reference, Text answer, const char **rule);

bool words_same(Text a, Text b); // the first of these rules alone
int words_count(Text s);         // words of letters, not commands, wrappers, numbers and signs

// A number in words, or in digits, as a whole: "minus twenty-one", "five", "1,000". Up to 999,999,999 either way.
bool words_number(Text s, int64_t *value);

#endif
