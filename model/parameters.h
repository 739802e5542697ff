// The named tensors of a model, in the one order that manifests, norms and optimizers use: the embedding, each layer's,
// the final norm, and lm_head where it is not tied. Names are Hugging Face's. A layer has its family's LayerTensors.
#ifndef MODEL_PARAMETERS_H
#define MODEL_PARAMETERS_H

#include "model/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum LayerTensor {
    INPUT_NORM,
    Q_PROJ, // these three one behind the other: one matrix product makes q, k and v
    K_PROJ,
    V_PROJ,
    Q_BIAS, // and their biases
    K_BIAS,
    V_BIAS,
    O_PROJ,
    Q_NORM,
    K_NORM,
    POST_NORM,
    GATE_PROJ, // these two: one product makes gate and up
    UP_PROJ,
    DOWN_PROJ,
    LAYER_TENSORS
} LayerTensor;

typedef struct Parameter {
    char name[72];
    int64_t rows, columns; // a vector has one row
    bool matrix;           // weight decay is for matrices only
    float initial;         // a new vector's value: 1 for a norm, 0 for a bias
    int64_t offset;        // of its first element among all elements
} Parameter;

typedef struct Parameters {
    Parameter *list;
    int64_t count, elements;
    int64_t embedding, first_layer, final_norm, head; // indices in the list; head == embedding when tied
    int64_t per_layer, in_layer[LAYER_TENSORS];       // tensors per layer, and their index within it; -1: it has none
} Parameters;

bool parameters_make(Parameters *parameters, const ModelConfig *config);
// Gives a tensor of the list its shape, and its place behind all that have one.
bool parameter_place(Parameters *parameters, Parameter *parameter, int64_t rows, int64_t columns, bool matrix);
void parameters_free(Parameters *parameters);
int64_t parameter_elements(const Parameter *parameter);
const Parameter *parameter_of_layer(const Parameters *parameters, int64_t layer,
                                    LayerTensor which); // NULL: the family has none

#ifdef __cplusplus
}
#endif
#endif
