// What the machine, container or batch job gives this program: memory, cores, and how its threads wait. Limits are
// those of Linux control groups, versions 1 and 2, of this process's group and every group around it.
#ifndef SYSTEM_MACHINE_H
#define SYSTEM_MACHINE_H

#include "base/base.h"

size_t memory_available(void); // bytes that this process may still take; 1 GiB where no limit is known

// So many processes of one run take memory here at the same time: each may take an equal part of what there is.
void memory_is_shared(int processes);

// How many threads are worth starting: the cores that this process may run on (taskset, Slurm), but no more than its
// group's quota of processor time (docker --cpus, Kubernetes' limits), rounded up; at least 1.
int cores_available(void);

// The thread count that --threads stands for: N > 0 is N; 0 is OMP_NUM_THREADS where set, else cores_available(). Used
// by all parallel loops.
void threads_use(int64_t threads);

// Call this first in main: waiting OpenMP threads then spin for a moment only and sleep. By default they spin for
// milliseconds, which is harmless on a quiet machine, but beside another program on the same cores they burn the time
// that the thread they wait for needs. The library reads this from the environment before main begins, so where it is
// not set (OMP_WAIT_POLICY, GOMP_SPINCOUNT) the program sets it and restarts itself in place. Without /proc nothing
// changes.
void threads_wait_asleep(char **arguments);

// What a tree of control groups allows, also for tests: `self` lists this process's groups as /proc/self/cgroup does,
// `root` is where they are mounted (/sys/fs/cgroup).
typedef struct GroupLimits {
    double cores;  // INFINITY: no quota
    size_t memory; // bytes that the tightest group still allows; SIZE_MAX: no limit
} GroupLimits;
GroupLimits group_limits(const char *self, const char *root);

#endif
