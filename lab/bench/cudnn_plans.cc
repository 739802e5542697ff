// Makes cuDNN's plans for attention of models that people train, on a card that need not be there: what the library
// itself says of our graphs, without a GPU. For each a line: how long it took, and what it works in, which must be no
// more than --plan counts on. It wants libcudnn.so.9 of 9.28 or newer, with its cuBLASLt, and instead of a driver the
// stand-in of test/simt/driver.c without devices: test/crash/cudnn.sh runs it where dev/setup.sh --cuda has brought
// them.
#include "kernels/cuda/cudnn.h"
#include <stdio.h>
#include <string.h>

using namespace PRECISION;

// As cuDNN writes an H100 down (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION), from NVIDIA's tables of compute capability
// 9.0 and of the card.
static const char H100[] =
    "{\"cudaDeviceId\":0,\"deviceName\":\"NVIDIA H100 80GB HBM3\",\"deviceVer\":900,\"driverVer\":13000,"
    "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,"
    "\"multiProcessorCount\":132,\"smCountOrigin\":0,\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,"
    "\"maxSharedMemoryPerBlockOptin\":232448,\"oversizedSharedMemoryPerBlock\":0,"
    "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,\"maxCtasPerSM\":32,"
    "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"pciDeviceId\":0,\"isTccDriver\":0,"
    "\"supportCoopLaunch\":1,\"smClockRateKHz\":1980000,\"memClockRateKHz\":2619000,\"memoryBusWidth\":5120,"
    "\"l2CacheSize\":52428800,\"totalGlobalMem\":84974239744}";

// Heads as in Qwen3-4B and 8B, 0.6B and 1.7B, 14B, 32B, Qwen2.5-0.5B; and of the tests. The first two are tried always.
static const struct {
    int64_t heads, kv_heads, width;
} MODELS[] = {{32, 8, 128}, {14, 2, 64}, {16, 8, 128}, {40, 8, 128}, {64, 8, 128}, {2, 1, 64}, {8, 8, 64}};

static bool try_plan(AttentionShape s, bool side_by_side)
{
    int64_t all = (s.heads + 2 * s.kv_heads) * s.head_width, q = s.heads * s.head_width;
    int64_t turned = side_by_side ? all : q + s.kv_heads * s.head_width; // with QK-norm v lies elsewhere
    const int64_t pitch[ATTENTION_ARRAYS] = {turned, turned, all, q, s.heads, q, all, all, all};
    memcpy(s.pitch, pitch, sizeof pitch[0] * (size_t)(s.backward ? ATTENTION_ARRAYS : LOGSUMEXP + 1));
    Kernels k = {};
    cudnn_sizes(&k);
    double begun = clock_seconds(),
           planned = 4.0 * (double)k.attention_room(s.tokens, s.sequences, s.heads, s.kv_heads, s.head_width);
    const AttentionPlan *plan = cudnn_plan(&s);
    if (plan == NULL) {
        printf("FAILED: %s\n", error_text());
        return false;
    }
    bool fits = (double)plan->workspace + (double)cudnn_layout_bytes(s.sequences) <= planned;
    printf("%s H %lld Hkv %lld D %lld, %lld sequences of %lld: %.2f s, works in %.1f of %.1f MB%s\n",
           s.backward ? "backward" : "forward ", (long long)s.heads, (long long)s.kv_heads, (long long)s.head_width,
           (long long)s.sequences, (long long)s.positions, clock_seconds() - begun, (double)plan->workspace / 1e6,
           planned / 1e6, fits ? "" : ": FAILED, more than is planned");
    return fits;
}

int main(int count, char **arguments)
{
    bool all = count > 1 && strcmp(arguments[1], "--all") == 0, ok = true;
    if (!cudnn_open_for(H100)) {
        printf("FAILED: %s\n", error_text());
        return 1;
    }
    for (size_t i = 0; i < (all ? sizeof MODELS / sizeof MODELS[0] : 2); i++)
        for (int64_t backward = 0; backward < 2; backward++)
            for (int64_t sequences = 16; sequences <= (all ? 256 : 16); sequences *= 16) {
                AttentionShape s = {};
                s.backward = backward, s.sequences = sequences, s.positions = sequences == 16 ? 4096 : 128;
                s.tokens = backward ? 16384 : 0;
                s.heads = MODELS[i].heads, s.kv_heads = MODELS[i].kv_heads, s.head_width = MODELS[i].width;
                ok = try_plan(s, i % 2 == 0) && ok;
            }
    return ok ? 0 : 1;
}
