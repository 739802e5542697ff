// The options of a training run's folder: one group for train_sft and train_rl.
#ifndef RUN_RUN_OPTIONS_H
#define RUN_RUN_OPTIONS_H

#include "options/options.h"

#define EXPORT_TYPES "bf16|fp32"

// clang-format off
#define RUN_ROWS(ROW, IN)                                                                                                        \
    ROW(IN, out,              folder,  "",     "required",        run, NEUTRAL, "folder of checkpoints, log and model") \
    ROW(IN, resume,           text,    "auto", "",                run, NEUTRAL, "auto: newest checkpoint of --out; none; or a checkpoint's folder")          \
    ROW(IN, save_every,       integer, "500",  ">= 0",            run, NEUTRAL, "steps between checkpoints; 0: only by time")        \
    ROW(IN, save_minutes,     number,  "20",   ">= 0",            run, NEUTRAL, "or minutes, if sooner; 0: only by steps")  \
    ROW(IN, stop_within,      number,  "25",   ">= 0",            run, NEUTRAL, "seconds a signal leaves to finish and save")        \
    ROW(IN, keep_checkpoints, integer, "3",    "> 0 and <= 1e6",  run, NEUTRAL, "newest checkpoints to keep")                            \
    ROW(IN, eval_every,       integer, "0",    ">= 0",            run, NEUTRAL, "steps between evaluations; 0: at start and end")                        \
    ROW(IN, log_every,        integer, "1",    "> 0",             run, NEUTRAL, "steps between lines on the terminal")               \
    ROW(IN, export_dtype,     choice,  "bf16", EXPORT_TYPES,      run, NEUTRAL, "type of the weights in OUT/model")
// clang-format on
OPTION_GROUP(RunOptions, RUN_ROWS)

#endif
