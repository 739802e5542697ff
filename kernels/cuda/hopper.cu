// What the host does for the kernels for Hopper: asks the card, and describes tensors to TMA.
#include "kernels/cuda/hopper.h"
#include <stdlib.h>
#include <string.h>
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_attention.cuh"

namespace PRECISION
{

bool hopper_chosen(void)
{
    const char *wish = getenv("DEREASON_ATTENTION");
    return device_major() == 9 && (wish == NULL || strcmp(wish, "mma") != 0);
}

// The driver's function, found at run time: nothing of ours is linked with the driver.
typedef CUresult (*Encode)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *,
                           const cuuint64_t *, const cuuint32_t *, const cuuint32_t *, CUtensorMapInterleave,
                           CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

static Encode encoder(void)
{
    static void *function;
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSuccess;
    if (function == NULL)
        device_check(
            cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found),
            "asking the driver for cuTensorMapEncodeTiled");
    return (Encode)function;
}

void describe_tensor(CUtensorMap *map, const element *start, int64_t rows, int64_t heads, int64_t width, int box_rows,
                     int box_heads)
{
    uint64_t bytes = (uint64_t)width * sizeof(element);
    cuuint64_t sizes[3] = {(uint64_t)width, (uint64_t)heads, (uint64_t)rows}, strides[2] = {bytes, bytes * heads};
    cuuint32_t box[3] = {PART_COLUMNS, (uint32_t)box_heads, (uint32_t)box_rows}, steps[3] = {1, 1, 1};
    Encode encode = encoder();
    bool done =
        encode != NULL && encode(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, (void *)start, sizes, strides, box, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
    device_check(done ? cudaSuccess : cudaErrorInvalidValue, "describing a tensor to TMA");
}

} // namespace PRECISION

#endif
