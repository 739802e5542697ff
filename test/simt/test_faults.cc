// The runtime's own test. Every detector is shown a planted fault, which it must name in the right words, and right
// beside it the same kernel without the fault, which must pass: a detector that cannot be made to fire proves nothing,
// and one that fires at correct code is worse. Also here: that shuffles, votes, atomics and matrix products compute
// what CUDA says they compute. What only one build can see is left to it, by name; test/run.sh runs them all.
#include "kernels/cuda/element.cuh"
#include <stdio.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace PRECISION;

// ---- the harness

enum Needs { ANY_BUILD, RACE_BUILD, ADDRESS_BUILD, RACE_OR_ADDRESS_BUILD };

static int failures; // of the running test

static void check(bool condition, const char *text, int line)
{
    if (condition)
        return;
    failures++;
    printf("    test_faults.cc:%d: %s\n", line, text);
}
#define CHECK(condition) check(condition, #condition, __LINE__)

static bool has(const std::string &text, const char *words) { return text.find(words) != std::string::npos; }

static void check_fault(const std::string &fault, std::initializer_list<const char *> words, int line)
{
    for (const char *word : words)
        if (!has(fault, word)) {
            failures++;
            printf("    test_faults.cc:%d: no \"%s\" in \"%s\"\n", line, word, fault.c_str());
        }
}
#define CHECK_FAULT(fault, ...) check_fault(fault, {__VA_ARGS__}, __LINE__)
#define CHECK_NO_FAULT(fault) check_no_fault(fault, __LINE__)

static void check_no_fault(const std::string &fault, int line)
{
    if (!fault.empty())
        check(false, fault.c_str(), line);
}

// The first fault of one launch
template <typename... Parameters, typename... Arguments>
static std::string fault_of(dim3 grid, dim3 block, size_t shared, void (*kernel)(Parameters...), Arguments... arguments)
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

static uint32_t random_state = 1;
static uint32_t random_word()
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

// ---- barriers and races in shared memory

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

static std::string race_of(void (*kernel)(float *))
{
    DeviceArray<float> out(THREADS);
    return fault_of(1, THREADS, 0, kernel, out.data);
}

static void a_missing_block_barrier_is_a_race()
{
    CHECK_FAULT(race_of(neighbours<NOTHING, 32>), "race on byte", "of the 256 bytes of shared memory declared at",
                "the thread", "no barrier orders the two", "block (0,0,0) of (1,1,1)", "test_faults.cc:");
    CHECK_NO_FAULT(race_of(neighbours<BLOCK_BARRIER, 32>));
}

static void a_missing_warp_barrier_is_a_race()
{
    CHECK_FAULT(race_of(neighbours<NOTHING, 1>), "race on", "no barrier orders the two");
    CHECK_NO_FAULT(race_of(neighbours<WARP_BARRIER, 1>));
}

static void a_warp_barrier_orders_no_other_warp()
{
    CHECK_FAULT(race_of(neighbours<WARP_BARRIER, 32>), "race on", "no barrier orders the two");
}

static void a_barrier_of_half_a_warp_orders_that_half()
{
    CHECK_FAULT(race_of(neighbours<HALF_WARP_BARRIER, 16>), "race on", "no barrier orders the two");
    CHECK_NO_FAULT(race_of(neighbours<HALF_WARP_BARRIER, 8>));
}

static void shuffles_and_votes_order_nothing()
{
    CHECK_FAULT(race_of(neighbours<SHUFFLE, 1>), "race on", "no barrier orders the two");
    CHECK_FAULT(race_of(neighbours<VOTE, 1>), "race on", "no barrier orders the two");
}

// Where a barrier is missing a poisoned value shows too, in every build.
static void an_element_that_nobody_has_written_yet_is_nan()
{
    DeviceArray<float> out(THREADS);
    if (!simt_checks_races())
        launch(NULL, 1, THREADS, 0, neighbours<NOTHING, 32>, out.data);
    bool some = false, all = true;
    for (float x : out.host())
        some |= isnan(x), all &= isnan(x);
    CHECK(some);
    CHECK(simt_checks_races() || !all);
    launch(NULL, 1, THREADS, 0, neighbours<BLOCK_BARRIER, 32>, out.data);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(out.host()[i] == (float)(i ^ 32));
}

// Everybody reads a line, then it is written again.
template <bool Barrier> __global__ void write_after_read(float *out)
{
    SHARED(float, line, THREADS);
    int i = (int)threadIdx.x;
    float sum = 0;
    line[i] = 1;
    __syncthreads();
    for (int k = 0; k < THREADS; k++)
        sum += line[k];
    if (Barrier)
        __syncthreads();
    line[i] = sum;
    out[i] = line[i];
}

static void a_write_after_a_read_is_a_race()
{
    CHECK_FAULT(race_of(write_after_read<false>), "race on", "the thread", "reads it", "writes it",
                "no barrier orders the two");
    CHECK_NO_FAULT(race_of(write_after_read<true>));
}

template <bool Barrier> __global__ void vectors_of_neighbours(float *out)
{
    SHARED(element, line, THREADS * LANES);
    int i = (int)threadIdx.x;
    Vector v;
    for (int k = 0; k < LANES; k++)
        v.lane[k] = rounded((float)i);
    store(line + i * LANES, v);
    if (Barrier)
        __syncthreads();
    out[i] = widen(load(line + (i ^ 32) * LANES).lane[LANES - 1]);
}

static void vectors_of_sixteen_bytes_are_seen()
{
    CHECK_FAULT(race_of(vectors_of_neighbours<false>), "race on", "no barrier orders the two");
    CHECK_NO_FAULT(race_of(vectors_of_neighbours<true>));
}

template <typename T> __global__ void one_element_each(float *out)
{
    SHARED(T, line, THREADS);
    line[threadIdx.x] = T{};
    out[threadIdx.x] = 0;
}

static void neighbours_in_memory_do_not_race()
{
    CHECK_NO_FAULT(race_of(one_element_each<char>));
    CHECK_NO_FAULT(race_of(one_element_each<__nv_bfloat16>));
}

// ---- races between blocks

enum Way { PLAIN, ATOMIC, OWN_CELL };

template <int Way> __global__ void every_block_counts(unsigned *count)
{
    if (Way == PLAIN)
        count[0] = blockIdx.x;
    if (Way == ATOMIC)
        atomicAdd(count, 1u);
    if (Way == OWN_CELL)
        count[blockIdx.x] = blockIdx.x;
}

static std::string race_of_blocks(void (*kernel)(unsigned *))
{
    DeviceArray<unsigned> count(8);
    return fault_of(8, 1, 0, kernel, count.data);
}

static void two_blocks_that_write_one_cell_are_a_race()
{
    CHECK_FAULT(race_of_blocks(every_block_counts<PLAIN>), "race on byte 0 of the 32 bytes of device memory",
                "thread (0,0,0) of another block");
    CHECK_NO_FAULT(race_of_blocks(every_block_counts<ATOMIC>));
    CHECK_NO_FAULT(race_of_blocks(every_block_counts<OWN_CELL>));
}

