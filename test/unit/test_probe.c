// The patterns by which verifiers are fooled (judges/probe.h): no rule calls one of them equal to anything, however it
// is marked as an answer.
#include "answers/verify.h"
#include "judges/probe.h"
#include "judges/referees.h"
#include "rl/reward.h"
#include "test/support/check.h"

static Text text(const char *s) { return (Text){s, strlen(s)}; }

// How a response marks its answer: @ is the pattern, = the reference.
static const char *const MARKS[] = {"@",
                                    "\\boxed{@}",
                                    "The answer is @",
                                    "The answer is \\boxed{@}.",
                                    "Final answer: @",
                                    "Answer: @",
                                    "#### @",
                                    "<answer>@</answer>",
                                    "**@**",
                                    "$@$",
                                    "\\text{@}",
                                    "\\[ @ \\]",
                                    "<think>It may be =, or not.</think>@",
                                    "<think>\\boxed{=}</think>\\boxed{@}",
                                    "<think>The answer is =.</think>The answer is @",
                                    "<think>\\boxed{=} @",
                                    "Let me see.\n\n@\n\nThe answer is \\boxed{@}",
                                    "@\n@\n@"};
enum { MARK_COUNT = sizeof MARKS / sizeof *MARKS };

static void marked(Bytes *out, const char *mark, const char *pattern, const char *reference)
{
    bytes_clear(out);
    for (; *mark != 0; mark++)
        assert_ok(*mark == '@'   ? bytes_text(out, pattern)
                  : *mark == '=' ? bytes_text(out, reference)
                                 : bytes_append(out, mark, 1));
    assert_ok(bytes_append(out, "", 1));
    out->size--;
}

static int accepted_of(const char *pattern, const char *reference, const char *row)
{
    Bytes response = {0};
    int accepted = 0;
    for (int mark = 0; mark < MARK_COUNT; mark++) {
        Finding f;
        marked(&response, MARKS[mark], pattern, reference);
        const RewardFacts facts = {
            .text = {response.data, response.size}, .reference = text(reference), .row = text(row), .ended = true};
        reward_finding(&f, &facts);
        if (f.verdict == VERDICT_EQUAL) {
            print_error("'%s' is '%s' by rule (%s)\n", response.data, reference, f.rule);
            accepted++;
        }
    }
    bytes_free(&response);
    return accepted;
}

static int accepted_by_rule(const char *reference, const char *row)
{
    int accepted = 0;
    for (int p = 0; p < PROBE_PATTERNS; p++)
        for (int r = 0; r < PROBE_RESPONSES_MOST && probe_patterns[p].responses[r] != NULL; r++)
            accepted += accepted_of(probe_patterns[p].responses[r], reference, row);
    return accepted;
}

static void problems_have_references_of_every_kind(void **state)
{
    int kinds[ANSWER_KINDS] = {0};
    for (int i = 0; i < PROBE_PROBLEMS; i++)
        kinds[answer_kind(text(probe_problems[i].row), text(probe_problems[i].reference))]++;
    for (int kind = ANSWER_NONE + 1; kind < ANSWER_KINDS; kind++)
        if (kinds[kind] != 1)
            fail_msg("%d problems have a reference that is of kind %s", kinds[kind], ANSWER_KIND_NAMES[kind]);
}

static void every_pattern_has_several_responses_and_a_name_of_its_own(void **state)
{
    for (int p = 0; p < PROBE_PATTERNS; p++) {
        assert_non_null(probe_patterns[p].responses[4]);
        for (int other = 0; other < p; other++)
            assert_string_not_equal(probe_patterns[p].name, probe_patterns[other].name);
    }
}

static void no_rule_accepts_a_pattern(void **state)
{
    for (int i = 0; i < PROBE_PROBLEMS; i += is_brief() ? 3 : 1)
        assert_int_equal(accepted_by_rule(probe_problems[i].reference, probe_problems[i].row), 0);
}

// References that are short, empty-looking or almost words of the patterns, which a careless comparison would meet.
static void no_rule_accepts_a_pattern_for_a_reference_that_looks_like_one(void **state)
{
    static const char *const references[] = {
        "0",
        "1",
        "-1",
        "x",
        "e",
        "i",
        "\\pi",
        "\\infty",
        "\\{0\\}",
        "(0, 0)",
        "[0, 1]",
        "\\sqrt{2}",
        "\\frac{1}{2}",
        "0.5\\%",
        "x = 0",
        "A",
        "D",
        "CO2",
        "O",
        "N2 + 3H2 -> 2NH3",
        "\\text{m}",
        "1 kg",
        "f(x)",
        "a + b",
        "a, b",
        "12:30",
        "2021-03-04",
        "no solution",
        "nothing",
        "Paris",
        "the mean",
        "\\emptyset",
        "empty set",
        "no real solutions",
        "None",
        "increasing",
        "The reference frame moves with the answering station, which is what the question leaves out"};
    int accepted = 0;
    for (size_t i = 0; i < sizeof references / sizeof *references; i += is_brief() ? 7 : 1)
        accepted += accepted_by_rule(references[i], "");
    assert_int_equal(accepted, 0);
}

// A judge falls for { most easily, so it does not see it where a rule can read the reference.
static void empty_symbols_reach_no_judge_where_the_reference_can_be_read(void **state)
{
    char out[ANSWER_BYTES];
    for (int i = 0; i < PROBE_PROBLEMS; i++)
        for (int r = 0; r < PROBE_RESPONSES_MOST && probe_patterns[0].responses[r] != NULL; r++) {
            Finding f;
            const ProbeProblem *p = &probe_problems[i];
            const RewardFacts facts = {.text = text(probe_patterns[0].responses[r]),
                                       .reference = text(p->reference),
                                       .row = text(p->row),
                                       .ended = true};
            reward_finding(&f, &facts);
            size_t size = reward_question(&facts, &f, JUDGE_ASKS_UNKNOWN, out).size;
            if (size > 0 && f.kind != ANSWER_WORDS && f.kind != ANSWER_TEXT)
                fail_msg("'%s' against '%s' is for the judge (%s)", probe_patterns[0].responses[r], p->reference,
                         f.rule);
        }
}

static void no_rule_accepts_a_pattern_for_an_option(void **state)
{
    static const char row[] = "{\"options\": [\"the first\", \"none of these\", \"it is right\", \"x > 0\", \"7\"]}";
    static const char *const letters[] = {"A", "B", "C", "D", "E"};
    for (int i = 0; i < (is_brief() ? 1 : 5); i++)
        assert_int_equal(accepted_by_rule(letters[i], row), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_have_references_of_every_kind),
        cmocka_unit_test(every_pattern_has_several_responses_and_a_name_of_its_own),
        cmocka_unit_test(no_rule_accepts_a_pattern),
        cmocka_unit_test(no_rule_accepts_a_pattern_for_a_reference_that_looks_like_one),
        cmocka_unit_test(empty_symbols_reach_no_judge_where_the_reference_can_be_read),
        cmocka_unit_test(no_rule_accepts_a_pattern_for_an_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
