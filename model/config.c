// The model families and how they differ: see config.h.
#include "model/config.h"

static const Family FAMILY[FAMILIES] = {
    [QWEN3] = {"Qwen3", "qwen3", "Qwen3ForCausalLM", .qk_norm = true, .head_width = 128},
    [QWEN2] = {"Qwen2", "qwen2", "Qwen2ForCausalLM", .qkv_bias = true},
};

const Family *family_of(const ModelConfig *c) { return &FAMILY[c->family]; }
