// Talking to a model in a terminal: answers are printed token by token, and the model sees the whole conversation. /new
// begins a new one; the end of the input (Ctrl-D) ends the program.
#ifndef CHAT_CHAT_H
#define CHAT_CHAT_H

#include "asking/responses.h"
#include "session/session.h"
#include "asking/stops.h"

// Reads lines from in, writes answers to out. Prompts are shown where in is a terminal. system: the system prompt; "":
// none.
bool chat_run(Session *session, Encoder *encoder, const StopTexts *stops, const char *system,
              const ResponseOptions *responses, FILE *in, FILE *out);

#endif
