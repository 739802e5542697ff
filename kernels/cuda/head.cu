// The LM head and its loss. Chunks of LOGIT_ROWS rows: their logits are one product with fp32 results, straight from
// the accumulators, (rows, pitch) at the start of the workspace. Behind them lies room for the gradients of a block of
// HEAD_ROWS rows, (rows, pitch) elements: the fp32 gradient of the weight, larger than all else here, is read and
// written once for a block. The pitch is the live columns, rounded up to CUDA_PITCH_MULTIPLE: rows start on 256 bytes
// (gradients: 128).
//
// Bound by the products: forward one, backward three (the logits are made again, at a third more), both in one three.
// Beside them a logit is read once, 4 bytes, and going backward its gradient is written, 2 bytes more. At C = 2,560
// that is 18% of the product's time going forward and 9% of the products' going backward (computed). An H200
// reaches 71% of the bare product's rate going forward, 67% going backward with blocks of 1,024 rows; blocks of 4,096,
// and both in one, have not run on a card.
#include "kernels/cuda/head.cuh"

namespace PRECISION
{

// ---- forward: one block reads a row once (head.cuh)

// What the kernels know of a chunk: logits (rows, pitch)
typedef struct Chunk {
    float *logits;
    int64_t pitch, n_live;
    float temperature;
    const int32_t *targets;
} Chunk;

static __global__ void __launch_bounds__(HEAD_THREADS)
    softmax_row(float *logprob, float *entropy, float *logsumexp, int32_t *best, Chunk chunk)
{
    const float *logits = chunk.logits + blockIdx.x * chunk.pitch;
    RowSoftmax row = softmax_of_row(dynamic_shared<SoftmaxPart>(), logits, chunk.n_live, chunk.temperature);
    if (threadIdx.x != 0)
        return;
    logsumexp[blockIdx.x] = (float)(row.largest + log(row.sum));
    logprob[blockIdx.x] = row_logprob(row, logits[chunk.targets[blockIdx.x]] / chunk.temperature);
    entropy[blockIdx.x] = row_entropy(row);
    if (best != NULL)
        best[blockIdx.x] = row_best(row, chunk.n_live);
}

// ---- backward
//
// z becomes d loss / d (x·w): ([v = target] - p)·dlogprob - p·(ln p + entropy)·dentropy, over temperature. A thread
// makes one vector; columns behind the last live one are zeros, so that a product may run over them.

typedef struct RowGradients {
    const float *logsumexp, *entropy, *dlogprob, *dentropy; // dentropy may be NULL
} RowGradients;

__device__ inline float logit_gradient(float z, float temperature, bool is_target, float logsumexp, float entropy,
                                       float dlogprob, float dentropy)
{
    float log_p = (temperature != 1 ? z / temperature : z) - logsumexp, p = expf(log_p), d = -(p * dlogprob);
    if (dentropy != 0)
        d = d - p * (log_p + entropy) * dentropy;
    if (is_target)
        d += dlogprob;
    return temperature != 1 ? d / temperature : d;
}

static __global__ void __launch_bounds__(HEAD_THREADS) gradient_row(element *dlogits, Chunk chunk, RowGradients g)
{
    int64_t row = blockIdx.x, c = ((int64_t)blockIdx.y * HEAD_THREADS + threadIdx.x) * LANES;
    if (c >= chunk.pitch)
        return;
    float z[LANES] = {};
#pragma unroll
    for (int j = 0; j < LANES; j += 4)
        if (c + j < chunk.n_live) // what is behind the last live column is read with it, and not used
            *(float4 *)(z + j) = *(const float4 *)(chunk.logits + row * chunk.pitch + c + j);
    int64_t target = chunk.targets[row] - c;
    float dentropy = g.dentropy == NULL ? 0 : g.dentropy[row];
    Vector d;
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        float x = logit_gradient(z[j], chunk.temperature, j == target, g.logsumexp[row], g.entropy[row],
                                 g.dlogprob[row], dentropy);
        d.lane[j] = rounded(c + j < chunk.n_live ? x : 0);
    }
    store(dlogits + row * chunk.pitch + c, d);
}

// ---- chunk by chunk

// What a row's softmax gives
typedef struct RowResults {
    float *logprob, *entropy, *logsumexp;
    int32_t *best; // may be NULL
} RowResults;

// The logits of the rows from n on, at the start of the workspace.
static Chunk make_chunk(Stream *s, float *workspace, Tensor x, int64_t n, Tensor w, const int32_t *targets,
                        float temperature, int64_t n_live)
{
    make_logits(s, workspace, x, n, w, n_live);
    return {workspace, cuda_pitch(n_live), n_live, temperature, targets + n};
}

