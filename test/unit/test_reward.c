// The parts of a reward, their weights by source, multiple choice, and the problems that are left out.
#include "answers/choice.h"
#include "judges/questions.h"
#include "rl/reward.h"
#include "test/support/check.h"
#include <math.h>
#include <string.h>

static Text text(const char *s) { return (Text){s, strlen(s)}; }

static bool open_words(Rewards *r, const char *const *words, size_t count) // of --reward alone
{
    return rewards_open(r, &(RewardOptions){.reward = {.items = (const char **)(uintptr_t)words, .count = count}},
                        false, 0);
}

static void weights_are_the_sources_own_or_everybodys(void **state)
{
    static const char *const words[] = {"math/train:format=0.5", "format=0.2", "a:b:accuracy=0", "length=1"};
    Rewards r = {0};
    assert_ok(open_words(&r, words, 4));
    const double *all = reward_weights(&r, text("other")), *math = reward_weights(&r, text("math/train")),
                 *ab = reward_weights(&r, text("a:b"));
    assert_true(all[REWARD_ACCURACY] == 1 && all[REWARD_FORMAT] == 0.2 && all[REWARD_LENGTH] == 1 &&
                all[REWARD_GRADER] == 0);
    assert_true(math[REWARD_FORMAT] == 0.5 && math[REWARD_LENGTH] == 1);
    assert_true(ab[REWARD_ACCURACY] == 0 && ab[REWARD_FORMAT] == 0.2);
    assert_true(r.has[REWARD_FORMAT] && !r.has[REWARD_OVERLONG]);
    rewards_close(&r);
}

static void words_that_are_no_weight_are_refused(void **state)
{
    static const char *const words[] = {"accuracy", "beauty=1", "accuracy=x", "accuracy=inf", "math:=1", "=1", ""};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        Rewards r = {0};
        assert_false(open_words(&r, &words[i], 1));
        assert_non_null(strstr(error_text(), "NAME=WEIGHT"));
        rewards_close(&r);
    }
}

static void a_source_that_nobody_has_is_refused(void **state)
{
    static const char *const words[] = {"math:accuracy=2"}, *const none[] = {":accuracy=2"},
                             *const huge[] = {"accuracy=1.1e6"};
    Rewards r = {0};
    Documents d = {.sources = (char *[]){"", "bio/1", "math"}, .source_count = 3};
    assert_ok(open_words(&r, words, 1));
    assert_ok(rewards_check_sources(&r, &d));
    d.source_count = 2;
    assert_refused(rewards_check_sources(&r, &d), "--reward math:...: no prompt has this source; theirs are: bio/1");
    d.source_count = 1;
    assert_refused(rewards_check_sources(&r, &d), "theirs are: none");
    rewards_close(&r);
    assert_refused(open_words(&r, none, 1), "--reward :accuracy=2: the source before the colon is empty");
    rewards_close(&r);
    assert_refused(open_words(&r, huge, 1), "a weight is a number from -1e6 to 1e6");
    rewards_close(&r);
}

static void expect_problem(const char *row, const char *wanted)
{
    Bytes out = {0};
    ShardEntry prompt = {.row = text(row)};
    assert_ok(judge_problem(&out, &prompt, NULL));
    assert_string_equal(out.data, wanted);
    bytes_free(&out);
}

static void a_judge_reads_the_users_words(void **state)
{
    expect_problem("{\"problem\": \"Why?\", \"answer\": \"b\", \"difficulty\": 99}", "Why?");
    expect_problem("{\"question\": \"Which?\", \"options\": [\"one\", \"two\"], \"answer\": \"B\"}",
                   "Which?\nOptions are:\n(A): one\n(B): two");
    expect_problem("{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"u "
                   "<|im_end|>\"}]}",
                   "u <|im_end|>");
    expect_problem("{\"prompt\": \"p\", \"answer\": 1}", "p");
}

