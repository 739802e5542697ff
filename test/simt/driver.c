// A stand-in for the driver's library beside the SIMT runtime: as far as ranks/gpus.c asks it, how many cards there
// are, by the SIMT_DEVICES of test/simt/device.cc; and as far as cuDNN asks it while it makes plans for a card that is
// not there (lab/bench/cudnn_plans.cc), that every kernel can be loaded. Nothing is.
#include <stdlib.h>

enum { DONE = 0, NO_DEVICE = 100 }; // CUDA_ERROR_NO_DEVICE

int cuInit(unsigned flags);
int cuDeviceGetCount(int *count);

static int devices(void)
{
    const char *text = getenv("SIMT_DEVICES");
    return text == NULL ? 1 : atoi(text);
}

int cuInit(unsigned flags) { return devices() > 0 ? DONE : NO_DEVICE; }

int cuDeviceGetCount(int *count)
{
    *count = devices();
    return DONE;
}

// ---- for cuDNN: what gives a handle gives one that nobody looks at; what asks a device there is none to ask

#define GIVES(name)                                                                                                    \
    int name(void **handle);                                                                                           \
    int name(void **handle)                                                                                            \
    {                                                                                                                  \
        static char nothing;                                                                                           \
        *handle = &nothing;                                                                                            \
        return DONE;                                                                                                   \
    }
#define ANSWERS(name, answer)                                                                                          \
    int name(void);                                                                                                    \
    int name(void) { return answer; }

GIVES(cuLibraryLoadData)
GIVES(cuLibraryGetKernel)
GIVES(cuKernelGetFunction)
GIVES(cuModuleLoadData)
GIVES(cuModuleGetFunction)
ANSWERS(cuLibraryUnload, DONE)
ANSWERS(cuModuleUnload, DONE)
ANSWERS(cuKernelSetAttribute, DONE)
ANSWERS(cuKernelGetAttribute, DONE)
ANSWERS(cuOccupancyMaxPotentialClusterSize, DONE)
ANSWERS(cuLibraryLoadFromFile, NO_DEVICE)
ANSWERS(cuLinkCreate, NO_DEVICE)
ANSWERS(cuLinkAddData, NO_DEVICE)
ANSWERS(cuLinkComplete, NO_DEVICE)
ANSWERS(cuLinkDestroy, NO_DEVICE)
ANSWERS(cuLaunchKernel, NO_DEVICE)
ANSWERS(cuLaunchKernelEx, NO_DEVICE)
ANSWERS(cuLaunchCooperativeKernel, NO_DEVICE)
ANSWERS(cuTensorMapEncodeTiled, NO_DEVICE)
ANSWERS(cuTensorMapEncodeIm2col, NO_DEVICE)
ANSWERS(cuStreamGetCtx, NO_DEVICE)
ANSWERS(cuCtxGetCurrent, NO_DEVICE)
ANSWERS(cuCtxPushCurrent, NO_DEVICE)
ANSWERS(cuCtxPopCurrent, NO_DEVICE)
ANSWERS(cuCtxGetLimit, NO_DEVICE)
ANSWERS(cuDeviceGet, NO_DEVICE)
ANSWERS(cuDriverGetVersion, NO_DEVICE)
ANSWERS(cuGetErrorName, NO_DEVICE)
ANSWERS(cuGetErrorString, NO_DEVICE)
