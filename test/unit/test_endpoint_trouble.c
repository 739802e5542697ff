// Questions to a server that is busy, down, slow, cut off or lying: the number of attempts, how long is waited between
// them, and the error when retries do not help.
#include "system/signals.h"
#include "test/support/endpoint.h"

typedef struct Trouble {
    const char *way, *error; // what the error says after three attempts
} Trouble;

static const Trouble TROUBLES[] = {
    {"busy", NULL}, // takes a second each time
    {"down", ": 3 attempts, the last: status 503: loading the model"},
    {"broken", ": 3 attempts, the last: status 500: out of memory"},
    {"timeout", ": 3 attempts, the last: status 408"},
    {"no-json", "the last: status 200, but its answer:"},
    {"no-choices", "the last: status 200, but its answer: \"choices\" is missing or empty; it says: {\"choices\":[]}"},
    {"null", "choices[0].message.content is not a string (finish_reason \"length\")"},
    {"no-text", "choices[0].message.content is not a string"},
    {"no-utf8", "its answer:37: not valid JSON: unable to decode byte 0xff"},
    {"half-head", ": 3 attempts, the last: "},
    {"half-body", ": 3 attempts, the last: status 200, but transfer closed with"},
    {"half-without-length", "its answer:"},
    {"garbage", ": 3 attempts, the last: "},
    {"nothing", ": 3 attempts, the last: Empty reply from server"},
    {"huge", "the last: status 200, but the response is longer than the 16777216 bytes that one may have"},
};
enum { TROUBLE_COUNT = sizeof TROUBLES / sizeof *TROUBLES };

static void what_may_pass_is_asked_again(void **state)
{
    char text[64];
    EndpointOptions options = options_for(NULL);
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer;
    for (uint64_t i = 0; i < TROUBLE_COUNT; i++) {
        snprintf(text, sizeof text, "%s 1 passes", TROUBLES[i].way);
        assert_ok(ask(endpoint, text, i));
    }
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        assert_ok(endpoint_next(endpoint, &answer));
        snprintf(text, sizeof text, "%s 1 passes", TROUBLES[answer.tag].way);
        assert_right(&answer, text);
        assert_int_equal(answer.attempts, 2);
        assert_int_equal(server_attempts(&server, text), 2);
    }
    assert_int_equal(endpoint_pending(endpoint), 0);
    endpoint_close(endpoint);
}

static void what_does_not_pass_is_an_error_that_says_what_was_wrong(void **state)
{
    char text[64];
    EndpointOptions options = options_for(NULL);
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer;
    for (uint64_t i = 1; i < TROUBLE_COUNT; i++) {
        snprintf(text, sizeof text, "%s 99 stays", TROUBLES[i].way);
        assert_ok(ask(endpoint, text, i));
    }
    for (int i = 1; i < TROUBLE_COUNT; i++) {
        assert_ok(endpoint_next(endpoint, &answer));
        snprintf(text, sizeof text, "%s 99 stays", TROUBLES[answer.tag].way);
        assert_true(answer.failed && answer.text.size == 0 && answer.top_count == 0);
        assert_int_equal(answer.attempts, 3);
        assert_int_equal(server_attempts(&server, text), 3);
        if (strstr(answer.error, TROUBLES[answer.tag].error) == NULL ||
            strstr(answer.error, server.url) != answer.error)
            fail_msg("%s: the error should say '%s', but is: %s", text, TROUBLES[answer.tag].error, answer.error);
    }
    endpoint_close(endpoint);
}

static void an_answer_that_does_not_come_is_given_up_and_asked_for_again(void **state)
{
    EndpointOptions options = options_for(NULL);
    options.seconds = 0.3;
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer = ask_one(endpoint, "never 99 stays");
    assert_true(answer.failed);
    assert_int_equal(answer.attempts, 3);
    assert_non_null(strstr(answer.error, "timed out"));
    endpoint_close(endpoint);
    options.attempts = 50; // for a machine so busy that a right answer takes longer than that
    endpoint = open_with(&options);
    answer = ask_one(endpoint, "never 1 passes");
    assert_right(&answer, "never 1 passes");
    assert_true(answer.attempts >= 2);
    endpoint_close(endpoint);
}

