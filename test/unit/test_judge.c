// A judge behind a server that misbehaves, its file of verdicts, its question, and its replies.
#include "judges/judge.h"
#include "judges/judge_form.h"
#include "judges/verdicts.h"
#include "system/files.h"
#include "test/support/check.h"
#include "test/support/server.h"
#include <math.h>

enum { LOST = 40 };

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
    JudgeOptions o = {
        .model = "general-verifier", .url = url, .max_tokens = 64, .patience = patience, .journal = journal};
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
    assert_ok(judge_work(j, 0) && judge_work(j, INFINITY));
    for (; judge_next(j, &tag, &score, &why); heard++) {
        assert_true(tag < (uint64_t)count);
        assert_true(isnan(score) == (why != NULL));
        scores[tag] = score;
    }
    assert_int_equal(heard, count);
}

static void expect_score(const JudgeForm *form, const char *said, double wanted) // 2: no verdict
{
    double score = judge_form_score(form, text(said));
    if (!(wanted == 2 ? isnan(score) : score == wanted))
        fail_msg("'%s' is %g, not %g", said, score, wanted);
}

static void what_it_says_is_read_where_it_decides(void **state)
{
    const struct {
        const char *said;
        double score; // 2: none
    } cases[] = {
        {"Final Decision: Yes", 1},
        {"x\nfinal decision: **no**.", 0},
        {"Final Decision: Yes? I mean: Final Decision: No", 0},
        {"I would say \"Final Decision: Yes\" or \"Final Decision: No\". It is right.\n**Final Decision: Yes**", 1},
        {"Final Decision: Not correct", 2}, // not what it was asked for
        {"Final Decision: \\boxed{Yes}", 1},
        {"Final Decision: $\\boxed{\\text{No}}$.", 0},
        {"**Final Decision**: Yes", 1},
        {"### Final Decision\n\n**Yes**", 1},
        {"Final Decision - Yes", 1},
        {"Final  Decision\xEF\xBC\x9A No", 0},
        {"{\"Final Decision\": \"Yes\"}", 1},
        {"Final Decision: \"Yes\". I am sure, or: Final Decision: \"No\", rather.", 0},
        {"Final Decision: _Yes_", 1},
        {"Final Decision: Yes. There is no difference.", 1},
        {"Final Decision: Yes, there is no difference", 1},
        {"It is \"4\", not '5'. Final Decision: Yes, it's the same.", 1},
        {"Final Decision: Yesterday", 2},
        {"Final Decision: None of the above", 2},
        {"Final Decision: North", 2},
        {"Final Decision: Nothing", 2},
        {"Final Decision: No\xC3\xABl", 2},
        {"Final Decision: Note that both agree, so Yes", 2},
        {"Final Decision: Yes or No", 2},
        {"Final Decision: Yes or no is hard to say", 2},
        {"Final Decision: **Yes**/**No**", 2},
        {"Final Decision: Yes, but it may be No", 2},
        {"Final Decision: No. Or Yes.", 0},
        {"Final Decision: No, or rather Yes", 2},
        {"Final Decision: not Yes", 2},
        {"I cannot output \"Final Decision: Yes\" because the answer is wrong.", 2},
        {"I cannot output '**Final Decision: Yes**' because it's wrong.", 2},
        {"I cannot say \xE2\x80\x9C"
         "Final Decision: Yes\xE2\x80\x9D here.",
         2},
        {"I cannot say \xE2\x80\x9C"
         "Final Decision: Yes\xE2\x80\x9D here.\nFinal Decision: No",
         0},
        {"It is the same.\n\n\"Final Decision: Yes\".", 1}, // alone, as it was asked for
        {"`Final Decision: No`", 0},
        {"<think>maybe Final Decision: Yes</think>\n\nFinal Decision: **No**", 0},
        {"Final Decision: Yes</think> I cannot tell.", 2}, // the thought began in the prompt
        {"<think>so: Final Decision: Yes, but", 2},        // and has no end here
        {"Yes", 2},
        {"Final Decision: maybe", 2},
        {"Final Decision:", 2},
        {"\xFF Final Decision: \xC3\xA9 Yes", 1},
        {"", 2}};
    JudgeForm form;
    assert_ok(judge_form_open(&form, NULL, "", "", ""));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_score(&form, cases[i].said, cases[i].score);
    assert_true(isnan(judge_form_score(&form, (Text){NULL, 0})));
    judge_form_close(&form);
}

