// Turns: what a message may hold, and what of it is honoured. A field that would change what is learned and can't be
// rendered is refused; one that says nothing (null, empty) passes.
#include "rows/records_internal.h"
#include <stdlib.h>
#include <strings.h>

static const char *const THOUGHTS[] = {"reasoning_content", "reasoning", "thinking",
                                       NULL}; // DeepSeek's, vLLM's, Ollama's

bool turns_begin(const Reading *r, size_t most)
{
    const json_t *history = row_field(r->row, "history");
    size_t room = most + 2 * json_array_size(history) + 2; // the system's, and a response
    r->record->messages = allocate(room, sizeof *r->record->messages);
    r->record->marks = allocate(room, sizeof *r->record->marks);
    return r->record->messages != NULL && r->record->marks != NULL;
}

bool add_message(const Reading *r, Role role, Text content)
{
    r->record->messages[r->record->count++] = (Message){.role = role, .content = content};
    return true;
}

bool add_response(const Reading *r, Text content)
{
    r->record->has_response = true;
    return add_message(r, ROLE_ASSISTANT, content);
}

Bytes *make_text(const Reading *r)
{
    Record *record = r->record;
    if (!grow(&record->made, &record->made_capacity, record->made_count + 1, sizeof *record->made))
        return NULL;
    Bytes *text = &record->made[record->made_count++];
    *text = (Bytes){0};
    return bytes_text(text, "") ? text : NULL;
}

// ---- content

static int shown(Text name) { return (int)(name.size < 80 ? name.size : 80); }

static bool append_part(Bytes *text, const json_t *part, const char *where, size_t turn)
{
    Text type = text_of(row_field(part, "type")), content = text_of(row_field(part, "text"));
    if (type.data == NULL || !text_is(type, "text"))
        return fail("%s: message %zu has a part of type \"%.*s\"; only text is supported", where, turn, shown(type),
                    type.data == NULL ? "" : type.data);
    if (content.data == NULL)
        return fail("%s: message %zu has a part without a \"text\" that is a string", where, turn);
    return bytes_append(text, content.data, content.size);
}

// A string, or a list of text parts: these are joined.
static bool read_content(const Reading *r, Text *out, const json_t *message, const char *key, size_t turn)
{
    const json_t *content = row_field(message, key);
    *out = text_of(content);
    if (json_is_array(content) && json_array_size(content) > 0) {
        Bytes *text = make_text(r);
        TRY(text != NULL);
        for (size_t i = 0; i < json_array_size(content); i++)
            TRY(append_part(text, json_array_get(content, i), r->where, turn));
        *out = (Text){text->data, text->size};
    }
    return out->data != NULL ||
           fail("%s: message %zu has no \"%s\" that is a string, or a list of text parts", r->where, turn, key);
}

// ---- fields beside the content

static bool refuse_beside(const json_t *message, const char *where, size_t turn)
{
    static const struct {
        const char *key, *why;
    } refused[] = {{"tool_calls", "tools"},
                   {"function_call", "tools"},
                   {"tool_call_id", "tools"},
                   {"tools", "tools"},
                   {"images", "images"},
                   {"image", "images"},
                   {"audio", "sounds"},
                   {"audios", "sounds"},
                   {"video", "films"},
                   {"videos", "films"},
                   {"reasoning_details", "parts of thoughts"},
                   {"loss_weight", "weights"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *key = refused[i].key;
        bool told = strcmp(key, "reasoning_details") == 0 && row_field(message, "reasoning") != NULL; // a repetition
        if (!told && !is_nothing(row_field(message, key)))
            return fail("%s: message %zu has \"%s\"; %s are not supported", where, turn, key, refused[i].why);
    }
    return true;
}

// weight is OpenAI's, train and training axolotl's, loss ms-swift's: false or 0 means that the turn is not trained.
static bool read_mark(TurnMark *mark, const json_t *message, Role role, const char *where, size_t turn)
{
    static const char *const keys[] = {"weight", "train", "training", "loss", "loss_mask"};
    *mark = TURN_UNMARKED;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = row_field(message, keys[i]);
        if (value == NULL)
            continue;
        double number = json_is_number(value)    ? json_number_value(value)
                        : json_is_boolean(value) ? json_is_true(value)
                                                 : -1;
        if (number != 0 && number != 1)
            return fail("%s: message %zu: key \"%s\" must be 0 or 1, false or true; a turn is trained or not", where,
                        turn, keys[i]);
        TurnMark here = number == 1 ? TURN_TRAINED : TURN_NOT_TRAINED;
        if (*mark != TURN_UNMARKED && *mark != here)
            return fail("%s: message %zu: key \"%s\" contradicts another one", where, turn, keys[i]);
        if (here == TURN_TRAINED && role != ROLE_ASSISTANT)
            return fail("%s: message %zu: key \"%s\" asks to train a turn that is not the assistant's", where, turn,
                        keys[i]);
        *mark = here;
    }
    return true;
}

