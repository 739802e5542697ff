// Opening a policy: its memory first, then the reference model, the policy itself and its optimizer.
#include "rl/policy.h"
#include "pretrained/folder.h"
#include <stdlib.h>
#include <string.h>

static int64_t longest_sequence(const PolicySetup *o)
{
    return o->policy->max_prompt_tokens + o->sampling->max_new_tokens;
}

// Of the policy's micro-batches, and of the reference model's, which runs them without a backward pass.
static ModelLimits batch_limits(const PolicySetup *o, bool training)
{
    int64_t positions = longest_sequence(o), tokens = o->policy->micro_batch_tokens;
    tokens = tokens > positions ? tokens : positions;
    return (ModelLimits){.tokens = tokens,
                         .rows = tokens,
                         .sequences = tokens,
                         .positions = positions,
                         .training = training,
                         .adapters = training ? lora_adapters(o->lora) : (Adapters){0},
                         .division = training ? division_of(o->sharding, o->ranks) : (Division){0},
                         .recompute = training && o->policy->recompute.place == RECOMPUTE_LAYER};
}

static const char *reference_folder(const PolicySetup *o)
{
    return o->kl->reference[0] != 0 ? o->kl->reference : o->policy->model;
}

// The reference model is what the policy's adapters began from, and lies still in it.
static bool is_in_policy(bool *is, const PolicySetup *o)
{
    Bytes own = {0}, reference = {0};
    *is = false;
    if (o->kl->kl_coef == 0 || o->lora->lora == 0)
        return true;
    bool ok = model_folder_find(&own, o->policy->model) && model_folder_find(&reference, reference_folder(o));
    char *own_path = ok ? realpath(own.data, NULL) : NULL, *path = ok ? realpath(reference.data, NULL) : NULL;
    *is = own_path != NULL && path != NULL && strcmp(own_path, path) == 0;
    free(own_path);
    free(path);
    bytes_free(&own);
    bytes_free(&reference);
    return ok;
}

static SessionOptions session_options(const PolicySetup *o)
{
    return (SessionOptions){.model = o->policy->model,
                            .tokenizer = o->policy->tokenizer,
                            .template = o->policy->template.name,
                            .device = o->machine->device.name,
                            .threads = o->machine->threads,
                            .context = larger(longest_sequence(o), o->context),
                            .sequences = o->sizes->sequences,
                            .pass_tokens = o->sizes->pass_tokens,
                            .cache = o->sizes->cache,
                            .training = batch_limits(o, true),
                            .bf16_moments = o->learning->moments.place == MOMENTS_BF16,
                            .plan_only = o->machine->plan};
}

static bool choose_memory(Fit *fit, const PolicySetup *o, const SessionOptions *session, bool second_model)
{
    Needs needs = {.recompute_auto = o->policy->recompute.place == RECOMPUTE_AUTO,
                   .micro_batch_tokens = o->policy->micro_batch_tokens,
                   .longest = longest_sequence(o)};
    ModelLimits limits = batch_limits(o, false);
    JudgeOptions judge = referees_judge(o->referees, o->machine, NULL);
    TRY(fit_open_training(fit, o->machine, &o->policy->attention) && session_needs(&needs.own, fit->kernels, session));
    if (second_model)
        TRY(reference_needs(&needs.others[needs.other_count++], reference_folder(o), &limits));
    if (o->machine->plan && o->referees->judge_model[0] != 0 && o->referees->endpoint[0] == 0)
        TRY(judge_needs(&needs.others[needs.other_count++], fit->kernels, &judge));
    return fit_choose(fit, &needs);
}

static bool check_files(const Policy *p, bool second_model)
{
    const ModelFiles *files = &p->session.files;
    const ModelConfig *reference = &p->fit.needs.others[0].config;
    if (files->tokenizer == NULL)
        return fail(
            "%s: there is no tokenizer.json in it, and answers are judged as text; name a folder with --tokenizer",
            files->folder.data);
    return !second_model || reference->vocabulary == files->config.vocabulary ||
           fail("--reference: it has %" PRId64 " vocabulary rows and the model %" PRId64
                "; take a model of the same tokenizer",
                reference->vocabulary, files->config.vocabulary);
}

bool policy_open(Policy *p, const PolicySetup *o)
{
    bool in_policy;
    TRY(is_in_policy(&in_policy, o));
    bool second_model = o->kl->kl_coef > 0 && !in_policy;
    SessionOptions session = session_options(o);
    if (o->sharding->shard.place == DIVIDED_WEIGHTS)
        return fail_as(ERROR_USAGE,
                       "--shard weights: every rank samples with whole weights; give --shard state, or less "
                       "memory to the rest (--moments bf16, --recompute layer, --cache)");
    if (o->policy->attention.place == ATTENTION_CUDNN && o->policy->share_prompts)
        return fail_as(ERROR_USAGE, "--attention cudnn: cuDNN does not support prompts that responses share; give "
                                    "--no-share-prompts, too, or --attention own");
    TRY(choose_memory(&p->fit, o, &session, second_model));
    if (second_model && !o->machine->plan)
        TRY(reference_open(&p->reference, reference_folder(o), &p->fit.needs.others[0].limits, &p->fit));
    session.training = p->fit.needs.own.limits; // layers recomputed or not
    session.fit = &p->fit;
    TRY(session_open(&p->session, &session) && check_files(p, second_model));
    if (o->lora->lora > 0 && !o->machine->plan)
        TRY(model_begin_adapters(&p->session.model, o->seed));
    if (in_policy && !o->machine->plan)
        TRY(reference_in_policy(&p->reference, &p->session.model, p->session.files.folder.data));
    p->reference.micro_batch_tokens = o->policy->micro_batch_tokens;
    p->reference.ranks = o->ranks;
    p->reference.n_live = p->session.files.n_live;
    p->reference.temperature = (float)o->sampling->temperature;
    TRY((p->encoder = encoder_open(p->session.files.tokenizer)) != NULL);
    p->optimizer = learning_optimizer(o->learning, o->seed);
    return o->machine->plan || ((optimizer_open(&p->optimizer, &p->session.model, false) || fit_fail(&p->fit)) &&
                                sharded_open(&p->sharded, &p->session.model, o->ranks));
}

void policy_close(Policy *p)
{
    optimizer_close(&p->optimizer);
    sharded_close(&p->sharded);
    encoder_close(p->encoder);
    reference_close(&p->reference);
    session_close(&p->session);
    fit_close(&p->fit);
    *p = (Policy){0};
}
