// Streams, events and graphs. Each stream has a queue of its own. As long as nothing in it waits, work of an eager
// stream is done when its call returns. A copy from or to memory of cudaMallocHost waits: until an event behind it, the
// stream or the device is waited for, which is as late as CUDA allows; and so does everything that is queued behind it.
// A host that changes such memory too early, or reads it, so always gets what it deserves.
//
// What two streams do in which order is nobody's promise without an event between them, so one kind of them waits
// always: those that are made with cudaStreamNonBlocking, or with SIMT_STREAMS=early all others. Under one of the two
// orders an event that is missing shows. Work may also stand at the head of its queue without being done, as another
// process's part is not there yet (simt_stream_push). While a stream is captured, launches are taken down instead; a
// graph does them again.
#include "runtime.h"
#include <deque>
#include <list>
#include <memory>
#include <time.h>

using namespace simt;

typedef std::function<void()> Work;
typedef std::function<bool()> Step; // false: it is not done yet, and is tried again

struct CUstream_st {
    unsigned flags;
    std::deque<Step> queue;
};

struct Reached { // outlives its event, which may be destroyed while a stream waits for it
    int64_t recorded, reached;
    CUstream_st *stream; // that it was recorded on last
};

struct CUevent_st {
    double seconds; // when it was reached; negative: it was not
    std::shared_ptr<Reached> state;
};

struct CUgraph_st {
    std::vector<Work> work;
};

struct CUgraphExec_st {
    std::vector<Work> work;
};

static CUstream_st legacy;               // the runtime's default stream: it and the blocking ones wait for each other
static std::list<CUstream_st *> streams; // all others
static CUgraph_st *captured;             // NULL: nothing is being captured
static CUstream_st *captured_from;

static CUstream_st *stream_of(cudaStream_t stream) { return stream == NULL ? &legacy : stream; }

// ---- queues

// The first in the queue, if it can be done; a step that waits for another stream makes that one go on, too.
static bool do_first(CUstream_st *stream)
{
    Step step = stream->queue.front();
    if (!step())
        return false;
    stream->queue.pop_front();
    return true;
}

static void pause_for_others()
{
    const struct timespec moment = {0, 20000};
    nanosleep(&moment, NULL);
}

static void finish(CUstream_st *stream)
{
    while (!stream->queue.empty())
        if (!do_first(stream))
            pause_for_others();
}

static void finish_blocking()
{
    finish(&legacy);
    for (CUstream_st *stream : streams)
        if (!(stream->flags & cudaStreamNonBlocking))
            finish(stream);
}

void simt::finish_work()
{
    finish_blocking();
    for (CUstream_st *stream : streams)
        finish(stream);
}

static bool is_late(const CUstream_st *stream)
{
    static const bool early = strcmp(environment("SIMT_STREAMS", "late"), "early") == 0;
    return stream != &legacy && ((stream->flags & cudaStreamNonBlocking) != 0) != early;
}

// The runtime's default stream and the blocking ones wait for what the other has.
static void push(CUstream_st *stream, const Step &step, bool waits)
{
    if (stream == &legacy && legacy.queue.empty())
        finish_blocking();
    else if (stream != &legacy && !(stream->flags & cudaStreamNonBlocking))
        finish(&legacy);
    stream->queue.push_back(step);
    if (stream->queue.size() == 1 && !waits && !is_late(stream))
        do_first(stream);
}

void simt_queue(cudaStream_t stream, const Work &work)
{
    if (captured != NULL && stream_of(stream) == captured_from)
        captured->work.push_back(work);
    else
        push(
            stream_of(stream), [=] { return work(), true; }, false);
}

void simt_stream_push(cudaStream_t stream, bool (*step)(void *), void *context)
{
    push(
        stream_of(stream), [=] { return step(context); }, true);
}

static cudaError_t not_in_a_graph(const char *call)
{
    host_fault("%s while a graph is captured", call);
    return result(cudaErrorNotSupported);
}

