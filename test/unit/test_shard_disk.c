// Shards and the disk: no error and no kill leaves a file that looks whole and is not, and a folder in which shards are
// missing, renamed or of two preparations is refused. The failpoints stand in for the disk (test/support/failpoints.h).
#include "test/support/failpoints.h"
#include "test/support/made_shards.h"

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) // as in failpoints.h: P
{
    return failpoint_hit('P', ENOSPC) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, data, size, offset);
}

// ---- the disk

static int count_in(const char *path)
{
    char **names;
    size_t count;
    if (!folder_exists(path))
        return 0;
    assert_ok(folder_list(&names, &count, path));
    names_free(names, count);
    return (int)count;
}

// How many shards a folder shows its reader, each of them whole; 0 for a folder that is refused.
static int shards_in(const char *path)
{
    char **files;
    size_t count;
    if (!folder_exists(path) || !shard_files(&files, &count, path))
        return 0;
    for (size_t i = 0; i < count; i++) {
        Shard s;
        assert_ok(shard_open(&s, files[i]));
        shard_close(&s);
    }
    names_free(files, count);
    return (int)count;
}

static bool write_three(void *context)
{
    int shards;
    return write_made(context, SHARD_SFT, SMALL, &shards) && shards == 3;
}

static void what_is_not_finished_is_removed(void **state)
{
    char *path = in_folder("unfinished");
    Made m;
    ShardWriter *w = shard_writer_open_sized(path, &ABOUT, 1);
    for (int i = 0; i < 3; i++)
        assert_ok(shard_writer_add(w, make(&m, SHARD_SFT, i)));
    assert_int_equal(count_in(path), 2);
    shard_writer_close(w);
    assert_int_equal(count_in(path), 0);
    free(path);
}

static void an_error_at_any_instant_leaves_nothing(void **state)
{
    char *path = in_folder("errors"), log[sizeof fail_log] = "";
    int after = 0;
    for (bool ok = false; !ok; after++) {
        assert_true(after < 1000);
        failpoint_arm(FAIL_ERROR, after);
        error_clear();
        ok = write_three(path);
        bool hit = fail_calls > after;
        snprintf(log, sizeof log, "%s", fail_log);
        failpoint_arm(FAIL_NOT, 0);
        assert_true(ok != hit);
        if (ok)
            break;
        assert_true(error_text()[0] != 0);
        if (log[after] == 'W')
            assert_non_null(strstr(error_text(), "free some space"));
        assert_int_equal(count_in(path), 0);
    }
    assert_int_equal(count_in(path), 3);
    assert_non_null(strstr(log, "SRS")); // a part: synced, renamed, its folder synced
    assert_non_null(
        strstr(log, "PSRPSRPSRS")); // the end: each header written, synced, its file named; the folder synced
    print_message("failed at each of %d changes of the disk\n", after);
    free(path);
}

static void assert_named_are_whole(const char *path) // also in a folder of which some are missing
{
    char **names;
    size_t count;
    if (!folder_exists(path))
        return;
    assert_ok(folder_list(&names, &count, path));
    for (size_t i = 0; i < count; i++) {
        char *file = path_join(path, names[i]);
        Shard s;
        if (strncmp(names[i], "shard-", 6) == 0) {
            assert_ok(shard_open(&s, file));
            shard_close(&s);
        }
        free(file);
    }
    names_free(names, count);
}

static void a_kill_at_any_instant_leaves_no_shard_that_is_not_whole(void **state)
{
    int after = 0;
    for (bool finished = false; !finished; after++) {
        char *path = in_folder("kill");
        assert_true(after < 1000);
        finished = survives_kill(after, write_three, path);
        assert_named_are_whole(path);
        assert_true(!finished || shards_in(path) == 3);
        if (after % 2 == 0 && folder_exists(path)) // every second run finds what the one before it left
            assert_ok(folder_remove(path));
        free(path);
    }
    assert_true(after > 40); // there are more instants than that
    print_message("killed at each of %d changes of the disk\n", after - 1);
}

