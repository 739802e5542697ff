// Who says what a reward is besides rules: a judge and a grader, by the options of train_rl.
#ifndef JUDGES_REFEREES_H
#define JUDGES_REFEREES_H

#include "judges/grader.h"
#include "judges/judge.h"
#include "options/options.h"

#define JUDGE_ASKS "unknown|unreadable|unequal"

// clang-format off
#define REFEREE_ROWS(ROW, IN)                                                                                                    \
    ROW(IN, judge_model,          text,    "",        "",                reward, NEUTRAL,  "folder of a model that compares answers; with --endpoint its name there") \
    ROW(IN, endpoint,             text,    "",        "",                reward, NEUTRAL,  "OpenAI-compatible server that has the judge") \
    ROW(IN, judge_asks,           choice,  "unknown", JUDGE_ASKS,        reward, IDENTITY, "which answers it is asked about: those of which no rule knows, those whose reference no rule can compare, or all that are not equal by rule") \
    ROW(IN, judge_tokens,         integer, "2048",    "> 0 and <= 1e6",  reward, IDENTITY, "of what it says")                      \
    ROW(IN, judge_prompt,         file,    "",        "",                reward, NEUTRAL,  "its question: a text with {question}, {reference} and {answer}; else General-Reasoner's") \
    ROW(IN, judge_yes,            text,    "",        "",                reward, IDENTITY, "pattern that means yes in what it says; else that of \"Final Decision: Yes\"; the last decision counts") \
    ROW(IN, judge_no,             text,    "",        "",                reward, IDENTITY, "and what means no: give both; ^ for whatever is no yes") \
    ROW(IN, judge_patience,       number,  "900",     "> 0",             reward, NEUTRAL,  "seconds for a question to a server, all attempts together; then there is no reward") \
    ROW(IN, grader,               text,    "",        "",                reward, IDENTITY, "command that answers each JSON line: {\"question\": its own, \"score\": x}") \
    ROW(IN, grader_processes,     integer, "4",       "> 0 and <= 1024", reward, NEUTRAL,  "of it at once")                        \
    ROW(IN, grader_seconds,       number,  "30",      "> 0",             reward, NEUTRAL,  "for an answer")                        \
    ROW(IN, grader_start_seconds, number,  "120",     ">= 0",            reward, NEUTRAL,  "for a process to start, before its first answer's seconds") \
    ROW(IN, grader_sandbox,       choice,  "auto",    "auto|bwrap|none", reward, NEUTRAL,  "bubblewrap around it")
// clang-format on
OPTION_GROUP(RefereeOptions, REFEREE_ROWS)

typedef struct Referees {
    Judge *judge;   // NULL: there is none
    Grader *grader; // NULL: there is none
} Referees;

// Refuses options of a judge or grader where there is none, and opens those that there are, with their journals in `out`; a judge's server
// has to answer one question. The grader's processes are made before a judge's folder touches the GPU. Nothing is opened for a plan.
bool referees_open(Referees *referees, const RefereeOptions *options, const Options *given, const MachineOptions *machine,
                   const char *out);
void referees_close(Referees *referees);

JudgeOptions referees_judge(const RefereeOptions *options, const MachineOptions *machine, const char *journal);
uint64_t referees_zeros(const Referees *referees); // bytes that a power cut had left at the ends of their journals

#endif
