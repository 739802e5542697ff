// The operations as functions of numbers: see call.h.
#include "test/cuda/call.h"
#include "kernels/decode_pieces.h"
#include <cstring>

// ---- memory

enum { GUARD = 256 }; // bytes of NaN behind every array, unless the runtime watches every access itself

Memory::~Memory()
{
    for (const Piece &piece : pieces)
        kernels->release(piece.data);
}

void *Memory::take(size_t size)
{
    size_t guard = bounds_are_watched() ? 0 : GUARD;
    std::vector<unsigned char> poison(guard, 0xff);
    void *data = kernels->allocate(size + guard);
    if (data == NULL)
        failed("allocate: %s", error_text());
    pieces.push_back(Piece{data, size, guard});
    if (guard > 0)
        kernels->upload(NULL, (char *)data + size, poison.data(), guard);
    return data;
}

void *Memory::bytes(const void *host, size_t count)
{
    void *data = take(count);
    if (count > 0)
        kernels->upload(NULL, data, host, count);
    return data;
}

void *Memory::output(size_t count)
{
    std::vector<unsigned char> poison(count, 0xff);
    return bytes(poison.data(), count);
}

Tensor Memory::elements(const Matrix &x)
{
    void *data = take(x.x.size() * kernels->activation_size);
    if (!x.x.empty())
        kernels->upload_rounded(NULL, data, x.x.data(), (int64_t)x.x.size());
    return dense(data, x.rows, x.columns);
}

Tensor Memory::elements_out(int64_t rows, int64_t columns)
{
    return dense(output((size_t)(rows * columns) * kernels->activation_size), rows, columns);
}

std::vector<Tensor> Memory::beside_out(int64_t rows, const std::vector<int64_t> &columns)
{
    std::vector<Tensor> parts;
    int64_t all = 0, from = 0;
    for (int64_t n : columns)
        all += n;
    Tensor whole = elements_out(rows, all);
    for (int64_t n : columns) {
        parts.push_back(columns_of(whole, from, from + n, kernels->activation_size));
        from += n;
    }
    return parts;
}

static Matrix side_by_side(const std::vector<Matrix> &x)
{
    Matrix all = {x[0].rows, 0, {}};
    for (const Matrix &part : x)
        all.columns += part.columns;
    for (int64_t row = 0; row < all.rows; row++)
        for (const Matrix &part : x)
            all.x.insert(all.x.end(), part.x.begin() + row * part.columns, part.x.begin() + (row + 1) * part.columns);
    return all;
}

std::vector<Tensor> Memory::beside(const std::vector<Matrix> &x)
{
    std::vector<Tensor> parts;
    Tensor whole = elements(side_by_side(x));
    int64_t from = 0;
    for (const Matrix &part : x) {
        parts.push_back(columns_of(whole, from, from + part.columns, kernels->activation_size));
        from += part.columns;
    }
    return parts;
}

float *Memory::floats(const Floats &x) { return (float *)bytes(x.data(), x.size() * sizeof(float)); }
float *Memory::floats_out(int64_t count) { return (float *)output((size_t)count * sizeof(float)); }
int32_t *Memory::integers(const Integers &x) { return (int32_t *)bytes(x.data(), x.size() * sizeof(int32_t)); }
int32_t *Memory::integers_out(int64_t count) { return (int32_t *)output((size_t)count * sizeof(int32_t)); }

void Memory::read(void *host, const void *x, size_t count)
{
    if (count > 0 && !kernels->download(NULL, host, x, count))
        failed("download: %s", error_text());
    check_guards();
}

void Memory::check_guards()
{
    unsigned char guard[GUARD];
    for (const Piece &piece : pieces) {
        if (piece.guard == 0)
            continue;
        if (!kernels->download(NULL, guard, (const char *)piece.data + piece.size, piece.guard))
            failed("download: %s", error_text());
        for (size_t i = 0; i < piece.guard; i++)
            if (guard[i] != 0xff)
                failed("byte %zu behind an output of %zu bytes was written", i, piece.size);
    }
}

