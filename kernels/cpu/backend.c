// The CPU backend: fp32, OpenMP. One translation unit, compiled once per instruction set (CPU_VARIANT: avx512, avx2,
// plain) with everything static but its table, so that the same source gives three backends in one program.
#include "kernels/cpu_device.h"
#include <assert.h>
#include <omp.h>

#define OPERATION(type, name, parameters, names) static type cpu_##name parameters;
#define SIZE_OPERATION(type, name, parameters) static type cpu_##name parameters;
#include "kernels/operations.h"

#include "kernels/cpu/matmul.c"
#include "kernels/cpu/elementwise.c"
#include "kernels/cpu/pages.c"
#include "kernels/cpu/norm.c"
#include "kernels/cpu/attention_forward.c"
#include "kernels/cpu/attention_backward.c"
#include "kernels/cpu/head.c"
#include "kernels/cpu/sample.c"
#include "kernels/cpu/optimizer.c"

static void cpu_matmul_forward(Stream *s, Tensor y, Tensor x, Tensor w, bool add)
{
    assert(y.rows == x.rows && y.columns == w.rows && x.columns == w.columns && is_dense(w));
    matmul_nt(y, x, w, add);
}

static void cpu_matmul_backward_input(Stream *s, Tensor dx, Tensor dy, Tensor w, bool add)
{
    assert(dx.rows == dy.rows && dy.columns == w.rows && dx.columns == w.columns && is_dense(w));
    matmul_nn(dx, dy, w, add);
}

static void cpu_matmul_backward_weight(Stream *s, float *dw, Tensor dy, Tensor x, int64_t room, bool add)
{
    assert(dy.rows == x.rows);
    if (!add)
        cpu_zero(s, dw, (size_t)(dy.columns * x.columns) * sizeof(float));
    matmul_tn(dense(dw, dy.columns, x.columns), dy, x, true);
}

static void cpu_matmul_swiglu_forward(Stream *s, Tensor y, Tensor gate_up, Tensor x, Tensor w, bool keep)
{
    int64_t F = y.columns;
    cpu_matmul_forward(s, gate_up, x, w, false);
    cpu_swiglu_forward(s, y, columns_of(gate_up, 0, F, sizeof(float)), columns_of(gate_up, F, 2 * F, sizeof(float)));
}

static const char *cpu_device(void)
{
    static char text[32];
    int threads = kernels_threads();
    snprintf(text, sizeof text, "%d thread%s", threads, threads == 1 ? "" : "s");
    return text;
}

#define TABLE_NAME_(variant) kernels_cpu_##variant
#define TABLE_NAME(variant) TABLE_NAME_(variant)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

extern const Kernels TABLE_NAME(CPU_VARIANT);
const Kernels TABLE_NAME(CPU_VARIANT) = {
    .name = "cpu-" TEXT(CPU_VARIANT),
#if VL >= 8
    .arithmetic = "fp32, fused multiply-add",
#else
    .arithmetic = "fp32, plain build",
#endif
    .activation_size = sizeof(float),
    .column_multiple = 1,
    .widest = INT64_MAX,
    .device = cpu_device,
#define OPERATION(type, name, parameters, names) .name = cpu_##name,
#define DEVICE_OPERATION(type, name, parameters) .name = cpu_##name,
#define SIZE_OPERATION(type, name, parameters) .name = cpu_##name,
#include "kernels/operations.h"
};
