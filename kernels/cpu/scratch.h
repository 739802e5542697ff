// Memory that a thread works in, kept from one call to the next until the thread ends, so that a call costs neither
// page faults nor the clearing of pages. What is in it at the start of a call is left from an earlier one.
#ifndef KERNELS_CPU_SCRATCH_H
#define KERNELS_CPU_SCRATCH_H

#include "system/start.h"
#include <pthread.h>
#include <stdlib.h>

typedef enum ScratchUse { SCRATCH_PRODUCT, SCRATCH_FEW, SCRATCH_ATTENTION, SCRATCH_SAMPLE, SCRATCH_USES } ScratchUse;

typedef struct Scratch {
    void *memory[SCRATCH_USES];
    size_t bytes[SCRATCH_USES];
} Scratch;

static pthread_key_t scratch_key;

static void scratch_free(void *scratch)
{
    for (int i = 0; i < SCRATCH_USES; i++)
        free(((Scratch *)scratch)->memory[i]);
    free(scratch);
}

static void scratch_prepare(void)
{
    if (pthread_key_create(&scratch_key, scratch_free) != 0)
        end_at_once("the CPU kernels: no thread-specific key left in this process", "");
}

// At least `bytes`, 64-byte aligned. Operations cannot fail, so a machine that has no megabytes left ends here.
static __attribute__((unused)) void *thread_scratch(ScratchUse use, size_t bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, scratch_prepare);
    Scratch *scratch = pthread_getspecific(scratch_key);
    if (scratch == NULL) {
        scratch = calloc(1, sizeof *scratch);
        if (scratch != NULL && pthread_setspecific(scratch_key, scratch) != 0)
            scratch = NULL;
    }
    if (scratch != NULL && scratch->bytes[use] < bytes) {
        free(scratch->memory[use]);
        scratch->bytes[use] = (bytes + 63) / 64 * 64;
        scratch->memory[use] = aligned_alloc(64, scratch->bytes[use]);
    }
    if (scratch == NULL || scratch->memory[use] == NULL)
        end_at_once("the CPU kernels: no memory for a thread's scratch; free some, or use fewer threads (--threads)",
                    "");
    return scratch->memory[use];
}

#endif
