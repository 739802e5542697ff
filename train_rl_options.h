// The options of train_rl, one row each: see train_sft_options.h. IDENTITY: the option is part of what the bits of a
// run are.
#ifndef TRAIN_RL_OPTIONS_H
#define TRAIN_RL_OPTIONS_H

#include "benchmarks/in_training.h"
#include "fit/fit.h"
#include "live/live.h"
#include "intake/training_data.h"
#include "judges/referees.h"
#include "model/learning.h"
#include "model/lora.h"
#include "options/options.h"
#include "ranks/ranks.h"
#include "rl/advantage.h"
#include "rl/objective.h"
#include "rl/reference.h"
#include "rl/reward.h"
#include "rows/records.h"
#include "run/run.h"
#include "sharded/sharded.h"
#include "tokenizer/template.h"

#define TRAIN_RL_USAGE                                                                                                 \
    "train_rl: reinforcement learning with verifiable rewards of a Qwen3 or Qwen2 model\n"                             \
    "usage: train_rl --model sft --data data/rl --out rl [options]\n"                                                  \
    "--config FILE reads lines of name = value, --print-config writes them all,\n"                                     \
    "--help=GROUP shows ranges; 64k is 64000. Exit: 0 done, 1 failed, 2 usage,\n"                                      \
    "75 stopped by a signal and saved: the same command goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define TRAIN_RL_OPTIONS(ROW, GROUP) \
    GROUP(PolicyOptions, policy, POLICY_ROWS) \
    GROUP(DataOptions, data, RL_DATA_ROWS) \
    GROUP(AdaptOptions, adapt, ADAPT_ROWS) \
    ROW(epochs,             integer, "1", "> 0 and <= 1e6",   steps,     NEUTRAL,  "passes over the prompts") \
    ROW(steps,              integer, "0", ">= 0",             steps,     NEUTRAL,  "steps (rollout batches); 0: as many as the epochs have") \
    ROW(prompts_per_step,   integer, "128", "> 0",            steps,     IDENTITY, "prompts sampled in each step") \
    ROW(prompts_per_update, integer, "64", "> 0",             steps,     IDENTITY, "prompts in each update of the weights") \
    ROW(update_epochs,      integer, "1", "> 0 and <= 1000",  steps,     IDENTITY, "passes over each rollout batch") \
    ROW(dynamic_sampling,   flag,    "false", "",             steps,     IDENTITY, "replace groups whose rewards are all the same (DAPO)") \
    ROW(dynamic_batches,    integer, "10", "> 0 and <= 1000", steps,     IDENTITY, "most rollout batches a step may sample for --dynamic-sampling") \
    ROW(samples_per_prompt, integer, "8", "> 1 and <= 65536", steps,     IDENTITY, "responses to each prompt (its group)") \
    ROW(slots,              integer, "8", "> 0 and <= 4096",  steps,     IDENTITY, "micro-batches of an update are a multiple of it") \
    ROW(seed,               integer, "0", ">= 0",             steps,     IDENTITY, "seed of the order, the samples and rounding") \
    GROUP(SamplingOptions, sampling, SAMPLING_ROWS) \
    GROUP(RewardOptions, rewards, REWARD_ROWS) \
    GROUP(RefereeOptions, referees, REFEREE_ROWS) \
    GROUP(AdvantageOptions, advantage, ADVANTAGE_ROWS) \
    GROUP(PolicyLossOptions, loss, POLICY_LOSS_ROWS) \
    GROUP(KlOptions, kl, KL_ROWS) \
    GROUP(LearningOptions, learning, RL_LEARNING_ROWS) \
    GROUP(LoraOptions, lora, LORA_ROWS) \
    GROUP(RunOptions, run, RUN_ROWS) \
    GROUP(TrainingTaskOptions, tasks, TRAINING_TASK_ROWS) \
    ROW(eval_samples,       integer, "1", "> 0 and <= 65536", run,       NEUTRAL,  "responses to each held-out problem; 1: the greedy one") \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    GROUP(RankOptions, ranks, RANK_ROWS) \
    GROUP(WatchOptions, watch, WATCH_ROWS) \
    GROUP(ShardedOptions, sharding, SHARDED_ROWS) \
    GROUP(SessionSizes, sizes, SESSION_ROWS)
// clang-format on

OPTIONS_DEFINE(TrainRlOptions, train_rl_options, TRAIN_RL_OPTIONS)

#endif
