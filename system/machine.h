// What the machine gives this program, or the container or batch job that it is in: memory, cores, and how its threads wait.
// Limits are those of Linux's control groups, versions 1 and 2, of this process's group and of every group around it.
#ifndef SYSTEM_MACHINE_H
#define SYSTEM_MACHINE_H

#include "base/base.h"

size_t memory_available(void); // bytes that could still be taken; 1 GiB where nobody says

// How many threads are worth starting: the cores that this process may run on (taskset, Slurm), but no more than its group's
// quota of processor time (docker --cpus, Kubernetes' limits), rounded up; at least 1.
int cores_available(void);

// The same for --threads: N > 0 is N; 0 is OMP_NUM_THREADS where that is set, else cores_available(). Of all parallel loops.
void threads_use(int64_t threads);

// First thing in main: OpenMP's threads that wait for the others spin for a moment only, then sleep. By default they spin for
// milliseconds, which is nothing on a quiet machine, but beside another program on the same cores they burn the time that the
// thread they wait for needs. The library reads this from the environment before main begins, so where nobody has set it
// (OMP_WAIT_POLICY, GOMP_SPINCOUNT) the program sets it and starts itself again, in place. Without /proc it stays as it is.
void threads_wait_asleep(char **arguments);

// What a tree of control groups allows, for tests too: `self` lists this process's groups as /proc/self/cgroup does, `root` is
// where they are mounted (/sys/fs/cgroup).
typedef struct GroupLimits {
    double cores;  // INFINITY: no quota
    size_t memory; // bytes that the tightest group could still take; SIZE_MAX: no limit
} GroupLimits;
GroupLimits group_limits(const char *self, const char *root);

#endif
