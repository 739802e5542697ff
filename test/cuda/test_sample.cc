// The sampler. Its log-probabilities and entropies must be the head's, to the bit. Its tokens are checked against
// distributions in double precision: a token is right if the row's draw, times all of the kept probability, falls
// between the sums of what is kept before it and up to it. Those sums are of 1,024 terms a block and of blocks, each
// exp off by ELEMENTARY and by what the logits are: SLACK is their share of all. Numbers of the inputs are eighths, so
// that logits are exact and everybody keeps the same tokens.
#include "test/cuda/call.h"
#include <algorithm>

static const double SLACK = 64 * ROUNDING + 4 * ELEMENTARY;

struct SampleCase {
    int64_t N, C, V, live;
};

static Matrix eighths(int64_t rows, int64_t columns, uint32_t seed)
{
    Matrix x = random_whole(rows, columns, seed, 8);
    for (float &number : x.x)
        number /= 8;
    return x;
}

// Settings in turns: greedy, plain, each limit alone, all of them.
static std::vector<SampleRow> settings_of(int64_t rows)
{
    std::vector<SampleRow> all;
    for (int32_t n = 0; n < rows; n++) {
        SampleRow r = {};
        r.seed = 7;
        r.request = (uint64_t)n << 20;
        r.sample = n % 3;
        r.position = 5 * n;
        r.temperature = n % 7 == 0 ? 0 : n % 7 == 1 ? 1 : 0.5f + 0.25f * (float)(n % 4);
        r.top_k = n % 7 == 2 ? 1 + n % 9 : n % 7 == 6 ? 40 : 0;
        r.top_p = n % 7 == 3 ? 0.5f : n % 7 == 6 ? 0.9f : 1;
        r.min_p = n % 7 == 4 ? 0.1f : n % 7 == 6 ? 0.01f : 0;
        all.push_back(r);
    }
    return all;
}

// What a row keeps, and the limit below which it does not; p of all, summing to 1.
struct Kept {
    std::vector<double> p;
    double limit, total;
};

static Kept kept_of(const std::vector<double> &z, const SampleRow &how)
{
    Kept k = {{}, 0, 0};
    double largest = *std::max_element(z.begin(), z.end()), sum = 0;
    for (double x : z)
        sum += std::exp(x - largest);
    for (double x : z)
        k.p.push_back(std::exp(x - largest) / sum);
    std::vector<double> sorted = k.p;
    std::sort(sorted.rbegin(), sorted.rend());
    size_t n = how.top_k > 0 && how.top_k < (int32_t)z.size() ? (size_t)how.top_k : z.size();
    k.limit = sorted[n - 1];
    if (how.top_p < 1) {
        double all = 0, reached = 0;
        for (double p : sorted)
            all += p >= k.limit * (1 - 1e-9) ? p : 0;
        size_t i = 0;
        for (reached = sorted[0]; reached < (double)how.top_p * all; reached += sorted[i])
            i++;
        k.limit = std::max(k.limit, sorted[i]);
    }
    k.limit = std::max(k.limit, (double)how.min_p * sorted[0]);
    for (double p : k.p)
        k.total += p >= k.limit * (1 - 1e-9) ? p : 0;
    return k;
}

static void check_token(const std::string &what, const std::vector<double> &z, const SampleRow &how, int32_t token,
                        float processed)
{
    Kept k = kept_of(z, how);
    double before = 0, u = random_of_token(how.seed, how.request, how.sample, how.position) * k.total,
           p = k.p[(size_t)token];
    for (int32_t v = 0; v < token; v++)
        before += k.p[(size_t)v] >= k.limit * (1 - 1e-9) ? k.p[(size_t)v] : 0;
    if (!(p >= k.limit * (1 - 1e-9)))
        failed("%s: token %d, of probability %g, is not kept (limit %g)", what.c_str(), token, p, k.limit);
    if (!(before - SLACK <= u && u <= before + p + SLACK))
        failed("%s: token %d has %g to %g of the probability, the draw is %g", what.c_str(), token, before, before + p,
               u);
    if (!(std::fabs((double)processed - std::log(p / k.total)) < 1e-5)) // fp32 of numbers up to 20: 2^-20 · 20 · 0.5
        failed("%s: processed log-probability %g, expected %g", what.c_str(), (double)processed, std::log(p / k.total));
}

