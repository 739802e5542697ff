// Talking to a model in a terminal: answers come token by token, and the whole talk is what the model sees. /new begins a new one; the
// end of the input (Ctrl-D) ends the program.
#ifndef CHAT_CHAT_H
#define CHAT_CHAT_H

#include "engine/session.h"
#include "engine/stops.h"

typedef struct ChatOptions {
    const char *system; // begins the talk; "" or NULL: nothing does
    uint64_t seed;
    int64_t max_new_tokens;
    float temperature;
    int32_t top_k;
    float top_p, min_p;
} ChatOptions;

// Reads lines from in, writes answers to out. Prompts are shown where in is a terminal.
bool chat_run(Session *session, Encoder *encoder, const StopTexts *stops, const ChatOptions *options, FILE *in, FILE *out);

#endif
