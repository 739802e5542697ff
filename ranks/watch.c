// The thread, what it finds, and what the main thread asks it: see watch.h. A star: rank 0 has a link to every other
// rank and finds out for all; the others find out about rank 0 alone.
#include "ranks/watch.h"
#include "ranks/notice.h"
#include "system/phase.h"
#include "system/signals.h"
#include "system/start.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const double BEAT = 1;      // seconds between two heartbeats; less where patience is short
static const double HEARSAY = 3;   // that a rank's error which blames another one waits for that other's
static const double TO_LISTEN = 5; // that a failing rank waits for the verdict
static const double TO_END = 5;    // that a main thread has after the verdict, at most
static const double TO_CLOSE = 15; // and after its own error

typedef struct Seen { // of a rank
    double heard, progressed;
    Notice last;
    bool gone; // it has said goodbye
    bool told; // the verdict
} Seen;

typedef struct Verdict {
    double at;                                       // 0: none yet
    int rank, status;                                // rank -1: none is to blame alone
    bool itself;                                     // the rank has said it, and was not found so
    char text[NOTICE_TEXT], line[NOTICE_TEXT + 128]; // what that rank said; and what the others say of it
} Verdict;

struct Watch {
    int rank, size;
    double patience, beat;
    char (*hosts)[HOST_BYTES]; // (size) the mesh's
    NoticeSocket *links;       // (size) of rank 0: to each of the others; of the others: [0] alone
    Seen *seen;                // (size) likewise, and of rank 0 its own
    struct pollfd *polls;      // (size + 1)
    pthread_t thread;
    int wake[2]; // a pipe
    _Atomic int waits_for;
    _Atomic uint64_t waits_since; // the main thread's progress then: after any more it does not wait

    pthread_mutex_t lock; // of all below
    pthread_cond_t changed;
    Verdict verdict, hearsay;
    bool stopped;       // a rank has, after a signal
    bool ending;        // this process is
    bool own_said;      // that it is
    bool closing;       // the main thread waits for the thread
    bool own_elsewhere; // its error blames another rank
    int own_status;     // with which it ends
    double own_at;      // when its error came; 0: there is none
    char own[NOTICE_TEXT];
};

static Watch *of_process; // there is one run in a process

// ---- the verdict

static void decide(Watch *w, Verdict *v, int rank, int status, const char *text, const char *line)
{
    if (w->verdict.at > 0 || v->at > 0)
        return;
    *v = (Verdict){.at = clock_seconds(), .rank = rank, .status = status > 0 ? status : 1, .itself = text != line};
    snprintf(v->text, sizeof v->text, "%s", text);
    snprintf(v->line, sizeof v->line, "%s", line);
    pthread_cond_broadcast(&w->changed);
}

static void decide_failed(Watch *w, const Notice *n, const char *text)
{
    char line[NOTICE_TEXT + 128];
    snprintf(line, sizeof line, "ends because rank %d on %.80s failed: %s", n->rank, w->hosts[n->rank], text);
    decide(w, n->elsewhere ? &w->hearsay : &w->verdict, n->rank, n->status, text, line);
}

// before and behind the rank's name
static void decide_found(Watch *w, int i, const char *before, const char *behind, const char *advice)
{
    const Notice *n = &w->seen[i].last;
    char text[NOTICE_TEXT], number[24] = "";
    if (n->number >= 0)
        snprintf(number, sizeof number, " %" PRId64, n->number);
    snprintf(text, sizeof text, "%srank %d on %.80s%s; last it was in %s%s%s", before, i, w->hosts[i], behind, n->phase,
             number, advice);
    decide(w, &w->verdict, i, 1, text, text);
}

static void decide_silent(Watch *w, int i)
{
    char before[80];
    snprintf(before, sizeof before, "nothing was heard for %g seconds from ", w->patience);
    decide_found(w, i, before, ": it is stopped, or its host is not reached", "");
}

static void decide_still(Watch *w, int i)
{
    char behind[80];
    snprintf(behind, sizeof behind, " has made no progress for %g seconds", w->patience);
    decide_found(w, i, "", behind, "; if that may take longer, give more with --stuck-after");
}

static void decide_deadlock(Watch *w)
{
    char text[NOTICE_TEXT];
    int size = snprintf(text, sizeof text, "all ranks have waited for each other for %g seconds:", w->patience);
    for (int i = 0; i < w->size && size < NOTICE_TEXT - 80; i++)
        if (!w->seen[i].gone)
            size += snprintf(text + size, sizeof text - (size_t)size, " rank %d on %.40s for rank %d;", i, w->hosts[i],
                             w->seen[i].last.waits_for);
    snprintf(text + size, sizeof text - (size_t)size, " see that their hosts reach each other at any port");
    decide(w, &w->verdict, -1, 1, text, text);
}

// ---- what is heard

