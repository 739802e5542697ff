// Every operation of kernels/operations.h as a few plain loops: what the fast backends compute, without how they do it.
// Read these first. They are a backend of their own (DEREASON_CPU=naive), far too slow for a model of any use, with the
// very bits of AVX2 and AVX-512: sums run in the order that operations.h and kernels/exactness.h fix, and a fast kernel
// that differs in one bit is wrong.
//
// In floating point (a + b) + c is not a + (b + c). There are three orders of a sum, and pieces.h has the first two:
//   a chain   one accumulator from zero, k ascending, sum = fmaf(a, b, sum): what matrix products are made of. They can
//             be cut into tiles and threads between chains, never within one.
//   a row     16 accumulators ("lanes"): element c adds to lane c mod 16, and a tree adds the lanes. Vectors of 4, 8
//             and 16 numbers can all do that.
//   groups    a chain for each so many rows, then a chain of these sums: the groups can be shared out among threads.
// fmaf(a, b, c) is a · b + c, rounded once; every other operation here rounds, and compilers may fuse none.
//
// Begin with matmul.c; this file has the table of the backend. The device's memory is kernels/cpu_device.c's.
#include "kernels/cpu_device.h"
#include "kernels/naive/pieces.h"

#define OPERATION(type, name, parameters, names) static type name parameters;
#define SIZE_OPERATION(type, name, parameters) static type name parameters;
#include "kernels/operations.h"

#include "kernels/naive/matmul.c"
#include "kernels/naive/elementwise.c"
#include "kernels/naive/pages.c"
#include "kernels/naive/norm.c"
#include "kernels/naive/attention.c"
#include "kernels/naive/head.c"
#include "kernels/naive/sample.c"
#include "kernels/naive/optimizer.c"

static void upload_rounded(Stream *s, void *elements, const float *host, int64_t count)
{
    memcpy(elements, host, (size_t)count * sizeof(float)); // the activation type is fp32
}

static bool download_widened(Stream *s, float *host, const void *elements, int64_t count)
{
    return cpu_download(s, host, elements, (size_t)count * sizeof(float));
}

static const char *device(void) { return "plain loops on one thread"; }

extern const Kernels kernels_cpu_naive;
const Kernels kernels_cpu_naive = {
    .name = "cpu-naive",
    .arithmetic = "fp32, fused multiply-add",
    .activation_size = sizeof(float),
    .column_multiple = 1,
    .widest = INT64_MAX,
    .device = device,
#define OPERATION(type, name, parameters, names) .name = name,
#define DEVICE_OPERATION(type, name, parameters) .name = cpu_##name,
#define SIZE_OPERATION(type, name, parameters) .name = name,
#include "kernels/operations.h"
};
