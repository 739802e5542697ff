// A judge for protocols that have one: those of mathematics, whose scripts ask GPT-4o whether the answer that was found
// equals the reference, by the question in equality.txt (simple-evals', EQUALITY_TEMPLATE), to which "yes" alone is a
// yes. Without --judge-model their verdict is the rules' (answers/verify.h). The judge itself, its question and its
// journal: judges/judge.h.
#ifndef BENCHMARKS_JUDGING_H
#define BENCHMARKS_JUDGING_H

#include "judges/judge.h"
#include "options/options.h"

#define JUDGE_FORMS "simple-evals|general-verifier"

// clang-format off
#define JUDGING_ROWS(ROW, IN) \
    ROW(IN, judge_model,    text,    "",     "",               judge, NEUTRAL, "model that compares answers where a task's score is by answer: a folder, or its name at --judge-endpoint") \
    ROW(IN, judge_endpoint, text,    "",     "",               judge, NEUTRAL, "OpenAI-compatible server that runs the judge") \
    ROW(IN, judge_tokens,   integer, "2048", "> 0 and <= 1e6", judge, NEUTRAL, "longest judgement, in tokens") \
    ROW(IN, judge_form,     choice,  "simple-evals", JUDGE_FORMS, judge, NEUTRAL, "its question and decision: the protocol's, or what General-Reasoner's verifier was trained on") \
    ROW(IN, judge_prompt,   file,    "",     "",               judge, NEUTRAL, "file of another question, with {question}, {reference} and {answer}") \
    ROW(IN, judge_yes,      text,    "",     "",               judge, NEUTRAL, "PCRE2 pattern that means yes; the last match counts; default: the form's") \
    ROW(IN, judge_no,       text,    "",     "",               judge, NEUTRAL, "PCRE2 pattern that means no, given with --judge-yes; ^ for everything else") \
    ROW(IN, judge_patience, number,  "900",  "> 0",            judge, NEUTRAL, "seconds for a question to the judge's server, all attempts together")
// clang-format on
OPTION_GROUP(JudgingOptions, JUDGING_ROWS)

// Refuses options of a judge, or of its server, that is not there.
bool judging_check(const JudgingOptions *o, const Options *options);

typedef struct JudgingQuestion {
    const char *text;     // with {reference} and {answer}
    const char *yes, *no; // patterns of the decision
} JudgingQuestion;

const JudgingQuestion *judging_protocol(void);           // simple-evals'
const char *judging_form(const JudgingOptions *options); // whose question it is, or the file of another one

// Opens the judge, with its journal in folder/judge.jsonl: what it has said once is not asked again, and a server that
// has nothing to be asked need not be there. *judge is NULL where none is wanted.
bool judging_open(Judge **judge, const JudgingOptions *options, const MachineOptions *machine, const char *folder);

#endif
