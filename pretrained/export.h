// A model in memory, or a checkpoint of a run, as a Hugging Face folder that transformers loads: config.json,
// generation_config.json with both end tokens, the tokenizer's files, the template of training, weights in "bf16" or
// "fp32".
#ifndef PRETRAINED_EXPORT_H
#define PRETRAINED_EXPORT_H

#include "model/model.h"

// Called before elements of a model are read, so that other ranks, which own parts of it, read them too.
typedef bool BeforeRead(void *context, int64_t first, int64_t count);

// What a model learns as a source of tensors, whose places are those of Model.parameters; source: a ModelSource.
typedef struct ModelSource {
    const Model *model;
    BeforeRead *before; // NULL where there is one rank
    void *context;
} ModelSource;
bool model_source_read(void *source, int64_t tensor, int64_t first, int64_t count, float *out);

// tokenizer_folder: NULL for none. template_name: the template used in training. before: NULL where there is one rank.
bool export_model(const Model *model, const char *tokenizer_folder, const char *template_name, const char *dtype,
                  const char *folder, BeforeRead *before, void *context);

// checkpoint: OUT/checkpoints/step-N, with OUT/tokenizer beside it. One of --lora needs the folder of its base, whose
// weights are taken as they are there; a run on a GPU has had them rounded to bf16, which most folders are.
bool export_checkpoint(const char *checkpoint, const char *dtype, const char *folder);

#endif
