// A language model that decides whether an answer equals the reference, where no rule can: a model folder in its own
// engine, or a model behind an OpenAI-compatible server. The question, and how its reply is read: judge_form.h. A
// folder's model is asked in the form that General-Reasoner's (TIGER-Lab/general-verifier) was trained on, "User: ...
// Assistant:"; with a question of the user's own, by the folder's chat template.
//
// Its replies are in the journal before they are used, and a resumed run gets the same ones. A missing reply (a server
// that is down, hangs or refuses) is no verdict, and is asked for again when the question comes again: so a run resumed
// from a checkpoint before an outage may give other rewards than it did then. The journal keeps a line for each failure
// for people; it is never read as a verdict.
//
// A reply that was cut off, by max_tokens or a server's filter, is no verdict either: it might have continued
// differently. But it is a reply: it is in the journal with its finish_reason, and is not asked for again. A reply
// without finish_reason may be incomplete and is asked for again, unless the server never gives one
// (judge_without_ends): then it is trusted.
//
//     judge_ask(judge, tag, problem, reference, answer);      // while responses are sampled
//     judge_work(judge, 0);                                   // whatever needs no waiting
//     judge_work(judge, INFINITY);                            // until all are answered
//     while (judge_next(judge, &tag, &score)) ...
#ifndef JUDGES_JUDGE_H
#define JUDGES_JUDGE_H

#include "fit/fit.h"

typedef struct JudgeOptions {
    const char *model;    // a folder; with url: its name on the server
    const char *url;      // of a server; "": open the folder here
    const char *device;   // of the folder's engine
    int64_t threads;      // 0: all cores
    int64_t max_tokens;   // the longest reply
    double patience;      // > 0, seconds for a question to a server, attempts included (server/endpoint.h)
    const char *question; // with its places; NULL: General-Reasoner's
    const char *prompt; // file of another one, "" or NULL; and patterns of its decision, both or neither: judge_form.h
    const char *yes, *no;
    const char *journal;    // file of verdicts (verdicts.h)
    const char *others;     // name of other processes' journals beside it, as heard_journals takes it; NULL: none
    bool telling;           // other processes are told of new verdicts: judge_tell
    const char *url_option; // as errors call it; NULL: --endpoint
    // The server is greeted (judge_greet) by the first question that has no verdict yet, if there is one; NULL: not so.
    void (*waiting)(const char *url, const char *trouble);
} JudgeOptions;

typedef struct Judge Judge;

Judge *judge_open(const JudgeOptions *options); // NULL after fail()
bool judge_needs(ModelNeeds *needs, const Kernels *kernels,
                 const JudgeOptions *options); // the memory of a folder's model, for a plan
void judge_close(Judge *judge);                // NULL is fine
uint64_t judge_hash(const Judge *judge);       // identifies the model
uint64_t judge_form_of(const Judge *judge);    // a hash of question and patterns

// Asks a server one question and waits for its reply, up to the patience, so that a judge that is absent is noticed at
// the start: fails with a remedy. waiting: called when there is no reply within a second or two, with its address and
// what is wrong so far ("": unknown). Does nothing for a folder.
bool judge_greet(Judge *judge, void (*waiting)(const char *url, const char *trouble)); // waiting NULL: silent

// The address of a server that answered judge_greet without a finish_reason; NULL: it gave one, or there is no server.
const char *judge_without_ends(const Judge *judge);

// Copies the texts. Equal questions are asked once.
bool judge_ask(Judge *judge, uint64_t tag, Text problem, Text reference, Text answer);

// Works until every question is answered, which ends a round, or for `seconds`; 0: only what needs no waiting. A server
// that is down is no failure: its questions end without a verdict when their patience does. Fails on a signal, when the
// journal cannot be written, when the server rejects the key (401, 403), and when it gives up because no reply is a
// verdict: further questions would fare no better.
bool judge_work(Judge *judge, double seconds);
const char *judge_news(Judge *judge);      // that its server is waited for (endpoint_news); NULL: none
int64_t judge_pending(const Judge *judge); // questions asked and not answered yet

// Returns the next answered question, in any order: 1 equivalent, 0 not, NaN no verdict (and *why, until the next call;
// or NULL).
bool judge_next(Judge *judge, uint64_t *tag, double *score, const char **why);

// Appends the verdicts since the last call, for judge_hear of the other processes: they do not ask for them again.
bool judge_tell(Judge *judge, Bytes *out);
bool judge_hear(Judge *judge, Text told);

uint64_t judge_zeros(const Judge *judge); // zeros cut off its journal's end, which a power cut had left

#endif
