// The options of score, one row each: see train_sft_options.h. IDENTITY: scores depend on it, and an interrupted run
// only goes on with the same value.
#ifndef SCORE_OPTIONS_H
#define SCORE_OPTIONS_H

#include "asking/row_work.h"
#include "difficulty/scoring.h"

#define SCORE_USAGE                                                                                                    \
    "score: difficulty 1 to 5 of every problem, by a language model that rates it, or by\n"                            \
    "how often the model solves it\n"                                                                                  \
    "usage: score --model Qwen3-4B-Instruct-2507 --data all.jsonl --out scored.jsonl\n"                                \
    "       score --endpoint http://host:8000/v1 --model NAME --data all.jsonl --out scored.jsonl\n"                   \
    "       score --model sft --method pass-rate --samples 8 --data all.jsonl --out rated.jsonl\n"                     \
    "Every row of --out is one of --data with difficulty, difficulty_expected,\n"                                      \
    "difficulty_probs (or pass_rate and counts), scorer and scorer_prompt. A run that was interrupted goes on where\n" \
    "it stopped. --config FILE reads lines of name = value, --help=GROUP shows ranges.\n"                              \
    "Exit: 0 done, 1 failed, 2 usage, 75 stopped by a signal: the same command goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define SCORE_OPTIONS(ROW, GROUP) \
    GROUP(AskedOptions, asked, ASKED_ROWS) \
    ROW(data,           list,     "", "",                 rows,     NEUTRAL,  "JSONL files, or folders of them") \
    GROUP(RowReadingOptions, reading, ROW_READING_ROWS) \
    GROUP(PartOptions, part, PART_ROWS) \
    GROUP(ScoringOptions, scoring, SCORING_ROWS) \
    GROUP(ServerOptions, server, SCORE_SERVER_ROWS) \
    ROW(answers,        file,     "", "",                 server,   NEUTRAL,  "file where answers are kept; default: OUT.answers, or the part's") \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    GROUP(RankOptions, ranks, RANK_ROWS) \
    GROUP(WatchOptions, watch, WATCH_ROWS) \
    ROW(context,        integer,  "0", ">= 0",            machine,  IDENTITY, "longest problem and answer, in tokens; 0: the model's, at most 32768") \
    GROUP(SessionSizes, sizes, SESSION_ROWS)
// clang-format on

OPTIONS_DEFINE(ScoreOptions, score_options, SCORE_OPTIONS)

#endif
