// Causal attention over ragged batches, never a T×T array (Dao 2023, FlashAttention-2).
//
// Forward: a task is (sequence, kv head, tile of queries); its rows are the tile's queries of every head of the group, so a
// block of keys is packed once for all of them. Backward: a task is (sequence, kv head) and walks the key blocks ascending;
// dk and dv of a block stay in the task, dq continues its chain over keys. Five products (the scores once more, from the logsumexp), no atomics.
// What a row computes never depends on its tile: masked keys get weight exactly zero, and a zero adds nothing to a chain.
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/tile.h"
#include <assert.h>
#include <stdlib.h>

enum { TILE_QUERIES = 32, NO_KEYS = 0 };

// One sequence's view of keys and values, wherever they lie.
typedef struct KeyView {
    const float *keys, *values; // of key 0 of this sequence (no pages)
    const Attention *a;
    int64_t sequence, kv_head, length; // length: context and new tokens
} KeyView;

static KeyView key_view(const Attention *a, Tensor k, Tensor v, int64_t sequence, int64_t kv_head)
{
    KeyView view = {.a = a, .sequence = sequence, .kv_head = kv_head};
    int64_t start = a->starts[sequence], stride = a->kv_heads * a->head_width;
    view.length = a->contexts[sequence] + a->starts[sequence + 1] - start;
    if (a->key_pages == NULL) {
        view.keys = (const float *)k.data + start * stride + kv_head * a->head_width;
        view.values = (const float *)v.data + start * stride + kv_head * a->head_width;
    }
    return view;
}

// Where a block of KEY_BLOCK keys or values starts, and how far its rows lie apart.
static const float *block_rows(const KeyView *view, const float *base, const void *pages, int64_t block, int64_t *stride)
{
    const Attention *a = view->a;
    *stride = pages == NULL ? a->kv_heads * a->head_width : a->head_width;
    if (pages == NULL)
        return base + block * KEY_BLOCK * *stride;
    int64_t page = a->page_table[view->sequence * a->pages_per_sequence + block];
    return (const float *)pages + (page * a->kv_heads + view->kv_head) * KEY_BLOCK * a->head_width;
}

static int64_t block_keys(const KeyView *view, int64_t block)
{
    int64_t left = view->length - block * KEY_BLOCK;
    return left < KEY_BLOCK ? left : KEY_BLOCK;
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

// out (D, KEY_BLOCK): the rows as columns, zeros behind the last
static void pack_columns(float *out, const float *rows, int64_t stride, int64_t count, int64_t D)
{
    for (int64_t first = 0; first < KEY_BLOCK; first += 16)
        for (int64_t d = 0; d < D; d++)
            for (int64_t r = first; r < first + 16; r++)
                out[d * KEY_BLOCK + r] = r < count ? rows[r * stride + d] : 0;
}

// The online softmax of one row in one segment: m the largest score so far, l the sum of exp(score - m), o the weighted values.
typedef struct RowState {
    float m, l;
} RowState;

// Turns `live` scores into weights, the rest of the block into exact zeros; returns what the row's older sums are scaled by.
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
    int64_t rows, padded;        // queries × group, D rounded up to 16
    float *queries;              // (rows, D), packed, group inside
    float *key_columns, *values; // (D, KEY_BLOCK), (KEY_BLOCK, padded)
    float *scores;               // (rows, KEY_BLOCK)
    float *segment, *total;      // (rows, padded): weighted values of the segment, of all merged segments
    RowState *now, *all;         // (rows)
    void *memory;
} ForwardTile;

