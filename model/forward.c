// Forward over a ragged batch: tokens to final hidden states. A layer's input is the residual stream; the addition that
// updates it is fused with the norm that reads it, so the stream is written once per half layer.
#include "model/model_internal.h"

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
                                .seen_until = batch->seen_until != NULL ? m->a.seen_until : NULL}};
}

// y = x · wᵀ + bias, rounded once; bias NONE: the product alone
static void project(const Kernels *k, Tensor y, Tensor x, Tensor w, Tensor bias)
{
    if (bias.data != NULL)
        k->rows_fill(NULL, y, bias);
    k->matmul_forward(NULL, y, x, w, bias.data != NULL);
}

// With pages: new keys and values are written to this layer's pages, and attention reads them there.
static void attend(Model *m, const Pass *p, int64_t layer, Tensor q, Tensor keys, Tensor v)
{
    const Kernels *k = m->kernels;
    Attention attention = p->attention;
    LayerActivations *l = &p->a->layers[layer];
    if (attention.page_table != NULL) {
        size_t bytes = (size_t)(m->limits.cache.pages * k->page_elements(m->config.kv_heads, m->config.head_width)) *
                       k->activation_size;
        attention.key_pages = (char *)p->a->key_pages + (size_t)layer * bytes;
        attention.value_pages = (char *)p->a->value_pages + (size_t)layer * bytes;
        k->pages_write(NULL, keys, v, &attention);
    }
    k->attention_forward(NULL, tensor(l->attended, p->tokens, q.columns), l->logsumexp, q, keys, v, &attention);
}

static void attention_half(Model *m, const Pass *p, int64_t layer, const LayerWeights *w)
{
    const ModelConfig *c = &m->config;
    const Kernels *k = m->kernels;
    LayerActivations *l = &p->a->layers[layer];
    int64_t T = p->tokens, C = c->width, Q = c->heads * c->head_width, KV = c->kv_heads * c->head_width;
    float epsilon = (float)c->norm_epsilon;
    Tensor normed = tensor(l->normed, T, C), q = tensor(l->q, T, Q), keys = tensor(l->k, T, KV),
           v = tensor(l->v, T, KV);
    Tensor q_raw = l->q_raw != NULL ? tensor(l->q_raw, T, Q) : q,
           k_raw = l->k_raw != NULL ? tensor(l->k_raw, T, KV) : keys;
    project(k, q_raw, normed, w->of[Q_PROJ], w->of[Q_BIAS]);
    project(k, k_raw, normed, w->of[K_PROJ], w->of[K_BIAS]);
    project(k, v, normed, w->of[V_PROJ], w->of[V_BIAS]);
    k->qk_norm_rope_forward(NULL, q, l->q_rstd, q_raw, w->of[Q_NORM], m->cosine, m->sine, p->a->positions,
                            c->head_width, epsilon);
    k->qk_norm_rope_forward(NULL, keys, l->k_rstd, k_raw, w->of[K_NORM], m->cosine, m->sine, p->a->positions,
                            c->head_width, epsilon);
    attend(m, p, layer, q, keys, v);
}

void layer_forward(Model *m, const Pass *p, int64_t layer)
{
    const Kernels *k = m->kernels;
    int64_t T = p->tokens, C = m->config.width, F = m->config.feed_forward, Q = m->config.heads * m->config.head_width;
    LayerActivations *l = &p->a->layers[layer];
    LayerWeights w = layer_weights(m, layer);
    attention_half(m, p, layer, &w);
    Tensor out = tensor(p->a->branch, T, C), input = tensor(l->input, T, C), middle = tensor(l->middle, T, C);
    Tensor normed = tensor(l->normed2, T, C), gate = tensor(l->gate, T, F), up = tensor(l->up, T, F);
    k->matmul_forward(NULL, out, tensor(l->attended, T, Q), w.of[O_PROJ], false);
    k->rmsnorm_forward(NULL, normed, middle, l->rstd2, out, input, w.of[POST_NORM], (float)m->config.norm_epsilon);
    k->matmul_forward(NULL, gate, normed, w.of[GATE_PROJ], false);
    k->matmul_forward(NULL, up, normed, w.of[UP_PROJ], false);
    k->swiglu_forward(NULL, tensor(l->product, T, F), gate, up);
    k->matmul_forward(NULL, out, tensor(l->product, T, F), w.of[DOWN_PROJ], false);
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
    k->embedding_forward(NULL, tensor(a->layers[0].input, T, C),
                         weight_tensor(m, &m->parameters.list[m->parameters.embedding]), a->ids);
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
                       tensor(a->layers[L - 1].middle, T, C),
                       weight_tensor(m, &m->parameters.list[m->parameters.final_norm]), epsilon);
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
