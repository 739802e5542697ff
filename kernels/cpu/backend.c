// The CPU backend: fp32, OpenMP. One translation unit, compiled once per instruction set (CPU_VARIANT: avx512, avx2, plain)
// with everything static but its table, so that the same source gives three backends in one program.
#include "kernels/kernels.h"
#include "system/machine.h"
#include <assert.h>
#include <omp.h>

#include "kernels/cpu/matmul.c"
#include "kernels/cpu/elementwise.c"
#include "kernels/cpu/norm.c"
#include "kernels/cpu/pages.c"
#include "kernels/cpu/attention_forward.c"
#include "kernels/cpu/attention_backward.c"
#include "kernels/cpu/head.c"
#include "kernels/cpu/sample.c"
#include "kernels/cpu/optimizer.c"

static void cpu_matmul_forward(Stream *s, Tensor y, Tensor x, Tensor w, bool add)
{
    assert(y.rows == x.rows && y.columns == w.rows && x.columns == w.columns);
    matmul_nt(y.rows, y.columns, x.columns, y.data, x.data, w.data, add);
}

static void cpu_matmul_backward_input(Stream *s, Tensor dx, Tensor dy, Tensor w, bool add)
{
    assert(dx.rows == dy.rows && dy.columns == w.rows && dx.columns == w.columns);
    matmul_nn(dx.rows, dx.columns, dy.columns, dx.data, dy.data, w.data, add);
}

static void cpu_matmul_backward_weight(Stream *s, float *dw, Tensor dy, Tensor x)
{
    assert(dy.rows == x.rows);
    matmul_tn(dy.columns, x.columns, x.rows, dw, dy.data, x.data, true);
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
    .head_widths = NULL,
    .device = cpu_device,
    .allocate = cpu_allocate,
    .release = cpu_release,
    .upload = cpu_upload,
    .download = cpu_download,
    .synchronize = cpu_synchronize,
    .upload_rounded = cpu_upload_rounded,
    .download_widened = cpu_download_widened,
    .zero = cpu_zero,
    .accumulate = cpu_accumulate,
    .memory_available = memory_available,
    .host_allocate = cpu_allocate,
    .host_release = cpu_release,
    .upload_later = cpu_upload,
    .download_later = cpu_download_later,
    .event_open = cpu_event_open,
    .event_close = cpu_event_close,
    .event_record = cpu_event_record,
    .event_wait = cpu_event_wait,
    .embedding_forward = cpu_embedding_forward,
    .embedding_backward = cpu_embedding_backward,
    .rows_gather = cpu_rows_gather,
    .rows_scatter = cpu_rows_scatter,
    .rows_fill = cpu_rows_fill,
    .rows_sum = cpu_rows_sum,
    .rmsnorm_forward = cpu_rmsnorm_forward,
    .rmsnorm_backward = cpu_rmsnorm_backward,
    .rope_table = cpu_rope_table,
    .qk_norm_rope_forward = cpu_qk_norm_rope_forward,
    .qk_norm_rope_backward = cpu_qk_norm_rope_backward,
    .matmul_forward = cpu_matmul_forward,
    .matmul_backward_input = cpu_matmul_backward_input,
    .matmul_backward_weight = cpu_matmul_backward_weight,
    .page_elements = cpu_page_elements,
    .pages_write = cpu_pages_write,
    .pages_copy = cpu_pages_copy,
    .attention_workspace = cpu_attention_workspace,
    .attention_forward = cpu_attention_forward,
    .attention_backward = cpu_attention_backward,
    .swiglu_forward = cpu_swiglu_forward,
    .swiglu_backward = cpu_swiglu_backward,
    .head_workspace = cpu_head_workspace,
    .head_forward = cpu_head_forward,
    .head_backward = cpu_head_backward,
    .sample_workspace = cpu_sample_workspace,
    .head_sample = cpu_head_sample,
    .tokens_take = cpu_tokens_take,
    .tokens_keep = cpu_tokens_keep,
    .adamw = cpu_adamw,
    .square_sums = cpu_square_sums,
};
