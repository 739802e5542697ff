// What a line of the log says of verdicts, by kind and by source; and why groups have no signal.
#include "rl/advantage.h"
#include "log/visible.h"
#include "evaluation/validate.h"
#include "test/support/check.h"
#include <math.h>

enum { SOURCES = 50, SAMPLES = 2 };

static double value_of(const Metrics *m, const char *name) // -1: no such field
{
    double value = -1;
    int times = 0;
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->fields[i].name, name) == 0) {
            value = m->fields[i].value;
            times++;
        }
    assert_true(times < 2); // a key twice is no JSON that could be read back
    return value;
}

typedef struct Sampled { // a rollout of two groups, and one that was set aside
    Response responses[3][SAMPLES];
    Group groups[2], aside;
    Document list[3];
    Documents documents;
    Rollout rollout;
} Sampled;

static void sample(Sampled *s, char **sources, size_t source_count)
{
    *s = (Sampled){.documents = {.list = s->list, .count = 3, .sources = sources, .source_count = source_count}};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < SAMPLES; k++)
            s->responses[i][k] =
                (Response){.verdict = VERDICT_DIFFERENT, .kind = i == 0 ? ANSWER_NUMBER : ANSWER_TEXT, .ended = true};
    for (int i = 0; i < 2; i++)
        s->groups[i] = (Group){.document = i, .responses = s->responses[i]};
    s->aside = (Group){.document = 2, .responses = s->responses[2], .aside = "all wrong"};
    s->rollout = (Rollout){.groups = s->groups, .count = 2, .asides = &s->aside, .aside_count = 1, .samples = SAMPLES};
}

static void verdicts_are_shares_of_all_that_was_sampled(void **state)
{
    Sampled s;
    static Metrics m;
    sample(&s, (char *[]){"", "math", "bio/1"}, 3);
    s.list[0].source = 1, s.list[1].source = s.list[2].source = 2;
    s.responses[0][0].verdict = VERDICT_EQUAL;
    for (int i = 1; i < 3; i++)
        for (int k = 0; k < SAMPLES; k++)
            s.responses[i][k].verdict = VERDICT_UNKNOWN;
    s.responses[1][0].judged = JUDGED_YES;
    s.responses[1][1].judged = JUDGED_NO;
    s.responses[2][0].judged = JUDGED_NOTHING;
    s.responses[2][0].reward = NAN;
    metrics_of_verdicts(&m, "", &s.rollout, &s.documents);
    assert_true(value_of(&m, "verdict/equal") == 1 / 6.0 && value_of(&m, "verdict/different") == 1 / 6.0);
    assert_true(value_of(&m, "verdict/unknown") == 4 / 6.0 && value_of(&m, "verdict/unscored") == 1 / 6.0);
    assert_true(value_of(&m, "verdict/judged_yes") == 1 / 6.0 && value_of(&m, "verdict/judged_no") == 1 / 6.0);
    assert_true(value_of(&m, "verdict/kind/number/equal") == 0.5 && value_of(&m, "verdict/kind/text/unscored") == 0.25);
    assert_true(value_of(&m, "verdict/source/math/different") == 0.5 &&
                value_of(&m, "verdict/source/bio/1/judged_yes") == 0.25);
    assert_true(value_of(&m, "verdict/kind/set/equal") == -1); // nothing of it was there
}

static void a_response_without_an_answer_is_counted_and_one_that_was_cut_off_is_not(void **state)
{
    Sampled s;
    static Metrics m;
    sample(&s, (char *[]){"", "math"}, 2);
    s.list[0].source = 1;
    s.responses[0][0].answer = (char[]){""};
    s.responses[0][1].answer = (char[]){""};
    s.responses[0][1].ended = false;
    s.responses[1][0].answer = (char[]){"7"};
    s.responses[1][1].answer = NULL; // not looked for
    s.responses[2][0].answer = (char[]){""};
    metrics_of_verdicts(&m, "eval/", &s.rollout, &s.documents);
    assert_true(value_of(&m, "eval/verdict/no_answer") == 2 / 6.0);
    assert_true(value_of(&m, "eval/verdict/kind/text/no_answer") == 0.25 &&
                value_of(&m, "eval/verdict/source/math/no_answer") == 0.5);
    assert_true(value_of(&m, "eval/verdict/judged") == 0 && value_of(&m, "eval/judge/yes") == -1);
}

