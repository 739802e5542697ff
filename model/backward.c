// Backward over a ragged batch: from d hidden to every parameter's gradient, layers descending. dstream carries the
// gradient of the residual stream; each half layer adds its own gradient at its norm's backward.
#include "model/model_internal.h"

// With recomputation all layers share their inner arrays: run the layer forward again from its input, which was kept.
static void run_again(Model *m, const Ragged *batch, int64_t layer)
{
    LayerActivations *l = &m->a.layers[layer];
    int64_t T = batch->tokens, C = m->config.width;
    LayerWeights w = layer_weights(m, layer);
    m->kernels->rmsnorm_forward(NULL, tensor(l->normed, T, C), NONE, l->rstd, tensor(l->input, T, C), NONE,
                                w.of[INPUT_NORM], (float)m->config.norm_epsilon);
    Pass pass = pass_of(m, batch);
    layer_forward(m, &pass, layer);
}

// A matrix's gradient; NULL: it lies still, and has none.
static void weight_backward(const Model *m, float *gradient, Tensor dy, Tensor x)
{
    if (gradient != NULL)
        m->kernels->matmul_backward_weight(NULL, gradient, dy, x, m->limits.tokens, !m->unwritten);
}

// From dstream (of the layer's output) to dmiddle (of the stream between its halves).
static void mlp_backward(Model *m, const Ragged *batch, int64_t layer, const LayerWeights *w, const LayerGradients *g)
{
    const Kernels *k = m->kernels;
    LayerActivations *l = &m->a.layers[layer];
    int64_t T = batch->tokens, C = m->config.width, F = m->config.feed_forward;
    Tensor dout = tensor(m->a.dstream, T, C), dproduct = tensor(m->a.dproduct, T, F),
           dnormed = tensor(m->a.dnormed, T, C);
    Tensor gate_up = tensor(l->gate_up, T, 2 * F), gate = columns_of(gate_up, 0, F, k->activation_size),
           up = columns_of(gate_up, F, 2 * F, k->activation_size);
    Tensor product = tensor(l->product, T, F), normed = tensor(l->normed2, T, C);
    weight_backward(m, g->of[DOWN_PROJ], dout, product);
    k->matmul_backward_input(NULL, dproduct, dout, w->of[DOWN_PROJ], false);
    adapters_backward(m, l, layer, SITE_DOWN, dproduct, dout, product);
    k->swiglu_backward(NULL, gate, up, dproduct, gate, up); // from here on gate_up holds gradients
    weight_backward(m, gradients_of(g, w, GATE_PROJ, UP_PROJ), gate_up, normed);
    k->matmul_backward_input(NULL, dnormed, gate_up, weights_of(w, GATE_PROJ, UP_PROJ, k->activation_size), false);
    adapters_backward(m, l, layer, SITE_GATE_UP, dnormed, gate_up, normed);
    k->rmsnorm_backward(NULL, tensor(m->a.dmiddle, T, C), g->of[POST_NORM], m->a.partial, dnormed, dout,
                        tensor(l->middle, T, C), w->of[POST_NORM], l->rstd2);
}

// What the MLP's half has used for the last time, gate, up and their product, is memory that attention may work in.
static void lend_workspace(Attention *attention, const Model *m, const Ragged *batch, const LayerActivations *l)
{
    if (attention->workspace != NULL)
        return; // it has memory of its own
    char *end = (char *)l->product + (size_t)(m->limits.tokens * m->config.feed_forward) * m->kernels->activation_size;
    attention->workspace = l->gate_up;
    attention->workspace_floats = (end - (char *)l->gate_up) / (int64_t)sizeof(float);
    for (int64_t s = 0; s < batch->sequences; s++)
        attention->block_pairs += pair_blocks(batch->starts[s + 1] - batch->starts[s], batch->contexts[s]);
}

// From dmiddle to dqkv, the gradients of q, k and v as projected.
static void attention_core_backward(Model *m, const Ragged *batch, int64_t layer, const LayerWeights *w,
                                    const LayerGradients *g)
{
    const Kernels *k = m->kernels;
    LayerActivations *l = &m->a.layers[layer];
    size_t size = k->activation_size;
    int64_t T = batch->tokens, C = m->config.width, D = m->config.head_width;
    int64_t Q = m->config.heads * D, KV = m->config.kv_heads * D;
    Tensor dmiddle = tensor(m->a.dmiddle, T, C), dattended = tensor(m->a.dattended, T, Q),
           attended = tensor(l->attended, T, Q), dqkv = tensor(m->a.dqkv, T, Q + 2 * KV);
    Heads h = heads_of(m, l, T);
    weight_backward(m, g->of[O_PROJ], dmiddle, attended);
    k->matmul_backward_input(NULL, dattended, dmiddle, w->of[O_PROJ], false);
    adapters_backward(m, l, layer, SITE_O, dattended, dmiddle, attended);
    Attention attention = pass_of(m, batch).attention;
    lend_workspace(&attention, m, batch, l);
    k->attention_backward(NULL, columns_of(dqkv, 0, Q, size), columns_of(dqkv, Q, Q + KV, size),
                          columns_of(dqkv, Q + KV, Q + 2 * KV, size), m->a.delta, dattended, h.q, h.k, h.v, attended,
                          l->logsumexp, &attention);
    k->qk_norm_rope_backward(NULL, dqkv, g->of[Q_NORM], g->of[K_NORM], m->a.partial, dqkv, h.projected, w->of[Q_NORM],
                             w->of[K_NORM], l->qk_rstd, m->cosine, m->sine, m->a.positions, &attention);
}

