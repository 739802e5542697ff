// KV pages. A page of keys is (Hkv, D, KEY_BLOCK): a head's keys as columns, as the inner product wants them; a page of
// values is (Hkv, KEY_BLOCK, D rounded up to 16): attention packs nothing. Both take page_elements. Bound by memory.
#include "kernels/cpu/attention.h"

static int64_t cpu_page_elements(int64_t kv_heads, int64_t head_width)
{
    return kv_heads * KEY_BLOCK * padded_width(head_width);
}

static float *page_of(void *pages, const Attention *a, int64_t sequence, int64_t block)
{
    int64_t page = a->page_table[sequence * a->pages_per_sequence + block];
    return (float *)pages + page * cpu_page_elements(a->kv_heads, a->head_width);
}

// New tokens of one sequence that fall into one page: rows first .. first + count - 1 of the batch, from `at` on
typedef struct PageRun {
    int64_t first, count, block, at;
} PageRun;

static PageRun page_run(const Attention *a, int64_t sequence, int64_t number)
{
    int64_t context = a->contexts[sequence], start = a->starts[sequence],
            end = context + a->starts[sequence + 1] - start;
    int64_t block = context / KEY_BLOCK + number, from = block * KEY_BLOCK > context ? block * KEY_BLOCK : context;
    int64_t to = smaller((block + 1) * KEY_BLOCK, end);
    return (PageRun){start + from - context, to - from, block, from % KEY_BLOCK};
}

static void write_run(Tensor k, Tensor v, const Attention *a, int64_t sequence, const PageRun *run, int64_t head)
{
    int64_t D = a->head_width, P = padded_width(D);
    const float *from_k = row_of(k, run->first) + head * D, *from_v = row_of(v, run->first) + head * D;
    float *keys = page_of(a->key_pages, a, sequence, run->block) + head * D * KEY_BLOCK + run->at;
    float *values = page_of(a->value_pages, a, sequence, run->block) + (head * KEY_BLOCK + run->at) * P;
    write_columns(keys, from_k, k.stride, run->count, D);
    for (int64_t i = 0; i < run->count; i++)
        memcpy(values + i * P, from_v + i * v.stride, (size_t)D * sizeof(float));
}

// The new tokens' keys and values: k, v (T, Hkv, D)
static void write_pages(Tensor k, Tensor v, const Attention *a)
{
#pragma omp parallel if (k.rows * k.columns > PARALLEL_ELEMENTS)
    for (int64_t sequence = 0; sequence < a->sequences; sequence++) {
        int64_t context = a->contexts[sequence], end = context + a->starts[sequence + 1] - a->starts[sequence];
        int64_t runs = end > context ? (end - 1) / KEY_BLOCK - context / KEY_BLOCK + 1 : 0;
#pragma omp for schedule(static) nowait
        for (int64_t task = 0; task < runs * a->kv_heads; task++) {
            PageRun run = page_run(a, sequence, task / a->kv_heads);
            write_run(k, v, a, sequence, &run, task % a->kv_heads);
        }
    }
}

static void cpu_pages_copy(Stream *s, void *pages, int64_t elements, const int32_t *pairs, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        memcpy((float *)pages + pairs[2 * i + 1] * elements, (const float *)pages + pairs[2 * i] * elements,
               (size_t)elements * sizeof(float));
}
