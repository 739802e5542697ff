// A row becomes a question, and a question a prompt: see question.h.
#include "benchmarks/question.h"
#include "tasks/python_text.h"
#include "base/number.h"
#include <stdlib.h>
#include "base/text.h"
#include <string.h>

// ---- reading a row

typedef struct RowOf {
    Question *question;
    const Task *task;
    const char *where;
} RowOf;

static bool missing(const RowOf *r, const char *field)
{
    return fail("%s: there is no field %s, which the task %s reads (%s); for other names of fields, write the lines of "
                "./evaluate --show %s to a file of your own, change them, and name that file in its place",
                r->where, field, r->task->name, r->task->o.data, r->task->given);
}

// A text, or a number as it is spelled; of a list the only element, or the first.
static bool text_of(const RowOf *r, const char *field, const json_t *value, Text spelled, bool first, Text *text)
{
    if (json_array_size(value) > 1 && !first)
        return fail("%s: %s is a list of %zu; make it one text", r->where, field, json_array_size(value));
    if (json_array_size(value) > 0) {
        value = json_array_get(value, 0);
        spelled = json_first_element(spelled);
    }
    if (json_is_string(value))
        *text = (Text){json_string_value(value), json_string_length(value)};
    else if (json_is_number(value) && strchr("0123456789-", spelled.data[0]) != NULL && spelled.data[1] != 'I')
        *text = spelled;
    else
        return fail("%s: %s is neither a text nor a number; write it as a text, \"...\"", r->where, field);
    return true;
}

// A text that is made of a row's values lives as long as the question.
static bool made_text(Question *q, const char *data, size_t size, Text *text)
{
    json_t *kept = json_stringn(data, size);
    if ((q->made == NULL && (q->made = json_array()) == NULL) || json_array_append_new(q->made, kept) != 0)
        return fail("no memory for a question");
    *text = (Text){json_string_value(kept), json_string_length(kept)};
    return true;
}

// The row's spelling of the first of these fields that it has.
static Text spelled(const RowOf *r, const char *names)
{
    for (const char *name = names; *name != 0;) {
        char one[256];
        size_t size = strcspn(name, "|");
        snprintf(one, sizeof one, "%.*s", (int)size, name);
        Text value = json_field(&r->question->fields, one);
        if (value.data != NULL && strncmp(value.data, "null", 4) != 0)
            return value;
        name += size + (name[size] == '|');
    }
    return (Text){0};
}

static bool read_field(const RowOf *r, const char *names, Text *text)
{
    const json_t *value = task_field(r->question->row, names);
    return value == NULL ? missing(r, names) : text_of(r, names, value, spelled(r, names), false, text);
}

static bool may_read_field(const RowOf *r, const char *names, Text *text)
{
    return task_field(r->question->row, names) == NULL || read_field(r, names, text);
}

static bool add_option(const RowOf *r, const char *field, const json_t *value)
{
    Question *q = r->question;
    char number[NUMBER_TEXT];
    Text option = {json_string_value(value), json_string_length(value)};
    if (json_is_integer(value))
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        number_text(number, json_real_value(value));
    if (json_is_number(value))
        TRY(made_text(q, number, strlen(number), &option));
    else if (!json_is_string(value))
        return fail("%s: %s: an option is neither a text nor a number; write it as a text, \"...\"", r->where, field);
    if (strcmp(option.data, r->task->o.drop_option) == 0 && r->task->o.drop_option[0] != 0)
        return true;
    if (q->option_count == LETTERS_MOST)
        return fail("%s: %s: has more than %d options", r->where, field, LETTERS_MOST);
    q->options[q->option_count++] = r->task->o.strip_options ? python_strip(option) : option;
    return true;
}

// The options of one list, or of a field each.
static bool read_options(const RowOf *r)
{
    const OptionList *fields = &r->task->o.options;
    for (size_t i = 0; i < fields->count; i++) {
        const json_t *value = task_field(r->question->row, fields->items[i]), *option;
        size_t place;
        if (value == NULL)
            return missing(r, fields->items[i]);
        if (!json_is_array(value) && fields->count == 1)
            return fail("%s: %s is no list of texts, [\"...\", \"...\"]; make it one, or name a field for each option",
                        r->where, fields->items[i]);
        if (!json_is_array(value))
            TRY(add_option(r, fields->items[i], value));
        else
            json_array_foreach (value, place, option)
                TRY(add_option(r, fields->items[i], option));
    }
    return fields->count == 0 || r->question->option_count > 0 || fail("%s: a question without options", r->where);
}

static bool is_same(Text a, Text b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

// The answer's text; a list of several is one answer, "8, 9".
static bool read_answer(const RowOf *r)
{
    const char *field = r->task->o.answer;
    const json_t *value = task_field(r->question->row, field), *one;
    Bytes all = {0};
    size_t i;
    if (json_array_size(value) < 2)
        return read_field(r, field, &r->question->answer);
    if (r->task->o.first_answer)
        return text_of(r, field, value, spelled(r, field), true, &r->question->answer);
    bool ok = true;
    json_array_foreach (value, i, one) {
        char *text = json_is_string(one) || json_is_number(one)
                         ? json_dumps(one, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))
                         : NULL;
        ok = ok && (text != NULL || fail("%s: %s holds what is neither a text nor a number", r->where, field)) &&
             bytes_text(&all, i == 0 ? "" : ", ") &&
             bytes_text(&all, json_is_string(one) ? json_string_value(one) : text);
        free(text);
    }
    ok = ok && made_text(r->question, all.data, all.size, &r->question->answer);
    bytes_free(&all);
    return ok;
}

