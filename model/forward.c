// Forward over a ragged batch: tokens to final hidden states. A layer's input is the residual stream; the addition that
// updates it is fused with the norm that reads it, so the stream is written once per half layer.
#include "model/model_internal.h"

static int64_t longest_of(const Ragged *batch)
{
    int64_t longest = 0;
    for (int64_t s = 0; s < batch->sequences; s++)
        longest = larger(longest, batch->starts[s + 1] - batch->starts[s]);
    return longest;
}

Pass pass_of(Model *m, const Ragged *batch)
{
    return (Pass){.a = &m->a,
                  .tokens = batch->tokens,
                  .attention = {.sequences = batch->sequences,
                                .heads = m->config.heads,
                                .kv_heads = m->config.kv_heads,
                                .head_width = m->config.head_width,
                                .starts = m->a.starts,
                                .contexts = m->a.contexts,
                                .context_rows = batch->context_rows != NULL ? m->a.context_rows : NULL,
                                .seen_until = batch->seen_until != NULL ? m->a.seen_until : NULL,
                                .workspace = m->a.attention_room,
                                .workspace_floats = m->a.attention_room_floats,
                                .longest = longest_of(batch)}};
}

// y = x · wᵀ + bias, rounded once; bias NONE: the product alone
static void project(const Kernels *k, Tensor y, Tensor x, Tensor w, Tensor bias)
{
    if (bias.data != NULL)
        k->rows_fill(NULL, y, bias);
    k->matmul_forward(NULL, y, x, w, bias.data != NULL);
}

Heads heads_of(const Model *m, const LayerActivations *l, int64_t tokens)
{
    const ModelConfig *c = &m->config;
    size_t size = m->kernels->activation_size;
    int64_t Q = c->heads * c->head_width, KV = c->kv_heads * c->head_width;
    Tensor all = tensor(l->qkv, tokens, Q + 2 * KV);
    Tensor turned = l->turned != NULL ? tensor(l->turned, tokens, Q + KV) : columns_of(all, 0, Q + KV, size);
    return (Heads){.projected = all,
                   .turned = turned,
                   .q = columns_of(turned, 0, Q, size),
                   .k = columns_of(turned, Q, Q + KV, size),
                   .v = columns_of(all, Q + KV, Q + 2 * KV, size)};
}

// With pages: of this layer, where new keys and values are written and attention reads them.
static Attention attention_of(const Model *m, const Pass *p, int64_t layer)
{
    const Kernels *k = m->kernels;
    Attention attention = p->attention;
    if (attention.page_table != NULL) {
        size_t bytes = (size_t)(m->limits.cache.pages * k->page_elements(m->config.kv_heads, m->config.head_width)) *
                       k->activation_size;
        attention.key_pages = (char *)p->a->key_pages + (size_t)layer * bytes;
        attention.value_pages = (char *)p->a->value_pages + (size_t)layer * bytes;
    }
    return attention;
}

static void attention_half(Model *m, const Pass *p, int64_t layer, const LayerWeights *w)
{
    const Kernels *k = m->kernels;
    LayerActivations *l = &p->a->layers[layer];
    Attention attention = attention_of(m, p, layer);
    Heads h = heads_of(m, l, p->tokens);
    size_t size = k->activation_size;
    Tensor normed = tensor(l->normed, p->tokens, m->config.width);
    project(k, h.projected, normed, weights_of(w, Q_PROJ, V_PROJ, size), weights_of(w, Q_BIAS, V_BIAS, size));
    adapters_forward(m, l, layer, SITE_QKV, h.projected, normed);
    k->qk_norm_rope_forward(NULL, h.turned, l->qk_rstd, h.projected, w->of[Q_NORM], w->of[K_NORM], m->cosine, m->sine,
                            p->a->positions, &attention, (float)m->config.norm_epsilon);
    k->attention_forward(NULL, tensor(l->attended, p->tokens, h.q.columns), l->logsumexp, h.q, h.k, h.v, &attention);
}

// Both products and SwiGLU are one operation, unless adapters have something to add in between.
static void gated_product(const Model *m, const Pass *p, int64_t layer, const LayerWeights *w, Tensor product,
                          Tensor normed)
{
    const Kernels *k = m->kernels;
    const LayerActivations *l = &p->a->layers[layer];
    size_t size = k->activation_size;
    int64_t F = m->config.feed_forward;
    Tensor gate_up = tensor(l->gate_up, p->tokens, 2 * F), weights = weights_of(w, GATE_PROJ, UP_PROJ, size);
    if (!adapters_add_to(m, SITE_GATE_UP)) {
        k->matmul_swiglu_forward(NULL, product, gate_up, normed, weights, p->attention.page_table == NULL);
        return;
    }
    k->matmul_forward(NULL, gate_up, normed, weights, false);
    adapters_forward(m, l, layer, SITE_GATE_UP, gate_up, normed);
    k->swiglu_forward(NULL, product, columns_of(gate_up, 0, F, size), columns_of(gate_up, F, 2 * F, size));
}

