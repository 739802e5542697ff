// The sampler: one block takes one row of logits (of kernels/operations.h, head_sample), which is read as often as its
// settings ask: once for its softmax (head.cuh), and then only the block of columns that the draw falls into; with
// top_k, top_p or min_p also three times for each limit that has to be found and once for what is kept. The logits are
// one product, as the head's.
//
// Limits are found without sorting, as on the CPU: in integers of the same order, bucket by bucket of 11, 11 and 10
// bits, numbers are counted, or their probabilities summed as integers, which makes the order in which threads add them
// irrelevant. Counting is only done from a floor on that surely lies below the limit: for top_k the k-th largest of the
// blocks' maxima, for top_p what top_k left. Every pass leaves out the blocks of columns whose maximum lies below: with
// a top_k of 50, 99 of the 149 that a row of Qwen3 has.
//
// Bound by the product, and with top_p alone by atomics on shared memory. On an H200 the seven passes over all columns,
// one number at a time in each thread, took two thirds of 2,159 µs for 256 rows; now 646 µs, 355 without limits.
#include "kernels/cuda/head.cuh"

namespace PRECISION
{

enum { BUCKETS = 2048 };

// What the block knows of its row. Logits below the limit are not kept.
struct SampledRow {
    const float *logits;
    int64_t n_live;
    float temperature, largest, limit;
    int blocks;
    const SoftmaxPart *parts; // of the blocks; their largest logits tell which of them a pass can leave out
};

// What the block's threads tell each other.
struct Told {
    unsigned long long wanted;
    double target;
    float largest, floor;
    int bucket, block;
};

__device__ inline float logit_of(const SampledRow &row, int64_t column)
{
    float z = row.logits[column];
    return row.temperature != 1 ? z / row.temperature : z;
}

__device__ inline float kept_weight(const SampledRow &row, float z)
{
    return z >= row.limit ? expf(z - row.largest) : 0;
}

// ---- limits

__device__ inline uint32_t ordered_bits(float x) // an integer that is larger where x is
{
    uint32_t bits = __float_as_uint(x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

__device__ inline float from_ordered_bits(uint32_t ordered)
{
    return __uint_as_float(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

// By the first warp: from which bucket on, counted from the top, the weights reach told->wanted, of which what is left
// for this bucket remains. -1: they never do. A lane has 64 buckets, lane 0 the topmost.
__device__ inline void find_bucket(Told *told, const unsigned long long *buckets)
{
    int lane = (int)threadIdx.x, top = BUCKETS - 1 - lane * (BUCKETS / 32), found = -1;
    unsigned long long mine = 0, wanted = told->wanted;
    for (int i = 0; i < BUCKETS / 32; i++)
        mine += buckets[top - (i + lane) % (BUCKETS / 32)]; // the lanes at different banks
    unsigned long long until = warp_sum_until(mine);
    unsigned reach = __ballot_sync(~0u, until >= wanted);
    bool holder = reach != 0 && lane == __ffs((int)reach) - 1;
    wanted -= until - mine;
    for (int b = top; holder && b > top - BUCKETS / 32 && found < 0; b--)
        if (buckets[b] >= wanted)
            found = b;
        else
            wanted -= buckets[b];
    __syncwarp(); // all have read what is written now
    if (holder) {
        told->bucket = found;
        told->wanted = wanted;
    } else if (reach == 0 && lane == 0) {
        told->bucket = -1;
    }
}

// Everything not below the row's limit whose leading bits are `found`, into its buckets. A warp takes a block of
// columns, and none whose largest logit is below: that of most blocks is, once top_k has its floor.
__device__ inline void fill_buckets(unsigned long long *buckets, const SampledRow &row, bool by_probability, int level,
                                    uint32_t found)
{
    const int shift = level == 0 ? 21 : level == 1 ? 10 : 0, mask = level == 2 ? BUCKETS / 2 - 1 : BUCKETS - 1;
    const int above = level == 0   ? 31
                      : level == 1 ? 21
                                   : 10; // bits of `found` begin here; level 0 asks for none of them
    for (int i = (int)threadIdx.x; i < BUCKETS; i += HEAD_THREADS)
        buckets[i] = 0;
    __syncthreads();
    for (int i = (int)threadIdx.x / 32; i < row.blocks; i += HEAD_THREADS / 32) {
        float largest = row.parts[i].largest, z[WARP_VECTORS][4];
        if (largest < row.limit || (level > 0 && ordered_bits(largest) >> above < found))
            continue;
        read_columns(z, row.logits, (int64_t)i * LOGSUMEXP_COLUMNS, row.n_live, row.temperature);
        uint32_t asked = 0; // bits of a lane's columns; mostly few, so what follows is a loop and reads them again
#pragma unroll
        for (int j = 0; j < WARP_VECTORS * 4; j++) {
            float logit = z[j / 4][j % 4];
            bool found_here = level == 0 || ordered_bits(logit) >> above == found;
            asked |= logit >= row.limit && found_here ? 1u << j : 0;
        }
        for (; asked != 0; asked &= asked - 1) {
            int j = __ffs((int)asked) - 1;
            int64_t column = column_of((int64_t)i * LOGSUMEXP_COLUMNS, j / 4) + j % 4;
            float logit = column < row.n_live ? logit_of(row, column) : -INFINITY;
            unsigned long long weight = by_probability ? (unsigned long long)(expf(logit - row.largest) * 0x1p40f) : 1;
            if (weight > 0)
                atomicAdd(&buckets[ordered_bits(logit) >> shift & mask], weight);
        }
    }
    __syncthreads();
}

// By the first warp: the share of all weights that is wanted, at least 1.
__device__ inline void want_share(Told *told, const unsigned long long *buckets, float share)
{
    unsigned long long all = 0;
    for (int b = (int)threadIdx.x; b < BUCKETS; b += 32)
        all += buckets[b];
    unsigned long long wanted = (unsigned long long)((double)share * (double)warp_sum(all));
    if (threadIdx.x == 0)
        told->wanted = wanted > 0 ? wanted : 1;
    __syncwarp();
}

// The largest logit, among those not below the row's limit, from which up they weigh enough: `count` of them, or
// `share` of their probability where count is 0. Minus infinity where all together do not.
__device__ inline float find_limit(Told *told, unsigned long long *buckets, const SampledRow &row, int count,
                                   float share)
{
    uint32_t found = 0;
    for (int level = 0; level < 3; level++) {
        fill_buckets(buckets, row, count == 0, level, found);
        if (threadIdx.x < 32) {
            if (level == 0 && count == 0)
                want_share(told, buckets, share);
            else if (level == 0 && threadIdx.x == 0)
                told->wanted = (unsigned long long)count;
            __syncwarp();
            find_bucket(told, buckets);
        }
        __syncthreads();
        int bucket = told->bucket;
        __syncthreads();
        if (bucket < 0)
            return -INFINITY;
        found = found << (level == 2 ? 10 : 11) | (uint32_t)bucket;
    }
    return from_ordered_bits(found);
}

// No more than the k-th largest logit: the k-th largest of the blocks' largest ones, where there are so many.
__device__ inline float floor_of_top(Told *told, const SampledRow &row, int k)
{
    const SoftmaxPart *parts = row.parts;
    int blocks = row.blocks;
    if (threadIdx.x == 0)
        told->floor = -INFINITY;
    __syncthreads();
    for (int i = (int)threadIdx.x; i < blocks && k <= blocks; i += HEAD_THREADS) {
        int before = 0;
        for (int j = 0; j < blocks; j++)
            before += parts[j].largest > parts[i].largest || (parts[j].largest == parts[i].largest && j < i);
        if (before == k - 1)
            told->floor = parts[i].largest;
    }
    __syncthreads();
    float floor = told->floor;
    __syncthreads();
    return floor;
}

__device__ inline float limit_of(Told *told, unsigned long long *buckets, SampledRow row, const SampleRow &how)
{
    if (how.top_k > 0 && how.top_k < row.n_live) {
        row.limit = floor_of_top(told, row, how.top_k);
        row.limit = fmaxf(row.limit, find_limit(told, buckets, row, how.top_k, 0));
    }
    if (how.top_p < 1)
        row.limit = fmaxf(row.limit, find_limit(told, buckets, row, 0, how.top_p));
    if (how.min_p > 0)
        row.limit = fmaxf(row.limit, row.largest + (float)log((double)how.min_p));
    return row.limit;
}

// ---- drawing

// weights (blocks): the sum of each block's kept columns, a warp to a block
__device__ inline void weigh_blocks(float *weights, const SampledRow &row)
{
    for (int i = (int)threadIdx.x / 32; i < row.blocks; i += HEAD_THREADS / 32) {
        float z[WARP_VECTORS][4], sum = 0;
        if (!(row.parts[i].largest >= row.limit)) {
            if (threadIdx.x % 32 == 0)
                weights[i] = 0;
            continue;
        }
        read_columns(z, row.logits, (int64_t)i * LOGSUMEXP_COLUMNS, row.n_live, row.temperature);
#pragma unroll
        for (int j = 0; j < WARP_VECTORS * 4; j++)
            sum += kept_weight(row, z[j / 4][j % 4]);
        sum = warp_sum(sum);
        if (threadIdx.x % 32 == 0)
            weights[i] = sum;
    }
}

// By thread 0: in which block the draw falls, and what is left of it there. The total of all blocks comes back.
__device__ inline double draw_block(Told *told, const float *weights, int blocks, double uniform)
{
    double total = 0, before = 0, before_last = 0;
    for (int i = 0; i < blocks; i++)
        total += (double)weights[i];
    told->block = 0;
    for (int i = 0; i < blocks && before <= uniform * total; i++) {
        if (!(weights[i] > 0))
            continue;
        told->block = i;
        before_last = before;
        before += (double)weights[i];
    }
    told->target = uniform * total - before_last;
    return total;
}

// Which of a lane's four neighbouring columns it is, their weights starting from `sum`; the last kept one if rounding
// hides it. -1: none is kept.
__device__ inline int draw_of_four(const float p[4], double sum, double target)
{
    int kept = -1;
    bool found = false;
#pragma unroll
    for (int j = 0; j < 4; j++) {
        sum += (double)p[j];
        if (p[j] > 0 && !found) {
            kept = j;
            found = sum > target;
        }
    }
    return kept;
}

// By the first warp: the first column of the block at which the sum of weights exceeds the target, ascending; the last
// kept column if rounding hides it.
__device__ inline int64_t draw_column(const Told *told, const SampledRow &row)
{
    int64_t first = (int64_t)told->block * LOGSUMEXP_COLUMNS, token = -1;
    float z[WARP_VECTORS][4];
    double base = 0, target = told->target;
    bool found = false;
    read_columns(z, row.logits, first, row.n_live, row.temperature);
#pragma unroll
    for (int i = 0; i < WARP_VECTORS; i++) {
        float p[4];
#pragma unroll
        for (int j = 0; j < 4; j++)
            p[j] = kept_weight(row, z[i][j]);
        double mine = (double)p[0] + (double)p[1] + (double)p[2] + (double)p[3], until = warp_sum_until(mine);
        unsigned behind = __ballot_sync(~0u, base + until > target), kept = __ballot_sync(~0u, mine > 0);
        int holder = behind != 0 ? __ffs((int)behind) - 1 : kept != 0 ? 31 - __clz((int)kept) : -1;
        int j = draw_of_four(p, base + (until - mine), target);
        int64_t column = holder < 0 ? -1 : __shfl_sync(~0u, column_of(first, i) + j, holder);
        if (!found && kept != 0)
            token = column;
        found = found || behind != 0;
        base += __shfl_sync(~0u, until, 31);
    }
    return token;
}

struct Outputs {
    int32_t *token;
    float *logprob, *processed, *entropy;
};

static __global__ void __launch_bounds__(HEAD_THREADS, 2)
    sample_row(Outputs out, const SampleRow *rows, const float *logits, int64_t pitch, int64_t n_live)
{
    SHARED(unsigned long long, buckets, BUCKETS);
    SHARED(Told, told, 1);
    SoftmaxPart *parts = dynamic_shared<SoftmaxPart>();
    dependents_may_begin();
    const SampleRow how = rows[blockIdx.x];
    dependency_wait();
    bool greedy = how.temperature == 0, limited = !greedy && (how.top_k > 0 || how.top_p < 1 || how.min_p > 0);
    SampledRow row = {logits + blockIdx.x * pitch, n_live, greedy ? 1 : how.temperature, 0, -INFINITY, 0, parts};
    row.blocks = (int)((n_live + LOGSUMEXP_COLUMNS - 1) / LOGSUMEXP_COLUMNS);
    float *weights = (float *)(parts + row.blocks);
    RowSoftmax softmax = softmax_of_row(parts, row.logits, n_live, row.temperature);
    if (threadIdx.x == 0)
        told->largest = softmax.largest;
    __syncthreads();
    row.largest = told->largest;
    if (limited) {
        row.limit = limit_of(told, buckets, row, how);
        weigh_blocks(weights, row);
    } else {
        for (int i = (int)threadIdx.x; i < row.blocks; i += HEAD_THREADS)
            weights[i] = parts[i].sum; // scaled to the largest already
    }
    __syncthreads();
    if (threadIdx.x >= 32)
        return;
    double total = 0;
    if (threadIdx.x == 0)
        total = draw_block(told, weights, row.blocks, random_of_token(how.seed, how.request, how.sample, how.position));
    __syncwarp();
    int64_t token = greedy ? row_best(softmax, n_live) : draw_column(told, row);
    if (threadIdx.x != 0)
        return;
    token = token < 0 ? 0 : token; // of logits that are no numbers
    float z = logit_of(row, token);
    out.token[blockIdx.x] = (int32_t)token;
    out.logprob[blockIdx.x] = out.processed[blockIdx.x] = row_logprob(softmax, z);
    if (limited)
        out.processed[blockIdx.x] = (float)((double)z - row.largest - log(total));
    out.entropy[blockIdx.x] = row_entropy(softmax);
}

void head_sample(Stream *s, int32_t *token, float *logprob, float *processed, float *entropy, Tensor x, Tensor w,
                 const SampleRow *rows, int64_t n_live, float *workspace)
{
    int64_t pitch = cuda_pitch(n_live);
    size_t shared = (sizeof(SoftmaxPart) + sizeof(float)) * (size_t)ceil_divide(n_live, LOGSUMEXP_COLUMNS);
    for (int64_t n = 0; n < x.rows; n += LOGIT_ROWS) {
        Outputs out = {token + n, logprob + n, processed + n, entropy + n};
        make_logits(s, workspace, x, n, w, n_live);
        launch_early(s, cuda_chunk(x.rows - n), HEAD_THREADS, shared, sample_row, out, rows + n, workspace, pitch,
                     n_live);
    }
}

} // namespace PRECISION