static Notice notice_of(Watch *w, NoticeKind kind)
{
    Phase phase = phase_now();
    Notice n = {.kind = kind, .rank = w->rank, .number = phase.number, .progress = phase.progress};
    n.status = w->stopped ? EXIT_STOPPED : 0;
    n.waits_for = w->waits_since == phase.progress ? w->waits_for : -1;
    snprintf(n.phase, sizeof n.phase, "%s", phase.what);
    return n;
}

static void note_beat(Watch *w, Seen *s, const Notice *n, double now)
{
    if (n->progress != s->last.progress || s->heard == 0)
        s->progressed = now;
    s->heard = now;
    s->last = *n;
    if (n->status == EXIT_STOPPED && !w->stopped) {
        w->stopped = true;
        pthread_cond_broadcast(&w->changed);
    }
}

static void take_closed(Watch *w, int i)
{
    close(w->links[i].socket);
    w->links[i].socket = -1;
    if (!w->seen[i].gone)
        decide_found(w, i, "", " has ended without a word (killed, or out of memory?)", "");
}

static void take_news(Watch *w, int i, double now)
{
    Notice n;
    char text[NOTICE_TEXT];
    NoticeNews news;
    while ((news = notice_receive(&w->links[i], &n, text)) == NOTICED_ONE) {
        if (n.rank < -1 || n.rank >= w->size)
            continue;
        if (n.kind == NOTICE_VERDICT) {
            if (n.elsewhere || n.rank < 0)
                decide(w, &w->verdict, n.rank, n.status, text, text);
            else
                decide_failed(w, &n, text);
        } else if (n.rank == i) {
            note_beat(w, &w->seen[i], &n, now);
            w->seen[i].gone = w->seen[i].gone || n.kind == NOTICE_GOODBYE || n.kind == NOTICE_FAILED;
            if (n.kind == NOTICE_FAILED)
                decide_failed(w, &n, text);
        }
    }
    if (news == NOTICED_END)
        take_closed(w, i);
}

// ---- what is found out

static bool watched(const Watch *w, int i)
{
    return i == w->rank ? w->rank == 0 && !w->ending : w->links[i].socket >= 0 && !w->seen[i].gone;
}

static void judge(Watch *w, double now)
{
    int waiting = 0, all = 0, others = 0;
    for (int i = 0; i < w->size; i++) {
        const Seen *s = &w->seen[i];
        if (!watched(w, i))
            continue;
        bool still = w->rank == 0 && now - s->progressed > w->patience;
        all++;
        others += i != w->rank;
        waiting += still && s->last.waits_for >= 0;
        if (now - s->heard > w->patience)
            decide_silent(w, i);
        else if (still && s->last.waits_for < 0)
            decide_still(w, i);
    }
    if (w->rank == 0 && others > 0 && waiting == all)
        decide_deadlock(w);
    if (w->hearsay.at > 0 && w->rank == 0 && now - w->hearsay.at > HEARSAY)
        decide(w, &w->verdict, w->hearsay.rank, w->hearsay.status, w->hearsay.text, w->hearsay.line);
}

// ---- what is said

static void say_own(Watch *w)
{
    if (!w->ending || w->own_said)
        return;
    Notice n = notice_of(w, w->own_at > 0 ? NOTICE_FAILED : NOTICE_GOODBYE);
    n.status = w->own_status;
    n.elsewhere = w->own_elsewhere;
    if (w->rank > 0)
        w->own_said = w->links[0].socket < 0 || notice_send(&w->links[0], n, w->own);
    else if (w->own_at > 0) {
        decide_failed(w, &n, w->own);
        w->own_said = true;
    } else {
        w->own_said = true;
        for (int i = 1; i < w->size; i++)
            w->own_said = (w->links[i].socket < 0 || notice_send(&w->links[i], n, "")) && w->own_said;
    }
}

static void spread_verdict(Watch *w)
{
    const Verdict *v = &w->verdict;
    Notice n = {.kind = NOTICE_VERDICT, .rank = v->rank, .status = v->status};
    n.elsewhere = !v->itself;
    for (int i = 1; w->rank == 0 && v->at > 0 && i < w->size; i++)
        if (w->links[i].socket >= 0 && !w->seen[i].told)
            w->seen[i].told = notice_send(&w->links[i], n, v->text);
}

static void say_beat(Watch *w, double now)
{
    Notice n = notice_of(w, NOTICE_BEAT);
    if (w->rank == 0)
        note_beat(w, &w->seen[0], &n, now);
    for (int i = 0; i < w->size; i++)
        if (w->links[i].socket >= 0)
            notice_send(&w->links[i], n, "");
}

static void *end_in_time(void *status)
{
    static const struct timespec LONG_ENOUGH = {.tv_sec = 2};
    nanosleep(&LONG_ENOUGH, NULL);
    _exit(*(int *)status);
}

