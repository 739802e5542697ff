// Memory of the CPU backends: see cpu_device.h.
//
// Large pieces come straight from the system: zero without being touched, so that pages of a cache that nobody uses
// cost nothing, and in large pages where the system has them. What stands before a piece says how it is given back.
#include "kernels/cpu_device.h"
#include "system/machine.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct CpuPiece {
    size_t mapped; // bytes; 0: from the heap
} CpuPiece;

enum { PIECE_HEAD = 64 };
static const size_t PIECE_MAPPED = (size_t)32 << 20;

void *cpu_allocate(size_t bytes)
{
    size_t all;
    if (!size_add(&all, bytes, PIECE_HEAD))
        return NULL;
    if (all < PIECE_MAPPED) {
        char *p = allocate(all, 1);
        return p == NULL ? NULL : p + PIECE_HEAD;
    }
    char *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        fail("no memory for %zu bytes", bytes);
        return NULL;
    }
    madvise(p, all, MADV_HUGEPAGE); // advice: without it everything works too
    ((CpuPiece *)p)->mapped = all;
    return p + PIECE_HEAD;
}

void cpu_release(void *p)
{
    char *start = (char *)p - PIECE_HEAD;
    size_t mapped = ((CpuPiece *)start)->mapped;
    if (mapped > 0)
        munmap(start, mapped);
    else
        free(start);
}

void *cpu_host_allocate(size_t bytes) { return cpu_allocate(bytes); }
void cpu_host_release(void *p) { cpu_release(p); }
size_t cpu_memory_available(void) { return memory_available(); }

void cpu_zero(Stream *s, void *p, size_t bytes) // each thread its part
{
#pragma omp parallel
    {
        size_t part = (size_t)omp_get_thread_num(), parts = (size_t)omp_get_num_threads();
        size_t first = bytes / parts * part, last = part + 1 == parts ? bytes : bytes / parts * (part + 1);
        memset((char *)p + first, 0, last - first);
    }
}

void cpu_upload(Stream *s, void *device, const void *host, size_t bytes) { memcpy(device, host, bytes); }
void cpu_upload_later(Stream *s, void *device, const void *host, size_t bytes) { memcpy(device, host, bytes); }
void cpu_download_later(Stream *s, void *host, const void *device, size_t bytes) { memcpy(host, device, bytes); }

bool cpu_download(Stream *s, void *host, const void *device, size_t bytes)
{
    memcpy(host, device, bytes);
    return true;
}

struct Event {
    double recorded; // by clock_seconds()
};

Event *cpu_event_open(bool timed) { return allocate(1, sizeof(Event)); }
void cpu_event_close(Event *e) { free(e); }
void cpu_event_record(Stream *s, Event *e) { e->recorded = clock_seconds(); }
double cpu_event_seconds(Event *from, Event *to) { return to->recorded - from->recorded; }
bool cpu_event_wait(Event *e) { return true; }

bool cpu_event_reached(Event *e, bool *reached)
{
    *reached = true;
    return true;
}

Stream *cpu_stream_open(void)
{
    static int nothing;
    return (Stream *)&nothing;
}

void cpu_stream_close(Stream *s) {}
void cpu_stream_wait(Stream *s, Event *e) {}
uint64_t cpu_card(void) { return 0; }
bool cpu_synchronize(Stream *s) { return true; }

// ---- tokens that only the device knows yet

void cpu_tokens_take(Stream *s, int32_t *ids, int64_t count, const int32_t *kept)
{
    for (int64_t t = 0; t < count; t++)
        if (ids[t] < 0)
            ids[t] = kept[-1 - ids[t]];
}

void cpu_tokens_keep(Stream *s, int32_t *kept, const int32_t *token, const int32_t *slots, int64_t count)
{
    for (int64_t n = 0; n < count; n++)
        kept[slots[n]] = token[n];
}
