// Findings by trial and the file that keeps them: what it holds comes back, and what is damaged, foreign or written by
// several processes at once never does harm.
#include "system/files.h"
#include "system/findings.h"
#include "test/support/check.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char ABOUT[] = "NVIDIA H200, compute capability 9.0, driver 13000, cuBLASLt 130100, products 1";
static char *folder;

static int make_folder(void **state) { return folder_temporary(&folder, "findings") ? 0 : -1; }

static int remove_folder(void **state)
{
    bool ok = folder_remove(folder);
    free(folder);
    return ok ? 0 : -1;
}

// Opens what should be readable.
static Findings opened(const char *about)
{
    Findings f;
    assert_true(findings_open(&f, folder, "products", about));
    return f;
}

static void found(Findings *f, const char *what, const char *how) { assert_true(findings_put(f, what, how)); }

// The bytes of the file that f wrote
static Bytes written(const Findings *f)
{
    Bytes text = {0};
    assert_true(file_read(&text, f->path, FINDINGS_BYTES));
    return text;
}

static void what_is_saved_comes_back_and_is_a_text_for_people(void **state)
{
    Findings f = opened(ABOUT);
    found(&f, "shape forward 4096 x 2560", "library (412.3 us, ours 420.0 us)");
    found(&f, "algorithm 12-34", "gives our bits");
    found(&f, "algorithm 12-34", "gives others"); // the first stands
    assert_true(findings_save(&f, 60));
    assert_int_equal(f.unsaved, 2); // not quiet long enough
    assert_true(findings_save(&f, 0));
    Bytes text = written(&f);
    assert_non_null(strstr(text.data, "\nabout: NVIDIA H200, compute capability 9.0"));
    assert_non_null(strstr(text.data, "\nalgorithm 12-34: gives our bits\n"));
    Findings again = opened(ABOUT), other = opened("NVIDIA A100");
    assert_string_equal(findings_of(&again, "shape forward 4096 x 2560"), "library (412.3 us, ours 420.0 us)");
    assert_null(findings_of(&again, "shape forward 4096"));
    assert_int_equal(again.count, 2);
    assert_int_equal(other.count, 0);
    bytes_free(&text);
    findings_close(&f);
    findings_close(&again);
    findings_close(&other);
}

static void what_no_line_can_hold_is_refused(void **state)
{
    char longer[FINDINGS_LINE + 2] = {0};
    memset(longer, 'x', sizeof longer - 1);
    Findings f = opened("lines");
    const char *const wrong[] = {"", "two\nlines", "a: b", "\xc3\xa9", longer};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(findings_put(&f, wrong[i], "x"));
    assert_false(findings_put(&f, "x", ""));
    assert_false(findings_put(&f, "x", "two\nlines"));
    assert_int_equal(f.count, 0);
    found(&f, "x", "a: b"); // only the first ": " parts
    findings_close(&f);
}

// Every cut, every changed bit and every byte too many is noticed, and nothing of it is used; the next save mends it.
static void a_damaged_file_is_refused_whole_and_written_anew(void **state)
{
    Findings f = opened("damaged");
    found(&f, "a", "1");
    found(&f, "b", "2");
    assert_true(findings_save(&f, 0));
    Bytes text = written(&f);
    Findings empty = {.about = f.about};
    for (size_t size = 0; size < text.size; size++)
        assert_false(findings_take(&empty, text.data, size));
    for (size_t i = 0; i < 8 * text.size; i++) {
        text.data[i / 8] ^= (char)(1 << i % 8);
        assert_false(findings_take(&empty, text.data, text.size));
        text.data[i / 8] ^= (char)(1 << i % 8);
    }
    assert_int_equal(empty.count, 0);
    text.data[text.size] = '\n'; // behind the last byte
    assert_false(findings_take(&empty, text.data, text.size + 1));
    assert_true(findings_take(&empty, text.data, text.size) && empty.count == 2);

    assert_true(file_write_atomic(f.path, text.data, text.size - 1));
    Findings cut;
    assert_false(findings_open(&cut, folder, "products", "damaged"));
    assert_non_null(strstr(error_text(), f.path));
    assert_non_null(strstr(error_text(), "damaged"));
    found(&cut, "c", "3");
    assert_true(findings_save(&cut, 0));
    Findings mended = opened("damaged");
    assert_int_equal(mended.count, 1);
    empty.about = NULL;
    findings_close(&empty);
    bytes_free(&text);
    findings_close(&f);
    findings_close(&cut);
    findings_close(&mended);
}

