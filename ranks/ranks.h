// ranks/: one run on several processes. Which rank this process is comes from its launcher's environment or from
// --ranks, which forks (environment.c, fork.c). Ranks are connected each with each (mesh.h), and call the same
// operations in the same order (communicator.h). Nothing here knows of models: which rank owns which part of a state is
// sharded/sharded.h.
//
//     TRY(ranks_open(&ranks, &options->ranks));                  // forks; the launching process does not come back
//     from it
//     TRY(communicator_open(&communicator, &ranks));             // size 1: no connections, every operation is done at
//     once
#ifndef RANKS_RANKS_H
#define RANKS_RANKS_H

#include "options/options.h"

// clang-format off
#define RANK_ROWS(ROW, IN) \
    ROW(IN, ranks,       integer, "0",   ">= 0 and <= 4096", ranks, NEUTRAL, "processes of the run; 0: as the launcher says") \
    ROW(IN, gpus,        text,    "",    "",                 ranks, NEUTRAL, "processes, one for each of N GPUs here; or all") \
    ROW(IN, rank,        integer, "-1",  ">= -1",            ranks, NEUTRAL, "with --ranks: this process, started by yourself") \
    ROW(IN, rendezvous,  text,    "",    "",                 ranks, NEUTRAL, "HOST:PORT of rank 0; default: the launcher's") \
    ROW(IN, stuck_after, number,  "300", "> 0",              ranks, NEUTRAL, "seconds without progress that end the run")
// clang-format on
OPTION_GROUP(RankOptions, RANK_ROWS)

enum { HOST_BYTES = 256 };

typedef struct Ranks {
    int rank, size;             // of all processes
    int local_rank, local_size; // of those on this host; local_size 0: not known
    const char
        *launcher; // "torchrun", "Open MPI", "PMI", "Slurm", "--ranks", "--gpus", "--rank"; NULL: a single process
    char host[HOST_BYTES]; // where rank 0 listens
    int port, ports;       // rank 0 takes the first of so many ports from this one on that is free
    uint64_t job;          // the same on all ranks, another for the next job: strangers are not let in
    int listener;          // of rank 0, where the launching process has made it already; -1
    double patience;       // seconds
} Ranks;

// What the environment and the options say, without forking. Refused: half of what a launcher says, and a launcher
// whose address of rank 0 is not known (--rendezvous is asked for).
bool ranks_find(Ranks *ranks, const RankOptions *options);

// The same, and --ranks N or --gpus N forks: the N children come back from it. The launching process waits for them,
// passes signals on to them, ends them when one has failed, and exits with the status of the first that did.
bool ranks_open(Ranks *ranks, const RankOptions *options);

void ranks_describe(Bytes *out,
                    const Ranks *ranks); // "4 ranks (torchrun), rank 0 at 127.0.0.1:29500"; nothing of a single process

// The GPUs that CUDA's driver shows to this process (CUDA_VISIBLE_DEVICES counts), found out by a child, since a
// process that has asked the driver itself must not fork any more. False after fail(): there is no driver, or it says
// why not.
bool gpus_count(int *count);

// The first host of a list as Slurm writes it: "gnode[10,20,25-27],login" is gnode10. False: there is none, or it is
// too long.
bool first_host(char host[HOST_BYTES], const char *list);

#endif
