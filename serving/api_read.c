// Reading a request: a table of fields, each with the function that reads it or the one value that it may have.
#include "serving/api.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Field Field;
typedef bool FieldReader(ApiRequest *r, const json_t *value, const char *name);

static Text text_of(const json_t *value) { return (Text){json_string_value(value), json_string_length(value)}; }

// ---- values

static bool read_integer(int64_t *out, const json_t *value, const char *name, int64_t low, int64_t high)
{
    double number = json_is_real(value) ? json_real_value(value) : 0; // 16.0 is an integer, as JSON has only numbers
    bool whole = json_is_integer(value) || (json_is_real(value) && number == floor(number) && fabs(number) < 9e15);
    int64_t given = json_is_integer(value) ? json_integer_value(value) : whole ? (int64_t)number : 0;
    if (!whole || given < low || given > high)
        return fail("\"%s\" must be an integer from %" PRId64 " to %" PRId64, name, low, high);
    *out = given;
    return true;
}

static bool read_number(double *out, const json_t *value, const char *name, double low, double high, const char *range)
{
    double given = json_number_value(value);
    if (!json_is_number(value) || !(given >= low && given <= high))
        return fail("\"%s\" must be a number %s", name, range);
    *out = given;
    return true;
}

static bool read_flag(bool *out, const json_t *value, const char *name)
{
    *out = json_is_true(value);
    return json_is_boolean(value) || fail("\"%s\" must be true or false", name);
}

// A text that is used as a C string.
static bool read_word(const char **out, const json_t *value, const char *name, size_t most)
{
    Text text = text_of(value);
    *out = text.data;
    return (text.data != NULL && text.size > 0 && text.size <= most && strlen(text.data) == text.size) ||
           fail("\"%s\" must be a text of 1 to %zu bytes, without a zero byte", name, most);
}

// ---- messages

static bool says_nothing(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

// Whether an object has nothing beside what is read, and what says nothing.
static bool has_only(const json_t *object, const char *const *read, size_t count, const char *where, size_t turn)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known = known || strcmp(key, read[i]) == 0;
        if (!known && !says_nothing(value))
            return fail("%s %zu has \"%.40s\", which the chat template has no place for", where, turn, key);
    }
    return true;
}

static bool join_parts(ApiRequest *r, Text *out, const json_t *parts, size_t turn)
{
    static const char *const read[] = {"type", "text", "cache_control"}; // which changes no answer
    Bytes *text = &r->joined[r->joined_count++];
    TRY(bytes_text(text, ""));
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        Text type = text_of(json_object_get(part, "type")), content = text_of(json_object_get(part, "text"));
        if (type.data == NULL || !text_is(type, "text") || content.data == NULL)
            return fail("message %zu has a part that is not {\"type\": \"text\", \"text\": ...}; only texts are "
                        "understood",
                        turn);
        TRY(has_only(part, read, sizeof read / sizeof *read, "a part of message", turn) &&
            bytes_append(text, content.data, content.size));
    }
    *out = (Text){text->data, text->size};
    return true;
}

static bool read_role(Role *role, const json_t *message, size_t turn)
{
    static const struct {
        const char *name;
        Role role;
    } roles[] = {
        {"system", ROLE_SYSTEM}, {"developer", ROLE_SYSTEM}, {"user", ROLE_USER}, {"assistant", ROLE_ASSISTANT}};
    Text given = text_of(json_object_get(message, "role"));
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (given.data != NULL && text_is(given, roles[i].name)) {
            *role = roles[i].role;
            return true;
        }
    return fail("message %zu: \"role\" must be system, developer, user or assistant; tools are not supported", turn);
}

static bool read_message(ApiRequest *r, Message *out, const json_t *message, size_t turn)
{
    static const char *const read[] = {"role", "content", "reasoning_content", "reasoning"};
    const json_t *content = json_object_get(message, "content"), *value;
    TRY(json_is_object(message) || fail("message %zu is not an object", turn));
    TRY(read_role(&out->role, message, turn));
    TRY(has_only(message, read, out->role == ROLE_ASSISTANT ? 4 : 2, "message", turn)); // who asks has no thoughts
    for (int i = 2; i < 4 && out->reasoning.data == NULL; i++)
        if (!says_nothing(value = json_object_get(message, read[i]))) {
            out->reasoning = text_of(value);
            TRY(out->reasoning.data != NULL || fail("message %zu: \"%s\" must be a text", turn, read[i]));
        }
    out->content = text_of(content);
    if (json_is_array(content) && json_array_size(content) > 0)
        return join_parts(r, &out->content, content, turn);
    if (out->content.data == NULL && out->reasoning.data != NULL && says_nothing(content))
        out->content = (Text){"", 0};
    return out->content.data != NULL ||
           fail("message %zu: \"content\" must be a text, or a list of parts that are texts", turn);
}

