// A model in memory, or a checkpoint of a run, as a Hugging Face folder that transformers loads: config.json,
// generation_config.json with both end tokens, the tokenizer's files, the template of training, weights in "bf16" or
// "fp32".
#ifndef PRETRAINED_EXPORT_H
#define PRETRAINED_EXPORT_H

#include "model/model.h"

// tokenizer_folder: NULL for none. template_name: the template used in training.
bool export_model(const Model *model, const char *tokenizer_folder, const char *template_name, const char *dtype,
                  const char *folder);

// checkpoint: OUT/checkpoints/step-N, with OUT/tokenizer beside it.
bool export_checkpoint(const char *checkpoint, const char *dtype, const char *folder);

#endif