static void assert_final(Endpoint *endpoint, const char *question, const char *error)
{
    EndpointAnswer answer = ask_one(endpoint, question);
    assert_true(answer.failed);
    assert_int_equal(answer.attempts, 1);
    assert_int_equal(server_attempts(&server, question), 1);
    if (strstr(answer.error, error) == NULL)
        fail_msg("%s: the error should say '%s', but is: %s", question, error, answer.error);
}

static void what_a_server_refuses_is_asked_once(void **state)
{
    EndpointOptions options = options_for(NULL);
    Endpoint *endpoint = open_with(&options);
    assert_final(endpoint, "no-model 99 x",
                 "completions: status 404: no such model; check the address and the model's name");
    assert_final(endpoint, "redirect 99 x", "/v2/chat/completions");
    assert_final(endpoint, "key 99 no key", "status 401: [2J000");
    endpoint_close(endpoint);
}

static void the_key_is_in_no_error_and_in_no_file(void **state)
{
    Bytes file = {0};
    EndpointOptions options = options_for(cache_path);
    setenv("OPENAI_API_KEY", KEY, 1);
    Endpoint *endpoint = open_with(&options);
    unsetenv("OPENAI_API_KEY");
    static const char *const questions[] = {"key 99 key", "key-alone 99 key", "half-body 99 key", "right 0 key"};
    static const char *const errors[] = {"Bearer ***; check OPENAI_API_KEY",
                                         "it is no answer, and repeats the key; it says: Bearer ***", "transfer closed",
                                         NULL};
    for (int i = 0; i < 4; i++) {
        EndpointAnswer answer = ask_one(endpoint, questions[i]);
        assert_true(answer.failed == (errors[i] != NULL));
        assert_true(!answer.failed || strstr(answer.error, errors[i]) != NULL);
        assert_true(!answer.failed || strstr(answer.error, "sk-0") == NULL); // not even its beginning
        assert_string_equal(server.seen->authorization, "Bearer " KEY);
    }
    endpoint_close(endpoint);
    assert_ok(file_read(&file, cache_path, 1 << 20));
    assert_true(file.size > 0);
    assert_null(strstr(file.data, "sk-0"));
    bytes_free(&file);
}

static void assert_shown(const char *body, const char *expected)
{
    Answer answer;
    Bytes why = {0};
    HttpResponse response = {.finished = true, .status = 400, .body = body, .size = strlen(body)};
    assert_int_equal(exchange_outcome(&answer, &why, &response, "hunter2", false), OUTCOME_HOPELESS);
    assert_string_equal(why.data, expected);
    bytes_free(&why);
}

static void of_a_servers_message_200_bytes_are_shown_that_do_nothing(void **state)
{
    char body[400] = "", expected[400] = "status 400: ";
    assert_shown("", "status 400");
    assert_shown("{\"error\":{\"message\":\"too long\"},\"detail\":1}", "status 400: too long");
    assert_shown("{\"error\":\"too long\"}", "status 400: too long");
    assert_shown("{\"object\":\"error\",\"message\":\"too long\"}", "status 400: too long");
    assert_shown("{\"detail\":\"Not Found\"}", "status 400: Not Found");
    assert_shown("{\"detail\":[{\"loc\":1}]}", "status 400: {\"detail\":[{\"loc\":1}]}");
    assert_shown("a\tb\033[2J\r\n\xFF\xC3\xA9\xE2\x80\xAE.", "status 400: ab[2J\xC3\xA9.");
    assert_shown("{\"message\":\"a\\u0000hun\\u200bter2b\"}", "status 400: a***b");
    for (int i = 0; i < 150; i++)
        strcat(body, "\xC3\xA9");
    strncat(expected, body, 200);
    assert_shown(body, strcat(expected, "..."));
    memmove(body + 1, body, strlen(body) + 1); // the cut would go through a character
    body[0] = 'a';
    snprintf(expected, sizeof expected, "status 400: %.199s...", body);
    assert_shown(body, expected);
}

static void a_server_that_is_not_there_is_an_error_with_its_address(void **state)
{
    EndpointOptions options = options_for(NULL);
    options.url = "http://127.0.0.1:1/v1"; // a port without a server
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer = ask_one(endpoint, "right 0 nobody");
    assert_true(answer.failed);
    assert_int_equal(answer.attempts, 3);
    assert_ptr_equal(strstr(answer.error, "http://127.0.0.1:1/v1/chat/completions: 3 attempts, the last: "),
                     answer.error);
    assert_non_null(strstr(answer.error, "onnect"));
    endpoint_close(endpoint);
}

