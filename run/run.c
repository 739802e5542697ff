// A run's folder: where it may begin, what it resumes from, its lock and its log. See run.h.
#include "checkpoint/checkpoint.h"
#include "pretrained/adapter.h"
#include "pretrained/export.h"
#include "pretrained/folder.h"
#include "run/run_internal.h"
#include "system/phase.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool path_in(Bytes *path, const Run *run, const char *name)
{
    bytes_clear(path);
    return bytes_printf(path, "%s/%s", run->o.out, name);
}

void run_of(Run *run, const RunOptions *o, Model *model, Optimizer *optimizer, Schedule *schedule,
            const ModelFiles *files, Communicator *ranks)
{
    run->o = *o;
    run->ranks = ranks;
    run->model = model;
    run->optimizer = optimizer;
    run->schedule = schedule;
    run->steps = schedule->steps;
    run->tokenizer = files->tokenizer_folder.data;
    run->base = model->frozen.count > 0 ? files->folder.data : NULL;
    run_skips_read(&run->skips_most, o->on_nonfinite);
    stopping_open(&run->stopping, o->stop_when);
    run->template_name = template_name(files->chat.kind);
}

// ---- the checkpoint to resume from, whose bytes all ranks check: each some of its files

typedef struct Candidate {
    char path[4096]; // empty: none
    bool chosen;     // the search is over
} Candidate;

static bool check_together(void *context, Checkpoint *checkpoint, const char *path)
{
    Run *run = context;
    Candidate candidate = {.path = ""};
    if (run_is_alone(run))
        return checkpoint_verify(checkpoint, 0, 1);
    TRY(strlen(path) < sizeof candidate.path || fail_as(ERROR_SYSTEM, "%s: the path is too long", path));
    strcpy(candidate.path, path);
    return run_hear_first(run, &candidate, sizeof candidate) &&
           run_agree_on_shared(run, checkpoint_verify(checkpoint, run->ranks->rank, run->ranks->size));
}

static bool check_for_first(const Run *run, const char *path)
{
    Checkpoint *c;
    if (!checkpoint_open(&c, path))
        return fail_as(ERROR_SYSTEM, "%s: rank 0 sees it; --out must be a folder that all hosts share", path);
    bool ok = checkpoint_verify(c, run->ranks->rank, run->ranks->size);
    checkpoint_close(c);
    return ok;
}

// What rank 0 has found, or that there is none; until it says so, the others check what it looks at.
static bool hear_chosen(Run *run, Candidate *candidate)
{
    for (;;) {
        TRY(run_hear_first(run, candidate, sizeof *candidate));
        if (candidate->chosen)
            return true;
        TRY(run_agree_on_shared(run, check_for_first(run, candidate->path)) || error_kind() == ERROR_OTHER);
        error_clear(); // rank 0 goes on with an older one
    }
}

// The checkpoint to resume from, empty for none; warnings: a line for each broken one that was skipped.
static bool find_checkpoint(Bytes *path, Bytes *warnings, Run *run)
{
    if (strcmp(run->o.resume, "none") == 0)
        return true;
    if (strcmp(run->o.resume, "auto") != 0)
        return bytes_text(path, run->o.resume);
    Bytes folder = {0};
    int64_t step;
    bool ok = path_in(&folder, run, "checkpoints") &&
              checkpoint_newest_by(path, &step, folder.data, warnings, check_together, run);
    if (ok && path->size == 0 && warnings->size > 0) // never start over where there is work
        ok = fail("%s: none of the checkpoints there can be read; mend or remove them, or take another --out. The "
                  "first: %.*s",
                  folder.data, (int)strcspn(warnings->data, "\n"), warnings->data);
    bytes_free(&folder);
    return ok;
}

// ---- whether it may begin there: no file of a run, or of somebody else, is written over

typedef struct Contents { // of OUT
    bool options, checkpoints, model, lines;
} Contents;

