// The CPU backend as if it were a GPU: only its operations can touch its memory, so that any access by the host is a
// fault. guarded_kernels stores weights in fp32; guarded_bf16_kernels in bf16 beside a master, for tests of how state
// is stored: it has no forward pass.
#ifndef TEST_GUARDED_H
#define TEST_GUARDED_H

#include "test/support/check.h"
#include "kernels/kernels.h"
#include "test/support/bf16.h"
#include <sys/mman.h>

enum { GUARDED_REGIONS = 64 };

static const Kernels *guarded_real;
static struct {
    void *memory;
    size_t bytes;
} guarded_regions[GUARDED_REGIONS];

static void guard(int protection)
{
    for (int i = 0; i < GUARDED_REGIONS; i++)
        if (guarded_regions[i].memory != NULL)
            assert_int_equal(mprotect(guarded_regions[i].memory, guarded_regions[i].bytes, protection), 0);
}

static void *guarded_allocate(size_t bytes)
{
    int i = 0;
    while (guarded_regions[i].memory != NULL)
        assert_true(++i < GUARDED_REGIONS);
    void *p = mmap(NULL, bytes + 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    guarded_regions[i].memory = p;
    guarded_regions[i].bytes = bytes + 1;
    return p;
}

static void guarded_release(void *p)
{
    for (int i = 0; i < GUARDED_REGIONS; i++)
        if (guarded_regions[i].memory == p) {
            munmap(p, guarded_regions[i].bytes);
            guarded_regions[i].memory = NULL;
        }
}

#define GUARDED(operation, parameters, arguments)                                                                      \
    static void guarded_##operation parameters                                                                         \
    {                                                                                                                  \
        guard(PROT_READ | PROT_WRITE);                                                                                 \
        guarded_real->operation arguments;                                                                             \
        guard(PROT_NONE);                                                                                              \
    }

GUARDED(upload, (Stream * s, void *d, const void *h, size_t n), (s, d, h, n))
GUARDED(zero, (Stream * s, void *p, size_t n), (s, p, n))
GUARDED(accumulate, (Stream * s, float *u, const float *x, int64_t n), (s, u, x, n))
GUARDED(embedding_forward, (Stream * s, Tensor y, Tensor t, const int32_t *i), (s, y, t, i))
GUARDED(embedding_backward, (Stream * s, float *d, Tensor dy, const int32_t *i, int32_t *w), (s, d, dy, i, w))
GUARDED(rows_gather, (Stream * s, Tensor y, Tensor x, const int32_t *r), (s, y, x, r))
GUARDED(rows_scatter, (Stream * s, Tensor dx, Tensor dy, const int32_t *r), (s, dx, dy, r))
GUARDED(rows_fill, (Stream * s, Tensor y, Tensor r), (s, y, r))
GUARDED(rows_scale, (Stream * s, Tensor y, float f), (s, y, f))
GUARDED(rows_sum, (Stream * s, float *d, float *p, Tensor dy), (s, d, p, dy))
GUARDED(rmsnorm_forward, (Stream * s, Tensor y, Tensor u, float *r, Tensor x, Tensor z, Tensor w, float e),
        (s, y, u, r, x, z, w, e))
GUARDED(rmsnorm_backward,
        (Stream * s, Tensor dx, float *dw, float *p, Tensor dy, Tensor du, Tensor u, Tensor w, const float *r),
        (s, dx, dw, p, dy, du, u, w, r))
GUARDED(rope_table, (Stream * s, float *c, float *i, int64_t p, int64_t d, double t), (s, c, i, p, d, t))
GUARDED(qk_norm_rope_forward,
        (Stream * s, Tensor y, float *r, Tensor x, Tensor v, Tensor w, const float *c, const float *i, const int32_t *p,
         const Attention *a, float e),
        (s, y, r, x, v, w, c, i, p, a, e))
GUARDED(qk_norm_rope_backward,
        (Stream * s, Tensor dx, float *dv, float *dw, float *q, Tensor dy, Tensor x, Tensor v, Tensor w, const float *r,
         const float *c, const float *i, const int32_t *p, const Attention *a),
        (s, dx, dv, dw, q, dy, x, v, w, r, c, i, p, a))
GUARDED(matmul_forward, (Stream * s, Tensor y, Tensor x, Tensor w, bool add), (s, y, x, w, add))
GUARDED(matmul_backward_input, (Stream * s, Tensor dx, Tensor dy, Tensor w, bool add), (s, dx, dy, w, add))
GUARDED(matmul_backward_weight, (Stream * s, float *dw, Tensor dy, Tensor x, int64_t room, bool add),
        (s, dw, dy, x, room, add))
GUARDED(attention_forward, (Stream * s, Tensor o, float *l, Tensor q, Tensor k, Tensor v, const Attention *a),
        (s, o, l, q, k, v, a))
GUARDED(attention_backward,
        (Stream * s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor d, Tensor q, Tensor k, Tensor v, Tensor o,
         const float *l, const Attention *a),
        (s, dq, dk, dv, delta, d, q, k, v, o, l, a))
GUARDED(matmul_swiglu_forward, (Stream * s, Tensor y, Tensor g, Tensor x, Tensor w, bool keep), (s, y, g, x, w, keep))
GUARDED(swiglu_forward, (Stream * s, Tensor y, Tensor g, Tensor u), (s, y, g, u))
GUARDED(swiglu_backward, (Stream * s, Tensor dg, Tensor du, Tensor dy, Tensor g, Tensor u), (s, dg, du, dy, g, u))
GUARDED(head_forward,
        (Stream * s, float *p, float *e, float *l, int32_t *b, Tensor x, Tensor w, const int32_t *t, float c, int64_t n,
         float *work),
        (s, p, e, l, b, x, w, t, c, n, work))
GUARDED(head_backward,
        (Stream * s, Tensor dx, float *dw, Tensor x, Tensor w, const int32_t *t, float c, int64_t n, const float *l,
         const float *e, const float *dp, const float *de, float *work),
        (s, dx, dw, x, w, t, c, n, l, e, dp, de, work))
GUARDED(head_forward_backward,
        (Stream * s, float *p, float *e, float *l, Tensor dx, float *dw, Tensor x, Tensor w, const int32_t *t, float u,
         int64_t n, const float *dp, const float *de, float *work),
        (s, p, e, l, dx, dw, x, w, t, u, n, dp, de, work))
GUARDED(adamw,
        (Stream * s, void *w, float *w32, void *m, void *v, const float *g, int64_t n, const AdamW *a, int64_t t,
         int64_t o),
        (s, w, w32, m, v, g, n, a, t, o))
GUARDED(square_sums, (Stream * s, float *u, const float *x, int64_t n), (s, u, x, n))

static bool guarded_download(Stream *s, void *host, const void *device, size_t bytes)
{
    guard(PROT_READ);
    bool ok = guarded_real->download(s, host, device, bytes);
    guard(PROT_NONE);
    return ok;
}

static void guarded_upload_rounded(Stream *s, void *elements, const float *host, int64_t count)
{
    guarded_upload(s, elements, host, (size_t)count * sizeof *host);
}

static bool guarded_download_widened(Stream *s, float *host, const void *elements, int64_t count)
{
    return guarded_download(s, host, elements, (size_t)count * sizeof *host);
}

static inline Kernels guarded_kernels(void)
{
    guarded_real = kernels_open("cpu", 2);
    Kernels k = *guarded_real;
    k.allocate = guarded_allocate;
    k.release = guarded_release;
    k.download = guarded_download;
    k.upload_rounded = guarded_upload_rounded;
    k.download_widened = guarded_download_widened;
#define USE(operation) k.operation = guarded_##operation
    USE(upload), USE(zero), USE(accumulate), USE(embedding_forward), USE(embedding_backward), USE(rows_gather);
    USE(rows_scatter), USE(rows_fill), USE(rows_sum), USE(rows_scale), USE(rmsnorm_forward), USE(rmsnorm_backward),
        USE(rope_table);
    USE(qk_norm_rope_forward), USE(qk_norm_rope_backward), USE(matmul_forward), USE(matmul_backward_input);
    USE(matmul_backward_weight), USE(attention_forward), USE(attention_backward), USE(swiglu_forward),
        USE(swiglu_backward), USE(matmul_swiglu_forward);
    USE(head_forward), USE(head_backward), USE(head_forward_backward), USE(adamw), USE(square_sums);
#undef USE
    return k;
}

// ---- weights in bf16

static void bf16_upload_rounded(Stream *s, void *elements, const float *host, int64_t count)
{
    guard(PROT_READ | PROT_WRITE);
    for (int64_t i = 0; i < count; i++)
        ((uint16_t *)elements)[i] = nearest_bf16(host[i]);
    guard(PROT_NONE);
}

static bool bf16_download_widened(Stream *s, float *host, const void *elements, int64_t count)
{
    guard(PROT_READ);
    for (int64_t i = 0; i < count; i++)
        host[i] = widened(((const uint16_t *)elements)[i]);
    guard(PROT_NONE);
    return true;
}

static void bf16_adamw(Stream *s, void *weight, float *master, void *m, void *v, const float *gradient, int64_t count,
                       const AdamW *settings, int64_t tensor, int64_t offset)
{
    guarded_adamw(s, master, master, m, v, gradient, count, settings, tensor, offset);
    guard(PROT_READ | PROT_WRITE);
    for (int64_t i = 0; i < count; i++)
        ((uint16_t *)weight)[i] = nearest_bf16(master[i]);
    guard(PROT_NONE);
}

static inline Kernels guarded_bf16_kernels(void)
{
    static const int64_t head_widths[] = {64, 128, 0};
    Kernels k = guarded_kernels();
    k.name = "test-bf16";
    k.activation_size = sizeof(uint16_t);
    k.column_multiple = 8;
    k.head_widths = head_widths;
    k.upload_rounded = bf16_upload_rounded;
    k.download_widened = bf16_download_widened;
    k.adamw = bf16_adamw;
    return k;
}

#endif
