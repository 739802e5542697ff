// Blocks of a cluster: a pipeline of two that load half of a tile each, for both, and tell each other when a stage is
// free, is right; each of its copies lacks one thing. And what a single instruction must not do.
#include "kernels/cuda/ptx_hopper.cuh"
#include "test/support/simt_check.h"

enum Fault {
    NONE,
    NO_MEETING_BEFORE,
    NO_MEETING_AFTER,
    NO_CLUSTER_WAIT_AFTER,
    ONLY_OWN_STAGE_FREE,
    ARRIVES_AT_ONE,
    ONE_HALF_MISSING,
    LOADS_FOR_ITSELF,
    NO_EMPTY_WAIT,
    OWN_ARRIVALS_COUNTED_ALONE,
    NO_FULL_WAIT,
    NO_INIT_FENCE
};

enum { BLOCKS = 2, SIDE = 64, STEPS = 6, STAGES = 2, HALF = SIDE / 2 * SIDE * 2, TILE = 2 * HALF };
enum { BARRIER = STAGES * TILE, ROOM = BARRIER + 2 * STAGES * 8, BLOCK_THREADS = 256 };

static __device__ void meet()
{
    __syncwarp();
    cluster_arrive();
    cluster_wait();
}

template <int F> __device__ void load(const CUtensorMap *map, uint32_t room)
{
    int rank = cluster_rank();
    for (int step = 0; step < STEPS; step++) {
        uint32_t stage = step % STAGES, full = room + BARRIER + stage * 8, to = room + stage * TILE + rank * HALF;
        if (F != NO_EMPTY_WAIT)
            mbarrier_wait(full + STAGES * 8, step / STAGES % 2 ^ 1);
        mbarrier_expect(full, TILE);
        if (F == ONE_HALF_MISSING && rank == 1 && step == STEPS - 1)
            continue;
        if (F == LOADS_FOR_ITSELF)
            tensor_load(to, map, full, step * SIDE, 0, rank * SIDE / 2);
        else
            tensor_load_multicast(to, map, full, step * SIDE, 0, rank * SIDE / 2, 3);
    }
}

// A warpgroup's sum over all steps of what lies in a column of the tile
template <int F> __device__ float add_up(const unsigned char *memory, uint32_t room)
{
    float sum = 0;
    int i = (int)threadIdx.x % 128, lane = i % 32;
    for (int step = 0; step < STEPS; step++) {
        uint32_t stage = step % STAGES, full = room + BARRIER + stage * 8, empty = full + STAGES * 8;
        if (F != NO_FULL_WAIT)
            mbarrier_wait(full, step / STAGES % 2);
        for (int row = i / SIDE; row < SIDE; row += 128 / SIDE) {
            int column = i % SIDE, chunk = column / 8 ^ row % 8;
            sum +=
                __bfloat162float(*(const element *)(memory + stage * TILE + row * 128 + chunk * 16 + column % 8 * 2));
        }
        __syncwarp();
        if (F == ONLY_OWN_STAGE_FREE) {
            if (lane < BLOCKS) // twice, where it should be once at each
                mbarrier_arrive(empty);
        } else if (lane < (F == ARRIVES_AT_ONE ? 1 : BLOCKS)) {
            mbarrier_arrive_at(cluster_address(empty, lane));
        }
    }
    return sum;
}

template <int F> __global__ void pipeline(CUtensorMap map, float *out)
{
    unsigned char *memory = dynamic_shared<unsigned char>();
    uint32_t room = shared_address(memory);
    int waiting = F == OWN_ARRIVALS_COUNTED_ALONE ? 4 : 4 * BLOCKS;
    if (threadIdx.x == 0) {
        for (int i = 0; i < 2 * STAGES; i++)
            mbarrier_init(room + BARRIER + i * 8, i < STAGES ? 1 : waiting);
        if (F != NO_INIT_FENCE)
            mbarrier_init_fence();
    }
    if (F == NO_MEETING_BEFORE)
        __syncthreads();
    else
        meet();
    if (threadIdx.x == 0)
        load<F>(&map, room);
    float sum = 0;
    if (threadIdx.x >= 128)
        sum = add_up<F>(memory, room);
    if (F == NO_CLUSTER_WAIT_AFTER) {
        __syncwarp();
        cluster_arrive();
    } else if (F != NO_MEETING_AFTER) {
        meet();
    }
    if (threadIdx.x >= 128)
        out[blockIdx.x * 128 + threadIdx.x - 128] = sum;
}

// ---- (64, 384) of whole numbers, all blocks with the same sums

static std::vector<element> numbers()
{
    std::vector<element> x(SIDE * STEPS * SIDE);
    for (size_t i = 0; i < x.size(); i++)
        x[i] = __float2bfloat16((float)(i * 7 % 5) - 2);
    return x;
}

static CUtensorMap describe(const element *start)
{
    CUtensorMap map;
    cuuint64_t sizes[3] = {STEPS * SIDE, 1, SIDE}, strides[2] = {STEPS * SIDE * 2, STEPS * SIDE * 2};
    cuuint32_t box[3] = {SIDE, 1, SIDE / 2}, steps[3] = {1, 1, 1};
    CHECK(cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, (void *)start, sizes, strides, box, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS);
    return map;
}