// ---- copies

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s)
{
    CUstream_st *stream = stream_of(s);
    if (captured != NULL)
        return not_in_a_graph("a copy");
    if ((kind == cudaMemcpyHostToDevice && is_pinned(from, bytes)) ||
        (kind == cudaMemcpyDeviceToHost && is_pinned(to, bytes))) {
        push(
            stream, [=] { return copy_now(to, from, bytes, kind), true; }, true);
        return cudaSuccess;
    }
    if (kind == cudaMemcpyDeviceToDevice) {
        push(
            stream, [=] { return copy_now(to, from, bytes, kind), true; }, false);
        return cudaSuccess;
    }
    if (kind == cudaMemcpyHostToDevice && (!stream->queue.empty() || is_late(stream))) {
        std::vector<char> copy((const char *)from, (const char *)from + bytes); // it is read before the call returns
        push(
            stream, [=] { return copy_now(to, copy.data(), bytes, kind), true; }, false);
        return cudaSuccess;
    }
    stream == &legacy ? finish_blocking() : finish(stream);
    return copy_now(to, from, bytes, kind);
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream)
{
    simt_queue(stream, [=] { set_now(p, value, bytes); });
    return cudaSuccess;
}

// ---- streams

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    *stream = driver_state() == cudaSuccess ? new CUstream_st{flags, {}} : NULL;
    if (*stream != NULL)
        streams.push_back(*stream);
    return result(driver_state());
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) { return cudaStreamCreateWithFlags(stream, 0); }

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    finish(stream);
    streams.remove(stream);
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

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (captured != NULL)
        return not_in_a_graph("cudaStreamSynchronize");
    stream == NULL ? finish_blocking() : finish(stream);
    return result(driver_state());
}

// What it finds not ready goes on behind the answer, or nobody who asks again and again would see an end.
cudaError_t cudaStreamQuery(cudaStream_t s)
{
    CUstream_st *stream = stream_of(s);
    bool ready = stream->queue.empty();
    while (!stream->queue.empty() && do_first(stream)) {
    }
    return result(ready ? driver_state() : cudaErrorNotReady);
}

// ---- events

static bool is_reached(const Reached *event, int64_t recorded)
{
    while (event->reached < recorded && !event->stream->queue.empty() && do_first(event->stream)) {
    }
    return event->reached >= recorded;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    std::shared_ptr<Reached> state = event->state;
    int64_t recorded = state->recorded;
    if (captured != NULL)
        return not_in_a_graph("cudaStreamWaitEvent");
    if (state->stream != stream_of(stream)) // its own order is enough
        push(
            stream_of(stream), [=] { return is_reached(state.get(), recorded); }, false);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event =
        driver_state() == cudaSuccess ? new CUevent_st{-1, std::make_shared<Reached>(Reached{0, 0, &legacy})} : NULL;
    return result(driver_state());
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    int64_t recorded = event->state->recorded;
    while (!is_reached(event->state.get(), recorded))
        pause_for_others();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    cudaEventSynchronize(event);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    if (captured != NULL)
        return not_in_a_graph("cudaEventRecord");
    std::shared_ptr<Reached> state = event->state;
    int64_t recorded = ++state->recorded;
    state->stream = stream_of(stream);
    simt_queue(stream, [=] {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (state->recorded == recorded) // or it may be destroyed
            event->seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
        state->reached = recorded;
    });
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    bool ready = event->state->reached >= event->state->recorded;
    if (!ready)
        is_reached(event->state.get(), event->state->recorded); // as cudaStreamQuery
    return result(ready ? cudaSuccess : cudaErrorNotReady);
}

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
    captured_from = stream;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph)
{
    *graph = captured;
    captured = NULL;
    return result(*graph == NULL ? cudaErrorInvalidValue : cudaSuccess);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    bool now = captured != NULL && stream == captured_from;
    *status = now ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *made, cudaGraph_t graph, unsigned long long)
{
    *made = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t made, cudaStream_t stream)
{
    if (captured != NULL)
        return not_in_a_graph("cudaGraphLaunch");
    for (const Work &work : made->work)
        simt_queue(stream, work);
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
