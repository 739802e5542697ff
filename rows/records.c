// Rows: a row's keys decide its format, and that format's function reads it; errors name file and line. The JSON of the
// row lives as long as the Record, whose texts point into it.
#include "rows/records_internal.h"
#include <stdlib.h>

// The question of General-Reasoner's evaluation for a multiple choice (its MMLU-Pro recipe: question, options, two
// blank lines, this).
#define INSTRUCTION_OPTIONS                                                                                            \
    "Please reason step by step, and put your final answer option within \\boxed{}. Only put the option letter in "    \
    "the box, "                                                                                                        \
    "e.g. \\boxed{A}. There is only one correct answer."

enum { FIELDS_MAPPED_MOST = 32 };

const char *const ROW_FORMAT_NAMES[ROW_FORMATS] = {"chat", "prompt/completion", "Alpaca", "problem", "ids"};

// ---- the formats

static bool read_chat(Reading *r)
{
    const char *key = row_field(r->row, "messages") != NULL ? "messages" : "conversations";
    const json_t *list = row_field(r->row, key);
    if (json_is_array(list) && json_array_size(list) == 0)
        return fail("%s: key \"%s\" is an empty list", r->where, key);
    TRY(turns_begin(r, json_array_size(list)) && add_messages(r, list, key));
    r->record->has_response = r->record->messages[r->record->count - 1].role == ROLE_ASSISTANT;
    return true;
}

static bool read_completion(const Reading *r, const json_t *completion, const char *key)
{
    if (completion == NULL)
        return true;
    if (json_is_string(completion))
        return add_response(r, text_of(completion));
    TRY(add_messages(r, completion, key));
    r->record->has_response = true;
    bool one_answer =
        json_array_size(completion) == 1 && r->record->messages[r->record->count - 1].role == ROLE_ASSISTANT;
    return one_answer || fail("%s: key \"%s\" must be a string or one message of the assistant", r->where, key);
}

static bool read_prompt(Reading *r)
{
    const json_t *prompt = row_field(r->row, "prompt");
    const char *key = row_field(r->row, "completion") != NULL ? "completion" : "response";
    const json_t *completion = r->record->generated ? NULL : row_field(r->row, key);
    if (!r->record->generated && key[0] == 'c' && row_field(r->row, "response") != NULL)
        return fail("%s: the row has both \"completion\" and \"response\"; --map _response=response leaves one out",
                    r->where);
    TRY(turns_begin(r, json_array_size(prompt) + json_array_size(completion) + 1));
    if (json_is_string(prompt))
        TRY(add_history(r) && add_message(r, ROLE_USER, text_of(prompt)));
    else if (!is_nothing(row_field(r->row, "history")))
        return fail("%s: the row has \"history\" beside a \"prompt\" that is a list; put all turns into that",
                    r->where);
    else
        TRY(add_messages(r, prompt, "prompt"));
    if (r->record->count == 0)
        return fail("%s: key \"prompt\" is an empty list", r->where);
    return read_completion(r, completion, key);
}

static bool user_turn(const Reading *r, const Bytes *text)
{
    return add_message(r, ROLE_USER, (Text){text->data, text->size});
}

// The response of a row that has it under one of two names.
static bool own_response(const Reading *r, const char *key, const char *other)
{
    Text first, second;
    const char *const keys[] = {key, other};
    for (int i = 0; i < 2; i++)
        if (!r->options->prompts && row_field(r->row, keys[i]) != NULL && !json_is_string(row_field(r->row, keys[i])))
            return fail("%s: key \"%s\" must be a string; --map _%s=%s leaves it out", r->where, keys[i], keys[i],
                        keys[i]);
    first = text_of(row_field(r->row, key));
    second = text_of(row_field(r->row, other));
    if (r->record->generated || (first.data == NULL && second.data == NULL))
        return true; // a row that is only asked may have anything there
    if (first.data != NULL && second.data != NULL)
        return fail("%s: the row has both \"%s\" and \"%s\"; --map _%s=%s leaves one out", r->where, key, other, other,
                    other);
    return add_response(r, first.data != NULL ? first : second);
}

static bool is_blank(Text text) { return text_trimmed(text).size == 0; }

