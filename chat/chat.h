// Talking to a model in a terminal: answers come token by token, and the whole talk is what the model sees. /new begins
// a new one; the end of the input (Ctrl-D) ends the program.
#ifndef CHAT_CHAT_H
#define CHAT_CHAT_H

#include "engine/responses.h"
#include "engine/session.h"
#include "engine/stops.h"

// Reads lines from in, writes answers to out. Prompts are shown where in is a terminal. system: begins the talk; "":
// nothing does.
bool chat_run(Session *session, Encoder *encoder, const StopTexts *stops, const char *system,
              const ResponseOptions *responses, FILE *in, FILE *out);

#endif
