// A small random Qwen3 or Qwen2 and random documents, for tests that compare the program with itself.
#ifndef TEST_TINY_H
#define TEST_TINY_H

#include "test/support/check.h"
#include "model/model.h"

enum { TINY_TOKENS = 1024, TINY_DOCUMENTS = 16 };

static const ModelConfig TINY_CONFIG = {.layers = 2,
                                        .width = 40,
                                        .heads = 4,
                                        .kv_heads = 2,
                                        .head_width = 18,
                                        .feed_forward = 56,
                                        .vocabulary = 300,
                                        .max_positions = 4096,
                                        .rope_theta = 1e6,
                                        .norm_epsilon = 1e-6,
                                        .initializer_range = 0.15,
                                        .tied = true};

typedef struct TinyBatch {
    Ragged ragged;
    int32_t ids[TINY_TOKENS], positions[TINY_TOKENS], starts[TINY_DOCUMENTS + 1], contexts[TINY_DOCUMENTS];
    int32_t rows[TINY_TOKENS], targets[TINY_TOKENS];
} TinyBatch;

// Appends document `number` of `length` random tokens; two of three tokens are trained.
static inline void tiny_add(TinyBatch *b, uint32_t number, int32_t length)
{
    Ragged *r = &b->ragged;
    int32_t at = (int32_t)r->tokens;
    for (int32_t i = 0; i < length; i++) {
        b->ids[at + i] = (int32_t)(random_bits(number, RANDOM_SAMPLE, (uint32_t)i, 0, 0).v[0] % 300);
        b->positions[at + i] = i;
        if (i > 0 && i % 3 != 0) {
            b->rows[r->trained] = at + i - 1;
            b->targets[r->trained++] = b->ids[at + i];
        }
    }
    b->starts[r->sequences] = at;
    b->contexts[r->sequences++] = 0;
    b->starts[r->sequences] = at + length;
    r->tokens += length;
    r->ids = b->ids;
    r->positions = b->positions;
    r->starts = b->starts;
    r->contexts = b->contexts;
    r->rows = b->rows;
    r->targets = b->targets;
}

// The biases of a new model are zero; a trained one's are not.
static inline void tiny_draw_biases(Model *m)
{
    for (int64_t i = 0; i < model_own(m)->count; i++) {
        const Parameter *p = &model_own(m)->list[i];
        int64_t count = parameter_elements(p);
        if (p->matrix || p->initial != 0)
            continue;
        float *bias = random_floats(count, (uint32_t)i);
        model_write_own(m, p->offset, count, bias);
        free(bias);
    }
}

static inline void tiny_open(Model *m, const Kernels *kernels, ModelFamily family, bool tied, bool recompute)
{
    ModelConfig config = TINY_CONFIG;
    config.family = family;
    config.tied = tied;
    ModelLimits limits = {.tokens = TINY_TOKENS,
                          .rows = TINY_TOKENS,
                          .sequences = TINY_DOCUMENTS,
                          .positions = TINY_TOKENS,
                          .training = true,
                          .recompute = recompute};
    assert_ok(model_open(m, &config, &limits, kernels, false));
    assert_ok(model_initialise(m, 7));
    tiny_draw_biases(m);
}

#endif
