// The run's log: its lines, cutting it back, the terminal, and the signals that stop a run.
#include "system/files.h"
#include "test/support/check.h"

#include "json/json.h"
#include "log/log.h"
#include "system/signals.h"
#include <math.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/test_log-XXXXXX";
static char *path;

static void write_log(const char *text) { assert_ok(file_write_atomic(path, text, strlen(text))); }

static void assert_log_is(const char *text)
{
    Bytes now = {0};
    assert_ok(file_read(&now, path, 1 << 20));
    assert_string_equal(now.data, text);
    bytes_free(&now);
}

// The log cut at `, "seconds"`, line by line.
static void read_without_clock(Bytes *out, const char *file)
{
    Bytes text = {0};
    assert_ok(file_read(&text, file, 1 << 20));
    for (char *line = text.data, *end; *line != 0; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = 0;
        char *clock = strstr(line, ", \"seconds\"");
        assert_non_null(clock);
        *clock = 0;
        assert_ok(bytes_text(out, line) && bytes_text(out, "\n"));
    }
    bytes_free(&text);
}

static void write_three_steps(FILE *terminal, int64_t every)
{
    RunLog log;
    assert_ok(log_open(&log, path, terminal, 3, every));
    log_live(&log, 1, "sampling %d/8", 3);
    log_live(&log, 1, "sampling %d/8", 4); // too soon
    for (int64_t step = 1; step <= 3; step++) {
        const LogField fields[] = {{"loss", 2.5 / (double)step},
                                   {"tokens_per_second", 1234567.0 * (double)step},
                                   {"grad_norm", step == 2 ? NAN : 0.1},
                                   {"lr", 1e-5}};
        assert_ok(log_step(&log, step, fields, 4));
    }
    const LogField result[] = {{"eval_loss", 0.5}};
    assert_ok(log_event(&log, "eval", 3, result, 1));
    assert_ok(log_sync(&log));
    assert_ok(log_close(&log));
}

static void what_comes_from_the_clock_stands_last(void **state)
{
    Bytes lines = {0};
    unlink(path);
    write_three_steps(NULL, 1);
    read_without_clock(&lines, path);
    assert_string_equal(lines.data, "{\"step\": 1, \"loss\": 2.5, \"grad_norm\": 0.1, \"lr\": 1e-5\n"
                                    "{\"step\": 2, \"loss\": 1.25, \"grad_norm\": null, \"lr\": 1e-5\n"
                                    "{\"step\": 3, \"loss\": 0.8333333333333334, \"grad_norm\": 0.1, \"lr\": 1e-5\n"
                                    "{\"event\": \"eval\", \"step\": 3, \"eval_loss\": 0.5\n");
    bytes_free(&lines);
    assert_true(log_is_wall_clock("tokens_per_second"));
    assert_false(log_is_wall_clock("loss"));
}

static void every_line_is_strict_json(void **state)
{
    Bytes text = {0};
    unlink(path);
    write_three_steps(NULL, 1);
    assert_ok(file_read(&text, path, 1 << 20));
    int lines = 0;
    for (char *line = text.data, *end; *line != 0; line = end + 1, lines++) {
        end = strchr(line, '\n');
        json_t *object = json_parse(line, (size_t)(end - line), "line");
        assert_non_null(object);
        assert_true(json_number_value(json_object_get(object, "memory_bytes")) > 0);
        json_decref(object);
    }
    assert_int_equal(lines, 4);
    bytes_free(&text);
}

static void a_log_is_written_on_and_not_anew(void **state)
{
    Bytes lines = {0};
    write_log("{\"step\": 0, \"seconds\": 1}\n");
    write_three_steps(NULL, 1);
    read_without_clock(&lines, path);
    assert_memory_equal(lines.data, "{\"step\": 0\n{\"step\": 1,", 22);
    bytes_free(&lines);
}

static void cutting_keeps_the_steps_up_to_one(void **state)
{
    write_log("{\"event\": \"start\", \"step\": 0}\n{\"step\": 1}\n{\"step\": 2}\n{\"event\": \"eval\", \"step\": 2}\n"
              "{\"step\": 3}\n");
    LogFacts facts;
    assert_ok(log_cut(path, 2, &facts));
    assert_int_equal(facts.last, 3); // before it was cut
    assert_int_equal(facts.evaluated, 2);
    assert_log_is(
        "{\"event\": \"start\", \"step\": 0}\n{\"step\": 1}\n{\"step\": 2}\n{\"event\": \"eval\", \"step\": 2}\n");
    assert_ok(log_cut(path, 1, &facts) && facts.last == 2 && facts.evaluated == -1);
    assert_ok(log_cut(path, -1, NULL));
    assert_log_is("");
    assert_ok(log_cut(path, 5, NULL));
    unlink(path);
    assert_ok(log_cut(path, 5, NULL));
    assert_false(file_exists(path));
}

