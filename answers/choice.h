// Multiple choice: a row with `options` is answered by an option's letter, by its text, or by both, whichever the reference is.
// A response chooses where it says one option and no other: a letter with another option's text is no choice, and of several letters
// none is. What stands behind a letter has to be its option's text, or to explain it.
#ifndef ANSWERS_CHOICE_H
#define ANSWERS_CHOICE_H

#include "answers/verify.h"
#include "json/json.h"

// row: a problem as JSON. Its `options` may be a list of texts (A, B, ... in their order) or an object of them by letter. False: it has
// none, or the reference is none of them: somebody else has to say; the finding is as it was.
bool choice_finding(Finding *finding, Text row, Text reference, Text response);

// The letter of the option that a reference names by letter, text or both; 0: it is none of them, or several. options: as above.
char choice_named(json_t *options, Text reference);

// Where a row's options are in the question's text, letters are all there is. A reference that is no more than one: B, (b), "B.",
// \text{(B)}; a capital from A to J, or a letter in brackets or before one.
bool choice_letter(Text reference, char *letter);
bool choice_letter_said(Text response, char *letter); // whatever text follows it; false: none, or several

#endif