static void nobody_comes_back_before_retry_after_and_nobody_else_waits_for_it(void **state)
{
    EndpointOptions options = options_for(NULL);
    options.in_flight = 1;
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer;
    assert_ok(ask(endpoint, "busy 1 wait", 0) && ask(endpoint, "busy-until 1 wait", 1) &&
              ask(endpoint, "right 0 wait", 2));
    assert_ok(endpoint_next(endpoint, &answer));
    assert_int_equal(answer.tag, 2); // the last in the queue, with room for one in flight
    for (int i = 0; i < 2; i++) {
        assert_ok(endpoint_next(endpoint, &answer));
        const char *text = answer.tag == 0 ? "busy 1 wait" : "busy-until 1 wait";
        assert_right(&answer, text);
        const SeenQuestion *seen = server_find(server.seen, text);
        assert_int_equal(seen->attempts, 2);
        assert_true(seen->last - seen->first >=
                    1); // a date two seconds ahead, without its fraction, is at least one second
    }
    endpoint_close(endpoint);
}

static void a_server_that_asks_for_hours_gets_a_limit_and_it_is_said(void **state)
{
    EndpointOptions options = options_for(NULL);
    options.seconds = 4;
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer;
    bool there = false;
    double begin = server_clock();
    assert_ok(ask(endpoint, "later 1 hours", 7) && ask(endpoint, "later 1 days", 8));
    const char *news = NULL;
    while (news == NULL) {
        assert_ok(endpoint_try(endpoint, &answer, 0.05, &there));
        assert_false(there);
        news = endpoint_news(endpoint);
    }
    assert_true(strstr(news, server.url) == news);
    assert_non_null(
        strstr(news, ": status 429; it asks for 100000 seconds of patience, and gets 4; asked again in 4 seconds"));
    for (int i = 0; i < 2; i++) {
        assert_ok(endpoint_next(endpoint, &answer));
        assert_right(&answer, answer.tag == 7 ? "later 1 hours" : "later 1 days");
    }
    assert_null(endpoint_news(endpoint)); // one word for both
    assert_true(server_clock() - begin >= 4);
    endpoint_close(endpoint);
}

static void an_answer_that_may_be_half_of_one_is_asked_again(void **state)
{
    static const char *const ways[] = {"no-end", "null-end", "empty-end"};
    EndpointOptions options = options_for(NULL);
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer = ask_one(endpoint, "no-end 9 taken");
    assert_true(!answer.failed && answer.finish_reason[0] == 0); // who does not want to know
    endpoint_close(endpoint);
    options.whole = true;
    endpoint = open_with(&options);
    for (size_t i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s 2 whole", ways[i]);
        answer = ask_one(endpoint, text);
        assert_right(&answer, text);
        assert_int_equal(answer.attempts, 3);
        snprintf(text, sizeof text, "%s 9 whole", ways[i]);
        answer = ask_one(endpoint, text);
        assert_true(answer.failed && answer.status == 200);
        assert_non_null(strstr(answer.error, "3 attempts, the last: status 200, but its answer has no finish_reason"));
    }
    endpoint_close(endpoint);
}

static void pauses_grow_are_spread_and_have_an_end(void **state)
{
    const uint64_t key[2] = {1, 2}, other[2] = {3, 2};
    for (int attempts = 1; attempts < 100; attempts++) {
        double pause = exchange_pause(key, 0, attempts, 1, 0), full = attempts < 7 ? ldexp(1, attempts - 1) : 60;
        assert_true(pause >= full / 2 && pause <= full);
        assert_true(pause == exchange_pause(key, 0, attempts, 1, 0));
        assert_true(pause != exchange_pause(other, 0, attempts, 1, 0) &&
                    pause != exchange_pause(key, 1, attempts, 1, 0));
    }
    assert_true(exchange_pause(key, 0, 1, 0, 7) == 7);
    assert_true(exchange_pause(key, 0, 1, 1, 7) >= 7.5);
}