__global__ void read_what_the_next_block_writes(unsigned *cells)
{
    unsigned old = cells[(blockIdx.x + 1) % gridDim.x];
    __syncthreads();
    cells[blockIdx.x] = old;
}

static void a_block_that_reads_what_another_writes_is_a_race()
{
    CHECK_FAULT(race_of_blocks(read_what_the_next_block_writes), "race on", "of another block", "of device memory");
}

// The last block to come adds up what all have left: ordered by the fence and the counter.
__global__ void last_block_adds(unsigned *cells)
{
    cells[blockIdx.x] = 1;
    __threadfence();
    if (atomicAdd(&cells[4], 1u) != 3)
        return;
    __threadfence();
    cells[5] = cells[0] + cells[1] + cells[2] + cells[3];
}

static void a_fence_and_a_counter_may_order_blocks()
{
    DeviceArray<unsigned> cells(std::vector<unsigned>(8, 0));
    CHECK_NO_FAULT(fault_of(4, 1, 0, last_block_adds, cells.data));
    CHECK(cells.host()[5] == 4);
}

__global__ void write_in_reverse(float *out) { out[blockDim.x - 1 - threadIdx.x] = (float)threadIdx.x; }

static void a_launch_orders_everything_before_it()
{
    DeviceArray<float> out(THREADS);
    CHECK_NO_FAULT(simt_expect_fault([&] {
        launch(NULL, 1, THREADS, 0, neighbours<BLOCK_BARRIER, 1>, out.data);
        launch(NULL, 1, THREADS, 0, write_in_reverse, out.data);
    }));
}

// ---- addresses

enum Where { STATIC_SHARED, DYNAMIC_SHARED, DEVICE };

template <int Where> __global__ void touch(float *device, int index)
{
    SHARED(float, fixed, 5);
    float *dynamic = dynamic_shared<float>();
    float *array = Where == STATIC_SHARED ? fixed : Where == DYNAMIC_SHARED ? dynamic : device;
    array[index] = 1;
}

static void touch_and_fault(void (*kernel)(float *, int), int index, const char *words)
{
    DeviceArray<float> device(5);
    if (simt_checks_races())
        CHECK_FAULT(fault_of(1, 1, 20, kernel, device.data, index), "an access", words, "thread (0,0,0)");
    else
        CHECK_FAULT(last_words([&] { launch(NULL, 1, 1, 20, kernel, device.data, index); }), "use-after-poison",
                    "an access to", words);
}

static void off_by_one_is_caught()
{
    DeviceArray<float> device(5);
    CHECK_NO_FAULT(fault_of(1, 1, 20, touch<STATIC_SHARED>, device.data, 4));
    CHECK_NO_FAULT(fault_of(1, 1, 20, touch<DYNAMIC_SHARED>, device.data, 4));
    CHECK_NO_FAULT(fault_of(1, 1, 20, touch<DEVICE>, device.data, 4));
    touch_and_fault(touch<STATIC_SHARED>, 5,
                    "0 bytes behind the 20 bytes of shared memory declared at test/simt/test_faults.cc:");
    touch_and_fault(touch<DYNAMIC_SHARED>, 5, "0 bytes behind the 20 bytes of dynamic shared memory");
    touch_and_fault(touch<DEVICE>, 5, "0 bytes behind the 20 bytes of device memory");
    touch_and_fault(touch<DEVICE>, -1, "4 bytes before the 20 bytes of device memory");
}

static void an_access_far_behind_an_array_is_caught()
{
    DeviceArray<float> device(5);
    if (simt_checks_addresses())
        CHECK_FAULT(last_words([&] { launch(NULL, 1, 1, 0, touch<DEVICE>, device.data, 1000); }),
                    "bytes behind the 20 bytes of device");
    else
        CHECK_FAULT(fault_of(1, 1, 0, touch<DEVICE>, device.data, 1000), "an access",
                    "bytes behind the 20 bytes of device memory");
}

static void memory_that_was_freed_is_closed()
{
    float *freed;
    cudaMalloc(&freed, 256);
    cudaFree(freed);
    if (simt_checks_addresses())
        CHECK_FAULT(last_words([=] { launch(NULL, 1, 1, 0, touch<DEVICE>, freed, 1); }), "which are freed");
    else
        CHECK_FAULT(fault_of(1, 1, 0, touch<DEVICE>, freed, 1), "byte 4 of the 256 bytes", "which are freed");
}

static void a_kernel_may_not_touch_the_host()
{
    std::vector<float> host(5);
    CHECK_FAULT(fault_of(1, 1, 0, touch<DEVICE>, host.data(), 1), "the host's memory");
}

static void the_host_may_not_touch_the_device()
{
    DeviceArray<float> device(5);
    setenv("SIMT_PROTECT", "1", 1);
    CHECK_FAULT(last_words([&] {
                    cudaMemset(device.data, 0, 20);
                    launch(NULL, 1, 1, 0, touch<DEVICE>, device.data, 1);
                    device.data[0] = 1;
                }),
                "the host's access", "byte 0 of the 20 bytes of device memory");
    unsetenv("SIMT_PROTECT");
    CHECK(last_words([&] { device.data[0] = 1; }) == "");
}

template <int Offset> __global__ void misaligned(float *out)
{
    SHARED(float, line, 8);
    *(volatile float *)((char *)line + Offset) = 1;
    out[0] = 1;
}

static void a_misaligned_access_is_caught()
{
    DeviceArray<float> out(1);
    CHECK_FAULT(fault_of(1, 1, 0, misaligned<2>, out.data), "of 4 bytes", "not a multiple");
    CHECK_NO_FAULT(fault_of(1, 1, 0, misaligned<4>, out.data));
}

static void copies_are_held_to_their_arrays()
{
    DeviceArray<float> device(5);
    float host[8];
    CHECK_FAULT(simt_expect_fault([&] { cudaMemcpy(host, device.data, 24, cudaMemcpyDeviceToHost); }),
                "cudaMemcpy: its source", "device memory");
    CHECK_FAULT(simt_expect_fault([&] { cudaMemcpy(host, host + 4, 16, cudaMemcpyHostToDevice); }),
                "cudaMemcpy: its target", "should be in device memory");
    CHECK_FAULT(simt_expect_fault([&] { cudaMemset(device.data + 1, 0, 20); }), "cudaMemset");
    CHECK_FAULT(simt_expect_fault([&] { cudaFree(device.data + 1); }), "cudaFree of", "byte 4 of the 20 bytes");
    CHECK_NO_FAULT(simt_expect_fault([&] { cudaMemcpy(host, device.data, 20, cudaMemcpyDeviceToHost); }));
}

// ---- what was never written

