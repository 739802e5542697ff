// Barriers of a block. __syncthreads wants every thread of the block; those with a number (PTX barrier.cta, 1 to 15) as
// many as the caller says, in whole warps, some of which may only report their arrival and go on.
#include "runtime.h"

using namespace simt;

static void check_nobody_has_returned(const void *caller)
{
    if (block.member[current->rank].returned == 0)
        return;
    const Thread *returned = &block.thread[current->rank * block.each];
    while (returned->wait != Wait::RETURNED)
        returned++;
    fault("__syncthreads%s, but %s has returned", place(caller), thread_text(returned->number));
}

void simt_block_barrier(void)
{
    check_nobody_has_returned(__builtin_return_address(0));
    current->wait = Wait::BLOCK_BARRIER, current->mask = 0, current->caller = __builtin_return_address(0);
    Member *member = &block.member[current->rank];
    if (++member->at_barrier == block.each) {
        member->at_barrier = 0;
        race_block_barrier(current->rank);
        wake_all_of(current->rank * block.each, block.each);
    }
    run_others();
}

// ---- barriers with a number

struct NamedBarrier {
    int wanted, arrived; // threads
    uint32_t waiting;    // warps
    int64_t generation;  // how often it has opened
};

static NamedBarrier barriers[MAX_CLUSTER * NAMED_BARRIERS];

void simt::named_barriers_begin()
{
    for (NamedBarrier &barrier : barriers)
        barrier = NamedBarrier{};
}

struct Arrival {
    int id, place, threads; // place: of its block's barrier
    bool wait;
    int64_t generation; // of the barrier when the warp came
};

static void check_arrival(const Arrival *arrival, const Warp *warp)
{
    const NamedBarrier *barrier = &barriers[arrival->place];
    if (arrival->threads <= 0 || arrival->threads % WARP != 0 || arrival->threads > block.each)
        fault("barrier %d for %d threads; possible are multiples of 32 up to the block's %d", arrival->id,
              arrival->threads, block.each);
    if (barrier->arrived > 0 && barrier->wanted != arrival->threads)
        fault("barrier %d for %d threads, but others came to it as one for %d", arrival->id, arrival->threads,
              barrier->wanted);
    if (barrier->waiting >> warp->number & 1)
        fault("barrier %d: warp %d comes to it again while it waits there", arrival->id, warp->number);
}

static void open_barrier(NamedBarrier *barrier, int at)
{
    race_barrier_opens(at, barrier->waiting);
    for (int i = 0; i < block.threads; i++) {
        Thread *thread = &block.thread[i];
        if (thread->wait == Wait::NAMED_BARRIER && thread->rank * NAMED_BARRIERS + thread->barrier == at)
            wake(thread);
    }
    barrier->generation++, barrier->arrived = 0, barrier->waiting = 0;
}

// The last lane of a warp has come: the warp arrives.
static void arrive(Warp *warp, uint32_t lanes, Operation)
{
    Arrival *arrival = (Arrival *)warp->arguments[__builtin_ctz(lanes)];
    check_arrival(arrival, warp);
    NamedBarrier *barrier = &barriers[arrival->place];
    for (int lane = 0; lane < WARP; lane++)
        if (lanes >> lane & 1)
            ((Arrival *)warp->arguments[lane])->generation = barrier->generation;
    barrier->wanted = arrival->threads;
    barrier->arrived += WARP;
    if (arrival->wait)
        barrier->waiting |= 1u << warp->number;
    race_barrier_arrives(arrival->place, warp->number);
    if (barrier->arrived == barrier->wanted)
        open_barrier(barrier, arrival->place);
}

void simt_named_barrier(int id, int threads, bool wait)
{
    const void *caller = __builtin_return_address(0);
    if (id < 1 || id >= NAMED_BARRIERS)
        fault("barrier %d; possible are 1 to %d, and 0 is that of __syncthreads", id, NAMED_BARRIERS - 1);
    Arrival arrival = {id, current->rank * NAMED_BARRIERS + id, threads, wait, 0};
    together(Operation::NAMED_BARRIER, ~0u, &arrival, arrive, caller);
    if (!wait || barriers[arrival.place].generation != arrival.generation)
        return;
    current->wait = Wait::NAMED_BARRIER, current->barrier = id, current->mask = 0, current->caller = caller;
    run_others();
}