static bool look(Contents *found, const char *out)
{
    PathKind options, checkpoints, model;
    uint64_t bytes;
    char *log = path_join(out, "log.jsonl");
    bool ok = log != NULL && path_bytes(&bytes, log) && path_in_folder_kind(&options, out, "options.conf") &&
              path_in_folder_kind(&checkpoints, out, "checkpoints") && path_in_folder_kind(&model, out, "model");
    free(log);
    if (ok)
        *found = (Contents){options != PATH_NONE, checkpoints != PATH_NONE, model != PATH_NONE, bytes > 0};
    return ok;
}

// Without a checkpoint to resume from. A finished run has written its model after its last checkpoint.
static bool may_begin(const RunOptions *o, const Contents *found)
{
    if (strcmp(o->resume, "none") == 0 && found->lines)
        return fail("%s holds a run already; take another --out, or --resume auto to go on with it", o->out);
    if (!found->model)
        return true;
    if (!found->lines)
        return fail("%s/model exists, but %s holds no run that could have written it; take another --out", o->out,
                    o->out);
    return fail(
        "%s holds a finished run whose checkpoints are gone; its model is %s/model: take another --out, or remove %s "
        "to begin again",
        o->out, o->out, o->out);
}

// Before anything is made in OUT, or its log is cut: if no run has begun there, what it holds is not ours.
static bool is_ours(const RunOptions *o, const Contents *found)
{
    if (found->options || found->checkpoints)
        return true;
    if (found->lines)
        return fail(
            "%s/log.jsonl: is there, but no run has been here that could have written it (there is no options.conf); "
            "take another --out, or move it away",
            o->out);
    return may_begin(o, found);
}

// A model that an earlier end of the run has written, and nobody has changed.
static bool may_end(const char *out)
{
    char *model = path_join(out, "model");
    bool ok = model != NULL && model_folder_may_be_replaced(model);
    free(model);
    return ok;
}

bool run_may_use(const RunOptions *o, bool evaluates)
{
    PathKind out;
    Contents found;
    TRY(figure_check(o->keep_best, evaluates) && stopping_check(o->stop_when, evaluates, o->eval_every) &&
        path_kind(&out, o->out));
    if (out == PATH_NONE)
        return true;
    if (out != PATH_FOLDER)
        return fail("--out %s: there is a file of that name; take another --out", o->out);
    TRY(look(&found, o->out) && is_ours(o, &found));
    bool anew = strcmp(o->resume, "none") == 0 || (strcmp(o->resume, "auto") == 0 && !found.checkpoints);
    return (!anew || may_begin(o, &found)) && may_end(o->out);
}

// Held until the process ends, however it ends: the system gives it back.
static bool take_lock(Run *run)
{
    Bytes path = {0};
    bool ok = path_in(&path, run, "lock");
    if (ok && (run->lock = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0644)) < 0)
        ok = fail_errno("%s: opening it", path.data);
    bytes_free(&path);
    return ok && file_lock(run->lock, run->o.out,
                           "another process is training into this folder; wait for it, or take another --out");
}

// The lock is on a file, and everything else is written by name: where OUT was moved or removed, another run may have
// begun in a new one.
bool run_holds_out(const Run *run)
{
    struct stat held, there;
    Bytes path = {0};
    bool ok = path_in(&path, run, "lock");
    if (ok && (fstat(run->lock, &held) != 0 || stat(path.data, &there) != 0 || held.st_dev != there.st_dev ||
               held.st_ino != there.st_ino))
        ok = fail("%s: is no longer the folder that this run has begun in: it was moved or removed; nothing is written "
                  "into another one. Move it back, and the same command goes on from its last checkpoint",
                  run->o.out);
    bytes_free(&path);
    return ok;
}

// ---- open

