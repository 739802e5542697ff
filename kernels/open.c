// Chooses a backend. The CPU kernels exist once per instruction set; AVX2 and AVX-512 give equal bits, plain its own.
// The loops of kernels/naive.c, with the bits of AVX2, are for readers and tests. The CUDA kernels are there where nvcc
// was (HAVE_CUDA), and whether a GPU is, they say themselves.
#include "kernels/cuda_sizes.h"
#include "kernels/profile.h"
#include "system/machine.h"
#include "system/start.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

extern const Kernels kernels_cpu_plain, kernels_cpu_naive;
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
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
    if (avx512 && (wanted == NULL || strcmp(wanted, "avx512") == 0))
        return &kernels_cpu_avx512;
    if (avx2 && (wanted == NULL || strcmp(wanted, "avx2") == 0))
        return &kernels_cpu_avx2;
#endif
    if (wanted == NULL || strcmp(wanted, "plain") == 0)
        return &kernels_cpu_plain;
    if (strcmp(wanted, "naive") == 0)
        return &kernels_cpu_naive;
    fail("DEREASON_CPU=%s: not an instruction set of this machine; unset it, or take avx512, avx2, plain or naive",
         wanted);
    return NULL;
}

#if defined(HAVE_CUDA)
const Kernels *kernels_cuda_open(void);                    // kernels/cuda/backend.cu; NULL after fail()
const Kernels *kernels_cuda_cudnn(const Kernels *kernels); // kernels/cuda/attention_cudnn.cu; likewise
enum { CUDA_IS_BUILT = 1 };
#else
static const Kernels *kernels_cuda_open(void)
{
    fail("this build has no CUDA backend, because it was made without nvcc; install the CUDA toolkit and run make "
         "again, or use "
         "--device cpu");
    return NULL;
}
static const Kernels *kernels_cuda_cudnn(const Kernels *kernels) { return kernels; } // there are none of a GPU
enum { CUDA_IS_BUILT = 0 };
#endif

int kernels_threads(void) { return omp_get_max_threads(); }

static char passed_over[512];

const char *kernels_passed_over(void) { return passed_over[0] == 0 ? NULL : passed_over; }

static AttentionMaker attention_maker;

void kernels_take_attention(AttentionMaker whose) { attention_maker = whose; }

static bool cudnn_knows(const Kernels *kernels)
{
    const char *why = kernels_passed_over();
    if (!kernels->on_gpu)
        return fail_as(ERROR_USAGE,
                       "--attention cudnn: cuDNN computes on GPUs alone, and this run would be on the "
                       "CPU%s%s%s; give --attention own (for a plan: --device cuda)",
                       why == NULL ? "" : " (", why == NULL ? "" : why, why == NULL ? "" : ")");
    return kernels->activation_size == 2 ||
           fail_as(ERROR_USAGE, "--attention cudnn: cuDNN's attention is for bf16, and DEREASON_CUDA=fp32 asks for "
                                "another precision; unset it, or give --attention own");
}

// NULL after fail()
static const Kernels *with_attention(const Kernels *kernels)
{
    if (kernels == NULL || attention_maker == ATTENTION_OWN)
        return kernels;
    return cudnn_knows(kernels) ? kernels_cuda_cudnn(kernels) : NULL;
}

static bool known(const char *device)
{
    return strcmp(device, "auto") == 0 || strcmp(device, "cpu") == 0 || strcmp(device, "cuda") == 0 ||
           fail("--device %s: not a device; use auto, cpu or cuda", device);
}

static const Kernels *open_device(const char *device)
{
    bool automatic = strcmp(device, "auto") == 0, gpus = process_place()->wants_gpu;
    passed_over[0] = 0;
    if (gpus && strcmp(device, "cpu") == 0) {
        fail_as(ERROR_USAGE, "--gpus starts a process for each GPU, and --device cpu uses none; give --ranks instead");
        return NULL;
    }
    if (gpus || strcmp(device, "cuda") == 0) {
        const Kernels *kernels = kernels_cuda_open();
        if (kernels == NULL)
            fail_in(gpus ? "--gpus" : "--device cuda");
        return kernels;
    }
    if (automatic && CUDA_IS_BUILT) {
        const Kernels *kernels = kernels_cuda_open(); // also for a plan: it is of what a run would take
        if (kernels != NULL || error_kind() == ERROR_USAGE)
            return kernels;
        snprintf(passed_over, sizeof passed_over, "%s", error_text());
        error_clear();
    }
    return cpu_kernels(getenv("DEREASON_CPU"));
}

const Kernels *kernels_open(const char *device, int threads)
{
    if (!known(device))
        return NULL;
    threads_use(threads);
    return profile_table(with_attention(open_device(device)));
}

// A GPU or a library that is not here is planned for by its sizes alone.
const Kernels *kernels_for_plan(const char *device)
{
    static Kernels absent;
    bool parity, cuda = strcmp(device, "cuda") == 0 || process_place()->wants_gpu;
    if (!known(device) || (cuda && !cuda_precision(&parity)))
        return NULL;
    const Kernels *kernels = open_device(device);
    if (kernels == NULL && !cuda)
        return NULL;
    if (kernels == NULL) {
        error_clear();
        absent = (Kernels){0};
        cuda_sizes(&absent, parity);
        kernels = &absent;
    }
    if (attention_maker == ATTENTION_OWN)
        return kernels;
    if (!cudnn_knows(kernels))
        return NULL;
    absent = *kernels;
    cudnn_sizes(&absent);
    return &absent;
}