static void patterns_of_the_users_own_decide(void **state)
{
    JudgeForm form;
    assert_ok(judge_form_open(&form, NULL, "", "\\bcorrect\\b|richtig", "\\b(in|not )correct\\b"));
    expect_score(&form, "CORRECT", 1);
    expect_score(&form, "It is not correct", 0); // both end there, and the longer one counts
    expect_score(&form, "incorrect. No, wait: correct.", 1);
    expect_score(&form, "Final Decision: Yes", 2);
    judge_form_close(&form);
    assert_ok(judge_form_open(&form, NULL, "", "^yes$", "^")); // whatever is no yes is a no
    expect_score(&form, "Yes", 1);
    expect_score(&form, "yes and no", 0);
    expect_score(&form, "", 0);
    judge_form_close(&form);
    assert_refused(judge_form_open(&form, NULL, "", "same", "same"), "--judge-yes and --judge-no are the same pattern");
    assert_refused(judge_form_open(&form, NULL, "", "yes|no", "no|yes"),
                   "decide nothing: both match \"Final Decision: Yes\" alike");
    assert_refused(judge_form_open(&form, NULL, "", "", "^"), "--judge-no: give --judge-yes, too");
    assert_ok(judge_form_open(&form, NULL, "", "(a+)+b", "no")); // takes for ever, and is given up
    expect_score(&form, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 2);
    judge_form_close(&form);
    assert_refused(judge_form_open(&form, NULL, "", "yes", ""), "--judge-yes: give --judge-no, too");
    assert_refused(judge_form_open(&form, NULL, "", "", "no"), "--judge-no: give --judge-yes, too");
    assert_refused(judge_form_open(&form, NULL, "", "(yes", "no"),
                   "--judge-yes (yes: the pattern is broken near its byte 4");
}

static void expect_question(const char *file, const char *wanted)
{
    JudgeForm form;
    Bytes out = {0};
    const char nul[] = "3 \0{answer}";
    assert_ok(judge_form_open(&form, NULL, file, "", ""));
    assert_ok(
        judge_form_fill(&form, &out, (Text){nul, sizeof nul - 1}, text("{question}{answer}"), text("{reference}")));
    assert_true(strlen(out.data) + 1 < out.size); // with its NUL
    *strchr(out.data, 0) = '0';
    assert_string_equal(out.data, wanted);
    bytes_free(&out);
    judge_form_close(&form);
}

static void the_question_is_a_text_with_places_that_are_filled_once(void **state)
{
    char *path = path_join(folder, "question");
    JudgeForm form, other;
    expect_question(
        "", "### Question: 3 0{answer}\n\n### Ground Truth Answer: {question}{answer}\n\n"
            "### Student Answer: {reference}\n\n"
            "For the above question, please verify if the student's answer is equivalent to the ground truth answer.\n"
            "Do not solve the question by yourself; just check if the student's answer is equivalent to the ground "
            "truth answer.\n"
            "If the student's answer is correct, output \"Final Decision: Yes\". If the student's answer is "
            "incorrect, output \"Final Decision: No\".");
    const char own[] = "{reference}={answer}?{\"o\"}{ \\boxed{yes} {answer}: {question}";
    assert_ok(file_write_atomic(path, own, sizeof own - 1));
    expect_question(path, "{question}{answer}={reference}?{\"o\"}{ \\boxed{yes} {reference}: 3 0{answer}");
    assert_ok(judge_form_open(&form, NULL, path, "", "") && judge_form_open(&other, NULL, "", "", ""));
    assert_true(form.own && !other.own && form.hash != other.hash);
    judge_form_close(&form);
    judge_form_close(&other);
    assert_ok(judge_form_open(&form, NULL, "", JUDGE_YES_PATTERN, JUDGE_NO_PATTERN) &&
              judge_form_open(&other, NULL, "", "", ""));
    assert_true(form.hash == other.hash); // the default by name
    judge_form_close(&form);
    judge_form_close(&other);
    assert_ok(file_write_atomic(path, "{problem}? {reference} {answer}", 31));
    assert_refused(judge_form_open(&form, NULL, path, "", ""),
                   "{problem} is not a place: these are {question}, {reference} and {answer}");
    assert_ok(file_write_atomic(path, "{question} {answer}", 19));
    assert_refused(judge_form_open(&form, NULL, path, "", ""), "{reference} is missing");
    assert_ok(file_write_atomic(path, "", 0));
    assert_refused(judge_form_open(&form, NULL, path, "", ""), "must hold {reference}, {answer} and");
    assert_ok(file_write_atomic(path, "{reference} {answer} \xFF", 22));
    assert_refused(judge_form_open(&form, NULL, path, "", ""), "is not UTF-8");
    assert_refused(judge_form_open(&form, NULL, "/no/such/file", "", ""), "--judge-prompt: /no/such/file");
    free(path);
}

