// Talking to a model in a terminal: answers are printed token by token, and the model sees the whole conversation.
// Lines that begin with a slash are commands (command.h), Ctrl-C ends an answer, the end of the input (Ctrl-D) the
// program. Question number n is answered as ./generate answers the row with the id n and the messages so far, to the
// bit.
#ifndef CHAT_CHAT_H
#define CHAT_CHAT_H

#include "asking/responses.h"
#include "session/session.h"
#include "asking/stops.h"

// Reads messages from in, writes answers to out. system: the system message; "": none.
bool chat_run(Session *session, Encoder *encoder, const StopTexts *stops, const char *system,
              const ResponseOptions *responses, FILE *in, FILE *out);

#endif
