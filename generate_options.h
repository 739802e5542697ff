// The options of generate, one row each: see train_sft_options.h. IDENTITY: answers depend on it, and an interrupted run only goes on
// with the same value.
#ifndef GENERATE_OPTIONS_H
#define GENERATE_OPTIONS_H

#include "fit/fit.h"
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
    ROW(tokenizer,      folder,   "", "",                 model,    NEUTRAL,  "folder of the tokenizer, if not the model's")             \
    ROW(template,       choice,   "auto", "auto|" TEMPLATE_CHOICES, model, IDENTITY, "chat template")                            \
    ROW(prompts,        list,     "", "",                 rows,     NEUTRAL,  "JSONL files, or folders of them")                 \
    ROW(map,            repeated, "", "",                 rows,     IDENTITY, "field=name: read this field from another column")  \
    ROW(format,         choice,   "auto", ROW_FORMAT_CHOICES, rows, IDENTITY, "format of rows that could be read in several ways") \
    ROW(out,            file,     "", "",                 rows,     NEUTRAL,  "JSONL file to write")                             \
    ROW(instruction,    text,     INSTRUCTION_DEFAULT, "", rows,    IDENTITY, "text that ends the user turn of a problem, or none")     \
    ROW(system,         text,     "", "",                 rows,     IDENTITY, "system turn of rows that have none, or of the chat") \
    ROW(part,           text,     "", "",                 rows,     IDENTITY, "I/N, from 0/N: do every N-th row, into OUT.I-of-N")    \
    ROW(join,           flag,     "false", "",            rows,     NEUTRAL,  "join the parts into OUT, in the order of the rows") \
    ROW(skip_bad_rows,  integer,  "0", ">= 0",            rows,     NEUTRAL,  "bad rows to skip before it is an error")                        \
    ROW(samples,        integer,  "1", "> 0 and <= 65536", sampling, IDENTITY, "responses to each prompt")                       \
    ROW(max_new_tokens, integer,  "8192", "> 0",          sampling, IDENTITY, "longest response, in tokens")                                   \
    ROW(temperature,    number,   "1", ">= 0",            sampling, IDENTITY, "sampling temperature; 0: greedy")                                       \
    ROW(top_k,          integer,  "0", ">= 0 and <= 1e9", sampling, IDENTITY, "keep the k likeliest tokens; 0: all")             \
    ROW(top_p,          number,   "1", "> 0 and <= 1",    sampling, IDENTITY, "keep the likeliest tokens up to this probability")     \
    ROW(min_p,          number,   "0", ">= 0 and < 1",    sampling, IDENTITY, "drop tokens below this share of the likeliest one's probability")    \
    ROW(seed,           integer,  "0", ">= 0",            sampling, IDENTITY, "seed of the draws; with a row's id it is all they depend on")       \
    ROW(stop,           repeated, "", "",                 sampling, IDENTITY, "text that ends a response")                     \
    ROW(ignore_eos,     flag,     "false", "",            sampling, IDENTITY, "go on after end tokens")                          \
    ROW(endpoint,       text,     "", "",                 server,   NEUTRAL,  "ask this OpenAI-compatible server instead of a folder")       \
    ROW(in_flight,      integer,  "16", "> 0 and <= 1024", server,  NEUTRAL,  "requests in flight at once")                    \
    ROW(attempts,       integer,  "8", "> 0 and <= 1000", server,   NEUTRAL,  "attempts for each request")                                \
    ROW(timeout,        number,   "3600", "> 0 and <= 1e6", server, NEUTRAL,  "seconds for each attempt")                          \
    ROW(chat,           flag,     "false", "",            chat,     NEUTRAL,  "chat in the terminal instead")                    \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    ROW(context,        integer,  "0", ">= 0",            machine,  IDENTITY, "longest prompt and response, in tokens; 0: the model's, at most 32768") \
    ROW(sequences,      integer,  "0", ">= 0 and <= 65536", machine, NEUTRAL, "sequences that run at once; 0: 32 on a CPU, 256 on a GPU")  \
    ROW(pass_tokens,    integer,  "0", ">= 0 and <= 1e6", machine,  NEUTRAL,  "prompt tokens in one forward pass; 0: 512 on a CPU, 8192 on a GPU")   \
    ROW(cache,          integer,  "0", ">= 0",            machine,  NEUTRAL,  "bytes for keys and values (KV cache); 0: what is free")
// clang-format on

OPTIONS_DEFINE(GenerateOptions, generate_options, GENERATE_OPTIONS)

#endif
