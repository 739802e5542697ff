// Every operation, once: what it computes, its shapes, what stays exact, and a row (type returned, name, (parameters)),
// with (their names) behind where kernels/profile.c passes them on: those operations queue work on a Stream s.
// What T, C, Tensor, exact and other words mean is said at the head of kernels/kernels.h, to which this list belongs.
//
// It is included wherever each operation has to be named: kernels.h makes the members of its table from the rows, every
// backend the prototypes of its functions and the initialiser of its table. Who includes it defines what a row becomes
// there; rows of a kind that is not defined become nothing.
//   OPERATION          computes with activations, on one instruction set or in one precision
//   DEVICE_OPERATION   the device's memory and queue, and what knows no activation: the same for all of them
//   DEVICE_WORK        the same, where it queues work: a DEVICE_OPERATION unless defined
//   GRAPH_OPERATION    the same, and NULL where nothing would be gained
//   SIZE_OPERATION     a size that follows from shapes alone: it needs no device
#ifndef OPERATION
#define OPERATION(type, name, parameters, names)
#endif
#ifndef DEVICE_OPERATION
#define DEVICE_OPERATION(type, name, parameters)
#endif
#ifndef DEVICE_WORK
#define DEVICE_WORK(type, name, parameters, names) DEVICE_OPERATION(type, name, parameters)
#endif
#ifndef GRAPH_OPERATION
#define GRAPH_OPERATION(type, name, parameters)
#endif
#ifndef SIZE_OPERATION
#define SIZE_OPERATION(type, name, parameters)
#endif

// clang-format off
// ---- memory of the device

DEVICE_OPERATION(void *, allocate, (size_t bytes)) // zeroed, 64-byte aligned (a GPU: 256); NULL after fail()
DEVICE_OPERATION(void, release, (void *p))
// upload returns when host may be written again, download when it may be read, synchronize when all that is queued is
// done; upload_rounded turns fp32 into the activation type (to nearest even), download_widened the other way (exact).
// False comes after fail().
DEVICE_WORK(void, upload, (Stream *s, void *device, const void *host, size_t bytes), (s, device, host, bytes))
DEVICE_WORK(bool, download, (Stream *s, void *host, const void *device, size_t bytes), (s, host, device, bytes))
DEVICE_OPERATION(bool, synchronize, (Stream *s))
OPERATION(void, upload_rounded, (Stream *s, void *elements, const float *host, int64_t count),
          (s, elements, host, count))
OPERATION(bool, download_widened, (Stream *s, float *host, const void *elements, int64_t count),
          (s, host, elements, count))
DEVICE_WORK(void, zero, (Stream *s, void *p, size_t bytes), (s, p, bytes))
OPERATION(void, accumulate, (Stream *s, float *sum, const float *x, int64_t count), (s, sum, x, count)) // sum += x
DEVICE_OPERATION(size_t, memory_available, (void)) // bytes that allocate could give now

// ---- work that the host does not wait for: copies from and to host_allocate's memory, which is left alone until an
// event behind them has been waited for. event_wait is false after fail(), when something before the event went wrong.

DEVICE_OPERATION(void *, host_allocate, (size_t bytes)) // zeroed; NULL after fail()
DEVICE_OPERATION(void, host_release, (void *p))
DEVICE_WORK(void, upload_later, (Stream *s, void *device, const void *host, size_t bytes), (s, device, host, bytes))
DEVICE_WORK(void, download_later, (Stream *s, void *host, const void *device, size_t bytes), (s, host, device, bytes))
DEVICE_OPERATION(Event *, event_open, (bool timed)) // NULL after fail()
DEVICE_OPERATION(void, event_close, (Event *e))
DEVICE_OPERATION(void, event_record, (Stream *s, Event *e))
DEVICE_OPERATION(bool, event_wait, (Event *e))
DEVICE_OPERATION(bool, event_reached, (Event *e, bool *reached)) // does not wait; false as event_wait
DEVICE_OPERATION(double, event_seconds, (Event *from, Event *to)) // between two timed ones that were waited for

// A queue beside the default one, for work that overlaps with it: what is queued on s after stream_wait begins when
// what was recorded with e is done. NULL after fail(). card: of the device, the same in every process and another for
// every other device; 0: it is this machine's CPU.