// from: the checkpoint, NULL for none; last: the last step in the log, which may be later than the checkpoint's
static void tell_of_start(Run *run, const char *from, int64_t last, const char *warnings)
{
    int64_t again = last - run->step;
    if (warnings != NULL && warnings[0] != 0)
        log_note(&run->log, "%.*s", (int)strlen(warnings) - 1, warnings); // without the last newline
    if (from == NULL && again > 0)
        log_note(&run->log, "no checkpoint here: the %" PRId64 " %s of the log %s begun again", again,
                 again == 1 ? "step" : "steps", again == 1 ? "is" : "are");
    if (from != NULL && again > 0)
        log_note(&run->log,
                 "going on from %s, after step %" PRId64 "; the %" PRId64 " after it in the log %s made again", from,
                 run->step, again, again == 1 ? "is" : "are");
    else if (from != NULL)
        log_note(&run->log, "going on from %s, after step %" PRId64, from, run->step);
    if (run->o.profile_step > 0 && run->o.profile_step <= run->step)
        log_note(&run->log, "--profile-step %" PRId64 ": that step is made already, and is not timed",
                 run->o.profile_step);
    if (from != NULL && run->longer > 0)
        log_note(&run->log, "it had %" PRId64 " steps and has %" PRId64 " now; the bits of those that are made stay",
                 run->longer, run->steps);
}

// Where the newest checkpoint is gone on with.
static bool finish_last_save(const Run *run)
{
    Bytes folder = {0};
    CheckpointKeep keep = {(int)run->o.keep_checkpoints, run->best.step};
    bool ok = path_in(&folder, run, "checkpoints") && checkpoint_finish(folder.data, run->step, &keep);
    bytes_free(&folder);
    return ok;
}

static const double WRITTEN_A_SECOND = 1e9; // bytes, until a save has shown it

// The base lies where the run's own model will be.
static bool base_would_be_replaced(const Run *run, const char *model)
{
    char *place = realpath(model, NULL);
    bool same = place != NULL && strcmp(place, run->base_place) == 0;
    free(place);
    return same;
}

static bool may_write_adapters(const Run *run)
{
    if (run->base == NULL)
        return true;
    char *folder = path_join(run->o.out, "adapter"), *model = path_join(run->o.out, "model");
    bool ok = folder != NULL && model != NULL && adapter_may_be_replaced(folder);
    if (ok && base_would_be_replaced(run, model))
        ok = fail("--model %s: lies where this run's own model is to be written, and its checkpoints need it; take "
                  "another --out, or move it",
                  run->base);
    free(folder);
    free(model);
    return ok;
}

// Rank 0's part before the checkpoint is read: OUT, its lock, and which checkpoint that is.
static bool begin(Run *run, Bytes *path, Bytes *warnings)
{
    Contents found;
    return folder_make(run->o.out) && look(&found, run->o.out) && is_ours(&run->o, &found) && take_lock(run) &&
           may_write_adapters(run) && find_checkpoint(path, warnings, run) &&
           (path->size > 0 || (look(&found, run->o.out) && may_begin(&run->o, &found)));
}

// And after it. The other ranks have a log without a file.
static bool begin_log(Run *run, const char *log, bool resumed, Bytes *warnings, LogFacts *facts)
{
    if (!run_is_first(run))
        return log_open(&run->log, NULL, NULL, run->steps, run->o.log_every);
    int64_t step = resumed ? run->step : -1;
    char *aside = path_join(run->o.out, "nonfinite.jsonl"), *events = path_join(run->o.out, "tensorboard");
    bool ok = aside != NULL && events != NULL && disk_check(run, warnings) && log_cut(log, step, facts) &&
              log_cut(aside, step, NULL) && best_find(run, log) && stopping_find(&run->stopping, log) &&
              (!resumed || strcmp(run->o.resume, "auto") != 0 || finish_last_save(run)) &&
              log_open(&run->log, log, stdout, run->steps, run->o.log_every);
    if (ok && !log_for_tensorboard(&run->log, events, step))
        ok = !log_close(&run->log) && false;
    free(aside);
    free(events);
    return ok;
}

