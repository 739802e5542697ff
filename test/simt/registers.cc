// setmaxnreg: a warpgroup gives registers back, or takes more, of those that its block was launched with: as many for
// each thread as fit the 65,536 of a multiprocessor, in eights. Who wants more than were given back waits, and for what
// can never be there, for ever.
#include "runtime.h"

namespace simt
{

enum { ALL_REGISTERS = 65536, WARPS = 4 };

static int each[MAX_WARPS];     // of a thread of this warp
static int unused[MAX_CLUSTER]; // given back, in each block
static int64_t changes;         // of how many there are

void registers_begin()
{
    int most = ALL_REGISTERS / std::max(block.each, 1) / 8 * 8;
    for (int &registers : each)
        registers = std::min(most, 248);
    memset(unused, 0, sizeof unused);
}

static void wake_all()
{
    for (int i = 0; i < block.threads; i++)
        if (block.thread[i].wait == Wait::REGISTERS)
            wake(&block.thread[i]);
}

struct Wanted {
    int registers;
    bool more, done;
    int64_t seen; // changes, when there were too few
    const void *caller;
};

static void change(Warp *warp, uint32_t lanes, Operation)
{
    Wanted *wanted = (Wanted *)warp->arguments[__builtin_ctz(lanes)];
    int by = (wanted->registers - each[warp->number]) * WARP;
    if (wanted->registers % 8 != 0 || wanted->registers < 24 || wanted->registers > 256)
        fault("setmaxnreg%s: %d registers; possible are multiples of 8 from 24 to 256", place(wanted->caller),
              wanted->registers);
    if (wanted->more ? by < 0 : by > 0)
        fault("setmaxnreg%s: %d registers, and the warp has %d", place(wanted->caller), wanted->registers,
              each[warp->number]);
    int *left = &unused[warp->lanes[0].rank];
    bool done = by <= *left;
    if (done) {
        *left -= by, each[warp->number] = wanted->registers, changes++;
        wake_all();
    }
    for (int lane = 0; lane < WARP; lane++)
        if (lanes >> lane & 1)
            ((Wanted *)warp->arguments[lane])->done = done, ((Wanted *)warp->arguments[lane])->seen = changes;
}

} // namespace simt

using namespace simt;

void simt_registers(int registers, bool more)
{
    Wanted wanted = {registers, more, false, 0, __builtin_return_address(0)};
    for (;;) {
        together(Operation::REGISTERS, ~0u, &wanted, change, wanted.caller);
        if (wanted.done)
            return;
        while (wanted.seen == changes) {
            current->wait = Wait::REGISTERS, current->mask = 0, current->caller = wanted.caller;
            run_others();
        }
    }
}
