// The LM head with its loss: logprob, entropy, logsumexp and the best column, and the gradients, in which each logit's
// gradient is rounded to the activation type before the two products.
//
// Logits are chains over C in fp32, z of x·w with at most C · 2^-24 · Σ|x||w|; a product of absolute values gives
// Σ|x||w|. Half of the cases are of small whole numbers over eight, whose logits are exact, so that nothing but the
// softmax can be off. A logsumexp is off by no more than the worst logit of its row, an entropy by 2·entropy times that
// (its derivative by z is -p·(ln p + entropy)), and a row's sums by their depth: blocks of LOGSUMEXP_COLUMNS in a tree,
// merged one after the other.
#include "test/cuda/call.h"
#include <algorithm>

struct HeadCase {
    int64_t N, C, V, live;
    float temperature;
    bool with_dentropy, exact;
};

static std::vector<HeadCase> cases()
{
    std::vector<HeadCase> all = {{1, 64, 9, 9, 1, false, false},
                                 {5, 24, 3100, 3001, 0.6f, true, true},
                                 {17, 64, 1024, 1024, 1, true, false},
                                 {130, 40, 1037, 1025, 2, false, true},
                                 {33, 136, 304, 304, 1, true, true},
                                 {9, 72, 1100, 1090, 0.6f, true, false},
                                 {1030, 8, 24, 17, 0.9f, true, true},
                                 {2, 8, 33300, 33290, 1, true, true}}; // more blocks of a row than lanes of a warp
    if (settings.longer)
        all.insert(all.end(), {{1100, 24, 1100, 1033, 0.9f, true, true}, {2049, 16, 72, 65, 1, false, false}});
    if (settings.gpu)
        all.insert(all.end(),
                   {{1100, 256, 20003, 20001, 1, true, false}, {16, 128, 151936, 151669, 0.7f, false, false}});
    return all;
}

static Matrix eighths(int64_t rows, int64_t columns, uint32_t seed)
{
    Matrix x = random_whole(rows, columns, seed, 8);
    for (float &number : x.x)
        number /= 8;
    return x;
}

static HeadInput input_of(const HeadCase &c)
{
    HeadInput h = {random_matrix(c.N, c.C, 1), random_matrix(c.V, c.C, 2), random_integers(c.N, 3, (int32_t)c.live),
                   c.temperature, c.live};
    if (c.exact) {
        h.x = eighths(c.N, c.C, 1);
        h.w = eighths(c.V, c.C, 2);
    }
    const int64_t edges[] = {0, c.live - 1, 1023, 1024, 2047, 2048};
    for (size_t i = 0; i < std::size(edges) && i < h.targets.size(); i++)
        h.targets[i] = (int32_t)std::min(edges[i], c.live - 1);
    return h;
}

static std::string name(const char *what, const HeadInput &h)
{
    return text("%s N %d C %d V %d live %d temperature %g", what, (int)h.x.rows, (int)h.x.columns, (int)h.w.rows,
                (int)h.n_live, (double)h.temperature);
}

// Logits of the live columns, divided by the temperature, with their errors: two chains, the oracle's and the one that
// is tested.
struct Logits {
    int64_t live;
    Reference z;

    const Approx *row(int64_t n) const { return z.data() + n * live; }
};

static Logits logits_of(const HeadInput &h, bool exact)
{
    Matrix w = rows_of(h.w, 0, h.n_live), size_x = h.x, size_w = w;
    size_x.x = absolute(size_x.x);
    size_w.x = absolute(size_w.x);
    Floats z = matmul_forward(settings.cpu, NULL, h.x, w), size = matmul_forward(settings.cpu, NULL, size_x, size_w);
    Logits all = {h.n_live, {}};
    double depth = exact ? 0 : 2 * (double)Sum::sixteens(h.x.columns);
    for (size_t i = 0; i < z.size(); i++) {
        Approx logit((double)z[i], depth * ROUNDING * (double)size[i]);
        all.z.push_back(h.temperature != 1 ? logit / Approx((double)h.temperature) : logit);
    }
    return all;
}

// ---- forward

struct RowReference {
    Approx logprob, entropy, logsumexp;
    double largest, worst; // largest logit; worst error of one
};

