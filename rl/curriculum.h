// Which prompts a step asks: the loader's order, prompt after prompt and epoch after epoch; or, adaptively, levels in turn, those whose pass
// rate has left a band more rarely. What it is at is a few numbers, saved with every checkpoint.
//
// No prompt is taken twice in one step, whatever ends in it (an epoch, or a level's prompts): its draws have the step's name, so a
// second group would be the first one again, bit by bit. A prompt whose turn comes again in a step has had it.
#ifndef RL_CURRICULUM_H
#define RL_CURRICULUM_H

#include "data/order.h"
#include "json/json.h"
#include "options/options.h"
#include "rl/rollout.h"

// clang-format off
#define ADAPT_ROWS(ROW, IN)                                                                                                      \
    ROW(IN, adapt,      flag,   "false", "",                   data, IDENTITY, "ask a level less often when its pass rate leaves a band; replaces --order") \
    ROW(IN, adapt_low,  number, "0.1",   ">= 0 and <= 1",      data, IDENTITY, "lower end of --adapt's band")                    \
    ROW(IN, adapt_high, number, "0.9",   ">= 0 and <= 1",      data, IDENTITY, "upper end of --adapt's band")                    \
    ROW(IN, adapt_rare, number, "0.1",   ">= 0.001 and <= 1",  data, IDENTITY, "share of its prompts that a level outside the band keeps")
// clang-format on
OPTION_GROUP(AdaptOptions, ADAPT_ROWS)
bool adapt_check(const AdaptOptions *options); // the band has two ends

typedef struct CurriculumOptions {
    LoaderOptions order; // of the prompts, where levels are not adapted; its seed everywhere
    AdaptOptions adapt;
} CurriculumOptions;

// Of a level: how many of its prompts were taken, and its pass rate, an exponential mean over steps (new ones weigh PASS_RATE_NEW).
typedef struct LevelState {
    int64_t taken;
    double pass_rate; // NaN: not seen yet
} LevelState;

typedef struct TakenPrompt {
    int64_t turn;  // when it was taken last; 0: never
    int64_t place; // what counted it (Curriculum.taken, or its level's) before that
} TakenPrompt;

typedef struct Curriculum {
    CurriculumOptions options;
    const Documents *documents;
    Order order;
    int64_t taken; // prompts, over all epochs
    LevelState level[LEVELS];
    int64_t turn;          // counts steps of this process, from 1
    TakenPrompt *prompts;  // (documents->count)
    int64_t asked[LEVELS]; // in this turn
} Curriculum;

bool curriculum_open(Curriculum *curriculum, const Documents *documents, const CurriculumOptions *options);
void curriculum_close(Curriculum *curriculum);

void curriculum_begin(Curriculum *curriculum); // a step: all prompts may be taken, once

// The next ones, count or fewer (up to the end of an epoch, or those that were not taken in this step), into numbers; how many. 0:
// the step has taken all there are. curriculum_return gives the last so many of them back, for a later step.
int64_t curriculum_take(Curriculum *curriculum, int64_t *numbers, int64_t count);
void curriculum_return(Curriculum *curriculum, const int64_t *numbers, int64_t count);

void curriculum_learn(Curriculum *curriculum, const Rollout *rollout); // what passed

json_t *curriculum_state(const Curriculum *curriculum); // NULL after fail()
bool curriculum_resume(Curriculum *curriculum, const json_t *state, const char *where);

// Where it stands, to go back there: a step that was given up is asked again.
typedef struct CurriculumMark {
    int64_t taken;
    LevelState level[LEVELS];
} CurriculumMark;

CurriculumMark curriculum_mark(const Curriculum *curriculum);
void curriculum_rewind(Curriculum *curriculum, const CurriculumMark *mark);

#endif
