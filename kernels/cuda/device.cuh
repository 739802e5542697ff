// What every CUDA source of ours includes: the toolkit, how a kernel is launched, how it declares shared memory. The
// same sources compile with nvcc for a GPU and with a C++ compiler against test/simt/, whose cuda_runtime.h and
// cuda_bf16.h stand in for the toolkit's and run every thread of a block as a fiber. Where the two differ there is a
// macro here, or a wrapper in ptx.cuh.
//
// A source is compiled once for each PRECISION (bf16, or fp32 for parity), with everything of one in its namespace.
#ifndef KERNELS_CUDA_DEVICE_CUH
#define KERNELS_CUDA_DEVICE_CUH

#include "kernels/kernels.h"
#include <cuda_bf16.h>
#include <cuda_runtime.h>

// Remembers the first thing that went wrong on the device; the next download or synchronize fails with it.
void device_check(cudaError_t result, const char *what);
// Likewise, of what a library would not do: the device is well, and the message is this. device_refused: whether that
// was so; forget: and it is over, for a benchmark, to which it says that there is no peer.
void device_refuse(const char *why);
bool device_refused(bool forget);

// What a Stream of NULL means: one of our own, which can be captured into a graph. The runtime's default stream cannot.
cudaStream_t device_stream(void);
static inline cudaStream_t stream_of(Stream *s) { return s == NULL ? device_stream() : (cudaStream_t)(void *)s; }

// SHARED(float, sums, 32): a static array in shared memory. dynamic_shared<T>(): the launch's dynamic one. On 16 bytes.
#if defined(__CUDACC__)
#define SHARED(type, name, count) __shared__ __align__(16) type name[count]
template <typename T> __device__ inline T *dynamic_shared()
{
    extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];
    return (T *)dynamic_shared_memory;
}
#else
#define SHARED(type, name, count)                                                                                      \
    type *const name = (type *)simt_static_shared(sizeof(type) * (count), __FILE__, __LINE__)
template <typename T> inline T *dynamic_shared() { return (T *)simt_dynamic_shared(); }
#endif

// A kernel that is launched early (programmatic dependent launch, Hopper) begins while those in front of it in the
// stream still run, and waits for them by dependency_wait() (ptx.cuh). So:
//   - before a thread has waited it writes nothing to the device's memory, and reads only what no kernel of the same
//     graph writes: weights, tables, what came with the batch (positions, contexts, numbers of pages, lists of pieces),
//     and of pages the blocks that were full before;
//   - nothing is read by __ldg or through __restrict__, which let the compiler put a read in front of the wait;
//   - every block waits, even one that needs nothing from the kernel in front: that it has ended tells the next one
//     that everything before has, too;
//   - it happens only while a graph is taken down, whose operations write no weight. So none of them begins before an
//     optimizer's step, or an upload, is through.
// SIMT's race build knows the first two rules, and names the access, or the kernel, that breaks one.
// A kernel in front of an early one says by dependents_may_begin() from when on that may take the room it has left.
bool device_launches_early(Stream *s); // a graph is taken down from the stream, and the card can

// launch(stream, grid, block, bytes of dynamic shared memory, kernel, arguments...). An empty grid launches nothing.
template <typename... Parameters, typename... Arguments>
static void launch_early_if(bool early, Stream *s, dim3 grid, dim3 block, size_t shared, void (*kernel)(Parameters...),
                            Arguments... arguments)
{
    if (grid.x == 0 || grid.y == 0 || grid.z == 0)
        return;
#if defined(__CUDACC__)
    if (shared > 48 << 10)
        device_check(
            cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared),
            "shared memory of a kernel");
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t how = {};
    how.gridDim = grid, how.blockDim = block, how.dynamicSmemBytes = shared, how.stream = stream_of(s);
    how.attrs = &attribute, how.numAttrs = early;
    device_check(cudaLaunchKernelEx(&how, kernel, (Parameters)arguments...), "launching a kernel");
#else
    simt_launch(
        grid, block, shared, [=] { kernel((Parameters)arguments...); }, stream_of(s), 1, early);
#endif
}

template <typename... Parameters, typename... Arguments>
static void launch(Stream *s, dim3 grid, dim3 block, size_t shared, void (*kernel)(Parameters...),
                   Arguments... arguments)
{
    launch_early_if(false, s, grid, block, shared, kernel, arguments...);
}

// The same for kernels that wait for those in front
template <typename... Parameters, typename... Arguments>
static void launch_early(Stream *s, dim3 grid, dim3 block, size_t shared, void (*kernel)(Parameters...),
                         Arguments... arguments)
{
    launch_early_if(device_launches_early(s), s, grid, block, shared, kernel, arguments...);
}

#endif
