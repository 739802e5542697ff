// The problems of a run: --data, without those whose reference no answer can be compared with, and --eval-data.
//
//     TRY(prompts_open(&prompts, &(PromptsRules){.data = &options->data, .out = options->run.out, ...}));
//     prompts.data.kept = true;  // once the run has begun
#ifndef RL_PROMPTS_H
#define RL_PROMPTS_H

#include "pretrained/files.h"
#include "rl/pack.h"
#include "rl/reward.h"
#include "run/run.h"

typedef struct DroppedPrompts {
    int64_t count, kind[ANSWER_KINDS]; // in all, and by kind of reference
    Bytes names;                       // the first ones, with their references: 'id "reference", ...'
} DroppedPrompts;

typedef struct Prompts {
    TrainingData data;
    const Documents *train, *held_out; // of data
    DroppedPrompts dropped;            // of train
    uint32_t *
        // (train->count) documents before it with the same prompt and id, as in a folder that is named twice: by this
        twins;
    // number they have draws of their own
} Prompts;

typedef struct PromptsRules {
    const DataOptions *data;
    const char *out; // of the run
    bool plan;       // shards made of JSONL are not kept
    int64_t longest; // prompt, in tokens
    const ModelFiles *files;
    const Rewards *rewards;
    bool has_judge;
} PromptsRules;

// Drops problems without a reference, and those by whose reference no rule can tell right answers from wrong ones
// (answer_comparable), unless there is a judge, or no reward depends on it. Fails where none are left.
bool prompts_open(Prompts *prompts, const PromptsRules *rules);
void prompts_close(Prompts *prompts);
void prompts_announce(const Prompts *prompts, Run *run,
                      bool has_judge); // dropped problems, and rows of JSONL that were not read

// After an update of these groups whose gradient had this norm, all ranks alike: where it is not finite, the update was
// not made, and is left out (run_leave_out), or the run fails.
bool prompts_check_norm(const Prompts *prompts, const Rollout *rollout, const PackPart *part, double norm, Run *run);

#endif
