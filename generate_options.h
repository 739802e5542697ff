// The options of generate, one row each: see train_sft_options.h. IDENTITY: answers depend on it, and an interrupted run only goes on
// with the same value.
#ifndef GENERATE_OPTIONS_H
#define GENERATE_OPTIONS_H

#include "model/fit.h"
#include "options/options.h"
#include "rows/records.h"
#include "tokenizer/template.h"

#define GENERATE_USAGE                                                                                                           \
    "generate: responses of a model to rows of prompts, or a talk in the terminal\n"                                             \
    "usage: generate --model Qwen3-4B --prompts data/sft/prompts.jsonl --out taught.jsonl\n"                                     \
    "       generate --endpoint http://host:8000/v1 --model NAME --prompts ... --out ...\n"                                      \
    "       generate --model Qwen3-4B --chat\n"                                                                                  \
    "Every row of --out is one of --prompts with what was generated; a run that was\n"                                           \
    "interrupted goes on where it stopped. --config FILE reads lines of name = value,\n"                                         \
    "--help=GROUP shows ranges. Exit: 0 done, 1 failed, 2 usage, 75 stopped by a signal:\n"                                      \
    "the same command goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define GENERATE_OPTIONS(ROW, GROUP)                                                                                                    \
    ROW(model,          text,     "", "",                 model,    NEUTRAL,  "Hugging Face folder; with --endpoint its name there") \
    ROW(tokenizer,      folder,   "", "",                 model,    NEUTRAL,  "tokenizer files, if not the model's")             \
    ROW(template,       choice,   "auto", "auto|" TEMPLATE_CHOICES, model, IDENTITY, "chat template")                            \
    ROW(prompts,        list,     "", "",                 rows,     NEUTRAL,  "JSONL files, or folders of them")                 \
    ROW(map,            repeated, "", "",                 rows,     IDENTITY, "field=name: the rows call this field otherwise")  \
    ROW(format,         choice,   "auto", ROW_FORMAT_CHOICES, rows, IDENTITY, "what rows are that could be several") \
    ROW(out,            file,     "", "",                 rows,     NEUTRAL,  "JSONL file to write")                             \
    ROW(instruction,    text,     INSTRUCTION_DEFAULT, "", rows,    IDENTITY, "ends the user turn of problem rows, or none")     \
    ROW(part,           text,     "", "",                 rows,     IDENTITY, "I/N, from 0/N: every N-th row, to OUT.I-of-N")    \
    ROW(join,           flag,     "false", "",            rows,     NEUTRAL,  "put these parts together, in the order of the rows") \
    ROW(skip_bad_rows,  integer,  "0", ">= 0",            rows,     NEUTRAL,  "rows that may be refused")                        \
    ROW(samples,        integer,  "1", "> 0 and <= 65536", sampling, IDENTITY, "responses to each prompt")                       \
    ROW(max_new_tokens, integer,  "8192", "> 0",          sampling, IDENTITY, "of a response")                                   \
    ROW(temperature,    number,   "1", ">= 0",            sampling, IDENTITY, "0: greedy")                                       \
    ROW(top_k,          integer,  "0", ">= 0 and <= 1e9", sampling, IDENTITY, "only the k likeliest tokens; 0: all")             \
    ROW(top_p,          number,   "1", "> 0 and <= 1",    sampling, IDENTITY, "only the likeliest of this much probability")     \
    ROW(min_p,          number,   "0", ">= 0 and < 1",    sampling, IDENTITY, "only tokens this likely beside the likeliest")    \
    ROW(seed,           integer,  "0", ">= 0",            sampling, IDENTITY, "with a row's id, all that draws depend on")       \
    ROW(stop,           repeated, "", "",                 sampling, IDENTITY, "a text that ends a response")                     \
    ROW(ignore_eos,     flag,     "false", "",            sampling, IDENTITY, "end tokens end nothing")                          \
    ROW(endpoint,       text,     "", "",                 server,   NEUTRAL,  "ask this OpenAI-compatible server instead")       \
    ROW(in_flight,      integer,  "16", "> 0 and <= 1024", server,  NEUTRAL,  "prompts on their way at once")                    \
    ROW(attempts,       integer,  "8", "> 0 and <= 1000", server,   NEUTRAL,  "for each of them")                                \
    ROW(timeout,        number,   "3600", "> 0 and <= 1e6", server, NEUTRAL,  "seconds, of an attempt")                          \
    ROW(chat,           flag,     "false", "",            chat,     NEUTRAL,  "talk in the terminal instead")                    \
    ROW(system,         text,     "", "",                 chat,     NEUTRAL,  "begins the talk with this system turn")           \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    ROW(context,        integer,  "0", ">= 0",            machine,  IDENTITY, "longest prompt and response; 0: the model's, at most 32768") \
    ROW(sequences,      integer,  "0", ">= 0 and <= 65536", machine, NEUTRAL, "that run at once; 0: 32 on a CPU, 256 on a GPU")  \
    ROW(pass_tokens,    integer,  "0", ">= 0 and <= 1e6", machine,  NEUTRAL,  "of prompts, worked on at once; 0: 512 or 8192")   \
    ROW(cache,          integer,  "0", ">= 0",            machine,  NEUTRAL,  "bytes for keys and values; 0: what is free")
// clang-format on

OPTIONS_DEFINE(GenerateOptions, generate_options, GENERATE_OPTIONS)

#endif