// "B", "b", "(B)": its place.
static size_t place_of_letter(Text answer)
{
    answer = text_trimmed(answer);
    if (answer.size == 3 && answer.data[0] == '(' && answer.data[2] == ')')
        answer = (Text){answer.data + 1, 1};
    char c = answer.size == 1 ? answer.data[0] : 0;
    return c >= 'A' && c <= 'Z' ? (size_t)(c - 'A') : c >= 'a' && c <= 'z' ? (size_t)(c - 'a') : LETTERS_MOST;
}

static size_t place_of_index(Text answer) // "3"
{
    answer = text_trimmed(answer);
    size_t place = 0;
    for (size_t i = 0; i < answer.size; i++)
        place = answer.data[i] < '0' || answer.data[i] > '9' || i > 2 ? LETTERS_MOST
                                                                      : 10 * place + (size_t)(answer.data[i] - '0');
    return answer.size == 0 ? LETTERS_MOST : place;
}

// Which option the answer names.
static bool read_right(const RowOf *r)
{
    Question *q = r->question;
    const char *field = r->task->o.answer;
    AnswerForm form = (AnswerForm)r->task->o.answer_form.place;
    q->right = 0;
    if (form == FORM_FIRST)
        return true;
    if (task_field(q->row, field) == NULL)
        return missing(r, field);
    TRY(read_answer(r));
    if (text_trimmed(q->answer).size == 0)
        return fail("%s: %s is empty", r->where, field);
    if (form == FORM_TEXT)
        return true;
    if (form == FORM_LETTER)
        q->right = place_of_letter(q->answer);
    else if (form == FORM_INDEX)
        q->right = place_of_index(q->answer);
    else
        while (q->right < q->option_count && !is_same(q->options[q->right], q->answer))
            q->right++;
    return q->right < q->option_count ||
           fail("%s: %s is \"%.*s\", which names none of the %zu options (answer_form in the task says how an answer "
                "does)",
                r->where, field, (int)smaller(40, (int64_t)q->answer.size), q->answer.data, q->option_count);
}

// "discipline/field": the texts of both fields, joined alike.
static bool read_path(const RowOf *r, const char *path, Text *text)
{
    Bytes *joined = &r->question->paths;
    size_t begin = joined->size;
    for (const char *at = path; *at != 0;) {
        char field[256];
        Text part = {0};
        size_t size = strcspn(at, "/");
        snprintf(field, sizeof field, "%.*s", (int)size, at);
        TRY(may_read_field(r, field, &part));
        if (part.data == NULL) { // a part of a path is none
            joined->size = begin;
            return begin > 0 || r->task->o.headline.place == HEADLINE_MICRO || missing(r, field);
        }
        TRY(bytes_append(joined, "/", at > path) && bytes_append(joined, part.data, part.size));
        at += size + (at[size] == '/');
    }
    *text = (Text){NULL, joined->size - begin}; // where it is, is known when nothing is added any more
    return true;
}

static bool read_categories(const RowOf *r)
{
    const OptionList *fields = &r->task->o.categories;
    Text *categories = r->question->categories;
    for (size_t i = 0; i < fields->count; i++)
        TRY(read_path(r, fields->items[i], &categories[i]));
    size_t begin = 0;
    for (size_t i = 0; i < fields->count; i++) {
        categories[i].data = categories[i].size == 0 ? NULL : r->question->paths.data + begin;
        begin += categories[i].size;
    }
    return true;
}

static bool read_worked(const RowOf *r)
{
    Question *q = r->question;
    const TaskOptions *o = &r->task->o;
    TRY(o->worked[0] == 0 || read_field(r, o->worked, &q->worked));
    if (o->worked[0] != 0 && text_trimmed(q->worked).size == 0)
        return fail("%s: %s is empty, and an example needs its worked answer; the task %s reads %s", r->where,
                    o->worked, r->task->name, o->data);
    const char *from = o->worked_from, *at = q->worked.data, *found;
    if (from[0] == 0 || at == NULL)
        return true;
    while ((found = strstr(at, from)) != NULL) {
        TRY(bytes_append(&q->changed, at, (size_t)(found - at)) && bytes_text(&q->changed, o->worked_to));
        at = found + strlen(from);
    }
    TRY(bytes_text(&q->changed, at));
    q->worked = (Text){q->changed.data, q->changed.size};
    return true;
}

