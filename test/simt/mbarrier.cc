// mbarrier: a barrier that lies in shared memory, at which threads arrive and bytes. A phase is over when as many
// threads have arrived as the barrier was made for, and as many bytes as they said would come (PTX ISA, 9.7.13.15).
// Who waits names the parity of the phase that has to be over.
#include "runtime.h"
#include <map>

namespace simt
{

struct MBarrier {
    int expected, pending;                        // arrivals of a phase; of this one still
    int64_t bytes, phase;                         // still to come; how many phases are over
    bool fenced;                                  // the asynchronous copies know of it
    int maker;                                    // thread
    uint32_t knows[MAX_WARPS], opened[MAX_WARPS]; // the arrivals; those that the last phase was over with
    std::vector<int64_t> passed; // by each thread: the last phase that it knows to be over; -1 before the first
};

static std::map<uint32_t, MBarrier> barriers; // by shared address, with its block's rank

void mbarriers_begin() { barriers.clear(); }

static MBarrier *find(uint32_t address, const Thread *thread, const char *what, const void *caller)
{
    int rank = rank_of_address(address);
    if (rank < block.blocks && block.member[rank].returned == block.each)
        fault("%s%s: block %d of the cluster has ended", what, place(caller), rank);
    auto found = barriers.find(address);
    if (found == barriers.end())
        fault("%s%s: no mbarrier was made at the shared address %s", what, place(caller), shared_text(address));
    race_access(thread, shared_pointer(address, 8, what, caller), 8, Access::ATOMIC, caller);
    return &found->second;
}

static uint32_t own(uint32_t address, const char *what, const void *caller)
{
    if (rank_of_address(shared_with_rank(address, current->rank)) != current->rank)
        fault("%s%s: the mbarrier at %s is another block's", what, place(caller), shared_text(address));
    return shared_with_rank(address, current->rank);
}

void mbarrier_check(uint32_t address, const char *what, const void *caller)
{
    find(shared_with_rank(address, current->rank), current, what, caller);
}

static void open_phase(uint32_t address, MBarrier *b)
{
    if (b->pending > 0 || b->bytes != 0)
        return;
    b->phase++, b->pending = b->expected;
    memcpy(b->opened, b->knows, sizeof b->opened);
    for (int i = 0; i < block.threads; i++) {
        Thread *thread = &block.thread[i];
        if (thread->wait == Wait::MBARRIER && thread->mbarrier == address)
            wake(thread);
    }
}

static void count_arrival(uint32_t address, MBarrier *b, const char *what, const void *caller)
{
    if (b->pending-- == 0)
        fault("%s%s: more arrivals at one phase than the %d that the mbarrier at %s was made for", what, place(caller),
              b->expected, shared_text(address));
    open_phase(address, b);
}

static void arrive(uint32_t address, int64_t bytes, const char *what, const void *caller)
{
    MBarrier *b = find(address, current, what, caller);
    b->bytes += bytes;
    race_mbarrier_arrives(b->knows, current->warp->number);
    count_arrival(address, b, what, caller);
}

// An arrival that was on its way from another block, with what its warp knew when it said so
void mbarrier_arrive_from(uint32_t address, const Thread *thread, const uint32_t knows[MAX_WARPS], const void *caller)
{
    const char *what = "mbarrier.arrive.shared::cluster";
    MBarrier *b = find(address, thread, what, caller);
    race_learns(b->knows, knows);
    count_arrival(address, b, what, caller);
}

// Bytes of an asynchronous copy have come, that this thread has asked for.
void mbarrier_complete(uint32_t address, int64_t bytes, const Thread *asker)
{
    MBarrier *b = &barriers[address];
    b->bytes -= bytes;
    race_mbarrier_arrives(b->knows, asker->warp->number);
    if (rank_of_address(address) != asker->rank)
        race_touches(rank_of_address(address), asker->warp->number);
    open_phase(address, b);
}

void mbarriers_check_block_end(int rank)
{
    for (const auto &entry : barriers)
        if (entry.second.bytes != 0 && rank_of_address(entry.first) == rank)
            fault("the block ends, and the bytes that came to the mbarrier at %s and those that were expected differ "
                  "by %lld",
                  shared_text(entry.first), (long long)-entry.second.bytes);
}

void mbarrier_check_fenced(uint32_t address, const char *what, const void *caller)
{
    if (!find(address, current, what, caller)->fenced)
        fault("%s%s: the mbarrier at %s was made without a fence behind that (mbarrier_init_fence)", what,
              place(caller), shared_text(address));
}

std::string mbarriers_text()
{
    std::string text;
    for (const auto &entry : barriers) {
        const MBarrier *b = &entry.second;
        text += "\n    mbarrier at " + std::string(shared_text(entry.first)) + ": phase " + std::to_string(b->phase) +
                ", " + std::to_string(b->pending) + " of " + std::to_string(b->expected) + " arrivals and " +
                std::to_string(b->bytes) + " bytes to come";
    }
    return text;
}

} // namespace simt

using namespace simt;

void simt_mbarrier_init(uint32_t address, int arrivals)
{
    const void *caller = __builtin_return_address(0);
    void *p = shared_pointer(address, 8, "mbarrier.init", caller);
    if (address % 8 != 0 || arrivals < 1)
        fault("mbarrier.init%s: the shared address %u has to be a multiple of 8, and the %d arrivals at least 1",
              place(caller), address, arrivals);
    race_access(current, p, 8, Access::WRITE, caller);
    memset(p, 0xFF, 8);
    barriers[own(address, "mbarrier.init", caller)] = MBarrier{
        arrivals, arrivals, 0, 0, false, current->number, {0}, {0}, std::vector<int64_t>((size_t)block.threads, -1)};
}

void simt_mbarrier_init_fence(void)
{
    for (auto &entry : barriers)
        if (entry.second.maker == current->number)
            entry.second.fenced = true;
}

void simt_mbarrier_expect(uint32_t address, int bytes)
{
    const char *what = "mbarrier.arrive.expect_tx";
    const void *caller = __builtin_return_address(0);
    arrive(own(address, what, caller), bytes, what, caller);
}

void simt_mbarrier_arrive(uint32_t address)
{
    const void *caller = __builtin_return_address(0);
    arrive(own(address, "mbarrier.arrive", caller), 0, "mbarrier.arrive", caller);
}

void simt_mbarrier_wait(uint32_t address, int parity)
{
    const void *caller = __builtin_return_address(0);
    address = own(address, "mbarrier.try_wait", caller);
    MBarrier *b = find(address, current, "mbarrier.try_wait", caller);
    int64_t *last = &b->passed[(size_t)current->number], wanted = *last + ((*last & 1) != parity);
    if (b->phase > wanted + 1)
        fault("mbarrier.try_wait%s: phase %lld of the mbarrier at %s is wanted, and phase %lld is over already: the "
              "thread "
              "has fallen behind, and their parities are alike now and then",
              place(caller), (long long)wanted, shared_text(address), (long long)b->phase - 1);
    *last = wanted;
    while (b->phase % 2 == parity) {
        current->wait = Wait::MBARRIER, current->mbarrier = address, current->mask = 0, current->caller = caller;
        run_others();
    }
    race_mbarrier_passes(b->opened, current->warp->number);
}
