// The options of prepare, one row each: see train_sft_options.h. --map, --format and --missing-difficulty stand before the arguments
// in the table, because they apply to the files that are named after them.
#ifndef PREPARE_OPTIONS_H
#define PREPARE_OPTIONS_H

#include "options/options.h"
#include "data/loader.h"
#include "data/tokenised.h"
#include "intake/prepare.h"
#include "rows/verified.h"
#include "rows/records.h"
#include "tokenizer/template.h"

#define PREPARE_USAGE                                                                                                            \
    "prepare: rows of problems to difficulty-sorted shards, split for SFT and RL\n"                                              \
    "usage: prepare --tokenizer Qwen3-4B-Base --tau 3 --out data scored.jsonl\n"                                                 \
    "       prepare --tokenizer Qwen3-4B-Base --out data --map difficulty=level math/ -\n"                                       \
    "       prepare --inspect data/sft --tokenizer Qwen3-4B-Base --record 17\n"                                                  \
    "Files are JSONL, a folder stands for its *.jsonl, - for the standard input;\n"                                              \
    "--map, --format and --missing-difficulty apply to the files after them.\n"                                                  \
    "--config FILE reads lines of name = value, --help=GROUP shows ranges. Exit: 0\n"                                            \
    "done, 1 failed, 2 usage; --out appears, or is replaced, only when all of it is\n"                                           \
    "there.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define PREPARE_OPTIONS(ROW, GROUP)                                                                                                     \
    ROW(map,                repeated, "", "",                 rows,    NEUTRAL,  "field=name: the files call this field otherwise")  \
    ROW(missing_difficulty, integer,  "0", ">= 0 and <= 5",   rows,    NEUTRAL,  "stands in for a missing or odd one; 0: an error") \
    ROW(format,             choice,   "auto", ROW_FORMAT_CHOICES, rows, NEUTRAL, "what rows are that could be several") \
    ROW(files,              arguments, "", "required",        rows,    NEUTRAL,  "JSONL files, folders of them, or -; shards to inspect") \
    ROW(skip_bad_rows,      integer,  "0", ">= 0",            rows,    NEUTRAL,  "rows that may be refused")                     \
    ROW(decontaminate,      list,     "", "",                 rows,    NEUTRAL,  "benchmarks: drop rows that share 13 words with them") \
    ROW(decontaminate_by,   choice,   "question", "question|all", rows, NEUTRAL, "questions with questions, or all texts with all") \
    ROW(keep_duplicates,    flag,     "false", "",            rows,    NEUTRAL,  "rows that repeat others are wanted")           \
    ROW(verify,             choice,   "none", VERIFY_CHOICES, rows, NEUTRAL, "responses: only right ones; the first right one of a prompt; or count") \
    ROW(tokenizer,          folder,   "", "",                 text,    NEUTRAL,  "tokenizer files, or the model's folder")       \
    ROW(template,           choice,   "auto", "auto|" TEMPLATE_CHOICES, text, NEUTRAL, "chat template")                          \
    ROW(instruction,        text,     INSTRUCTION_DEFAULT, "", text,   NEUTRAL,  "ends the user turn of problem rows, or none")  \
    ROW(train_turn_newline, flag,     "false", "",            text,    NEUTRAL,  "also train the newline after <|im_end|>")      \
    ROW(train_turns,        choice,   "last", TRAIN_TURNS,    text,    NEUTRAL,  "which of the assistant's turns are trained")   \
    ROW(tau,                integer,  "0", ">= 0 and <= 4",   split,   NEUTRAL,  "difficulty <= tau to sft/, > tau to rl/; 0: all to sft/") \
    ROW(split,              choice,   "difficulty", SPLIT_CHOICES, split, NEUTRAL, "or a baseline of equal counts") \
    ROW(holdout,            integer,  "0", ">= 0",            split,   NEUTRAL,  "prompts that go to holdout.jsonl instead")     \
    ROW(seed,               integer,  "0", ">= 0",            split,   NEUTRAL,  "of the order and of what is drawn")            \
    ROW(out,                folder,   "", "",                 output,  NEUTRAL,  "folder to write; an older preparation is replaced") \
    ROW(memory,             integer,  "512M", ">= 16e6",      output,  NEUTRAL,  "bytes for sorting; more than that goes to disk") \
    ROW(threads,            integer,  "0", ">= 0 and <= 4096", output, NEUTRAL,  "0: all cores")                                 \
    ROW(inspect,            flag,     "false", "",            inspect, NEUTRAL,  "show what will be trained instead of preparing") \
    ROW(record,             integer,  "0", ">= 0",            inspect, NEUTRAL,  "the n-th record in the order of difficulty, from 0") \
    ROW(step,               integer,  "-1", ">= -1",          inspect, NEUTRAL,  "instead: micro-batches of this step, from 0")  \
    ROW(micro_batch,        integer,  "-1", ">= -1",          inspect, NEUTRAL,  "only this one of the step; -1: all")           \
    ROW(html,               file,     "", "",                 inspect, NEUTRAL,  "write it as a page instead")                   \
    ROW(order,              choice,   "random", LOADER_ORDERS, inspect, NEUTRAL, "as of train_sft, like the next ones") \
    ROW(mix,                repeated, "", "",                 inspect, NEUTRAL,  "level:1=4 or source:math=0.5, for mixed")      \
    ROW(global_batch,       integer,  "128", "> 0",           inspect, NEUTRAL,  "documents in an update")                       \
    ROW(micro_batch_tokens, integer,  "16384", "> 0",         inspect, NEUTRAL,  "tokens worked on at once")                     \
    ROW(slots,              integer,  "8", "> 0 and <= 4096", inspect, NEUTRAL,  "micro-batches are a multiple of this")         \
    ROW(seq_len,            integer,  "8192", "> 0",          inspect, NEUTRAL,  "longest document, in tokens")                  \
    ROW(over_length,        choice,   "drop", OVER_LENGTHS, inspect, NEUTRAL, "a longer one")
// clang-format on

OPTIONS_DEFINE(PrepareProgramOptions, prepare_program_options, PREPARE_OPTIONS)

#endif
