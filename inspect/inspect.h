// What the model will see, shown to people: tokens of a record or of a micro-batch, coloured by their use (trained,
// masked, special), on a terminal or as one HTML page. Nothing is computed here; ./prepare --inspect calls it.
#ifndef INSPECT_INSPECT_H
#define INSPECT_INSPECT_H

#include "data/documents.h"
#include "tokenizer/tokenizer.h"

typedef enum InspectLook {
    INSPECT_PLAIN,  // no colours: trained tokens are in «…», so that a pipe or a screen reader loses nothing
    INSPECT_COLOUR, // ANSI colours
    INSPECT_HTML    // a self-contained page: style inside, nothing fetched, light and dark
} InspectLook;

extern const char INSPECT_PAGE[]; // the beginning of such a page

// Appends documents numbers[0 .. count-1] under a title ("record 17 of 7,500", "step 3, micro-batch 2 of 8"): for each
// its id, difficulty, source, tokens, number of trained tokens and reference answer; then the tokens. Without a
// tokenizer tokens are shown by number. Fails when no token in any of them is trained (not for RL prompts, where none
// is).
bool inspect(Bytes *out, InspectLook look, const char *title, const Documents *documents, const Tokenizer *tokenizer,
             const int64_t *numbers, size_t count);

#endif
