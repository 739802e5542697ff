// mbarrier: a barrier that lies in shared memory, at which threads arrive and bytes. A phase is over when as many
// threads have arrived as the barrier was made for, and as many bytes as they said would come (PTX ISA, 9.7.13.15).
// Who waits names the parity of the phase that has to be over.
#include "runtime.h"
#include <map>

namespace simt
{

struct MBarrier {
    int expected, pending; // arrivals of a phase; of this one still
    int64_t bytes, phase;  // still to come; how many phases are over
    bool fenced;           // the asynchronous copies know of it
    int maker;             // thread
    uint32_t knows[MAX_WARPS];
    std::vector<int64_t> passed; // by each thread: the last phase that it knows to be over; -1 before the first
};

static std::map<uint32_t, MBarrier> barriers; // by shared address

void mbarriers_begin() { barriers.clear(); }

static MBarrier *find(uint32_t address, const char *what, const void *caller)
{
    auto found = barriers.find(address);
    if (found == barriers.end())
        fault("%s%s: no mbarrier was made at the shared address %u", what, place(caller), address);
    race_access(current, shared_pointer(address, 8, what, caller), 8, Access::ATOMIC, caller);
    return &found->second;
}

static void open_phase(uint32_t address, MBarrier *b)
{
    if (b->pending > 0 || b->bytes != 0)
        return;
    b->phase++, b->pending = b->expected;
    for (int i = 0; i < block.threads; i++) {
        Thread *thread = &block.thread[i];
        if (thread->wait == Wait::MBARRIER && thread->mbarrier == address)
            wake(thread);
    }
}

static void arrive(uint32_t address, int64_t bytes, const char *what, const void *caller)
{
    MBarrier *b = find(address, what, caller);
    b->bytes += bytes;
    if (b->pending-- == 0)
        fault("%s%s: more arrivals at one phase than the %d that the mbarrier at %u was made for", what, place(caller),
              b->expected, address);
    race_mbarrier_arrives(b->knows, current->warp->number);
    open_phase(address, b);
}

// Bytes of an asynchronous copy have come, that this thread has asked for.
void mbarrier_complete(uint32_t address, int64_t bytes, const Thread *asker)
{
    MBarrier *b = &barriers[address];
    b->bytes -= bytes;
    race_mbarrier_arrives(b->knows, asker->warp->number);
    open_phase(address, b);
}

void mbarriers_check_block_end()
{
    for (const auto &entry : barriers)
        if (entry.second.bytes != 0)
            fault("the block ends, and the bytes that came to the mbarrier at %u and those that were expected differ "
                  "by %lld",
                  entry.first, (long long)-entry.second.bytes);
}

void mbarrier_check_fenced(uint32_t address, const char *what, const void *caller)
{
    if (!find(address, what, caller)->fenced)
        fault("%s%s: the mbarrier at %u was made without a fence behind that (mbarrier_init_fence)", what,
              place(caller), address);
}

std::string mbarriers_text()
{
    std::string text;
    for (const auto &entry : barriers) {
        const MBarrier *b = &entry.second;
        text += "\n    mbarrier at " + std::to_string(entry.first) + ": phase " + std::to_string(b->phase) + ", " +
                std::to_string(b->pending) + " of " + std::to_string(b->expected) + " arrivals and " +
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
    barriers[address] = MBarrier{arrivals, arrivals,        0,   0,
                                 false,    current->number, {0}, std::vector<int64_t>((size_t)block.threads, -1)};
}

void simt_mbarrier_init_fence(void)
{
    for (auto &entry : barriers)
        if (entry.second.maker == current->number)
            entry.second.fenced = true;
}

void simt_mbarrier_expect(uint32_t address, int bytes)
{
    arrive(address, bytes, "mbarrier.arrive.expect_tx", __builtin_return_address(0));
}

void simt_mbarrier_arrive(uint32_t address) { arrive(address, 0, "mbarrier.arrive", __builtin_return_address(0)); }

void simt_mbarrier_wait(uint32_t address, int parity)
{
    const void *caller = __builtin_return_address(0);
    MBarrier *b = find(address, "mbarrier.try_wait", caller);
    int64_t *last = &b->passed[(size_t)current->number], wanted = *last + ((*last & 1) != parity);
    if (b->phase > wanted + 1)
        fault("mbarrier.try_wait%s: phase %lld of the mbarrier at %u is wanted, and phase %lld is over already: the "
              "thread "
              "has fallen behind, and their parities are alike now and then",
              place(caller), (long long)wanted, address, (long long)b->phase - 1);
    *last = wanted;
    while (b->phase % 2 == parity) {
        current->wait = Wait::MBARRIER, current->mbarrier = address, current->mask = 0, current->caller = caller;
        run_others();
    }
    race_mbarrier_passes(b->knows, current->warp->number);
}
