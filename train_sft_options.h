// The options of train_sft, one row each: struct TrainSftOptions, its table, and the head of --help. options/options.h
// makes the parser, the configuration file, --help and the README's table from it.
//
// IDENTITY: the option is part of what the bits of a run are, and a run is only resumed with the same value. The
// weights that a run began with are in its checkpoints (of --lora their hash is), and of the data its tokens are
// compared, so --model, --init and --data may have moved; --threads and --recompute never change a bit.
#ifndef TRAIN_SFT_OPTIONS_H
#define TRAIN_SFT_OPTIONS_H

#include "benchmarks/in_training.h"
#include "fit/fit.h"
#include "live/live.h"
#include "model/learning.h"
#include "model/lora.h"
#include "options/options.h"
#include "ranks/ranks.h"
#include "run/run.h"
#include "session/session.h"
#include "sharded/sharded.h"
#include "intake/sft_data.h"

#define TRAIN_SFT_USAGE                                                                                                \
    "train_sft: supervised fine-tuning of a Qwen3 or Qwen2 model\n"                                                    \
    "usage: train_sft --model Qwen3-4B-Base --data taught/sft --out run [options]\n"                                   \
    "       train_sft --init config.json --tokenizer FOLDER --data rows --out run\n"                                   \
    "--config FILE reads lines of name = value, --print-config writes them all,\n"                                     \
    "--help=GROUP shows ranges; 64k is 64000. Exit: 0 done, 1 failed, 2 usage,\n"                                      \
    "75 stopped by a signal and saved: the same command goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define TRAIN_SFT_OPTIONS(ROW, GROUP) \
    ROW(model,              folder,  "", "",                  model,     NEUTRAL,  "model to start from, a Hugging Face folder") \
    ROW(init,               file,    "", "",                  model,     NEUTRAL,  "instead: config.json of a new, random model")\
    ROW(tokenizer,          folder,  "", "",                  model,     NEUTRAL,  "folder of the tokenizer, if not the model's") \
    ROW(template,           choice,  "auto", "auto|" TEMPLATE_CHOICES, model,     IDENTITY, "chat template") \
    GROUP(DataOptions, data, SFT_DATA_ROWS) \
    GROUP(SftTextOptions, text, SFT_TEXT_ROWS) \
    ROW(epochs,             integer, "3", "> 0 and <= 1e6",   steps,     NEUTRAL,  "passes over the data") \
    ROW(steps,              integer, "0", ">= 0",             steps,     NEUTRAL,  "updates; 0: as many as the epochs have") \
    GROUP(SftBatchOptions, batch, SFT_BATCH_ROWS) \
    GROUP(LearningOptions, learning, SFT_LEARNING_ROWS) \
    GROUP(LoraOptions, lora, LORA_ROWS) \
    GROUP(RunOptions, run, RUN_ROWS) \
    GROUP(SftSamplingOptions, sampling, SFT_SAMPLING_ROWS) \
    GROUP(TrainingTaskOptions, tasks, TRAINING_TASK_ROWS) \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    GROUP(RankOptions, ranks, RANK_ROWS) \
    GROUP(WatchOptions, watch, WATCH_ROWS) \
    GROUP(ShardedOptions, sharding, SHARDED_ROWS) \
    GROUP(SessionSizes, sizes, SESSION_ROWS) \
    ROW(attention,          choice,  "own", ATTENTION_MAKERS, machine, IDENTITY, "of training; cudnn's is not exact") \
    ROW(recompute,          choice,  "auto", RECOMPUTES, machine, NEUTRAL,  "recompute layers in the backward pass; auto: if memory needs it")
// clang-format on

OPTIONS_DEFINE(TrainSftOptions, train_sft_options, TRAIN_SFT_OPTIONS)

#endif
