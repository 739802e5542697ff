// Opening a model folder for sampling: see sampler.h.
#include "sampling/sampler.h"
#include "base/json.h"
#include "model/folder.h"
#include <stdlib.h>
#include <string.h>

enum { GENERATION_CONFIG_MOST = 1 << 20 };

// ---- the tokens that end an answer

static void add_stop(Sampler *s, int64_t token)
{
    for (int64_t i = 0; i < s->stop_count; i++)
        if (s->stop[i] == token)
            return;
    if (token >= 0 && token < s->n_live && s->stop_count < STOPS_MOST)
        s->stop[s->stop_count++] = (int32_t)token;
}

static bool add_stops_of(Sampler *s, const json_t *value, const char *where)
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

static bool find_stops(Sampler *s)
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

static bool open_tokenizer(Sampler *s, const SamplerOptions *o)
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
    return template_open(&s->chat, folder, o->template_);
}

static bool open_folder(Sampler *s, const SamplerOptions *o)
{
    Bytes path = {0};
    TRY(model_folder_find(&s->folder, o->model) && bytes_printf(&path, "%s/config.json", s->folder.data));
    bool ok = config_read(&s->config, path.data);
    bytes_free(&path);
    return ok && open_tokenizer(s, o) && find_stops(s);
}

// ---- memory

static int64_t or_else(int64_t given, int64_t otherwise) { return given > 0 ? given : otherwise; }

static CacheLimits limits_of(const Sampler *s, const SamplerOptions *o)
{
    bool gpu = s->kernels->graph_begin != NULL;
    int64_t longest = s->config.max_positions < CONTEXT_MOST ? s->config.max_positions : CONTEXT_MOST;
    CacheLimits l = {.sequences = or_else(o->sequences, gpu ? SEQUENCES_GPU : SEQUENCES_CPU),
                     .positions = or_else(o->context, longest)};
    l.tokens = or_else(o->pass_tokens, gpu ? PASS_TOKENS_GPU : PASS_TOKENS_CPU);
    l.tokens = l.tokens > l.sequences ? l.tokens : l.sequences;
    int64_t probing = o->probes * (l.sequences < 128 ? l.sequences : 128);
    l.rows = l.sequences + probing;
    l.pages = 2;
    return l;
}

static bool planned_bytes(double *state, double *activations, const Sampler *s, const ModelLimits *limits, int64_t moments)
{
    Model plan;
    TRY(model_open(&plan, &s->config, limits, s->kernels, true));
    *state = (double)plan.state.bytes + (double)moments * (double)plan.parameters.elements;
    *activations = (double)plan.activations.bytes;
    model_close(&plan);
    return true;
}

// Pages that fit: all that can ever be used, or what the memory holds beside weights, their state and activations.
static bool choose_pages(Sampler *s, const SamplerOptions *o, CacheLimits *l)
{
    ModelLimits generating = {.cache = *l};
    double state, activations, unused;
    TRY(planned_bytes(&state, &activations, s, &generating, 0));
    if (o->training.tokens > 0) // what it works in lies where generation's lies; its gradients do not
        TRY(planned_bytes(&state, &unused, s, &o->training, o->moments));
    double fixed = state + activations;
    double page = 2.0 * (double)s->config.layers * (double)s->kernels->page_elements(s->config.kv_heads, s->config.head_width) *
                  (double)s->kernels->activation_size;
    double room = (double)o->cache;
    if (o->cache == 0 && o->plan_only)
        room = 1e18; // as many as could be used
    else if (o->cache == 0)
        room = s->kernels->graph_begin != NULL ? 0.92 * (double)s->kernels->memory_available() - fixed
                                               : 0.5 * ((double)s->kernels->memory_available() - fixed);
    double wanted = (double)l->sequences * (double)ceil_divide(l->positions, KEY_BLOCK) + 1;
    l->pages = (int64_t)(room / page < wanted ? (room > 0 ? room / page : 0) : wanted);
    int64_t least = 2 + (l->positions > KEY_BLOCK);
    return l->pages >= least || fail("the keys and values of %d tokens take %.3g MB, and there is room for %.3g MB of them; free "
                                     "some memory, or give more "
                                     "with --cache",
                                     (int)KEY_BLOCK, page / 1e6, room / 1e6);
}

static bool load(Sampler *s, const SamplerOptions *o)
{
    char *weights = path_join(s->folder.data, "model.safetensors");
    TRY(weights != NULL);
    bool random = o->random_weights && !file_exists(weights);
    free(weights);
    return random ? model_initialise(&s->model, 1) : model_load(&s->model, s->folder.data);
}

static bool open_engine(Sampler *s, const SamplerOptions *o)
{
    s->kernels = o->plan_only ? kernels_for_plan(o->device) : kernels_open(o->device, (int)o->threads);
    TRY(s->kernels != NULL);
    ModelLimits limits = o->training;
    limits.cache = limits_of(s, o);
    if (limits.cache.positions > s->config.max_positions)
        return fail("%s %" PRId64 ": the model's max_position_embeddings is %" PRId64 "; lower %s",
                    o->context_name == NULL ? "--context" : o->context_name, limits.cache.positions, s->config.max_positions,
                    o->context_name == NULL ? "it" : "them");
    TRY(choose_pages(s, o, &limits.cache));
    TRY(model_open(&s->model, &s->config, &limits, s->kernels, o->plan_only));
    if (o->plan_only)
        return true;
    TRY(load(s, o));
    s->engine = engine_open(&s->model, s->n_live);
    return s->engine != NULL;
}

bool sampler_open(Sampler *s, const SamplerOptions *o)
{
    *s = (Sampler){0};
    if (open_folder(s, o) && open_engine(s, o))
        return true;
    sampler_close(s);
    return false;
}

void sampler_close(Sampler *s)
{
    engine_close(s->engine);
    if (s->model.kernels != NULL)
        model_close(&s->model);
    tokenizer_close(s->tokenizer);
    bytes_free(&s->folder);
    bytes_free(&s->tokenizer_folder);
    *s = (Sampler){0};
}

void sampler_describe(const Sampler *s, Bytes *out)
{
    const CacheLimits *l = &s->model.limits.cache;
    bytes_printf(out,
                 "%s (%s); %s of %.3g million parameters; context %" PRId64 ", %" PRId64 " sequences at once, %" PRId64
                 " tokens of keys and values (%.2f GB)",
                 s->kernels->name, s->kernels->device(), family_of(&s->config)->name, (double)s->model.parameters.elements / 1e6,
                 engine_context(s->engine), l->sequences, (l->pages - 1) * KEY_BLOCK,
                 2.0 * (double)l->pages * (double)s->config.layers *
                     (double)s->kernels->page_elements(s->config.kv_heads, s->config.head_width) *
                     (double)s->kernels->activation_size / 1e9);
}

void sampler_print_plan(const Sampler *s, FILE *out)
{
    arena_print(&s->model.state, out);
    arena_print(&s->model.activations, out);
    double bytes = (double)(s->model.state.bytes + s->model.activations.bytes);
    fprintf(out, "%-50s %12.1f MiB = %.2f GB (%.2f GiB) for %s\n", "in all", bytes / 0x1p20, bytes / 1e9, bytes / 0x1p30,
            s->kernels->name);
}

bool sampler_fingerprint(const Sampler *s, uint64_t *hash) { return model_folder_fingerprint(hash, s->folder.data, &s->config); }