static void rule_and_judge_disagree_in_two_directions(void **state)
{
    Sampled s;
    static Metrics m;
    static const struct {
        Verdict verdict;
        Judged judged;
    } of[3][SAMPLES] = {{{VERDICT_EQUAL, JUDGED_NO}, {VERDICT_EQUAL, JUDGED_YES}},
                        {{VERDICT_DIFFERENT, JUDGED_YES}, {VERDICT_DIFFERENT, JUDGED_YES}},
                        {{VERDICT_UNKNOWN, JUDGED_YES}, {VERDICT_DIFFERENT, JUDGED_NOTHING}}};
    sample(&s, (char *[]){""}, 1);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < SAMPLES; k++) {
            s.responses[i][k].verdict = of[i][k].verdict;
            s.responses[i][k].judged = of[i][k].judged;
        }
    metrics_of_verdicts(&m, "", &s.rollout, &s.documents);
    assert_true(value_of(&m, "verdict/judged") == 1 && value_of(&m, "verdict/judged_yes") == 4 / 6.0);
    assert_true(value_of(&m, "judge/yes") == 4 / 5.0 && value_of(&m, "judge/beside_rule") == 4 / 5.0);
    assert_true(value_of(&m, "judge/yes_to_different") == 0.5 && value_of(&m, "judge/no_to_equal") == 0.25);
}

static void where_no_rule_has_decided_there_is_nothing_to_disagree_with(void **state)
{
    Sampled s;
    static Metrics m;
    sample(&s, (char *[]){""}, 1);
    s.responses[0][0].verdict = VERDICT_UNKNOWN;
    s.responses[0][0].judged = JUDGED_NO;
    metrics_of_verdicts(&m, "", &s.rollout, &s.documents);
    assert_true(value_of(&m, "judge/yes") == 0 && value_of(&m, "judge/beside_rule") == 0);
    assert_true(value_of(&m, "judge/yes_to_different") == -1 && value_of(&m, "judge/no_to_equal") == -1);
}

static void what_has_no_verdict_is_not_wrong(void **state)
{
    Sampled s;
    static Metrics m;
    Rewards rewards = {0};
    StepFacts facts = {0};
    sample(&s, (char *[]){"", "math"}, 2);
    s.responses[0][0].parts[REWARD_ACCURACY] = 1;
    s.responses[0][1].parts[REWARD_ACCURACY] = NAN; // all of those with a verdict are right
    s.responses[1][0].parts[REWARD_ACCURACY] = s.responses[1][1].parts[REWARD_ACCURACY] = NAN;
    metrics_of_step(&m, &s.rollout, &s.documents, &rewards, &facts);
    assert_true(value_of(&m, "passrate/100") == 1 && value_of(&m, "passrate/0") == 0);
    s.responses[0][0].parts[REWARD_ACCURACY] = NAN;
    metrics_of_step(&m, &s.rollout, &s.documents, &rewards, &facts);
    assert_true(isnan(value_of(&m, "passrate/100")) && isnan(value_of(&m, "passrate/0")));
}

static void many_sources_are_named_or_added_up(void **state)
{
    Sampled s;
    static Metrics m;
    char *sources[SOURCES], names[SOURCES][24];
    for (int i = 0; i < SOURCES; i++) {
        snprintf(names[i], sizeof names[i], "source %d", i);
        sources[i] = names[i];
    }
    sample(&s, sources, SOURCES);
    s.list[0].source = SOURCES_NAMED, s.list[1].source = SOURCES_NAMED + 1, s.list[2].source = SOURCES - 1;
    s.responses[1][0].verdict = VERDICT_EQUAL;
    metrics_of_verdicts(&m, "", &s.rollout, &s.documents);
    assert_true(value_of(&m, "verdict/source/source 32/different") == 1);
    assert_true(value_of(&m, "verdict/source/others/equal") == 0.25);
}

static void an_evaluation_has_room_for_every_level_kind_and_source(void **state)
{
    static Metrics m;
    static Response responses[SOURCES][SAMPLES];
    static Group groups[SOURCES];
    static Document list[SOURCES];
    char *sources[SOURCES], names[SOURCES][24];
    for (int i = 0; i < SOURCES; i++) {
        snprintf(names[i], sizeof names[i], "source %d", i);
        sources[i] = names[i];
        list[i] = (Document){.source = i, .difficulty = i % LEVELS};
        groups[i] = (Group){.document = i, .responses = responses[i]};
        for (int k = 0; k < SAMPLES; k++)
            responses[i][k] =
                (Response){.verdict = k == 0 ? VERDICT_EQUAL : VERDICT_DIFFERENT, .kind = i % ANSWER_KINDS};
    }
    Documents documents = {.list = list, .count = SOURCES, .sources = sources, .source_count = SOURCES};
    Rollout rollout = {.groups = groups, .count = SOURCES, .samples = SAMPLES};
    metrics_of_validation(&m, &rollout, &documents);
    assert_true(value_of(&m, "eval/acc/mean@2") == 0.5 && value_of(&m, "eval/acc/pass@2") == 1);
    assert_true(value_of(&m, "eval/level_0/acc/mean@2") == 0.5 && value_of(&m, "eval/level_5/acc/mean@2") == 0.5);
    assert_true(value_of(&m, "val-core/source 32/acc/mean@2") == 0.5 &&
                value_of(&m, "val-core/others/acc/best@2") == 1);
    assert_true(value_of(&m, "val-core/source 33/acc/mean@2") == -1 && value_of(&m, "eval/verdict/equal") == 0.5);
    assert_true(m.count < METRICS_MOST);
}

