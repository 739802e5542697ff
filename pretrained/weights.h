// The weights of a Hugging Face folder.
#ifndef PRETRAINED_WEIGHTS_H
#define PRETRAINED_WEIGHTS_H

#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

// F32, F16 or BF16; every tensor must be present, with its shape and finite values, and no others.
bool model_load(Model *model, const char *folder);

// What a run begins with: those weights, or new ones (folder NULL), and new adapters. Where it goes on from a
// checkpoint (resumed), that has what learns, and of the folder come the weights that lie still.
bool model_begin(Model *model, const char *folder, uint64_t seed, bool resumed);

#ifdef __cplusplus
}
#endif
#endif
