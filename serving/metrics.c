// See metrics.h.
#include "serving/metrics.h"
#include <string.h>

static const double BOUNDS[METRICS_BUCKETS] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800};

void metrics_answer(Metrics *m, const char *path, int status)
{
    int i = 0;
    while (i < m->answer_count && (m->answers[i].status != status || strcmp(m->answers[i].path, path) != 0))
        i++;
    if (i == METRICS_ANSWERS)
        i--;
    if (i == m->answer_count) {
        m->answer_count++;
        m->answers[i].status = status;
        snprintf(m->answers[i].path, sizeof m->answers[i].path, "%s", path);
    }
    m->answers[i].count++;
}

void histogram_add(Histogram *h, double seconds)
{
    int i = 0;
    while (i < METRICS_BUCKETS && seconds > BOUNDS[i])
        i++;
    h->counts[i]++;
    h->sum += seconds;
}

static bool put_histogram(Bytes *out, const char *name, const char *help, const Histogram *h)
{
    int64_t sum = 0;
    TRY(bytes_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name));
    for (int i = 0; i < METRICS_BUCKETS; i++) {
        sum += h->counts[i];
        TRY(bytes_printf(out, "%s_bucket{le=\"%g\"} %" PRId64 "\n", name, BOUNDS[i], sum));
    }
    sum += h->counts[METRICS_BUCKETS];
    return bytes_printf(out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n%s_sum %g\n%s_count %" PRId64 "\n", name, sum, name,
                        h->sum, name, sum);
}

static bool put_value(Bytes *out, const char *name, const char *type, const char *help, int64_t value)
{
    return bytes_printf(out, "# HELP dereason_%s %s\n# TYPE dereason_%s %s\ndereason_%s %" PRId64 "\n", name, help,
                        name, type, name, value);
}

bool metrics_write(const Metrics *m, Bytes *out)
{
    const EngineStatistics *e = &m->engine;
    TRY(bytes_text(out, "# HELP dereason_http_requests_total Answers by path and status\n"
                        "# TYPE dereason_http_requests_total counter\n"));
    for (int i = 0; i < m->answer_count; i++)
        TRY(bytes_printf(out, "dereason_http_requests_total{path=\"%s\",status=\"%d\"} %" PRId64 "\n",
                         m->answers[i].path, m->answers[i].status, m->answers[i].count));
    const struct {
        const char *name, *type, *help;
        int64_t value;
    } values[] = {
        {"prompt_tokens_total", "counter", "Tokens of prompts that were taken", m->prompt_tokens},
        {"prompt_tokens_found_total", "counter",
         "Tokens that were not computed, because kept or shared pages have them", e->found_tokens},
        {"generated_tokens_total", "counter", "Tokens of answers, given up ones too", e->sampled_tokens},
        {"requests_running", "gauge", "Requests with the engine, queued ones too", m->running},
        {"requests_left_total", "counter", "Requests given up because their client was gone", m->left},
        {"requests_timed_out_total", "counter", "Requests given up because they took too long", m->timed_out},
        {"requests_cut_total", "counter", "Streams given up because their reader was too slow", m->cut},
        {"sequences_running", "gauge", "Sequences in the engine's passes", e->sequences_running},
        {"sequences_waiting", "gauge", "Sequences that wait for a place", e->sequences_waiting},
        {"preemptions_total", "counter", "Sequences that lost their pages and were computed again", e->preemptions},
        {"passes_total", "counter", "Passes through the model", e->passes},
        {"pages_in_use", "gauge", "Pages of keys and values that are held", e->pages_in_use - 1},
        {"pages_cached", "gauge", "Pages that nobody holds, kept for requests that begin alike", e->pages_kept},
        {"page_evictions_total", "counter", "Cached pages that gave their room to others", e->pages_reused},
        {"pages", "gauge", "Pages of keys and values that there are", m->pages},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        TRY(put_value(out, values[i].name, values[i].type, values[i].help, values[i].value));
    return put_histogram(out, "dereason_time_to_first_token_seconds", "From a request to its first token",
                         &m->first_token) &&
           put_histogram(out, "dereason_request_seconds", "From a request to the end of its answer", &m->whole);
}
