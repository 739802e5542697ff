// A rollout: G samples of each of some prompts, by the engine that trains (model/engine.h). The log-probabilities that come back are
// the trainer's own, so they are the "old" ones of the update as they are.
#ifndef RL_ROLLOUT_H
#define RL_ROLLOUT_H

#include "data/documents.h"
#include "data/tokenizer.h"
#include "model/engine.h"
#include "rl/verify.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Response {
    int32_t *ids;   // (count) the token that ended it is among them
    float *logprob; // (count) of logits / temperature
    int64_t count;
    bool ended; // by an end token, not by the limit
    Bytes text; // without the end token
    Verdict verdict;
    double accuracy, overlong; // parts of the reward
    double reward;             // their sum; NaN: it could not be had
    double advantage;
} Response;

typedef struct Group {
    int64_t document;    // of the documents
    ShardEntry prompt;   // ids, reference answer, source, ...
    Response *responses; // (samples)
} Group;

typedef struct RolloutRules {
    uint64_t seed;
    int64_t samples, max_new_tokens;
    float temperature;
    const int32_t *stop; // (stop_count)
    int64_t stop_count;
    int64_t overlong_buffer; // of the soft overlong punishment; 0: there is none
} RolloutRules;

typedef struct Rollout {
    Group *groups; // (count)
    int64_t count, samples;
    int64_t tokens; // sampled
    int64_t prompt_tokens;
    int64_t silent; // groups without a signal: what their advantages were made of says so
    double generate_seconds, reward_seconds;
} Rollout;

// documents (count) go into the engine, which is empty, all at once; step names their draws. Each response is rewarded when it ends, while
// others still run.
bool rollout_run(Rollout *rollout, Engine *engine, const Documents *documents, const Tokenizer *tokenizer, const int64_t *numbers,
                 int64_t count, int64_t step, const RolloutRules *rules);
void rollout_free(Rollout *rollout);

// Its responses as JSON lines: step, id, source, difficulty, sample, response, tokens, finish_reason, verdict, reward and its parts,
// advantage, mean log-probability.
bool rollout_write(const Rollout *rollout, const char *folder, int64_t step); // to folder/step-N.jsonl

// Removes what a run that was stopped after its last checkpoint, or in the middle of a file, has left in that folder.
bool rollouts_cut(const char *folder, int64_t step);

#ifdef __cplusplus
}
#endif
#endif
