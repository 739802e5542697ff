// Attention against formulas in double precision that round where the kernels round (P to the activation type, relative
// to the running maximum of its block and segment; dS before its two products), and its promise that pages, chunks and
// neighbours change no bit.
//
// What fp32 does to a score q·k·scale: a chain of D terms, at most D · 2^-24 · |q||k| · scale (Cauchy-Schwarz) with the
// longest key of the sequence for |k|. That is a relative error of the weight exp(score - m); the weight then is
// rounded, and only where it lies that near to a tie may it become another number. The rest is sums: of weights, and of
// weighted rows.
#include "test/cuda/call.h"
#include <algorithm>

namespace bf16 // kernels/cuda/hopper.h, which is for the compilers of kernels
{
void hopper_try(void);
bool hopper_differs(const char *variable);
} // namespace bf16

struct Case {
    Heads heads;
    Integers lengths; // a negative one goes on from the last that is not
};

static std::vector<Case> cases()
{
    std::vector<Case> all = {{{2, 2, 64}, {1, 3, 63, 64, 65}}, {{4, 2, 64}, {127, 128}},  {{4, 1, 64}, {129, 1, 300}},
                             {{5, 1, 64}, {2, 65, 129}},       {{1, 1, 128}, {65, 130}},  {{2, 1, 128}, {200}},
                             {{4, 1, 128}, {1, 129, 3}},       {{5, 1, 128}, {64, 13, 1}}};
    if (settings.longer)
        for (int64_t D : {64, 128})
            for (int64_t group : {1, 2, 4, 5})
                all.push_back({{2 * group, 2, D}, {1, 3, 63, 64, 65, 127, 128, 129, 300}});
    if (settings.gpu)
        all.insert(all.end(), {{{8, 4, 128}, {1300, 129, 1, 700}}, {{10, 2, 64}, {1025}}});
    return all;
}

static std::vector<Case> shared_cases()
{
    std::vector<Case> all = {{{2, 1, 64}, {70, -3, -64}},           {{4, 2, 64}, {5, 130, -1, -120, 9, -2}},
                             {{5, 1, 128}, {64, -65, -1, 3}},       {{2, 1, 128}, {1, -150}},
                             {{2, 1, 64}, {300, -40, -9}},          {{2, 1, 64}, {100, -120, -28}},
                             {{2, 1, 64}, {63, -66, -66, -66, -67}}}; // more tiles than tokens would say
    if (settings.longer)
        all.insert(all.end(), {{{4, 1, 64}, {257, -1, -128, -127, 128, -200}}, {{4, 2, 128}, {127, -1, -2, -300}}});
    if (settings.gpu)
        all.insert(all.end(), {{{8, 4, 128}, {1300, -700, -1, -64, 129, -513}}});
    return all;
}

static Sequences sequences_of(Heads heads, const Integers &lengths, uint32_t seed)
{
    Sequences s = {heads, {0}, Integers(lengths.size(), 0), {}, {}, {}, {}, {}};
    bool shared = *std::min_element(lengths.begin(), lengths.end()) < 0;
    for (size_t i = 0, first = 0; i < lengths.size(); i++) {
        s.starts.push_back(s.starts.back() + std::abs(lengths[i]));
        first = lengths[i] < 0 ? first : i;
        s.contexts[i] = lengths[i] < 0 ? lengths[first] : 0;
        if (shared) {
            s.context_rows.push_back(s.starts[first]);
            s.seen_until.push_back(s.starts.back());
            s.seen_until[first] = s.starts.back();
        }
    }
    int64_t T = s.starts.back();
    s.q = random_matrix(T, heads.heads * heads.width, seed, 4); // scores of some spread, so that the softmax has peaks
    s.k = random_matrix(T, heads.kv_heads * heads.width, seed + 1);
    s.v = random_matrix(T, heads.kv_heads * heads.width, seed + 2);
    return s;
}

static std::string name(const char *what, const Sequences &s)
{
    std::string lengths;
    for (size_t i = 0; i + 1 < s.starts.size(); i++)
        lengths += text(s.contexts[i] > 0 ? " %d behind %d" : " %d", s.starts[i + 1] - s.starts[i], s.contexts[i]);
    return text("%s H %d Hkv %d D %d, lengths%s:", what, (int)s.heads.heads, (int)s.heads.kv_heads, (int)s.heads.width,
                lengths.c_str());
}