// The main thread has not come to an end: it hangs, and so might exit handlers. Where it hangs in standard error (a
// terminal or a pipe that nobody reads), stdio's lock is taken and a write may not return.
static void end_process(const Watch *w)
{
    static int status;
    static char line[NOTICE_TEXT + 256];
    bool own = w->own_at > 0 && !w->own_elsewhere;
    pthread_t timer;
    status = own ? w->own_status : w->verdict.status;
    snprintf(line, sizeof line, "%s: %s%s\n", program_invocation_short_name, process_text(),
             own ? w->own : w->verdict.line);
    bool bounded = pthread_create(&timer, NULL, end_in_time, &status) == 0;
    ssize_t written = bounded ? write(STDERR_FILENO, line, strlen(line)) : 0;
    (void)written;
    _exit(status);
}

static bool is_overdue(const Watch *w, double now)
{
    double begun = w->verdict.at > w->own_at ? w->verdict.at : w->own_at;
    bool well = w->ending && w->own_at == 0; // it has done its part
    double to_end = w->own_at > 0 ? TO_CLOSE : w->patience < TO_END ? w->patience : TO_END;
    return !well && begun > 0 && now - begun > to_end;
}

static bool all_is_said(const Watch *w)
{
    bool said = w->own_said;
    for (int i = 0; i < w->size; i++)
        said = said && (w->links[i].socket < 0 || (w->links[i].sent == w->links[i].size &&
                                                   (w->rank > 0 || w->verdict.at == 0 || w->seen[i].told)));
    return said;
}

// After a signal: launchers that see a rank end with another status than 0 kill the others, and rank 0 has more to do.
static bool waits_for_first(const Watch *w)
{
    return w->rank > 0 && w->own_status == EXIT_STOPPED && w->links[0].socket >= 0 && !w->seen[0].gone;
}

// ---- the thread

static void wait_for_news(Watch *w)
{
    char bytes[64];
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < w->size; i++) {
        bool out = w->links[i].sent < w->links[i].size;
        w->polls[i] = (struct pollfd){.fd = w->links[i].socket, .events = (short)(POLLIN | (out ? POLLOUT : 0))};
    }
    pthread_mutex_unlock(&w->lock);
    w->polls[w->size] = (struct pollfd){.fd = w->wake[0], .events = POLLIN};
    if (poll(w->polls, (nfds_t)w->size + 1, (int)(w->beat * 500)) > 0 && (w->polls[w->size].revents & POLLIN) != 0)
        while (read(w->wake[0], bytes, sizeof bytes) > 0)
            ;
}

// Where this process itself did not run (a stopped job, a machine that slept), the others have not been silent.
static void forgive_pause(Watch *w, double pause)
{
    for (int i = 0; i < w->size; i++) {
        w->seen[i].heard += pause;
        w->seen[i].progressed += pause;
    }
}

static void turn(Watch *w, double now, double *next)
{
    for (int i = 0; i < w->size; i++) {
        notice_flush(&w->links[i]);
        take_news(w, i, now);
    }
    if (now >= *next) {
        say_beat(w, now);
        *next = now + w->beat;
    }
    say_own(w);
    judge(w, now);
    spread_verdict(w);
}

