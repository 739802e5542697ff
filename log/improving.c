// Names and directions of figures, and how long one has not improved: see improving.h.
#include "log/improving.h"
#include "base/number.h"
#include "system/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }
bool figure_is_lower(const char *name) { return begins(name, "eval_loss") || strcmp(name, "loss") == 0; }

bool figure_can_be_best(const char *name)
{
    return figure_is_lower(name) || begins(name, "eval_exact") || strcmp(name, "pass@k") == 0 ||
           begins(name, "val-core/") || strstr(name, "/acc/") != NULL;
}

bool figure_has_name(const char *asked, const char *name)
{
    if (strcmp(asked, "pass@k") == 0) // of one response it is its mean
        return begins(name, "eval/acc/pass@") || strcmp(name, "eval/acc/mean@1") == 0;
    return strcmp(name, strcmp(asked, "loss") == 0 ? "eval_loss" : asked) == 0;
}

bool figure_refuse(const char *option, const char *asked, const Bytes *names)
{
    return fail("%s %s: this run's evaluations have no such figure; they have %s", option, asked,
                names->size > 0 ? names->data : "none that can be best");
}

bool figure_add_name(Bytes *names, const char *name)
{
    return !figure_can_be_best(name) || bytes_printf(names, "%s%s", names->size > 0 ? ", " : "", name);
}

bool figure_find(size_t *place, const char *option, const char *asked, const LogField *fields, size_t count)
{
    Bytes names = {0};
    bool ok = true;
    for (*place = 0; *place < count; ++*place)
        if (figure_has_name(asked, fields[*place].name))
            return true;
    for (size_t i = 0; ok && i < count; i++)
        ok = figure_add_name(&names, fields[i].name);
    if (ok)
        figure_refuse(option, asked, &names);
    bytes_free(&names);
    return false;
}

bool figure_check(const char *asked, bool evaluates)
{
    if (asked[0] != 0 && !evaluates)
        return fail_as(
            ERROR_USAGE,
            "--keep-best %s: nothing is held out to evaluate; give --eval-data or --eval-tasks, or leave it out",
            asked);
    return asked[0] == 0 || figure_can_be_best(asked) ||
           fail_as(
               ERROR_USAGE,
               "--keep-best %s: not a figure of an evaluation that can be best: train_sft has eval_loss, eval_exact, "
               "eval_loss_1, ...; train_rl eval/acc/mean@K, ...",
               asked);
}

// ---- the option

// FIGURE:N; a figure's name may have colons.
static bool split(const char *text, char figure[FIGURE_BYTES], int64_t *patience)
{
    const char *colon = strrchr(text, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - text);
    size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
    if (size == 0 || size >= FIGURE_BYTES || digits == 0 || digits > 9 || colon[1 + digits] != 0)
        return false;
    memcpy(figure, text, size);
    figure[size] = 0;
    *patience = strtoll(colon + 1, NULL, 10);
    return *patience > 0;
}

static bool is_given(const char *option) { return option != NULL && option[0] != 0; }

bool stopping_check(const char *option, bool evaluates, int64_t every)
{
    char figure[FIGURE_BYTES];
    int64_t patience;
    if (!is_given(option))
        return true;
    if (!split(option, figure, &patience) || !figure_can_be_best(figure))
        return fail_as(ERROR_USAGE,
                       "--stop-when %s: give FIGURE:N, the figure of an evaluation and how many may be no better: "
                       "loss:3, pass@k:3, eval/acc/mean@4:5, ...",
                       option);
    if (!evaluates)
        return fail_as(
            ERROR_USAGE,
            "--stop-when %s: nothing is held out to evaluate; give --eval-data or --eval-tasks, or leave it out",
            option);
    return every > 0 || fail_as(ERROR_USAGE,
                                "--stop-when %s: there are evaluations only at the start and at the end; give "
                                "--eval-every, or leave it out",
                                option);
}

void stopping_open(Stopping *s, const char *option)
{
    *s = (Stopping){.best_step = -1, .at = -1};
    if (is_given(option) && !split(option, s->asked, &s->patience))
        s->patience = 0;
}

