// A server's text is untrusted: it is shortened, and made safe to display, before it is in an error.
#include "server/exchange.h"
#include "base/number.h"
#include "log/visible.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXCERPT = 200 };                 // bytes of a server's message that an error shows
static const double LONGEST_PAUSE = 60; // seconds

// ---- what is sent

char *exchange_url(const char *url)
{
    static const char path[] = "/chat/completions";
    Bytes whole = {0};
    size_t size = strlen(url), tail = sizeof path - 1;
    if (!http_check_url(url))
        return NULL;
    while (size > 0 && url[size - 1] == '/')
        size--;
    bool complete = size > tail && memcmp(url + size - tail, path, tail) == 0;
    if (!bytes_append(&whole, url, size) || !bytes_text(&whole, complete ? "" : path)) {
        bytes_free(&whole);
        return NULL;
    }
    return whole.data;
}

char *exchange_authorization(const char *secret)
{
    Bytes header = {0};
    for (const char *c = secret; *c != 0; c++)
        if (*c <= 0x20 || *c >= 0x7F) {
            fail("OPENAI_API_KEY holds a space, a line's end or another character that no key has; set it again");
            return NULL;
        }
    if (!bytes_printf(&header, "Authorization: Bearer %s", secret)) {
        bytes_free(&header);
        return NULL;
    }
    return header.data;
}

static bool append_string(Bytes *body, Text text)
{
    json_t *value = json_stringn(text.data == NULL ? "" : text.data, text.size);
    char *json = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY);
    bool ok = json != NULL ? bytes_text(body, json) : fail("not valid UTF-8");
    free(json);
    json_decref(value);
    return ok;
}

static bool append_message(Bytes *body, const Message *message)
{
    static const char *const roles[] = {[ROLE_SYSTEM] = "system", [ROLE_USER] = "user", [ROLE_ASSISTANT] = "assistant"};
    return bytes_printf(body, "{\"role\":\"%s\",\"content\":", roles[message->role]) &&
           append_string(body, message->content) && bytes_text(body, "}");
}

static bool append_number(Bytes *body, const char *name, double value)
{
    char text[NUMBER_TEXT];
    number_text(text, value);
    return bytes_printf(body, ",\"%s\":%s", name, text);
}

static bool append_sampling(Bytes *body, const EndpointOptions *o)
{
    // a top_p of 1 is sent, too: without it some servers take the model's own
    TRY((o->top_p <= 0 || o->temperature == 0 || append_number(body, "top_p", o->top_p)) &&
        (o->min_p <= 0 || append_number(body, "min_p", o->min_p)));
    if (o->top_k > 0)
        TRY(bytes_printf(body, ",\"top_k\":%" PRId64, o->top_k));
    for (size_t i = 0; i < o->stop_count; i++)
        TRY(bytes_text(body, i == 0 ? ",\"stop\":[" : ",") &&
            append_string(body, (Text){o->stop[i], strlen(o->stop[i])}));
    return o->stop_count == 0 || bytes_text(body, "]");
}

bool exchange_body(Bytes *body, const EndpointOptions *options, const Message *messages, size_t count)
{
    char temperature[NUMBER_TEXT];
    number_text(temperature, options->temperature);
    if (count == 0)
        return fail("a question without messages");
    bool ok = bytes_text(body, "{\"model\":") && append_string(body, (Text){options->model, strlen(options->model)});
    if (!ok)
        return fail_in("the model's name");
    TRY(bytes_text(body, ",\"messages\":["));
    for (size_t i = 0; i < count; i++)
        if ((i > 0 && !bytes_text(body, ",")) || !append_message(body, &messages[i]))
            return fail_in("message %zu of a question", i + 1);
    TRY(bytes_printf(body, "],\"temperature\":%s,\"max_tokens\":%" PRId64, temperature, options->max_tokens));
    if (options->seed >= 0)
        TRY(bytes_printf(body, ",\"seed\":%" PRId64, options->seed));
    TRY(append_sampling(body, options));
    if (options->logprobs)
        TRY(bytes_printf(body, ",\"logprobs\":true,\"top_logprobs\":%d", ANSWER_TOP));
    return bytes_text(body, "}");
}

// ---- what comes back

static Text text_of(const Bytes *b) { return (Text){b->data, b->size}; }

static bool append_visible(Bytes *out, Text text)
{
    for (size_t i = 0; i < text.size;) {
        Character c = character_at(text.data + i, text.size - i);
        if (c.valid && !character_hidden(c.code))
            TRY(bytes_append(out, text.data + i, c.size));
        i += c.size;
    }
    return true;
}

// The text with every occurrence of the secret as ***.
static bool append_hidden(Bytes *out, Text text, const char *secret)
{
    size_t length = secret == NULL ? 0 : strlen(secret), i = 0;
    while (i < text.size) {
        const char *from = text.data + i;
        const char *found = length == 0 ? NULL : memmem(from, text.size - i, secret, length);
        size_t size = found == NULL ? text.size - i : (size_t)(found - from);
        TRY(bytes_append(out, from, size) && (found == NULL || bytes_text(out, "***")));
        i += size + (found == NULL ? 0 : length);
    }
    return true;
}

