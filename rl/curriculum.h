// Which prompts a step asks: the loader's order, prompt after prompt and epoch after epoch; or, adaptively, levels in turn, those whose pass
// rate has left a band more rarely. What it is at is a few numbers, saved with every checkpoint.
#ifndef RL_CURRICULUM_H
#define RL_CURRICULUM_H

#include "base/json.h"
#include "data/order.h"
#include "rl/rollout.h"

#ifdef __cplusplus
extern "C" {
#endif

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

typedef struct Curriculum {
    CurriculumOptions options;
    const Documents *documents;
    Order order;
    int64_t taken; // prompts, over all epochs
    LevelState level[LEVELS];
} Curriculum;

bool curriculum_open(Curriculum *curriculum, const Documents *documents, const CurriculumOptions *options);
void curriculum_close(Curriculum *curriculum);

// The next ones, count or fewer (up to the end of an epoch), into numbers; how many. curriculum_return gives the last so many back.
int64_t curriculum_take(Curriculum *curriculum, int64_t *numbers, int64_t count);
void curriculum_return(Curriculum *curriculum, const int64_t *numbers, int64_t count);

void curriculum_learn(Curriculum *curriculum, const Rollout *rollout); // what passed

json_t *curriculum_state(const Curriculum *curriculum); // NULL after fail()
bool curriculum_resume(Curriculum *curriculum, const json_t *state, const char *where);

#ifdef __cplusplus
}
#endif
#endif