template <typename... Parameters, typename... Arguments>
static std::string fault_of_clusters(int cluster, dim3 grid, int threads, size_t shared, void (*kernel)(Parameters...),
                                     Arguments... arguments)
{
    return simt_expect_fault([=] {
        simt_launch(
            grid, dim3((unsigned)threads), shared, [=] { kernel(arguments...); }, NULL, cluster);
    });
}

struct Outcome {
    std::string fault;
    int wrong; // sums
};

template <int F> static Outcome outcome(unsigned grid = 3 * BLOCKS)
{
    std::vector<element> x = numbers();
    DeviceArray<element> a(x);
    DeviceArray<float> out(grid * 128);
    Outcome o = {fault_of_clusters(BLOCKS, grid, BLOCK_THREADS, ROOM, pipeline<F>, describe(a.data), out.data), 0};
    std::vector<float> got = out.host();
    for (int i = 0; i < 128; i++) {
        float sum = 0;
        for (int step = 0; step < STEPS; step++)
            for (int row = i / SIDE; row < SIDE; row += 128 / SIDE)
                sum += __bfloat162float(x[row * STEPS * SIDE + step * SIDE + i % SIDE]);
        for (unsigned block = 0; block < grid; block++)
            o.wrong += !(got[block * 128 + i] == sum);
    }
    return o;
}

static void two_blocks_that_load_for_each_other_are_right()
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        simt_seed(seed);
        Outcome o = outcome<NONE>();
        CHECK_NO_FAULT(o.fault);
        CHECK(o.wrong == 0);
    }
    simt_seed(1);
}

// With any seed: what is looked for is what the blocks know, not what happened.
template <int F> static void always(std::initializer_list<const char *> words)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        simt_seed(seed);
        check_fault(outcome<F>().fault, words, __FILE__, __LINE__);
    }
    simt_seed(1);
}

static void barriers_are_known_before_another_block_uses_them()
{
    always<NO_MEETING_BEFORE>({"of the cluster"}); // a race with the one who makes it, or none is there yet
    CHECK_FAULT(outcome<NO_INIT_FENCE>().fault, "was made without a fence");
}

static void a_block_does_not_end_while_another_may_still_use_it()
{
    always<NO_MEETING_AFTER>({"block"});
    always<NO_CLUSTER_WAIT_AFTER>({"the thread returns between barrier.cluster.arrive and its wait"});
}

static void a_stage_is_free_when_both_blocks_have_read_it()
{
    CHECK(outcome<ONLY_OWN_STAGE_FREE>().fault != "");
    CHECK(outcome<NO_EMPTY_WAIT>().fault != "");
    CHECK(outcome<OWN_ARRIVALS_COUNTED_ALONE>().fault != "");
    CHECK_FAULT(outcome<ARRIVES_AT_ONE>().fault, "deadlock", "wait at the mbarrier at");
}

static void a_stage_is_full_when_both_halves_have_come()
{
    CHECK_FAULT(outcome<ONE_HALF_MISSING>().fault, "deadlock", "of block 1 of the cluster", "4096 bytes to come");
    CHECK_FAULT(outcome<LOADS_FOR_ITSELF>().fault, "deadlock");
    Outcome o = outcome<NO_FULL_WAIT>();
    CHECK(o.fault != "" || o.wrong > 0);
}

// ---- single instructions

enum Wrong {
    NOTHING_WRONG,
    NO_SUCH_BLOCK,
    NO_SUCH_BLOCK_LOADED,
    ANOTHERS_BARRIER_AWAITED,
    NO_BARRIER_THERE,
    ARRIVES_TWICE,
    WAITS_ALONE,
    ENDED_BEFORE,
    ONE_WARP_FEWER
};

template <int W> __global__ void single(CUtensorMap map, int *out)
{
    unsigned char *memory = dynamic_shared<unsigned char>();
    uint32_t room = shared_address(memory), barrier = room + TILE;
    int rank = cluster_rank();
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        mbarrier_init_fence();
    }
    meet();
    if (threadIdx.x == 0 && rank == 0) {
        if (W == NO_SUCH_BLOCK)
            mbarrier_arrive_at(cluster_address(barrier, 2));
        if (W == NO_SUCH_BLOCK_LOADED)
            tensor_load_multicast(room, &map, barrier, 0, 0, 0, 5);
        if (W == ANOTHERS_BARRIER_AWAITED)
            mbarrier_wait(cluster_address(barrier, 1), 0);
        if (W == NO_BARRIER_THERE)
            mbarrier_arrive_at(cluster_address(barrier + 8, 1));
    }
    if (W == ARRIVES_TWICE)
        cluster_arrive();
    if (W == WAITS_ALONE)
        cluster_wait();
    if (W == ENDED_BEFORE && rank == 1)
        return;
    if (W == ENDED_BEFORE) {
        for (int i = 0; i < 1000; i++)
            __syncthreads(); // the other one has time to end
        if (threadIdx.x == 0)
            mbarrier_arrive_at(cluster_address(barrier, 1));
        return;
    }
    if (W == ONE_WARP_FEWER && threadIdx.x >= 96)
        return;
    meet();
    if (threadIdx.x == 0)
        out[blockIdx.x] = rank;
}

