// Ranks: who a process is by its environment, and what several of them do together, in processes forked here.
#include "system/phase.h"
#include "test/support/ranks.h"
#include <arpa/inet.h>
#include <pty.h>
#include <termios.h>
#include <sys/time.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static const char *const VARIABLES[] = {"RANK",
                                        "WORLD_SIZE",
                                        "LOCAL_RANK",
                                        "LOCAL_WORLD_SIZE",
                                        "MASTER_ADDR",
                                        "MASTER_PORT",
                                        "TORCHELASTIC_USE_AGENT_STORE",
                                        "OMPI_COMM_WORLD_RANK",
                                        "OMPI_COMM_WORLD_SIZE",
                                        "OMPI_COMM_WORLD_LOCAL_RANK",
                                        "OMPI_COMM_WORLD_LOCAL_SIZE",
                                        "PMI_RANK",
                                        "PMI_SIZE",
                                        "SLURM_PROCID",
                                        "SLURM_STEP_NUM_TASKS",
                                        "SLURM_LOCALID",
                                        "SLURM_STEP_NODELIST",
                                        "SLURM_JOB_NODELIST",
                                        "SLURM_NTASKS",
                                        "SLURM_JOB_ID"};

static int forget_launchers(void **state)
{
    for (size_t i = 0; i < sizeof VARIABLES / sizeof VARIABLES[0]; i++)
        unsetenv(VARIABLES[i]);
    return 0;
}

typedef struct Said { // by a launcher, in pairs
    const char *variables[20];
} Said;

static void says(Said s)
{
    forget_launchers(NULL);
    for (int i = 0; s.variables[i] != NULL; i += 2)
        setenv(s.variables[i], s.variables[i + 1], 1);
}

static const RankOptions NONE_GIVEN = {.ranks = 0, .rank = -1, .gpus = "", .rendezvous = "", .stuck_after = 20};

static void expect(const char *launcher, int rank, int size, const char *host, int port) // port 0: any
{
    Ranks r;
    assert_ok(ranks_find(&r, &NONE_GIVEN));
    assert_int_equal(r.rank, rank);
    assert_int_equal(r.size, size);
    if (launcher == NULL) {
        assert_null(r.launcher);
        return;
    }
    assert_string_equal(r.launcher, launcher);
    assert_string_equal(r.host, host);
    if (port != 0)
        assert_int_equal(r.port, port);
}