static bool read_messages(ApiRequest *r, const json_t *list, const char *name)
{
    size_t count = json_array_size(list);
    TRY(count > 0 || fail("\"messages\" must be a list of at least one message"));
    TRY((r->messages = allocate(count, sizeof *r->messages)) != NULL &&
        (r->joined = allocate(count, sizeof *r->joined)) != NULL);
    r->message_count = count;
    for (size_t i = 0; i < count; i++)
        TRY(read_message(r, &r->messages[i], json_array_get(list, i), i));
    return true;
}

// ---- prompts

static bool read_ids(ApiPrompt *prompt, const json_t *list)
{
    size_t count = json_array_size(list);
    TRY(count > 0 || fail("\"prompt\" holds an empty list of ids"));
    TRY((prompt->ids = allocate(count, sizeof *prompt->ids)) != NULL);
    prompt->count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(list, i);
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < 0 || value > INT32_MAX)
            return fail("\"prompt\": a list of ids must hold the integers of tokens");
        prompt->ids[i] = (int32_t)value;
    }
    return true;
}

static bool read_one_prompt(ApiPrompt *prompt, const json_t *value)
{
    prompt->text = text_of(value);
    if (json_is_array(value))
        return read_ids(prompt, value);
    return (prompt->text.data != NULL && prompt->text.size > 0) ||
           fail("\"prompt\" must be a text, a list of ids, or a list of these, none of them empty");
}

static bool read_prompt(ApiRequest *r, const json_t *value, const char *name)
{
    r->many = json_is_array(value) && json_array_size(value) > 0 && !json_is_integer(json_array_get(value, 0));
    size_t count = r->many ? json_array_size(value) : 1;
    TRY(count <= API_CHOICES || fail("\"prompt\" holds more than %d prompts", API_CHOICES));
    TRY((r->prompts = allocate(count, sizeof *r->prompts)) != NULL);
    r->prompt_count = count;
    for (size_t i = 0; i < count; i++)
        TRY(read_one_prompt(&r->prompts[i], r->many ? json_array_get(value, i) : value));
    return true;
}

// ---- other fields

static bool read_model(ApiRequest *r, const json_t *v, const char *name) { return read_word(&r->model, v, name, 4096); }
static bool read_name(ApiRequest *r, const json_t *v, const char *name)
{
    return read_word(&r->name, v, name, API_NAME_BYTES);
}
static bool read_n(ApiRequest *r, const json_t *v, const char *name)
{
    return read_integer(&r->n, v, name, 1, API_CHOICES);
}
static bool read_echo(ApiRequest *r, const json_t *v, const char *name) { return read_flag(&r->echo, v, name); }
static bool read_stream(ApiRequest *r, const json_t *v, const char *name) { return read_flag(&r->stream, v, name); }
static bool read_past_end(ApiRequest *r, const json_t *v, const char *name) { return read_flag(&r->past_end, v, name); }
static bool read_return(ApiRequest *r, const json_t *v, const char *name) { return read_flag(&r->return_ids, v, name); }

// 0 is a completion's, for echo alone, and is kept as -1; absent is 0.
static bool read_max_tokens(ApiRequest *r, const json_t *v, const char *name)
{
    int64_t given = 0, least = r->kind == API_COMPLETION ? 0 : 1;
    TRY(read_integer(&given, v, name, least, API_TOKENS));
    given = given == 0 ? -1 : given;
    if (r->max_tokens != 0 && r->max_tokens != given)
        return fail("\"max_tokens\" and \"max_completion_tokens\" differ");
    r->max_tokens = given;
    return true;
}

static bool read_temperature(ApiRequest *r, const json_t *v, const char *name)
{
    TRY(read_number(&r->temperature, v, name, 0, 1e6, "from 0 to 1e6"));
    return r->temperature == 0 || r->temperature >= 1e-6 ||
           fail("\"temperature\" is too small to divide by; 0 is greedy");
}

static bool read_top_p(ApiRequest *r, const json_t *v, const char *name)
{
    return read_number(&r->top_p, v, name, 1e-30, 1, "above 0, at most 1");
}

static bool read_min_p(ApiRequest *r, const json_t *v, const char *name)
{
    return read_number(&r->min_p, v, name, 0, 1 - 1e-9, "from 0, below 1");
}

static bool read_top_k(ApiRequest *r, const json_t *v, const char *name)
{
    TRY(read_integer(&r->top_k, v, name, -1, 1000000000));
    r->top_k = r->top_k == -1 ? 0 : r->top_k; // vLLM's "all"
    return true;
}

static bool read_seed(ApiRequest *r, const json_t *v, const char *name)
{
    r->seeded = true;
    return read_integer(&r->seed, v, name, 0, INT64_MAX);
}