void layer_forward(Model *m, const Pass *p, int64_t layer)
{
    const Kernels *k = m->kernels;
    int64_t T = p->tokens, C = m->config.width, F = m->config.feed_forward, Q = m->config.heads * m->config.head_width;
    LayerActivations *l = &p->a->layers[layer];
    LayerWeights w = layer_weights(m, layer);
    attention_half(m, p, layer, &w);
    Tensor out = tensor(p->a->branch, T, C), input = tensor(l->input, T, C), middle = tensor(l->middle, T, C);
    Tensor normed = tensor(l->normed2, T, C), product = tensor(l->product, T, F), attended = tensor(l->attended, T, Q);
    k->matmul_forward(NULL, out, attended, w.of[O_PROJ], false);
    adapters_forward(m, l, layer, SITE_O, out, attended);
    k->rmsnorm_forward(NULL, normed, middle, l->rstd2, out, input, w.of[POST_NORM], (float)m->config.norm_epsilon);
    gated_product(m, p, layer, &w, product, normed);
    k->matmul_forward(NULL, out, product, w.of[DOWN_PROJ], false);
    adapters_forward(m, l, layer, SITE_DOWN, out, product);
}

static bool visit(const Model *m, int64_t layer)
{
    TRY(acquire(m, layer));
    release(m, layer);
    return true;
}

bool visit_up(const Model *m)
{
    for (int64_t layer = -1; layer <= m->config.layers; layer++)
        TRY(visit(m, layer));
    return true;
}

bool visit_down(const Model *m)
{
    for (int64_t layer = m->config.layers; layer >= 0; layer--)
        TRY(visit(m, layer) && gradient_ready(m, layer));
    return gradient_ready(m, -1);
}

static bool fits(const Model *m, const Ragged *batch)
{
    const ModelLimits *l = &m->limits;
    if (batch->tokens > l->tokens || batch->trained > l->rows || batch->sequences > l->sequences)
        return fail("a micro-batch of %" PRId64 " tokens, %" PRId64 " trained rows, %" PRId64
                    " sequences is larger than planned "
                    "(%" PRId64 ", %" PRId64 ", %" PRId64 ")",
                    batch->tokens, batch->trained, batch->sequences, l->tokens, l->rows, l->sequences);
    for (int64_t t = 0; t < batch->tokens; t++) {
        if (batch->ids[t] < 0 || batch->ids[t] >= m->config.vocabulary)
            return fail("token %" PRId64 " of a micro-batch is id %d, but the model has %" PRId64 " vocabulary rows", t,
                        (int)batch->ids[t], m->config.vocabulary);
        if (batch->positions[t] < 0 || batch->positions[t] >= l->positions)
            return fail("token %" PRId64 " of a micro-batch is at position %d, planned for %" PRId64, t,
                        (int)batch->positions[t], l->positions);
    }
    return true;
}

static void upload(Model *m, const Ragged *batch)
{
    const Kernels *k = m->kernels;
    size_t T = (size_t)batch->tokens * 4, S = (size_t)batch->sequences * 4, N = (size_t)batch->trained * 4;
    k->upload(NULL, m->a.ids, batch->ids, T);
    k->upload(NULL, m->a.positions, batch->positions, T);
    k->upload(NULL, m->a.starts, batch->starts, S + 4);
    k->upload(NULL, m->a.contexts, batch->contexts, S);
    if (batch->context_rows != NULL) {
        k->upload(NULL, m->a.context_rows, batch->context_rows, S);
        k->upload(NULL, m->a.seen_until, batch->seen_until, S);
    }
    if (N > 0) {
        k->upload(NULL, m->a.rows, batch->rows, N);
        k->upload(NULL, m->a.targets, batch->targets, N);
    }
}

bool run_forward(Model *m, const Pass *p)
{
    const Kernels *k = m->kernels;
    Activations *a = p->a;
    int64_t T = p->tokens, C = m->config.width, L = m->config.layers;
    float epsilon = (float)m->config.norm_epsilon;
    TRY(acquire(m, -1));
    k->embedding_forward(NULL, tensor(a->layers[0].input, T, C), own_tensor(m, model_own(m)->embedding), a->ids);
    release(m, -1);
    Tensor branch = tensor(a->branch, T, C);
    for (int64_t layer = 0; layer < L; layer++) {
        LayerActivations *l = &a->layers[layer];
        phase_is("the forward pass, layer", layer);
        TRY(acquire(m, layer));
        LayerWeights w = layer_weights(m, layer);
        Tensor input = tensor(l->input, T, C), normed = tensor(l->normed, T, C);
        if (layer == 0)
            k->rmsnorm_forward(NULL, normed, NONE, l->rstd, input, NONE, w.of[INPUT_NORM], epsilon);
        else
            k->rmsnorm_forward(NULL, normed, input, l->rstd, branch, tensor(a->layers[layer - 1].middle, T, C),
                               w.of[INPUT_NORM], epsilon);
        layer_forward(m, p, layer);
        release(m, layer);
    }
    TRY(acquire(m, L));
    k->rmsnorm_forward(NULL, tensor(a->hidden, T, C), tensor(a->stream, T, C), a->stream_rstd, branch,
                       tensor(a->layers[L - 1].middle, T, C), own_tensor(m, model_own(m)->final_norm), epsilon);
    release(m, L);
    return true;
}

bool model_forward(Model *m, const Ragged *batch)
{
    TRY(fits(m, batch));
    if (batch->tokens == 0)
        return visit_up(m);
    upload(m, batch);
    Pass pass = pass_of(m, batch);
    return run_forward(m, &pass);
}
