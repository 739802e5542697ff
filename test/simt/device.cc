// The part of the CUDA runtime library that we call: a card named SIMT with Hopper's limits, its memory and its errors.
// What is queued, and in which order it is done, is in stream.cc.
#include "runtime.h"
#include <map>
#include <stdio.h>

using namespace simt;

static cudaError_t last_error;

cudaError_t simt::result(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

// ---- errors

struct ErrorText {
    cudaError_t error;
    const char *name, *text;
};

static const ErrorText error_texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorSystemDriverMismatch, "cudaErrorSystemDriverMismatch",
     "system has unsupported display driver / cuda driver combination"},
};

static ErrorText error_text(cudaError_t error)
{
    for (const ErrorText &known : error_texts)
        if (known.error == error)
            return known;
    return ErrorText{error, "cudaErrorUnknown", "unknown error"};
}

const char *cudaGetErrorName(cudaError_t error) { return error_text(error).name; }
const char *cudaGetErrorString(cudaError_t error) { return error_text(error).text; }
cudaError_t cudaPeekAtLastError(void) { return last_error; }

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

// ---- the card

static int device_count() { return atoi(environment("SIMT_DEVICES", "1")); }
static int device_chosen;

cudaError_t simt::driver_state()
{
    int count = device_count();
    return count < 0 ? cudaErrorInsufficientDriver : count == 0 ? cudaErrorNoDevice : cudaSuccess;
}

static cudaError_t check_device(int device)
{
    if (driver_state() != cudaSuccess)
        return result(driver_state());
    return result(device < 0 || device >= device_count() ? cudaErrorInvalidDevice : cudaSuccess);
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = device_count() < 0 ? 11040 : device_count() == 0 ? 0 : 13000;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = max(device_count(), 0);
    return result(driver_state());
}

cudaError_t cudaGetDevice(int *device)
{
    *device = device_chosen;
    return result(driver_state());
}

cudaError_t cudaSetDevice(int device)
{
    cudaError_t error = check_device(device);
    if (error == cudaSuccess)
        device_chosen = device;
    return error;
}

static size_t shared_by_environment()
{
    size_t kibibytes = (size_t)atoi(environment("SIMT_SHARED", "0"));
    return kibibytes > 0 ? kibibytes << 10 : (size_t)MAX_SHARED;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "SIMT");
    sscanf(environment("SIMT_CAPABILITY", "9.0"), "%d.%d", &properties->major, &properties->minor);
    snprintf(properties->uuid.bytes, sizeof properties->uuid.bytes, "SIMT %d", device);
    properties->totalGlobalMem = device_memory_total();
    properties->sharedMemPerBlock = MAX_STATIC_SHARED, properties->sharedMemPerBlockOptin = shared_by_environment();
    properties->sharedMemPerMultiprocessor = MAX_SHARED + 1024;
    properties->multiProcessorCount = (int)strtol(environment("SIMT_MULTIPROCESSORS", "5"), NULL, 10),
    properties->warpSize = WARP, properties->maxThreadsPerBlock = MAX_THREADS;
    properties->maxThreadsPerMultiProcessor = 2048, properties->l2CacheSize = 50 << 20;
    return check_device(device);
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    cudaDeviceProp properties;
    cudaError_t error = cudaGetDeviceProperties(&properties, device);
    switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
        *value = properties.maxThreadsPerBlock;
        return error;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = (int)properties.sharedMemPerBlock;
        return error;
    case cudaDevAttrWarpSize:
        *value = properties.warpSize;
        return error;
    case cudaDevAttrMultiProcessorCount:
        *value = properties.multiProcessorCount;
        return error;
    case cudaDevAttrL2CacheSize:
        *value = properties.l2CacheSize;
        return error;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
        *value = properties.maxThreadsPerMultiProcessor;
        return error;
    case cudaDevAttrComputeCapabilityMajor:
        *value = properties.major;
        return error;
    case cudaDevAttrComputeCapabilityMinor:
        *value = properties.minor;
        return error;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = (int)properties.sharedMemPerBlockOptin;
        return error;
    }
    return result(cudaErrorInvalidValue);
}

