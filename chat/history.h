// What a user has said in chats, kept for the next one: lines of JSON texts, the newest last, in a file of the user
// alone (mode 0600). It may be lost without harm, and nothing of it matters to answers.
#ifndef CHAT_HISTORY_H
#define CHAT_HISTORY_H

#include "system/line_file.h"

enum { HISTORY_MOST = 1000 }; // messages that are kept when a chat begins

// The file's path: chat_history.jsonl in the user's folder (user_folder) in $XDG_STATE_HOME, or ~/.local/state. NULL,
// and no error: there is none. free() it.
bool history_path(char **path);

// Opens the file, made if absent with its folders, and passes its messages to `take`, the oldest first. A file that
// cannot be read, or is not one of ours, is left as it is: false after fail(), and what was opened is closed.
typedef void (*HistoryTake)(void *context, const char *message);
bool history_open(LineFile *file, const char *path, HistoryTake take, void *context);
bool history_add(LineFile *file, const char *message); // nothing where the file is closed

#endif
