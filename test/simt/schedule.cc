// Who runs next. Threads that are ready stand in a queue; one that waits is in no list, and what it waits for puts it
// back. Every choice comes from the seed and the number of the launch, so a run repeats exactly and another seed tries
// another order. When the queue is empty and threads are left, nobody can ever go on: a deadlock, and each warp says
// where it stands.
#include "runtime.h"
#include <algorithm>

namespace simt
{

// ---- random numbers (splitmix64: Steele, Lea & Flood 2014)

static uint64_t seed, state;
static bool seeded;

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t random_number() { return mix(state += 0x9e3779b97f4a7c15); }

void schedule_seed_launch(int64_t launch)
{
    if (!seeded)
        simt_seed(strtoull(environment("SIMT_SEED", "1"), NULL, 10));
    state = mix(seed) ^ mix((uint64_t)launch);
}

uint64_t random_below(uint64_t limit) { return (uint64_t)((unsigned __int128)random_number() * limit >> 64); }

// ---- the queue: a ring, long enough for every thread of a block

static Thread *ready[MAX_THREADS];
static unsigned first, count;

static void put_last(Thread *thread) { ready[(first + count++) % MAX_THREADS] = thread; }

static void put_first(Thread *thread)
{
    first = (first - 1) % MAX_THREADS;
    ready[first] = thread;
    count++;
}

static Thread *take()
{
    Thread *thread = ready[first];
    first = (first + 1) % MAX_THREADS;
    count--;
    return thread;
}

void wake(Thread *thread)
{
    thread->wait = Wait::NOTHING;
    put_last(thread);
}

void wake_all_of(int first_thread, int threads)
{
    static Thread *order[MAX_THREADS];
    for (int i = 0; i < threads; i++)
        order[i] = &block.thread[first_thread + i];
    for (int left = threads; left > 1; left--)
        std::swap(order[left - 1], order[random_below((uint64_t)left)]);
    for (int i = 0; i < threads; i++)
        wake(order[i]);
}

// The lanes go on in an order that is cheap to draw: lane ^ a number. A coin decides whether they stand behind
// everybody or before: then the warp runs on alone until a barrier of the block stops it, and shows what leans on other
// warps keeping pace.
void wake_lanes(Warp *warp, uint32_t lanes)
{
    uint64_t drawn = random_below(2 * WARP);
    int turn = (int)drawn / 2;
    for (int i = 0; i < WARP; i++) {
        int lane = i ^ turn;
        if (!(lanes >> lane & 1))
            continue;
        Thread *thread = &warp->lanes[lane];
        thread->wait = Wait::NOTHING;
        drawn % 2 ? put_first(thread) : put_last(thread);
    }
}

// ---- deadlock

static std::string waits_at(const Thread *thread)
{
    switch (thread->wait) {
    case Wait::BLOCK_BARRIER:
        return std::string("wait at __syncthreads") + place(thread->caller);
    case Wait::NAMED_BARRIER:
        return "wait at barrier " + std::to_string(thread->barrier) + place(thread->caller);
    case Wait::WARP_OPERATION:
        return std::string("wait at ") + operation_name(thread->operation) + " of lanes " + lanes_text(thread->mask) +
               place(thread->caller);
    case Wait::MBARRIER:
        return std::string("wait at the mbarrier at ") + shared_text(thread->mbarrier) + place(thread->caller);
    case Wait::WARPGROUP:
        return std::string("wait for the rest of the warpgroup at wgmma") + place(thread->caller);
    case Wait::REGISTERS:
        return std::string("wait for registers") + place(thread->caller);
    case Wait::CLUSTER:
        return std::string("wait at barrier.cluster") + place(thread->caller);
    case Wait::RETURNED:
        return "have returned";
    default:
        return "can run";
    }
}

static bool wait_alike(const Thread *a, const Thread *b)
{
    return a->wait == b->wait && (a->wait == Wait::RETURNED || (a->caller == b->caller && a->mask == b->mask));
}

static std::string describe_warp(const Warp *warp)
{
    std::string text =
        "\n    warp " + std::to_string(warp->number * WARP % block.each / WARP) + rank_text(warp->lanes) + ": ";
    for (uint32_t left = warp->existing; left != 0;) {
        const Thread *leader = &warp->lanes[__builtin_ctz(left)];
        uint32_t alike = 0;
        for (int lane = 0; lane < WARP; lane++)
            if (left >> lane & 1 && wait_alike(leader, &warp->lanes[lane]))
                alike |= 1u << lane;
        left &= ~alike;
        text += std::string("lanes ") + lanes_text(alike) + " " + waits_at(leader) + (left == 0 ? "" : "; ");
    }
    return text;
}

static const char *describe_block()
{
    std::string text;
    for (int i = 0; i < block.warps; i++)
        text += describe_warp(&block.warp[i]);
    return keep(text + mbarriers_text());
}

// ---- the switch

static bool early; // what is asynchronous is done before it must be, now and then

static bool something_waits() { return bulk_waiting() + cluster_waiting() > 0; }

static void make_one()
{
    size_t loads = bulk_waiting();
    random_below(loads + cluster_waiting()) < loads ? bulk_make_one() : cluster_make_one();
}

void run_others()
{
    if (early && something_waits() && random_below(16) == 0)
        make_one();
    while (count == 0 && something_waits())
        make_one();
    if (count == 0)
        fault("deadlock: no thread of the block can go on%s", describe_block());
    Thread *left = current, *next = take();
    if (next == left)
        return;
    current = next;
    fiber_switch(&left->fiber, &next->fiber);
}

void run_block()
{
    first = count = 0;
    early = random_below(2) == 1;
    wake_all_of(0, block.threads);
    current = take();
    fiber_switch(&main_fiber, &current->fiber);
    current = NULL;
}

} // namespace simt

void simt_seed(uint64_t number)
{
    simt::seed = number;
    simt::seeded = true;
}
