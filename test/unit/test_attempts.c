// avg@n, pass@k and maj@n of the rows that ./generate and train_rl write.
#include "evaluation/attempts.h"
#include "test/support/check.h"
#include <math.h>

static void add(Attempts *a, const char *line)
{
    Finding finding;
    bool judged;
    json_t *row = json_parse(line, strlen(line), "rows.jsonl:1");
    assert_non_null(row);
    assert_true(attempts_know(row));
    assert_ok(attempts_add(a, &(AttemptLine){row, {line, strlen(line)}, "rows.jsonl", 1}, &finding, &judged));
    json_decref(row);
}

// A row of ./generate: a problem's sample, and what it says.
static void generated(Attempts *a, const char *problem, const char *more, int sample, const char *text,
                      const char *reason)
{
    char line[600];
    snprintf(line, sizeof line,
             "{\"problem\": \"%s\", %s, \"sample\": %d, \"ids\": [%d], \"text\": \"%s\", \"finish_reason\": \"%s\"}",
             problem, more, sample, sample, text, reason);
    add(a, line);
}

static void expect_table(Attempts *a, const char *wanted)
{
    Bytes table = {0};
    assert_ok(attempts_table(&table, a));
    assert_string_equal(table.data, wanted);
    bytes_free(&table);
    attempts_free(a);
}

static void pass_at_k_has_no_bias(void **state)
{
    assert_true(pass_at(1, 2, 8) == 0.25);
    assert_true(fabs(pass_at(2, 2, 4) - (1 - 1.0 / 6)) < 1e-15); // one of the six pairs is wrong twice
    assert_true(fabs(pass_at(4, 1, 8) - 0.5) < 1e-15);
    assert_true(pass_at(8, 1, 8) == 1 && pass_at(8, 0, 8) == 0 && pass_at(3, 6, 8) == 1);
    double sum = 0; // of all triples of seven of which three are right, those with a right one
    for (int i = 0; i < 7; i++)
        for (int j = i + 1; j < 7; j++)
            for (int k = j + 1; k < 7; k++)
                sum += i < 3;
    assert_true(fabs(pass_at(3, 3, 7) - sum / 35) < 1e-15);
}

static void samples_of_a_prompt_are_one_problem_wherever_they_stand(void **state)
{
    Attempts a = {0};
    static const char *const more = "\"answer\": 7, \"source\": \"s\", \"difficulty\": 4";
    static const char *const other = "\"answer\": \"2\", \"source\": \"t\", \"category\": \"c\"";
    generated(&a, "3+4?", more, 0, "\\\\boxed{7}", "stop");
    generated(&a, "1+1?", other, 3, "<think>7</think>\\\\boxed{2.0}", "stop"); // in no order
    generated(&a, "3+4?", more, 1, "\\\\boxed{8}", "stop");
    generated(&a, "1+1?", other, 0, "\\\\boxed{3}", "stop");
    generated(&a, "1+1?", other, 1, "#### 3", "stop");
    generated(&a, "3+4?", more, 3, "\\\\boxed{7}", "length"); // cut off
    generated(&a, "3+4?", more, 2, "so 7.0", "stop");
    generated(&a, "1+1?", other, 2, "\\\\boxed{5}", "stop");
    generated(&a, "5+5?", "\"source\": \"t\"", 0, "\\\\boxed{10}", "stop");
    expect_table(&a, "                            problems             avg@4    pass@2    pass@4     maj@4\n"
                     "source\n"
                     "  s                                1   50.00% ±  0.00%    83.33%   100.00%   100.00%\n"
                     "  t                                1   25.00% ±  0.00%    50.00%   100.00%     0.00%\n"
                     "category\n"
                     "  (none)                           1   50.00% ±  0.00%    83.33%   100.00%   100.00%\n"
                     "  c                                1   25.00% ±  0.00%    50.00%   100.00%     0.00%\n"
                     "difficulty\n"
                     "  unknown                          1   25.00% ±  0.00%    50.00%   100.00%     0.00%\n"
                     "  4                                1   50.00% ±  0.00%    83.33%   100.00%   100.00%\n"
                     "all                                2   37.50% ± 12.50%    66.67%   100.00%    50.00%\n"
                     "9 responses, 1 of them cut off, which is wrong\n"
                     "1 responses are left out: their rows have no reference answer\n");
}

