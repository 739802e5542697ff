// The table of the CUDA backend in this build's precision, and how fp32 numbers on the host become its elements.
// kernels_cuda_open, at the end of the bf16 build, chooses between the two precisions.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/hopper.h"
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

// Assigned field by field: C++17 has no designated initialisers.
Kernels make_table()
{
    Kernels table = {};
    cuda_sizes(&table, PRECISION_BITS == 32);
    table.device = device_describe;
    table.own_products = product_own_shapes;
#define OPERATION(type, name, parameters, names) table.name = name;
#define DEVICE_OPERATION(type, name, parameters) table.name = device_##name;
#define GRAPH_OPERATION(type, name, parameters) table.name = device_##name;
#include "kernels/operations.h"
    return table;
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
    if (!device_open((size_t)(parity ? 200 : 104) << 10) || !bf16::product_choose() || !bf16::hopper_wish_is_known())
        return NULL;
#if defined(__CUDACC__) // under SIMT the tests compare them, and programs are started often
    if (!parity)
        bf16::hopper_try();
#endif
    table.arithmetic = device_arithmetic(table.arithmetic);
    return &table;
}

#endif
