// Each operation of kernels/kernels.h as a function from numbers to numbers, the same for every table: what goes in is
// uploaded, outputs and scratch memory are filled with NaN, the operation runs, what comes out is looked at (every
// element written, nothing behind it touched) and returned. Arguments are in the order of kernels.h.
#ifndef TEST_CUDA_CALL_H
#define TEST_CUDA_CALL_H

#include "model/adapters.h"
#include "test/cuda/approx.h"

// Arrays in the memory of a table's device, given back at the end of their test.
class Memory
{
  public:
    explicit Memory(const Kernels *table) : kernels(table) {}
    ~Memory();
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    Tensor elements(const Matrix &x);                                                  // rounded to the activation type
    Tensor elements_out(int64_t rows, int64_t columns);                                // NaN
    std::vector<Tensor> beside(const std::vector<Matrix> &x);                          // columns of one array
    std::vector<Tensor> beside_out(int64_t rows, const std::vector<int64_t> &columns); // NaN
    float *floats(const Floats &x);
    float *floats_out(int64_t count);
    int32_t *integers(const Integers &x);
    int32_t *integers_out(int64_t count);
    void *bytes(const void *host, size_t count);

    Floats read(Tensor x); // fails if an element was not written, or anything behind an array
    Floats read(const float *x, int64_t count);
    Integers read(const int32_t *x, int64_t count);
    void read(void *host, const void *x, size_t count);

  private:
    struct Piece {
        void *data;
        size_t size, guard; // in bytes
    };
    void *take(size_t size);
    void *output(size_t count);
    void check_guards();

    const Kernels *kernels;
    std::vector<Piece> pieces;
};

// Adapters of every matrix, for a model of the tests; rank 0: none.
inline Adapters adapters_everywhere(int64_t rank)
{
    Adapters a = {};
    a.rank = rank, a.scale = 1.5;
    for (int i = 0; i < LAYER_TENSORS; i++)
        a.on[i] = rank > 0 && adapter_target((LayerTensor)i) != NULL;
    return a;
}

Matrix embedding_forward(const Kernels *k, const Matrix &table, const Integers &ids);
Floats embedding_backward(const Kernels *k, const Floats &before, const Matrix &dy, const Integers &ids);
Matrix rows_gather(const Kernels *k, const Matrix &x, const Integers &rows);
Matrix rows_scatter(const Kernels *k, int64_t rows_of_dx, const Matrix &dy, const Integers &rows);
Matrix rows_fill(const Kernels *k, int64_t rows_of_y, const Matrix &row);
Floats rows_sum(const Kernels *k, const Floats &before, const Matrix &dy);
Matrix rows_scale(const Kernels *k, const Matrix &y, float factor);

struct Normed {
    Floats y, sum, rstd; // sum: empty without a residual
};
Normed rmsnorm_forward(const Kernels *k, const Matrix &x, const Matrix *residual, const Matrix &weight, float epsilon);

struct NormGradients {
    Floats dx, dweight;
};
// in_place: dx is dsum (RMSNorm) or dy (QK-norm). before: what dweight is added to; empty: it is not wanted.
NormGradients rmsnorm_backward(const Kernels *k, const Floats &before, const Matrix &dy, const Matrix *dsum,
                               const Matrix &sum, const Matrix &weight, const Floats &rstd, bool in_place);

struct Rope {
    Floats cosine, sine; // (positions, D/2)
};
Rope rope_table(const Kernels *k, int64_t positions, int64_t head_width, double theta);
Normed qk_norm_rope_forward(const Kernels *k, const Matrix &x, const Matrix &weight, const Rope &rope,
                            const Integers &positions, float epsilon);
// Queries and keys in one, of rows of q, k and v side by side. y, dx: (T, H + Hkv, D)
struct Packed {
    int64_t heads, kv_heads;
    Matrix qkv, q_weight, k_weight;
};
Normed qk_norm_rope_forward(const Kernels *k, const Packed &p, const Rope &rope, const Integers &positions,
                            float epsilon);
struct PackedGradients {
    Floats dx, dq_weight, dk_weight;
};
PackedGradients qk_norm_rope_backward(const Kernels *k, const Floats &before, const Matrix &dy, const Packed &p,
                                      const Floats &rstd, const Rope &rope, const Integers &positions);
// The same without a norm, forward or back; in place, y (dx) is x (dy).
Floats rope_alone(const Kernels *k, bool back, const Matrix &x, const Rope &rope, const Integers &positions,
                  int64_t head_width, bool in_place);
