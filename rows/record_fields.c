// What a row holds beside its turns: what would change what is learned and can't be rendered here is refused by name; the
// difficulty, the reference and the names are read; and of a row that lacks something, the field that it may stand in is found.
#include "rows/records_internal.h"
#include <stdlib.h>

// ---- fields

static bool says_nothing(Text text)
{
    static const char *const words[] = {"", "[]", "{}", "null"};
    while (text.size > 0 && strchr(" \t\r\n", text.data[text.size - 1]) != NULL && text.data[text.size - 1] != 0)
        text.size--;
    while (text.size > 0 && strchr(" \t\r\n", text.data[0]) != NULL && text.data[0] != 0)
        text = (Text){text.data + 1, text.size - 1};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_is(text, words[i]))
            return true;
    return false;
}

bool is_nothing(const json_t *value)
{
    return value == NULL || json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) || (json_is_string(value) && says_nothing(text_of(value)));
}

bool may_text(Text *out, const json_t *object, const char *key, const char *where)
{
    const json_t *value = row_field(object, key);
    *out = text_of(value);
    return value == NULL || out->data != NULL || fail("%s: key \"%s\" must be a text", where, key);
}

bool need_text(Text *out, const json_t *object, const char *key, const char *where)
{
    *out = text_of(row_field(object, key));
    return out->data != NULL || fail("%s: key \"%s\" must be a text", where, key);
}

bool one_text(Text *out, const json_t *object, const char *const *keys, const char *where)
{
    const char *first = NULL;
    *out = (Text){NULL, 0};
    for (; *keys != NULL; keys++) {
        Text text;
        TRY(may_text(&text, object, *keys, where));
        bool same = text.size == out->size && (text.size == 0 || memcmp(text.data, out->data, text.size) == 0);
        if (out->size > 0 && text.size > 0 && !same)
            return fail("%s: keys \"%s\" and \"%s\" differ; keep one of them", where, first, *keys);
        if (text.data != NULL && (out->data == NULL || text.size > 0)) {
            *out = text;
            first = *keys;
        }
    }
    return true;
}

// ---- what is not honoured

static bool refuse(const char *key, const char *why, const char *where)
{
    return fail("%s: the row has \"%s\"; %s (--map _%s=%s leaves it out)", where, key, why, key, key);
}

static bool check_media(const Reading *r)
{
    static const char *const keys[] = {"images", "image", "audio", "audios", "video", "videos"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!is_nothing(row_field(r->row, keys[i])))
            return refuse(keys[i], "only texts are rendered here", r->where);
    return true;
}

// What a template is told beside the messages: whether it is to think, which has to agree with the template.
static bool check_template_words(const Reading *r)
{
    const json_t *words = row_field(r->row, "chat_template_kwargs"), *value;
    const char *key;
    if (is_nothing(words))
        return true;
    if (!json_is_object(words))
        return refuse("chat_template_kwargs", "it must be an object", r->where);
    json_object_foreach ((json_t *)(uintptr_t)words, key, value) {
        if (json_is_null(value))
            continue;
        if (strcmp(key, "enable_thinking") != 0 || !json_is_boolean(value))
            return refuse("chat_template_kwargs", "of these only enable_thinking is known, true or false", r->where);
        r->record->thinking = json_is_true(value) ? THINKING_ON : THINKING_OFF;
    }
    return true;
}

static bool check_ids(const Reading *r)
{
    static const char *const masks[] = {"loss_mask", "attention_mask", "completion_mask", "assistant_masks"};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        if (!is_nothing(row_field(r->row, masks[i])))
            return refuse(masks[i], "what is trained of ids is said by \"labels\"", r->where);
    return true;
}

bool check_fields(const Reading *r)
{
    RowFormat format = r->record->format;
    if (format == ROW_IDS)
        return check_ids(r);
    static const char *const tools[] = {"tools", "functions"};
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        if (!is_nothing(row_field(r->row, tools[i])))
            return refuse(tools[i], "tools are not rendered here", r->where);
    if (format == ROW_CHAT && !is_nothing(row_field(r->row, "history")))
        return refuse("history", "its messages are all turns of a chat", r->where);
    if (format == ROW_ALPACA && !is_nothing(row_field(r->row, "context")))
        return fail("%s: the row has \"context\", which an Alpaca row calls \"input\"; give --map input=context", r->where);
    if (!is_nothing(row_field(r->row, "loss_mask")))
        return refuse("loss_mask", "what is trained is said in the messages", r->where);
    return check_media(r) && check_template_words(r);
}

// ---- options of a problem under another name

