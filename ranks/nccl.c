// The calls of NCCL: see nccl.h. What its header says of types is said here again, for the few that are used: they are
// the same in every version 2, and the programs are built without it.
#include "ranks/nccl.h"
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct ncclComm *Comm;
typedef enum Result { SUCCESS = 0, IN_PROGRESS = 7 } Result;
typedef struct UniqueId {
    char bytes[128];
} UniqueId;
enum { TYPE_INT8 = 0 };

typedef struct Config { // ncclConfig_t as it was in 2.18; newer libraries read as much of it as `size` says
    size_t size;
    unsigned magic, version;
    int blocking, cluster_size, least_blocks, most_blocks;
    const char *network;
    int split_share;
} Config;

// clang-format off
#define FUNCTIONS(F) \
    F(Result, ncclGetVersion, (int *version)) \
    F(Result, ncclGetUniqueId, (UniqueId *id)) \
    F(Result, ncclCommInitRankConfig, (Comm *comm, int size, UniqueId id, int rank, Config *config)) \
    F(Result, ncclCommGetAsyncError, (Comm comm, Result *error)) \
    F(Result, ncclCommFinalize, (Comm comm)) \
    F(Result, ncclCommDestroy, (Comm comm)) \
    F(Result, ncclCommAbort, (Comm comm)) \
    F(Result, ncclGroupStart, (void)) \
    F(Result, ncclGroupEnd, (void)) \
    F(Result, ncclSend, (const void *data, size_t count, int type, int to, Comm comm, void *stream)) \
    F(Result, ncclRecv, (void *data, size_t count, int type, int from, Comm comm, void *stream)) \
    F(Result, ncclBroadcast, (const void *from, void *to, size_t count, int type, int root, Comm comm, void *stream)) \
    F(const char *, ncclGetErrorString, (Result result)) \
    F(const char *, ncclGetLastError, (Comm comm))
// clang-format on

static struct Library {
#define MEMBER(type, name, parameters) type(*name) parameters;
    FUNCTIONS(MEMBER)
#undef MEMBER
    int version; // 0: not open
} lib;

struct Nccl {
    Communicator *ranks;
    Comm comm;                 // NULL: aborted
    int gone;                  // a rank that was seen to have ended; -1: none
    double gone_at, looked_at; // when first; when connections were looked at last
};

static const char FILE_NAME[] = "libnccl.so.2";

static bool open_library(void)
{
    void *file = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL);
    if (file == NULL)
        return fail("%s was not found; run dev/setup.sh --cuda and make, or put its folder on LD_LIBRARY_PATH",
                    FILE_NAME);
