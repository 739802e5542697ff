// What a row holds beside its turns: fields that would change what is learned and can't be honoured are refused by
// name; the difficulty, the reference and the names are read.
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
           (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_string(value) && says_nothing(text_of(value)));
}

bool may_text(Text *out, const json_t *object, const char *key, const char *where)
{
    const json_t *value = row_field(object, key);
    *out = text_of(value);
    return value == NULL || out->data != NULL || fail("%s: key \"%s\" must be a string", where, key);
}

bool need_text(Text *out, const json_t *object, const char *key, const char *where)
{
    *out = text_of(row_field(object, key));
    return out->data != NULL || fail("%s: key \"%s\" must be a string", where, key);
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

// ---- fields that are refused

static bool refuse(const char *key, const char *why, const char *where)
{
    return fail("%s: the row has \"%s\"; %s (--map _%s=%s leaves it out)", where, key, why, key, key);
}

static bool check_media(const Reading *r)
{
    static const char *const keys[] = {"images", "image", "audio", "audios", "video", "videos"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!is_nothing(row_field(r->row, keys[i])))
            return refuse(keys[i], "only text is supported", r->where);
    return true;
}

// What a template is told beside the messages: whether to think, which must agree with the template.
static bool take_thinking(const Reading *r, const json_t *value)
{
    Thinking thinking = json_is_true(value) ? THINKING_ON : THINKING_OFF, *before = &r->record->thinking;
    if (*before != THINKING_UNSAID && *before != thinking)
        return fail("%s: \"enable_thinking\" of the row contradicts that of its \"chat_template_kwargs\"", r->where);
    *before = thinking;
    return true;
}

static bool check_template_words(const Reading *r)
{
    const json_t *words = row_field(r->row, "chat_template_kwargs"), *own = row_field(r->row, "enable_thinking"),
                 *value;
    const char *key;
    if (!is_nothing(own) && !json_is_boolean(own))
        return refuse("enable_thinking", "it must be true or false", r->where);
    if (json_is_boolean(own))
        TRY(take_thinking(r, own));
    if (is_nothing(words))
        return true;
    if (!json_is_object(words))
        return refuse("chat_template_kwargs", "it must be an object", r->where);
    json_object_foreach ((json_t *)(uintptr_t)words, key, value) {
        if (is_nothing(value))
            continue;
        if (strcmp(key, "enable_thinking") != 0 || !json_is_boolean(value))
            return refuse("chat_template_kwargs", "only enable_thinking is supported, true or false", r->where);
        TRY(take_thinking(r, value));
    }
    return true;
}

// A message's marks, given for the whole row. All rows count the same, and all are trained.
static bool check_weights(const Reading *r)
{
    static const char *const keys[] = {"weight", "loss_weight", "sample_weight", "train", "training", "loss"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = row_field(r->row, keys[i]);
        bool one = json_is_true(value) || (json_is_number(value) && json_number_value(value) == 1);
        if (!one && !is_nothing(value))
            return refuse(
                keys[i],
                "of a row it can only be 1 or true: all rows count the same, and one that is not to be trained "
                "must not be here",
                r->where);
    }
    return !json_is_false(row_field(r->row, "label")) ||
           refuse("label", "as false it marks a rejected response (KTO), which must not be trained", r->where);
}

static bool check_ids(const Reading *r)
{
    static const char *const masks[] = {"loss_mask", "attention_mask", "completion_mask", "assistant_masks"};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        if (!is_nothing(row_field(r->row, masks[i])))
            return refuse(masks[i], "of ids, \"labels\" decides what is trained", r->where);
    return true;
}

bool check_fields(const Reading *r)
{
    RowFormat format = r->record->format;
    TRY(check_weights(r));
    if (format == ROW_IDS)
        return check_ids(r);
    static const char *const tools[] = {"tools", "functions"};
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        if (!is_nothing(row_field(r->row, tools[i])))
            return refuse(tools[i], "tools are not supported", r->where);
    if (format == ROW_CHAT && !is_nothing(row_field(r->row, "history")))
        return refuse("history", "put all turns into its messages", r->where);
    if (!is_nothing(row_field(r->row, "loss_mask")))
        return refuse("loss_mask", "the messages decide what is trained", r->where);
    return check_media(r) && check_template_words(r);
}

// ---- passages that a question is about

static bool is_asked(const Record *record, Text text)
{
    text = text_trimmed(text);
    for (size_t i = 0; i < record_prompt(record); i++) {
        Text turn = record->messages[i].content;
        if (memmem(turn.data, turn.size, text.data, text.size) != NULL)
            return true;
    }
    return false;
}

// The field that a text can be put before; NULL: there is no one-line jq for it.
static const char *question_key(const Reading *r)
{
    static const char *const keys[ROW_FORMATS] = {
        [ROW_PROMPT] = "prompt", [ROW_ALPACA] = "instruction", [ROW_PROBLEM] = "problem"};
    const char *key = keys[r->record->format];
    if (r->record->format == ROW_PROBLEM && row_field(r->row, key) == NULL)
        key = "question";
    return key != NULL && json_is_string(row_field(r->row, key)) ? key : NULL;
}

static bool refuse_unseen(const Reading *r, const char *key)
{
    bool text = json_is_string(row_field(r->row, key));
    const char *question = text ? question_key(r) : NULL;
    if (text && r->record->format == ROW_ALPACA && is_nothing(row_field(r->row, "input")))
        return fail(
            "%s: the row has \"%s\", which an Alpaca row calls \"input\"; give --map input=%s (or --map _%s=%s, which "
            "leaves it out)",
            r->where, key, key, key, key);
    fail("%s: the row has \"%s\", which the model would not be shown; --map _%s=%s leaves it out", r->where, key, key,
         key);
    return question != NULL && fail("%s; jq -c '.%s = .%s + \"\\n\\n\" + .%s' puts it before the question",
                                    error_text(), question, key, question);
}

bool check_shown(const Reading *r)
{
    static const char *const keys[] = {"context", "contexts", "passage",   "passages", "paragraph",
                                       "article", "document", "documents", "story",    "background",
                                       "premise", "input",    "inputs"};
    RowFormat format = r->record->format;
    for (size_t i = 0; format != ROW_IDS && i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = row_field(r->row, keys[i]);
        bool own = format == ROW_ALPACA && strcmp(keys[i], "input") == 0;
        if (!own && !is_nothing(value) && !(json_is_string(value) && is_asked(r->record, text_of(value))))
            return refuse_unseen(r, keys[i]);
    }
    return true;
}

// ---- difficulty

// 1-5 from an integer, a whole real, or either as text; 0: unknown; -1: anything else
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
        return fail(
            "%s: %s; --map difficulty=NAME reads it from another field, --missing-difficulty N stands in for it",
            r->where, value == NULL ? "the row has no \"difficulty\"" : "key \"difficulty\" is not one of 1 to 5");
    r->record->difficulty = difficulty > 0 ? difficulty : 0;
    return difficulty >= 0 || in_words ||
           fail("%s: key \"difficulty\" must be one of 1, 2, 3, 4, 5, or 0 for unknown", r->where);
}