static void launchers_are_known_by_what_they_set(void **state)
{
    says((Said){{NULL}});
    expect(NULL, 0, 1, "", 0);
    says((Said){{"RANK", "3", "WORLD_SIZE", "4", "LOCAL_RANK", "1", "LOCAL_WORLD_SIZE", "2", "MASTER_ADDR", "node7",
                 "MASTER_PORT", "29500"}});
    expect("torchrun", 3, 4, "node7", 29500);
    setenv("TORCHELASTIC_USE_AGENT_STORE", "True", 1);
    expect("torchrun", 3, 4, "node7", 29501);
    says((Said){{"OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", "2", "OMPI_COMM_WORLD_LOCAL_RANK", "1",
                 "OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
    expect("Open MPI", 1, 2, "127.0.0.1", 0);
    says((Said){{"SLURM_PROCID", "5", "SLURM_STEP_NUM_TASKS", "8", "SLURM_LOCALID", "1", "SLURM_STEP_NODELIST",
                 "gnode[07-09,12]", "SLURM_JOB_ID", "77"}});
    expect("Slurm", 5, 8, "gnode07", 0);
    // srun with MpiDefault=pmi2, which has no variables of its own for what is local
    says((Said){{"PMI_RANK", "5", "PMI_SIZE", "8", "SLURM_PROCID", "5", "SLURM_STEP_NUM_TASKS", "8", "SLURM_LOCALID",
                 "1", "SLURM_STEP_NODELIST", "gnode[07-09,12]", "SLURM_JOB_NODELIST", "gnode[03,07-12]"}});
    expect("PMI", 5, 8, "gnode07", 0);
    Ranks r;
    assert_ok(ranks_find(&r, &NONE_GIVEN));
    assert_int_equal(r.local_rank, 1);
    // mpiexec and mpirun of a Slurm job: the step is that of their helpers
    says((Said){{"PMI_RANK", "5", "PMI_SIZE", "8", "SLURM_PROCID", "0", "SLURM_STEP_NUM_TASKS", "3", "SLURM_LOCALID",
                 "0", "SLURM_STEP_NODELIST", "gnode[08-10]", "SLURM_JOB_NODELIST", "gnode[07-10]"}});
    expect("PMI", 5, 8, "gnode07", 0);
    says((Said){{"OMPI_COMM_WORLD_RANK", "3", "OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_LOCAL_RANK", "1",
                 "OMPI_COMM_WORLD_LOCAL_SIZE", "2", "SLURM_STEP_NUM_TASKS", "1", "SLURM_STEP_NODELIST", "h2",
                 "SLURM_JOB_NODELIST", "h[1-2]"}});
    expect("Open MPI", 3, 4, "h1", 0);
    // a batch script is no step: as many tasks as it may start are no ranks of its
    says((Said){{"SLURM_PROCID", "0", "SLURM_NTASKS", "8", "SLURM_JOB_ID", "77"}});
    expect(NULL, 0, 1, "", 0);
    says((Said){{"RANK", "0", "WORLD_SIZE", "1"}});
    expect(NULL, 0, 1, "", 0);
}

static void half_of_what_a_launcher_says_is_an_error(void **state)
{
    Ranks r;
    says((Said){{"WORLD_SIZE", "4", "MASTER_ADDR", "node7"}});
    assert_refused(ranks_find(&r, &NONE_GIVEN), "RANK is missing");
    says((Said){{"RANK", "4", "WORLD_SIZE", "4", "MASTER_ADDR", "node7"}});
    assert_refused(ranks_find(&r, &NONE_GIVEN), "not below WORLD_SIZE");
    says((Said){{"RANK", "two", "WORLD_SIZE", "4"}});
    assert_refused(ranks_find(&r, &NONE_GIVEN), "the environment's RANK is \"two\"");
    says((Said){{"PMI_RANK", "1", "PMI_SIZE", "2"}});
    assert_refused(ranks_find(&r, &NONE_GIVEN), "give --rendezvous HOST:PORT");
    RankOptions o = NONE_GIVEN;
    o.rendezvous = "first:4000";
    assert_ok(ranks_find(&r, &o));
    assert_string_equal(r.host, "first");
    assert_int_equal(r.port, 4000);
    o.rendezvous = "first";
    assert_refused(ranks_find(&r, &o), "HOST:PORT is wanted");
}

// A number needs no driver before processes are started; test/crash/gpus.sh has those that start.
static void gpus_are_processes_of_this_machine(void **state)
{
    Ranks r;
    RankOptions o = NONE_GIVEN;
    says((Said){{NULL}});
    o.gpus = "3";
    assert_ok(ranks_find(&r, &o));
    assert_int_equal(r.size, 3);
    assert_int_equal(r.local_size, 3);
    assert_string_equal(r.launcher, "--gpus");
    const char *const none[] = {"0", "-1", "65", "2x", "each"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        o.gpus = none[i];
        assert_refused(ranks_find(&r, &o), "a number from 1 to 64 is wanted, or all");
    }
    o.gpus = "3";
    o.ranks = 3;
    assert_refused(ranks_find(&r, &o), "drop --ranks");
    o = NONE_GIVEN;
    o.gpus = "all";
    o.rendezvous = "first:4000";
    assert_refused(ranks_find(&r, &o), "--rendezvous");
}

static void the_first_host_of_a_list_is_found(void **state)
{
    char host[HOST_BYTES];
    const char *const lists[][2] = {{"a", "a"},
                                    {"a,b", "a"},
                                    {"gnode[10,20,25-27],login", "gnode10"},
                                    {"n[001-128]", "n001"},
                                    {"rack[1-2]node[3,4]-ib", "rack1node3-ib"}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        assert_true(first_host(host, lists[i][0]));
        assert_string_equal(host, lists[i][1]);
    }
    assert_false(first_host(host, ""));
    assert_false(first_host(host, "n[1-2"));
}

// ---- connections

static Ranks rank_at(int rank, int size, int port)
{
    return (Ranks){.rank = rank,
                   .size = size,
                   .host = "127.0.0.1",
                   .port = port,
                   .ports = 1,
                   .job = 7,
                   .listener = -1,
                   .patience = 20};
}

static int listen_at_any(int *port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof here;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(bind(s, (struct sockaddr *)&here, bytes) == 0 && listen(s, 8) == 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&here, &bytes), 0);
    *port = ntohs(here.sin_port);
    return s;
}

static int connect_to(int port)
{
    struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(s, (struct sockaddr *)&there, sizeof there), 0);
    return s;
}

// A process whose status says whether mesh_open() did as it should. files: its limit, 0: as it is; full: all are taken.
static pid_t opens_mesh(Ranks r, rlim_t files, bool full, const char *error)
{
    fflush(NULL);
    pid_t id = fork();
    if (id != 0)
        return id;
    Mesh mesh;
    struct rlimit limit;
    alarm(60);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_max = files > 0 ? files : limit.rlim_max;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (full && dup(0) >= 0)
        ;
    bool ok = mesh_open(&mesh, &r);
    bool right_one = error == NULL ? ok : !ok && strstr(error_text(), error) != NULL;
    if (!right_one)
        fprintf(stderr, "rank %d: %s\n", r.rank, ok ? "no error" : error_text());
    _exit(right_one ? 0 : 1);
}

static void assert_ends_well(pid_t id)
{
    int status;
    assert_int_equal(waitpid(id, &status, 0), id);
    assert_int_equal(status, 0);
}

static void a_process_without_descriptors_says_so(void **state)
{
    Ranks r = rank_at(0, 2, 0);
    r.listener = listen_at_any(&r.port);
    int pending = connect_to(r.port);
    assert_ends_well(opens_mesh(r, 80, true, "ulimit -n"));
    close(pending);
    close(r.listener);
    r = rank_at(0, 4000, 1);
    assert_ends_well(
        opens_mesh(r, 100, false, "rank 0 of 4000 needs 8062 open files, and this process may have 100 at most"));
}

static void the_soft_limit_of_descriptors_is_raised(void **state)
{
    struct rlimit before, few, after;
    Ranks r = rank_at(0, 100, 0);
    Mesh mesh;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    r.listener = listen_at_any(&r.port);
    r.patience = 0.05;
    assert_refused(mesh_open(&mesh, &r), "of 100 ranks, 99 have not come");
    getrlimit(RLIMIT_NOFILE, &after);
    assert_true(after.rlim_cur >= 198);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

// What rank 1 says first, as it is.
static size_t hello_of_rank_1(unsigned char *hello, size_t most)
{
    Ranks r = rank_at(1, 3, 0);
    int listener = listen_at_any(&r.port), status;
    pid_t id = opens_mesh(r, 0, false, NULL);
    int s = accept(listener, NULL, NULL);
    ssize_t size = recv(s, hello, most, 0);
    kill(id, SIGKILL);
    waitpid(id, &status, 0);
    close(s);
    close(listener);
    assert_true(size > 0 && (size_t)size < most);
    return (size_t)size;
}

// A rank that closes its connection before it has read the answer comes again.
static void a_second_try_is_let_in(void **state)
{
    static unsigned char hello[4096];
    size_t size = hello_of_rank_1(hello, sizeof hello);
    Ranks first = rank_at(0, 3, 0);
    first.listener = listen_at_any(&first.port);
    pid_t ids[3] = {opens_mesh(first, 0, false, NULL)};
    int s = connect_to(first.port);
    assert_int_equal(send(s, hello, size, 0), size);
    struct pollfd answer = {.fd = s, .events = POLLIN};
    assert_int_equal(poll(&answer, 1, 20000), 1);
    close(s); // with unread bytes: a reset
    for (int rank = 1; rank < 3; rank++)
        ids[rank] = opens_mesh(rank_at(rank, 3, first.port), 0, false, NULL);
    for (int rank = 0; rank < 3; rank++)
        assert_ends_well(ids[rank]);
    close(first.listener);
}

// ---- the launching process

typedef struct Shared { // between processes
    _Atomic pid_t ids[2];
    atomic_int done;
} Shared;

static Shared *shared;

// Of two ranks, and of what launches them; it does not come back.
static void launch(bool (*rank)(const Ranks *r))
{
    Ranks r;
    RankOptions o = NONE_GIVEN;
    o.ranks = 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL); // stopped, it would outlive a test that fails
    bool ok = ranks_open(&r, &o) && rank(&r);
    _exit(ok ? 0 : 3);
}

static bool ends_at_once(const Ranks *r) { return r->rank == 0; }

static void statuses_are_had_where_sigchld_was_ignored(void **state)
{
    int status;
    fflush(NULL);
    pid_t id = fork();
    if (id == 0) {
        alarm(60);
        signal(SIGCHLD, SIG_IGN);
        launch(ends_at_once);
    }
    assert_int_equal(waitpid(id, &status, 0), id);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

static bool waits_until_done(const Ranks *r)
{
    alarm(60);
    shared->ids[r->rank] = getpid();
    while (!shared->done)
        usleep(1000);
    return true;
}

static char state_of(pid_t id) // T: stopped
{
    char path[40], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    FILE *f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    if (f != NULL)
        fclose(f);
    return state;
}

static void expect_stopped(bool stopped)
{
    for (int i = 0; i < 2; i++) {
        for (int tries = 0; (state_of(shared->ids[i]) == 'T') != stopped && tries < 2000; tries++)
            usleep(1000);
        assert_int_equal(state_of(shared->ids[i]) == 'T', stopped);
    }
}

static void ranks_are_suspended_with_what_launched_them(void **state)
{
    int status;
    *shared = (Shared){0};
    fflush(NULL);
    pid_t id = fork();
    if (id == 0) {
        setpgid(0, 0); // a group of its own with a parent in the same session, as a shell's jobs have
        launch(waits_until_done);
    }
    while (shared->ids[0] == 0 || shared->ids[1] == 0)
        usleep(1000);
    for (int round = 0; round < 2; round++) {
        kill(id, SIGTSTP);
        assert_int_equal(waitpid(id, &status, WUNTRACED), id);
        assert_true(WIFSTOPPED(status));
        expect_stopped(true);
        kill(id, SIGCONT);
        expect_stopped(false);
    }
    shared->done = 1;
    assert_ends_well(id);
}

static bool writes_a_line(const Ranks *r)
{
    shared->ids[r->rank] = getpid();
    return write(STDOUT_FILENO, "line\n", 5) == 5;
}

// stty tostop: what a group in the background writes stops it.
static void ranks_may_write_to_any_terminal(void **state)
{
    int terminal, status = -1, ended = 0;
    char text[200];
    *shared = (Shared){0};
    fflush(NULL);
    pid_t id = forkpty(&terminal, NULL, NULL, NULL);
    if (id == 0) {
        struct termios t;
        tcgetattr(STDIN_FILENO, &t);
        t.c_lflag |= TOSTOP;
        tcsetattr(STDIN_FILENO, TCSANOW, &t);
        launch(writes_a_line);
    }
    for (int tries = 0; ended == 0 && tries < 20000; tries++) {
        struct pollfd p = {.fd = terminal, .events = POLLIN};
        if (poll(&p, 1, 1) > 0 && read(terminal, text, sizeof text) < 0)
            usleep(1000); // the other end is closed
        ended = waitpid(id, &status, WNOHANG);
    }
    if (ended == 0)
        kill(id, SIGKILL);
    close(terminal);
    assert_int_equal(ended, id);
    assert_int_equal(status, 0);
}

static int gpus_seen(void)
{
    int count;
    return gpus_count(&count) ? count : strstr(error_text(), "no NVIDIA driver") != NULL ? -1 : -2;
}

static void nothing_happens(int number) {}

static void gpus_are_counted_between_signals(void **state)
{
    int count = gpus_seen();
    struct sigaction action = {.sa_handler = nothing_happens}, before;
    struct itimerval often = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, &before);
    for (int i = 0; i < 50; i++) {
        setitimer(ITIMER_REAL, &often, NULL);
        int seen = gpus_seen();
        setitimer(ITIMER_REAL, &never, NULL);
        assert_int_equal(seen, count);
    }
    sigaction(SIGALRM, &before, NULL);
}

// ---- together

static bool all_operations(Communicator *c, void *context)
{
    enum { MOST = 300000 };
    static unsigned char out[8][MOST], in[8][MOST];
    for (int round = 0; round < 3; round++) {
        Piece send[8], receive[8];
        for (int i = 0; i < c->size; i++) { // another size for each pair, nothing among them too
            send[i] = (Piece){out[i], (size_t)(c->rank * 7 + i * 3 + round) * 9001 % MOST};
            receive[i] = (Piece){in[i], (size_t)(i * 7 + c->rank * 3 + round) * 9001 % MOST};
            memset(out[i], 16 * c->rank + i, MOST);
            memset(in[i], 255, MOST);
        }
        TRY(comm_all_to_all(c, send, receive));
        for (int i = 0; i < c->size; i++)
            for (size_t k = 0; k < MOST; k++)
                if (in[i][k] != (k < receive[i].size ? 16 * i + c->rank : 255))
                    return fail("all-to-all: byte %zu of rank %d is %d", k, i, in[i][k]);
    }
    int64_t sums[3] = {c->rank, INT64_MAX, -5}, number[8];
    TRY(comm_sum(c, sums, 3));
    if (sums[0] != c->size * (c->size - 1) / 2 || sums[2] != -5 * c->size ||
        sums[1] != (int64_t)(UINT64_MAX / 2 * (uint64_t)c->size))
        return fail("sum: %" PRId64, sums[0]);
    Piece pieces[8];
    for (int i = 0; i < c->size; i++)
        pieces[i] = (Piece){&number[i], sizeof number[i]};
    number[c->rank] = 100 + c->rank;
    TRY(comm_all_gather(c, pieces));
    for (int i = 0; i < c->size; i++)
        if (number[i] != 100 + i)
            return fail("all-gather");
    for (int root = 0; root < c->size; root++) {
        int64_t said = c->rank == root ? 7000 + root : 0;
        TRY(comm_broadcast(c, &said, sizeof said, root));
        if (said != 7000 + root)
            return fail("broadcast");
    }
    return comm_barrier(c);
}

static void operations_move_what_they_should(void **state)
{
    for (int size = 2; size <= 5; size++)
        assert_int_equal(together(size, 20, all_operations, NULL), 0);
}

// ---- what is said of one that is gone, astray, or does not get on

static atomic_int *right; // ranks, of all processes, with the error that they should have

static bool wanted(bool ok, const char *error, const char *and_this)
{
    if (ok)
        return fail("they went on");
    if (strstr(error_text(), error) == NULL || strstr(error_text(), and_this) == NULL)
        return fail_in("another error was wanted, with '%s' and '%s'", error, and_this);
    atomic_fetch_add(right, 1);
    return false;
}

static void assert_ends(int size, double patience, RankWork *work, int rank, int those_that_know)
{
    atomic_store(right, 0);
    assert_true(together(size, patience, work, &rank) != 0);
    assert_int_equal(atomic_load(right), those_that_know);
}

static bool one_is_killed(Communicator *c, void *context)
{
    TRY(comm_barrier(c));
    if (c->rank == 1)
        raise(SIGKILL);
    return wanted(comm_barrier(c), "rank 1 on ", "has ended without a word");
}

static bool one_does_something_else(Communicator *c, void *context)
{
    int64_t number = 1;
    bool ok = c->rank == 1 ? comm_sum(c, &number, 1) : comm_barrier(c);
    return wanted(ok, "they do not do the same",
                  ""); // who hears of it first says so, and the others hear it from there
}

static bool one_is_stopped(Communicator *c, void *context)
{
    TRY(comm_barrier(c));
    if (c->rank == *(int *)context)
        raise(SIGSTOP);
    char names[40];
    snprintf(names, sizeof names, "rank %d on ", *(int *)context);
    return wanted(comm_barrier(c), names, "nothing was heard for 1 seconds from rank 0 on ");
}

// Its thread tells that it lives, and its main thread hangs: it is ended, too.
static bool one_hangs(Communicator *c, void *context)
{
    TRY(comm_barrier(c));
    if (c->rank == *(int *)context) {
        phase_is("a read that does not return, piece", 7);
        sleep(60);
    }
    char names[40];
    snprintf(names, sizeof names, "rank %d on ", *(int *)context);
    return wanted(comm_barrier(c), names,
                  "has made no progress for 1 seconds; last it was in a read that does not return, piece 7");
}

// As behind a wall between two hosts whose connections stay open: rank 0 hears both.
static bool all_wait(Communicator *c, void *context)
{
    int ends[2];
    TRY(comm_barrier(c));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return fail_errno("a pair of sockets");
    int *lost = &c->mesh.sockets[1 - c->rank], before = *lost;
    *lost = ends[0];
    bool ok = comm_barrier(c);
    *lost = before;
    close(ends[0]);
    close(ends[1]);
    return wanted(ok, "all ranks have waited for each other for 1 seconds: rank 0 on ", "for rank 1; rank 1 on ");
}

// As with a terminal or a pipe that nobody reads: the thread has nowhere to say why it ends the process.
static bool one_hangs_in_standard_error(Communicator *c, void *context)
{
    int ends[2];
    TRY(comm_barrier(c));
    if (c->rank == 1 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0) {
        alarm(60);
        signal(SIGALRM, SIG_DFL);
        for (;;)
            fprintf(stderr, "a line that fills the pipe");
    }
    return wanted(comm_barrier(c), "rank 1 on ", "has made no progress for 1 seconds");
}

static pid_t joins(Ranks r, RankWork *work)
{
    fflush(NULL);
    pid_t id = fork();
    if (id != 0)
        return id;
    Communicator c;
    bool ok = communicator_open(&c, &r) && work(&c, NULL);
    Ending ending = {ok ? NULL : error_text(), !ok, false};
    process_ends(&ending);
    communicator_close(&c);
    _exit(ending.status);
}

static void a_rank_ends_whatever_its_standard_error_does(void **state)
{
    int status;
    Ranks first = rank_at(0, 2, 0);
    first.listener = listen_at_any(&first.port);
    Ranks second = rank_at(1, 2, first.port);
    first.patience = second.patience = 1;
    pid_t ids[2] = {joins(first, one_hangs_in_standard_error), joins(second, one_hangs_in_standard_error)};
    close(first.listener);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(ids[i], &status, 0), ids[i]);
        assert_true(WIFEXITED(status)); // not by the alarm
        assert_int_equal(WEXITSTATUS(status), 1);
    }
}