DEVICE_OPERATION(Stream *, stream_open, (void))
DEVICE_OPERATION(void, stream_close, (Stream *s))
DEVICE_OPERATION(void, stream_wait, (Stream *s, Event *e))
DEVICE_OPERATION(uint64_t, card, (void))

// ---- graphs: operations that are queued between begin and end are taken down instead of done, and graph_launch does
// them all, on the same arguments, for the price of one. They are operations that have run before, uploads and
// downloads apart, and none of them writes a weight that a matrix product of them reads: weights may be read ahead of
// the operations in front. All four are NULL where nothing would be gained.

GRAPH_OPERATION(bool, graph_begin, (Stream *s))
GRAPH_OPERATION(Graph *, graph_end, (Stream *s)) // NULL after fail()
GRAPH_OPERATION(void, graph_launch, (Stream *s, Graph *g))
GRAPH_OPERATION(void, graph_close, (Graph *g))

// ---- embedding:  y[t] = table[ids[t]]
// backward: each vocabulary row's chain over its tokens, ascending from zero, is added to dtable once.
// y, dy (T, C); table (V, C); ids (T), all of them in [0, V); scratch (2·T)

OPERATION(void, embedding_forward, (Stream *s, Tensor y, Tensor table, const int32_t *ids), (s, y, table, ids))
OPERATION(void, embedding_backward, (Stream *s, float *dtable, Tensor dy, const int32_t *ids, int32_t *scratch),
          (s, dtable, dy, ids, scratch))

// ---- rows:  gather: y[n] = x[rows[n]];  scatter: dx[rows[n]] = dy[n], every other row zero; rows ascend, none twice
// A bias under a matrix product (which then adds):  fill: every row of y = row;  its gradient, sum: drow += Σ dy[t].
// scale: y = factor · y, for what an adapter adds.
// Every sum over rows here and in the norms: chains of NORM_ROWS rows, then chains of NORM_GROUPS of these, then one
// chain of those, all ascending from zero; that is added once.
// y, dy (T, N), of fill, sum and scale columns of wider ones too; row (1, N); drow (N); partial (ceil(T / NORM_ROWS),
// N), which is partial_floats(T, N), is scratch.

OPERATION(void, rows_gather, (Stream *s, Tensor y, Tensor x, const int32_t *rows), (s, y, x, rows))
OPERATION(void, rows_scatter, (Stream *s, Tensor dx, Tensor dy, const int32_t *rows), (s, dx, dy, rows))
OPERATION(void, rows_fill, (Stream *s, Tensor y, Tensor row), (s, y, row))
OPERATION(void, rows_sum, (Stream *s, float *drow, float *partial, Tensor dy), (s, drow, partial, dy))
OPERATION(void, rows_scale, (Stream *s, Tensor y, float factor), (s, y, factor))

// ---- RMSNorm (Zhang & Sennrich 2019, eq. 4; rounding points of transformers' Qwen3RMSNorm)
//
//   sum[t] = x[t] + residual[t]          (without residual: sum[t] = x[t], nothing is written)
//   rstd[t] = 1 / sqrt(mean(sum[t]²) + epsilon)
//   y[t]   = weight · round(sum[t] · rstd[t])       round: to the activation type
//
// x, residual, sum, y (T, C); weight (1, C); rstd (T). residual.data may be NULL. sum is rounded before the norm reads
// it. The mean: CPU 16 lanes, then one tree; CUDA one tree.
// backward: dx = dsum + the norm's own gradient (dsum: what arrives at sum on another path, .data may be NULL; dx may
// be dsum). dweight (C) += a sum over rows as rows_sum's; partial (ceil(T / NORM_ROWS), C) is its scratch. Where the
// weight lies still both are NULL.

OPERATION(void, rmsnorm_forward,
          (Stream *s, Tensor y, Tensor sum, float *rstd, Tensor x, Tensor residual, Tensor weight, float epsilon),
          (s, y, sum, rstd, x, residual, weight, epsilon))
OPERATION(void, rmsnorm_backward,
          (Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor dsum, Tensor sum, Tensor weight,
           const float *rstd),
          (s, dx, dweight, partial, dy, dsum, sum, weight, rstd))

