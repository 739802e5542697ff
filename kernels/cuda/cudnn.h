// cuDNN's attention over ragged batches, as attention_cudnn.cu asks for it: plans, one for each shape, and how one is
// run. The library is opened at run time, through its graph API, and a build needs nothing of it.
#ifndef KERNELS_CUDA_CUDNN_H
#define KERNELS_CUDA_CUDNN_H

#include "kernels/cuda/operations.h"

namespace PRECISION
{

// The first whose heuristics offer a ragged, causal backward pass in one operation for compute capabilities 9.x and
// 10.x; for 8.x and 12.x 9.28.1 offers none.
enum { CUDNN_OLDEST = 92800 };

typedef void *Descriptor;

// False after fail(). cudnn_open_for, for lab/bench/cudnn_plans.cc: of a card that is not there, for plans that nobody
// runs; what it is like, as cuDNN's JSON.
bool cudnn_open(void);
bool cudnn_open_for(const char *device_json);
int cudnn_version(void); // of what is open; 92801: 9.28.1

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
