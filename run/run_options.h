// The options of a training run's folder: one group for train_sft and train_rl.
#ifndef RUN_RUN_OPTIONS_H
#define RUN_RUN_OPTIONS_H

#include "options/options.h"

#define EXPORT_TYPES "bf16|fp32"

// clang-format off
#define RUN_ROWS(ROW, IN)                                                                                                        \
    ROW(IN, out,              folder,  "",     "required",        run, NEUTRAL, "checkpoints, log, rollouts, and the model at the end") \
    ROW(IN, resume,           text,    "auto", "",                run, NEUTRAL, "auto: newest of --out; none; or a folder")          \
    ROW(IN, save_every,       integer, "500",  ">= 0",            run, NEUTRAL, "steps between checkpoints; 0: only by time")        \
    ROW(IN, save_minutes,     number,  "20",   ">= 0",            run, NEUTRAL, "or minutes, whichever is first; 0: only by steps")  \
    ROW(IN, stop_within,      number,  "25",   ">= 0",            run, NEUTRAL, "seconds from a signal to the end of it all")        \
    ROW(IN, keep_checkpoints, integer, "3",    "> 0 and <= 1e6",  run, NEUTRAL, "older ones are removed")                            \
    ROW(IN, eval_every,       integer, "0",    ">= 0",            run, NEUTRAL, "steps; 0: at start and end")                        \
    ROW(IN, log_every,        integer, "1",    "> 0",             run, NEUTRAL, "steps between lines on the terminal")               \
    ROW(IN, export_dtype,     choice,  "bf16", EXPORT_TYPES,      run, NEUTRAL, "of OUT/model")
// clang-format on
OPTION_GROUP(RunOptions, RUN_ROWS)

#endif