static bool one_is_slow(Communicator *c, void *context)
{
    TRY(comm_barrier(c));
    for (int i = 0; c->rank == *(int *)context && i < 30; i++) {
        phase_progress();
        usleep(100000);
    }
    return comm_barrier(c);
}

static void a_rank_that_is_gone_or_astray_is_named(void **state)
{
    assert_ends(3, 20, one_is_killed, 1, 2);
    assert_ends(3, 20, one_does_something_else, 1, 3);
}

static void a_rank_that_does_not_get_on_is_named(void **state)
{
    assert_ends(3, 1, one_is_stopped, 0, 2);
    assert_ends(3, 1, one_hangs, 0, 2);
    assert_ends(3, 1, one_hangs, 2, 2);
    assert_ends(2, 1, all_wait, 0, 2);
}

static void a_rank_that_is_slow_is_waited_for(void **state)
{
    for (int rank = 0; rank < 3; rank += 2)
        assert_int_equal(together(3, 1, one_is_slow, &rank), 0);
}

static bool one_fails(Communicator *c, void *context)
{
    TRY(comm_barrier(c));
    if (c->rank == *(int *)context)
        return fail("the disk is full");
    return wanted(comm_barrier(c), "ends because rank ", "failed: the disk is full");
}

static void the_error_of_a_rank_is_known_to_all(void **state)
{
    assert_ends(3, 20, one_fails, 0, 2);
    assert_ends(3, 20, one_fails, 2, 2);
}