static bool read_stop(ApiRequest *r, const json_t *v, const char *name)
{
    size_t count = json_is_array(v) ? json_array_size(v) : 1;
    if (count > API_STOPS)
        return fail("\"stop\" holds more than %d texts", API_STOPS);
    for (size_t i = 0; i < count; i++)
        TRY(read_word(&r->stop[i], json_is_array(v) ? json_array_get(v, i) : v, name, API_STOP_BYTES));
    r->stop_count = count;
    return true;
}

// A chat's is a flag, with the number of candidates beside it; a completion's is that number.
static bool read_logprobs(ApiRequest *r, const json_t *v, const char *name)
{
    if (r->kind == API_CHAT)
        return read_flag(&r->logprobs, v, name);
    r->logprobs = true;
    return read_integer(&r->top, v, name, 0, API_TOP);
}

static bool read_top(ApiRequest *r, const json_t *v, const char *name)
{
    return read_integer(&r->top, v, name, 0, API_TOP);
}

static bool read_stream_options(ApiRequest *r, const json_t *v, const char *name)
{
    const char *key;
    json_t *value;
    TRY(json_is_object(v) || fail("\"stream_options\" must be an object"));
    json_object_foreach ((json_t *)(uintptr_t)v, key, value) {
        if (strcmp(key, "include_usage") == 0)
            TRY(json_is_null(value) || read_flag(&r->usage, value, key));
        else if (strcmp(key, "include_obfuscation") != 0 && !says_nothing(value))
            return fail("\"stream_options\" has \"%.40s\", which is not supported", key);
    }
    return true;
}

// ---- the table

enum { OF_CHATS = 1, OF_COMPLETIONS = 2, OF_BOTH = 3 };

struct Field {
    const char *name;
    int kinds;
    FieldReader *read; // NULL: nothing depends on it, or
    const char *only;  // the value, besides an empty one, that it may have, because it is what happens anyway
};

static const Field FIELDS[] = {
    {"model", OF_BOTH, read_model, NULL},
    {"messages", OF_CHATS, read_messages, NULL},
    {"prompt", OF_COMPLETIONS, read_prompt, NULL},
    {"n", OF_BOTH, read_n, NULL},
    {"max_tokens", OF_BOTH, read_max_tokens, NULL},
    {"max_completion_tokens", OF_CHATS, read_max_tokens, NULL},
    {"temperature", OF_BOTH, read_temperature, NULL},
    {"top_p", OF_BOTH, read_top_p, NULL},
    {"min_p", OF_BOTH, read_min_p, NULL},
    {"top_k", OF_BOTH, read_top_k, NULL},
    {"seed", OF_BOTH, read_seed, NULL},
    {"stop", OF_BOTH, read_stop, NULL},
    {"logprobs", OF_BOTH, read_logprobs, NULL},
    {"top_logprobs", OF_CHATS, read_top, NULL},
    {"echo", OF_COMPLETIONS, read_echo, NULL},
    {"stream", OF_BOTH, read_stream, NULL},
    {"stream_options", OF_BOTH, read_stream_options, NULL},
    {"request_id", OF_BOTH, read_name, NULL},
    {"ignore_eos", OF_BOTH, read_past_end, NULL},
    {"return_token_ids", OF_BOTH, read_return, NULL},
    // nothing depends on them
    {"user", OF_BOTH, NULL, NULL},
    {"metadata", OF_BOTH, NULL, NULL},
    {"store", OF_BOTH, NULL, NULL},
    {"service_tier", OF_BOTH, NULL, NULL},
    {"safety_identifier", OF_BOTH, NULL, NULL},
    {"prompt_cache_key", OF_BOTH, NULL, NULL},
    {"prompt_cache_retention", OF_BOTH, NULL, NULL},
    {"parallel_tool_calls", OF_CHATS, NULL, NULL},
    {"prediction", OF_CHATS, NULL, NULL},
    // what they ask for happens, or not at all
    {"frequency_penalty", OF_BOTH, NULL, "0"},
    {"presence_penalty", OF_BOTH, NULL, "0"},
    {"repetition_penalty", OF_BOTH, NULL, "1"},
    {"logit_bias", OF_BOTH, NULL, "{}"},
    {"best_of", OF_COMPLETIONS, NULL, "1"},
    {"suffix", OF_COMPLETIONS, NULL, "\"\""},
    {"response_format", OF_BOTH, NULL, "{\"type\":\"text\"}"},
    {"modalities", OF_CHATS, NULL, "[\"text\"]"},
    {"audio", OF_CHATS, NULL, "{}"},
    {"tools", OF_CHATS, NULL, "[]"},
    {"tool_choice", OF_CHATS, NULL, "\"none\""},
    {"functions", OF_CHATS, NULL, "[]"},
    {"function_call", OF_CHATS, NULL, "\"none\""},
    {"reasoning_effort", OF_CHATS, NULL, "\"\""},
    {"verbosity", OF_CHATS, NULL, "\"\""},
    {"web_search_options", OF_CHATS, NULL, "{}"},
    {"min_tokens", OF_BOTH, NULL, "0"},
    {"stop_token_ids", OF_BOTH, NULL, "[]"},
    {"skip_special_tokens", OF_BOTH, NULL, "true"},
    {"add_generation_prompt", OF_CHATS, NULL, "true"},
    {"continue_final_message", OF_CHATS, NULL, "false"},
    {"chat_template_kwargs", OF_CHATS, NULL, "{}"},
};

