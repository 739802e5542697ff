// Texts that end an answer. Such a text may span tokens, so the end of the bytes of all tokens is compared.
#ifndef ASKING_STOPS_H
#define ASKING_STOPS_H

#include "engine/engine.h"
#include "tokenizer/tokenizer.h"

typedef struct StopTexts {
    const Tokenizer *tokenizer;
    const char *const *texts; // (count), none of them empty
    size_t count;
} StopTexts;

// Whether the last token completes one of the texts.
bool stop_texts_met(const StopTexts *stops, const int32_t *ids, int64_t count);

// Bytes of the text before the first stop text in it; all of it, if there is none.
size_t stop_texts_cut(const StopTexts *stops, const char *text, size_t size);

// A GenerationWatch, with the texts as its context.
bool stop_texts_watch(void *stops, const GenerationResult *so_far);

// The text of a response, without the token (one of the `end` ones) or the text that ended it; in scratch, until that
// is used again.
bool stop_texts_response(const StopTexts *stops, const int32_t *end, int64_t end_count, const GenerationResult *result,
                         Bytes *scratch, Text *text);

#endif
