// cuDNN's attention in the place of ours (kernels/cuda/attention_cudnn.cu): near the oracle, over batches of any shape.
// Under SIMT cuDNN is test/simt/cudnn.c; on a GPU the library, and where there is none, or none for the card, the tests
// say so and end.
#include "test/cuda/call.h"
#include <algorithm>
#include <dlfcn.h>

extern "C" const Kernels *kernels_cuda_cudnn(const Kernels *own);

// On a GPU: there is no library, or none of its kernels for the card. What it refuses else is a failure.
static bool may_lack_it(const std::string &why)
{
    std::string card = settings.cuda->arithmetic;
    bool has_kernels =
        card.find("capability 9.") != std::string::npos || card.find("capability 10.") != std::string::npos;
    return why.find("libcudnn.so.9 ") != std::string::npos || why.find("cuDNN needs lib") != std::string::npos ||
           !has_kernels;
}

// NULL: there is nothing to test, as where only our own is wanted (DEREASON_MATMUL=own, beside a sanitizer)
static const Kernels *by_cudnn()
{
    const char *only = getenv("DEREASON_MATMUL");
    if (!settings.bf16 || (!simulated() && only != NULL && std::string(only) == "own"))
        return NULL;
    const Kernels *kernels = kernels_cuda_cudnn(settings.cuda);
    if (kernels == NULL && (simulated() || !may_lack_it(error_text())))
        failed("cuDNN: %s", error_text());
    if (kernels == NULL)
        printf("skipped: %s\n", error_text());
    error_clear();
    return kernels;
}

static Sequences sequences_of(Heads heads, const Integers &lengths, uint32_t seed)
{
    Sequences s = {heads, {0}, Integers(lengths.size(), 0), {}, {}, {}, {}, {}};
    for (int32_t length : lengths)
        s.starts.push_back(s.starts.back() + length);
    s.q = random_matrix(s.starts.back(), heads.heads * heads.width, seed, 4);
    s.k = random_matrix(s.starts.back(), heads.kv_heads * heads.width, seed + 1);
    s.v = random_matrix(s.starts.back(), heads.kv_heads * heads.width, seed + 2);
    return s;
}

static double largest(const Floats &x)
{
    double most = 0;
    for (float value : x)
        most = std::max(most, std::fabs((double)value));
    return most;
}

static double longest_row(const Matrix &x, int64_t width) // the norm of it, over one head
{
    double most = 0;
    for (size_t i = 0; i < x.x.size(); i += (size_t)width) {
        double sum = 0;
        for (size_t d = i; d < i + (size_t)width; d++)
            sum += (double)x.x[d] * (double)x.x[d];
        most = std::max(most, sum);
    }
    return std::sqrt(most);
}

static void check_near(const std::string &what, const Floats &got, const Floats &oracle, double bound)
{
    for (size_t i = 0; i < oracle.size(); i++)
        if (!(std::fabs((double)got[i] - (double)oracle[i]) <= bound))
            failed("%s: element %zu is %.9g, should be %.9g within %.3g", what.c_str(), i, (double)got[i],
                   (double)oracle[i], bound);
}

// An output is Σ p·v with Σ p = 1: each p is rounded to bf16 somewhere, and so is the sum, 2^-9 of its size each; half
// as much again for what fp32 loses. A log-sum-exp is off by what a score is: two chains of D terms in fp32.
static void check_forward(const Kernels *kernels, const Sequences &s)
{
    Attended got = attention_forward(kernels, s), oracle = attention_forward(settings.cpu, s);
    double D = (double)s.heads.width,
           score = longest_row(s.q, s.heads.width) * longest_row(s.k, s.heads.width) / sqrt(D);
    check_near("out", got.out, oracle.out, 0x1.8p-8 * largest(s.v.x));
    check_near("logsumexp", got.logsumexp, oracle.logsumexp, 2 * D * 0x1p-24 * score + 0x1p-16);
    check_oracle("out", got.out, oracle.out);
}

static void check_backward(const Kernels *kernels, const Sequences &s)
{
    Attended forward = attention_forward(settings.cpu, s);
    Matrix out = rounded(s.q.rows, s.q.columns, forward.out), dout = random_matrix(s.q.rows, s.q.columns, 9);
    AttentionGradients got = attention_backward(kernels, dout, s, out, forward.logsumexp),
                       oracle = attention_backward(settings.cpu, dout, s, out, forward.logsumexp);
    check_oracle("dq", got.dq, oracle.dq);
    check_oracle("dk", got.dk, oracle.dk);
    check_oracle("dv", got.dv, oracle.dv);
}

