// What judges and graders said, kept in a file: each line is whole there before it is used, so that a run that was killed and goes on uses
// the same verdicts and asks nobody twice. That nothing could be had is kept apart from what was said: it has a line of its own, for
// people, which never stands in the way of a verdict that comes later.
#ifndef JUDGES_VERDICTS_H
#define JUDGES_VERDICTS_H

#include "server/answer_file.h"

enum { VERDICT_ENDING = 32 };       // bytes of how what was said ended: "stop", "length", ...
extern const char VERDICT_FAILED[]; // in its place: nothing was said, and the text is why

typedef struct Verdicts {
    AnswerFile file;
} Verdicts;

bool verdicts_open(Verdicts *verdicts, const char *path);
void verdicts_close(Verdicts *verdicts);

// key: a hash of all that was asked, and of whom. *there: whether it was asked before; said and its ending are what the file has, and
// what they mean is the caller's to say.
bool verdicts_find(Verdicts *verdicts, const uint64_t key[2], bool *there, char ending[VERDICT_ENDING], Bytes *said);
bool verdicts_had_failed(const Verdicts *verdicts, const uint64_t key[2]); // it could not be had by an earlier process

// One after the other, in no order: what was said, without what could not be had. *at begins with 0; *there: there was another one.
bool verdicts_next(Verdicts *verdicts, size_t *at, bool *there, Bytes *said);
bool verdicts_add(Verdicts *verdicts, const uint64_t key[2], const char *ending, Text said);

#endif