// "choices" becomes "options": a list of texts, or Hugging Face's {"text": [...], "label": ["A", "B", ...]}.
bool take_choices(Reading *r)
{
    json_t *choices = json_object_get(r->record->row, "choices"), *texts = json_object_get(choices, "text"),
           *labels = json_object_get(choices, "label");
    Text written = json_field(&r->record->fields, "choices");
    if (is_nothing(choices))
        return true;
    if (!is_nothing(row_field(r->row, "options")))
        return fail("%s: the row has both \"options\" and \"choices\"; --map _choices=choices leaves one out", r->where);
    if (json_is_object(choices)) {
        JsonFields inside = {0};
        bool ok = json_fields(&inside, written);
        written = json_field(&inside, "text");
        json_fields_free(&inside);
        TRY(ok);
        for (size_t i = 0; i < json_array_size(labels); i++)
            if (!text_is(text_of(json_array_get(labels, i)), (char[]){(char)('A' + i), 0}))
                return fail("%s: key \"choices\": the labels must be A, B, C and so on", r->where);
        if (!json_is_array(texts) || (labels != NULL && json_array_size(labels) != json_array_size(texts)))
            return fail("%s: key \"choices\" must be a list of texts, or have a \"text\" and a \"label\" for each", r->where);
        choices = texts;
    }
    if (!json_is_array(choices))
        return fail("%s: key \"choices\" must be a list of texts", r->where);
    json_fields_remove(&r->record->fields, "choices");
    json_fields_remove(&r->record->fields, "options");
    json_incref(choices); // what holds it goes
    json_object_del(r->record->row, "choices");
    bool set = json_object_set_new(r->record->row, "options", choices) == 0 || fail("%s: no memory for its options", r->where);
    return set && json_fields_set(&r->record->fields, "options", written);
}

// ---- difficulty

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

bool read_difficulty(const Reading *r)
{
    const json_t *value = row_field(r->row, "difficulty");
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

// ---- id, answer, source, category

// A text as it is; anything else as it was written, without the white space.
static bool value_text(char **out, const json_t *value, Text written, const char *key, const char *where)
{
    Bytes text = {0};
    if (json_is_string(value)) {
        if (strlen(json_string_value(value)) != json_string_length(value))
            return fail("%s: key \"%s\" holds a NUL character", where, key);
        return (*out = copy_text(json_string_value(value))) != NULL;
    }
    if (json_is_odd(written))
        return fail("%s: key \"%s\" holds NaN or Infinity, which are no JSON", where, key);
    TRY(json_append(&text, written));
    *out = text.data;
    return true;
}

static bool read_id(const Reading *r)
{
    const json_t *id = row_field(r->row, "id");
    Text written = json_field(&r->record->fields, "id");
    char line[24];
    snprintf(line, sizeof line, "%" PRId64, r->record->line);
    if (id == NULL)
        return (r->record->id = copy_text(line)) != NULL;
    bool whole = json_is_number(id) && !json_is_odd(written);
    for (size_t i = 0; whole && i < written.size; i++) // one beyond 64 bits, too
        whole = (written.data[i] >= '0' && written.data[i] <= '9') || written.data[i] == '-';
    if (!json_is_string(id) && !whole)
        return fail("%s: key \"id\" must be a text or an integer", r->where);
    return value_text(&r->record->id, id, written, "id", r->where);
}

// An answer 0 beside options: is it the first, or the text "0"?
static bool check_number_of_option(const Reading *r, const json_t *answer, Text written)
{
    const json_t *options = row_field(r->row, "options");
    if (is_nothing(options) || !json_is_number(answer))
        return true;
    for (size_t i = 0; i < json_array_size(options); i++) {
        Text option = text_of(json_array_get(options, i));
        if (option.size == written.size && memcmp(option.data, written.data, option.size) == 0)
            return true;
    }
    return fail("%s: key \"answer\" is a number, and none of the options; write the letter or the text of an option", r->where);
}

static bool read_answer(const Reading *r)
{
    const json_t *answer = row_field(r->row, "answer");
    Text written = json_field(&r->record->fields, "answer");
    if (answer == NULL)
        return true;
    if (json_is_array(answer) && json_array_size(answer) == 1) { // ["Paris"] is Paris; [2, 3] may be a vector
        answer = json_array_get(answer, 0);
        written = json_first_element(written);
    }
    return check_number_of_option(r, answer, written) && value_text(&r->record->answer, answer, written, "answer", r->where);
}

bool read_names(const Reading *r)
{
    r->record->source = text_of(row_field(r->row, "source"));
    r->record->category = text_of(row_field(r->row, "category"));
    return read_id(r) && read_answer(r);
}

// ---- what may have been meant

static const char *first_that_says(const json_t *row, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        if (!is_nothing(row_field(row, *keys)))
            return *keys;
    return NULL;
}

void find_unread(const Reading *r)
{
    static const char *const responses[] = {"response",   "completion", "output",       "solution",    "generated_solution",
                                            "generation", "rationale",  "reasoning",    "target",      "answer_text",
                                            "chosen",     "assistant",  "model_output", "generations", "cot",
                                            NULL},
                             *const answers[] = {
                                 "answerKey", "answer_key",       "final_answer", "ground_truth", "expected_answer",
                                 "gold",      "reference_answer", "reference",    "target",       "label",
                                 NULL};
    Record *record = r->record;
    if (!record->has_response && record->format != ROW_IDS)
        record->unread_response = first_that_says(r->row, responses);
    if (record->answer == NULL)
        record->unread_answer = first_that_says(r->row, answers);
}
