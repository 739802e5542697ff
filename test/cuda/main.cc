// Runs the tests for both precisions, or for the one that DEREASON_CUDA names. Under SIMT a fault aborts the program:
// then the last line says in which test.
#include "test/cuda/harness.h"
#include "test/simt/simt.h"
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

extern const Tests memory_tests, row_tests, norm_tests, matmul_tests, attention_tests, shared_page_tests, page_tests,
    head_tests, sample_tests, optimizer_tests, bits_tests, train_tests, engine_tests, hopper_matmul_tests,
    library_tests, few_rows_tests, decode_pass_tests, cudnn_tests;

extern "C" {
const Kernels *kernels_cuda_open(void);
// of test/simt/; NULL on a GPU
__attribute__((weak)) void simt_seed(uint64_t seed);
__attribute__((weak)) void simt_mma_exact(bool exact);
__attribute__((weak)) bool simt_checks_races(void);
__attribute__((weak)) bool simt_checks_addresses(void);
__attribute__((weak)) void simt_count_begin(void);
__attribute__((weak)) SimtCounts simt_count_end(void);
}

Settings settings;
static std::string running;
static struct Tightness {
    int64_t numbers, exact;
    double share;
} tightness;

struct Failure {
    std::string why;
};

static std::string formatted(const char *format, va_list arguments)
{
    char buffer[1000];
    vsnprintf(buffer, sizeof buffer, format, arguments);
    return buffer;
}

void failed(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    std::string why = formatted(format, arguments);
    va_end(arguments);
    throw Failure{why};
}

std::string text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    std::string result = formatted(format, arguments);
    va_end(arguments);
    return result;
}

void compared(int64_t numbers, int64_t exact, double share)
{
    tightness.numbers += numbers;
    tightness.exact += exact;
    tightness.share = share > tightness.share ? share : tightness.share;
}

// Rounded numbers are mostly decided to the bit, and off by a whole ulp if at all; others use some part of their bound.
static std::string tightness_text()
{
    if (tightness.numbers == 0)
        return "";
    if (settings.bf16 && tightness.exact > 0)
        return text(", %.1f%% of %lld numbers to the bit", 100 * (double)tightness.exact / (double)tightness.numbers,
                    (long long)tightness.numbers);
    return text(", within %.2f of its bounds", tightness.share);
}

static std::string environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value == NULL ? otherwise : value;
}

void take_order(uint64_t number)
{
    if (simt_seed != NULL)
        simt_seed(strtoull(environment("SIMT_SEED", "1").c_str(), NULL, 10) + number);
}

void exact_tensor_cores(bool on)
{
    if (simt_mma_exact != NULL)
        simt_mma_exact(on || environment("SIMT_MMA", "fast") == "exact");
}

bool simulated() { return simt_seed != NULL; }

bool bounds_are_watched()
{
    return (simt_checks_races != NULL && simt_checks_races()) ||
           (simt_checks_addresses != NULL && simt_checks_addresses());
}

int64_t bytes_read(const std::function<void()> &work)
{
    if (simt_checks_races == NULL || !simt_checks_races()) {
        work();
        return -1;
    }
    simt_count_begin();
    work();
    return simt_count_end().read;
}

// ---- running

struct Count {
    int passed, failed;
};

static void aborted(int)
{
    std::string line = "FAILED " + running + ": aborted, see above\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) < 0)
        _exit(1);
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void run(const Test &test, const char *precision, Count *count)
{
    auto start = std::chrono::steady_clock::now();
    running = std::string(precision) + " " + test.name;
    tightness = Tightness();
    take_order(0);
    error_clear();
    try {
        test.run();
    } catch (const Failure &failure) {
        count->failed++;
        printf("FAILED %s: %s\n", running.c_str(), failure.why.c_str());
        fflush(stdout);
        return;
    }
    count->passed++;
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    printf("ok %s %.2f s%s\n", running.c_str(), seconds, tightness_text().c_str());
    fflush(stdout);
}

// only: texts with | between them, of which the name has one
static bool chosen_by(const std::string &name, const std::string &only)
{
    for (size_t begin = 0; begin <= only.size();) {
        size_t end = std::min(only.find('|', begin), only.size());
        if (name.find(only.substr(begin, end - begin)) != std::string::npos)
            return true;
        begin = end + 1;
    }
    return false;
}

static void run_all(const char *precision, const char *only, Count *count)
{
    const Tests *groups[] = {
        &memory_tests, &row_tests,           &norm_tests,    &matmul_tests,    &attention_tests,   &shared_page_tests,
        &page_tests,   &head_tests,          &sample_tests,  &optimizer_tests, &bits_tests,        &train_tests,
        &engine_tests, &hopper_matmul_tests, &library_tests, &few_rows_tests,  &decode_pass_tests, &cudnn_tests};
    for (const Tests *group : groups)
        for (const Test &test : *group)
            if (chosen_by(std::string(precision) + " " + test.name, only))
                run(test, precision, count);
}

static bool open_precision(const char *precision)
{
    static Kernels table; // by value: there is one for both precisions behind kernels_cuda_open
    setenv("DEREASON_CUDA", precision, 1);
    int threads = simulated() ? 1 : 0; // of the oracle: the two precisions may be running side by side (both.sh)
    const Kernels *cuda = kernels_cuda_open(), *cpu = kernels_open("cpu", threads);
    if (cuda == NULL || cpu == NULL) {
        printf("FAILED opening %s: %s\n", precision, error_text());
        return false;
    }
    table = *cuda;
    settings.cuda = &table;
    settings.cpu = cpu;
    settings.bf16 = table.activation_size == 2;
    printf("%s: %s, %s, against %s\n", precision, table.arithmetic, table.device(), cpu->name);
    return true;
}

int main(int count_of_arguments, char **arguments)
{
    const char *only = "";
    std::string chosen = environment("DEREASON_CUDA", "");
    Count count = {0, 0};
    for (int i = 1; i < count_of_arguments; i++) {
        bool has_text = i + 1 < count_of_arguments && strcmp(arguments[i], "--only") == 0;
        if (has_text)
            only = arguments[++i];
        else if (strcmp(arguments[i], "--long") == 0)
            settings.longer = true;
        else if (strcmp(arguments[i], "--gpu") == 0)
            settings.longer = settings.gpu = true;
        else {
            fprintf(stderr,
                    "usage: %s [--only TEXT|TEXT...] [--long] [--gpu]; DEREASON_CUDA=bf16 or fp32: that one only\n",
                    arguments[0]);
            return 2;
        }
    }
    signal(SIGABRT, aborted);
    for (const char *precision : {"bf16", "fp32"})
        if (chosen.empty() || chosen == precision) {
            if (open_precision(precision))
                run_all(precision, only, &count);
            else
                count.failed++;
        }
    printf("%d passed, %d failed\n", count.passed, count.failed);
    return count.failed == 0 && count.passed > 0 ? 0 : 1;
}
