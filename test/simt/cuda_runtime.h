// Stands in for the toolkit's cuda_runtime.h: the words of CUDA C++ for a C++ compiler, and the part of the runtime
// library that we call. What each of them means is in NVIDIA's documentation; what this implementation does is in
// simt.h. Missing on purpose: atomics on floats (their sums depend on the order) and __shared__ (SHARED of
// kernels/cuda/device.cuh works for both compilers).
#ifndef SIMT_CUDA_RUNTIME_H
#define SIMT_CUDA_RUNTIME_H

#include "simt.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ SIMT_INLINE
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))

#define threadIdx (simt_thread_index())
#define blockIdx (simt_block_index())
#define blockDim (simt_block_size())
#define gridDim (simt_grid_size())
enum { warpSize = 32 };

// ---- vectors

#define SIMT_VECTOR(type, name, bytes)                                                                                 \
    struct alignas(bytes) name##2 { type x, y; };                                                                      \
    struct alignas(2 * bytes) name##4 { type x, y, z, w; };                                                            \
    static inline name##2 make_##name##2(type x, type y) { return name##2 {x, y}; }                                    \
    static inline name##4 make_##name##4(type x, type y, type z, type w) { return name##4 {x, y, z, w}; }

SIMT_VECTOR(int, int, 8)
SIMT_VECTOR(unsigned, uint, 8)
SIMT_VECTOR(float, float, 8)

// ---- arithmetic

#define SIMT_SMALLEST_AND_LARGEST(type)                                                                                \
    static inline type min(type a, type b) { return b < a ? b : a; }                                                   \
    static inline type max(type a, type b) { return a < b ? b : a; }

SIMT_SMALLEST_AND_LARGEST(int)
SIMT_SMALLEST_AND_LARGEST(unsigned)
SIMT_SMALLEST_AND_LARGEST(long)
SIMT_SMALLEST_AND_LARGEST(unsigned long)
SIMT_SMALLEST_AND_LARGEST(long long)
SIMT_SMALLEST_AND_LARGEST(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }

template <typename To, typename From> static SIMT_INLINE To simt_bits(From from)
{
    static_assert(sizeof(To) == sizeof(From), "the same number of bytes");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

static inline unsigned __float_as_uint(float x) { return simt_bits<unsigned>(x); }
static inline int __float_as_int(float x) { return simt_bits<int>(x); }
static inline float __uint_as_float(unsigned x) { return simt_bits<float>(x); }
static inline float __int_as_float(int x) { return simt_bits<float>(x); }

static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
#define __expf(x) expf(x) // the C library has functions of these two names
#define __logf(x) logf(x)
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
static inline unsigned __brev(unsigned x)
{
    unsigned reversed = 0;
    for (int bit = 0; bit < 32; bit++)
        reversed |= (x >> bit & 1) << (31 - bit);
    return reversed;
}
static inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((uint64_t)x * y >> 32); }

// ---- memory: hints about caches are plain accesses

template <typename T> static SIMT_INLINE T __ldg(const T *p) { return *p; }
template <typename T> static SIMT_INLINE T __ldcs(const T *p) { return *p; }
template <typename T> static SIMT_INLINE T __ldcg(const T *p) { return *p; }
template <typename T> static SIMT_INLINE void __stcs(T *p, T value) { *p = value; }
template <typename T> static SIMT_INLINE void __stcg(T *p, T value) { *p = value; }

static SIMT_INLINE void __threadfence_block() {}
static SIMT_INLINE void __threadfence() { simt_fence(); }
static SIMT_INLINE void __trap() { SIMT_CALL(simt_trap()); }

#define SIMT_ATOMIC(name, kind)                                                                                        \
    static SIMT_INLINE int name(int *p, int value) { return simt_atomic(kind, p, value); }                             \
    static SIMT_INLINE unsigned name(unsigned *p, unsigned value) { return simt_atomic(kind, p, value); }              \
    static SIMT_INLINE unsigned long long name(unsigned long long *p, unsigned long long value)                        \
    {                                                                                                                  \
        return simt_atomic(kind, p, value);                                                                            \
    }

SIMT_ATOMIC(atomicAdd, SIMT_ADD)
SIMT_ATOMIC(atomicMin, SIMT_MIN)
SIMT_ATOMIC(atomicMax, SIMT_MAX)
SIMT_ATOMIC(atomicAnd, SIMT_AND)
SIMT_ATOMIC(atomicOr, SIMT_OR)
SIMT_ATOMIC(atomicXor, SIMT_XOR)
SIMT_ATOMIC(atomicExch, SIMT_EXCHANGE)
template <typename T> static SIMT_INLINE T atomicCAS(T *p, T expected, T value)
{
    return simt_compare_exchange(p, expected, value);
}

