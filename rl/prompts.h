// The problems of a run: --data, of which those stay whose reference somebody can compare an answer with, and --eval-data.
//
//     TRY(prompts_open(&prompts, &(PromptsRules){.data = &options->data, .out = options->run.out, ...}));
//     prompts.data.kept = true;  // once the run is not refused any more
#ifndef RL_PROMPTS_H
#define RL_PROMPTS_H

#include "pretrained/files.h"
#include "rl/reward.h"
#include "run/run.h"

enum { PROMPTS_NAMED = 5 };

typedef struct DroppedPrompts {
    int64_t count, kind[ANSWER_KINDS]; // in all, and by what their references are
    Bytes names;                       // the first of them, with their references: 'id "reference", ...'
} DroppedPrompts;

typedef struct Prompts {
    TrainingData data;
    const Documents *train, *held_out; // of data
    DroppedPrompts dropped;            // of train
    uint32_t *twins;                   // (train->count) prompts_number_twins
} Prompts;

typedef struct PromptsRules {
    const DataOptions *data;
    const char *out; // of the run
    bool plan;       // what JSONL becomes is not kept
    int64_t longest; // prompt, in tokens
    const ModelFiles *files;
    const Rewards *rewards;
    bool has_judge;
} PromptsRules;

bool prompts_open(Prompts *prompts, const PromptsRules *rules);
void prompts_close(Prompts *prompts);
void prompts_announce(const Prompts *prompts, Run *run,
                      bool has_judge); // which problems are left out, and what of JSONL was not read

// Leaves out the problems that have no reference, or one by which no rule can tell right answers from wrong ones (answer_comparable),
// unless a judge is there for these, or nobody's reward hangs on it. Fails when none are left.
bool prompts_drop_incomparable(DroppedPrompts *dropped, Documents *documents, const Rewards *rewards, bool has_judge);

bool prompts_describe_dropped(Bytes *out, const DroppedPrompts *dropped); // appends '3 text, 1 none: a "The heart", ...'

// *twins (documents->count), to be freed: how many documents before it are the same prompt with the same id, as in a folder that is named
// twice to be seen twice as often. Their draws would be the same ones, and their groups copies.
bool prompts_number_twins(uint32_t **twins, const Documents *documents);

// Appends what the user asks, options too, as a judge is to read it: without instruction, system and the words of a chat template.
bool prompt_problem(Bytes *out, const ShardEntry *prompt, const Tokenizer *tokenizer);

#endif
