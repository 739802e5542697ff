// Which prompts a step samples: the loader's order, prompt after prompt and epoch after epoch; or, with --adapt, level
// by level, fewer of a level whose pass rate has left a band; or the loader's order without the prompts that rest
// (pools/pools.h). Where it is is a few numbers, saved with every checkpoint.
//
// No step takes a prompt twice, even across the end of an epoch or of a level: draws are named by prompt and step, so a
// second group would be a copy of the first. A prompt that the order gives again within a step is skipped.
#ifndef RL_CURRICULUM_H
#define RL_CURRICULUM_H

#include "data/order.h"
#include "options/options.h"
#include "pools/pools.h"
#include "rl/rollout.h"

// clang-format off
#define ADAPT_ROWS(ROW, IN) \
    ROW(IN, adapt,      flag,   "false", "",                   data, IDENTITY, "ask less often what is solved too often or too rarely; see --adapt-by") \
    ROW(IN, adapt_low,  number, "0.1",   ">= 0 and <= 1",      data, IDENTITY, "lower end of --adapt's band") \
    ROW(IN, adapt_high, number, "0.9",   ">= 0 and <= 1",      data, IDENTITY, "upper end of --adapt's band") \
    ROW(IN, adapt_rare, number, "0.1",   ">= 0.001 and <= 1",  data, IDENTITY, "share of its prompts that a level outside the band keeps") \
    ROW(IN, adapt_by,   choice, "level", "level|prompt",       data, IDENTITY, "levels by their pass rates, which replaces --order; or prompts: always or never solved, they rest") \
    ROW(IN, adapt_rest, integer, "2",    "> 0 and <= 100",     data, IDENTITY, "epochs that a prompt rests with --adapt-by prompt")
// clang-format on
OPTION_GROUP(AdaptOptions, ADAPT_ROWS)
typedef enum AdaptBy { ADAPT_BY_LEVEL, ADAPT_BY_PROMPT } AdaptBy;
bool adapt_check(const AdaptOptions *options); // the band has two ends

typedef struct CurriculumOptions {
    LoaderOptions order; // of the prompts, where levels are not adapted; its seed everywhere
    AdaptOptions adapt;
} CurriculumOptions;

typedef struct LevelState {
    int64_t taken;    // prompts, over all epochs
    double pass_rate; // exponential mean over steps; NaN: not seen yet
} LevelState;

// What is saved, and put back when a step is given up: plain numbers.
typedef struct CurriculumState {
    int64_t taken; // prompts, over all epochs
    LevelState level[LEVELS];
    int64_t learned; // rollouts
    Pools *pools;    // the curriculum's, which follow `learned`; NULL: no prompt rests
} CurriculumState;

typedef struct TakenPrompt {
    int64_t turn;  // when it was taken last; 0: never
    int64_t place; // what counted it (CurriculumState.taken, or its level's) before that
} TakenPrompt;

typedef struct Curriculum {
    CurriculumOptions options;
    CurriculumState *state; // the caller's
    const Documents *documents;
    Order order;
    int64_t turn;          // counts steps of this process, from 1
    TakenPrompt *prompts;  // (documents->count)
    int64_t asked[LEVELS]; // in this turn
} Curriculum;

// state: begins anew; to be filled from a checkpoint afterwards.
bool curriculum_open(Curriculum *curriculum, const Documents *documents, const CurriculumOptions *options,
                     CurriculumState *state);
void curriculum_close(Curriculum *curriculum);

void curriculum_begin(Curriculum *curriculum); // a step: all prompts may be taken, once

// Writes the next prompts' numbers and returns how many: up to `count`, fewer at the end of an epoch or where this step
// has taken all the others; 0: it has taken all. curriculum_return undoes the last `count`, for a later step.
int64_t curriculum_take(Curriculum *curriculum, int64_t *numbers, int64_t count);
void curriculum_return(Curriculum *curriculum, const int64_t *numbers, int64_t count);

void curriculum_learn(Curriculum *curriculum, const Rollout *rollout); // updates pass rates, and which prompts rest

int64_t curriculum_epoch(const Curriculum *curriculum);    // of the next prompt in the loader's order
PoolCounts curriculum_pools(const Curriculum *curriculum); // in that epoch; zeros where no prompt rests

#endif
