// config.json, read and written.
#ifndef PRETRAINED_CONFIG_JSON_H
#define PRETRAINED_CONFIG_JSON_H

#include "json/json.h"
#include "model/config.h"

#ifdef __cplusplus
extern "C" {
#endif

// Reads config.json. Both spellings: rope_theta and torch_dtype at the top (published folders), rope_parameters and
// dtype (transformers 5). Refuses by name whatever is not a dense model of these families: other architectures, rope
// scaling, sliding windows, a Qwen3's attention bias, other activations, sizes that do not fit together.
bool config_read(ModelConfig *config, const char *path);
bool config_from_json(ModelConfig *config, const json_t *root, const char *where); // where: for errors

// The same as JSON in the first spelling. dtype: "bfloat16" or "float32". NULL after fail().
json_t *config_to_json(const ModelConfig *config, const char *dtype);

#ifdef __cplusplus
}
#endif
#endif
