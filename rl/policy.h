// The policy: the model that samples and learns, with its optimizer and, for the KL, a reference model. Their memory,
// and that of a judge's model, is planned together before any of it is taken (fit/fit.h).
#ifndef RL_POLICY_H
#define RL_POLICY_H

#include "session/session.h"
#include "judges/referees.h"
#include "model/learning.h"
#include "model/lora.h"
#include "rl/reference.h"
#include "rl/rollout.h"
#include "sharded/sharded.h"
#include "tokenizer/template.h"

// clang-format off
#define POLICY_ROWS(ROW, IN) \
    ROW(IN, model, folder,  "", "required",          model,     NEUTRAL,  "model to start from, a Hugging Face folder") \
    ROW(IN, tokenizer, folder,  "", "",                  model,     NEUTRAL,  "folder of the tokenizer, if not the model's") \
    ROW(IN, template, choice,  "auto", "auto|" TEMPLATE_CHOICES, model,     IDENTITY, "chat template") \
    ROW(IN, max_prompt_tokens, integer, "1024", "> 1",           data,      IDENTITY, "longest prompt, in tokens; longer ones are dropped") \
    ROW(IN, micro_batch_tokens, integer, "16384", "> 0",          steps,     IDENTITY, "tokens in a micro-batch") \
    ROW(IN, share_prompts, flag, "true", "",                     steps,     IDENTITY, "compute a prompt once for all of its responses that are in a micro-batch") \
    ROW(IN, attention, choice,  "own", ATTENTION_MAKERS, machine, IDENTITY, "of training; cudnn's is not exact") \
    ROW(IN, recompute, choice,  "auto", RECOMPUTES, machine, NEUTRAL,  "recompute layers in the backward pass; auto: if memory needs it")
// clang-format on
OPTION_GROUP(PolicyOptions, POLICY_ROWS)

// The options that decide on its memory, its updates and its samples.
typedef struct PolicySetup {
    const PolicyOptions *policy;
    const SessionSizes *sizes;
    const SamplingOptions *sampling;
    const LearningOptions *learning;
    const LoraOptions *lora; // checked
    const KlOptions *kl;     // a coefficient of 0: there is no reference model
    const RefereeOptions *referees;
    const MachineOptions *machine;
    const ShardedOptions *sharding;
    Communicator *ranks;
    uint64_t seed;
    int64_t context; // at least, of the engine; 0: no longer than prompts and responses of the run
} PolicySetup;

typedef struct Policy {
    Fit fit;
    Session session;
    Encoder *encoder; // of the session's tokenizer
    Reference reference;
    Optimizer optimizer;
    Sharded sharded; // the session's model among the ranks: gradients and moments; each samples with whole weights
} Policy;

// With machine->plan only what fits, the configuration and the tokenizer: no device, no weights. A judge that is open
// has taken its memory already.
bool policy_open(Policy *policy, const PolicySetup *setup);
void policy_close(Policy *policy);

#endif
