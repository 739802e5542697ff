// What the lanes of a warp do together: shuffles, votes, __syncwarp, ldmatrix and mma. A lane leaves a pointer to its
// arguments and waits; the last one to come does the work for all in one tight loop, writes every lane's result where
// its pointer says, wakes the others and goes on. So a matrix product of a warp costs 31 switches and one small
// product.
#include "runtime.h"

namespace simt
{

const char *operation_name(Operation operation)
{
    static const char *const names[] = {"__syncwarp",
                                        "__shfl_sync",
                                        "__shfl_up_sync",
                                        "__shfl_down_sync",
                                        "__shfl_xor_sync",
                                        "a vote (ballot, any, all)",
                                        "a numbered barrier",
                                        "ldmatrix",
                                        "ldmatrix.trans",
                                        "stmatrix",
                                        "mma",
                                        "mma in fp32",
                                        "wgmma",
                                        "wgmma.fence",
                                        "wgmma.commit_group",
                                        "wgmma.wait_group",
                                        "setmaxnreg",
                                        "barrier.cluster.arrive"};
    return names[(int)operation];
}

static Group *find_group(Warp *warp, uint32_t mask, Operation operation)
{
    for (int i = 0; i < warp->groups; i++)
        if (warp->group[i].mask == mask)
            return &warp->group[i];
    Group *group = &warp->group[warp->groups++];
    *group = Group{mask, 0, operation};
    return group;
}

static void check_mask(const Warp *warp, Operation operation, uint32_t mask, const void *caller)
{
    if (!(mask >> current->lane & 1))
        fault("%s of lanes %s%s, called by lane %d, which is not among them", operation_name(operation),
              lanes_text(mask), place(caller), current->lane);
    if (mask & warp->returned)
        fault("%s of lanes %s%s, but lanes %s have returned", operation_name(operation), lanes_text(mask),
              place(caller), lanes_text(mask & warp->returned));
}

[[noreturn]] static void differ(const Warp *warp, const Group *group, Operation operation, const void *caller)
{
    const Thread *other = &warp->lanes[__builtin_ctz(group->arrived)];
    fault("the lanes of a warp part: lane %d comes to %s%s, lanes %s wait at %s%s", current->lane,
          operation_name(operation), place(caller), lanes_text(group->arrived), operation_name(group->operation),
          place(other->caller));
}

void together(Operation operation, uint32_t mask, void *argument, Finish finish, const void *caller)
{
    Warp *warp = current->warp;
    mask &= warp->existing; // the last warp of a block may be short
    check_mask(warp, operation, mask, caller);
    Group *group = find_group(warp, mask, operation);
    if (group->operation != operation)
        differ(warp, group, operation, caller);
    warp->arguments[current->lane] = argument;
    group->arrived |= 1u << current->lane;
    if (group->arrived == mask) {
        finish(warp, mask, operation);
        *group = warp->group[--warp->groups];
        wake_lanes(warp, mask & ~(1u << current->lane));
        return;
    }
    current->wait = Wait::WARP_OPERATION, current->operation = operation, current->mask = mask,
    current->caller = caller;
    run_others();
}

// ---- shuffles (CUDA C++ Programming Guide, warp shuffle functions)

struct Shuffle {
    uint64_t value, result;
    int by, width;
};

// The lane whose value `lane` receives: in its own part of `width` lanes; up, down and xor keep the own value at the
// part's edge.
static int source_lane(Operation operation, int lane, int by, int width)
{
    int part = lane & -width, last = part + width - 1;
    switch (operation) {
    case Operation::SHUFFLE_FROM:
        return part + (by & (width - 1));
    case Operation::SHUFFLE_UP:
        return lane - by < part ? lane : lane - by;
    case Operation::SHUFFLE_DOWN:
        return lane + by > last ? lane : lane + by;
    default:
        return (lane ^ by) > last ? lane : lane ^ by;
    }
}

static void finish_shuffle(Warp *warp, uint32_t mask, Operation operation)
{
    for (int lane = 0; lane < WARP; lane++) {
        if (!(mask >> lane & 1))
            continue;
        Shuffle *shuffle = (Shuffle *)warp->arguments[lane];
        int source = source_lane(operation, lane, shuffle->by, shuffle->width);
        if (!(mask >> source & 1))
            fault("%s of lanes %s: lane %d asks lane %d, which takes no part", operation_name(operation),
                  lanes_text(mask), lane, source);
        shuffle->result = ((Shuffle *)warp->arguments[source])->value;
    }
}

// ---- votes

struct Vote {
    bool vote;
    uint32_t result;
};

static void finish_vote(Warp *warp, uint32_t mask, Operation)
{
    uint32_t votes = 0;
    for (int lane = 0; lane < WARP; lane++)
        if (mask >> lane & 1)
            votes |= (uint32_t)((Vote *)warp->arguments[lane])->vote << lane;
    for (int lane = 0; lane < WARP; lane++)
        if (mask >> lane & 1)
            ((Vote *)warp->arguments[lane])->result = votes;
}

static void finish_barrier(Warp *warp, uint32_t mask, Operation) { race_warp_barrier(warp, mask); }

} // namespace simt

using namespace simt;

void simt_warp_barrier(uint32_t mask)
{
    together(Operation::BARRIER, mask, NULL, finish_barrier, __builtin_return_address(0));
}

uint64_t simt_shuffle(SimtShuffle kind, uint32_t mask, uint64_t value, int by, int width)
{
    if (width <= 0 || width > WARP || (width & (width - 1)) != 0)
        fault("a shuffle of width %d; possible are powers of two up to 32", width);
    Shuffle shuffle = {value, 0, by & (WARP - 1), width};
    together((Operation)((int)Operation::SHUFFLE_FROM + kind), mask, &shuffle, finish_shuffle,
             __builtin_return_address(0));
    return shuffle.result;
}

uint32_t simt_ballot(uint32_t mask, bool vote)
{
    Vote own = {vote, 0};
    together(Operation::VOTE, mask, &own, finish_vote, __builtin_return_address(0));
    return own.result;
}
