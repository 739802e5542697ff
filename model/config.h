// A dense Qwen3 or Qwen2 as described by its config.json (transformers' modeling_qwen3 and modeling_qwen2; Qwen3
// technical report 2025, Qwen2.5 technical report 2024, whose models have the Qwen2 architecture).
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { END_TOKENS = 16 };

typedef enum ModelFamily { QWEN3, QWEN2, FAMILIES } ModelFamily;

// All differences between the families. Code asks for these, not for the family.
typedef struct Family {
    const char *name, *model_type, *architecture; // for people; as config.json has them
    bool qkv_bias;                                // the projections of q, k and v have a bias
    bool qk_norm;                                 // q and k are normed, head by head, before RoPE
    int64_t head_width;                           // used where config.json has no head_dim; 0: hidden_size / heads
} Family;

typedef struct ModelConfig {
    int64_t layers, width, heads, kv_heads, head_width; // L, C, H, Hkv, D: D need not be C / H
    int64_t feed_forward, vocabulary, max_positions;    // F, V
    double rope_theta, norm_epsilon, initializer_range;
    ModelFamily family;
    bool tied;           // lm_head is embed_tokens
    int64_t begin_token; // -1 if none
    int64_t end_tokens[END_TOKENS], end_count;
} ModelConfig;

const Family *family_of(const ModelConfig *config);

#ifdef __cplusplus
}
#endif
#endif
