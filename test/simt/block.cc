// A launch: its blocks one after another, in an order drawn from the seed, each with all its threads; the blocks of a
// cluster together. The fibers outlive blocks and launches; a fault that a test expected leaves the block in the middle
// of its work, and its fibers are then started afresh.
#include "runtime.h"

namespace simt
{

Block block;
Thread *current;
static void (*kernel)(const void *);
static const void *kernel_context;

// ---- threads

static void check_nobody_waits_for(const Thread *thread)
{
    const Warp *warp = thread->warp;
    for (int i = 0; i < warp->groups; i++) {
        const Group *group = &warp->group[i];
        if (group->mask >> thread->lane & 1)
            fault("lane %d returns while lanes %s wait at %s of lanes %s%s", thread->lane, lanes_text(group->arrived),
                  operation_name(group->operation), lanes_text(group->mask),
                  place(warp->lanes[__builtin_ctz(group->arrived)].caller));
    }
    const Thread *waiting = &block.thread[current->rank * block.each];
    if (block.member[current->rank].at_barrier == 0)
        return;
    while (waiting->wait != Wait::BLOCK_BARRIER)
        waiting++;
    fault("the thread returns while %d of the block wait at __syncthreads%s", block.member[current->rank].at_barrier,
          place(waiting->caller));
}

// A kernel behind this one learns from its end that the kernels in front of it have ended, too.
static void check_waited()
{
    if (block.early && !block.member[current->rank].waited)
        fault("the block ends, and none of its threads has waited for the kernels in front of this one, which was "
              "launched early (dependency_wait)");
}

static void thread_returns()
{
    check_nobody_waits_for(current);
    copy_check_returned();
    bulk_check_returned();
    wgmma_check_returned();
    cluster_check_returned();
    current->wait = Wait::RETURNED;
    current->warp->returned |= 1u << current->lane;
    if (++block.member[current->rank].returned == block.each) {
        bulk_check_block_end(current->rank);
        cluster_check_block_end(current->rank);
        mbarriers_check_block_end(current->rank);
        check_waited();
    }
    block.returned++;
    cluster_open_if_all_are_there();
    if (block.returned < block.threads)
        run_others();
    else
        fiber_switch(&current->fiber, &main_fiber);
}

// What every fiber does for ever: the kernel for one block, then, when it is woken again, for another.
static void thread_main()
{
    for (;;) {
        kernel(kernel_context);
        thread_returns();
    }
}

static void lay_out_threads()
{
    unsigned x = block.size.x, y = block.size.y;
    for (int i = 0; i < block.threads; i++) {
        Thread *thread = &block.thread[i];
        if (!thread->started)
            fiber_start(&thread->fiber, i, thread_main);
        thread->started = true;
        unsigned place = (unsigned)(i % block.each);
        thread->index = uint3{place % x, place / x % y, place / x / y};
        thread->number = i, thread->lane = i % WARP, thread->warp = &block.warp[i / WARP];
        thread->rank = i / block.each;
    }
    block.warps = (block.threads + WARP - 1) / WARP;
    for (int i = 0; i < block.warps; i++) {
        Warp *warp = &block.warp[i];
        int lanes = std::min(block.threads - i * WARP, (int)WARP);
        warp->lanes = &block.thread[i * WARP], warp->number = i;
        warp->existing = lanes == WARP ? ~0u : (1u << lanes) - 1;
    }
}

static void abandon_threads()
{
    for (int i = 0; i < MAX_THREADS; i++)
        block.thread[i].started = false;
}

// ---- blocks

// Those of a cluster, the first of which is `index`
static void begin_blocks(uint3 index)
{
    block.returned = 0;
    for (int rank = 0; rank < block.blocks; rank++)
        block.member[rank] = Member{uint3{index.x + (unsigned)rank, index.y, index.z}, 0, 0, false};
    for (int i = 0; i < block.threads; i++)
        block.thread[i].copies.clear(), block.thread[i].groups = 0, block.thread[i].arrived = -1,
                                        block.thread[i].early = block.early;
    for (int i = 0; i < block.warps; i++)
        block.warp[i].returned = 0, block.warp[i].groups = 0;
    named_barriers_begin();
    mbarriers_begin();
    bulk_begin();
    cluster_begin();
    wgmma_begin();
    registers_begin();
    proxy_begin();
    shared_poison();
    race_block();
}

static void run_blocks()
{
    unsigned wide = (unsigned)block.blocks, x = block.grid.x / wide, y = block.grid.y;
    uint64_t clusters = (uint64_t)x * y * block.grid.z;
    std::vector<uint32_t> order(clusters);
    for (uint64_t i = 0; i < clusters; i++) { // a shuffle that grows: the new one takes the place of any
        uint64_t other = random_below(i + 1);
        order[i] = order[other];
        order[other] = (uint32_t)i;
    }
    for (uint64_t i = 0; i < clusters && !faulted(); i++) {
        begin_blocks(uint3{order[i] % x * wide, order[i] / x % y, order[i] / x / y});
        run_block();
        if (counting)
            count_block_end();
    }
    if (faulted())
        abandon_threads();
}

static bool launch_is_legal(dim3 grid, dim3 size, size_t shared, int cluster)
{
    uint64_t threads = (uint64_t)size.x * size.y * size.z, blocks = (uint64_t)grid.x * grid.y * grid.z;
    if (current != NULL)
        fault("a kernel launches a kernel");
    if (threads == 0 || threads > MAX_THREADS || size.z > 64)
        return host_fault("a block of (%u,%u,%u) threads; possible are 1 to 1024, and 64 in z", size.x, size.y, size.z);
    if (blocks == 0)
        return host_fault("an empty grid of (%u,%u,%u) blocks", grid.x, grid.y, grid.z);
    if (grid.x > 0x7fffffff || grid.y > 0xffff || grid.z > 0xffff)
        return host_fault("a grid of (%u,%u,%u) blocks; possible are 2^31 - 1 in x and 65535 in y and z", grid.x,
                          grid.y, grid.z);
    if (blocks > 1u << 31)
        return host_fault("a grid of (%u,%u,%u) blocks: more than this runtime can shuffle", grid.x, grid.y, grid.z);
    if (cluster < 1 || cluster > MAX_CLUSTER || grid.x % (unsigned)cluster != 0)
        return host_fault("clusters of %d blocks in a grid of (%u,%u,%u); possible are up to %d, and whole ones in x",
                          cluster, grid.x, grid.y, grid.z, MAX_CLUSTER);
    if (cluster > 1 && (threads % (4 * WARP) != 0 || threads * (uint64_t)cluster > MAX_THREADS))
        return host_fault("clusters of %d blocks of %d threads: this runtime has whole warpgroups, and %d threads",
                          cluster, (int)threads, MAX_THREADS);
    if (shared > MAX_SHARED)
        return host_fault("%zu bytes of dynamic shared memory; a block has at most %d", shared, MAX_SHARED);
    return true;
}

} // namespace simt

using namespace simt;

uint3 simt_thread_index(void) { return current->index; }
uint3 simt_block_index(void) { return block.member[current->rank].index; }
dim3 simt_block_size(void) { return block.size; }
dim3 simt_grid_size(void) { return block.grid; }

void simt_dependency_wait(void)
{
    current->early = false;
    block.member[current->rank].waited = true;
}

void simt_launch_call(dim3 grid, dim3 size, size_t shared, int cluster, void (*call)(const void *), const void *context,
                      bool early)
{
    if (faulted())
        return;
    block.launch++;
    if (!launch_is_legal(grid, size, shared, cluster))
        return;
    catch_bad_addresses();
    block.grid = grid, block.size = size, block.blocks = cluster, block.each = (int)(size.x * size.y * size.z);
    block.threads = block.each * cluster;
    block.early = early;
    kernel = call, kernel_context = context;
    schedule_seed_launch(block.launch);
    lay_out_threads();
    device_memory_open(true);
    shared_open(shared);
    race_launch(early);
    run_blocks();
    shared_close();
    device_memory_open(false);
}