// ---- forward, row by row

static double dot(const float *x, const float *y, int64_t D)
{
    double sum = 0;
    for (int64_t d = 0; d < D; d++)
        sum += (double)x[d] * (double)y[d];
    return sum;
}

// The row with a position's key: of the context, which is another sequence, or of the sequence itself.
static int64_t key_row(const Sequences &s, int64_t sequence, int64_t position)
{
    int64_t context = s.contexts[(size_t)sequence], start = s.starts[(size_t)sequence];
    return position < context ? s.context_rows[(size_t)sequence] + position : start + position - context;
}

// The first row of those that a sequence sees.
static int64_t first_row(const Sequences &s, int64_t sequence) { return key_row(s, sequence, 0); }

static double longest_row(const Matrix &x, int64_t first, int64_t last, int64_t head, int64_t D) // the norm of it
{
    double largest = 0;
    for (int64_t t = first; t < last; t++)
        largest = std::max(largest, dot(x.row(t) + head * D, x.row(t) + head * D, D));
    return std::sqrt(largest);
}

// One query of one head and the keys it sees. score_error: of a scaled score; chain: what a term of a weighted sum may
// lose on its way, relative to itself.
struct Row {
    const Sequences &s;
    const float *q;
    int64_t sequence, kv_head, keys;
    double scale, score_error, chain;

    const float *key(int64_t j) const { return s.k.row(key_row(s, sequence, j)) + kv_head * s.heads.width; }
    const float *value(int64_t j) const { return s.v.row(key_row(s, sequence, j)) + kv_head * s.heads.width; }
};

static Row row_of(const Sequences &s, int64_t sequence, int64_t query, int64_t head, double longest_key)
{
    int64_t D = s.heads.width, keys = s.contexts[(size_t)sequence] + query + 1, blocks = ceil_divide(keys, KEY_BLOCK);
    const float *q = s.q.row(s.starts[(size_t)sequence] + query) + head * D;
    double scale = 1 / std::sqrt((double)D),
           largest = std::sqrt(dot(q, q, D)) * longest_key * scale; // no score is larger
    double shrinking =
        (double)blocks * (ELEMENTARY + 8 * ROUNDING * 2 * largest); // of the older sums, by exp of a difference
    double chain = (double)(Sum::sixteens(keys) + 2 * blocks) * ROUNDING + shrinking;
    return Row{
        s, q, sequence, head / (s.heads.heads / s.heads.kv_heads), keys, scale, (double)D * ROUNDING * largest, chain};
}

// The online softmax: l the sum of weights, o of weighted values, both with their errors.
struct Sums {
    double m = -INFINITY, l = 0, l_error = 0;
    std::vector<double> o, o_error;

    explicit Sums(int64_t D) : o((size_t)D, 0), o_error((size_t)D, 0) {}
    void shrink(double by)
    {
        l *= by;
        l_error *= by;
        for (size_t d = 0; d < o.size(); d++) {
            o[d] *= by;
            o_error[d] *= by;
        }
    }
};

static void add_scaled(double *o, double *error, const float *x, double weight, double off, int64_t D)
{
    for (int64_t d = 0; d < D; d++) {
        o[d] += weight * (double)x[d];
        error[d] += off * std::fabs((double)x[d]);
    }
}

static void add_block(Sums *sums, const Row &row, int64_t first)
{
    int64_t last = std::min(first + KEY_BLOCK, row.keys), D = row.s.heads.width;
    double score[KEY_BLOCK], m = sums->m;
    for (int64_t j = first; j < last; j++) {
        score[j - first] = dot(row.q, row.key(j), D) * row.scale;
        m = std::max(m, score[j - first]);
    }
    sums->shrink(std::exp(sums->m - m));
    sums->m = m;
    for (int64_t j = first; j < last; j++) {
        double below = score[j - first] - m, p = std::exp(below);
        double off = p * (2 * row.score_error + 4 * ROUNDING * std::fabs(below) + ELEMENTARY) + SMALLEST;
        Approx weight =
            rounded(Approx(p, off)); // what the values are weighted with; the sum of weights is of unrounded ones
        sums->l += p;
        sums->l_error += off + p * row.chain;
        add_scaled(sums->o.data(), sums->o_error.data(), row.value(j), weight.value,
                   weight.error + size_of(weight) * row.chain, D);
    }
}

