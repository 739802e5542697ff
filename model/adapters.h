// Low-rank adapters (LoRA: Hu et al. 2021): a model's own weights lie still, and beside a matrix W (out, in) of a layer
// A (rank, in) and B (out, rank) learn, so that the matrix acts as W + scale·B·A. It is never added up while the model
// is in use. In every pass, training, scoring and sampling alike, what W makes of x is rounded, and then
//
//   h = x·Aᵀ, rounded;   h = scale·h, rounded (a scale of 1: as it is)
//   y = y + h·Bᵀ, one finished chain, added and rounded
//
// Here are the adapters' tensors, which take the place of the model's own as what is trained: the optimizer,
// checkpoints and ranks see them alone. Names are PEFT's. The passes are in adapted.c; from options: lora.h.
#ifndef MODEL_ADAPTERS_H
#define MODEL_ADAPTERS_H

#include "model/parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Adapters {
    int64_t rank;           // 0: there are none
    double scale;           // alpha / rank
    bool on[LAYER_TENSORS]; // which matrices of every layer have one
} Adapters;

// What the matrices of a layer read: those of one site the same, one behind the other, as one product.
typedef enum AdapterSite { SITE_QKV, SITE_O, SITE_GATE_UP, SITE_DOWN, ADAPTER_SITES } AdapterSite;
enum { SITE_MATRICES = 3 }; // at most

LayerTensor site_first(AdapterSite site);
LayerTensor site_last(AdapterSite site);
int adapters_at(const Adapters *adapters, AdapterSite site); // how many of the site's matrices have one

// The adapters' tensors, layer by layer: of a site first every A, one behind the other, then every B.
// Parameters.in_layer is the place of a matrix's A. frozen: the model's own.
bool adapters_make(Parameters *parameters, const Adapters *adapters, const Parameters *frozen, int64_t layers);
const Parameter *adapter_a(const Parameters *parameters, int64_t layer, LayerTensor which); // NULL: it has none
const Parameter *adapter_b(const Parameters *parameters, const Adapters *adapters, int64_t layer, LayerTensor which);

// PEFT's name of a matrix, "q_proj"; NULL for a tensor that can have no adapter
const char *adapter_target(LayerTensor which);

#ifdef __cplusplus
}
#endif
#endif