static void a_folder_that_cannot_be_made_is_an_error(void **state)
{
    assert_refused(shard_writer_open("/proc/nowhere/sft", &ABOUT) != NULL, "/proc/nowhere");
}

// ---- a folder of shards

static void move(const char *path, const char *from, const char *to)
{
    char *a = path_join(path, from), *b = path_join(path, to);
    assert_int_equal(rename(a, b), 0);
    free(a);
    free(b);
}

static void assert_folder_refused(const char *path, const char *error)
{
    char **files;
    size_t count;
    assert_refused(shard_files(&files, &count, path), error);
    assert_true(files == NULL && count == 0);
}

static void an_incomplete_folder_is_refused_with_what_is_missing(void **state)
{
    char *path = in_folder("folder");
    assert_ok(write_three(path));
    move(path, "shard-00002-of-00003.bin", "elsewhere");
    assert_folder_refused(path, "folder: shard 00002 of 00003 is missing; copy it again");
    move(path, "elsewhere", "shard-00002-of-00003.bin");
    move(path, "shard-00000-of-00003.bin", "elsewhere");
    assert_folder_refused(path, "folder: shard 00000 of 00003 is missing");
    move(path, "shard-00001-of-00003.bin", "elsewhere");
    assert_folder_refused(path, "folder: shard 00000 of 00003 is missing");
    assert_folder_refused("/nowhere", "/nowhere");
    free(path);
}

static void shards_of_two_preparations_are_refused(void **state)
{
    char *path = in_folder("two"), **files;
    size_t count;
    assert_ok(write_three(path));
    move(path, "shard-00001-of-00003.bin", "shard-00001-of-00004.bin");
    assert_folder_refused(path, "shard-00001-of-00004.bin: is beside shards of another preparation, of 00003");
    move(path, "shard-00001-of-00004.bin", "shard-00001-of-00003.bin");
    assert_ok(shard_files(&files, &count, path));
    assert_int_equal(count, 3);
    names_free(files, count);
    free(path);
}

static void other_names_are_refused_and_temporary_ones_ignored(void **state)
{
    static const char *const names[] = {
        "shard-2-of-3.bin",          "shard-00003-of-00003.bin", "shard-00002-of-00003.bin.gz",
        "shard-00002-of-00003.bin~", "shard-+0002-of-00003.bin", "shard-00002"};
    char *path = in_folder("names");
    assert_ok(write_three(path));
    move(path, "shard-00000-of-00003.bin", "elsewhere");
    move(path, "shard-00001-of-00003.bin", "part-00001");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        move(path, "shard-00002-of-00003.bin", names[i]);
        assert_folder_refused(path, ": not the name of a shard; move it elsewhere");
        assert_non_null(strstr(error_text(), names[i]));
        move(path, names[i], "shard-00002-of-00003.bin");
    }
    move(path, "shard-00002-of-00003.bin", "shard-00002-of-00003.bin.tmp-77"); // being written, or left behind
    assert_int_equal(shards_in(path), 0);
    free(path);
}

static void a_renamed_shard_is_refused(void **state)
{
    char *path = in_folder("renamed"), *file = path_join(path, "shard-00001-of-00003.bin"),
         *other = path_join(path, "other.bin");
    Shard s;
    assert_ok(write_three(path));
    move(path, "shard-00000-of-00003.bin", "shard-00001-of-00003.bin");
    assert_refused(shard_open(&s, file), "it is shard 00000 of 00003 by its header; was it renamed?");
    move(path, "shard-00001-of-00003.bin", "other.bin"); // not a name that says a number
    assert_ok(shard_open(&s, other));
    shard_close(&s);
    free(other);
    free(file);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_finished_is_removed),
        cmocka_unit_test(an_error_at_any_instant_leaves_nothing),
        cmocka_unit_test(a_kill_at_any_instant_leaves_no_shard_that_is_not_whole),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_an_error),
        cmocka_unit_test(an_incomplete_folder_is_refused_with_what_is_missing),
        cmocka_unit_test(shards_of_two_preparations_are_refused),
        cmocka_unit_test(other_names_are_refused_and_temporary_ones_ignored),
        cmocka_unit_test(a_renamed_shard_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
