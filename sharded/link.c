// Which way memory of devices takes, and the events that order it: see link.h.
#include "sharded/link.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

// ---- which way

typedef enum Way { WAY_AUTO, WAY_HOST, WAY_NCCL } Way;

static bool way_wanted(Way *way)
{
    const char *wanted = getenv("DEREASON_LINK");
    *way = WAY_AUTO;
    if (wanted != NULL && strcmp(wanted, "host") == 0)
        *way = WAY_HOST;
    else if (wanted != NULL && strcmp(wanted, "nccl") == 0)
        *way = WAY_NCCL;
    else if (wanted != NULL && strcmp(wanted, "auto") != 0)
        return fail("DEREASON_LINK=%s: take auto, host or nccl", wanted);
    return true;
}

typedef struct Facts { // of a rank
    uint64_t card;     // and the host that it claims to be on; 0: memory of the host (a test's)
    int64_t version;   // of NCCL; 0: there is none
    char why[200];     // there is none
} Facts;

// NCCL takes ranks with different NCCL_HOSTID for ranks on different hosts, and so lets them share a GPU.
static uint64_t card_of(const Kernels *k)
{
    const char *host = getenv("NCCL_HOSTID");
    const uint64_t both[2] = {k->card(), host == NULL ? 0 : hash_bytes(host, strlen(host))};
    return both[0] == 0 ? 0 : hash_bytes(both, sizeof both);
}

static bool find_own(Facts *own, const Kernels *k, Way way)
{
    int version = 0;
    *own = (Facts){.card = card_of(k)};
    if (way == WAY_HOST || own->card == 0)
        snprintf(own->why, sizeof own->why, "%s", way == WAY_HOST ? "DEREASON_LINK=host" : "there is no GPU");
    else if (!nccl_version(&version)) {
        TRY(way == WAY_AUTO || fail_in("DEREASON_LINK=nccl"));
        snprintf(own->why, sizeof own->why, "%s", error_text());
        error_clear();
    }
    own->version = version;
    return true;
}

// *nccl: all ranks have the same one.
static bool compare(const Communicator *c, const Facts *all, bool *nccl, Bytes *why)
{
    *nccl = true;
    for (int a = 0; a < c->size; a++) {
        for (int b = 0; b < a; b++)
            if (all[a].card == all[b].card && all[a].card != 0)
                return fail_as(ERROR_USAGE,
                               "ranks %d and %d, on %s, have the same GPU; start as many processes on a host as it has "
                               "GPUs (--gpus all), and see that the launcher gives each its own",
                               b, a, c->mesh.hosts[a]);
        if (*nccl && all[a].version == 0)
            TRY(bytes_printf(why, "rank %d: %s", a, all[a].why));
        else if (*nccl && all[a].version != all[0].version)
            TRY(bytes_printf(why, "rank 0 has NCCL version %" PRId64 ", and rank %d %" PRId64, all[0].version, a,
                             all[a].version));
        *nccl = *nccl && why->size == 0;
    }
    return true;
}

static bool choose(bool *nccl, const Kernels *k, Communicator *c)
{
    Way way;
    Facts *all = allocate((size_t)c->size, sizeof *all);
    Piece *pieces = allocate((size_t)c->size, sizeof *pieces);
    Bytes why = {0};
    bool ok = all != NULL && pieces != NULL && way_wanted(&way) && find_own(&all[c->rank], k, way);
    for (int i = 0; ok && i < c->size; i++)
        pieces[i] = (Piece){&all[i], sizeof all[i]};
    ok = ok && comm_all_gather(c, pieces) && compare(c, all, nccl, &why) &&
         (*nccl || way != WAY_NCCL || fail("DEREASON_LINK=nccl: %s", why.data));
    if (ok && *nccl)
        snprintf(c->between, sizeof c->between, "NCCL %d.%d.%d between GPUs", (int)all[0].version / 10000,
                 (int)all[0].version / 100 % 100, (int)all[0].version % 100);
    else if (ok)
        snprintf(c->between, sizeof c->between, "through memory of the host (%s)", why.data);
    bytes_free(&why);
    free(all);
    free(pieces);
    return ok;
}

bool link_open(DeviceLink *l, const Kernels *k, Communicator *c)
{
    bool nccl;
    uint64_t sent = c->bytes; // what is counted is what a run sends
    *l = (DeviceLink){.kernels = k};
    if (!k->on_gpu || c->size == 1)
        return true;
    TRY(choose(&nccl, k, c));
    if (nccl)
        TRY((l->stream = k->stream_open()) != NULL && (l->behind = k->event_open(false)) != NULL &&
            (l->nccl = nccl_open(c)) != NULL);
    l->open = nccl;
    c->bytes = sent;
    return true;
}

void link_close(DeviceLink *l, Transfer *transfers, int count)
{
    nccl_close(l->nccl);
    for (int i = 0; i < count; i++)
        if (transfers[i].done != NULL)
            l->kernels->event_close(transfers[i].done);
    if (l->behind != NULL)
        l->kernels->event_close(l->behind);
    if (l->stream != NULL)
        l->kernels->stream_close(l->stream);
    *l = (DeviceLink){0};
}

// ---- transfers

bool link_begin(DeviceLink *l, Transfer *t, const char *what, ...)
{
    va_list arguments;
    TRY(link_wait(l, t));
    if (t->done == NULL)
        TRY((t->done = l->kernels->event_open(false)) != NULL);
    va_start(arguments, what);
    vsnprintf(t->what, sizeof t->what, what, arguments);
    va_end(arguments);
    l->what = t->what;
    l->kernels->event_record(NULL, l->behind);
    l->kernels->stream_wait(l->stream, l->behind);
    return true;
}

bool link_all_to_all(DeviceLink *l, const Piece *send, const Piece *receive)
{
    return nccl_all_to_all(l->nccl, l->what, l->stream, send, receive);
}

bool link_all_gather(DeviceLink *l, const Piece *pieces, const void *own)
{
    return nccl_all_gather(l->nccl, l->what, l->stream, pieces, own);
}

void link_end(DeviceLink *l, Transfer *t)
{
    l->kernels->event_record(l->stream, t->done);
    t->in_flight = true;
}

bool link_wait(DeviceLink *l, Transfer *t)
{
    static const struct timespec moment = {.tv_nsec = 20000};
    while (t->in_flight) {
        bool reached;
        TRY(l->kernels->event_reached(t->done, &reached));
        t->in_flight = !reached;
        TRY(reached || nccl_goes_on(l->nccl, t->what));
        if (!reached)
            nanosleep(&moment, NULL);
    }
    return true;
}
