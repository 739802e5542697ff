// The options of train_rl, one row each: see train_sft_options.h. IDENTITY: the option is part of what the bits of a run are.
#ifndef TRAIN_RL_OPTIONS_H
#define TRAIN_RL_OPTIONS_H

#include "options/options.h"
#include "run/training_data.h"
#include "model/fit.h"
#include "model/learning.h"
#include "run/run_options.h"
#include "judges/referees.h"
#include "rl/advantage.h"
#include "rl/objective.h"
#include "rl/reference.h"
#include "rl/reward.h"
#include "rows/records.h"
#include "tokenizer/template.h"

#define TRAIN_RL_USAGE                                                                                                           \
    "train_rl: reinforcement learning with verifiable rewards of a Qwen3 or Qwen2 model\n"                                       \
    "usage: train_rl --model sft --data data/rl --out rl [options]\n"                                                            \
    "--config FILE reads lines of name = value, --print-config writes them all,\n"                                               \
    "--help=GROUP shows ranges; 64k is 64000. Exit: 0 done, 1 failed, 2 usage,\n"                                                \
    "75 stopped by a signal and saved: the same command goes on.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define TRAIN_RL_OPTIONS(ROW, GROUP)                                                                                                    \
    ROW(model,              folder,  "", "required",          model,     NEUTRAL,  "model to start from, a Hugging Face folder") \
    ROW(tokenizer,          folder,  "", "",                  model,     NEUTRAL,  "tokenizer files, if not the model's")        \
    ROW(template,           choice,  "auto", "auto|" TEMPLATE_CHOICES, model,     IDENTITY, "chat template")                     \
    GROUP(DataOptions, data, RL_DATA_ROWS) \
    ROW(max_prompt_tokens,  integer, "1024", "> 1",           data,      IDENTITY, "prompts that are longer are dropped")        \
    ROW(adapt,              flag,    "false", "",             data,      IDENTITY, "levels whose pass rate leaves a band come more rarely; instead of --order") \
    ROW(adapt_low,          number,  "0.1", ">= 0 and <= 1",  data,      IDENTITY, "the band's lower end")                       \
    ROW(adapt_high,         number,  "0.9", ">= 0 and <= 1",  data,      IDENTITY, "the band's upper end")                       \
    ROW(adapt_rare,         number,  "0.1", ">= 0.001 and <= 1", data,   IDENTITY, "weight of a level outside of it")            \
    ROW(epochs,             integer, "1", "> 0 and <= 1e6",   steps,     NEUTRAL,  "passes over the prompts")                    \
    ROW(steps,              integer, "0", ">= 0",             steps,     NEUTRAL,  "rollout batches; 0: as many as the epochs have") \
    ROW(prompts_per_step,   integer, "128", "> 0",            steps,     IDENTITY, "of a rollout batch")                         \
    ROW(prompts_per_update, integer, "64", "> 0",             steps,     IDENTITY, "of an update")                               \
    ROW(update_epochs,      integer, "1", "> 0 and <= 1000",  steps,     IDENTITY, "times that a rollout batch is learned from") \
    ROW(dynamic_sampling,   flag,    "false", "",             steps,     IDENTITY, "groups whose rewards are all the same are replaced") \
    ROW(dynamic_batches,    integer, "10", "> 0 and <= 1000", steps,     IDENTITY, "rollout batches of a step at most, for that") \
    ROW(samples_per_prompt, integer, "8", "> 1 and <= 65536", steps,     IDENTITY, "responses to a prompt: its group")           \
    ROW(micro_batch_tokens, integer, "16384", "> 0",          steps,     IDENTITY, "tokens worked on at once")                   \
    ROW(slots,              integer, "8", "> 0 and <= 4096",  steps,     IDENTITY, "micro-batches are a multiple of this")       \
    ROW(seed,               integer, "0", ">= 0",             steps,     IDENTITY, "of the order, the samples and rounding")     \
    ROW(max_new_tokens,     integer, "8192", "> 0",           sampling,  IDENTITY, "of a response")                              \
    ROW(temperature,        number,  "1", "> 1e-6",           sampling,  IDENTITY, "of samples and of the update")               \
    ROW(exact,              flag,    "true", "",              sampling,  IDENTITY, "false: top-k and the like are allowed, and the policy differs from what is sampled") \
    ROW(top_k,              integer, "0", ">= 0 and <= 2147483647", sampling, IDENTITY, "with --no-exact; 0: all")              \
    ROW(top_p,              number,  "1", "> 0 and <= 1",     sampling,  IDENTITY, "with --no-exact")                           \
    ROW(min_p,              number,  "0", ">= 0 and <= 1",    sampling,  IDENTITY, "with --no-exact")                           \
    ROW(importance_cap,     number,  "2", ">= 0",             sampling,  IDENTITY, "with --no-exact: truncated importance sampling; 0: none") \
    GROUP(RewardOptions, rewards, REWARD_ROWS) \
    GROUP(RefereeOptions, referees, REFEREE_ROWS) \
    ROW(advantage,          choice,  "grpo", ADVANTAGES, loss, IDENTITY, "what a reward is compared with") \
    ROW(advantage_std,      choice,  "unbiased", DEVIATIONS, loss, IDENTITY, "grpo: what differences are divided by") \
    ROW(advantage_eps,      number,  "1e-6", ">= 0",          loss,      IDENTITY, "grpo: added to it")                          \
    ROW(loss,               choice,  "clip", POLICY_LOSSES, loss,    IDENTITY, "of a token")                                 \
    ROW(aggregation,        choice,  "token-mean", AGGREGATIONS, loss, IDENTITY, "of tokens to the loss") \
    ROW(clip_low,           number,  "0.2", ">= 0",           loss,      IDENTITY, "ratios below 1 - this are clipped")          \
    ROW(clip_high,          number,  "0.2", ">= 0",           loss,      IDENTITY, "ratios above 1 + this are clipped")          \
    ROW(dual_clip,          number,  "3", ">= 0",             loss,      IDENTITY, "clip: bound where the advantage is negative; 0: none") \
    ROW(entropy_coef,       number,  "0", ">= 0",             loss,      IDENTITY, "entropy's share of the loss")                \
    GROUP(KlOptions, kl, KL_ROWS) \
    ROW(mask_truncated,     flag,    "false", "",             loss,      IDENTITY, "responses that were cut off are not trained on") \
    GROUP(LearningOptions, learning, RL_LEARNING_ROWS) \
    GROUP(RunOptions, run, RUN_ROWS) \
    ROW(eval_samples,       integer, "1", "> 0 and <= 65536", run,       NEUTRAL,  "responses to a held-out problem; 1: the greedy one") \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    ROW(recompute,          choice,  "auto", RECOMPUTES, machine, NEUTRAL,  "layers again going back; auto: if need be") \
    ROW(sequences,          integer, "0", ">= 0 and <= 65536", machine,  NEUTRAL,  "that are sampled at once; 0: 32 on a CPU, 256 on a GPU") \
    ROW(pass_tokens,        integer, "0", ">= 0 and <= 1e6",  machine,   NEUTRAL,  "of prompts, worked on at once; 0: 512 or 8192") \
    ROW(cache,              integer, "0", ">= 0",             machine,   NEUTRAL,  "bytes for keys and values; 0: what is free")
// clang-format on

OPTIONS_DEFINE(TrainRlOptions, train_rl_options, TRAIN_RL_OPTIONS)

#endif
