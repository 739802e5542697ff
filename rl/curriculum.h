// Which prompts a step asks: the loader's order, prompt after prompt and epoch after epoch; or, adaptively, levels in turn, those whose pass
// rate has left a band more rarely. What it is at is a few numbers, saved with every checkpoint.
//
// No prompt is taken twice in one step, whatever ends in it (an epoch, or a level's prompts): its draws have the step's name, so a
// second group would be the first one again, bit by bit. A prompt whose turn comes again in a step has had it.
#ifndef RL_CURRICULUM_H
#define RL_CURRICULUM_H

#include "data/order.h"
#include "json/json.h"
#include "rl/rollout.h"

typedef struct CurriculumOptions {
    LoaderOptions order; // of the prompts, where it is not adaptive; its seed everywhere
    bool adaptive;
    double low, high; // the band of a level's pass rate
    double rare;      // a level outside of the band is asked so much as rarely: 0.1 is a tenth
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