// From dmiddle to dstream (of the layer's input).
static void attention_backward(Model *m, const Ragged *batch, int64_t layer, const LayerWeights *w,
                               const LayerGradients *g)
{
    const Kernels *k = m->kernels;
    LayerActivations *l = &m->a.layers[layer];
    int64_t T = batch->tokens, C = m->config.width;
    attention_core_backward(m, batch, layer, w, g);
    Tensor weights = weights_of(w, Q_PROJ, V_PROJ, k->activation_size), dqkv = tensor(m->a.dqkv, T, weights.rows);
    Tensor normed = tensor(l->normed, T, C), dnormed = tensor(m->a.dnormed, T, C);
    if (g->of[Q_BIAS] != NULL)
        k->rows_sum(NULL, gradients_of(g, w, Q_BIAS, V_BIAS), m->a.partial, dqkv);
    weight_backward(m, gradients_of(g, w, Q_PROJ, V_PROJ), dqkv, normed);
    k->matmul_backward_input(NULL, dnormed, dqkv, weights, false);
    adapters_backward(m, l, layer, SITE_QKV, dnormed, dqkv, normed);
    k->rmsnorm_backward(NULL, tensor(m->a.dstream, T, C), g->of[INPUT_NORM], m->a.partial, dnormed,
                        tensor(m->a.dmiddle, T, C), tensor(l->input, T, C), w->of[INPUT_NORM], l->rstd);
}

static bool layer_backward(Model *m, const Ragged *batch, int64_t layer)
{
    phase_is("the backward pass, layer", layer);
    TRY(acquire(m, layer));
    if (m->limits.recompute)
        run_again(m, batch, layer);
    LayerWeights w = layer_weights(m, layer);
    LayerGradients g = layer_gradients(m, layer);
    mlp_backward(m, batch, layer, &w, &g);
    attention_backward(m, batch, layer, &w, &g);
    release(m, layer);
    return gradient_ready(m, layer);
}

// What a micro-batch's head gave, all of it, to the step's gradients: of a first one it is there.
static void add_head_gradient(Model *m)
{
    const Parameter *head = &m->parameters.list[m->parameters.head];
    if (!m->unwritten)
        m->kernels->accumulate(NULL, step_gradient_of_head(m), m->a.head_gradient, parameter_elements(head));
}

// From dhidden to dstream, through the final norm; and the gradients of unit L, that norm and an untied head.
static bool outer_backward(Model *m, const Ragged *batch)
{
    const Kernels *k = m->kernels;
    const Parameters *own = model_own(m);
    int64_t T = batch->tokens, C = m->config.width, L = m->config.layers;
    bool still = m->frozen.count > 0;
    TRY(acquire(m, L));
    k->rmsnorm_backward(NULL, tensor(m->a.dstream, T, C), still ? NULL : gradient_at(m, &own->list[own->final_norm], L),
                        m->a.partial, tensor(m->a.dhidden, T, C), NONE, tensor(m->a.stream, T, C),
                        own_tensor(m, own->final_norm), m->a.stream_rstd);
    release(m, L);
    if (!m->config.tied && !still)
        add_head_gradient(m);
    return gradient_ready(m, L);
}

static void embedding_gradient(Model *m, const Ragged *batch)
{
    const Kernels *k = m->kernels;
    const Parameter *embedding = &m->parameters.list[m->parameters.embedding];
    float *table = m->config.tied ? head_gradient(m) : gradient_at(m, embedding, -1);
    k->embedding_backward(NULL, table, tensor(m->a.dstream, batch->tokens, m->config.width), m->a.ids, m->a.sort);
    if (m->config.tied)
        add_head_gradient(m);
}

bool model_backward(Model *m, const Ragged *batch)
{
    if (batch->trained == 0)
        return visit_down(m); // an empty micro-batch adds nothing to any gradient
    TRY(outer_backward(m, batch));
    for (int64_t layer = m->config.layers - 1; layer >= 0; layer--)
        TRY(layer_backward(m, batch, layer));
    if (m->frozen.count == 0)
        embedding_gradient(m, batch);
    m->unwritten = false;
    return gradient_ready(m, -1);
}
