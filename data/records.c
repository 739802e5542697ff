// Rows: which format a row has is said by its keys, and read by that format's function; what is wrong is said with file and line.
// The JSON of the row lives as long as the Record, whose texts point into it.
#include "data/records.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

// What General-Reasoner's evaluation asks of a multiple choice (recipe of MMLU-Pro: question, options, two blank lines, this).
#define INSTRUCTION_OPTIONS                                                                                                      \
    "Please reason step by step, and put your final answer option within \\boxed{}. Only put the option letter in the box, "     \
    "e.g. \\boxed{A}. There is only one correct answer."

enum { OPTIONS_MOST = 26 }; // letters
enum { FIELDS_MAPPED_MOST = 32 };

const char *const ROW_FORMAT_NAMES[ROW_FORMATS] = {"chat", "prompt/completion", "Alpaca", "problem", "ids"};

typedef struct Reading {
    Record *record;
    const json_t *row;
    const char *where; // "file:line"
    const RecordOptions *options;
} Reading;

static const json_t *field(const json_t *object, const char *key) // NULL when absent or null
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static Text text_of(const json_t *string)
{
    return json_is_string(string) ? (Text){json_string_value(string), json_string_length(string)} : (Text){NULL, 0};
}

static bool need_text(Text *out, const json_t *object, const char *key, const char *where)
{
    *out = text_of(field(object, key));
    return out->data != NULL || fail("%s: key \"%s\" must be a text", where, key);
}

static bool make_room(Record *record, size_t messages)
{
    record->messages = allocate(messages + 1, sizeof *record->messages); // one more for a response
    return record->messages != NULL;
}

static void add(Record *record, Role role, Text content)
{
    record->messages[record->count++] = (Message){.role = role, .content = content};
}

static void add_response(Record *record, Text content)
{
    add(record, ROLE_ASSISTANT, content);
    record->has_response = true;
}

// ---- messages

static bool is(Text text, const char *word) { return strlen(word) == text.size && memcmp(word, text.data, text.size) == 0; }

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
        if (is(name, known[i].name) && (sharegpt || !known[i].sharegpt)) {
            *role = known[i].role;
            return true;
        }
    return fail("%s: message %zu has the role \"%.*s\"; there are %s (tools are not rendered here)", where, turn,
                (int)(name.size < 80 ? name.size : 80), name.data,
                sharegpt ? "system, human and gpt" : "system, user and assistant");
}

