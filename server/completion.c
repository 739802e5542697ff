// Strict about the fields that are used, tolerant of all others: servers add fields freely.
#include "server/completion.h"

// The first element of the array object[key]. *out is NULL where the key is absent or null, or the array empty.
static bool first_of(const json_t **out, const json_t *object, const char *key, const char *where)
{
    const json_t *list = json_object_get(object, key);
    *out = NULL;
    if (list == NULL || json_is_null(list))
        return true;
    if (!json_is_array(list))
        return fail("%s: key \"%s\" must be an array", where, key);
    *out = json_array_get(list, 0);
    return *out == NULL || json_is_object(*out) || fail("%s: key \"%s\" must hold objects", where, key);
}

static Text text_of(const json_t *value) { return (Text){json_string_value(value), json_string_length(value)}; }

static bool read_top(Answer *answer, const json_t *list, const char *where)
{
    size_t count = json_array_size(list);
    if (list != NULL && !json_is_null(list) && !json_is_array(list))
        return fail("%s: key \"top_logprobs\" must be an array", where);
    for (size_t i = 0; i < count && i < ANSWER_TOP; i++) {
        const json_t *candidate = json_array_get(list, i), *token = json_object_get(candidate, "token");
        const json_t *logprob = json_object_get(candidate, "logprob");
        if (!json_is_string(token) || !json_is_number(logprob))
            return fail("%s: key \"top_logprobs\" must hold objects with \"token\" and \"logprob\"", where);
        answer->top[answer->top_count++] = (TopToken){text_of(token), json_number_value(logprob)};
    }
    return true;
}

// The thought that a server has split from the model's text.
static bool read_reasoning(Answer *answer, const json_t *message, const char *where)
{
    static const char *const names[] = {"reasoning_content", "reasoning"};
    for (size_t i = 0; i < sizeof names / sizeof *names && answer->reasoning.size == 0; i++) {
        const json_t *value = json_object_get(message, names[i]);
        if (value == NULL || json_is_null(value))
            continue;
        if (!json_is_string(value))
            return fail("%s: choices[0].message.%s is not a string", where, names[i]);
        answer->reasoning = text_of(value);
    }
    return true;
}

static bool read_choice(Answer *answer, const json_t *choice, const char *where)
{
    const json_t *message = json_object_get(choice, "message"), *content = json_object_get(message, "content"), *first;
    TRY(json_may_text(&answer->finish_reason, choice, "finish_reason", where) &&
        read_reasoning(answer, message, where));
    bool thought_alone = answer->reasoning.size > 0 && (content == NULL || json_is_null(content));
    if (!json_is_string(content) && !thought_alone)
        return fail("%s: choices[0].message.content is not a string (finish_reason \"%s\")", where,
                    answer->finish_reason);
    answer->text = thought_alone ? (Text){"", 0} : text_of(content);
    TRY(first_of(&first, json_object_get(choice, "logprobs"), "content", where));
    return read_top(answer, json_object_get(first, "top_logprobs"), where);
}

bool answer_take(Answer *answer, json_t *root, const char *where)
{
    const json_t *choice;
    *answer = (Answer){.root = root, .finish_reason = ""};
    bool ok = first_of(&choice, root, "choices", where) &&
              (choice != NULL || fail("%s: \"choices\" is missing or empty", where));
    ok = ok && read_choice(answer, choice, where);
    if (!ok)
        answer_free(answer);
    return ok;
}

// Some servers answer with status 200 and an "error" beside other fields.
static bool has_error(const json_t *root)
{
    const json_t *error = json_object_get(root, "error");
    bool empty = json_is_null(error) || json_is_false(error) ||
                 (json_is_string(error) && json_string_length(error) == 0) ||
                 (json_is_object(error) && json_object_size(error) == 0);
    return error != NULL && !empty;
}

bool answer_parse(Answer *answer, const char *body, size_t size, const char *where)
{
    *answer = (Answer){0};
    json_t *root = json_parse(body, size, where);
    if (has_error(root)) {
        json_decref(root);
        return fail("%s: it holds an error", where);
    }
    return root != NULL && answer_take(answer, root, where);
}

void answer_free(Answer *answer)
{
    json_decref(answer->root);
    *answer = (Answer){0};
}

// ---- writing

static json_t *text_json(Text text) { return json_stringn(text.data, text.size); }

static json_t *top_json(const Answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < answer->top_count; i++) {
        const TopToken *top = &answer->top[i];
        if (json_array_append_new(
                list, json_pack("{s:o, s:f}", "token", text_json(top->token), "logprob", top->logprob)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *answer_json(const Answer *answer)
{
    json_t *choice = json_pack("{s:{s:o}, s:s}", "message", "content", text_json(answer->text), "finish_reason",
                               answer->finish_reason);
    bool ok = choice != NULL;
    if (ok && answer->reasoning.size > 0)
        ok = json_object_set_new(json_object_get(choice, "message"), "reasoning_content",
                                 text_json(answer->reasoning)) == 0;
    if (ok && answer->top_count > 0)
        ok = json_object_set_new(choice, "logprobs",
                                 json_pack("{s:[{s:o}]}", "content", "top_logprobs", top_json(answer))) == 0;
    json_t *root = json_pack("{s:[o]}", "choices", choice); // takes choice, even on failure
    if (!ok || root == NULL) {
        json_decref(root);
        fail("no memory for the JSON of an answer");
        return NULL;
    }
    return root;
}
