// One loop around poll(): the socket to the trainer, and two pipes to each child.
#include "rl/grader_pool.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct Child {
    pid_t pid; // 0: there is none
    int to, from;
    bool busy;
    uint64_t tag;
    double deadline;
    Bytes out, in;
} Child;

typedef struct Pool {
    int socket;
    const GraderOptions *options;
    bool sandboxed;
    Child *children; // (options->processes)
    Bytes in, out;   // of the socket; in: frames that are not handed out yet
    bool asked;      // somebody was asked something
} Pool;

static bool next_frame(const Bytes *in, GraderFrame *f)
{
    if (in->size < sizeof *f)
        return false;
    memcpy(f, in->data, sizeof *f);
    return in->size >= sizeof *f + f->size;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// ---- bytes

void grader_drop(Bytes *b, size_t size)
{
    memmove(b->data, b->data + size, b->size - size);
    b->size -= size;
}

bool grader_flush(int descriptor, Bytes *out)
{
    while (out->size > 0) {
        ssize_t n = write(descriptor, out->data, out->size);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        grader_drop(out, (size_t)n);
    }
    return true;
}

bool grader_fill(int descriptor, Bytes *in)
{
    char piece[65536];
    for (;;) {
        ssize_t n = read(descriptor, piece, sizeof piece);
        if (n > 0 && !bytes_append(in, piece, (size_t)n))
            return false;
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
}

// ---- children

static void run_child(const Pool *p, int in, int out)
{
    static const char *const BWRAP[] = {"bwrap",        "--ro-bind", "/",       "/",    "--dev",         "/dev",
                                        "--proc",       "/proc",     "--tmpfs", "/tmp", "--unshare-all", "--die-with-parent",
                                        "--new-session"};
    enum { WORDS = sizeof BWRAP / sizeof *BWRAP };
    const char *words[WORDS + 4];
    size_t count = 0;
    for (; p->sandboxed && count < WORDS; count++)
        words[count] = BWRAP[count];
    words[count++] = "sh";
    words[count++] = "-c";
    words[count++] = p->options->command;
    words[count] = NULL;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execvp(words[0], (char *const *)words);
    _exit(127);
}

static bool start_child(Pool *p, Child *c)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) != 0)
        return false;
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(to[0]), close(to[1]);
        return false;
    }
    c->pid = fork();
    if (c->pid == 0)
        run_child(p, to[0], from[1]);
    close(to[0]), close(from[1]);
    c->to = to[1];
    c->from = from[0];
    fcntl(c->to, F_SETFL, O_NONBLOCK);
    fcntl(c->from, F_SETFL, O_NONBLOCK);
    if (c->pid < 0)
        c->pid = 0;
    return c->pid != 0;
}

static int end_child(Child *c) // its status
{
    int status = 0;
    kill(-c->pid, SIGKILL);
    kill(c->pid, SIGKILL);
    waitpid(c->pid, &status, 0);
    close(c->to), close(c->from);
    bytes_free(&c->out);
    bytes_free(&c->in);
    *c = (Child){0};
    return status;
}

static void answer(Pool *p, uint64_t tag, bool failed, const char *text, size_t size)
{
    GraderFrame f = {tag, (uint32_t)size, failed};
    if (!bytes_append(&p->out, &f, sizeof f) || !bytes_append(&p->out, text, size))
        _exit(1);
}

// It ended, or it took too long.
static void lose_child(Pool *p, Child *c, const char *why)
{
    char text[160];
    uint64_t tag = c->tag;
    bool busy = c->busy;
    int waited = 0, status = 0;
    for (int i = 0; why == NULL && i < 100 && (waited = waitpid(c->pid, &status, WNOHANG)) == 0; i++)
        usleep(1000); // its output is closed; it is about to end
    end_child(c);
    if (why != NULL)
        snprintf(text, sizeof text, "%s", why);
    else if (waited > 0 && WIFEXITED(status))
        snprintf(text, sizeof text, "it ended with exit code %d", WEXITSTATUS(status));
    else
        snprintf(text, sizeof text, "it ended");
    if (busy)
        answer(p, tag, true, text, strlen(text));
    else if (!p->asked)
        answer(p, GRADER_TAG_START, true, text, strlen(text));
}

