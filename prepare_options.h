// The options of prepare, one row each: see train_sft_options.h. --map, --format and --missing-difficulty come before
// the arguments in the table, because they apply to the files after them.
#ifndef PREPARE_OPTIONS_H
#define PREPARE_OPTIONS_H

#include "inspect/inspect_view.h"
#include "intake/prepare.h"
#include "options/options.h"
#include "rows/records.h"
#include "rows/tokenised.h"
#include "rows/verified.h"
#include "tokenizer/template.h"

#define PREPARE_USAGE                                                                                                  \
    "prepare: rows of problems to difficulty-sorted shards, split for SFT and RL\n"                                    \
    "usage: prepare --tokenizer Qwen3-4B-Base --tau 3 --out data scored.jsonl\n"                                       \
    "       prepare --tokenizer Qwen3-4B-Base --out data --map difficulty=level math/ -\n"                             \
    "       prepare --inspect data/sft --tokenizer Qwen3-4B-Base --record 17\n"                                        \
    "Files are JSONL, a folder stands for its *.jsonl, - for the standard input;\n"                                    \
    "--map, --format and --missing-difficulty apply to the files after them.\n"                                        \
    "--config FILE reads lines of name = value, --help=GROUP shows ranges. Exit: 0\n"                                  \
    "done, 1 failed, 2 usage; --out appears, or is replaced, only when all of it is\n"                                 \
    "there.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define PREPARE_OPTIONS(ROW, GROUP) \
    ROW(map,                repeated, "", "",                 rows,    NEUTRAL,  "field=name: read this field from another column") \
    ROW(missing_difficulty, integer,  "0", ">= 0 and <= 5",   rows,    NEUTRAL,  "difficulty of rows that have none or an odd one; 0: an error") \
    ROW(format,             choice,   "auto", ROW_FORMAT_CHOICES, rows, NEUTRAL, "format of rows that could be read in several ways") \
    ROW(files,              arguments, "", "required",        rows,    NEUTRAL,  "JSONL files, folders of them, or -; shards to inspect") \
    ROW(skip_bad_rows,      integer,  "0", ">= 0",            rows,    NEUTRAL,  "bad rows to skip before it is an error") \
    ROW(decontaminate,      list,     "", "",                 rows,    NEUTRAL,  "benchmark files: drop rows that share 13 words, or a short question") \
    ROW(decontaminate_by,   choice,   "question", "question|all", rows, NEUTRAL, "compare questions with questions, or all texts with all") \
    ROW(keep_duplicates,    flag,     "false", "",            rows,    NEUTRAL,  "keep rows that repeat others") \
    ROW(verify,             choice,   "none", VERIFY_CHOICES, rows, NEUTRAL, "keep right responses; the first right one of each prompt; or only count") \
    ROW(tokenizer,          folder,   "", "",                 text,    NEUTRAL,  "folder of the tokenizer, or of the model") \
    ROW(template,           choice,   "auto", "auto|" TEMPLATE_CHOICES, text, NEUTRAL, "chat template") \
    ROW(instruction,        text,     INSTRUCTION_DEFAULT, "", text,   NEUTRAL,  "text that ends the user turn of a problem, or none") \
    ROW(train_turn_newline, flag,     "false", "",            text,    NEUTRAL,  "also train the newline after <|im_end|>") \
    ROW(train_turns,        choice,   "last", TRAIN_TURNS,    text,    NEUTRAL,  "assistant turns to train")   \
    ROW(tau,                integer,  "0", ">= 0 and <= 4",   split,   NEUTRAL,  "difficulty <= tau to sft/, > tau to rl/; 0: all to sft/") \
    ROW(split,              choice,   "difficulty", SPLIT_CHOICES, split, NEUTRAL, "split by difficulty, or make a baseline of the same rows") \
    ROW(holdout,            integer,  "0", ">= 0",            split,   NEUTRAL,  "prompts to hold out, in holdout.jsonl") \
    ROW(seed,               integer,  "0", ">= 0",            split,   NEUTRAL,  "seed of the order and of random splits") \
    ROW(out,                folder,   "", "",                 output,  NEUTRAL,  "folder to write; an older preparation is replaced") \
    ROW(memory,             integer,  "512M", ">= 16e6",      output,  NEUTRAL,  "bytes for sorting; the rest goes to disk") \
    ROW(threads,            integer,  "0", ">= 0 and <= 4096", output, NEUTRAL,  "CPU threads; 0: all cores") \
    ROW(inspect,            flag,     "false", "",            inspect, NEUTRAL,  "show what will be trained instead of preparing") \
    GROUP(InspectOptions, view, INSPECT_ROWS)
// clang-format on

OPTIONS_DEFINE(PrepareProgramOptions, prepare_program_options, PREPARE_OPTIONS)

#endif
