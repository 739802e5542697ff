// The sentences of a text, by its marks and line breaks alone: "Dr. Smith" is two. So a run of them is what is compared, and the finer
// they are cut the better.
#ifndef DECONTAMINATION_SENTENCES_H
#define DECONTAMINATION_SENTENCES_H

#include "base/base.h"

// The sentence at *at, which moves behind it, without the white space and the markup around it; size 0: there are no more. A label, such
// as "Question 3:", "2." or "b)", is a sentence of its own.
Text sentence_next(Text text, size_t *at);

#endif
