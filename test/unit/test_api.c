// What clients ask for is read strictly: fields that are honoured, fields that say nothing, and all others, refused by
// their names; hostile bodies end in one error.
#include "test/support/check.h"
#include "serving/answer.h"
#include <string.h>

static void read_ok(ApiRequest *r, ApiKind kind, const char *body)
{
    ApiRefusal refusal;
    assert_ok(api_read(r, &refusal, kind, body, strlen(body)));
}

#define CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define TEXT "{\"model\":\"m\",\"prompt\":\"hi\""

static void defaults_are_those_of_generate(void **state)
{
    ApiRequest r;
    read_ok(&r, API_CHAT, CHAT "}");
    assert_true(r.n == 1 && r.temperature == 1 && r.top_p == 1 && r.min_p == 0 && r.top_k == 0 && !r.seeded);
    assert_true(r.max_tokens == 0 && !r.stream && !r.logprobs && !r.echo && r.stop_count == 0 && r.name == NULL);
    assert_int_equal(r.message_count, 1);
    assert_int_equal(r.messages[0].role, ROLE_USER);
    assert_string_equal(r.messages[0].content.data, "hi");
    api_request_free(&r);
}

static void every_field_is_read(void **state)
{
    ApiRequest r;
    read_ok(&r, API_CHAT,
            CHAT
            ",\"n\":3,\"max_completion_tokens\":7,\"max_tokens\":7,\"temperature\":0.5,\"top_p\":0.25,\"min_p\":0.125,"
            "\"top_k\":9,\"seed\":9007199254740993,\"stop\":[\"a\",\"b\\u00e9\"],\"logprobs\":true,\"top_logprobs\":4,"
            "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"request_id\":\"row 5\",\"ignore_eos\":true,"
            "\"return_token_ids\":true}");
    assert_true(r.n == 3 && r.max_tokens == 7 && r.temperature == 0.5 && r.top_p == 0.25 && r.min_p == 0.125);
    assert_true(r.top_k == 9 && r.seeded && r.seed == 9007199254740993 && r.logprobs && r.top == 4 && r.stream &&
                r.usage);
    assert_true(r.stop_count == 2 && strcmp(r.stop[1], "b\xc3\xa9") == 0 && strcmp(r.name, "row 5") == 0);
    assert_true(r.past_end && r.return_ids);
    api_request_free(&r);
    read_ok(&r, API_COMPLETION, TEXT ",\"echo\":true,\"logprobs\":0,\"max_tokens\":0,\"stop\":\"x\",\"seed\":1.0}");
    assert_true(r.echo && r.logprobs && r.top == 0 && r.max_tokens == -1 && r.stop_count == 1 && r.seed == 1);
    api_request_free(&r);
}

static void prompts_are_texts_or_ids_one_or_many(void **state)
{
    ApiRequest r;
    read_ok(&r, API_COMPLETION, "{\"model\":\"m\",\"prompt\":[1,2,3]}");
    assert_true(r.prompt_count == 1 && !r.many && r.prompts[0].count == 3 && r.prompts[0].ids[2] == 3);
    api_request_free(&r);
    read_ok(&r, API_COMPLETION, "{\"model\":\"m\",\"prompt\":[\"a\",[4],\"b\"],\"n\":2}");
    assert_true(r.prompt_count == 3 && r.many && r.prompts[1].ids[0] == 4 && r.prompts[2].text.size == 1);
    api_request_free(&r);
}

static void messages_are_turns_of_text(void **state)
{
    ApiRequest r;
    read_ok(&r, API_CHAT,
            "{\"model\":\"m\",\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
            "{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"t\","
            "\"tool_calls\":null,\"refusal\":null},{\"role\":\"user\",\"content\":\"\"}]}");
    assert_int_equal(r.messages[0].role, ROLE_SYSTEM);
    assert_true(r.messages[0].content.size == 2 && memcmp(r.messages[0].content.data, "ab", 2) == 0);
    assert_true(r.messages[1].content.size == 0 && r.messages[1].reasoning.size == 1);
    api_request_free(&r);
}