// ---- QK-norm and RoPE in one: RMSNorm over each head's D numbers, with one weight (D) for all heads of the queries
// and one for those of the keys, then the rotation of pairs (i, i + D/2) by the angle position · theta^(-2i/D) (Su et
// al. 2021; transformers' rotate_half). The normed head is not rounded before weight and rotation: one rounding for
// all.
//
// A row of x is a token's q, k and v as one product made them, (H + 2·Hkv) heads; y, dx, dy (T, H + Hkv, D), q then k;
// going back x is read like them. All may be columns of wider ones. q_weight, k_weight (1, D); rstd (T, H + Hkv);
// cosine, sine (P, D/2) fp32 tables from rope_table; positions (T), all < P. Of a: H, Hkv (either may be 0) and D.
// Where a has pages, forward writes the new tokens' keys, turned, and their values to where page_table says; y's
// columns of keys are scratch then. Without pages v is not read.
// backward: dx may be dy. dq_weight, dk_weight (D) += sums over rows as rows_sum's, the rows being the T·H heads of the
// queries, or the T·Hkv of the keys, a token's side by side; partial (partial_floats(T, (H + Hkv)·D)) is their scratch.
// Where the weights lie still the three are NULL.
// Without norms (both weights' data NULL) it is the rotation alone: y may be x, and rstd, dq_weight, dk_weight, partial
// and going back x are not touched.

OPERATION(void, rope_table,
          (Stream *s, float *cosine, float *sine, int64_t positions, int64_t head_width, double theta),
          (s, cosine, sine, positions, head_width, theta))
OPERATION(void, qk_norm_rope_forward,
          (Stream *s, Tensor y, float *rstd, Tensor x, Tensor q_weight, Tensor k_weight, const float *cosine,
           const float *sine, const int32_t *positions, const Attention *a, float epsilon),
          (s, y, rstd, x, q_weight, k_weight, cosine, sine, positions, a, epsilon))
OPERATION(void, qk_norm_rope_backward,
          (Stream *s, Tensor dx, float *dq_weight, float *dk_weight, float *partial, Tensor dy, Tensor x,
           Tensor q_weight, Tensor k_weight, const float *rstd, const float *cosine, const float *sine,
           const int32_t *positions, const Attention *a),
          (s, dx, dq_weight, dk_weight, partial, dy, x, q_weight, k_weight, rstd, cosine, sine, positions, a))

// ---- matrix products: every output is one chain over the summed index, ascending from zero (CPU and CUDA's fp32:
// fused multiply-adds; CUDA's bf16: groups of 16 in a tensor core); with add it is added, finished, to the old value.
//   forward          y (T, N)  = x (T, K) · w (N, K)ᵀ           rows_fill with a bias, then add: + bias, rounded once
//   backward_input   dx (T, K) = dy (T, N) · w (N, K)
//   backward_weight  dw (N, K) = dy (T, N)ᵀ · x (T, K)          dw is fp32; without add as if it were added to zeros
// room >= T: rows that dy and x have memory for. What lies behind the first T may be overwritten: a library of the
// backend's may want whole multiples of 128 rows, the last of them zeros.
// x, y, dx and dy may be columns of wider ones; w is dense. Weights that lie one behind the other, as q, k and v's do,
// are one w: forward that has the bits of separate products, and so has backward_weight; backward_input is one chain
// over the rows of all of them.

OPERATION(void, matmul_forward, (Stream *s, Tensor y, Tensor x, Tensor w, bool add), (s, y, x, w, add))
OPERATION(void, matmul_backward_input, (Stream *s, Tensor dx, Tensor dy, Tensor w, bool add), (s, dx, dy, w, add))
OPERATION(void, matmul_backward_weight, (Stream *s, float *dw, Tensor dy, Tensor x, int64_t room, bool add),
          (s, dw, dy, x, room, add))

// ---- KV pages (qk_norm_rope_forward writes them):  pages_copy makes page to[i] a copy of page from[i], in an array of
// pages whose elements number page_elements(Hkv, D) each. pairs (count, 2) of from, to, on the device: no page is both,
// and none is twice a `to`