__global__ void read_unwritten(float *out)
{
    SHARED(float, fixed, 4);
    out[0] = fixed[3];
    out[1] = dynamic_shared<float>()[3];
    fixed[3] = 0;
    dynamic_shared<float>()[3] = 0;
}

static void memory_starts_as_nan_in_every_block()
{
    DeviceArray<float> out(2);
    CHECK(isnan(out.host()[0]));
    for (int launches = 0; launches < 2; launches++) {
        launch(NULL, 1, 1, 16, read_unwritten, out.data);
        CHECK(isnan(out.host()[0]) && isnan(out.host()[1]));
    }
}

// ---- asynchronous copies

// Two groups of copies; then a wait for all but `Pending` of them, and the sum of both.
template <int Pending, bool Wait, bool Live> __global__ void copy_two(const float *in, float *out)
{
    SHARED(float, line, 2 * 4 * 32);
    int i = (int)threadIdx.x * 4;
    for (int group = 0; group < 2; group++) {
        cp_async_16(line + group * 128 + i, in + group * 128 + i, Live);
        cp_async_commit();
    }
    if (Wait)
        cp_async_wait<Pending>();
    float sum = line[i] + line[128 + i + 3];
    cp_async_wait<0>();
    out[threadIdx.x] = sum;
}

static std::vector<float> run_copies(void (*kernel)(const float *, float *))
{
    DeviceArray<float> in(std::vector<float>(256, 1.0f)), out(32);
    CHECK_NO_FAULT(fault_of(1, 32, 0, kernel, (const float *)in.data, out.data));
    return out.host();
}

static void a_missing_wait_gives_nan() { CHECK(isnan(run_copies(copy_two<0, false, true>)[5])); }
static void a_wait_for_one_group_too_few_gives_nan() { CHECK(isnan(run_copies(copy_two<1, true, true>)[5])); }
static void a_wait_for_all_gives_what_was_copied()
{
    CHECK(run_copies(copy_two<0, true, true>)[5] == 2);
    CHECK(run_copies(copy_two<0, true, false>)[5] == 0);
}

enum CopyFault { NO_FAULT, NO_WAIT_AT_ALL, MISALIGNED_TARGET, MISALIGNED_SOURCE, NOT_SHARED, NO_BARRIER };

template <int Fault> __global__ void copy_wrongly(const float *in, float *out)
{
    SHARED(float, line, 4 * 64);
    float *to = Fault == NOT_SHARED ? out : line + threadIdx.x * 4;
    cp_async_16(to + (Fault == MISALIGNED_TARGET), in + threadIdx.x * 4 + (Fault == MISALIGNED_SOURCE), true);
    cp_async_commit();
    if (Fault != NO_WAIT_AT_ALL)
        cp_async_wait<0>();
    if (Fault != NO_BARRIER)
        __syncthreads();
    if (Fault != NO_WAIT_AT_ALL)
        out[threadIdx.x] = line[(threadIdx.x ^ 32) * 4];
}

static std::string copy_fault(void (*kernel)(const float *, float *))
{
    DeviceArray<float> in(std::vector<float>(256, 1.0f)), out(256);
    return fault_of(1, 64, 0, kernel, (const float *)in.data, out.data);
}

static void copies_that_cannot_be_made_are_caught()
{
    CHECK_FAULT(copy_fault(copy_wrongly<NO_WAIT_AT_ALL>), "returns before cp_async_wait for the cp.async",
                "test_faults.cc:");
    CHECK_FAULT(copy_fault(copy_wrongly<MISALIGNED_TARGET>), "cp.async", "the target", "not a multiple of 16");
    CHECK_FAULT(copy_fault(copy_wrongly<MISALIGNED_SOURCE>), "cp.async", "the source", "not a multiple of 16");
    CHECK_FAULT(copy_fault(copy_wrongly<NOT_SHARED>), "cp.async", "not in shared memory");
    CHECK_NO_FAULT(copy_fault(copy_wrongly<NO_FAULT>));
}

static void what_was_copied_needs_a_barrier_for_others()
{
    CHECK_FAULT(copy_fault(copy_wrongly<NO_BARRIER>), "race on", "no barrier orders the two");
}

// ---- threads that do not come

enum Absence { ALL_COME, ONE_WAITS_ELSEWHERE, ONE_RETURNS_EARLY, ONE_RETURNS_LATE };

template <int Absence> __global__ void meet()
{
    bool odd = threadIdx.x == 5;
    if (Absence == ONE_RETURNS_EARLY && odd)
        return;
    if (Absence == ONE_WAITS_ELSEWHERE && odd)
        __syncwarp();
    else
        __syncthreads();
    if (Absence == ONE_RETURNS_LATE && odd)
        return;
    if (Absence == ONE_RETURNS_LATE)
        __syncthreads();
}

static void a_deadlock_says_where_each_warp_waits()
{
    CHECK_FAULT(fault_of(1, THREADS, 0, meet<ONE_WAITS_ELSEWHERE>), "deadlock",
                "warp 0: lanes 0-4,6-31 wait at __syncthreads", "lanes 5 wait at __syncwarp of lanes 0-31",
                "warp 1: lanes 0-31 wait at __syncthreads", "test_faults.cc:");
    CHECK_NO_FAULT(fault_of(1, THREADS, 0, meet<ALL_COME>));
}

static void a_thread_that_returns_before_a_barrier_is_caught()
{
    CHECK_FAULT(fault_of(1, THREADS, 0, meet<ONE_RETURNS_EARLY>), "__syncthreads", "return");
    CHECK_FAULT(fault_of(1, THREADS, 0, meet<ONE_RETURNS_LATE>), "__syncthreads", "return");
}

static void a_fault_leaves_the_runtime_whole()
{
    DeviceArray<float> out(THREADS);
    CHECK(fault_of(1, THREADS, 0, meet<ONE_WAITS_ELSEWHERE>) != "");
    CHECK_NO_FAULT(race_of(neighbours<BLOCK_BARRIER, 32>));
}

enum LaneFault { LANES_COME, LANE_RETURNS, LANE_NOT_IN_MASK, LANES_DIFFER, LANE_ASKS_ABSENT, BAD_WIDTH };

template <int Fault> __global__ void lanes_meet(int *out)
{
    int lane = (int)threadIdx.x, x = lane;
    if (Fault == LANE_RETURNS && lane == 7)
        return;
    if (Fault == LANE_NOT_IN_MASK)
        x = __shfl_sync(0xffff, x, 0);
    else if (Fault == LANES_DIFFER && lane == 7)
        x = (int)__ballot_sync(~0u, x);
    else if (Fault == LANE_ASKS_ABSENT && lane < 16)
        x = __shfl_sync(0xffff, x, 20);
    else
        x = __shfl_sync(Fault == LANE_ASKS_ABSENT ? 0xffff0000 : ~0u, x, 17, Fault == BAD_WIDTH ? 24 : 32);
    out[lane] = x;
}

