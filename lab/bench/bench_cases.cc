// Every operation of kernels/kernels.h at a model's shapes, with what it cannot do without: each input read once and
// each output written once, and two operations for a multiply-add. Operations that only prepare a run (rope_table,
// uploads) are not here.
#include "lab/bench/bench.h"
#include "kernels/cuda/operations.h"
#include "kernels/decode_pieces.h"
#include <algorithm>
#include <cmath>

using namespace PRECISION;

extern "C" const Kernels *kernels_cuda_cudnn(const Kernels *own); // kernels/cuda/attention_cudnn.cu
bool device_refused(bool forget);                                 // kernels/cuda/device.cuh

enum { PLAIN_REPEATS = 5, LIBRARY_REPEATS = 21 };

// What the functions below share: where cases go, and the letters.
struct Maker {
    std::vector<Case> *cases;
    const Kernels *k;
    Sizes z;
    int64_t T;
    bool plain;
    double e; // bytes of an element

    void add(const std::string &kernel, const std::string &shape, double bytes, double flops,
             std::function<Work(Memory &)> prepare) const
    {
        cases->push_back(Case{kernel, z.model, shape, bytes, flops, prepare});
    }
};

static std::string text(const char *name, int64_t value) { return std::string(name) + "=" + std::to_string(value); }
static std::string text(std::initializer_list<std::pair<const char *, int64_t>> facts)
{
    std::string all;
    for (auto &fact : facts)
        all += (all.empty() ? "" : " ") + text(fact.first, fact.second);
    return all;
}

static Work work(const Tensor &result, std::function<void()> run)
{
    return Work{run, result.data, result.rows * result.columns, false, {}};
}

static Work work(const float *result, int64_t count, std::function<void()> run)
{
    return Work{run, result, count, true, {}};
}

// Token ids whose frequencies fall like those of words: the first of V come as often as in text, most never.
static std::vector<int32_t> token_ids(int64_t count, int64_t vocabulary)
{
    std::vector<int32_t> ids((size_t)count);
    for (int64_t t = 0; t < count; t++) {
        double u = random_uniform(random_bits(1, RANDOM_SAMPLE, (uint32_t)t, 0, 0).v[0]);
        ids[(size_t)t] = (int32_t)std::min(pow((double)vocabulary, u), (double)vocabulary - 1);
    }
    return ids;
}

static double distinct(std::vector<int32_t> ids)
{
    std::sort(ids.begin(), ids.end());
    return (double)(std::unique(ids.begin(), ids.end()) - ids.begin());
}

static std::vector<int32_t> multiples(int64_t count, int64_t step)
{
    std::vector<int32_t> x((size_t)count);
    for (int64_t i = 0; i < count; i++)
        x[(size_t)i] = (int32_t)(i * step);
    return x;
}

// ---- embedding and rows

static void add_embedding(const Maker &m)
{
    const Kernels *k = m.k;
    int64_t T = m.T, C = m.z.C, V = m.z.V;
    std::string shape = text({{"T", T}, {"C", C}, {"V", V}});
    double rows = (double)(T * C), found = distinct(token_ids(T, V)) * (double)C, ids = 4.0 * (double)T;
    m.add("embedding_forward", shape, (found + rows) * m.e + ids, 0, [=](Memory &a) {
        Tensor y = a.empty(T, C), table = a.tensor(V, C, SMALL);
        int32_t *tokens = a.copy(token_ids(T, V));
        return work(y, [=] { k->embedding_forward(NULL, y, table, tokens); });
    });
    m.add("embedding_backward", shape, rows * m.e + found * 8 + ids, 0, [=](Memory &a) {
        Tensor dy = a.tensor(T, C, SMALL);
        float *dtable = a.floats(V * C, SMALL);
        int32_t *tokens = a.copy(token_ids(T, V)), *scratch = (int32_t *)a.empty_floats(2 * T);
        return work(dtable, V * C, [=] { k->embedding_backward(NULL, dtable, dy, tokens, scratch); });
    });
}

static void add_rows(const Maker &m)
{
    const Kernels *k = m.k;
    int64_t T = m.T, N = T / 2, C = m.z.C;
    std::string shape = text({{"T", T}, {"N", N}, {"C", C}});
    double some = (double)(N * C) * m.e, all = (double)(T * C) * m.e, ids = 4.0 * (double)N;
    m.add("rows_gather", shape, 2 * some + ids, 0, [=](Memory &a) {
        Tensor y = a.empty(N, C), x = a.tensor(T, C, NORMAL);
        int32_t *rows = a.copy(multiples(N, 2));
        return work(y, [=] { k->rows_gather(NULL, y, x, rows); });
    });
    m.add("rows_scatter", shape, some + all + ids, 0, [=](Memory &a) {
        Tensor dx = a.empty(T, C), dy = a.tensor(N, C, NORMAL);
        int32_t *rows = a.copy(multiples(N, 2));
        return work(dx, [=] { k->rows_scatter(NULL, dx, dy, rows); });
    });
}