static bool read_alpaca(Reading *r)
{
    Text instruction, input;
    TRY(need_text(&instruction, r->row, "instruction", r->where) && may_text(&input, r->row, "input", r->where));
    TRY(turns_begin(r, 2) && add_history(r));
    Bytes *text = make_text(r);
    bool asks = !is_blank(instruction), about = !is_blank(input);
    TRY(text != NULL && (!asks || bytes_append(text, instruction.data, instruction.size)));
    TRY(!about || (bytes_text(text, asks ? "\n" : "") && bytes_append(text, input.data, input.size)));
    return user_turn(r, text) && own_response(r, "output", "response");
}

static bool append_options(Bytes *text, const json_t *options)
{
    TRY(bytes_text(text, "\nOptions are:"));
    for (size_t i = 0; i < option_count(options); i++) {
        Text option = text_of(option_at(options, i));
        TRY(bytes_printf(text, "\n(%c): ", (int)('A' + i)) && bytes_append(text, option.data, option.size));
    }
    return true;
}

static bool append_question(const Reading *r, Bytes *text, Text question)
{
    const json_t *options = row_field(r->row, "options");
    const char *instruction = r->options->instruction;
    bool choice = !is_nothing(options),
         none = instruction == NULL || instruction[0] == 0 || strcmp(instruction, "none") == 0;
    TRY(bytes_append(text, question.data, question.size));
    if (choice)
        TRY(append_options(text, options));
    if (none)
        return true;
    if (!choice)
        return bytes_text(text, " ") && bytes_text(text, instruction);
    return bytes_text(text, "\n\n\n") &&
           bytes_text(text, strcmp(instruction, INSTRUCTION_DEFAULT) == 0 ? INSTRUCTION_OPTIONS : instruction);
}

static bool read_problem(Reading *r)
{
    Text question;
    TRY(need_text(&question, r->row, row_field(r->row, "problem") != NULL ? "problem" : "question", r->where));
    if (is_blank(question))
        return fail("%s: the question is empty", r->where);
    TRY(turns_begin(r, 2) && add_history(r));
    Bytes *text = make_text(r);
    return text != NULL && append_question(r, text, question) && user_turn(r, text) &&
           own_response(r, "solution", "response");
}

static bool read_ids(Reading *r)
{
    Record *record = r->record;
    const json_t *ids = row_field(r->row, "ids"), *labels = row_field(r->row, "labels");
    size_t count = json_array_size(ids);
    if (!json_is_array(ids) || count < (r->options->prompts ? 1 : 2))
        return fail("%s: key \"ids\" must be a list of at least %s", r->where,
                    r->options->prompts ? "one id" : "two ids");
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
        if (!json_is_integer(label) ||
            (json_integer_value(label) != -100 && json_integer_value(label) != json_integer_value(id)))
            return fail(
                "%s: labels[%zu] must be ids[%zu] or -100 (a label belongs to the token itself, not one before it)",
                r->where, i, i);
        record->ids[i] = (int32_t)json_integer_value(id);
        record->trained[i] = i > 0 && json_integer_value(label) != -100;
    }
    return true;
}

// ---- the format, and what all formats have

typedef struct FormatKey {
    const char *key, *name; // name: of --format
    RowFormat format;
    bool (*read)(Reading *r);
} FormatKey;

static const FormatKey FORMATS[] = {
    {"messages", "chat", ROW_CHAT, read_chat},
    {"conversations", "chat", ROW_CHAT, read_chat},
    {"prompt", "prompt", ROW_PROMPT, read_prompt},
    {"instruction", "alpaca", ROW_ALPACA, read_alpaca},
    {"problem", "problem", ROW_PROBLEM, read_problem},
    {"question", "problem", ROW_PROBLEM, read_problem},
    {"ids", "ids", ROW_IDS, read_ids},
};

static bool two_formats(const FormatKey *a, const FormatKey *b, const char *where)
{
    fail("%s: the row has both \"%s\" and \"%s\" and could mean either", where, a->key, b->key);
    Bytes text = {0};
    bool ok =
        bytes_text(&text, error_text()) &&
        (a->format == b->format || bytes_printf(&text, "; --format %s or --format %s says which", a->name, b->name)) &&
        bytes_printf(&text, "; --map _%s=%s leaves one out", b->key, b->key);
    if (ok)
        fail("%s", text.data);
    bytes_free(&text);
    return false;
}

