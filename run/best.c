// The best checkpoint by --keep-best: the one whose evaluation was best, which stays beside the newest. What decides is
// in log.jsonl, so that a run finds it again however it ended; OUT/checkpoints/best is a hint for people and scripts.
#include "base/number.h"
#include "run/run_internal.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

// ---- figures that can be best

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }
bool best_is_lower(const char *name) { return begins(name, "eval_loss") || strcmp(name, "loss") == 0; }

bool best_can_be(const char *name)
{
    return best_is_lower(name) || begins(name, "eval_exact") || strcmp(name, "pass@k") == 0 ||
           begins(name, "val-core/") || strstr(name, "/acc/") != NULL;
}

bool best_has_name(const char *asked, const char *name)
{
    if (strcmp(asked, "pass@k") == 0) // of one response it is its mean
        return begins(name, "eval/acc/pass@") || strcmp(name, "eval/acc/mean@1") == 0;
    return strcmp(name, strcmp(asked, "loss") == 0 ? "eval_loss" : asked) == 0;
}

bool best_check(const RunOptions *o, bool evaluates)
{
    if (o->keep_best[0] != 0 && !evaluates)
        return fail_as(ERROR_USAGE,
                       "--keep-best %s: nothing is held out to evaluate; give --eval-data, or leave it out",
                       o->keep_best);
    return o->keep_best[0] == 0 || best_can_be(o->keep_best) ||
           fail_as(
               ERROR_USAGE,
               "--keep-best %s: not a figure of an evaluation that can be best: train_sft has eval_loss, eval_exact, "
               "eval_loss_1, ...; train_rl eval/acc/mean@K, ...",
               o->keep_best);
}

static bool is_better(const Run *run, const Best *a, const Best *b)
{
    if (a->step == 0 || !isfinite(a->value) || b->step == 0)
        return a->step > 0 && isfinite(a->value);
    return best_is_lower(run->o.keep_best) ? a->value < b->value : a->value > b->value;
}

static bool refuse(const char *option, const char *asked, const Bytes *names)
{
    return fail("%s %s: this run's evaluations have no such figure; they have %s", option, asked,
                names->size > 0 ? names->data : "none that can be best");
}

static bool add_name(Bytes *names, const char *name)
{
    return !best_can_be(name) || bytes_printf(names, "%s%s", names->size > 0 ? ", " : "", name);
}

bool best_field(size_t *place, const char *option, const char *asked, const LogField *fields, size_t count)
{
    Bytes names = {0};
    bool ok = true;
    for (*place = 0; *place < count; ++*place)
        if (best_has_name(asked, fields[*place].name))
            return true;
    for (size_t i = 0; ok && i < count; i++)
        ok = add_name(&names, fields[i].name);
    if (ok)
        refuse(option, asked, &names);
    bytes_free(&names);
    return false;
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

bool run_evaluated(Run *run, const LogField *fields, size_t count)
{
    if (best_is_wanted(run)) {
        size_t place;
        TRY(best_field(&place, "--keep-best", run->o.keep_best, fields, count));
        run->judged = (Best){run->step, fields[place].value};
    }
    run->evaluated = run->step;
    return log_event(&run->log, "eval", run->step, fields, count) && best_consider(run, run->saved) &&
           stop_consider(run, fields, count);
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
            figure = best_has_name(s->run->o.keep_best, name) ? value : figure;
            ok = ok && add_name(&s->names, name);
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
        ok = ok && (search.found || search.names.size == 0 || refuse("--keep-best", run->o.keep_best, &search.names));
    }
    bytes_free(&search.names);
    return ok && write_hint(run);
}
