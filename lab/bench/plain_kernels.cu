// The simplest kernels that are right, to see what the others gain: one thread for one result, no shared memory,
// nothing kept in registers on purpose. Not tested against the oracle; a benchmark is all they are for. And a kernel
// that only reads, to empty the cache of what is measured next, and the few calls that need the stream our kernels run
// in.
#include "lab/bench/bench.h"
#include "kernels/cuda/element.cuh"

namespace PRECISION
{

enum { BLOCK = 256 };

__device__ inline int64_t thread_number() { return (int64_t)blockIdx.x * blockDim.x + threadIdx.x; }

static dim3 blocks_for(int64_t threads) { return dim3((unsigned)ceil_divide(threads, BLOCK)); }

// A thread a row.
__global__ void plain_rmsnorm_kernel(element *y, const element *x, const element *weight, int64_t rows, int64_t columns,
                                     float epsilon)
{
    int64_t row = thread_number();
    if (row >= rows)
        return;
    x += row * columns;
    y += row * columns;
    float sum = 0;
    for (int64_t c = 0; c < columns; c++)
        sum += widen(x[c]) * widen(x[c]);
    float scale = rsqrtf(sum / (float)columns + epsilon);
    for (int64_t c = 0; c < columns; c++)
        y[c] = rounded(round_to_element(widen(x[c]) * scale) * widen(weight[c]));
}

// A thread an element.
__global__ void plain_swiglu_kernel(element *y, const element *gate, const element *up, int64_t count)
{
    int64_t i = thread_number();
    if (i >= count)
        return;
    float g = widen(gate[i]);
    y[i] = rounded(round_to_element(g / (1 + expf(-g))) * widen(up[i]));
}

// A thread an output.
__global__ void plain_matmul_kernel(element *y, const element *x, const element *w, int64_t rows, int64_t columns,
                                    int64_t inner)
{
    int64_t output = thread_number(), row = output / columns, column = output % columns;
    if (row >= rows)
        return;
    float sum = 0;
    for (int64_t k = 0; k < inner; k++)
        sum = fmaf(widen(x[row * inner + k]), widen(w[column * inner + k]), sum);
    y[output] = rounded(sum);
}

// A thread a row of a head: causal attention with a running largest score and sum (Milakov & Gimelshein 2018).
__global__ void plain_attention_kernel(element *out, const element *q, const element *k, const element *v,
                                       int64_t tokens, int heads, int kv_heads, int head_width)
{
    int64_t row = thread_number(), token = row / heads, kv_head = row % heads / (heads / kv_heads);
    if (token >= tokens)
        return;
    float sums[128] = {}, largest = -INFINITY, total = 0, scale = rsqrtf((float)head_width);
    for (int64_t key = 0; key <= token; key++) {
        int64_t at = (key * kv_heads + kv_head) * head_width;
        float score = 0;
        for (int d = 0; d < head_width; d++)
            score = fmaf(widen(q[row * head_width + d]), widen(k[at + d]), score);
        score *= scale;
        float before = largest;
        largest = fmaxf(largest, score);
        float keep = expf(before - largest), p = expf(score - largest);
        total = total * keep + p;
        for (int d = 0; d < head_width; d++)
            sums[d] = sums[d] * keep + p * widen(v[at + d]);
    }
    for (int d = 0; d < head_width; d++)
        out[row * head_width + d] = rounded(sums[d] / total);
}

// The write is there so that the compiler must read; where it ever happens, it hurts nobody.
__global__ void read_all_kernel(uint4 *data, int64_t count)
{
    uint32_t seen = 0;
    for (int64_t i = thread_number(); i < count; i += (int64_t)gridDim.x * blockDim.x) {
        uint4 x = data[i];
        seen ^= x.x + x.y + x.z + x.w;
    }
    if (seen == 0x51ed2701)
        data[0].x = seen;
}

bool plain_rmsnorm(Stream *s, void *y, const void *x, const void *weight, int64_t rows, int64_t columns, float epsilon)
{
    launch(s, blocks_for(rows), dim3(BLOCK), 0, plain_rmsnorm_kernel, (element *)y, (const element *)x,
           (const element *)weight, rows, columns, epsilon);
    return true;
}

bool plain_swiglu(Stream *s, void *y, const void *gate, const void *up, int64_t count)
{
    launch(s, blocks_for(count), dim3(BLOCK), 0, plain_swiglu_kernel, (element *)y, (const element *)gate,
           (const element *)up, count);
    return true;
}

bool plain_matmul(Stream *s, void *y, const void *x, const void *w, int64_t rows, int64_t columns, int64_t inner)
{
    launch(s, blocks_for(rows * columns), dim3(BLOCK), 0, plain_matmul_kernel, (element *)y, (const element *)x,
           (const element *)w, rows, columns, inner);
    return true;
}

bool plain_attention(Stream *s, void *out, const void *q, const void *k, const void *v, int64_t tokens, int64_t heads,
                     int64_t kv_heads, int64_t head_width)
{
    launch(s, blocks_for(tokens * heads), dim3(BLOCK), 0, plain_attention_kernel, (element *)out, (const element *)q,
           (const element *)k, (const element *)v, tokens, (int)heads, (int)kv_heads, (int)head_width);
    return true;
}

void read_all(Stream *s, const void *data, size_t bytes)
{
    int64_t vectors = (int64_t)bytes / 16, blocks = ceil_divide(vectors, BLOCK);
    launch(s, dim3((unsigned)(blocks < 1024 ? blocks : 1024)), dim3(BLOCK), 0, read_all_kernel, (uint4 *)data, vectors);
}

bool copy_all(Stream *s, void *to, const void *from, size_t bytes)
{
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(s)) == cudaSuccess;
}

bool record(Stream *s, void *event) { return cudaEventRecord((cudaEvent_t)event, stream_of(s)) == cudaSuccess; }

} // namespace PRECISION
