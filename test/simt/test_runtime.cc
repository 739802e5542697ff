// The runtime library: streams, events, pinned copies, graphs, the card that the environment describes, and the end of
// its memory.
#include "test/support/simt_check.h"

static void streams_and_events_keep_their_order()
{
    cudaStream_t stream;
    cudaEvent_t before, after;
    float milliseconds = -1, host = 0;
    DeviceArray<float> out(THREADS);
    CHECK(cudaStreamCreate(&stream) == cudaSuccess && cudaEventCreate(&before) == cudaSuccess &&
          cudaEventCreate(&after) == cudaSuccess);
    CHECK(cudaEventElapsedTime(&milliseconds, before, after) == cudaErrorInvalidResourceHandle);
    CHECK(cudaGetLastError() == cudaErrorInvalidResourceHandle && cudaGetLastError() == cudaSuccess);
    cudaEventRecord(before, stream);
    launch((Stream *)(void *)stream, 1, THREADS, 0, write_in_reverse, out.data);
    cudaMemcpyAsync(&host, out.data, sizeof host, cudaMemcpyDeviceToHost, stream);
    cudaEventRecord(after, stream);
    CHECK(cudaStreamWaitEvent(stream, after) == cudaSuccess && cudaEventSynchronize(after) == cudaSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess && host == THREADS - 1);
    CHECK(cudaEventElapsedTime(&milliseconds, before, after) == cudaSuccess && milliseconds >= 0);
    cudaEventDestroy(before), cudaEventDestroy(after), cudaStreamDestroy(stream);
}

__global__ void add_one(float *x, const float *by) { x[threadIdx.x] += by[threadIdx.x]; }

// A host that changes what is still to be copied, or reads what has not come yet, is not let off.
static void pinned_copies_come_as_late_as_they_may()
{
    float *pinned = NULL;
    cudaStream_t stream;
    cudaEvent_t copied;
    DeviceArray<float> x(std::vector<float>(THREADS, 1)), by(std::vector<float>(THREADS, 1));
    CHECK(cudaMallocHost((void **)&pinned, THREADS * sizeof(float)) == cudaSuccess &&
          cudaStreamCreate(&stream) == cudaSuccess && cudaEventCreate(&copied) == cudaSuccess);
    for (int i = 0; i < THREADS; i++)
        pinned[i] = 10;
    cudaMemcpyAsync(by.data, pinned, THREADS * sizeof(float), cudaMemcpyHostToDevice, stream);
    launch((Stream *)(void *)stream, 1, THREADS, 0, add_one, x.data, by.data);
    pinned[0] = 20; // too early
    CHECK(cudaStreamQuery(stream) == cudaErrorNotReady);
    CHECK(x.host()[0] == 21 && x.host()[1] == 11);
    cudaMemcpyAsync(pinned, x.data, THREADS * sizeof(float), cudaMemcpyDeviceToHost, stream);
    cudaEventRecord(copied, stream);
    CHECK(pinned[1] == 10 && cudaEventQuery(copied) == cudaErrorNotReady); // not there yet
    CHECK(cudaEventSynchronize(copied) == cudaSuccess && pinned[0] == 21 && pinned[1] == 11);
    cudaEventDestroy(copied), cudaStreamDestroy(stream), cudaFreeHost(pinned);
}

// Of two streams one is late: what it does to the other's memory without an event between them is not there.
static void a_stream_waits_for_another_by_an_event_alone()
{
    bool early = strcmp(getenv("SIMT_STREAMS") == NULL ? "late" : getenv("SIMT_STREAMS"), "early") == 0;
    cudaStream_t first, second;
    cudaEvent_t added;
    DeviceArray<float> x(std::vector<float>(THREADS, 1)), by(std::vector<float>(THREADS, 1)), to(THREADS);
    CHECK(cudaStreamCreateWithFlags(&first, early ? 0 : cudaStreamNonBlocking) == cudaSuccess &&
          cudaStreamCreateWithFlags(&second, early ? cudaStreamNonBlocking : 0) == cudaSuccess &&
          cudaEventCreate(&added) == cudaSuccess);
    for (float expected : {1.0f, 3.0f}) {
        launch((Stream *)(void *)first, 1, THREADS, 0, add_one, x.data, by.data);
        cudaEventRecord(added, first);
        if (expected == 3)
            CHECK(cudaStreamWaitEvent(second, added) == cudaSuccess);
        cudaMemcpyAsync(to.data, x.data, THREADS * sizeof(float), cudaMemcpyDeviceToDevice, second);
        CHECK(to.host()[0] == expected);
        cudaStreamSynchronize(first);
    }
    cudaEventDestroy(added), cudaStreamDestroy(first), cudaStreamDestroy(second);
}