static bool empty(const json_t *value)
{
    return value == NULL || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

static bool read_message(Message *out, const json_t *message, const char *where, size_t turn)
{
    if (!json_is_object(message))
        return fail("%s: message %zu is not an object", where, turn);
    bool sharegpt = field(message, "from") != NULL;
    if (sharegpt && field(message, "role") != NULL)
        return fail("%s: message %zu has both \"role\" and \"from\"", where, turn);
    Text role = text_of(field(message, sharegpt ? "from" : "role"));
    if (role.data == NULL)
        return fail("%s: message %zu has no \"role\" (nor \"from\") that is a text", where, turn);
    TRY(role_of(&out->role, role, sharegpt, where, turn));
    out->content = text_of(field(message, sharegpt ? "value" : "content"));
    if (out->content.data == NULL)
        return fail("%s: message %zu has no \"%s\" that is a text", where, turn, sharegpt ? "value" : "content");
    if (!empty(field(message, "tool_calls")))
        return fail("%s: message %zu has \"tool_calls\"; tools are not rendered here", where, turn);
    out->reasoning = text_of(field(message, "reasoning_content"));
    return true;
}

static bool add_messages(const Reading *r, const json_t *list, const char *key)
{
    if (!json_is_array(list))
        return fail("%s: key \"%s\" must be a list of messages", r->where, key);
    for (size_t i = 0; i < json_array_size(list); i++)
        TRY(read_message(&r->record->messages[r->record->count++], json_array_get(list, i), r->where, i + 1));
    return true;
}

// ---- the formats

static bool read_chat(const Reading *r)
{
    const char *key = field(r->row, "messages") != NULL ? "messages" : "conversations";
    const json_t *list = field(r->row, key);
    if (json_is_array(list) && json_array_size(list) == 0)
        return fail("%s: key \"%s\" is an empty list", r->where, key);
    if (!empty(field(r->row, "tools")))
        return fail("%s: the row has \"tools\"; tools are not rendered here", r->where);
    TRY(make_room(r->record, json_array_size(list)));
    TRY(add_messages(r, list, key));
    r->record->has_response = r->record->messages[r->record->count - 1].role == ROLE_ASSISTANT;
    return true;
}

static bool read_prompt(const Reading *r)
{
    const json_t *prompt = field(r->row, "prompt"), *completion = r->record->generated ? NULL : field(r->row, "completion");
    TRY(make_room(r->record, json_array_size(prompt) + json_array_size(completion) + 2));
    if (json_is_string(prompt))
        add(r->record, ROLE_USER, text_of(prompt));
    else
        TRY(add_messages(r, prompt, "prompt"));
    if (r->record->count == 0)
        return fail("%s: key \"prompt\" is an empty list", r->where);
    if (completion == NULL)
        return true;
    if (json_is_string(completion)) {
        add_response(r->record, text_of(completion));
        return true;
    }
    TRY(add_messages(r, completion, "completion"));
    r->record->has_response = true;
    bool one_answer = json_array_size(completion) == 1 && r->record->messages[r->record->count - 1].role == ROLE_ASSISTANT;
    return one_answer || fail("%s: key \"completion\" must be a text or one message of the assistant", r->where);
}

static bool user_turn(const Reading *r, const Bytes *text) // takes the text's memory
{
    r->record->question = text->data;
    add(r->record, ROLE_USER, (Text){text->data, text->size});
    return true;
}

static bool read_alpaca(const Reading *r)
{
    Text instruction, input = {NULL, 0}, output;
    TRY(need_text(&instruction, r->row, "instruction", r->where));
    if (field(r->row, "input") != NULL)
        TRY(need_text(&input, r->row, "input", r->where));
    TRY(make_room(r->record, 2));
    Bytes text = {0};
    bool ok = bytes_append(&text, instruction.data, instruction.size);
    if (ok && input.size > 0)
        ok = bytes_text(&text, "\n") && bytes_append(&text, input.data, input.size);
    TRY(user_turn(r, &text) && ok);
    if (!r->record->generated && field(r->row, "output") != NULL) {
        TRY(need_text(&output, r->row, "output", r->where));
        add_response(r->record, output);
    }
    return true;
}

static bool append_options(const Reading *r, Bytes *text, const json_t *options)
{
    size_t count = json_array_size(options);
    if (!json_is_array(options) || count > OPTIONS_MOST)
        return fail("%s: key \"options\" must be a list of at most %d texts", r->where, OPTIONS_MOST);
    TRY(bytes_text(text, "\nOptions are:"));
    for (size_t i = 0; i < count; i++) {
        Text option = text_of(json_array_get(options, i));
        if (option.data == NULL)
            return fail("%s: option %zu of key \"options\" is not a text", r->where, i + 1);
        TRY(bytes_printf(text, "\n(%c): ", (int)('A' + i)) && bytes_append(text, option.data, option.size));
    }
    return true;
}

static bool append_question(const Reading *r, Bytes *text, Text question)
{
    const json_t *options = field(r->row, "options");
    const char *instruction = r->options->instruction;
    bool choice = !empty(options), none = instruction == NULL || instruction[0] == 0 || strcmp(instruction, "none") == 0;
    TRY(bytes_append(text, question.data, question.size));
    if (choice)
        TRY(append_options(r, text, options));
    if (none)
        return true;
    if (!choice)
        return bytes_text(text, " ") && bytes_text(text, instruction);
    return bytes_text(text, "\n\n\n") &&
           bytes_text(text, strcmp(instruction, INSTRUCTION_DEFAULT) == 0 ? INSTRUCTION_OPTIONS : instruction);
}

static bool read_problem(const Reading *r)
{
    Text question, solution = text_of(field(r->row, "solution")), response = text_of(field(r->row, "response"));
    TRY(need_text(&question, r->row, field(r->row, "problem") != NULL ? "problem" : "question", r->where));
    if (!r->record->generated && solution.data != NULL && response.data != NULL)
        return fail("%s: the row has both \"solution\" and \"response\"; keep the one to train on", r->where);
    TRY(make_room(r->record, 2));
    Bytes text = {0};
    bool ok = append_question(r, &text, question);
    TRY(user_turn(r, &text) && ok);
    if (!r->record->generated && (solution.data != NULL || response.data != NULL))
        add_response(r->record, solution.data != NULL ? solution : response);
    return true;
}

static bool read_ids(const Reading *r)
{
    Record *record = r->record;
    const json_t *ids = field(r->row, "ids"), *labels = field(r->row, "labels");
    size_t count = json_array_size(ids);
    if (!json_is_array(ids) || count < (r->options->prompts ? 1 : 2))
        return fail("%s: key \"ids\" must be a list of at least %s", r->where, r->options->prompts ? "one id" : "two ids");
    if (labels != NULL && (!json_is_array(labels) || json_array_size(labels) != count))
        return fail("%s: key \"labels\" must be a list as long as \"ids\", %zu entries", r->where, count);
    record->ids = allocate(count, sizeof *record->ids);
    record->trained = allocate(count, sizeof *record->trained);
    TRY(record->ids != NULL && record->trained != NULL);
    for (record->tokens = 0; record->tokens < count; record->tokens++) {
        size_t i = record->tokens;
        const json_t *id = json_array_get(ids, i), *label = labels == NULL ? id : json_array_get(labels, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
            return fail("%s: ids[%zu] is not a token id", r->where, i);
        if (!json_is_integer(label) || (json_integer_value(label) != -100 && json_integer_value(label) != json_integer_value(id)))
            return fail("%s: labels[%zu] must be ids[%zu] or -100 (a label stands at the token itself, not one before it)",
                        r->where, i, i);
        record->ids[i] = (int32_t)json_integer_value(id);
        record->trained[i] = i > 0 && json_integer_value(label) != -100;
    }
    return true;
}

// ---- which format it is, and what all of them have

typedef struct FormatKey {
    const char *key;
    RowFormat format;
    bool (*read)(const Reading *r);
} FormatKey;

static const FormatKey FORMATS[] = {
    {"messages", ROW_CHAT, read_chat},
    {"conversations", ROW_CHAT, read_chat},
    {"prompt", ROW_PROMPT, read_prompt},
    {"instruction", ROW_ALPACA, read_alpaca},
    {"problem", ROW_PROBLEM, read_problem},
    {"question", ROW_PROBLEM, read_problem},
    {"ids", ROW_IDS, read_ids},
};

static bool find_format(const FormatKey **found, const Reading *r)
{
    *found = NULL;
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
        const FormatKey *candidate = &FORMATS[i];
        if (field(r->row, candidate->key) == NULL || (candidate->format == ROW_IDS && r->record->generated))
            continue; // a generated row's ids are the sampler's
        if (*found != NULL)
            return fail("%s: the row has both \"%s\" and \"%s\" and could mean either; remove or rename one", r->where,
                        (*found)->key, candidate->key);
        *found = candidate;
    }
    return *found != NULL ||
           fail("%s: no known row format: none of messages, conversations, prompt, instruction, problem, question%s", r->where,
                r->record->generated ? "" : ", ids");
}

static bool read_finish(const Reading *r)
{
    const json_t *reason = field(r->row, "finish_reason");
    if (reason == NULL)
        return true;
    static const char *const unfinished[] = {"length", "content_filter", "abort", "tool_calls"};
    Text name = text_of(reason);
    r->record->generated = true;
    for (size_t i = 0; i < sizeof unfinished / sizeof *unfinished; i++)
        r->record->unfinished = r->record->unfinished || (name.data != NULL && is(name, unfinished[i]));
    return r->record->unfinished || (name.data != NULL && is(name, "stop")) ||
           fail("%s: key \"finish_reason\" must be \"stop\" or \"length\"; or \"content_filter\", \"abort\" or \"tool_calls\" of "
                "a "
                "server",
                r->where);
}

// The generated text stands where the row's own response was.
static bool add_generated(const Reading *r)
{
    Text text;
    TRY(need_text(&text, r->row, "text", r->where));
    if (r->record->has_response)
        r->record->count--;
    add_response(r->record, text);
    return true;
}

// An empty answer teaches nothing but to stop: it counts as none.
static void drop_empty_response(Record *record)
{
    const Message *last = record->count == 0 ? NULL : &record->messages[record->count - 1];
    if (record->has_response && last->content.size == 0 && last->reasoning.size == 0) {
        record->has_response = false;
        record->count--;
    }
}

// 1-5 of an integer, of a real that is one, or of the text of one; 0: unknown; -1: something else
static int difficulty_of(const json_t *value)
{
    if (value == NULL)
        return 0;
    double number = json_is_number(value) ? json_number_value(value) : -1;
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    for (int i = 0; i <= 5; i++)
        if (number == i || (text[0] == '0' + i && text[1] == 0))
            return i;
    return -1;
}

static bool read_difficulty(const Reading *r)
{
    const json_t *value = field(r->row, "difficulty");
    int difficulty = difficulty_of(value);
    if (r->options->any_difficulty)
        return true;
    bool in_words = json_is_string(value) && difficulty < 0;
    if (difficulty < 1 && r->options->missing_difficulty > 0) {
        r->record->difficulty = r->options->missing_difficulty;
        r->record->difficulty_replaced = true;
        return true;
    }
    if (difficulty < 1 && r->options->need_difficulty)
        return fail("%s: %s; --map difficulty=NAME reads it from another field, --missing-difficulty N stands in for it",
                    r->where, value == NULL ? "the row has no \"difficulty\"" : "key \"difficulty\" is not one of 1 to 5");
    r->record->difficulty = difficulty > 0 ? difficulty : 0;
    return difficulty >= 0 || in_words || fail("%s: key \"difficulty\" must be one of 1, 2, 3, 4, 5, or 0 for unknown", r->where);
}

static char *value_text(const json_t *value)
{
    if (json_is_string(value))
        return copy_text(json_string_value(value));
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL)
        fail("no memory for the JSON of a value");
    return text;
}

