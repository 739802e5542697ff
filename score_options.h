// The options of score, one row each: see train_sft_options.h. IDENTITY: scores depend on it, and an interrupted run only goes on with the
// same value.
#ifndef SCORE_OPTIONS_H
#define SCORE_OPTIONS_H

#include "fit/fit.h"
#include "options/options.h"
#include "rows/records.h"
#include "tokenizer/template.h"

#define SCORE_USAGE                                                                                                              \
    "score: difficulty 1 to 5 of every problem, by a language model\n"                                                           \
    "usage: score --model Qwen3-4B-Instruct-2507 --data all.jsonl --out scored.jsonl\n"                                          \
    "       score --endpoint http://host:8000/v1 --model NAME --data all.jsonl --out scored.jsonl\n"                             \
    "Every row of --out is one of --data with difficulty, difficulty_expected,\n"                                                \
    "difficulty_probs, scorer and scorer_prompt. A run that was interrupted goes on where\n"                                     \
    "it stopped. --config FILE reads lines of name = value, --help=GROUP shows ranges.\n"                                        \
    "Exit: 0 done, 1 failed, 2 usage, 75 stopped by a signal: the same command goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define SCORE_OPTIONS(ROW, GROUP)                                                                                                       \
    ROW(model,          text,     "", "",                 model,    NEUTRAL,  "Hugging Face folder; with --endpoint its name there") \
    ROW(tokenizer,      folder,   "", "",                 model,    NEUTRAL,  "folder of the tokenizer, if not the model's")             \
    ROW(template,       choice,   "auto", "auto|" TEMPLATE_CHOICES, model, IDENTITY, "chat template")                            \
    ROW(data,           list,     "", "",                 rows,     NEUTRAL,  "JSONL files, or folders of them")                 \
    ROW(map,            repeated, "", "",                 rows,     IDENTITY, "field=name: read this field from another column")  \
    ROW(format,         choice,   "auto", ROW_FORMAT_CHOICES, rows, IDENTITY, "format of rows that could be read in several ways") \
    ROW(out,            file,     "", "",                 rows,     NEUTRAL,  "JSONL file to write")                             \
    ROW(part,           text,     "", "",                 rows,     IDENTITY, "I/N, from 0/N: do every N-th row, into OUT.I-of-N")    \
    ROW(join,           flag,     "false", "",            rows,     NEUTRAL,  "join the parts into OUT, in the order of the rows") \
    ROW(skip_bad_rows,  integer,  "0", ">= 0",            rows,     NEUTRAL,  "bad rows to skip before it is an error")                        \
    ROW(rubric,         file,     "", "",                 asking,   NEUTRAL,  "file of the scoring prompt, with {question} in it")             \
    ROW(print_rubric,   flag,     "false", "",            asking,   NEUTRAL,  "show the rubric, then stop")                      \
    ROW(method,         choice,   "logits", "logits|generate", asking, IDENTITY, "score by the probabilities of the digits, or by a written answer") \
    ROW(samples,        integer,  "1", "> 0 and <= 1024", asking,   IDENTITY, "written answers to each problem")                 \
    ROW(max_new_tokens, integer,  "4096", "> 0",          asking,   IDENTITY, "longest written answer, in tokens")                             \
    ROW(temperature,    number,   "0", ">= 0",            asking,   IDENTITY, "temperature of written answers; 0: greedy")                   \
    ROW(seed,           integer,  "0", ">= 0",            asking,   IDENTITY, "seed of written answers")                              \
    ROW(unusable_share, number,   "0.05", ">= 0 and <= 1", asking, NEUTRAL,  "share of rows that may have no usable score before it is an error") \
    ROW(endpoint,       text,     "", "",                 server,   IDENTITY, "ask this OpenAI-compatible server instead of a folder")       \
    ROW(in_flight,      integer,  "16", "> 0 and <= 1024", server,  NEUTRAL,  "requests in flight at once")                  \
    ROW(attempts,       integer,  "8", "> 0 and <= 1000", server,   NEUTRAL,  "attempts for each request")                               \
    ROW(timeout,        number,   "600", "> 0 and <= 1e6", server,  NEUTRAL,  "seconds for each attempt")                          \
    ROW(answers,        file,     "", "",                 server,   NEUTRAL,  "file where answers are kept; default: OUT.answers, or the part's")    \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    ROW(context,        integer,  "0", ">= 0",            machine,  IDENTITY, "longest problem and answer, in tokens; 0: the model's, at most 32768") \
    ROW(sequences,      integer,  "0", ">= 0 and <= 65536", machine, NEUTRAL, "sequences that run at once; 0: 32 on a CPU, 256 on a GPU")  \
    ROW(pass_tokens,    integer,  "0", ">= 0 and <= 1e6", machine,  NEUTRAL,  "prompt tokens in one forward pass; 0: 512 on a CPU, 8192 on a GPU")  \
    ROW(cache,          integer,  "0", ">= 0",            machine,  NEUTRAL,  "bytes for keys and values (KV cache); 0: what is free")
// clang-format on

OPTIONS_DEFINE(ScoreOptions, score_options, SCORE_OPTIONS)

#endif