// 1.0 is 1.
static bool is_only(const json_t *value, const char *only)
{
    json_t *wanted = json_loads(only, JSON_DECODE_ANY, NULL);
    bool same = json_is_number(value) && json_is_number(wanted) ? json_number_value(value) == json_number_value(wanted)
                                                                : json_equal(value, wanted);
    json_decref(wanted);
    return same || says_nothing(value);
}

static bool read_field(ApiRequest *r, const json_t *value, const char *name)
{
    const char *kind = r->kind == API_CHAT ? "chat" : "completion";
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        const Field *f = &FIELDS[i];
        if (strcmp(f->name, name) != 0 || !(f->kinds & (r->kind == API_CHAT ? OF_CHATS : OF_COMPLETIONS)))
            continue;
        if (json_is_null(value))
            return true;
        if (f->read != NULL)
            return f->read(r, value, name);
        return f->only == NULL || is_only(value, f->only) ||
               fail("\"%s\" is not supported; leave it out%s%s", name, f->only[0] == '{' ? "" : ", or send ",
                    f->only[0] == '{' ? "" : f->only);
    }
    return fail("\"%.60s\" is not a field of a %s here; leave it out", name, kind);
}

// ---- the whole

static bool refuse(ApiRefusal *refusal, const char *param, const char *code)
{
    *refusal = (ApiRefusal){.status = 400, .code = code};
    snprintf(refusal->param, sizeof refusal->param, "%s", param);
    refusal->param[utf8_valid_prefix(refusal->param, strlen(refusal->param))] = 0;
    return false;
}

static bool check_whole(const ApiRequest *r, ApiRefusal *refusal)
{
    const char *asked = r->kind == API_CHAT ? "messages" : "prompt";
    if (r->model == NULL)
        return fail("\"model\" is missing; GET /v1/models says what there is") || refuse(refusal, "model", NULL);
    if (r->messages == NULL && r->prompts == NULL)
        return fail("\"%s\" is missing", asked) || refuse(refusal, asked, NULL);
    if ((int64_t)r->prompt_count * r->n > API_CHOICES)
        return fail("prompts times \"n\" are more than %d", API_CHOICES) || refuse(refusal, "n", NULL);
    if (r->kind == API_CHAT && r->top > 0 && !r->logprobs)
        return fail("\"top_logprobs\" needs \"logprobs\": true") || refuse(refusal, "top_logprobs", NULL);
    if (r->usage && !r->stream)
        return fail("\"stream_options\" are for \"stream\": true") || refuse(refusal, "stream_options", NULL);
    if (r->max_tokens < 0 && !r->echo)
        return fail("\"max_tokens\": 0 leaves only the prompt, for \"echo\": true") ||
               refuse(refusal, "max_tokens", NULL);
    if (r->name != NULL && r->prompt_count > 1)
        return fail("\"request_id\" is the name of one prompt, and there are several") ||
               refuse(refusal, "request_id", NULL);
    return true;
}

bool api_read(ApiRequest *r, ApiRefusal *refusal, ApiKind kind, const char *body, size_t size)
{
    const char *name;
    json_t *value;
    *r = (ApiRequest){.kind = kind, .n = 1, .temperature = 1, .top_p = 1};
    *refusal = (ApiRefusal){.status = 400};
    TRY((r->body = json_parse(body, size, "the body")) != NULL);
    TRY(json_is_object(r->body) || fail("the body is not a JSON object"));
    json_object_foreach (r->body, name, value) {
        if (!read_field(r, value, name))
            return refuse(refusal, name, NULL);
    }
    return check_whole(r, refusal);
}

void api_request_free(ApiRequest *r)
{
    for (size_t i = 0; i < r->prompt_count; i++)
        free(r->prompts[i].ids);
    for (size_t i = 0; i < r->joined_count; i++)
        bytes_free(&r->joined[i]);
    free(r->prompts);
    free(r->joined);
    free(r->messages);
    json_decref(r->body);
    *r = (ApiRequest){0};
}