static Verdict verdict_of(const RewardFacts *facts)
{
    Finding finding;
    reward_finding(&finding, facts);
    assert_true(finding.rule != NULL && finding.rule[0] != 0);
    return finding.verdict;
}

static void parts_are_what_they_are_called(void **state)
{
    Rewards r = {.overlong_buffer = 10, .max_new_tokens = 100};
    double parts[REWARD_PARTS];
    RewardFacts f = {.text = text("so \\boxed{4}"), .reference = text("4"), .tokens = 95, .ended = true};
    reward_parts(parts, &f, &r);
    assert_true(parts[REWARD_FORMAT] == 1 && parts[REWARD_OVERLONG] == -0.5 && isnan(parts[REWARD_ACCURACY]));
    assert_int_equal(verdict_of(&f), VERDICT_EQUAL);
    f.ended = false;
    reward_parts(parts, &f, &r);
    assert_true(parts[REWARD_FORMAT] == 0);
    assert_int_equal(verdict_of(&f), VERDICT_DIFFERENT); // it was cut off, whatever it says
    f = (RewardFacts){.text = text("4"), .reference = text("4"), .tokens = 1, .ended = true};
    reward_parts(parts, &f, &r);
    assert_true(parts[REWARD_FORMAT] == 0 && parts[REWARD_OVERLONG] == 0);   // an answer, but not marked as one
    assert_true(isnan(parts[REWARD_LENGTH]) && isnan(parts[REWARD_GRADER])); // they were not requested
    f.text = text("");
    reward_parts(parts, &f, &r);
    assert_true(parts[REWARD_FORMAT] == 0);
    assert_int_equal(verdict_of(&f), VERDICT_DIFFERENT); // an empty response
    r.overlong_buffer = 0;
    reward_parts(parts, &f, &r);
    assert_true(isnan(parts[REWARD_OVERLONG]));
}

static const char HEART[] = "The mitochondria produce most of the energy that the cell needs";

static void no_answer_is_right(void **state)
{
    // sentences in which no answer can be found; a text that is empty, or nothing but thoughts
    RewardFacts f = {.text = text("fter whiteak leop s Sven seconds buttons dollars squ mrta"),
                     .reference = text(HEART),
                     .ended = true};
    assert_int_equal(verdict_of(&f), VERDICT_UNKNOWN); // of a text no rule can say that another one is wrong
    f.text = text(" \n");
    assert_int_equal(verdict_of(&f), VERDICT_DIFFERENT);
    f.text = text("<think>The mitochondria</think>\n");
    assert_int_equal(verdict_of(&f), VERDICT_DIFFERENT);
    f.text = text(HEART);
    f.ended = false;
    assert_int_equal(verdict_of(&f), VERDICT_DIFFERENT); // cut off
    f = (RewardFacts){.text = text("so many words that lead to nothing at all, and then they end"),
                      .reference = text("4"),
                      .ended = true};
    assert_int_equal(verdict_of(&f), VERDICT_DIFFERENT);
}

static void expect_question(const char *response, const char *reference, JudgeAsks asks, const char *wanted) // "": none
{
    char out[ANSWER_BYTES];
    Finding finding;
    RewardFacts f = {.text = text(response), .reference = text(reference), .ended = true};
    reward_finding(&finding, &f);
    Text asked = reward_question(&f, &finding, asks, out);
    if (asked.size != strlen(wanted) || memcmp(asked.size > 0 ? asked.data : "", wanted, asked.size) != 0)
        fail_msg("'%s' against '%s': '%.*s' is asked, not '%s'", response, reference, (int)asked.size, asked.data,
                 wanted);
    f.ended = false;
    reward_finding(&finding, &f);
    assert_int_equal(reward_question(&f, &finding, asks, out).size, 0); // of one that was cut off nothing is
}

