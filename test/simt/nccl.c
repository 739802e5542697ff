// A stand-in for NCCL beside the SIMT runtime: the functions that ranks/nccl.c uses, between processes of one machine,
// by files in a folder that the id names. It is as late as NCCL allows: a communicator is not there before all ranks
// have asked for it; a group is not in its stream before the communicator was asked after it; bytes are read from
// memory, and written to it, when something waits for the group's place in its stream, and not before.
//
// And it is stricter: all ranks end the same groups in the same order, an empty one too, with what one sends to another
// received there. Where they differ, both are named by ncclGetLastError, and the group is never done.
//
// Environment: NCCL_STANDIN_VERSION (default 22809), TMPDIR.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool simt_move(void *to, const void *from, size_t bytes, bool to_device);
void simt_stream_push(void *stream, bool (*step)(void *context), void *context);

enum { SUCCESS, SYSTEM_ERROR = 2, INVALID_USAGE = 5, IN_PROGRESS = 7, MOST_OPERATIONS = 256, PATH = 256 };

typedef struct UniqueId {
    char folder[128];
} UniqueId;

typedef enum Kind { SEND, RECEIVE, BROADCAST } Kind;
static const char *const KINDS[] = {"sends %zu bytes to rank %d", "receives %zu bytes from rank %d",
                                    "broadcasts %zu bytes of rank %d"};

typedef struct Operation {
    Kind kind;
    int peer; // or root
    size_t bytes;
    void *data;
    const void *own; // of a root: where its bytes lie before
} Operation;

typedef struct Comm Comm;

typedef struct Group {
    Comm *comm;
    int64_t number;
    int count;
    bool compared, sent, finished[MOST_OPERATIONS];
    void *stream;
    Operation operations[MOST_OPERATIONS];
} Group;

typedef enum Phase { OPENING, OPEN, CLOSING, CLOSED, ABORTED } Phase;

struct Comm {
    int rank, size;
    char folder[128], error[512];
    Phase phase;
    int64_t groups;
    Group *waiting; // ended, and not in its stream
    int asked;      // since
};

static Comm *only; // one is enough for us, and an empty group belongs to it
static int depth;
static Group *open_group;
static char last_error[512];

static int refuse(Comm *c, int result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    if (c != NULL)
        memcpy(c->error, last_error, sizeof c->error);
    return result;
}

// ---- files: they appear whole

