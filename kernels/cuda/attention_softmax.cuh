// The online softmax of attention's forward kernels, which share its order of operations and so its bits: a block of
// KEY_BLOCK scores of 16 rows lies in a warp as accumulators do, a row's 128 columns with the four lanes of its quad.
#ifndef KERNELS_CUDA_ATTENTION_SOFTMAX_CUH
#define KERNELS_CUDA_ATTENTION_SOFTMAX_CUH

#include "kernels/cuda/attention.cuh"

namespace PRECISION
{

// A thread's two rows: the online softmax of the segment and of all merged ones. Maxima are of scores before scaling.
struct RowSums {
    float m, l;
};

// Scores of keys that a row does not see, to minus infinity. Only blocks at the end of a warp's reach have any.
__device__ inline void mask(float (*scores)[4], int first_key, const int position[2])
{
    int column = (int)threadIdx.x % 4 * 2;
#pragma unroll
    for (int j = 0; j < KEY_BLOCK / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (first_key + j * 8 + column + i % 2 > position[i / 2])
                scores[j][i] = -INFINITY;
}

// Scores to weights in place, for one of the thread's rows; returns by how much the older sums shrink. All 128 columns
// of a row lie with the four lanes of its quad.
__device__ inline float softmax_row(float (*scores)[4], int half, RowSums *row, float scale)
{
    float largest = row->m, sum = 0, parts[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
#pragma unroll
    for (int j = 0; j < KEY_BLOCK / 8; j++) // four chains: a maximum does not depend on the order
        parts[j % 4] = fmaxf(parts[j % 4], fmaxf(scores[j][half * 2], scores[j][half * 2 + 1]));
    largest = fmaxf(fmaxf(fmaxf(parts[0], parts[1]), fmaxf(parts[2], parts[3])), largest);
    largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 2));
    float from = largest == -INFINITY ? 0 : largest; // a row that has seen nothing yet keeps its zeros
#pragma unroll
    for (int j = 0; j < KEY_BLOCK / 8; j++)
#pragma unroll
        for (int c = 0; c < 2; c++) {
            float p = exp2_flushed((scores[j][half * 2 + c] - from) * scale);
            scores[j][half * 2 + c] = p;
            sum += p;
        }
    sum += __shfl_xor_sync(~0u, sum, 1);
    sum += __shfl_xor_sync(~0u, sum, 2);
    float keep = exp2_flushed((row->m - from) * scale);
    row->m = largest;
    row->l = fmaf(row->l, keep, sum);
    return keep;
}

// One of the thread's rows of accumulators, by what softmax_row says
template <int WIDTH> __device__ inline void scale_row(float (*weighted)[4], int half, float keep)
{
#pragma unroll
    for (int d = 0; d < WIDTH / 8; d++) {
        weighted[d][half * 2] *= keep;
        weighted[d][half * 2 + 1] *= keep;
    }
}

// What the weighted values of the segments before, and those of a new one, are multiplied by when it is merged
struct MergeScales {
    float before, segment;
};

// Where the total is still empty it becomes the segment itself, to the bit.
__device__ inline MergeScales merge_sums(RowSums *total, const RowSums &segment, float scale)
{
    float m = fmaxf(total->m, segment.m), from = m == -INFINITY ? 0 : m;
    MergeScales by = {exp2_flushed((total->m - from) * scale), exp2_flushed((segment.m - from) * scale)};
    *total = RowSums{m, fmaf(total->l, by.before, segment.l * by.segment)};
    return by;
}

__device__ inline float logsumexp_of(const RowSums &sums, float scale)
{
    return fmaf(sums.m, scale / LOG2_E, logf(sums.l));
}

} // namespace PRECISION

#endif