static RowReference row_reference(const Approx *z, int64_t live, int32_t target)
{
    double largest = -INFINITY, worst = 0, sum = 0, below_sum = 0;
    for (int64_t v = 0; v < live; v++) {
        largest = std::max(largest, z[v].value);
        worst = std::max(worst, z[v].error);
    }
    for (int64_t v = 0; v < live; v++) {
        double below = z[v].value - largest, p = std::exp(below);
        sum += p;
        below_sum -= p * below; // Σ p·(largest - z), all of it positive
    }
    double log_sum = std::log(sum), mean_below = below_sum / sum, entropy = log_sum + mean_below;
    double depth =
        (double)(96 + 4 * ceil_divide(live, LOGSUMEXP_COLUMNS)) * ROUNDING + 2 * ELEMENTARY; // relative, of a sum
    double lost = depth + ROUNDING * mean_below, logsumexp = largest + log_sum;              // of log_sum
    double ends = 3 * ROUNDING * (std::fabs(largest) + std::fabs(log_sum)) + ELEMENTARY * log_sum;
    return {Approx(z[target].value - logsumexp,
                   z[target].error + worst + lost + ends + 2 * ROUNDING * std::fabs(z[target].value)),
            Approx(entropy, 2 * worst * entropy + lost + depth * (1 + mean_below) + ends),
            Approx(logsumexp, worst + lost + ends), largest, worst};
}

static void check_head_forward(const HeadCase &c)
{
    HeadInput h = input_of(c);
    HeadOutput got = head_forward(settings.cuda, h, true), oracle = head_forward(settings.cpu, h, true);
    Logits logits = logits_of(h, c.exact);
    Reference logprob, entropy, logsumexp;
    for (int64_t n = 0; n < c.N; n++) {
        RowReference row = row_reference(logits.row(n), c.live, h.targets[(size_t)n]);
        logprob.push_back(row.logprob);
        entropy.push_back(row.entropy);
        logsumexp.push_back(row.logsumexp);
        int32_t best = got.best[(size_t)n];
        if (best < 0 || best >= c.live || !(logits.row(n)[best].value >= row.largest - 2 * row.worst))
            failed("%s: the best of row %d is %d, the oracle's %d", name("head_forward", h).c_str(), (int)n, best,
                   oracle.best[(size_t)n]);
    }
    check_within(name("logprob of head_forward", h), got.logprob, logprob);
    check_within(name("entropy of head_forward", h), got.entropy, entropy);
    check_within(name("logsumexp of head_forward", h), got.logsumexp, logsumexp);
    check_oracle(name("logprob of head_forward", h), got.logprob, oracle.logprob);
    check_oracle(name("entropy of head_forward", h), got.entropy, oracle.entropy);
    HeadOutput without = head_forward(settings.cuda, h, false);
    check_same(name("logprob of head_forward without best", h), without.logprob, got.logprob);
}

static void forward_agrees_with_the_formulas()
{
    for (const HeadCase &c : cases())
        check_head_forward(c);
}

// Equal rows of w give equal logits; the first of them is the best, within a block of columns and across blocks.
static void the_first_of_equal_columns_is_the_best()
{
    HeadInput h = input_of({6, 64, 34000, 33990, 1, false, false});
    const int32_t pairs[6][2] = {{0, 1}, {1023, 1024}, {5, 32773}, {700, 701}, {2047, 2048}, {31, 32}};
    for (int64_t n = 0; n < 6; n++)
        for (int32_t column : pairs[n]) // 4 · x: far above every other column of this row
            for (int64_t c = 0; c < 64; c++)
                h.w.row(column)[c] = 4 * h.x.row(n)[c];
    Integers best = head_forward(settings.cuda, h, true).best;
    for (int64_t n = 0; n < 6; n++)
        if (best[(size_t)n] != pairs[n][0])
            failed("columns %d and %d are equal, and the best is %d", pairs[n][0], pairs[n][1], best[(size_t)n]);
}

// One column takes all the probability: whole blocks of others underflow, and nothing becomes NaN.
static void certainty_is_no_nan()
{
    HeadInput h = input_of({4, 64, 2200, 2200, 0.05f, true, false});
    for (int64_t n = 0; n < 4; n++) {
        h.targets[(size_t)n] = (int32_t)(n * 700);
        for (int64_t c = 0; c < 64; c++)
            h.w.row(h.targets[(size_t)n])[c] = round_to_activation(8 * h.x.row(n)[c]);
    }
    HeadOutput got = head_forward(settings.cuda, h, true);
    check_same("logprob of a certain target", got.logprob, Floats(4, 0));
    Floats ones(4, 1), nothing((size_t)(2200 * 64), 0);
    HeadGradients gradients = head_backward(settings.cuda, nothing, h, got.logsumexp, got.entropy, ones, &ones);
    for (int64_t n = 0; n < 4; n++)
        if (!(std::fabs(got.entropy[(size_t)n]) <= 1e-6f) || got.best[(size_t)n] != h.targets[(size_t)n])
            failed("row %d: entropy %g, best %d", (int)n, (double)got.entropy[(size_t)n], got.best[(size_t)n]);
    for (float d : gradients.dx)
        if (!std::isfinite(d))
            failed("a gradient is %g", (double)d);
}

