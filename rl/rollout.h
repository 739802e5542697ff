// A rollout: G samples of each of some prompts, by the engine that trains (engine/engine.h). The log-probabilities that come back are
// the trainer's own, so they are the "old" ones of the update as they are.
#ifndef RL_ROLLOUT_H
#define RL_ROLLOUT_H

#include "data/documents.h"
#include "engine/engine.h"
#include "judges/referees.h"
#include "log/log.h"
#include "pretrained/files.h"
#include "rl/reward.h"
#include "rl/sampling.h"
#include "tokenizer/tokenizer.h"

typedef enum Judged { JUDGED_NOT, JUDGED_YES, JUDGED_NO, JUDGED_NOTHING } Judged; // not asked; it gave no verdict

typedef struct Response {
    int32_t *ids;     // (count) the token that ended it is among them
    float *logprob;   // (count) of logits / temperature
    float *processed; // (count) the same after top-k and the like; NULL: nothing of the kind
    float *reference; // (count) of the reference model (rl/reference.h); NULL: there is none
    int64_t count;
    bool ended; // by an end token, not by the limit
    Bytes text; // without the end token
    double mean_logprob, least_logprob;
    Verdict verdict;  // by rule
    AnswerKind kind;  // of its reference
    const char *rule; // that decided
    char *answer;     // that it was taken to give, at most FINDING_BYTES; NULL: nobody has looked
    Judged judged;
    char *judge_why;            // JUDGED_NOTHING: the reason
    double parts[REWARD_PARTS]; // of the reward; NaN: not asked, or it could not be had
    double reward;              // their weighted sum; NaN: it could not be had
    double kl;                  // of the response against the reference model: a sum over its tokens
    double advantage;
} Response;

typedef struct Group {
    int64_t document;    // of the documents
    ShardEntry prompt;   // ids, reference answer, source, ...
    Response *responses; // (samples)
    const char *aside;   // why it is not learned from; NULL: it is
} Group;

// Where it is shown how far a rollout is: "step 3/100 | sampling 412/1024 ...".
typedef struct RolloutShow {
    RunLog *log; // NULL: nowhere
    int64_t step;
    const char *doing;
} RolloutShow;

typedef struct RolloutRules {
    uint64_t seed;
    int64_t samples; // of each prompt
    SamplingOptions sampling;
    const ModelFiles *files; // tokenizer, and the tokens that end a response
    Encoder *encoder;        // of that tokenizer
    const Rewards *rewards;  // NULL: accuracy alone
    Referees referees;       // whom to ask, if there is anybody
    const uint32_t *twins;   // (documents) prompts_number_twins; NULL: the draws of twins are the same
    RolloutShow show;        // how far it is
} RolloutRules;

typedef struct Rollout {
    Group *groups; // (count)
    int64_t count, samples;
    Group *asides; // (aside_count) not learned from (rl/dynamic.h): their responses have texts, and no ids or log-probabilities
    int64_t aside_count;
    size_t aside_capacity;
    int64_t finished; // responses, so far
    int64_t tokens;   // sampled
    int64_t prompt_tokens;
    int64_t silent;                          // groups without a signal: what their advantages were made of says so
    int64_t unscored;                        // responses without a reward
    char *why;                               // the first of them has none; NULL
    double generate_seconds, reward_seconds; // reward: what generation had to wait for, judges at the end included
} Rollout;

// documents (count) go into the engine, which is empty, all at once; step names their draws. Each response is compared with its
// reference, and goes to grader and server, when it ends, while others still run. Given up on a signal (ERROR_STOPPED); the
// engine is then not empty.
bool rollout_run(Rollout *rollout, Engine *engine, const Documents *documents, const int64_t *numbers, int64_t count,
                 int64_t step, const RolloutRules *rules);
void rollout_free(Rollout *rollout);

// The i-th of all responses that are learned from, group after group.
static inline Response *rollout_response(const Rollout *rollout, int64_t i)
{
    return &rollout->groups[i / rollout->samples].responses[i % rollout->samples];
}

char *grader_question(const ShardEntry *prompt, Text prediction, Text response); // as grader_ask takes it; NULL after fail()

// One question before the first step: of the first problem that the grader (NULL: there is none) is asked about, answered with its
// reference.
bool rollout_greet_grader(const Documents *prompts, Grader *grader, const Rewards *rewards);

// All groups one after another, those set aside at the end.
int64_t rollout_groups(const Rollout *rollout);
const Group *rollout_group(const Rollout *rollout, int64_t i);
bool rollout_set_aside(Rollout *rollout, Group *group, const char *why); // takes what is in it, and leaves it empty

// Its responses as JSON lines: step, id, source, category, difficulty, sample, prompt (as the model reads it), options (of a
// multiple choice), response, the ids of both (prompt_ids, ids; none of a group that is set aside), tokens, finish_reason,
// reference, answer, kind, verdict, rule, judge (yes, no, or why not; absent: not asked), reward and its parts (absent: not
// asked, or not to be had), KL, advantage (absent: it is not learned from), mean and least log-probability; aside: why its group
// is not learned from.
bool rollout_write(const Rollout *rollout, const Tokenizer *tokenizer, const char *folder,
                   int64_t step); // to folder/step-N.jsonl

// Removes what a run that was stopped after its last checkpoint, or in the middle of a file, has left in that folder: files
// step-N.jsonl of later steps, and what half a step-N.jsonl is called. Everything else there is somebody's.
bool rollouts_cut(const char *folder, int64_t step);

#endif
