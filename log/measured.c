// What figures were measured with, from checkpoint to checkpoint: see measured.h.
#include "log/measured.h"
#include "log/improving.h"
#include <string.h>

static bool put(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0 || fail("no memory for what figures are measured with");
}

bool measured_add(Measured *m, const char *figures, const char *with)
{
    if (m->with == NULL)
        m->with = json_object();
    return put(m->with, figures, json_pack("[s]", with));
}

// val-core/TASK/score is a task's, val-core/SOURCE/acc/mean@4 that of held-out problems.
static bool is_measured_by(const char *figure, const char *figures)
{
    size_t size = strlen(figures);
    bool of_task = strncmp(figure, MEASURED_TASKS, strlen(MEASURED_TASKS)) == 0 &&
                   strstr(figure + strlen(MEASURED_TASKS), "/acc/") == NULL;
    if (of_task)
        return strncmp(figure, figures, size) == 0 && figure[size] == '/' && strchr(figure + size + 1, '/') == NULL;
    bool loss = figure_is_lower(figure) || strncmp(figure, "eval_exact", 10) == 0;
    return strcmp(figures, loss ? MEASURED_LOSS : MEASURED_PROBLEMS) == 0;
}

static bool uses(const char *asked, const char *figures)
{
    return asked != NULL && asked[0] != 0 && is_measured_by(asked, figures);
}

static const char *text_at(const json_t *list, size_t i) { return json_string_value(json_array_get(list, i)); }

// The first part that is another: "data 0a" of "samples 1, data 0a, ...".
static Text part_at(const char *text, const char *other)
{
    size_t begin = 0;
    for (size_t i = 0; text[i] != 0 && text[i] == other[i]; i++)
        if (text[i] == ' ' && i > 0 && text[i - 1] == ',')
            begin = i + 1;
    return (Text){text + begin, strcspn(text + begin, ",")};
}

// What it was measured with that is not the present; NULL: nothing.
static const char *other_of(const json_t *list, const char *now)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (text_at(list, i) != NULL && strcmp(text_at(list, i), now) != 0)
            return text_at(list, i);
    return NULL;
}

// Where there was more than one before, no file would be the right one.
static bool refuse(const char *figures, const json_t *list, const char *now, const char *user)
{
    const char *other = other_of(list, now);
    Text before = part_at(other, now), after = part_at(now, other);
    return fail("%s: was measured with %.*s, and would be with %.*s now, which cannot be compared; %sdrop %s, or begin "
                "in another --out",
                figures, (int)before.size, before.data, (int)after.size, after.data,
                json_array_size(list) == 1 ? "give the same file or option again, " : "", user);
}

static bool go_on(Measured *m, const char *figures, const json_t *list, const char *user)
{
    json_t *now = json_object_get(m->with, figures);
    const char *present = text_at(now, 0), *last = text_at(list, json_array_size(list) - 1);
    if (present == NULL) // it is not measured any more
        return put(m->with, figures, json_deep_copy(list));
    if (other_of(list, present) == NULL)
        return true;
    if (user != NULL)
        return refuse(figures, list, present, user);
    if (last != NULL && strcmp(last, present) != 0) {
        Text before = part_at(last, present), after = part_at(present, last);
        TRY(bytes_printf(&m->notes, "%s: from here on measured with %.*s, before with %.*s\n", figures, (int)after.size,
                         after.data, (int)before.size, before.data));
    }
    json_t *all = json_deep_copy(list);
    if (last == NULL || strcmp(last, present) != 0)
        json_array_append_new(all, json_string(present));
    return put(m->with, figures, all);
}

bool measured_resume(Measured *m, const json_t *saved, const char *keep_best, const char *stop_when)
{
    const char *figures;
    json_t *list;
    if (m->with == NULL)
        m->with = json_object();
    json_object_foreach ((json_t *)(uintptr_t)saved, figures, list) {
        bool best = uses(keep_best, figures), stops = uses(stop_when, figures);
        TRY(go_on(m, figures, list,
                  best && stops ? "--keep-best and --stop-when"
                  : best        ? "--keep-best"
                  : stops       ? "--stop-when"
                                : NULL));
    }
    return true;
}

void measured_tell(const Measured *m, RunLog *log)
{
    if (m->notes.size > 0)
        log_note(log, "%.*s", (int)m->notes.size - 1, m->notes.data); // without the last newline
}

void measured_free(Measured *m)
{
    json_decref(m->with);
    bytes_free(&m->notes);
    *m = (Measured){0};
}
