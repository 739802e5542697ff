// --ranks N or --gpus N on one host: the launching process forks N children and then only waits for them. It is
// forked before any thread is started and any device is opened. Rank 0's listening socket is made here, so that no
// other process can take its port in between.
#include "ranks/ranks.h"
#include "system/signals.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE = 10 }; // seconds that the others have to end by themselves, when one has failed; and again to be killed

static bool listen_here(Ranks *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(r->listener, r->size) != 0 || getsockname(r->listener, (struct sockaddr *)&address, &size) != 0)
        return fail_errno("--ranks: a port for rank 0");
    strcpy(r->host, "127.0.0.1");
    r->port = ntohs(address.sin_port);
    return getrandom(&r->job, sizeof r->job, 0) == sizeof r->job || fail_errno("--ranks: a name for the job");
}

// ---- the launching process

typedef struct Children {
    pid_t *ids;                 // (count) 0: it has ended
    int count, running, status; // status: of the first that failed
    time_t failed_at;           // 0: none has
} Children;

static void send_all(const Children *c, int number)
{
    for (int i = 0; i < c->count; i++)
        if (c->ids[i] > 0)
            kill(c->ids[i], number);
}

static int exit_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

static void take_ended(Children *c)
{
    int status;
    pid_t id;
    bool first = c->failed_at == 0; // of those that are found together, who was killed was so before the others failed
    while ((id = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < c->count; i++) {
            if (c->ids[i] != id)
                continue;
            c->ids[i] = 0;
            c->running--;
            if (exit_status(status) != 0 && (c->failed_at == 0 || (first && WIFSIGNALED(status)))) {
                c->status = exit_status(status);
                c->failed_at = time(NULL);
            }
            if (i == 0 &&
                exit_status(status) == EXIT_STOPPED) // the others may have found it gone before their own signal
                c->status = EXIT_STOPPED;
            if (WIFSIGNALED(status))
                fprintf(stderr, "rank %d was ended by signal %d (%s)\n", i, WTERMSIG(status),
                        strsignal(WTERMSIG(status)));
        }
    if (id < 0 && errno == ECHILD && c->running > 0) { // somebody else has taken how they ended
        c->running = 0;
        c->status = c->status > 0 ? c->status : 1;
    }
}

// Ctrl-Z: the ranks are in groups of their own, which the terminal does not stop. They go on when this process does; at
// once, where the kernel does not stop a group that no shell could continue.
static void stop_all(const Children *c)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    send_all(c, SIGSTOP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &stop, NULL); // here it stops
    sigprocmask(SIG_BLOCK, &stop, NULL);
    send_all(c, SIGCONT);
}

// Signals are blocked in this process, and waited for. SIGCHLD and the clock are looked at alike.
static int wait_for_all(Children *c, const sigset_t *wanted)
{
    static const struct timespec second = {.tv_sec = 1};
    while (c->running > 0) {
        int number = sigtimedwait(wanted, NULL, &second);
        if (number == SIGTSTP)
            stop_all(c);
        else if (number > 0 && number != SIGCHLD)
            send_all(c, number);
        take_ended(c);
        time_t failing = c->failed_at == 0 ? 0 : time(NULL) - c->failed_at;
        if (failing >= GRACE)
            send_all(c, SIGKILL);
        for (int i = 0; failing >= 2 * GRACE && i < c->count; i++)
            if (c->ids[i] > 0)
                fprintf(stderr,
                        "rank %d (process %d) cannot be ended: it waits in the kernel, for a disk or a device\n", i,
                        (int)c->ids[i]);
        if (failing >= 2 * GRACE)
            break;
    }
    return c->status;
}

static bool fork_all(Ranks *r, Children *c, bool *child)
{
    pid_t parent = getpid();
    *child = false;
    fflush(NULL);
    for (int i = 0; i < r->size; i++) {
        c->ids[i] = fork();
        if (c->ids[i] < 0)
            return fail_errno("--ranks: starting rank %d", i);
        if (c->ids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            setpgid(0, 0);            // what a terminal sends to its group comes once, by the launching process
            signal(SIGTTOU, SIG_IGN); // and with stty tostop a group in the background may write, too
            if (getppid() != parent)  // it has ended before that
                _exit(1);
            *child = true;
            r->rank = r->local_rank = i;
            return true;
        }
        c->running++;
    }
    return true;
}

static bool enough_gpus(int wanted)
{
    int count;
    TRY(gpus_count(&count));
    return wanted <= count || fail_as(ERROR_USAGE,
                                      "--gpus %d: %d are visible here (CUDA_VISIBLE_DEVICES hides others); give --gpus "
                                      "all, or start processes on more hosts",
                                      wanted, count);
}

bool ranks_open(Ranks *r, const RankOptions *o)
{
    signal(SIGCHLD, SIG_DFL); // ignored, as some launchers leave it, no child's status could be had
    TRY(ranks_find(r, o));
    bool gpus = r->launcher != NULL && strcmp(r->launcher, "--gpus") == 0;
    if (!gpus && (r->launcher == NULL || strcmp(r->launcher, "--ranks") != 0))
        return true;
    if (gpus)
        TRY(enough_gpus(r->size));
    sigset_t wanted, before;
    struct sigaction suspend;
    bool child;
    Children children = {.ids = allocate((size_t)r->size, sizeof *children.ids), .count = r->size};
    sigemptyset(&wanted);
    const int numbers[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&wanted, numbers[i]);
    if (sigaction(SIGTSTP, NULL, &suspend) == 0 && suspend.sa_handler == SIG_DFL)
        sigaddset(&wanted, SIGTSTP);
    TRY(children.ids != NULL && listen_here(r));
    sigprocmask(SIG_BLOCK, &wanted, &before);
    bool ok = fork_all(r, &children, &child);
    if (child) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        free(children.ids);
        if (r->rank > 0) {
            close(r->listener);
            r->listener = -1;
        }
        return true;
    }
    close(r->listener);
    if (!ok) {
        send_all(&children, SIGKILL);
        wait_for_all(&children, &wanted);
        free(children.ids);
        return false;
    }
    exit(wait_for_all(&children, &wanted));
}
