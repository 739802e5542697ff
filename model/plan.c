// The plan of a model's memory, which is then allocated from it: weights and gradients, what a forward and a backward
// pass keep, what generation works in.
#include "model/paged.h"
#include "model/model_internal.h"

static bool plan_input(Arena *arena, LayerActivations *l, const Model *m, int64_t T)
{
    return arena_add(arena, "layer: input", &l->input, T * m->config.width, m->kernels->activation_size);
}

static bool plan_low(Arena *arena, LayerActivations *l, const Model *m, int64_t T)
{
    const Adapters *adapters = &m->limits.adapters;
    for (int site = 0; site < ADAPTER_SITES; site++) {
        int64_t columns = adapters_at(adapters, (AdapterSite)site) * adapters->rank;
        if (columns > 0)
            TRY(arena_add(arena, "layer: adapters", &l->low[site], T * columns, m->kernels->activation_size));
    }
    return true;
}

// The arrays that one layer keeps besides its input. Without a backward pass, or with recomputation, one layer's serve
// all of them.
static bool plan_layer(Arena *arena, LayerActivations *l, const Model *m, int64_t T)
{
    const ModelConfig *c = &m->config;
    size_t size = m->kernels->activation_size;
    int64_t C = c->width, F = c->feed_forward, H = c->heads, Hkv = c->kv_heads, Q = H * c->head_width;
    int64_t KV = Hkv * c->head_width;
    bool norm = family_of(c)->qk_norm; // without it q and k are turned where they lie
    struct {
        const char *name;
        void *pointer;
        int64_t columns;
        size_t size;
    } arrays[] = {{"layer: attention norm", &l->normed, C, size},
                  {"layer: q, k, v", &l->qkv, Q + 2 * KV, size},
                  {"layer: q, k after norm and RoPE", &l->turned, norm ? Q + KV : 0, size},
                  {"layer: attention", &l->attended, Q, size},
                  {"layer: middle of the stream", &l->middle, C, size},
                  {"layer: MLP norm", &l->normed2, C, size},
                  {"layer: gate, up", &l->gate_up, 2 * F, size}, // these two in a row: backward.c lends them as one
                  {"layer: SwiGLU", &l->product, F, size},
                  {"layer: row statistics", &l->rstd, 1, 4},
                  {"layer: row statistics", &l->rstd2, 1, 4},
                  {"layer: row statistics", &l->qk_rstd, norm ? H + Hkv : 0, 4},
                  {"layer: row statistics", &l->logsumexp, H, 4}};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        if (arrays[i].columns > 0)
            TRY(arena_add(arena, arrays[i].name, arrays[i].pointer, T * arrays[i].columns, arrays[i].size));
    return plan_low(arena, l, m, T);
}

static bool plan_layers(Model *m)
{
    const ModelLimits *limits = &m->limits;
    bool all = limits->training && !limits->recompute;
    for (int64_t layer = 0; layer < m->config.layers; layer++) {
        LayerActivations *l = &m->a.layers[layer];
        if (layer == 0 || limits->training)
            TRY(plan_input(&m->activations, l, m, limits->tokens));
        if (layer == 0 || all)
            TRY(plan_layer(&m->activations, l, m, limits->tokens));
    }
    return true;
}

static bool plan_batch(Model *m)
{
    int64_t T = m->limits.tokens, N = m->limits.rows, S = m->limits.sequences;
    Activations *a = &m->a;
    int32_t **integers[] = {&a->ids,     &a->positions, &a->starts, &a->contexts,     &a->rows,
                            &a->targets, &a->sort,      &a->best,   &a->context_rows, &a->seen_until};
    const int64_t counts[] = {T, T, S + 1, S, N, N, 2 * T, N, S, S};
    for (int i = 0; i < 10; i++)
        TRY(arena_add(&m->activations, "batch", integers[i], counts[i], sizeof(int32_t)));
    float **rows[] = {&a->logprob, &a->entropy, &a->logsumexp};
    for (int i = 0; i < 3; i++)
        TRY(arena_add(&m->activations, "head: results", rows[i], N, sizeof(float)));
    return true;
}

// Arrays outside the layers: T tokens, N rows of the head.
static bool plan_stream(Arena *arena, Activations *a, const ModelConfig *c, int64_t T, int64_t N, size_t size)
{
    TRY(arena_add(arena, "stream", &a->branch, T * c->width, size));
    TRY(arena_add(arena, "stream", &a->stream, T * c->width, size));
    TRY(arena_add(arena, "stream", &a->hidden, T * c->width, size));
    TRY(arena_add(arena, "stream", &a->stream_rstd, T, sizeof(float)));
    return arena_add(arena, "head: rows", &a->head_input, N * c->width, size);
}

static bool plan_forward(Model *m)
{
    const ModelLimits *l = &m->limits;
    int64_t logits = m->kernels->head_workspace(l->rows, m->config.vocabulary, m->config.width);
    return plan_batch(m) &&
           plan_stream(&m->activations, &m->a, &m->config, l->tokens, l->rows, m->kernels->activation_size) &&
           arena_add(&m->activations, "head: logits of a block", &m->a.head_workspace, logits, sizeof(float)) &&
           plan_layers(m);
}