static void verdicts_come_from_the_server_once_and_then_from_the_file(void **state)
{
    double first[5], again[5];
    static const char *const problems[] = {"right 0 a", "right 0 a", "down 1 b", "right 0 c", "right 0 e"};
    static const char *const answers[] = {"4", "4", "4", "5", "unclear"};
    for (int round = 0; round < 2; round++) {
        Judge *j = judge_at(server.url, 20);
        for (int i = 0; i < 5; i++)
            assert_ok(judge_ask(j, (uint64_t)i, text(problems[i]), text("4"), text(answers[i])));
        hear_all(j, round == 0 ? first : again, 5);
        judge_close(j);
    }
    assert_true(first[0] == 1 && first[1] == 1 && first[2] == 1 && first[3] == 0 && isnan(first[4]));
    for (int i = 0; i < 5; i++)
        assert_true(first[i] == again[i] || (isnan(first[i]) && isnan(again[i])));
    assert_int_equal(server_attempts(&server, "right 0 a"), 1); // the same question twice, and a second round
    assert_int_equal(server_attempts(&server, "right 0 e"), 1); // neither yes nor no is something that was said
    assert_int_equal(server_attempts(&server, "down 1 b"), 2);
}

static void an_outage_is_no_verdict_and_is_asked_again(void **state)
{
    double score = 0;
    Judge *j = judge_at("http://127.0.0.1:9/v1", 0.3);
    assert_ok(judge_ask(j, 0, text("right 0 outage"), text("4"), text("4")));
    hear_all(j, &score, 1);
    assert_true(isnan(score));
    judge_close(j);
    for (int round = 0; round < 2; round++) {
        j = judge_at(server.url, 20);
        assert_ok(judge_ask(j, 0, text("right 0 outage"), text("4"), text("4")));
        hear_all(j, &score, 1);
        assert_true(score == 1);
        judge_close(j);
    }
    assert_int_equal(server_attempts(&server, "right 0 outage"), 1); // what it says then is kept
    Bytes lines = {0};
    assert_ok(file_read(&lines, journal, 1 << 20));
    assert_non_null(strstr(lines.data, "\"failed\"")); // for people
    bytes_free(&lines);
}

static void what_decides_nothing_is_quoted(void **state)
{
    uint64_t tag;
    double score;
    const char *why;
    Judge *j = judge_at(server.url, 20);
    assert_ok(judge_ask(j, 0, text("right 0 q"), text("4"), text("unclear")) && judge_work(j, INFINITY));
    assert_ok(judge_next(j, &tag, &score, &why));
    assert_string_equal(why, "it said neither yes nor no; it said: \"I cannot tell.\"");
    judge_close(j);
}

static void what_was_cut_off_is_no_verdict(void **state)
{
    static const char *const problems[] = {"cut 9 a", "filtered 9 b", "error-beside 1 c", "no-error 9 d", "abort 1 e"};
    static const double first[] = {NAN, NAN, 0, 1, NAN}, second[] = {NAN, NAN, 0, 1, 0};
    double scores[5];
    for (int round = 0; round < 2; round++) {
        Judge *j = judge_at(server.url, 20);
        for (uint64_t i = 0; i < 5; i++)
            assert_ok(judge_ask(j, i, text(problems[i]), text("4"), text("5")));
        hear_all(j, scores, 5);
        for (int i = 0; i < 5; i++) {
            double wanted = round == 0 ? first[i] : second[i];
            if (!(isnan(wanted) ? isnan(scores[i]) : scores[i] == wanted))
                fail_msg("'%s' is %g, not %g, in round %d", problems[i], scores[i], wanted, round);
        }
        judge_close(j);
    }
    assert_int_equal(server_attempts(&server, "cut 9 a"), 1); // it was said
    assert_int_equal(server_attempts(&server, "error-beside 1 c"), 2);
    assert_int_equal(server_attempts(&server, "abort 1 e"), 2);
    Bytes lines = {0};
    assert_ok(file_read(&lines, journal, 1 << 20));
    assert_non_null(strstr(lines.data, "Yes, but\"},\"finish_reason\":\"length\""));
    assert_non_null(strstr(lines.data, "Yes\"},\"finish_reason\":\"content_filter\""));
    bytes_free(&lines);
}

