// Texts that lie in somebody else's memory (base/base.h), compared and cut without copying.
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/base.h"

bool texts_equal(Text a, Text b);
bool text_is(Text s, const char *text);
Text text_trimmed(Text s);                       // without space at its ends
const char *text_last(Text s, const char *text); // where it stands last, ignoring case; NULL: nowhere
Text text_between(const char *begin, const char *end);

// Steps over text, where it stands at *at. A command of LaTeX stands there only if it ends there: \pi does not begin \pizza.
bool text_take(const char **at, const char *end, const char *text);

#endif
