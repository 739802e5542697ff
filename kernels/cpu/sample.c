// The sampler: a token for each row of the head, and its log-probability, which is head.c's to the bit. Logits are
// whole for SAMPLE_ROWS rows at a time. A row without top_k, top_p and min_p is read twice, as in head.c, and then only
// the block of columns that its draw falls into; one with them once more for each limit, and once for what is left.
// Bound by the product.
//
// Limits are found without sorting: numbers are counted (or their probabilities, as integers, summed: in integers the
// order does not matter) by the leading 11 bits of an integer of the same order; the bucket in which the limit lies is
// looked at again by the next 11, then the last 10.
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/scratch.h"

enum { SAMPLE_ROWS = 64, BUCKETS = 2048 };

static int64_t vocabulary_blocks(int64_t columns) { return ceil_divide(columns, LOGSUMEXP_COLUMNS); }

static int64_t cpu_sample_workspace(int64_t rows, int64_t vocabulary)
{
    int64_t block = 1 + (int64_t)(sizeof(SoftmaxPart) / sizeof(float)); // its part of the softmax, what is kept of it
    return smaller(rows, SAMPLE_ROWS) * (vocabulary + vocabulary_blocks(vocabulary) * block);
}

// One row: its logits over the temperature, by blocks of LOGSUMEXP_COLUMNS, and all of them together.
typedef struct SampledRow {
    const float *z; // (count)
    int64_t count;
    const SoftmaxPart *parts; // (vocabulary_blocks(count))
    RowSoftmax softmax;
    float limit;    // what is kept is not below it
    float *weights; // (blocks) the sum of exp(z - largest) over each block's kept columns
} SampledRow;

static int64_t block_width(const SampledRow *row, int64_t block)
{
    int64_t left = row->count - block * LOGSUMEXP_COLUMNS;
    return smaller(left, LOGSUMEXP_COLUMNS);
}

// p (width) = exp(z - largest) of a block's kept columns, 0 of the others; returns their sum
static float block_weights(float *p, const SampledRow *row, int64_t block)
{
    const float *z = row->z + block * LOGSUMEXP_COLUMNS;
    int64_t width = block_width(row, block);
    lanes16 sum = lanes_set(0);
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 a = row_load(z, c, width, -__builtin_inff());
        EACH_PART (i) {
            vi kept = a.part[i] >= vf_set(row->limit);
            a.part[i] = vf_select(kept, vf_exp(a.part[i] - vf_set(row->softmax.largest)), vf_zero());
            sum.part[i] = sum.part[i] + a.part[i];
        }
        row_store(p, c, width, a);
    }
    return lanes_sum(sum);
}

// ---- limits

static uint32_t ordered_bits(float x) // an integer that is larger where x is
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float from_ordered_bits(uint32_t ordered)
{
    uint32_t bits = ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// At most 2^40 each, so that 2^24 of them can be added
static uint64_t whole_probability(float p) { return (uint64_t)(p * 0x1p40f); }

// The bucket from which on, counted from the top, the weights reach `wanted`; *wanted becomes what is left for this
// bucket. -1: they never do.
static int find_bucket(const uint64_t *buckets, uint64_t *wanted)
{
    for (int b = BUCKETS - 1; b >= 0; b--) {
        if (buckets[b] >= *wanted)
            return b;
        *wanted -= buckets[b];
    }
    return -1;
}

// Numbers that are still in question, and what each of them counts for.
typedef struct Candidates {
    uint32_t *ordered;
    uint64_t *weight;
    int64_t count;
} Candidates;

// Keeps those whose bits from `shift` up are `leading`.
static void keep_candidates(Candidates *c, int shift, uint32_t leading)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < c->count; i++)
        if (c->ordered[i] >> shift == leading) {
            c->ordered[kept] = c->ordered[i];
            c->weight[kept++] = c->weight[i];
        }
    c->count = kept;
}

// The largest candidate x such that those from x up weigh at least `wanted`; -inf where all together do not.
static float find_limit(Candidates *c, uint64_t wanted)
{
    static const int SHIFTS[] = {21, 10, 0}, BITS[] = {11, 11, 10};
    uint32_t found = 0;
    for (int level = 0; level < 3; level++) {
        uint64_t buckets[BUCKETS] = {0};
        for (int64_t i = 0; i < c->count; i++)
            buckets[c->ordered[i] >> SHIFTS[level] & (BUCKETS - 1) >> (11 - BITS[level])] += c->weight[i];
        int bucket = find_bucket(buckets, &wanted);
        if (bucket < 0)
            return -__builtin_inff();
        found = found << BITS[level] | (uint32_t)bucket;
        keep_candidates(c, SHIFTS[level], found);
    }
    return from_ordered_bits(found);
}

// Everything not below the row's limit; returns what it weighs: each number 1, or its probability.
static uint64_t all_candidates(Candidates *c, const SampledRow *row, bool by_probability)
{
    float p[LOGSUMEXP_COLUMNS];
    uint64_t total = 0;
    c->ordered = thread_scratch(SCRATCH_SAMPLE, (size_t)row->count * (sizeof *c->ordered + sizeof *c->weight) + 8);
    c->weight = (uint64_t *)((uintptr_t)(c->ordered + row->count + 1) / 8 * 8);
    c->count = 0;
    for (int64_t block = 0; block < vocabulary_blocks(row->count); block++) {
        const float *z = row->z + block * LOGSUMEXP_COLUMNS;
        if (by_probability)
            block_weights(p, row, block);
        for (int64_t i = 0; i < block_width(row, block); i++)
            if (z[i] >= row->limit) {
                c->ordered[c->count] = ordered_bits(z[i]);
                c->weight[c->count] = by_probability ? whole_probability(p[i]) : 1;
                total += c->weight[c->count++];
            }
    }
    return total;
}