// ---- backward

// d loss / d (x·w), rounded to the activation type:
// dlogprob · ([v = target] - p) - dentropy · p · (ln p + entropy), over temperature
static Reference logit_gradients(const HeadInput &h, const Logits &logits, const HeadOutput &forward,
                                 const Floats &dlogprob, const Floats *dentropy)
{
    Reference all;
    for (int64_t n = 0; n < h.x.rows; n++) {
        Approx d = (double)dlogprob[(size_t)n], logsumexp = (double)forward.logsumexp[(size_t)n];
        Approx entropy = (double)forward.entropy[(size_t)n],
               by_entropy = dentropy != NULL ? (double)(*dentropy)[(size_t)n] : 0;
        for (int64_t v = 0; v < h.n_live; v++) {
            Approx log_p = logits.row(n)[v] - logsumexp, p = exponential(log_p), dz = -(p * d);
            if (dentropy != NULL)
                dz = dz - p * (log_p + entropy) * by_entropy;
            if (v == h.targets[(size_t)n])
                dz = dz + d;
            all.push_back(rounded(h.temperature != 1 ? dz / Approx((double)h.temperature) : dz));
        }
    }
    return all;
}

// Σ over i of dz[i · step] · x[i], for all columns of x: as Sum has it, without a rounding of each product
static Reference weighted_rows(const Approx *dz, int64_t step, const Matrix &x, int64_t count)
{
    size_t columns = (size_t)x.columns;
    std::vector<double> value(columns, 0), error(columns, 0);
    double chain = (double)Sum::sixteens(count) * ROUNDING;
    for (int64_t i = 0; i < count; i++) {
        Approx d = dz[i * step];
        double off = d.error + chain * size_of(d);
        for (size_t c = 0; c < columns; c++) {
            value[c] += d.value * (double)x.row(i)[c];
            error[c] += off * std::fabs((double)x.row(i)[c]);
        }
    }
    Reference sums;
    for (size_t c = 0; c < columns; c++)
        sums.push_back(Approx(value[c], error[c]));
    return sums;
}

static void check_head_backward(const HeadCase &c)
{
    HeadInput h = input_of(c);
    HeadOutput forward = head_forward(settings.cpu, h, false);
    Floats dlogprob = random_floats(c.N, 4), dentropy = random_floats(c.N, 5), before = random_floats(c.V * c.C, 6);
    const Floats *by_entropy = c.with_dentropy ? &dentropy : NULL;
    HeadGradients got =
        head_backward(settings.cuda, before, h, forward.logsumexp, forward.entropy, dlogprob, by_entropy);
    HeadGradients oracle =
        head_backward(settings.cpu, before, h, forward.logsumexp, forward.entropy, dlogprob, by_entropy);
    Reference dz = logit_gradients(h, logits_of(h, c.exact), forward, dlogprob, by_entropy), dx((size_t)(c.N * c.C)),
              dweight;
    for (float old : before)
        dweight.push_back((double)old); // columns that are not alive keep what they had
    double chunks = (double)ceil_divide(c.N, HEAD_ROWS);
#pragma omp parallel for
    for (int64_t n = 0; n < c.N; n++) {
        Reference row = weighted_rows(dz.data() + n * c.live, 1, h.w, c.live);
        std::transform(row.begin(), row.end(), dx.begin() + n * c.C, [](Approx a) { return rounded(a); });
    }
#pragma omp parallel for
    for (int64_t v = 0; v < c.live; v++) {
        Reference row = weighted_rows(dz.data() + v, c.live, h.x, c.N);
        for (int64_t i = 0; i < c.C; i++) {
            Approx sum = row[(size_t)i], &d = dweight[(size_t)(v * c.C + i)];
            d = Approx(d.value + sum.value, sum.error + chunks * ROUNDING * (std::fabs(d.value) + size_of(sum)));
        }
    }
    check_within(name("dx of head_backward", h), got.dx, dx);
    check_within(name("dweight of head_backward", h), got.dweight, dweight);
    check_oracle(name("dx of head_backward", h), got.dx, oracle.dx);
    check_oracle(name("dweight of head_backward", h), got.dweight, oracle.dweight);
}

static void gradients_agree_with_the_formulas()
{
    for (const HeadCase &c : cases())
        check_head_backward(c);
}

// ---- both in one