static bool plan_low_gradient(Model *m)
{
    const Adapters *adapters = &m->limits.adapters;
    int most = 0;
    for (int site = 0; site < ADAPTER_SITES; site++)
        most = adapters_at(adapters, (AdapterSite)site) > most ? adapters_at(adapters, (AdapterSite)site) : most;
    return arena_add(&m->activations, "gradients of activations", &m->a.dlow, m->limits.tokens * most * adapters->rank,
                     m->kernels->activation_size);
}

static bool plan_backward(Model *m)
{
    Arena *arena = &m->activations;
    Activations *a = &m->a;
    const ModelConfig *c = &m->config;
    int64_t T = m->limits.tokens, N = m->limits.rows, C = c->width, D = c->head_width, Q = c->heads * D,
            KV = c->kv_heads * D;
    int64_t widest = C > D ? C : D; // of all gradients that are summed over rows
    int64_t heads = family_of(c)->qkv_bias ? Q + 2 * KV : family_of(c)->qk_norm ? Q + KV : 0;
    widest = heads > widest ? heads : widest;
    size_t size = m->kernels->activation_size;
    void **arrays[] = {&a->dhidden, &a->dstream, &a->dmiddle, &a->dnormed, &a->dqkv, &a->dattended, &a->dproduct};
    const int64_t columns[] = {C, C, C, C, Q + 2 * KV, Q, c->feed_forward};
    for (int i = 0; i < 7; i++)
        TRY(arena_add(arena, "gradients of activations", arrays[i], T * columns[i], size));
    TRY(arena_add(arena, "gradients of activations", &a->dhead_input, N * C, size));
    TRY(arena_add(arena, "gradients of activations", &a->delta, T * c->heads, sizeof(float)));
    TRY(arena_add(arena, "gradients of activations", &a->dlogprob, N, sizeof(float)));
    TRY(arena_add(arena, "gradients of activations", &a->dentropy, N, sizeof(float)));
    if (m->kernels->attention_room != NULL) {
        int64_t room = m->kernels->attention_room(T, m->limits.sequences, c->heads, c->kv_heads, D);
        a->attention_room_floats = room;
        TRY(arena_add(arena, "attention: its library's workspace", &a->attention_room, room, sizeof(float)));
    }
    if (m->frozen.count > 0)
        return plan_low_gradient(m);
    TRY(arena_add(arena, "partial sums", &a->partial, partial_floats(T, widest), sizeof(float)));
    return arena_add(arena, "head: a micro-batch's weight gradient", &a->head_gradient, c->vocabulary * C,
                     sizeof(float));
}

bool has_fp32_weights(const Model *m) { return m->kernels->activation_size == sizeof(float); }

static bool plan_state(Model *m)
{
    int64_t elements = m->parameters.elements, blocks = m->sharding.blocks, own = m->sharding.own;
    bool alone = m->sharding.size == 1, divided = m->sharding.weights;
    bool still = m->frozen.count > 0;
    m->state = (Arena){.name = m->limits.training ? "weights and gradients" : "weights", .kernels = m->kernels};
    if (still)
        TRY(arena_add(&m->state, "weights", &m->frozen_weights, m->frozen.elements, m->kernels->activation_size));
    const char *name = still ? "adapters" : divided ? "weights: outer ones, two layers" : "weights";
    TRY(arena_add(&m->state, name, &m->weights, m->sharding.held, m->kernels->activation_size));
    if (!m->limits.training)
        return true;
    if (!has_fp32_weights(m) || divided)
        TRY(arena_add(&m->state, still ? "adapters: masters" : "master weights", &m->master, own, sizeof(float)));
    if (!has_fp32_weights(m) && divided)
        TRY(arena_add(&m->state, "weights: own", &m->own_weights, own, m->kernels->activation_size));
    int64_t gradients = alone || m->sharding.once ? elements : m->sharding.largest;
    TRY(arena_add(&m->state, "gradients", &m->gradients, gradients, sizeof(float)));
    if (!alone)
        TRY(arena_add(&m->state, "gradients: sums", &m->sums, own, sizeof(float)));
    if (!alone && m->kernels->on_gpu)
        TRY(arena_add(&m->state, "gradients: in transfer", &m->gradients_received,
                      m->sharding.size * m->sharding.largest_own, sizeof(float)));
    if (!alone && m->kernels->on_gpu && !m->sharding.once)
        TRY(arena_add(&m->state, "gradients: in transfer", &m->gradients_next, m->sharding.largest, sizeof(float)));
    TRY(arena_add(&m->state, "block sums", &m->squares, blocks, sizeof(float)));
    m->squares_host = allocate((size_t)blocks, sizeof(float));
    return m->squares_host != NULL;
}

// ---- generation: nothing is kept for a backward pass, so all layers use one layer's arrays

