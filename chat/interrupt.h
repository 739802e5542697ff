// Ctrl-C, while somebody chats: it ends an answer, or clears a line, and the program is told by a flag, which is all
// that a signal handler can reach.
#ifndef CHAT_INTERRUPT_H
#define CHAT_INTERRUPT_H

#include "base/base.h"

bool interrupts_begin(void); // from here on Ctrl-C is a flag
bool interrupts_end(void);   // it does again what it did before
bool interrupted(void);      // since it was last forgotten
void interrupt_forget(void);

#endif
