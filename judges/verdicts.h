// The replies of judges and graders, kept in a file: each line is complete there before it is used, so that a resumed
// run uses the same verdicts and asks nothing twice. Failures are kept apart from replies: each has its own line, for
// people, which never hides a later verdict.
#ifndef JUDGES_VERDICTS_H
#define JUDGES_VERDICTS_H

#include "server/answer_file.h"

enum { VERDICT_ENDING = 32 };       // bytes of a reply's finish_reason: "stop", "length", ...
extern const char VERDICT_FAILED[]; // stored instead: no reply, and the text says why

typedef struct Verdicts {
    AnswerFile file;
} Verdicts;

bool verdicts_open(Verdicts *verdicts, const char *path);
void verdicts_close(Verdicts *verdicts);

// key: a hash of the whole question, and of who is asked. *there: whether it was asked before; then said and its ending
// are the file's, for the caller to interpret.
bool verdicts_find(Verdicts *verdicts, const uint64_t key[2], bool *there, char ending[VERDICT_ENDING], Bytes *said);
bool verdicts_had_failed(const Verdicts *verdicts, const uint64_t key[2]); // an earlier process failed to get a verdict

// Iterates over all replies, in no order, without failures. *at begins with 0; *there: there was another one.
bool verdicts_next(Verdicts *verdicts, size_t *at, bool *there, Bytes *said);
bool verdicts_add(Verdicts *verdicts, const uint64_t key[2], const char *ending, Text said);

#endif
