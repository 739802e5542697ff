// What a dense Qwen3 is, as its config.json says it (transformers' modeling_qwen3, Qwen3 technical report 2025).
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { END_TOKENS = 16 };

typedef struct ModelConfig {
    int64_t layers, width, heads, kv_heads, head_width; // L, C, H, Hkv, D: D is read, it is not C / H
    int64_t feed_forward, vocabulary, max_positions;    // F, V
    double rope_theta, norm_epsilon, initializer_range;
    bool tied;           // lm_head is embed_tokens
    int64_t begin_token; // -1 if none
    int64_t end_tokens[END_TOKENS], end_count;
} ModelConfig;

// Reads config.json. Both spellings: rope_theta and torch_dtype at the top (published folders), rope_parameters and dtype
// (transformers 5). Refuses by name what is not a dense Qwen3: other architectures, rope scaling, sliding windows, attention
// bias, other activations, sizes that do not fit together.
bool config_read(ModelConfig *config, const char *path);
bool config_from_json(ModelConfig *config, const json_t *root, const char *where); // where: for errors

// The same as JSON in the first spelling. dtype: "bfloat16" or "float32". NULL after fail().
json_t *config_to_json(const ModelConfig *config, const char *dtype);

#ifdef __cplusplus
}
#endif
#endif
