// The operations of the trainer, each of them once: kernels/operations.h lists them, with what they compute, their
// shapes, and what stays exact. A backend is a table of these functions; kernels_open chooses one at start-up: the CPU
// (kernels/cpu/, fp32) or a GPU (kernels/cuda/, bf16; fp32 for parity). Read kernels/naive.c, plain loops, first.
//
// Conventions
//   Tensor      row-major (rows, columns) in the backend's activation type; float * is always fp32. Rows are dense, or
//               columns of a wider Tensor where an operation says so.
//   Shapes      T tokens, S sequences, C width, H query heads, Hkv key/value heads, D head width, F feed-forward width,
//               V vocabulary rows, N rows that the head is asked for. (T, H, D): a Tensor of T rows and H·D columns.
//   Exact       a row of a result depends on that row's inputs alone: not on T, its place, threads or vector width.
//               The constants in kernels/exactness.h say in which order every sum runs.
//   add         gradients of parameters are finished chains that are added to what is there, once.
//   Stream      where the work is queued, in order; NULL: the default one. On the CPU a call returns when it is done.
// Arguments are checked where they come from outside: an operation cannot fail. Shapes that do not fit together are
// asserted. A device that breaks says so at the next download or synchronize.
#ifndef KERNELS_H
#define KERNELS_H

#include "base/base.h"
#include "kernels/exactness.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Stream Stream;
typedef struct Event Event;
typedef struct Graph Graph;

typedef struct Tensor {
    void *data;
    int64_t rows, columns, stride; // stride: elements from one row to the next
} Tensor;

static inline Tensor dense(void *data, int64_t rows, int64_t columns)
{
    Tensor t = {data, rows, columns, columns};
    return t;
}

// The columns from .. to - 1 of a Tensor, in place; element_size: Kernels.activation_size
static inline Tensor columns_of(Tensor t, int64_t from, int64_t to, size_t element_size)
{
    Tensor view = {(char *)t.data + (size_t)from * element_size, t.rows, to - from, t.stride};
    return view;
}

static inline bool is_dense(Tensor t) { return t.stride == t.columns; }

// Who attends to what. A sequence's keys are positions 0 .. contexts[s] + (starts[s+1] - starts[s]) - 1; its new tokens
// are the last of them, and each sees itself and everything before it. With pages all keys, the new ones too, lie in
// them, one page for each KEY_BLOCK positions, and every sequence has a new token. How a page lies in its page_elements
// is the backend's own business: qk_norm_rope_forward fills it, attention_forward reads it, pages_copy copies it.
// Without pages keys are rows of k and v. A context is then another sequence of the batch, all of it, from row
// context_rows[s] on: one that has no context itself, and stands directly before those that go on from it, as a prompt
// does before its responses. seen_until[s]: the row behind the last one that sees s's new tokens, which is the end of
// the last sequence that goes on from it, or its own. Both NULL: every context is empty.
// Sequences with one new token that stand next to each other may begin with the same pages, as the samples of a prompt
// do, and a backend may read those once for all of them: shared_pages[s] is how many pages from the first on s has in
// common with its company, all of them full and before the new tokens; shared_until[s] the sequence behind the last of
// its company, whose numbers are the same ones; without company 0 and s + 1. It changes no bit. Both NULL: no company.
// pieces is the work of those with one new token, cut for a backend that takes it so (decode_pieces.h makes the list).
enum { PAIR_BLOCK = 64 }; // queries, and keys, of a block that going back may keep in the workspace

// Such blocks of a sequence: each of its queries', and for each the keys that one of them sees, from position 0 on
static inline int64_t pair_blocks(int64_t tokens, int64_t context)
{
    int64_t queries = (tokens + PAIR_BLOCK - 1) / PAIR_BLOCK, before = (context + PAIR_BLOCK - 1) / PAIR_BLOCK;
    return queries * (queries + 1) / 2 + queries * before;
}

typedef struct DecodePiece {
    int32_t sequence, sequences; // that read it. Of element 0: how many behind it are read together, then not so
    int32_t segment, first_row;  // of KEY_SEGMENT positions; of the rows (sequences, heads of a group)
} DecodePiece;

