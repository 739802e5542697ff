// What has been said so far: a system message or none, then questions and answers in turn. It can be taken back, and
// written as a row that ./prepare and ./generate take.
#ifndef CHAT_CONVERSATION_H
#define CHAT_CONVERSATION_H

#include "tokenizer/template.h"

typedef struct AnswerFacts {
    uint64_t turn; // names its random draws: those of the row with this id
    bool stopped;  // by Ctrl-C
} AnswerFacts;

typedef struct Conversation {
    Message *messages;  // (count) their texts are owned
    AnswerFacts *facts; // (count) of answers
    size_t count, capacity, facts_capacity;
} Conversation;

bool conversation_ask(Conversation *c, Text text); // copies it
bool conversation_answer(Conversation *c, Text text, AnswerFacts facts);
void conversation_forget_from(Conversation *c, size_t first);
void conversation_free(Conversation *c);

Text conversation_system(const Conversation *c); // data NULL: there is none

// Replaces the system message; size 0: there is none from here on. What was said stays.
bool conversation_set_system(Conversation *c, Text text);

// Takes back the last question with its answer. False, and no error: nothing has been said.
bool conversation_undo(Conversation *c);

// Writes the conversation as one row, {"source":"dereason chat","messages":[...],"id":...}, whose id is the turn of the
// last answer, and "stopped" the places of answers that were; `more` are further fields, as JSON that begins with a
// comma, or "". An existing file is replaced only if it is one such row. False after fail(), also where nothing has
// been answered.
bool conversation_save(const Conversation *c, const char *path, const char *more);

#endif