static void softmax_rows(Stream *s, const Chunk &chunk, const RowResults &to, int64_t n, int64_t rows)
{
    size_t shared = sizeof(SoftmaxPart) * (size_t)ceil_divide(chunk.n_live, LOGSUMEXP_COLUMNS);
    launch(s, rows, HEAD_THREADS, shared, softmax_row, to.logprob + n, to.entropy + n, to.logsumexp + n,
           to.best == NULL ? to.best : to.best + n, chunk);
}

// From a chunk's logits to the gradients of its rows
static void gradient_rows(Stream *s, const Chunk &chunk, element *dlogits, const RowGradients &all, int64_t n,
                          int64_t rows)
{
    RowGradients g = {all.logsumexp + n, all.entropy + n, all.dlogprob + n,
                      all.dentropy == NULL ? all.dentropy : all.dentropy + n};
    dim3 grid(rows, ceil_divide(chunk.pitch, HEAD_THREADS * LANES));
    launch(s, grid, HEAD_THREADS, 0, gradient_row, dlogits, chunk, g);
}

// From a block's gradients to its rows of dx and its part of dweight (NULL: none). Both products read the rounded
// gradients: dx one chain over the live columns, dweight one over the block's rows.
static void block_products(Stream *s, const element *dlogits, Tensor dx, float *dweight, Tensor x, int64_t n, Tensor w,
                           int64_t live)
{
    int64_t C = x.columns, rows = cuda_block(x.rows - n), pitch = cuda_pitch(live);
    element *rows_dx = elements(dx) + n * C;
    const element *rows_x = elements(x) + n * C;
    Product input = {MATMUL_BACKWARD_INPUT, rows, C, live, dlogits, w.data, rows_dx, pitch, C, C, false, false};
    Product weight = {MATMUL_BACKWARD_WEIGHT, live, C, rows, dlogits, rows_x, dweight, pitch, C, C, true, true};
    product(s, &input);
    if (dweight != NULL)
        product(s, &weight);
}

// Forward too where `to` is not NULL: what the gradients are made from are then its results.
static void head_gradients(Stream *s, const RowResults *to, Tensor dx, float *dweight, Tensor x, Tensor w,
                           const int32_t *targets, float temperature, int64_t n_live, const RowGradients &g,
                           float *workspace)
{
    int64_t pitch = cuda_pitch(n_live);
    element *dlogits = (element *)(workspace + cuda_chunk(x.rows) * pitch);
    for (int64_t block = 0; block < x.rows; block += HEAD_ROWS) {
        int64_t end = block + cuda_block(x.rows - block);
        for (int64_t n = block; n < end; n += LOGIT_ROWS) {
            Chunk chunk = make_chunk(s, workspace, x, n, w, targets, temperature, n_live);
            if (to != NULL)
                softmax_rows(s, chunk, *to, n, cuda_chunk(end - n));
            gradient_rows(s, chunk, dlogits + (n - block) * pitch, g, n, cuda_chunk(end - n));
        }
        block_products(s, dlogits, dx, dweight, x, block, w, n_live);
    }
}

void head_forward(Stream *s, float *logprob, float *entropy, float *logsumexp, int32_t *best, Tensor x, Tensor w,
                  const int32_t *targets, float temperature, int64_t n_live, float *workspace)
{
    for (int64_t n = 0; n < x.rows; n += LOGIT_ROWS)
        softmax_rows(s, make_chunk(s, workspace, x, n, w, targets, temperature, n_live),
                     {logprob, entropy, logsumexp, best}, n, cuda_chunk(x.rows - n));
}

void head_backward(Stream *s, Tensor dx, float *dweight, Tensor x, Tensor w, const int32_t *targets, float temperature,
                   int64_t n_live, const float *logsumexp, const float *entropy, const float *dlogprob,
                   const float *dentropy, float *workspace)
{
    head_gradients(s, NULL, dx, dweight, x, w, targets, temperature, n_live, {logsumexp, entropy, dlogprob, dentropy},
                   workspace);
}

void head_forward_backward(Stream *s, float *logprob, float *entropy, float *logsumexp, Tensor dx, float *dweight,
                           Tensor x, Tensor w, const int32_t *targets, float temperature, int64_t n_live,
                           const float *dlogprob, const float *dentropy, float *workspace)
{
    RowResults to = {logprob, entropy, logsumexp, NULL};
    head_gradients(s, &to, dx, dweight, x, w, targets, temperature, n_live, {logsumexp, entropy, dlogprob, dentropy},
                   workspace);
}

} // namespace PRECISION