static void take_line(Pool *p, Child *c)
{
    bool open = grader_fill(c->from, &c->in);
    char *end = c->in.size > 0 ? memchr(c->in.data, '\n', c->in.size) : NULL;
    if (end != NULL) {
        size_t size = (size_t)(end - c->in.data);
        if (c->busy)
            answer(p, c->tag, false, c->in.data, size);
        c->busy = false;
        grader_drop(&c->in, size + 1); // a line that nobody asked for is dropped
    }
    if (!open)
        lose_child(p, c, NULL);
    else if (end == NULL && c->in.size > GRADER_LINE_MOST)
        lose_child(p, c, "its line has no end");
}

// ---- questions

static void hand_out(Pool *p)
{
    GraderFrame f;
    for (int64_t i = 0; i < p->options->processes && next_frame(&p->in, &f); i++) {
        Child *c = &p->children[i];
        if (c->busy)
            continue;
        if (c->pid == 0 && !start_child(p, c)) {
            answer(p, f.tag, true, "it could not be started", 23);
        } else {
            p->asked = c->busy = true;
            c->tag = f.tag;
            c->deadline = now() + p->options->seconds;
            if (!bytes_append(&c->out, p->in.data + sizeof f, f.size) || !bytes_append(&c->out, "\n", 1))
                _exit(1);
        }
        grader_drop(&p->in, sizeof f + f.size);
    }
}

static int until_deadline(const Pool *p)
{
    double least = 60;
    GraderFrame f;
    for (int64_t i = 0; i < p->options->processes; i++)
        if (p->children[i].busy)
            least = p->children[i].deadline - now() < least ? p->children[i].deadline - now() : least;
        else if (next_frame(&p->in, &f))
            return 0; // there is something to do
    return least > 0 ? (int)(least * 1000) + 1 : 0;
}

static void leave(Pool *p)
{
    for (int64_t i = 0; i < p->options->processes; i++)
        if (p->children[i].pid != 0)
            end_child(&p->children[i]);
    _exit(0);
}

static void wait_for_something(Pool *p, struct pollfd *fds)
{
    nfds_t count = 0;
    fds[count++] = (struct pollfd){p->socket, (short)(POLLIN | (p->out.size > 0 ? POLLOUT : 0)), 0};
    for (int64_t i = 0; i < p->options->processes; i++) {
        const Child *c = &p->children[i];
        if (c->pid != 0)
            fds[count++] = (struct pollfd){c->from, POLLIN, 0};
        if (c->pid != 0 && c->out.size > 0)
            fds[count++] = (struct pollfd){c->to, POLLOUT, 0};
    }
    poll(fds, count, until_deadline(p));
}

static void serve_children(Pool *p)
{
    for (int64_t i = 0; i < p->options->processes; i++) {
        Child *c = &p->children[i];
        if (c->pid != 0)
            take_line(p, c);
        if (c->pid != 0 && c->busy && !grader_flush(c->to, &c->out))
            lose_child(p, c, NULL);
        if (c->pid != 0 && c->busy && c->deadline < now())
            lose_child(p, c, "it did not answer in time");
    }
}

void grader_pool_run(int socket, const GraderOptions *options, bool sandboxed)
{
    Pool p = {.socket = socket, .options = options, .sandboxed = sandboxed};
    p.children = calloc((size_t)options->processes, sizeof *p.children);
    struct pollfd *fds = calloc(1 + 2 * (size_t)options->processes, sizeof *fds);
    if (p.children == NULL || fds == NULL)
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL); // its children have it too
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); // of a terminal: the trainer decides when it is over
    signal(SIGTERM, SIG_DFL);
    fcntl(socket, F_SETFL, O_NONBLOCK);
    for (int64_t i = 0; i < options->processes; i++)
        start_child(&p, &p.children[i]);
    for (;;) {
        wait_for_something(&p, fds);
        if (!grader_fill(socket, &p.in))
            leave(&p);
        serve_children(&p);
        hand_out(&p);
        serve_children(&p);
        if (!grader_flush(socket, &p.out))
            leave(&p);
    }
}