#define FIND(type, name, parameters)                                                                                   \
    *(void **)&lib.name = dlsym(file, #name);                                                                          \
    if (lib.name == NULL)                                                                                              \
        return fail("%s has no function " #name "; NCCL 2.18 or newer is needed", FILE_NAME);
    FUNCTIONS(FIND)
#undef FIND
    int version = 0;
    if (lib.ncclGetVersion(&version) != SUCCESS || version < NCCL_OLDEST)
        return fail("%s is version %d.%d, and 2.18 or newer is needed", FILE_NAME, version / 10000,
                    version / 100 % 100);
    lib.version = version;
    return true;
}

static bool goes(Result result) { return result == SUCCESS || result == IN_PROGRESS; }

bool nccl_version(int *version)
{
    *version = 0;
    TRY(lib.version != 0 || open_library());
    *version = lib.version;
    return true;
}

// ---- errors: what is in flight is given up, and no operation of the ranks goes on

static void abort_all(Nccl *n)
{
    if (n->comm != NULL)
        lib.ncclCommAbort(n->comm);
    n->comm = NULL;
}

static bool give_up(Nccl *n)
{
    abort_all(n);
    n->ranks->failed = true;
    return false;
}

static bool broken(Nccl *n, const char *what, Result result)
{
    const char *last = lib.ncclGetLastError(n->comm);
    bool more = last != NULL && last[0] != 0;
    fail("%s: NCCL says: %s%s%s; NCCL_DEBUG=INFO says more, and DEREASON_LINK=host does without NCCL", what,
         lib.ncclGetErrorString(result), more ? ": " : "", more ? last : "");
    return give_up(n);
}

// *state: what NCCL is at. False after fail(): it has an error, or a rank has ended, failed or does not get on. Which
// rank it waits for only NCCL knows; that it waits is for the watch.
static bool ask(Nccl *n, const char *what, Result *state)
{
    static const double GRACE = 2, BETWEEN = 0.01; // GRACE: what an ended rank has sent may still arrive
    double now = clock_seconds();
    if (n->comm == NULL) // the first error is the one to tell
        return false;
    Result asked = lib.ncclCommGetAsyncError(n->comm, state);
    if (asked != SUCCESS || !goes(*state))
        return broken(n, what, asked != SUCCESS ? asked : *state);
    if (now - n->looked_at > BETWEEN) {
        n->gone = comm_ended(n->ranks);
        n->looked_at = now;
        if (n->gone < 0)
            n->gone_at = now;
    }
    watch_waits_for(n->ranks->watch, (n->ranks->rank + 1) % n->ranks->size);
    if (!watch_is_calm(n->ranks->watch, 0))
        return give_up(n);
    int gone = n->gone;
    if (gone < 0 || now - n->gone_at <= GRACE)
        return true;
    fail_as(ERROR_ELSEWHERE, "rank %d on %s has ended (rank %d waits for it: %s)", gone, n->ranks->mesh.hosts[gone],
            n->ranks->rank, what);
    return give_up(n);
}

bool nccl_goes_on(Nccl *n, const char *what)
{
    Result state;
    return ask(n, what, &state);
}

// A call returned `result`; until NCCL is done with it, none may follow.
static bool settle(Nccl *n, const char *what, Result result)
{
    static const struct timespec moment = {.tv_nsec = 20000};
    if (!goes(result))
        return broken(n, what, result);
    while (result == IN_PROGRESS) {
        nanosleep(&moment, NULL);
        TRY(ask(n, what, &result));
    }
    return true;
}

// ---- opening

Nccl *nccl_open(Communicator *ranks)
{
    UniqueId id = {{0}};
    Config config = {sizeof config, 0xcafebeef, NCCL_OLDEST, 0, INT_MIN, INT_MIN, INT_MIN, NULL, INT_MIN};
    Nccl *n = allocate(1, sizeof *n);
    if (n == NULL)
        return NULL;
    n->ranks = ranks;
    n->gone = -1;
    Result made = ranks->rank == 0 ? lib.ncclGetUniqueId(&id) : SUCCESS;
    bool ok = comm_broadcast(ranks, &id, sizeof id, 0);
    if (ok && made != SUCCESS) // the others wait in the next call, and see that this one has ended
        ok = broken(n, "making an id", made);
    ok = ok &&
         settle(n, "connecting the GPUs", lib.ncclCommInitRankConfig(&n->comm, ranks->size, id, ranks->rank, &config));
    if (ok)
        return n;
    free(n);
    return NULL;
}

void nccl_close(Nccl *n)
{
    if (n == NULL)
        return;
    if (n->ranks->failed || error_text()[0] != 0) // one that was got over, too: the ranks themselves go on
        abort_all(n);
    if (n->comm != NULL && settle(n, "closing the connections of the GPUs", lib.ncclCommFinalize(n->comm)))
        lib.ncclCommDestroy(n->comm);
    free(n);
}

// ---- operations

static Result end_group(Result result)
{
    Result end = lib.ncclGroupEnd();
    return goes(result) ? end : result;
}

bool nccl_all_to_all(Nccl *n, const char *what, void *stream, const Piece *send, const Piece *receive)
{
    int size = n->ranks->size, rank = n->ranks->rank;
    if (n->comm == NULL)
        return false;
    Result result = lib.ncclGroupStart();
    for (int step = 1; step < size; step++) { // not all to the same rank first
        int to = (rank + step) % size, from = (rank + size - step) % size;
        n->ranks->bytes += send[to].size;
        if (goes(result) && send[to].size > 0)
            result = lib.ncclSend(send[to].data, send[to].size, TYPE_INT8, to, n->comm, stream);
        if (goes(result) && receive[from].size > 0)
            result = lib.ncclRecv(receive[from].data, receive[from].size, TYPE_INT8, from, n->comm, stream);
    }
    return settle(n, what, end_group(result));
}

bool nccl_all_gather(Nccl *n, const char *what, void *stream, const Piece *pieces, const void *own)
{
    int size = n->ranks->size;
    if (n->comm == NULL)
        return false;
    Result result = lib.ncclGroupStart();
    n->ranks->bytes += pieces[n->ranks->rank].size * (size_t)(size - 1);
    for (int r = 0; r < size; r++) {
        const void *from = r == n->ranks->rank ? own : pieces[r].data;
        if (goes(result) && pieces[r].size > 0)
            result = lib.ncclBroadcast(from, pieces[r].data, pieces[r].size, TYPE_INT8, r, n->comm, stream);
    }
    return settle(n, what, end_group(result));
}