static void check_written(const Floats &x, uint32_t poison)
{
    for (size_t i = 0; i < x.size(); i++)
        if (memcmp(&x[i], &poison, sizeof poison) == 0)
            failed("element %zu of %zu was not written", i, x.size());
}

Floats Memory::read(Tensor x)
{
    Floats all((size_t)(x.rows > 0 ? (x.rows - 1) * x.stride + x.columns : 0)), host;
    if (!all.empty() && !kernels->download_widened(NULL, all.data(), x.data, (int64_t)all.size()))
        failed("download_widened: %s", error_text());
    for (int64_t row = 0; row < x.rows; row++)
        host.insert(host.end(), all.begin() + row * x.stride, all.begin() + row * x.stride + x.columns);
    check_guards();
    check_written(host, kernels->activation_size == 2 ? 0xffff0000u : 0xffffffffu);
    return host;
}

Floats Memory::read(const float *x, int64_t count)
{
    Floats host((size_t)count);
    read(host.data(), x, host.size() * sizeof(float));
    check_written(host, 0xffffffffu);
    return host;
}

Integers Memory::read(const int32_t *x, int64_t count)
{
    Integers host((size_t)count);
    read(host.data(), x, host.size() * sizeof(int32_t));
    for (size_t i = 0; i < host.size(); i++)
        if (host[i] == -1)
            failed("index %zu of %zu was not written", i, host.size());
    return host;
}

// ---- rows

// Of an even number of rows as columns of a wider array
static Tensor wide(Memory &m, const Matrix &x) { return x.rows % 2 == 0 ? m.beside({x, x})[1] : m.elements(x); }
static Tensor wide_out(Memory &m, int64_t rows, int64_t columns)
{
    return m.beside_out(rows, {columns, rows % 2 == 0 ? 8 : 0})[0];
}

static Matrix as_matrix(Memory &memory, Tensor x) { return Matrix{x.rows, x.columns, memory.read(x)}; }

Matrix embedding_forward(const Kernels *k, const Matrix &table, const Integers &ids)
{
    Memory m(k);
    Tensor y = m.elements_out((int64_t)ids.size(), table.columns);
    k->embedding_forward(NULL, y, m.elements(table), m.integers(ids));
    return as_matrix(m, y);
}

Floats embedding_backward(const Kernels *k, const Floats &before, const Matrix &dy, const Integers &ids)
{
    Memory m(k);
    float *dtable = m.floats(before);
    k->embedding_backward(NULL, dtable, m.elements(dy), m.integers(ids), m.integers_out(2 * dy.rows));
    return m.read(dtable, (int64_t)before.size());
}

Matrix rows_gather(const Kernels *k, const Matrix &x, const Integers &rows)
{
    Memory m(k);
    Tensor y = m.elements_out((int64_t)rows.size(), x.columns);
    k->rows_gather(NULL, y, m.elements(x), m.integers(rows));
    return as_matrix(m, y);
}

Matrix rows_scatter(const Kernels *k, int64_t rows_of_dx, const Matrix &dy, const Integers &rows)
{
    Memory m(k);
    Tensor dx = m.elements_out(rows_of_dx, dy.columns);
    k->rows_scatter(NULL, dx, m.elements(dy), m.integers(rows));
    return as_matrix(m, dx);
}

Matrix rows_fill(const Kernels *k, int64_t rows_of_y, const Matrix &row)
{
    Memory m(k);
    Tensor y = wide_out(m, rows_of_y, row.columns);
    k->rows_fill(NULL, y, m.elements(row));
    return as_matrix(m, y);
}

Floats rows_sum(const Kernels *k, const Floats &before, const Matrix &dy)
{
    Memory m(k);
    float *drow = m.floats(before), *partial = m.floats_out(partial_floats(dy.rows, dy.columns));
    k->rows_sum(NULL, drow, partial, wide(m, dy));
    return m.read(drow, (int64_t)before.size());
}

