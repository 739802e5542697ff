// cp.async, as late as the program allows: the target becomes NaN when the copy is asked for, and receives its bytes
// only in the wait that says it must be there. A kernel that forgets to wait, or waits for one group too few, reads NaN
// on every run, where a GPU would be wrong now and then.
#include "runtime.h"

using namespace simt;

static void check_arguments(const void *shared, const void *global, bool live, const void *caller)
{
    if (!is_shared(shared))
        fault("cp.async%s to %p, which is not in shared memory", place(caller), shared);
    if ((uintptr_t)shared % 16 != 0)
        fault("cp.async%s: the target %p is not a multiple of 16", place(caller), shared);
    if (live && (uintptr_t)global % 16 != 0)
        fault("cp.async%s: the source %p is not a multiple of 16", place(caller), global);
}

void simt_copy_16(void *shared, const void *global, bool live)
{
    const void *caller = __builtin_return_address(0);
    check_arguments(shared, global, live, caller);
    if (live) {
        race_access(current, global, 16, Access::READ, caller);
        asm volatile("" ::"r"(((const uint4 *)global)->x),
                     "r"(((const uint4 *)global)->w)); // here an illegal source shows
    }
    race_access(current, shared, 16, Access::WRITE, caller);
    if (counting && live)
        count_access(current, global, 16, false, caller);
    if (counting)
        count_access(current, shared, 16, true, (const char *)caller + 1); // another line than the read's
    memset(shared, 0xFF, 16);
    current->copies.push_back(Copy{(char *)shared, live ? (const char *)global : NULL, current->groups, caller});
}

void simt_copy_commit(void) { current->groups++; }

static void finish(const Copy *copy)
{
    race_access(current, copy->to, 16, Access::WRITE, copy->caller);
    if (copy->from == NULL) {
        memset(copy->to, 0, 16);
        return;
    }
    race_access(current, copy->from, 16, Access::READ, copy->caller);
    memcpy(copy->to, copy->from, 16);
}

// Groups are numbered from 0; what belongs to one that is not committed yet has the number `groups`.
void simt_copy_wait(int pending)
{
    std::vector<Copy> *copies = &current->copies;
    size_t finished = 0;
    while (finished < copies->size() && (*copies)[finished].group < current->groups - pending)
        finish(&(*copies)[finished++]);
    copies->erase(copies->begin(), copies->begin() + (long)finished);
}

void simt::copy_check_returned()
{
    if (!current->copies.empty())
        fault("the thread returns before cp_async_wait for the cp.async%s", place(current->copies[0].caller));
}