static void patience_with_a_question_is_one_clock_for_all_its_attempts(void **state)
{
    EndpointOptions options = options_for(NULL);
    EndpointAnswer answer;
    options.in_flight = 2;
    options.attempts = 1000000;
    options.patience = 1;
    Endpoint *endpoint = open_with(&options);
    static const char *const hang[] = {"never 99 p", "never 99 q", "never 99 r", "never 99 s", "never 99 t"};
    double begin = server_clock();
    for (uint64_t i = 0; i < 5; i++)
        assert_ok(ask(endpoint, hang[i], i));
    for (int i = 0; i < 5; i++) {
        assert_ok(endpoint_next(endpoint, &answer));
        assert_true(answer.failed && answer.status == 0 && answer.error != NULL);
    }
    double passed =
        server_clock() - begin; // once for all of them, however few are on their way at once, and not 60 seconds
    assert_true(passed > 0.9 && passed < 10);
    begin = server_clock();
    assert_ok(ask(endpoint, "busy 99 p", 0) &&
              endpoint_next(endpoint, &answer)); // it may come back in a second: too late
    assert_true(answer.failed && answer.status == 429 && server_clock() - begin < 0.9);
    endpoint_close(endpoint);
}

static void a_long_queue_before_a_server_that_answers_costs_no_patience(void **state)
{
    EndpointOptions options = options_for(NULL);
    EndpointAnswer answer;
    char text[32];
    options.in_flight = 1;
    options.patience = 1;
    Endpoint *endpoint = open_with(&options);
    double begin = server_clock();
    for (uint64_t i = 0; i < 400; i++) { // 4 ms each, at least
        snprintf(text, sizeof text, "right 0 long %d", (int)i);
        assert_ok(ask(endpoint, text, i));
    }
    for (uint64_t i = 0; i < 400; i++) {
        assert_ok(endpoint_next(endpoint, &answer));
        assert_false(answer.failed);
    }
    assert_true(server_clock() - begin > 1.2);
    endpoint_close(endpoint);
}

static void a_signal_ends_the_wait(void **state)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        EndpointOptions options = options_for(NULL);
        EndpointAnswer answer;
        Endpoint *endpoint = signals_install(NULL) ? endpoint_open(&options) : NULL;
        bool ok = endpoint != NULL && ask(endpoint, "never 99 signal", 1) && !endpoint_next(endpoint, &answer);
        ok = ok && strstr(error_text(), "stopped by a signal") != NULL && signal_received() == SIGTERM;
        endpoint_close(endpoint);
        _exit(ok ? EXIT_STOPPED : 1);
    }
    while (server_attempts(&server, "never 99 signal") == 0)
        usleep(1000);
    double begin = server_clock();
    int status = 0;
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_STOPPED);
    assert_true(server_clock() - begin < 20); // of the 60 that it would wait
}

static void what_is_pending_may_be_left(void **state) // the sanitizer sees what is forgotten
{
    EndpointOptions options = options_for(NULL);
    options.in_flight = 2;
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer;
    static const char *const questions[] = {"right 0 left", "never 99 left", "busy 99 left", "right 0 left too",
                                            "never 99 too"};
    for (uint64_t i = 0; i < 5; i++)
        assert_ok(ask(endpoint, questions[i], i));
    assert_ok(endpoint_next(endpoint, &answer) && endpoint_next(endpoint, &answer));
    assert_int_equal(endpoint_pending(endpoint), 3);
    endpoint_close(endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_pass_is_asked_again),
        cmocka_unit_test(what_does_not_pass_is_an_error_that_says_what_was_wrong),
        cmocka_unit_test(an_answer_that_does_not_come_is_given_up_and_asked_for_again),
        cmocka_unit_test(what_a_server_refuses_is_asked_once),
        cmocka_unit_test(the_key_is_in_no_error_and_in_no_file),
        cmocka_unit_test(of_a_servers_message_200_bytes_are_shown_that_do_nothing),
        cmocka_unit_test(a_server_that_is_not_there_is_an_error_with_its_address),
        cmocka_unit_test(nobody_comes_back_before_retry_after_and_nobody_else_waits_for_it),
        cmocka_unit_test(a_server_that_asks_for_hours_gets_a_limit_and_it_is_said),
        cmocka_unit_test(an_answer_that_may_be_half_of_one_is_asked_again),
        cmocka_unit_test(pauses_grow_are_spread_and_have_an_end),
        cmocka_unit_test(patience_with_a_question_is_one_clock_for_all_its_attempts),
        cmocka_unit_test(a_long_queue_before_a_server_that_answers_costs_no_patience),
        cmocka_unit_test(a_signal_ends_the_wait),
        cmocka_unit_test(what_is_pending_may_be_left),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