// ["Paris"] is Paris; [2, 3] may be a vector.
static const json_t *only_part(const json_t *value)
{
    return json_is_array(value) && json_array_size(value) == 1 ? json_array_get(value, 0) : value;
}

static bool read_names(const Reading *r)
{
    const json_t *id = field(r->row, "id"), *answer = only_part(field(r->row, "answer"));
    if (id != NULL && !json_is_string(id) && !json_is_integer(id))
        return fail("%s: key \"id\" must be a text or an integer", r->where);
    const char *checked = NULL;
    if (json_is_string(id))
        TRY(json_may_text(&checked, r->row, "id", r->where));
    if (json_is_string(answer) && strlen(json_string_value(answer)) != json_string_length(answer))
        return fail("%s: key \"answer\" holds a NUL character", r->where);
    char line[24];
    snprintf(line, sizeof line, "%" PRId64, r->record->line);
    r->record->id = id == NULL ? copy_text(line) : value_text(id);
    TRY(r->record->id != NULL);
    if (answer != NULL) {
        r->record->answer = value_text(answer);
        TRY(r->record->answer != NULL);
    }
    r->record->source = text_of(field(r->row, "source"));
    r->record->category = text_of(field(r->row, "category"));
    return true;
}

// All values are taken before any is put back, so that fields may change places and one may become two.
static bool rename_fields(json_t *row, const RecordOptions *options)
{
    json_t *values[FIELDS_MAPPED_MOST];
    size_t count = options->map_count;
    if (count > FIELDS_MAPPED_MOST)
        return fail("--map: at most %d fields", FIELDS_MAPPED_MOST);
    for (size_t i = 0; i < count; i++)
        values[i] = json_incref(json_object_get(row, options->map[i].name));
    for (size_t i = 0; i < count; i++)
        json_object_del(row, options->map[i].name);
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        if (values[i] != NULL && json_object_set_new(row, options->map[i].field, values[i]) != 0)
            ok = fail("no memory for a row");
    return ok;
}

