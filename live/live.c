// Opening and closing the page of a program's work, and the thread in between. See live.h.
#include "live/live_internal.h"
#include "system/files.h"
#include "system/signals.h"
#include "system/start.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

enum {
    CONNECTIONS = 64,
    IDLE_SECONDS = 20, // of a connection without a byte
    TICK = 100,        // milliseconds that an end may wait for the thread
    LOOKS = 3,         // ticks between two looks at the files
    NICENESS = 10
};
static const double HEARTBEAT = 10, // seconds without an event, so that a client that is gone is noticed
    FAREWELL = 0.3;                 // seconds that clients have to hear of the end

// ---- the thread

static bool has_news(LivePage *p)
{
    FileSeen now = file_seen(p->growing);
    pthread_mutex_lock(&p->lock);
    uint64_t told = p->told;
    pthread_mutex_unlock(&p->lock);
    bool news = now.file != p->seen.file || now.size != p->seen.size || told != p->seen_told;
    p->seen = now;
    p->seen_told = told;
    return news;
}

static void *serve(void *context)
{
    LivePage *p = context;
    double woken = clock_seconds(), end = 0;
    setpriority(PRIO_PROCESS, 0, NICENESS); // on Linux, of this thread alone
    pthread_setname_np(pthread_self(), "live page");
    for (int64_t tick = 0; end == 0 || (p->stream_count > 0 && clock_seconds() < end); tick++) {
        MHD_run_wait(p->daemon, end == 0 ? TICK : 10);
        bool ends = end == 0 && atomic_load(&p->ending);
        if (ends)
            end = clock_seconds() + FAREWELL;
        else if (p->stream_count == 0 || tick % LOOKS != 0 || (!has_news(p) && clock_seconds() - woken < HEARTBEAT))
            continue;
        streams_wake(p);
        woken = clock_seconds();
    }
    streams_wake(p); // libmicrohttpd wants none asleep when it stops
    return NULL;
}

// ---- opening

static bool make_token(LivePage *p)
{
    uint8_t drawn[TOKEN_DIGITS / 2];
    if (getrandom(drawn, sizeof drawn, 0) != sizeof drawn)
        return fail_errno("--watch: a token for the address");
    for (size_t i = 0; i < sizeof drawn; i++)
        snprintf(p->token + 2 * i, 3, "%02x", drawn[i]);
    return true;
}

static bool name_files(LivePage *p, const LiveWork *work)
{
    Bytes path = {0};
    if (work->rows && bytes_printf(&path, "%s.partial", work->out))
        p->growing = path.data;
    else if (!work->rows)
        p->growing = path_join(work->out, "log.jsonl");
    return p->growing != NULL && (p->out = copy_text(work->out)) != NULL &&
           (work->scores == NULL || (p->scores = copy_text(work->scores)) != NULL);
}

static bool start(LivePage *p)
{
    sigset_t all, before;
    sigfillset(&all); // signals are the main thread's
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&p->thread, NULL, serve, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 || fail("--watch: its thread cannot be started: %s", strerror(error));
}

static void tell(const LivePage *p, const WatchOptions *o)
{
    bool v6 = strchr(o->watch_host, ':') != NULL;
    fprintf(stderr, "watch it at http://%s%s%s:%d/%s/\n", v6 ? "[" : "", o->watch_host, v6 ? "]" : "",
            listener_port(p->daemon), p->token);
}

static void free_page(LivePage *p)
{
    if (p->daemon != NULL)
        MHD_stop_daemon(p->daemon);
    pthread_mutex_destroy(&p->lock);
    bytes_free(&p->options);
    free(p->growing);
    free(p->out);
    free(p->scores);
    free(p);
}

// libmicrohttpd has no thread of its own: it runs in ours, by select, since poll needs one, and by epoll (0.9.75) it
// misses clients that close. Where a process has a thousand descriptors open, further clients are turned away.
bool live_open(LivePage **page, const WatchOptions *o, const LiveWork *work)
{
    if (o->watch < 0 && option_on_command_line(work->options, "watch_host"))
        return fail_as(ERROR_USAGE, "--watch-host: there is no page; give --watch PORT, too");
    if (o->watch < 0 || work->rank > 0)
        return true;
    LivePage *p = allocate(1, sizeof *p);
    TRY(p != NULL);
    pthread_mutex_init(&p->lock, NULL);
    p->program = work->program;
    p->rows = work->rows;
    Listener listener = {.host = o->watch_host,
                         .port = o->watch,
                         .host_option = "--watch-host",
                         .port_option = "--watch",
                         .flags = MHD_ALLOW_SUSPEND_RESUME,
                         .connections = CONNECTIONS,
                         .idle_seconds = IDLE_SECONDS,
                         .handle = route_request,
                         .end = route_end,
                         .context = p};
    bool ok = make_token(p) && name_files(p, work) && options_config(work->options, &p->options) &&
              (p->daemon = listener_open(&listener)) != NULL && start(p);
    if (ok)
        tell(p, o);
    if (ok)
        *page = p;
    else
        free_page(p);
    return ok;
}

// ---- from the work

void live_progress(LivePage *p, const LiveProgress *progress)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->progress = *progress;
    p->told++;
    pthread_mutex_unlock(&p->lock);
}

void live_close(LivePage *p)
{
    if (p == NULL)
        return;
    const Ending *ending = process_ending();
    if (ending->status == EXIT_STOPPED)
        snprintf(p->ended, sizeof p->ended, "stopped; the same command goes on");
    else if (ending->error != NULL)
        snprintf(p->ended, sizeof p->ended, "failed: %s", ending->error);
    else
        snprintf(p->ended, sizeof p->ended, "done");
    atomic_store(&p->ending, true);
    pthread_join(p->thread, NULL);
    free_page(p);
}