static int told; // that it is waited for

static void tell(const char *url, const char *trouble)
{
    assert_non_null(strstr(url, "/chat/completions"));
    assert_non_null(strstr(trouble, "onnect"));
    told++;
}

static void a_judge_that_is_not_there_is_known_at_the_start(void **state)
{
    Judge *j = judge_at(server.url, 20);
    assert_ok(judge_greet(j, tell));
    judge_close(j);
    assert_int_equal(told, 0);
    assert_int_equal(server_attempts(&server, "What is 1 + 1?"), 1);
    j = judge_at("http://127.0.0.1:9/v1", 3);
    double begin = server_clock();
    assert_refused(judge_greet(j, tell),
                   "no answer to the first question in 3 seconds: http://127.0.0.1:9/v1/chat/completions: ");
    assert_int_equal(told, 1);
    assert_true(server_clock() - begin < 10);
    judge_close(j);
    j = judge_at("http://nowhere.invalid/v1", 0.1);
    assert_refused(judge_greet(j, tell), "check that the server runs and that its address is right");
    judge_close(j);
}

static void a_server_that_asks_for_more_patience_than_there_is_says_so(void **state)
{
    uint64_t tag;
    double score;
    const char *why;
    Judge *j = judge_at(server.url, 3);
    assert_ok(judge_ask(j, 0, text("later 9 a"), text("4"), text("4")) && judge_work(j, INFINITY));
    assert_ok(judge_next(j, &tag, &score, &why));
    if (!isnan(score) || strstr(why, "; it asks for 100000 seconds of patience, and there are 3 left") == NULL)
        fail_msg("%g: %s", score, why);
    judge_close(j);
}

static void a_judge_that_ceases_ends_the_run(void **state)
{
    uint64_t tag;
    double score;
    const char *why;
    char answer[32];
    Judge *j = judge_at(server.url, 20);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < LOST; i++) {
            snprintf(answer, sizeof answer, "cut 9 lost %d", round * LOST + (int)i);
            assert_ok(judge_ask(j, i, text(answer), text("4"), text("5")));
        }
        if (round == 1)
            assert_refused(judge_work(j, INFINITY), "the last 80 questions have no verdict; what it said was cut off");
        else
            assert_ok(judge_work(j, INFINITY));
        while (judge_next(j, &tag, &score, &why))
            assert_true(isnan(score));
    }
    judge_close(j);
}

static void a_failure_is_never_in_the_way_of_a_verdict(void **state)
{
    Verdicts v;
    Bytes said = {0};
    bool there = false;
    char ending[VERDICT_ENDING];
    char *path = path_join(folder, "failures.jsonl");
    assert_ok(verdicts_open(&v, path));
    assert_ok(verdicts_add(&v, (const uint64_t[]){3, 4}, VERDICT_FAILED, text("down")));
    assert_ok(verdicts_find(&v, (const uint64_t[]){3, 4}, &there, ending, &said));
    assert_true(there && strcmp(ending, VERDICT_FAILED) == 0);
    assert_ok(verdicts_add(&v, (const uint64_t[]){3, 4}, "stop", text("yes")));
    for (int round = 0; round < 2; round++) {
        assert_ok(verdicts_find(&v, (const uint64_t[]){3, 4}, &there, ending, &said));
        assert_true(there && strcmp(ending, "stop") == 0 && strcmp(said.data, "yes") == 0);
        verdicts_close(&v);
        assert_ok(verdicts_open(&v, path));
    }
    verdicts_close(&v);
    bytes_free(&said);
    free(path);
}

