// Every build of the CPU kernels that this machine can run, for tests that go over all of them.
#ifndef TEST_BACKENDS_H
#define TEST_BACKENDS_H

#include "kernels/kernels.h"
#include <stdlib.h>

// avx512, avx2, plain or naive; NULL where this machine cannot run it.
static inline const Kernels *backend(const char *instruction_set)
{
    const char *before = getenv("DEREASON_CPU");
    char *kept = before == NULL ? NULL : copy_text(before);
    setenv("DEREASON_CPU", instruction_set, 1);
    const Kernels *kernels = kernels_open("cpu", 0);
    if (kept == NULL)
        unsetenv("DEREASON_CPU");
    else
        setenv("DEREASON_CPU", kept, 1);
    free(kept);
    return kernels;
}

#endif