Matrix rows_scale(const Kernels *k, const Matrix &y, float factor)
{
    Memory m(k);
    Tensor all = wide(m, y);
    k->rows_scale(NULL, all, factor);
    return as_matrix(m, all);
}

// ---- norms

static const Tensor NONE = {};

// What a gradient is added to, and its scratch; NULL where none is wanted
static float *gradient(Memory &m, const Floats &before) { return before.empty() ? NULL : m.floats(before); }
static float *scratch_of(Memory &m, const float *gradient, int64_t count)
{
    return gradient == NULL ? NULL : m.floats_out(count);
}
static Floats read_gradient(Memory &m, const float *gradient, const Floats &before)
{
    return gradient == NULL ? Floats() : m.read(gradient, (int64_t)before.size());
}

Normed rmsnorm_forward(const Kernels *k, const Matrix &x, const Matrix *residual, const Matrix &weight, float epsilon)
{
    Memory m(k);
    Tensor y = m.elements_out(x.rows, x.columns), sum = residual != NULL ? m.elements_out(x.rows, x.columns) : NONE;
    float *rstd = m.floats_out(x.rows);
    k->rmsnorm_forward(NULL, y, sum, rstd, m.elements(x), residual != NULL ? m.elements(*residual) : NONE,
                       m.elements(weight), epsilon);
    return Normed{m.read(y), m.read(sum), m.read(rstd, x.rows)};
}

NormGradients rmsnorm_backward(const Kernels *k, const Floats &before, const Matrix &dy, const Matrix *dsum,
                               const Matrix &sum, const Matrix &weight, const Floats &rstd, bool in_place)
{
    Memory m(k);
    Tensor arriving = dsum != NULL ? m.elements(*dsum) : NONE,
           dx = in_place ? arriving : m.elements_out(sum.rows, sum.columns);
    float *dweight = gradient(m, before), *partial = scratch_of(m, dweight, partial_floats(sum.rows, sum.columns));
    k->rmsnorm_backward(NULL, dx, dweight, partial, m.elements(dy), arriving, m.elements(sum), m.elements(weight),
                        m.floats(rstd));
    return NormGradients{m.read(dx), read_gradient(m, dweight, before)};
}

Rope rope_table(const Kernels *k, int64_t positions, int64_t head_width, double theta)
{
    Memory m(k);
    int64_t count = positions * head_width / 2;
    float *cosine = m.floats_out(count), *sine = m.floats_out(count);
    k->rope_table(NULL, cosine, sine, positions, head_width, theta);
    return Rope{m.read(cosine, count), m.read(sine, count)};
}

static Attention heads_of(int64_t heads, int64_t kv_heads, int64_t width)
{
    Attention a = {};
    a.heads = heads, a.kv_heads = kv_heads, a.head_width = width;
    return a;
}

Normed qk_norm_rope_forward(const Kernels *k, const Matrix &x, const Matrix &weight, const Rope &rope,
                            const Integers &positions, float epsilon)
{
    Memory m(k);
    Attention a = heads_of(x.columns / weight.columns, 0, weight.columns);
    Tensor y = m.elements_out(x.rows, x.columns);
    float *rstd = m.floats_out(x.rows * a.heads);
    k->qk_norm_rope_forward(NULL, y, rstd, m.elements(x), m.elements(weight), NONE, m.floats(rope.cosine),
                            m.floats(rope.sine), m.integers(positions), &a, epsilon);
    return Normed{m.read(y), {}, m.read(rstd, x.rows * a.heads)};
}

Normed qk_norm_rope_forward(const Kernels *k, const Packed &p, const Rope &rope, const Integers &positions,
                            float epsilon)
{
    Memory m(k);
    int64_t D = p.q_weight.columns, heads = p.heads + p.kv_heads, T = p.qkv.rows;
    Attention a = heads_of(p.heads, p.kv_heads, D);
    Tensor y = m.elements_out(T, heads * D);
    float *rstd = m.floats_out(T * heads);
    k->qk_norm_rope_forward(NULL, y, rstd, m.elements(p.qkv), m.elements(p.q_weight), m.elements(p.k_weight),
                            m.floats(rope.cosine), m.floats(rope.sine), m.integers(positions), &a, epsilon);
    return Normed{m.read(y), {}, m.read(rstd, T * heads)};
}