typedef struct Attention {
    int64_t sequences, heads, kv_heads, head_width; // S, H, Hkv, D: D even, H a multiple of Hkv
    const int32_t *starts;                          // (S+1)
    const int32_t *contexts;                        // (S)
    const int32_t *context_rows, *seen_until;       // (S) only without pages; or NULL
    void *key_pages, *value_pages;                  // (pages, page_elements) in the activation type, or NULL
    const int32_t *page_table;                      // (S, pages_per_sequence): number of the page
    int64_t pages_per_sequence;
    const int32_t *shared_pages, *shared_until; // (S) only with pages; or NULL
    const DecodePiece *pieces;                  // only with pages; NULL where the backend takes no list
    float *workspace; // with pages: attention_workspace floats; without: any workspace_floats, or NULL
    int64_t workspace_floats, block_pairs; // block_pairs: pair_blocks of all sequences
    int64_t longest;                       // without pages: new tokens of the longest sequence; 0: not known
} Attention;

// How one row of the head is sampled, and what names its draw. These lie in memory of the device.
typedef struct SampleRow {
    uint64_t seed, request;   // one draw for each (seed, request, sample, position): nothing else has a part in it
    int32_t sample, position; // sample < 2^24
    float temperature;        // > 0, or 0: greedy, with the log-probabilities of temperature 1
    float top_p, min_p;       // 1 and 0: off
    int32_t top_k;            // 0: off
} SampleRow;

typedef struct AdamW {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    double gradient_scale; // what clipping multiplies the gradient by
    int64_t step;          // from 1: the bias corrections are of this step
    bool bf16_moments;     // m and v are bf16, rounded stochastically; otherwise fp32
    uint64_t seed;         // of that rounding
} AdamW;

typedef struct Kernels {
    const char *name;            // "cpu-avx512", "cuda-bf16", ...
    const char *arithmetic;      // backends of one arithmetic give the same bits
    size_t activation_size;      // bytes of one element of a Tensor: 4 (fp32) or 2 (bf16)
    int64_t column_multiple;     // the widths C, F, H·D, Hkv·D of a model are multiples of it
    int64_t widest;              // the largest C that the norms know
    const int64_t *head_widths;  // the D that attention knows, 0 behind the last; NULL: any even one
    bool on_gpu;                 // its memory is its own, and what is queued is not waited for
    const char *(*device)(void); // what computes, for people: the card and its libraries, or the number of threads
    // for people, after a step: which products a library was asked for and our own kernels make, and why; NULL: there
    // is no library
    const char *(*own_products)(void);
    const char *inexact; // for people: where "exact" above does not hold, and why; NULL: it holds everywhere
    // floats of workspace that attention without pages would have, of either pass; NULL: it needs none of its own
    int64_t (*attention_room)(int64_t tokens, int64_t sequences, int64_t heads, int64_t kv_heads, int64_t head_width);

#define OPERATION(type, name, parameters, names) type(*name) parameters;
#define DEVICE_OPERATION(type, name, parameters) type(*name) parameters;
#define GRAPH_OPERATION(type, name, parameters) type(*name) parameters;
#define SIZE_OPERATION(type, name, parameters) type(*name) parameters;
#include "kernels/operations.h" // kernels->matmul_forward(s, y, x, w, add), ...: each with its contract
} Kernels;

// device: "auto" (a GPU where there is one), "cpu" or "cuda". The CPU's best instruction set is used unless the
// environment's DEREASON_CPU says avx512, avx2, plain or naive (kernels/naive.c: the bits of AVX2, for readers and
// tests); a GPU computes in bf16 unless DEREASON_CUDA says fp32. Of several processes on a host (system/start.h,
// process_place) each takes a GPU of its own; "auto" is a GPU's for --gpus. threads: 0 for all. NULL after fail().
const Kernels *kernels_open(const char *device, int threads);

// Whose attention batches without pages have, from the next kernels_open or kernels_for_plan on. cuDNN's is a GPU's in
// bf16, opened at run time (kernels/cuda/cudnn.h); it is not exact, and does not support context_rows.
#define ATTENTION_MAKERS "own|cudnn"
typedef enum AttentionMaker { ATTENTION_OWN, ATTENTION_CUDNN } AttentionMaker;
void kernels_take_attention(AttentionMaker whose);
const char *
kernels_passed_over(void); // after "auto" chose the CPU: in a line why no GPU was taken; NULL: nothing to say
int kernels_threads(void);

// The same table for planning memory only: "cuda" need not be there, nor in this build. None of its operations may be
// called, but for memory_available; that is NULL where the device is not there.
const Kernels *kernels_for_plan(const char *device);

static inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// How many chains of NORM_ROWS rows a sum over rows begins with, and the floats of its `partial`, a row for each chain.
static inline int64_t row_groups(int64_t rows) { return ceil_divide(rows, NORM_ROWS); }
static inline int64_t partial_floats(int64_t rows, int64_t columns) { return row_groups(rows) * columns; }

#ifdef __cplusplus
}
#endif
#endif