static void path_of(char path[PATH], const Comm *c, const char *format, ...)
{
    char name[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    snprintf(path, PATH, "%s/%s", c->folder, name);
}

static bool write_file(const char *path, const void *data, size_t bytes)
{
    char unfinished[PATH + 8];
    snprintf(unfinished, sizeof unfinished, "%s.part", path);
    FILE *file = fopen(unfinished, "w");
    bool ok = file != NULL && fwrite(data, 1, bytes, file) == bytes;
    return file != NULL && fclose(file) == 0 && ok && rename(unfinished, path) == 0;
}

static bool read_file(const char *path, void *data, size_t bytes)
{
    FILE *file = fopen(path, "r");
    bool ok = file != NULL && fread(data, 1, bytes, file) == bytes;
    if (file != NULL)
        fclose(file);
    return ok;
}

static bool everyone(const Comm *c, const char *what)
{
    char path[PATH];
    for (int r = 0; r < c->size; r++) {
        path_of(path, c, "%s.%d", what, r);
        if (access(path, F_OK) != 0)
            return false;
    }
    return true;
}

static void note(const Comm *c, const char *what)
{
    char path[PATH];
    path_of(path, c, "%s.%d", what, c->rank);
    write_file(path, "", 0);
}

static void remove_folder(const char *folder)
{
    char path[PATH + 256];
    DIR *directory = opendir(folder);
    for (struct dirent *e; directory != NULL && (e = readdir(directory)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    if (directory != NULL)
        closedir(directory);
    rmdir(folder);
}

// ---- a group in its stream

static void describe(char *out, size_t size, const Operation *o)
{
    if (o == NULL)
        snprintf(out, size, "has no more part in it");
    else
        snprintf(out, size, KINDS[o->kind], o->bytes, o->peer); // NOLINT: the formats are ours
}

static const Operation *next_of(const Group *g, int *at, Kind kind, int peer)
{
    for (; *at < g->count; ++*at)
        if (g->operations[*at].kind == kind && (kind == BROADCAST || g->operations[*at].peer == peer))
            return &g->operations[(*at)++];
    return NULL;
}

// What `own` does with rank `other` in one direction, against what that one says of it.
static bool same(Comm *c, const Group *own, const Group *its, int other, Kind kind, Kind opposite)
{
    for (int a = 0, b = 0;;) {
        const Operation *mine = next_of(own, &a, kind, other), *theirs = next_of(its, &b, opposite, c->rank);
        if (mine == NULL && theirs == NULL)
            return true;
        if (mine != NULL && theirs != NULL && mine->bytes == theirs->bytes &&
            (kind != BROADCAST || mine->peer == theirs->peer))
            continue;
        char ours[128], others[128];
        describe(ours, sizeof ours, mine);
        describe(others, sizeof others, theirs);
        refuse(c, INVALID_USAGE, "ranks %d and %d do not do the same in group %lld: rank %d %s, and rank %d %s",
               c->rank, other, (long long)own->number, c->rank, ours, other, others);
        return false;
    }
}

// False: not all have come so far, or they differ.
static bool compare(Group *g)
{
    static Group its;
    char path[PATH];
    for (int r = 0; r < g->comm->size; r++) {
        path_of(path, g->comm, "group-%lld.%d", (long long)g->number, r);
        if (r == g->comm->rank)
            continue;
        if (!read_file(path, &its, sizeof its) || !same(g->comm, g, &its, r, SEND, RECEIVE) ||
            !same(g->comm, g, &its, r, RECEIVE, SEND) || !same(g->comm, g, &its, r, BROADCAST, BROADCAST))
            return false;
    }
    return true;
}

// The file of operation i's bytes between two ranks: of all between these two in the group, by their order.
static void message(char path[PATH], const Group *g, int i, int from, int to)
{
    int before = 0;
    for (int k = 0; k < i; k++)
        before += g->operations[k].kind == g->operations[i].kind && g->operations[k].peer == g->operations[i].peer;
    path_of(path, g->comm, "%s-%lld.%d.%d.%d", g->operations[i].kind == BROADCAST ? "broadcast" : "message",
            (long long)g->number, from, to, before);
}

static bool send_to(const Group *g, int i, int to)
{
    const Operation *o = &g->operations[i];
    char path[PATH], *bytes = malloc(o->bytes);
    message(path, g, i, g->comm->rank, to);
    bool ok = bytes != NULL && simt_move(bytes, o->own, o->bytes, false) && write_file(path, bytes, o->bytes);
    free(bytes);
    return ok || (refuse(g->comm, SYSTEM_ERROR, "writing %s: %s", path, strerror(errno)), false);
}

static bool move_own(const Group *g, const Operation *o)
{
    char *bytes = malloc(o->bytes);
    bool ok = bytes != NULL && simt_move(bytes, o->own, o->bytes, false) && simt_move(o->data, bytes, o->bytes, true);
    free(bytes);
    return ok || (refuse(g->comm, SYSTEM_ERROR, "copying a root's own bytes"), false);
}

static bool send_all(const Group *g)
{
    for (int i = 0; i < g->count; i++) {
        const Operation *o = &g->operations[i];
        bool root = o->kind == BROADCAST && o->peer == g->comm->rank;
        if (root && o->own != o->data && !move_own(g, o))
            return false;
        for (int r = 0; r < g->comm->size; r++)
            if (((o->kind == SEND && o->peer == r) || (root && r != g->comm->rank)) && !send_to(g, i, r))
                return false;
    }
    return true;
}

static bool receive_from(const Group *g, int i)
{
    const Operation *o = &g->operations[i];
    char path[PATH], *bytes = malloc(o->bytes);
    message(path, g, i, o->peer, g->comm->rank);
    bool ok = bytes != NULL && read_file(path, bytes, o->bytes) && simt_move(o->data, bytes, o->bytes, true);
    if (ok)
        unlink(path);
    free(bytes);
    return ok;
}

static bool step(void *context)
{
    Group *g = context;
    bool all = true;
    if (g->comm->phase == ABORTED)
        return true;
    if (g->comm->error[0] != 0)
        return false;
    g->compared = g->compared || compare(g);
    g->sent = g->sent || (g->compared && send_all(g));
    for (int i = 0; i < g->count && g->sent; i++) {
        const Operation *o = &g->operations[i];
        bool receives = o->kind == RECEIVE || (o->kind == BROADCAST && o->peer != g->comm->rank);
        g->finished[i] = g->finished[i] || !receives || receive_from(g, i);
        all = all && g->finished[i];
    }
    if (!g->sent || !all)
        return false;
    free(g);
    return true;
}

static void launch(Comm *c)
{
    char path[PATH];
    Group *g = c->waiting;
    c->waiting = NULL;
    path_of(path, c, "group-%lld.%d", (long long)g->number, c->rank);
    if (!write_file(path, g, sizeof *g))
        refuse(c, SYSTEM_ERROR, "writing %s: %s", path, strerror(errno));
    if (g->count > 0)
        simt_stream_push(g->stream, step, g);
    else
        free(g);
}

// ---- the library

int ncclGetVersion(int *version)
{
    const char *text = getenv("NCCL_STANDIN_VERSION");
    *version = text == NULL ? 22809 : atoi(text);
    return SUCCESS;
}

int ncclGetUniqueId(UniqueId *id)
{
    const char *place = getenv("TMPDIR");
    snprintf(id->folder, sizeof id->folder, "%s/nccl-XXXXXX", place == NULL ? "/tmp" : place);
    return mkdtemp(id->folder) != NULL ? SUCCESS : refuse(NULL, SYSTEM_ERROR, "%s: %s", id->folder, strerror(errno));
}

// The first five members of ncclConfig_t
typedef struct Config {
    size_t size;
    unsigned magic, version;
    int blocking;
} Config;

int ncclCommInitRankConfig(Comm **comm, int size, UniqueId id, int rank, Config *config)
{
    if (config->magic != 0xcafebeef || config->blocking != 0)
        return refuse(NULL, INVALID_USAGE, "a configuration of NCCL's, and not a blocking one, is wanted");
    only = *comm = calloc(1, sizeof **comm);
    (*comm)->rank = rank, (*comm)->size = size;
    memcpy((*comm)->folder, id.folder, sizeof id.folder);
    note(*comm, "here");
    return IN_PROGRESS;
}

int ncclCommGetAsyncError(Comm *c, int *state)
{
    *state = IN_PROGRESS;
    if (c->error[0] != 0)
        *state = INVALID_USAGE;
    else if (c->phase == OPENING && everyone(c, "here"))
        c->phase = OPEN;
    else if (c->phase == CLOSING && everyone(c, "done"))
        c->phase = CLOSED;
    else if (c->waiting != NULL && c->asked++ > 0)
        launch(c);
    if (c->error[0] == 0 && (c->phase == OPEN || c->phase == CLOSED) && c->waiting == NULL)
        *state = SUCCESS;
    return SUCCESS;
}

int ncclCommFinalize(Comm *c)
{
    if (c->phase != OPEN || c->waiting != NULL)
        return refuse(c, INVALID_USAGE, "ncclCommFinalize of a communicator that is in progress");
    c->phase = CLOSING;
    note(c, "done");
    return IN_PROGRESS;
}

int ncclCommDestroy(Comm *c)
{
    if (c->phase != CLOSED)
        return refuse(c, INVALID_USAGE, "ncclCommDestroy before ncclCommFinalize is done");
    note(c, "left");
    if (everyone(c, "left"))
        remove_folder(c->folder);
    only = NULL;
    free(c);
    return SUCCESS;
}

int ncclCommAbort(Comm *c) // it stays, for what is in streams
{
    c->phase = ABORTED;
    only = NULL;
    return SUCCESS;
}

int ncclGroupStart(void)
{
    if (depth++ == 0)
        open_group = calloc(1, sizeof *open_group);
    return SUCCESS;
}

int ncclGroupEnd(void)
{
    if (depth == 0)
        return refuse(only, INVALID_USAGE, "ncclGroupEnd without ncclGroupStart");
    if (--depth > 0)
        return SUCCESS;
    Group *g = open_group;
    open_group = NULL;
    if (only == NULL || only->waiting != NULL || only->phase != OPEN)
        return refuse(only, INVALID_USAGE, "a group of a communicator that is in progress");
    g->comm = only;
    g->number = only->groups++;
    only->waiting = g;
    only->asked = 0;
    return IN_PROGRESS;
}

static int add(Operation operation, Comm *c, void *stream)
{
    ncclGroupStart();
    int result = SUCCESS;
    if (c->phase != OPEN || c->waiting != NULL || open_group->count == MOST_OPERATIONS)
        result = refuse(c, INVALID_USAGE, "an operation of a communicator that is in progress");
    else if (open_group->count > 0 && open_group->stream != stream)
        result = refuse(c, INVALID_USAGE, "operations of one group in two streams");
    else
        open_group->operations[open_group->count++] = operation;
    open_group->stream = stream;
    int end = ncclGroupEnd();
    return result == SUCCESS ? end : result;
}

int ncclSend(const void *data, size_t bytes, int type, int to, Comm *c, void *stream)
{
    return add((Operation){SEND, to, bytes, NULL, data}, c, stream);
}

int ncclRecv(void *data, size_t bytes, int type, int from, Comm *c, void *stream)
{
    return add((Operation){RECEIVE, from, bytes, data, NULL}, c, stream);
}

int ncclBroadcast(const void *send, void *receive, size_t bytes, int type, int root, Comm *c, void *stream)
{
    return add((Operation){BROADCAST, root, bytes, receive, send}, c, stream);
}

const char *ncclGetErrorString(int result)
{
    return result == INVALID_USAGE ? "invalid usage" : result == SYSTEM_ERROR ? "unhandled system error" : "an error";
}

const char *ncclGetLastError(Comm *c) { return last_error; }
