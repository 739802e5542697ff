// Files of lines that are appended to: what is whole stays, what is half goes, and who else may write them.
#include "system/files.h"
#include "system/line_file.h"
#include "test/support/check.h"
#include "test/support/failpoints.h"
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>

static char folder[] = "/tmp/test_line_file-XXXXXX";
static char *path;
static int lock_error; // of the next flock; 0: none

int flock(int descriptor, int how)
{
    if (lock_error == 0)
        return (int)syscall(SYS_flock, descriptor, how);
    errno = lock_error;
    lock_error = 0;
    return -1;
}

static void write_file(const char *text, size_t size) { assert_ok(file_write_atomic(path, text, size)); }

static void assert_file_is(const char *text)
{
    Bytes now = {0};
    assert_ok(file_read(&now, path, 1 << 20));
    assert_string_equal(now.data == NULL ? "" : now.data, text);
    bytes_free(&now);
}

// What was read: "offset:line" each, half ones in brackets; a half that begins with x is refused.
static bool note_line(void *context, const FileLine *line)
{
    if (line->half && line->text.size > 0 && line->text.data[0] == 'x')
        return fail("line %" PRId64 " is somebody else's", line->number);
    return bytes_printf(context, line->half ? "%" PRIu64 ":(%.*s)" : "%" PRIu64 ":%.*s ", line->offset,
                        (int)line->text.size, line->text.data);
}

static LineFile open_file(void)
{
    LineFile file;
    assert_ok(line_file_open(&file, path, true, "in use"));
    return file;
}

static void assert_reads(const char *text, size_t size, const char *read, const char *left, uint64_t zeros)
{
    Bytes noted = {0};
    write_file(text, size);
    LineFile file = open_file();
    assert_ok(line_file_read(&file, note_line, &noted));
    assert_string_equal(noted.data == NULL ? "" : noted.data, read);
    assert_int_equal(file.end, strlen(left));
    assert_int_equal(file.zeros, zeros);
    assert_ok(line_file_append(&file, "more\n", 5) && line_file_close(&file));
    bytes_clear(&noted);
    assert_ok(bytes_printf(&noted, "%smore\n", left));
    assert_file_is(noted.data);
    bytes_free(&noted);
}
#define READS(text, ...) assert_reads(text, sizeof(text) - 1, __VA_ARGS__)

static void half_a_line_at_the_end_is_cut_off(void **state)
{
    READS("", "", "", 0);
    READS("a\n\nbc\n", "0:a 2: 3:bc ", "a\n\nbc\n", 0);
    READS("a\nbc", "0:a 2:(bc)", "a\n", 0);
    READS("bc", "0:(bc)", "", 0);
    READS("a\nb\0\0\0", "0:a 2:(b)", "a\n", 3);
    READS("a\n\0\0", "0:a 2:()", "a\n", 2);
}

static void what_a_reader_refuses_stays_as_it_is(void **state)
{
    Bytes noted = {0};
    write_file("a\nx", 3);
    LineFile file = open_file();
    assert_refused(line_file_read(&file, note_line, &noted), "line 2 is somebody else's");
    assert_ok(line_file_close(&file));
    assert_file_is("a\nx");
    bytes_free(&noted);
}