static bool read_row(const Reading *r)
{
    const FormatKey *format;
    if (!json_is_object(r->row))
        return fail("%s: a row must be a JSON object, one a line", r->where);
    TRY(rename_fields(r->record->row, r->options));
    TRY(read_finish(r));
    TRY(find_format(&format, r));
    r->record->format = format->format;
    TRY(format->read(r));
    if (r->record->generated)
        TRY(add_generated(r));
    drop_empty_response(r->record);
    TRY(read_difficulty(r));
    return read_names(r);
}

bool record_read(Record *record, const char *json, size_t size, const char *file, int64_t line, const RecordOptions *options)
{
    char where[1024];
    snprintf(where, sizeof where, "%s:%" PRId64, file, line);
    *record = (Record){.line = line, .row = json_parse(json, size, where)};
    TRY(record->row != NULL);
    Reading reading = {.record = record, .row = record->row, .where = where, .options = options};
    if (read_row(&reading))
        return true;
    record_free(record);
    return false;
}

void record_free(Record *record)
{
    free(record->messages);
    free(record->ids);
    free(record->trained);
    free(record->id);
    free(record->answer);
    free(record->question);
    json_decref(record->row);
    *record = (Record){0};
}

size_t record_prompt(const Record *record) { return record->count - (record->has_response ? 1 : 0); }
