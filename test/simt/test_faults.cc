// Faults of one thread or of all: addresses outside an array, memory that was never written, asynchronous copies nobody
// waited for, threads that do not come to a barrier, launches beyond the limits.
#include "test/support/simt_check.h"

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

// ---- all of them

static const Test tests[] = {
    TEST(what_was_copied_needs_a_barrier_for_others, RACE_BUILD),
    TEST(who_only_arrives_is_not_ordered_behind_a_numbered_barrier, RACE_BUILD),
    TEST(a_kernel_may_not_touch_the_host, RACE_BUILD),
    TEST(a_misaligned_access_is_caught, RACE_BUILD),
    TEST(off_by_one_is_caught, RACE_OR_ADDRESS_BUILD),
    TEST(an_access_far_behind_an_array_is_caught, ANY_BUILD),
    TEST(memory_that_was_freed_is_closed, ANY_BUILD),
    TEST(the_host_may_not_touch_the_device, ANY_BUILD),
    TEST(copies_are_held_to_their_arrays, ANY_BUILD),
    TEST(memory_starts_as_nan_in_every_block, ANY_BUILD),
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
};

int main(int count, char **arguments) { return run_tests(tests, count, arguments); }