// The part of a message that an error may show, `most` bytes at most. In this order, because removing characters may
// join a secret's parts, and a secret that was cut in half would not be recognised.
static bool append_shown(Bytes *out, Text text, const char *secret, size_t most)
{
    Bytes visible = {0}, hidden = {0};
    bool ok = append_visible(&visible, text) && append_hidden(&hidden, text_of(&visible), secret);
    size_t size = hidden.size <= most ? hidden.size : utf8_valid_prefix(hidden.data, most);
    ok = ok && bytes_append(out, hidden.data, size) && (size == hidden.size || bytes_text(out, "..."));
    bytes_free(&visible);
    bytes_free(&hidden);
    return ok;
}

// The server's message, where servers usually put it; else the whole body. *root: owns it.
static Text message_of(json_t **root, const char *body, size_t size)
{
    *root = json_loadb(body, size, JSON_ALLOW_NUL, NULL);
    const json_t *error = json_object_get(*root, "error");
    const json_t *places[] = {json_object_get(error, "message"), error, json_object_get(*root, "message"),
                              json_object_get(*root, "detail")};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (json_is_string(places[i]))
            return (Text){json_string_value(places[i]), json_string_length(places[i])};
    return (Text){body, size};
}

static bool append_message_of(Bytes *out, const char *before, const HttpResponse *response, const char *secret)
{
    json_t *root;
    Text message = message_of(&root, response->body, response->size);
    bool ok = message.size == 0 || (bytes_text(out, before) && append_shown(out, message, secret, EXCERPT));
    json_decref(root);
    return ok;
}

static const char *remedy(const HttpResponse *response)
{
    if (response->status == 401 || response->status == 403)
        return "; check OPENAI_API_KEY";
    if (response->status == 404)
        return "; check the address and the model's name";
    return response->lasting ? "; if it is to be trusted, add its certificate to those of the system" : "";
}

// A status other than success, or no whole response.
static bool describe(Bytes *out, const HttpResponse *response, const char *secret)
{
    if (response->status != 0)
        TRY(bytes_printf(out, "status %d", response->status));
    if (response->error != NULL)
        TRY(bytes_printf(out, "%s%s", response->status != 0 ? ", but " : "", response->error));
    else if (response->redirect != NULL)
        TRY(bytes_text(out, ": it redirects; use that address instead: ") &&
            append_shown(out, (Text){response->redirect, strlen(response->redirect)}, secret, EXCERPT));
    else
        TRY(append_message_of(out, ": ", response, secret));
    return bytes_text(out, remedy(response));
}

// What is wrong with a success that is no answer.
static bool describe_lie(Bytes *out, const HttpResponse *response, const char *lie, const char *secret)
{
    if (secret != NULL && memmem(response->body, response->size, secret, strlen(secret)) != NULL)
        lie = "it is no answer, and repeats the key"; // quoting a few bytes would show part of the key
    return bytes_printf(out, "status %d, but %s", response->status, lie) &&
           append_message_of(out, "; it says: ", response, secret);
}

// lie: NULL where the status was no success.
static void explain(Bytes *why, const HttpResponse *response, const char *lie, const char *secret)
{
    Bytes open = {0};
    bool ok = lie != NULL ? describe_lie(&open, response, lie, secret) : describe(&open, response, secret);
    ok = ok && append_shown(why, text_of(&open), secret, SIZE_MAX);
    if (!ok) {
        bytes_clear(why);
        (void)bytes_text(why, "no memory for the reason");
    }
    bytes_free(&open);
}

static bool says_how_it_ended(const Answer *answer)
{
    return answer->finish_reason[0] != 0 || fail("its answer has no finish_reason, so it may be incomplete");
}

Outcome exchange_outcome(Answer *answer, Bytes *why, const HttpResponse *response, const char *secret, bool whole)
{
    bool success = response->status >= 200 && response->status < 300 && response->error == NULL, ok = success;
    bool waits = response->status == 408 || response->status == 429;
    *answer = (Answer){0};
    bytes_clear(why);
    ok = ok && answer_parse(answer, response->body, response->size, "its answer") &&
         (!whole || says_how_it_ended(answer));
    if (ok)
        return OUTCOME_ANSWER;
    answer_free(answer);
    explain(why, response, success ? error_text() : NULL, secret);
    error_clear();
    bool refused = response->status >= 300 && response->status < 500 && !waits;
    return refused || response->lasting ? OUTCOME_HOPELESS : OUTCOME_AGAIN;
}

double exchange_pause(const uint64_t key[2], uint64_t tag, int attempts, double backoff, double retry_after)
{
    const uint64_t names[] = {key[0], key[1], tag, (uint64_t)attempts};
    double spread = 0.5 + 0x1p-54 * (double)(hash_bytes(names, sizeof names) >> 11); // 53 bits
    double pause = fmin(ldexp(backoff, attempts < 64 ? attempts - 1 : 63), LONGEST_PAUSE);
    return pause * spread + retry_after;
}