static ForwardTile forward_tile(const Attention *a)
{
    ForwardTile w = {.padded = (a->head_width + 15) / 16 * 16};
    size_t D = (size_t)a->head_width, P = (size_t)w.padded, R = TILE_QUERIES * (size_t)(a->heads / a->kv_heads);
    float *p = allocate(R * (D + KEY_BLOCK + 2 * P + 4) + KEY_BLOCK * (D + P) + 64, sizeof(float));
    if (p == NULL)
        abort(); // some megabytes at most (config.c bounds the group): nothing is left to do
    w.memory = p;
    w.key_columns = p, p += D * KEY_BLOCK;
    w.values = p, p += P * KEY_BLOCK;
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

static void merge_segment(ForwardTile *w)
{
    for (int64_t r = 0; r < w->rows; r++) {
        RowState *all = &w->all[r], now = w->now[r];
        if (now.l == 0)
            continue; // a row that ends before this segment
        float m = all->m > now.m ? all->m : now.m, a = f_exp(all->m - m), b = f_exp(now.m - m);
        scale_add_row(w->total + r * w->padded, a, w->segment + r * w->padded, b, w->padded);
        *all = (RowState){m, all->l * a + now.l * b};
    }
}

// One block of keys against every row of the tile; row r is query r / group, which sees keys up to its own position.
static void forward_block(ForwardTile *w, const KeyView *view, int64_t block, int64_t first_position, float scale)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, group = a->heads / a->kv_heads, stride, keys = block_keys(view, block);
    const float *k = block_rows(view, view->keys, a->key_pages, block, &stride);
    pack_columns(w->key_columns, k, stride, keys, D);
    const float *v = block_rows(view, view->values, a->value_pages, block, &stride);
    pack_rows(w->values, v, stride, keys, D, w->padded);
    int64_t last = first_position + w->rows / group - 1, reach = last - block * KEY_BLOCK + 1;
    int64_t columns = reach < KEY_BLOCK ? (reach + 15) / 16 * 16 : KEY_BLOCK, depth = reach < KEY_BLOCK ? reach : KEY_BLOCK;
    tile_product(w->rows, columns, D, w->queries, D, 1, w->key_columns, KEY_BLOCK, w->scores, KEY_BLOCK, false);
    for (int64_t r = 0; r < w->rows; r++) {
        int64_t live = first_position + r / group - block * KEY_BLOCK + 1;
        live = live < 0 ? NO_KEYS : live > KEY_BLOCK ? KEY_BLOCK : live;
        if (live == NO_KEYS) {
            memset(w->scores + r * KEY_BLOCK, 0, KEY_BLOCK * sizeof(float));
            continue;
        }
        float keep = softmax_block(w->scores + r * KEY_BLOCK, &w->now[r], live, scale);
        scale_row_by(w->segment + r * w->padded, keep, w->padded);
    }
    tile_product(w->rows, w->padded, depth, w->scores, KEY_BLOCK, 1, w->values, w->padded, w->segment, w->padded, true);
}

static void forward_task(ForwardTile *w, float *out, float *logsumexp, const float *q, const KeyView *view, int64_t first,
                         int64_t queries)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, group = a->heads / a->kv_heads, start = a->starts[view->sequence];
    int64_t first_position = a->contexts[view->sequence] + first, last = first_position + queries - 1;
    w->rows = queries * group;
    for (int64_t r = 0; r < w->rows; r++) {
        int64_t row = (start + first + r / group) * a->heads + view->kv_head * group + r % group;
        memcpy(w->queries + r * D, q + row * D, (size_t)D * sizeof(float));
        w->all[r] = (RowState){-__builtin_inff(), 0};
    }
    memset(w->total, 0, (size_t)(w->rows * w->padded) * sizeof(float));
    for (int64_t block = 0; block <= last / KEY_BLOCK; block++) {
        if (block % (KEY_SEGMENT / KEY_BLOCK) == 0)
            start_segment(w);
        forward_block(w, view, block, first_position, 1.0f / sqrtf((float)D));
        if ((block + 1) % (KEY_SEGMENT / KEY_BLOCK) == 0 || block == last / KEY_BLOCK)
            merge_segment(w);
    }
    for (int64_t r = 0; r < w->rows; r++) {
        int64_t row = (start + first + r / group) * a->heads + view->kv_head * group + r % group;
        float inverse = 1.0f / w->all[r].l;
        for (int64_t d = 0; d < D; d++)
            out[row * D + d] = w->total[r * w->padded + d] * inverse + 0.0f; // + 0: one sign of zero
        logsumexp[row] = w->all[r].m + (float)d_log(w->all[r].l);
    }
}

