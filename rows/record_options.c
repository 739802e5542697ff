// Multiple choice: the options of a row under each of their names, whether the model is shown them, and the answer,
// which must be one of them: a letter, a text, or in `answer_index` a position. A bare number counts as a text only
// where it can't be a position.
#include "answers/choice.h"
#include "rows/records_internal.h"
#include <ctype.h>
#include <stdlib.h>

enum { OPTIONS_MOST = 26 }; // letters

// ---- the options

// Adds how to leave the field out, where rows are mapped.
static bool or_leave_out(const Reading *r, const char *key, const char *then)
{
    return !r->pair && fail("%s; --map _%s=%s %s", error_text(), key, key, then);
}

// Hugging Face's {"text": [...], "label": ["A", "B", ...]}: the texts, and their spelling.
static bool labelled_texts(const Reading *r, const json_t *choices, json_t **texts, Text *written)
{
    const json_t *labels = json_object_get(choices, "label");
    JsonFields inside = {0};
    bool ok = json_fields(&inside, *written);
    *written = json_field(&inside, "text");
    json_fields_free(&inside);
    TRY(ok);
    *texts = json_object_get(choices, "text");
    for (size_t i = 0; i < json_array_size(labels); i++)
        if (!text_is(text_of(json_array_get(labels, i)), (char[]){(char)('A' + i), 0}))
            return fail("%s: key \"choices\": the labels must be A, B, C and so on", r->where) ||
                   or_leave_out(r, "choices", "leaves them out");
    return (json_is_array(*texts) && (labels == NULL || json_array_size(labels) == json_array_size(*texts))) ||
           fail("%s: key \"choices\" must be a list of texts, or have a \"text\" and a \"label\" for each", r->where);
}

// "choices" becomes "options".
static bool take_choices(Reading *r)
{
    json_t *choices = json_object_get(r->record->row, "choices");
    Text written = json_field(&r->record->fields, "choices");
    if (is_nothing(choices))
        return true;
    if (!is_nothing(row_field(r->row, "options")))
        return fail("%s: the row has both \"options\" and \"choices\"", r->where) ||
               or_leave_out(r, "choices", "leaves one out");
    r->options_key = "choices";
    r->options_path = "choices";
    if (json_object_get(choices, "text") != NULL) {
        r->options_path = "choices.text";
        TRY(labelled_texts(r, choices, &choices, &written));
    }
    json_fields_remove(&r->record->fields, "choices");
    json_fields_remove(&r->record->fields, "options");
    json_incref(choices); // its owner goes away
    json_object_del(r->record->row, "choices");
    bool set =
        json_object_set_new(r->record->row, "options", choices) == 0 || fail("%s: no memory for its options", r->where);
    return set && json_fields_set(&r->record->fields, "options", written);
}

const json_t *option_at(const json_t *options, size_t i)
{
    return json_is_array(options) ? json_array_get(options, i) : row_field(options, (char[]){(char)('A' + i), 0});
}

size_t option_count(const json_t *options)
{
    size_t count = 0;
    if (json_is_array(options))
        return json_array_size(options);
    while (count < OPTIONS_MOST && option_at(options, count) != NULL)
        count++;
    return count;
}

// Whether an object has only the fields A, B, ... in their order, apart from empty ones.
static bool only_letters(const json_t *options)
{
    const char *key;
    json_t *value;
    size_t filled = 0;
    json_object_foreach ((json_t *)(uintptr_t)options, key, value)
        filled += !json_is_null(value);
    return filled == option_count(options);
}

bool take_options(Reading *r)
{
    r->options_key = r->options_path = "options";
    TRY(take_choices(r));
    const json_t *options = row_field(r->row, "options");
    size_t count = option_count(options);
    if (is_nothing(options))
        return true;
    bool list = json_is_array(options) || (json_is_object(options) && only_letters(options));
    if (!list || count > OPTIONS_MOST)
        return fail("%s: key \"%s\" must be a list of at most 26 texts, or an object of them, {\"A\": ..., \"B\": ...}",
                    r->where, r->options_key) ||
               or_leave_out(r, r->options_key, "leaves it out");
    for (size_t i = 0; i < count; i++)
        if (!json_is_string(option_at(options, i)))
            return fail("%s: option %zu of key \"%s\" is not a string", r->where, i + 1, r->options_key) ||
                   or_leave_out(r, r->options_key, "leaves them out");
    return true;
}

// ---- are they shown?

// The next place where a text is by itself and not part of a word or number; NULL: none.
static const char *standing_alone(const char *from, const char *end, Text text)
{
    for (const char *at = from; text.size > 0; at++) {
        at = memmem(at, (size_t)(end - at), text.data, text.size);
        if (at == NULL)
            return NULL;
        bool before = at > from && isalnum((unsigned char)at[-1]) && isalnum((unsigned char)*text.data);
        const char *last = at + text.size;
        bool behind = last < end && isalnum((unsigned char)*last) && isalnum((unsigned char)last[-1]);
        if (!before && !behind)
            return at;
    }
    return from;
}

static bool shows_options(Text turn, const json_t *options)
{
    const char *at = turn.data, *end = turn.data + turn.size;
    for (size_t i = 0; i < option_count(options); i++) {
        Text option = text_trimmed(text_of(option_at(options, i)));
        at = standing_alone(at, end, option);
        if (at == NULL)
            return false;
        at += option.size;
    }
    return true;
}

