// An external program as a part of the reward: it reads JSON lines and answers each with one. Several of it run at once. They are the
// children of a process that is made before the GPU is touched and does nothing else: it hands out questions, and a program that does not
// answer in time, ends, or prints anything but answers is replaced; its question has no score then.
//
// A question, in one line, and its answer:
//
//     {"question": "5e1b...", "id", "source", "problem": the row, "answer": the reference, "prediction": what the response gives as its
//      answer, "response"}
//     {"question": "5e1b...", "score": 0.5}          // or true, false, or null: no score. More fields are welcome
//
// "question" has to come back. It is a hash of the command, its scripts and all that is asked (grader.jsonl's "key"), so that a line
// that has it was made for these very texts: whatever a program prints, and whenever, no response gets a score that was computed for
// another one, and none can write its own, since it cannot know its name. Anything else on standard output (a banner, a warning, an answer
// without its question) is a mistake: before the first score it ends the run, later it costs a question and a process. Standard error is
// free.
//
// A score is a number from -1e6 to 1e6; true is 1 and false is 0. Scores and nulls are kept in the journal; what failed is noted there, and
// asked again by a run that goes on. A program that never gives a number, or none any more, ends the run. What shows that it is alive or
// dead is what it says now: neither what the journal knows, nor what fails again that had failed before this process began.
// Where bubblewrap is there, programs run with the file system read-only, /tmp, /var/tmp and /run empty but for the working folder, without a
// network, without root's or anybody's capabilities, without the environment's variables that end in KEY, TOKEN, SECRET, PASSWORD or
// CREDENTIALS, and see no other process. What they may read, they can read; a socket or a pipe of the file system that lies elsewhere and
// that the user may write to, they can write to; they may use as much memory as the user. With the trainer or the pool they end.
#ifndef JUDGES_GRADER_H
#define JUDGES_GRADER_H

#include "base/base.h"

typedef struct GraderOptions {
    const char *command;  // for sh -c
    int64_t processes;    // at once
    double seconds;       // for an answer
    double start_seconds; // from a process's start; until then its first answer's seconds do not count: it has things to load
    const char *sandbox;  // "auto": bubblewrap where it works; "bwrap": nothing without it; "none"
    const char *journal;  // file of verdicts (verdicts.h)
} GraderOptions;

typedef struct Grader Grader;

// Before the GPU is opened. Fails when the command ends, or says something, before it is asked anything.
Grader *grader_open(const GraderOptions *options);
void grader_close(Grader *grader);                // NULL is fine
const char *grader_sandbox(const Grader *grader); // for people: "bubblewrap" or "none"

// Asks one question and waits for its answer, so that nothing is begun with a program that does not work; a score or null will
// do. It is kept nowhere. Before any other.
bool grader_greet(Grader *grader, Text question);

// question: a line with an object of JSON, without "question" and without its end; copied. Those that are the same are asked once.
bool grader_ask(Grader *grader, uint64_t tag, Text question);

// Until all are answered, or what can be had now. Fails on a signal, and when there is no hope: nothing is a score.

// As long as there are questions and no longer than this; 0: what can be done without waiting, else having answered all is the end of a
// round: two without a number are many.
bool grader_work(Grader *grader, double seconds);
int64_t grader_pending(const Grader *grader);
bool grader_next(Grader *grader, uint64_t *tag, double *score, const char **why); // NaN: none, and why

uint64_t grader_zeros(const Grader *grader); // bytes that a power cut had left at its journal's end, and that were cut off

#endif