static void no_two_sources_have_one_name_and_none_breaks_the_line(void **state)
{
    char a[SOURCE_NAME_BYTES], b[SOURCE_NAME_BYTES], lengthy[200] = "";
    metrics_source_name(a, "math/train.jsonl");
    assert_string_equal(a, "math/train.jsonl");
    metrics_source_name(a, "others");
    assert_string_not_equal(a, "others");
    metrics_source_name(a, "a\"b");
    metrics_source_name(b, "a\\b");
    assert_string_not_equal(a, b);
    assert_true(strpbrk(a, "\"\\") == NULL && strpbrk(b, "\"\\") == NULL);
    while (strlen(lengthy) < 150)
        strcat(lengthy, "\xC3\xA9");
    metrics_source_name(a, lengthy);
    strcat(lengthy, "x");
    metrics_source_name(b, lengthy);
    assert_string_not_equal(a, b);
    assert_int_equal(utf8_valid_prefix(a, strlen(a)), strlen(a));
    static const char *const acting[] = {"\x1B[2J",
                                         "\xC2\x9B"
                                         "2J",
                                         "\xE2\x80\xAE"
                                         "back",
                                         "\xE2\x80\xA8"}; // ESC, CSI, RLO, LS
    for (size_t i = 0; i < sizeof acting / sizeof *acting; i++) {
        metrics_source_name(a, acting[i]);
        for (size_t at = 0; a[at] != 0; at += character_at(a + at, strlen(a) - at).size)
            assert_false(character_hidden(character_at(a + at, strlen(a) - at).code));
    }
    metrics_source_name(a, "\xE6\x95\xB0\xE5\xAD\xA6");
    assert_string_equal(a, "\xE6\x95\xB0\xE5\xAD\xA6");
    metrics_source_name(a, "bad \xFF name");
    assert_int_equal(utf8_valid_prefix(a, strlen(a)), strlen(a));
}

static Silence silence_of(double reward, double accuracy, bool ended)
{
    Response r[3] = {0};
    for (int k = 0; k < 3; k++) {
        r[k].reward = reward;
        r[k].parts[REWARD_ACCURACY] = accuracy;
        r[k].ended = ended;
    }
    Group g = {.responses = r};
    assert_false(group_has_signal(&g, 3));
    return group_silence(&g, 3);
}

static void a_group_without_a_signal_says_why(void **state)
{
    DynamicReport report = {.why = {[SILENCE_WRONG] = 3, [SILENCE_CUT] = 1}};
    Bytes text = {0};
    assert_int_equal(silence_of(0, 0, true), SILENCE_WRONG);
    assert_int_equal(silence_of(1, 1, true), SILENCE_RIGHT);
    assert_int_equal(silence_of(0, 0, false), SILENCE_CUT);
    assert_int_equal(silence_of(NAN, NAN, true), SILENCE_UNSCORED);
    assert_int_equal(silence_of(0.5, 0, true), SILENCE_SAME); // by a grader
    assert_ok(dynamic_describe(&text, &report));
    assert_string_equal(text.data, "3 all wrong, 1 all cut off");
    bytes_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_shares_of_all_that_was_sampled),
        cmocka_unit_test(a_response_without_an_answer_is_counted_and_one_that_was_cut_off_is_not),
        cmocka_unit_test(rule_and_judge_disagree_in_two_directions),
        cmocka_unit_test(where_no_rule_has_decided_there_is_nothing_to_disagree_with),
        cmocka_unit_test(what_has_no_verdict_is_not_wrong),
        cmocka_unit_test(many_sources_are_named_or_added_up),
        cmocka_unit_test(an_evaluation_has_room_for_every_level_kind_and_source),
        cmocka_unit_test(no_two_sources_have_one_name_and_none_breaks_the_line),
        cmocka_unit_test(a_group_without_a_signal_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
