// Shared by the files of model/ only: tensors over the model's arrays.
#ifndef MODEL_MODEL_INTERNAL_H
#define MODEL_MODEL_INTERNAL_H

#include "model/model.h"
#include "system/phase.h"
#include <assert.h>

static inline Tensor tensor(void *data, int64_t rows, int64_t columns) { return dense(data, rows, columns); }
static const Tensor NONE = {0};

// Element `element` of all, which belongs to this tensor.
static inline void *weight_at(const Model *m, const Parameter *p, int64_t element)
{
    const ShardUnit *u = &m->sharding.units[unit_of_tensor(&m->parameters, p - m->parameters.list)];
    return (char *)m->weights + (size_t)(u->place + element - u->first) * m->kernels->activation_size;
}

static inline Tensor weight_tensor(const Model *m, const Parameter *p)
{
    return tensor(weight_at(m, p, p->offset), p->rows, p->columns);
}

// Tensor `place` of the model's own.
static inline Tensor own_tensor(const Model *m, int64_t place)
{
    const Parameter *p = &model_own(m)->list[place];
    if (m->frozen.count == 0)
        return weight_tensor(m, p);
    return tensor((char *)m->frozen_weights + (size_t)p->offset * m->kernels->activation_size, p->rows, p->columns);
}

static inline void *moments_at(const Optimizer *o, Moment which, int64_t element)
{
    return (char *)(which == FIRST_MOMENT ? o->m : o->v) +
           (size_t)element * (o->bf16_moments ? sizeof(uint16_t) : sizeof(float));
}

// Of a tensor of layer `layer` (-1: the embedding; L: the final norm, the head): on several ranks one unit's at a time.
static inline float *gradient_at(const Model *m, const Parameter *p, int64_t layer)
{
    bool one_unit = m->sharding.size > 1 && !m->sharding.once;
    return m->gradients + p->offset - (one_unit ? m->sharding.units[layer + 1].first : 0);
}

static inline float *step_gradient_of_head(const Model *m)
{
    return gradient_at(m, &m->parameters.list[m->parameters.head], m->config.tied ? -1 : m->config.layers);
}

// Where a micro-batch's head writes its gradient, a first one where the step's is; NULL: the head lies still
static inline float *head_gradient(const Model *m)
{
    return m->unwritten && m->a.head_gradient != NULL ? step_gradient_of_head(m) : m->a.head_gradient;
}

// The master weights of a part; where weights are fp32 they are their own masters.
static inline float *master_of(const Model *m, const ShardPart *part)
{
    int64_t global = m->parameters.list[part->tensor].offset + part->first;
    return (void *)m->master == m->weights ? m->master + global : m->master + part->local;
}

// One layer's own weights, in the activation type, and their gradients, always fp32; looked up when the layer begins.
typedef struct LayerWeights {
    Tensor of[LAYER_TENSORS]; // NONE: the family has no such tensor
} LayerWeights;

typedef struct LayerGradients {
    float *of[LAYER_TENSORS]; // NULL: the family has no such tensor, or it lies still
} LayerGradients;

// Tensors `first` to `last` of a layer, which lie one behind the other, as one with the rows of all; of biases the
// columns. NONE, NULL: the family has none.
static inline Tensor weights_of(const LayerWeights *w, LayerTensor first, LayerTensor last, size_t element_size)
{
    Tensor all = w->of[first];
    for (int i = (int)first + 1; all.data != NULL && i <= (int)last; i++) {
        Tensor next = w->of[i];
        assert((char *)next.data == (char *)all.data + (size_t)(all.rows * all.columns) * element_size);
        all = first == Q_BIAS ? tensor(all.data, 1, all.columns + next.columns)
                              : tensor(all.data, all.rows + next.rows, all.columns);
    }
    return all;
}

static inline float *gradients_of(const LayerGradients *g, const LayerWeights *w, LayerTensor first, LayerTensor last)
{
    for (int i = (int)first; g->of[first] != NULL && i < (int)last; i++)
        assert(g->of[i + 1] == g->of[i] + w->of[i].rows * w->of[i].columns);
    return g->of[first];
}

static inline LayerWeights layer_weights(const Model *m, int64_t layer)
{
    LayerWeights w;
    const Parameters *own = model_own(m);
    for (int i = 0; i < LAYER_TENSORS; i++) {
        const Parameter *p = parameter_of_layer(own, layer, (LayerTensor)i);
        w.of[i] = p != NULL ? own_tensor(m, p - own->list) : NONE;
    }
    return w;
}

static inline LayerGradients layer_gradients(const Model *m, int64_t layer)
{
    LayerGradients g;
    bool still = m->frozen.count > 0;
    for (int i = 0; i < LAYER_TENSORS; i++) {
        const Parameter *p = still ? NULL : parameter_of_layer(&m->parameters, layer, (LayerTensor)i);
        g.of[i] = p != NULL ? gradient_at(m, p, layer) : NULL;
    }
    return g;
}

static inline bool acquire(const Model *m, int64_t layer)
{
    return m->hooks.weights_acquire == NULL || m->hooks.weights_acquire(m->hooks.context, layer);
}

static inline void release(const Model *m, int64_t layer)
{
    if (m->hooks.weights_release != NULL)
        m->hooks.weights_release(m->hooks.context, layer);
}

static inline bool gradient_ready(const Model *m, int64_t layer)
{
    return m->hooks.gradient_ready == NULL || m->hooks.gradient_ready(m->hooks.context, layer);
}

static inline bool gradients_summed(const Model *m)
{
    return m->hooks.gradients_summed == NULL || m->hooks.gradients_summed(m->hooks.context);
}

static inline bool share_elements(const Model *m, int64_t first, int64_t count, float *host)
{
    return m->hooks.share_elements == NULL || m->hooks.share_elements(m->hooks.context, first, count, host);
}

// The hooks of an empty pass: layers ascending, or descending with their gradients ready.
bool visit_up(const Model *model);
bool visit_down(const Model *model);

// One pass through the layers: how many tokens, in which arrays, and what attends to what.
typedef struct Pass {
    Activations *a;
    int64_t tokens;
    Attention attention; // without a layer's pages
} Pass;

Pass pass_of(Model *model, const Ragged *batch);

// A layer's q, k and v: as one product made them, q and k together after norm and RoPE, and each as attention reads it.
typedef struct Heads {
    Tensor projected, turned, q, k, v;
} Heads;

Heads heads_of(const Model *model, const LayerActivations *layer, int64_t tokens);

// From the tokens (a->ids, a->positions, on the device) to the final hidden states.
bool run_forward(Model *model, const Pass *pass);

// Runs layer `layer` from its input up to the MLP's output, which is written to a->branch.
void layer_forward(Model *model, const Pass *pass, int64_t layer);

// ---- adapted.c: of a site of a layer, where it has adapters: to y, which the model's own matrices have made of x,
// what the adapters make of it; their gradients from dy, and to dx what comes back through them.

bool adapters_add_to(const Model *model, AdapterSite site); // whether there are any, and they are not left out
void adapters_forward(const Model *model, const LayerActivations *l, int64_t layer, AdapterSite site, Tensor y,
                      Tensor x);
void adapters_backward(const Model *model, const LayerActivations *l, int64_t layer, AdapterSite site, Tensor dx,
                       Tensor dy, Tensor x);

// ---- plan.c

bool plan_memory(Model *model);  // both arenas
void share_layers(Model *model); // after allocation: layers without arrays of their own use those of layer 0
bool has_fp32_weights(const Model *model);

#endif