static void merge(Sums *all, Sums *segment)
{
    double m = std::max(all->m, segment->m);
    all->shrink(std::exp(all->m - m));
    segment->shrink(std::exp(segment->m - m));
    all->m = m;
    all->l += segment->l;
    all->l_error += segment->l_error;
    for (size_t d = 0; d < all->o.size(); d++) {
        all->o[d] += segment->o[d];
        all->o_error[d] += segment->o_error[d];
    }
    *segment = Sums((int64_t)all->o.size());
}

static void attend(const Row &row, Approx *out, Approx *logsumexp) // out (D)
{
    int64_t D = row.s.heads.width;
    Sums all(D), segment(D);
    for (int64_t first = 0; first < row.keys; first += KEY_BLOCK) {
        if (first > 0 && first % KEY_SEGMENT == 0)
            merge(&all, &segment);
        add_block(&segment, row, first);
    }
    merge(&all, &segment);
    double few = 64 * ROUNDING; // roundings of the sum of weights within a block, and of the division
    for (int64_t d = 0; d < D; d++) {
        double value = all.o[(size_t)d] / all.l, off = all.o_error[(size_t)d] / all.l;
        out[d] = rounded(Approx(value, off + std::fabs(value) * (all.l_error / all.l + few)));
    }
    double log_sum = std::log(all.l);
    double off = row.score_error + all.l_error / all.l + few + 4 * ROUNDING * (std::fabs(all.m) + std::fabs(log_sum));
    *logsumexp = Approx(all.m + log_sum, off + ELEMENTARY * std::max(1.0, std::fabs(log_sum)));
}

static int64_t sequence_of(const Sequences &s, int64_t t)
{
    return std::upper_bound(s.starts.begin(), s.starts.end(), (int32_t)t) - s.starts.begin() - 1;
}

static void forward_reference(Reference *out, Reference *logsumexp, const Sequences &s)
{
    int64_t T = s.q.rows, H = s.heads.heads, D = s.heads.width, group = H / s.heads.kv_heads;
    out->resize((size_t)(T * H * D));
    logsumexp->resize((size_t)(T * H));
#pragma omp parallel for schedule(dynamic, 4)
    for (int64_t t = 0; t < T; t++) {
        int64_t sequence = sequence_of(s, t), start = s.starts[(size_t)sequence];
        for (int64_t h = 0; h < H; h++) {
            Row row = row_of(s, sequence, t - start, h, longest_row(s.k, first_row(s, sequence), t + 1, h / group, D));
            attend(row, out->data() + (t * H + h) * D, logsumexp->data() + t * H + h);
        }
    }
}

static void check_forward(const Sequences &s)
{
    Attended got = attention_forward(settings.cuda, s), oracle = attention_forward(settings.cpu, s);
    Reference out, logsumexp;
    forward_reference(&out, &logsumexp, s);
    check_within(name("attention_forward", s) + " logsumexp", got.logsumexp, logsumexp);
    check_within(name("attention_forward", s) + " out", got.out, out);
    check_oracle(name("attention_forward", s) + " logsumexp", got.logsumexp, oracle.logsumexp);
    check_oracle(name("attention_forward", s) + " out", got.out, oracle.out);
}

static void forward_rounds_weights_and_results()
{
    for (const Case &c : cases())
        check_forward(sequences_of(c.heads, c.lengths, 1));
    for (const Case &c : shared_cases())
        check_forward(sequences_of(c.heads, c.lengths, 2));
}

static void forward_merges_segments()
{
    check_forward(sequences_of({1, 1, 64}, {1100}, 4));
    if (settings.longer)
        check_forward(sequences_of({2, 1, 128}, {1024, 1, 2060}, 4));
}

// ---- backward

// Sums of weighted rows with their errors, (rows, D)
struct Weighted {
    std::vector<double> sum, error;

    explicit Weighted(size_t count) : sum(count, 0), error(count, 0) {}
    void add(int64_t row, const float *x, Approx weight, double chain, int64_t D)
    {
        add_scaled(sum.data() + row * D, error.data() + row * D, x, weight.value,
                   weight.error + size_of(weight) * chain, D);
    }
    Reference finished() const
    {
        Reference r;
        for (size_t i = 0; i < sum.size(); i++)
            r.push_back(rounded(Approx(sum[i], error[i])));
        return r;
    }
};

