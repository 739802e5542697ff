// The loop of the engine's thread: see service.h. Between two passes it takes what has arrived, gives up what nobody
// waits for any more, and writes what has ended.
#include "serving/service_internal.h"
#include "system/signals.h"
#include <poll.h>
#include <stdlib.h>
#include <time.h>

enum { IDLE_MILLISECONDS = 50, LAST_SECONDS = 2 }; // until a signal is seen; to send what is finished, at the end

bool service_open(Service *s, Session *session, const ServiceOptions *options, const char *model)
{
    pthread_condattr_t clock;
    *s = (Service){.session = session, .options = options, .model = model};
    s->metrics.pages = session->model.limits.cache.pages - 1;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->arrival, &clock);
    pthread_condattr_destroy(&clock);
    return session_fingerprint(session, &s->fingerprint) &&
           (s->encoder = encoder_open(session->files.tokenizer)) != NULL;
}

void service_close(Service *s)
{
    if (s->session == NULL)
        return;
    while (s->jobs != NULL) { // given up, or of clients that have left
        Job *job = s->jobs;
        s->jobs = job->next;
        job_release(job);
    }
    encoder_close(s->encoder);
    free(s->polled);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->arrival);
}

// ---- what arrives

static GenerationRequest request_of(const Job *job, Part *part)
{
    const ApiRequest *r = &job->request;
    const ModelFiles *files = &job->service->session->files;
    ResponseOptions drawn = {
        .temperature = r->temperature, .top_k = r->top_k, .top_p = r->top_p, .min_p = r->min_p, .seed = job->head.seed};
    drawn.max_new_tokens = r->max_tokens > 0           ? r->max_tokens
                           : r->max_tokens < 0         ? 1
                           : r->kind == API_COMPLETION ? SERVICE_COMPLETION_TOKENS
                                                       : API_TOKENS;
    GenerationRequest g = responses_request(&drawn);
    g.tag = (uint64_t)(uintptr_t)part;
    g.id = part->name;
    g.prompt = part->ids.ids;
    g.prompt_count = (int64_t)part->ids.count;
    g.stop = files->stop;
    g.stop_count = r->past_end ? 0 : files->stop_count;
    g.top = (int32_t)r->top;
    g.watch = job_take_token;
    g.watch_context = part;
    return g;
}

// Where the prompt is scored, the first sample's is.
static bool add_part(Service *s, Job *job, Part *part)
{
    GenerationRequest g = request_of(job, part);
    int32_t n = (int32_t)job->request.n;
    if (job->request.echo && job->request.logprobs) {
        g.score = true;
        TRY(engine_add(s->session->engine, &g));
        g.score = false;
        g.first_sample = 1;
        n--;
    }
    g.samples = n;
    return n == 0 || engine_add(s->session->engine, &g);
}

static void give_up(Service *s, Job *job, const ApiRefusal *refusal, const char *message)
{
    for (size_t i = 0; i < job->part_count; i++)
        engine_cancel(s->session->engine, (uint64_t)(uintptr_t)&job->parts[i]);
    job_fail(job, refusal, message);
    job->ended = true;
}

static void take_arrivals(Service *s)
{
    pthread_mutex_lock(&s->lock);
    Job *arrived = s->arrivals;
    s->arrivals = NULL;
    pthread_mutex_unlock(&s->lock);
    while (arrived != NULL) {
        Job *job = arrived;
        bool ok = true;
        arrived = job->next;
        job->next = s->jobs;
        s->jobs = job;
        for (size_t i = 0; ok && i < job->part_count; i++)
            ok = add_part(s, job, &job->parts[i]);
        if (!ok)
            give_up(s, job, &(ApiRefusal){.status = 500}, error_text());
    }
}

// ---- what has to end

// A client that has closed its side gets no answer: its connection sleeps, so nobody else sees that.
static bool find_gone(Service *s)
{
    size_t count = 0, i = 0;
    for (const Job *job = s->jobs; job != NULL; job = job->next)
        count++;
    TRY(grow(&s->polled, &s->polled_capacity, count, sizeof *s->polled));
    pthread_mutex_lock(&s->lock); // as long as it is held, sockets stay what they are
    for (const Job *job = s->jobs; job != NULL; job = job->next)
        s->polled[i++] = (struct pollfd){.fd = job->left_alone ? -1 : job->socket, .events = POLLRDHUP};
    poll(s->polled, count, 0);
    pthread_mutex_unlock(&s->lock);
    return true;
}

static void count_end(Service *s, int64_t *what)
{
    pthread_mutex_lock(&s->lock);
    (*what)++;
    pthread_mutex_unlock(&s->lock);
}

