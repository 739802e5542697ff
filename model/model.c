// Opening a model: its parameters, and the plan of its memory. Loading weights from a folder, or drawing random ones.
#include "model/model.h"
#include "base/elementary.h"
#include "model/safetensors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The arrays that one layer keeps. Without a backward pass nothing is kept; with recomputation, the input alone.
static bool plan_layer(Arena *arena, LayerActivations *l, const ModelConfig *c, const ModelLimits *limits, size_t size,
                       bool inner)
{
    int64_t T = limits->tokens, C = c->width, F = c->feed_forward, H = c->heads, Hkv = c->kv_heads, Q = H * c->head_width;
    int64_t KV = Hkv * c->head_width;
    bool norm = family_of(c)->qk_norm; // without it q and k are turned where they lie
    const char *turned = norm ? "layer: q, k after norm and RoPE" : "layer: q, k, v";
    struct {
        const char *name;
        void *pointer;
        int64_t columns;
        size_t size;
    } arrays[] = {{"layer: attention norm", &l->normed, C, size},
                  {"layer: q, k, v", &l->q_raw, norm ? Q : 0, size},
                  {"layer: q, k, v", &l->k_raw, norm ? KV : 0, size},
                  {"layer: q, k, v", &l->v, KV, size},
                  {turned, &l->q, Q, size},
                  {turned, &l->k, KV, size},
                  {"layer: attention", &l->attended, Q, size},
                  {"layer: middle of the stream", &l->middle, C, size},
                  {"layer: MLP norm", &l->normed2, C, size},
                  {"layer: gate, up", &l->gate, F, size},
                  {"layer: gate, up", &l->up, F, size},
                  {"layer: SwiGLU", &l->product, F, size},
                  {"layer: row statistics", &l->rstd, 1, 4},
                  {"layer: row statistics", &l->rstd2, 1, 4},
                  {"layer: row statistics", &l->q_rstd, norm ? H : 0, 4},
                  {"layer: row statistics", &l->k_rstd, norm ? Hkv : 0, 4},
                  {"layer: row statistics", &l->logsumexp, H, 4}};
    if (!inner)
        return arena_add(arena, "layer: input", &l->input, T * C, size);
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        if (arrays[i].columns > 0)
            TRY(arena_add(arena, arrays[i].name, arrays[i].pointer, T * arrays[i].columns, arrays[i].size));
    return true;
}

static bool plan_layers(Model *m)
{
    const ModelLimits *limits = &m->limits;
    bool all = limits->training && !limits->recompute;
    for (int64_t layer = 0; layer < m->config.layers; layer++) {
        LayerActivations *l = &m->a.layers[layer];
        if (layer == 0 || limits->training)
            TRY(plan_layer(&m->activations, l, &m->config, limits, m->kernels->activation_size, false));
        if (layer == 0 || all)
            TRY(plan_layer(&m->activations, l, &m->config, limits, m->kernels->activation_size, true));
    }
    return true;
}

// Layers that have no arrays of their own use those of layer 0.
static void share_layers(Model *m)
{
    if (m->limits.training && !m->limits.recompute)
        return;
    for (int64_t layer = 1; layer < m->config.layers; layer++) {
        void *input = m->a.layers[layer].input;
        m->a.layers[layer] = m->a.layers[0];
        if (m->limits.training)
            m->a.layers[layer].input = input;
    }
}

static bool plan_forward(Model *m)
{
    Arena *arena = &m->activations;
    Activations *a = &m->a;
    const ModelConfig *c = &m->config;
    int64_t T = m->limits.tokens, N = m->limits.rows, S = m->limits.sequences, C = c->width;
    size_t size = m->kernels->activation_size;
    int32_t **integers[] = {&a->ids, &a->positions, &a->starts, &a->contexts, &a->rows, &a->targets, &a->sort, &a->best};
    const int64_t counts[] = {T, T, S + 1, S, N, N, 2 * T, N};
    for (int i = 0; i < 8; i++)
        TRY(arena_add(arena, "batch", integers[i], counts[i], sizeof(int32_t)));
    TRY(arena_add(arena, "RoPE tables", &a->cosine, m->limits.positions * (c->head_width / 2), sizeof(float)));
    TRY(arena_add(arena, "RoPE tables", &a->sine, m->limits.positions * (c->head_width / 2), sizeof(float)));
    TRY(arena_add(arena, "stream", &a->branch, T * C, size));
    TRY(arena_add(arena, "stream", &a->stream, T * C, size));
    TRY(arena_add(arena, "stream", &a->hidden, T * C, size));
    TRY(arena_add(arena, "stream", &a->stream_rstd, T, sizeof(float)));
    TRY(arena_add(arena, "head: rows", &a->head_input, N * C, size));
    float **rows[] = {&a->logprob, &a->entropy, &a->logsumexp};
    for (int i = 0; i < 3; i++)
        TRY(arena_add(arena, "head: results", rows[i], N, sizeof(float)));
    return arena_add(arena, "head: logits of a block", &a->head_workspace, m->kernels->head_workspace(N, c->vocabulary),
                     sizeof(float));
}