static void check_both(const HeadCase &c)
{
    HeadInput h = input_of(c);
    Floats dlogprob = random_floats(c.N, 4), before = random_floats(c.V * c.C, 6), of = random_floats(c.N, 7);
    const Floats *dentropy = c.with_dentropy ? &of : NULL;
    HeadOutput forward = head_forward(settings.cuda, h, false);
    HeadGradients backward =
        head_backward(settings.cuda, before, h, forward.logsumexp, forward.entropy, dlogprob, dentropy);
    HeadBoth both = head_forward_backward(settings.cuda, before, h, dlogprob, dentropy);
    check_same(name("logprob of both passes in one", h), both.output.logprob, forward.logprob);
    check_same(name("entropy of both passes in one", h), both.output.entropy, forward.entropy);
    check_same(name("logsumexp of both passes in one", h), both.output.logsumexp, forward.logsumexp);
    check_same(name("dx of both passes in one", h), both.gradients.dx, backward.dx);
    check_same(name("dweight of both passes in one", h), both.gradients.dweight, backward.dweight);
}

static void a_gradient_that_nobody_wants_is_left_out()
{
    HeadInput h = input_of({70, 64, 1100, 1090, 1, false, false});
    Floats dlogprob = random_floats(70, 4), before = random_floats(1100 * 64, 6);
    HeadBoth both = head_forward_backward(settings.cuda, before, h, dlogprob),
             still = head_forward_backward(settings.cuda, {}, h, dlogprob);
    HeadGradients alone =
        head_backward(settings.cuda, {}, h, both.output.logsumexp, both.output.entropy, dlogprob, NULL);
    check_same("dx beside a weight that lies still", still.gradients.dx, both.gradients.dx);
    check_same("dx beside a weight that lies still, in two passes", alone.dx, both.gradients.dx);
}

static void both_passes_in_one_have_the_bits_of_two()
{
    for (const HeadCase &c : cases())
        check_both(c);
    check_both({0, 64, 9, 9, 1, false, false});
    check_both({HEAD_ROWS + 3, 8, 24, 17, 0.8f, true, false}); // a block, and a short one
}

// Each chunk and block finds its own rows' targets and gradients, and leaves its own results; and the second block's
// chains are added to the first's.
static void rows_of_the_second_block_are_as_they_are_alone()
{
    HeadInput all = input_of({HEAD_ROWS + 3, 8, 24, 17, 1, false, false}), first = all, last = all;
    first.x = rows_of(all.x, 0, HEAD_ROWS);
    first.targets.resize(HEAD_ROWS);
    last.x = rows_of(all.x, HEAD_ROWS, 3);
    last.targets = Integers(all.targets.end() - 3, all.targets.end());
    Floats dlogprob = random_floats(HEAD_ROWS + 3, 4), nothing(24 * 8, 0);
    HeadBoth whole = head_forward_backward(settings.cuda, nothing, all, dlogprob);
    HeadBoth before =
        head_forward_backward(settings.cuda, nothing, first, Floats(dlogprob.begin(), dlogprob.begin() + HEAD_ROWS));
    HeadBoth alone = head_forward_backward(settings.cuda, before.gradients.dweight, last,
                                           Floats(dlogprob.end() - 3, dlogprob.end()));
    const Floats *got[] = {&whole.output.logprob, &whole.output.entropy, &whole.output.logsumexp, &whole.gradients.dx},
                 *wanted[] = {&alone.output.logprob, &alone.output.entropy, &alone.output.logsumexp,
                              &alone.gradients.dx};
    for (int i = 0; i < 4; i++)
        check_same("rows of the second block", Floats(got[i]->end() - (int64_t)wanted[i]->size(), got[i]->end()),
                   *wanted[i]);
    check_same("dweight of two blocks", whole.gradients.dweight, alone.gradients.dweight);
}

extern const Tests head_tests;
const Tests head_tests = {{"head_forward_agrees_with_the_formulas", forward_agrees_with_the_formulas},
                          {"head_finds_the_first_of_equal_columns", the_first_of_equal_columns_is_the_best},
                          {"head_makes_no_nan_of_certainty", certainty_is_no_nan},
                          {"head_gradients_agree_with_the_formulas", gradients_agree_with_the_formulas},
                          {"head_has_the_same_bits_in_one_pass_as_in_two", both_passes_in_one_have_the_bits_of_two},
                          {"head_leaves_out_a_gradient_that_nobody_wants", a_gradient_that_nobody_wants_is_left_out},
                          {"head_rows_of_a_second_block_are_as_alone", rows_of_the_second_block_are_as_they_are_alone}};
