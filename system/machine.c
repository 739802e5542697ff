// The limits of control groups, and how threads wait: see machine.h. A file that does not exist or cannot be understood
// counts as no limit, because there are too many kinds of machines to refuse one for that.
#include "system/machine.h"
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- files of a number or two

// The value of "NAME   123 kB" in a file of such lines, in bytes; SIZE_MAX: not found.
static size_t line_of_kibibytes(const char *path, const char *name)
{
    char line[256];
    unsigned long long kibibytes;
    size_t found = SIZE_MAX;
    FILE *file = fopen(path, "re");
    while (file != NULL && found == SIZE_MAX && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), ": %llu kB", &kibibytes) == 1)
            found = (size_t)kibibytes * 1024;
    if (file != NULL)
        fclose(file);
    return found;
}

// The numbers at the beginning of FOLDER/NAME, two at most; returns how many. "max" and -1 mean no limit and are not
// counted.
static int numbers_in(const char *folder, const char *name, double numbers[2])
{
    char path[PATH_MAX];
    int found = 0;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && found < 2 && fscanf(file, "%lf", &numbers[found]) == 1 && numbers[found] >= 0)
        found++;
    if (file != NULL)
        fclose(file);
    return found;
}

// ---- one group

static void limit_cores(GroupLimits *limits, double quota, double period)
{
    if (quota > 0 && period > 0 && quota / period < limits->cores)
        limits->cores = quota / period;
}

static void limit_memory(GroupLimits *limits, double most, double used)
{
    double left = most > used ? most - used : 0;
    if (left < 0x1p62 && (size_t)left < limits->memory) // version 1 says "no limit" by a number near 2^63
        limits->memory = (size_t)left;
}

// The two versions use different file names, so a folder need not say which it is.
static void limit_by(GroupLimits *limits, const char *folder)
{
    double a[2], b[2];
    if (numbers_in(folder, "cpu.max", a) == 2)
        limit_cores(limits, a[0], a[1]);
    if (numbers_in(folder, "cpu.cfs_quota_us", a) > 0 && numbers_in(folder, "cpu.cfs_period_us", b) > 0)
        limit_cores(limits, a[0], b[0]);
    if (numbers_in(folder, "memory.max", a) > 0 && numbers_in(folder, "memory.current", b) > 0)
        limit_memory(limits, a[0], b[0]);
    if (numbers_in(folder, "memory.limit_in_bytes", a) > 0 && numbers_in(folder, "memory.usage_in_bytes", b) > 0)
        limit_memory(limits, a[0], b[0]);
}

// A group and the groups around it. In a container the path may be the host's and not visible here: then the part that
// is visible, in the end the mount itself, is the container's own group.
static void limit_by_all(GroupLimits *limits, const char *mount, const char *path)
{
    char folder[PATH_MAX];
    size_t root = strlen(mount);
    if (snprintf(folder, sizeof folder, "%s%s", mount, path) >= (int)sizeof folder)
        return;
    for (;;) {
        limit_by(limits, folder);
        if (strlen(folder) <= root)
            return;
        *strrchr(folder, '/') = 0;
    }
}

GroupLimits group_limits(const char *self, const char *root)
{
    GroupLimits limits = {INFINITY, SIZE_MAX};
    char line[PATH_MAX], mount[PATH_MAX];
    FILE *file = fopen(self, "re");
    while (file != NULL &&
           fgets(line, sizeof line, file) != NULL) { // "4:cpu,cpuacct:/PATH", or "0::/PATH" of version 2
        char *controllers = strchr(line, ':'), *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (path == NULL || path[1] != '/')
            continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        bool second = controllers[1] == 0;
        if (snprintf(mount, sizeof mount, second ? "%s" : "%s/%s", root, controllers + 1) < (int)sizeof mount)
            limit_by_all(&limits, mount, strcmp(path, "/") == 0 ? "" : path);
    }
    if (file != NULL)
        fclose(file);
    return limits;
}

static GroupLimits own_limits(void) { return group_limits("/proc/self/cgroup", "/sys/fs/cgroup"); }

// ---- the limits together

static size_t sharing = 1;

void memory_is_shared(int processes) { sharing = processes > 1 ? (size_t)processes : 1; }

size_t memory_available(void)
{
    size_t machine = line_of_kibibytes("/proc/meminfo", "MemAvailable"), group = own_limits().memory;
    size_t least = group < machine ? group : machine;
    return (least == SIZE_MAX ? (size_t)1 << 30 : least) / sharing;
}

int cores_available(void)
{
    int allowed = omp_get_num_procs();              // those of the affinity mask
    double quota = ceil(own_limits().cores - 0.05); // 2.01 cores are two
    int cores = quota < allowed ? (int)quota : allowed;
    return cores > 0 ? cores : 1;
}

void threads_use(int64_t threads)
{
    if (threads > 0)
        omp_set_num_threads((int)threads);
    else if (getenv("OMP_NUM_THREADS") == NULL)
        omp_set_num_threads(cores_available());
}

void threads_wait_asleep(char **arguments)
{
    static const char SPINS[] = "5000"; // about 80 us: enough for the ends of a loop, little for a core taken away
    if (getenv("OMP_WAIT_POLICY") != NULL || getenv("GOMP_SPINCOUNT") != NULL || getenv("KMP_BLOCKTIME") != NULL)
        return;
    if (setenv("GOMP_SPINCOUNT", SPINS, 1) == 0 && setenv("KMP_BLOCKTIME", "0", 1) == 0) // GCC's library; LLVM's
        execv("/proc/self/exe", arguments); // returns only on failure: then threads wait as they did
}
