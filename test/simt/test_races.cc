// Races: a barrier, a fence or a counter that is missing between two threads or two blocks is found, and one that is
// there is enough. In shared memory, in device memory, and between launches, some of which begin early.
#include "kernels/cuda/ptx_hopper.cuh"
#include "test/support/simt_check.h"

// ---- barriers and races in shared memory

static void a_missing_block_barrier_is_a_race()
{
    CHECK_FAULT(race_of(neighbours<NOTHING, 32>), "race on byte", "of the 256 bytes of shared memory declared at",
                "the thread", "no barrier orders the two", "block (0,0,0) of (1,1,1)", "simt_check.h:");
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

static void a_launch_orders_everything_before_it()
{
    DeviceArray<float> out(THREADS);
    CHECK_NO_FAULT(simt_expect_fault([&] {
        launch(NULL, 1, THREADS, 0, neighbours<BLOCK_BARRIER, 1>, out.data);
        launch(NULL, 1, THREADS, 0, write_in_reverse, out.data);
    }));
}

// ---- kernels that are launched early, and wait for those in front of them

enum Early { RIGHT, READS, WRITES_WHAT_IS_WRITTEN, WRITES_WHAT_IS_READ, READS_IN_BULK, ONE_THREAD_WAITS, NO_WAIT };

template <int How> __global__ void behind(float *to, float *front, float *read_in_front, const float *weight)
{
    float *room = dynamic_shared<float>();
    uint32_t at = shared_address(room), barrier = at + THREADS * 4;
    int i = (int)threadIdx.x;
    float sum = weight[i]; // which no kernel writes
    if (i == 0) {
        mbarrier_init(barrier, 1);
        mbarrier_init_fence();
        mbarrier_expect(barrier, THREADS * 4);
        bulk_load(at, How == READS_IN_BULK ? front : weight, THREADS * 4, barrier);
    }
    if (How == READS)
        sum += front[i];
    if (How == WRITES_WHAT_IS_WRITTEN)
        front[i] = 0;
    if (How == WRITES_WHAT_IS_READ)
        read_in_front[i] = 0;
    if (How == ONE_THREAD_WAITS ? i == 0 : How != NO_WAIT)
        dependency_wait();
    __syncthreads();
    mbarrier_wait(barrier, 0);
    to[i] = sum + room[i] + (How == NO_WAIT ? 0 : front[i]);
}

__global__ void copy(float *to, const float *from) { to[threadIdx.x] = from[threadIdx.x]; }
__global__ void wait_and_nothing_else() { dependency_wait(); }

struct Chain {
    DeviceArray<float> to, front, source, weight;
    Chain()
        : to(THREADS), front(THREADS), source(std::vector<float>(THREADS, 2)), weight(std::vector<float>(THREADS, 1))
    {
    }
    // between: an early kernel, behind which the first one is as little known to have ended as in front of it
    template <int How> void launch_in(Stream *s, bool between)
    {
        launch(s, 1, THREADS, 0, copy, front.data, source.data);
        if (between)
            launch_early_if(true, s, 1, THREADS, 0, wait_and_nothing_else);
        launch_early_if(true, s, 1, THREADS, THREADS * 4 + 16, behind<How>, to.data, front.data, source.data,
                        weight.data);
    }
    template <int How> std::string fault(bool between)
    {
        return simt_expect_fault([&] { launch_in<How>(NULL, between); });
    }
};

static void what_an_early_kernel_touches_before_it_waits_is_a_race()
{
    for (bool between : {false, true}) {
        Chain c;
        CHECK_NO_FAULT(c.fault<RIGHT>(between));
        CHECK(c.to.host()[5] == 4);
        CHECK_FAULT(c.fault<READS>(between), "race on", "of a kernel in front of this one writes it",
                    "no dependency_wait orders the two");
        CHECK_FAULT(c.fault<WRITES_WHAT_IS_WRITTEN>(between), "the thread writes it", "in front of this one writes it");
        CHECK_FAULT(c.fault<WRITES_WHAT_IS_READ>(between), "the thread writes it", "in front of this one reads it");
        CHECK_FAULT(c.fault<READS_IN_BULK>(between), "race on", "in front of this one writes it");
        CHECK_FAULT(c.fault<ONE_THREAD_WAITS>(between), "race on", "in front of this one writes it");
    }
}

template <bool WAITS> __global__ void count_up(int *counter)
{
    if (WAITS)
        dependency_wait();
    atomicAdd(counter, 1);
    dependency_wait();
}

static void what_an_early_kernel_counts_before_it_waits_is_a_race()
{
    DeviceArray<int> counter(std::vector<int>(1, 0));
    CHECK_NO_FAULT(simt_expect_fault([&] {
        launch(NULL, 2, THREADS, 0, count_up<true>, counter.data);
        launch_early_if(true, NULL, 2, THREADS, 0, count_up<true>, counter.data);
    }));
    CHECK(counter.host()[0] == 4 * THREADS);
    CHECK_FAULT(simt_expect_fault([&] { launch_early_if(true, NULL, 1, THREADS, 0, count_up<false>, counter.data); }),
                "the thread writes it atomically", "of a kernel in front of this one writes it atomically",
                "no dependency_wait orders the two");
}

static void an_early_kernel_waits_even_for_nothing()
{
    Chain c;
    CHECK_FAULT(c.fault<NO_WAIT>(false), "none of its threads has waited", "dependency_wait");
}

static void a_graph_keeps_what_is_launched_early()
{
    Chain c;
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t made;
    CHECK(cudaStreamCreate(&stream) == cudaSuccess);
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) == cudaSuccess);
    c.launch_in<READS>((Stream *)(void *)stream, false);
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaSuccess && cudaGraphInstantiate(&made, graph) == cudaSuccess);
    CHECK_FAULT(simt_expect_fault([&] { cudaGraphLaunch(made, stream), cudaStreamSynchronize(stream); }),
                "no dependency_wait orders the two");
    cudaGraphExecDestroy(made), cudaGraphDestroy(graph), cudaStreamDestroy(stream);
}

// ---- all of them

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
    TEST(what_an_early_kernel_touches_before_it_waits_is_a_race, RACE_BUILD),
    TEST(what_an_early_kernel_counts_before_it_waits_is_a_race, RACE_BUILD),
    TEST(an_early_kernel_waits_even_for_nothing, ANY_BUILD),
    TEST(a_graph_keeps_what_is_launched_early, RACE_BUILD),
    TEST(an_element_that_nobody_has_written_yet_is_nan, ANY_BUILD),
};

int main(int count, char **arguments) { return run_tests(tests, count, arguments); }
