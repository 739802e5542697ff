// Who this process is, by what its launcher has put into the environment. A launcher is known by a variable that nobody
// else sets, and then all that it says must be there: half of it is an error and not a single process, which would
// write into the same folder as the others.
#include "ranks/ranks.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Launcher {
    const char *name, *rank, *size, *local_rank, *local_size; // variables
    bool alone_is_an_error;                                   // a rank without a size; Slurm has one in a batch script
} Launcher;

static const Launcher LAUNCHERS[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", true},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE", true},
    {"PMI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", true},
    {"Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", NULL, false},
};

// False after fail(): it is there and no number from least to most. *there: it is there.
static bool number_of(int *value, bool *there, const char *name, int least, int most)
{
    const char *text = name == NULL ? NULL : getenv(name);
    char *end;
    *there = text != NULL && text[0] != 0;
    if (!*there)
        return true;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || *end != 0 || number < least || number > most)
        return fail("the environment's %s is \"%.40s\"; a number from %d to %d is wanted", name, text, least, most);
    *value = (int)number;
    return true;
}

// ---- the address of rank 0

// A step of another number of tasks is that of mpirun's own helpers, on some of the hosts.
static bool is_slurm_step(const Ranks *r)
{
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    return tasks != NULL && atoi(tasks) == r->size;
}

// Where MPI's launchers say no host, Slurm may: srun sets PMI's variables too (MpiDefault=pmi2), and mpirun starts from
// the first host of a job.
static const char *nodes_of_slurm(const Ranks *r)
{
    bool mpi = strcmp(r->launcher, "Open MPI") == 0, pmi = strcmp(r->launcher, "PMI") == 0;
    const char *nodes = mpi || !is_slurm_step(r) ? NULL : getenv("SLURM_STEP_NODELIST");
    return nodes == NULL && (mpi || pmi) ? getenv("SLURM_JOB_NODELIST") : nodes;
}

bool first_host(char host[HOST_BYTES], const char *list)
{
    size_t size = 0;
    bool inside = false, skipped = false; // of brackets; behind the first number in them
    for (; *list != 0 && (inside || *list != ','); list++) {
        if (*list == '[' || *list == ']') {
            inside = *list == '[';
            skipped = false;
        } else if (inside && (*list == ',' || *list == '-')) {
            skipped = true;
        } else if (!skipped) {
            if (size + 1 == HOST_BYTES)
                return false;
            host[size++] = *list;
        }
    }
    host[size] = 0;
    return size > 0 && !inside;
}

// Of what only the processes of one job know alike.
static uint64_t job_of(void)
{
    static const char *const NAMES[] = {
        "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "SLURM_JOB_ID",   "SLURM_STEP_ID",
        "SLURM_RESTART_COUNT", "OMPI_MCA_ess_base_jobid",    "PMIX_NAMESPACE", "PMI_JOBID"};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const char *text = getenv(NAMES[i]);
        const uint64_t next[2] = {hash, text == NULL ? 0 : hash_bytes(text, strlen(text))};
        hash = hash_bytes(next, sizeof next);
    }
    return hash;
}

static bool set_host(Ranks *r, const char *host)
{
    if (strlen(host) >= sizeof r->host)
        return fail("the host of rank 0, \"%.40s...\", has more than %d characters", host, HOST_BYTES - 1);
    strcpy(r->host, host);
    return true;
}

static bool address_of_option(Ranks *r, const char *text)
{
    const char *colon = strrchr(text, ':');
    char *end;
    long port = colon == NULL ? 0 : strtol(colon + 1, &end, 10);
    if (colon == NULL || colon == text || *end != 0 || port < 1 || port > 65535)
        return fail_as(ERROR_USAGE, "--rendezvous %s: HOST:PORT is wanted, the host of rank 0 and a free port there",
                       text);
    if ((size_t)(colon - text) >= sizeof r->host)
        return fail_as(ERROR_USAGE, "--rendezvous: the host has more than %d characters", HOST_BYTES - 1);
    memcpy(r->host, text, (size_t)(colon - text));
    r->host[colon - text] = 0;
    r->port = (int)port;
    return true;
}

static bool address_of_launcher(Ranks *r)
{
    enum { PORTS_FROM = 20000, PORTS = 12000, TRIES = 8 }; // below the ports that Linux gives to connections
    const char *host = getenv("MASTER_ADDR"), *nodes = nodes_of_slurm(r),
               *agent = getenv("TORCHELASTIC_USE_AGENT_STORE");
    bool there;
    r->port = PORTS_FROM + (int)(r->job % PORTS);
    TRY(number_of(&r->port, &there, "MASTER_PORT", 1, 65535));
    r->ports = r->port > 65535 - TRIES ? 1 : TRIES;                  // they may be taken by others
    r->port += there && agent != NULL && strcmp(agent, "True") == 0; // torchrun itself listens at MASTER_PORT
    if (host != NULL && host[0] != 0)
        return set_host(r, host);
    if (r->local_size == r->size)
        return set_host(r, "127.0.0.1");
    if (nodes != NULL)
        return first_host(r->host, nodes) || fail("Slurm's list of nodes names no host: \"%.80s\"", nodes);
    return fail_as(ERROR_USAGE,
                   "%s does not say where rank 0 is; give --rendezvous HOST:PORT, the first host and a free port there",
                   r->launcher);
}

// ---- who

