// Parsing a language model's answer, and the file that keeps answers. Asking for them is tested in test_endpoint.c.
#include "system/files.h"
#include "test/support/check.h"

#include "server/answer_file.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[] = "/tmp/test_answer-XXXXXX";
static char *path;

static Answer parse(const char *body)
{
    Answer answer;
    assert_ok(answer_parse(&answer, body, strlen(body), "body"));
    return answer;
}

static Answer parse_fixture(const char *name)
{
    Bytes body = {0};
    Answer answer;
    char *file = path_join("test/fixtures/answers", name);
    assert_non_null(file);
    assert_ok(file_read(&body, file, 1 << 20));
    assert_ok(answer_parse(&answer, body.data, body.size, name));
    bytes_free(&body);
    free(file);
    return answer;
}

static void assert_text(Text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

// ---- what is read

static void what_servers_document_is_read(void **state)
{
    Answer answer = parse_fixture("openai.json");
    assert_text(answer.text, "Hello! How can I assist you today?");
    assert_string_equal(answer.finish_reason, "stop");
    assert_int_equal(answer.top_count, 0);
    answer_free(&answer);
    answer = parse_fixture("cut_by_length.json");
    assert_text(answer.text, "<think>\nThe discriminant of x\xC2\xB2 \xE2\x88\x92 3x + 1 is 5 \xF0\x9F\xA4\x94, so");
    assert_string_equal(answer.finish_reason, "length");
    answer_free(&answer);
}

static void the_candidates_are_those_of_the_first_token(void **state)
{
    Answer answer = parse_fixture("vllm_logprobs.json");
    assert_text(answer.text, "4");
    assert_int_equal(answer.top_count, 6);
    assert_text(answer.top[0].token, "4");
    assert_true(answer.top[0].logprob == -0.32659101486206055);
    assert_text(answer.top[3].token, " 4");
    assert_text(answer.top[5].token, "\xEF\xBF\xBD");
    assert_true(answer.top[5].logprob == -9999);
    answer_free(&answer);
}

static void more_than_twenty_candidates_are_cut_to_twenty(void **state)
{
    Bytes body = {0};
    assert_ok(bytes_text(
        &body, "{\"choices\":[{\"message\":{\"content\":\"\"},\"logprobs\":{\"content\":[{\"top_logprobs\":["));
    for (int i = 0; i < 30; i++)
        assert_ok(bytes_printf(&body, "%s{\"token\":\"%d\",\"logprob\":-%d}", i > 0 ? "," : "", i, i));
    assert_ok(bytes_text(&body, "]}]}}]}"));
    Answer answer = parse(body.data);
    assert_int_equal(answer.top_count, 20);
    assert_text(answer.top[19].token, "19");
    assert_true(answer.top[19].logprob == -19);
    answer_free(&answer);
    bytes_free(&body);
}

static void what_a_server_may_leave_out_may_be_absent_null_or_empty(void **state)
{
    static const char *const bodies[] = {
        "{\"choices\":[{\"message\":{\"content\":\"a\"}}]}",
        "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":null,\"logprobs\":null}]}",
        "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"\",\"logprobs\":{\"content\":null}}]}",
        "{\"choices\":[{\"message\":{\"content\":\"a\"},\"logprobs\":{\"content\":[]}}]}",
        "{\"choices\":[{\"message\":{\"content\":\"a\"},\"logprobs\":{\"content\":[{\"token\":\"a\"}]}}]}",
        "{\"choices\":[{\"message\":{\"content\":\"a\"},\"logprobs\":{\"content\":[{\"top_logprobs\":[]}]}}]}",
        "{\"choices\":[{\"message\":{\"content\":\"a\"},\"logprobs\":{\"tokens\":[\"a\"]}}, 5]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        Answer answer = parse(bodies[i]);
        assert_text(answer.text, "a");
        assert_string_equal(answer.finish_reason, "");
        assert_int_equal(answer.top_count, 0);
        answer_free(&answer);
    }
}

static void a_thought_is_kept_apart_from_the_answer(void **state)
{
    static const struct {
        const char *message, *text, *reasoning;
    } cases[] = {
        {"{\"content\":\"4\",\"reasoning_content\":\"2+2\"}", "4", "2+2"},
        {"{\"content\":\"4\",\"reasoning\":\"2+2\",\"reasoning_content\":null}", "4", "2+2"},
        {"{\"content\":\"4\",\"reasoning_content\":\"a\",\"reasoning\":\"b\"}", "4", "a"},
        {"{\"content\":null,\"reasoning_content\":\"so long that\"}", "",
         "so long that"}, // it was cut off in its thought
        {"{\"reasoning\":\"hm\"}", "", "hm"},
        {"{\"content\":\"4\",\"reasoning_content\":\"\"}", "4", ""},
        {"{\"content\":\"4\",\"reasoning_details\":[]}", "4", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[300];
        snprintf(body, sizeof body, "{\"choices\":[{\"message\":%s,\"finish_reason\":\"stop\"}]}", cases[i].message);
        Answer answer = parse(body), again;
        for (int time = 0; time < 2; time++) { // as it came, and as a cache gives it back
            assert_int_equal(answer.text.size, strlen(cases[i].text));
            assert_memory_equal(answer.text.data, cases[i].text, answer.text.size);
            assert_int_equal(answer.reasoning.size, strlen(cases[i].reasoning));
            assert_true(answer.reasoning.size == 0 ||
                        memcmp(answer.reasoning.data, cases[i].reasoning, answer.reasoning.size) == 0);
            json_t *kept = answer_json(&answer);
            assert_non_null(kept);
            assert_ok(answer_take(&again, kept, "the cache"));
            answer_free(&answer);
            answer = again;
        }
        answer_free(&answer);
    }
    Answer answer;
    static const char odd[] = "{\"choices\":[{\"message\":{\"content\":\"4\",\"reasoning\":{\"text\":\"2\"}}}]}";
    assert_refused(answer_parse(&answer, odd, strlen(odd), "it"), "choices[0].message.reasoning is not a string");
    static const char none[] = "{\"choices\":[{\"message\":{\"content\":null,\"reasoning\":\"\"}}]}";
    assert_refused(answer_parse(&answer, none, strlen(none), "it"), "message.content is not a string");
}

static void what_is_no_answer_is_refused_with_what_is_wrong(void **state)
{
#define WITH(rest) "{\"choices\":[{\"message\":{\"content\":\"a\"}," rest "}]}"
    static const char *const bodies[][2] = {
        {"", "body:0: not valid JSON"},
        {"null", "not valid JSON"},
        {"<html>", "not valid JSON"},
        {"[]", "\"choices\" is missing or empty"},
        {"{}", "body: \"choices\" is missing or empty"},
        {"{\"choices\":{}}", "key \"choices\" must be an array"},
        {"{\"choices\":[\"a\"]}", "key \"choices\" must hold objects"},
        {"{\"choices\":[{}]}", "choices[0].message.content is not a string"},
        {"{\"choices\":[{\"message\":\"a\"}]}", "choices[0].message.content is not a string"},
        {"{\"choices\":[{\"text\":\"a\"}]}", "choices[0].message.content is not a string"},
        {"{\"choices\":[{\"message\":{\"content\":[{\"text\":\"a\"}]}}]}",
         "choices[0].message.content is not a string"},
        {"{\"choices\":[{\"message\":{\"content\":\"\\ud800\"}}]}", "not valid JSON"},
        {"{\"choices\":[{\"message\":{\"content\":\"a\"}}]", "not valid JSON"},
        {"{\"choices\":[{\"message\":{\"content\":\"a\"}}]}{}", "not valid JSON"},
        {WITH("\"finish_reason\":1"), "key \"finish_reason\" must be a string"},
        {WITH("\"finish_reason\":\"a\\u0000\""), "key \"finish_reason\" holds a NUL"},
        {WITH("\"logprobs\":{\"content\":1}"), "key \"content\" must be an array"},
        {WITH("\"logprobs\":{\"content\":[1]}"), "key \"content\" must hold objects"},
        {WITH("\"logprobs\":{\"content\":[{\"top_logprobs\":1}]}"), "key \"top_logprobs\" must be an array"},
        {WITH("\"logprobs\":{\"content\":[{\"top_logprobs\":[1]}]}"), "key \"top_logprobs\" must hold objects with"},
        {WITH("\"logprobs\":{\"content\":[{\"top_logprobs\":[{\"token\":\"a\"}]}]}"), "\"token\" and \"logprob\""},
        {WITH("\"logprobs\":{\"content\":[{\"top_logprobs\":[{\"token\":1,\"logprob\":-1}]}]}"),
         "\"token\" and \"logprob\""},
        {WITH("\"logprobs\":{\"content\":[{\"top_logprobs\":[{\"token\":\"a\",\"logprob\":-1e999}]}]}"),
         "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        Answer answer;
        assert_refused(answer_parse(&answer, bodies[i][0], strlen(bodies[i][0]), "body"), bodies[i][1]);
        assert_null(answer.root);
        assert_null(answer.text.data);
    }
}

// ---- the file

static const uint64_t KEYS[3][2] = {{0x0123456789abcdef, 0xfedcba9876543210}, {0x0123456789abcdef, 1}, {2, 3}};

static void write_cache(const char *text) { assert_ok(file_write_atomic(path, text, strlen(text))); }

static void assert_cache_is(const char *text)
{
    Bytes now = {0};
    assert_ok(file_read(&now, path, 1 << 20));
    assert_string_equal(now.data, text);
    bytes_free(&now);
}

static void assert_keeps(const AnswerFile *cache, const uint64_t key[2], const char *text)
{
    Answer answer;
    assert_true(answer_file_has(cache, key));
    assert_ok(answer_file_read(cache, key, &answer));
    assert_text(answer.text, text);
    answer_free(&answer);
}

#define KEY_0 "0123456789abcdeffedcba9876543210"
#define REST_0 "\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}"
#define LINE_0 "{\"key\":\"" KEY_0 "\",\"hash\":\"d136aea3ee267977\"," REST_0 "\n"
#define LINE_1                                                                                                         \
    "{\"key\":\"0123456789abcdef0000000000000001\",\"hash\":\"27c09f90cbaa91ef\",\"choices\":[{\"message\":{"          \
    "\"content\":"                                                                                                     \
    "\"b\\n\"},"                                                                                                       \
    "\"finish_reason\":\"\"}]}\n"

#define EMPTY_LINE "{\"key\":\"0123456789abcdef0000000000000001\",\"hash\":\"840544f6d9065551\",\"choices\":[]}\n"
#define LATER_0                                                                                                        \
    "{\"key\":\"" KEY_0 "\",\"hash\":\"c5c261b2ae91826c\",\"choices\":[{\"message\":{\"content\":\"later\"}}]}\n"

static void a_line_is_a_small_completion_with_its_key(void **state)
{
    AnswerFile cache;
    unlink(path);
    assert_ok(answer_file_open(&cache, path));
    Answer answer = parse(
        "{\"choices\":[{\"message\":{\"content\":\"a\",\"role\":\"assistant\"},\"finish_reason\":\"stop\"}],\"id\":1}");
    assert_ok(answer_file_add(&cache, KEYS[0], &answer));
    answer_free(&answer);
    answer = parse("{\"choices\":[{\"message\":{\"content\":\"b\\n\"}}]}");
    assert_ok(answer_file_add(&cache, KEYS[1], &answer));
    answer_free(&answer);
    assert_keeps(&cache, KEYS[1], "b\n");
    answer_file_close(&cache);
    assert_cache_is(LINE_0 LINE_1);
    assert_ok(answer_file_open(&cache, path));
    assert_keeps(&cache, KEYS[0], "a");
    assert_keeps(&cache, KEYS[1], "b\n");
    assert_false(answer_file_has(&cache, KEYS[2]));
    answer_file_close(&cache);
    answer_file_close(&cache);
}

static void assert_equal_answers(const Answer *a, const Answer *b)
{
    assert_int_equal(a->text.size, b->text.size);
    assert_memory_equal(a->text.data, b->text.data, a->text.size);
    assert_string_equal(a->finish_reason, b->finish_reason);
    assert_int_equal(a->top_count, b->top_count);
    for (size_t i = 0; i < a->top_count; i++) {
        assert_int_equal(a->top[i].token.size, b->top[i].token.size);
        assert_memory_equal(a->top[i].token.data, b->top[i].token.data, a->top[i].token.size);
        assert_memory_equal(&a->top[i].logprob, &b->top[i].logprob, sizeof(double));
    }
}

static void an_answer_comes_back_as_it_was_to_the_bit(void **state)
{
    static const char body[] =
        "{\"choices\":[{\"message\":{\"content\":\"\\u0000 \\u007f \\ud83e\\udd14 \\\\ "
        "\\\"/\"},\"finish_reason\":\"x\","
        "\"logprobs\":{\"content\":[{\"top_logprobs\":[{\"token\":\"\\u0000a\",\"logprob\":-0.1},{\"token\":\"\","
        "\"logprob\":-1.1920928244535389e-07},{\"token\":\"b\",\"logprob\":-12},{\"token\":\"c\",\"logprob\":-0.0},"
        "{\"token\":\"d\",\"logprob\":-4.9406564584124654e-324},{\"token\":\"e\",\"logprob\":0.30000000000000004}]}]}}]"
        "}";
    Answer answers[] = {parse(body), parse_fixture("vllm_logprobs.json"), parse_fixture("openai.json")};
    AnswerFile cache;
    unlink(path);
    assert_ok(answer_file_open(&cache, path));
    for (int i = 0; i < 3; i++)
        assert_ok(answer_file_add(&cache, KEYS[i], &answers[i]));
    for (int time = 0; time < 2; time++) {
        for (int i = 0; i < 3; i++) {
            Answer again;
            assert_ok(answer_file_read(&cache, KEYS[i], &again));
            assert_equal_answers(&answers[i], &again);
            answer_free(&again);
        }
        answer_file_close(&cache);
        assert_ok(answer_file_open(&cache, path));
    }
    answer_file_close(&cache);
    for (int i = 0; i < 3; i++)
        answer_free(&answers[i]);
}

static void half_a_line_at_the_end_is_cut_off_wherever_it_was_cut(void **state)
{
    static const char whole[] = LINE_0 LINE_1;
    Bytes text = {0};
    for (size_t cut = strlen(LINE_0); cut < strlen(whole); cut++) {
        AnswerFile cache;
        bytes_clear(&text);
        assert_ok(bytes_append(&text, whole, cut));
        write_cache(text.data);
        assert_ok(answer_file_open(&cache, path));
        assert_keeps(&cache, KEYS[0], "a");
        assert_false(answer_file_has(&cache, KEYS[1]));
        assert_cache_is(LINE_0);
        Answer answer = parse("{\"choices\":[{\"message\":{\"content\":\"b\\n\"}}]}");
        assert_ok(answer_file_add(&cache, KEYS[1], &answer));
        answer_free(&answer);
        answer_file_close(&cache);
        assert_cache_is(whole);
    }
    bytes_free(&text);
}

static void assert_broken(const char *text, const char *error)
{
    AnswerFile cache;
    write_cache(text);
    assert_refused(answer_file_open(&cache, path), error);
    assert_non_null(strstr(error_text(), path));
    assert_cache_is(text); // nothing is cut off it
}

static void a_line_that_is_broken_is_refused_by_its_number(void **state)
{
    assert_broken(LINE_0 "{\"key\":\"0123\n" LINE_1, "answers.jsonl:2:");
    assert_broken("\n" LINE_0, "answers.jsonl:1:");
    assert_broken(LINE_0 LINE_1 EMPTY_LINE, "answers.jsonl:3: \"choices\" is missing");
    assert_broken(LINE_0 "{\"choices\":[]}\n{\"key\"", "answers.jsonl:2: key \"key\" is missing");
    assert_broken("{\"key\":\"0123456789ABCDEF0000000000000001\",\"choices\":[{\"message\":{\"content\":\"\"}}]}\n",
                  "answers.jsonl:1: key \"key\" must be 32 hexadecimal digits");
    assert_broken("{\"key\":\"0123456789abcdef\",\"choices\":[{\"message\":{\"content\":\"\"}}]}\n",
                  "32 hexadecimal digits");
}

// One character of it is another, wherever that is: never another answer.
static void an_answer_that_was_changed_is_refused(void **state)
{
    static const char whole[] = LINE_0 LINE_1;
    char text[sizeof whole];
    for (size_t at = 0; at < sizeof whole - 2; at++) {
        AnswerFile cache;
        memcpy(text, whole, sizeof whole);
        text[at] = text[at] == '7' ? '8' : '7';
        write_cache(text);
        assert_false(answer_file_open(&cache, path));
        assert_non_null(
            strstr(error_text(), "remove this line, or move the file away: its question is then asked again"));
        assert_cache_is(text);
    }
    assert_broken(LINE_0 "{\"key\":\"0123456789abcdef0000000000000001\"," REST_0 "\n",
                  "answers.jsonl:2: there is no \"hash\" of the answer (older versions wrote none)");
    assert_broken("{\"key\":\"" KEY_0 "\",\"hash\":7," REST_0 "\n",
                  "answers.jsonl:1: was changed since it was written");
    memcpy(text, whole, sizeof whole); // while it is in use
    AnswerFile cache;
    Answer answer;
    write_cache(text);
    assert_ok(answer_file_open(&cache, path));
    *strstr(text, ":\"a\"") = ' ';
    int file = open(path, O_WRONLY);
    assert_int_equal(pwrite(file, text, sizeof whole - 1, 0), sizeof whole - 1);
    close(file);
    assert_refused(answer_file_read(&cache, KEYS[0], &answer), "was changed while it was in use");
    answer_file_close(&cache);
}

static void a_file_of_somebody_else_is_refused_and_left_as_it_is(void **state)
{
    AnswerFile cache;
    assert_broken("{\"problem\": \"1+1?\"}\n",
                  "key \"key\" is missing; remove this line, or move the file away: its question is then asked again");
    assert_broken("the only copy of something",
                  "answers.jsonl:1: its end is neither an answer nor part of one; remove this line, or move");
    assert_broken(LINE_0 "and a note", "answers.jsonl:2: its end is neither an answer nor part of one");
    assert_refused(answer_file_open(&cache, folder), folder);
    assert_refused(answer_file_open(&cache, "/dev/null"), "/dev/null: not a regular file");
}

static void the_zeros_of_a_power_cut_are_cut_off(void **state)
{
    static const char *const halves[] = {"", "{\"ke", "{\"key\":\"0123456789abcdef000000000000"};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        char text[2048] = LINE_0;
        AnswerFile cache;
        size_t size = strlen(strcat(text, halves[i])) + 1000;
        assert_ok(file_write_atomic(path, text, size) && answer_file_open(&cache, path));
        assert_int_equal(cache.file.zeros, 1000);
        assert_int_equal(cache.count, 1);
        answer_file_close(&cache);
        assert_cache_is(LINE_0);
    }
    assert_ok(file_write_atomic(path, LINE_0 "\0\0x\0", strlen(LINE_0) + 4));
    AnswerFile cache;
    assert_refused(answer_file_open(&cache, path), "answers.jsonl:2: its end is neither an answer nor part of one");
}

static void of_two_lines_with_one_key_the_first_counts(void **state)
{
    AnswerFile cache;
    write_cache(LINE_0 LATER_0);
    assert_ok(answer_file_open(&cache, path));
    assert_keeps(&cache, KEYS[0], "a");
    answer_file_close(&cache);
}

static void thousands_of_answers_are_found(void **state)
{
    enum { COUNT = 5000 };
    AnswerFile cache;
    char text[64];
    unlink(path);
    assert_ok(answer_file_open(&cache, path));
    for (int time = 0; time < 2; time++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            const uint64_t key[2] = {i % 7, i}; // crowded: the table has to step over neighbours
            snprintf(text, sizeof text, "{\"choices\":[{\"message\":{\"content\":\"%d\"}}]}", (int)i);
            if (time == 0) {
                Answer answer = parse(text);
                assert_ok(answer_file_add(&cache, key, &answer));
                answer_free(&answer);
            }
            snprintf(text, sizeof text, "%d", (int)i);
            if (i % 97 == 0)
                assert_keeps(&cache, key, text);
        }
        assert_int_equal(cache.count, COUNT);
        answer_file_close(&cache);
        assert_ok(answer_file_open(&cache, path));
    }
    answer_file_close(&cache);
}

static void what_a_full_disk_leaves_of_a_line_is_cut_off_at_once(void **state)
{
    AnswerFile cache;
    struct rlimit before, few;
    write_cache(LINE_0);
    assert_ok(answer_file_open(&cache, path));
    Answer answer = parse("{\"choices\":[{\"message\":{\"content\":\"b\\n\"}}]}");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    few = before;
    few.rlim_cur = strlen(LINE_0) + 10; // the first write ends there, the second fails
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    bool kept = answer_file_add(&cache, KEYS[1], &answer);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(kept);
    assert_non_null(strstr(error_text(), "what is finished so far stays there, so free some space and run again"));
    assert_cache_is(LINE_0);
    assert_false(answer_file_has(&cache, KEYS[1]));
    assert_ok(answer_file_add(&cache, KEYS[1], &answer)); // there is space again
    assert_cache_is(LINE_0 LINE_1);
    answer_free(&answer);
    answer_file_close(&cache);
}

static void a_file_that_is_changed_under_our_hands_is_an_error(void **state)
{
    AnswerFile cache;
    Answer answer;
    write_cache(LINE_0 LINE_1);
    assert_ok(answer_file_open(&cache, path));
    assert_int_equal(truncate(path, 20), 0);
    assert_refused(answer_file_read(&cache, KEYS[0], &answer), "was changed while it was in use, at byte 0");
    answer_file_close(&cache);
}

static int make_folder(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    path = path_join(folder, "answers.jsonl");
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
        cmocka_unit_test(what_servers_document_is_read),
        cmocka_unit_test(the_candidates_are_those_of_the_first_token),
        cmocka_unit_test(more_than_twenty_candidates_are_cut_to_twenty),
        cmocka_unit_test(what_a_server_may_leave_out_may_be_absent_null_or_empty),
        cmocka_unit_test(a_thought_is_kept_apart_from_the_answer),
        cmocka_unit_test(what_is_no_answer_is_refused_with_what_is_wrong),
        cmocka_unit_test(a_line_is_a_small_completion_with_its_key),
        cmocka_unit_test(an_answer_comes_back_as_it_was_to_the_bit),
        cmocka_unit_test(half_a_line_at_the_end_is_cut_off_wherever_it_was_cut),
        cmocka_unit_test(a_line_that_is_broken_is_refused_by_its_number),
        cmocka_unit_test(an_answer_that_was_changed_is_refused),
        cmocka_unit_test(a_file_of_somebody_else_is_refused_and_left_as_it_is),
        cmocka_unit_test(the_zeros_of_a_power_cut_are_cut_off),
        cmocka_unit_test(of_two_lines_with_one_key_the_first_counts),
        cmocka_unit_test(thousands_of_answers_are_found),
        cmocka_unit_test(what_a_full_disk_leaves_of_a_line_is_cut_off_at_once),
        cmocka_unit_test(a_file_that_is_changed_under_our_hands_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