static void *watch(void *context)
{
    Watch *w = context;
    double before = clock_seconds(), next = before, closing_at = 0;
    for (bool done = false; !done;) {
        wait_for_news(w);
        double now = clock_seconds();
        pthread_mutex_lock(&w->lock);
        if (now - before > 3 * w->beat)
            forgive_pause(w, now - before);
        before = now;
        turn(w, now, &next);
        if (is_overdue(w, now))
            end_process(w);
        closing_at = w->closing && closing_at == 0 ? now : closing_at;
        double closing = now - closing_at;
        done = w->closing && (all_is_said(w) || closing > 1) && (!waits_for_first(w) || closing > TO_CLOSE);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

// ---- the main thread's side

static void wake(Watch *w)
{
    ssize_t written = write(w->wake[1], "", 1);
    (void)written; // full: it is awake
}

static void wait_for_change(Watch *w, double until)
{
    struct timespec when = {(time_t)until, (long)((until - (double)(time_t)until) * 1e9)};
    pthread_cond_timedwait(&w->changed, &w->lock, &when);
}

// In a signal handler the lock may be held below it, by this very thread.
static bool take_lock(Watch *w, bool at_once)
{
    static const struct timespec MOMENT = {.tv_nsec = 1000000};
    if (!at_once)
        return pthread_mutex_lock(&w->lock) == 0;
    for (int tries = 0; tries < 100; tries++) {
        if (pthread_mutex_trylock(&w->lock) == 0)
            return true;
        nanosleep(&MOMENT, NULL);
    }
    return false;
}

static void tell_end(Watch *w, const Ending *e)
{
    w->ending = true;
    w->own_status = e->status;
    if (e->error != NULL) {
        size_t size = strnlen(e->error, sizeof w->own - 1);
        memcpy(w->own, e->error, size);
        w->own[size] = 0;
        w->own_at = clock_seconds();
    }
    w->stopped = w->stopped || e->status == EXIT_STOPPED;
    wake(w);
}

static void on_ending(Ending *e)
{
    static const struct timespec MOMENT = {.tv_nsec = 200000000};
    Watch *w = of_process;
    if (w == NULL || pthread_equal(pthread_self(), w->thread) || !take_lock(w, e->at_once))
        return;
    w->own_elsewhere = !e->at_once && e->error != NULL && error_kind() == ERROR_ELSEWHERE;
    tell_end(w, e);
    for (double until = clock_seconds() + TO_LISTEN;
         e->error != NULL && !e->at_once && w->verdict.at == 0 && clock_seconds() < until;)
        wait_for_change(w, until);
    if (e->error != NULL && w->verdict.at > 0 && w->verdict.rank != w->rank) {
        bool same = w->verdict.itself && strcmp(w->own, w->verdict.text) == 0;
        if (w->own_elsewhere || same) {
            e->status = w->verdict.status;
            e->error = w->verdict.line;
        }
    }
    pthread_mutex_unlock(&w->lock);
    if (e->at_once)
        nanosleep(&MOMENT, NULL); // the thread sends it
}

bool watch_is_calm(Watch *w, double seconds)
{
    if (w == NULL)
        return true;
    pthread_mutex_lock(&w->lock);
    for (double until = clock_seconds() + seconds;
         seconds > 0 && w->verdict.at == 0 && !w->stopped && clock_seconds() < until;)
        wait_for_change(w, until);
    bool failed = w->verdict.at > 0, stopped = seconds > 0 && w->stopped;
    if (failed)
        fail_as(ERROR_ELSEWHERE, "%s", w->verdict.line);
    else if (stopped)
        fail_as(ERROR_STOPPED, "another rank has stopped after a signal");
    pthread_mutex_unlock(&w->lock);
    return !failed && !stopped;
}

void watch_waits_for(Watch *w, int rank)
{
    if (w == NULL)
        return;
    w->waits_for = rank;
    w->waits_since = phase_now().progress;
}

// ---- opening and closing

static bool start_thread(Watch *w)
{
    sigset_t all, before;
    pthread_condattr_t monotonic;
    if (pipe2(w->wake, O_CLOEXEC | O_NONBLOCK) != 0)
        return fail_errno("a pipe for the thread that watches the other ranks");
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&all); // the main thread's
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 || fail("the thread that watches the other ranks cannot be started: %s", strerror(error));
}

static void free_watch(Watch *w)
{
    for (int i = 0; w->links != NULL && i < w->size; i++)
        if (w->links[i].socket >= 0)
            close(w->links[i].socket);
    for (int i = 0; i < 2; i++)
        if (w->wake[i] >= 0)
            close(w->wake[i]);
    free(w->links);
    free(w->seen);
    free(w->polls);
    free(w);
}

bool watch_open(Watch **watch_of, const Ranks *ranks, Mesh *mesh)
{
    *watch_of = NULL;
    if (ranks->size == 1)
        return true;
    Watch *w = allocate(1, sizeof *w);
    TRY(w != NULL);
    w->rank = ranks->rank;
    w->size = ranks->size;
    w->patience = ranks->patience;
    w->beat = ranks->patience < 4 * BEAT ? ranks->patience / 4 : BEAT;
    w->hosts = mesh->hosts;
    w->waits_for = -1;
    w->wake[0] = w->wake[1] = -1;
    w->links = allocate((size_t)w->size, sizeof *w->links);
    w->seen = allocate((size_t)w->size, sizeof *w->seen);
    w->polls = allocate((size_t)w->size + 1, sizeof *w->polls);
    bool ok = w->links != NULL && w->seen != NULL && w->polls != NULL;
    for (int i = 0; ok && i < w->size; i++) {
        w->links[i].socket = mesh->watch[i];
        mesh->watch[i] = -1;
        w->seen[i] = (Seen){.heard = clock_seconds(), .progressed = clock_seconds()};
        w->seen[i].last = (Notice){.waits_for = -1, .number = -1, .phase = "its start"};
    }
    phase_watch();
    if (!ok || !start_thread(w)) {
        free_watch(w);
        return false;
    }
    *watch_of = of_process = w;
    process_listener(on_ending);
    return true;
}

void watch_close(Watch *w)
{
    if (w == NULL)
        return;
    process_listener(NULL);
    of_process = NULL;
    pthread_mutex_lock(&w->lock);
    w->ending = w->closing = true;
    wake(w);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free_watch(w);
}
