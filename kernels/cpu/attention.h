// What attention's two directions share: where a sequence's keys lie, and packing rows of them for the inner product.
#ifndef KERNELS_CPU_ATTENTION_H
#define KERNELS_CPU_ATTENTION_H

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/tile.h"
#include <assert.h>

// D, rounded up to what the inner product wants of a row.
INLINE int64_t padded_width(int64_t D) { return (D + 15) / 16 * 16; }

// Rows of memory so many elements apart
typedef struct KeyRows {
    const float *row;
    int64_t stride;
} KeyRows;

// One sequence's keys and values of one kv head: those of its new tokens, and those of the context before them; NULL if
// in pages.
typedef struct KeyView {
    KeyRows keys, values, context_keys, context_values;
    const Attention *a;
    int64_t sequence, kv_head, context, length; // length: context and new tokens
} KeyView;

static KeyView key_view(const Attention *a, Tensor k, Tensor v, int64_t sequence, int64_t kv_head)
{
    KeyView view = {.a = a, .sequence = sequence, .kv_head = kv_head};
    int64_t start = a->starts[sequence], head = kv_head * a->head_width;
    view.context = a->contexts[sequence];
    view.length = view.context + a->starts[sequence + 1] - start;
    if (a->key_pages == NULL) {
        int64_t context = a->context_rows == NULL ? start : a->context_rows[sequence];
        view.keys = (KeyRows){row_of(k, start) + head, k.stride};
        view.values = (KeyRows){row_of(v, start) + head, v.stride};
        view.context_keys = (KeyRows){row_of(k, context) + head, k.stride};
        view.context_values = (KeyRows){row_of(v, context) + head, v.stride};
    }
    return view;
}

static int64_t block_keys(const KeyView *view, int64_t block)
{
    int64_t left = view->length - block * KEY_BLOCK;
    return smaller(left, KEY_BLOCK);
}

// out (KEY_BLOCK, padded): the rows as they are, zeros behind them in both directions
static void pack_rows(float *out, const float *rows, int64_t stride, int64_t count, int64_t D, int64_t padded)
{
    for (int64_t r = 0; r < count; r++) {
        memcpy(out + r * padded, rows + r * stride, (size_t)D * sizeof(float));
        memset(out + r * padded + D, 0, (size_t)(padded - D) * sizeof(float));
    }
    memset(out + count * padded, 0, (size_t)((KEY_BLOCK - count) * padded) * sizeof(float));
}

// out (D, KEY_BLOCK): the rows as its first columns
static void write_columns(float *out, const float *rows, int64_t stride, int64_t count, int64_t D)
{
    int64_t whole_rows = count / VL * VL, whole_columns = D / VL * VL;
    for (int64_t r = 0; r < whole_rows; r += VL)
        for (int64_t d = 0; d < whole_columns; d += VL) {
            vf x[VL];
            load_transposed(x, rows, stride, r, count, d);
#pragma GCC unroll 16
            for (int i = 0; i < VL; i++)
                vf_store(out + (d + i) * KEY_BLOCK + r, x[i]);
        }
    for (int64_t d = 0; d < D; d++)
        for (int64_t r = d < whole_columns ? whole_rows : 0; r < count; r++)
            out[d * KEY_BLOCK + r] = rows[r * stride + d];
}

// `count` rows from position `first` on, some of them of the context, then the sequence's own: where they lie, one
// behind the other. Only where both are needed they are copied, to room (KEY_BLOCK, D).
static KeyRows rows_at(const KeyView *view, KeyRows context, KeyRows own, int64_t first, int64_t count, float *room)
{
    int64_t D = view->a->head_width, before = view->context - first;
    if (before <= 0)
        return (KeyRows){own.row - before * own.stride, own.stride};
    if (before >= count)
        return (KeyRows){context.row + first * context.stride, context.stride};
    for (int64_t r = 0; r < count; r++)
        memcpy(room + r * D,
               r < before ? context.row + (first + r) * context.stride : own.row + (r - before) * own.stride,
               (size_t)D * sizeof(float));
    return (KeyRows){room, D};
}

// and zeros behind them
static void pack_columns(float *out, const float *rows, int64_t stride, int64_t count, int64_t D)
{
    write_columns(out, rows, stride, count, D);
    for (int64_t d = 0; d < D; d++)
        memset(out + d * KEY_BLOCK + count, 0, (size_t)(KEY_BLOCK - count) * sizeof(float));
}

#endif
