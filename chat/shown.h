// What reaches the terminal: texts of models, files and users, in which characters that act (escape sequences among
// them) or cannot be seen become visible, as everywhere in this house (log/visible.h); and tokens with their
// log-probabilities.
#ifndef CHAT_SHOWN_H
#define CHAT_SHOWN_H

#include "tokenizer/tokenizer.h"

// Where it is shown.
typedef struct Screen {
    FILE *out;
    bool terminal; // false: texts are passed on byte for byte
    bool coloured;
} Screen;

Screen screen_of(FILE *out); // NO_COLOR and TERM=dumb are respected

// Each returns false after fail(): it could not be written.
bool show_text(const Screen *screen, Text text); // newlines and tabulators stay; whole characters
bool show_note(const Screen *screen, const char *format, ...) PRINTF_LIKE(2, 3); // a line of ours, in parentheses

// Each as [text log-probability], coloured by its probability, and a line about all of them.
bool show_tokens(const Screen *screen, const Tokenizer *tokenizer, const int32_t *ids, const float *logprobs,
                 size_t count);

#endif