static void a_half_last_line_is_dropped(void **state)
{
    write_log("{\"step\": 1}\n{\"step\": 2, \"lo");
    assert_ok(log_cut(path, 9, NULL));
    assert_log_is("{\"step\": 1}\n");
    write_log("{\"step\": 1}\n{\"step\": 2}"); // only its newline is missing
    assert_ok(log_cut(path, 9, NULL));
    assert_log_is("{\"step\": 1}\n{\"step\": 2}\n");
}

static void a_broken_line_in_the_middle_is_refused_with_its_number(void **state)
{
    static const char *const texts[] = {"{\"step\": 1}\n{\"step\": \n{\"step\": 3}\n",
                                        "{\"step\": 1}\n[2]\n{\"step\": 3}\n", "{\"step\": 1}\n{\"stop\": 2}\n",
                                        "{\"step\": 1}\n\n{\"step\": 3}\n", "{\"step\": 1}\n{\"step\": -2}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_log(texts[i]);
        assert_refused(log_cut(path, 1, NULL), "log.jsonl:2:");
        assert_log_is(texts[i]);
    }
}

// In a child process, so that the limit of file sizes holds for this test only.
static void a_full_disk_leaves_whole_lines_and_an_error(void **state)
{
    unlink(path);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        RunLog log;
        const struct rlimit limit = {200, 200};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool ok = log_open(&log, path, NULL, 100, 1);
        const LogField loss = {"loss", 1.0 / 3};
        int64_t step = 1;
        while (ok && step < 100)
            ok = log_step(&log, step++, &loss, 1);
        _exit(!ok && step > 2 && strstr(error_text(), "free some space") != NULL ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    Bytes text = {0};
    assert_ok(file_read(&text, path, 1 << 20));
    assert_true(text.size > 0 && text.data[text.size - 1] == '\n');
    bytes_free(&text);
}

static void a_pipe_gets_plain_lines_at_the_interval_and_the_last(void **state)
{
    char *shown = NULL;
    size_t size = 0;
    unlink(path);
    FILE *terminal = tmpfile();
    write_three_steps(terminal, 2);
    long length = ftell(terminal);
    rewind(terminal);
    shown = allocate((size_t)length + 1, 1);
    size = fread(shown, 1, (size_t)length, terminal);
    assert_int_equal(size, length);
    fclose(terminal);
    assert_null(strchr(shown, '\r'));
    assert_null(strchr(shown, '\x1b'));
    assert_memory_equal(shown, "step 2/3 | loss 1.2500 | 2,469,134 tok/s | norm nan | lr 1.00e-05 | eta 00m00s | ", 81);
    assert_null(strstr(shown, "step 1/3"));
    assert_non_null(strstr(shown, "\nstep 3/3 | loss 0.8333 | "));
    assert_non_null(strstr(shown, "\nstep 3/3 | eval | eval_loss 0.5\n"));
    free(shown);
}

static void a_step_without_a_reward_says_so(void **state)
{
    RunLog log;
    char shown[200] = "";
    FILE *terminal = tmpfile();
    unlink(path);
    assert_ok(log_open(&log, path, terminal, 1, 1));
    assert_ok(log_step(&log, 1, (LogField[]){{"reward/mean", NAN}, {"reward/unscored", 1}}, 2) && log_close(&log));
    rewind(terminal);
    assert_true(fread(shown, 1, sizeof shown - 1, terminal) > 0);
    fclose(terminal);
    assert_memory_equal(shown, "step 1/1 | no reward | unscored 100% | ", 39);
}

// What a child writes to a pseudo-terminal of 80 columns under the environment given.
static void show_on_terminal(char *shown, size_t size, int64_t every, const char *term, const char *no_color)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    FILE *terminal = fopen(ptsname(master), "w");
    assert_non_null(terminal);
    setenv("TERM", term, 1);
    setenv("NO_COLOR", no_color, 1);
    write_three_steps(terminal, every);
    assert_true(fputs("[end]", terminal) >= 0 && fflush(terminal) == 0);
    size_t got = 0;
    for (shown[0] = 0; strstr(shown, "[end]") == NULL; shown[got] = 0) { // a terminal hands on what it likes at a time
        ssize_t n = read(master, shown + got, size - 1 - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    fclose(terminal);
    close(master);
}

static void a_terminal_keeps_a_line_every_so_often_and_has_a_live_one_below(void **state)
{
    char shown[4096];
    show_on_terminal(shown, sizeof shown, 2, "xterm", "");
    const char *live = "\rstep 1/3\x1b[2m | \x1b[0msampling 3/8\x1b[K\rstep 1/3\x1b[2m | \x1b[0mloss";
    assert_memory_equal(shown, live, strlen(live));
    const char *second = strstr(shown, "\r\x1b[Kstep 2/3"), *last = strstr(shown, "\nstep 3/3"),
               *event = strstr(shown, "eval_loss");
    assert_true(second != NULL && last > second && event > last);
    assert_true(strchr(shown, '\n') > second); // the first makes place, the second and the last stay
    show_on_terminal(shown, sizeof shown, 100, "xterm", "1");
    live = "\rstep 1/3 | sampling 3/8\x1b[K\rstep 1/3 | loss";
    assert_memory_equal(shown, live, strlen(live));
    assert_null(strstr(shown, "\x1b[2m"));
    show_on_terminal(shown, sizeof shown, 1, "dumb", "");
    assert_memory_equal(shown, "step 1/3 | loss", 15);
    assert_null(strchr(shown, '\x1b'));
}

static void a_log_without_a_file_or_terminal_is_silent(void **state)
{
    RunLog log;
    const LogField loss = {"loss", 1};
    assert_ok(log_open(&log, NULL, NULL, 3, 1));
    assert_ok(log_step(&log, 1, &loss, 1));
    assert_ok(log_event(&log, "eval", 1, &loss, 1));
    log_note(&log, "nobody reads this");
    assert_ok(log_sync(&log));
    assert_ok(log_close(&log));
}

static void a_log_that_cannot_be_opened_is_an_error_with_its_path(void **state)
{
    RunLog log;
    assert_refused(log_open(&log, "/proc/nonexistent/log.jsonl", NULL, 3, 1), "/proc/nonexistent/log.jsonl: opening");
}

// The status of a child that waits for signals: 75 after one, if it was the first.
static int status_after(int first, int second)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool quiet = signals_install(NULL) && signal_received() == 0 && signal_seconds() < 0 && signal_checked("");
        raise(first);
        bool seen = signal_received() == first && signal_seconds() >= 0 && !signal_checked(" while testing") &&
                    error_kind() == ERROR_STOPPED && strcmp(error_text(), "stopped by a signal while testing") == 0;
        if (second != 0)
            raise(second);
        _exit(quiet && seen ? EXIT_STOPPED : 1);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_first_signal_sets_a_flag_and_the_second_ends_the_process(void **state)
{
    assert_int_equal(status_after(SIGINT, 0), 75);
    assert_int_equal(status_after(SIGTERM, 0), 75);
    assert_int_equal(status_after(SIGUSR1, 0), 75);
    assert_int_equal(status_after(SIGTERM, SIGTERM), 130);
    assert_int_equal(status_after(SIGUSR1, SIGINT), 130);
}

static int make_folder(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    path = path_join(folder, "log.jsonl");
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
        cmocka_unit_test(what_comes_from_the_clock_stands_last),
        cmocka_unit_test(every_line_is_strict_json),
        cmocka_unit_test(a_log_is_written_on_and_not_anew),
        cmocka_unit_test(cutting_keeps_the_steps_up_to_one),
        cmocka_unit_test(a_half_last_line_is_dropped),
        cmocka_unit_test(a_broken_line_in_the_middle_is_refused_with_its_number),
        cmocka_unit_test(a_full_disk_leaves_whole_lines_and_an_error),
        cmocka_unit_test(a_pipe_gets_plain_lines_at_the_interval_and_the_last),
        cmocka_unit_test(a_step_without_a_reward_says_so),
        cmocka_unit_test(a_terminal_keeps_a_line_every_so_often_and_has_a_live_one_below),
        cmocka_unit_test(a_log_without_a_file_or_terminal_is_silent),
        cmocka_unit_test(a_log_that_cannot_be_opened_is_an_error_with_its_path),
        cmocka_unit_test(the_first_signal_sets_a_flag_and_the_second_ends_the_process),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
