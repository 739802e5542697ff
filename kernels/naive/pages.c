// Where keys and values lie: in rows of the batch, or in KV pages of KEY_BLOCK positions each, here
// (KEY_BLOCK, Hkv, D), as the rows of k and v are.
#include "kernels/naive/pieces.h"

static int64_t page_elements(int64_t kv_heads, int64_t head_width) { return KEY_BLOCK * kv_heads * head_width; }

// The row of the batch that holds a position: of the context, which is another sequence, or of its own.
static int64_t row_at(const Attention *a, int64_t sequence, int64_t position)
{
    int64_t context = a->contexts[sequence];
    return position < context ? a->context_rows[sequence] + position : a->starts[sequence] + position - context;
}

// The D numbers of a position: in the pages where there are any, otherwise in the rows of k or v.
static float *at_position(Tensor rows, void *pages, const Attention *a, int64_t sequence, int64_t position,
                          int64_t kv_head)
{
    int64_t D = a->head_width, width = a->kv_heads * D;
    if (pages == NULL)
        return row_of(rows, row_at(a, sequence, position)) + kv_head * D;
    int64_t page = a->page_table[sequence * a->pages_per_sequence + position / KEY_BLOCK];
    return (float *)pages + (page * KEY_BLOCK + position % KEY_BLOCK) * width + kv_head * D;
}

// New tokens' keys and values to their places. k, v (T, Hkv, D)
static void write_pages(Tensor k, Tensor v, const Attention *a)
{
    for (int64_t sequence = 0; sequence < a->sequences; sequence++)
        for (int64_t t = a->starts[sequence]; t < a->starts[sequence + 1]; t++) {
            int64_t position = a->contexts[sequence] + t - a->starts[sequence];
            memcpy(at_position(k, a->key_pages, a, sequence, position, 0), row_of(k, t),
                   (size_t)k.columns * sizeof(float));
            memcpy(at_position(v, a->value_pages, a, sequence, position, 0), row_of(v, t),
                   (size_t)v.columns * sizeof(float));
        }
}

static void pages_copy(Stream *s, void *pages, int64_t elements, const int32_t *pairs, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        memcpy((float *)pages + pairs[2 * i + 1] * elements, (const float *)pages + pairs[2 * i] * elements,
               (size_t)elements * sizeof(float));
}
