// avg@k, pass@k and maj@k of groups whose answers are known.
#include "evaluation/validate.h"
#include "test/support/check.h"

static Group group_of(Response *responses, const char *gold, const char *const *texts, int count)
{
    for (int i = 0; i < count; i++) {
        responses[i] = (Response){0};
        assert_ok(bytes_text(&responses[i].text, texts[i]));
        responses[i].verdict = verify((Text){gold, strlen(gold)}, (Text){texts[i], strlen(texts[i])});
    }
    return (Group){.responses = responses};
}

static void expect(const char *gold, const char *const *texts, int count, double average, double pass, double majority)
{
    Response responses[8];
    Group g = group_of(responses, gold, texts, count);
    Score s = group_score(&g, count);
    assert_true(s.prompts == 1 && s.average == average && s.pass == pass && s.majority == majority);
    for (int i = 0; i < count; i++)
        bytes_free(&responses[i].text);
}

static void scores_of_a_group_are_what_they_are_called(void **state)
{
    expect("1/2", (const char *const[]){"\\boxed{0.5}", "\\boxed{\\frac12}", "3", "4"}, 4, 0.5, 1, 1);
    expect("7", (const char *const[]){"3", "#### 3", "7", "4"}, 4, 0.25, 1, 0); // 3 has two votes, in two spellings
    expect("7", (const char *const[]){"1", "2", "3"}, 3, 0, 0, 0);
    expect("7", (const char *const[]){"7", "2"}, 2, 0.5, 1, 1); // of equally many the first
    expect("7", (const char *const[]){"2", "7"}, 2, 0.5, 1, 0);
    expect("7", (const char *const[]){"7"}, 1, 1, 1, 1);
}

static void who_gives_no_answer_has_no_vote(void **state)
{
    Response r[4];
    char none[] = "", seven[] = "7", three[] = "3";
    Group g = group_of(r, "7", (const char *const[]){"words to no end", "words to no end", "7", "3"}, 4);
    r[0].answer = r[1].answer = none;
    r[2].answer = seven;
    r[3].answer = three;
    assert_true(group_score(&g, 4).majority == 1); // the first of two
    r[2].verdict = VERDICT_DIFFERENT;
    assert_true(group_score(&g, 4).majority == 0);
    assert_true(group_score(&g, 2).majority == 0); // there is no answer
    for (int i = 0; i < 4; i++)
        bytes_free(&r[i].text);
}

static double value_of(const Metrics *m, const char *name) // -1: no such field
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->fields[i].name, name) == 0)
            return m->fields[i].value;
    return -1;
}

static void prompts_are_counted_by_level_and_source(void **state)
{
    Response responses[4];
    static const char *const texts[] = {"7", "1", "7", "7"};
    group_of(responses, "7", texts, 4);
    Group groups[2] = {{.document = 1, .responses = responses}, {.document = 0, .responses = responses + 2}};
    Document list[2] = {{.difficulty = 5, .source = 1}, {.difficulty = 4, .source = 1}};
    Documents documents = {.list = list, .count = 2, .sources = (char *[]){"", "math"}, .source_count = 2};
    Rollout rollout = {.groups = groups, .count = 2, .samples = 2};
    static Metrics m;
    metrics_of_validation(&m, &rollout, &documents);
    assert_true(value_of(&m, "eval/acc/mean@2") == 0.75 && value_of(&m, "eval/acc/pass@2") == 1);
    assert_true(value_of(&m, "val-core/math/acc/mean@2") == 0.75 && value_of(&m, "eval/level_4/acc/mean@2") == 0.5);
    assert_true(value_of(&m, "eval/level_5/acc/mean@2") == 1 && value_of(&m, "eval/level_1/acc/mean@2") == -1);
    for (int i = 0; i < 4; i++)
        bytes_free(&responses[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_of_a_group_are_what_they_are_called),
        cmocka_unit_test(who_gives_no_answer_has_no_vote),
        cmocka_unit_test(prompts_are_counted_by_level_and_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