static void problems_may_have_different_numbers_of_responses(void **state)
{
    Attempts a = {0};
    static const char *const more = "\"answer\": \"B\", \"options\": [\"iron\", \"gold\"]";
    for (int i = 0; i < 3; i++)
        generated(&a, "Which?", more, i, i == 0 ? "\\\\boxed{gold}" : "\\\\boxed{A}", "stop");
    for (int i = 0; i < 2; i++)
        generated(&a, "Which one?", more, i, "The answer is B.", "stop");
    expect_table(&a, "                            problems               avg    pass@2       maj\n"
                     "all                                2   66.67% ± 33.33%    83.33%    50.00%\n"
                     "5 responses, 0 of them cut off, which is wrong\n"
                     "problems have 2 to 3 responses; pass@k is of a k that all of them have\n");
}

static void what_is_asked_is_read_as_when_it_was_prepared(void **state)
{
    Attempts a = {0};
    generated(&a, "Which?", "\"choices\": [\"iron\", \"gold\"], \"answer\": \"B\"", 0, "\\\\boxed{gold}", "stop");
    generated(&a, "Which?", "\"choices\": [\"iron\", \"gold\"], \"answer_index\": 0", 0, "\\\\boxed{iron}", "stop");
    generated(&a, "How many?", "\"answer\": 4e4", 0, "\\\\boxed{40000}", "stop");
    generated(&a, "Which code?", "\"answer\": \"4e4\"", 0, "\\\\boxed{40000}", "stop"); // not known to be right
    expect_table(&a, "                            problems             avg@1\n"
                     "all                                4   75.00% ± 25.00%\n"
                     "4 responses, 0 of them cut off, which is wrong\n");
}

#define ROLLOUT(step, id, reference, response, more)                                                                   \
    "{\"step\": " step ", \"id\": \"" id                                                                               \
    "\", \"source\": \"s\", \"category\": \"\", \"difficulty\": 5, \"prompt\": \"q\", \"reference\": \"" reference     \
    "\", \"response\": \"" response "\", \"finish_reason\": \"stop\", \"verdict\": \"unknown\"" more "}"

static void rollouts_are_read_with_what_a_judge_decided(void **state)
{
    Attempts a = {0};
    add(&a, ROLLOUT("3", "a", "7", "\\\\boxed{7}", ""));
    add(&a, ROLLOUT("3", "a", "7", "\\\\boxed{8}", ""));
    add(&a, ROLLOUT("6", "a", "7", "\\\\boxed{9}", "")); // another step is another policy
    add(&a, ROLLOUT("6", "a", "7", "\\\\boxed{9}", ""));
    add(&a, ROLLOUT("3", "b", "a long way home through the woods at night", "It is long.", ", \"judge\": \"yes\""));
    add(&a, ROLLOUT("3", "b", "a long way home through the woods at night", "It is short.", ", \"judge\": \"no\""));
    add(&a, ROLLOUT("3", "c", "B", "\\\\boxed{gold}", ", \"options\": [\"iron\", \"gold\"]"));
    add(&a, ROLLOUT("3", "c", "B", "\\\\boxed{gold}", ", \"options\": [\"iron\", \"gold\"]"));
    add(&a, ROLLOUT("3", "d", "4e4", "40000", ", \"reference_is_number\": true"));
    add(&a, ROLLOUT("3", "d", "4e4", "40001", ", \"reference_is_number\": true"));
    expect_table(&a, "                            problems             avg@2    pass@2     maj@2\n"
                     "all                                5   50.00% ± 15.81%    80.00%    80.00%\n"
                     "10 responses, 0 of them cut off, which is wrong\n");
}

static void what_is_no_row_of_these_is_known_and_refused(void **state)
{
    static const char *const others[] = {"{\"gold\": \"1\", \"prediction\": \"1\"}",
                                         "{\"problem\": \"q\", \"answer\": \"1\"}", "[1]",
                                         "{\"text\": 1, \"finish_reason\": \"stop\"}"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        json_t *row = json_parse(others[i], strlen(others[i]), "it");
        assert_false(attempts_know(row));
        json_decref(row);
    }
    Attempts a = {0};
    Finding finding;
    bool judged;
    static const char line[] = "{\"text\": \"1\", \"finish_reason\": \"stop\", \"answer\": \"1\"}";
    json_t *row = json_parse(line, strlen(line), "it");
    assert_refused(attempts_add(&a, &(AttemptLine){row, {line, strlen(line)}, "rows.jsonl", 9}, &finding, &judged),
                   "rows.jsonl:9: no known");
    json_decref(row);
    attempts_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pass_at_k_has_no_bias),
        cmocka_unit_test(samples_of_a_prompt_are_one_problem_wherever_they_stand),
        cmocka_unit_test(problems_may_have_different_numbers_of_responses),
        cmocka_unit_test(what_is_asked_is_read_as_when_it_was_prepared),
        cmocka_unit_test(rollouts_are_read_with_what_a_judge_decided),
        cmocka_unit_test(what_is_no_row_of_these_is_known_and_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
