// The end of a run by --stop-when: the figure of an evaluation was not better than the best one before for so many
// evaluations. The run then ends as after its last step. What has been counted is in checkpoints; evaluations since
// then are in log.jsonl, so that a run that goes on ends at the same step.
#include "base/number.h"
#include "run/run_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// FIGURE:N; a figure's name may have colons.
static bool split(const char *text, char figure[128], int64_t *patience)
{
    const char *colon = strrchr(text, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - text),
           digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
    if (size == 0 || size >= 128 || digits == 0 || digits > 9 || colon[1 + digits] != 0)
        return false;
    memcpy(figure, text, size);
    figure[size] = 0;
    *patience = strtoll(colon + 1, NULL, 10);
    return *patience > 0;
}

bool stop_check(const RunOptions *o, bool evaluates)
{
    char figure[128];
    int64_t patience;
    if (o->stop_when == NULL || o->stop_when[0] == 0)
        return true;
    if (!split(o->stop_when, figure, &patience) || !best_can_be(figure))
        return fail_as(ERROR_USAGE,
                       "--stop-when %s: give FIGURE:N, the figure of an evaluation and how many may be no better: "
                       "loss:3, pass@k:3, eval/acc/mean@4:5, ...",
                       o->stop_when);
    if (!evaluates)
        return fail_as(ERROR_USAGE,
                       "--stop-when %s: nothing is held out to evaluate; give --eval-data, or leave it out",
                       o->stop_when);
    return o->eval_every > 0 || fail_as(ERROR_USAGE,
                                        "--stop-when %s: there are evaluations only at the start and at the end; give "
                                        "--eval-every, or leave it out",
                                        o->stop_when);
}

static const char *asked(const Run *run, char figure[128])
{
    int64_t unused;
    return split(run->o.stop_when, figure, &unused) ? figure : "";
}

void stop_of(Stopping *s, const RunOptions *o)
{
    char unused[128];
    *s = (Stopping){.best.step = -1, .at = -1};
    if (o->stop_when != NULL && !split(o->stop_when, unused, &s->patience))
        s->patience = 0;
}

// ---- counting

static void count_one(Stopping *s, int64_t step, const char *name, double value)
{
    if (strcmp(s->figure, name) != 0) { // the first; or of another number of responses than before
        *s = (Stopping){.patience = s->patience, .best.step = -1};
        snprintf(s->figure, sizeof s->figure, "%s", name);
    }
    bool first = s->best.step < 0;
    bool better = isfinite(value) && (first || (best_is_lower(name) ? value < s->best.value : value > s->best.value));
    s->since = better ? 0 : s->since + 1;
    s->best = better ? (Best){step, value} : s->best;
    s->at = step;
    s->last = value;
    s->ends = s->since >= s->patience;
}

void stop_tell(Run *run)
{
    const Stopping *s = &run->stopping;
    char best[NUMBER_TEXT], last[NUMBER_TEXT];
    if (!s->ends || run->step == run->steps)
        return;
    number_text(best, s->best.value);
    number_text(last, s->last);
    if (s->best.step < 0)
        log_note(&run->log, "the run ends here, after step %" PRId64 ", by --stop-when %s: %s was never a number",
                 run->step, run->o.stop_when, s->figure);
    else
        log_note(&run->log,
                 "the run ends here, after step %" PRId64 ", by --stop-when %s: %s was best after step %" PRId64
                 ", %s, and is %s now; %s",
                 run->step, run->o.stop_when, s->figure, s->best.step, best, last,
                 run->best.step > 0 && run->best.step == s->best.step
                     ? "its model is the last one, and build/export writes that of checkpoints/best"
                     : "its model is the last one");
}

bool stop_consider(Run *run, const LogField *fields, size_t count)
{
    char figure[128];
    size_t place;
    if (!stop_is_wanted(run))
        return true;
    TRY(best_field(&place, "--stop-when", asked(run, figure), fields, count));
    count_one(&run->stopping, run->step, fields[place].name, fields[place].value);
    stop_tell(run);
    return !run->stopping.ends || run_settle(run, true);
}

// ---- found again

json_t *stop_state(const Run *run)
{
    const Stopping *s = &run->stopping;
    if (!stop_is_wanted(run) || s->at < 0)
        return NULL;
    return json_pack("{s:s, s:I, s:I, s:I, s:o*, s:o*}", "figure", s->figure, "step", (json_int_t)s->at, "since",
                     (json_int_t)s->since, "best_step", (json_int_t)s->best.step, "best",
                     s->best.step < 0 ? NULL : json_real(s->best.value), "last",
                     isfinite(s->last) ? json_real(s->last) : NULL);
}

bool stop_resume(Run *run, const json_t *saved, const char *where)
{
    Stopping s = {.patience = run->stopping.patience, .last = NAN};
    char figure[128];
    const char *name = json_string_value(json_object_get(saved, "figure"));
    const json_t *last = json_object_get(saved, "last");
    if (!stop_is_wanted(run) || name == NULL || !best_has_name(asked(run, figure), name))
        return true; // then the log is counted from its beginning
    TRY(json_need_int(&s.at, saved, "step", 0, run->step, where) &&
        json_need_int(&s.since, saved, "since", 0, INT64_MAX, where) &&
        json_need_int(&s.best.step, saved, "best_step", -1, s.at, where) &&
        (s.best.step < 0 || json_need_number(&s.best.value, saved, "best", -1e300, 1e300, where)));
    snprintf(s.figure, sizeof s.figure, "%s", name);
    s.last = last == NULL ? NAN : json_number_value(last);
    s.ends = s.since >= s.patience;
    run->stopping = s;
    return true;
}

static bool count_line(void *context, const FileLine *line)
{
    Run *run = context;
    char figure[128];
    json_t *object = json_parse(line->text.data, line->text.size, "log.jsonl"), *value;
    const char *event = json_string_value(json_object_get(object, "event")), *name;
    int64_t step = json_integer_value(json_object_get(object, "step"));
    if (event != NULL && strcmp(event, "eval") == 0 && step > run->stopping.at)
        json_object_foreach (object, name, value)
            if (best_has_name(asked(run, figure), name))
                count_one(&run->stopping, step, name, json_is_number(value) ? json_number_value(value) : NAN);
    json_decref(object);
    return object != NULL;
}

bool stop_find(Run *run, const char *log)
{
    MappedFile file;
    PathKind kind;
    TRY(!stop_is_wanted(run) || path_kind(&kind, log));
    if (!stop_is_wanted(run) || kind != PATH_FILE)
        return true;
    TRY(file_map(&file, log));
    bool ok = lines_read((Text){(const char *)file.data, file.size}, count_line, run);
    file_unmap(&file);
    return ok;
}