static bool role_of(Role *role, Text name, bool sharegpt, const char *where, size_t turn)
{
    static const struct {
        const char *name;
        Role role;
        bool sharegpt;
    } known[] = {{"system", ROLE_SYSTEM, false},
                 {"user", ROLE_USER, false},
                 {"assistant", ROLE_ASSISTANT, false},
                 {"human", ROLE_USER, true},
                 {"gpt", ROLE_ASSISTANT, true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (text_is(name, known[i].name) && (sharegpt || !known[i].sharegpt)) {
            *role = known[i].role;
            return true;
        }
    return fail("%s: message %zu has the role \"%.*s\"; there are %s (tools are not supported)", where, turn,
                shown(name), name.data, sharegpt ? "system, human and gpt" : "system, user and assistant");
}

// "reasoning": "on" and "thinking": "high" are settings of a request; trained as thoughts they would be learned as
// text.
static bool is_switch(Text thought)
{
    static const char *const words[] = {"on",   "off", "yes",    "no",   "true",    "false",
                                        "none", "low", "medium", "high", "enabled", "disabled"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (thought.size == strlen(words[i]) && strncasecmp(thought.data, words[i], thought.size) == 0)
            return true;
    return false;
}

static bool refuse_switch(Text thought, const json_t *object, const char *where, bool of_row)
{
    const char *const *key = THOUGHTS;
    while (!text_is(text_of(json_object_get(object, *key)), thought.data))
        key++;
    fail("%s: key \"%s\" is \"%s\", a switch, not a thought", where, *key, thought.data);
    return of_row ? fail("%s; --map _%s=%s leaves it out", error_text(), *key, *key)
                  : fail("%s; leave it out", error_text());
}

static bool read_thought(const Reading *r, Text *out, const json_t *message, size_t turn)
{
    char where[40];
    snprintf(where, sizeof where, "message %zu", turn);
    return (one_text(out, message, THOUGHTS, where) &&
            (!is_switch(*out) || refuse_switch(*out, message, where, false))) ||
           fail_in("%s", r->where);
}

static bool read_message(const Reading *r, const json_t *message, size_t turn)
{
    Message out = {0};
    TurnMark mark;
    if (!json_is_object(message))
        return fail("%s: message %zu is not an object", r->where, turn);
    bool sharegpt = row_field(message, "from") != NULL;
    if (sharegpt && row_field(message, "role") != NULL)
        return fail("%s: message %zu has both \"role\" and \"from\"", r->where, turn);
    Text role = text_of(row_field(message, sharegpt ? "from" : "role"));
    if (role.data == NULL)
        return fail("%s: message %zu has no \"role\" (nor \"from\") that is a string", r->where, turn);
    TRY(refuse_beside(message, r->where, turn));
    TRY(role_of(&out.role, role, sharegpt, r->where, turn));
    TRY(read_content(r, &out.content, message, sharegpt ? "value" : "content", turn));
    TRY(read_thought(r, &out.reasoning, message, turn));
    if (out.role != ROLE_ASSISTANT && out.reasoning.size > 0)
        return fail("%s: message %zu is not the assistant's and has a thought; it would not be rendered", r->where,
                    turn);
    TRY(read_mark(&mark, message, out.role, r->where, turn));
    r->record->marks[r->record->count] = (uint8_t)mark;
    r->record->messages[r->record->count++] = out;
    return true;
}

bool add_messages(const Reading *r, const json_t *list, const char *key)
{
    if (!json_is_array(list))
        return fail("%s: key \"%s\" must be a list of messages", r->where, key);
    for (size_t i = 0; i < json_array_size(list); i++)
        TRY(read_message(r, json_array_get(list, i), i + 1));
    return true;
}

// ---- turns outside the messages

bool add_system(const Reading *r)
{
    static const char *const keys[] = {"system", "system_prompt", "system_message", NULL};
    Text system;
    Record *record = r->record;
    TRY(one_text(&system, r->row, keys, r->where));
    bool own = record->count > 0 && record->messages[0].role == ROLE_SYSTEM;
    if (system.size == 0 && !own && r->options->system != NULL)
        system = (Text){r->options->system, strlen(r->options->system)};
    if (system.size == 0)
        return true;
    if (own) {
        Text first = record->messages[0].content;
        return (first.size == system.size && memcmp(first.data, system.data, first.size) == 0) ||
               fail("%s: the row has a system text, and its messages begin with another one; keep one of them",
                    r->where);
    }
    memmove(record->messages + 1, record->messages, record->count * sizeof *record->messages);
    memmove(record->marks + 1, record->marks, record->count);
    record->messages[0] = (Message){.role = ROLE_SYSTEM, .content = system};
    record->marks[0] = TURN_UNMARKED;
    record->count++;
    return true;
}

bool add_history(const Reading *r)
{
    const json_t *history = row_field(r->row, "history");
    if (is_nothing(history))
        return true;
    bool ok = json_is_array(history);
    for (size_t i = 0; ok && i < json_array_size(history); i++) {
        const json_t *pair = json_array_get(history, i);
        Text question = text_of(json_array_get(pair, 0)), answer = text_of(json_array_get(pair, 1));
        ok = json_array_size(pair) == 2 && question.data != NULL && answer.data != NULL &&
             add_message(r, ROLE_USER, question) && add_message(r, ROLE_ASSISTANT, answer);
    }
    return ok || fail("%s: key \"history\" must be a list of [question, answer], both texts; --map _history=history "
                      "leaves it out",
                      r->where);
}

bool read_thoughts(const Reading *r)
{
    Text thought;
    Record *record = r->record;
    TRY(one_text(&thought, r->row, THOUGHTS, r->where));
    if (thought.size == 0 || !record->has_response)
        return true;
    if (is_switch(thought))
        return refuse_switch(thought, r->row, r->where, true);
    Message *response = &record->messages[record->count - 1];
    if (response->reasoning.size > 0 &&
        (response->reasoning.size != thought.size || memcmp(response->reasoning.data, thought.data, thought.size) != 0))
        return fail("%s: the row has a thought, and its last message another one; keep one of them", r->where);
    response->reasoning = thought;
    return true;
}
