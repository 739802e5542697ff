// Keys and values to KV pages as they are. What writes them there also turns them: here by no angle, without a norm.
#ifndef TEST_PAGES_H
#define TEST_PAGES_H

#include "kernels/kernels.h"
#include <stdlib.h>
#include <string.h>

// keys, values (rows, Hkv, D) of the new tokens of all sequences of a
static inline void write_to_pages(const Kernels *k, const float *keys, const float *values, int64_t rows,
                                  const Attention *a)
{
    int64_t width = a->kv_heads * a->head_width, half = a->head_width / 2;
    size_t row = (size_t)width * sizeof(float);
    float *both = allocate((size_t)(2 * rows * width), sizeof *both), *turned = allocate((size_t)(rows * width), 4),
          *cosine = allocate((size_t)half, sizeof *cosine), *sine = allocate((size_t)half, sizeof *sine);
    int32_t *positions = allocate((size_t)rows, sizeof *positions);
    for (int64_t i = 0; i < half; i++)
        cosine[i] = 1;
    for (int64_t t = 0; t < rows; t++) {
        memcpy(both + 2 * t * width, keys + t * width, row);
        memcpy(both + (2 * t + 1) * width, values + t * width, row);
    }
    Attention no_queries = *a;
    no_queries.heads = 0;
    k->qk_norm_rope_forward(NULL, dense(turned, rows, width), NULL, dense(both, rows, 2 * width), (Tensor){0},
                            (Tensor){0}, cosine, sine, positions, &no_queries, 0);
    free(both);
    free(turned);
    free(cosine);
    free(sine);
    free(positions);
}

#endif
