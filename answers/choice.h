// Multiple choice: a row with `options` is answered by an option's letter, by its text, or by both, whichever the
// reference is. A response chooses when it names one option and no other: a letter with another option's text is no
// choice, and neither are several letters. Text after a letter must be its option's text, or explain it.
#ifndef ANSWERS_CHOICE_H
#define ANSWERS_CHOICE_H

#include "answers/verify.h"
#include "json/json.h"

// row: a problem as JSON. Its `options` may be a list of texts (A, B, ... in their order) or an object of them by
// letter. False: it has none, or the reference is not one of them: use other rules; the finding is unchanged.
bool choice_finding(Finding *finding, Text row, Text reference, Text response);

// The letter of the option that a reference names by letter, text or both; 0: none, or several. options: as above.
char choice_named(json_t *options, Text reference);

// Where a row's options are in the question's text, only letters are known. Whether a reference is just a letter: B,
// (b), "B.", \text{(B)}; a capital from A to J, or a letter in brackets or before one.
bool choice_letter(Text reference, char *letter);
bool choice_letter_said(Text response, char *letter); // whatever text follows the letter; false: none, or several

#endif
