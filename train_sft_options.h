// The options of train_sft, one row each: struct TrainSftOptions, its table, and the head of --help. options/options.h makes the
// parser, the configuration file, --help and the README's table from it.
//
// IDENTITY: the option is part of what the bits of a run are, and a run is only resumed with the same value. The weights that a
// run began with are in its checkpoints, and of the data its tokens are compared, so --model, --init and --data may have moved;
// --threads and --recompute never change a bit.
#ifndef TRAIN_SFT_OPTIONS_H
#define TRAIN_SFT_OPTIONS_H

#include "options/options.h"
#include "data/loader.h"
#include "data/tokenised.h"
#include "model/fit.h"
#include "rows/records.h"
#include "tokenizer/template.h"

#define TRAIN_SFT_USAGE                                                                                                          \
    "train_sft: supervised fine-tuning of a Qwen3 or Qwen2 model\n"                                                              \
    "usage: train_sft --model Qwen3-4B-Base --data taught/sft --out run [options]\n"                                             \
    "       train_sft --init config.json --tokenizer FOLDER --data rows --out run\n"                                             \
    "--config FILE reads lines of name = value, --print-config writes them all,\n"                                               \
    "--help=GROUP shows ranges; 64k is 64000. Exit: 0 done, 1 failed, 2 usage,\n"                                                \
    "75 stopped by a signal and saved: the same command goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define TRAIN_SFT_OPTIONS(ROW)                                                                                                   \
    ROW(model,              folder,  "", "",                  model,     NEUTRAL,  "model to start from, a Hugging Face folder") \
    ROW(init,               file,    "", "",                  model,     NEUTRAL,  "instead: config.json of a new, random model")\
    ROW(tokenizer,          folder,  "", "",                  model,     NEUTRAL,  "tokenizer files, if not the model's")        \
    ROW(template,           choice,  "auto", "auto|" TEMPLATE_CHOICES, model,     IDENTITY, "chat template")                     \
    ROW(data,               list,    "", "required",          data,      NEUTRAL,  "shards of ./prepare, or JSONL files or folders") \
    ROW(eval_data,          list,    "", "",                  data,      NEUTRAL,  "held-out rows")                              \
    ROW(map,                repeated, "", "",                 data,      IDENTITY, "field=name: the rows call this field otherwise") \
    ROW(format,             choice,  "auto", ROW_FORMAT_CHOICES, data, IDENTITY, "what rows are that could be several") \
    ROW(instruction,        text,    INSTRUCTION_DEFAULT, "",  data,     IDENTITY, "ends the user turn of problem rows, or none")    \
    ROW(train_turn_newline, flag,    "false", "",             data,      IDENTITY, "also train the newline after <|im_end|>")    \
    ROW(train_turns,        choice,  "last", TRAIN_TURNS,     data,      IDENTITY, "which of the assistant's turns are trained")  \
    ROW(seq_len,            integer, "8192", "> 0",           data,      IDENTITY, "longest document, in tokens")                \
    ROW(over_length,        choice,  "drop", OVER_LENGTHS, data,      IDENTITY, "a longer one")                              \
    ROW(skip_bad_rows,      integer, "0", ">= 0",             data,      NEUTRAL,  "rows that may be refused")                   \
    ROW(order,              choice,  "random", LOADER_ORDERS, data, IDENTITY, "of an epoch's documents (sorted: easy to hard)") \
    ROW(mix,                repeated, "", "",                 data,      IDENTITY, "weights for mixed: level:1=4 or source:math=0.5") \
    ROW(epochs,             integer, "3", "> 0 and <= 1e6",   steps,     NEUTRAL,  "passes over the data")                       \
    ROW(steps,              integer, "0", ">= 0",             steps,     NEUTRAL,  "updates; 0: as many as the epochs have")     \
    ROW(global_batch,       integer, "128", "> 0",            steps,     IDENTITY, "documents in an update")                     \
    ROW(micro_batch_tokens, integer, "16384", "> 0",          steps,     IDENTITY, "tokens worked on at once")                   \
    ROW(slots,              integer, "8", "> 0 and <= 4096",  steps,     IDENTITY, "micro-batches are a multiple of this")       \
    ROW(seed,               integer, "0", ">= 0",             steps,     IDENTITY, "of the order, new weights and rounding")      \
    ROW(lr,                 number,  "1e-5", "> 0",           optimizer, IDENTITY, "peak learning rate")                         \
    ROW(lr_schedule,        choice,  "cosine", SCHEDULES, optimizer, IDENTITY, "its shape")                   \
    ROW(lr_end,             number,  "0", ">= 0 and <= 1",    optimizer, IDENTITY, "share of the peak it ends at")               \
    ROW(wsd_decay,          number,  "0.2", ">= 0 and <= 1",  optimizer, IDENTITY, "wsd: share of the steps that decay")         \
    ROW(warmup_steps,       integer, "-1", ">= -1",           optimizer, IDENTITY, "linear rise; -1: a tenth of all steps")      \
    ROW(weight_decay,       number,  "0", ">= 0",             optimizer, IDENTITY, "AdamW's, of matrices")                       \
    ROW(grad_clip,          number,  "1", ">= 0",             optimizer, IDENTITY, "largest gradient norm; 0: any")              \
    ROW(beta1,              number,  "0.9", ">= 0 and < 1",   optimizer, IDENTITY, "AdamW's first moment")                       \
    ROW(beta2,              number,  "0.999", ">= 0 and < 1", optimizer, IDENTITY, "AdamW's second moment")                      \
    ROW(moments,            choice,  "fp32", MOMENT_TYPES,     optimizer, IDENTITY, "type of both; bf16 takes half the memory")   \
    ROW(eps,                number,  "1e-8", ">= 1e-30",      optimizer, IDENTITY, "AdamW's epsilon")                            \
    ROW(out,                folder,  "", "required",          run,       NEUTRAL,  "checkpoints, log, and the model at the end") \
    ROW(resume,             text,    "auto", "",              run,       NEUTRAL,  "auto: newest of --out; none; or a folder")   \
    ROW(save_every,         integer, "500", ">= 0",           run,       NEUTRAL,  "steps between checkpoints; 0: only by time")   \
    ROW(save_minutes,       number,  "20", ">= 0",            run,       NEUTRAL,  "or minutes, whichever is first; 0: only by steps") \
    ROW(stop_within,        number,  "25", ">= 0",            run,       NEUTRAL,  "seconds from a signal to the end of it all") \
    ROW(keep_checkpoints,   integer, "3", "> 0 and <= 1e6",   run,       NEUTRAL,  "older ones are removed")                     \
    ROW(eval_every,         integer, "0", ">= 0",             run,       NEUTRAL,  "steps; 0: at start and end")                 \
    ROW(log_every,          integer, "1", "> 0",              run,       NEUTRAL,  "steps between lines on the terminal")        \
    ROW(export_dtype,       choice,  "bf16", "bf16|fp32",     run,       NEUTRAL,  "of OUT/model")                               \
    ROW(plan,               flag,    "false", "",             run,       NEUTRAL,  "show memory, whether it fits, and steps; then stop")           \
    ROW(device,             choice,  "auto", "auto|cpu|cuda", machine,   NEUTRAL,  "where to compute")                           \
    ROW(threads,            integer, "0", ">= 0 and <= 4096", machine,   NEUTRAL,  "0: all cores")                               \
    ROW(recompute,          choice,  "auto", RECOMPUTES, machine, NEUTRAL,  "layers again going back; auto: if need be") \
    ROW(gpu,                text,    "", "",                  machine,   NEUTRAL,  "with --plan: the card to plan for, 80G or h100")
// clang-format on

OPTIONS_DEFINE(TrainSftOptions, train_sft_options, TRAIN_SFT_OPTIONS)

#endif
