// Making the connections: see mesh.h. Whoever connects says who it is; whoever accepts decides whether it belongs here.
// A connection that does not (a port scanner, a rank of another job) is closed and forgotten.
#include "ranks/mesh.h"
#include "system/signals.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESH_VERSION = 3, SPARE_FILES = 64 }; // SPARE_FILES: what else is open at once
static const char HEARD = 1;                 // from who has the answer, and counts from then on
static const double TO_GREET = 2;            // seconds in which who connects says who it is
static const double TO_STRANGER = 10;        // until another program at rank 0's only port ends the waiting for it

static const char MAGIC[8] = "dereason";

typedef struct Hello { // the first bytes of a connection, and of rank 0's answer
    char magic[8];
    uint32_t version;
    int32_t rank, size;
    uint32_t port; // where it listens
    uint64_t job;
    char host[HOST_BYTES]; // what it calls itself
} Hello;

typedef struct Place { // where a rank listens, as rank 0 has seen it
    struct sockaddr_storage address;
    uint32_t bytes;
    char host[HOST_BYTES];
} Place;

typedef struct Opening {
    Mesh *mesh;
    const Ranks *ranks;
    Place *places; // (size)
    int *sockets;  // (size) of the mesh, or its watch's
    int listener;
    double until; // by clock_seconds()
} Opening;

// ---- one connection

static int milliseconds_left(const Opening *o)
{
    double left = o->until - clock_seconds();
    return left <= 0 ? 0 : left < 1e6 ? (int)(left * 1000) + 1 : 1000000000; // whoever waits looks again
}

static bool wait_for(const Opening *o, int socket, short events)
{
    struct pollfd p = {.fd = socket, .events = events};
    int n;
    while ((n = poll(&p, 1, milliseconds_left(o))) < 0 && errno == EINTR)
        TRY(signal_checked(""));
    return n > 0 || fail("no answer in time");
}

