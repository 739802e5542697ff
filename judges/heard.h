// Verdicts that this process knows without having asked: those of the run's other ranks, which tell each other of their
// new ones after every rollout, and those in the journals of other ranks, of this start of the run or an earlier one.
// So a verdict is asked for once, whoever needs it. Memory holds scores and reasons, not replies.
#ifndef JUDGES_HEARD_H
#define JUDGES_HEARD_H

#include "server/answer_file.h"

typedef struct HeardVerdict {
    uint64_t key[2]; // of the question, as in verdicts.h
    bool known;      // else a free place of the table
    double score;    // NaN: the reply was no verdict
    char *why;       // why not; NULL: it was one
} HeardVerdict;

typedef struct Heard {
    HeardVerdict *list; // (capacity) a hash table, at most half full
    size_t count, capacity;
    bool telling; // there are others to tell
    Bytes news;   // this process's verdicts since it told them last
} Heard;

const HeardVerdict *heard_find(const Heard *heard, const uint64_t key[2]);          // NULL: unknown
bool heard_add(Heard *heard, const uint64_t key[2], double score, const char *why); // the first counts
void heard_free(Heard *heard);

// ---- from process to process

bool heard_own(Heard *heard, const uint64_t key[2], double score, const char *why); // a verdict to be told
bool heard_tell(Heard *heard, Bytes *out);                                          // appends those since the last call
bool heard_take(Heard *heard, Text news);                                           // adds what another has told

// ---- from journals

// Every reply in the files NAME.jsonl and NAME-N.jsonl beside `journal`, but for `journal` itself. name NULL: none.
bool heard_journals(const char *journal, const char *name, AnswerTaking *take, void *context);

#endif