static bool ask_launcher(Ranks *r, const Launcher *l, bool *found)
{
    bool has_rank, has_size, local;
    TRY(number_of(&r->rank, &has_rank, l->rank, 0, 1 << 20) && number_of(&r->size, &has_size, l->size, 0, 1 << 20));
    *found = has_size && r->size > 0; // SLURM_PROCID alone is there in a batch script, too, which is no step
    if (!*found)
        return !has_rank || !l->alone_is_an_error ||
               fail("the environment's %s is %d, but %s is missing: half of what %s says; start with --ranks 1 for a "
                    "single process",
                    l->rank, r->rank, l->size, l->name);
    if (!has_rank)
        return fail("the environment's %s is %d, but %s is missing: half of what %s says; start with --ranks 1 for a "
                    "single process",
                    l->size, r->size, l->rank, l->name);
    if (r->rank >= r->size)
        return fail("the environment's %s is %d, not below %s, which is %d; start with --ranks 1 for a single process",
                    l->rank, r->rank, l->size, r->size);
    r->launcher = l->name;
    r->local_rank = r->rank;
    TRY(number_of(&r->local_rank, &local, l->local_rank, 0, r->size - 1));
    if (!local && strcmp(l->name, "PMI") == 0 && is_slurm_step(r))
        TRY(number_of(&r->local_rank, &local, "SLURM_LOCALID", 0, r->size - 1));
    return number_of(&r->local_size, &local, l->local_size, 0, r->size);
}

// --gpus N|all: so many processes here.
// Each of a launcher's processes would start a whole run of its own.
static bool no_launcher(const char *option)
{
    for (size_t i = 0; i < sizeof LAUNCHERS / sizeof LAUNCHERS[0]; i++) {
        Ranks r = {0};
        bool found = false;
        if (ask_launcher(&r, &LAUNCHERS[i], &found) && found && r.size > 1)
            return fail_as(ERROR_USAGE, "%s: %s has started %d processes already, which are ranks; drop it", option,
                           LAUNCHERS[i].name, r.size);
    }
    error_clear();
    return true;
}

static bool find_gpus(Ranks *r, const RankOptions *o)
{
    char *end;
    int count;
    long wanted = strtol(o->gpus, &end, 10);
    bool all = strcmp(o->gpus, "all") == 0;
    if (!all && (*end != 0 || wanted < 1 || wanted > 64))
        return fail_as(ERROR_USAGE, "--gpus %s: a number from 1 to 64 is wanted, or all", o->gpus);
    if (o->ranks > 0 || o->rank >= 0 || o->rendezvous[0] != 0)
        return fail_as(ERROR_USAGE, "--gpus starts a process for each GPU of this machine; drop --ranks, --rank and "
                                    "--rendezvous, or give --ranks alone");
    if (all)
        TRY(gpus_count(&count));
    r->size = r->local_size = all ? count : (int)wanted;
    r->launcher = "--gpus";
    return r->size > 0 || fail("--gpus all: no GPU is visible (CUDA_VISIBLE_DEVICES hides them, or there is none)");
}

bool ranks_find(Ranks *r, const RankOptions *o)
{
    *r = (Ranks){.size = 1, .local_size = 1, .listener = -1, .ports = 1, .patience = o->stuck_after};
    if (o->rank < 0 && (o->gpus[0] != 0 || o->ranks > 1))
        TRY(no_launcher(o->gpus[0] != 0 ? "--gpus" : "--ranks"));
    if (o->gpus[0] != 0)
        return find_gpus(r, o);
    if (o->rank >= 0 && o->ranks > 0 && o->rank >= o->ranks)
        return fail_as(ERROR_USAGE, "--rank %" PRId64 ": of --ranks %" PRId64 " the last is %" PRId64, o->rank,
                       o->ranks, o->ranks - 1);
    if (o->rank >= 0 && (o->ranks == 0 || o->rendezvous[0] == 0))
        return fail_as(ERROR_USAGE,
                       "--rank is for processes that you start one by one: give --ranks N, --rank 0 to N - 1 and "
                       "--rendezvous HOST:PORT, the same on all but for --rank");
    if (o->rendezvous[0] != 0 && o->ranks > 0 && o->rank < 0)
        return fail_as(ERROR_USAGE,
                       "--rendezvous: --ranks starts its processes on this machine and needs none; give --rank "
                       "too, for processes that you start one by one, or drop it");
    if (o->rank >= 0) {
        r->rank = r->local_rank = (int)o->rank;
        r->size = (int)o->ranks;
        r->local_size = 0;
        r->launcher = "--rank";
    } else if (o->ranks > 0) {
        r->size = r->local_size = (int)o->ranks;
        r->launcher = o->ranks > 1 ? "--ranks" : NULL;
        return true; // fork.c makes the address
    }
    bool found = o->rank >= 0;
    for (size_t i = 0; !found && i < sizeof LAUNCHERS / sizeof LAUNCHERS[0]; i++) {
        r->size = 0;
        r->local_size = 0;
        TRY(ask_launcher(r, &LAUNCHERS[i], &found));
    }
    if (!found || r->size == 1) {
        *r = (Ranks){.size = 1, .local_size = 1, .listener = -1, .ports = 1, .patience = o->stuck_after};
        return true;
    }
    r->job = job_of();
    return o->rendezvous[0] != 0 ? address_of_option(r, o->rendezvous) : address_of_launcher(r);
}

void ranks_describe(Bytes *out, const Ranks *r)
{
    if (r->launcher != NULL)
        bytes_printf(out, "%d ranks (%s), rank 0 at %s:%d", r->size, r->launcher, r->host, r->port);
}
