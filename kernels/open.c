// Chooses a backend. The CPU kernels exist once per instruction set; AVX2 and AVX-512 give equal bits, plain its own.
#include "kernels/kernels.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

extern const Kernels kernels_cpu_plain;
#if defined(__x86_64__)
extern const Kernels kernels_cpu_avx2, kernels_cpu_avx512;
#endif

static const Kernels *cpu_kernels(const char *wanted)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                __builtin_cpu_supports("bmi2"); // x86-64-v3, as far as a program may ask
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && (wanted == NULL || strcmp(wanted, "avx512") == 0))
        return &kernels_cpu_avx512;
    if (avx2 && (wanted == NULL || strcmp(wanted, "avx2") == 0))
        return &kernels_cpu_avx2;
#endif
    if (wanted == NULL || strcmp(wanted, "plain") == 0)
        return &kernels_cpu_plain;
    fail("DEREASON_CPU=%s: not an instruction set of this machine; unset it, or take avx512, avx2 or plain", wanted);
    return NULL;
}

int kernels_threads(void) { return omp_get_max_threads(); }

const Kernels *kernels_open(const char *device, int threads)
{
    if (strcmp(device, "cuda") == 0) {
        fail("--device cuda: this build has no CUDA backend; use --device cpu");
        return NULL;
    }
    if (strcmp(device, "auto") != 0 && strcmp(device, "cpu") != 0) {
        fail("--device %s: not a device; use auto, cpu or cuda", device);
        return NULL;
    }
    if (threads > 0)
        omp_set_num_threads(threads);
    return cpu_kernels(getenv("DEREASON_CPU"));
}
