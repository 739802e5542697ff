// Causal attention, backward. A task is (sequence, kv head) and walks the sequence's own keys in blocks, ascending,
// each against all queries that see it: its own, then those of the sequences that go on from it, which lie behind it.
// dk and dv of a block stay in the task, dq continues its chain over keys: sequences that go on from another come after
// all others, so that the keys of their contexts come first. Five products (scores once more, from the logsumexp), no
// atomics.
#include "kernels/cpu/attention.h"

// What a backward task works in.
typedef struct BackwardTile {
    int64_t padded;
    float *keys, *key_columns, *value_columns; // (KEY_BLOCK, padded), (D, KEY_BLOCK), (D, KEY_BLOCK)
    float *queries, *dout, *dqueries;          // (KEY_BLOCK, padded) each: a block of queries is as long as one of keys
    float *weights, *dscores;                  // (KEY_BLOCK, KEY_BLOCK)
    float *dkeys, *dvalues;                    // (KEY_BLOCK, padded)
} BackwardTile;

static BackwardTile backward_tile(int64_t D)
{
    BackwardTile w = {.padded = padded_width(D)};
    size_t block = (size_t)KEY_BLOCK * (size_t)w.padded;
    float *p = thread_scratch(SCRATCH_ATTENTION, (8 * block + 2 * KEY_BLOCK * KEY_BLOCK) * sizeof(float));
    float **parts[] = {&w.keys, &w.key_columns, &w.value_columns, &w.queries,
                       &w.dout, &w.dqueries,    &w.dkeys,         &w.dvalues};
    for (int i = 0; i < 8; i++, p += block)
        *parts[i] = p;
    w.weights = p;
    w.dscores = p + KEY_BLOCK * KEY_BLOCK;
    return w;
}

// weights = exp(score·scale - logsumexp), dscores = weights · (dweights - delta) · scale; both zero behind `live`
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
    Tensor dq, dk, dv, q, dout;
    const float *logsumexp, *delta;
} BackwardTensors;

// The rows that see the sequence's own keys: its own, and behind them those of others.
static int64_t queries_of(const Attention *a, int64_t sequence)
{
    return (a->seen_until == NULL ? a->starts[sequence + 1] : a->seen_until[sequence]) - a->starts[sequence];
}

// One head's block of queries against the packed block of keys.
static void backward_block(BackwardTile *w, const BackwardTensors *t, const KeyView *view, int64_t head,
                           int64_t query_block, int64_t key_block, int64_t keys)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, P = w->padded, start = a->starts[view->sequence];
    int64_t first = query_block * KEY_BLOCK, rows = smaller(queries_of(a, view->sequence) - first, KEY_BLOCK);
    int64_t columns = (keys + 15) / 16 * 16;
    float scale = 1.0f / sqrtf((float)D), *dq = row_of(t->dq, start + first) + head * D;
    pack_rows(w->queries, row_of(t->q, start + first) + head * D, t->q.stride, rows, D, P);
    pack_rows(w->dout, row_of(t->dout, start + first) + head * D, t->dout.stride, rows, D, P);
    pack_rows(w->dqueries, dq, t->dq.stride, rows, D, P);
    tile_product(rows, columns, D, w->queries, P, 1, w->key_columns, KEY_BLOCK, w->weights, KEY_BLOCK, false, NULL);
    tile_product(rows, columns, D, w->dout, P, 1, w->value_columns, KEY_BLOCK, w->dscores, KEY_BLOCK, false, NULL);
    for (int64_t r = 0; r < rows; r++) {
        int64_t live = first + r - key_block * KEY_BLOCK + 1, row = (start + first + r) * a->heads + head;
        backward_row(w->weights + r * KEY_BLOCK, w->dscores + r * KEY_BLOCK, t->logsumexp[row], t->delta[row],
                     smaller(live, keys), scale);
    }
    tile_product(keys, P, rows, w->weights, 1, KEY_BLOCK, w->dout, P, w->dvalues, P, true, NULL);
    tile_product(keys, P, rows, w->dscores, 1, KEY_BLOCK, w->queries, P, w->dkeys, P, true, NULL);
    tile_product(rows, P, keys, w->dscores, KEY_BLOCK, 1, w->keys, P, w->dqueries, P, true, NULL);
    for (int64_t r = 0; r < rows; r++)
        memcpy(dq + r * t->dq.stride, w->dqueries + r * P, (size_t)D * sizeof(float));
}

static void backward_task(BackwardTile *w, const BackwardTensors *t, const KeyView *view)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, group = a->heads / a->kv_heads;
    int64_t own = view->length - view->context, blocks = ceil_divide(queries_of(a, view->sequence), KEY_BLOCK);
    for (int64_t j = 0; j * KEY_BLOCK < own; j++) {
        int64_t keys = smaller(own - j * KEY_BLOCK, KEY_BLOCK);
        const float *k = view->keys.row + j * KEY_BLOCK * view->keys.stride;
        pack_rows(w->keys, k, view->keys.stride, keys, D, w->padded);
        pack_columns(w->key_columns, k, view->keys.stride, keys, D);
        pack_columns(w->value_columns, view->values.row + j * KEY_BLOCK * view->values.stride, view->values.stride,
                     keys, D);
        memset(w->dkeys, 0, (size_t)(KEY_BLOCK * w->padded) * sizeof(float));
        memset(w->dvalues, 0, (size_t)(KEY_BLOCK * w->padded) * sizeof(float));
        for (int64_t g = 0; g < group; g++)
            for (int64_t i = j; i < blocks; i++)
                backward_block(w, t, view, view->kv_head * group + g, i, j, keys);
        for (int64_t r = 0; r < keys; r++) {
            int64_t row = a->starts[view->sequence] + j * KEY_BLOCK + r, at = view->kv_head * D;
            memcpy(row_of(t->dk, row) + at, w->dkeys + r * w->padded, (size_t)D * sizeof(float));
            memcpy(row_of(t->dv, row) + at, w->dvalues + r * w->padded, (size_t)D * sizeof(float));
        }
    }
}

// delta[t][h] = Σ_d dout · out, which is what the softmax's backward subtracts (Dao 2022, eq. 4)
static void output_dots(float *delta, const float *dout, const float *out, int64_t rows, int64_t D)
{
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        delta[r] = row_dot(dout + r * D, out + r * D, D);
}

static void cpu_attention_backward(Stream *s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor dout, Tensor q,
                                   Tensor k, Tensor v, Tensor out, const float *logsumexp, const Attention *a)
{
    assert(q.columns == a->heads * a->head_width && k.columns == a->kv_heads * a->head_width && a->key_pages == NULL);
    assert(is_dense(dout) && is_dense(out));
    BackwardTensors t = {dq, dk, dv, q, dout, logsumexp, delta};
    output_dots(delta, dout.data, out.data, q.rows * a->heads, a->head_width);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < dq.rows; row++)
        memset(row_of(dq, row), 0, (size_t)dq.columns * sizeof(float));
#pragma omp parallel
    {
        BackwardTile w = backward_tile(a->head_width);
        for (int goes_on = 0; goes_on < 2; goes_on++)
#pragma omp for schedule(dynamic, 1)
            for (int64_t task = 0; task < a->sequences * a->kv_heads; task++) {
                KeyView view = key_view(a, k, v, task / a->kv_heads, task % a->kv_heads);
                if ((view.context > 0) == goes_on)
                    backward_task(&w, &t, &view);
            }
    }
}
