// What the user says: messages from a terminal, with editing and history (libedit, which reads ~/.editrc), or lines
// from anything else. In a terminal a line that ends in a backslash goes on in the next one, and a pasted text stays
// one message, however many lines it has; elsewhere each line is a message.
#ifndef CHAT_PROMPT_H
#define CHAT_PROMPT_H

#include "base/base.h"

typedef struct Prompt Prompt;

typedef enum Said {
    SAID_MESSAGE,
    SAID_NOTHING, // Ctrl-C has cleared the line
    SAID_END      // the end of the input, or Ctrl-D
} Said;

// NULL after fail(). A history that cannot be kept is told on stderr, once; there is none where lines are not edited.
Prompt *prompt_open(FILE *in, FILE *out);
void prompt_close(Prompt *prompt);
bool prompt_edits(const Prompt *prompt); // in and out are a terminal that can move its cursor

// The next message, without newlines at its end, into *message. False after fail(): the input cannot be read.
bool prompt_read(Prompt *prompt, Said *said, Bytes *message);

#endif