template <int W> static std::string single_fault()
{
    DeviceArray<element> a(numbers());
    DeviceArray<int> out(4);
    std::string fault = fault_of_clusters(2, 4, 128, TILE + 16, single<W>, describe(a.data), out.data);
    if (fault != "")
        return fault;
    std::vector<int> got = out.host();
    return got[0] == 0 && got[1] == 1 && got[2] == 0 && got[3] == 1 ? "" : "other ranks";
}

static void blocks_have_their_ranks_and_meet()
{
    CHECK_NO_FAULT(single_fault<NOTHING_WRONG>());
    CHECK_NO_FAULT(single_fault<ONE_WARP_FEWER>()); // threads that have returned are not waited for
    CHECK_FAULT(single_fault<ARRIVES_TWICE>(), "has arrived before and not waited");
    CHECK_FAULT(single_fault<WAITS_ALONE>(), "barrier.cluster.wait", "without an arrival before");
}

static void what_is_not_there_is_not_reached()
{
    CHECK_FAULT(single_fault<NO_SUCH_BLOCK>(), "mapa", "block 2 of a cluster of 2");
    CHECK_FAULT(single_fault<NO_SUCH_BLOCK_LOADED>(), "cp.async.bulk.tensor.multicast", "a cluster of 2");
    CHECK_FAULT(single_fault<ANOTHERS_BARRIER_AWAITED>(), "mbarrier.try_wait", "another block's");
    CHECK_FAULT(single_fault<NO_BARRIER_THERE>(), "no mbarrier was made");
    for (uint64_t seed = 1; seed <= 5; seed++) {
        simt_seed(seed);
        CHECK_FAULT(single_fault<ENDED_BEFORE>(), "block"); // has ended, or does not know that nothing comes
    }
    simt_seed(1);
}

static void clusters_that_cannot_be_are_refused()
{
    DeviceArray<float> out(8 * 128);
    CHECK_FAULT(fault_of_clusters(2, 3, 128, 0, write_in_reverse, out.data),
                "clusters of 2 blocks in a grid of (3,1,1)");
    CHECK_FAULT(fault_of_clusters(16, 16, 128, 0, write_in_reverse, out.data), "possible are up to 8");
    CHECK_FAULT(fault_of_clusters(2, 4, 96, 0, write_in_reverse, out.data), "whole warpgroups");
}

// ---- what a block's own words mean in a cluster

template <int Barrier> __global__ void apart(float *out)
{
    SHARED(float, line, 128);
    int i = (int)threadIdx.x, rank = cluster_rank();
    line[i] = (float)(i + rank * 1000);
    if (Barrier == 0)
        __syncthreads();
    if (Barrier == 1)
        barrier_sync(1, 128);
    if (Barrier == 2)
        meet();
    out[blockIdx.x * 128 + threadIdx.x] = line[i ^ 64];
    if (Barrier < 3)
        meet();
}

template <int Barrier> static std::string apart_fault()
{
    DeviceArray<float> out(4 * 128);
    std::string fault = fault_of_clusters(2, 4, 128, 0, apart<Barrier>, out.data);
    std::vector<float> got = out.host();
    for (int i = 0; fault == "" && i < 4 * 128; i++)
        if (got[(size_t)i] != (float)((i % 128 ^ 64) + i / 128 % 2 * 1000))
            fault = "other numbers";
    return fault;
}

static void each_block_has_its_own_memory_and_barriers()
{
    CHECK_NO_FAULT(apart_fault<0>());
    CHECK_NO_FAULT(apart_fault<1>());
    CHECK_NO_FAULT(apart_fault<2>());
}

static void a_barrier_that_is_missing_is_found_in_a_cluster_too()
{
    CHECK_FAULT(apart_fault<3>(), "race on", "of block", "of the cluster");
}

static const Test tests[] = {
    TEST(two_blocks_that_load_for_each_other_are_right, ANY_BUILD),
    TEST(barriers_are_known_before_another_block_uses_them, RACE_BUILD),
    TEST(a_block_does_not_end_while_another_may_still_use_it, ANY_BUILD),
    TEST(a_stage_is_free_when_both_blocks_have_read_it, ANY_BUILD),
    TEST(a_stage_is_full_when_both_halves_have_come, ANY_BUILD),
    TEST(blocks_have_their_ranks_and_meet, ANY_BUILD),
    TEST(what_is_not_there_is_not_reached, ANY_BUILD),
    TEST(clusters_that_cannot_be_are_refused, ANY_BUILD),
    TEST(each_block_has_its_own_memory_and_barriers, ANY_BUILD),
    TEST(a_barrier_that_is_missing_is_found_in_a_cluster_too, RACE_BUILD),
};

int main(int count, char **arguments) { return run_tests(tests, count, arguments); }
