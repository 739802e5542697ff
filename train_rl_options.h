// The options of train_rl, one row each: see train_sft_options.h. IDENTITY: the option is part of what the bits of a run are.
#ifndef TRAIN_RL_OPTIONS_H
#define TRAIN_RL_OPTIONS_H

#include "fit/fit.h"
#include "judges/referees.h"
#include "model/learning.h"
#include "options/options.h"
#include "rl/advantage.h"
#include "rl/objective.h"
#include "rl/reference.h"
#include "rl/reward.h"
#include "rows/records.h"
#include "run/run_options.h"
#include "run/training_data.h"
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
    ROW(tokenizer,          folder,  "", "",                  model,     NEUTRAL,  "folder of the tokenizer, if not the model's")        \
    ROW(template,           choice,  "auto", "auto|" TEMPLATE_CHOICES, model,     IDENTITY, "chat template")                     \
    GROUP(DataOptions, data, RL_DATA_ROWS) \
    ROW(max_prompt_tokens,  integer, "1024", "> 1",           data,      IDENTITY, "longest prompt, in tokens; longer ones are dropped")        \
    ROW(adapt,              flag,    "false", "",             data,      IDENTITY, "ask a level less often when its pass rate leaves a band; replaces --order") \
    ROW(adapt_low,          number,  "0.1", ">= 0 and <= 1",  data,      IDENTITY, "lower end of --adapt's band")                       \
    ROW(adapt_high,         number,  "0.9", ">= 0 and <= 1",  data,      IDENTITY, "upper end of --adapt's band")                       \
    ROW(adapt_rare,         number,  "0.1", ">= 0.001 and <= 1", data,   IDENTITY, "share of its prompts that a level outside the band keeps")            \
    ROW(epochs,             integer, "1", "> 0 and <= 1e6",   steps,     NEUTRAL,  "passes over the prompts")                    \
    ROW(steps,              integer, "0", ">= 0",             steps,     NEUTRAL,  "steps (rollout batches); 0: as many as the epochs have") \
    ROW(prompts_per_step,   integer, "128", "> 0",            steps,     IDENTITY, "prompts sampled in each step")                         \
    ROW(prompts_per_update, integer, "64", "> 0",             steps,     IDENTITY, "prompts in each update of the weights")                               \
    ROW(update_epochs,      integer, "1", "> 0 and <= 1000",  steps,     IDENTITY, "passes over each rollout batch") \
    ROW(dynamic_sampling,   flag,    "false", "",             steps,     IDENTITY, "replace groups whose rewards are all the same (DAPO)") \
    ROW(dynamic_batches,    integer, "10", "> 0 and <= 1000", steps,     IDENTITY, "most rollout batches a step may sample for --dynamic-sampling") \
    ROW(samples_per_prompt, integer, "8", "> 1 and <= 65536", steps,     IDENTITY, "responses to each prompt (its group)")           \
    ROW(micro_batch_tokens, integer, "16384", "> 0",          steps,     IDENTITY, "tokens in a micro-batch")                   \
    ROW(slots,              integer, "8", "> 0 and <= 4096",  steps,     IDENTITY, "micro-batches of an update are a multiple of it")       \
    ROW(seed,               integer, "0", ">= 0",             steps,     IDENTITY, "seed of the order, the samples and rounding")     \
    ROW(max_new_tokens,     integer, "8192", "> 0",           sampling,  IDENTITY, "longest response, in tokens")                              \
    ROW(temperature,        number,  "1", "> 1e-6",           sampling,  IDENTITY, "sampling temperature, also of the update's log-probabilities")               \
    ROW(exact,              flag,    "true", "",              sampling,  IDENTITY, "sample from the policy itself; --no-exact allows --top-k, --top-p and --min-p") \
    ROW(top_k,              integer, "0", ">= 0 and <= 2147483647", sampling, IDENTITY, "with --no-exact: keep the k likeliest tokens; 0: all")              \
    ROW(top_p,              number,  "1", "> 0 and <= 1",     sampling,  IDENTITY, "with --no-exact: keep the likeliest tokens up to this probability")                           \
    ROW(min_p,              number,  "0", ">= 0 and <= 1",    sampling,  IDENTITY, "with --no-exact: drop tokens below this share of the likeliest")                           \
    ROW(importance_cap,     number,  "2", ">= 0",             sampling,  IDENTITY, "with --no-exact: cap of truncated importance sampling; 0: none") \
    GROUP(RewardOptions, rewards, REWARD_ROWS) \
    GROUP(RefereeOptions, referees, REFEREE_ROWS) \
    ROW(advantage,          choice,  "grpo", ADVANTAGES, loss, IDENTITY, "advantage estimator: what a reward is compared with") \
    ROW(advantage_std,      choice,  "unbiased", DEVIATIONS, loss, IDENTITY, "grpo: standard deviation that advantages are divided by") \
    ROW(advantage_eps,      number,  "1e-6", ">= 0",          loss,      IDENTITY, "grpo: added to that standard deviation")                          \
    ROW(loss,               choice,  "clip", POLICY_LOSSES, loss,    IDENTITY, "policy loss")                                 \
    ROW(aggregation,        choice,  "token-mean", AGGREGATIONS, loss, IDENTITY, "how token losses become one loss") \
    ROW(clip_low,           number,  "0.2", ">= 0",           loss,      IDENTITY, "clip ratios below 1 minus this")          \
    ROW(clip_high,          number,  "0.2", ">= 0",           loss,      IDENTITY, "clip ratios above 1 plus this")          \
    ROW(dual_clip,          number,  "3", ">= 0",             loss,      IDENTITY, "clip: bound of the loss where the advantage is negative; 0: none") \
    ROW(entropy_coef,       number,  "0", ">= 0",             loss,      IDENTITY, "weight of the entropy bonus")                \
    GROUP(KlOptions, kl, KL_ROWS) \
    ROW(mask_truncated,     flag,    "false", "",             loss,      IDENTITY, "do not train on responses that were cut off") \
    GROUP(LearningOptions, learning, RL_LEARNING_ROWS) \
    GROUP(RunOptions, run, RUN_ROWS) \
    ROW(eval_samples,       integer, "1", "> 0 and <= 65536", run,       NEUTRAL,  "responses to each held-out problem; 1: the greedy one") \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    ROW(recompute,          choice,  "auto", RECOMPUTES, machine, NEUTRAL,  "recompute layers in the backward pass; auto: if memory needs it") \
    ROW(sequences,          integer, "0", ">= 0 and <= 65536", machine,  NEUTRAL,  "sequences that run at once; 0: 32 on a CPU, 256 on a GPU") \
    ROW(pass_tokens,        integer, "0", ">= 0 and <= 1e6",  machine,   NEUTRAL,  "prompt tokens in one forward pass; 0: 512 on a CPU, 8192 on a GPU") \
    ROW(cache,              integer, "0", ">= 0",             machine,   NEUTRAL,  "bytes for keys and values (KV cache); 0: what is free")
// clang-format on

OPTIONS_DEFINE(TrainRlOptions, train_rl_options, TRAIN_RL_OPTIONS)

#endif
