// cuDNN's attention over ragged batches, as attention_cudnn.cu asks for it: plans, one for each shape, and how one is
// run. The library is opened at run time, through its graph API, and a build needs nothing of it: the little that is
// called is declared here and in cudnn_plan.cu, with the names (without CUDNN_ in front) and the numbers of
// cudnn_graph_v9.h in version 9.28.1 (package nvidia-cudnn-cu13), which hold for all of version 9.
#ifndef KERNELS_CUDA_CUDNN_H
#define KERNELS_CUDA_CUDNN_H

#include "kernels/cuda/operations.h"

namespace PRECISION
{

// The first whose heuristics offer a ragged, causal backward pass in one operation for compute capabilities 9.x and
// 10.x; for 8.x and 12.x 9.28.1 offers none.
enum { CUDNN_OLDEST = 92800 };

typedef void *Descriptor;

// clang-format off
#define CUDNN_FUNCTIONS(F) \
    F(size_t, cudnnGetVersion, (void)) \
    F(size_t, cudnnGetCudartVersion, (void)) \
    F(int, cudnnCreate, (void **handle)) \
    F(int, cudnnSetStream, (void *handle, void *stream)) \
    F(void, cudnnGetLastErrorString, (char *message, size_t size)) \
    F(int, cudnnBackendCreateDescriptor, (int kind, Descriptor *d)) \
    F(int, cudnnBackendDestroyDescriptor, (Descriptor d)) \
    F(int, cudnnBackendSetAttribute, (Descriptor d, int name, int type, int64_t count, const void *values)) \
    F(int, cudnnBackendGetAttribute, (Descriptor d, int name, int type, int64_t most, int64_t *count, void *values)) \
    F(int, cudnnBackendFinalize, (Descriptor d)) \
    F(int, cudnnBackendExecute, (void *handle, Descriptor plan, Descriptor arrays))
// clang-format on

typedef struct Cudnn {
#define MEMBER(type, name, parameters) type(*name) parameters;
    CUDNN_FUNCTIONS(MEMBER)
#undef MEMBER
    int version; // 92801: 9.28.1. 0: not open
    void *handle;
    Descriptor device; // that plans are for; NULL: the handle's
} Cudnn;

// NULL after fail(). Of a card that is not there, for plans that nobody runs: what it is like, as cuDNN's JSON.
const Cudnn *cudnn_open(void);
const Cudnn *cudnn_open_for(const char *device_json);

// The arrays of an attention. Those up to LOGSUMEXP are all that going forward takes.
typedef enum AttentionArray {
    QUERIES,
    KEYS,
    VALUES,
    OUTPUT,
    LOGSUMEXP,
    DOUTPUT,
    DQUERIES,
    DKEYS,
    DVALUES,
    ATTENTION_ARRAYS
} AttentionArray;

// What a plan is for: sequences, and their positions, up to so many, and going back so many tokens in all; and how many
// elements lie between two tokens of an array. No byte of it is padding: shapes are compared as bytes.
typedef struct AttentionShape {
    int64_t backward, sequences, positions, tokens, heads, kv_heads, head_width, pitch[ATTENTION_ARRAYS];
} AttentionShape;

typedef struct AttentionPlan {
    AttentionShape shape;
    Descriptor made[128]; // everything that it consists of
    int count;
    Descriptor plan;  // NULL: there is none
    size_t workspace; // bytes
} AttentionPlan;

// Made once, which takes a second, and kept until another takes its place. NULL after fail(): this version has none for
// this shape on this card.
const AttentionPlan *cudnn_plan(const AttentionShape *shape);

// On the device. lengths (sequences) int32, of those that there are not 0; offsets (ATTENTION_ARRAYS, sequences + 1)
// int64: elements from an array's first to a sequence's first.
typedef struct AttentionCall {
    void *arrays[ATTENTION_ARRAYS], *lengths, *workspace;
    int64_t *offsets;
} AttentionCall;

bool cudnn_run(Stream *s, const AttentionPlan *plan, const AttentionCall *call); // false after fail()

} // namespace PRECISION

#endif