static bool one_is_not_asked(Communicator *c, void *context) { return c->rank != 1 || fail("that is it"); }

static void the_launching_process_ends_as_the_first_that_failed(void **state)
{
    assert_int_equal(together(2, 20, one_is_not_asked, NULL), 1);
}

int main(void)
{
    right = mmap(NULL, sizeof *right, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(launchers_are_known_by_what_they_set, forget_launchers),
        cmocka_unit_test_teardown(half_of_what_a_launcher_says_is_an_error, forget_launchers),
        cmocka_unit_test(gpus_are_processes_of_this_machine),
        cmocka_unit_test(the_first_host_of_a_list_is_found),
        cmocka_unit_test(a_process_without_descriptors_says_so),
        cmocka_unit_test(the_soft_limit_of_descriptors_is_raised),
        cmocka_unit_test(a_second_try_is_let_in),
        cmocka_unit_test(statuses_are_had_where_sigchld_was_ignored),
        cmocka_unit_test(ranks_are_suspended_with_what_launched_them),
        cmocka_unit_test(ranks_may_write_to_any_terminal),
        cmocka_unit_test(gpus_are_counted_between_signals),
        cmocka_unit_test(a_rank_ends_whatever_its_standard_error_does),
        cmocka_unit_test(operations_move_what_they_should),
        cmocka_unit_test(a_rank_that_is_gone_or_astray_is_named),
        cmocka_unit_test(a_rank_that_does_not_get_on_is_named),
        cmocka_unit_test(a_rank_that_is_slow_is_waited_for),
        cmocka_unit_test(the_error_of_a_rank_is_known_to_all),
        cmocka_unit_test(the_launching_process_ends_as_the_first_that_failed)};
    return cmocka_run_group_tests(tests, forget_launchers, NULL);
}