static void a_write_that_fails_half_way_is_taken_back(void **state)
{
    struct rlimit before, few;
    write_file("first\n", 6);
    LineFile file = open_file();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    few = before;
    few.rlim_cur = 9;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    assert_refused(line_file_append(&file, "second\n", 7), "so free some space and run again: File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_file_is("first\n");
    assert_ok(line_file_append(&file, "second\n", 7) && line_file_close(&file));
    assert_file_is("first\nsecond\n");
}

static bool append_three(void *context)
{
    LineFile file;
    Bytes noted = {0};
    bool ok = line_file_open(&file, path, true, NULL) && line_file_read(&file, note_line, &noted);
    for (int i = 0; ok && i < 3; i++)
        ok = line_file_append(&file, "line\n", 5);
    line_file_close(&file);
    bytes_free(&noted);
    return ok;
}

static void a_kill_in_the_middle_of_a_line_costs_that_line_only(void **state)
{
    for (int killed = 0; killed < 3; killed++) {
        static const char *const whole[] = {"", "line\n", "line\nline\n"};
        Bytes noted = {0};
        write_file("", 0);
        assert_false(survives_kill(killed, append_three, NULL));
        LineFile file = open_file();
        assert_ok(line_file_read(&file, note_line, &noted) && line_file_close(&file));
        assert_non_null(strstr(noted.data, "(li)"));
        assert_file_is(whole[killed]);
        bytes_free(&noted);
    }
}

static void only_a_lock_that_is_held_is_another_process(void **state)
{
    static const int others[] = {ENOLCK, EOPNOTSUPP, EINVAL};
    LineFile file = open_file(), second;
    assert_refused(line_file_open(&second, path, true, "in use; wait"), ": in use; wait");
    assert_ok(line_file_open(&second, path, true, NULL) && line_file_close(&second)); // somebody else sees to it
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        fflush(stderr);
        FILE *said = tmpfile();
        char text[512] = "";
        int before = dup(2);
        assert_true(said != NULL && before >= 0 && dup2(fileno(said), 2) == 2);
        lock_error = others[i];
        bool ok = line_file_open(&second, path, true, "in use; wait") && line_file_append(&second, "line\n", 5);
        assert_true(dup2(before, 2) == 2 && close(before) == 0);
        assert_ok(ok && line_file_close(&second));
        assert_true(pread(fileno(said), text, sizeof text - 1, 0) > 0);
        fclose(said);
        assert_non_null(strstr(text, strerror(others[i])));
        assert_non_null(strstr(text, "line_file-"));
        assert_null(strstr(text, "in use"));
    }
    assert_ok(line_file_close(&file));
    file = open_file(); // it is free again
    assert_ok(line_file_close(&file) && line_file_close(&file));
}

static void somebody_elses_lines_are_noticed(void **state)
{
    write_file("", 0);
    LineFile file = open_file();
    assert_ok(line_file_append(&file, "ours\n", 5) && line_file_is_ours(&file));
    assert_int_equal(truncate(path, 2), 0);
    assert_refused(line_file_is_ours(&file), "was changed by another program");
    assert_ok(line_file_append(&file, "and\n", 4)); // who keeps no places goes on
    assert_ok(line_file_is_ours(&file) && line_file_close(&file));
    assert_file_is("ouand\n");
}

static void links_and_what_is_no_file_are_refused_by_name(void **state)
{
    char *link = path_join(folder, "link");
    LineFile file;
    write_file("", 0);
    assert_int_equal(symlink(path, link), 0);
    assert_refused(line_file_open(&file, link, false, NULL), "link: opening");
    assert_ok(line_file_open(&file, link, true, NULL) && line_file_append(&file, "line\n", 5) &&
              line_file_close(&file));
    assert_file_is("line\n");
    assert_refused(line_file_open(&file, "/dev/null", true, NULL), "/dev/null: not a regular file");
    assert_refused(line_file_open(&file, "/proc/nonexistent/a", true, NULL),
                   "/proc/nonexistent/a: opening: No such file");
    free(link);
}

static int make_folder(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    path = path_join(folder, "lines");
    return path == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    free(path);
    return folder_remove(folder) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_a_line_at_the_end_is_cut_off),
        cmocka_unit_test(what_a_reader_refuses_stays_as_it_is),
        cmocka_unit_test(a_write_that_fails_half_way_is_taken_back),
        cmocka_unit_test(a_kill_in_the_middle_of_a_line_costs_that_line_only),
        cmocka_unit_test(only_a_lock_that_is_held_is_another_process),
        cmocka_unit_test(somebody_elses_lines_are_noticed),
        cmocka_unit_test(links_and_what_is_no_file_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
