// Questions to a server that behaves, and to one that does not: the answer, the number of attempts, and the error when
// retries do not help. The form of answers, and the answer file by itself: test_answer.c.
#include "system/files.h"
#include "test/support/check.h"
#include "test/support/failpoints.h"
#include "test/support/server.h"

#include "server/answer_file.h"
#include "server/exchange.h"
#include "system/signals.h"
#include <sys/resource.h>

#define KEY "sk-0123456789abcdefghijklmnopqrstuvwxyz"

static char folder[] = "/tmp/test_endpoint-XXXXXX";
static char *cache_path;
static Server server;

static EndpointOptions options_for(const char *cache)
{
    return (EndpointOptions){.url = server.url,
                             .model = "judge",
                             .temperature = 0,
                             .max_tokens = 16,
                             .seed = -1,
                             .in_flight = 16,
                             .attempts = 3,
                             .seconds = 60,
                             .backoff = 0.01,
                             .cache = cache};
}

static Endpoint *open_with(const EndpointOptions *options)
{
    Endpoint *endpoint = endpoint_open(options);
    if (endpoint == NULL)
        fail_msg("endpoint_open: %s", error_text());
    return endpoint;
}

static bool ask(Endpoint *endpoint, const char *text, uint64_t tag)
{
    const Message message = {.role = ROLE_USER, .content = {text, strlen(text)}};
    return endpoint_ask(endpoint, &message, 1, tag);
}

static bool is_right(const EndpointAnswer *answer, const char *question)
{
    char text[128];
    int size = snprintf(text, sizeof text, "the answer to %s is \xC3\xA9%c\n", question, 0);
    return !answer->failed && answer->error == NULL && answer->text.size == (size_t)size &&
           memcmp(answer->text.data, text, (size_t)size) == 0 && strcmp(answer->finish_reason, "stop") == 0;
}

static void assert_right(const EndpointAnswer *answer, const char *question)
{
    if (!is_right(answer, question))
        fail_msg("the answer to '%s' is '%.*s' (%s)", question, (int)answer->text.size, answer->text.data,
                 answer->failed ? answer->error : "no error");
}

// Asks one question and nothing else.
static EndpointAnswer ask_one(Endpoint *endpoint, const char *text)
{
    EndpointAnswer answer;
    assert_ok(ask(endpoint, text, 77));
    assert_ok(endpoint_next(endpoint, &answer));
    assert_int_equal(answer.tag, 77);
    assert_int_equal(endpoint_pending(endpoint), 0);
    return answer;
}

// ---- all goes well

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
    Endpoint *endpoint = open_with(&options);
    assert_ok(endpoint_ask_seeded(endpoint, &message, 1, 77, 1));
    assert_ok(endpoint_next(endpoint, &answer));
    assert_non_null(strstr(server.seen->body,
                           "\"max_tokens\":16,\"seed\":77,\"top_p\":0.95,\"min_p\":0.05,\"top_k\":20,"
                           "\"stop\":[\"END\",\"\\n\\\"\"]}"));
    endpoint_close(endpoint);
    options = options_for(NULL);
    options.top_p = 1; // all of them, which is what a server does by itself
    endpoint = open_with(&options);
    ask_one(endpoint, "right 0 sampling");
    assert_null(strstr(server.seen->body, "top_p"));
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

