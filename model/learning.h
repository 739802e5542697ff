// How a model learns, as set by options: one group for train_sft and train_rl, whose defaults differ.
#ifndef MODEL_LEARNING_H
#define MODEL_LEARNING_H

#include "model/model.h"
#include "options/options.h"

#define MOMENT_TYPES "fp32|bf16"
typedef enum MomentType { MOMENTS_FP32, MOMENTS_BF16 } MomentType;

// clang-format off
#define LEARNING_ROWS(ROW, IN, LR, LR_SCHEDULE, WARMUP, WEIGHT_DECAY) \
    ROW(IN, lr,           number,  LR,           "> 0",           optimizer, IDENTITY, "peak learning rate") \
    ROW(IN, lr_schedule,  choice,  LR_SCHEDULE,  SCHEDULES,       optimizer, IDENTITY, "learning-rate schedule") \
    ROW(IN, lr_end,       number,  "0",          ">= 0 and <= 1", optimizer, IDENTITY, "final learning rate, as a share of the peak") \
    ROW(IN, wsd_decay,    number,  "0.2",        ">= 0 and <= 1", optimizer, IDENTITY, "wsd: share of the steps in the final decay") \
    ROW(IN, warmup_steps, integer, WARMUP,       ">= -1",         optimizer, IDENTITY, "steps of linear warm-up; -1: a tenth of all steps") \
    ROW(IN, weight_decay, number,  WEIGHT_DECAY, ">= 0",          optimizer, IDENTITY, "AdamW's weight decay, of matrices only") \
    ROW(IN, grad_clip,    number,  "1",          ">= 0",          optimizer, IDENTITY, "clip the gradient to this norm; 0: no clipping") \
    ROW(IN, beta1,        number,  "0.9",        ">= 0 and < 1",  optimizer, IDENTITY, "AdamW's beta1") \
    ROW(IN, beta2,        number,  "0.999",      ">= 0 and < 1",  optimizer, IDENTITY, "AdamW's beta2") \
    ROW(IN, moments,      choice,  "fp32",       MOMENT_TYPES,    optimizer, IDENTITY, "AdamW's moments; bf16 takes half") \
    ROW(IN, eps,          number,  "1e-8",       ">= 1e-30",      optimizer, IDENTITY, "AdamW's epsilon")
#define SFT_LEARNING_ROWS(ROW, IN) LEARNING_ROWS(ROW, IN, "1e-5", "cosine", "-1", "0")
#define RL_LEARNING_ROWS(ROW, IN) LEARNING_ROWS(ROW, IN, "1e-6", "constant", "0", "0.01")
// clang-format on
OPTION_GROUP(LearningOptions, SFT_LEARNING_ROWS)

Optimizer learning_optimizer(const LearningOptions *options, uint64_t seed); // to be opened
Schedule learning_schedule(const LearningOptions *options, int64_t steps);

// Clips the gradient and updates; *norm is the norm before clipping. One that is not finite
// changes nothing.
bool learning_update(const LearningOptions *options, Optimizer *optimizer, Model *model, double rate, double *norm);

#endif