static bool find_format(const FormatKey **found, const Reading *r)
{
    const char *wanted = r->options->format;
    bool any = wanted == NULL || strcmp(wanted, "auto") == 0;
    *found = NULL;
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
        const FormatKey *candidate = &FORMATS[i];
        if (row_field(r->row, candidate->key) == NULL || (candidate->format == ROW_IDS && r->record->generated) ||
            (!any && strcmp(wanted, candidate->name) != 0))
            continue; // a generated row's ids are the sampler's
        if (*found != NULL)
            return two_formats(*found, candidate, r->where);
        *found = candidate;
    }
    if (*found == NULL && !any)
        return fail("%s: the row has none of the fields of --format %s", r->where, wanted);
    return *found != NULL ||
           fail("%s: no known row format: none of messages, conversations, prompt, instruction, problem, question%s; "
                "--map problem=NAME reads one of them from another field",
                r->where, r->record->generated ? "" : ", ids");
}

static bool read_finish(const Reading *r)
{
    const json_t *reason = row_field(r->row, "finish_reason");
    if (reason == NULL)
        return true;
    static const char *const unfinished[] = {"length", "content_filter", "abort", "tool_calls"};
    Text name = text_of(reason);
    r->record->generated = row_field(r->row, "text") != NULL;
    for (size_t i = 0; i < sizeof unfinished / sizeof *unfinished; i++)
        r->record->unfinished = r->record->unfinished || (name.data != NULL && text_is(name, unfinished[i]));
    return r->record->unfinished || (name.data != NULL && text_is(name, "stop")) ||
           fail("%s: key \"finish_reason\" must be \"stop\" or \"length\"; or \"content_filter\", \"abort\" or "
                "\"tool_calls\" of "
                "a "
                "server",
                r->where);
}

// The generated text replaces the row's own response.
static bool add_generated(const Reading *r)
{
    Text text;
    TRY(need_text(&text, r->row, "text", r->where));
    if (r->record->has_response)
        r->record->marks[--r->record->count] = TURN_UNMARKED;
    return add_response(r, text);
}

// An empty answer would teach only to stop: it counts as none.
static void drop_empty_response(Record *record)
{
    const Message *last = record->count == 0 ? NULL : &record->messages[record->count - 1];
    if (record->has_response && is_blank(last->content) && is_blank(last->reasoning)) {
        record->has_response = false;
        record->count--;
    }
}

// An answer to an empty question teaches nothing.
static bool check_questions(const Reading *r)
{
    for (size_t i = 0; i < r->record->count; i++)
        if (r->record->messages[i].role == ROLE_USER && is_blank(r->record->messages[i].content))
            return fail("%s: turn %zu, the user's, is empty", r->where, i + 1);
    return true;
}

static bool is_asked(const Reading *r, const FormatKey *format)
{
    return r->options->prompts || format->format == ROW_IDS;
}

static bool read_turns(Reading *r, const FormatKey *format)
{
    TRY(format->read(r));
    if (r->record->generated)
        TRY(add_generated(r));
    else if (row_field(r->row, "finish_reason") != NULL && !r->record->has_response && !is_asked(r, format))
        return fail("%s: the row has a \"finish_reason\", and no response that it could belong to: no \"text\", nor "
                    "one of its own; --map text=NAME reads it from another field, --map _finish_reason=finish_reason "
                    "leaves it out",
                    r->where);
    if (format->format != ROW_IDS)
        TRY(check_questions(r) && add_system(r) && read_thoughts(r));
    else if (r->options->system != NULL && r->options->system[0] != 0)
        return fail("%s: a row of ids, which has no turns to put --system before; drop that option", r->where);
    drop_empty_response(r->record);
    return true;
}