static bool plan_backward(Model *m)
{
    Arena *arena = &m->activations;
    Activations *a = &m->a;
    const ModelConfig *c = &m->config;
    int64_t T = m->limits.tokens, N = m->limits.rows, C = c->width, D = c->head_width, Q = c->heads * D, KV = c->kv_heads * D;
    int64_t widest = C > D ? C : D; // of the gradients that are summed over rows
    if (family_of(c)->qkv_bias && Q > widest)
        widest = Q;
    size_t size = m->kernels->activation_size;
    void **arrays[] = {&a->dhidden, &a->dstream, &a->dmiddle, &a->dnormed, &a->dq, &a->dattended, &a->dk, &a->dv, &a->dproduct};
    const int64_t columns[] = {C, C, C, C, Q, Q, KV, KV, c->feed_forward};
    for (int i = 0; i < 9; i++)
        TRY(arena_add(arena, "gradients of activations", arrays[i], T * columns[i], size));
    TRY(arena_add(arena, "gradients of activations", &a->dhead_input, N * C, size));
    TRY(arena_add(arena, "gradients of activations", &a->delta, T * c->heads, sizeof(float)));
    TRY(arena_add(arena, "gradients of activations", &a->dlogprob, N, sizeof(float)));
    TRY(arena_add(arena, "partial sums", &a->partial, ceil_divide(T, NORM_ROWS) * widest, sizeof(float)));
    return arena_add(arena, "head: a micro-batch's weight gradient", &a->head_gradient, c->vocabulary * C, sizeof(float));
}

static bool has_fp32_weights(const Model *m) { return m->kernels->activation_size == sizeof(float); }

static bool plan_state(Model *m)
{
    int64_t elements = m->parameters.elements, blocks = 0;
    for (int64_t i = 0; i < m->parameters.count; i++)
        blocks += ceil_divide(parameter_elements(&m->parameters.list[i]), SQUARES_BLOCK);
    m->state = (Arena){.name = "weights and gradients", .kernels = m->kernels};
    TRY(arena_add(&m->state, "weights", &m->weights, elements, m->kernels->activation_size));
    if (!m->limits.training)
        return true;
    if (!has_fp32_weights(m))
        TRY(arena_add(&m->state, "master weights", &m->master, elements, sizeof(float)));
    TRY(arena_add(&m->state, "gradients", &m->gradients, elements, sizeof(float)));
    TRY(arena_add(&m->state, "block sums", &m->squares, blocks, sizeof(float)));
    m->squares_host = allocate((size_t)blocks, sizeof(float));
    return m->squares_host != NULL;
}

static bool plan(Model *m)
{
    m->activations = (Arena){.name = "activations", .kernels = m->kernels};
    m->logprob_host = allocate((size_t)m->limits.rows, sizeof(float));
    m->a.layers = allocate((size_t)m->config.layers, sizeof *m->a.layers);
    TRY(m->logprob_host != NULL && m->a.layers != NULL);
    return plan_state(m) && plan_forward(m) && plan_layers(m) && (!m->limits.training || plan_backward(m));
}

static bool head_width_is_known(const Model *m)
{
    const int64_t *known = m->kernels->head_widths;
    char list[64] = "";
    for (int i = 0; known != NULL && known[i] != 0; i++) {
        if (known[i] == m->config.head_width)
            return true;
        size_t size = strlen(list);
        snprintf(list + size, sizeof list - size, "%s%" PRId64, i == 0 ? "" : ", ", known[i]);
    }
    return known == NULL || fail("config.json: head_dim is %" PRId64 ", and %s has attention for %s only; use --device cpu",
                                 m->config.head_width, m->kernels->name, list);
}

// A GPU moves 16 bytes at a time and multiplies tiles: every row, and so every tensor, begins at a multiple of what that takes.
static bool widths_are_multiples(const Model *m)
{
    const ModelConfig *c = &m->config;
    const struct {
        const char *name;
        int64_t width;
    } widths[] = {{"hidden_size", c->width},
                  {"intermediate_size", c->feed_forward},
                  {"num_attention_heads x head_dim", c->heads * c->head_width},
                  {"num_key_value_heads x head_dim", c->kv_heads * c->head_width}};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        if (widths[i].width % m->kernels->column_multiple != 0)
            return fail("config.json: %s is %" PRId64 ", and %s computes with multiples of %" PRId64 "; use --device cpu",
                        widths[i].name, widths[i].width, m->kernels->name, m->kernels->column_multiple);
    return c->width <= m->kernels->widest ||
           fail("config.json: hidden_size is %" PRId64 ", and %s knows up to %" PRId64 "; use --device cpu", c->width,
                m->kernels->name, m->kernels->widest);
}