static bool read_all(const Opening *o, int socket, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        TRY(wait_for(o, socket, POLLIN));
        ssize_t n = recv(socket, (char *)data + done, size - done, 0);
        if (n == 0)
            return fail("the connection was closed");
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return fail_errno("reading");
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_all(const Opening *o, int socket, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        TRY(wait_for(o, socket, POLLOUT));
        ssize_t n = send(socket, (const char *)data + done, size - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return fail_errno("writing");
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static void prepare(int socket)
{
    int on = 1;
    fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int listen_at(const struct sockaddr *address, socklen_t bytes, int most)
{
    int on = 1, s = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s >= 0 && setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(s, address, bytes) == 0 &&
        listen(s, most) == 0)
        return s;
    if (s >= 0)
        close(s);
    return -1;
}

// errno says why it is -1.
static int connect_once(const Opening *o, const struct sockaddr *address, socklen_t bytes)
{
    int s = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;
    socklen_t size = sizeof error;
    if (s < 0)
        return -1;
    prepare(s);
    if (connect(s, address, bytes) == 0)
        return s;
    error = errno;
    if (error == EINPROGRESS && wait_for(o, s, POLLOUT) && getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
        error == 0)
        return s;
    close(s);
    errno = error == EINPROGRESS ? ETIMEDOUT : error;
    return -1;
}

// ---- who is there

static Hello hello_of(const Opening *o, int port)
{
    Hello hello = {.version = MESH_VERSION,
                   .rank = o->ranks->rank,
                   .size = o->ranks->size,
                   .port = (uint32_t)port,
                   .job = o->ranks->job};
    memcpy(hello.magic, MAGIC, sizeof MAGIC);
    gethostname(hello.host, sizeof hello.host - 1);
    return hello;
}

static bool belongs_here(const Opening *o, const Hello *h)
{
    return memcmp(h->magic, MAGIC, sizeof MAGIC) == 0 && h->job == o->ranks->job &&
           memchr(h->host, 0, sizeof h->host) != NULL;
}

static bool check_hello(const Opening *o, const Hello *h)
{
    if (h->version != MESH_VERSION)
        return fail("a rank on %s is another version of this program; start the same one everywhere", h->host);
    if (h->size != o->ranks->size)
        return fail("a rank on %s believes in %d ranks, and rank %d in %d", h->host, h->size, o->ranks->rank,
                    o->ranks->size);
    if (h->rank < 0 || h->rank >= h->size || o->sockets[h->rank] >= 0 || h->rank == o->ranks->rank)
        return fail("rank %d, on %s, is there twice", h->rank, h->host);
    return true;
}

static bool missing(const Opening *o, int from)
{
    Bytes names = {0};
    int count = 0;
    for (int i = from; i < o->ranks->size; i++)
        if (i != o->ranks->rank && o->sockets[i] < 0 && count++ < 16)
            bytes_printf(&names, "%s%d", count > 1 ? ", " : "", i);
    fail("of %d ranks, %d %s not come to %s:%d within %g seconds: %s%s", o->ranks->size, count,
         count == 1 ? "has" : "have", o->ranks->host, o->ranks->port, o->ranks->patience, names.data,
         count > 16 ? ", ..." : "");
    bytes_free(&names);
    return false;
}

// A rank that did not wait for an answer, on a machine that is busy, comes again.
static bool forget_closed(Opening *o, int rank)
{
    if (rank < 0 || rank >= o->ranks->size || o->sockets[rank] < 0)
        return false;
    struct pollfd p = {.fd = o->sockets[rank], .events = POLLRDHUP}; // and POLLERR: closed before all was read
    if (poll(&p, 1, 0) <= 0)
        return false;
    close(o->sockets[rank]);
    o->sockets[rank] = -1;
    return true;
}

// *socket -1: none yet. An error that stays must end the waiting: the connection stays pending with it.
static bool accept_next(Opening *o, int from, int *socket, struct sockaddr_storage *address, socklen_t *bytes)
{
    struct pollfd p = {.fd = o->listener, .events = POLLIN};
    int left = milliseconds_left(o), n = left == 0 ? 0 : poll(&p, 1, left);
    *socket = -1;
    *bytes = sizeof *address;
    TRY(signal_checked(""));
    if (n == 0)
        return missing(o, from);
    if (n > 0)
        *socket = accept4(o->listener, (struct sockaddr *)address, bytes, SOCK_CLOEXEC);
    if (*socket >= 0 || errno == EINTR || errno == EAGAIN || errno == ECONNABORTED || errno == EPROTO)
        return true;
    if (errno == EMFILE || errno == ENFILE)
        return fail_errno("rank %d cannot take the connection of another rank; allow more open files: ulimit -n, or "
                          "the system's fs.file-max",
                          o->ranks->rank);
    return fail_errno("rank %d cannot take the connection of another rank", o->ranks->rank);
}

// From ranks `from` and above, all that have not come yet; places: where they listen, NULL: nobody asks.
static bool accept_all(Opening *o, int from)
{
    prepare(o->listener); // a connection that is gone again is not waited for
    for (int wanted = o->ranks->size - from; wanted > 0;) {
        struct sockaddr_storage address;
        socklen_t bytes;
        int s;
        TRY(accept_next(o, from, &s, &address, &bytes));
        if (s < 0)
            continue;
        Hello hello, own = hello_of(o, 0);
        Opening soon = *o; // a stranger that says nothing does not hold up the others for long
        soon.until = clock_seconds() + TO_GREET < o->until ? clock_seconds() + TO_GREET : o->until;
        prepare(s);
        if (!read_all(&soon, s, &hello, sizeof hello) || !belongs_here(o, &hello)) {
            close(s);
            continue;
        }
        wanted += forget_closed(o, hello.rank);
        if (!check_hello(o, &hello)) {
            close(s);
            return false;
        }
        char heard;
        if (!write_all(&soon, s, &own, sizeof own) || !read_all(&soon, s, &heard, sizeof heard)) {
            close(s); // it has given up this attempt, and comes again
            continue;
        }
        o->sockets[hello.rank] = s;
        Place *place = &o->places[hello.rank];
        *place = (Place){.address = address, .bytes = (uint32_t)bytes};
        if (address.ss_family == AF_INET6)
            ((struct sockaddr_in6 *)&place->address)->sin6_port = htons((uint16_t)hello.port);
        else
            ((struct sockaddr_in *)&place->address)->sin_port = htons((uint16_t)hello.port);
        memcpy(place->host, hello.host, sizeof place->host);
        wanted--;
    }
    return true;
}

// ---- rank 0

static int listen_everywhere(int port, int most)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};
    int s = listen_at((struct sockaddr *)&six, sizeof six, most); // takes IPv4's connections, too
    return s >= 0 ? s : listen_at((struct sockaddr *)&four, sizeof four, most);
}

static bool open_first(Opening *o)
{
    o->listener = o->ranks->listener;
    for (int i = 0; o->listener < 0 && i < o->ranks->ports; i++)
        o->listener = listen_everywhere(o->ranks->port + i, o->ranks->size);
    if (o->listener < 0)
        return fail_errno("rank 0 cannot listen at port %d%s; give another one with --rendezvous HOST:PORT",
                          o->ranks->port, o->ranks->ports > 1 ? " or one of the next" : "");
    Hello own = hello_of(o, 0);
    memcpy(o->places[0].host, own.host, sizeof own.host);
    TRY(accept_all(o, 1));
    for (int i = 1; i < o->ranks->size; i++)
        if (!write_all(o, o->mesh->sockets[i], o->places, (size_t)o->ranks->size * sizeof *o->places))
            return fail_in("rank %d on %s", i, o->places[i].host);
    o->sockets = o->mesh->watch;
    return accept_all(o, 1);
}

// ---- the others

// For the ranks above, at any port of the address that rank 0 is reached by.
static bool listen_for_others(Opening *o, int first, int *port)
{
    struct sockaddr_storage own;
    socklen_t bytes = sizeof own;
    if (getsockname(first, (struct sockaddr *)&own, &bytes) != 0)
        return fail_errno("its own address");
    in_port_t *place =
        own.ss_family == AF_INET6 ? &((struct sockaddr_in6 *)&own)->sin6_port : &((struct sockaddr_in *)&own)->sin_port;
    *place = 0;
    o->listener = listen_at((struct sockaddr *)&own, bytes, o->ranks->size);
    if (o->listener < 0 || getsockname(o->listener, (struct sockaddr *)&own, &bytes) != 0)
        return fail_errno("listening for other ranks");
    *port = ntohs(*place);
    return true;
}

// Who this is, to who listens there, and who that is.
static bool greet(const Opening *o, int socket, int port, Hello *his)
{
    Hello own = hello_of(o, port);
    return write_all(o, socket, &own, sizeof own) && read_all(o, socket, his, sizeof *his) && belongs_here(o, his) &&
           write_all(o, socket, &HEARD, sizeof HEARD);
}

// At this port; -1: not reached. *stranger: something else is there.
static int reach_once(Opening *o, int port_number, const char **why, bool *stranger)
{
    char port[16];
    int own_port = 0;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
    snprintf(port, sizeof port, "%d", port_number);
    int s = -1, unknown = getaddrinfo(o->ranks->host, port, &hints, &found);
    for (struct addrinfo *a = unknown == 0 ? found : NULL; a != NULL && s < 0; a = a->ai_next)
        s = connect_once(o, a->ai_addr, a->ai_addrlen);
    *why = unknown != 0 ? gai_strerror(unknown) : strerror(errno);
    if (unknown == 0)
        freeaddrinfo(found);
    if (s < 0)
        return -1;
    Hello his;
    Opening soon = *o;
    soon.until = clock_seconds() + 2 * TO_GREET < o->until ? clock_seconds() + 2 * TO_GREET : o->until;
    if (listen_for_others(o, s, &own_port) && greet(&soon, s, own_port, &his) && his.rank == 0)
        return s;
    close(s);
    close(o->listener);
    o->listener = -1;
    *stranger = true;
    return -1;
}

// Again and again: rank 0 may start later.
static int reach_first(Opening *o)
{
    const char *why = "";
    double strange = 0; // since when something else is at the port
    for (int pause = 20; milliseconds_left(o) > 0; pause = pause < 1000 ? 2 * pause : 1000) {
        bool stranger = false;
        for (int i = 0; i < o->ranks->ports; i++) {
            int s = reach_once(o, o->ranks->port + i, &why, &stranger);
            if (s >= 0)
                return s;
        }
        strange = !stranger ? 0 : strange == 0 ? clock_seconds() : strange;
        if (o->ranks->ports == 1 && strange > 0 && clock_seconds() - strange > TO_STRANGER) {
            fail("what answers at %s:%d is not rank 0 of this run: the port is taken; give another one with "
                 "--rendezvous HOST:PORT",
                 o->ranks->host, o->ranks->port);
            return -1;
        }
        poll(NULL, 0, pause);
        if (!signal_checked(""))
            return -1;
    }
    fail("rank 0 was not reached at %s:%d within %g seconds (%s); start it too, and see that other hosts reach that "
         "port, or give --rendezvous HOST:PORT",
         o->ranks->host, o->ranks->port, o->ranks->patience, why);
    return -1;
}

static bool open_watch(Opening *o)
{
    struct sockaddr_storage first;
    socklen_t bytes = sizeof first;
    Hello his;
    if (getpeername(o->mesh->sockets[0], (struct sockaddr *)&first, &bytes) != 0)
        return fail_errno("rank 0's address");
    o->mesh->watch[0] = connect_once(o, (struct sockaddr *)&first, bytes);
    if (o->mesh->watch[0] < 0)
        return fail_errno("a second connection to rank 0");
    return greet(o, o->mesh->watch[0], 0, &his) || fail_in("a second connection to rank 0");
}

static bool open_other(Opening *o)
{
    int first = reach_first(o);
    TRY(first >= 0);
    o->mesh->sockets[0] = first;
    if (!read_all(o, first, o->places, (size_t)o->ranks->size * sizeof *o->places))
        return fail_in("waiting for rank 0 at %s:%d to say where the others are", o->ranks->host, o->ranks->port);
    for (int i = 1; i < o->ranks->rank; i++) {
        const Place *p = &o->places[i];
        int s = connect_once(o, (const struct sockaddr *)&p->address, (socklen_t)p->bytes);
        if (s < 0)
            return fail("rank %d cannot reach rank %d on %s", o->ranks->rank, i, p->host);
        o->mesh->sockets[i] = s;
        Hello his;
        if (!greet(o, s, 0, &his))
            return fail_in("rank %d on %s", i, p->host);
    }
    Place *known = o->places; // rank 0 has seen where they listen: that stays
    o->places = allocate((size_t)o->ranks->size, sizeof *o->places);
    bool ok = o->places != NULL && accept_all(o, o->ranks->rank + 1) && open_watch(o);
    free(o->places);
    o->places = known;
    return ok;
}

// Rank 0 has two connections to each other rank, the others one, and a second one to rank 0.
static bool allow_files(const Ranks *ranks)
{
    struct rlimit files;
    rlim_t needed = (rlim_t)(ranks->rank == 0 ? 2 * (ranks->size - 1) : ranks->size) + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= needed)
        return true;
    if (files.rlim_max < needed)
        return fail("rank %d of %d needs %" PRIu64 " open files, and this process may have %" PRIu64
                    " at most (ulimit -Hn); have that limit raised",
                    ranks->rank, ranks->size, (uint64_t)needed, (uint64_t)files.rlim_max);
    files.rlim_cur = needed;
    return setrlimit(RLIMIT_NOFILE, &files) == 0 || fail_errno("allowing %" PRIu64 " open files", (uint64_t)needed);
}

