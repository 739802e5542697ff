// Texts in memory that the caller owns (base/base.h), compared and cut without copying.
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/base.h"

bool texts_equal(Text a, Text b);
bool text_is(Text s, const char *text);
Text text_trimmed(Text s);                       // without space at its ends
const char *text_last(Text s, const char *text); // its last occurrence, ignoring case; NULL: none
Text text_between(const char *begin, const char *end);

// Steps over text if it is at *at. A LaTeX command matches only as a whole: \pi does not begin \pizza.
bool text_take(const char **at, const char *end, const char *text);

#endif