static void check_sample(const SampleCase &c)
{
    Matrix x = eighths(c.N, c.C, 1), w = eighths(c.V, c.C, 2);
    std::vector<SampleRow> how = settings_of(c.N);
    Sampled got = head_sample(settings.cuda, x, w, how, c.live);
    Floats logits = matmul_forward(settings.cpu, NULL, x, w);
    for (int64_t n = 0; n < c.N; n++) {
        const SampleRow &row = how[(size_t)n];
        bool greedy = row.temperature == 0;
        float temperature = greedy ? 1 : row.temperature;
        int32_t token = got.token[(size_t)n];
        std::string what = text("head_sample N %d C %d V %d row %d", (int)c.N, (int)c.C, (int)c.V, (int)n);
        if (token < 0 || token >= c.live)
            failed("%s: token %d", what.c_str(), token);
        HeadOutput head = head_forward(settings.cuda, {rows_of(x, n, 1), w, {token}, temperature, c.live}, true);
        check_same(what + ": logprob and the head's", Floats{got.logprob[(size_t)n]}, head.logprob);
        check_same(what + ": entropy and the head's", Floats{got.entropy[(size_t)n]}, head.entropy);
        std::vector<double> z;
        for (int64_t v = 0; v < c.live; v++)
            z.push_back((double)logits[(size_t)(n * c.V + v)] / (double)temperature);
        if (!greedy)
            check_token(what, z, row, token, got.processed[(size_t)n]);
        else if (token != head.best[0])
            failed("%s: greedy takes %d, the head's best is %d", what.c_str(), token, head.best[0]);
    }
}

static void tokens_are_drawn_from_what_is_kept()
{
    std::vector<SampleCase> cases = {{29, 64, 3000, 2990}, {70, 8, 300, 290}, {3, 16, 1024, 1024}};
    if (settings.longer)
        cases.push_back({300, 24, 2100, 2049});
    if (settings.gpu)
        cases.push_back({64, 128, 151936, 151669});
    for (const SampleCase &c : cases)
        check_sample(c);
}

// As on the CPU (test/unit/test_sample.c): some token comes out, and its log-probability says that it is none.
static void logits_that_are_not_finite_give_a_token()
{
    for (float bad : {NAN, INFINITY, -INFINITY}) {
        Matrix x = eighths(14, 8, 1), w = eighths(1200, 8, 2);
        for (int64_t n = 0; n < 14; n++)
            x.row(n)[0] = bad;
        Sampled got = head_sample(settings.cuda, x, w, settings_of(14), 1190);
        for (size_t n = 0; n < 14; n++)
            if (got.token[n] < 0 || got.token[n] >= 1190 || std::isfinite(got.logprob[n]))
                failed("logits of %g: token %d, logprob %g", (double)bad, got.token[n], (double)got.logprob[n]);
    }
}

static void a_row_is_sampled_alike_alone_and_among_others()
{
    Matrix x = random_matrix(140, 64, 1, 2), w = random_matrix(2100, 64, 2, 2);
    std::vector<SampleRow> how = settings_of(140);
    Sampled all = head_sample(settings.cuda, x, w, how, 2050);
    for (int64_t rows : {1, 7, 64, 129})
        for (int64_t first : {(int64_t)0, (int64_t)11, 140 - rows}) {
            if (first + rows > 140)
                continue;
            Sampled some = head_sample(settings.cuda, rows_of(x, first, rows), w,
                                       {how.begin() + first, how.begin() + first + rows}, 2050);
            std::string what = text("head_sample, rows %d .. of %d", (int)first, (int)rows);
            check_same(what + " token", some.token,
                       Integers(all.token.begin() + first, all.token.begin() + first + rows));
            check_same(what + " logprob", some.logprob,
                       Floats(all.logprob.begin() + first, all.logprob.begin() + first + rows));
            check_same(what + " processed", some.processed,
                       Floats(all.processed.begin() + first, all.processed.begin() + first + rows));
        }
}

extern const Tests sample_tests;
const Tests sample_tests = {
    {"sample_draws_from_what_is_kept", tokens_are_drawn_from_what_is_kept},
    {"sample_of_logits_that_are_not_finite_is_a_token", logits_that_are_not_finite_give_a_token},
    {"sample_of_a_row_is_the_same_among_others", a_row_is_sampled_alike_alone_and_among_others}};