static void cudnn_is_near_the_oracle()
{
    const Kernels *kernels = by_cudnn();
    if (kernels == NULL)
        return;
    const struct {
        Heads heads;
        Integers lengths;
    } cases[] = {
        {{2, 2, 64}, {1, 3, 63, 64, 65}}, {{4, 1, 64}, {129, 1}}, {{2, 1, 128}, {40, 33, 1}}, {{5, 1, 128}, {64, 13}}};
    for (const auto &c : cases) {
        check_forward(kernels, sequences_of(c.heads, c.lengths, 1));
        check_backward(kernels, sequences_of(c.heads, c.lengths, 5));
    }
    if (settings.gpu)
        for (Heads heads : {Heads{32, 8, 128}, Heads{14, 2, 64}}) {
            check_forward(kernels, sequences_of(heads, {1300, 129, 1, 700}, 1));
            check_backward(kernels, sequences_of(heads, {1300, 129, 1, 700}, 5));
        }
}

static void a_plan_is_for_many_batches()
{
    const Kernels *kernels = simulated() ? by_cudnn() : NULL;
    if (kernels == NULL)
        return; // only the stand-in counts them
    int (*count)(void) = (int (*)(void))dlsym(dlopen("libcudnn.so.9", RTLD_NOW | RTLD_NOLOAD), "cudnn_standin_plans");
    Integers lengths = {20, 30, 4};
    check_forward(kernels, sequences_of({2, 1, 64}, lengths, 1));
    check_backward(kernels, sequences_of({2, 1, 64}, lengths, 1));
    int before = count();
    for (const Integers &other : {Integers{20, 33, 1}, Integers{1, 1, 1, 51}, Integers{30, 20, 4}}) {
        check_forward(kernels, sequences_of({2, 1, 64}, other, 2));
        check_backward(kernels, sequences_of({2, 1, 64}, other, 3));
    }
    if (count() != before)
        failed("batches of up to four sequences and 54 tokens took %d more plans", count() - before);
    check_forward(kernels, sequences_of({2, 1, 64}, {10, 10, 10, 10, 14}, 4));
    if (count() != before + 1)
        failed("five sequences did not get a plan of their own");
}

// Whatever their shapes
static void plans_do_not_drive_each_other_out()
{
    const Kernels *kernels = simulated() ? by_cudnn() : NULL;
    if (kernels == NULL)
        return;
    int (*count)(void) = (int (*)(void))dlsym(dlopen("libcudnn.so.9", RTLD_NOW | RTLD_NOLOAD), "cudnn_standin_plans");
    for (int twice = 0, before = 0; twice < 2; twice++) {
        for (int n = 1; n <= 9; n += n) // a hundred shapes, of which a table by hash would have lost some
            for (int64_t heads = 1; heads <= 12; heads++) {
                check_forward(kernels, sequences_of({heads, 1, 64}, Integers((size_t)n, 3), 7));
                check_backward(kernels, sequences_of({heads, 1, 64}, Integers((size_t)n, 3), 7));
            }
        if (twice == 1 && count() != before)
            failed("the same batches again took %d more plans", count() - before);
        before = count();
    }
}

static void the_table_says_what_it_is()
{
    const Kernels *kernels = by_cudnn();
    if (kernels == NULL)
        return;
    if (settings.cuda->inexact != NULL || kernels->inexact == NULL ||
        std::string(kernels->arithmetic).find("exact = false") == std::string::npos)
        failed("the table by cuDNN should say that it is not exact, and ours should not: %s", kernels->arithmetic);
    if (kernels->matmul_forward != settings.cuda->matmul_forward ||
        kernels->attention_forward == settings.cuda->attention_forward)
        failed("the table by cuDNN should differ in its attention, and in nothing else");
}

extern const Tests cudnn_tests;
const Tests cudnn_tests = {{"cudnn_is_near_the_oracle", cudnn_is_near_the_oracle},
                           {"cudnn_a_plan_is_for_many_batches", a_plan_is_for_many_batches},
                           {"cudnn_plans_do_not_drive_each_other_out", plans_do_not_drive_each_other_out},
                           {"cudnn_the_table_says_what_it_is", the_table_says_what_it_is}};
