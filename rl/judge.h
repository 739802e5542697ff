// A language model that says whether an answer is the reference's, where no rule can: a model folder in an engine of its own, or one
// behind an OpenAI-compatible server. The question, and how its answer is read, are General-Reasoner's (Ma et al. 2025; the model that
// they trained for it is TIGER-Lab/general-verifier).
//
//     judge_ask(judge, tag, problem, reference, answer);      // while responses are sampled
//     judge_work(judge, false);                               // a little of what can be done beside it
//     judge_work(judge, true);                                // and all of it
//     while (judge_next(judge, &tag, &score)) ...
#ifndef RL_JUDGE_H
#define RL_JUDGE_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct JudgeOptions {
    const char *model;   // a folder; with url: what the server calls it
    const char *url;     // of a server; "": the folder is opened here
    const char *device;  // of the folder's engine
    int64_t threads;     // 0: all cores
    int64_t max_tokens;  // of what it says
    double patience;     // seconds for which a server that does not answer is asked again
    const char *journal; // file of verdicts (verdicts.h)
} JudgeOptions;

typedef struct Judge Judge;

Judge *judge_open(const JudgeOptions *options); // NULL after fail()
void judge_close(Judge *judge);                 // NULL is fine
uint64_t judge_hash(const Judge *judge);        // of who it is

// Texts are copied. Answers that are the same are asked once.
bool judge_ask(Judge *judge, uint64_t tag, Text problem, Text reference, Text answer);

// Until every question is answered, or only what can be done without waiting. A server that is down is no failure: its questions end
// without a verdict when patience does. Fails on a signal, and when the journal cannot be written.
bool judge_work(Judge *judge, bool wait);

// Of a question that was answered, in any order: 1 equivalent, 0 not, NaN no verdict (and *why, until the next call; or NULL).
bool judge_next(Judge *judge, uint64_t *tag, double *score, const char **why);

double judge_score(Text said); // its last "Final Decision: Yes" or "No"; NaN: neither

#ifdef __cplusplus
}
#endif
#endif
