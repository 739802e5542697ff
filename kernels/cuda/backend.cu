// The table of the CUDA backend in this build's precision, and how fp32 numbers on the host become its elements.
// kernels_cuda_open, at the end of the bf16 build, chooses between the two precisions.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/operations.h"
#include <string.h>

namespace PRECISION
{

#if PRECISION_BITS == 16

static const int64_t PIECE = 1 << 20; // elements converted at a time

static uint16_t round_to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40); // a NaN stays one
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void upload_rounded(Stream *s, void *elements, const float *host, int64_t count)
{
    static uint16_t piece[PIECE];
    for (int64_t first = 0; first < count; first += PIECE) {
        int64_t n = count - first < PIECE ? count - first : PIECE;
        for (int64_t i = 0; i < n; i++)
            piece[i] = round_to_bf16(host[first + i]);
        device_upload(s, (uint16_t *)elements + first, piece, (size_t)n * sizeof *piece);
    }
}

bool download_widened(Stream *s, float *host, const void *elements, int64_t count)
{
    static uint16_t piece[PIECE];
    for (int64_t first = 0; first < count; first += PIECE) {
        int64_t n = count - first < PIECE ? count - first : PIECE;
        TRY(device_download(s, piece, (const uint16_t *)elements + first, (size_t)n * sizeof *piece));
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits = (uint32_t)piece[i] << 16;
            memcpy(&host[first + i], &bits, sizeof bits);
        }
    }
    return true;
}

#else

void upload_rounded(Stream *s, void *elements, const float *host, int64_t count)
{
    device_upload(s, elements, host, (size_t)count * sizeof(float));
}

bool download_widened(Stream *s, float *host, const void *elements, int64_t count)
{
    return device_download(s, host, elements, (size_t)count * sizeof(float));
}

#endif

// Assigned field by field: C++17 has no designated initialisers, and a table by position would be a trap.
Kernels make_table()
{
    Kernels k = {};
    cuda_sizes(&k, PRECISION_BITS == 32);
    k.device = device_describe;
    k.allocate = device_allocate;
    k.release = device_release;
    k.upload = device_upload;
    k.download = device_download;
    k.synchronize = device_synchronize;
    k.upload_rounded = upload_rounded;
    k.download_widened = download_widened;
    k.zero = device_zero;
    k.accumulate = accumulate;
    k.memory_available = device_memory_available;
    k.host_allocate = device_host_allocate;
    k.host_release = device_host_release;
    k.upload_later = device_upload;
    k.download_later = device_download_later;
    k.event_open = device_event_open;
    k.event_close = device_event_close;
    k.event_record = device_event_record;
    k.event_wait = device_event_wait;
    k.graph_begin = device_graph_begin;
    k.graph_end = device_graph_end;
    k.graph_launch = device_graph_launch;
    k.graph_close = device_graph_close;
    k.embedding_forward = embedding_forward;
    k.embedding_backward = embedding_backward;
    k.rows_gather = rows_gather;
    k.rows_scatter = rows_scatter;
    k.rows_fill = rows_fill;
    k.rows_sum = rows_sum;
    k.rmsnorm_forward = rmsnorm_forward;
    k.rmsnorm_backward = rmsnorm_backward;
    k.rope_table = rope_table;
    k.qk_norm_rope_forward = qk_norm_rope_forward;
    k.qk_norm_rope_backward = qk_norm_rope_backward;
    k.matmul_forward = matmul_forward;
    k.matmul_backward_input = matmul_backward_input;
    k.matmul_backward_weight = matmul_backward_weight;
    k.pages_write = pages_write;
    k.pages_copy = pages_copy;
    k.attention_forward = attention_forward;
    k.attention_backward = attention_backward;
    k.swiglu_forward = swiglu_forward;
    k.swiglu_backward = swiglu_backward;
    k.head_forward = head_forward;
    k.head_backward = head_backward;
    k.head_sample = head_sample;
    k.tokens_take = tokens_take;
    k.tokens_keep = tokens_keep;
    k.adamw = adamw;
    k.square_sums = square_sums;
    return k;
}

} // namespace PRECISION

#if PRECISION_BITS == 16

namespace fp32
{
Kernels make_table();
}

// What kernels/open.c calls: NULL after fail().
extern "C" const Kernels *kernels_cuda_open(void)
{
    static Kernels table;
    bool parity;
    if (!cuda_precision(&parity))
        return NULL;
    table = parity ? fp32::make_table() : bf16::make_table();
    // attention's backward pass over keys, with heads of 128 numbers, takes most: 103 KiB, 199 in fp32
    if (!device_open((size_t)(parity ? 200 : 104) << 10) || !bf16::product_choose())
        return NULL;
    table.arithmetic = device_arithmetic(table.arithmetic);
    return &table;
}

#endif
