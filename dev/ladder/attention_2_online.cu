// Attention, second rung: the online softmax. A thread has one query, its sum of values and the largest score so far; a
// larger one scales down that sum. No score is ever in memory: two numbers replace T x T.
//
// Its weakness: every thread reads every key and every value for itself.
#include "dev/ladder/ladder.cuh"

namespace PRECISION
{

enum { D = 64 };

static __global__ void attend(element *out, const element *q, const element *k, const element *v)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    float query[D], o[D] = {}, m = -INFINITY, l = 0;
    for (int d = 0; d < D; d++)
        query[d] = widen(q[i * D + d]);
    for (int j = 0; j <= i; j++) {
        float score = 0;
        for (int d = 0; d < D; d++)
            score = fmaf(query[d], widen(k[j * D + d]), score);
        score /= sqrtf((float)D);
        float largest = fmaxf(m, score), keep = expf(m - largest), weight = expf(score - largest);
        for (int d = 0; d < D; d++)
            o[d] = fmaf(weight, widen(v[j * D + d]), o[d] * keep);
        l = fmaf(l, keep, weight);
        m = largest;
    }
    for (int d = 0; d < D; d++)
        out[i * D + d] = rounded(o[d] / l);
}

void attention_online(Tensor out, Tensor q, Tensor k, Tensor v)
{
    assert(q.columns == D && q.rows % 64 == 0);
    launch(NULL, dim3((unsigned)(q.rows / 64)), dim3(64), 0, attend, (element *)out.data, (const element *)q.data,
           (const element *)k.data, (const element *)v.data);
}

} // namespace PRECISION
