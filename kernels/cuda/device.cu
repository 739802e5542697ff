// The device itself: finding it, its memory, what becomes of errors, and what knows no precision. Calls of the runtime
// are asynchronous, so an error may belong to an operation queued long before: the first one is kept, and the next
// download or synchronize fails with it. Nothing that a broken device computed is ever read or saved.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/operations.h"
#include "kernels/cuda/ptx.cuh"
#include "system/start.h"
#include <stdio.h>
#include <string.h>

static char first_error[512];
static bool refused; // it is a library's, and nothing is wrong with the GPU
static int card;     // of those that are visible

void device_check(cudaError_t result, const char *what)
{
    if (result != cudaSuccess && first_error[0] == 0)
        snprintf(first_error, sizeof first_error, "%s: %s (%s)", what, cudaGetErrorString(result),
                 cudaGetErrorName(result));
}

void device_refuse(const char *why)
{
    if (first_error[0] != 0)
        return;
    snprintf(first_error, sizeof first_error, "%s", why);
    refused = true;
}

bool device_refused(bool forget)
{
    bool so = refused;
    if (so && forget) {
        first_error[0] = 0;
        refused = false;
    }
    return so;
}

static bool healthy(void)
{
    device_check(cudaGetLastError(), "a kernel");
    if (refused)
        return fail("%s; nothing computed since is kept, and the last checkpoint stands", first_error);
    return first_error[0] == 0 || fail("the GPU reported an error, and nothing it computed since can be trusted: %s; "
                                       "the last checkpoint stands: run the "
                                       "same command again, and under compute-sanitizer if it comes back",
                                       first_error);
}

// ---- finding it

static bool no_device(cudaError_t result)
{
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        return fail("there is no NVIDIA driver on this machine; install one, or use --device cpu");
    if (result == cudaErrorInsufficientDriver || driver / 1000 < runtime / 1000)
        return fail(
            "the NVIDIA driver is for CUDA %d.%d, this build for CUDA %d.%d; update the driver, or use --device cpu",
            driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    if (result == cudaErrorNoDevice || result == cudaSuccess)
        return fail("no GPU is visible (CUDA_VISIBLE_DEVICES hides them, or there is none); use --device cpu");
    return fail("looking for a GPU: %s; use --device cpu", cudaGetErrorString(result));
}

// A kernel of this build can be loaded: there is code for this card in it.
__global__ void probe_kernel() {}

static bool card_suits(const cudaDeviceProp *p, size_t shared)
{
    if (p->major < 8)
        return fail("the %s has compute capability %d.%d, and the CUDA kernels need 8.0 or more (bf16 tensor cores, "
                    "asynchronous "
                    "copies); use --device cpu",
                    p->name, p->major, p->minor);
    if (p->sharedMemPerBlockOptin < shared)
        return fail("the %s gives a block %d KiB of shared memory, and the CUDA kernels need %d; use --device cpu",
                    p->name, (int)(p->sharedMemPerBlockOptin >> 10), (int)(shared >> 10));
    cudaFuncAttributes attributes;
    cudaError_t result = cudaFuncGetAttributes(&attributes, (const void *)probe_kernel);
    if (result == cudaSuccess)
        return true;
    cudaGetLastError();
    return fail("this build has no code for the %s (compute capability %d.%d): %s; build with make CUDA_ARCHS=%d%d",
                p->name, p->major, p->minor, cudaGetErrorString(result), p->major, p->minor);
}

// Of several processes on a host each has the card of its place; one that is shown a single card has that one, which
// its launcher has chosen for it.
static bool choose_card(int count)
{
    int place = process_place()->local_rank;
    card = count == 1 ? 0 : place;
    return card < count ||
           fail_as(ERROR_USAGE,
                   "this process is number %d of the run on its host, counted from 0, and sees %d GPUs; start as many "
                   "processes on a host as it has GPUs (--gpus all), or use --device cpu",
                   place, count);
}

bool device_open(size_t shared)
{
    int count = 0;
    cudaDeviceProp properties;
    cudaError_t result = cudaGetDeviceCount(&count);
    if (result != cudaSuccess || count == 0) {
        cudaGetLastError(); // it is said here, and not again
        return no_device(result);
    }
    TRY(choose_card(count));
    result = cudaGetDeviceProperties(&properties, card);
    if (result == cudaSuccess)
        result = cudaSetDevice(card);
    if (result != cudaSuccess)
        return fail("asking the GPU what it is: %s", cudaGetErrorString(result));
    return card_suits(&properties, shared) && healthy();
}

const char *device_describe(void)
{
    static char text[400];
    cudaDeviceProp p;
    size_t available = 0, total = 0;
    if (cudaGetDeviceProperties(&p, card) != cudaSuccess || cudaMemGetInfo(&available, &total) != cudaSuccess)
        return "a GPU that does not answer";
    snprintf(text, sizeof text, "%s, %.1f of %.1f GiB free; %s", p.name, (double)available / 0x1p30,
             (double)total / 0x1p30, bf16::product_maker());
    return text;
}

uint64_t device_card(void)
{
    cudaDeviceProp p;
    return cudaGetDeviceProperties(&p, card) == cudaSuccess ? hash_bytes(p.uuid.bytes, sizeof p.uuid.bytes) : 0;
}

// Generations of cards add up a tensor core's sixteen products differently.
const char *device_arithmetic(const char *precision)
{
    static char text[64];
    cudaDeviceProp p;
    if (cudaGetDeviceProperties(&p, card) != cudaSuccess)
        return precision;
    snprintf(text, sizeof text, "%s, compute capability %d.x", precision, p.major);
    return text;
}

int device_major(void)
{
    static int major;
    if (major == 0)
        device_check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, card),
                     "asking the GPU for its compute capability");
    return major;
}

