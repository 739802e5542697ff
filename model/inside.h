// What the files of model/ share and nobody else needs: tensors over the model's arrays.
#ifndef MODEL_INSIDE_H
#define MODEL_INSIDE_H

#include "model/model.h"

static inline Tensor tensor(void *data, int64_t rows, int64_t columns) { return (Tensor){data, rows, columns}; }
static const Tensor NONE = {0};

static inline Tensor weight_matrix(const Model *m, const Parameter *p)
{
    return tensor(m->weights + p->offset, p->rows, p->columns);
}

// One layer's weights (or, over the gradients, the gradients of them), looked up when the layer is entered.
typedef struct LayerView {
    Tensor matrix[LAYER_TENSORS];
    float *vector[LAYER_TENSORS];
} LayerView;

static inline LayerView layer_view(const Model *m, float *base, int64_t layer)
{
    LayerView view;
    for (int i = 0; i < LAYER_TENSORS; i++) {
        const Parameter *p = parameter_of_layer(&m->parameters, layer, (LayerTensor)i);
        view.vector[i] = base + p->offset;
        view.matrix[i] = tensor(view.vector[i], p->rows, p->columns);
    }
    return view;
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

// The calls of a pass over nothing: layers ascending, or descending with their gradients ready.
bool visit_up(const Model *model);
bool visit_down(const Model *model);

Attention attention_of(const Model *model, const Ragged *batch);

// Runs layer `layer` from its input (which is there) up to the MLP's output, which goes to `branch`.
void layer_forward(Model *model, const Ragged *batch, int64_t layer, void *branch);

#endif
