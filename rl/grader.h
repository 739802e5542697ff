// An external program as a part of the reward: it reads JSON lines and answers each with one, {"score": 0.5} or {"score": null}. Several of it
// run at once. They are the children of a process that is made before the GPU is touched and does nothing else: it hands out questions,
// and a program that does not answer in time, or ends, is replaced; its question has no score then.
//
// A question: {"id", "source", "problem": the row, "answer": the reference, "prediction": what the response gives as its answer,
// "response"}. Where bubblewrap is there, programs run with the file system read-only, without a network, and see no other process.
#ifndef RL_GRADER_H
#define RL_GRADER_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct GraderOptions {
    const char *command; // for sh -c
    int64_t processes;   // at once
    double seconds;      // for an answer
    const char *sandbox; // "auto": bubblewrap where it works; "bwrap": nothing without it; "none"
    const char *journal; // file of verdicts (verdicts.h)
} GraderOptions;

typedef struct Grader Grader;

// Before the GPU is opened. Fails when the command ends before it is asked anything.
Grader *grader_open(const GraderOptions *options);
void grader_close(Grader *grader);                // NULL is fine
const char *grader_sandbox(const Grader *grader); // for people: "bubblewrap" or "none"

bool grader_ask(Grader *grader, uint64_t tag, Text question); // question: a line of JSON, without its end; copied
bool grader_work(Grader *grader, bool wait);                  // until all are answered, or what can be had now
bool grader_next(Grader *grader, uint64_t *tag, double *score, const char **why); // NaN: none, and why

#ifdef __cplusplus
}
#endif
#endif