static void the_judge_is_asked_what_rules_do_not_know(void **state)
{
    static const JudgeAsks all[] = {JUDGE_ASKS_UNKNOWN, JUDGE_ASKS_UNREADABLE, JUDGE_ASKS_UNEQUAL};
    for (int i = 0; i < 3; i++) {
        expect_question("so \\boxed{4}", "4", all[i], "");
        expect_question("", HEART, all[i], "");
        expect_question("many words that lead to nothing at all, and that then come to an end", "4", all[i], "");
        expect_question("<think>x</think> It is the mitochondria who do this, in all cells that have some.", HEART,
                        all[i],
                        "It is the mitochondria who do this, in all cells that have some."); // no answer is marked
        expect_question("I think: \\boxed{The mitochondria}", HEART, all[i], "The mitochondria");
        expect_question("so \\boxed{5}", "4", all[i], all[i] == JUDGE_ASKS_UNEQUAL ? "5" : "");
    }
}

static void a_judge_that_is_asked_about_all_is_asked_about_equal_answers_too(void **state)
{
    expect_question("so \\boxed{4}", "4", JUDGE_ASKS_ALL, "4");
    expect_question("so \\boxed{5}", "4", JUDGE_ASKS_ALL, "5");
    expect_question("so \\boxed{Paris}", "Paris", JUDGE_ASKS_ALL, "Paris");
    expect_question("", "4", JUDGE_ASKS_ALL, ""); // there is nothing to ask about
}

static void of_a_long_response_the_judge_reads_the_end(void **state)
{
    char response[3 * JUDGED_BYTES + 1] = "", out[ANSWER_BYTES];
    while (strlen(response) + 4 < sizeof response)
        strcat(response, "\xC3\xA9 ");
    RewardFacts f = {.text = text(response), .reference = text(HEART), .ended = true};
    Finding finding;
    reward_finding(&finding, &f);
    Text asked = reward_question(&f, &finding, JUDGE_ASKS_UNKNOWN, out);
    assert_true(asked.size <= JUDGED_BYTES && asked.size > JUDGED_BYTES - 4);
    assert_int_equal(utf8_valid_prefix(asked.data, asked.size), asked.size);
    Bytes boxed = {0}; // an answer that is longer than what a finding shows is asked whole
    assert_ok(bytes_printf(&boxed, "\\boxed{%.900s}", response));
    f.text = (Text){boxed.data, boxed.size};
    reward_finding(&finding, &f);
    assert_int_equal(reward_question(&f, &finding, JUDGE_ASKS_UNKNOWN, out).size, 900 - 1);
    bytes_free(&boxed);
}

static double sum_of(const char *response, const char *reference, double accuracy, double length_weight,
                     Encoder *encoder)
{
    double parts[REWARD_PARTS] = {[REWARD_ACCURACY] = accuracy, [REWARD_GRADER] = NAN}, sum;
    const double weights[REWARD_PARTS] = {[REWARD_ACCURACY] = 1, [REWARD_LENGTH] = length_weight};
    RewardFacts f = {.text = text(response), .reference = text(reference), .ended = true};
    assert_ok(reward_sum(&sum, parts, &f, weights, encoder));
    return sum;
}

static void the_length_of_a_right_answer_counts(void **state)
{
    Tokenizer *t = tokenizer_open("dev/demo/tokenizer");
    Encoder *e = t == NULL ? NULL : encoder_open(t);
    assert_ok(e != NULL);
    TokenList ids = {0};
    assert_ok(encode_plain(e, &ids, "12", 2));
    int64_t short_ = (int64_t)ids.count;
    ids.count = 0;
    assert_ok(encode_plain(e, &ids, "12 apples", 9));
    double apart = (double)((int64_t)ids.count - short_), penalty = 0.05 * (apart < 10 ? apart : 10);
    assert_true(apart > 0);
    assert_true(sum_of("\\boxed{12}", "12", 1, 1, e) == 1);
    assert_true(fabs(sum_of("\\boxed{12 apples}", "12", 1, 1, e) - (1 - penalty)) < 1e-12);
    assert_true(fabs(sum_of("\\boxed{12 apples}", "12", 1, 2, e) - (1 - 2 * penalty)) < 1e-12);
    assert_true(sum_of("\\boxed{13 and more apples}", "12", 0, 1, e) == 0); // of a wrong one it does not
    assert_true(isnan(sum_of("\\boxed{12}", "12", NAN, 1, e)));             // what could not be had
    double parts[REWARD_PARTS] = {[REWARD_ACCURACY] = NAN}, sum;
    const double weights[REWARD_PARTS] = {[REWARD_LENGTH] = 1};
    RewardFacts f = {.text = text("12"), .reference = text("12"), .ended = true};
    assert_ok(reward_sum(&sum, parts, &f, weights, e));
    assert_true(isnan(sum)); // nor can what hangs on it
    tokens_free(&ids);
    encoder_close(e);
    tokenizer_close(t);
}

