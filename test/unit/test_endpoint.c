// Questions to a server that behaves: what a request says, and that each question gets its own answer. The form of
// answers, and the answer file by itself: test_answer.c; a server that does not behave: test_endpoint_trouble.c;
// answers that are kept: test_endpoint_kept.c.
#include "test/support/endpoint.h"
#include <sys/resource.h>

static void each_of_two_hundred_questions_gets_its_own_answer_with_sixteen_in_flight(void **state)
{
    enum { COUNT = 200 };
    char text[32];
    bool seen[COUNT] = {false};
    EndpointOptions options = options_for(NULL);
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer;
    server.seen->most = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "right 0 %d", (int)i);
        assert_ok(ask(endpoint, text, i));
    }
    for (size_t left = COUNT; left > 0; left--) {
        assert_int_equal(endpoint_pending(endpoint), left);
        assert_ok(endpoint_next(endpoint, &answer));
        assert_true(answer.tag < COUNT && !seen[answer.tag]);
        seen[answer.tag] = true;
        snprintf(text, sizeof text, "right 0 %d", (int)answer.tag);
        assert_right(&answer, text);
        assert_int_equal(answer.attempts, 1);
        assert_int_equal(server_attempts(&server, text), 1);
    }
    assert_true(server.seen->most > 1 && server.seen->most <= 16);
    assert_refused(endpoint_next(endpoint, &answer), "there is no question to wait for");
    endpoint_close(endpoint);
}

static void a_request_is_what_the_api_says(void **state)
{
    static const char system[] = "be \"brief\"\n\xC3\xA9";
    const Message messages[] = {{.role = ROLE_SYSTEM, .content = {system, sizeof system}}, // its NUL too
                                {.role = ROLE_ASSISTANT, .content = {NULL, 0}, .reasoning = {"hm", 2}},
                                {.role = ROLE_USER, .content = {"right 0 api", 11}}};
    EndpointOptions options = options_for(NULL);
    EndpointAnswer answer;
    options.temperature = 0.7;
    options.seed = 5;
    options.logprobs = true;
    setenv("OPENAI_API_KEY", KEY, 1);
    Endpoint *endpoint = open_with(&options);
    unsetenv("OPENAI_API_KEY");
    assert_ok(endpoint_ask(endpoint, messages, 3, 1));
    assert_ok(endpoint_next(endpoint, &answer));
    assert_right(&answer, "right 0 api");
    assert_string_equal(server.seen->body,
                        "{\"model\":\"judge\",\"messages\":[{\"role\":\"system\",\"content\":\"be "
                        "\\\"brief\\\"\\n\xC3\xA9\\u0000\"},{\"role\":\"assistant\",\"content\":\"\"},"
                        "{\"role\":\"user\",\"content\":\"right 0 api\"}],\"temperature\":0.7,"
                        "\"max_tokens\":16,\"seed\":5,\"logprobs\":true,\"top_logprobs\":20}");
    assert_string_equal(server.seen->authorization, "Bearer " KEY);
    endpoint_close(endpoint);
}

static void what_samples_is_sent_where_it_changes_something(void **state)
{
    static const char *const stop[] = {"END", "\n\""};
    const Message message = {.role = ROLE_USER, .content = {"right 0 sampling", 16}};
    EndpointOptions options = options_for(NULL);
    EndpointAnswer answer;
    options.top_p = 0.95;
    options.top_k = 20;
    options.min_p = 0.05;
    options.stop = stop;
    options.stop_count = 2;
    options.seed = 5;
    options.temperature = 0.5;
    Endpoint *endpoint = open_with(&options);
    assert_ok(endpoint_ask_seeded(endpoint, &message, 1, 77, 1));
    assert_ok(endpoint_next(endpoint, &answer));
    assert_non_null(strstr(server.seen->body,
                           "\"max_tokens\":16,\"seed\":77,\"top_p\":0.95,\"min_p\":0.05,\"top_k\":20,"
                           "\"stop\":[\"END\",\"\\n\\\"\"]}"));
    endpoint_close(endpoint);
    options = options_for(NULL);
    options.top_p = 1;
    endpoint = open_with(&options); // greedy
    ask_one(endpoint, "right 0 sampling");
    assert_null(strstr(server.seen->body, "top_p"));
    endpoint_close(endpoint);
    options.temperature = 1; // a server would take the model's own top_p, if it has one
    endpoint = open_with(&options);
    ask_one(endpoint, "right 0 sampling");
    assert_non_null(strstr(server.seen->body, "\"top_p\":1"));
    endpoint_close(endpoint);
}