struct BackwardInput {
    const Sequences &s;
    const Matrix &dout, &out;
    const Floats &logsumexp;
};

// P = exp(q·k·scale - logsumexp) and dS = P · (dout·v - delta) · scale of one pair, before they are rounded.
static void pair_weights(Approx *p, Approx *ds, const Row &row, int64_t j, const float *dout, double longest_dout,
                         Approx delta, double logsumexp)
{
    int64_t D = row.s.heads.width;
    double score = dot(row.q, row.key(j), D) * row.scale, weight = std::exp(score - logsumexp);
    double off = row.score_error + 4 * ROUNDING * (std::fabs(score) + std::fabs(logsumexp)) + ELEMENTARY;
    *p = Approx(weight, weight * off + SMALLEST);
    double dp = dot(dout, row.value(j), D), longest_value = std::sqrt(dot(row.value(j), row.value(j), D));
    *ds = *p * (Approx(dp, (double)D * ROUNDING * longest_dout * longest_value) - delta) *
          Approx(row.scale, row.scale * ROUNDING);
}

// The gradients of one sequence and kv head; dq, dk, dv are rows of D of the whole batch. seen_by: how many rows see
// its keys, or those of its context.
static void backward_of_head(Weighted *dq, Weighted *dk, Weighted *dv, const BackwardInput &in, int64_t sequence,
                             int64_t kv_head, int64_t seen_by)
{
    int64_t H = in.s.heads.heads, Hkv = in.s.heads.kv_heads, D = in.s.heads.width, group = H / Hkv;
    int64_t start = in.s.starts[(size_t)sequence], length = in.s.starts[(size_t)sequence + 1] - start;
    double longest_key = longest_row(in.s.k, first_row(in.s, sequence), start + length, kv_head, D);
    double key_chain = (double)(Sum::sixteens(seen_by) * group) * ROUNDING;
    for (int64_t h = kv_head * group; h < (kv_head + 1) * group; h++)
        for (int64_t i = 0; i < length; i++) {
            Row row = row_of(in.s, sequence, i, h, longest_key);
            const float *dout = in.dout.row(start + i) + h * D, *out = in.out.row(start + i) + h * D;
            double longest_dout = std::sqrt(dot(dout, dout, D)),
                   query_chain = (double)Sum::sixteens(row.keys) * ROUNDING;
            Approx delta(dot(dout, out, D), (double)D * ROUNDING * longest_dout * std::sqrt(dot(out, out, D)));
            for (int64_t j = 0; j < row.keys; j++) {
                Approx p, ds;
                pair_weights(&p, &ds, row, j, dout, longest_dout, delta,
                             (double)in.logsumexp[(size_t)((start + i) * H + h)]);
                p = rounded(p);
                ds = rounded(ds);
                int64_t key = key_row(in.s, sequence, j) * Hkv + kv_head;
                dv->add(key, dout, p, key_chain, D);
                dk->add(key, row.q, ds, key_chain, D);
                dq->add((start + i) * H + h, row.key(j), ds, query_chain, D);
            }
        }
}

// Of a sequence that has no context, and of those that go on from it.
static void backward_of_family(Weighted *dq, Weighted *dk, Weighted *dv, const BackwardInput &in, int64_t first,
                               int64_t kv_head)
{
    int64_t end = first + 1, all = (int64_t)in.s.contexts.size();
    while (end < all && in.s.contexts[(size_t)end] > 0)
        end++;
    int64_t rows = in.s.starts[(size_t)end] - in.s.starts[(size_t)first];
    for (int64_t sequence = first; sequence < end && in.s.contexts[(size_t)first] == 0; sequence++)
        backward_of_head(dq, dk, dv, in, sequence, kv_head, rows);
}

