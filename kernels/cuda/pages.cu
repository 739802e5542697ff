// KV pages: writing the new tokens' keys and values into them, and copying pages. A page is
// (Hkv, KEY_BLOCK, D), a position's row in the order of page_column: a key block of one head lies in one piece, and as
// shared memory has it. Bound by memory.
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/operations.h"
#include <assert.h>

namespace PRECISION
{

enum { PAGE_THREADS = 128 };

// The sequence of a row of the batch, by halving: starts ascends.
__device__ inline int sequence_of(const Attention &a, int row)
{
    int low = 0, high = (int)a.sequences;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (a.starts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

// A block takes one new token: all of its heads' keys and values.
static __global__ void __launch_bounds__(PAGE_THREADS) write_token(const element *k, const element *v, Attention a)
{
    int row = (int)blockIdx.x, sequence = sequence_of(a, row), D = (int)a.head_width,
        vectors = (int)a.kv_heads * D / LANES;
    int position = a.contexts[sequence] + row - a.starts[sequence];
    int64_t page = a.page_table[sequence * a.pages_per_sequence + position / KEY_BLOCK];
    int64_t base = page * a.kv_heads * KEY_BLOCK * D + position % KEY_BLOCK * D, from = (int64_t)row * a.kv_heads * D;
    for (int i = (int)threadIdx.x; i < vectors; i += PAGE_THREADS) {
        int head = i * LANES / D, column = i * LANES % D;
        int64_t to = base + (int64_t)head * KEY_BLOCK * D + page_column(position, column);
        store((element *)a.key_pages + to, load(k + from + i * LANES));
        store((element *)a.value_pages + to, load(v + from + i * LANES));
    }
}

void pages_write(Stream *s, Tensor k, Tensor v, const Attention *a)
{
    assert(k.columns == a->kv_heads * a->head_width && v.columns == k.columns && k.columns % LANES == 0);
    launch(s, k.rows, PAGE_THREADS, 0, write_token, elements(k), elements(v), *a);
}

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
