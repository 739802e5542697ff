// The harness of the runtime's own tests. Every detector is shown a planted fault, which it must name in the right
// words, and right beside it the same kernel without the fault, which must pass: a detector that cannot be made to fire
// proves nothing, and one that fires at correct code is worse. What only one build can see is left to it, by name;
// test/run.sh runs them all.
#ifndef TEST_SIMT_CHECK_H
#define TEST_SIMT_CHECK_H

#include "kernels/cuda/element.cuh"
#include <stdio.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace PRECISION;

cudaStream_t device_stream(void) { return NULL; } // kernels/cuda/device.cu is not here

enum Needs { ANY_BUILD, RACE_BUILD, ADDRESS_BUILD, RACE_OR_ADDRESS_BUILD };

static int failures; // of the running test

static inline void check(bool condition, const char *text, const char *file, int line)
{
    if (condition)
        return;
    failures++;
    printf("    %s:%d: %s\n", file, line, text);
}
#define CHECK(condition) check(condition, #condition, __FILE__, __LINE__)

static inline bool has(const std::string &text, const char *words) { return text.find(words) != std::string::npos; }

static inline void check_fault(const std::string &fault, std::initializer_list<const char *> words, const char *file,
                               int line)
{
    for (const char *word : words)
        if (!has(fault, word)) {
            failures++;
            printf("    %s:%d: no \"%s\" in \"%s\"\n", file, line, word, fault.c_str());
        }
}
#define CHECK_FAULT(fault, ...) check_fault(fault, {__VA_ARGS__}, __FILE__, __LINE__)
#define CHECK_NO_FAULT(fault) check_no_fault(fault, __FILE__, __LINE__)

static inline void check_no_fault(const std::string &fault, const char *file, int line)
{
    if (!fault.empty())
        check(false, fault.c_str(), file, line);
}

// The first fault of one launch
template <typename... Parameters, typename... Arguments>
static inline std::string fault_of(dim3 grid, dim3 block, size_t shared, void (*kernel)(Parameters...),
                                   Arguments... arguments)
{
    return simt_expect_fault([=] { launch(NULL, grid, block, shared, kernel, arguments...); });
}

// The last words of a child process that runs this; "" if it ended well.
template <typename Run> static std::string last_words(const Run &run)
{
    int ends[2];
    if (pipe(ends) != 0)
        return "no pipe";
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        run();
        _exit(0);
    }
    close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0;)
        text.append(buffer, (size_t)count);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : text.empty() ? "died in silence" : text;
}

// Device memory for one test
template <typename T> struct DeviceArray {
    T *data;
    size_t count;
    explicit DeviceArray(size_t elements) : data(NULL), count(elements)
    {
        CHECK(cudaMalloc(&data, elements * sizeof(T)) == cudaSuccess);
    }
    explicit DeviceArray(const std::vector<T> &host) : DeviceArray(host.size())
    {
        cudaMemcpy(data, host.data(), count * sizeof(T), cudaMemcpyHostToDevice);
    }
    DeviceArray(const DeviceArray &) = delete;
    ~DeviceArray() { cudaFree(data); }
    std::vector<T> host() const
    {
        std::vector<T> copy(count);
        CHECK(cudaMemcpy(copy.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess);
        return copy;
    }
};

// ---- kernels that several files launch

enum { THREADS = 64 };

// Each thread writes its own number and reads its neighbour's.
enum Between { NOTHING, BLOCK_BARRIER, WARP_BARRIER, HALF_WARP_BARRIER, SHUFFLE, VOTE };

template <int Between, int Distance> __global__ void neighbours(float *out)
{
    SHARED(float, line, THREADS);
    int i = (int)threadIdx.x;
    line[i] = (float)i;
    if (Between == BLOCK_BARRIER)
        __syncthreads();
    if (Between == WARP_BARRIER)
        __syncwarp();
    if (Between == HALF_WARP_BARRIER)
        __syncwarp(i % 32 < 16 ? 0xffff : 0xffff0000);
    if (Between == SHUFFLE)
        __shfl_sync(~0u, i, 0);
    if (Between == VOTE)
        __any_sync(~0u, i);
    out[i] = line[i ^ Distance];
}

static inline std::string race_of(void (*kernel)(float *))
{
    DeviceArray<float> out(THREADS);
    return fault_of(1, THREADS, 0, kernel, out.data);
}

__global__ void write_in_reverse(float *out) { out[blockDim.x - 1 - threadIdx.x] = (float)threadIdx.x; }

// ---- all tests of a program

struct Test {
    const char *name;
    void (*run)();
    Needs needs;
};

#define TEST(name, needs)                                                                                              \
    {                                                                                                                  \
#name, name, needs                                                                                             \
    }

static inline const char *missing_build(Needs needs)
{
    bool race = simt_checks_races(), address = simt_checks_addresses();
    if (needs == RACE_BUILD && !race)
        return "the race build";
    if (needs == ADDRESS_BUILD && !address)
        return "the address build";
    if (needs == RACE_OR_ADDRESS_BUILD && !race && !address)
        return "the race build or the address build";
    return NULL;
}

// Those whose name contains the program's argument, if there is one.
template <size_t Count> static int run_tests(const Test (&tests)[Count], int count, char **arguments)
{
    int passed = 0, failed = 0;
    for (const Test &test : tests) {
        if (count > 1 && !has(test.name, arguments[1]))
            continue;
        if (const char *build = missing_build(test.needs)) {
            printf("left to %s: %s\n", build, test.name);
            continue;
        }
        failures = 0;
        test.run();
        printf("%s %s\n", failures == 0 ? "ok" : "FAILED", test.name);
        failures == 0 ? passed++ : failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}

#endif
