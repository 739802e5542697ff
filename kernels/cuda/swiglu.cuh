// SwiGLU of one gate and one up, as every kernel of the activation type computes it: silu(gate) = gate/(1 + e^-gate) is
// rounded before it is multiplied, as transformers does.
#ifndef KERNELS_CUDA_SWIGLU_CUH
#define KERNELS_CUDA_SWIGLU_CUH

#include "kernels/cuda/element.cuh"

namespace PRECISION
{

__device__ inline element swiglu(element gate, element up)
{
    float x = widen(gate), silu = x / (1.0f + expf(-x));
    return rounded(round_to_element(silu) * widen(up));
}

} // namespace PRECISION

#endif
