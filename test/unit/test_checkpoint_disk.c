// A folder of checkpoints: which are kept, set aside and removed; and a kill or an error at any single change of the
// disk leaves a newest checkpoint that is whole. The failpoints stand in for the disk (test/support/failpoints.h).
#include "test/support/failpoints.h"
#include "test/support/made_checkpoints.h"
#include <sys/resource.h>

// ---- old ones, later ones, left-overs

static void the_newest_k_are_kept(void **state)
{
    start_afresh();
    for (int64_t step = 8; step <= 12; step++)
        save_step(step, 2);
    assert_int_equal(count_of("step-"), 2);
    assert_int_equal(count_of("step-11"), 1);
    assert_int_equal(assert_newest_is_whole(), 12);
}

static void the_best_stays_beside_the_newest(void **state)
{
    start_afresh();
    for (int64_t step = 1; step <= 6; step++) {
        Run *r = run_at(step, 1);
        assert_ok(checkpoint_save(folder, step, r->tensors, 5, NULL, &(CheckpointKeep){1, step < 5 ? 2 : 4}));
        free(r);
    }
    assert_int_equal(count_of("step-"), 2); // 2 was the best until 5 was saved, then 4
    assert_int_equal(count_of("step-2"), 0);
    assert_int_equal(count_of("step-4"), 1);
    assert_int_equal(count_of("step-6"), 1);
}

// A save that was killed between its commit and its end.
static void what_a_save_has_left_to_do_is_done(void **state)
{
    start_afresh();
    for (int64_t step = 1; step <= 3; step++)
        save_step(step, 0);
    Bytes hint = inside("latest"), dead = inside("step-1.tmp-pruned"), text = {0};
    assert_ok(file_write_atomic(hint.data, "step-2\n", 7) && folder_make(dead.data));
    assert_ok(checkpoint_finish(folder, 3, &(CheckpointKeep){1, 2}));
    assert_ok(file_read(&text, hint.data, 100));
    assert_string_equal(text.data, "step-3\n");
    assert_int_equal(count_of("step-"), 2);
    assert_int_equal(count_of("step-1"), 0);
    bytes_free(&hint);
    bytes_free(&dead);
    bytes_free(&text);
}

static void a_broken_one_does_not_count_among_those_kept(void **state)
{
    start_afresh();
    save_step(1, 0);
    save_step(2, 0);
    Bytes manifest = inside("step-2/MANIFEST.json");
    assert_int_equal(truncate(manifest.data, 10), 0);
    save_step(3, 2);
    assert_int_equal(count_of("step-1"), 1); // 3 and 1 are the two that are whole
    save_step(4, 2);
    assert_int_equal(count_of("step-"), 2);
    bytes_free(&manifest);
}

static void later_steps_of_a_run_that_was_given_up_are_set_aside(void **state)
{
    start_afresh();
    save_step(100, 0);
    save_step(300, 0);
    save_step(150, 1);
    assert_int_equal(assert_newest_is_whole(), 150);
    assert_int_equal(count_of("step-300.abandoned"), 1);
    assert_int_equal(count_of("step-100"), 0);
}

static void saving_a_step_again_replaces_it(void **state)
{
    start_afresh();
    save_step(5, 0);
    Run *r = run_at(6, 0);
    r->step = 5;
    assert_ok(save(r));
    Bytes path = {0};
    assert_int_equal(newest(&path, NULL), 5);
    assert_holds(path.data, 5, 6);
    assert_int_equal(count_of("step-"), 1);
    bytes_free(&path);
    free(r);
}

static void what_killed_attempts_left_is_removed(void **state)
{
    start_afresh();
    Bytes dead = inside("step-7.tmp-99-1"), file = inside("step-7.tmp-99-1/shard-00000.safetensors");
    Bytes hint = inside("latest.tmp-99");
    assert_ok(folder_make(dead.data));
    assert_ok(file_write_atomic(file.data, "x", 1));
    assert_ok(file_write_atomic(hint.data, "x", 1));
    save_step(8, 0);
    assert_int_equal(count_of(".tmp-"), 0);
    bytes_free(&dead);
    bytes_free(&file);
    bytes_free(&hint);
}

// ---- the disk

// Everything is synced before the rename that makes it visible: a power cut keeps only what was.
static void the_order_on_the_disk_is_the_one_that_is_promised(void **state)
{
    static const char *const parts[] = {
        "MMM",    // the folder, its parent, the temporary folder
        "AWWWSS", // the shard: reserved, length, header, the tensor; synced, its folder synced
        "WSRS",   // the manifest, last
        "SRS",    // step-1: its folder synced, renamed, the folder of checkpoints synced
        "WSRS",   // latest
    };
    float x = 1;
    StateTensor tensor = array("x", 1, &x);
    Bytes promised = {0};
    start_afresh();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_ok(bytes_text(&promised, parts[i]));
    failpoint_arm(FAIL_ERROR, INT32_MAX);
    bool ok = checkpoint_save(folder, 1, &tensor, 1, NULL, &KEEP_ALL);
    fail_kind = FAIL_NOT;
    assert_true(ok);
    assert_string_equal(fail_log, promised.data);
    bytes_free(&promised);
}