static void check_backward(const Sequences &s)
{
    std::string what = name("attention_backward", s);
    Attended forward = attention_forward(settings.cpu, s);
    Matrix out = rounded(s.q.rows, s.q.columns, forward.out), dout = random_matrix(s.q.rows, s.q.columns, 9);
    AttentionGradients got = attention_backward(settings.cuda, dout, s, out, forward.logsumexp);
    AttentionGradients oracle = attention_backward(settings.cpu, dout, s, out, forward.logsumexp);
    Weighted dq(s.q.x.size()), dk(s.k.x.size()), dv(s.v.x.size());
    BackwardInput in = {s, dout, out, forward.logsumexp};
    int64_t tasks = (int64_t)s.contexts.size() * s.heads.kv_heads;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t task = 0; task < tasks; task++)
        backward_of_family(&dq, &dk, &dv, in, task / s.heads.kv_heads, task % s.heads.kv_heads);
    check_within(what + " dv", got.dv, dv.finished());
    check_within(what + " dk", got.dk, dk.finished());
    check_within(what + " dq", got.dq, dq.finished());
    check_oracle(what + " dv", got.dv, oracle.dv);
    check_oracle(what + " dk", got.dk, oracle.dk);
    check_oracle(what + " dq", got.dq, oracle.dq);
}

static void backward_rounds_weights_and_results()
{
    for (const Case &c : cases())
        check_backward(sequences_of(c.heads, c.lengths, 5));
    for (const Case &c : shared_cases())
        check_backward(sequences_of(c.heads, c.lengths, 6));
    if (settings.longer)
        check_backward(sequences_of({2, 1, 64}, {1100}, 8));
}

// ---- to the bit: a context that is shared

// A sequence that goes on from another has the bits, of its outputs and its queries' gradients, that it has behind a
// copy.
static void a_shared_context_changes_no_bit()
{
    for (Heads heads : {Heads{2, 1, 64}, Heads{5, 1, 128}}) {
        Sequences s = sequences_of(heads, {150, -1, -70, -120}, 11), alone;
        Matrix dout = random_matrix(s.q.rows, s.q.columns, 12);
        Attended all = attention_forward(settings.cuda, s);
        Matrix out = rounded(s.q.rows, s.q.columns, all.out);
        Floats dq = attention_backward(settings.cuda, dout, s, out, all.logsumexp).dq;
        for (size_t i = 1; i < 4; i++) {
            int32_t own = s.starts[i + 1] - s.starts[i];
            auto part = [&](const Matrix &x) { // the context's rows, then the sequence's
                Matrix y = x;
                y.rows = 150 + own;
                y.x.assign(x.row(0), x.row(150));
                y.x.insert(y.x.end(), x.row(s.starts[i]), x.row(s.starts[i]) + own * x.columns);
                return y;
            };
            alone = Sequences{heads, {0, 150 + own}, {0}, part(s.q), part(s.k), part(s.v), {}, {}};
            Attended copied = attention_forward(settings.cuda, alone);
            Matrix copied_out = rounded(alone.q.rows, alone.q.columns, copied.out);
            Floats copied_dq = attention_backward(settings.cuda, part(dout), alone, copied_out, copied.logsumexp).dq;
            int64_t width = heads.heads * heads.width;
            auto tail = [&](const Floats &x, int64_t columns, int64_t first) {
                return Floats(x.begin() + first * columns, x.begin() + (first + own) * columns);
            };
            std::string what = text("D %d, %d behind 150:", (int)heads.width, own);
            check_same(what + " out", tail(all.out, width, s.starts[i]), tail(copied.out, width, 150));
            check_same(what + " logsumexp", tail(all.logsumexp, heads.heads, s.starts[i]),
                       tail(copied.logsumexp, heads.heads, 150));
            check_same(what + " dq", tail(dq, width, s.starts[i]), tail(copied_dq, width, 150));
        }
    }
}

// ---- to the bit: the kernels for Hopper, and those for any card

// What a run on a card does before it trusts them: it finds no difference, and says nothing.
static void kernels_for_hopper_pass_their_trial()
{
    if (!settings.bf16)
        return; // there are none
    bf16::hopper_try();
    if (bf16::hopper_differs("DEREASON_ATTENTION") || bf16::hopper_differs("DEREASON_MATMUL"))
        failed("the trial of the kernels for Hopper finds other bits");
}