bool mesh_open(Mesh *mesh, const Ranks *ranks)
{
    *mesh = (Mesh){.rank = ranks->rank, .size = ranks->size};
    if (ranks->size == 1)
        return true;
    TRY(allow_files(ranks));
    Opening o = {.mesh = mesh, .ranks = ranks, .listener = -1, .until = clock_seconds() + ranks->patience};
    mesh->sockets = allocate((size_t)ranks->size, sizeof *mesh->sockets);
    mesh->watch = allocate((size_t)ranks->size, sizeof *mesh->watch);
    mesh->hosts = allocate((size_t)ranks->size, sizeof *mesh->hosts);
    o.places = allocate((size_t)ranks->size, sizeof *o.places);
    bool ok = mesh->sockets != NULL && mesh->watch != NULL && mesh->hosts != NULL && o.places != NULL;
    for (int i = 0; ok && i < ranks->size; i++)
        mesh->sockets[i] = mesh->watch[i] = -1;
    o.sockets = mesh->sockets;
    ok = ok && (ranks->rank == 0 ? open_first(&o) : open_other(&o));
    for (int i = 0; ok && i < ranks->size; i++)
        memcpy(mesh->hosts[i], o.places[i].host, HOST_BYTES);
    if (o.listener >= 0)
        close(o.listener);
    free(o.places);
    if (!ok)
        mesh_close(mesh);
    return ok;
}

static void close_all(int *sockets, int count)
{
    for (int i = 0; sockets != NULL && i < count; i++)
        if (sockets[i] >= 0)
            close(sockets[i]);
    free(sockets);
}

void mesh_close(Mesh *mesh)
{
    close_all(mesh->sockets, mesh->size);
    close_all(mesh->watch, mesh->size);
    free(mesh->hosts);
    *mesh = (Mesh){0};
}
