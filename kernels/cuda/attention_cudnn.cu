// Attention of batches without pages by cuDNN (cudnn.h) in place of ours: a second table of the bf16 backend, for
// whoever wants cuDNN's speed, or something to check us against. In pages, where the sampler decodes, attention stays
// our own. What our own promises does not hold here: a row's bits may depend on the batch around it, and gradients on
// the run, as queries' are added up in an order that cuDNN says nothing of.
//
// Batches are ragged, and a plan takes a second to make. So a plan is for up to so many sequences of up to so many
// tokens, both rounded up to a power of two, and for tokens rounded up by a quarter of one at most; sequences that
// there are not have length 0 and stand behind the last (NVIDIA's Transformer Engine pads its batches so, too). No card
// has run this yet: lab/NOTES.md, 2026-11-30.
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/element.cuh"
#include <assert.h>
#include <stdio.h>
#include <string.h>

namespace PRECISION
{

enum { THREADS = 128 };

struct Layout {
    const int32_t *starts;
    int64_t sequences, room, pitch[ATTENTION_ARRAYS]; // room: sequences of the plan
    int64_t *offsets;
    int32_t *lengths;
};

static __global__ void __launch_bounds__(THREADS) layout_kernel(Layout l)
{
    int64_t s = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (s > l.room)
        return;
    int64_t first = l.starts[s < l.sequences ? s : l.sequences];
    if (s < l.room)
        l.lengths[s] = s < l.sequences ? l.starts[s + 1] - (int32_t)first : 0;
    for (int i = 0; i < ATTENTION_ARRAYS; i++)
        l.offsets[i * (l.room + 1) + s] = first * l.pitch[i];
}

// What a plan works in, and behind it the offsets and lengths: of the memory that the caller lends, or of our own.
static char *take_room(const Attention *a, size_t bytes)
{
    static void *own;
    static size_t own_bytes;
    if (a->workspace != NULL && (uintptr_t)a->workspace % 256 == 0 &&
        bytes <= (size_t)a->workspace_floats * sizeof(float))
        return (char *)a->workspace;
    if (bytes > own_bytes) {
        if (own != NULL)
            device_release(own);
        own = device_allocate(bytes);
        own_bytes = own == NULL ? 0 : bytes;
        if (own == NULL)
            fail_in("cuDNN's attention works in more than was planned; take fewer --micro-batch-tokens");
    }
    return (char *)own;
}

// An operation cannot fail: what it was refused is kept, nothing more is asked, and the next download fails with it.
static void attend(Stream *s, const AttentionShape &shape, AttentionCall *call, const Attention *a)
{
    const int64_t S = shape.sequences;
    if (device_refused(false))
        return;
    const AttentionPlan *plan = cudnn_plan(&shape);
    size_t works = plan == NULL ? 0 : cudnn_aligned(plan->workspace);
    char *room = plan == NULL ? NULL : take_room(a, works + (size_t)cudnn_layout_bytes(S));
    if (room != NULL) {
        Layout layout = {a->starts, a->sequences, S, {}, (int64_t *)(room + works), NULL};
        memcpy(layout.pitch, shape.pitch, sizeof layout.pitch);
        layout.lengths = (int32_t *)(layout.offsets + ATTENTION_ARRAYS * (S + 1));
        call->offsets = layout.offsets;
        call->lengths = layout.lengths;
        call->workspace = room;
        launch(s, ceil_divide(S + 1, THREADS), THREADS, 0, layout_kernel, layout);
    }
    if (room == NULL || !cudnn_run(s, plan, call))
        device_refuse(error_text());
}

static AttentionShape shape_of(const Attention *a, int64_t tokens, bool backward)
{
    AttentionShape shape = {};
    shape.backward = backward;
    shape.sequences = power_of_two(a->sequences);
    shape.positions = power_of_two(larger(a->longest > 0 ? a->longest : tokens, 128));
    shape.tokens = backward ? cudnn_tokens(tokens) : 0;
    shape.heads = a->heads, shape.kv_heads = a->kv_heads, shape.head_width = a->head_width;
    return shape;
}

static void put(AttentionShape *shape, AttentionCall *call, AttentionArray which, Tensor t)
{
    shape->pitch[which] = t.stride;
    call->arrays[which] = t.data;
}

static void put_forward(AttentionShape *shape, AttentionCall *call, Tensor out, const float *logsumexp, Tensor q,
                        Tensor k, Tensor v)
{
    put(shape, call, QUERIES, q);
    put(shape, call, KEYS, k);
    put(shape, call, VALUES, v);
    put(shape, call, OUTPUT, out);
    put(shape, call, LOGSUMEXP, dense((void *)logsumexp, q.rows, shape->heads));
}

// No context either: cuDNN does not support prompts that responses share.
static void assert_known(const Attention *a) { assert(a->key_pages == NULL && a->context_rows == NULL); }

static void forward_by_cudnn(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a)
{
    if (a->key_pages != NULL) {
        attention_forward(s, out, logsumexp, q, k, v, a);
        return;
    }
    assert_known(a);
    if (q.rows == 0)
        return;
    AttentionShape shape = shape_of(a, q.rows, false);
    AttentionCall call = {};
    put_forward(&shape, &call, out, logsumexp, q, k, v);
    attend(s, shape, &call, a);
}

static void backward_by_cudnn(Stream *s, Tensor dq, Tensor dk, Tensor dv, float *, Tensor dout, Tensor q, Tensor k,
                              Tensor v, Tensor out, const float *logsumexp, const Attention *a)
{
    assert_known(a);
    if (q.rows == 0)
        return;
    AttentionShape shape = shape_of(a, q.rows, true);
    AttentionCall call = {};
    put_forward(&shape, &call, out, logsumexp, q, k, v);
    put(&shape, &call, DOUTPUT, dout);
    put(&shape, &call, DQUERIES, dq);
    put(&shape, &call, DKEYS, dk);
    put(&shape, &call, DVALUES, dv);
    attend(s, shape, &call, a);
}

// Both directions of a small batch, so that a card for which cuDNN has nothing is known before a run begins.
static bool there_are_plans()
{
    const int64_t D = 128;
    for (int64_t backward = 0; backward < 2; backward++) {
        AttentionShape shape = {backward, 1, 128, backward ? 1024 : 0, 2, 1, D, {}};
        for (int i = 0; i < (backward ? (int)ATTENTION_ARRAYS : LOGSUMEXP + 1); i++)
            shape.pitch[i] = i == LOGSUMEXP ? 2 : 4 * D;
        TRY(cudnn_plan(&shape) != NULL);
    }
    return true;
}

static const Kernels *table_by_cudnn(const Kernels *own)
{
    static Kernels table;
    static char arithmetic[160];
    if (!cudnn_open() || !there_are_plans())
        return NULL;
    table = *own;
    table.attention_forward = forward_by_cudnn;
    table.attention_backward = backward_by_cudnn;
    cudnn_sizes(&table);
    snprintf(arithmetic, sizeof arithmetic, "%s; attention by cuDNN %d.%d.%d, exact = false", own->arithmetic,
             cudnn_version() / 10000, cudnn_version() / 100 % 100, cudnn_version() % 100);
    table.arithmetic = arithmetic;
    return &table;
}

} // namespace PRECISION

// What kernels/open.c calls. NULL after fail()
extern "C" const Kernels *kernels_cuda_cudnn(const Kernels *own)
{
    const Kernels *kernels = bf16::table_by_cudnn(own);
    if (kernels == NULL)
        fail("--attention cudnn: %s; or give --attention own", error_text());
    return kernels;
}