static void set_limit(SampledRow *row, const SampleRow *how)
{
    Candidates c;
    row->limit = -__builtin_inff();
    if (how->top_k > 0 && how->top_k < row->count) {
        all_candidates(&c, row, false);
        row->limit = find_limit(&c, (uint64_t)how->top_k);
    }
    if (how->top_p < 1) {
        uint64_t total = all_candidates(&c, row, true), wanted = (uint64_t)((double)how->top_p * (double)total);
        float limit = find_limit(&c, wanted > 0 ? wanted : 1);
        row->limit = limit > row->limit ? limit : row->limit;
    }
    if (how->min_p > 0) {
        float limit = row->softmax.largest + (float)d_log(how->min_p);
        row->limit = limit > row->limit ? limit : row->limit;
    }
}

// ---- drawing

// The first kept column at which the sum of weights exceeds `rest`, in a block where it does, or the last, by rounding
static int64_t draw_in_block(const SampledRow *row, int64_t block, double rest)
{
    float p[LOGSUMEXP_COLUMNS];
    int64_t last = 0;
    double sum = 0;
    block_weights(p, row, block);
    for (int64_t i = 0; i < block_width(row, block); i++) {
        if (!(p[i] > 0))
            continue;
        last = i;
        sum += (double)p[i];
        if (sum > rest)
            break;
    }
    return block * LOGSUMEXP_COLUMNS + last;
}

// total: the weights' sum, ascending
static int64_t draw(const SampledRow *row, double total, double uniform)
{
    double target = uniform * total, before = 0, before_last = 0;
    int64_t last = 0;
    for (int64_t block = 0; block < vocabulary_blocks(row->count); block++) {
        if (!(row->weights[block] > 0))
            continue;
        last = block;
        before_last = before;
        before += (double)row->weights[block];
        if (before > target)
            break;
    }
    return draw_in_block(row, last, target - before_last);
}

static bool limited(const SampleRow *how) { return how->top_k > 0 || how->top_p < 1 || how->min_p > 0; }

typedef struct Sampled {
    int64_t token;
    float logprob, processed, entropy;
} Sampled;

static int64_t largest_column(const SampledRow *row)
{
    for (int64_t block = 0; block < vocabulary_blocks(row->count); block++)
        if (row->parts[block].largest == row->softmax.largest)
            return block * LOGSUMEXP_COLUMNS +
                   first_of(row->softmax.largest, row->z + block * LOGSUMEXP_COLUMNS, block_width(row, block));
    return 0;
}

static Sampled sample_row(SampledRow *row, const SampleRow *how)
{
    double uniform = random_of_token(how->seed, how->request, how->sample, how->position), total = 0;
    Sampled result = {.entropy = row_entropy(&row->softmax)};
    float unused[LOGSUMEXP_COLUMNS];
    bool greedy = how->temperature == 0, all = greedy || !limited(how);
    row->limit = -__builtin_inff();
    if (!all)
        set_limit(row, how);
    for (int64_t block = 0; !greedy && block < vocabulary_blocks(row->count); block++) {
        const SoftmaxPart *part = &row->parts[block];
        row->weights[block] =
            all ? part->sum * f_exp(part->largest - row->softmax.largest) : block_weights(unused, row, block);
        total += (double)row->weights[block];
    }
    result.token = greedy ? largest_column(row) : draw(row, total, uniform);
    result.logprob = result.processed = row_logprob(&row->softmax, row->z[result.token]);
    if (!all)
        result.processed = (float)((double)row->z[result.token] - row->softmax.largest - d_log(total));
    return result;
}

// The logits of `rows` rows over their temperatures, and the parts of their softmax.
static void sampled_logits(float *z, SoftmaxPart *parts, const SampleRow *how, int64_t rows, int64_t n_live)
{
    int64_t blocks = vocabulary_blocks(n_live);
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < rows * blocks; task++) {
        int64_t row = task / blocks, first = task % blocks * LOGSUMEXP_COLUMNS;
        int64_t width = smaller(n_live - first, LOGSUMEXP_COLUMNS);
        if (how[row].temperature != 0 && how[row].temperature != 1)
            divide_row(z + row * n_live + first, width, how[row].temperature);
        parts[task] = softmax_part(z + row * n_live + first, width);
    }
}

static void cpu_head_sample(Stream *s, int32_t *token, float *logprob, float *processed, float *entropy, Tensor x,
                            Tensor w, const SampleRow *how, int64_t n_live, float *workspace)
{
    int64_t blocks = vocabulary_blocks(n_live);
    for (int64_t n = 0; n < x.rows; n += SAMPLE_ROWS) {
        int64_t rows = smaller(x.rows - n, SAMPLE_ROWS);
        float *z = workspace, *weights = z + rows * n_live;
        SoftmaxPart *parts = (SoftmaxPart *)(weights + rows * blocks);
        matmul_nt(dense(z, rows, n_live), rows_from(x, n, rows), rows_from(w, 0, n_live), false);
        sampled_logits(z, parts, how + n, rows, n_live);
#pragma omp parallel for schedule(dynamic, 1) if (rows > 1)
        for (int64_t r = 0; r < rows; r++) {
            SampledRow row = {
                .z = z + r * n_live, .count = n_live, .parts = parts + r * blocks, .softmax = NOTHING_YET};
            row.weights = weights + r * blocks;
            for (int64_t block = 0; block < blocks; block++)
                merge_part(&row.softmax, row.parts[block]);
            Sampled result = sample_row(&row, &how[n + r]);
            token[n + r] = (int32_t)result.token;
            logprob[n + r] = result.logprob;
            processed[n + r] = result.processed;
            entropy[n + r] = result.entropy;
        }
    }
}