PackedGradients qk_norm_rope_backward(const Kernels *k, const Floats &before, const Matrix &dy, const Packed &p,
                                      const Floats &rstd, const Rope &rope, const Integers &positions)
{
    Memory m(k);
    int64_t D = p.q_weight.columns, heads = p.heads + p.kv_heads, T = p.qkv.rows;
    Attention a = heads_of(p.heads, p.kv_heads, D);
    Tensor dx = m.elements_out(T, heads * D);
    float *dq = gradient(m, before), *dk = gradient(m, before),
          *partial = scratch_of(m, dq, ceil_divide(T, NORM_ROWS) * heads * D);
    k->qk_norm_rope_backward(NULL, dx, dq, dk, partial, m.elements(dy), m.elements(p.qkv), m.elements(p.q_weight),
                             m.elements(p.k_weight), m.floats(rstd), m.floats(rope.cosine), m.floats(rope.sine),
                             m.integers(positions), &a);
    return PackedGradients{m.read(dx), read_gradient(m, dq, before), read_gradient(m, dk, before)};
}

NormGradients qk_norm_rope_backward(const Kernels *k, const Floats &before, const Matrix &dy, const Matrix &x,
                                    const Matrix &weight, const Floats &rstd, const Rope &rope,
                                    const Integers &positions, bool in_place)
{
    Memory m(k);
    int64_t D = weight.columns;
    Attention a = heads_of(dy.columns / D, 0, D);
    Tensor arriving = m.elements(dy), dx = in_place ? arriving : m.elements_out(x.rows, x.columns);
    float *dweight = m.floats(before), *partial = m.floats_out(partial_floats(x.rows, x.columns));
    k->qk_norm_rope_backward(NULL, dx, dweight, NULL, partial, arriving, m.elements(x), m.elements(weight), NONE,
                             m.floats(rstd), m.floats(rope.cosine), m.floats(rope.sine), m.integers(positions), &a);
    return NormGradients{m.read(dx), m.read(dweight, D)};
}

// What is not to be touched is not there.
Floats rope_alone(const Kernels *k, bool back, const Matrix &x, const Rope &rope, const Integers &positions,
                  int64_t head_width, bool in_place)
{
    Memory m(k);
    Tensor from = m.elements(x), to = in_place ? from : m.elements_out(x.rows, x.columns);
    const float *cosine = m.floats(rope.cosine), *sine = m.floats(rope.sine);
    const int32_t *at = m.integers(positions);
    Attention a = heads_of(x.columns / head_width, 0, head_width);
    if (back)
        k->qk_norm_rope_backward(NULL, to, NULL, NULL, NULL, from, NONE, NONE, NONE, NULL, cosine, sine, at, &a);
    else
        k->qk_norm_rope_forward(NULL, to, NULL, from, NONE, NONE, cosine, sine, at, &a, 0);
    return m.read(to);
}

// ---- matrix products

std::vector<Floats> matmul_swiglu_forward(const Kernels *k, const Matrix &x, const Matrix &w, bool keep)
{
    Memory m(k);
    int64_t F = w.rows / 2;
    Tensor y = m.elements_out(x.rows, F), both = m.elements_out(x.rows, 2 * F);
    k->matmul_swiglu_forward(NULL, y, both, m.elements(x), m.elements(w), keep);
    if (!keep)
        return {m.read(y)};
    return {m.read(y), m.read(columns_of(both, 0, F, k->activation_size)),
            m.read(columns_of(both, F, 2 * F, k->activation_size))};
}

Floats matmul_forward(const Kernels *k, const Matrix *before, const Matrix &x, const Matrix &w)
{
    Memory m(k);
    Tensor y = before != NULL ? wide(m, *before) : wide_out(m, x.rows, w.rows);
    k->matmul_forward(NULL, y, wide(m, x), m.elements(w), before != NULL);
    return m.read(y);
}

