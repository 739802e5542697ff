// Multiple choice: a row with `options` is answered by an option's letter or by its text, whichever the reference is.
#ifndef ANSWERS_CHOICE_H
#define ANSWERS_CHOICE_H

#include "answers/verify.h"

#ifdef __cplusplus
extern "C" {
#endif

// row: a problem as JSON. Its `options` may be a list of texts (A, B, ... in their order) or an object of them by letter. False: it has
// none, or the reference is none of them: verify() has to say.
bool verify_choice(Verdict *verdict, Text row, Text gold, Text prediction);

#ifdef __cplusplus
}
#endif
#endif