// The --map that would render them, if there is one.
static const char *renders_options(const Reading *r)
{
    RowFormat format = r->record->format;
    if (format == ROW_PROMPT && json_is_string(row_field(r->row, "prompt")))
        return row_field(r->row, "completion") == NULL ? "--map problem=prompt"
                                                       : "--map problem=prompt --map solution=completion";
    if (format == ROW_ALPACA && is_nothing(row_field(r->row, "input")))
        return row_field(r->row, "output") == NULL ? "--map problem=instruction"
                                                   : "--map problem=instruction --map solution=output";
    return NULL;
}

bool check_options_shown(const Reading *r)
{
    const json_t *options = row_field(r->row, "options");
    const Record *record = r->record;
    if (is_nothing(options) || record->format == ROW_PROBLEM || record->format == ROW_IDS)
        return true; // a problem's are written below its question; of ids the text is unknown
    for (size_t i = 0; i < record_prompt(record); i++)
        if (shows_options(record->messages[i].content, options))
            return true;
    const char *renders = renders_options(r);
    return fail("%s: the row has \"%s\", which are not all in the prompt; --map _%s=%s leaves them out%s%s", r->where,
                r->options_key, r->options_key, r->options_key,
                renders == NULL ? "" : ", and they are written below it with ", renders == NULL ? "" : renders);
}

// ---- the answer

int place_of_option(Text text, size_t count)
{
    int place = 0;
    size_t i = 0;
    text = text_trimmed(text);
    for (; i < text.size && isdigit((unsigned char)text.data[i]) && place < OPTIONS_MOST; i++)
        place = 10 * place + text.data[i] - '0';
    size_t digits = i;
    if (i > 0 && i + 1 < text.size && text.data[i] == '.') // as tables with gaps write integers
        for (i++; i < text.size && text.data[i] == '0';)
            i++;
    return digits > 0 && i == text.size && (size_t)place < count ? place : -1;
}

// "answer_index", MMLU-Pro's name for it; *place -1: absent.
static bool read_place(const Reading *r, const json_t *options, int *place)
{
    const json_t *index = row_field(r->row, "answer_index");
    Text written = json_is_string(index) ? text_of(index) : json_field(&r->record->fields, "answer_index");
    size_t count = option_count(options);
    *place = -1;
    if (is_nothing(index) || is_nothing(options))
        return true;
    if (json_is_number(index) || json_is_string(index))
        *place = place_of_option(written, count);
    return *place >= 0 ||
           fail("%s: key \"answer_index\" must be the place of one of the options, an integer from 0 to %zu", r->where,
                count - 1) ||
           or_leave_out(r, "answer_index", "leaves it out");
}

static bool set_letter(char **answer, int place)
{
    free(*answer);
    return (*answer = copy_text((char[]){(char)('A' + place), 0})) != NULL;
}

static bool refuse_answer(const Reading *r, const char *answer, size_t count)
{
    const char *key = r->options_key;
    Text shown = {answer, utf8_valid_prefix(answer, strnlen(answer, 80))};
    fail("%s: key \"%s\" is \"%.*s\", which is not one of the %zu \"%s\"; write the letter or the text of one",
         r->where, r->answer_key, (int)shown.size, shown.data, count, key);
    if (!r->pair)
        fail("%s; --map answer=NAME reads it from another field", error_text());
    return or_leave_out(r, key, "asks without options");
}

// A number may be a position, or the text of an option.
static bool check_number(const Reading *r, const char *answer, char letter, int place)
{
    if (letter == 'A' + place)
        return true;
    if (letter == 0)
        fail("%s: key \"%s\" is %s, a number and not one of the options", r->where, r->answer_key, answer);
    else
        fail("%s: key \"%s\" is %s, which may be (%c) by its text, or (%c) by its place", r->where, r->answer_key,
             answer, letter, 'A' + place);
    fail("%s; \"answer_index\" is a place, counted from 0%s", error_text(),
         r->pair ? "" : " (--map answer_index=answer)");
    if (letter == 0)
        return fail("%s; else write the letter or the text of an option", error_text());
    Text option = text_of(option_at(row_field(r->row, "options"), (size_t)(letter - 'A')));
    if (!text_is(option, answer) || json_is_array(row_field(r->row, "answer")))
        return fail("%s; where it is the text, write its letter", error_text());
    return fail("%s; where it is the text: jq -c '.%s as $a | .answer_index = (.%s | index($a | tostring))'",
                error_text(), r->answer_key, r->options_path);
}

// "0.5" or "2.0" as a JSON string: no position, except in tables where everything is text.
static bool is_text_with_point(const Reading *r)
{
    Text answer = text_of(row_field(r->row, "answer"));
    return answer.data != NULL && memchr(answer.data, '.', answer.size) != NULL;
}

bool check_choice(const Reading *r, char **answer)
{
    json_t *options = json_object_get(r->row, "options");
    int index;
    if (is_nothing(options))
        return true;
    TRY(read_place(r, options, &index));
    if (*answer == NULL)
        return index < 0 || set_letter(answer, index);
    Text text = {*answer, strlen(*answer)};
    char letter = choice_named(options, text);
    int place = place_of_option(text, option_count(options));
    if (index >= 0 && letter != 'A' + index && place != index)
        return fail("%s: keys \"%s\" and \"answer_index\" name two options", r->where, r->answer_key) ||
               or_leave_out(r, "answer_index", "leaves one out");
    if (index >= 0)
        return letter == 'A' + index || set_letter(answer, index);
    if (place >= 0 && !(letter != 0 && is_text_with_point(r)))
        return check_number(r, *answer, letter, place);
    return letter != 0 || refuse_answer(r, *answer, option_count(options));
}
