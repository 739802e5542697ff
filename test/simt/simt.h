// SIMT: CUDA kernels on a CPU, for tests. A kernel's source is compiled by the C++ compiler with -Itest/simt; the
// cuda_runtime.h and cuda_bf16.h found there stand in for the toolkit's. Each CUDA thread is a fiber (fiber.cc): a
// stack of its own and a switch of a few nanoseconds. One block runs at a time, and a thread runs until it has to wait:
// at a barrier (barrier.cc) or for the other lanes of its warp (warp.cc). So a run repeats exactly, and another seed
// tries another order of blocks, warps and lanes (schedule.cc): a kernel whose result depends on it is wrong. The
// blocks of a cluster run together (cluster.cc).
//
// What a GPU forgives now and then is a fault here, reported with launch, block, thread and line, and the program
// stops:
//   a barrier or a warp operation          all stand still then, and each warp says where it waits (schedule.cc)
//   that not all reach
//   memory read before it was written      shared and device memory start as NaN; so does the target of an asynchronous
//                                          copy, which is made as late as the program allows (copy.cc)
//   a stream that does not wait            streams that are late by turns: SIMT_STREAMS=late (those of
//   for another                            cudaStreamNonBlocking, the default) or early (all others)
//   the host that uses memory too early    a copy from or to cudaMallocHost's memory, and all that is queued behind it,
//                                          is made when an event or a stream is waited for, and not before (stream.cc)
//   asynchronous products and copies       wgmma, TMA and bulk copies are made as late as the program allows, too;
//   that are not waited for, or not        accumulators in flight, and the targets of copies, are NaN until then; what
//   fenced                                 is touched, read or written too early is named (wgmma.cc, bulk.cc, proxy.cc)
//   a kernel that is launched early        (programmatic dependent launch) in the race build: what a thread touches
//   and does not wait                      before simt_dependency_wait is held against all kernels back to the last one
//                                          that was not launched so; and every block has to wait (race.cc, block.cc)
//   an access beyond an array              to the byte with AddressSanitizer, to two bytes in the race build
//                                          (memory.cc)
//   two accesses that no barrier orders    in the race build: the kernels are compiled with -fsanitize=thread, and what
//                                          they then call at each access is ours (tsan.cc) and not libtsan's (race.cc)
//   a block that ends while another one    the last thread that returns knows nothing that says otherwise (cluster.cc)
//   of its cluster may still use it
//   a kernel that touches the host's       in the race build
//   memory
//   the host that touches the device's     with SIMT_PROTECT=1
// What cannot be seen here: speed, the memory model below a barrier, and what only nvcc compiles (inline PTX). A thread
// that spins until another one writes spins for ever. Kernels are launched by one thread of the operating system.
//
// Environment: SIMT_SEED (default 1), SIMT_MMA=exact|fast (default fast), SIMT_MEMORY (bytes of the device),
// SIMT_DEVICES (how many; negative: a driver that is too old), SIMT_MULTIPROCESSORS (default 5: few, so that kernels
// that take one tile after another do), SIMT_CAPABILITY (default 9.0), SIMT_SHARED (KiB of
// shared memory that the card says a block gets; launches are held to 227), SIMT_PROTECT=1 (device memory is closed to
// the host), SIMT_RACES=off (the race build looks for none).
#ifndef SIMT_H
#define SIMT_H

#include <functional>
#include <stddef.h>
#include <stdint.h>

// ---- for tests

extern "C" {
void simt_seed(uint64_t seed);    // of the orders in which blocks and threads of the next launches run
void simt_mma_exact(bool exact);  // whether mma follows a Hopper tensor core bit for bit, or is quick
bool simt_checks_races(void);     // whether this is the race build
bool simt_checks_addresses(void); // whether this is the AddressSanitizer build

// What launches between the two asked of memory; all zero but in the race build (count.cc).
typedef struct SimtCounts {
    int64_t read, written; // bytes of the device's memory
    int64_t sectors;       // pieces of 32 bytes that are moved for them, caches apart
    int64_t shared_accesses, shared_rounds,
        shared_rounds_least; // of warps to shared memory; least: without bank conflicts
    int64_t products;        // of tensor cores, 16 x 8 x 16 each
} SimtCounts;
void simt_count_begin(void);
SimtCounts simt_count_end(void);

// For a library that stands in for one of NVIDIA's (test/simt/nccl.c). step is called when something waits for its
// place in the stream, and again until it returns true. simt_move copies between the host's memory and the device's,
// which is checked.
void simt_stream_push(struct CUstream_st *stream, bool (*step)(void *context), void *context);
bool simt_move(void *to, const void *from, size_t bytes, bool to_device);

// The text of the first fault of what run(context) launches, "" if there was none; later launches of it do nothing.
const char *simt_first_fault(void (*run)(const void *), const void *context);
}

template <typename Run> const char *simt_expect_fault(const Run &run)
{
    return simt_first_fault([](const void *context) { (*(const Run *)context)(); }, &run);
}

// ---- for kernels, behind the names of CUDA

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned wide = 1, unsigned high = 1, unsigned deep = 1) : x(wide), y(high), z(deep) {}
};

