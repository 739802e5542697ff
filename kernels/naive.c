// Every operation of kernels/kernels.h as a few plain loops: what the fast backends compute, without how they do it. Read these
// first. They are a backend of their own (DEREASON_CPU=naive), far too slow for a model of any use, with the very bits of AVX2
// and AVX-512: sums run in the order that kernels.h and kernels/exactness.h fix, and a fast kernel that differs in one bit is
// wrong.
//
// In floating point (a + b) + c is not a + (b + c). There are three orders of a sum, and pieces.h has the first two:
//   a chain   one accumulator from zero, k ascending, sum = fmaf(a, b, sum): what matrix products are made of. They can be cut into
//             tiles and threads between chains, never within one.
//   a row     16 accumulators ("lanes"): element c adds to lane c mod 16, and a tree adds the lanes. Vectors of 4, 8 and 16 numbers
//             can all do that.
//   groups    a chain for each so many rows, then a chain of these sums: the groups can be shared out among threads.
// fmaf(a, b, c) is a · b + c, rounded once; every other operation here rounds, and compilers are forbidden to fuse them.
//
// Begin with matmul.c; this file has what is left: the device's memory, which is the machine's, and the table of the backend.
#include "kernels/naive/pieces.h"
#include "system/machine.h"

#include "kernels/naive/matmul.c"
#include "kernels/naive/elementwise.c"
#include "kernels/naive/norm.c"
#include "kernels/naive/attention.c"
#include "kernels/naive/head.c"
#include "kernels/naive/sample.c"
#include "kernels/naive/optimizer.c"

// Everything is done when a call returns, so there is nothing to wait for.

static void *take(size_t bytes) { return allocate(bytes, 1); }
static void copy(Stream *s, void *to, const void *from, size_t bytes) { memcpy(to, from, bytes); }
static void zero(Stream *s, void *p, size_t bytes) { memset(p, 0, bytes); }
static bool synchronize(Stream *s) { return true; }

static bool download(Stream *s, void *host, const void *device, size_t bytes)
{
    memcpy(host, device, bytes);
    return true;
}

static void upload_rounded(Stream *s, void *elements, const float *host, int64_t count)
{
    memcpy(elements, host, (size_t)count * sizeof(float)); // the activation type is fp32
}

static bool download_widened(Stream *s, float *host, const void *elements, int64_t count)
{
    return download(s, host, elements, (size_t)count * sizeof(float));
}

static Event *event_open(void)
{
    static int nothing;
    return (Event *)&nothing;
}
static void event_close(Event *e) {}
static void event_record(Stream *s, Event *e) {}
static bool event_wait(Event *e) { return true; }

static const char *device(void) { return "plain loops on one thread"; }

extern const Kernels kernels_cpu_naive;
const Kernels kernels_cpu_naive = {
    .name = "cpu-naive",
    .arithmetic = "fp32, fused multiply-add",
    .activation_size = sizeof(float),
    .column_multiple = 1,
    .widest = INT64_MAX,
    .device = device,
    .allocate = take,
    .release = free,
    .upload = copy,
    .download = download,
    .synchronize = synchronize,
    .upload_rounded = upload_rounded,
    .download_widened = download_widened,
    .zero = zero,
    .accumulate = accumulate,
    .memory_available = memory_available,
    .host_allocate = take,
    .host_release = free,
    .upload_later = copy,
    .download_later = copy,
    .event_open = event_open,
    .event_close = event_close,
    .event_record = event_record,
    .event_wait = event_wait,
    .embedding_forward = embedding_forward,
    .embedding_backward = embedding_backward,
    .rows_gather = rows_gather,
    .rows_scatter = rows_scatter,
    .rows_fill = rows_fill,
    .rows_sum = rows_sum,
    .rmsnorm_forward = rmsnorm_forward,
    .rmsnorm_backward = rmsnorm_backward,
    .rope_table = rope_table,
    .qk_norm_rope_forward = qk_norm_rope_forward,
    .qk_norm_rope_backward = qk_norm_rope_backward,
    .matmul_forward = matmul_forward,
    .matmul_backward_input = matmul_backward_input,
    .matmul_backward_weight = matmul_backward_weight,
    .page_elements = page_elements,
    .pages_write = pages_write,
    .pages_copy = pages_copy,
    .attention_workspace = attention_workspace,
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .swiglu_forward = swiglu_forward,
    .swiglu_backward = swiglu_backward,
    .head_workspace = head_workspace,
    .head_forward = head_forward,
    .head_backward = head_backward,
    .sample_workspace = sample_workspace,
    .head_sample = head_sample,
    .tokens_take = tokens_take,
    .tokens_keep = tokens_keep,
    .adamw = adamw,
    .square_sums = square_sums,
};