static std::string lane_fault(void (*kernel)(int *))
{
    DeviceArray<int> out(32);
    return fault_of(1, 32, 0, kernel, out.data);
}

static void lanes_that_do_not_come_are_caught()
{
    CHECK_FAULT(lane_fault(lanes_meet<LANE_RETURNS>), "__shfl_sync of lanes 0-31", "return");
    CHECK_FAULT(lane_fault(lanes_meet<LANE_NOT_IN_MASK>), "__shfl_sync of lanes 0-15", "which is not among them");
    CHECK_FAULT(lane_fault(lanes_meet<LANES_DIFFER>), "the lanes of a warp part", "__shfl_sync", "a vote");
    CHECK_FAULT(lane_fault(lanes_meet<LANE_ASKS_ABSENT>), "asks lane 20, which takes no part");
    CHECK_FAULT(lane_fault(lanes_meet<BAD_WIDTH>), "a shuffle of width 24");
    CHECK_NO_FAULT(lane_fault(lanes_meet<LANES_COME>));
}

// ---- barriers with a number: warp 0 gives, warp 1 takes, warp 2 does neither

enum Handover {
    RIGHT,
    TAKER_ONLY_ARRIVES,
    COUNT_TOO_LARGE,
    COUNT_NOT_OF_WARPS,
    COUNTS_DIFFER,
    GIVER_ONLY_ARRIVES,
    NOT_TAKING_BACK
};

template <int How> __global__ void hand_over(float *out)
{
    SHARED(float, line, 32);
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    int count = How == COUNT_TOO_LARGE ? 96 : How == COUNT_NOT_OF_WARPS ? 50 : 64;
    if (warp == 0) {
        line[lane] = (float)lane;
        How == GIVER_ONLY_ARRIVES || How == NOT_TAKING_BACK ? barrier_arrive(1, count) : barrier_sync(1, count);
        if (How == NOT_TAKING_BACK)
            line[lane] = 0;
    }
    if (warp == 1) {
        int own = How == COUNTS_DIFFER ? 96 : count;
        How == TAKER_ONLY_ARRIVES ? barrier_arrive(1, own) : barrier_sync(1, own);
        out[lane] = line[31 - lane];
    }
}

static std::string handover(void (*kernel)(float *))
{
    DeviceArray<float> out(32);
    std::string fault = fault_of(1, 96, 0, kernel, out.data);
    for (size_t i = 0; i < 32 && fault.empty(); i++)
        CHECK(out.host()[i] == (float)(31 - i));
    return fault;
}

static void a_numbered_barrier_counts_warps()
{
    CHECK_NO_FAULT(handover(hand_over<RIGHT>));
    CHECK_NO_FAULT(handover(hand_over<GIVER_ONLY_ARRIVES>));
    CHECK_FAULT(handover(hand_over<COUNT_TOO_LARGE>), "deadlock", "warp 0: lanes 0-31 wait at barrier 1",
                "warp 2: lanes 0-31 have returned");
    CHECK_FAULT(handover(hand_over<COUNT_NOT_OF_WARPS>), "barrier 1 for 50 threads", "multiples of 32");
    CHECK_FAULT(handover(hand_over<COUNTS_DIFFER>), "barrier 1 for", "but others came to it as one for");
}

static void who_only_arrives_is_not_ordered_behind_a_numbered_barrier()
{
    CHECK_FAULT(handover(hand_over<TAKER_ONLY_ARRIVES>), "race on", "no barrier orders the two");
    CHECK_FAULT(handover(hand_over<NOT_TAKING_BACK>), "race on", "no barrier orders the two");
}

// ---- launches

__global__ void nothing() {}
__global__ void some_shared()
{
    SHARED(float, fixed, 1024);
    fixed[threadIdx.x] = 0;
}
__global__ void stop_at(unsigned thread)
{
    if (threadIdx.x == thread)
        __trap();
}
__global__ void endless(int *depth)
{
    volatile int room[1024];
    room[0] = *depth;
    if (room[0] >= 0)
        endless(depth);
    room[1] = room[0];
}

static void launches_beyond_the_limits_are_caught()
{
    CHECK_FAULT(fault_of(1, 1025, 0, nothing), "a block of (1025,1,1) threads");
    CHECK_FAULT(fault_of(dim3(1, 65536), 32, 0, nothing), "a grid of (1,65536,1) blocks");
    CHECK_FAULT(fault_of(1, 32, (227 << 10) + 1, nothing),
                "bytes of dynamic shared memory; a block has at most 232448");
    CHECK_FAULT(fault_of(1, 32, (227 << 10) - 16, some_shared), "bytes of shared memory, static and dynamic");
    CHECK_NO_FAULT(fault_of(1, 32, (223 << 10), some_shared));
    CHECK_NO_FAULT(fault_of(dim3(2, 3, 4), dim3(4, 4, 4), 227 << 10, nothing));
    CHECK_NO_FAULT(fault_of(0, 32, 0, nothing)); // launch() passes over an empty grid
    CHECK_FAULT(simt_expect_fault([] { simt_launch(0, 32, 0, [] {}); }), "an empty grid");
}

static void a_trap_and_a_full_stack_are_reported()
{
    DeviceArray<int> depth(std::vector<int>(1, 1));
    CHECK_FAULT(fault_of(dim3(1, 1, 1), 32, 0, stop_at, 9u), "__trap", "thread (9,0,0) (lane 9 of warp 0)");
    if (!simt_checks_addresses())
        CHECK_FAULT(fault_of(1, 1, 0, endless, depth.data), "the thread's stack is full");
}

// Each thread and block takes a number, and leaves it where it stands.
__global__ void who_comes_when(int *count, int *turn)
{
    turn[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(count, 1);
}

static std::vector<int> order_of(uint64_t seed)
{
    DeviceArray<int> count(std::vector<int>(1, 0)), turn(8 * 64);
    simt_seed(seed);
    launch(NULL, 8, 64, 0, who_comes_when, count.data, turn.data);
    simt_seed(getenv("SIMT_SEED") ? strtoull(getenv("SIMT_SEED"), NULL, 10) : 1); // for the tests after this one
    return turn.host();
}

static void the_order_comes_from_the_seed()
{
    std::vector<int> first = order_of(1), second = order_of(2);
    CHECK(first != second);
    std::vector<bool> seen(first.size());
    for (int turn : first)
        seen[(size_t)turn] = true;
    CHECK(seen == std::vector<bool>(first.size(), true));
    int blocks_moved = 0, threads_moved = 0;
    for (int block = 0; block < 8; block++) {
        blocks_moved += first[(size_t)block * 64] / 64 != block;
        threads_moved += first[(size_t)block * 64] % 64 != 0;
    }
    CHECK(blocks_moved > 0 && threads_moved > 0);
}

// ---- what lanes compute together

template <typename T> __global__ void shuffle_all(T *out, int width, unsigned mask)
{
    int lane = (int)threadIdx.x;
    T own = (T)(100 + lane);
    if (!(mask >> lane & 1))
        return;
    T *mine = out + lane * 4;
    mine[0] = __shfl_sync(mask, own, 3, width);
    mine[1] = __shfl_up_sync(mask, own, 2, width);
    mine[2] = __shfl_down_sync(mask, own, 2, width);
    mine[3] = __shfl_xor_sync(mask, own, 1, width);
}

template <typename T> static void check_shuffles(int width, unsigned mask)
{
    DeviceArray<T> out(32 * 4);
    launch(NULL, 1, 32, 0, shuffle_all<T>, out.data, width, mask);
    for (int lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1))
            continue;
        int first = lane / width * width;
        std::vector<T> host = out.host();
        T *mine = host.data() + lane * 4;
        CHECK(mine[0] == (T)(100 + first + 3 % width));
        CHECK(mine[1] == (T)(100 + (lane - 2 >= first ? lane - 2 : lane)));
        CHECK(mine[2] == (T)(100 + (lane + 2 < first + width ? lane + 2 : lane)));
        CHECK(mine[3] == (T)(100 + ((lane ^ 1) < first + width ? lane ^ 1 : lane)));
    }
}