SIZE_OPERATION(int64_t, page_elements, (int64_t kv_heads, int64_t head_width))
OPERATION(void, pages_copy, (Stream *s, void *pages, int64_t elements, const int32_t *pairs, int64_t count),
          (s, pages, elements, pairs, count))

// ---- causal attention with grouped key/value heads, scale 1/sqrt(D): online softmax, no T×T array (Dao 2023)
// q, out, dq, dout (T, H, D); k, v, dk, dv (T, Hkv, D); logsumexp, delta (T, H). k, v are not read with pages. All but
// out and dout may be columns of wider ones.
// forward: key blocks of KEY_BLOCK from position 0; segments of KEY_SEGMENT merged ascending. In pages, the segments of
// a sequence with one new token are worked on side by side, their sums kept in the workspace until they are merged;
// pages that such sequences share may be read once for all of them.
// backward (without pages): dq is a chain over keys ascending; dk and dv over the heads of the group, then over the
// queries that see the key, in the order of rows (CUDA's bf16: each sequence begins a group of 16). delta is scratch.

SIZE_OPERATION(int64_t, attention_workspace, (int64_t sequences, int64_t positions, int64_t heads, int64_t head_width))
OPERATION(void, attention_forward,
          (Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a),
          (s, out, logsumexp, q, k, v, a))
OPERATION(void, attention_backward,
          (Stream *s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor dout, Tensor q, Tensor k, Tensor v,
           Tensor out, const float *logsumexp, const Attention *a),
          (s, dq, dk, dv, delta, dout, q, k, v, out, logsumexp, a))

// ---- SwiGLU (Shazeer 2020):  y = silu(gate) · up.   all (T, F); backward: dgate may be gate, dup may be up. gate, up,
// dgate and dup may be columns of wider ones.
// matmul_swiglu_forward: both products and SwiGLU in one, to the bit what matmul_forward and swiglu_forward give:
// gate_up (T, 2·F) = x (T, C) · w (2·F, C)ᵀ, rounded, gate's columns first;  y (T, F) = silu(gate) · up. keep: the
// caller wants gate_up; otherwise it is scratch.

OPERATION(void, matmul_swiglu_forward, (Stream *s, Tensor y, Tensor gate_up, Tensor x, Tensor w, bool keep),
          (s, y, gate_up, x, w, keep))
OPERATION(void, swiglu_forward, (Stream *s, Tensor y, Tensor gate, Tensor up), (s, y, gate, up))
OPERATION(void, swiglu_backward, (Stream *s, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up),
          (s, dgate, dup, dy, gate, up))

// ---- the LM head with its loss, the one place where a log-probability is made
//
//   z[n][v] = (x[n] · w[v]) / temperature,  v < n_live
//   logsumexp[n] = ln Σ exp z[n][v];  logprob[n] = z[n][target] - logsumexp[n];  entropy[n] = logsumexp[n] - Σ p z
//   best[n] = the first v with the largest z
//
// x, dx (N, C); w (V, C); targets (N), each in [0, n_live); n_live <= V. Logits are never whole: workspace has
// head_workspace(N, V, C) floats. best may be NULL.
// backward recomputes z and takes d loss / d logprob[n] and d loss / d entropy[n] (dentropy NULL: zero):
//   dz = dlogprob · ([v = target] - p) - dentropy · p · (ln p + entropy), over temperature
// dx: CPU one chain per HEAD_COLUMNS vocabulary rows, blocks ascending; CUDA one chain over all of them. dweight (V, C)
// +=: one chain per HEAD_ROWS rows, ascending; NULL where w lies still.
// forward_backward: both, to the bit, for a loss whose dlogprob and dentropy are known before logprob is. Logits are
// made once (CPU: twice where V is so large that they are not kept).

SIZE_OPERATION(int64_t, head_workspace, (int64_t rows, int64_t vocabulary, int64_t width))
OPERATION(void, head_forward,
          (Stream *s, float *logprob, float *entropy, float *logsumexp, int32_t *best, Tensor x, Tensor w,
           const int32_t *targets, float temperature, int64_t n_live, float *workspace),
          (s, logprob, entropy, logsumexp, best, x, w, targets, temperature, n_live, workspace))