// By value and `const`: a thread's place never changes, so the compiler asks once and the race check sees no load.
__attribute__((const)) uint3 simt_thread_index(void);
__attribute__((const)) uint3 simt_block_index(void);
__attribute__((const)) dim3 simt_block_size(void);
__attribute__((const)) dim3 simt_grid_size(void);

// Shared memory of the running block. A static array is known by its place in the source: one array a line, and
// instances of a template that differ in nothing but a type of one size would share it.
void *simt_static_shared(size_t bytes, const char *file, int line);
void *simt_dynamic_shared(void);

// cluster: of so many blocks. early: before the kernels in front of it have ended, as far as it can tell
void simt_launch_call(dim3 grid, dim3 block, size_t shared, int cluster, void (*call)(const void *),
                      const void *context, bool early);

// Behind what waits in the stream; at once if nothing does and the stream is eager (stream.cc).
void simt_queue(struct CUstream_st *stream, const std::function<void()> &work);

template <typename Call>
void simt_launch(dim3 grid, dim3 block, size_t shared, const Call &call, struct CUstream_st *stream = NULL,
                 int cluster = 1, bool early = false)
{
    simt_queue(stream, [=] {
        const Call arguments = call; // on the stack, where the race check knows a launch's arguments
        simt_launch_call(
            grid, block, shared, cluster, [](const void *context) { (*(const Call *)context)(); }, &arguments, early);
    });
}

// Each of these notes its caller, so that a report can name the line: the wrappers around them are always inlined, and
// a call of one is never the last thing that a function does, which the compiler would make a jump.
#define SIMT_INLINE inline __attribute__((always_inline))
#define SIMT_CALL(call) (call, ({ __asm__ volatile(""); }))

enum SimtShuffle { SIMT_SHUFFLE_FROM, SIMT_SHUFFLE_UP, SIMT_SHUFFLE_DOWN, SIMT_SHUFFLE_XOR };

void simt_block_barrier(void);
void simt_named_barrier(int id, int threads, bool wait);
void simt_warp_barrier(uint32_t mask);
uint64_t simt_shuffle(SimtShuffle kind, uint32_t mask, uint64_t value, int by, int width);
uint32_t simt_ballot(uint32_t mask, bool vote); // also any and all
void simt_fence(void);
void simt_dependency_wait(void);
[[noreturn]] void simt_trap(void);

void simt_copy_16(void *shared, const void *global, bool live);
void simt_copy_commit(void);
void simt_copy_wait(int pending);
void simt_ldmatrix(uint32_t r[4], const void *row, bool transposed);
void simt_ldmatrix(uint32_t r[4], uint32_t row, bool transposed); // by its shared address
void simt_stmatrix(void *row, const uint32_t r[4]);
void simt_mma_bf16(float c[4], const uint32_t a[4], const uint32_t b[2]);
void simt_mma_fp32(float c[4], const float a[8], const float b[4]);

uint32_t simt_shared_address(const void *p);
void simt_mbarrier_init(uint32_t address, int arrivals);
void simt_mbarrier_init_fence(void);
void simt_mbarrier_expect(uint32_t address, int bytes);
void simt_mbarrier_arrive(uint32_t address);
void simt_mbarrier_wait(uint32_t address, int parity);
void simt_proxy_fence(void);
void simt_tensor_load(uint32_t shared, const void *tensor_map, uint32_t barrier, int x, int y, int z);
void simt_tensor_load_multicast(uint32_t shared, const void *tensor_map, uint32_t barrier, int x, int y, int z,
                                uint32_t ranks);
void simt_bulk_load(uint32_t shared, const void *global, int bytes, uint32_t barrier);
void simt_bulk_store(void *global, uint32_t shared, int bytes);
void simt_bulk_commit(void);
void simt_bulk_wait(int pending, bool only_read);
void simt_registers(int registers, bool more);
__attribute__((const)) int simt_cluster_rank(void);
uint32_t simt_cluster_address(uint32_t address, int rank);
void simt_mbarrier_arrive_at(uint32_t address); // of any block of the cluster
void simt_cluster_arrive(void);
void simt_cluster_wait(void);
// c (64, columns) of a warpgroup, += a (64, 16) · b (columns, 16)ᵀ; a_registers: NULL, or this lane's part of a.
void simt_wgmma(float (*c)[4], int columns, const uint32_t *a_registers, uint64_t a, bool a_transposed, uint64_t b,
                bool b_transposed, bool first);
void simt_wgmma_fence(void);
void simt_wgmma_commit(void);
void simt_wgmma_wait(int pending);

enum SimtAtomic { SIMT_ADD, SIMT_MIN, SIMT_MAX, SIMT_AND, SIMT_OR, SIMT_XOR, SIMT_EXCHANGE };

// These return the old value. compare_exchange is atomicCAS.
int simt_atomic(SimtAtomic kind, int *p, int value);
unsigned simt_atomic(SimtAtomic kind, unsigned *p, unsigned value);
unsigned long long simt_atomic(SimtAtomic kind, unsigned long long *p, unsigned long long value);
int simt_compare_exchange(int *p, int expected, int value);
unsigned simt_compare_exchange(unsigned *p, unsigned expected, unsigned value);
unsigned long long simt_compare_exchange(unsigned long long *p, unsigned long long expected, unsigned long long value);

#endif