// All values are taken before any is put back, so that fields may be swapped, or one read as two.
static bool rename_fields(Record *record, const RecordOptions *options)
{
    json_t *values[FIELDS_MAPPED_MOST];
    Text written[FIELDS_MAPPED_MOST];
    size_t count = options->map_count;
    if (count > FIELDS_MAPPED_MOST)
        return fail("--map: at most %d fields", FIELDS_MAPPED_MOST);
    for (size_t i = 0; i < count; i++) {
        values[i] = json_incref(json_object_get(record->row, options->map[i].name));
        written[i] = json_field(&record->fields, options->map[i].name);
        record->mapped |= values[i] != NULL ? 1u << i : 0;
    }
    for (size_t i = 0; i < count; i++) {
        json_object_del(record->row, options->map[i].name);
        json_fields_remove(&record->fields, options->map[i].name);
    }
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        if (values[i] == NULL)
            continue;
        ok = (json_object_set_new(record->row, options->map[i].field, values[i]) == 0 || fail("no memory for a row")) &&
             ok;
        ok = ok && json_fields_set(&record->fields, options->map[i].field, written[i]);
    }
    return ok;
}

static bool read_row(Reading *r)
{
    const FormatKey *format;
    Record *record = r->record;
    if (!json_is_object(r->row))
        return fail("%s: a row must be a JSON object, one a line", r->where);
    TRY(json_fields(&record->fields, (Text){record->text.data, record->text.size}));
    TRY(rename_fields(record, r->options) && read_finish(r) && find_format(&format, r));
    record->format = format->format;
    TRY(check_fields(r) && take_options(r) && read_turns(r, format) && check_options_shown(r) && check_shown(r));
    TRY(read_difficulty(r) && read_names(r) && take_answer(r));
    find_unread(r);
    return true;
}

static bool read_pair(Reading *r)
{
    const RecordOptions options = {.map = &(FieldMap){"answer", "gold"}, .map_count = 1};
    Record *record = r->record;
    r->pair = true;
    r->answer_key = "gold";
    if (!json_is_object(r->row))
        return fail("%s: a row must be a JSON object, one a line", r->where);
    TRY(json_fields(&record->fields, (Text){record->text.data, record->text.size}));
    if (row_field(r->row, "gold") == NULL && row_field(r->row, "answer_index") == NULL)
        return fail("%s: key \"gold\" is missing", r->where);
    record->format = ROW_PROBLEM;
    return rename_fields(record, &options) && take_options(r) && take_answer(r);
}

bool record_read(Record *record, const char *json, size_t size, const char *file, int64_t line,
                 const RecordOptions *options)
{
    char where[1024];
    snprintf(where, sizeof where, "%s:%" PRId64, file, line);
    *record = (Record){.line = line};
    bool ok = bytes_append(&record->text, json, size) &&
              (record->row = json_parse_row(record->text.data, record->text.size, where, &record->odd_numbers)) != NULL;
    Reading reading = {
        .record = record, .row = record->row, .where = where, .options = options, .answer_key = "answer"};
    if (ok && (options->pair ? read_pair(&reading) : read_row(&reading)))
        return true;
    record_free(record);
    return false;
}

void record_free(Record *record)
{
    free(record->messages);
    free(record->marks);
    free(record->ids);
    free(record->trained);
    free(record->id);
    free(record->answer);
    for (size_t i = 0; i < record->made_count; i++)
        bytes_free(&record->made[i]);
    free(record->made);
    json_decref(record->row);
    json_fields_free(&record->fields);
    bytes_free(&record->text);
    *record = (Record){0};
}

size_t record_prompt(const Record *record) { return record->count - (record->has_response ? 1 : 0); }

bool record_append(Bytes *out, const Record *record, const char *const *without)
{
    const JsonFields *fields = &record->fields;
    bool first = true;
    TRY(bytes_text(out, "{"));
    for (size_t i = 0; i < fields->count; i++) {
        const char *const *left_out = without;
        while (*left_out != NULL && !text_is(fields->list[i].name, *left_out))
            left_out++;
        if (*left_out != NULL)
            continue;
        TRY(bytes_text(out, first ? "" : ",") && json_append_string(out, fields->list[i].name) &&
            bytes_text(out, ":") && json_append(out, fields->list[i].value));
        first = false;
    }
    return true;
}