// ---- counting

static void count_one(Stopping *s, int64_t step, const char *name, double value)
{
    if (strcmp(s->figure, name) != 0) { // the first; or of another number of responses than before
        snprintf(s->figure, sizeof s->figure, "%s", name);
        s->best_step = -1;
        s->since = 0;
    }
    bool better = s->best_step < 0 || (figure_is_lower(name) ? value < s->best : value > s->best);
    if (better && isfinite(value)) {
        s->best = value;
        s->best_step = step;
        s->since = 0;
    } else
        s->since++;
    s->at = step;
    s->last = value;
    s->ends = s->since >= s->patience;
}

bool stopping_count(Stopping *s, int64_t step, const LogField *fields, size_t count)
{
    size_t place;
    if (s->patience == 0)
        return true;
    TRY(figure_find(&place, "--stop-when", s->asked, fields, count));
    count_one(s, step, fields[place].name, fields[place].value);
    return true;
}

bool stopping_describe(const Stopping *s, Bytes *out)
{
    char best[NUMBER_TEXT], last[NUMBER_TEXT];
    number_text(best, s->best);
    number_text(last, s->last);
    if (s->best_step < 0)
        return bytes_printf(out, "%s was never a number", s->figure);
    return bytes_printf(out, "%s was best after step %" PRId64 ", %s, and is %s now", s->figure, s->best_step, best,
                        isfinite(s->last) ? last : "no number");
}

// ---- found again

json_t *stopping_json(const Stopping *s)
{
    if (s->patience == 0 || s->at < 0)
        return NULL;
    return json_pack("{s:s, s:I, s:I, s:I, s:o*, s:o*}", "figure", s->figure, "step", (json_int_t)s->at, "since",
                     (json_int_t)s->since, "best_step", (json_int_t)s->best_step, "best",
                     s->best_step < 0 ? NULL : json_real(s->best), "last",
                     isfinite(s->last) ? json_real(s->last) : NULL);
}

bool stopping_resume(Stopping *s, const json_t *saved, int64_t step, const char *where)
{
    Stopping found = *s;
    const char *name = json_string_value(json_object_get(saved, "figure"));
    const json_t *last = json_object_get(saved, "last");
    if (s->patience == 0 || name == NULL || !figure_has_name(s->asked, name))
        return true;
    TRY(json_need_int(&found.at, saved, "step", 0, step, where) &&
        json_need_int(&found.since, saved, "since", 0, INT64_MAX, where) &&
        json_need_int(&found.best_step, saved, "best_step", -1, found.at, where) &&
        (found.best_step < 0 || json_need_number(&found.best, saved, "best", -1e300, 1e300, where)));
    snprintf(found.figure, sizeof found.figure, "%s", name);
    found.last = last == NULL ? NAN : json_number_value(last);
    found.ends = found.since >= found.patience;
    *s = found;
    return true;
}

static bool count_line(void *context, const FileLine *line)
{
    Stopping *s = context;
    json_t *object = json_parse(line->text.data, line->text.size, "log.jsonl"), *value;
    const char *event = json_string_value(json_object_get(object, "event")), *name;
    int64_t step = json_integer_value(json_object_get(object, "step"));
    if (event != NULL && strcmp(event, "eval") == 0 && step > s->at)
        json_object_foreach (object, name, value)
            if (figure_has_name(s->asked, name))
                count_one(s, step, name, json_is_number(value) ? json_number_value(value) : NAN);
    json_decref(object);
    return object != NULL;
}

bool stopping_find(Stopping *s, const char *log)
{
    MappedFile file;
    PathKind kind = PATH_NONE;
    TRY(s->patience == 0 || path_kind(&kind, log));
    if (kind != PATH_FILE)
        return true;
    TRY(file_map(&file, log));
    bool ok = lines_read((Text){(const char *)file.data, file.size}, count_line, s);
    file_unmap(&file);
    return ok;
}