OPERATION(void, head_backward,
          (Stream *s, Tensor dx, float *dweight, Tensor x, Tensor w, const int32_t *targets, float temperature,
           int64_t n_live, const float *logsumexp, const float *entropy, const float *dlogprob, const float *dentropy,
           float *workspace),
          (s, dx, dweight, x, w, targets, temperature, n_live, logsumexp, entropy, dlogprob, dentropy, workspace))
OPERATION(void, head_forward_backward,
          (Stream *s, float *logprob, float *entropy, float *logsumexp, Tensor dx, float *dweight, Tensor x, Tensor w,
           const int32_t *targets, float temperature, int64_t n_live, const float *dlogprob, const float *dentropy,
           float *workspace),
          (s, logprob, entropy, logsumexp, dx, dweight, x, w, targets, temperature, n_live, dlogprob, dentropy,
           workspace))

// ---- the sampler: a token for each row of the head
//
//   z, logsumexp and entropy as above, bit for bit; temperature and all else are the row's own
//   kept: z[n][v] >= the largest of three limits (tokens as likely as the last one kept are kept too)
//     top_k   the top_k-th largest z
//     top_p   the largest limit that leaves at least top_p of the probability that top_k leaves
//     min_p   max z + ln min_p
//   token: the first v, ascending, at which the sum of exp z over kept ones exceeds u times all of it, u in (0, 1)
//     being the row's one draw (53 bits); greedy: the first v with the largest z
//   logprob = z[n][token] - logsumexp[n], what head_forward gives for that target; processed: the same of the kept ones
//   alone
//
// rows, token, logprob, processed, entropy (N); workspace has sample_workspace(N, V) floats. z that are not finite give
// some token, and a logprob that is not finite.

SIZE_OPERATION(int64_t, sample_workspace, (int64_t rows, int64_t vocabulary))
OPERATION(void, head_sample,
          (Stream *s, int32_t *token, float *logprob, float *processed, float *entropy, Tensor x, Tensor w,
           const SampleRow *rows, int64_t n_live, float *workspace),
          (s, token, logprob, processed, entropy, x, w, rows, n_live, workspace))

// ---- tokens on the device, so that a step may begin before the host has seen the last one's: ids[t] < 0 becomes
// kept[-1 - ids[t]];  kept[slots[n]] = token[n].   ids (T); token, slots (N)

DEVICE_WORK(void, tokens_take, (Stream *s, int32_t *ids, int64_t count, const int32_t *kept), (s, ids, count, kept))
DEVICE_WORK(void, tokens_keep, (Stream *s, int32_t *kept, const int32_t *token, const int32_t *slots, int64_t count),
            (s, kept, token, slots, count))

// ---- optimizer.  tensor: the tensor's number in the manifest; offset: global offset of its element 0 here. Neither
// the shard nor its rank is known: the same element gets the same update wherever it lives.
//   AdamW (Loshchilov & Hutter 2019, algorithm 2, in the order of PyTorch's):
//   weight -= lr · decay · weight;  m, v moments of g = gradient_scale · gradient;
//   weight -= lr / (1 - beta1^step) · m / (sqrt(v / (1 - beta2^step)) + epsilon)
// master (fp32) is what is updated, and weight is it, rounded to the activation type; where that is fp32 the two are
// one array. m, v: fp32, or bf16 (settings): element e rounds with word e mod 4 of random_bits(seed, RANDOM_ROUNDING,
// tensor, e / 4, step), m with its low 16 bits, v with its high ones: they are added below the bf16's last bit, then
// the rest is cut off. The weight is updated by the moments before they are rounded.
// square_sums: sums[b] = Σ x² over elements b·SQUARES_BLOCK .. of x; ceil(count / SQUARES_BLOCK) of them.

OPERATION(void, adamw,
          (Stream *s, void *weight, float *master, void *m, void *v, const float *gradient, int64_t count,
           const AdamW *settings, int64_t tensor, int64_t offset),
          (s, weight, master, m, v, gradient, count, settings, tensor, offset))
OPERATION(void, square_sums, (Stream *s, float *sums, const float *x, int64_t count), (s, sums, x, count))
// clang-format on

#undef OPERATION
#undef DEVICE_OPERATION
#undef DEVICE_WORK
#undef GRAPH_OPERATION
#undef SIZE_OPERATION