// A bias under the product that makes q, k and v, and its gradient
static void add_bias(const Maker &m)
{
    const Kernels *k = m.k;
    int64_t T = m.T, N = (m.z.H + 2 * m.z.Hkv) * m.z.D;
    std::string shape = text({{"T", T}, {"N", N}});
    double all = (double)(T * N) * m.e;
    m.add("rows_fill", shape, all + (double)N * m.e, 0, [=](Memory &a) {
        Tensor y = a.empty(T, N), row = a.tensor(1, N, NORMAL);
        return work(y, [=] { k->rows_fill(NULL, y, row); });
    });
    m.add("rows_sum", shape, all + 8.0 * (double)N, 0, [=](Memory &a) {
        Tensor dy = a.tensor(T, N, NORMAL);
        float *drow = a.floats(N, NORMAL), *partial = a.empty_floats(partial_floats(T, N));
        return work(drow, N, [=] { k->rows_sum(NULL, drow, partial, dy); });
    });
}

// ---- norms and SwiGLU

static void add_rmsnorm_forward(const Maker &m)
{
    const Kernels *k = m.k;
    int64_t T = m.T, C = m.z.C;
    bool plain = m.plain;
    std::string shape = text({{"T", T}, {"C", C}});
    double rows = (double)(T * C) * m.e, sums = 4.0 * (double)T;
    m.add("rmsnorm_forward", shape, 2 * rows + sums, 0, [=](Memory &a) {
        Tensor y = a.empty(T, C), x = a.tensor(T, C, NORMAL), w = a.tensor(1, C, NORMAL), none = {};
        float *rstd = a.empty_floats(T);
        Work it = work(y, [=] { k->rmsnorm_forward(NULL, y, none, rstd, x, none, w, 1e-6f); });
        if (plain)
            it.peers.push_back(
                {"plain", PLAIN_REPEATS, [=] { return plain_rmsnorm(NULL, y.data, x.data, w.data, T, C, 1e-6f); }});
        return it;
    });
    m.add("rmsnorm_forward, residual", shape, 4 * rows + sums, 0, [=](Memory &a) {
        Tensor y = a.empty(T, C), sum = a.empty(T, C), x = a.tensor(T, C, NORMAL), residual = a.tensor(T, C, NORMAL);
        Tensor w = a.tensor(1, C, NORMAL);
        float *rstd = a.empty_floats(T);
        return work(y, [=] { k->rmsnorm_forward(NULL, y, sum, rstd, x, residual, w, 1e-6f); });
    });
}

static void add_rmsnorm_backward(const Maker &m)
{
    const Kernels *k = m.k;
    int64_t T = m.T, C = m.z.C;
    double bytes = 4 * (double)(T * C) * m.e + 4.0 * (double)T + 8.0 * (double)C;
    m.add("rmsnorm_backward", text({{"T", T}, {"C", C}}), bytes, 0, [=](Memory &a) {
        Tensor dx = a.empty(T, C), dy = a.tensor(T, C, NORMAL), dsum = a.tensor(T, C, NORMAL),
               sum = a.tensor(T, C, NORMAL);
        Tensor w = a.tensor(1, C, NORMAL);
        float *dweight = a.floats(C, NORMAL), *partial = a.empty_floats(partial_floats(T, C));
        float *rstd = a.floats(T, POSITIVE);
        return work(dx, [=] { k->rmsnorm_backward(NULL, dx, dweight, partial, dy, dsum, sum, w, rstd); });
    });
}