static void an_answer_that_may_be_half_of_one_is_asked_for_again(void **state)
{
    double scores[2];
    Judge *j = judge_at(server.url, 20);
    assert_ok(judge_greet(j, tell));
    assert_null(judge_without_ends(j));
    assert_ok(judge_ask(j, 0, text("half 1 yes, but"), text("4"), text("5")));
    hear_all(j, scores, 1);
    assert_true(scores[0] == 0);
    assert_int_equal(server_attempts(&server, "half 1 yes, but"), 2);
    judge_close(j);
    j = judge_at(server.url, 2); // never whole: no verdict, as of a server that is down
    assert_ok(judge_ask(j, 0, text("half 99 never whole"), text("4"), text("5")));
    hear_all(j, scores, 1);
    assert_true(isnan(scores[0]));
    judge_close(j);
}

static void a_server_that_never_says_how_answers_end_is_known_at_the_start_and_believed(void **state)
{
    char *prompt = path_join(folder, "endless");
    const char question[] = "half 99 {question} {reference} {answer}"; // the first one, too
    double score;
    assert_ok(file_write_atomic(prompt, question, sizeof question - 1));
    JudgeOptions o = {
        .model = "m", .url = server.url, .max_tokens = 64, .patience = 20, .journal = journal, .prompt = prompt};
    Judge *j = judge_open(&o);
    assert_ok(j != NULL && judge_greet(j, tell));
    assert_non_null(strstr(judge_without_ends(j), "/chat/completions"));
    assert_ok(judge_ask(j, 0, text("endless"), text("4"), text("5")));
    hear_all(j, &score, 1);
    assert_true(score == 1);
    assert_int_equal(server_attempts(&server, "half 99 endless 4 5"), 1);
    judge_close(j);
    free(prompt);
}

static void patience_is_seconds_of_the_clock(void **state)
{
    double scores[3], begin = server_clock();
    Judge *j = judge_at(server.url, 1);
    static const char *const problems[] = {"never 99 a", "no-json 99 b", "never 99 c"};
    for (uint64_t i = 0; i < 3; i++)
        assert_ok(judge_ask(j, i, text(problems[i]), text("4"), text("4")));
    hear_all(j, scores, 3);
    assert_true(isnan(scores[0]) && isnan(scores[1]) && isnan(scores[2]));
    assert_true(server_clock() - begin < 10); // an attempt may take 120
    judge_close(j);
}

static void a_server_that_does_not_know_us_ends_the_run(void **state)
{
    Judge *j = judge_at(server.url, 20);
    assert_ok(judge_ask(j, 0, text("key 99 a"), text("4"), text("4")));
    assert_refused(judge_work(j, INFINITY), "check OPENAI_API_KEY, the environment variable");
    judge_close(j);
    Bytes lines = {0};
    assert_ok(file_read(&lines, journal, 1 << 20));
    assert_null(strstr(lines.data, "OPENAI_API_KEY")); // and is no verdict
    bytes_free(&lines);
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
        cmocka_unit_test(patterns_of_the_users_own_decide),
        cmocka_unit_test(the_question_is_a_text_with_places_that_are_filled_once),
        cmocka_unit_test(an_outage_is_no_verdict_and_is_asked_again),
        cmocka_unit_test(what_decides_nothing_is_quoted),
        cmocka_unit_test(a_judge_that_is_not_there_is_known_at_the_start),
        cmocka_unit_test(a_server_that_asks_for_more_patience_than_there_is_says_so),
        cmocka_unit_test(a_judge_that_ceases_ends_the_run),
        cmocka_unit_test(what_was_cut_off_is_no_verdict),
        cmocka_unit_test(a_failure_is_never_in_the_way_of_a_verdict),
        cmocka_unit_test(an_answer_that_may_be_half_of_one_is_asked_for_again),
        cmocka_unit_test(a_server_that_never_says_how_answers_end_is_known_at_the_start_and_believed),
        cmocka_unit_test(patience_is_seconds_of_the_clock),
        cmocka_unit_test(a_server_that_does_not_know_us_ends_the_run),
        cmocka_unit_test(a_server_that_is_down_ends_in_no_verdict),
        cmocka_unit_test(a_folder_without_a_model_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