static void another_machines_file_is_not_used(void **state)
{
    Findings f = opened("one card"), other = opened("another card");
    found(&f, "a", "1");
    assert_true(findings_save(&f, 0));
    Bytes text = written(&f);
    assert_true(file_write_atomic(other.path, text.data, text.size)); // as if their hashes were the same
    Findings again;
    assert_false(findings_open(&again, folder, "products", "another card"));
    assert_non_null(strstr(error_text(), "another machine"));
    assert_int_equal(again.count, 0);
    bytes_free(&text);
    findings_close(&f);
    findings_close(&other);
    findings_close(&again);
}

static void a_file_that_is_not_ours_is_left_alone(void **state)
{
    static const char POEM[] = "my only copy of a poem\n";
    Findings f = opened("poem");
    assert_true(file_write_atomic(f.path, POEM, sizeof POEM - 1));
    char *path = copy_text(f.path);
    found(&f, "a", "1");
    assert_false(findings_save(&f, 0));
    assert_true(findings_save(&f, 0)); // it is not tried again
    Bytes text = {0};
    assert_true(file_read(&text, path, 1000));
    assert_string_equal(text.data, POEM);
    free(path);
    bytes_free(&text);
    findings_close(&f);
}

static void without_a_folder_findings_live_in_memory(void **state)
{
    Findings f;
    assert_true(findings_open(&f, NULL, "products", ABOUT));
    found(&f, "a", "1");
    assert_true(findings_save(&f, 0));
    assert_string_equal(findings_of(&f, "a"), "1");
    findings_close(&f);
}

enum { WRITERS = 4, ROUNDS = 40 };

static void write_some(int writer)
{
    char what[48];
    Findings f;
    bool ok = findings_open(&f, folder, "products", "race");
    for (int round = 0; ok && round < ROUNDS; round++) {
        snprintf(what, sizeof what, "writer %d, round %d", writer, round);
        ok = findings_put(&f, what, "yes") && findings_save(&f, 0);
    }
    if (!ok)
        fprintf(stderr, "writer %d: %s\n", writer, error_text());
    _exit(ok ? 0 : 1);
}

// Whoever reads meanwhile sees a whole file, each time; the last to write has all of its own in it.
static void processes_that_write_at_once_leave_a_whole_file(void **state)
{
    for (int writer = 0; writer < WRITERS; writer++)
        if (fork() == 0)
            write_some(writer);
    int running = WRITERS, status = 0;
    size_t most = 0;
    while (running > 0) {
        Findings f = opened("race");
        most = f.count > most ? f.count : most;
        findings_close(&f);
        while (running > 0 && waitpid(-1, &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            running--;
        }
    }
    Findings f = opened("race");
    int whole = 0;
    for (int writer = 0; writer < WRITERS; writer++) {
        char what[48];
        bool all = true;
        for (int round = 0; round < ROUNDS; round++) {
            snprintf(what, sizeof what, "writer %d, round %d", writer, round);
            all = all && findings_of(&f, what) != NULL;
        }
        whole += all;
    }
    assert_in_range(whole, 1, WRITERS);
    findings_close(&f);
}

static void the_cache_folder_follows_the_environment(void **state)
{
    const struct {
        const char *ours, *caches, *home, *folder;
    } cases[] = {{"/x", "/c", "/h", "/x"},
                 {"off", "/c", "/h", NULL},
                 {"", "/c", "/h", NULL},
                 {NULL, "/c", "/h", "/c/dereason"},
                 {NULL, "c", "/tmp", "/tmp/.cache/dereason"},
                 {NULL, NULL, NULL, NULL},
                 {NULL, NULL, "/tmp", "/tmp/.cache/dereason"},
                 {NULL, NULL, "/proc/nonexistent", NULL}, // a home that is not there is not made
                 {NULL, NULL, "/dev/null", NULL}};
    const char *const names[] = {"DEREASON_CACHE", "XDG_CACHE_HOME", "HOME"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const values[] = {cases[i].ours, cases[i].caches, cases[i].home};
        for (int j = 0; j < 3; j++)
            assert_int_equal(values[j] != NULL ? setenv(names[j], values[j], 1) : unsetenv(names[j]), 0);
        char *got;
        assert_true(cache_folder(&got));
        assert_true((got == NULL) == (cases[i].folder == NULL));
        if (got != NULL)
            assert_string_equal(got, cases[i].folder);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_comes_back_and_is_a_text_for_people),
        cmocka_unit_test(what_no_line_can_hold_is_refused),
        cmocka_unit_test(a_damaged_file_is_refused_whole_and_written_anew),
        cmocka_unit_test(another_machines_file_is_not_used),
        cmocka_unit_test(a_file_that_is_not_ours_is_left_alone),
        cmocka_unit_test(without_a_folder_findings_live_in_memory),
        cmocka_unit_test(processes_that_write_at_once_leave_a_whole_file),
        cmocka_unit_test(the_cache_folder_follows_the_environment),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