// Of rows in which v lies behind q and k, as one product leaves them
static void add_qk_norm_rope(const Maker &m)
{
    const Kernels *k = m.k;
    int64_t T = m.T, D = m.z.D, h = m.z.H + m.z.Hkv, W = h * D, all = W + m.z.Hkv * D;
    std::string shape = text({{"T", T}, {"H", m.z.H}, {"Hkv", m.z.Hkv}, {"D", D}});
    Attention who = {};
    who.heads = m.z.H, who.kv_heads = m.z.Hkv, who.head_width = D;
    double rows = (double)(T * W) * m.e, sums = 4.0 * (double)(T * h), tables = (double)T * (4 + 4.0 * (double)D);
    m.add("qk_norm_rope_forward", shape, 2 * rows + sums + tables, 0, [=](Memory &a) {
        Tensor y = a.empty(T, W), x = a.tensor(T, all, NORMAL), w = a.tensor(1, D, NORMAL);
        float *rstd = a.empty_floats(T * h), *cosine = a.floats(T * D / 2, NORMAL), *sine = a.floats(T * D / 2, NORMAL);
        int32_t *at = a.copy(multiples(T, 1));
        return work(y, [=] { k->qk_norm_rope_forward(NULL, y, rstd, x, w, w, cosine, sine, at, &who, 1e-6f); });
    });
    m.add("qk_norm_rope_backward", shape, 3 * rows + sums + tables, 0, [=](Memory &a) {
        Tensor dx = a.tensor(T, all, NORMAL), x = a.tensor(T, all, NORMAL), w = a.tensor(1, D, NORMAL);
        float *dweight = a.floats(2 * D, NORMAL), *partial = a.empty_floats(partial_floats(T, W));
        float *rstd = a.floats(T * h, POSITIVE), *cosine = a.floats(T * D / 2, NORMAL),
              *sine = a.floats(T * D / 2, NORMAL);
        int32_t *at = a.copy(multiples(T, 1));
        return work(dweight, 2 * D, [=] {
            k->qk_norm_rope_backward(NULL, dx, dweight, dweight + D, partial, dx, x, w, w, rstd, cosine, sine, at,
                                     &who);
        });
    });
}

static void add_swiglu(const Maker &m)
{
    const Kernels *k = m.k;
    int64_t T = m.T, F = m.z.F;
    bool plain = m.plain;
    std::string shape = text({{"T", T}, {"F", F}});
    double rows = (double)(T * F) * m.e;
    m.add("swiglu_forward", shape, 3 * rows, 0, [=](Memory &a) {
        Tensor y = a.empty(T, F), both = a.tensor(T, 2 * F, NORMAL);
        Tensor gate = columns_of(both, 0, F, k->activation_size), up = columns_of(both, F, 2 * F, k->activation_size);
        Work it = work(y, [=] { k->swiglu_forward(NULL, y, gate, up); });
        void *plain_up = (char *)both.data + (size_t)(T * F) * k->activation_size; // an array behind the other
        if (plain)
            it.peers.push_back(
                {"plain", PLAIN_REPEATS, [=] { return plain_swiglu(NULL, y.data, both.data, plain_up, T * F); }});
        return it;
    });
    m.add("swiglu_backward", shape, 5 * rows, 0, [=](Memory &a) {
        Tensor both = a.tensor(T, 2 * F, NORMAL), dy = a.tensor(T, F, NORMAL); // in place, as in a step
        Tensor gate = columns_of(both, 0, F, k->activation_size), up = columns_of(both, F, 2 * F, k->activation_size);
        return work(both, [=] { k->swiglu_backward(NULL, gate, up, dy, gate, up); });
    });
}

// The same without wgmma and TMA, beside which the kernels for Hopper stand
static Peer by_mma(const char *variable, const std::function<void()> &run)
{
    return {"mma.sync", LIBRARY_REPEATS, [=] {
                setenv(variable, "mma", 1);
                run();
                unsetenv(variable);
                return true;
            }};
}

// ---- matrix products: our own, and the library's beside it

static Work product_work(Memory &a, Product p, const Tensor &left, const Tensor &right, bool plain)
{
    p.a = left.data;
    p.b = right.data;
    p.c = p.add ? a.floats(p.m * p.n, SMALL) : a.empty(p.m, p.n).data;
    auto own = [=] { product_ours(NULL, &p); };
    Work it = Work{own, p.c, p.m * p.n, p.c_is_float, {by_mma("DEREASON_MATMUL", own)}};
    it.peers.push_back({"cublaslt", LIBRARY_REPEATS, [=] { return product_library(NULL, &p); }});
    if (plain)
        it.peers.push_back({"plain", PLAIN_REPEATS, [=] { return plain_matmul(NULL, p.c, p.a, p.b, p.m, p.n, p.k); }});
    return it;
}

// A weight (N, K) under T rows, forward.
static void add_matmul_forward(const Maker &m, const char *name, int64_t T, int64_t N, int64_t K, bool plain)
{
    std::string shape = name + (" " + text({{"T", T}, {"N", N}, {"K", K}}));
    double bytes = (double)(T * K + T * N + N * K) * m.e, flops = 2.0 * (double)T * (double)(N * K);
    m.add("matmul_forward", shape, bytes, flops, [=](Memory &a) {
        Product p = {MATMUL_FORWARD, T, N, K, NULL, NULL, NULL, K, K, N, false, false};
        return product_work(a, p, a.tensor(T, K, NORMAL), a.tensor(N, K, SMALL), plain);
    });
}

