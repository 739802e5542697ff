// Attention: out = Σ_j softmax_j(q · k[j] / sqrt(D)) · v[j] over the keys j at or before the query's own position.
//
// The softmax is online (Dao 2023): keys come in blocks of KEY_BLOCK; m is the largest score so far, l the sum of
// exp(score - m), o that of the weighted values; a block with a larger score scales l and o down by exp(old m - new m).
// After KEY_SEGMENT positions this starts anew, and a finished segment is merged into the total in the same way. Blocks
// and segments count from position 0 of the sequence: so a query has the same bits in training, in a prompt cut in two
// and as a single new token, and the segments of a long context may be worked on side by side.
//
// Shapes: q, out, dq, dout (T, H, D); k, v, dk, dv (T, Hkv, D); logsumexp, delta (T, H). H / Hkv heads share a key.
#include "kernels/naive/pieces.h"

// ---- forward

enum { BLOCKS = KEY_SEGMENT / KEY_BLOCK };

typedef struct Segment {
    float weight[KEY_SEGMENT]; // exp(score - m), m being that of its own block
    float keep[BLOCKS];        // what a block scales the sums before it by
    float m, l;
} Segment;

// The query's weights for keys first .. last of its sequence, first a multiple of KEY_SEGMENT.
static void weigh_segment(Segment *g, const float *query, Tensor k, const Attention *a, int64_t sequence,
                          int64_t kv_head, int64_t first, int64_t last)
{
    int64_t D = a->head_width;
    float scale = 1.0f / sqrtf((float)D);
    g->m = -INFINITY, g->l = 0;
    for (int64_t block = first; block <= last; block += KEY_BLOCK) {
        int64_t keys = smaller(last - block + 1, KEY_BLOCK);
        float *weight = g->weight + (block - first), lane[16] = {0}, old = g->m;
        for (int64_t j = 0; j < keys; j++)
            weight[j] = chain(query, 1, at_position(k, a->key_pages, a, sequence, block + j, kv_head), 1, D) * scale;
        float largest = largest_of(weight, keys);
        g->m = old > largest ? old : largest;
        for (int64_t j = 0; j < keys; j++) {
            weight[j] = exponential(weight[j] - g->m);
            lane[j % 16] += weight[j];
        }
        float keep = g->keep[(block - first) / KEY_BLOCK] = exponential(old - g->m);
        g->l = g->l * keep + tree(lane);
    }
}

// Σ weight · v of one of the D columns: a chain over the segment's keys, scaled between blocks.
static float weighted_value(const Segment *g, Tensor v, const Attention *a, int64_t sequence, int64_t kv_head,
                            int64_t d, int64_t first, int64_t last)
{
    float o = 0;
    for (int64_t j = first; j <= last; j++) {
        if (j % KEY_BLOCK == 0)
            o = o * g->keep[(j - first) / KEY_BLOCK];
        o = fmaf(g->weight[j - first], at_position(v, a->value_pages, a, sequence, j, kv_head)[d], o);
    }
    return o;
}

// One query of one head, at `position` of its sequence: out (D); returns ln Σ exp(score).
static float attend(float *out, const float *query, Tensor k, Tensor v, const Attention *a, int64_t sequence,
                    int64_t kv_head, int64_t position)
{
    float m = -INFINITY, l = 0;
    memset(out, 0, (size_t)a->head_width * sizeof *out);
    for (int64_t first = 0; first <= position; first += KEY_SEGMENT) {
        int64_t last = smaller(first + KEY_SEGMENT - 1, position);
        Segment g;
        weigh_segment(&g, query, k, a, sequence, kv_head, first, last);
        float top = m > g.m ? m : g.m, before = exponential(m - top), now = exponential(g.m - top);
        for (int64_t d = 0; d < a->head_width; d++)
            out[d] = out[d] * before + weighted_value(&g, v, a, sequence, kv_head, d, first, last) * now;
        m = top;
        l = l * before + g.l * now;
    }
    for (int64_t d = 0; d < a->head_width; d++)
        out[d] = out[d] * (1.0f / l) + 0.0f; // + 0: one sign of zero
    return m + (float)d_log(l);
}

