// What the server counts, in Prometheus' text format (GET /metrics): requests by path and status, tokens, the queue,
// pages, and histograms of two latencies. The caller guards it.
#ifndef SERVING_METRICS_H
#define SERVING_METRICS_H

#include "engine/engine.h"

enum { METRICS_BUCKETS = 14, METRICS_ANSWERS = 64 };

typedef struct Histogram {
    int64_t counts[METRICS_BUCKETS + 1]; // the last: above all bounds
    double sum;
} Histogram;

typedef struct CountedAnswer {
    char path[32];
    int status;
    int64_t count;
} CountedAnswer;

typedef struct Metrics {
    CountedAnswer answers[METRICS_ANSWERS]; // (answer_count) what does not fit is counted with the last
    int answer_count;
    int64_t prompt_tokens; // of requests that were taken
    int64_t running, left, timed_out,
        cut;       // requests: now; given up because the client left, took too long, read too slowly
    int64_t pages; // that there are
    EngineStatistics engine;
    Histogram first_token, whole; // seconds
} Metrics;

void metrics_answer(Metrics *metrics, const char *path, int status);
void histogram_add(Histogram *histogram, double seconds);
bool metrics_write(const Metrics *metrics, Bytes *out);

#endif