static void add_matmul_backward(const Maker &m, const char *name, int64_t T, int64_t N, int64_t K)
{
    std::string shape = name + (" " + text({{"T", T}, {"N", N}, {"K", K}}));
    double rows = (double)(T * K + T * N), weight = (double)(N * K), flops = 2.0 * (double)T * weight;
    m.add("matmul_backward_input", shape, (rows + weight) * m.e, flops, [=](Memory &a) {
        Product p = {MATMUL_BACKWARD_INPUT, T, K, N, NULL, NULL, NULL, N, K, K, false, false};
        return product_work(a, p, a.tensor(T, N, NORMAL), a.tensor(N, K, SMALL), false);
    });
    m.add("matmul_backward_weight", shape, rows * m.e + weight * 8, flops, [=](Memory &a) {
        Product p = {MATMUL_BACKWARD_WEIGHT, N, K, T, NULL, NULL, NULL, N, K, K, true, true};
        return product_work(a, p, a.tensor(T, N, NORMAL), a.tensor(T, K, SMALL), false);
    });
}

// What decoding has: our own product of few rows beside that for any card and the library, for each of a layer's four
static void add_few_rows(const Maker &m, int64_t rows)
{
    int64_t C = m.z.C, Q = m.z.H * m.z.D, KV = m.z.Hkv * m.z.D, F = m.z.F;
    add_matmul_forward(m, "qkv_proj", rows, Q + 2 * KV, C, false);
    add_matmul_forward(m, "o_proj", rows, C, Q, false);
    add_matmul_forward(m, "gate_up_proj", rows, 2 * F, C, false);
    add_matmul_forward(m, "down_proj", rows, C, F, false);
}

static void add_matmul_swiglu(const Maker &m, int64_t T)
{
    const Kernels *k = m.k;
    int64_t C = m.z.C, F = m.z.F;
    size_t e = (size_t)m.e;
    double bytes = (double)(T * C + 3 * T * F + 2 * F * C) * m.e, flops = 4.0 * (double)T * (double)(F * C);
    m.add("matmul_swiglu_forward", text({{"T", T}, {"F", F}, {"C", C}}), bytes, flops, [=](Memory &a) {
        Tensor y = a.empty(T, F), both = a.empty(T, 2 * F), x = a.tensor(T, C, NORMAL), w = a.tensor(2 * F, C, SMALL);
        auto apart = [=] {
            k->matmul_forward(NULL, both, x, w, false);
            k->swiglu_forward(NULL, y, columns_of(both, 0, F, e), columns_of(both, F, 2 * F, e));
        };
        Work it = work(y, [=] { k->matmul_swiglu_forward(NULL, y, both, x, w, T > 256); });
        it.peers.push_back({"apart", LIBRARY_REPEATS, [=] { return apart(), true; }});
        return it;
    });
}

static void add_matmuls(const Maker &m, const std::vector<int64_t> &few_rows)
{
    int64_t C = m.z.C, Q = m.z.H * m.z.D, KV = m.z.Hkv * m.z.D, F = m.z.F;
    const struct {
        const char *name;
        int64_t N, K;
    } weights[] = {{"qkv_proj", Q + 2 * KV, C}, {"o_proj", C, Q}, {"gate_up_proj", 2 * F, C}, {"down_proj", C, F}};
    for (auto &w : weights) {
        add_matmul_forward(m, w.name, m.T, w.N, w.K, m.plain && w.N == 2 * F);
        add_matmul_backward(m, w.name, m.T, w.N, w.K);
    }
    for (int64_t rows : few_rows)
        add_few_rows(m, rows);
    add_matmul_swiglu(m, m.T);
    for (int64_t rows : few_rows)
        add_matmul_swiglu(m, rows);
}

// ---- attention

struct AttentionArrays {
    Tensor q, k, v, out;
    float *logsumexp;
    Attention who;
};

static AttentionArrays attention_arrays(Memory &a, const Kernels *k, const Sizes &z, int64_t documents, int64_t length)
{
    int64_t T = documents * length;
    AttentionArrays x = {};
    int64_t Q = z.H * z.D, K = Q + z.Hkv * z.D, all = K + z.Hkv * z.D; // side by side, as one product leaves them
    Tensor qkv = a.tensor(T, all, NORMAL);
    x.q = columns_of(qkv, 0, Q, k->activation_size);
    x.k = columns_of(qkv, Q, K, k->activation_size);
    x.v = columns_of(qkv, K, all, k->activation_size);
    x.out = a.empty(T, z.H * z.D);
    x.logsumexp = a.empty_floats(T * z.H);
    x.who.sequences = documents;
    x.who.heads = z.H;
    x.who.kv_heads = z.Hkv;
    x.who.head_width = z.D;
    x.who.starts = a.copy(multiples(documents + 1, length));
    x.who.contexts = a.copy(std::vector<int32_t>((size_t)documents, 0));
    x.who.longest = length;
    return x;
}

