#include "rl/grader.h"
#include "base/json.h"
#include "base/signals.h"
#include "rl/grader_pool.h"
#include "rl/verdicts.h"
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Graded {
    struct Graded *next;
    uint64_t tag, key[2];
    bool failed;
    Bytes said;
} Graded;

typedef struct Grader {
    GraderOptions options;
    bool sandboxed;
    pid_t pool;
    int socket;
    Verdicts verdicts;
    Bytes out, in;
    Graded *pending, *answered, *handed_out;
} Grader;

enum { START_MS = 300 }; // in which a command that cannot be run has ended

// ---- opening

static bool bubblewrap_works(void)
{
    return system("bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all true >/dev/null 2>&1") == 0;
}

static bool start_pool(Grader *g)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return fail_errno("--grader: a socket for it");
    g->pool = fork();
    if (g->pool < 0)
        return fail_errno("--grader: a process for it");
    if (g->pool == 0) {
        close(pair[0]);
        grader_pool_run(pair[1], &g->options, g->sandboxed);
    }
    close(pair[1]);
    g->socket = pair[0];
    fcntl(g->socket, F_SETFL, O_NONBLOCK);
    return true;
}

static bool take_frames(Grader *g);

static bool started(Grader *g)
{
    struct pollfd fd = {g->socket, POLLIN, 0};
    return poll(&fd, 1, START_MS) <= 0 || take_frames(g);
}

Grader *grader_open(const GraderOptions *options)
{
    Grader *g = allocate(1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->options = *options;
    g->socket = -1;
    g->verdicts.file.descriptor = -1;
    bool wanted = strcmp(options->sandbox, "none") != 0;
    g->sandboxed = wanted && bubblewrap_works();
    bool ok = g->sandboxed || strcmp(options->sandbox, "bwrap") != 0 ||
              fail("--grader-sandbox bwrap: bubblewrap is not installed, or may not make namespaces here; take auto or none");
    if (ok && verdicts_open(&g->verdicts, options->journal) && start_pool(g) && started(g))
        return g;
    grader_close(g);
    return NULL;
}

static void free_all(Graded *q)
{
    while (q != NULL) {
        Graded *next = q->next;
        bytes_free(&q->said);
        free(q);
        q = next;
    }
}

void grader_close(Grader *g)
{
    if (g == NULL)
        return;
    if (g->socket >= 0)
        close(g->socket); // the pool ends its children, and itself
    if (g->pool > 0)
        waitpid(g->pool, NULL, 0);
    free_all(g->pending);
    free_all(g->answered);
    free_all(g->handed_out);
    bytes_free(&g->out);
    bytes_free(&g->in);
    verdicts_close(&g->verdicts);
    free(g);
}

const char *grader_sandbox(const Grader *g) { return g->sandboxed ? "bubblewrap" : "none"; }

// ---- asking

static void append(Graded **list, Graded *q)
{
    while (*list != NULL)
        list = &(*list)->next;
    q->next = NULL;
    *list = q;
}

static bool write_key(const Grader *g, Graded *q, Text question)
{
    Bytes all = {0};
    bool ok = bytes_printf(&all, "grader %s\n", g->options.command) && bytes_append(&all, question.data, question.size);
    if (ok)
        hash_bytes_128(all.data, all.size, q->key);
    bytes_free(&all);
    return ok;
}

bool grader_ask(Grader *g, uint64_t tag, Text question)
{
    bool there = false;
    Graded *q = allocate(1, sizeof *q);
    TRY(q != NULL);
    q->tag = tag;
    if (!write_key(g, q, question) || !verdicts_find(&g->verdicts, q->key, &there, &q->failed, &q->said)) {
        free_all(q);
        return false;
    }
    append(there ? &g->answered : &g->pending, q);
    if (there)
        return true;
    GraderFrame f = {(uint64_t)(uintptr_t)q, (uint32_t)question.size, 0};
    return bytes_append(&g->out, &f, sizeof f) && bytes_append(&g->out, question.data, question.size);
}

// ---- what comes back

static bool take_frame(Grader *g, const GraderFrame *f, Text text)
{
    if (f->tag == GRADER_TAG_START)
        return fail("--grader %s: %.*s before it was asked anything; it must read JSON lines and answer each with one",
                    g->options.command, (int)text.size, text.data);
    Graded *q = (Graded *)(uintptr_t)f->tag, **place = &g->pending;
    q->failed = f->failed != 0;
    TRY(bytes_append(&q->said, text.data, text.size) && verdicts_add(&g->verdicts, q->key, q->failed, text));
    while (*place != q)
        place = &(*place)->next;
    *place = q->next;
    append(&g->answered, q);
    return true;
}

static bool take_frames(Grader *g)
{
    GraderFrame f;
    if (!grader_fill(g->socket, &g->in))
        return fail("--grader: the process that has the graders as its children is gone; start again, --resume auto goes on");
    while (g->in.size >= sizeof f) {
        memcpy(&f, g->in.data, sizeof f);
        if (g->in.size < sizeof f + f.size)
            break;
        TRY(take_frame(g, &f, (Text){g->in.data + sizeof f, f.size}));
        grader_drop(&g->in, sizeof f + f.size);
    }
    return true;
}

bool grader_work(Grader *g, bool wait)
{
    do {
        struct pollfd fd = {g->socket, (short)(POLLIN | (g->out.size > 0 ? POLLOUT : 0)), 0};
        if (g->pending == NULL)
            return true;
        poll(&fd, 1, wait ? 200 : 0);
        grader_flush(g->socket, &g->out); // what is wrong with the other end shows when it is read from
        TRY(take_frames(g));
        if (wait && g->pending != NULL && signal_received() != 0)
            return fail("stopped by a signal while graders were at work");
    } while (wait && g->pending != NULL);
    return true;
}

static double score_of(const Bytes *said, const char **why)
{
    json_t *root = said->data == NULL ? NULL : json_loadb(said->data, said->size, JSON_DECODE_ANY, NULL);
    const json_t *score = json_is_object(root) ? json_object_get(root, "score") : root;
    double value = json_is_number(score) ? json_number_value(score) : json_is_boolean(score) ? json_is_true(score) : NAN;
    *why = json_is_null(score) ? "it gave no score" : isnan(value) ? "its answer is no JSON with a number named score" : NULL;
    json_decref(root);
    return value;
}

bool grader_next(Grader *g, uint64_t *tag, double *score, const char **why)
{
    free_all(g->handed_out);
    Graded *q = g->handed_out = g->answered;
    if (q == NULL)
        return false;
    g->answered = q->next;
    q->next = NULL;
    *tag = q->tag;
    *score = NAN;
    *why = q->said.data == NULL ? "it failed" : q->said.data;
    if (!q->failed)
        *score = score_of(&q->said, why);
    return true;
}
