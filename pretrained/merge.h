// A model's weights with its adapters added up, W + scale·(B·A), as fp32 numbers: one chain over the rank, scaled,
// added to W. Where both come from is the caller's: a model in memory, or a checkpoint and the folder that it began
// from.
#ifndef PRETRAINED_MERGE_H
#define PRETRAINED_MERGE_H

#include "model/adapters.h"
#include "safetensors/safetensors.h"

typedef struct Merge {
    const Adapters *adapters;
    const Parameters *own, *learned; // the model's own tensors, and its adapters'
    WeightSource own_source, learned_source;
    void *context; // of both
    int64_t held;  // own tensor whose adapter lies in a and b, counted from 1; 0: none
    float *a, *b;  // (rank, in), (out, rank)
} Merge;

bool merge_read(void *merge, int64_t tensor, int64_t first, int64_t count, float *out); // a WeightSource of `own`
void merge_close(Merge *merge);

#endif