// All documents but the first go on from it, as responses do from their prompt.
static void put_behind_the_first(Attention *who, Memory &a, int64_t length)
{
    size_t S = (size_t)who->sequences;
    std::vector<int32_t> contexts(S, (int32_t)length), until = multiples((int64_t)S + 1, length);
    until.erase(until.begin());
    contexts[0] = 0;
    until[0] = until.back();
    who->contexts = a.copy(contexts);
    who->context_rows = a.copy(std::vector<int32_t>(S, 0));
    who->seen_until = a.copy(until);
}

// As much as the model lends going back: gate, up and their product of these tokens (model/backward.c)
static void lend_workspace(Attention *who, Memory &a, const Sizes &z, int64_t tokens)
{
    int64_t length = tokens / who->sequences, context = who->context_rows != NULL ? length : 0;
    who->block_pairs = pair_blocks(length, 0) + (who->sequences - 1) * pair_blocks(length, context);
    who->workspace_floats = 3 * tokens * z.F / 2;
    who->workspace = a.empty_floats(who->workspace_floats);
}

// cuDNN's attention in the place of ours, where it is to be had; that it is not is said once
static const Kernels *by_cudnn(const Kernels *own)
{
    static bool asked;
    static const Kernels *table;
    if (!asked && (table = kernels_cuda_cudnn(own)) == NULL)
        fprintf(stderr, "kernel_bench: cuDNN is skipped as a peer: %s\n", error_text());
    asked = true;
    error_clear();
    return table;
}

// Products over the lower triangle: two forward, five going back (the scores again, dV, dP, dQ, dK). behind: all but
// the first document go on from it, and see it whole; cuDNN has no such attention.
static void add_attention(const Maker &m, int64_t documents, int64_t length, bool behind = false)
{
    const Kernels *k = m.k;
    Sizes z = m.z;
    int64_t T = documents * length, Q = z.H * z.D, KV = z.Hkv * z.D;
    bool plain = m.plain && documents == 1 && length <= 4096;
    std::string shape = text({{"documents", documents}, {"length", length}, {"H", z.H}, {"Hkv", z.Hkv}, {"D", z.D}});
    double L = (double)length, product = (double)documents * L * (L + 1) * (double)Q; // 2 · Q · half of the square
    if (behind) {
        shape = "behind one prompt " + shape;
        product += 2 * (double)(documents - 1) * L * L * (double)Q;
    }
    double rows = (double)(T * Q) * m.e, kv = (double)(T * KV) * m.e, sums = 4.0 * (double)(T * z.H);
    m.add("attention_forward", shape, 2 * rows + 2 * kv + sums, 2 * product, [=](Memory &a) {
        AttentionArrays x = attention_arrays(a, k, z, documents, length);
        if (behind)
            put_behind_the_first(&x.who, a, length);
        Work it = work(x.out, [=] { k->attention_forward(NULL, x.out, x.logsumexp, x.q, x.k, x.v, &x.who); });
        it.peers.push_back(by_mma("DEREASON_ATTENTION", it.run));
        if (const Kernels *cudnn = behind ? NULL : by_cudnn(k))
            it.peers.push_back({"cudnn", LIBRARY_REPEATS, [=] {
                                    cudnn->attention_forward(NULL, x.out, x.logsumexp, x.q, x.k, x.v, &x.who);
                                    return !device_refused(true);
                                }});
        if (plain)
            it.peers.push_back(
                {"plain", PLAIN_REPEATS,
                 [=] { return plain_attention(NULL, x.out.data, x.q.data, x.k.data, x.v.data, T, z.H, z.Hkv, z.D); }});
        return it;
    });
    m.add("attention_backward", shape, 4 * rows + 4 * kv + sums, 5 * product, [=](Memory &a) {
        AttentionArrays x = attention_arrays(a, k, z, documents, length);
        if (behind)
            put_behind_the_first(&x.who, a, length);
        Tensor dout = a.tensor(T, Q, NORMAL), all = a.empty(T, Q + 2 * KV);
        Tensor dq = columns_of(all, 0, Q, k->activation_size), dk = columns_of(all, Q, Q + KV, k->activation_size),
               dv = columns_of(all, Q + KV, Q + 2 * KV, k->activation_size);
        float *delta = a.empty_floats(T * z.H);
        k->attention_forward(NULL, x.out, x.logsumexp, x.q, x.k, x.v, &x.who);
        lend_workspace(&x.who, a, z, T);
        Work it = work(all, [=] {
            k->attention_backward(NULL, dq, dk, dv, delta, dout, x.q, x.k, x.v, x.out, x.logsumexp, &x.who);
        });
        it.peers.push_back(by_mma("DEREASON_ATTENTION", it.run));
        if (const Kernels *cudnn = behind ? NULL : by_cudnn(k))
            it.peers.push_back({"cudnn", LIBRARY_REPEATS, [=] {
                                    cudnn->attention_backward(NULL, dq, dk, dv, delta, dout, x.q, x.k, x.v, x.out,
                                                              x.logsumexp, &x.who);
                                    return !device_refused(true);
                                }});
        return it;
    });
}

