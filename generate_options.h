// The options of generate, one row each: see train_sft_options.h. IDENTITY: answers depend on it, and an interrupted
// run only goes on with the same value.
#ifndef GENERATE_OPTIONS_H
#define GENERATE_OPTIONS_H

#include "asking/row_work.h"
#include "asking/responses.h"

#define GENERATE_USAGE                                                                                                 \
    "generate: responses of a model to rows of prompts, or a chat in the terminal\n"                                   \
    "usage: generate --model Qwen3-4B --prompts data/sft/prompts.jsonl --out taught.jsonl\n"                           \
    "       generate --endpoint http://host:8000/v1 --model NAME --prompts ... --out ...\n"                            \
    "       generate --model Qwen3-4B --chat\n"                                                                        \
    "Every row of --out is one of --prompts with what was generated; a run that was\n"                                 \
    "interrupted goes on where it stopped. --config FILE reads lines of name = value,\n"                               \
    "--help=GROUP shows ranges. Exit: 0 done, 1 failed, 2 usage, 75 stopped by a signal:\n"                            \
    "the same command goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define GENERATE_OPTIONS(ROW, GROUP) \
    GROUP(AskedOptions, asked, ASKED_ROWS) \
    ROW(prompts,     list, "", "",                  rows, NEUTRAL,  "JSONL files, or folders of them") \
    GROUP(RowReadingOptions, reading, ROW_READING_ROWS) \
    ROW(instruction, text, INSTRUCTION_DEFAULT, "", rows, IDENTITY, "text that ends the user turn of a problem, or none") \
    ROW(system,      text, "", "",                  rows, IDENTITY, "system turn of rows that have none, or of the chat") \
    GROUP(PartOptions, part, PART_ROWS) \
    GROUP(ResponseOptions, responses, RESPONSE_ROWS) \
    GROUP(ServerOptions, server, GENERATE_SERVER_ROWS) \
    ROW(chat,        flag, "false", "",             chat, NEUTRAL,  "chat in the terminal instead") \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    GROUP(RankOptions, ranks, RANK_ROWS) \
    GROUP(WatchOptions, watch, WATCH_ROWS) \
    ROW(context,     integer, "0", ">= 0",          machine, IDENTITY, "longest prompt and response, in tokens; 0: the model's, at most 32768") \
    GROUP(SessionSizes, sizes, SESSION_ROWS)
// clang-format on

OPTIONS_DEFINE(GenerateOptions, generate_options, GENERATE_OPTIONS)

#endif