static void options_are_chosen_by_letter_or_text(void **state)
{
    static const char list[] = "{\"options\": [\"Paris\", \"B. the Rome of old\", \"\\\\frac{1}{2}\", \"0.25\"]}";
    static const char object[] = "{\"options\": {\"A\": \"x\", \"D\": \"7\"}}",
                      twins[] = "{\"options\": [\"1/2\", \"0.5\", \"3\"]}";
    const struct {
        const char *row, *gold, *prediction;
        int wanted; // Verdict; -1: no choice
    } cases[] = {{list, "A", "\\boxed{Paris}", VERDICT_EQUAL},
                 {list, "Paris", "The answer is (A).", VERDICT_EQUAL},
                 {list, "(B)", "\\boxed{the Rome of old}", VERDICT_EQUAL},
                 {list, "C", "\\boxed{0.5}", VERDICT_EQUAL},
                 {list, "C", "\\boxed{C) 1/2}", VERDICT_EQUAL},
                 {list, "C", "\\boxed{D}", VERDICT_DIFFERENT},
                 {list, "C", "\\boxed{0.25}", VERDICT_DIFFERENT},
                 {list, "C", "\\boxed{9}", VERDICT_UNKNOWN},
                 {list, "C", "", VERDICT_UNKNOWN},
                 {list, "London", "\\boxed{A}", -1},
                 {object, "D", "\\boxed{7}", VERDICT_EQUAL},
                 {object, "d", "\\boxed{A}", VERDICT_DIFFERENT},
                 {twins, "A", "\\boxed{A}", VERDICT_EQUAL},
                 {twins, "A", "\\boxed{0.5}", VERDICT_DIFFERENT}, // two options say it
                 {"{\"options\": [\"only\"]}", "A", "A", -1},
                 {"{\"problem\": \"options\"}", "A", "A", -1},
                 {"{\"options\": ", "A", "A", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Finding f = {.verdict = VERDICT_UNKNOWN};
        bool choice = choice_finding(&f, text(cases[i].row), text(cases[i].gold), text(cases[i].prediction));
        if (choice != (cases[i].wanted >= 0) || (choice && (int)f.verdict != cases[i].wanted))
            fail_msg("case %d: %s against %s gives %d", (int)i, cases[i].gold, cases[i].prediction,
                     choice ? (int)f.verdict : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_the_sources_own_or_everybodys),
        cmocka_unit_test(words_that_are_no_weight_are_refused),
        cmocka_unit_test(a_source_that_nobody_has_is_refused),
        cmocka_unit_test(a_judge_reads_the_users_words),
        cmocka_unit_test(parts_are_what_they_are_called),
        cmocka_unit_test(the_length_of_a_right_answer_counts),
        cmocka_unit_test(options_are_chosen_by_letter_or_text),
        cmocka_unit_test(no_answer_is_right),
        cmocka_unit_test(the_judge_is_asked_what_rules_do_not_know),
        cmocka_unit_test(a_judge_that_is_asked_about_all_is_asked_about_equal_answers_too),
        cmocka_unit_test(of_a_long_response_the_judge_reads_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
