// A rollout: G responses to each of some prompts, sampled by the engine that trains (engine/engine.h). Their
// log-probabilities are the trainer's own, so an update uses them as the "old" ones without a pass of its own.
#ifndef RL_ROLLOUT_H
#define RL_ROLLOUT_H

#include "data/documents.h"
#include "engine/engine.h"
#include "judges/referees.h"
#include "log/log.h"
#include "options/options.h"
#include "pretrained/files.h"
#include "rl/reward.h"
#include "run/run.h"
#include "tokenizer/tokenizer.h"

// How the policy samples. With top-k, top-p or min-p it samples from another distribution than the one that learns:
// this needs --no-exact, and the loss corrects for it with importance weights up to importance_cap.
// clang-format off
#define SAMPLING_ROWS(ROW, IN) \
    ROW(IN, max_new_tokens, integer, "8192", "> 0",                  sampling, IDENTITY, "longest response, in tokens") \
    ROW(IN, temperature,    number,  "1",    "> 1e-6",               sampling, IDENTITY, "sampling temperature, also of the update's log-probabilities") \
    ROW(IN, exact,          flag,    "true", "",                     sampling, IDENTITY, "sample from the policy itself; --no-exact allows --top-k, --top-p and --min-p") \
    ROW(IN, top_k,          integer, "0",    ">= 0 and <= 2147483647", sampling, IDENTITY, "with --no-exact: keep the k likeliest tokens; 0: all") \
    ROW(IN, top_p,          number,  "1",    "> 0 and <= 1",         sampling, IDENTITY, "with --no-exact: keep the likeliest tokens up to this probability") \
    ROW(IN, min_p,          number,  "0",    ">= 0 and <= 1",        sampling, IDENTITY, "with --no-exact: drop tokens below this share of the likeliest") \
    ROW(IN, importance_cap, number,  "2",    ">= 0",                 sampling, IDENTITY, "with --no-exact: cap of truncated importance sampling; 0: none")
// clang-format on
OPTION_GROUP(SamplingOptions, SAMPLING_ROWS)

// Whether it samples from another distribution than the policy.
static inline bool sampling_leaves_out(const SamplingOptions *o)
{
    return o->top_k > 0 || o->top_p < 1 || o->min_p > 0;
}

static inline bool sampling_check(const SamplingOptions *o)
{
    return !sampling_leaves_out(o) || !o->exact ||
           fail("--top-k, --top-p and --min-p sample from another distribution than the one that learns; give "
                "--no-exact to "
                "do so, with --importance-cap against it");
}

// What a judge said of a response: nothing, where it was asked and gave no verdict.
typedef enum Judged { JUDGED_NOT, JUDGED_YES, JUDGED_NO, JUDGED_NOTHING } Judged;

typedef struct Response {
    int32_t *ids;     // (count) with the token that ended it
    float *logprob;   // (count) of logits / temperature
    float *processed; // (count) the same after top-k, top-p or min-p; NULL: none of these
    float *reference; // (count) of the reference model (rl/reference.h); NULL: there is none
    int64_t count;
    bool ended; // by an end token, not by the limit
    Bytes text; // without the end token
    double mean_logprob, least_logprob;
    Verdict verdict;  // by rule
    AnswerKind kind;  // of its reference
    const char *rule; // that decided
    char *answer;     // as it was found in the text, at most FINDING_BYTES; NULL: not looked for
    Judged judged;
    char *judge_why;            // JUDGED_NOTHING: the reason
    double parts[REWARD_PARTS]; // of the reward; NaN: not asked for, or missing
    double reward;              // their weighted sum; NaN: missing
    double kl;                  // of the response against the reference model: a sum over its tokens
    double advantage;
    double weight; // of each of its tokens in the loss (rl/update.h); 1 before the first update; 0: not trained
} Response;

typedef struct Group {
    int64_t document;    // of the documents
    ShardEntry prompt;   // ids, reference answer, source, ...
    Response *responses; // (samples)
    const char *aside;   // why it is not learned from; NULL: it is
} Group;

// Where progress is shown: "step 3/100 | sampling 412/1024 ...".
typedef struct RolloutShow {
    RunLog *log; // NULL: nowhere
    int64_t step;
    const char *doing;
} RolloutShow;

typedef struct RolloutRules {
    uint64_t seed;
    int64_t step;    // names the draws, which differ from step to step; -1: of an evaluation
    int64_t samples; // of each prompt
    SamplingOptions sampling;
    const ModelFiles *files;    // tokenizer, and the tokens that end a response
    Encoder *encoder;           // of that tokenizer
    const Rewards *rewards;     // NULL: accuracy alone
    Referees referees;          // the judge and the grader, where there are any
    const uint32_t *twins;      // (documents) Prompts.twins; NULL: the draws of twins are the same
    struct RolloutRanks *ranks; // that share the work (rl/rollout_ranks.h); NULL: this process is alone
    RolloutShow show;
} RolloutRules;

typedef struct Rollout {
    Group *groups; // (count)
    int64_t count, samples;
    Group *
        // (aside_count) not learned from (rl/dynamic.h): their responses have texts, and no ids or log-probabilities
        asides;
    int64_t aside_count;
    size_t aside_capacity;
    int64_t finished; // responses, so far
    int64_t tokens;   // sampled
    int64_t prompt_tokens;
    int64_t unscored;                        // responses without a reward
    char *why;                               // why the first of them has none; NULL: unknown
    double generate_seconds, reward_seconds; // reward: time that generation waited for it, and for judges at the end
} Rollout;

// Samples and rewards: all documents (count) go into the engine, which is empty. Each response is compared with its
// reference, and sent to judge and grader, as soon as it ends. Given up on a signal (ERROR_STOPPED); the engine is then
// not empty. On several ranks each samples some, all get all, and all fail where one does.
bool rollout_run(Rollout *rollout, Engine *engine, const Documents *documents, const int64_t *numbers, int64_t count,
                 const RolloutRules *rules);
void rollout_free(Rollout *rollout);

// The i-th of all responses that are learned from, group after group.
static inline Response *rollout_response(const Rollout *rollout, int64_t i)
{
    return &rollout->groups[i / rollout->samples].responses[i % rollout->samples];
}

// Before the first step: asks the grader (NULL: there is none) about the first problem whose reward it has a part in,
// answered with the reference.
bool rollout_greet_grader(const Documents *prompts, Grader *grader, const Rewards *rewards);

// All groups one after another, those set aside at the end.
int64_t rollout_groups(const Rollout *rollout);
const Group *rollout_group(const Rollout *rollout, int64_t i);
bool rollout_set_aside(Rollout *rollout, Group *group, const char *why); // takes its content, and leaves it empty

// Writes the responses to folder/step-N.jsonl. A line has step, id, source, category, difficulty, sample, prompt (as
// the model reads it), options (of a multiple choice), response, prompt_ids and ids (no ids in a group that is set
// aside), tokens, finish_reason, reference, answer, kind, verdict, rule, judge (yes, no, or why not; absent: not
// asked), reward and its parts (absent: not asked for, or missing), kl, advantage (absent: not learned from), mean and
// least log-probability; aside: why its group is not learned from.
bool rollout_write(const Rollout *rollout, const Tokenizer *tokenizer, const char *folder, int64_t step);

// *folder: OUT/NAME, to be freed. The first rank removes there what a run left after its last checkpoint: files
// step-N.jsonl and folders step-N of later steps, and half-written ones. Other files are not ours and stay.
bool rollouts_open(char **folder, const Run *run, const char *name);

#endif
