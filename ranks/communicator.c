// One exchange is behind every operation: something to each rank and something from each, all at once, as far as their
// connections take it. A header goes before the bytes, so that ranks that have lost their common step find out at once
// and not by garbage.
#include "ranks/communicator.h"
#include "base/version.h"
#include "system/machine.h"
#include "system/phase.h"
#include "system/signals.h"
#include "system/start.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum Operation { ALL_TO_ALL, ALL_GATHER, BROADCAST, SUM, BARRIER } Operation;
static const char *const OPERATIONS[] = {"all-to-all", "all-gather", "broadcast", "sum", "barrier"};

typedef struct Header {
    uint64_t number, bytes;
    uint32_t operation, unused;
} Header;

typedef struct Lane { // an exchange with one rank
    Header out, in;
    Piece send, receive;
    size_t sent, received; // header and bytes
} Lane;

typedef struct Exchange {
    Communicator *c;
    Operation operation;
    Lane *lanes; // (size)
    struct pollfd *polls;
} Exchange;

static size_t whole(Piece p) { return sizeof(Header) + p.size; }

// ---- errors that name a rank

// Who has ended, and why, is known better by the watch, in a moment. After a signal here the other has most likely had
// it, too, and was where it could end at once.
static bool lost(const Exchange *x, int i, const char *how)
{
    enum { MOMENT = 5 };
    return watch_is_calm(x->c->watch, MOMENT) &&
           fail_as(signal_received() != 0 ? ERROR_STOPPED : ERROR_ELSEWHERE,
                   "rank %d on %s %s (rank %d waits for it in the %s number %" PRIu64 ")", i, x->c->mesh.hosts[i], how,
                   x->c->rank, OPERATIONS[x->operation], x->c->number);
}

static bool check_header(const Exchange *x, int i)
{
    const Header *in = &x->lanes[i].in;
    if (in->number == x->c->number && in->operation == (uint32_t)x->operation && in->bytes == x->lanes[i].receive.size)
        return true;
    return fail("rank %d on %s is at operation %" PRIu64 ", %s of %" PRIu64 " bytes, and rank %d at %" PRIu64
                ", %s of %zu: they do not do the same",
                i, x->c->mesh.hosts[i], in->number,
                in->operation <= BARRIER ? OPERATIONS[in->operation] : "thing unknown", in->bytes, x->c->rank,
                x->c->number, OPERATIONS[x->operation], x->lanes[i].receive.size);
}

// ---- a lane: header first, then bytes

static Piece rest(Header *header, Piece piece, size_t done)
{
    if (done < sizeof *header)
        return (Piece){(char *)header + done, sizeof *header - done};
    return (Piece){(char *)piece.data + (done - sizeof *header), whole(piece) - done};
}

static bool move(Exchange *x, int i, bool out)
{
    Lane *lane = &x->lanes[i];
    size_t *done = out ? &lane->sent : &lane->received, all = whole(out ? lane->send : lane->receive);
    while (*done < all) {
        Piece p = rest(out ? &lane->out : &lane->in, out ? lane->send : lane->receive, *done);
        ssize_t n = out ? send(x->c->mesh.sockets[i], p.data, p.size, MSG_NOSIGNAL)
                        : recv(x->c->mesh.sockets[i], p.data, p.size, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0)
            return lost(x, i, "has ended");
        bool header = !out && *done < sizeof(Header);
        *done += (size_t)n;
        phase_progress();
        if (header && *done >= sizeof(Header))
            TRY(check_header(x, i));
    }
    return true;
}

