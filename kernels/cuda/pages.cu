// KV pages: copying them. A page is (Hkv, KEY_BLOCK, D), a position's row in the order of page_column: a key block of
// one head lies in one piece, and as shared memory has it. What fills them is rope.cu's. Bound by memory.
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include <assert.h>

namespace PRECISION
{

enum { PAGE_THREADS = 128 };

static __global__ void __launch_bounds__(PAGE_THREADS) copy_page(element *pages, int64_t elements, const int32_t *pairs)
{
    const element *from = pages + pairs[2 * blockIdx.y] * elements;
    element *to = pages + pairs[2 * blockIdx.y + 1] * elements;
    for (int64_t i = ((int64_t)blockIdx.x * PAGE_THREADS + threadIdx.x) * LANES; i < elements;
         i += (int64_t)gridDim.x * PAGE_THREADS * LANES)
        store(to + i, load(from + i));
}

void pages_copy(Stream *s, void *pages, int64_t elements, const int32_t *pairs, int64_t count)
{
    assert(elements % LANES == 0);
    int64_t across = ceil_divide(elements, PAGE_THREADS * LANES * 4);
    launch(s, dim3(across, count), PAGE_THREADS, 0, copy_page, (element *)pages, elements, pairs);
}

} // namespace PRECISION