Floats matmul_backward_input(const Kernels *k, const Matrix *before, const Matrix &dy, const Matrix &w)
{
    Memory m(k);
    Tensor dx = before != NULL ? wide(m, *before) : wide_out(m, dy.rows, w.columns);
    k->matmul_backward_input(NULL, dx, wide(m, dy), m.elements(w), before != NULL);
    return m.read(dx);
}

Floats matmul_backward_weight(const Kernels *k, const Floats *before, const Matrix &dy, const Matrix &x)
{
    Memory m(k);
    Floats nothing((size_t)(dy.columns * x.columns), NAN);
    float *dw = m.floats(before != NULL ? *before : nothing);
    k->matmul_backward_weight(NULL, dw, wide(m, dy), wide(m, x), x.rows, before != NULL);
    return m.read(dw, dy.columns * x.columns);
}

// ---- attention

// Pages as the backend has them, or back: 16 bytes of 8 positions change places (page_column of kernels/cuda/).
static Matrix laid_in_pages(const Kernels *k, const Matrix &x)
{
    Matrix y = x;
    int64_t lanes = 16 / (int64_t)k->activation_size;
    for (int64_t r = 0; r < x.rows; r++)
        for (int64_t c = 0; c < x.columns; c++)
            y.row(r)[c ^ r % 8 * lanes] = x.row(r)[c];
    return y;
}

// The list of pieces that decoding takes
static Integers pieces_of(Attention a, const Sequences &s, const Pages &pages)
{
    int64_t most = decode_pieces_most(a.sequences, pages.per_sequence * KEY_BLOCK, a.heads / a.kv_heads);
    std::vector<DecodePiece> list((size_t)most);
    a.starts = s.starts.data();
    a.contexts = s.contexts.data();
    a.shared_pages = a.shared_pages == NULL ? NULL : pages.shared.data();
    a.shared_until = a.shared_until == NULL ? NULL : pages.until.data();
    int64_t count = decode_pieces(list.data(), &a);
    if (count > most)
        failed("%lld pieces are more than there can be, %lld", (long long)count, (long long)most);
    const int32_t *first = (const int32_t *)list.data();
    return Integers(first, first + count * (int64_t)(sizeof list[0] / sizeof *first));
}

Attention attention_of(Memory &m, const Kernels *k, const Sequences &s, const Pages *pages)
{
    Attention a = {};
    a.sequences = (int64_t)s.contexts.size();
    a.heads = s.heads.heads;
    a.kv_heads = s.heads.kv_heads;
    a.head_width = s.heads.width;
    a.starts = m.integers(s.starts);
    a.contexts = m.integers(s.contexts);
    if (!s.context_rows.empty()) {
        a.context_rows = m.integers(s.context_rows);
        a.seen_until = m.integers(s.seen_until);
    }
    if (pages != NULL) {
        a.key_pages = m.elements(laid_in_pages(k, pages->keys)).data;
        a.value_pages = m.elements(laid_in_pages(k, pages->values)).data;
        a.page_table = m.integers(pages->table);
        a.pages_per_sequence = pages->per_sequence;
        a.shared_pages = pages->shared.empty() ? NULL : m.integers(pages->shared);
        a.shared_until = pages->until.empty() ? NULL : m.integers(pages->until);
        a.pieces = (const DecodePiece *)m.integers(pieces_of(a, s, *pages));
        a.workspace =
            m.floats_out(k->attention_workspace(a.sequences, a.pages_per_sequence * KEY_BLOCK, a.heads, a.head_width));
    }
    return a;
}

Pages pages_read(Memory &m, const Kernels *k, const Attention &a, const Pages &before)
{
    Pages after = before;
    after.keys.x = m.read(dense(a.key_pages, before.keys.rows, before.keys.columns));
    after.values.x = m.read(dense(a.value_pages, before.values.rows, before.values.columns));
    after.keys = laid_in_pages(k, after.keys);
    after.values = laid_in_pages(k, after.values);
    return after;
}