static bool open_parts(Model *m, bool plan_only)
{
    TRY(head_width_is_known(m) && widths_are_multiples(m));
    TRY(parameters_make(&m->parameters, &m->config));
    TRY(plan(m));
    if (plan_only)
        return true;
    TRY(arena_allocate(&m->state));
    TRY(arena_allocate(&m->activations));
    if (has_fp32_weights(m))
        m->master = m->weights;
    share_layers(m);
    m->kernels->rope_table(NULL, m->a.cosine, m->a.sine, m->limits.positions, m->config.head_width, m->config.rope_theta);
    return true;
}

bool model_open(Model *m, const ModelConfig *config, const ModelLimits *limits, const Kernels *kernels, bool plan_only)
{
    *m = (Model){.config = *config, .limits = *limits, .kernels = kernels};
    if (open_parts(m, plan_only))
        return true;
    model_close(m);
    return false;
}

void model_close(Model *m)
{
    arena_free(&m->state);
    arena_free(&m->activations);
    parameters_free(&m->parameters);
    free(m->squares_host);
    free(m->logprob_host);
    free(m->a.layers);
    *m = (Model){0};
}

// ---- weights, a piece at a time in host memory

enum { PIECE = 1 << 22 }; // elements

static bool load_tensor(Model *m, const Weights *weights, const Parameter *p, const char *folder, float *host)
{
    const WeightTensor *t = weights_find(weights, p->name);
    if (t == NULL)
        return fail("%s: the tensor %s is missing", folder, p->name);
    bool shape = p->matrix ? t->rank == 2 && t->shape[0] == p->rows && t->shape[1] == p->columns
                           : t->rank == 1 && t->shape[0] == p->columns;
    if (!shape)
        return fail("%s: the tensor %s should be %" PRId64 " x %" PRId64 " by config.json, but its shape is another", folder,
                    p->name, p->rows, p->columns);
    int64_t count = parameter_elements(p);
    for (int64_t first = 0; first < count; first += PIECE) {
        int64_t n = count - first < PIECE ? count - first : PIECE;
        TRY(weights_read(t, first, n, host));
        model_write_weights(m, p->offset + first, n, host);
    }
    return true;
}

// A tensor that no parameter takes means that the folder holds another model than its config.json says. A tied model's second
// copy of its head is passed over, as transformers does.
static bool nothing_is_left_over(const Model *m, const Weights *weights, const char *folder)
{
    for (size_t i = 0; i < weights_count(weights); i++) {
        const char *name = weights_at(weights, i)->name;
        bool known = m->config.tied && strcmp(name, "lm_head.weight") == 0;
        for (int64_t p = 0; !known && p < m->parameters.count; p++)
            known = strcmp(name, m->parameters.list[p].name) == 0;
        if (!known)
            return fail("%s: the tensor %s is none of the %s model that config.json describes", folder, name,
                        family_of(&m->config)->name);
    }
    return true;
}

bool model_load(Model *m, const char *folder)
{
    Weights *weights;
    if (!weights_open(&weights, folder))
        return fail_in("loading the weights of %s", folder);
    float *host = allocate(PIECE, sizeof *host);
    bool ok = host != NULL && nothing_is_left_over(m, weights, folder);
    for (int64_t i = 0; ok && i < m->parameters.count; i++)
        ok = load_tensor(m, weights, &m->parameters.list[i], folder, host);
    free(host);
    weights_close(weights);
    return ok;
}

// One normal number per element (Box & Muller 1958), of our own logarithm and cosine.
static float random_normal(uint64_t seed, int64_t tensor, int64_t element)
{
    Philox bits = random_bits(seed, RANDOM_WEIGHTS, (uint32_t)tensor, (uint32_t)element, (uint32_t)(element >> 32));
    double sine, cosine;
    d_sine_cosine(6.28318530717958648 * random_uniform(bits.v[0]), &sine, &cosine);
    return (float)(sqrt(-2 * d_log(random_uniform(bits.v[1]))) * cosine);
}

static void initialise_tensor(Model *m, uint64_t seed, int64_t tensor, float *host)
{
    const Parameter *p = &m->parameters.list[tensor];
    int64_t count = parameter_elements(p);
    for (int64_t first = 0; first < count; first += PIECE) {
        int64_t n = count - first < PIECE ? count - first : PIECE;
#pragma omp parallel for schedule(static)
        for (int64_t e = 0; e < n; e++)
            host[e] = p->matrix ? (float)m->config.initializer_range * random_normal(seed, tensor, first + e) : p->initial;
        model_write_weights(m, p->offset + first, n, host);
    }
}

bool model_initialise(Model *m, uint64_t seed)
{
    float *host = allocate(PIECE, sizeof *host);
    TRY(host != NULL);
    for (int64_t i = 0; i < m->parameters.count; i++)
        initialise_tensor(m, seed, i, host);
    free(host);
    return true;
}
