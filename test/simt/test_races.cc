// Races: a barrier, a fence or a counter that is missing between two threads or two blocks is found, and one that is
// there is enough. In shared memory, in device memory, and between launches.
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
    TEST(an_element_that_nobody_has_written_yet_is_nan, ANY_BUILD),
};

int main(int count, char **arguments) { return run_tests(tests, count, arguments); }