// ---- the head: all rows trained, all columns alive. Going back it makes the logits again: three products, as many as
// both passes in one need

static void add_head(const Maker &m)
{
    const Kernels *k = m.k;
    int64_t N = m.T, C = m.z.C, V = m.z.V;
    std::string shape = text({{"N", N}, {"C", C}, {"V", V}});
    double rows = (double)(N * C) * m.e, weight = (double)(V * C), product = 2.0 * (double)N * weight,
           sums = 20.0 * (double)N;
    m.add("head_forward", shape, rows + weight * m.e + sums, product, [=](Memory &a) {
        Tensor x = a.tensor(N, C, NORMAL), w = a.tensor(V, C, SMALL);
        float *r = a.empty_floats(3 * N), *scratch = a.empty_floats(k->head_workspace(N, V, C));
        int32_t *targets = a.copy(token_ids(N, V)), *best = (int32_t *)a.empty_floats(N);
        return work(r, 3 * N, [=] { k->head_forward(NULL, r, r + N, r + 2 * N, best, x, w, targets, 1, V, scratch); });
    });
    m.add("head_backward", shape, 2 * rows + weight * (m.e + 8) + sums, 3 * product, [=](Memory &a) {
        Tensor x = a.tensor(N, C, NORMAL), w = a.tensor(V, C, SMALL), dx = a.empty(N, C);
        float *r = a.empty_floats(3 * N), *scratch = a.empty_floats(k->head_workspace(N, V, C));
        float *dweight = a.floats(V * C, SMALL), *dlogprob = a.floats(N, SMALL);
        int32_t *targets = a.copy(token_ids(N, V));
        k->head_forward(NULL, r, r + N, r + 2 * N, NULL, x, w, targets, 1, V, scratch);
        return work(dx, [=] {
            k->head_backward(NULL, dx, dweight, x, w, targets, 1, V, r + 2 * N, r + N, dlogprob, NULL, scratch);
        });
    });
    m.add("head_forward_backward", shape, 2 * rows + weight * (m.e + 8) + sums, 3 * product, [=](Memory &a) {
        Tensor x = a.tensor(N, C, NORMAL), w = a.tensor(V, C, SMALL), dx = a.empty(N, C);
        float *r = a.empty_floats(3 * N), *scratch = a.empty_floats(k->head_workspace(N, V, C));
        float *dweight = a.floats(V * C, SMALL), *dlogprob = a.floats(N, SMALL);
        int32_t *targets = a.copy(token_ids(N, V));
        return work(dx, [=] {
            k->head_forward_backward(NULL, r, r + N, r + 2 * N, dx, dweight, x, w, targets, 1, V, dlogprob, NULL,
                                     scratch);
        });
    });
}

// ---- decoding: a new token for each of S sequences, over scattered pages; and the sampler

enum { SAMPLES = 8 }; // of a prompt

// The samples of a prompt begin with the first one's pages, `shared` of them.
static Attention attention_in_pages(Memory &a, const Maker &m, int64_t sequences, int64_t context, int64_t shared)
{
    int64_t blocks = ceil_divide(context, KEY_BLOCK), pages = sequences * blocks;
    int64_t elements = m.k->page_elements(m.z.Hkv, m.z.D);
    std::vector<int32_t> table((size_t)pages);
    for (int64_t i = 0; i < pages; i++)
        table[(size_t)i] =
            (int32_t)(i % 2 ? i : pages - 1 - (pages - 1) % 2 - i); // odd ones ascending, even ones descending
    std::vector<int32_t> until((size_t)sequences), starts = multiples(sequences + 1, 1),
                                                   contexts((size_t)sequences, (int32_t)context - 1),
                                                   common((size_t)sequences, (int32_t)shared);
    for (int64_t s = 0; s < sequences; s++)
        until[(size_t)s] = (int32_t)((s / SAMPLES + 1) * SAMPLES);
    for (int64_t i = 0; i < pages; i++)
        if (i % blocks < shared)
            table[(size_t)i] = table[(size_t)(i / blocks / SAMPLES * SAMPLES * blocks + i % blocks)];
    Attention who = {};
    who.sequences = sequences;
    who.heads = m.z.H;
    who.kv_heads = m.z.Hkv;
    who.head_width = m.z.D;
    std::vector<DecodePiece> pieces((size_t)decode_pieces_most(sequences, context, m.z.H / m.z.Hkv));
    who.starts = starts.data();
    who.contexts = contexts.data();
    who.shared_pages = shared > 0 ? common.data() : NULL;
    who.shared_until = shared > 0 ? until.data() : NULL;
    decode_pieces(pieces.data(), &who);
    who.pieces = a.copy(pieces);
    who.shared_pages = shared > 0 ? a.copy(common) : NULL;
    who.shared_until = shared > 0 ? a.copy(until) : NULL;
    who.starts = a.copy(starts);
    who.contexts = a.copy(contexts);
    who.key_pages = a.tensor(pages, elements, NORMAL).data;
    who.value_pages = a.tensor(pages, elements, NORMAL).data;
    who.page_table = a.copy(table);
    who.pages_per_sequence = blocks;
    who.workspace = a.empty_floats(m.k->attention_workspace(sequences, context, m.z.H, m.z.D));
    return who;
}

