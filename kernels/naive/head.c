// The LM head: z = x · wᵀ / temperature, logprob = z[target] - ln Σ exp z. The sum runs in blocks of LOGSUMEXP_COLUMNS
// columns, each a sum over a row from the block's largest z, merged ascending: so a fast backend needs no more logits
// in memory than a block's, and loss, scorer and sampler have the same bits, because all of them merge these blocks.
//
// Shapes: x, dx (N, C); w, dweight (V, C), of which the first n_live rows count; a row of logits (n_live).
#include "kernels/naive/pieces.h"

// Of some columns: the largest z, Σ exp(z - largest), and Σ exp(z - largest) · (z - largest), which makes the entropy
// no difference of large numbers.
typedef struct Softmax {
    float largest, sum, weighted;
} Softmax;

static const Softmax NOTHING_YET = {-INFINITY, 0, 0};

static Softmax softmax_of_block(const float *z, int64_t width)
{
    float largest = largest_of(z, width), sum[16] = {0}, weighted[16] = {0};
    for (int64_t c = 0; c < width; c++) {
        float below = z[c] - largest, p = exponential(below);
        sum[c % 16] += p;
        weighted[c % 16] = fmaf(p, below < -100 ? 0 : below, weighted[c % 16]);
    }
    return (Softmax){largest, tree(sum), tree(weighted)};
}

static Softmax merge(Softmax all, Softmax block)
{
    float m = all.largest > block.largest ? all.largest : block.largest;
    float a = exponential(all.largest - m), b = exponential(block.largest - m),
          before = all.sum == 0 ? 0 : all.largest - m;
    return (Softmax){
        .largest = m,
        .sum = all.sum * a + block.sum * b,
        .weighted = (all.weighted + all.sum * before) * a + (block.weighted + block.sum * (block.largest - m)) * b,
    };
}

static int64_t block_width(int64_t first, int64_t columns) { return smaller(columns - first, LOGSUMEXP_COLUMNS); }

static Softmax softmax_of_row(const float *z, int64_t columns)
{
    Softmax all = NOTHING_YET;
    for (int64_t first = 0; first < columns; first += LOGSUMEXP_COLUMNS)
        all = merge(all, softmax_of_block(z + first, block_width(first, columns)));
    return all;
}

static int64_t first_largest(const float *z, int64_t columns)
{
    int64_t best = 0;
    for (int64_t v = 1; v < columns; v++)
        if (z[v] > z[best])
            best = v;
    return best;
}

// These end in double precision and are rounded once.
static float logsumexp_of(Softmax s) { return (float)(s.largest + d_log(s.sum)); }
static float entropy_of(Softmax s) { return (float)(d_log(s.sum) - (double)s.weighted / s.sum); }
static float logprob_of(Softmax s, float z) { return (float)((double)z - s.largest - d_log(s.sum)); }

// z (n_live) = x · wᵀ / temperature, for one row of x
static void logits(float *z, const float *x, Tensor w, int64_t n_live, float temperature)
{
    for (int64_t v = 0; v < n_live; v++)
        z[v] = chain(x, 1, row_of(w, v), 1, w.columns) / temperature;
}

static int64_t head_workspace(int64_t rows, int64_t vocabulary, int64_t width)
{
    return smaller(rows, HEAD_ROWS) * vocabulary;
}

static void head_forward(Stream *s, float *logprob, float *entropy, float *logsumexp, int32_t *best, Tensor x, Tensor w,
                         const int32_t *targets, float temperature, int64_t n_live, float *z)
{
    for (int64_t n = 0; n < x.rows; n++) {
        logits(z, row_of(x, n), w, n_live, temperature);
        Softmax softmax = softmax_of_row(z, n_live);
        logsumexp[n] = logsumexp_of(softmax);
        logprob[n] = logprob_of(softmax, z[targets[n]]);
        entropy[n] = entropy_of(softmax);
        if (best != NULL)
            best[n] = (int32_t)first_largest(z, n_live);
    }
}

// dz = dlogprob · ([v = target] - p) - dentropy · p · (ln p + entropy), over the temperature; z becomes dz
static void logit_gradients(float *z, int64_t n_live, int32_t target, float temperature, float logsumexp, float entropy,
                            float dlogprob, float dentropy)
{
    for (int64_t v = 0; v < n_live; v++) {
        float log_p = z[v] - logsumexp, p = exponential(log_p);
        z[v] = -(p * dlogprob);
        if (dentropy != 0)
            z[v] = z[v] - p * (log_p + entropy) * dentropy;
    }
    z[target] += dlogprob;
    for (int64_t v = 0; v < n_live; v++)
        z[v] = z[v] / temperature;
}

// dx = dz · w: a chain for HEAD_COLUMNS columns, each added to those before it.  dweight += dzᵀ · x: a chain for
// HEAD_ROWS rows, each added. A fast backend has no more than so many gradients of logits at a time: there chains end.
static void head_backward(Stream *s, Tensor dx, float *dweight, Tensor x, Tensor w, const int32_t *targets,
                          float temperature, int64_t n_live, const float *logsumexp, const float *entropy,
                          const float *dlogprob, const float *dentropy, float *z)
{
    int64_t C = x.columns;
    for (int64_t first = 0; first < x.rows; first += HEAD_ROWS) {
        int64_t rows = smaller(x.rows - first, HEAD_ROWS);
        for (int64_t r = 0; r < rows; r++) {
            int64_t n = first + r;
            logits(z + r * n_live, row_of(x, n), w, n_live, temperature);
            logit_gradients(z + r * n_live, n_live, targets[n], temperature, logsumexp[n], entropy[n], dlogprob[n],
                            dentropy == NULL ? 0 : dentropy[n]);
            for (int64_t v = 0; v < n_live; v += HEAD_COLUMNS)
                for (int64_t c = 0; c < C; c++)
                    put(&row_of(dx, n)[c],
                        chain(z + r * n_live + v, 1, row_of(w, v) + c, C, smaller(n_live - v, HEAD_COLUMNS)), v > 0);
        }
        for (int64_t v = 0; dweight != NULL && v < n_live; v++)
            for (int64_t c = 0; c < C; c++)
                dweight[v * C + c] += chain(z + v, n_live, row_of(x, first) + c, C, rows);
    }
}

static void head_forward_backward(Stream *s, float *logprob, float *entropy, float *logsumexp, Tensor dx,
                                  float *dweight, Tensor x, Tensor w, const int32_t *targets, float temperature,
                                  int64_t n_live, const float *dlogprob, const float *dentropy, float *z)
{
    head_forward(s, logprob, entropy, logsumexp, NULL, x, w, targets, temperature, n_live, z);
    head_backward(s, dx, dweight, x, w, targets, temperature, n_live, logsumexp, entropy, dlogprob, dentropy, z);
}
