// A block of keys and values against a tile of rows, forward: scores, the online softmax, weighted values (Dao 2023,
// FlashAttention-2). What a row computes never depends on its tile: masked keys get weight exactly zero, and a zero
// adds nothing to a chain. attention_forward.c makes tiles of one sequence's queries, attention_decode.h of one query
// each of several sequences.
#ifndef KERNELS_CPU_ATTENTION_BLOCK_H
#define KERNELS_CPU_ATTENTION_BLOCK_H

#include "kernels/cpu/attention.h"

enum { TILE_QUERIES = 32, NO_KEYS = 0, SEGMENT_BLOCKS = KEY_SEGMENT / KEY_BLOCK };

// The online softmax of one row in one segment: m the largest score so far, l the sum of exp(score - m)
typedef struct RowState {
    float m, l;
} RowState;

// Turns `live` scores into weights, the rest of the block into zeros; returns what the row's older sums are scaled by.
static float softmax_block(float *scores, RowState *state, int64_t live, float scale)
{
    lanes16 largest = lanes_set(-__builtin_inff());
    for (int64_t j = 0; j < live; j += 16) {
        lanes16 z = row_load(scores, j, live, -__builtin_inff());
        EACH_PART (i) {
            z.part[i] = z.part[i] * vf_set(scale);
            largest.part[i] = vf_max(largest.part[i], z.part[i]);
        }
        row_store(scores, j, live, z);
    }
    float old = state->m, block = lanes_max(largest), m = old > block ? old : block;
    lanes16 sum = lanes_set(0);
    for (int64_t j = 0; j < live; j += 16) {
        lanes16 z = row_load(scores, j, live, -__builtin_inff());
        EACH_PART (i) {
            z.part[i] = vf_exp(z.part[i] - vf_set(m));
            sum.part[i] = sum.part[i] + z.part[i];
        }
        row_store(scores, j, live, z);
    }
    memset(scores + live, 0, (size_t)(KEY_BLOCK - live) * sizeof(float));
    float keep = f_exp(old - m);
    state->m = m;
    state->l = state->l * keep + lanes_sum(sum);
    return keep;
}

static void scale_add_row(float *y, float a, const float *x, float b, int64_t width) // y = y·a + x·b, two roundings
{
    for (int64_t c = 0; c < width; c += VL)
        vf_store(y + c, vf_load(y + c) * vf_set(a) + vf_load(x + c) * vf_set(b));
}

static void scale_row_by(float *y, float a, int64_t width)
{
    for (int64_t c = 0; c < width; c += VL)
        vf_store(y + c, vf_load(y + c) * vf_set(a));
}

// What a forward task works in, all of it private to a thread.
typedef struct ForwardTile {
    int64_t rows, padded;   // queries × group, D rounded up to 16
    int64_t first, last;    // row r sees positions up to first + r / group, and none behind last
    float *queries;         // (rows, D), packed, group inside
    float *columns, *block; // (D, KEY_BLOCK), (KEY_BLOCK, padded): keys and values of a block that are not in pages
    float *mixed;           // (KEY_BLOCK, D): rows of a block that begins in a context and ends behind it
    float *scores;          // (rows, KEY_BLOCK)
    float *segment, *total; // (rows, padded): weighted values of the segment, of all merged segments
    RowState *now, *all;    // (rows)
} ForwardTile;

static ForwardTile forward_tile(const Attention *a)
{
    ForwardTile w = {.padded = padded_width(a->head_width)};
    size_t D = (size_t)a->head_width, P = (size_t)w.padded, R = TILE_QUERIES * (size_t)(a->heads / a->kv_heads);
    float *p =
        thread_scratch(SCRATCH_ATTENTION, (R * (D + KEY_BLOCK + 2 * P + 4) + KEY_BLOCK * (2 * D + P)) * sizeof(float));
    w.columns = p, p += D * KEY_BLOCK;
    w.mixed = p, p += D * KEY_BLOCK;
    w.block = p, p += P * KEY_BLOCK;
    w.scores = p, p += R * KEY_BLOCK;
    w.segment = p, p += R * P;
    w.total = p, p += R * P;
    w.queries = p, p += R * D;
    w.now = (RowState *)p, p += 2 * R;
    w.all = (RowState *)p;
    return w;
}

static void start_segment(ForwardTile *w)
{
    memset(w->segment, 0, (size_t)(w->rows * w->padded) * sizeof(float));
    for (int64_t r = 0; r < w->rows; r++)
        w->now[r] = (RowState){-__builtin_inff(), 0};
}

static void merge_row(float *total, RowState *all, const float *segment, RowState now, int64_t padded)
{
    if (now.l == 0)
        return; // a row that ends before this segment
    float m = all->m > now.m ? all->m : now.m, a = f_exp(all->m - m), b = f_exp(now.m - m);
    scale_add_row(total, a, segment, b, padded);
    *all = (RowState){m, all->l * a + now.l * b};
}

static void merge_segment(ForwardTile *w)
{
    for (int64_t r = 0; r < w->rows; r++)
        merge_row(w->total + r * w->padded, &w->all[r], w->segment + r * w->padded, w->now[r], w->padded);
}

