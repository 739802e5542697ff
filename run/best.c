// The best checkpoint by --keep-best: the one whose evaluation was best, which stays beside the newest. What decides is
// in log.jsonl, so that a run finds it again however it ended; OUT/checkpoints/best is a hint for people and scripts.
#include "base/number.h"
#include "run/run_internal.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static bool is_better(const Run *run, const Best *a, const Best *b)
{
    if (a->step == 0 || !isfinite(a->value) || b->step == 0)
        return a->step > 0 && isfinite(a->value);
    return figure_is_lower(run->o.keep_best) ? a->value < b->value : a->value > b->value;
}

// ---- the hint

static bool write_hint(const Run *run)
{
    char value[NUMBER_TEXT];
    Bytes path = {0}, text = {0};
    number_text(value, run->best.value);
    bool ok = path_in(&path, run, "checkpoints/best");
    if (ok && run->best.step > 0)
        ok = bytes_printf(&text, "step-%" PRId64 "\n%s %s\n", run->best.step, run->o.keep_best, value) &&
             file_write_atomic(path.data, text.data, text.size);
    else if (ok && unlink(path.data) != 0 && errno != ENOENT && errno != ENOTDIR)
        ok = fail_errno("%s: removing it", path.data);
    bytes_free(&path);
    bytes_free(&text);
    return ok;
}

bool best_consider(Run *run, int64_t saved)
{
    char value[NUMBER_TEXT];
    if (!run_is_first(run) || saved != run->judged.step || !is_better(run, &run->judged, &run->best))
        return true;
    run->best = run->judged;
    number_text(value, run->best.value);
    log_note(&run->log, "the best checkpoint so far is step-%" PRId64 ": %s %s", run->best.step, run->o.keep_best,
             value);
    return write_hint(run);
}

// ---- an evaluation

void run_tell_end(Run *run)
{
    bool kept = run->best.step > 0 && run->best.step == run->stopping.best_step;
    Bytes why = {0};
    if (run->stopping.ends && run->step < run->steps && stopping_describe(&run->stopping, &why))
        log_note(
            &run->log, "the run ends here, after step %" PRId64 ", by --stop-when %s: %s; its model is the last one%s",
            run->step, run->o.stop_when, why.data, kept ? ", and build/export writes that of checkpoints/best" : "");
    bytes_free(&why);
}

// By --stop-when, as after the last step: all is saved.
static bool end_here(Run *run)
{
    run_tell_end(run);
    return !run->stopping.ends || run_settle(run, true);
}

bool run_evaluated(Run *run, const LogField *fields, size_t count)
{
    if (best_is_wanted(run)) {
        size_t place;
        TRY(figure_find(&place, "--keep-best", run->o.keep_best, fields, count));
        run->judged = (Best){run->step, fields[place].value};
    }
    run->evaluated = run->step;
    return log_event(&run->log, "eval", run->step, fields, count) && best_consider(run, run->saved) &&
           stopping_count(&run->stopping, run->step, fields, count) && end_here(run);
}

// ---- found again in the log

typedef struct Search {
    Run *run;
    Bytes names; // of the last evaluation's figures
    bool found;  // the figure, in any
} Search;

// A damaged checkpoint is none.
static bool is_there(const Run *run, int64_t step)
{
    Checkpoint *checkpoint;
    Bytes path = {0};
    bool ok = bytes_printf(&path, "%s/checkpoints/step-%" PRId64, run->o.out, step) &&
              checkpoint_open(&checkpoint, path.data);
    if (ok)
        checkpoint_close(checkpoint);
    else
        error_clear();
    bytes_free(&path);
    return ok;
}

static bool look_at_line(void *context, const FileLine *line)
{
    Search *s = context;
    json_t *object = json_parse(line->text.data, line->text.size, "log.jsonl"), *value;
    const char *event = json_string_value(json_object_get(object, "event")), *name;
    bool ok = object != NULL;
    if (ok && event != NULL && strcmp(event, "eval") == 0) {
        const json_t *figure = NULL;
        bytes_clear(&s->names);
        json_object_foreach (object, name, value) {
            figure = figure_has_name(s->run->o.keep_best, name) ? value : figure;
            ok = ok && figure_add_name(&s->names, name);
        }
        Best here = {json_integer_value(json_object_get(object, "step")), json_number_value(figure)};
        s->found = s->found || figure != NULL;
        if (json_is_number(figure) && is_better(s->run, &here, &s->run->best) && is_there(s->run, here.step))
            s->run->best = here;
    }
    json_decref(object);
    return ok;
}

bool best_find(Run *run, const char *log)
{
    MappedFile file;
    PathKind kind;
    Search search = {.run = run};
    bool ok = path_kind(&kind, log);
    if (ok && kind == PATH_FILE && best_is_wanted(run)) {
        TRY(file_map(&file, log));
        ok = lines_read((Text){(const char *)file.data, file.size}, look_at_line, &search);
        file_unmap(&file);
        ok = ok &&
             (search.found || search.names.size == 0 || figure_refuse("--keep-best", run->o.keep_best, &search.names));
    }
    bytes_free(&search.names);
    return ok && write_hint(run);
}
