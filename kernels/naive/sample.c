// The sampler: the first token at which the sum of probabilities, ascending, exceeds a draw from (0, 1) times all of
// it. Tokens whose z is below `limit` (top_k, top_p, min_p) do not count. The sum runs over blocks of
// LOGSUMEXP_COLUMNS, then within one block.
#include "kernels/naive/pieces.h"

typedef struct Distribution {
    const float *z; // (columns)
    int64_t columns;
    Softmax softmax;
    bool all; // no limit was asked for
    float limit;
} Distribution;

static float probability(const Distribution *d, int64_t v) // not yet divided by the sum of all
{
    return d->z[v] >= d->limit ? exponential(d->z[v] - d->softmax.largest) : 0;
}

static float block_probability(const Distribution *d, int64_t first)
{
    int64_t width = block_width(first, d->columns);
    if (d->all) { // the softmax has summed them, from the block's largest z
        Softmax block = softmax_of_block(d->z + first, width);
        return block.sum * exponential(block.largest - d->softmax.largest);
    }
    float lane[16] = {0};
    for (int64_t c = 0; c < width; c++)
        lane[c % 16] += probability(d, first + c);
    return tree(lane);
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

// As integers, probabilities have the same sum in every order: fast backends find the limit without sorting.
static uint64_t whole_probability(const Distribution *d, float z)
{
    return z >= d->limit ? (uint64_t)(exponential(z - d->softmax.largest) * 0x1p40f) : 0;
}

// The largest z such that the tokens from it up have at least top_p of what d->limit leaves. sorted: descending
static float top_p_limit(const Distribution *d, float top_p, const float *sorted)
{
    uint64_t total = 0, sum = 0;
    for (int64_t i = 0; i < d->columns; i++)
        total += whole_probability(d, sorted[i]);
    uint64_t wanted = (uint64_t)((double)top_p * (double)total);
    for (int64_t i = 0; i < d->columns; i++) {
        sum += whole_probability(d, sorted[i]);
        if (sum >= wanted && sum > 0)
            return sorted[i];
    }
    return -INFINITY;
}

// The largest of the three limits. sorted (columns) is scratch.
static void set_limit(Distribution *d, const SampleRow *how, float *sorted)
{
    memcpy(sorted, d->z, (size_t)d->columns * sizeof *sorted);
    qsort(sorted, (size_t)d->columns, sizeof *sorted, descending);
    if (how->top_k > 0 && how->top_k < d->columns)
        d->limit = sorted[how->top_k - 1];
    if (how->top_p < 1)
        d->limit = fmaxf(d->limit, top_p_limit(d, how->top_p, sorted));
    if (how->min_p > 0)
        d->limit = fmaxf(d->limit, d->softmax.largest + (float)d_log(how->min_p));
}

// Where rounding leaves the target beyond the last sum, the last token that counts is drawn.
static int64_t draw(const Distribution *d, double target)
{
    int64_t block = 0, token = 0;
    double before = 0, sum = 0;
    for (int64_t first = 0; first < d->columns && !(sum > target); first += LOGSUMEXP_COLUMNS) {
        float p = block_probability(d, first);
        if (!(p > 0))
            continue;
        block = token = first;
        before = sum;
        sum += (double)p;
    }
    target -= before;
    sum = 0;
    for (int64_t v = block; v < block + block_width(block, d->columns) && !(sum > target); v++)
        if (probability(d, v) > 0) {
            token = v;
            sum += (double)probability(d, v);
        }
    return token;
}

static int64_t sample_workspace(int64_t rows, int64_t vocabulary) { return 2 * vocabulary; }

static void head_sample(Stream *s, int32_t *token, float *logprob, float *processed, float *entropy, Tensor x, Tensor w,
                        const SampleRow *rows, int64_t n_live, float *workspace)
{
    float *z = workspace, *sorted = workspace + n_live;
    for (int64_t n = 0; n < x.rows; n++) {
        const SampleRow *how = &rows[n];
        bool greedy = how->temperature == 0, limited = !greedy && (how->top_k > 0 || how->top_p < 1 || how->min_p > 0);
        double total = 0;
        logits(z, row_of(x, n), w, n_live, greedy ? 1 : how->temperature);
        Distribution d = {
            .z = z, .columns = n_live, .softmax = softmax_of_row(z, n_live), .all = !limited, .limit = -INFINITY};
        if (limited)
            set_limit(&d, how, sorted);
        for (int64_t first = 0; first < n_live; first += LOGSUMEXP_COLUMNS)
            total += (double)block_probability(&d, first);
        double uniform = random_of_token(how->seed, how->request, how->sample, how->position);
        int64_t v = greedy ? first_largest(z, n_live) : draw(&d, uniform * total);
        token[n] = (int32_t)v;
        logprob[n] = processed[n] = logprob_of(d.softmax, z[v]);
        if (limited)
            processed[n] = (float)((double)z[v] - d.softmax.largest - d_log(total));
        entropy[n] = entropy_of(d.softmax);
    }
}
