// A language model that says whether an answer is the reference's, where no rule can: a model folder in an engine of its own, or one
// behind an OpenAI-compatible server. The question, and how its answer is read: judge_form.h. A folder's model is asked as
// General-Reasoner's (TIGER-Lab/general-verifier) was trained, "User: ... Assistant:"; with a question of the user's own, by the folder's
// chat template.
//
// What it said is in the journal before it is used, and a run that goes on is told the same. What it did not say (a server that is down,
// hangs or refuses) is no verdict, and is asked again when the question comes again: so a run that goes on from a checkpoint before an
// outage may give other rewards than it did then. The journal keeps a line of each failure for people; it is never read as a verdict.
//
// What was cut off, by max_tokens or a server's filter, is no verdict either: it might have been about to say something else. It was said,
// though, is in the journal with its finish_reason, and is not asked again. An answer without a finish_reason may be half of one, and is
// asked for again, unless the server gives none at all (judge_without_ends): then what it says is taken as whole.
//
//     judge_ask(judge, tag, problem, reference, answer);      // while responses are sampled
//     judge_work(judge, 0);                                   // a little of what can be done beside it
//     judge_work(judge, INFINITY);                            // and all of it
//     while (judge_next(judge, &tag, &score)) ...
#ifndef JUDGES_JUDGE_H
#define JUDGES_JUDGE_H

#include "fit/fit.h"

typedef struct JudgeOptions {
    const char *model;  // a folder; with url: what the server calls it
    const char *url;    // of a server; "": the folder is opened here
    const char *device; // of the folder's engine
    int64_t threads;    // 0: all cores
    int64_t max_tokens; // of what it says
    double patience;    // > 0, seconds of the clock for a question to a server, attempts included (server/endpoint.h)
    const char *prompt; // file of the question, "" or NULL; and patterns of its decision, both or neither: judge_form.h
    const char *yes, *no;
    const char *journal; // file of verdicts (verdicts.h)
} JudgeOptions;

typedef struct Judge Judge;

Judge *judge_open(const JudgeOptions *options); // NULL after fail()
bool judge_needs(ModelNeeds *needs, const Kernels *kernels,
                 const JudgeOptions *options); // memory of a folder's model, for a plan
void judge_close(Judge *judge);                // NULL is fine
uint64_t judge_hash(const Judge *judge);       // of who it is
uint64_t judge_form_of(const Judge *judge);    // a hash of how it is asked and understood

// Asks a server one question and waits for its answer, as long as patience says, so that nothing is begun with a judge that is not there:
// fails with what to do about it. waiting: called when it has not answered in a second or two, with its address and what is wrong so far
// ("": nothing is known). Nothing to a folder.
bool judge_greet(Judge *judge, void (*waiting)(const char *url, const char *trouble));

// The address of a server that answered judge_greet without a finish_reason; NULL: it is another, or none.
const char *judge_without_ends(const Judge *judge);

// Texts are copied. Answers that are the same are asked once.
bool judge_ask(Judge *judge, uint64_t tag, Text problem, Text reference, Text answer);

// Until every question is answered, which ends a round, or as long as this; 0: what can be done without waiting. A server that is down
// is no failure: its questions end without a verdict when patience does. Fails on a signal, when the journal cannot be written, when
// the server does not know us (401, 403), and when there is no hope, since nothing is a verdict: no question that follows would fare
// better.
bool judge_work(Judge *judge, double seconds);
const char *judge_news(Judge *judge);      // that its server is waited for (endpoint_news); NULL: nothing new
int64_t judge_pending(const Judge *judge); // questions that were asked and are not answered

// Of a question that was answered, in any order: 1 equivalent, 0 not, NaN no verdict (and *why, until the next call; or NULL).
bool judge_next(Judge *judge, uint64_t *tag, double *score, const char **why);

uint64_t judge_zeros(const Judge *judge); // bytes that a power cut had left at its journal's end, and that were cut off

#endif