static void shuffles_move_what_they_should()
{
    for (int width : {32, 16, 8, 4, 2}) {
        check_shuffles<int>(width, ~0u);
        check_shuffles<double>(width, ~0u);
    }
    check_shuffles<float>(8, 0x00ff00ff);
    check_shuffles<uint64_t>(16, 0xffff0000);
}

__global__ void vote(unsigned *out)
{
    unsigned lane = threadIdx.x, mask = lane < 8 ? 0xff : ~0xffu;
    out[lane * 3] = __ballot_sync(mask, lane % 3 == 0);
    out[lane * 3 + 1] = (unsigned)__any_sync(~0u, lane == 40);
    out[lane * 3 + 2] = (unsigned)__all_sync(mask, lane < 8);
}

static void votes_are_counted()
{
    DeviceArray<unsigned> out(96);
    launch(NULL, 1, 32, 0, vote, out.data);
    std::vector<unsigned> host = out.host();
    for (size_t lane = 0; lane < 32; lane++) {
        CHECK(host[lane * 3] == (lane < 8 ? 0x49249249u & 0xff : 0x49249249u & ~0xffu));
        CHECK(host[lane * 3 + 1] == 0);
        CHECK(host[lane * 3 + 2] == (lane < 8));
    }
}

__global__ void count_in_many_ways(int *out, unsigned *words, unsigned long long *wide)
{
    int i = (int)threadIdx.x;
    atomicAdd(out, -1);
    atomicMax(out + 1, i);
    atomicMin(out + 2, -i);
    atomicOr(words, 1u << i % 32);
    atomicAnd(words + 1, ~(1u << i % 32));
    atomicXor(words + 2, 1u << i % 32);
    atomicAdd(wide, 1ull << 40);
    if (atomicCAS(out + 3, 0, i + 1) == 0)
        atomicExch(out + 4, i + 1);
}

static void atomics_lose_nothing()
{
    DeviceArray<int> out(std::vector<int>(5, 0));
    DeviceArray<unsigned> words(std::vector<unsigned>{0, ~0u, 0});
    DeviceArray<unsigned long long> wide(std::vector<unsigned long long>(1, 0));
    CHECK_NO_FAULT(fault_of(4, 64, 0, count_in_many_ways, out.data, words.data, wide.data));
    std::vector<int> host = out.host();
    CHECK(host[0] == -256 && host[1] == 63 && host[2] == -63 && host[3] != 0 && host[3] == host[4]);
    CHECK(words.host() == (std::vector<unsigned>{~0u, 0, 0}));
    CHECK(wide.host()[0] == 256ull << 40);
}

static void bf16_is_rounded_to_nearest_even()
{
    CHECK(__float2bfloat16_rn(1.00390625f).bits == 0x3f80); // halfway: to even, down
    CHECK(__float2bfloat16_rn(1.01171875f).bits == 0x3f82); // halfway: to even, up
    CHECK(__float2bfloat16_rn(1.00390637f).bits == 0x3f81);
    CHECK(__float2bfloat16_rn(3.4e38f).bits == 0x7f80);
    CHECK(__float2bfloat16_rn(NAN).bits == 0x7fff);
    CHECK(__bfloat162float(__ushort_as_bfloat16(0xc040)) == -3.0f);
}

// ---- matrix products: every way to load a fragment, against three loops. Small integers: exact in every arithmetic.

enum { WIDE = 16, TILE_PITCH = 16 + PAD };

// out (16, 16) = a (16, 16) · b (16, 16) and then out2 = out · b, with out as the A operand from the accumulators
template <bool Transposed> __global__ void multiply_tiles(const element *a, const element *b, float *out, float *out2)
{
    SHARED(element, tile_a, WIDE * TILE_PITCH);
    SHARED(element, tile_b, WIDE * TILE_PITCH);
    int lane = (int)threadIdx.x;
    for (int i = lane; i < WIDE * WIDE; i += 32) {
        tile_a[i / WIDE * TILE_PITCH + i % WIDE] = a[i];
        tile_b[i / WIDE * TILE_PITCH + i % WIDE] = b[i];
    }
    __syncwarp();
    FragmentA left = Transposed ? load_a_transposed(tile_a, TILE_PITCH) : load_a(tile_a, TILE_PITCH);
    FragmentB right[2];
    Transposed ? load_b_transposed(right, tile_b, TILE_PITCH) : load_b(right, tile_b, TILE_PITCH);
    float c[2][4] = {}, c2[2][4] = {};
    for (int n = 0; n < 2; n++)
        mma(c[n], left, right[n]);
    for (int n = 0; n < 2; n++)
        mma(c2[n], as_a(c[0], c[1]), right[n]);
    for (int n = 0; n < 2; n++)
        for (int i = 0; i < 4; i++) {
            int at = (lane / 4 + i / 2 * 8) * WIDE + n * 8 + lane % 4 * 2 + i % 2;
            out[at] = c[n][i];
            out2[at] = c2[n][i];
        }
}

static float at(const std::vector<element> &m, int row, int column, bool transposed)
{
    return widen(m[(size_t)(transposed ? column * WIDE + row : row * WIDE + column)]);
}