// As they are: turned by no angle.
Pages pages_write(const Kernels *k, const Sequences &s, const Pages &before)
{
    Memory m(k);
    Attention a = attention_of(m, k, s, &before);
    size_t half = (size_t)a.head_width / 2;
    a.heads = 0;
    k->qk_norm_rope_forward(NULL, m.elements_out(s.k.rows, s.k.columns), NULL, m.elements(side_by_side({s.k, s.v})),
                            NONE, NONE, m.floats(Floats(half, 1)), m.floats(Floats(half, 0)),
                            m.integers(Integers((size_t)s.k.rows, 0)), &a, 0);
    return pages_read(m, k, a, before);
}

Turned qk_norm_rope_pages(const Kernels *k, const Sequences &s, const Matrix &q_weight, const Matrix &k_weight,
                          const Rope &rope, const Integers &positions, float epsilon, const Pages &before)
{
    Memory m(k);
    Attention a = attention_of(m, k, s, &before);
    std::vector<Tensor> y = m.beside_out(s.q.rows, {s.q.columns, s.k.columns});
    Tensor both = y[0];
    both.columns += s.k.columns;
    k->qk_norm_rope_forward(NULL, both, m.floats_out(s.q.rows * (a.heads + a.kv_heads)),
                            m.elements(side_by_side({s.q, s.k, s.v})), m.elements(q_weight), m.elements(k_weight),
                            m.floats(rope.cosine), m.floats(rope.sine), m.integers(positions), &a, epsilon);
    return Turned{m.read(y[0]), pages_read(m, k, a, before)};
}

Floats pages_copy(const Kernels *k, const Matrix &pages, int64_t elements, const Integers &pairs)
{
    Memory m(k);
    Tensor all = m.elements(pages);
    k->pages_copy(NULL, all.data, elements, m.integers(pairs), (int64_t)pairs.size() / 2);
    return m.read(all);
}

// Side by side, or each by itself: by the number of rows. In pages the queries lie beside something else.
static bool side_by_side_suits(const Sequences &s) { return s.q.rows % 2 == 0; }

static std::vector<Tensor> queries_keys_values(Memory &m, const Sequences &s, bool in_pages)
{
    bool beside = side_by_side_suits(s);
    if (in_pages)
        return {beside ? m.beside({s.q, s.q})[0] : m.elements(s.q), NONE, NONE};
    if (beside)
        return m.beside({s.q, s.k, s.v});
    return {m.elements(s.q), m.elements(s.k), m.elements(s.v)};
}

Attended attention_forward(const Kernels *k, const Sequences &s, const Pages *pages)
{
    Memory m(k);
    Attention a = attention_of(m, k, s, pages);
    Tensor out = m.elements_out(s.q.rows, s.q.columns);
    float *logsumexp = m.floats_out(s.q.rows * a.heads);
    std::vector<Tensor> in = queries_keys_values(m, s, pages != NULL);
    k->attention_forward(NULL, out, logsumexp, in[0], in[1], in[2], &a);
    return Attended{m.read(out), m.read(logsumexp, s.q.rows * a.heads)};
}

// Of every sequence the blocks of 64 queries and 64 keys that they see, each 2,048 floats: the workspace holds those of
// one or two kv heads, so that the others come behind.
static void add_workspace(Attention *a, Memory &m, const Sequences &s)
{
    for (size_t i = 0; i + 1 < s.starts.size(); i++)
        a->block_pairs += pair_blocks(s.starts[i + 1] - s.starts[i], s.contexts[i]);
    if (s.q.rows % 3 == 0)
        return; // not even that
    int64_t of_kv_head = a->block_pairs * 2048 * (a->heads / a->kv_heads);
    a->workspace_floats = of_kv_head * (1 + s.q.rows % 2) + 7;
    a->workspace = m.floats_out(a->workspace_floats);
}

