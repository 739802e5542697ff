// How the kernel benchmark fills its arrays and how it times. Numbers are never zeros (multipliers that see zeros draw
// less power and run faster), no two launches find their data in the cache, and the time is the median of many single
// launches between two events.
#include "lab/bench/bench.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <cuda_runtime.h>

// A benchmark has nobody to pass an error on to.
static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "kernel_bench: %s: %s\n", what, error_text());
    exit(1);
}

static void must_cuda(cudaError_t result, const char *what)
{
    must(result == cudaSuccess || fail("%s", cudaGetErrorString(result)), what);
}

// ---- memory

enum { SOURCE = 1 << 22 }; // random numbers made on the host

static std::vector<float> random_numbers(Numbers kind)
{
    std::vector<float> x(SOURCE);
    uint64_t state = 0x9e3779b97f4a7c15u * (uint64_t)(kind + 1);
    for (float &value : x) { // twelve sixteen-bit pieces are as good as normal here: four each of three words
        float sum = 0;
        for (int word = 0; word < 3; word++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            for (int shift = 0; shift < 64; shift += 16)
                sum += (float)(state >> shift & 0xffff) * 0x1p-16f;
        }
        value = (sum - 6) * (kind == NORMAL ? 1.0f : 0.02f);
        value = kind == POSITIVE ? fabsf(value) : value;
    }
    return x;
}

Memory::Memory(const Kernels *used) : kernels(used), place(0)
{
    for (int kind = 0; kind < 3; kind++) {
        std::vector<float> host = random_numbers((Numbers)kind);
        element_source[kind] = kernels->allocate(SOURCE * kernels->activation_size);
        float_source[kind] = kernels->allocate(SOURCE * sizeof(float));
        must(element_source[kind] != NULL && float_source[kind] != NULL, "memory for random numbers");
        kernels->upload_rounded(NULL, element_source[kind], host.data(), SOURCE);
        kernels->upload(NULL, float_source[kind], host.data(), SOURCE * sizeof(float));
        must(kernels->synchronize(NULL), "random numbers");
    }
}

Memory::~Memory()
{
    release();
    for (int kind = 0; kind < 3; kind++) {
        kernels->release(element_source[kind]);
        kernels->release(float_source[kind]);
    }
}

void Memory::release()
{
    for (void *p : taken)
        kernels->release(p);
    taken.clear();
}

void *Memory::take(size_t bytes)
{
    void *p = kernels->allocate(bytes);
    must(p != NULL, "memory of a case");
    taken.push_back(p);
    return p;
}

void Memory::fill(void *array, size_t bytes, void *source, size_t source_bytes)
{
    place = (place + 7919 * 64) % (source_bytes / 2); // no two arrays alike
    for (size_t done = 0; done < bytes;) {
        size_t from = done == 0 ? place : 0, n = std::min(bytes - done, source_bytes - from);
        must(PRECISION::copy_all(NULL, (char *)array + done, (char *)source + from, n), "filling an array");
        done += n;
    }
}

Tensor Memory::tensor(int64_t rows, int64_t columns, Numbers kind)
{
    size_t size = kernels->activation_size, bytes = (size_t)(rows * columns) * size;
    void *p = take(bytes);
    fill(p, bytes, element_source[kind], SOURCE * size);
    return dense(p, rows, columns);
}

float *Memory::floats(int64_t count, Numbers kind)
{
    float *p = (float *)take((size_t)count * sizeof(float));
    fill(p, (size_t)count * sizeof(float), float_source[kind], SOURCE * sizeof(float));
    return p;
}

void *Memory::copy_bytes(const void *host, size_t bytes)
{
    void *p = take(bytes);
    kernels->upload(NULL, p, host, bytes);
    return p;
}

void *Memory::poisoned(size_t bytes)
{
    void *p = take(bytes);
    must_cuda(cudaMemsetAsync(p, 0xff, bytes, 0), "poisoning a result");
    return p;
}

Tensor Memory::empty(int64_t rows, int64_t columns)
{
    return dense(poisoned((size_t)(rows * columns) * kernels->activation_size), rows, columns);
}

float *Memory::empty_floats(int64_t count) { return (float *)poisoned((size_t)count * sizeof(float)); }

// ---- time

Timer::Timer(const Kernels *used, bool by_host_clock) : kernels(used), host_clock(by_host_clock)
{
    cudaDeviceProp card;
    must_cuda(cudaGetDeviceProperties(&card, 0), "asking the card what it is");
    must_cuda(cudaEventCreate((cudaEvent_t *)&begin), "an event");
    must_cuda(cudaEventCreate((cudaEvent_t *)&end), "an event");
    flush_bytes = host_clock ? 4096 : 3 * (size_t)card.l2CacheSize;
    flush = kernels->allocate(flush_bytes);
    must(flush != NULL, "memory to empty the cache with");
}

Timer::~Timer()
{
    kernels->release(flush);
    cudaEventDestroy((cudaEvent_t)begin);
    cudaEventDestroy((cudaEvent_t)end);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The cache is emptied by reading: after writing it would be full of lines that the kernel has to send to memory first.
// While that goes on the host queues the launch, so the events stand close around it.
double Timer::once(const std::function<void()> &run)
{
    PRECISION::read_all(NULL, flush, flush_bytes);
    double start = now();
    must(PRECISION::record(NULL, begin), "an event");
    run();
    must(PRECISION::record(NULL, end), "an event");
    must(kernels->synchronize(NULL), "a kernel");
    float milliseconds = 0;
    must_cuda(cudaEventElapsedTime(&milliseconds, (cudaEvent_t)begin, (cudaEvent_t)end), "the time between two events");
    return host_clock ? 1e6 * (now() - start) : 1e3 * milliseconds;
}

// Launches of a graph stand closer than those of a host. To have each find the cache empty, it is emptied in the graph,
// and the time of a graph that does nothing else is taken away.
enum { LAUNCHES = 8 };

Graph *Timer::taken_down(const std::function<void()> &run)
{
    must(kernels->graph_begin(NULL), "beginning a graph");
    for (int i = 0; i < LAUNCHES; i++) {
        PRECISION::read_all(NULL, flush, flush_bytes);
        run();
    }
    return kernels->graph_end(NULL);
}

double Timer::in_graph(const std::function<void()> &run, int repeats)
{
    Graph *with = taken_down(run), *without = taken_down([] {});
    double more = NAN;
    if (with != NULL && without != NULL) {
        double both = measure([=, this] { kernels->graph_launch(NULL, with); }, repeats).microseconds;
        more = both - measure([=, this] { kernels->graph_launch(NULL, without); }, repeats).microseconds;
    }
    for (Graph *graph : {with, without})
        if (graph != NULL)
            kernels->graph_close(graph);
    error_clear();
    return more / LAUNCHES;
}

Timing Timer::measure(const std::function<void()> &run, int repeats)
{
    enum { WARM_UP = 3 };
    std::vector<double> times;
    for (int i = 0; i < (repeats > 1 ? WARM_UP : 0); i++)
        once(run);
    for (int i = 0; i < repeats; i++)
        times.push_back(once(run));
    std::sort(times.begin(), times.end());
    size_t n = times.size();
    double median = n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
    return Timing{median, (times[n * 3 / 4] - times[n / 4]) / median, repeats};
}
