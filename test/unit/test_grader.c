// External graders: ones that answer, are slow, die, talk nonsense, or cannot be run; and their file of verdicts.
#include "rl/grader.h"
#include "test/support/check.h"
#include <math.h>
#include <string.h>

static char *folder;

static int start(void **state) { return folder_temporary(&folder, "test-grader") ? 0 : -1; }
static int stop(void **state)
{
    bool ok = folder_remove(folder);
    free(folder);
    return ok ? 0 : -1;
}

enum { ASKED = 12 };

// Every question is {"n": i}; scores by i, and the first reason.
static void grade(const char *command, const char *name, double seconds, double scores[ASKED], char reason[200])
{
    char *journal = path_join(folder, name);
    GraderOptions o = {.command = command, .processes = 3, .seconds = seconds, .sandbox = "none", .journal = journal};
    Grader *g = grader_open(&o);
    uint64_t tag;
    double score;
    const char *why;
    int heard = 0;
    reason[0] = 0;
    assert_ok(g != NULL);
    for (int i = 0; i < ASKED; i++) {
        char question[32];
        snprintf(question, sizeof question, "{\"n\": %d}", i);
        assert_ok(grader_ask(g, (uint64_t)i, (Text){question, strlen(question)}) && grader_work(g, false));
    }
    assert_ok(grader_work(g, true));
    for (; grader_next(g, &tag, &score, &why); heard++) {
        assert_true(tag < ASKED && isnan(score) == (why != NULL));
        scores[tag] = score;
        if (why != NULL)
            snprintf(reason, 200, "%s", why);
    }
    assert_int_equal(heard, ASKED);
    grader_close(g);
    free(journal);
}

static void answers_are_scores(void **state)
{
    double scores[ASKED];
    char reason[200];
    grade("sed -u 's/.*: \\(.*\\)}/{\"score\": 0.\\1, \"more\": [1]}/'", "sed", 20, scores, reason);
    for (int i = 0; i < ASKED; i++)
        assert_true(scores[i] == (i < 10 ? i / 10.0 : i / 100.0));
    grade("while read -r line; do echo true; done", "true", 20, scores, reason);
    assert_true(scores[0] == 1 && scores[ASKED - 1] == 1);
}

static void what_was_said_is_not_asked_again(void **state)
{
    double first[ASKED], again[ASKED];
    char reason[200], command[300];
    snprintf(command, sizeof command, "while read -r line; do echo x >>%s/count; echo 0.25; done", folder);
    grade(command, "kept", 20, first, reason);
    grade(command, "kept", 20, again, reason);
    char *count = path_join(folder, "count");
    Bytes lines = {0};
    assert_ok(file_read(&lines, count, 1000));
    assert_int_equal(lines.size, 2 * ASKED); // "x\n" for each, once
    assert_memory_equal(first, again, sizeof first);
    bytes_free(&lines);
    free(count);
}

static void a_grader_that_fails_has_no_score_and_is_replaced(void **state)
{
    double scores[ASKED];
    char reason[200];
    int had = 0;
    grade("read -r line; echo 1; exit 3", "once", 20, scores, reason); // each lives for one question
    for (int i = 0; i < ASKED; i++)
        had += scores[i] == 1;
    assert_true(had >= 3);
    grade("read -r line; exit 3", "dies", 20, scores, reason);
    for (int i = 0; i < ASKED; i++)
        assert_true(isnan(scores[i]));
    assert_string_equal(reason, "it ended with exit code 3");
    grade("while read -r line; do case $line in *1*) sleep 60 ;; *) echo 1 ;; esac; done", "slow", 0.3, scores, reason);
    for (int i = 0; i < ASKED; i++)
        assert_true(i == 1 || i >= 10 ? isnan(scores[i]) : scores[i] == 1);
    assert_string_equal(reason, "it did not answer in time");
    grade("while read -r line; do echo '{\"points\": 1}'; done", "nonsense", 20, scores, reason);
    assert_true(isnan(scores[0]) && strstr(reason, "no JSON with a number named score") != NULL);
    grade("while read -r line; do echo '{\"score\": null}'; done", "null", 20, scores, reason);
    assert_true(isnan(scores[0]) && strstr(reason, "no score") != NULL);
}

static void a_command_that_cannot_be_run_is_refused(void **state)
{
    char *journal = path_join(folder, "none");
    GraderOptions o = {.command = "/no/such/program", .processes = 2, .seconds = 5, .sandbox = "none", .journal = journal};
    assert_null(grader_open(&o));
    assert_non_null(strstr(error_text(), "exit code 127"));
    free(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_scores),
        cmocka_unit_test(what_was_said_is_not_asked_again),
        cmocka_unit_test(a_grader_that_fails_has_no_score_and_is_replaced),
        cmocka_unit_test(a_command_that_cannot_be_run_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
