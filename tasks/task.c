// A benchmark's text: see task.h.
#include "tasks/task.h"
#include "system/files.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { TASK_LIMIT = 1 << 20 };

static bool is_file(const char *name)
{
    size_t length = strlen(name);
    return strchr(name, '/') != NULL || (length > 5 && strcmp(name + length - 5, ".task") == 0);
}

// "./mine.task" is "mine".
static char *name_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = copy_text(slash == NULL ? path : slash + 1);
    char *end = name == NULL ? NULL : strstr(name, ".task");
    if (end != NULL && end[5] == 0)
        *end = 0;
    return name;
}

static bool unknown(const char *name)
{
    Bytes names = {0};
    bool ok = true;
    for (const char *const *known = TASK_NAMES; ok && *known != NULL; known++)
        ok = bytes_printf(&names, "%s%s", names.size > 0 ? ", " : "", *known);
    if (ok)
        fail_as(ERROR_USAGE, "%s: there is no such task, only %s; a file of your own is named by its path, %s.task",
                name, names.data, name);
    bytes_free(&names);
    return false;
}

static bool find_text(Task *task, const char *name)
{
    if (is_file(name)) {
        TRY((task->name = name_of_file(name)) != NULL && file_read(&task->text, name, TASK_LIMIT));
        return memchr(task->text.data, 0, task->text.size) == NULL || fail("%s: holds a NUL byte; it is no task", name);
    }
    size_t i = 0;
    while (TASK_NAMES[i] != NULL && strcmp(TASK_NAMES[i], name) != 0)
        i++;
    if (TASK_NAMES[i] == NULL)
        return unknown(name);
    return (task->name = copy_text(name)) != NULL && bytes_text(&task->text, TASK_TEXTS[i]);
}

static bool join(Bytes *whole, const OptionList *parts)
{
    TRY(bytes_text(whole, ""));
    for (size_t i = 0; i < parts->count; i++)
        TRY(bytes_text(whole, parts->items[i]));
    return true;
}

static bool need(const char *where, const char *name, bool there)
{
    return there || fail("%s: %s is missing", where, name);
}

static bool says(const OptionList *parts, const char *place)
{
    for (size_t i = 0; i < parts->count; i++)
        if (strstr(parts->items[i], place) != NULL)
            return true;
    return false;
}

// What every task has to say, and what would not be used.
static bool check(const Task *task, const char *where)
{
    const TaskOptions *o = &task->o;
    bool letters = o->answer_form.place != FORM_TEXT;
    if (o->categories.count > CATEGORIES_MOST)
        return fail("%s: categories: at most %d", where, CATEGORIES_MOST);
    TRY(need(where, "about", o->about[0] != 0) && need(where, "source", o->source[0] != 0) &&
        need(where, "data", o->data[0] != 0) && need(where, "prompt", o->prompt.count > 0) &&
        need(where, "extract", o->extract.count > 0));
    if (letters != (o->options.count > 0))
        return fail("%s: %s", where,
                    letters ? "answer_form names an option, and there is no field of options"
                            : "options: answer_form has to say how an answer names one of them");
    bool options = o->options.count > 0;
    if (!says(&o->prompt, "{question}"))
        return fail("%s: prompt: has no {question}", where);
    if (says(&o->prompt, "{options}") && (!options || o->option[0] == 0))
        return fail("%s: prompt: {options} needs the field options, and option, which says how one is put", where);
    if (!options && (o->shuffle || o->strip_options || o->drop_option[0] != 0))
        return fail("%s: shuffle, strip_options and drop_option are for questions with options", where);
    if (o->worked[0] != 0 && o->shots == 0)
        return fail("%s: worked is for examples (shots)", where);
    if (o->headline.place != HEADLINE_MICRO && o->categories.count == 0)
        return fail("%s: headline: a mean of categories needs categories", where);
    if ((o->shots > 0) != (o->shot.count > 0))
        return fail("%s: shots and shot go together", where);
    if (o->score.place == SCORE_LETTER && !letters)
        return fail("%s: score = letter, but the answer is not an option", where);
    if (o->score.place != SCORE_LETTER && (o->read.place != READ_WHOLE || o->unanswered.place != UNANSWERED_WRONG))
        return fail("%s: read and unanswered are of score = letter only", where);
    if (o->completion && o->system.count > 0)
        return fail("%s: a text to go on with (completion) has no system turn", where);
    return true;
}

bool task_open(Task *task, const char *name)
{
    *task = (Task){0};
    Bytes lines = {0}; // reading takes it apart
    TRY(find_text(task, name) && (task->given = copy_text(name)) != NULL);
    task->hash = hash_bytes(task->text.data, task->text.size);
    size_t mark = task->text.size > 3 && memcmp(task->text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; // a BOM
    bool ok = bytes_append(&lines, task->text.data + mark, task->text.size - mark) &&
              options_read_lines(&task->options, task_options(), &task->o, lines.data, name) && check(task, name) &&
              join(&task->system, &task->o.system) && join(&task->prompt, &task->o.prompt) &&
              join(&task->shot, &task->o.shot);
    bytes_free(&lines);
    return ok;
}

void task_close(Task *task)
{
    free(task->name);
    free(task->given);
    bytes_free(&task->text);
    bytes_free(&task->system);
    bytes_free(&task->prompt);
    bytes_free(&task->shot);
    task->options.values = &task->o; // a task may have moved since it was opened
    options_free(&task->options);
    *task = (Task){0};
}

bool tasks_list(Bytes *out)
{
    for (const char *const *name = TASK_NAMES; *name != NULL; name++) {
        Task task;
        bool ok = task_open(&task, *name) &&
                  bytes_printf(out, "%-26s%s\n%26sdata: %s\n", *name, task.o.about, "", task.o.data) &&
                  (task.o.rows == 0 || bytes_printf(out, "%26s%" PRId64 " questions; ", "", task.o.rows)) &&
                  bytes_printf(out, "%s%" PRId64 " sample%s, temperature %g, at most %" PRId64 " tokens\n",
                               task.o.rows == 0 ? "                          " : "", task.o.samples,
                               task.o.samples == 1 ? "" : "s", task.o.temperature, task.o.max_new_tokens);
        task_close(&task);
        TRY(ok);
    }
    return true;
}

bool task_show(Bytes *out, const char *name)
{
    Task task;
    bool ok = task_open(&task, name) && bytes_append(out, task.text.data, task.text.size);
    task_close(&task);
    return ok;
}

json_t *task_field(const json_t *row, const char *names)
{
    for (const char *name = names; *name != 0;) {
        size_t size = strcspn(name, "|");
        json_t *value = json_object_getn(row, name, size);
        if (value != NULL && !json_is_null(value))
            return value;
        name += size + (name[size] == '|');
    }
    return NULL;
}