// ---- id, answer, source, category

// A string's text; anything else as spelled in the row, without white space.
bool value_text(char **out, const json_t *value, Text written, const char *key, const char *where)
{
    Bytes text = {0};
    if (json_is_string(value)) {
        if (strlen(json_string_value(value)) != json_string_length(value))
            return fail("%s: key \"%s\" holds a NUL character", where, key);
        return (*out = copy_text(json_string_value(value))) != NULL;
    }
    if (json_is_odd(written))
        return fail("%s: key \"%s\" holds NaN or Infinity, which are not JSON", where, key);
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
    for (size_t i = 0; whole && i < written.size; i++) // also one beyond 64 bits
        whole = (written.data[i] >= '0' && written.data[i] <= '9') || written.data[i] == '-';
    if (!json_is_string(id) && !whole)
        return fail("%s: key \"id\" must be a string or an integer", r->where);
    return value_text(&r->record->id, id, written, "id", r->where);
}

// A blank answer counts as none.
bool take_answer(const Reading *r)
{
    const json_t *answer = row_field(r->row, "answer");
    char **out = &r->record->answer;
    Text written = json_field(&r->record->fields, "answer");
    if (json_is_array(answer) && json_array_size(answer) == 1) { // ["Paris"] is Paris; [2, 3] may be a vector
        answer = json_array_get(answer, 0);
        written = json_first_element(written);
    }
    bool blank = json_is_string(answer) && text_trimmed(text_of(answer)).size == 0;
    if (answer != NULL && !json_is_null(answer) && !blank)
        TRY(value_text(out, answer, written, r->answer_key, r->where));
    return check_choice(r, out);
}

// A string, or a number's characters.
static bool read_name(const Reading *r, Text *out, const char *key)
{
    const json_t *value = row_field(r->row, key);
    Text written = json_field(&r->record->fields, key);
    if (!json_is_number(value) || json_is_odd(written))
        return (is_nothing(value) && !json_is_string(value)) || may_text(out, r->row, key, r->where) ||
               fail("%s: key \"%s\" must be a string or a number; --map _%s=%s leaves it out", r->where, key, key, key);
    Bytes *text = make_text(r);
    TRY(text != NULL && json_append(text, written));
    *out = (Text){text->data, text->size};
    return true;
}

bool read_names(const Reading *r)
{
    return read_name(r, &r->record->source, "source") && read_name(r, &r->record->category, "category") && read_id(r);
}
