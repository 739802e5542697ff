// Streams, events and graphs. There is one queue for all streams, and as long as nothing in it waits, work is done when
// its call returns. A copy from or to memory of cudaMallocHost waits: until an event behind it, a stream or the device
// is waited for, which is as late as CUDA allows; and so does everything that is queued behind it. A host that changes
// such memory too early, or reads it, so always gets what it deserves. While a stream is captured, launches are taken
// down instead; a graph does them again.
#include "runtime.h"
#include <deque>
#include <time.h>

using namespace simt;

typedef std::function<void()> Work;

struct CUstream_st {
    unsigned flags;
};

struct CUevent_st {
    double seconds; // when it was reached; negative: it was not
    int waiting;    // times that it stands in the queue
};

struct CUgraph_st {
    std::vector<Work> work;
};

struct CUgraphExec_st {
    std::vector<Work> work;
};

static std::deque<Work> queue;
static CUgraph_st *captured; // NULL: nothing is being captured

static void do_first()
{
    Work work = queue.front();
    queue.pop_front();
    work();
}

void simt::finish_work()
{
    while (!queue.empty())
        do_first();
}

void simt_queue(const Work &work)
{
    if (captured != NULL)
        captured->work.push_back(work);
    else if (!queue.empty())
        queue.push_back(work);
    else
        work();
}

static cudaError_t not_in_a_graph(const char *call)
{
    host_fault("%s while a graph is captured", call);
    return result(cudaErrorNotSupported);
}

// ---- copies

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t)
{
    if (captured != NULL)
        return not_in_a_graph("a copy");
    if ((kind == cudaMemcpyHostToDevice && is_pinned(from, bytes)) ||
        (kind == cudaMemcpyDeviceToHost && is_pinned(to, bytes))) {
        queue.push_back([=] { copy_now(to, from, bytes, kind); });
        return cudaSuccess;
    }
    if (kind == cudaMemcpyDeviceToDevice) {
        simt_queue([=] { copy_now(to, from, bytes, kind); });
        return cudaSuccess;
    }
    if (kind == cudaMemcpyHostToDevice && !queue.empty()) { // the runtime reads it before it returns
        std::vector<char> copy((const char *)from, (const char *)from + bytes);
        queue.push_back([=] { copy_now(to, copy.data(), bytes, kind); });
        return cudaSuccess;
    }
    finish_work();
    return copy_now(to, from, bytes, kind);
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t)
{
    simt_queue([=] { set_now(p, value, bytes); });
    return cudaSuccess;
}

// ---- streams

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    *stream = driver_state() == cudaSuccess ? new CUstream_st{flags} : NULL;
    return result(driver_state());
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) { return cudaStreamCreateWithFlags(stream, 0); }

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    finish_work();
    delete stream;
    return cudaSuccess;
}

static cudaError_t finish_all(const char *call)
{
    if (captured != NULL)
        return not_in_a_graph(call);
    finish_work();
    return result(driver_state());
}

cudaError_t cudaDeviceSynchronize(void) { return finish_all("cudaDeviceSynchronize"); }
cudaError_t cudaDeviceReset(void) { return finish_all("cudaDeviceReset"); }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return finish_all("cudaStreamSynchronize"); }
cudaError_t cudaStreamQuery(cudaStream_t) { return result(!queue.empty() ? cudaErrorNotReady : driver_state()); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }

// ---- events

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = driver_state() == cudaSuccess ? new CUevent_st{-1, 0} : NULL;
    return result(driver_state());
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    while (event->waiting > 0)
        do_first();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    cudaEventSynchronize(event);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t)
{
    if (captured != NULL)
        return not_in_a_graph("cudaEventRecord");
    event->waiting++;
    simt_queue([=] {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        event->seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
        event->waiting--;
    });
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) { return result(event->waiting > 0 ? cudaErrorNotReady : cudaSuccess); }

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    if (start->seconds < 0 || end->seconds < 0)
        return result(cudaErrorInvalidResourceHandle);
    *milliseconds = (float)(1000 * (end->seconds - start->seconds));
    return cudaSuccess;
}

// ---- graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (captured != NULL || stream == NULL) // the runtime's default stream cannot be captured
        return result(cudaErrorNotSupported);
    captured = new CUgraph_st;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph)
{
    *graph = captured;
    captured = NULL;
    return result(*graph == NULL ? cudaErrorInvalidValue : cudaSuccess);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *made, cudaGraph_t graph, unsigned long long)
{
    *made = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t made, cudaStream_t)
{
    if (captured != NULL)
        return not_in_a_graph("cudaGraphLaunch");
    for (const Work &work : made->work)
        simt_queue(work);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t made)
{
    finish_work();
    delete made;
    return cudaSuccess;
}