static void a_graph_does_again_what_was_captured()
{
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t made;
    float host = 0;
    DeviceArray<float> x(std::vector<float>(THREADS, 1)), by(std::vector<float>(THREADS, 2));
    CHECK(cudaStreamCreate(&stream) == cudaSuccess);
    CHECK(cudaStreamBeginCapture(0, cudaStreamCaptureModeRelaxed) == cudaErrorNotSupported &&
          cudaGetLastError() == cudaErrorNotSupported);
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) == cudaSuccess);
    launch((Stream *)(void *)stream, 1, THREADS, 0, add_one, x.data, by.data);
    CHECK_FAULT(simt_expect_fault([&] { cudaMemcpyAsync(&host, x.data, sizeof host, cudaMemcpyDeviceToHost, stream); }),
                "while a graph is captured");
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaSuccess && cudaGraphInstantiate(&made, graph, 0) == cudaSuccess);
    CHECK(x.host()[0] == 1); // capturing runs nothing
    for (int i = 0; i < 3; i++)
        CHECK(cudaGraphLaunch(made, stream) == cudaSuccess);
    CHECK(x.host()[0] == 7 && x.host()[THREADS - 1] == 7);
    cudaGraphExecDestroy(made), cudaGraphDestroy(graph), cudaStreamDestroy(stream);
    cudaGetLastError();
}

static void the_card_is_what_the_environment_says()
{
    int count = -1, value = 0;
    cudaDeviceProp properties;
    CHECK(cudaGetDeviceCount(&count) == cudaSuccess && count == 1);
    CHECK(cudaGetDeviceProperties(&properties, 0) == cudaSuccess && properties.major == 9 &&
          !strcmp(properties.name, "SIMT"));
    CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0) == cudaSuccess && value == 232448);
    CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
    setenv("SIMT_DEVICES", "0", 1);
    CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == 0);
    setenv("SIMT_DEVICES", "-1", 1);
    CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
    unsetenv("SIMT_DEVICES");
    CHECK(!strcmp(cudaGetErrorName(cudaGetLastError()), "cudaErrorInsufficientDriver"));
}

static void memory_has_an_end()
{
    float *p = NULL;
    size_t unused, total;
    setenv("SIMT_MEMORY", "1000", 1);
    CHECK(cudaMalloc(&p, 1001) == cudaErrorMemoryAllocation && p == NULL);
    CHECK(cudaMalloc(&p, 1000) == cudaSuccess && (uintptr_t)p % 256 == 0);
    CHECK(cudaMemGetInfo(&unused, &total) == cudaSuccess && unused == 0 && total == 1000);
    cudaFree(p);
    unsetenv("SIMT_MEMORY");
    cudaGetLastError();
}

// ---- all of them

static const Test tests[] = {
    TEST(streams_and_events_keep_their_order, ANY_BUILD),
    TEST(a_stream_waits_for_another_by_an_event_alone, ANY_BUILD),
    TEST(pinned_copies_come_as_late_as_they_may, ANY_BUILD),
    TEST(a_graph_does_again_what_was_captured, ANY_BUILD),
    TEST(the_card_is_what_the_environment_says, ANY_BUILD),
    TEST(memory_has_an_end, ANY_BUILD),
};

int main(int count, char **arguments) { return run_tests(tests, count, arguments); }
