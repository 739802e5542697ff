// `make ladder`: runs each rung on the CUDA runtime of test/simt/, compares its result with the plain loops of
// kernels/naive.c on the same numbers, and prints its memory traffic (test/simt/count.cc). There are no times: only a
// real card can show the gain. See docs/ladder.md.
#include "dev/ladder/ladder.cuh"
#include "test/simt/simt.h"
#include <functional>
#include <math.h>
#include <stdio.h>
#include <vector>

extern "C" const Kernels *kernels_cuda_open(void);

using namespace PRECISION;

typedef std::vector<float> Floats;

static const Kernels *gpu, *naive;
static bool wrong;

static Floats random_numbers(int64_t count, uint32_t seed)
{
    Floats x((size_t)count);
    for (int64_t i = 0; i < count; i++)
        x[(size_t)i] = 2 * random_uniform(random_bits(seed, RANDOM_SAMPLE, (uint32_t)i, 0, 0).v[0]) - 1;
    return x;
}

// An array on the device, and the same numbers, rounded, on the host.
struct Array {
    Tensor device, host;
    Floats numbers;
    Array(int64_t rows, int64_t columns, uint32_t seed) : numbers(random_numbers(rows * columns, seed))
    {
        device = dense(gpu->allocate((size_t)(rows * columns) * gpu->activation_size), rows, columns);
        gpu->upload_rounded(NULL, device.data, numbers.data(), rows * columns);
        read();
        host = dense(numbers.data(), rows, columns);
    }
    ~Array() { gpu->release(device.data); }
    Array(const Array &) = delete;
    Array &operator=(const Array &) = delete;
    void read() { gpu->download_widened(NULL, numbers.data(), device.data, (int64_t)numbers.size()); }
};

static float to_bf16(float x) { return widen(rounded(x)); }

// Whether the rung has the bits of the plain loops, rounded; if not, it may differ by the last bit of a bf16, or by a
// small share of the largest value.
static const char *compare(const char *name, const Array &result, const Floats &expected)
{
    double largest = 0;
    bool same = true, close = true;
    for (float x : expected)
        largest = fmax(largest, fabs((double)x));
    for (size_t i = 0; i < expected.size(); i++) {
        double difference = fabs((double)result.numbers[i] - (double)expected[i]);
        same = same && result.numbers[i] == to_bf16(expected[i]);
        close = close && difference <= fabs((double)expected[i]) * 0x1p-7 + largest * 0x1p-9;
    }
    if (!close) {
        fprintf(stderr, "%s: not what the plain loops have\n", name);
        wrong = true;
    }
    return same ? "same bits" : "rounds otherwise";
}

static SimtCounts run(const char *name, Array *result, const Floats &expected, const std::function<void()> &rung)
{
    simt_count_begin();
    rung();
    bool ok = gpu->synchronize(NULL);
    SimtCounts c = simt_count_end();
    result->read();
    const char *bits = ok ? compare(name, *result, expected) : "failed";
    wrong = wrong || !ok;
    printf("| %s | %.0f | %.0f | %.0f | %.1f | %.1f | %lld | %s |\n", name, (double)c.read / 1024,
           (double)c.written / 1024, (double)c.sectors * 32 / 1024, (double)c.shared_accesses / 1000,
           (double)(c.shared_rounds - c.shared_rounds_least) / 1000, (long long)c.products, bits);
    return c;
}

static void head(const char *what)
{
    printf("\n%s\n\n| rung | KiB read | KiB written | KiB moved | shared accesses, thousands | rounds lost in bank "
           "conflicts, "
           "thousands | "
           "tensor-core products | beside the plain loops |\n|---|---|---|---|---|---|---|---|\n",
           what);
}

// Known counts, so that the counter is tested too.
static void expect(const char *what, int64_t counted, int64_t expected)
{
    if (simt_checks_races() && counted != expected) {
        fprintf(stderr, "%s: %lld were counted, and there are %lld\n", what, (long long)counted, (long long)expected);
        wrong = true;
    }
}

