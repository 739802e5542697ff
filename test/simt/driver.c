// A stand-in for the driver's library beside the SIMT runtime, as far as ranks/gpus.c asks it: how many cards there
// are, by the SIMT_DEVICES of test/simt/device.cc.
#include <stdlib.h>

int cuInit(unsigned flags);
int cuDeviceGetCount(int *count);

static int devices(void)
{
    const char *text = getenv("SIMT_DEVICES");
    return text == NULL ? 1 : atoi(text);
}

int cuInit(unsigned flags) { return devices() > 0 ? 0 : 100; } // CUDA_ERROR_NO_DEVICE

int cuDeviceGetCount(int *count)
{
    *count = devices();
    return 0;
}
