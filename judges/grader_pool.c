// One loop around poll(): the socket to the trainer, and three pipes to each child. Of a child's output only the line
// that answers its question is kept; a child that prints more, at any time, is replaced, so memory is bounded.
#include "judges/grader_pool.h"
#include "judges/grader_sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Child {
    pid_t pid;            // 0: none
    int to, from, errors; // errors: its standard error, forwarded to ours; -1: closed
    bool busy, warm;      // warm: it has answered before
    uint64_t tag;
    char name[GRADER_NAME]; // the question's
    double started, deadline;
    Bytes out, in;
    char last[GRADER_SHOWN]; // (last_size) the last line on its standard error
    size_t last_size;
    bool last_ended;
} Child;

typedef struct Pool {
    int socket;
    const GraderOptions *options;
    const char *command; // for sh -c
    bool sandboxed;
    Child *children; // (options->processes)
    Bytes in, out;   // of the socket; in: frames not processed yet
    bool asked;      // a question has been sent to some child
} Pool;

static bool next_frame(const Bytes *in, GraderFrame *f)
{
    if (in->size < sizeof *f)
        return false;
    memcpy(f, in->data, sizeof *f);
    return in->size >= sizeof *f + f->size;
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

// Reads once, and no more than fits: a child that writes for ever must not keep the others waiting. False: it has
// closed its end.
static bool read_piece(int descriptor, Bytes *in)
{
    char piece[65536];
    ssize_t n = read(descriptor, piece, sizeof piece);
    if (n > 0 && !bytes_append(in, piece, (size_t)n))
        _exit(1);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

// ---- children

// The trainer decides when to end, whoever else gets the signal.
static const int IGNORED[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTTOU};

static void run_child(const Pool *p, int in, int out, int errors)
{
    const char *words[GRADER_SANDBOX_WORDS + 4], *folder = getcwd(NULL, 0);
    size_t count = p->sandboxed ? grader_sandbox_words(words, folder == NULL ? "/" : folder) : 0;
    if (p->sandboxed)
        grader_sandbox_forget_secrets();
    words[count++] = "sh";
    words[count++] = "-c";
    words[count++] = p->command;
    words[count] = NULL;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < sizeof IGNORED / sizeof *IGNORED; i++)
        signal(IGNORED[i], SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execvp(words[0], (char *const *)words);
    _exit(127);
}

static bool make_pipes(int pipes[3][2])
{
    for (int i = 0; i < 3; i++)
        if (pipe2(pipes[i], O_CLOEXEC) != 0) {
            while (i-- > 0)
                close(pipes[i][0]), close(pipes[i][1]);
            return false;
        }
    return true;
}

static bool start_child(Pool *p, Child *c)
{
    int pipes[3][2]; // for its input, output and errors
    if (!make_pipes(pipes))
        return false;
    *c = (Child){.pid = fork(),
                 .to = pipes[0][1],
                 .from = pipes[1][0],
                 .errors = pipes[2][0],
                 .started = clock_seconds(),
                 .last_ended = true};
    if (c->pid == 0)
        run_child(p, pipes[0][0], pipes[1][1], pipes[2][1]);
    close(pipes[0][0]), close(pipes[1][1]), close(pipes[2][1]);
    fcntl(c->to, F_SETFL, O_NONBLOCK);
    fcntl(c->from, F_SETFL, O_NONBLOCK);
    fcntl(c->errors, F_SETFL, O_NONBLOCK);
    setpgid(c->pid, c->pid); // as the child does itself, whichever comes first
    if (c->pid > 0)
        return true;
    close(c->to), close(c->from), close(c->errors);
    c->pid = 0;
    return false;
}

static void end_child(Child *c)
{
    grader_family_kill(c->pid);
    waitpid(c->pid, NULL, 0);
    close(c->to), close(c->from);
    if (c->errors >= 0)
        close(c->errors);
    bytes_free(&c->out);
    bytes_free(&c->in);
    *c = (Child){0};
}

static void say(Pool *p, uint64_t tag, GraderFrameKind kind, const char *text, size_t size)
{
    GraderFrame f = {tag, (uint32_t)size, (uint32_t)kind};
    if (!bytes_append(&p->out, &f, sizeof f) || !bytes_append(&p->out, text, size))
        _exit(1);
}

static void keep_last_line(Child *c, const char *piece, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool end = piece[i] == '\n';
        if (!end && c->last_ended)
            c->last_size = 0;
        c->last_ended = end;
        if (!end && c->last_size < sizeof c->last)
            c->last[c->last_size++] = piece[i];
    }
}

// Forwards a child's standard error to ours; its last line is kept for errors. False: it is closed.
static bool pass_errors(Child *c)
{
    char piece[4096];
    ssize_t n = c->errors < 0 ? -1 : read(c->errors, piece, sizeof piece);
    if (n > 0)
        keep_last_line(c, piece, (size_t)n);
    for (ssize_t done = 0, m; done < n; done += m)
        if ((m = write(STDERR_FILENO, piece + done, (size_t)(n - done))) <= 0)
            break; // nobody reads it
    if (n == 0) {
        close(c->errors);
        c->errors = -1;
    }
    return n > 0;
}

// how: it ended, or took too long. Its question has no answer; a child without a question may end at any time, once any
// has worked.
static void lose_child(Pool *p, Child *c, const char *how)
{
    Bytes text = {0};
    for (int pieces = 0; pieces < 16 && pass_errors(c); pieces++)
        ;
    int begun = c->in.size < GRADER_SHOWN ? (int)c->in.size : GRADER_SHOWN;
    if (!bytes_text(&text, how) ||
        (begun > 0 && !bytes_printf(&text, ", after \"%.*s\" without the end of a line", begun, c->in.data)) ||
        (c->last_size > 0 && !bytes_printf(&text, "; the last that it wrote: %.*s", (int)c->last_size, c->last)))
        _exit(1);
    if (c->busy)
        say(p, c->tag, GRADER_FAILED, text.data, text.size);
    else if (!p->asked)
        say(p, GRADER_NOBODY, GRADER_ENDED, text.data, text.size);
    bytes_free(&text);
    end_child(c);
}

static void lose_ended(Pool *p, Child *c)
{
    char how[64] = "it closed its input or output";
    siginfo_t end = {0};
    for (int i = 0; i < 100 && waitid(P_PID, (id_t)c->pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == 0;
         i++)
        usleep(1000); // its output is closed; it is about to end
    if (end.si_pid != 0 && end.si_code == CLD_EXITED)
        snprintf(how, sizeof how, "it ended with exit code %d", end.si_status);
    else if (end.si_pid != 0)
        snprintf(how, sizeof how, "it was ended by signal %d", end.si_status);
    lose_child(p, c, how);
}

// It printed something that is no answer to its question: its state is unknown, so it is replaced.
static void replace_child(Pool *p, Child *c)
{
    const char *end = memchr(c->in.data, '\n', c->in.size);
    size_t size = end == NULL ? c->in.size : (size_t)(end - c->in.data);
    say(p, c->busy ? c->tag : GRADER_NOBODY, GRADER_OTHER, c->in.data,
        size < GRADER_SHOWN + 4 ? size : GRADER_SHOWN + 4);
    end_child(c);
}

static void take_line(Pool *p, Child *c)
{
    bool open = read_piece(c->from, &c->in);
    const char *end = c->in.size > 0 ? memchr(c->in.data, '\n', c->in.size) : NULL;
    size_t size = end == NULL ? 0 : (size_t)(end - c->in.data);
    if (end != NULL && c->busy && memmem(c->in.data, size, c->name, sizeof c->name) != NULL) {
        say(p, c->tag, GRADER_ANSWER, c->in.data, size);
        c->busy = false;
        c->warm = true;
        grader_drop(&c->in, size + 1);
        end = NULL;
    }
    if (end != NULL || (!c->busy && c->in.size > 0))
        replace_child(p, c);
    else if (!open)
        lose_ended(p, c);
    else if (c->in.size > GRADER_LINE_MOST)
        lose_child(p, c, "its line has no end");
}

// ---- questions

// A new child may load first: until its start time is over, the question's time does not count.
static double deadline_of(const Pool *p, const Child *c)
{
    double ready = c->warm ? 0 : c->started + p->options->start_seconds;
    return (ready > clock_seconds() ? ready : clock_seconds()) + p->options->seconds;
}

static void hand_out(Pool *p)
{
    static const char NO_START[] = "it could not be started";
    GraderFrame f;
    for (int64_t i = 0; i < p->options->processes && next_frame(&p->in, &f); i++) {
        Child *c = &p->children[i];
        if (c->busy)
            continue;
        if (c->pid == 0 && !start_child(p, c)) {
            say(p, f.tag, GRADER_FAILED, NO_START, strlen(NO_START));
        } else {
            p->asked = c->busy = true;
            c->tag = f.tag;
            memcpy(c->name, p->in.data + sizeof f + strlen(GRADER_BEGINNING), sizeof c->name);
            c->deadline = deadline_of(p, c);
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
            least =
                p->children[i].deadline - clock_seconds() < least ? p->children[i].deadline - clock_seconds() : least;
        else if (next_frame(&p->in, &f))
            return 0; // there is something to do
    return least > 0 ? (int)(least * 1000) + 1 : 0;
}

static void leave(const Pool *p)
{
    for (int64_t i = 0; i < p->options->processes; i++)
        if (p->children[i].pid != 0)
            kill(-p->children[i].pid, SIGKILL);
    grader_family_end();
    _exit(0);
}

// Reaps orphans of graders: no other process waits for them.
static void bury_orphans(const Pool *p)
{
    for (siginfo_t end = {0}; waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid != 0;
         end.si_pid = 0) {
        for (int64_t i = 0; i < p->options->processes; i++)
            if (p->children[i].pid == end.si_pid)
                return; // lose_ended will handle it
        waitpid(end.si_pid, NULL, 0);
    }
}

static void wait_for_something(Pool *p, struct pollfd *fds)
{
    nfds_t count = 0;
    fds[count++] = (struct pollfd){p->socket, (short)(POLLIN | (p->out.size > 0 ? POLLOUT : 0)), 0};
    for (int64_t i = 0; i < p->options->processes; i++) {
        const Child *c = &p->children[i];
        if (c->pid != 0) {
            fds[count++] = (struct pollfd){c->from, POLLIN, 0};
            fds[count++] = (struct pollfd){c->errors, POLLIN, 0}; // below 0: poll ignores it
        }
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
            pass_errors(c);
        if (c->pid != 0)
            take_line(p, c);
        if (c->pid != 0 && !grader_flush(c->to, &c->out)) // even if it answered before reading its whole question
            lose_ended(p, c);
        if (c->pid != 0 && c->busy && c->deadline < clock_seconds())
            lose_child(p, c, "it did not answer in time");
    }
}

// Keeps only the socket and standard error of the trainer's files: its locks and pipes must not outlive it here.
static int close_files(int socket)
{
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    if (socket != STDERR_FILENO + 1)
        dup3(socket, STDERR_FILENO + 1, O_CLOEXEC);
    close_range(STDERR_FILENO + 2, ~0u, 0);
    return STDERR_FILENO + 1;
}

static void nothing_to_do(int number) {}

// Its own process group, so that a signal to the trainer's group does not end it before it has ended its children.
static void take_care_of_signals(void)
{
    setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (size_t i = 0; i < sizeof IGNORED / sizeof *IGNORED; i++)
        signal(IGNORED[i], SIG_IGN);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = nothing_to_do}, NULL); // ends poll()
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
}

static bool make_command(Pool *p)
{
    Bytes text = {0};
    p->command = p->options->command;
    if (!grader_command_is_program(p->command))
        return true;
    p->command = bytes_printf(&text, "exec %s", p->options->command) ? text.data : NULL;
    return p->command != NULL;
}

void grader_pool_run(int socket, const GraderOptions *options, bool sandboxed)
{
    pid_t trainer = getppid();
    socket = close_files(socket);
    Pool p = {.socket = socket, .options = options, .sandboxed = sandboxed};
    p.children = calloc((size_t)options->processes, sizeof *p.children);
    struct pollfd *fds = calloc(1 + 3 * (size_t)options->processes, sizeof *fds);
    if (p.children == NULL || fds == NULL || !make_command(&p))
        _exit(1);
    take_care_of_signals();
    fcntl(socket, F_SETFL, O_NONBLOCK);
    for (int64_t i = 0; i < options->processes; i++)
        start_child(&p, &p.children[i]);
    for (;;) {
        wait_for_something(&p, fds);
        if (!grader_fill(socket, &p.in) || getppid() != trainer)
            leave(&p);
        bury_orphans(&p);
        serve_children(&p);
        hand_out(&p);
        serve_children(&p);
        if (!grader_flush(socket, &p.out))
            leave(&p);
    }
}
