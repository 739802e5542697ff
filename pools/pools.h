// Which prompts rest. One that was always or never solved in its last rollout teaches nothing, so it is passed over for
// some epochs, and then asked again: an easy one may have been forgotten, a hard one may have come into reach. Plain
// numbers, the same for any number of ranks; they are saved with every checkpoint.
#ifndef POOLS_H
#define POOLS_H

#include "base/base.h"
#include "json/json.h"

typedef struct PoolPrompt {
    int64_t until; // the epoch in which it is asked again; it rests in those before
    bool solved;   // it rests because it was always solved, else because it never was
} PoolPrompt;

typedef struct Pools {
    int64_t count, rest; // prompts; epochs that one rests
    PoolPrompt *prompts; // (count)
    PoolPrompt *before;  // (count) as they were when the step began
    int64_t learned;     // rollouts that prompts tell of
} Pools;

enum { POOLS_REST_MOST = 100 };

Pools *pools_open(int64_t count, int64_t rest); // all prompts are active; NULL after fail()
void pools_close(Pools *pools);                 // NULL: nothing happens

// A step that is given up puts a number back, `learned`, and the prompts follow it: pools_begin at the beginning of a
// step, pools_sync before anything is read.
void pools_begin(Pools *pools, int64_t learned);
void pools_sync(Pools *pools, int64_t learned);

// A rollout's responses to a prompt, in this epoch. Where one has no verdict, nothing is known of the prompt.
typedef struct PoolOutcome {
    int64_t right, wrong, unscored;
} PoolOutcome;
void pools_learn(Pools *pools, int64_t number, int64_t epoch, PoolOutcome outcome);

bool pools_rests(const Pools *pools, int64_t number, int64_t epoch);

typedef struct PoolCounts { // prompts; they add up to all
    int64_t active, solved, unsolved;
} PoolCounts;
PoolCounts pools_counts(const Pools *pools, int64_t epoch);

// Those that rest: [{"until": 7, "solved": [3, 12], "unsolved": []}, ...], by until. NULL after fail().
json_t *pools_json(const Pools *pools, int64_t epoch);
bool pools_resume(Pools *pools, const json_t *saved, const char *where);

#endif