template <bool Transposed> static void check_products()
{
    std::vector<element> a(WIDE * WIDE), b(WIDE * WIDE);
    for (int i = 0; i < WIDE * WIDE; i++)
        a[(size_t)i] = rounded((float)(i * 7 % 5 - 2)), b[(size_t)i] = rounded((float)(i * 11 % 7 - 3));
    DeviceArray<element> device_a(a), device_b(b);
    DeviceArray<float> out(WIDE * WIDE), out2(WIDE * WIDE);
    CHECK_NO_FAULT(fault_of(1, 32, 0, multiply_tiles<Transposed>, (const element *)device_a.data,
                            (const element *)device_b.data, out.data, out2.data));
    std::vector<float> first = out.host(), second = out2.host();
    for (int row = 0; row < WIDE; row++)
        for (int column = 0; column < WIDE; column++) {
            float sum = 0, sum2 = 0; // load_b takes b as (columns, k), load_b_transposed as (k, columns)
            for (int k = 0; k < WIDE; k++) {
                sum += at(a, row, k, Transposed) * at(b, column, k, Transposed);
                sum2 += first[(size_t)(row * WIDE + k)] * at(b, column, k, Transposed);
            }
            CHECK(first[(size_t)(row * WIDE + column)] == sum);
            CHECK(second[(size_t)(row * WIDE + column)] == sum2);
        }
}

static void fragments_lie_as_the_product_wants_them()
{
    for (bool exact : {false, true}) {
        simt_mma_exact(exact);
        check_products<false>();
        check_products<true>();
    }
    simt_mma_exact(false);
}

template <bool Barrier> __global__ void overwrite_a_tile(float *out)
{
    SHARED(element, tile, WIDE * TILE_PITCH);
    int lane = (int)threadIdx.x;
    for (int i = lane; i < WIDE * TILE_PITCH; i += 32)
        tile[i] = rounded(1);
    __syncwarp();
    FragmentA fragment = load_a(tile, TILE_PITCH);
    if (Barrier)
        __syncwarp();
    tile[(31 - lane) * 8] = rounded(2);
    memcpy(out + lane, &fragment, sizeof *out);
}

static void a_fragment_is_read_by_all_its_lanes()
{
    DeviceArray<float> out(32);
    CHECK_FAULT(fault_of(1, 32, 0, overwrite_a_tile<false>, out.data), "race on", "reads it");
    CHECK_NO_FAULT(fault_of(1, 32, 0, overwrite_a_tile<true>, out.data));
}

template <int Offset> __global__ void load_rows(float *out, const __nv_bfloat16 *device)
{
    SHARED(__nv_bfloat16, tile, 32 * 8 + 8);
    uint32_t r[4];
    tile[threadIdx.x] = __ushort_as_bfloat16(0);
    ldmatrix_x4(r, Offset < 0 ? device + threadIdx.x * 8 : tile + threadIdx.x * 8 + Offset);
    out[threadIdx.x] = (float)r[0];
}

static void rows_of_fragments_are_aligned_and_shared()
{
    DeviceArray<float> out(32);
    DeviceArray<__nv_bfloat16> device(32 * 8);
    CHECK_FAULT(fault_of(1, 32, 0, load_rows<4>, out.data, (const __nv_bfloat16 *)device.data), "ldmatrix",
                "not a multiple of 16");
    CHECK_FAULT(fault_of(1, 32, 0, load_rows<-1>, out.data, (const __nv_bfloat16 *)device.data), "ldmatrix",
                "not in shared memory");
    CHECK_FAULT(fault_of(1, 16, 0, load_rows<0>, out.data, (const __nv_bfloat16 *)device.data), "ldmatrix",
                "fewer than 32 threads");
}

// ---- the arithmetic of mma, against a second writing of it, one output at a time

struct Product16 { // (16, 16) · (16, 8) + (16, 8)
    uint16_t a[16][16], b[16][8];
    float c[16][8];
};

__global__ void multiply_bf16(Product16 *p)
{
    int row = (int)threadIdx.x / 4, column = (int)threadIdx.x % 4 * 2;
    uint32_t a[4], b[2];
    float c[4];
    for (int i = 0; i < 4; i++) {
        const uint16_t *pair = &p->a[row + i % 2 * 8][column + i / 2 * 8];
        a[i] = (uint32_t)pair[0] | (uint32_t)pair[1] << 16;
        c[i] = p->c[row + i / 2 * 8][column + i % 2];
    }
    for (int i = 0; i < 2; i++)
        b[i] = (uint32_t)p->b[column + i * 8][row] | (uint32_t)p->b[column + i * 8 + 1][row] << 16;
    mma_m16n8k16_bf16(c, a, b);
    for (int i = 0; i < 4; i++)
        p->c[row + i / 2 * 8][column + i % 2] = c[i];
}

static Product16 multiply(const Product16 &p, bool exact)
{
    DeviceArray<Product16> device(std::vector<Product16>(1, p));
    simt_mma_exact(exact);
    launch(NULL, 1, 32, 0, multiply_bf16, device.data);
    simt_mma_exact(false);
    return device.host()[0];
}

static double widened(uint16_t x) { return __uint_as_float((uint32_t)x << 16); }

static int exponent_of(double x) { return x == 0 ? -126 : max(ilogb(x), -126); }

// Cut off, not rounded, behind the digit of 2^exponent.
static double cut(double x, int exponent) { return ldexp(trunc(ldexp(x, -exponent)), exponent); }

static float hopper(const Product16 &p, int row, int column)
{
    double sum = 0, c = p.c[row][column];
    int largest = exponent_of(c);
    for (int k = 0; k < 16; k++)
        largest = max(largest, exponent_of(widened(p.a[row][k])) + exponent_of(widened(p.b[k][column])));
    for (int k = 0; k < 16; k++)
        sum += cut(widened(p.a[row][k]) * widened(p.b[k][column]), largest - 25);
    sum += cut(c, largest - 25);
    return sum == 0 ? 0 : (float)cut(sum, max(ilogb(sum) - 23, -149));
}

static float summed_once(const Product16 &p, int row, int column)
{
    double sum = p.c[row][column];
    for (int k = 0; k < 16; k++)
        sum += widened(p.a[row][k]) * widened(p.b[k][column]);
    return (float)sum;
}

// Numbers of about 2^center · 2^±spread, some of them zero
static uint16_t random_bf16(int center, int spread)
{
    uint32_t word = random_word();
    if (word % 16 == 0)
        return (uint16_t)(word >> 31 << 15);
    int exponent = 127 + center + (int)(word >> 8 & 0xff) % (2 * spread + 1) - spread;
    return (uint16_t)((word >> 31 << 15) | (uint32_t)max(exponent, 0) << 7 | (word >> 16 & 0x7f));
}

static Product16 random_product(int center, int spread)
{
    Product16 p;
    for (uint16_t *x = &p.a[0][0]; x < &p.a[0][0] + 256; x++)
        *x = random_bf16(center, spread);
    for (uint16_t *x = &p.b[0][0]; x < &p.b[0][0] + 128; x++)
        *x = random_bf16(center, spread);
    for (float *x = &p.c[0][0]; x < &p.c[0][0] + 128; x++)
        *x = __uint_as_float((uint32_t)random_bf16(max(2 * center, -130), spread) << 16 | (random_word() & 0xffff));
    return p;
}