static void what_says_nothing_is_accepted(void **state)
{
    static const char *const said[] = {
        "\"user\":\"me\"",
        "\"metadata\":{\"a\":\"b\"}",
        "\"frequency_penalty\":0.0",
        "\"presence_penalty\":null",
        "\"logit_bias\":{}",
        "\"tools\":[]",
        "\"tool_choice\":\"none\"",
        "\"store\":false",
        "\"response_format\":{\"type\":\"text\"}",
        "\"n\":null",
        "\"stop\":[]",
        "\"stop\":null",
        "\"top_k\":-1",
        "\"repetition_penalty\":1.0",
        "\"parallel_tool_calls\":true",
        "\"service_tier\":\"auto\"",
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        ApiRequest r;
        char body[400];
        snprintf(body, sizeof body, CHAT ",%s}", said[i]);
        read_ok(&r, API_CHAT, body);
        api_request_free(&r);
    }
}

// What is wrong, the field that is named, and a part of what is said.
static const struct {
    ApiKind kind;
    const char *body, *param, *said;
} WRONG[] = {
    {API_CHAT, "", "", "the body"},
    {API_CHAT, "{", "", "the body"},
    {API_CHAT, "[]", "", "not a JSON object"},
    {API_CHAT, "1", "", "the body"},
    {API_CHAT, CHAT "} x", "", "the body"},
    {API_CHAT, CHAT ",\"n\":1,\"n\":2}", "", "duplicate"},
    {API_CHAT, "{\"model\":\"m\xff\"}", "", "the body"},
    {API_CHAT, CHAT ",\"seed\":99999999999999999999}", "", "too big integer"},
    {API_CHAT, CHAT ",\"temperature\":1e999}", "", "real number overflow"},
    {API_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "model", "\"model\" is missing"},
    {API_CHAT, "{\"model\":\"m\"}", "messages", "\"messages\" is missing"},
    {API_COMPLETION, "{\"model\":\"m\"}", "prompt", "\"prompt\" is missing"},
    {API_CHAT, "{\"model\":7}", "model", "must be a text"},
    {API_CHAT, "{\"model\":\"a\\u0000b\"}", "model", "without a zero byte"},
    {API_CHAT, "{\"model\":\"m\",\"messages\":[]}", "messages", "at least one message"},
    {API_CHAT, "{\"model\":\"m\",\"messages\":{}}", "messages", "at least one message"},
    {API_CHAT, "{\"model\":\"m\",\"messages\":[1]}", "messages", "message 0 is not an object"},
    {API_CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"tool\",\"content\":\"\"}]}", "messages",
     "tools are not supported"},
    {API_CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}", "messages", "\"content\" must be a text"},
    {API_CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}",
     "messages", "only texts are understood"},
    {API_CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"name\":\"Bob\"}]}", "messages",
     "has \"name\""},
    {API_CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"reasoning\":\"t\"}]}", "messages",
     "has \"reasoning\""},
    {API_CHAT,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"x\":1}]}]}",
     "messages", "a part of message 0 has \"x\""},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":\"\"}", "prompt", "none of them empty"},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":[]}", "prompt", "empty"},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":[[]]}", "prompt", "an empty list of ids"},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":[1,-2]}", "prompt", "integers of tokens"},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":[1,2147483648]}", "prompt", "integers of tokens"},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":[1,\"a\"]}", "prompt", "integers of tokens"},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":[\"a\",1]}", "prompt", "must be a text, a list of ids"},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],\"n\":600}", "n", "more than 1024"},
    {API_COMPLETION, "{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],\"request_id\":\"x\"}", "request_id", "one prompt"},
    {API_COMPLETION, TEXT ",\"max_tokens\":0}", "max_tokens", "leaves only the prompt"},
    {API_COMPLETION, TEXT ",\"messages\":[]}", "messages", "not a field of a completion"},
    {API_COMPLETION, TEXT ",\"logprobs\":true}", "logprobs", "must be an integer"},
    {API_COMPLETION, TEXT ",\"logprobs\":21}", "logprobs", "from 0 to 20"},
    {API_COMPLETION, TEXT ",\"best_of\":4}", "best_of", "not supported"},
    {API_COMPLETION, TEXT ",\"suffix\":\"x\"}", "suffix", "not supported"},
    {API_CHAT, CHAT ",\"prompt\":\"a\"}", "prompt", "not a field of a chat"},
    {API_CHAT, CHAT ",\"echo\":true}", "echo", "not a field of a chat"},
    {API_CHAT, CHAT ",\"top_logprobs\":3}", "top_logprobs", "needs \"logprobs\": true"},
    {API_CHAT, CHAT ",\"logprobs\":3}", "logprobs", "true or false"},
    {API_CHAT, CHAT ",\"max_tokens\":0}", "max_tokens", "from 1"},
    {API_CHAT, CHAT ",\"max_tokens\":3,\"max_completion_tokens\":4}", "max_completion_tokens", "differ"},
    {API_CHAT, CHAT ",\"max_tokens\":1.5}", "max_tokens", "must be an integer"},
    {API_CHAT, CHAT ",\"max_tokens\":\"5\"}", "max_tokens", "must be an integer"},
    {API_CHAT, CHAT ",\"n\":1025}", "n", "from 1 to 1024"},
    {API_CHAT, CHAT ",\"temperature\":-1}", "temperature", "from 0 to 1e6"},
    {API_CHAT, CHAT ",\"temperature\":1e-9}", "temperature", "too small"},
    {API_CHAT, CHAT ",\"top_p\":0}", "top_p", "above 0"},
    {API_CHAT, CHAT ",\"min_p\":1}", "min_p", "below 1"},
    {API_CHAT, CHAT ",\"seed\":-1}", "seed", "from 0"},
    {API_CHAT, CHAT ",\"stop\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "stop", "more than 16"},
    {API_CHAT, CHAT ",\"stop\":\"\"}", "stop", "1 to 1024 bytes"},
    {API_CHAT, CHAT ",\"stop\":{}}", "stop", "must be a text"},
    {API_CHAT, CHAT ",\"stream\":1}", "stream", "true or false"},
    {API_CHAT, CHAT ",\"stream_options\":{\"include_usage\":true}}", "stream_options", "\"stream\": true"},
    {API_CHAT, CHAT ",\"stream_options\":{\"x\":1}}", "stream_options", "\"x\""},
    {API_CHAT, CHAT ",\"tools\":[{}]}", "tools", "not supported"},
    {API_CHAT, CHAT ",\"response_format\":{\"type\":\"json_object\"}}", "response_format", "not supported"},
    {API_CHAT, CHAT ",\"frequency_penalty\":0.1}", "frequency_penalty", "not supported"},
    {API_CHAT, CHAT ",\"logit_bias\":{\"5\":1}}", "logit_bias", "not supported"},
    {API_CHAT, CHAT ",\"reasoning_effort\":\"high\"}", "reasoning_effort", "not supported"},
    {API_CHAT, CHAT ",\"nonsense\":null}", "nonsense", "not a field of a chat"},
};