static void kernels_for_hopper_have_the_bits_of_the_others()
{
    if (!settings.bf16)
        return; // there are none
    std::vector<Sequences> all = {sequences_of({1, 1, 64}, {1100}, 31), sequences_of({3, 1, 128}, {44, 257, 1}, 32)};
    for (const Case &c : cases())
        all.push_back(sequences_of(c.heads, c.lengths, 33));
    for (const Case &c : shared_cases())
        all.push_back(sequences_of(c.heads, c.lengths, 34));
    if (settings.longer || settings.gpu)
        all.push_back(sequences_of({4, 2, 128}, {2300, 1025, 7}, 35));
    for (size_t i = 0; i < all.size(); i++) {
        take_order(i);
        exact_tensor_cores(i % 2 == 1);
        auto run = [&](Attended *forward, AttentionGradients *back) {
            *forward = attention_forward(settings.cuda, all[i]);
            Matrix out = rounded(all[i].q.rows, all[i].q.columns, forward->out),
                   dout = random_matrix(all[i].q.rows, all[i].q.columns, 36);
            *back = attention_backward(settings.cuda, dout, all[i], out, forward->logsumexp);
        };
        Attended forward, other_forward;
        AttentionGradients back, other_back;
        run(&forward, &back);
        setenv("DEREASON_ATTENTION", "mma", 1);
        run(&other_forward, &other_back);
        unsetenv("DEREASON_ATTENTION");
        std::string what = name("attention", all[i]);
        check_same(what + " out", forward.out, other_forward.out);
        check_same(what + " logsumexp", forward.logsumexp, other_forward.logsumexp);
        check_same(what + " dv", back.dv, other_back.dv);
        check_same(what + " dk", back.dk, other_back.dk);
        check_same(what + " dq", back.dq, other_back.dq);
    }
    exact_tensor_cores(false);
}

// ---- to the bit: pages, chunks, neighbours

// The keys of the sequences' first `lengths` positions in pages, shuffled over the pool; what is behind a page's last
// key is NaN.
static Pages paged(const Sequences &whole, const Integers &lengths)
{
    int64_t per_sequence = 0, pages = 0, Hkv = whole.heads.kv_heads, D = whole.heads.width;
    for (int32_t length : lengths)
        per_sequence = std::max(per_sequence, ceil_divide(length, KEY_BLOCK));
    int64_t pool = per_sequence * (int64_t)lengths.size() + 3,
            stride = 1; // a stride without a common divisor: no page twice
    for (int64_t prime : {7, 11, 13})
        stride = pool % prime != 0 ? prime : stride;
    Pages p = {
        {pool * Hkv * KEY_BLOCK, D, Floats((size_t)(pool * Hkv * KEY_BLOCK * D), NAN)}, {}, {}, per_sequence, {}, {}};
    p.values = p.keys;
    for (size_t s = 0; s < lengths.size(); s++)
        for (int64_t block = 0; block < per_sequence; block++) {
            int64_t page = pages++ * stride % pool, first = block * KEY_BLOCK,
                    last = std::min<int64_t>(first + KEY_BLOCK, lengths[s]);
            p.table.push_back((int32_t)page);
            for (int64_t j = first; j < last; j++)
                for (int64_t h = 0; h < Hkv; h++) {
                    int64_t row = (page * Hkv + h) * KEY_BLOCK + j % KEY_BLOCK;
                    std::copy_n(whole.k.row(whole.starts[s] + j) + h * D, D, p.keys.row(row));
                    std::copy_n(whole.v.row(whole.starts[s] + j) + h * D, D, p.values.row(row));
                }
        }
    return p;
}

static Floats part(const Floats &x, int64_t first, int64_t count)
{
    return Floats(x.begin() + first, x.begin() + first + count);
}

// Queries first .. first + count - 1 of every sequence (count 0: none of it), what is before them being context in
// pages.
struct Cut {
    Integers first, count;
};

