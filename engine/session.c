// Opening a model folder for sampling: see session.h.
#include "engine/session.h"
#include "base/json.h"
#include "model/folder.h"
#include <stdlib.h>
#include <string.h>

enum { GENERATION_CONFIG_MOST = 1 << 20 };

// ---- the tokens that end an answer

static void add_stop(Session *s, int64_t token)
{
    for (int64_t i = 0; i < s->stop_count; i++)
        if (s->stop[i] == token)
            return;
    if (token >= 0 && token < s->n_live && s->stop_count < STOPS_MOST)
        s->stop[s->stop_count++] = (int32_t)token;
}

static bool add_stops_of(Session *s, const json_t *value, const char *where)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (value == NULL || json_is_null(value))
        return true;
    for (size_t i = 0; i < count; i++) {
        const json_t *token = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_integer(token))
            return fail("%s: eos_token_id must hold integers", where);
        if (i < END_TOKENS)
            add_stop(s, json_integer_value(token));
    }
    return true;
}

static bool find_stops(Session *s)
{
    char *path = path_join(s->folder.data, "generation_config.json");
    TRY(path != NULL);
    PathKind kind;
    json_t *root = !path_kind(&kind, path) ? NULL : kind == PATH_FILE ? json_read(path, GENERATION_CONFIG_MOST) : json_object();
    bool ok = root != NULL && add_stops_of(s, json_object_get(root, "eos_token_id"), path);
    json_decref(root);
    free(path);
    TRY(ok);
    for (int64_t i = 0; i < s->config.end_count; i++)
        add_stop(s, s->config.end_tokens[i]);
    if (s->tokenizer != NULL)
        add_stop(s, tokenizer_find(s->tokenizer, "<|im_end|>"));
    return true;
}

// ---- folder, tokenizer, template

static bool has_tokenizer(bool *there, const char *folder)
{
    PathKind kind;
    TRY(path_in_folder_kind(&kind, folder, "tokenizer.json"));
    *there = kind == PATH_FILE;
    return true;
}

static bool open_tokenizer(Session *s, const SessionOptions *o)
{
    bool given = o->tokenizer != NULL && o->tokenizer[0] != 0, there;
    const char *folder = given ? o->tokenizer : s->folder.data;
    TRY(has_tokenizer(&there, folder));
    s->n_live = s->config.vocabulary;
    if (!there && given)
        return fail("--tokenizer %s: there is no tokenizer.json in it", folder);
    if (!there)
        return template_open(&s->chat, ".", "chatml"); // rows of ids need none; others are refused where they are read
    TRY(bytes_text(&s->tokenizer_folder, folder) && (s->tokenizer = tokenizer_open(folder)) != NULL);
    s->n_live = tokenizer_size(s->tokenizer);
    if (s->n_live > s->config.vocabulary)
        return fail("%s: %" PRId64 " tokens, but the model has only %" PRId64 " vocabulary rows", folder, s->n_live,
                    s->config.vocabulary);
    return template_open(&s->chat, folder, o->template);
}

static bool open_folder(Session *s, const SessionOptions *o)
{
    Bytes path = {0};
    TRY(model_folder_find(&s->folder, o->model) && bytes_printf(&path, "%s/config.json", s->folder.data));
    bool ok = config_read(&s->config, path.data);
    bytes_free(&path);
    return ok && open_tokenizer(s, o) && find_stops(s);
}

// ---- memory

static int64_t or_else(int64_t given, int64_t otherwise) { return given > 0 ? given : otherwise; }

static CacheLimits limits_of(const ModelConfig *config, const Kernels *kernels, const SessionOptions *o)
{
    int64_t longest = config->max_positions < CONTEXT_MOST ? config->max_positions : CONTEXT_MOST;
    CacheLimits l = {.sequences = or_else(o->sequences, kernels->on_gpu ? SEQUENCES_GPU : SEQUENCES_CPU),
                     .positions = or_else(o->context, longest)};
    l.tokens = or_else(o->pass_tokens, kernels->on_gpu ? PASS_TOKENS_GPU : PASS_TOKENS_CPU);
    l.tokens = l.tokens > l.sequences ? l.tokens : l.sequences;
    int64_t probing = o->probes * (l.sequences < 128 ? l.sequences : 128);
    l.rows = l.sequences + probing;
    return l;
}

static bool needs_of(ModelNeeds *needs, const ModelConfig *config, const Kernels *kernels, const SessionOptions *o)
{
    *needs = (ModelNeeds){.config = *config, .limits = o->training, .bf16_moments = o->bf16_moments, .cache_bytes = o->cache};
    needs->limits.cache = limits_of(config, kernels, o);
    return needs->limits.cache.positions <= config->max_positions ||
           fail("%s %" PRId64 ": the model's max_position_embeddings is %" PRId64,
                o->training.tokens > 0 ? "--max-prompt-tokens + --max-new-tokens," : "--context", needs->limits.cache.positions,
                config->max_positions);
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

// As many as there is room for. What a policy writes must not depend on the memory of its machine, so it gets a whole sequence.
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
    char *weights = path_join(s->folder.data, "model.safetensors");
    TRY(weights != NULL);
    bool random = o->random_weights && !file_exists(weights);
    free(weights);
    return random ? model_initialise(&s->model, 1) : model_load(&s->model, s->folder.data);
}

static bool take_memory(Session *s, const SessionOptions *o)
{
    ModelNeeds needs;
    TRY(needs_of(&needs, &s->config, s->kernels, o));
    bool ok = choose_pages(&needs, s->kernels) && model_open(&s->model, &s->config, &needs.limits, s->kernels, false);
    return ok || (o->fit != NULL && fit_fail(o->fit));
}

static bool open_engine(Session *s, const SessionOptions *o)
{
    TRY((s->kernels = kernels_open(o->device, (int)o->threads)) != NULL);
    TRY(take_memory(s, o) && load(s, o));
    s->engine = engine_open(&s->model, s->n_live);
    return s->engine != NULL;
}

bool session_open(Session *s, const SessionOptions *o)
{
    *s = (Session){0};
    if (open_folder(s, o) && (o->plan_only || open_engine(s, o)))
        return true;
    session_close(s);
    return false;
}

void session_close(Session *s)
{
    engine_close(s->engine);
    if (s->model.kernels != NULL)
        model_close(&s->model);
    tokenizer_close(s->tokenizer);
    bytes_free(&s->folder);
    bytes_free(&s->tokenizer_folder);
    *s = (Session){0};
}

void session_describe(const Session *s, Bytes *out)
{
    const CacheLimits *l = &s->model.limits.cache;
    bytes_printf(out,
                 "%s (%s); %s of %.3g million parameters; context %" PRId64 ", %" PRId64 " sequences at once, %" PRId64
                 " tokens of keys and values (%.2f GB)",
                 s->kernels->name, s->kernels->device(), family_of(&s->config)->name, (double)s->model.parameters.elements / 1e6,
                 engine_context(s->engine), l->sequences, (l->pages - 1) * KEY_BLOCK,
                 (double)l->pages * cache_page_bytes(&s->config, s->kernels) / 1e9);
}

bool session_fingerprint(const Session *s, uint64_t *hash) { return model_folder_fingerprint(hash, s->folder.data, &s->config); }