AttentionGradients attention_backward(const Kernels *k, const Matrix &dout, const Sequences &s, const Matrix &out,
                                      const Floats &logsumexp)
{
    Memory m(k);
    Attention a = attention_of(m, k, s, NULL);
    add_workspace(&a, m, s);
    std::vector<Tensor> in = queries_keys_values(m, s, false), d;
    if (side_by_side_suits(s))
        d = m.beside_out(s.q.rows, {s.q.columns, s.k.columns, s.v.columns});
    else
        d = {m.elements_out(s.q.rows, s.q.columns), m.elements_out(s.k.rows, s.k.columns),
             m.elements_out(s.v.rows, s.v.columns)};
    k->attention_backward(NULL, d[0], d[1], d[2], m.floats_out(s.q.rows * a.heads), m.elements(dout), in[0], in[1],
                          in[2], m.elements(out), m.floats(logsumexp), &a);
    return AttentionGradients{m.read(d[0]), m.read(d[1]), m.read(d[2])};
}

// ---- SwiGLU

Floats swiglu_forward(const Kernels *k, const Matrix &gate, const Matrix &up)
{
    Memory m(k);
    Tensor y = m.elements_out(gate.rows, gate.columns);
    std::vector<Tensor> in = m.beside({gate, up});
    k->swiglu_forward(NULL, y, in[0], in[1]);
    return m.read(y);
}

SwigluGradients swiglu_backward(const Kernels *k, const Matrix &dy, const Matrix &gate, const Matrix &up, bool in_place)
{
    Memory m(k);
    std::vector<Tensor> in = m.beside({gate, up});
    Tensor g = in[0], u = in[1], dgate = g, dup = u;
    if (!in_place) {
        dgate = m.elements_out(gate.rows, gate.columns);
        dup = m.elements_out(up.rows, up.columns);
    }
    k->swiglu_backward(NULL, dgate, dup, m.elements(dy), g, u);
    return SwigluGradients{m.read(dgate), m.read(dup)};
}

// ---- the head

HeadOutput head_forward(const Kernels *k, const HeadInput &h, bool with_best)
{
    Memory m(k);
    int64_t N = h.x.rows;
    float *logprob = m.floats_out(N), *entropy = m.floats_out(N), *logsumexp = m.floats_out(N);
    int32_t *best = with_best ? m.integers_out(N) : NULL;
    k->head_forward(NULL, logprob, entropy, logsumexp, best, m.elements(h.x), m.elements(h.w), m.integers(h.targets),
                    h.temperature, h.n_live, m.floats_out(k->head_workspace(N, h.w.rows, h.w.columns)));
    return HeadOutput{m.read(logprob, N), m.read(entropy, N), m.read(logsumexp, N), m.read(best, with_best ? N : 0)};
}

HeadGradients head_backward(const Kernels *k, const Floats &before, const HeadInput &h, const Floats &logsumexp,
                            const Floats &entropy, const Floats &dlogprob, const Floats *dentropy)
{
    Memory m(k);
    int64_t N = h.x.rows;
    Tensor dx = m.elements_out(N, h.x.columns);
    float *dweight = gradient(m, before);
    k->head_backward(NULL, dx, dweight, m.elements(h.x), m.elements(h.w), m.integers(h.targets), h.temperature,
                     h.n_live, m.floats(logsumexp), m.floats(entropy), m.floats(dlogprob),
                     dentropy != NULL ? m.floats(*dentropy) : NULL,
                     m.floats_out(k->head_workspace(N, h.w.rows, h.w.columns)));
    return HeadGradients{m.read(dx), read_gradient(m, dweight, before)};
}

HeadBoth head_forward_backward(const Kernels *k, const Floats &before, const HeadInput &h, const Floats &dlogprob,
                               const Floats *dentropy)
{
    Memory m(k);
    int64_t N = h.x.rows;
    float *logprob = m.floats_out(N), *entropy = m.floats_out(N), *logsumexp = m.floats_out(N);
    Tensor dx = m.elements_out(N, h.x.columns);
    float *dweight = gradient(m, before);
    k->head_forward_backward(NULL, logprob, entropy, logsumexp, dx, dweight, m.elements(h.x), m.elements(h.w),
                             m.integers(h.targets), h.temperature, h.n_live, m.floats(dlogprob),
                             dentropy != NULL ? m.floats(*dentropy) : NULL,
                             m.floats_out(k->head_workspace(N, h.w.rows, h.w.columns)));
    return HeadBoth{{m.read(logprob, N), m.read(entropy, N), m.read(logsumexp, N), {}},
                    {m.read(dx), read_gradient(m, dweight, before)}};
}