NormGradients qk_norm_rope_backward(const Kernels *k, const Floats &before, const Matrix &dy, const Matrix &x,
                                    const Matrix &weight, const Floats &rstd, const Rope &rope,
                                    const Integers &positions, bool in_place);

// y, then gate and up as the product left them
std::vector<Floats> matmul_swiglu_forward(const Kernels *k, const Matrix &x, const Matrix &w, bool keep = true);
Floats matmul_forward(const Kernels *k, const Matrix *before, const Matrix &x, const Matrix &w); // before: add to it
Floats matmul_backward_input(const Kernels *k, const Matrix *before, const Matrix &dy, const Matrix &w);
Floats matmul_backward_weight(const Kernels *k, const Floats *before, const Matrix &dy, const Matrix &x);

struct Heads {
    int64_t heads, kv_heads, width;
};
struct Pages {
    Matrix keys, values; // a row is one position of one kv head in one page
    Integers table;
    int64_t per_sequence;
    Integers shared, until; // Attention.shared_pages, shared_until; empty: no company
};
struct Sequences {
    Heads heads;
    Integers starts, contexts;
    Matrix q, k, v;                    // k, v: empty where there are pages
    Integers context_rows, seen_until; // empty: no sequence goes on from another
};
struct Attended {
    Floats out, logsumexp;
};
Attended attention_forward(const Kernels *k, const Sequences &s, const Pages *pages = NULL);

// What an operation is told of sequences (with pages: all that decoding needs), and what is in its pages then
Attention attention_of(Memory &m, const Kernels *k, const Sequences &s, const Pages *pages);
Pages pages_read(Memory &m, const Kernels *k, const Attention &a, const Pages &before);

// The new tokens' keys and values, s.k and s.v, into the pages.
Pages pages_write(const Kernels *k, const Sequences &s, const Pages &before);

// Of s.q, s.k and s.v, queries and keys normed and turned: the queries to y, keys and values into the pages.
struct Turned {
    Floats queries;
    Pages pages;
};
Turned qk_norm_rope_pages(const Kernels *k, const Sequences &s, const Matrix &q_weight, const Matrix &k_weight,
                          const Rope &rope, const Integers &positions, float epsilon, const Pages &before);
Floats pages_copy(const Kernels *k, const Matrix &pages, int64_t elements, const Integers &pairs);

struct AttentionGradients {
    Floats dq, dk, dv;
};
AttentionGradients attention_backward(const Kernels *k, const Matrix &dout, const Sequences &s, const Matrix &out,
                                      const Floats &logsumexp);

Floats swiglu_forward(const Kernels *k, const Matrix &gate, const Matrix &up);
struct SwigluGradients {
    Floats dgate, dup;
};
SwigluGradients swiglu_backward(const Kernels *k, const Matrix &dy, const Matrix &gate, const Matrix &up,
                                bool in_place);

struct HeadInput {
    Matrix x, w;
    Integers targets;
    float temperature;
    int64_t n_live;
};
struct HeadOutput {
    Floats logprob, entropy, logsumexp;
    Integers best; // empty where nobody asked
};
HeadOutput head_forward(const Kernels *k, const HeadInput &h, bool with_best);

struct HeadGradients {
    Floats dx, dweight;
};
HeadGradients head_backward(const Kernels *k, const Floats &before, const HeadInput &h, const Floats &logsumexp,
                            const Floats &entropy, const Floats &dlogprob, const Floats *dentropy);

struct HeadBoth {
    HeadOutput output; // without best
    HeadGradients gradients;
};
HeadBoth head_forward_backward(const Kernels *k, const Floats &before, const HeadInput &h, const Floats &dlogprob,
                               const Floats *dentropy = NULL);

struct Sampled {
    Integers token;
    Floats logprob, processed, entropy;
};
Sampled head_sample(const Kernels *k, const Matrix &x, const Matrix &w, const std::vector<SampleRow> &rows,
                    int64_t n_live);
Integers tokens_take(const Kernels *k, const Integers &ids, const Integers &kept);
Integers tokens_keep(const Kernels *k, const Integers &kept, const Integers &token, const Integers &slots);

struct Moments {
    Floats master, weight, m, v; // bf16 moments: widened
};
Moments adamw(const Kernels *k, const Moments &before, const Floats &gradient, const AdamW &settings, int64_t tensor,
              int64_t offset);
Floats square_sums(const Kernels *k, const Floats &x);

#endif
