// Every operation of the trainer, once: what it computes, its shapes, and what stays exact. A backend is a table of these
// functions; kernels_open chooses one at start-up: the CPU (kernels/cpu/, fp32) or a GPU (kernels/cuda/, bf16; fp32 for parity).
// kernels/naive.c has them all as plain loops, to be read first.
//
// Conventions
//   Tensor      row-major (rows, columns), dense, in the backend's activation type; float * is always fp32.
//   Shapes      T tokens, S sequences, C width, H query heads, Hkv key/value heads, D head width, F feed-forward width,
//               V vocabulary rows, N rows that the head is asked for. A (T, H, D) array is a Tensor of T rows and H·D columns.
//   Exact       a row of a result depends on that row's inputs alone: not on T, its place, threads or vector width.
//               The constants in kernels/exactness.h say in which order every sum runs.
//   add         gradients of parameters are finished chains that are added to what is there, once.
//   Stream      where the work is queued, in order; NULL: the default one. On the CPU a call returns when it is done.
// Arguments are checked where they come from outside: an operation cannot fail. Shapes that do not fit together are asserted.
// A device that breaks says so at the next download or synchronize.
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
    int64_t rows, columns;
} Tensor;

// Who attends to what. A sequence's keys are positions 0 .. contexts[s] + (starts[s+1] - starts[s]) - 1; its new tokens are the
// last of them, and each sees itself and everything before it. Without pages every context is empty and the keys are the rows
// of k and v; with pages all keys, the new ones too, lie in them, one page for each KEY_BLOCK positions, and every sequence has a
// new token. How a page lies in its page_elements is the backend's own business: pages_write fills it, attention_forward reads it,
// pages_copy copies it.
typedef struct Attention {
    int64_t sequences, heads, kv_heads, head_width; // S, H, Hkv, D: D even, H a multiple of Hkv
    const int32_t *starts;                          // (S+1)
    const int32_t *contexts;                        // (S)
    void *key_pages, *value_pages;                  // (pages, page_elements) in the activation type, or NULL
    const int32_t *page_table;                      // (S, pages_per_sequence): number of the page
    int64_t pages_per_sequence;
    float *workspace; // attention_workspace floats; only with pages
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

    // ---- memory of the device

    void *(*allocate)(size_t bytes); // zeroed, 64-byte aligned (a GPU: 256); NULL after fail()
    void (*release)(void *p);
    // upload returns when host may be written again, download when it may be read, synchronize when all that is queued is done;
    // upload_rounded turns fp32 into the activation type (to nearest even), download_widened the other way (exact). False comes
    // after fail().
    void (*upload)(Stream *s, void *device, const void *host, size_t bytes);
    bool (*download)(Stream *s, void *host, const void *device, size_t bytes);
    bool (*synchronize)(Stream *s);
    void (*upload_rounded)(Stream *s, void *elements, const float *host, int64_t count);
    bool (*download_widened)(Stream *s, float *host, const void *elements, int64_t count);
    void (*zero)(Stream *s, void *p, size_t bytes);
    void (*accumulate)(Stream *s, float *sum, const float *x, int64_t count); // sum += x
    size_t (*memory_available)(void);                                         // bytes that allocate could give now

    // ---- work that the host does not wait for: copies from and to host_allocate's memory, which is left alone until an event
    // behind them has been waited for. event_wait is false after fail(), when something before the event went wrong.

    void *(*host_allocate)(size_t bytes); // zeroed; NULL after fail()
    void (*host_release)(void *p);
    void (*upload_later)(Stream *s, void *device, const void *host, size_t bytes);
    void (*download_later)(Stream *s, void *host, const void *device, size_t bytes);
    Event *(*event_open)(void); // NULL after fail()
    void (*event_close)(Event *e);
    void (*event_record)(Stream *s, Event *e);
    bool (*event_wait)(Event *e);

    // ---- graphs: operations that are queued between begin and end are taken down instead of done, and graph_launch does them all,
    // on the same arguments, for the price of one. They are operations that have run before, uploads and downloads apart. All
    // four are NULL where nothing would be gained.

    bool (*graph_begin)(Stream *s);
    Graph *(*graph_end)(Stream *s); // NULL after fail()
    void (*graph_launch)(Stream *s, Graph *g);
    void (*graph_close)(Graph *g);

    // ---- embedding:  y[t] = table[ids[t]]
    // backward: each vocabulary row's chain over its tokens, ascending from zero, is added to dtable once.
    // y, dy (T, C); table (V, C); ids (T), all of them in [0, V); scratch (2·T)

    void (*embedding_forward)(Stream *s, Tensor y, Tensor table, const int32_t *ids);
    void (*embedding_backward)(Stream *s, float *dtable, Tensor dy, const int32_t *ids, int32_t *scratch);

    // ---- rows:  gather: y[n] = x[rows[n]];  scatter: dx[rows[n]] = dy[n], every other row zero; there rows ascend, none twice
    // A bias under a matrix product (which then adds):  fill: every row of y = row;  and its gradient, sum: drow += Σ dy[t], in
    // groups of NORM_ROWS rows ascending, then the groups, from zero.
    // y, dy (T, N); row (1, N); drow (N); partial (ceil(T / NORM_ROWS), N) is scratch.

    void (*rows_gather)(Stream *s, Tensor y, Tensor x, const int32_t *rows);
    void (*rows_scatter)(Stream *s, Tensor dx, Tensor dy, const int32_t *rows);
    void (*rows_fill)(Stream *s, Tensor y, Tensor row);
    void (*rows_sum)(Stream *s, float *drow, float *partial, Tensor dy);

    // ---- RMSNorm (Zhang & Sennrich 2019, eq. 4; rounding points of transformers' Qwen3RMSNorm)
    //
    //   sum[t] = x[t] + residual[t]          (without residual: sum[t] = x[t], nothing is written)
    //   rstd[t] = 1 / sqrt(mean(sum[t]²) + epsilon)
    //   y[t]   = weight · round(sum[t] · rstd[t])       round: to the activation type
    //
    // x, residual, sum, y (T, C); weight (1, C); rstd (T). residual.data may be NULL. sum is rounded before the norm reads it.
    // The mean: CPU 16 lanes, then one tree; CUDA one tree.
    // backward: dx = dsum + the norm's own gradient (dsum: what arrives at sum on another path, .data may be NULL; dx may be
    // dsum). dweight (C) gets groups of NORM_ROWS rows ascending; partial (ceil(T / NORM_ROWS), C) is its scratch.

    void (*rmsnorm_forward)(Stream *s, Tensor y, Tensor sum, float *rstd, Tensor x, Tensor residual, Tensor weight,
                            float epsilon);
    void (*rmsnorm_backward)(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor dsum, Tensor sum,
                             Tensor weight, const float *rstd);

    // ---- QK-norm and RoPE in one: RMSNorm over each head's D numbers with one weight (D) for all heads, then the rotation of
    // pairs (i, i + D/2) by the angle position · theta^(-2i/D) (Su et al. 2021; transformers' rotate_half). The normed head is
    // not rounded before weight and rotation: one rounding for all of it.
    //
    // x, y (T, h, D), h being H or Hkv; weight (1, D); rstd (T, h); cosine, sine (P, D/2) fp32 tables from rope_table; positions
    // (T), all < P. backward: dx may be dy. dweight (D), partial (ceil(T / NORM_ROWS), h·D): the rows summed are heads, a token's
    // ascending. CPU: one chain over NORM_ROWS tokens, then these groups. CUDA: one over NORM_ROWS heads, then those of NORM_ROWS
    // tokens, then these groups; all from zero.
    // Without a norm (weight.data NULL) it is the rotation alone: y may be x, and rstd, dweight, partial and going back x are
    // not touched.

    void (*rope_table)(Stream *s, float *cosine, float *sine, int64_t positions, int64_t head_width, double theta);
    void (*qk_norm_rope_forward)(Stream *s, Tensor y, float *rstd, Tensor x, Tensor weight, const float *cosine,
                                 const float *sine, const int32_t *positions, int64_t head_width, float epsilon);
    void (*qk_norm_rope_backward)(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor x, Tensor weight,
                                  const float *rstd, const float *cosine, const float *sine, const int32_t *positions,
                                  int64_t head_width);

    // ---- matrix products: every output is one chain over the summed index, ascending from zero (CPU and CUDA's fp32: fused
    // multiply-adds; CUDA's bf16: groups of 16 in a tensor core); with add the finished chain is added to the old value.
    //   forward          y (T, N)  = x (T, K) · w (N, K)ᵀ           rows_fill with a bias, then add: + bias, rounded once
    //   backward_input   dx (T, K) = dy (T, N) · w (N, K)
    //   backward_weight  dw (N, K) += dy (T, N)ᵀ · x (T, K)         dw is fp32

    void (*matmul_forward)(Stream *s, Tensor y, Tensor x, Tensor w, bool add);
    void (*matmul_backward_input)(Stream *s, Tensor dx, Tensor dy, Tensor w, bool add);
    void (*matmul_backward_weight)(Stream *s, float *dw, Tensor dy, Tensor x);

    // ---- KV pages:  pages_write puts the new tokens' keys and values where page_table says; pages_copy makes page to[i] a copy of
    // page from[i], in an array of pages whose elements number page_elements(Hkv, D) each.
    // k, v (T, Hkv, D); pairs (count, 2) of from, to, on the device: no page is both, and none is twice a `to`

    int64_t (*page_elements)(int64_t kv_heads, int64_t head_width);
    void (*pages_write)(Stream *s, Tensor k, Tensor v, const Attention *a);
    void (*pages_copy)(Stream *s, void *pages, int64_t elements, const int32_t *pairs, int64_t count);

    // ---- causal attention with grouped key/value heads, scale 1/sqrt(D): online softmax, no T×T array (Dao 2023, FlashAttention-2)
    // q, out, dq, dout (T, H, D); k, v, dk, dv (T, Hkv, D); logsumexp, delta (T, H). k, v are not read where pages are given.
    // forward: key blocks of KEY_BLOCK from position 0; segments of KEY_SEGMENT merged ascending. In pages, the segments of a
    // sequence with one new token are worked on side by side, their sums kept in the workspace until they are merged.
    // backward (contexts empty): dq is a chain over keys ascending; dk and dv over the heads of the group, then queries,
    // ascending. delta is scratch.

    int64_t (*attention_workspace)(int64_t sequences, int64_t positions, int64_t heads, int64_t head_width);
    void (*attention_forward)(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a);
    void (*attention_backward)(Stream *s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor dout, Tensor q, Tensor k,
                               Tensor v, Tensor out, const float *logsumexp, const Attention *a);

    // ---- SwiGLU (Shazeer 2020):  y = silu(gate) · up.   all (T, F); backward: dgate may be gate, dup may be up.

    void (*swiglu_forward)(Stream *s, Tensor y, Tensor gate, Tensor up);
    void (*swiglu_backward)(Stream *s, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up);

    // ---- the LM head with its loss, the one place where a log-probability is made
    //
    //   z[n][v] = (x[n] · w[v]) / temperature,  v < n_live
    //   logsumexp[n] = ln Σ exp z[n][v];  logprob[n] = z[n][target] - logsumexp[n];  entropy[n] = logsumexp[n] - Σ p z
    //   best[n] = the first v with the largest z
    //
    // x, dx (N, C); w (V, C); targets (N), each in [0, n_live); n_live <= V. Logits are never whole: workspace has
    // head_workspace(N, V) floats. best may be NULL.
    // backward recomputes z and takes d loss / d logprob[n] and d loss / d entropy[n] (dentropy NULL: zero):
    //   dz = dlogprob · ([v = target] - p) - dentropy · p · (ln p + entropy), over temperature
    // dx: CPU one chain per HEAD_COLUMNS vocabulary rows, blocks ascending; CUDA one chain over all of them. dweight (V, C) +=:
    // one chain per HEAD_ROWS rows, ascending.

    int64_t (*head_workspace)(int64_t rows, int64_t vocabulary);
    void (*head_forward)(Stream *s, float *logprob, float *entropy, float *logsumexp, int32_t *best, Tensor x, Tensor w,
                         const int32_t *targets, float temperature, int64_t n_live, float *workspace);
    void (*head_backward)(Stream *s, Tensor dx, float *dweight, Tensor x, Tensor w, const int32_t *targets, float temperature,
                          int64_t n_live, const float *logsumexp, const float *entropy, const float *dlogprob,
                          const float *dentropy, float *workspace);

    // ---- the sampler: a token for each row of the head
    //
    //   z, logsumexp and entropy as above, bit for bit; temperature and all else are the row's own
    //   kept: z[n][v] >= the largest of three limits (tokens as likely as the last one kept are kept too)
    //     top_k   the top_k-th largest z
    //     top_p   the largest limit that leaves at least top_p of the probability that top_k leaves
    //     min_p   max z + ln min_p
    //   token: the first v, ascending, at which the sum of exp z over kept ones exceeds u times all of it, u in (0, 1) being the
    //     row's one draw (53 bits); greedy: the first v with the largest z
    //   logprob = z[n][token] - logsumexp[n], what head_forward gives for that target; processed: the same of the kept ones alone
    //
    // rows, token, logprob, processed, entropy (N); workspace has sample_workspace(N, V) floats. z that are not finite give some
    // token, and a logprob that is not finite.

    int64_t (*sample_workspace)(int64_t rows, int64_t vocabulary);
    void (*head_sample)(Stream *s, int32_t *token, float *logprob, float *processed, float *entropy, Tensor x, Tensor w,
                        const SampleRow *rows, int64_t n_live, float *workspace);

    // ---- tokens on the device, so that a step may begin before the host has seen the last one's: ids[t] < 0 becomes
    // kept[-1 - ids[t]];  kept[slots[n]] = token[n].   ids (T); token, slots (N)

    void (*tokens_take)(Stream *s, int32_t *ids, int64_t count, const int32_t *kept);
    void (*tokens_keep)(Stream *s, int32_t *kept, const int32_t *token, const int32_t *slots, int64_t count);

    // ---- optimizer.  tensor: the tensor's number in the manifest; offset: global offset of its element 0 here. Neither the
    // shard nor its rank is known: the same element gets the same update wherever it lives.
    //   AdamW (Loshchilov & Hutter 2019, algorithm 2, in the order of PyTorch's):
    //   weight -= lr · decay · weight;  m, v moments of g = gradient_scale · gradient;
    //   weight -= lr / (1 - beta1^step) · m / (sqrt(v / (1 - beta2^step)) + epsilon)
    // master (fp32) is what is updated, and weight is it, rounded to the activation type; where that is fp32 the two are one
    // array. m, v: fp32, or bf16 (settings): element e rounds with word e mod 4 of random_bits(seed, RANDOM_ROUNDING, tensor,
    // e / 4, step), m with its low 16 bits, v with its high ones: they are added below the bf16's last bit, then the rest is cut
    // off. The weight is updated by the moments before they are rounded.
    // square_sums: sums[b] = Σ x² over elements b·SQUARES_BLOCK .. of x; ceil(count / SQUARES_BLOCK) of them.

    void (*adamw)(Stream *s, void *weight, float *master, void *m, void *v, const float *gradient, int64_t count,
                  const AdamW *settings, int64_t tensor, int64_t offset);
    void (*square_sums)(Stream *s, float *sums, const float *x, int64_t count);
} Kernels;

// device: "auto" (a GPU where there is one), "cpu" or "cuda". The CPU's best instruction set is used unless the environment's
// DEREASON_CPU says avx512, avx2, plain or naive (kernels/naive.c: the bits of AVX2, for readers and tests); a GPU computes in bf16
// unless DEREASON_CUDA says fp32. threads: 0 for all. NULL after fail().
const Kernels *kernels_open(const char *device, int threads);
const char *kernels_passed_over(void); // after "auto" chose the CPU: in a line why no GPU was taken; NULL: nothing to say
int kernels_threads(void);

// The same table for planning memory only: "cuda" need not be there, nor in this build. None of its operations may be called, but for
// memory_available; that is NULL where the device is not there.
const Kernels *kernels_for_plan(const char *device);

static inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

#ifdef __cplusplus
}
#endif
#endif