// A block's keys as columns (D, KEY_BLOCK) and its values as rows (KEY_BLOCK, padded); anything behind the last key.
static void block_of(const KeyView *view, int64_t block, ForwardTile *w, const float **columns, const float **values)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, keys = block_keys(view, block);
    if (a->key_pages != NULL) {
        *columns = page_of(a->key_pages, a, view->sequence, block) + view->kv_head * D * KEY_BLOCK;
        *values = page_of(a->value_pages, a, view->sequence, block) + view->kv_head * KEY_BLOCK * w->padded;
        return;
    }
    KeyRows rows = rows_at(view, view->context_keys, view->keys, block * KEY_BLOCK, keys, w->mixed);
    pack_columns(w->columns, rows.row, rows.stride, keys, D);
    rows = rows_at(view, view->context_values, view->values, block * KEY_BLOCK, keys, w->mixed);
    pack_rows(w->block, rows.row, rows.stride, keys, D, w->padded);
    *columns = w->columns;
    *values = w->block;
}

// How many keys of a block are at or before the last position that is seen; negative: the block is behind it.
static int64_t block_reach(int64_t last, int64_t block)
{
    int64_t reach = last - block * KEY_BLOCK + 1;
    return smaller(reach, KEY_BLOCK);
}

// Decoding reads keys and values once, from memory: they are fetched while what is there is computed, values during the
// scores, the next block's keys during the sums.
static TileAhead fetch_values(const float *values, int64_t reach, int64_t padded)
{
    int32_t lines = (int32_t)(padded / 16);
    return (TileAhead){.line = (const char *)values,
                       .stride = 4 * padded,
                       .line_count = lines,
                       .left = (int32_t)reach,
                       .per_visit = 64};
}

static TileAhead fetch_keys(const KeyView *view, int64_t block, int64_t last)
{
    const Attention *a = view->a;
    if (block > last / KEY_BLOCK)
        return (TileAhead){.left = 0};
    const float *keys = page_of(a->key_pages, a, view->sequence, block) + view->kv_head * a->head_width * KEY_BLOCK;
    return (TileAhead){.line = (const char *)keys,
                       .stride = 4 * KEY_BLOCK,
                       .line_count = (int32_t)((block_reach(last, block) + 15) / 16),
                       .left = (int32_t)a->head_width,
                       .per_visit = 64};
}

// One block of keys against every row of the tile.
static void forward_block(ForwardTile *w, const KeyView *view, int64_t block, float scale)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, group = a->heads / a->kv_heads;
    const float *keys, *values;
    block_of(view, block, w, &keys, &values);
    int64_t depth = block_reach(w->last, block), columns = (depth + 15) / 16 * 16;
    bool decodes = a->key_pages != NULL && w->first == w->last;
    TileAhead ahead = fetch_values(values, depth, w->padded);
    tile_product(w->rows, columns, D, w->queries, D, 1, keys, KEY_BLOCK, w->scores, KEY_BLOCK, false,
                 decodes ? &ahead : NULL);
    for (int64_t r = 0; r < w->rows; r++) {
        int64_t live = block_reach(smaller(w->first + r / group, w->last), block);
        live = live < 0 ? NO_KEYS : live;
        if (live == NO_KEYS) {
            memset(w->scores + r * KEY_BLOCK, 0, KEY_BLOCK * sizeof(float));
            continue;
        }
        float keep = softmax_block(w->scores + r * KEY_BLOCK, &w->now[r], live, scale);
        scale_row_by(w->segment + r * w->padded, keep, w->padded);
    }
    if (decodes)
        ahead = fetch_keys(view, block + 1, w->last);
    tile_product(w->rows, w->padded, depth, w->scores, KEY_BLOCK, 1, values, w->padded, w->segment, w->padded, true,
                 decodes ? &ahead : NULL);
}

// Which of the results (T, H, D) row r of a tile is, the tile's first query being the `first` of its sequence.
static int64_t result_row(const KeyView *view, int64_t first, int64_t r)
{
    const Attention *a = view->a;
    int64_t group = a->heads / a->kv_heads;
    return (a->starts[view->sequence] + first + r / group) * a->heads + view->kv_head * group + r % group;
}

// last: the last position that any of them sees
static void load_queries(ForwardTile *w, Tensor q, const KeyView *view, int64_t first, int64_t queries, int64_t last)
{
    const Attention *a = view->a;
    int64_t D = a->head_width;
    w->rows = queries * (a->heads / a->kv_heads);
    w->first = smaller(a->contexts[view->sequence] + first, last);
    w->last = last;
    for (int64_t r = 0; r < w->rows; r++) {
        int64_t row = result_row(view, first, r);
        memcpy(w->queries + r * D, row_of(q, row / a->heads) + row % a->heads * D, (size_t)D * sizeof(float));
    }
}

typedef struct Results {
    float *out, *logsumexp; // (T, H, D), (T, H)
} Results;

static void put_row(const Results *results, int64_t row, const float *total, RowState all, int64_t D)
{
    float inverse = 1.0f / all.l;
    for (int64_t d = 0; d < D; d++)
        results->out[row * D + d] = total[d] * inverse + 0.0f; // + 0: one sign of zero
    results->logsumexp[row] = all.m + (float)d_log(all.l);
}

#endif