cudaError_t cudaFuncSetAttribute(const void *, cudaFuncAttribute attribute, int value)
{
    bool legal = attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || (value >= 0 && value <= MAX_SHARED);
    return result(legal ? cudaSuccess : cudaErrorInvalidValue);
}

// Like a program that has code for Ampere and what came after it
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *)
{
    cudaDeviceProp properties;
    attributes->maxThreadsPerBlock = MAX_THREADS;
    if (cudaGetDeviceProperties(&properties, device_chosen) != cudaSuccess)
        return last_error;
    return result(properties.major < 8 ? cudaErrorNoKernelImageForDevice : cudaSuccess);
}

// ---- memory

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    catch_bad_addresses();
    if (driver_state() != cudaSuccess)
        return result(driver_state());
    *p = bytes == 0 ? NULL : device_memory(bytes);
    return result(*p == NULL && bytes > 0 ? cudaErrorMemoryAllocation : cudaSuccess);
}

cudaError_t cudaFree(void *p)
{
    finish_work();
    if (p == NULL || device_memory_free(p))
        return cudaSuccess;
    host_fault("cudaFree of %p: %s", p, describe_address(p));
    return result(cudaErrorInvalidValue);
}

static std::map<const char *, size_t> pinned; // where pieces of cudaMallocHost begin, and their bytes

bool simt::is_pinned(const void *p, size_t bytes)
{
    auto behind = pinned.upper_bound((const char *)p);
    if (behind == pinned.begin())
        return false;
    auto piece = std::prev(behind);
    return (const char *)p + bytes <= piece->first + piece->second;
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    *p = malloc(bytes);
    if (*p != NULL)
        pinned[(const char *)*p] = bytes;
    return result(*p == NULL && bytes > 0 ? cudaErrorMemoryAllocation : cudaSuccess);
}

cudaError_t cudaFreeHost(void *p)
{
    finish_work();
    pinned.erase((const char *)p);
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *unused, size_t *total)
{
    *unused = device_memory_unused(), *total = device_memory_total();
    return result(driver_state());
}

// A side that must be on the device has to be so from its first byte to its last, and a side that must not, not at all.
static bool side_is_right(const char *call, const char *side, const void *p, size_t bytes, bool on_device)
{
    if (on_device ? is_device_memory(p, bytes) : !is_of_device(p))
        return true;
    return host_fault("%s: its %s, %zu bytes from %p, should be in %s memory: %s", call, side, bytes, p,
                      on_device ? "device" : "the host's", describe_address(p));
}

cudaError_t simt::copy_now(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    if (bytes == 0)
        return cudaSuccess;
    bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (kind == cudaMemcpyDefault)
        to_device = is_of_device(to), from_device = is_of_device(from);
    if (!side_is_right("cudaMemcpy", "target", to, bytes, to_device) ||
        !side_is_right("cudaMemcpy", "source", from, bytes, from_device))
        return result(cudaErrorInvalidValue);
    device_memory_open(true);
    memmove(to, from, bytes);
    device_memory_open(false);
    return cudaSuccess;
}

bool simt_move(void *to, const void *from, size_t bytes, bool to_device)
{
    return copy_now(to, from, bytes, to_device ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost) == cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    finish_work();
    return copy_now(to, from, bytes, kind);
}

cudaError_t simt::set_now(void *p, int value, size_t bytes)
{
    if (bytes == 0)
        return cudaSuccess;
    if (!side_is_right("cudaMemset", "target", p, bytes, true))
        return result(cudaErrorInvalidValue);
    device_memory_open(true);
    memset(p, value, bytes);
    device_memory_open(false);
    return cudaSuccess;
}

cudaError_t cudaMemset(void *p, int value, size_t bytes)
{
    finish_work();
    return set_now(p, value, bytes);
}
