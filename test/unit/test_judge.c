// A judge behind a server that misbehaves, its file of verdicts, and what it says.
#include "rl/judge.h"
#include "test/support/check.h"
#include "test/support/server.h"
#include <math.h>

static Server server;
static char *folder, *journal;

static int start(void **state)
{
    server = server_start();
    return folder_temporary(&folder, "test-judge") && (journal = path_join(folder, "judge.jsonl")) != NULL ? 0 : -1;
}

static int stop(void **state)
{
    server_stop(&server);
    bool ok = folder_remove(folder);
    free(folder);
    free(journal);
    return ok ? 0 : -1;
}

static Text text(const char *s) { return (Text){s, strlen(s)}; }

static Judge *judge_at(const char *url, double patience)
{
    JudgeOptions o = {.model = "general-verifier", .url = url, .max_tokens = 64, .patience = patience, .journal = journal};
    Judge *j = judge_open(&o);
    assert_non_null(j);
    return j;
}

// All that were asked, by tag.
static void hear_all(Judge *j, double *scores, int count)
{
    uint64_t tag;
    double score;
    const char *why;
    int heard = 0;
    assert_ok(judge_work(j, false) && judge_work(j, true));
    for (; judge_next(j, &tag, &score, &why); heard++) {
        assert_true(tag < (uint64_t)count);
        assert_true(isnan(score) == (why != NULL));
        scores[tag] = score;
    }
    assert_int_equal(heard, count);
}

static void what_it_says_is_read_where_it_decides(void **state)
{
    const struct {
        const char *said;
        double score; // 2: none
    } cases[] = {{"Final Decision: Yes", 1},
                 {"x\nfinal decision: **no**.", 0},
                 {"Final Decision: Yes? I mean: Final Decision: No", 0},
                 {"Final Decision: \\boxed{Yes}", 2},
                 {"Yes", 2},
                 {"Final Decision: maybe", 2},
                 {"Final Decision:", 2},
                 {"", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double score = judge_score(text(cases[i].said));
        assert_true(cases[i].score == 2 ? isnan(score) : score == cases[i].score);
    }
}

static void verdicts_come_from_the_server_once_and_then_from_the_file(void **state)
{
    double first[6], again[6];
    static const char *const problems[] = {"right 0 a", "right 0 a", "down 1 b", "right 0 c", "no-json 99 d", "right 0 e"};
    static const char *const answers[] = {"4", "4", "4", "5", "4", "unclear"};
    for (int round = 0; round < 2; round++) {
        Judge *j = judge_at(server.url, 2);
        for (int i = 0; i < 6; i++)
            assert_ok(judge_ask(j, (uint64_t)i, text(problems[i]), text("4"), text(answers[i])));
        hear_all(j, round == 0 ? first : again, 6);
        judge_close(j);
    }
    assert_true(first[0] == 1 && first[1] == 1 && first[2] == 1 && first[3] == 0 && isnan(first[4]) && isnan(first[5]));
    for (int i = 0; i < 6; i++)
        assert_true(first[i] == again[i] || (isnan(first[i]) && isnan(again[i])));
    assert_int_equal(server_attempts(&server, "right 0 a"), 1); // the same question twice, and a second round
    assert_int_equal(server_attempts(&server, "down 1 b"), 2);
    int given_up = server_attempts(&server, "no-json 99 d");
    assert_true(given_up > 1 && given_up < 10); // and not asked again in the second round: it had its part in an update
}

static void a_server_that_is_down_ends_in_no_verdict(void **state)
{
    double score = 0;
    Judge *j = judge_at("http://127.0.0.1:9/v1", 1);
    assert_ok(judge_ask(j, 0, text("right 0 z"), text("4"), text("4")));
    hear_all(j, &score, 1);
    assert_true(isnan(score));
    judge_close(j);
}

static void a_folder_without_a_model_is_refused(void **state)
{
    JudgeOptions o = {.model = folder, .url = "", .device = "cpu", .max_tokens = 64, .journal = journal};
    assert_null(judge_open(&o));
    assert_non_null(strstr(error_text(), "--judge-model"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_says_is_read_where_it_decides),
        cmocka_unit_test(verdicts_come_from_the_server_once_and_then_from_the_file),
        cmocka_unit_test(a_server_that_is_down_ends_in_no_verdict),
        cmocka_unit_test(a_folder_without_a_model_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
