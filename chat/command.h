// What a message to the chat asks of the program: a command begins with a slash and a word of letters, and anything
// else is said to the model. Words are commands or refused, never said: a mistyped "/sytem Be brief." is no question.
// "/2" and "/etc/hosts" are no words; what begins with a space is said as it is.
#ifndef CHAT_COMMAND_H
#define CHAT_COMMAND_H

#include "base/base.h"

typedef enum CommandKind {
    COMMAND_SAY,     // to the model
    COMMAND_REFUSED, // reason says why
    COMMAND_HELP,
    COMMAND_NEW,
    COMMAND_SYSTEM, // rest: the new system message; empty: it is shown
    COMMAND_UNDO,
    COMMAND_SAVE, // rest: a path, not empty
    COMMAND_TOKENS,
    COMMAND_EXIT
} CommandKind;

typedef struct Command {
    CommandKind kind;
    Text rest; // of the message, without spaces at its ends
    char reason[160];
} Command;

Command command_read(Text message);

bool command_help(Bytes *out); // a line for each command

#endif
