// Questions to the test's server (server.h), for tests of the client: the options of a client, one question and its
// answer, and the answer file in this test program's folder.
#ifndef TEST_ENDPOINT_H
#define TEST_ENDPOINT_H

#include "server/exchange.h"
#include "system/files.h"
#include "test/support/check.h"
#include "test/support/server.h"

#define KEY "sk-0123456789abcdefghijklmnopqrstuvwxyz"

static char folder[] = "/tmp/test_endpoint-XXXXXX";
static char *cache_path;
static Server server;

static inline EndpointOptions options_for(const char *cache)
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

static inline Endpoint *open_with(const EndpointOptions *options)
{
    Endpoint *endpoint = endpoint_open(options);
    if (endpoint == NULL)
        fail_msg("endpoint_open: %s", error_text());
    return endpoint;
}

static inline bool ask(Endpoint *endpoint, const char *text, uint64_t tag)
{
    const Message message = {.role = ROLE_USER, .content = {text, strlen(text)}};
    return endpoint_ask(endpoint, &message, 1, tag);
}

static inline bool is_right(const EndpointAnswer *answer, const char *question)
{
    char text[128];
    int size = snprintf(text, sizeof text, "the answer to %s is \xC3\xA9%c\n", question, 0);
    return !answer->failed && answer->error == NULL && answer->text.size == (size_t)size &&
           memcmp(answer->text.data, text, (size_t)size) == 0 && strcmp(answer->finish_reason, "stop") == 0;
}

static inline void assert_right(const EndpointAnswer *answer, const char *question)
{
    if (!is_right(answer, question))
        fail_msg("the answer to '%s' is '%.*s' (%s)", question, (int)answer->text.size, answer->text.data,
                 answer->failed ? answer->error : "no error");
}

// Asks one question and nothing else.
static inline EndpointAnswer ask_one(Endpoint *endpoint, const char *text)
{
    EndpointAnswer answer;
    assert_ok(ask(endpoint, text, 77));
    assert_ok(endpoint_next(endpoint, &answer));
    assert_int_equal(answer.tag, 77);
    assert_int_equal(endpoint_pending(endpoint), 0);
    return answer;
}

static inline void assert_candidates(const EndpointAnswer *answer)
{
    assert_int_equal(answer->top_count, 3);
    assert_memory_equal(answer->top[0].token.data, "3", 2);
    assert_memory_equal(answer->top[1].token.data, "\xC3\xA9", 3);
    assert_int_equal(answer->top[1].token.size, 2);
    assert_true(answer->top[0].logprob == -0.1 && answer->top[1].logprob == -12 && answer->top[2].logprob == -9999);
}

static inline char *fresh_cache(void)
{
    unlink(cache_path);
    return cache_path;
}

static inline int set_up(void **state)
{
    unsetenv("OPENAI_API_KEY");
    setenv("no_proxy", "127.0.0.1", 1);
    cache_path = mkdtemp(folder) == NULL ? NULL : path_join(folder, "answers.jsonl");
    server = server_start();
    return cache_path == NULL ? -1 : 0;
}

static inline int tear_down(void **state)
{
    server_stop(&server);
    free(cache_path);
    return folder_remove(folder) ? 0 : -1;
}

#endif