static bool plan_pages(Model *m)
{
    const CacheLimits *l = &m->limits.cache;
    const ModelConfig *c = &m->config;
    const Kernels *k = m->kernels;
    size_t page, count;
    TRY(size_multiply(&page, (size_t)k->page_elements(c->kv_heads, c->head_width), (size_t)c->layers));
    TRY(size_multiply(&count, page, (size_t)l->pages));
    if (count > INT64_MAX)
        return fail("a cache of %" PRId64 " pages is too large for this program", l->pages);
    TRY(arena_add(&m->activations, "generation: keys and values in pages", &m->cached.key_pages, (int64_t)count,
                  k->activation_size));
    TRY(arena_add(&m->activations, "generation: keys and values in pages", &m->cached.value_pages, (int64_t)count,
                  k->activation_size));
    int64_t sums = k->attention_workspace(l->sequences, l->positions, c->heads, c->head_width);
    return arena_add(&m->activations, "generation: attention's segments", &m->cached.attention_workspace, sums,
                     sizeof(float));
}

static bool plan_generation(Model *m)
{
    const CacheLimits *l = &m->limits.cache;
    const Kernels *k = m->kernels;
    Activations *a = &m->cached;
    int64_t head = k->head_workspace(l->rows, m->config.vocabulary, m->config.width),
            sampler = k->sample_workspace(l->sequences, m->config.vocabulary);
    a->layers = allocate((size_t)m->config.layers, sizeof *a->layers);
    TRY(a->layers != NULL);
    TRY(arena_add(&m->activations, "generation: batch", &a->paged_block, (int64_t)paged_batch_bytes(m), 1));
    TRY(arena_add(&m->activations, "generation: results", &a->paged_results, (int64_t)paged_results_bytes(m), 1));
    TRY(arena_add(&m->activations, "generation: results", &a->logsumexp, l->rows, sizeof(float)));
    TRY(arena_add(&m->activations, "generation: last tokens", &a->kept, 2 * l->sequences, sizeof(int32_t)));
    TRY(plan_stream(&m->activations, a, &m->config, l->tokens, l->rows, k->activation_size));
    TRY(arena_add(&m->activations, "generation: logits", &a->head_workspace, head > sampler ? head : sampler,
                  sizeof(float)));
    if (l->whole > 0)
        TRY(arena_add(&m->activations, "generation: logits for the host", &a->whole_input, l->whole * m->config.width,
                      k->activation_size) &&
            arena_add(&m->activations, "generation: logits for the host", &a->whole_logits,
                      l->whole * m->config.vocabulary, k->activation_size));
    TRY(plan_input(&m->activations, &a->layers[0], m, l->tokens));
    TRY(plan_layer(&m->activations, &a->layers[0], m, l->tokens));
    return plan_pages(m);
}

static bool check_cache_limits(const CacheLimits *l)
{
    bool right =
        l->sequences > 0 && l->tokens >= l->sequences && l->rows >= l->sequences && l->positions > 0 && l->pages > 1;
    return right || fail("a cache for %" PRId64 " sequences needs as many tokens and rows of a pass (%" PRId64
                         ", %" PRId64 " are planned) and at least two pages (%" PRId64 ")",
                         l->sequences, l->tokens, l->rows, l->pages);
}

// ---- everything. A model either trains or generates, so both work in the same memory.

static bool plan_tables(Model *m)
{
    int64_t trained = m->limits.positions, generated = m->limits.cache.positions;
    m->table_positions = trained > generated ? trained : generated;
    int64_t count = m->table_positions * (m->config.head_width / 2);
    return arena_add(&m->activations, "RoPE tables", &m->cosine, count, sizeof(float)) &&
           arena_add(&m->activations, "RoPE tables", &m->sine, count, sizeof(float));
}

bool plan_memory(Model *m)
{
    m->activations = (Arena){.name = "activations", .kernels = m->kernels};
    m->row_host = allocate(4 * (size_t)m->limits.rows, sizeof(float));
    m->a.layers = allocate((size_t)m->config.layers, sizeof *m->a.layers);
    TRY(m->row_host != NULL && m->a.layers != NULL);
    TRY(plan_state(m) && plan_tables(m));
    size_t both = m->activations.end;
    if (m->limits.tokens > 0)
        TRY(plan_forward(m) && (!m->limits.training || plan_backward(m)));
    if (m->limits.cache.tokens == 0)
        return true;
    if (m->sharding.weights)
        return fail("a model that generates needs its whole weights on every rank; give --shard state");
    arena_again_from(&m->activations, both);
    return check_cache_limits(&m->limits.cache) && plan_generation(m);
}

// Layers without arrays of their own use those of layer 0.
void share_layers(Model *m)
{
    for (int64_t layer = 1; m->cached.layers != NULL && layer < m->config.layers; layer++)
        m->cached.layers[layer] = m->cached.layers[0];
    if (m->limits.training && !m->limits.recompute)
        return;
    for (int64_t layer = 1; layer < m->config.layers; layer++) {
        void *input = m->a.layers[layer].input;
        m->a.layers[layer] = m->a.layers[0];
        if (m->limits.training)
            m->a.layers[layer].input = input;
    }
}
