// Clusters: blocks that run at a time and know each other. Their barrier (barrier.cluster), in two steps, and arrivals
// at mbarriers of another block, which are on their way as long as the program allows: until no thread can go on
// without them, or until their thread arrives at the cluster's barrier, which orders them. A block must not end while
// another one may still write its shared memory or arrive at its barriers; that it does not is what its threads know
// when the last of them returns, not what happened to have been done by then.
#include "runtime.h"

namespace simt
{

struct Arrival {
    uint32_t address;
    const Thread *thread;
    uint32_t knows[MAX_WARPS];
    const void *caller;
};

static std::vector<Arrival> arrivals; // on their way
static int waiting_for_all;           // threads that have arrived at the cluster's barrier
static int64_t opened;                // how often
static uint32_t knows[MAX_WARPS], knew_at_opening[MAX_WARPS];

void cluster_begin()
{
    arrivals.clear();
    waiting_for_all = 0, opened = 0;
    memset(knows, 0, sizeof knows);
}

static void make(size_t which)
{
    Arrival arrival = arrivals[which];
    arrivals.erase(arrivals.begin() + (long)which);
    mbarrier_arrive_from(arrival.address, arrival.thread, arrival.knows, arrival.caller);
}

size_t cluster_waiting() { return arrivals.size(); }
void cluster_make_one() { make(random_below(arrivals.size())); }

// Threads that have returned are not waited for.
void cluster_open_if_all_are_there()
{
    if (waiting_for_all == 0 || waiting_for_all < block.threads - block.returned)
        return;
    waiting_for_all = 0, opened++;
    memcpy(knew_at_opening, knows, sizeof knows);
    for (int i = 0; i < block.threads; i++)
        if (block.thread[i].wait == Wait::CLUSTER)
            wake(&block.thread[i]);
}

static void arrive(Warp *warp, uint32_t lanes, Operation)
{
    for (size_t i = arrivals.size(); i-- > 0;)
        if (arrivals[i].thread->warp == warp)
            make(i);
    race_mbarrier_arrives(knows, warp->number);
    for (int lane = 0; lane < WARP; lane++) {
        Thread *thread = &warp->lanes[lane];
        if (!(lanes >> lane & 1))
            continue;
        if (thread->arrived >= 0)
            fault("barrier.cluster.arrive%s: %s has arrived before and not waited", place(thread->caller),
                  thread_text(thread->number));
        thread->arrived = opened;
        waiting_for_all++;
    }
    cluster_open_if_all_are_there();
}

void cluster_check_returned()
{
    if (current->arrived >= 0)
        fault("the thread returns between barrier.cluster.arrive and its wait");
}

void cluster_check_block_end(int rank)
{
    for (const Arrival &arrival : arrivals)
        if (rank_of_address(arrival.address) == rank)
            fault("the block ends while an arrival at its mbarrier at %s is under way%s", shared_text(arrival.address),
                  place(arrival.caller));
    int warp = race_touched_at_end(rank);
    if (warp >= 0)
        fault("the block ends, and nothing says that %s, which has written to its shared memory or arrived at its "
              "barriers, has done so before",
              thread_text(warp * WARP));
}

} // namespace simt

using namespace simt;

int simt_cluster_rank(void) { return current->rank; }

uint32_t simt_cluster_address(uint32_t address, int rank)
{
    if (rank < 0 || rank >= block.blocks)
        fault("mapa%s: block %d of a cluster of %d", place(__builtin_return_address(0)), rank, block.blocks);
    return shared_with_rank(address, rank);
}

void simt_mbarrier_arrive_at(uint32_t address)
{
    const void *caller = __builtin_return_address(0);
    mbarrier_check(address, "mbarrier.arrive.shared::cluster", caller);
    Arrival arrival = {shared_with_rank(address, current->rank), current, {0}, caller};
    race_snapshot(arrival.knows, current->warp->number);
    if (rank_of_address(arrival.address) != current->rank)
        race_touches(rank_of_address(arrival.address), current->warp->number);
    arrivals.push_back(arrival);
}

void simt_cluster_arrive(void)
{
    int nothing = 0;
    together(Operation::CLUSTER_ARRIVE, ~0u, &nothing, arrive, __builtin_return_address(0));
}

void simt_cluster_wait(void)
{
    const void *caller = __builtin_return_address(0);
    if (current->arrived < 0)
        fault("barrier.cluster.wait%s without an arrival before", place(caller));
    while (current->arrived == opened) {
        current->wait = Wait::CLUSTER, current->mask = 0, current->caller = caller;
        run_others();
    }
    current->arrived = -1;
    race_mbarrier_passes(knew_at_opening, current->warp->number);
}