// Samples of prompts of half of the context
static void add_decoding_together(const Maker &m, int64_t sequences, int64_t context)
{
    const Kernels *k = m.k;
    Sizes z = m.z;
    Maker maker = m;
    int64_t S = sequences, Q = z.H * z.D, KV = z.Hkv * z.D, shared = context / 2 / KEY_BLOCK;
    if (S % SAMPLES != 0 || shared == 0)
        return;
    int64_t positions = S * context - (S - S / SAMPLES) * shared * KEY_BLOCK;
    std::string shape = text({{"sequences", S},
                              {"context", context},
                              {"shared", shared * KEY_BLOCK},
                              {"H", z.H},
                              {"Hkv", z.Hkv},
                              {"D", z.D}});
    double bytes = 2.0 * (double)(S * Q + positions * KV) * m.e + 4.0 * (double)(S * z.H);
    m.add("attention_decode_shared", shape, bytes, 4.0 * (double)(S * context) * (double)Q, [=](Memory &a) {
        Attention who = attention_in_pages(a, maker, S, context, shared);
        Tensor q = a.tensor(S, Q, NORMAL), out = a.empty(S, Q), none = {};
        float *logsumexp = a.empty_floats(S * z.H);
        Work it = work(out, [=] { k->attention_forward(NULL, out, logsumexp, q, none, none, &who); });
        it.peers.push_back(by_mma("DEREASON_ATTENTION", it.run));
        return it;
    });
}

static void add_decoding(const Maker &m, int64_t sequences, int64_t context)
{
    const Kernels *k = m.k;
    Sizes z = m.z;
    Maker maker = m;
    int64_t S = sequences, Q = z.H * z.D, KV = z.Hkv * z.D;
    std::string shape = text({{"sequences", S}, {"context", context}, {"H", z.H}, {"Hkv", z.Hkv}, {"D", z.D}});
    double rows = (double)(S * Q) * m.e, cached = 2.0 * (double)(S * context * KV) * m.e,
           fresh = 2.0 * (double)(S * KV) * m.e;
    double sums = 4.0 * (double)(S * z.H), product = 2.0 * (double)(S * context) * (double)Q;
    m.add("attention_decode", shape, 2 * rows + cached + sums, 2 * product, [=](Memory &a) {
        Attention who = attention_in_pages(a, maker, S, context, 0);
        Tensor q = a.tensor(S, Q, NORMAL), out = a.empty(S, Q), none = {};
        float *logsumexp = a.empty_floats(S * z.H);
        Work it = work(out, [=] { k->attention_forward(NULL, out, logsumexp, q, none, none, &who); });
        it.peers.push_back(by_mma("DEREASON_ATTENTION", it.run));
        return it;
    });
    double tables = (double)S * (4 + 4.0 * (double)z.D);
    m.add("qk_norm_rope_forward", "to pages, " + shape, 2 * (rows + fresh) + tables, 0, [=](Memory &a) {
        Attention who = attention_in_pages(a, maker, S, context, 0);
        Tensor y = a.empty(S, Q + KV), x = a.tensor(S, Q + 2 * KV, NORMAL), w = a.tensor(1, z.D, NORMAL);
        float *rstd = a.empty_floats(S * (z.H + z.Hkv)), *cosine = a.floats(S * z.D / 2, NORMAL),
              *sine = a.floats(S * z.D / 2, NORMAL);
        int32_t *at = a.copy(multiples(S, 1));
        Tensor first = dense(y.data, 1, Q);
        return work(first, [=] { k->qk_norm_rope_forward(NULL, y, rstd, x, w, w, cosine, sine, at, &who, 1e-6f); });
    });
}

