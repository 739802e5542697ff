// The two ways to shared memory. Threads write by one (the generic proxy), wgmma and bulk copies read and write by
// another, which need not see what a thread has written before that thread has said fence.proxy.async. Of every 16
// bytes it is noted which thread has written them, and after how many of its fences; the notes are taken where writes
// are seen, in the race build.
#include "runtime.h"

namespace simt
{

enum { GRANULE = 16 };

struct Mark {
    int thread; // counted from 1; 0: nobody
    int64_t fences;
};

static Mark marks[MAX_CLUSTER * RANK_BYTES / GRANULE];
static int64_t fences[MAX_THREADS];

void proxy_begin()
{
    memset(marks, 0, (size_t)block.blocks * RANK_BYTES / GRANULE * sizeof *marks);
    memset(fences, 0, sizeof fences);
}

void proxy_written(const Thread *thread, const void *p, size_t bytes)
{
    int64_t first = shared_offset(p);
    if (first < 0)
        return;
    for (int64_t i = first / GRANULE; i <= (first + (int64_t)bytes - 1) / GRANULE; i++)
        marks[i] = Mark{thread->number + 1, fences[thread->number]};
}

void proxy_check(const void *p, size_t bytes, const char *what, const void *caller)
{
    int64_t first = shared_offset(p);
    for (int64_t i = first / GRANULE; i <= (first + (int64_t)bytes - 1) / GRANULE; i++) {
        const Mark *mark = &marks[i];
        if (mark->thread != 0 && mark->fences == fences[mark->thread - 1])
            fault("%s%s touches %s, which %s has written without a fence.proxy.async behind that", what, place(caller),
                  describe_address((const char *)p - first + i * GRANULE), thread_text(mark->thread - 1));
    }
}

} // namespace simt

void simt_proxy_fence(void) { simt::fences[simt::current->number]++; }