bool run_open(Run *run, const Options *options, bool *resumed)
{
    Candidate from = {.chosen = true};
    Bytes path = {0}, log = {0}, warnings = {0};
    LogFacts facts = {0};
    uint64_t bytes;
    run->lock = -1;
    TRY(run->o.profile_step <= run->steps ||
        fail_as(ERROR_USAGE, "--profile-step %" PRId64 ": the run has %" PRId64 " steps", run->o.profile_step,
                run->steps));
    TRY(run_is_alone(run) || comm_same_json(run->ranks, run->identity, "data, model and machine"));
    bool ok = path_in(&log, run, "log.jsonl") && (!run_is_first(run) || begin(run, &path, &warnings)) &&
              (path.size < sizeof from.path || fail("%s: the path is too long", path.data));
    if (ok && path.size > 0)
        memcpy(from.path, path.data, path.size);
    ok = ok && hear_chosen(run, &from);
    *resumed = ok && from.path[0] != 0;
    if (*resumed)
        ok = run_load(run, options, from.path) || fail_in("going on from %s", from.path);
    ok = ok && run_checkpoint_bytes(&bytes, run) && begin_log(run, log.data, *resumed, &warnings, &facts) &&
         run_hear_first(run, &facts.evaluated, sizeof facts.evaluated) &&
         run_hear_first(run, &run->stopping, sizeof run->stopping);
    run->open = ok;
    if (ok) {
        run->evaluated = facts.evaluated;
        run_begins(run);
        run->saved_at = clock_seconds();
        run->save_seconds = (double)bytes / WRITTEN_A_SECOND;
        tell_of_start(run, *resumed ? from.path : NULL, facts.last, warnings.data);
        measured_tell(&run->measured, &run->log);
        run_tell_end(run);
    }
    bytes_free(&path);
    bytes_free(&log);
    bytes_free(&warnings);
    return ok;
}

void run_close(Run *run)
{
    run_save_close(run);
    if (run->open)
        log_close(&run->log);
    if (run->lock > 0)
        close(run->lock);
    free(run->not_finite);
    free(run->base_place);
    json_decref(run->identity);
    json_decref(run->recipe);
    measured_free(&run->measured);
    *run = (Run){0};
}

// ---- the model at the end

// Every element is read by all ranks, as each may own a part of it: rank 0 says which; none: that was all.
typedef struct Elements {
    int64_t first, count;
} Elements;

static bool say_elements(void *run, int64_t first, int64_t count)
{
    return run_hear_first(run, &(Elements){first, count}, sizeof(Elements));
}

static bool attend_export(Run *run)
{
    Elements e = {0, 1};
    bool ok = true;
    while (ok && (ok = run_hear_first(run, &e, sizeof e)) && e.count > 0) {
        float *unused = allocate((size_t)e.count, sizeof *unused);
        ok = unused != NULL && model_read_weights(run->model, e.first, e.count, unused);
        free(unused);
    }
    return ok;
}

// Before the model, with which a run is finished.
static bool export_adapters(Run *run)
{
    char *folder = path_join(run->o.out, "adapter");
    bool ok = folder != NULL && adapter_export(run->model, run->base, folder, say_elements, run);
    if (ok)
        log_note(&run->log, "the adapters are in %s, in fp32; the model has them added up%s", folder,
                 run->o.export_dtype.name[0] == 'b' ? " and rounded to bf16, which small changes may not survive" : "");
    free(folder);
    return ok;
}

bool run_export(Run *run)
{
    phase_is("writing the model", -1);
    if (!run_is_first(run))
        return attend_export(run);
    char *folder = path_join(run->o.out, "model");
    char *own = path_join(run->o.out, "tokenizer"); // a copy (run_describe), as --model may be gone by now
    const char *tokenizer = run->tokenizer == NULL ? NULL : own;
    bool ok =
        folder != NULL && own != NULL && run_holds_out(run) && (run->base == NULL || export_adapters(run)) &&
        export_model(run->model, tokenizer, run->template_name, run->o.export_dtype.name, folder, say_elements, run);
    say_elements(run, 0, 0); // where it fails, the export has failed with the same error
    if (ok) {
        run_is_finished(run);
        log_note(&run->log, "the model is in %s", folder);
    }
    free(folder);
    free(own);
    return ok;
}

bool run_keep_model(Run *run)
{
    char *why = copy_text(error_text());
    if (why != NULL && run->step == run->steps)
        run_export(run)
            ? fail("%s; but the model after all %" PRId64 " steps is in %s/model", why, run->steps, run->o.out)
            : fail_in("%s; and neither could the model be written", why);
    free(why);
    return false;
}