static void mma_is_a_hopper_tensor_core_to_the_bit()
{
    const int kinds[][2] = {{0, 2}, {0, 12}, {0, 40}, {-60, 8}, {-70, 8}, {-120, 10}, {40, 20}}; // center, spread
    int outputs = 0, differ_from_fast = 0;
    for (auto &kind : kinds)
        for (int repeat = 0; repeat < 50; repeat++) {
            Product16 p = random_product(kind[0], kind[1]), exact = multiply(p, true), fast = multiply(p, false);
            for (int i = 0; i < 128; i++) {
                float expected = hopper(p, i / 8, i % 8), got = exact.c[i / 8][i % 8];
                CHECK(__float_as_uint(got) == __float_as_uint(expected));
                CHECK(fast.c[i / 8][i % 8] == summed_once(p, i / 8, i % 8));
                outputs++, differ_from_fast += got != fast.c[i / 8][i % 8];
            }
        }
    CHECK(differ_from_fast > outputs / 10);
}

static void mma_passes_infinity_and_nan_on()
{
    Product16 p = random_product(0, 2);
    p.a[3][5] = 0x7f80, p.b[5][0] = 0x3f80, p.b[5][1] = 0xbf80, p.b[5][2] = 0; // infinity times 1, -1, 0
    p.c[3][3] = INFINITY, p.b[5][3] = 0xbf80, p.c[9][4] = NAN;                 // infinity minus infinity
    Product16 exact = multiply(p, true);
    CHECK(exact.c[3][0] == INFINITY && exact.c[3][1] == -INFINITY);
    CHECK(isnan(exact.c[3][2]) && isnan(exact.c[3][3]) && isnan(exact.c[9][4]));
    CHECK(exact.c[4][0] == hopper(p, 4, 0) && isfinite(exact.c[4][0]));
    for (uint16_t *x = &p.a[0][0]; x < &p.a[0][0] + 256; x++)
        *x = 0x7f00; // 2^127: sixteen products overflow
    p = Product16(p);
    for (uint16_t *x = &p.b[0][0]; x < &p.b[0][0] + 128; x++)
        *x = 0x7f00;
    CHECK(multiply(p, true).c[0][0] == INFINITY);
}

struct Product32 {
    float a[16][16], b[16][8], c[16][8];
};

__global__ void multiply_fp32(Product32 *p)
{
    int row = (int)threadIdx.x / 4, column = (int)threadIdx.x % 4 * 2;
    float a[8], b[4], c[4];
    for (int i = 0; i < 8; i++)
        a[i] = p->a[row + i / 2 % 2 * 8][column + i % 2 + i / 4 * 8];
    for (int i = 0; i < 4; i++) {
        b[i] = p->b[column + i % 2 + i / 2 * 8][row];
        c[i] = p->c[row + i / 2 * 8][column + i % 2];
    }
    mma_m16n8k16_fp32(c, a, b);
    for (int i = 0; i < 4; i++)
        p->c[row + i / 2 * 8][column + i % 2] = c[i];
}

static void mma_in_fp32_is_a_chain_of_fused_multiply_adds()
{
    Product32 p;
    for (float *x = &p.a[0][0]; x < &p.c[0][0] + 128; x++)
        *x = (float)(int32_t)random_word() * 0x1p-31f;
    DeviceArray<Product32> device(std::vector<Product32>(1, p));
    launch(NULL, 1, 32, 0, multiply_fp32, device.data);
    Product32 result = device.host()[0];
    for (int i = 0; i < 128; i++) {
        float sum = p.c[i / 8][i % 8];
        for (int k = 0; k < 16; k++)
            sum = fmaf(p.a[i / 8][k], p.b[k][i % 8], sum);
        CHECK(result.c[i / 8][i % 8] == sum);
    }
}

// ---- the runtime library

static void streams_and_events_keep_their_order()
{
    cudaStream_t stream;
    cudaEvent_t before, after;
    float milliseconds = -1, host = 0;
    DeviceArray<float> out(THREADS);
    CHECK(cudaStreamCreate(&stream) == cudaSuccess && cudaEventCreate(&before) == cudaSuccess &&
          cudaEventCreate(&after) == cudaSuccess);
    CHECK(cudaEventElapsedTime(&milliseconds, before, after) == cudaErrorInvalidResourceHandle);
    CHECK(cudaGetLastError() == cudaErrorInvalidResourceHandle && cudaGetLastError() == cudaSuccess);
    cudaEventRecord(before, stream);
    launch((Stream *)(void *)stream, 1, THREADS, 0, write_in_reverse, out.data);
    cudaMemcpyAsync(&host, out.data, sizeof host, cudaMemcpyDeviceToHost, stream);
    cudaEventRecord(after, stream);
    CHECK(cudaStreamWaitEvent(stream, after) == cudaSuccess && cudaEventSynchronize(after) == cudaSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess && host == THREADS - 1);
    CHECK(cudaEventElapsedTime(&milliseconds, before, after) == cudaSuccess && milliseconds >= 0);
    cudaEventDestroy(before), cudaEventDestroy(after), cudaStreamDestroy(stream);
}

__global__ void add_one(float *x, const float *by) { x[threadIdx.x] += by[threadIdx.x]; }

// A host that changes what is still to be copied, or reads what has not come yet, is not let off.
static void pinned_copies_come_as_late_as_they_may()
{
    float *pinned = NULL;
    cudaStream_t stream;
    cudaEvent_t copied;
    DeviceArray<float> x(std::vector<float>(THREADS, 1)), by(std::vector<float>(THREADS, 1));
    CHECK(cudaMallocHost((void **)&pinned, THREADS * sizeof(float)) == cudaSuccess &&
          cudaStreamCreate(&stream) == cudaSuccess && cudaEventCreate(&copied) == cudaSuccess);
    for (int i = 0; i < THREADS; i++)
        pinned[i] = 10;
    cudaMemcpyAsync(by.data, pinned, THREADS * sizeof(float), cudaMemcpyHostToDevice, stream);
    launch((Stream *)(void *)stream, 1, THREADS, 0, add_one, x.data, by.data);
    pinned[0] = 20; // too early
    CHECK(cudaStreamQuery(stream) == cudaErrorNotReady);
    CHECK(x.host()[0] == 21 && x.host()[1] == 11);
    cudaMemcpyAsync(pinned, x.data, THREADS * sizeof(float), cudaMemcpyDeviceToHost, stream);
    cudaEventRecord(copied, stream);
    CHECK(pinned[1] == 10 && cudaEventQuery(copied) == cudaErrorNotReady); // not there yet
    CHECK(cudaEventSynchronize(copied) == cudaSuccess && pinned[0] == 21 && pinned[1] == 11);
    cudaEventDestroy(copied), cudaStreamDestroy(stream), cudaFreeHost(pinned);
}