static void without_a_key_no_header_is_sent_and_without_a_seed_no_seed(void **state)
{
    EndpointOptions options = options_for(NULL);
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer = ask_one(endpoint, "right 0 plain");
    assert_right(&answer, "right 0 plain");
    assert_int_equal(answer.top_count, 0);
    assert_string_equal(server.seen->body,
                        "{\"model\":\"judge\",\"messages\":[{\"role\":\"user\",\"content\":\"right 0 plain\"}],"
                        "\"temperature\":0,\"max_tokens\":16}");
    assert_string_equal(server.seen->authorization, "");
    endpoint_close(endpoint);
}

static void the_candidates_for_the_first_token_come_with_the_answer(void **state)
{
    EndpointOptions options = options_for(NULL);
    options.logprobs = true;
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer = ask_one(endpoint, "right 0 top");
    assert_candidates(&answer);
    endpoint_close(endpoint);
}

static void the_address_may_end_in_a_slash_or_be_complete(void **state)
{
    static const char *const given[] = {"http://h:8000/v1", "http://h:8000/v1/", "http://h:8000/v1//",
                                        "http://h:8000/v1/chat/completions", "http://h:8000/v1/chat/completions/"};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        char *url = exchange_url(given[i]);
        assert_non_null(url);
        assert_string_equal(url, "http://h:8000/v1/chat/completions");
        free(url);
    }
    assert_refused(exchange_url("h:8000/v1"), "h:8000/v1: does not begin with http:// or https://");
    assert_refused(exchange_url("file:///etc/passwd"), "does not begin with http:// or https://");
    assert_refused(exchange_url("http://h:80000/v1"), "http://h:80000/v1: not a valid address");
    assert_refused(exchange_url("http://h/v1?key=x"), "holds a '?' or '#'");
    assert_refused(exchange_url("https://me:hunter2@h/v1"), "holds a user's name or password");
    assert_null(strstr(error_text(), "hunter2"));
    assert_refused(exchange_url("me:hunter2@h/v1"), "does not begin with");
    assert_null(strstr(error_text(), "hunter2"));
}

static void options_out_of_range_are_refused(void **state)
{
    const EndpointOptions good = options_for(NULL);
#define REFUSED(field, value, text)                                                                                    \
    do {                                                                                                               \
        EndpointOptions bad = good;                                                                                    \
        bad.field = value;                                                                                             \
        assert_refused(endpoint_open(&bad), text);                                                                     \
    } while (0)
    REFUSED(temperature, NAN, "a temperature of nan");
    REFUSED(temperature, -1, "a temperature of -1");
    REFUSED(max_tokens, 0, "answers of 0 tokens");
    REFUSED(in_flight, 0, "0 requests in flight; it must be from 1 to 1024");
    REFUSED(in_flight, 1025, "1025 requests in flight");
    REFUSED(attempts, 0, "0 attempts");
    REFUSED(seconds, 0, "a time limit of 0 seconds");
    REFUSED(backoff, -1, "-1 seconds between attempts");
    REFUSED(cache, "/dev/null/answers.jsonl", "/dev/null");
    setenv("OPENAI_API_KEY", KEY "\r\nX: y", 1);
    REFUSED(seed, 1, "OPENAI_API_KEY holds");
    unsetenv("OPENAI_API_KEY");
    assert_null(strstr(error_text(), KEY));
}

static void more_in_flight_than_files_may_be_open_is_refused_with_what_to_do(void **state)
{
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 64;
    EndpointOptions options = options_for(NULL);
    options.in_flight = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_refused(endpoint_open(&options), "ulimit -n 132");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void a_message_that_is_not_utf8_is_refused_by_its_number(void **state)
{
    const Message messages[] = {{.role = ROLE_USER, .content = {"a", 1}}, {.role = ROLE_USER, .content = {"\xFF", 1}}};
    EndpointOptions options = options_for(NULL);
    Endpoint *endpoint = open_with(&options);
    assert_refused(endpoint_ask(endpoint, messages, 2, 1), "message 2 of a question: not valid UTF-8");
    assert_refused(endpoint_ask(endpoint, messages, 0, 1), "a question without messages");
    assert_int_equal(endpoint_pending(endpoint), 0);
    endpoint_close(endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_two_hundred_questions_gets_its_own_answer_with_sixteen_in_flight),
        cmocka_unit_test(a_request_is_what_the_api_says),
        cmocka_unit_test(what_samples_is_sent_where_it_changes_something),
        cmocka_unit_test(without_a_key_no_header_is_sent_and_without_a_seed_no_seed),
        cmocka_unit_test(the_candidates_for_the_first_token_come_with_the_answer),
        cmocka_unit_test(the_address_may_end_in_a_slash_or_be_complete),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(more_in_flight_than_files_may_be_open_is_refused_with_what_to_do),
        cmocka_unit_test(a_message_that_is_not_utf8_is_refused_by_its_number),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