static void matmul()
{
    enum { M = 128, N = 128, K = 128 };
    Array x(M, K, 1), w(N, K, 2), y(M, N, 3);
    Floats expected(M * N);
    naive->matmul_forward(NULL, dense(expected.data(), M, N), x.host, w.host, false);
    head("Matrix product, (128, 128) · (128, 128)ᵀ: 64 KiB to read, 32 to write");
    SimtCounts c = run("a thread an output", &y, expected, [&] { matmul_thread(y.device, x.device, w.device); });
    expect("sectors", c.sectors,
           M * N / 32 * (K * (1 + 32) + 2)); // a warp reads one number of x and 32 rows of w at a time
    run("tiles in shared memory", &y, expected, [&] { matmul_shared(y.device, x.device, w.device); });
    c = run("and padded", &y, expected, [&] { matmul_padded(y.device, x.device, w.device); });
    expect("bank conflicts", c.shared_rounds - c.shared_rounds_least, 0);
    run("4 x 4 outputs in registers", &y, expected, [&] { matmul_registers(y.device, x.device, w.device); });
    run("tensor cores", &y, expected, [&] { matmul_tensor(y.device, x.device, w.device); });
    run("kernels/cuda/matmul.cu", &y, expected,
        [&] { gpu->matmul_forward(NULL, y.device, x.device, w.device, false); });
}

static void rmsnorm()
{
    enum { T = 128, C = 1024 };
    const float epsilon = 1e-6f;
    Array x(T, C, 1), weight(1, C, 2), y(T, C, 3);
    Floats expected(T * C), rstd(T);
    Tensor none = {};
    naive->rmsnorm_forward(NULL, dense(expected.data(), T, C), none, rstd.data(), x.host, none, weight.host, epsilon);
    float *device_rstd = (float *)gpu->allocate(T * sizeof(float));
    head("RMSNorm of (128, 1024): 256 KiB to read, 256 to write");
    run("a thread a row", &y, expected, [&] { rmsnorm_thread(y.device, x.device, weight.device, epsilon); });
    run("a block a row", &y, expected, [&] { rmsnorm_block(y.device, x.device, weight.device, epsilon); });
    run("the row in registers", &y, expected, [&] { rmsnorm_registers(y.device, x.device, weight.device, epsilon); });
    run("kernels/cuda/norm.cu", &y, expected,
        [&] { gpu->rmsnorm_forward(NULL, y.device, none, device_rstd, x.device, none, weight.device, epsilon); });
    gpu->release(device_rstd);
}

static void attention()
{
    enum { T = 256, D = 64 };
    Array q(T, D, 1), k(T, D, 2), v(T, D, 3), out(T, D, 4);
    Floats expected(T * D), logsumexp(T);
    int32_t starts[2] = {0, T}, contexts[1] = {0};
    Attention a = {};
    a.sequences = a.heads = a.kv_heads = 1;
    a.head_width = D;
    a.starts = starts;
    a.contexts = contexts;
    naive->attention_forward(NULL, dense(expected.data(), T, D), logsumexp.data(), q.host, k.host, v.host, &a);
    float *scores = (float *)gpu->allocate(T * T * sizeof(float)),
          *device_sums = (float *)gpu->allocate(T * sizeof(float));
    int32_t *device_starts = (int32_t *)gpu->allocate(sizeof starts),
            *device_contexts = (int32_t *)gpu->allocate(sizeof contexts);
    gpu->upload(NULL, device_starts, starts, sizeof starts);
    gpu->upload(NULL, device_contexts, contexts, sizeof contexts);
    a.starts = device_starts;
    a.contexts = device_contexts;
    head("Attention of 256 tokens, one head of 64: 96 KiB to read, 32 to write");
    run("scores in memory", &out, expected,
        [&] { attention_matrix(out.device, q.device, k.device, v.device, scores); });
    run("online softmax", &out, expected, [&] { attention_online(out.device, q.device, k.device, v.device); });
    run("keys in shared memory", &out, expected, [&] { attention_shared(out.device, q.device, k.device, v.device); });
    run("kernels/cuda/attention_forward.cu", &out, expected,
        [&] { gpu->attention_forward(NULL, out.device, device_sums, q.device, k.device, v.device, &a); });
    for (void *p : {(void *)scores, (void *)device_sums, (void *)device_starts, (void *)device_contexts})
        gpu->release(p);
}

int main()
{
    setenv("DEREASON_CUDA", "bf16", 1);
    setenv("DEREASON_CPU", "naive", 1);
    gpu = kernels_cuda_open();
    naive = kernels_open("cpu", 1);
    if (gpu == NULL || naive == NULL) {
        fprintf(stderr, "ladder: %s\n", error_text());
        return 1;
    }
    matmul();
    rmsnorm();
    attention();
    return wrong ? 1 : 0;
}
