// Attention, third rung: keys and values in blocks of 32 are copied to shared memory once for the 64 queries of the
// block, 16 bytes per thread. All lanes read the same key at the same time, which shared memory serves in one round.
//
// What the last rung, kernels/cuda/attention_forward.cu, adds: both products on tensor cores, with the weights passed
// from one to the other in registers; keys in flight while values are multiplied; all heads that share a key in one
// block; pages.
#include "dev/ladder/ladder.cuh"

namespace PRECISION
{

enum { D = 64, QUERIES = 64, KEYS = 32 };

__device__ inline void bring(element *tile, const element *x, int first)
{
    for (int i = (int)threadIdx.x; i < KEYS * D / LANES; i += QUERIES)
        store(tile + i * LANES, load(x + first * D + i * LANES));
}

static __global__ void attend(element *out, const element *q, const element *k, const element *v)
{
    SHARED(element, keys, KEYS * D);
    SHARED(element, values, KEYS * D);
    int first_query = (int)blockIdx.x * QUERIES, i = first_query + (int)threadIdx.x;
    float query[D], o[D] = {}, m = -INFINITY, l = 0;
    for (int d = 0; d < D; d += LANES) {
        Vector piece = load(q + i * D + d);
        for (int e = 0; e < LANES; e++)
            query[d + e] = widen(piece.lane[e]);
    }
    for (int first = 0; first < first_query + QUERIES; first += KEYS) {
        bring(keys, k, first);
        bring(values, v, first);
        __syncthreads();
        for (int j = 0; j < KEYS && first + j <= i; j++) {
            float score = 0;
            for (int d = 0; d < D; d++)
                score = fmaf(query[d], widen(keys[j * D + d]), score);
            score /= sqrtf((float)D);
            float largest = fmaxf(m, score), keep = expf(m - largest), weight = expf(score - largest);
            for (int d = 0; d < D; d++)
                o[d] = fmaf(weight, widen(values[j * D + d]), o[d] * keep);
            l = fmaf(l, keep, weight);
            m = largest;
        }
        __syncthreads();
    }
    for (int d = 0; d < D; d++)
        out[i * D + d] = rounded(o[d] / l);
}

void attention_shared(Tensor out, Tensor q, Tensor k, Tensor v)
{
    assert(q.columns == D && q.rows % QUERIES == 0);
    launch(NULL, dim3((unsigned)(q.rows / QUERIES)), dim3(QUERIES), 0, attend, (element *)out.data,
           (const element *)q.data, (const element *)k.data, (const element *)v.data);
}

} // namespace PRECISION