static void check_cut(const Sequences &whole, const Attended &all, const Cut &cut)
{
    Sequences some = {whole.heads, {0}, cut.first, {0, whole.q.columns, {}}, {}, {}, {}, {}};
    Floats out, logsumexp;
    Integers lengths;
    int64_t H = whole.heads.heads, width = whole.q.columns;
    for (size_t s = 0; s < cut.first.size(); s++) {
        int64_t at = whole.starts[s] + cut.first[s];
        Floats q = part(whole.q.x, at * width, cut.count[s] * width),
               o = part(all.out, at * width, cut.count[s] * width);
        Floats l = part(all.logsumexp, at * H, cut.count[s] * H);
        some.q.x.insert(some.q.x.end(), q.begin(), q.end());
        out.insert(out.end(), o.begin(), o.end());
        logsumexp.insert(logsumexp.end(), l.begin(), l.end());
        some.starts.push_back(some.starts.back() + cut.count[s]);
        lengths.push_back(cut.first[s] + cut.count[s]); // what comes later is not even there
    }
    some.q.rows = some.starts.back();
    Pages pages = paged(whole, lengths);
    Attended got = attention_forward(settings.cuda, some, &pages);
    std::string what = name("attention_forward in pages, cut", some) + text(" first %d", cut.first[0]);
    check_same(what + " out", got.out, out);
    check_same(what + " logsumexp", got.logsumexp, logsumexp);
}

static void pages_chunks_and_single_tokens_give_the_bits_of_the_whole()
{
    for (Heads heads : {Heads{4, 2, 64}, Heads{2, 1, 128}}) {
        Sequences whole = sequences_of(heads, {300}, 11);
        Attended all = attention_forward(settings.cuda, whole);
        for (Cut cut : {Cut{{0}, {300}}, Cut{{0}, {100}}, Cut{{100}, {157}}, Cut{{257}, {43}}, Cut{{0}, {1}},
                        Cut{{127}, {1}}, Cut{{128}, {1}}, Cut{{299}, {1}}, Cut{{126}, {4}}})
            check_cut(whole, all, cut);
    }
    Sequences several = sequences_of({5, 1, 64}, {140, 33, 200}, 14); // decoding and a chunk of a prompt in one batch
    Attended all = attention_forward(settings.cuda, several);
    for (Cut cut : {Cut{{139, 32, 199}, {1, 1, 1}}, Cut{{0, 10, 128}, {140, 23, 1}}, Cut{{127, 0, 64}, {13, 0, 65}}})
        check_cut(several, all, cut);
    Sequences many =
        sequences_of({20, 1, 64}, Integers(40, 70), 15); // more sequences than lanes of a warp, more heads than rows
    check_cut(many, attention_forward(settings.cuda, many), Cut{Integers(40, 69), Integers(40, 1)});
}

static void segments_are_the_same_in_chunks()
{
    Sequences whole = sequences_of({1, 1, 64}, {1100}, 17);
    Attended all = attention_forward(settings.cuda, whole);
    for (Cut cut : {Cut{{1000}, {100}}, Cut{{1023}, {1}}, Cut{{1024}, {1}}, Cut{{1099}, {1}}})
        check_cut(whole, all, cut);
    if (!settings.longer)
        return;
    Sequences longer = sequences_of({2, 1, 128}, {2300, 1025}, 17);
    Attended everything = attention_forward(settings.cuda, longer);
    for (Cut cut : {Cut{{2047, 1024}, {2, 1}}, Cut{{2299, 0}, {1, 1025}}, Cut{{1, 1000}, {2000, 25}}})
        check_cut(longer, everything, cut);
}

static Sequences only(const Sequences &s, size_t number)
{
    int64_t first = s.starts[number], rows = s.starts[number + 1] - first;
    return {s.heads,
            {0, (int32_t)rows},
            {0},
            rows_of(s.q, first, rows),
            rows_of(s.k, first, rows),
            rows_of(s.v, first, rows),
            {},
            {}};
}