static void cpu_attention_forward(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a)
{
    assert(q.columns == a->heads * a->head_width && a->head_width % 2 == 0 && a->heads % a->kv_heads == 0);
#pragma omp parallel
    {
        ForwardTile w = forward_tile(a);
        for (int64_t sequence = 0; sequence < a->sequences; sequence++) {
            int64_t queries = a->starts[sequence + 1] - a->starts[sequence], tiles = ceil_divide(queries, TILE_QUERIES);
#pragma omp for schedule(dynamic, 1) nowait
            for (int64_t task = 0; task < tiles * a->kv_heads; task++) {
                int64_t first = (tiles - 1 - task / a->kv_heads) * TILE_QUERIES; // the longest first
                KeyView view = key_view(a, k, v, sequence, task % a->kv_heads);
                int64_t count = queries - first < TILE_QUERIES ? queries - first : TILE_QUERIES;
                forward_task(&w, out.data, logsumexp, q.data, &view, first, count);
            }
        }
        free(w.memory);
    }
}

// What a backward task works in.
typedef struct BackwardTile {
    int64_t padded;
    float *keys, *key_columns, *value_columns; // (KEY_BLOCK, padded), (D, KEY_BLOCK), (D, KEY_BLOCK)
    float *queries, *dout, *dqueries;          // (KEY_BLOCK, padded) each: a block of queries is as long as one of keys
    float *weights, *dscores;                  // (KEY_BLOCK, KEY_BLOCK)
    float *dkeys, *dvalues;                    // (KEY_BLOCK, padded)
    void *memory;
} BackwardTile;

static BackwardTile backward_tile(int64_t D)
{
    BackwardTile w = {.padded = (D + 15) / 16 * 16};
    size_t block = (size_t)KEY_BLOCK * (size_t)w.padded;
    float *p = allocate(8 * block + 2 * KEY_BLOCK * KEY_BLOCK, sizeof(float));
    if (p == NULL)
        abort();
    w.memory = p;
    float **parts[] = {&w.keys, &w.key_columns, &w.value_columns, &w.queries, &w.dout, &w.dqueries, &w.dkeys, &w.dvalues};
    for (int i = 0; i < 8; i++, p += block)
        *parts[i] = p;
    w.weights = p;
    w.dscores = p + KEY_BLOCK * KEY_BLOCK;
    return w;
}

// weights = exp(score·scale - logsumexp), dscores = weights · (dweights - delta) · scale; both exactly zero behind `live`
static void backward_row(float *weights, float *dscores, float logsumexp, float delta, int64_t live, float scale)
{
    for (int64_t j = 0; j < KEY_BLOCK; j += VL) {
        vi index;
        for (int lane = 0; lane < VL; lane++)
            index[lane] = (int32_t)j + lane;
        vi seen = index < (vi){0} + (int32_t)live;
        vf p = vf_exp(vf_load(weights + j) * vf_set(scale) - vf_set(logsumexp));
        vf d = p * (vf_load(dscores + j) - vf_set(delta)) * vf_set(scale);
        vf_store(weights + j, vf_select(seen, p, vf_zero()));
        vf_store(dscores + j, vf_select(seen, d, vf_zero()));
    }
}

typedef struct BackwardTensors {
    float *dq, *dk, *dv;
    const float *q, *k, *v, *dout, *logsumexp, *delta;
} BackwardTensors;

