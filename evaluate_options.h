// The options of evaluate, one row each: see train_sft_options.h. IDENTITY: responses depend on it, and an interrupted
// run only goes on with the same value.
#ifndef EVALUATE_OPTIONS_H
#define EVALUATE_OPTIONS_H

#include "benchmarks/bench.h"
#include "benchmarks/judging.h"

#define EVALUATE_USAGE                                                                                                 \
    "evaluate: a model on benchmarks, by their own protocols and strictly\n"                                           \
    "usage: evaluate --model run/model --tasks gsm8k mmlu_pro\n"                                                       \
    "                --data gsm8k=test.jsonl --data mmlu_pro=test.jsonl --out OUT\n"                                   \
    "       evaluate --endpoint http://host:8000/v1 --model NAME --tasks ... --out OUT\n"                              \
    "       evaluate --responses FILE --tasks ... --out OUT\n"                                                         \
    "       evaluate --compare OUT1 OUT2\n"                                                                            \
    "OUT gets summary.json, TASK.jsonl (every response with its verdicts) and\n"                                       \
    "page.html, to read them. The benchmarks' data are yours: --list says which.\n"                                    \
    "Exit: 0 done, 1 failed, 2 usage, 75 stopped by a signal: the same command\n"                                      \
    "goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define EVALUATE_OPTIONS(ROW, GROUP) \
    GROUP(AskedOptions, asked, ASKED_ROWS) \
    GROUP(BenchmarkOptions, benchmarks, BENCHMARK_ROWS) \
    ROW(skip_bad_rows,  integer,  "0", ">= 0",        tasks,    NEUTRAL,  "questions that may be refused, by a server or as too long, before it is an error") \
    ROW(list,           flag,     "false", "",        tasks,    NEUTRAL,  "show the tasks and the data they need, then stop") \
    ROW(show,           text,     "", "",             tasks,    NEUTRAL,  "show a task's text, then stop") \
    ROW(prompts,        flag,     "false", "",        output,   NEUTRAL,  "write OUT/prompts.jsonl, then stop: somebody else answers") \
    ROW(responses,      file,     "", "",             output,   NEUTRAL,  "score these responses instead of asking a model") \
    ROW(compare,        list,     "", "",             output,   NEUTRAL,  "show finished runs side by side, then stop") \
    GROUP(JudgingOptions, judging, JUDGING_ROWS) \
    GROUP(ServerOptions, server, GENERATE_SERVER_ROWS) \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    GROUP(RankOptions, ranks, RANK_ROWS) \
    GROUP(WatchOptions, watch, WATCH_ROWS) \
    ROW(context,        integer,  "0", ">= 0",        machine,  IDENTITY, "longest prompt and response, in tokens; 0: the model's, at most 32768") \
    GROUP(SessionSizes, sizes, SESSION_ROWS)
// clang-format on

OPTIONS_DEFINE(EvaluateOptions, evaluate_options, EVALUATE_OPTIONS)

#endif