bool question_read(Question *q, const Task *task, Text row, const char *where, bool example)
{
    RowOf r = {q, task, where};
    int64_t odd;
    *q = (Question){.where = example ? NULL : where};
    TRY(bytes_append(&q->line, row.data, row.size) &&
        (q->row = json_parse_row(q->line.data, q->line.size, where, &odd)) != NULL);
    if (!json_is_object(q->row))
        return fail("%s: is not an object", where);
    TRY(json_fields(&q->fields, (Text){q->line.data, q->line.size}) && read_field(&r, task->o.question, &q->asked));
    if (q->asked.size == 0)
        return fail("%s: %s is empty", where, task->o.question);
    return may_read_field(&r, task->o.id, &q->id) && read_options(&r) && read_right(&r) && read_categories(&r) &&
           (!example || read_worked(&r));
}

void question_free(Question *q)
{
    json_decref(q->row);
    json_decref(q->made);
    json_fields_free(&q->fields);
    bytes_free(&q->line);
    bytes_free(&q->changed);
    bytes_free(&q->paths);
    *q = (Question){0};
}

void question_shuffle(Question *q, const uint32_t *order)
{
    Text before[LETTERS_MOST], right = q->options[q->right];
    memcpy(before, q->options, sizeof before);
    for (size_t i = 0; i < q->option_count; i++)
        q->options[i] = before[order[i]];
    q->right = 0;
    while (!is_same(q->options[q->right], right))
        q->right++;
}

// ---- a prompt

typedef struct Wording {
    const Task *task;
    const Question *question;
    const char *letter;       // of the present option
    Text text;                // its text
    const Question *examples; // (count)
    size_t count;
} Wording;

static bool expand(Bytes *out, const char *template, const Wording *w);

static bool put_options(Bytes *out, const Wording *w)
{
    for (size_t i = 0; i < w->question->option_count; i++) {
        Wording one = *w;
        char letter[2] = {(char)('A' + i), 0};
        one.letter = letter;
        one.text = w->question->options[i];
        TRY(expand(out, w->task->o.option, &one));
    }
    return true;
}

// "A, B, C or D"
static bool put_letters(Bytes *out, const Wording *w)
{
    size_t count = w->question->option_count;
    for (size_t i = 0; i < count; i++)
        TRY(bytes_printf(out, "%s%c", i == 0 ? "" : i + 1 == count ? " or " : ", ", (char)('A' + i)));
    return true;
}

static bool put_shots(Bytes *out, const Wording *w)
{
    for (size_t i = 0; i < w->count; i++) {
        Wording one = {.task = w->task, .question = &w->examples[i]};
        TRY(expand(out, w->task->shot.data, &one));
    }
    return true;
}

static bool put_text(Bytes *out, Text text, const Wording *w, const char *name)
{
    return text.data != NULL ? bytes_append(out, text.data, text.size)
                             : fail("the task %s: {%s}: there is none here", w->task->name, name);
}

static bool put_field(Bytes *out, const Wording *w, const char *field)
{
    Text text = {0};
    RowOf r = {.question = (Question *)w->question, .task = w->task, .where = w->question->where};
    r.where = r.where == NULL ? "an example" : r.where;
    return read_field(&r, field, &text) && bytes_append(out, text.data, text.size);
}

static bool put_named(Bytes *out, const Wording *w, const char *name)
{
    const Question *q = w->question;
    if (strcmp(name, "question") == 0)
        return put_text(out, q->asked, w, name);
    if (strcmp(name, "options") == 0)
        return put_options(out, w);
    if (strcmp(name, "letters") == 0)
        return put_letters(out, w);
    if (strcmp(name, "category") == 0)
        return put_text(out, q->categories[0], w, name);
    if (strcmp(name, "letter") == 0)
        return put_text(out, (Text){w->letter, w->letter == NULL ? 0 : 1}, w, name);
    if (strcmp(name, "text") == 0)
        return put_text(out, w->text, w, name);
    if (strcmp(name, "shots") == 0)
        return put_shots(out, w);
    if (strcmp(name, "worked") == 0)
        return put_text(out, q->worked, w, name);
    if (strncmp(name, "field:", 6) == 0)
        return put_field(out, w, name + 6);
    return fail("the task %s: {%s}: there is no such place; write {{ for a brace", w->task->name, name);
}

static bool expand(Bytes *out, const char *template, const Wording *w)
{
    char name[64];
    for (const char *at = template; *at != 0;) {
        size_t length = strcspn(at, "{");
        TRY(bytes_append(out, at, length));
        at += length;
        if (at[0] == 0)
            break;
        if (at[1] == '{') {
            TRY(bytes_text(out, "{"));
            at += 2;
            continue;
        }
        size_t inside = strcspn(at + 1, "}");
        if (at[1 + inside] == 0 || inside >= sizeof name)
            return fail("the task %s: a { without its }; write {{ for a brace", w->task->name);
        snprintf(name, sizeof name, "%.*s", (int)inside, at + 1);
        TRY(put_named(out, w, name));
        at += inside + 2;
    }
    return true;
}

bool question_prompt(Bytes *out, const Task *task, const Question *question, const Question *examples, size_t count)
{
    Wording w = {.task = task, .question = question, .examples = examples, .count = count};
    return bytes_text(out, "") && expand(out, task->prompt.data, &w);
}
