// The tests of the CUDA kernels are one program for any table of kernels. Linked with the CUDA sources as g++ compiles
// them against test/simt/ it runs them on a CPU; linked with the same sources as nvcc compiles them, on a GPU. What a
// test calls is in call.h, what it compares with in approx.h; here is what a test is, and what it may ask about the
// run.
#ifndef TEST_CUDA_HARNESS_H
#define TEST_CUDA_HARNESS_H

#include "kernels/kernels.h"
#include <functional>
#include <string>
#include <vector>

struct Test {
    const char *name;
    void (*run)();
};

typedef std::vector<Test> Tests;

struct Settings {
    const Kernels *cuda, *cpu; // the table under test, and the oracle
    bool bf16;                 // the activation type of the table under test; otherwise fp32
    bool longer, gpu;          // --long, --gpu: shapes that SIMT has no time for
};

extern Settings settings;

// Ends the running test. Nothing after it is run.
[[noreturn]] void failed(const char *format, ...) PRINTF_LIKE(1, 2);
std::string text(const char *format, ...) PRINTF_LIKE(1, 2);

// How tight the bounds of a test are, for the line that it ends with: how many of the numbers it compared had to be
// exact, and the largest share that the others used of what they might be off.
void compared(int64_t numbers, int64_t exact, double share);

// Under SIMT there are many orders in which threads may run, and SIMT_SEED says where to begin; on a GPU this does
// nothing.
void take_order(uint64_t number);
bool simulated();
bool bounds_are_watched();                             // the runtime notices accesses behind an array by itself
void exact_tensor_cores(bool on);                      // off: as SIMT_MMA has it
int64_t bytes_read(const std::function<void()> &work); // by its kernels, of the device's memory; -1: nobody counts

#endif