// One head's block of queries against the packed block of keys.
static void backward_block(BackwardTile *w, const BackwardTensors *t, const KeyView *view, int64_t head, int64_t query_block,
                           int64_t key_block, int64_t keys)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, P = w->padded, stride = a->heads * D, start = a->starts[view->sequence];
    int64_t first = query_block * KEY_BLOCK, rows = view->length - first < KEY_BLOCK ? view->length - first : KEY_BLOCK;
    int64_t at = (start + first) * stride + head * D, columns = (keys + 15) / 16 * 16;
    float scale = 1.0f / sqrtf((float)D);
    pack_rows(w->queries, t->q + at, stride, rows, D, P);
    pack_rows(w->dout, t->dout + at, stride, rows, D, P);
    pack_rows(w->dqueries, t->dq + at, stride, rows, D, P);
    tile_product(rows, columns, D, w->queries, P, 1, w->key_columns, KEY_BLOCK, w->weights, KEY_BLOCK, false);
    tile_product(rows, columns, D, w->dout, P, 1, w->value_columns, KEY_BLOCK, w->dscores, KEY_BLOCK, false);
    for (int64_t r = 0; r < rows; r++) {
        int64_t live = first + r - key_block * KEY_BLOCK + 1, row = (start + first + r) * a->heads + head;
        backward_row(w->weights + r * KEY_BLOCK, w->dscores + r * KEY_BLOCK, t->logsumexp[row], t->delta[row],
                     live < keys ? live : keys, scale);
    }
    tile_product(keys, P, rows, w->weights, 1, KEY_BLOCK, w->dout, P, w->dvalues, P, true);
    tile_product(keys, P, rows, w->dscores, 1, KEY_BLOCK, w->queries, P, w->dkeys, P, true);
    tile_product(rows, P, keys, w->dscores, KEY_BLOCK, 1, w->keys, P, w->dqueries, P, true);
    for (int64_t r = 0; r < rows; r++)
        memcpy(t->dq + at + r * stride, w->dqueries + r * P, (size_t)D * sizeof(float));
}

static void backward_task(BackwardTile *w, const BackwardTensors *t, const KeyView *view)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, group = a->heads / a->kv_heads, blocks = ceil_divide(view->length, KEY_BLOCK), stride;
    for (int64_t j = 0; j < blocks; j++) {
        int64_t keys = block_keys(view, j);
        const float *k = block_rows(view, view->keys, NULL, j, &stride);
        pack_rows(w->keys, k, stride, keys, D, w->padded);
        pack_columns(w->key_columns, k, stride, keys, D);
        pack_columns(w->value_columns, block_rows(view, view->values, NULL, j, &stride), stride, keys, D);
        memset(w->dkeys, 0, (size_t)(KEY_BLOCK * w->padded) * sizeof(float));
        memset(w->dvalues, 0, (size_t)(KEY_BLOCK * w->padded) * sizeof(float));
        for (int64_t g = 0; g < group; g++)
            for (int64_t i = j; i < blocks; i++)
                backward_block(w, t, view, view->kv_head * group + g, i, j, keys);
        int64_t at = (a->starts[view->sequence] + j * KEY_BLOCK) * stride + view->kv_head * D;
        for (int64_t r = 0; r < keys; r++) {
            memcpy(t->dk + at + r * stride, w->dkeys + r * w->padded, (size_t)D * sizeof(float));
            memcpy(t->dv + at + r * stride, w->dvalues + r * w->padded, (size_t)D * sizeof(float));
        }
    }
}

// delta[t][h] = Σ_d dout · out, which is what the softmax's backward subtracts (Dao 2022, eq. 4)
static void output_dots(float *delta, const float *dout, const float *out, int64_t rows, int64_t D)
{
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        lanes16 sum = lanes_set(0);
        for (int64_t c = 0; c < D; c += 16) {
            lanes16 x = row_load(dout + r * D, c, D, 0), y = row_load(out + r * D, c, D, 0);
            EACH_PART (i)
                sum.part[i] = vf_fma(x.part[i], y.part[i], sum.part[i]);
        }
        delta[r] = lanes_sum(sum);
    }
}

static void cpu_attention_backward(Stream *s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor dout, Tensor q, Tensor k,
                                   Tensor v, Tensor out, const float *logsumexp, const Attention *a)
{
    assert(q.columns == a->heads * a->head_width && k.columns == a->kv_heads * a->head_width && a->key_pages == NULL);
    BackwardTensors t = {dq.data, dk.data, dv.data, q.data, k.data, v.data, dout.data, logsumexp, delta};
    output_dots(delta, dout.data, out.data, q.rows * a->heads, a->head_width);
    cpu_zero(s, dq.data, (size_t)(dq.rows * dq.columns) * sizeof(float));
#pragma omp parallel
    {
        BackwardTile w = backward_tile(a->head_width);
#pragma omp for schedule(dynamic, 1)
        for (int64_t task = 0; task < a->sequences * a->kv_heads; task++) {
            KeyView view = key_view(a, k, v, task / a->kv_heads, task % a->kv_heads);
            backward_task(&w, &t, &view);
        }
        free(w.memory);
    }
}