// ---- the sampler

Sampled head_sample(const Kernels *k, const Matrix &x, const Matrix &w, const std::vector<SampleRow> &rows,
                    int64_t n_live)
{
    Memory m(k);
    int64_t N = x.rows;
    int32_t *token = m.integers_out(N);
    float *logprob = m.floats_out(N), *processed = m.floats_out(N), *entropy = m.floats_out(N);
    k->head_sample(NULL, token, logprob, processed, entropy, m.elements(x), m.elements(w),
                   (const SampleRow *)m.bytes(rows.data(), rows.size() * sizeof(SampleRow)), n_live,
                   m.floats_out(k->sample_workspace(N, w.rows)));
    return Sampled{m.read(token, N), m.read(logprob, N), m.read(processed, N), m.read(entropy, N)};
}

Integers tokens_take(const Kernels *k, const Integers &ids, const Integers &kept)
{
    Memory m(k);
    int32_t *all = m.integers(ids);
    k->tokens_take(NULL, all, (int64_t)ids.size(), m.integers(kept));
    return m.read(all, (int64_t)ids.size());
}

Integers tokens_keep(const Kernels *k, const Integers &kept, const Integers &token, const Integers &slots)
{
    Memory m(k);
    int32_t *all = m.integers(kept);
    k->tokens_keep(NULL, all, m.integers(token), m.integers(slots), (int64_t)token.size());
    return m.read(all, (int64_t)kept.size());
}

// ---- optimizer

static std::vector<uint16_t> narrowed(const Floats &x) // numbers of bf16
{
    std::vector<uint16_t> y(x.size());
    for (size_t i = 0; i < x.size(); i++)
        memcpy(&y[i], (const char *)&x[i] + 2, 2);
    return y;
}

static void *moments_up(Memory &m, const Floats &x, bool bf16)
{
    std::vector<uint16_t> half = narrowed(x);
    return bf16 ? m.bytes(half.data(), 2 * half.size()) : m.bytes(x.data(), 4 * x.size());
}

static Floats moments_down(Memory &m, const void *data, size_t count, bool bf16)
{
    Floats x(count);
    std::vector<uint16_t> half(count);
    if (!bf16) {
        m.read(x.data(), data, 4 * count);
        return x;
    }
    m.read(half.data(), data, 2 * count);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)half[i] << 16;
        memcpy(&x[i], &bits, sizeof bits);
    }
    return x;
}

Moments adamw(const Kernels *k, const Moments &before, const Floats &gradient, const AdamW &adam, int64_t tensor,
              int64_t offset)
{
    Memory mem(k);
    int64_t count = (int64_t)gradient.size();
    float *master = mem.floats(before.master);
    Tensor weight = dense(master, 1, count);
    if (k->activation_size != sizeof(float))
        weight = mem.elements_out(1, count);
    void *m = moments_up(mem, before.m, adam.bf16_moments), *v = moments_up(mem, before.v, adam.bf16_moments);
    k->adamw(NULL, weight.data, master, m, v, mem.floats(gradient), count, &adam, tensor, offset);
    return Moments{mem.read(master, count), mem.read(weight), moments_down(mem, m, (size_t)count, adam.bf16_moments),
                   moments_down(mem, v, (size_t)count, adam.bf16_moments)};
}

Floats square_sums(const Kernels *k, const Floats &x)
{
    Memory m(k);
    int64_t blocks = ceil_divide((int64_t)x.size(), SQUARES_BLOCK);
    float *sums = m.floats_out(blocks);
    k->square_sums(NULL, sums, m.floats(x), (int64_t)x.size());
    return m.read(sums, blocks);
}