int device_multiprocessors(void)
{
    static int count;
    if (count == 0)
        device_check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, card),
                     "asking the GPU for its multiprocessors");
    return count > 0 ? count : 1;
}

// It waits for the runtime's default stream and is waited for by it, so that other libraries' work falls into place.
cudaStream_t device_stream(void)
{
    static cudaStream_t stream;
    if (stream == NULL)
        device_check(cudaStreamCreate(&stream), "making a stream");
    return stream;
}

// ---- memory

size_t device_memory_available(void)
{
    size_t available = 0, total = 0;
    device_check(cudaMemGetInfo(&available, &total), "asking the GPU for its free memory");
    return available;
}

void *device_allocate(size_t bytes)
{
    void *p = NULL;
    size_t available = 0, total = 0;
    cudaError_t result = cudaMalloc(&p, bytes > 0 ? bytes : 1);
    if (result != cudaSuccess) {
        cudaGetLastError();
        cudaMemGetInfo(&available, &total);
        fail("the GPU has %.2f of its %.2f GiB free, and %.2f are asked for (%s)", (double)available / 0x1p30,
             (double)total / 0x1p30, (double)bytes / 0x1p30, cudaGetErrorString(result));
        return NULL;
    }
    device_zero(NULL, p, bytes);
    return p;
}

void device_release(void *p) { device_check(cudaFree(p), "giving memory back"); }

void device_upload(Stream *s, void *device, const void *host, size_t bytes)
{
    // from memory that is not pinned the call returns when the bytes have been read
    device_check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_of(s)), "copying to the GPU");
}

bool device_download(Stream *s, void *host, const void *device, size_t bytes)
{
    device_check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_of(s)), "copying from the GPU");
    return device_synchronize(s);
}

bool device_synchronize(Stream *s)
{
    device_check(cudaStreamSynchronize(stream_of(s)), "the operations up to here");
    return healthy();
}

void device_zero(Stream *s, void *p, size_t bytes)
{
    device_check(cudaMemsetAsync(p, 0, bytes, stream_of(s)), "clearing memory");
}

// ---- work that the host does not wait for

void *device_host_allocate(size_t bytes)
{
    void *p = NULL;
    cudaError_t result = cudaMallocHost(&p, bytes > 0 ? bytes : 1);
    if (result != cudaSuccess) {
        cudaGetLastError();
        fail("no %zu bytes of memory that the GPU can copy from (%s)", bytes, cudaGetErrorString(result));
        return NULL;
    }
    memset(p, 0, bytes);
    return p;
}

void device_host_release(void *p) { device_check(cudaFreeHost(p), "giving memory of the host back"); }

void device_upload_later(Stream *s, void *device, const void *host, size_t bytes)
{
    device_upload(s, device, host, bytes);
}

void device_download_later(Stream *s, void *host, const void *device, size_t bytes)
{
    device_check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_of(s)), "copying from the GPU");
}

