// The weights of a Hugging Face folder.
#ifndef PRETRAINED_WEIGHTS_H
#define PRETRAINED_WEIGHTS_H

#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

// F32, F16 or BF16; every tensor must be present, with its shape and finite values, and no others.
bool model_load(Model *model, const char *folder);

#ifdef __cplusplus
}
#endif
#endif