static void assert_candidates(const EndpointAnswer *answer)
{
    assert_int_equal(answer->top_count, 3);
    assert_memory_equal(answer->top[0].token.data, "3", 2);
    assert_memory_equal(answer->top[1].token.data, "\xC3\xA9", 3);
    assert_int_equal(answer->top[1].token.size, 2);
    assert_true(answer->top[0].logprob == -0.1 && answer->top[1].logprob == -12 && answer->top[2].logprob == -9999);
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

// ---- all does not go well

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

// ---- the cache

static char *fresh_cache(void)
{
    unlink(cache_path);
    return cache_path;
}

static int64_t lines_of_cache(void)
{
    Bytes file = {0};
    int64_t lines = 0;
    assert_ok(file_read(&file, cache_path, 1 << 20));
    for (const char *c = file.data; (c = strchr(c, '\n')) != NULL; c++)
        lines++;
    bytes_free(&file);
    return lines;
}

static void an_answer_from_the_cache_is_the_one_that_came(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    options.logprobs = true;
    int requests = 0;
    for (int time = 0; time < 3; time++) {
        Endpoint *endpoint = open_with(&options); // each time another one
        EndpointAnswer answer = ask_one(endpoint, "right 0 cached");
        assert_right(&answer, "right 0 cached");
        assert_candidates(&answer);
        assert_int_equal(answer.attempts, time == 0 ? 1 : 0);
        answer = ask_one(endpoint, "right 0 cached"); // by the same one
        assert_right(&answer, "right 0 cached");
        assert_int_equal(answer.attempts, 0);
        requests = time == 0 ? server.seen->requests : requests;
        assert_int_equal(server.seen->requests, requests);
        assert_int_equal(lines_of_cache(), 1);
        endpoint_close(endpoint);
        options.url = time == 0 ? "http://127.0.0.1:1/v1" : server.url; // another address is not another question
    }
}

static void another_question_model_or_setting_is_another_key(void **state)
{
    EndpointOptions options = options_for(fresh_cache()), changed[6];
    for (int i = 0; i < 6; i++)
        changed[i] = options;
    changed[1].model = "judge2";
    changed[2].temperature = 0.5;
    changed[3].max_tokens = 17;
    changed[4].seed = 0;
    changed[5].logprobs = true;
    for (int i = 0; i < 6; i++) {
        Endpoint *endpoint = open_with(&changed[i]);
        assert_int_equal(ask_one(endpoint, "right 0 keys").attempts, 1);
        endpoint_close(endpoint);
    }
    Endpoint *endpoint = open_with(&options);
    assert_int_equal(ask_one(endpoint, "right 0 keys").attempts, 0);
    assert_int_equal(ask_one(endpoint, "right 0 other").attempts, 1);
    assert_int_equal(lines_of_cache(), 7);
    endpoint_close(endpoint);
}

static void the_same_question_twice_has_one_answer(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer;
    for (uint64_t i = 0; i < 40; i++) // more than are in flight: some find it in the queue, some on their way
        assert_ok(ask(endpoint, "right 0 twice", i));
    for (uint64_t i = 0; i < 40; i++) {
        assert_ok(endpoint_next(endpoint, &answer));
        assert_right(&answer, "right 0 twice");
    }
    assert_int_equal(lines_of_cache(), 1);
    assert_true(server_attempts(&server, "right 0 twice") <= 16);
    endpoint_close(endpoint);
}

static void failures_are_not_kept(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    options.attempts = 1;
    Endpoint *endpoint = open_with(&options);
    assert_true(ask_one(endpoint, "down 1 kept").failed);
    EndpointAnswer answer = ask_one(endpoint, "down 1 kept");
    assert_right(&answer, "down 1 kept");
    assert_int_equal(lines_of_cache(), 1);
    endpoint_close(endpoint);
}

enum { KILL_QUESTIONS = 6 };

typedef struct KillRun {
    int number; // so that its questions are its own
} KillRun;

static void kill_question(char text[64], const KillRun *run, int i)
{
    snprintf(text, 64, "right 0 kill-%d-%d", run->number, i);
}

static bool ask_them_all(void *context)
{
    char text[64];
    EndpointOptions options = options_for(cache_path);
    EndpointAnswer answer;
    options.in_flight = 1; // in their order
    Endpoint *endpoint = endpoint_open(&options);
    bool ok = endpoint != NULL;
    for (int i = 0; ok && i < KILL_QUESTIONS; i++) {
        kill_question(text, context, i);
        ok = ask(endpoint, text, (uint64_t)i);
    }
    for (int i = 0; ok && i < KILL_QUESTIONS; i++) {
        ok = endpoint_next(endpoint, &answer);
        kill_question(text, context, ok ? (int)answer.tag : 0);
        ok = ok && is_right(&answer, text);
    }
    endpoint_close(endpoint);
    return ok;
}

static void after_a_kill_at_any_write_no_answer_that_was_written_is_asked_for_again(void **state)
{
    for (int killed = 0; killed <= KILL_QUESTIONS; killed++) {
        char text[64];
        KillRun run = {killed};
        fresh_cache();
        assert_true(survives_kill(killed, ask_them_all, &run) == (killed == KILL_QUESTIONS));
        assert_true(ask_them_all(&run)); // over what is left: whole lines, and half of one
        assert_int_equal(lines_of_cache(), KILL_QUESTIONS);
        for (int i = 0; i < KILL_QUESTIONS; i++) {
            kill_question(text, &run, i);
            assert_int_equal(server_attempts(&server, text),
                             i == killed ? 2 : 1); // its answer came, and half of it was written
        }
    }
}

static void a_full_disk_is_an_error_and_leaves_whole_lines(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer = ask_one(endpoint, "right 0 fits");
    assert_right(&answer, "right 0 fits");
    assert_ok(ask(endpoint, "right 0 full", 1));
    failpoint_arm(FAIL_ERROR, 0);
    assert_refused(endpoint_next(endpoint, &answer), "free some space and run again: No space left on device");
    failpoint_arm(FAIL_NOT, 0);
    endpoint_close(endpoint);
    assert_int_equal(lines_of_cache(), 1);
}

static void one_process_at_a_time_has_the_cache(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    Endpoint *endpoint = open_with(&options);
    assert_refused(endpoint_open(&options), "another process keeps its answers in this file");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(endpoint_open(&options) == NULL ? 3 : 1);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    endpoint_close(endpoint);
    endpoint = open_with(&options); // and it is free again
    endpoint_close(endpoint);
}

static int set_up(void **state)
{
    unsetenv("OPENAI_API_KEY");
    setenv("no_proxy", "127.0.0.1", 1);
    cache_path = mkdtemp(folder) == NULL ? NULL : path_join(folder, "answers.jsonl");
    server = server_start();
    return cache_path == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    server_stop(&server);
    free(cache_path);
    return folder_remove(folder) ? 0 : -1;
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
        cmocka_unit_test(an_answer_from_the_cache_is_the_one_that_came),
        cmocka_unit_test(another_question_model_or_setting_is_another_key),
        cmocka_unit_test(the_same_question_twice_has_one_answer),
        cmocka_unit_test(failures_are_not_kept),
        cmocka_unit_test(after_a_kill_at_any_write_no_answer_that_was_written_is_asked_for_again),
        cmocka_unit_test(a_full_disk_is_an_error_and_leaves_whole_lines),
        cmocka_unit_test(one_process_at_a_time_has_the_cache),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