// A save goes on without; anything else that is wrong with the reservation ends it.
static void a_disk_that_cannot_reserve_is_written_to(void **state)
{
    static const int GOES_ON[] = {EOPNOTSUPP, ENOSYS, EINVAL}, ENDS[] = {ENOSPC, EFBIG, EIO};
    for (int i = 0; i < 6; i++) {
        bool ok = false;
        Run *r = run_at(1, 0);
        fail_error = i < 3 ? GOES_ON[i] : ENDS[i - 3];
        for (int call = 0; call == 0 || (fail_hit != 'A' && call < 100); call++) {
            start_afresh();
            failpoint_arm(FAIL_ERROR, call);
            ok = save(r);
            fail_kind = FAIL_NOT;
        }
        fail_error = 0;
        assert_int_equal(fail_hit, 'A');
        assert_int_equal(ok, i < 3);
        if (ok)
            assert_int_equal(assert_newest_is_whole(), 1);
        else
            assert_non_null(strstr(error_text(), "reserving "));
        free(r);
    }
}

static void a_kill_at_any_instant_leaves_a_whole_newest(void **state)
{
    start_afresh();
    save_step(0, 1);
    int64_t last = 0;
    int after = 0;
    for (bool finished = false; !finished; after++) {
        assert_true(after < 1000);
        Run *r = run_at(last + 1, 1);
        finished = survives_kill(after, save, r);
        assert_none_is_broken();
        int64_t step = assert_newest_is_whole();
        assert_true(step == last || step == last + 1);
        assert_true(!finished || step == last + 1);
        last = step;
        free(r);
    }
    assert_true(after > 20); // the protocol has more instants than that
    assert_int_equal(count_of(".tmp-"), 0);
    assert_int_equal(count_of("step-"), 1);
    print_message("killed at each of %d changes of the disk\n", after - 1);
}

static void a_kill_while_a_step_is_replaced_leaves_the_old_or_the_new(void **state)
{
    start_afresh();
    save_step(5, 1);
    int64_t values = 5;
    bool finished = false;
    for (int after = 0; !finished; after++) {
        assert_true(after < 1000);
        Run *r = run_at(values + 1, 1), *old = run_at(values, 1);
        Bytes path = {0};
        Checkpoint *c;
        float x;
        r->step = 5;
        finished = survives_kill(after, save, r);
        assert_int_equal(newest(&path, NULL), 5);
        assert_ok(checkpoint_open(&c, path.data));
        assert_ok(checkpoint_read(c, "model.norm.weight", 0, 1, &x));
        checkpoint_close(c);
        values += x == r->norm[0];
        assert_holds(path.data, 5, values);
        bytes_free(&path);
        free(old);
        free(r);
    }
}

static void an_error_at_any_instant_leaves_a_whole_newest(void **state)
{
    start_afresh();
    save_step(0, 1);
    int64_t last = 0;
    for (int after = 0, hit = 1; hit; after++) {
        assert_true(after < 1000);
        Run *r = run_at(last + 1, 1);
        failpoint_arm(FAIL_ERROR, after);
        bool ok = save(r);
        hit = fail_calls > after;
        failpoint_arm(FAIL_NOT, 0);
        int64_t step = assert_newest_is_whole();
        assert_true(step == last + 1 || (step == last && !ok));
        last = step;
        free(r);
    }
}

static void a_full_disk_is_noticed_before_the_first_byte(void **state)
{
    start_afresh();
    save_step(1, 1);
    Run *r = run_at(2, 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) { // 4,000 bytes a file: less than the shard needs
        struct rlimit limit = {4000, 4000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool refused = !save(r) && strstr(error_text(), "reserving 8") != NULL &&
                       strstr(error_text(), "saving the checkpoint of step 2") != NULL;
        _exit(refused ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(assert_newest_is_whole(), 1);
    assert_int_equal(count_of(".tmp-"), 0);
    free(r);
}

static void a_folder_that_cannot_be_made_is_an_error(void **state)
{
    float x = 1;
    StateTensor tensor = array("x", 1, &x);
    assert_refused(checkpoint_save("/proc/nowhere/checkpoints", 1, &tensor, 1, NULL, &KEEP_ALL), "/proc/nowhere");
    assert_refused(checkpoint_save(folder, -1, &tensor, 1, NULL, &KEEP_ALL), "step -1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_k_are_kept),
        cmocka_unit_test(the_best_stays_beside_the_newest),
        cmocka_unit_test(what_a_save_has_left_to_do_is_done),
        cmocka_unit_test(a_broken_one_does_not_count_among_those_kept),
        cmocka_unit_test(later_steps_of_a_run_that_was_given_up_are_set_aside),
        cmocka_unit_test(saving_a_step_again_replaces_it),
        cmocka_unit_test(what_killed_attempts_left_is_removed),
        cmocka_unit_test(the_order_on_the_disk_is_the_one_that_is_promised),
        cmocka_unit_test(a_disk_that_cannot_reserve_is_written_to),
        cmocka_unit_test(a_kill_at_any_instant_leaves_a_whole_newest),
        cmocka_unit_test(a_kill_while_a_step_is_replaced_leaves_the_old_or_the_new),
        cmocka_unit_test(an_error_at_any_instant_leaves_a_whole_newest),
        cmocka_unit_test(a_full_disk_is_noticed_before_the_first_byte),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
