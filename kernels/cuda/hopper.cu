// What the host does for the kernels for Hopper: asks the card, and describes tensors to TMA.
#include "kernels/cuda/hopper.h"
#include <stdlib.h>
#include <string.h>
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_tile.cuh"
#endif

namespace PRECISION
{

bool hopper_wish_is_known(void)
{
    const char *wish = getenv("DEREASON_ATTENTION");
    return wish == NULL || strcmp(wish, "auto") == 0 || strcmp(wish, "mma") == 0 ||
           fail("DEREASON_ATTENTION=%s: take auto or mma", wish);
}

#if HOPPER_KERNELS

bool hopper_chosen(const char *variable)
{
    const char *wish = getenv(variable);
    return device_major() == 9 && (wish == NULL || strcmp(wish, "mma") != 0) && !hopper_differs(variable);
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

static void describe_box(CUtensorMap *map, const element *start, const int64_t sizes[3], const int64_t strides[2],
                         int box_rows, int box_heads, CUtensorMapSwizzle swizzle)
{
    cuuint64_t size[3] = {(uint64_t)sizes[0], (uint64_t)sizes[1], (uint64_t)sizes[2]},
               stride[2] = {strides[0] * sizeof(element), strides[1] * sizeof(element)};
    cuuint32_t box[3] = {PART_COLUMNS, (uint32_t)box_heads, (uint32_t)box_rows}, steps[3] = {1, 1, 1};
    Encode encode = encoder();
    bool done =
        encode != NULL && encode(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, (void *)start, size, stride, box, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                 CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
    device_check(done ? cudaSuccess : cudaErrorInvalidValue, "describing a tensor to TMA");
}

void describe_tensor(CUtensorMap *map, const element *start, int64_t rows, int64_t heads, int64_t width, int64_t pitch,
                     int box_rows, int box_heads)
{
    const int64_t sizes[3] = {width, heads, rows}, strides[2] = {width, pitch};
    describe_box(map, start, sizes, strides, box_rows, box_heads, CU_TENSOR_MAP_SWIZZLE_128B);
}

void describe_pages(CUtensorMap *map, const element *start, int64_t width)
{
    const int64_t sizes[3] = {width, 1, ANY_ROWS}, strides[2] = {width, width};
    describe_box(map, start, sizes, strides, KEY_BLOCK, 1, CU_TENSOR_MAP_SWIZZLE_NONE);
}

void describe_matrix(CUtensorMap *map, const element *start, int64_t rows, int64_t columns, int64_t pitch, int box_rows)
{
    const int64_t sizes[3] = {columns, 1, rows}, strides[2] = {pitch, pitch};
    describe_box(map, start, sizes, strides, box_rows, 1, CU_TENSOR_MAP_SWIZZLE_128B);
}

#else

bool hopper_chosen(const char *) { return false; }

#endif

} // namespace PRECISION
