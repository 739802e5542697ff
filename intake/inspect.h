// What the model will see, shown to people: tokens of a record or of a micro-batch, coloured by what becomes of them (trained,
// masked, special), on a terminal or as one HTML page. Nothing is computed here; intake/prepare.h's program calls it.
#ifndef INTAKE_INSPECT_H
#define INTAKE_INSPECT_H

#include "data/documents.h"
#include "tokenizer/tokenizer.h"

typedef enum InspectLook {
    INSPECT_PLAIN,  // no colours: trained tokens stand in «…», so that a pipe or a blind reader loses nothing
    INSPECT_COLOUR, // ANSI colours
    INSPECT_HTML    // a page of its own: style inside, nothing fetched, light and dark
} InspectLook;

extern const char INSPECT_PAGE[]; // how such a page begins

// Appends documents numbers[0 .. count-1] under a title ("record 17 of 7,500", "step 3, micro-batch 2 of 8"): for each its id,
// difficulty, source, tokens, how many of them are trained, its reference answer; then the tokens. Without a tokenizer tokens are
// shown by number. Fails loudly when nothing in all of them is trained (never for RL prompts, where nothing is).
bool inspect(Bytes *out, InspectLook look, const char *title, const Documents *documents, const Tokenizer *tokenizer,
             const int64_t *numbers, size_t count);

#endif