static void a_graph_does_again_what_was_captured()
{
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t made;
    float host = 0;
    DeviceArray<float> x(std::vector<float>(THREADS, 1)), by(std::vector<float>(THREADS, 2));
    CHECK(cudaStreamCreate(&stream) == cudaSuccess);
    CHECK(cudaStreamBeginCapture(0, cudaStreamCaptureModeRelaxed) == cudaErrorNotSupported &&
          cudaGetLastError() == cudaErrorNotSupported);
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) == cudaSuccess);
    launch((Stream *)(void *)stream, 1, THREADS, 0, add_one, x.data, by.data);
    CHECK_FAULT(simt_expect_fault([&] { cudaMemcpyAsync(&host, x.data, sizeof host, cudaMemcpyDeviceToHost, stream); }),
                "while a graph is captured");
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaSuccess && cudaGraphInstantiate(&made, graph, 0) == cudaSuccess);
    CHECK(x.host()[0] == 1); // capturing runs nothing
    for (int i = 0; i < 3; i++)
        CHECK(cudaGraphLaunch(made, stream) == cudaSuccess);
    CHECK(x.host()[0] == 7 && x.host()[THREADS - 1] == 7);
    cudaGraphExecDestroy(made), cudaGraphDestroy(graph), cudaStreamDestroy(stream);
    cudaGetLastError();
}

static void the_card_is_what_the_environment_says()
{
    int count = -1, value = 0;
    cudaDeviceProp properties;
    CHECK(cudaGetDeviceCount(&count) == cudaSuccess && count == 1);
    CHECK(cudaGetDeviceProperties(&properties, 0) == cudaSuccess && properties.major == 9 &&
          !strcmp(properties.name, "SIMT"));
    CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0) == cudaSuccess && value == 232448);
    CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
    setenv("SIMT_DEVICES", "0", 1);
    CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == 0);
    setenv("SIMT_DEVICES", "-1", 1);
    CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
    unsetenv("SIMT_DEVICES");
    CHECK(!strcmp(cudaGetErrorName(cudaGetLastError()), "cudaErrorInsufficientDriver"));
}

static void memory_has_an_end()
{
    float *p = NULL;
    size_t unused, total;
    setenv("SIMT_MEMORY", "1000", 1);
    CHECK(cudaMalloc(&p, 1001) == cudaErrorMemoryAllocation && p == NULL);
    CHECK(cudaMalloc(&p, 1000) == cudaSuccess && (uintptr_t)p % 256 == 0);
    CHECK(cudaMemGetInfo(&unused, &total) == cudaSuccess && unused == 0 && total == 1000);
    cudaFree(p);
    unsetenv("SIMT_MEMORY");
    cudaGetLastError();
}

// ---- all of them

struct Test {
    const char *name;
    void (*run)();
    Needs needs;
};

#define TEST(name, needs)                                                                                              \
    {                                                                                                                  \
#name, name, needs                                                                                             \
    }
static const Test tests[] = {
    TEST(a_missing_block_barrier_is_a_race, RACE_BUILD),
    TEST(a_missing_warp_barrier_is_a_race, RACE_BUILD),
    TEST(a_warp_barrier_orders_no_other_warp, RACE_BUILD),
    TEST(a_barrier_of_half_a_warp_orders_that_half, RACE_BUILD),
    TEST(shuffles_and_votes_order_nothing, RACE_BUILD),
    TEST(a_write_after_a_read_is_a_race, RACE_BUILD),
    TEST(vectors_of_sixteen_bytes_are_seen, RACE_BUILD),
    TEST(neighbours_in_memory_do_not_race, RACE_BUILD),
    TEST(two_blocks_that_write_one_cell_are_a_race, RACE_BUILD),
    TEST(a_block_that_reads_what_another_writes_is_a_race, RACE_BUILD),
    TEST(a_fence_and_a_counter_may_order_blocks, ANY_BUILD),
    TEST(a_launch_orders_everything_before_it, ANY_BUILD),
    TEST(what_was_copied_needs_a_barrier_for_others, RACE_BUILD),
    TEST(who_only_arrives_is_not_ordered_behind_a_numbered_barrier, RACE_BUILD),
    TEST(a_fragment_is_read_by_all_its_lanes, RACE_BUILD),
    TEST(a_kernel_may_not_touch_the_host, RACE_BUILD),
    TEST(a_misaligned_access_is_caught, RACE_BUILD),
    TEST(off_by_one_is_caught, RACE_OR_ADDRESS_BUILD),
    TEST(an_access_far_behind_an_array_is_caught, ANY_BUILD),
    TEST(memory_that_was_freed_is_closed, ANY_BUILD),
    TEST(the_host_may_not_touch_the_device, ANY_BUILD),
    TEST(copies_are_held_to_their_arrays, ANY_BUILD),
    TEST(memory_starts_as_nan_in_every_block, ANY_BUILD),
    TEST(an_element_that_nobody_has_written_yet_is_nan, ANY_BUILD),
    TEST(a_missing_wait_gives_nan, ANY_BUILD),
    TEST(a_wait_for_one_group_too_few_gives_nan, ANY_BUILD),
    TEST(a_wait_for_all_gives_what_was_copied, ANY_BUILD),
    TEST(copies_that_cannot_be_made_are_caught, ANY_BUILD),
    TEST(a_deadlock_says_where_each_warp_waits, ANY_BUILD),
    TEST(a_thread_that_returns_before_a_barrier_is_caught, ANY_BUILD),
    TEST(a_fault_leaves_the_runtime_whole, ANY_BUILD),
    TEST(lanes_that_do_not_come_are_caught, ANY_BUILD),
    TEST(a_numbered_barrier_counts_warps, ANY_BUILD),
    TEST(launches_beyond_the_limits_are_caught, ANY_BUILD),
    TEST(a_trap_and_a_full_stack_are_reported, ANY_BUILD),
    TEST(the_order_comes_from_the_seed, ANY_BUILD),
    TEST(shuffles_move_what_they_should, ANY_BUILD),
    TEST(votes_are_counted, ANY_BUILD),
    TEST(atomics_lose_nothing, ANY_BUILD),
    TEST(bf16_is_rounded_to_nearest_even, ANY_BUILD),
    TEST(fragments_lie_as_the_product_wants_them, ANY_BUILD),
    TEST(rows_of_fragments_are_aligned_and_shared, ANY_BUILD),
    TEST(mma_is_a_hopper_tensor_core_to_the_bit, ANY_BUILD),
    TEST(mma_passes_infinity_and_nan_on, ANY_BUILD),
    TEST(mma_in_fp32_is_a_chain_of_fused_multiply_adds, ANY_BUILD),
    TEST(streams_and_events_keep_their_order, ANY_BUILD),
    TEST(pinned_copies_come_as_late_as_they_may, ANY_BUILD),
    TEST(a_graph_does_again_what_was_captured, ANY_BUILD),
    TEST(the_card_is_what_the_environment_says, ANY_BUILD),
    TEST(memory_has_an_end, ANY_BUILD),
};

static const char *missing_build(Needs needs)
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

int main(int count, char **arguments)
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