static void what_is_wrong_is_refused_by_its_name(void **state)
{
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        ApiRequest r;
        ApiRefusal refusal;
        bool ok = api_read(&r, &refusal, WRONG[i].kind, WRONG[i].body, strlen(WRONG[i].body));
        api_request_free(&r);
        if (ok || strcmp(refusal.param, WRONG[i].param) != 0 || strstr(error_text(), WRONG[i].said) == NULL ||
            refusal.status != 400)
            fail_msg("%s: param '%s', status %d: %s", WRONG[i].body, refusal.param, refusal.status, error_text());
        error_clear();
    }
}

// As deep as the parser goes, and deeper; a name that is long and half a character.
static void hostile_bodies_are_one_error(void **state)
{
    ApiRequest r;
    ApiRefusal refusal;
    Bytes deep = {0}, error = {0};
    assert_ok(bytes_text(&deep, "{\"model\":\"m\",\"prompt\":"));
    for (int i = 0; i < 100000; i++)
        assert_ok(bytes_text(&deep, "["));
    assert_false(api_read(&r, &refusal, API_COMPLETION, deep.data, deep.size));
    api_request_free(&r);
    bytes_clear(&deep);
    assert_ok(bytes_text(&deep, "{\""));
    for (int i = 0; i < 1000; i++)
        assert_ok(bytes_text(&deep, "\xc3\xa9"));
    assert_ok(bytes_text(&deep, "\":1}"));
    assert_false(api_read(&r, &refusal, API_CHAT, deep.data, deep.size));
    assert_true(utf8_valid_prefix(refusal.param, strlen(refusal.param)) == strlen(refusal.param));
    assert_ok(answer_error(&error, &refusal, error_text()));
    json_t *said = json_parse(error.data, error.size, "the error");
    assert_non_null(said);
    assert_non_null(json_object_get(json_object_get(said, "error"), "message"));
    json_decref(said);
    api_request_free(&r);
    error_clear();
    bytes_free(&deep);
    bytes_free(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_generate),       cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(prompts_are_texts_or_ids_one_or_many), cmocka_unit_test(messages_are_turns_of_text),
        cmocka_unit_test(what_says_nothing_is_accepted),        cmocka_unit_test(what_is_wrong_is_refused_by_its_name),
        cmocka_unit_test(hostile_bodies_are_one_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