// ---- barriers, and what the lanes of a warp do together

static SIMT_INLINE void __syncthreads() { SIMT_CALL(simt_block_barrier()); }
static SIMT_INLINE void __syncwarp(unsigned mask = ~0u) { SIMT_CALL(simt_warp_barrier(mask)); }

static SIMT_INLINE unsigned __ballot_sync(unsigned mask, int vote) { return simt_ballot(mask, vote != 0); }
static SIMT_INLINE int __any_sync(unsigned mask, int vote) { return simt_ballot(mask, vote != 0) != 0; }
static SIMT_INLINE int __all_sync(unsigned mask, int vote) { return simt_ballot(mask, vote == 0) == 0; }

template <typename T>
static SIMT_INLINE T simt_shuffle_value(SimtShuffle kind, unsigned mask, T value, int by, int width)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "CUDA shuffles 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = simt_shuffle(kind, mask, bits, by, width);
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <typename T> static SIMT_INLINE T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize)
{
    return simt_shuffle_value(SIMT_SHUFFLE_FROM, mask, value, lane, width);
}
template <typename T> static SIMT_INLINE T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = warpSize)
{
    return simt_shuffle_value(SIMT_SHUFFLE_UP, mask, value, (int)by, width);
}
template <typename T> static SIMT_INLINE T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = warpSize)
{
    return simt_shuffle_value(SIMT_SHUFFLE_DOWN, mask, value, (int)by, width);
}
template <typename T> static SIMT_INLINE T __shfl_xor_sync(unsigned mask, T value, int by, int width = warpSize)
{
    return simt_shuffle_value(SIMT_SHUFFLE_XOR, mask, value, by, width);
}

// ---- the runtime library (device.cc, stream.cc)

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInitializationError = 3,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorNotReady = 600,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchFailure = 719,
    cudaErrorNotSupported = 801,
    cudaErrorSystemDriverMismatch = 803,
    cudaErrorUnknown = 999
} cudaError_t;

enum cudaMemcpyKind {
    cudaMemcpyHostToHost = 0,
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4
};

enum cudaFuncAttribute {
    cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
    cudaFuncAttributePreferredSharedMemoryCarveout = 9
};

enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrMaxSharedMemoryPerBlock = 8,
    cudaDevAttrWarpSize = 10,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrMaxThreadsPerMultiProcessor = 39,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};

enum cudaDriverEntryPointQueryResult {
    cudaDriverEntryPointSuccess = 0,
    cudaDriverEntryPointSymbolNotFound = 1,
    cudaDriverEntryPointVersionNotSufficent = 2
};
enum { cudaEnableDefault = 0 };

struct cudaUUID_t {
    char bytes[16];
};

struct cudaDeviceProp {
    char name[256];
    cudaUUID_t uuid;
    size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin, sharedMemPerMultiprocessor;
    int major, minor, multiProcessorCount, warpSize, maxThreadsPerBlock, maxThreadsPerMultiProcessor, l2CacheSize,
        ECCEnabled;
};

struct cudaFuncAttributes {
    int maxThreadsPerBlock;
};

typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;
typedef struct CUgraph_st *cudaGraph_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;
typedef enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal = 0,
    cudaStreamCaptureModeThreadLocal = 1,
    cudaStreamCaptureModeRelaxed = 2
} cudaStreamCaptureMode;
typedef enum cudaStreamCaptureStatus {
    cudaStreamCaptureStatusNone = 0,
    cudaStreamCaptureStatusActive = 1,
    cudaStreamCaptureStatusInvalidated = 2
} cudaStreamCaptureStatus;
enum { cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0 };

extern "C" {
const char *cudaGetErrorName(cudaError_t error);
const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version,
                                             unsigned long long flags, cudaDriverEntryPointQueryResult *result);

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaDeviceReset(void);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *kernel);

cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t bytes);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemGetInfo(size_t *unused, size_t *total);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream = 0);
cudaError_t cudaMemset(void *p, int value, size_t bytes);
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream = 0);

cudaError_t cudaStreamCreate(cudaStream_t *stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreate(cudaEvent_t *event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = 0);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *made, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t made, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t made);
}

template <typename T> static inline cudaError_t cudaMalloc(T **p, size_t bytes)
{
    return cudaMalloc((void **)p, bytes);
}

#endif
