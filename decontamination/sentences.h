// The sentences of a text, by punctuation and line breaks alone: "Dr. Smith" is two. Runs of sentences are compared, so
// splitting too finely does no harm.
#ifndef DECONTAMINATION_SENTENCES_H
#define DECONTAMINATION_SENTENCES_H

#include "base/base.h"

// The sentence at *at, without the white space and markup around it; *at moves past it. Size 0: there are no more. A
// label, such as "Question 3:", "2." or "b)", is a sentence of its own.
Text sentence_next(Text text, size_t *at);

#endif
