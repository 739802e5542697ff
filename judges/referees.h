// The sources of rewards besides rules: a judge and a grader, by the options of train_rl.
#ifndef JUDGES_REFEREES_H
#define JUDGES_REFEREES_H

#include "judges/grader.h"
#include "judges/judge.h"
#include "log/log.h"
#include "options/options.h"
#include "ranks/communicator.h"

#define JUDGE_ASKS "unknown|unreadable|unequal|all"
typedef enum JudgeAsks {
    JUDGE_ASKS_UNKNOWN,    // where rules cannot decide whether the two answers are equal
    JUDGE_ASKS_UNREADABLE, // where they cannot compare anything with the reference
    JUDGE_ASKS_UNEQUAL,    // whenever they do not call them equal
    JUDGE_ASKS_ALL         // whatever they say: the judge alone decides, and the log says how often they disagree
} JudgeAsks;

// clang-format off
#define JUDGE_ROWS(ROW, IN) \
    ROW(IN, judge_model,          text,    "",        "",                reward, NEUTRAL,  "folder of a model that compares answers, or its name at --endpoint") \
    ROW(IN, endpoint,             text,    "",        "",                reward, NEUTRAL,  "OpenAI-compatible server that runs the judge") \
    ROW(IN, judge_asks,           choice,  "unknown", JUDGE_ASKS,        reward, IDENTITY, "answers to ask the judge about: those that no rule can decide, those whose reference no rule can read, all that are not equal by rule, or all") \
    ROW(IN, judge_tokens,         integer, "2048",    "> 0 and <= 1e6",  reward, IDENTITY, "longest judgement, in tokens") \
    ROW(IN, judge_prompt,         file,    "",        "",                reward, NEUTRAL,  "file of the judge's question, with {question}, {reference} and {answer}; default: General-Reasoner's") \
    ROW(IN, judge_yes,            text,    "",        "",                reward, IDENTITY, "PCRE2 pattern that means yes; default: \"Final Decision: Yes\"; the last match counts") \
    ROW(IN, judge_no,             text,    "",        "",                reward, IDENTITY, "PCRE2 pattern that means no, given with --judge-yes; ^ for everything else") \
    ROW(IN, judge_patience,       number,  "900",     "> 0",             reward, NEUTRAL,  "seconds for a question to the judge's server, all attempts together; then no reward")
#define GRADER_ROWS(ROW, IN) \
    ROW(IN, grader,               text,    "",        "",                reward, IDENTITY, "command that answers each JSON line with {\"question\": the line's, \"score\": x}") \
    ROW(IN, grader_processes,     integer, "4",       "> 0 and <= 1024", reward, NEUTRAL,  "grader processes to run at once") \
    ROW(IN, grader_seconds,       number,  "30",      "> 0",             reward, NEUTRAL,  "longest wait for a grader's answer, in seconds") \
    ROW(IN, grader_start_seconds, number,  "120",     ">= 0",            reward, NEUTRAL,  "seconds a grader may take to start, before its first answer is timed") \
    ROW(IN, grader_sandbox,       choice,  "auto",    "auto|bwrap|none", reward, NEUTRAL,  "sandbox around the grader (bubblewrap)")
#define REFEREE_ROWS(ROW, IN) JUDGE_ROWS(ROW, IN) GRADER_ROWS(ROW, IN)
// clang-format on
OPTION_GROUP(RefereeOptions, REFEREE_ROWS)

typedef struct Referees {
    Judge *judge;   // NULL: none
    JudgeAsks asks; // which answers it is asked about
    Grader *grader; // NULL: none
} Referees;

// Refuses options of an absent judge or grader, and opens those that are given, with their journals in `out`; a judge's
// server must answer one question. The grader's processes are created before a judge's folder opens the GPU. Nothing is
// opened for a plan. On several ranks each has its own, whose journals are judge-RANK.jsonl and grader-RANK.jsonl but
// for rank 0's; all read all journals.
bool referees_open(Referees *referees, const RefereeOptions *options, const Options *given,
                   const MachineOptions *machine, const char *out, const Communicator *ranks);
void referees_close(Referees *referees);

// A verdict on the question with this tag.
typedef struct RefereeVerdict {
    bool by_judge; // else by the grader
    uint64_t tag;
    double score;    // NaN: none
    const char *why; // why there is none, until the next call; NULL: unknown
} RefereeVerdict;

bool referees_work(const Referees *referees, double seconds); // judge_work and grader_work
bool referees_next(const Referees *referees,
                   RefereeVerdict *verdict);        // judge_next, then grader_next; false: no more for now
int64_t referees_pending(const Referees *referees); // questions without a verdict so far

// Between ranks: the verdicts since the last call, and those that another rank has told.
bool referees_tell(const Referees *referees, Bytes *out);
bool referees_hear(const Referees *referees, Text told);

JudgeOptions referees_judge(const RefereeOptions *options, const MachineOptions *machine, const char *journal);
// Notes: zeros that a power cut had left at the ends of their journals; how graders run.
void referees_announce(const Referees *referees, const RefereeOptions *options, RunLog *log);

#endif
