// The named tensors of a dense Qwen3, in the one order that manifests, norms and optimizers use: the embedding, each layer's
// eleven, the final norm, and lm_head where it is not tied. Names are Hugging Face's.
#ifndef MODEL_PARAMETERS_H
#define MODEL_PARAMETERS_H

#include "model/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum LayerTensor {
    INPUT_NORM,
    Q_PROJ,
    K_PROJ,
    V_PROJ,
    O_PROJ,
    Q_NORM,
    K_NORM,
    POST_NORM,
    GATE_PROJ,
    UP_PROJ,
    DOWN_PROJ,
    LAYER_TENSORS
} LayerTensor;

typedef struct Parameter {
    char name[72];
    int64_t rows, columns; // a vector has one row
    bool matrix;           // weight decay is for matrices only
    int64_t offset;        // of its first element among all elements
} Parameter;

typedef struct Parameters {
    Parameter *list;
    int64_t count, elements;
    int64_t embedding, first_layer, final_norm, head; // places in the list; head == embedding when tied
} Parameters;

bool parameters_make(Parameters *parameters, const ModelConfig *config);
void parameters_free(Parameters *parameters);
int64_t parameter_elements(const Parameter *parameter);
const Parameter *parameter_of_layer(const Parameters *parameters, int64_t layer, LayerTensor which);

#ifdef __cplusplus
}
#endif
#endif