static int64_t attention_workspace(int64_t sequences, int64_t positions, int64_t heads, int64_t head_width)
{
    return 1;
} // none

static void attention_forward(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a)
{
    assert(q.columns == a->heads * a->head_width && a->heads % a->kv_heads == 0);
    for (int64_t sequence = 0; sequence < a->sequences; sequence++)
        for (int64_t t = a->starts[sequence]; t < a->starts[sequence + 1]; t++)
            for (int64_t h = 0; h < a->heads; h++) {
                int64_t kv_head = h / (a->heads / a->kv_heads),
                        position = a->contexts[sequence] + t - a->starts[sequence];
                logsumexp[t * a->heads + h] =
                    attend(row_of(out, t) + h * a->head_width, row_of(q, t) + h * a->head_width, k, v, a, sequence,
                           kv_head, position);
            }
}

// ---- backward

// One query and one key of a head, all rows of D numbers. With p = exp(score - logsumexp), the key's weight, and the
// score's gradient ds = p · (dout · v - delta) · scale:   dv += p · dout,  dk += ds · q,  dq += ds · k.
static void attend_backward(float *dq, float *dk, float *dv, const float *dout, const float *q, const float *k,
                            const float *v, float logsumexp, float delta, int64_t D)
{
    float scale = 1.0f / sqrtf((float)D);
    float p = exponential(chain(q, 1, k, 1, D) * scale - logsumexp), ds = p * (chain(dout, 1, v, 1, D) - delta) * scale;
    for (int64_t d = 0; d < D; d++) {
        dv[d] = fmaf(p, dout[d], dv[d]);
        dk[d] = fmaf(ds, q[d], dk[d]);
        dq[d] = fmaf(ds, k[d], dq[d]);
    }
}

static void clear(Tensor x)
{
    for (int64_t t = 0; t < x.rows; t++)
        memset(row_of(x, t), 0, (size_t)x.columns * sizeof(float));
}

// Every query of a sequence and head, ascending, with every key that it sees, ascending.
static void sequence_backward(Tensor dq, Tensor dk, Tensor dv, const float *delta, Tensor dout, Tensor q, Tensor k,
                              Tensor v, const float *logsumexp, const Attention *a, int64_t sequence, int64_t h)
{
    int64_t D = a->head_width, H = a->heads, at = h * D, kv = h / (H / a->kv_heads) * D;
    for (int64_t i = a->starts[sequence]; i < a->starts[sequence + 1]; i++)
        for (int64_t position = 0; position <= a->contexts[sequence] + i - a->starts[sequence]; position++) {
            int64_t j = row_at(a, sequence, position);
            attend_backward(row_of(dq, i) + at, row_of(dk, j) + kv, row_of(dv, j) + kv, row_of(dout, i) + at,
                            row_of(q, i) + at, row_of(k, j) + kv, row_of(v, j) + kv, logsumexp[i * H + h],
                            delta[i * H + h], D);
        }
}

// delta = dout · out is what the softmax takes off every score's gradient, because the weights sum to one. dq is a
// chain over keys, ascending; dk and dv are chains over the heads that share the key, then over the queries that see
// it, in the order of rows: so a sequence comes together with those that go on from it.
static void attention_backward(Stream *s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor dout, Tensor q,
                               Tensor k, Tensor v, Tensor out, const float *logsumexp, const Attention *a)
{
    int64_t D = a->head_width, H = a->heads;
    clear(dq), clear(dk), clear(dv);
    for (int64_t t = 0; t < q.rows; t++)
        for (int64_t h = 0; h < H; h++)
            delta[t * H + h] = row_dot(row_of(dout, t) + h * D, row_of(out, t) + h * D, D);
    for (int64_t first = 0, end; first < a->sequences; first = end) {
        for (end = first + 1; end < a->sequences && a->contexts[end] > 0;)
            end++;
        for (int64_t h = 0; h < H; h++)
            for (int64_t sequence = first; sequence < end; sequence++)
                sequence_backward(dq, dk, dv, delta, dout, q, k, v, logsumexp, a, sequence, h);
    }
}
