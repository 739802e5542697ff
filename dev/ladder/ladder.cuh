// The rungs of the ladder: three operations of kernels/kernels.h in bf16, each from the kernel that one would write
// first to the one that the trainer runs, one idea per file. Shapes are as in kernels.h, and multiples of the tiles
// that a rung asserts.
#ifndef DEV_LADDER_LADDER_CUH
#define DEV_LADDER_LADDER_CUH

#include "kernels/cuda/element.cuh"
#include <assert.h>

namespace PRECISION
{

// y (M, N) = x (M, K) · w (N, K)ᵀ; the last rung is kernels/cuda/matmul.cu
void matmul_thread(Tensor y, Tensor x, Tensor w);
void matmul_shared(Tensor y, Tensor x, Tensor w);
void matmul_padded(Tensor y, Tensor x, Tensor w);
void matmul_registers(Tensor y, Tensor x, Tensor w);
void matmul_tensor(Tensor y, Tensor x, Tensor w);

// y (T, C) = weight · round(x · rstd); the last rung is kernels/cuda/norm.cu
void rmsnorm_thread(Tensor y, Tensor x, Tensor weight, float epsilon);
void rmsnorm_block(Tensor y, Tensor x, Tensor weight, float epsilon);
void rmsnorm_registers(Tensor y, Tensor x, Tensor weight, float epsilon);

// out (T, D) of one sequence and head, causal; the last rung is kernels/cuda/attention_forward.cu. scores (T, T):
// scratch of the first
void attention_matrix(Tensor out, Tensor q, Tensor k, Tensor v, float *scores);
void attention_online(Tensor out, Tensor q, Tensor k, Tensor v);
void attention_shared(Tensor out, Tensor q, Tensor k, Tensor v);

} // namespace PRECISION

#endif