static bool turn(Exchange *x, bool *finished)
{
    int awaited = -1;
    for (int i = 0; i < x->c->size; i++) {
        Lane *lane = &x->lanes[i];
        bool out = lane->sent < whole(lane->send), in = lane->received < whole(lane->receive);
        x->polls[i] = (struct pollfd){.fd = i == x->c->rank || !(in || out) ? -1 : x->c->mesh.sockets[i],
                                      .events = (short)((out ? POLLOUT : 0) | (in ? POLLIN : 0))};
        awaited = awaited < 0 && x->polls[i].fd >= 0 ? i : awaited;
    }
    watch_waits_for(x->c->watch, awaited);
    *finished = awaited < 0;
    if (*finished)
        return true;
    TRY(watch_is_calm(x->c->watch, 0));
    if (poll(x->polls, (nfds_t)x->c->size, 1000) < 0)
        return errno == EINTR || fail_errno("waiting for other ranks");
    for (int i = 0; i < x->c->size; i++) {
        if ((x->polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
            x->lanes[i].received < whole(x->lanes[i].receive))
            TRY(move(x, i, false));
        if ((x->polls[i].revents & (POLLOUT | POLLHUP | POLLERR)) != 0 && x->lanes[i].sent < whole(x->lanes[i].send))
            TRY(move(x, i, true));
    }
    return true;
}

static bool exchange(Communicator *c, Operation operation, const Piece *send, const Piece *receive)
{
    if (c->mesh.sockets == NULL) // alone, or a plan
        return true;
    if (c->failed) // the first error is the one to tell
        return false;
    if (c->parent != 0 && getppid() != c->parent)
        return fail("the process that started this rank has ended");
    Exchange x = {.c = c, .operation = operation};
    x.lanes = allocate((size_t)c->size, sizeof *x.lanes);
    x.polls = allocate((size_t)c->size, sizeof *x.polls);
    bool ok = x.lanes != NULL && x.polls != NULL, finished = false;
    for (int i = 0; ok && i < c->size; i++) {
        if (i == c->rank)
            continue;
        x.lanes[i] =
            (Lane){.out = {c->number, send[i].size, (uint32_t)operation, 0}, .send = send[i], .receive = receive[i]};
        c->bytes += send[i].size;
    }
    while (ok && !finished)
        ok = turn(&x, &finished);
    watch_waits_for(c->watch, -1);
    free(x.lanes);
    free(x.polls);
    c->number++;
    c->failed = !ok;
    return ok;
}

// ---- operations

bool communicator_open(Communicator *c, const Ranks *ranks)
{
    *c = (Communicator){.rank = ranks->rank, .size = ranks->size};
    return mesh_open(&c->mesh, ranks) && watch_open(&c->watch, ranks, &c->mesh);
}

// The size of the line that begins here, without its end.
static size_t line_of(const char *text) { return strcspn(text, "\n"); }

bool comm_same(Communicator *c, const Bytes *text, const char *what)
{
    int64_t size = (int64_t)text->size, differs = 0;
    TRY(comm_broadcast(c, &size, sizeof size, 0));
    char *first = allocate((size_t)size + 1, 1);
    TRY(first != NULL);
    if (c->rank == 0)
        memcpy(first, text->data, (size_t)size);
    bool ok = comm_broadcast(c, first, (size_t)size, 0);
    const char *own = text->data, *his = first;
    while (ok && *own != 0 && line_of(own) == line_of(his) && memcmp(own, his, line_of(own)) == 0) {
        own += line_of(own) + (own[line_of(own)] == '\n');
        his += line_of(his) + (his[line_of(his)] == '\n');
    }
    bool same = ok && *own == 0 && *his == 0;
    differs = ok && !same;
    if (differs)
        fail("%s: rank 0 on %s has \"%.*s\", and rank %d \"%.*s\"; give all ranks the same", what, c->mesh.hosts[0],
             (int)line_of(his), his, c->rank, (int)line_of(own), own);
    free(first);
    ok = ok && comm_sum(c, &differs, 1);
    return ok && (same ? differs == 0 ||
                             fail_as(ERROR_ELSEWHERE, "%s: another rank has others than rank 0; it says which", what)
                       : false);
}

bool comm_same_json(Communicator *c, const json_t *value, const char *what)
{
    Bytes text = {0};
    char *dump = json_dumps(value, JSON_INDENT(1) | JSON_SORT_KEYS);
    bool ok = dump != NULL && bytes_text(&text, dump) && comm_same(c, &text, what);
    free(dump);
    bytes_free(&text);
    return ok;
}

// But for what may differ between ranks; and the version, since another build may have other bits.
static bool same_options(Communicator *c, const Options *given)
{
    Bytes all = {0}, text = {0};
    bool ok = options_config(given, &all) && bytes_printf(&text, "version = %s\n", program_version());
    for (const char *line = all.data; ok && line != NULL && *line != 0; line += line_of(line) + 1)
        if (strncmp(line, "rank =", 6) != 0 && strncmp(line, "threads =", 9) != 0 && line[0] != '#')
            ok = bytes_append(&text, line, line_of(line) + 1);
    ok = ok && comm_same(c, &text, "options");
    bytes_free(&all);
    bytes_free(&text);
    return ok;
}

// Which of its host's processes this is. Where its launcher does not say, ranks before it there are counted.
static void set_place(const Ranks *r, const Mesh *mesh)
{
    int place = r->local_rank;
    if (r->local_size == 0 && r->local_rank == r->rank && mesh != NULL && mesh->hosts != NULL)
        for (int i = place = 0; i < r->rank; i++)
            place += strcmp(mesh->hosts[i], mesh->hosts[r->rank]) == 0;
    process_place_set(place, r->launcher != NULL && strcmp(r->launcher, "--gpus") == 0);
}

bool communicator_start(Communicator *c, const RankOptions *o, const Options *given, bool plan, int64_t *threads)
{
    Ranks r;
    *c = (Communicator){.size = 1};
    TRY(plan ? ranks_find(&r, o) : ranks_open(&r, o));
    if (r.rank > 0)
        process_is("rank %d", r.rank);
    memory_is_shared(r.local_size);
    if (*threads == 0 && r.local_size > 1)
        *threads = larger(cores_available() / r.local_size, 1);
    set_place(&r, NULL);
    if (plan) {
        c->rank = r.rank;
        c->size = r.size;
        return true;
    }
    TRY(communicator_open(c, &r));
    c->launcher = r.launcher;
    set_place(&r, &c->mesh);
    bool launched = r.launcher != NULL && strncmp(r.launcher, "--", 2) != 0;
    c->parent = launched ? getppid() : 0;
    return same_options(c, given);
}

void communicator_close(Communicator *c)
{
    watch_close(c->watch); // it has the mesh's names
    mesh_close(&c->mesh);
    *c = (Communicator){0};
}

bool comm_all_to_all(Communicator *c, const Piece *send, const Piece *receive)
{
    if (send[c->rank].size > 0)
        memmove(receive[c->rank].data, send[c->rank].data, send[c->rank].size);
    return exchange(c, ALL_TO_ALL, send, receive);
}

// (size) pieces that an operation sends or receives, to be freed; the same to or from every rank. NULL after fail().
static Piece *alike(const Communicator *c, Piece piece)
{
    Piece *pieces = allocate((size_t)c->size, sizeof *pieces);
    for (int i = 0; pieces != NULL && i < c->size; i++)
        pieces[i] = piece;
    return pieces;
}

bool comm_all_gather(Communicator *c, const Piece *pieces)
{
    Piece *send = alike(c, pieces[c->rank]);
    bool ok = send != NULL && exchange(c, ALL_GATHER, send, pieces);
    free(send);
    return ok;
}

bool comm_broadcast(Communicator *c, void *data, size_t size, int root)
{
    Piece *send = alike(c, (Piece){data, c->rank == root ? size : 0}), *receive = alike(c, (Piece){NULL, 0});
    bool ok = send != NULL && receive != NULL;
    if (ok && c->rank != root)
        receive[root] = (Piece){data, size};
    ok = ok && exchange(c, BROADCAST, send, receive);
    free(send);
    free(receive);
    return ok;
}

bool comm_sum(Communicator *c, int64_t *values, size_t count)
{
    size_t bytes = count * sizeof *values;
    int64_t *all = allocate((size_t)c->size * count, sizeof *all);
    Piece *send = alike(c, (Piece){values, bytes}), *receive = alike(c, (Piece){NULL, bytes});
    bool ok = all != NULL && send != NULL && receive != NULL;
    for (int i = 0; ok && i < c->size; i++)
        receive[i].data = all + (size_t)i * count;
    ok = ok && exchange(c, SUM, send, receive);
    for (int i = 0; ok && i < c->size; i++)
        for (size_t k = 0; i != c->rank && k < count; k++)
            values[k] = (int64_t)((uint64_t)values[k] + (uint64_t)all[(size_t)i * count + k]);
    free(all);
    free(send);
    free(receive);
    return ok;
}

int comm_ended(const Communicator *c)
{
    char byte;
    for (int i = 0; c->mesh.sockets != NULL && i < c->size; i++) {
        ssize_t n = i == c->rank ? 1 : recv(c->mesh.sockets[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return i;
    }
    return -1;
}

bool comm_barrier(Communicator *c)
{
    Piece *none = alike(c, (Piece){NULL, 0});
    bool ok = none != NULL && exchange(c, BARRIER, none, none);
    free(none);
    return ok;
}

bool comm_turn(Communicator *c, bool here) { return !here || comm_barrier(c); }
