// Several ranks in a test: processes forked here, connected as those of --ranks are.
#ifndef TEST_RANKS_H
#define TEST_RANKS_H

#include "ranks/communicator.h"
#include "system/start.h"
#include "test/support/check.h"
#include <sys/wait.h>
#include <unistd.h>

typedef bool RankWork(Communicator *ranks, void *context);

// work in `size` processes, each of which ends with 0 where it was true; the exit status of what launched them.
static inline int together(int size, double patience, RankWork *work, void *context)
{
    RankOptions o = {.ranks = size, .rank = -1, .gpus = "", .rendezvous = "", .stuck_after = patience};
    fflush(NULL);
    pid_t launching = fork();
    if (launching == 0) {
        Ranks r;
        Communicator c;
        bool ok = ranks_open(&r, &o) && communicator_open(&c, &r) && work(&c, context);
        Ending ending = {ok ? NULL : error_text(), !ok, false};
        process_ends(&ending);
        if (ending.error != NULL)
            fprintf(stderr, "rank %d: %s\n", r.rank, ending.error);
        communicator_close(&c);
        _exit(ending.status);
    }
    int status;
    assert_int_equal(waitpid(launching, &status, 0), launching);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
