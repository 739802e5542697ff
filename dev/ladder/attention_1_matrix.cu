// Attention, first rung: the formula, literally. One kernel writes the T x T scores, a second applies softmax to each
// row, a third multiplies by the values.
//
// Its weakness: at 32,768 tokens the scores of one head are 4 GB, written once and read three times.
#include "dev/ladder/ladder.cuh"

namespace PRECISION
{

static __global__ void score(float *scores, const element *q, const element *k, int T, int D)
{
    int j = (int)(blockIdx.x * blockDim.x + threadIdx.x), i = (int)blockIdx.y;
    float sum = 0;
    for (int d = 0; j <= i && d < D; d++)
        sum = fmaf(widen(q[i * D + d]), widen(k[j * D + d]), sum);
    scores[i * T + j] = sum / sqrtf((float)D);
}

static __global__ void softmax(float *scores, int T)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    float largest = -INFINITY, sum = 0;
    for (int j = 0; j <= i; j++)
        largest = fmaxf(largest, scores[i * T + j]);
    for (int j = 0; j <= i; j++)
        sum += expf(scores[i * T + j] - largest);
    for (int j = 0; j <= i; j++)
        scores[i * T + j] = expf(scores[i * T + j] - largest) / sum;
}

static __global__ void weigh(element *out, const float *weights, const element *v, int T, int D)
{
    int d = (int)threadIdx.x, i = (int)blockIdx.x;
    float sum = 0;
    for (int j = 0; j <= i; j++)
        sum = fmaf(weights[i * T + j], widen(v[j * D + d]), sum);
    out[i * D + d] = rounded(sum);
}

void attention_matrix(Tensor out, Tensor q, Tensor k, Tensor v, float *scores)
{
    int T = (int)q.rows, D = (int)q.columns;
    assert(T % 64 == 0);
    launch(NULL, dim3((unsigned)(T / 64), (unsigned)T), dim3(64), 0, score, scores, (const element *)q.data,
           (const element *)k.data, T, D);
    launch(NULL, dim3((unsigned)(T / 64)), dim3(64), 0, softmax, scores, T);
    launch(NULL, dim3((unsigned)T), dim3((unsigned)D), 0, weigh, (element *)out.data, scores, (const element *)v.data,
           T, D);
}

} // namespace PRECISION
