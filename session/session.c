// Opening a model folder for sampling: see session.h.
#include "session/session.h"
#include "pretrained/config_json.h"
#include "pretrained/folder.h"
#include "pretrained/weights.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

// ---- memory

static int64_t or_else(int64_t given, int64_t otherwise) { return given > 0 ? given : otherwise; }

CacheLimits session_cache(const ModelConfig *config, const Kernels *kernels, const SessionOptions *o)
{
    int64_t longest = config->max_positions < CONTEXT_MOST ? config->max_positions : CONTEXT_MOST;
    CacheLimits l = {.sequences = or_else(o->sequences, kernels->on_gpu ? SEQUENCES_GPU : SEQUENCES_CPU),
                     .positions = or_else(o->context, longest)};
    l.tokens = or_else(o->pass_tokens, kernels->on_gpu ? PASS_TOKENS_GPU : PASS_TOKENS_CPU);
    l.tokens = l.tokens > l.sequences ? l.tokens : l.sequences;
    int64_t probing = o->probes * (l.sequences < 128 ? l.sequences : 128);
    l.rows = l.sequences + probing + o->scores;
    l.whole = o->scores;
    return l;
}

static bool needs_of(ModelNeeds *needs, const ModelConfig *config, const Kernels *kernels, const SessionOptions *o)
{
    *needs = (ModelNeeds){
        .config = *config, .limits = o->training, .bf16_moments = o->bf16_moments, .cache_bytes = o->cache};
    needs->limits.cache = session_cache(config, kernels, o);
    int64_t positions = needs->limits.cache.positions, most = config->max_positions;
    if (positions <= most)
        return true;
    if (o->training.tokens == 0)
        return fail("--context %" PRId64 ": the model's max_position_embeddings is %" PRId64
                    "; give at most that, or drop the option",
                    positions, most);
    return fail("--max-prompt-tokens + --max-new-tokens, %" PRId64 ": the model's max_position_embeddings is %" PRId64
                "; lower them, to --max-prompt-tokens %" PRId64 " --max-new-tokens %" PRId64 " for instance",
                positions, most, most / 4, most - most / 4);
}

bool session_needs(ModelNeeds *needs, const Kernels *kernels, const SessionOptions *o)
{
    Bytes folder = {0}, path = {0};
    ModelConfig config;
    bool ok = model_folder_find(&folder, o->model) && bytes_printf(&path, "%s/config.json", folder.data) &&
              config_read(&config, path.data) && needs_of(needs, &config, kernels, o);
    bytes_free(&folder);
    bytes_free(&path);
    return ok;
}

// As many pages as there is room for. A policy's samples must not depend on memory, so it gets a whole sequence.
static bool choose_pages(ModelNeeds *needs, const Kernels *kernels)
{
    DeviceMemory memory;
    CacheLimits *l = &needs->limits.cache;
    device_memory(&memory, kernels);
    TRY(cache_pages(&l->pages, needs, kernels, memory.bytes));
    int64_t least = 2 + (l->positions > KEY_BLOCK);
    if (needs->limits.training)
        least = cache_whole(l);
    double page = cache_page_bytes(&needs->config, kernels);
    return l->pages >= least ||
           fail("the keys and values of %" PRId64 " tokens take %.3g MB, and there is room for %.3g MB of them (%s)",
                (least - 1) * KEY_BLOCK, (double)least * page / 1e6, (double)l->pages * page / 1e6,
                needs->cache_bytes > 0 ? "--cache" : memory.name);
}

static bool load(Session *s, const SessionOptions *o)
{
    char *weights = path_join(s->files.folder.data, "model.safetensors");
    TRY(weights != NULL);
    bool random = o->random_weights && !file_exists(weights);
    free(weights);
    return random ? model_initialise(&s->model, 1) : model_load(&s->model, s->files.folder.data);
}

static bool take_memory(Session *s, const SessionOptions *o)
{
    ModelNeeds needs;
    TRY(needs_of(&needs, &s->files.config, s->kernels, o));
    bool ok =
        choose_pages(&needs, s->kernels) && model_open(&s->model, &s->files.config, &needs.limits, s->kernels, false);
    return ok || (o->fit != NULL && fit_fail(o->fit));
}

static bool open_engine(Session *s, const SessionOptions *o)
{
    TRY((s->kernels = kernels_open(o->device, (int)o->threads)) != NULL);
    TRY(take_memory(s, o) && load(s, o));
    s->engine = engine_open(&s->model, s->files.n_live);
    return s->engine != NULL;
}

bool session_open(Session *s, const SessionOptions *o)
{
    *s = (Session){0};
    ModelFilesOptions files = {.model = o->model, .tokenizer = o->tokenizer, .template = o->template};
    if (model_files_open(&s->files, &files) && (o->plan_only || open_engine(s, o)))
        return true;
    session_close(s);
    return false;
}

void session_close(Session *s)
{
    engine_close(s->engine);
    if (s->model.kernels != NULL)
        model_close(&s->model);
    model_files_close(&s->files);
    *s = (Session){0};
}

void session_describe(const Session *s, Bytes *out)
{
    const CacheLimits *l = &s->model.limits.cache;
    bytes_printf(out,
                 "%s (%s); %s of %.3g million parameters; context %" PRId64 ", %" PRId64 " sequences at once, %" PRId64
                 " tokens of keys and values (%.2f GB)",
                 s->kernels->name, s->kernels->device(), family_of(&s->files.config)->name,
                 (double)model_own(&s->model)->elements / 1e6, engine_context(s->engine), l->sequences,
                 (l->pages - 1) * KEY_BLOCK, (double)l->pages * cache_page_bytes(&s->files.config, s->kernels) / 1e9);
}

bool session_fingerprint(const Session *s, uint64_t *hash)
{
    return model_folder_fingerprint(hash, s->files.folder.data, &s->files.config);
}