static void check_job(Service *s, Job *job, bool gone)
{
    pthread_mutex_lock(&s->lock);
    bool left = gone || job->left_alone;
    int status = job->status;
    pthread_mutex_unlock(&s->lock);
    if (left) {
        count_end(s, &s->metrics.left);
        give_up(s, job, &(ApiRefusal){.status = 408}, "the client has gone");
    } else if (status == 408) {
        count_end(s, &s->metrics.cut);
        give_up(s, job, &(ApiRefusal){.status = 408}, "the stream is read too slowly");
    } else if (status != 200)
        give_up(s, job, &(ApiRefusal){.status = status}, "no memory for the answer");
    else if (clock_seconds() - job->arrived > s->options->timeout) {
        count_end(s, &s->metrics.timed_out);
        give_up(s, job, &(ApiRefusal){.status = 504, .code = "timeout"},
                "the request took longer than the server gives it; ask for fewer tokens");
    }
}

static bool check_jobs(Service *s)
{
    size_t i = 0;
    TRY(find_gone(s));
    for (Job *job = s->jobs; job != NULL; job = job->next, i++)
        if (!job->ended)
            check_job(s, job, (s->polled[i].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0);
    return true;
}

static void forget_ended(Service *s)
{
    int64_t running = 0;
    pthread_mutex_lock(&s->lock);
    for (Job **here = &s->jobs; *here != NULL;) {
        Job *job = *here;
        if (job->ended) {
            *here = job->next;
            job_release(job);
        } else {
            here = &job->next;
            running++;
        }
    }
    s->metrics.running = running;
    s->metrics.engine = engine_statistics(s->session->engine);
    pthread_mutex_unlock(&s->lock);
}

// ---- passes

static void take_result(Service *s, const GenerationResult *result)
{
    Part *part = (Part *)(uintptr_t)result->tag;
    Job *job = part->job;
    bool ok = job_take_result(job, part, result), left = false;
    for (size_t i = 0; i < job->part_count; i++)
        left = left || job->parts[i].left > 0;
    if (ok && left)
        return;
    if (ok && job_finish(job))
        job->ended = true;
    else
        give_up(s, job, &(ApiRefusal){.status = 500}, error_text());
}

static bool step(Service *s)
{
    GenerationResult result;
    TRY(engine_step(s->session->engine));
    while (engine_next(s->session->engine, &result))
        take_result(s, &result);
    return true;
}

static void wait_for_arrivals(Service *s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += IDLE_MILLISECONDS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&s->lock);
    if (s->arrivals == NULL)
        pthread_cond_timedwait(&s->arrival, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
}

// ---- the end

static int64_t count_open(Service *s)
{
    pthread_mutex_lock(&s->lock);
    int64_t open = s->open;
    pthread_mutex_unlock(&s->lock);
    return open;
}

static void give_up_all(Service *s, int status, const char *message)
{
    take_arrivals(s);
    for (Job *job = s->jobs; job != NULL; job = job->next)
        if (!job->ended)
            give_up(s, job, &(ApiRefusal){.status = status}, message);
    forget_ended(s);
    for (double begun = clock_seconds(); count_open(s) > 0 && clock_seconds() - begun < LAST_SECONDS;)
        wait_for_arrivals(s);
}

static bool goes_on(Service *s)
{
    if (signal_received() == 0)
        return true;
    pthread_mutex_lock(&s->lock);
    s->draining = true;
    pthread_mutex_unlock(&s->lock);
    if (count_open(s) == 0)
        return false;
    if (signal_seconds() <= s->options->drain)
        return true;
    give_up_all(s, 503, "the server ends, and the request took longer than that may wait");
    return false;
}

bool service_run(Service *s)
{
    bool ok = true;
    while (ok && goes_on(s)) {
        take_arrivals(s);
        ok = check_jobs(s) && (engine_empty(s->session->engine) || step(s));
        forget_ended(s);
        if (ok && engine_empty(s->session->engine))
            wait_for_arrivals(s);
    }
    if (ok)
        return true;
    char *why = copy_text(error_text());
    pthread_mutex_lock(&s->lock);
    s->broken = true;
    pthread_mutex_unlock(&s->lock);
    give_up_all(s, 500, "the engine has failed");
    fail("%s", why == NULL ? "the engine has failed" : why);
    free(why);
    return false;
}

// ---- for the connections' thread

bool service_metrics(Service *s, Bytes *out)
{
    pthread_mutex_lock(&s->lock);
    Metrics copy = s->metrics;
    pthread_mutex_unlock(&s->lock);
    return metrics_write(&copy, out);
}

bool service_draining(Service *s)
{
    pthread_mutex_lock(&s->lock);
    bool ends = s->draining || s->broken;
    pthread_mutex_unlock(&s->lock);
    return ends;
}

void service_count(Service *s, const char *path, int status)
{
    pthread_mutex_lock(&s->lock);
    metrics_answer(&s->metrics, path, status);
    pthread_mutex_unlock(&s->lock);
}