Event *device_event_open(bool timed)
{
    cudaEvent_t event = NULL;
    cudaError_t result = cudaEventCreateWithFlags(&event, timed ? cudaEventDefault : cudaEventDisableTiming);
    if (result == cudaSuccess)
        return (Event *)(void *)event;
    cudaGetLastError();
    fail("making an event: %s", cudaGetErrorString(result));
    return NULL;
}

static cudaEvent_t event_of(Event *e) { return (cudaEvent_t)(void *)e; }

void device_event_close(Event *e) { device_check(cudaEventDestroy(event_of(e)), "giving an event back"); }
void device_event_record(Stream *s, Event *e)
{
    device_check(cudaEventRecord(event_of(e), stream_of(s)), "recording an event");
}

bool device_event_wait(Event *e)
{
    device_check(cudaEventSynchronize(event_of(e)), "the operations up to here");
    return healthy();
}

bool device_event_reached(Event *e, bool *reached)
{
    cudaError_t result = cudaEventQuery(event_of(e));
    *reached = result == cudaSuccess;
    if (result == cudaErrorNotReady)
        cudaGetLastError(); // it is an answer
    else
        device_check(result, "the operations up to here");
    return healthy();
}

double device_event_seconds(Event *from, Event *to)
{
    float milliseconds = 0;
    device_check(cudaEventElapsedTime(&milliseconds, event_of(from), event_of(to)), "the time between two events");
    return milliseconds / 1e3;
}

// ---- a stream beside the default one

Stream *device_stream_open(void)
{
    cudaStream_t stream = NULL;
    cudaError_t result = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (result == cudaSuccess)
        return (Stream *)(void *)stream;
    cudaGetLastError();
    fail("making a stream: %s", cudaGetErrorString(result));
    return NULL;
}

void device_stream_close(Stream *s) { device_check(cudaStreamDestroy(stream_of(s)), "giving a stream back"); }

void device_stream_wait(Stream *s, Event *e)
{
    device_check(cudaStreamWaitEvent(stream_of(s), event_of(e), 0), "waiting for an event");
}

// ---- graphs

static cudaStream_t taken_from; // while a graph is taken down

bool device_launches_early(Stream *s)
{
    return taken_from != NULL && taken_from == stream_of(s) && device_major() >= 9;
}

bool device_graph_begin(Stream *s)
{
    taken_from = stream_of(s);
    device_check(cudaStreamBeginCapture(stream_of(s), cudaStreamCaptureModeThreadLocal), "taking a graph down");
    return healthy();
}

Graph *device_graph_end(Stream *s)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t made = NULL;
    taken_from = NULL;
    device_check(cudaStreamEndCapture(stream_of(s), &graph), "taking a graph down");
    if (graph != NULL) {
        device_check(cudaGraphInstantiate(&made, graph, 0), "making a graph");
        device_check(cudaGraphDestroy(graph), "giving a graph back");
    }
    return healthy() ? (Graph *)(void *)made : NULL;
}

void device_graph_launch(Stream *s, Graph *g)
{
    device_check(cudaGraphLaunch((cudaGraphExec_t)(void *)g, stream_of(s)), "launching a graph");
}

void device_graph_close(Graph *g)
{
    device_check(cudaGraphExecDestroy((cudaGraphExec_t)(void *)g), "giving a graph back");
}

// ---- tokens that only the device knows yet

enum { THREADS = 128 };

static __global__ void __launch_bounds__(THREADS) take_tokens(int32_t *ids, int64_t count, const int32_t *kept)
{
    int64_t t = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (t < count && ids[t] < 0)
        ids[t] = kept[-1 - ids[t]];
}

static __global__ void __launch_bounds__(THREADS)
    keep_tokens(int32_t *kept, const int32_t *token, const int32_t *slots, int64_t count)
{
    int64_t n = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    dependents_may_begin();
    dependency_wait();
    if (n < count)
        kept[slots[n]] = token[n];
}

// The first of a graph's kernels, and not early: behind it none of the pass before runs any more.
void device_tokens_take(Stream *s, int32_t *ids, int64_t count, const int32_t *kept)
{
    launch(s, ceil_divide(count, THREADS), THREADS, 0, take_tokens, ids, count, kept);
}

void device_tokens_keep(Stream *s, int32_t *kept, const int32_t *token, const int32_t *slots, int64_t count)
{
    launch_early(s, ceil_divide(count, THREADS), THREADS, 0, keep_tokens, kept, token, slots, count);
}