static void a_sequence_does_not_see_its_neighbours()
{
    std::vector<Case> packs = {
        {{4, 2, 64}, {100, 1, 30, 65}}, {{3, 1, 128}, {17, 64, 129}}, {{2, 2, 64}, Integers(70, 3)}};
    if (settings.gpu)
        packs.push_back({{32, 8, 128}, {1000, 1, 2500, 129, 4000}});
    for (const Case &c : packs) {
        Sequences packed = sequences_of(c.heads, c.lengths, 20);
        Attended all = attention_forward(settings.cuda, packed);
        Matrix out = rounded(packed.q.rows, packed.q.columns, all.out),
               dout = random_matrix(packed.q.rows, packed.q.columns, 23);
        AttentionGradients gradients = attention_backward(settings.cuda, dout, packed, out, all.logsumexp);
        int64_t H = c.heads.heads, width = packed.q.columns, kv_width = packed.k.columns;
        for (size_t i = 0; i < c.lengths.size(); i += 1 + c.lengths.size() / 8) {
            Sequences alone = only(packed, i);
            int64_t at = packed.starts[i], rows = alone.q.rows;
            Attended one = attention_forward(settings.cuda, alone);
            AttentionGradients of_one =
                attention_backward(settings.cuda, rows_of(dout, at, rows), alone, rows_of(out, at, rows),
                                   part(all.logsumexp, at * H, rows * H));
            std::string what = name("attention, packed and alone,", alone);
            check_same(what + " out", one.out, part(all.out, at * width, rows * width));
            check_same(what + " logsumexp", one.logsumexp, part(all.logsumexp, at * H, rows * H));
            check_same(what + " dq", of_one.dq, part(gradients.dq, at * width, rows * width));
            check_same(what + " dk", of_one.dk, part(gradients.dk, at * kv_width, rows * kv_width));
            check_same(what + " dv", of_one.dv, part(gradients.dv, at * kv_width, rows * kv_width));
        }
    }
}

// What is no number in one sequence stays there.
static void a_sequence_does_not_see_what_is_nan_in_its_neighbours()
{
    for (const Case &c :
         {Case{{2, 1, 64}, {70, 30, 129, 64}}, Case{{3, 1, 128}, {150, 1, 40}}, Case{{2, 1, 64}, {70, 30, 128, 63}}}) {
        Sequences clean = sequences_of(c.heads, c.lengths, 25), spoiled = clean;
        Matrix dout = random_matrix(clean.q.rows, clean.q.columns, 26), spoiled_dout = dout;
        int64_t first = clean.starts[1], last = clean.starts[2];
        for (Matrix *x : {&spoiled.q, &spoiled.k, &spoiled.v, &spoiled_dout})
            std::fill(x->x.begin() + first * x->columns, x->x.begin() + last * x->columns, NAN);
        Attended all = attention_forward(settings.cuda, clean);
        Matrix out = rounded(clean.q.rows, clean.q.columns, all.out);
        AttentionGradients expected = attention_backward(settings.cuda, dout, clean, out, all.logsumexp);
        Floats got = attention_forward(settings.cuda, spoiled).out;
        AttentionGradients gradients = attention_backward(settings.cuda, spoiled_dout, spoiled, out, all.logsumexp);
        auto others = [&](const Floats &x, int64_t columns) {
            Floats y(x.begin(), x.begin() + first * columns);
            y.insert(y.end(), x.begin() + last * columns, x.end());
            return y;
        };
        int64_t width = clean.q.columns, kv_width = clean.k.columns;
        std::string what = name("attention, beside NaN,", clean);
        check_same(what + " out", others(got, width), others(all.out, width));
        check_same(what + " dq", others(gradients.dq, width), others(expected.dq, width));
        check_same(what + " dk", others(gradients.dk, kv_width), others(expected.dk, kv_width));
        check_same(what + " dv", others(gradients.dv, kv_width), others(expected.dv, kv_width));
    }
}

extern const Tests attention_tests;
const Tests attention_tests = {
    {"attention_forward_rounds_weights_and_results", forward_rounds_weights_and_results},
    {"attention_forward_merges_segments", forward_merges_segments},
    {"attention_backward_rounds_weights_and_results", backward_rounds_weights_and_results},
    {"attention_a_shared_context_changes_no_bit", a_shared_context_changes_no_bit},
    {"attention_kernels_for_hopper_pass_their_trial", kernels_for_hopper_pass_their_trial},
    {"attention_kernels_for_hopper_have_the_bits_of_the_others", kernels_for_hopper_have_the_bits_of_the_others},
    {"attention_in_pages_chunks_and_single_tokens_has_the_bits_of_the_whole",
     pages_chunks_and_single_tokens_give_the_bits_of_the_whole},
    {"attention_segments_are_the_same_in_chunks", segments_are_the_same_in_chunks},
    {"attention_of_a_sequence_does_not_see_its_neighbours", a_sequence_does_not_see_its_neighbours},
    {"attention_of_a_sequence_does_not_see_what_is_nan_in_them",
     a_sequence_does_not_see_what_is_nan_in_its_neighbours}};
