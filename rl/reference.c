// The reference model: opened without gradients, run over a rollout in micro-batches for its log-probabilities; then
// the KL of a rollout, and the controller that adapts its coefficient.
#include "rl/reference.h"
#include "pretrained/config_json.h"
#include "pretrained/folder.h"
#include "pretrained/weights.h"
#include "ranks/gather.h"
#include "ranks/meeting.h"
#include "rl/pack.h"
#include "system/signals.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool find(Bytes *folder, ModelConfig *config, const char *given)
{
    Bytes path = {0};
    bool ok = model_folder_find(folder, given) && bytes_printf(&path, "%s/config.json", folder->data) &&
              config_read(config, path.data);
    bytes_free(&path);
    return ok;
}

bool reference_needs(ModelNeeds *needs, const char *folder, const ModelLimits *limits)
{
    Bytes found = {0};
    *needs = (ModelNeeds){.name = "the reference model", .limits = *limits};
    bool ok = find(&found, &needs->config, folder);
    bytes_free(&found);
    return ok;
}

bool reference_open(Reference *r, const char *folder, const ModelLimits *limits, const Fit *fit)
{
    Bytes found = {0};
    ModelConfig config;
    bool ok = find(&found, &config, folder) && model_folder_fingerprint(&r->hash, found.data, &config) &&
              (model_open(&r->own, &config, limits, fit->kernels, false) || fit_fail(fit)) &&
              model_load(&r->own, found.data);
    r->model = &r->own;
    bytes_free(&found);
    return ok;
}

bool reference_in_policy(Reference *r, Model *policy, const char *folder)
{
    r->model = policy;
    return model_folder_fingerprint(&r->hash, folder, &policy->config);
}

void reference_close(Reference *r)
{
    if (r->own.kernels != NULL)
        model_close(&r->own);
    *r = (Reference){0};
}

static bool micro_batch(Reference *r, Pack *pack, int64_t m, float *logprob, float *entropy)
{
    Ragged batch;
    pack_micro_batch(pack, m, &batch);
    TRY(model_forward(r->model, &batch));
    TRY(model_logprobs(r->model, &batch, r->temperature, r->n_live, logprob, entropy, NULL));
    for (int64_t i = pack->first[m]; i < pack->first[m + 1]; i++) {
        Response *response = pack->items[i].response;
        size_t count = (size_t)response->count;
        TRY((response->reference = allocate(count, sizeof *logprob)) != NULL);
        memcpy(response->reference, logprob, count * sizeof *logprob);
        logprob += count;
    }
    return true;
}

// ---- on several ranks: micro-batch m is run by rank m modulo their number

static bool keep(Pack *pack, int rank, int size, Bytes *out)
{
    for (int64_t m = rank; m < pack->micro_batches; m += size)
        for (int64_t i = pack->first[m]; i < pack->first[m + 1]; i++) {
            const Response *r = pack->items[i].response;
            TRY(bytes_append(out, r->reference, (size_t)r->count * sizeof *r->reference));
        }
    return true;
}

static bool take(Pack *pack, int rank, int size, Text from)
{
    for (int64_t m = rank; m < pack->micro_batches; m += size)
        for (int64_t i = pack->first[m]; i < pack->first[m + 1]; i++) {
            Response *r = pack->items[i].response;
            TRY((r->reference = allocate((size_t)r->count, sizeof *r->reference)) != NULL);
            TRY(gathered_take(&from, r->reference, (size_t)r->count * sizeof *r->reference));
        }
    return true;
}

static bool share(Pack *pack, Communicator *ranks)
{
    Bytes own = {0}, all = {0};
    size_t *edges = allocate((size_t)ranks->size + 1, sizeof *edges);
    bool ok =
        edges != NULL && keep(pack, ranks->rank, ranks->size, &own) && comm_gather_bytes(ranks, &own, &all, edges);
    for (int r = 0; ok && r < ranks->size; r++)
        ok = r == ranks->rank || take(pack, r, ranks->size, (Text){all.data + edges[r], edges[r + 1] - edges[r]});
    bytes_free(&own);
    bytes_free(&all);
    free(edges);
    return ok;
}

static bool run_pack(Reference *r, Pack *pack, float *logprob, float *entropy)
{
    static const int64_t NO_COUNTS[MEETING_COUNTS];
    bool alone = r->ranks == NULL || r->ranks->size == 1, ok = true;
    Meeting meeting;
    meeting_begin(&meeting, r->ranks);
    for (int64_t m = alone ? 0 : r->ranks->rank; ok && m < pack->micro_batches; m += alone ? 1 : r->ranks->size)
        ok = signal_checked("") && micro_batch(r, pack, m, logprob, entropy) && meeting_go_on(&meeting, NO_COUNTS);
    return meeting_end(&meeting, ok) && (alone || share(pack, r->ranks));
}

// Response.reference of every response; they all have weight 1 before the first update.
static bool run_over(Reference *r, const Rollout *rollout)
{
    PackPart all = {0, rollout->count, r->micro_batch_tokens, 1, true}; // forward alone: no bit depends on it
    Pack pack = {0};
    float *logprob = allocate((size_t)r->model->limits.rows, sizeof *logprob);
    float *entropy = allocate((size_t)r->model->limits.rows, sizeof *entropy);
    r->model->without_adapters = true;
    bool ok =
        logprob != NULL && entropy != NULL && pack_open(&pack, rollout, &all) && run_pack(r, &pack, logprob, entropy);
    r->model->without_adapters = false;
    pack_close(&pack);
    free(logprob);
    free(entropy);
    return ok;
}

// Response.kl: the sum over its tokens, at the log-probabilities that they were sampled with. Returns the mean over all
// tokens.
static double count_kl(Rollout *rollout, KlEstimator kl)
{
    double sum = 0;
    int64_t tokens = 0;
    for (int64_t i = 0; i < rollout->count * rollout->samples; i++) {
        Response *r = rollout_response(rollout, i);
        r->kl = 0;
        for (int64_t t = 0; t < r->count; t++)
            r->kl += kl_value(kl, r->logprob[t], r->reference[t]);
        sum += r->kl;
        tokens += r->count;
    }
    return tokens > 0 ? sum / (double)tokens : 0;
}

double kl_coefficient_next(double coefficient, double kl, double target, double n, double horizon)
{
    double error = kl / target - 1;
    return coefficient * (1 + fmax(-0.2, fmin(error, 0.2)) * n / horizon);
}

bool reference_count(Reference *r, Rollout *rollout, const KlOptions *o, double *coefficient)
{
    if (o->kl_coef == 0)
        return true;
    TRY(run_over(r, rollout));
    int64_t n = rollout->count * rollout->samples;
    double kl = count_kl(rollout, (KlEstimator)o->kl.place);
    for (int64_t i = 0; o->kl_in.place == KL_IN_REWARD && i < n; i++)
        rollout_response(rollout, i)->reward -= *coefficient * rollout_response(rollout, i)->kl;
    if (o->kl_target > 0)
        *coefficient = kl_coefficient_next(*coefficient, kl, o->kl_target, (double)n, o->kl_horizon);
    return true;
}