static void add_sampling(const Maker &m, int64_t N, bool limits)
{
    const Kernels *k = m.k;
    int64_t C = m.z.C, V = m.z.V;
    std::string shape = text({{"N", N}, {"C", C}, {"V", V}});
    double weight = (double)(V * C), rows = (double)(N * C) * m.e;
    m.add(limits ? "head_sample, top-k and top-p" : "head_sample", shape, weight * m.e + rows + 16.0 * (double)N,
          2.0 * (double)N * weight, [=](Memory &a) {
              Tensor x = a.tensor(N, C, NORMAL), w = a.tensor(V, C, SMALL);
              float *r = a.empty_floats(3 * N), *scratch = a.empty_floats(k->sample_workspace(N, V));
              int32_t *token = (int32_t *)a.empty_floats(N);
              std::vector<SampleRow> rows((size_t)N);
              for (int64_t n = 0; n < N; n++)
                  rows[(size_t)n] = SampleRow{1, (uint64_t)n, 0, 1, 1.0f, limits ? 0.95f : 1.0f, 0.0f, limits ? 50 : 0};
              const SampleRow *who = a.copy(rows);
              return work(r, 3 * N, [=] { k->head_sample(NULL, token, r, r + N, r + 2 * N, x, w, who, V, scratch); });
          });
}

// ---- optimizer: one layer's parameters

// weight written, master and both moments read and written, gradient read
static void add_adamw(const Maker &m, int64_t count, bool half)
{
    const Kernels *k = m.k;
    double bytes = (double)count * (m.e + 8 + (half ? 8 : 16) + 4);
    m.add(half ? "adamw, bf16 moments" : "adamw", text("elements", count), bytes, 0, [=](Memory &a) {
        float *master = a.floats(count, SMALL), *gradient = a.floats(count, SMALL);
        Tensor weight = a.tensor(1, count, SMALL);
        void *first = half ? a.tensor(1, count, SMALL).data : a.floats(count, SMALL);
        void *second = half ? a.tensor(1, count, POSITIVE).data : a.floats(count, POSITIVE);
        AdamW settings = {1e-5, 0.9, 0.999, 1e-8, 0.01, 1, 10, half, 1};
        return work(master, count,
                    [=] { k->adamw(NULL, weight.data, master, first, second, gradient, count, &settings, 1, 0); });
    });
}

static void add_sums(const Maker &m, int64_t count)
{
    const Kernels *k = m.k;
    int64_t blocks = ceil_divide(count, SQUARES_BLOCK);
    std::string shape = text("elements", count);
    m.add("square_sums", shape, 4.0 * (double)count, 0, [=](Memory &a) {
        float *x = a.floats(count, SMALL), *sums = a.empty_floats(blocks);
        return work(sums, blocks, [=] { k->square_sums(NULL, sums, x, count); });
    });
    m.add("accumulate", shape, 12.0 * (double)count, 0, [=](Memory &a) {
        float *sum = a.floats(count, SMALL), *x = a.floats(count, SMALL);
        return work(sum, count, [=] { k->accumulate(NULL, sum, x, count); });
    });
    m.add("zero", shape, 4.0 * (double)count, 0, [=](Memory &a) {
        float *x = a.empty_floats(count);
        return work(x, count, [=] { k->zero(NULL, x, (size_t)count * sizeof(float)); });
    });
}

std::vector<Case> bench_cases(const Kernels *kernels, const Sizes &z, const Extent &extent)
{
    std::vector<Case> cases;
    Maker m = {&cases, kernels, z, extent.tokens, extent.plain, (double)kernels->activation_size};
    int64_t layer = z.C * (2 * z.H + 2 * z.Hkv) * z.D + 3 * z.C * z.F;
    add_embedding(m);
    add_rows(m);
    add_bias(m);
    add_rmsnorm_forward(m);
    add_rmsnorm_backward(m);
    add_qk_norm_rope(m);
    add_swiglu(m);
    add_matmuls(m, extent.few_rows);
    for (auto &documents : extent.documents)
        add_attention(m, documents.first, documents.second);
    add_attention(m, 9, extent.tokens / 16, true); // a group of eight
    add_head(m);
    for (auto &sequences : extent.decoding) {
        add_decoding(m, sequences.first, sequences.second);
        add_decoding_together(m, sequences.first, sequences.second);
    }
    for (int64_t rows : extent.few_rows) {
        add_sampling(m, rows, false);
        add_sampling(m, rows, true);
    }
    add_adamw(m, layer, false);
    add_adamw(m, layer, true);
    add_sums(m, layer);
    return cases;
}
