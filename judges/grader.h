// An external program as a part of the reward: it reads JSON lines and answers each with one. Several processes run at
// once. Their parent is a process that is created before the GPU is opened and does nothing else: it distributes
// questions and replaces a program that does not answer in time, ends, or prints anything but answers; the question
// then has no score.
//
// A question, in one line, and its answer:
//
//     {"question": "5e1b...", "id", "source", "problem": the row, "answer": the reference, "prediction": the answer
//      found in the response, "response"}
//     {"question": "5e1b...", "score": 0.5}          // or true, false, or null: no score. More fields are welcome
//
// "question" must come back. It is a hash of the command, its scripts and the whole question (grader.jsonl's "key"), so
// that a line with it was computed for these very texts: whatever a program prints, and whenever, no response gets a
// score that was computed for another one, and no response can print its own score, since it cannot know the hash.
// Anything else on standard output (a banner, a warning, an answer without its question) is a mistake: before the first
// score it ends the run, later it costs a question and a process. Standard error is free.
//
// A score is a number from -1e6 to 1e6; true is 1 and false is 0. Scores and nulls are kept in the journal; failures
// are noted there, and asked again by a resumed run. A program that never gives a number, or none any more, ends the
// run. Only its current output counts as a sign of life: not the journal, nor a repeated failure of a question that had
// failed before this process began. Where bubblewrap is installed, programs run with the file system read-only, /tmp,
// /var/tmp and /run empty except for the working folder, without network and capabilities (even for root), without
// environment variables that end in KEY, TOKEN, SECRET, PASSWORD or CREDENTIALS, and see no other process. They can
// read what the user can read, write to sockets and pipes of the file system elsewhere that the user can write to, and
// use as much memory as the user. They end with the trainer or the pool.
#ifndef JUDGES_GRADER_H
#define JUDGES_GRADER_H

#include "base/base.h"

typedef struct GraderOptions {
    const char *command;  // for sh -c
    int64_t processes;    // running at once
    double seconds;       // for an answer
    double start_seconds; // from a process's start; until then its first answer is not timed: it may be loading
    const char *sandbox;  // "auto": bubblewrap where it works; "bwrap": fail without it; "none"
    const char *journal;  // file of verdicts (verdicts.h)
    const char *others;   // name of other processes' journals beside it, as heard_journals takes it; NULL: none
    bool telling;         // other processes are told of new verdicts: grader_tell
} GraderOptions;

typedef struct Grader Grader;

// Call before the GPU is opened. Fails when the command ends, or prints something, before its first question.
Grader *grader_open(const GraderOptions *options);
void grader_close(Grader *grader);                // NULL is fine
const char *grader_sandbox(const Grader *grader); // for people: "bubblewrap" or "none"

// Asks one question and waits for its answer, so that a program that does not work is noticed at the start; a score or
// null passes. It is kept nowhere. Call before any other question.
bool grader_greet(Grader *grader, Text question);

// question: a line with a JSON object, without "question" and newline; copied. Equal questions are asked once.
bool grader_ask(Grader *grader, uint64_t tag, Text question);

// Works until every question is answered, or for `seconds`; 0: only what needs no waiting. Otherwise having answered
// all ends a round. Fails on a signal, and when it gives up: after many questions and two rounds without a number.
bool grader_work(Grader *grader, double seconds);
int64_t grader_pending(const Grader *grader);
bool grader_next(Grader *grader, uint64_t *tag, double *score, const char **why); // NaN: none, see why

// Appends the verdicts since the last call, for grader_hear of the other processes: they do not ask for them again.
bool grader_tell(Grader *grader, Bytes *out);
bool grader_hear(Grader *grader, Text told);

uint64_t grader_zeros(const Grader *grader); // zeros cut off its journal's end, which a power cut had left

#endif
