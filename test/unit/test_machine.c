// What control groups allow, read from trees of files as they lie under /sys/fs/cgroup, and how many threads that
// makes.
#include "system/files.h"
#include "test/support/check.h"

#include "system/machine.h"
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static char root[] = "/tmp/test_machine-XXXXXX";

// FOLDER/NAME of the tree, with this in it.
static void group(const char *folder, const char *name, const char *content)
{
    Bytes path = {0};
    assert_ok(bytes_printf(&path, "%s/%s", root, folder) && folder_make(path.data) &&
              bytes_printf(&path, "/%s", name) && file_write_atomic(path.data, content, strlen(content)));
    bytes_free(&path);
}

static GroupLimits limits_of(const char *groups)
{
    group(".", "self", groups);
    char *self = path_join(root, "self");
    GroupLimits limits = group_limits(self, root);
    free(self);
    return limits;
}

static void without_groups_there_is_no_limit(void **state)
{
    GroupLimits none = group_limits("/nowhere/cgroup", "/nowhere");
    assert_true(isinf(none.cores) && none.memory == SIZE_MAX);
    GroupLimits unseen = limits_of("0::/not/mounted/here\ngarbage\n7:cpu\n");
    assert_true(isinf(unseen.cores) && unseen.memory == SIZE_MAX);
}

static void the_tightest_group_around_a_process_counts(void **state)
{
    group("job", "cpu.max", "400000 100000\n");
    group("job/step", "cpu.max", "max 100000\n");
    group("job/step/task", "cpu.max", "600000 100000\n");
    group("job", "memory.max", "5000000\n");
    group("job", "memory.current", "2000000\n");
    group("job/step", "memory.max", "max\n");
    group("job/step", "memory.current", "1000000\n");
    GroupLimits limits = limits_of("0::/job/step/task\n");
    assert_true(limits.cores == 4);
    assert_int_equal(limits.memory, 3000000);
    assert_true(isinf(limits_of("0::/other\n").cores));
}

static void version_1_has_a_mount_for_each_controller(void **state)
{
    group("cpu,cpuacct/docker/abc", "cpu.cfs_quota_us", "150000\n");
    group("cpu,cpuacct/docker/abc", "cpu.cfs_period_us", "100000\n");
    group("cpu,cpuacct/free", "cpu.cfs_quota_us", "-1\n");
    group("cpu,cpuacct/free", "cpu.cfs_period_us", "100000\n");
    group("memory/docker/abc", "memory.limit_in_bytes", "1000\n");
    group("memory/docker/abc", "memory.usage_in_bytes", "4000\n");
    group("memory/free", "memory.limit_in_bytes", "9223372036854771712\n");
    group("memory/free", "memory.usage_in_bytes", "4000\n");
    GroupLimits limits = limits_of("9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n");
    assert_true(limits.cores == 1.5 && limits.memory == 0);
    limits = limits_of("9:memory:/free\n4:cpu,cpuacct:/free\n");
    assert_true(isinf(limits.cores) && limits.memory == SIZE_MAX);
}

// A container sees its own group at the mount, while the list of groups may show the host's path.
static void a_path_of_the_host_leads_to_what_is_mounted(void **state)
{
    group(".", "cpu.max", "250000 100000\n");
    assert_true(limits_of("0::/kubepods/pod1/container\n").cores == 2.5);
    assert_true(limits_of("0::/\n").cores == 2.5);
    group(".", "cpu.max", "max 100000\n");
}

static void threads_follow_the_affinity_mask(void **state)
{
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; core++)
        if (CPU_ISSET(core, &all))
            CPU_SET(core, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cores_available(), 1);
    threads_use(0);
    assert_int_equal(omp_get_max_threads(), 1);
    threads_use(3);
    assert_int_equal(omp_get_max_threads(), 3);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_true(cores_available() >= 1 && cores_available() <= CPU_COUNT(&all));
}

static void what_the_user_said_of_threads_holds(void **state)
{
    omp_set_num_threads(5); // as OMP_NUM_THREADS=5 would have, before main
    assert_int_equal(setenv("OMP_NUM_THREADS", "5", 1), 0);
    threads_use(0);
    assert_int_equal(omp_get_max_threads(), 5);
    unsetenv("OMP_NUM_THREADS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_groups_there_is_no_limit),
        cmocka_unit_test(the_tightest_group_around_a_process_counts),
        cmocka_unit_test(version_1_has_a_mount_for_each_controller),
        cmocka_unit_test(a_path_of_the_host_leads_to_what_is_mounted),
        cmocka_unit_test(threads_follow_the_affinity_mask),
        cmocka_unit_test(what_the_user_said_of_threads_holds),
    };
    if (mkdtemp(root) == NULL)
        return 1;
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    folder_remove(root);
    return failures;
}
