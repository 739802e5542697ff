// When a run saves, evaluates and gives up: by its steps, by the clock, and by the time that a signal leaves; and how
// it then ends.
#include "kernels/profile.h"
#include "run/run_internal.h"
#include "system/signals.h"
#include "system/phase.h"
#include <stdlib.h>
#include <string.h>

bool run_goes_on(const Run *run) { return run->step < run->steps && !run->stopping.ends; }

bool run_wants_save(const Run *run)
{
    double since = clock_seconds() - run->saved_at, most = 60 * run->o.save_minutes;
    double writing = run->save_seconds < most / 2 ? run->save_seconds : most / 2;
    bool by_clock = most > 0 && since + run->step_seconds + writing > most;
    return run_is_first(run) && (by_clock || (run->saving == NULL && run_is_asked_to_save(run)));
}

// By the clock early by a step like the last, and by what a save takes until it counts: a kill costs at most
// --save-minutes.
bool run_saves(const Run *run)
{
    if (run->step == run->steps)
        return run->saved != run->step;
    bool by_steps = run->o.save_every > 0 && run->step % run->o.save_every == 0;
    bool to_be_judged = (best_is_wanted(run) || run->stopping.patience > 0) && run_evaluates(run);
    return by_steps || to_be_judged || (run_is_alone(run) ? run_wants_save(run) : run->save_due);
}

bool run_evaluates(const Run *run)
{
    int64_t every = run->o.eval_every;
    bool here = run->step == 0 || run->step == run->steps || (every > 0 && run->step % every == 0);
    return here && run->evaluated != run->step;
}

bool run_has_time(const Run *run, double seconds)
{
    double since = signal_seconds();
    return since < 0 || since + seconds + run_save_left(run) + run->save_seconds <= run->o.stop_within;
}

static bool stop_together(Run *run, bool stop)
{
    TRY(run_any(run, &stop));
    return !stop || fail_as(ERROR_STOPPED, "stopped");
}

bool run_check_signal(Run *run) { return stop_together(run, signal_received() != 0 || run_is_asked_to_stop(run)); }

void run_updates_begin(Run *run, int64_t updates)
{
    run->updates = 0;
    run->updates_all = updates;
    run->updates_begin = clock_seconds();
}

bool run_update_goes_on(void *context, int64_t done, int64_t all)
{
    phase_progress();
    Run *run = context;
    double share = ((double)run->updates + (double)done / (double)all) / (double)run->updates_all;
    double left = share > 0 ? (clock_seconds() - run->updates_begin) / share * (1 - share) : run->updates_seconds;
    if (run->updates_all > 1)
        log_live(&run->log, run->step + 1, "update %" PRId64 "/%" PRId64 ", micro-batch %" PRId64 "/%" PRId64,
                 run->updates + 1, run->updates_all, done + 1, all);
    else
        log_live(&run->log, run->step + 1, "micro-batch %" PRId64 "/%" PRId64, done + 1, all);
    return stop_together(run, !run_has_time(run, left));
}

bool run_updates_end(Run *run)
{
    run->updates_seconds = clock_seconds() - run->updates_begin;
    if (!run->stepped)
        run_announce_again(run);
    run->stepped = true;
    run->updates = 0;
    run->step++;
    return run->step == run->steps || run_settle(run, false); // the last step is saved in any case
}

bool run_prepare(const RunOptions *o)
{
    int64_t skips;
    static char answer[256]; // stays where it is
    snprintf(answer, sizeof answer,
             "stopping: a step that is not done within %g seconds is given up, the last whole state is saved "
             "(again: at once)\n",
             o->stop_within);
    if (o->profile_step > 0)
        profile_prepare();
    return run_skips_read(&skips, o->on_nonfinite) && signals_install(answer);
}

// ---- an end before the last step

// Which checkpoint there is, for an error.
static const char *checkpoint_text(const Run *run, char text[80])
{
    if (run->saved == 0)
        return "there is no checkpoint yet";
    snprintf(text, 80, "the last checkpoint is that of step %" PRId64, run->saved);
    return text;
}

// A save that is under way still counts, or has failed for the same reason.
bool run_fail_in_step(Run *run)
{
    char checkpoint[80], *why = copy_text(error_text());
    bool saved = run_settle(run, true);
    bool more = !saved && why != NULL && strcmp(why, error_text()) != 0;
    if (why != NULL)
        fail("step %" PRId64 ": %s; %s%s%s", run->step + 1, why, checkpoint_text(run, checkpoint), more ? "; " : "",
             more ? error_text() : "");
    free(why);
    return false;
}

bool run_save_and_fail(Run *run)
{
    if (run->step == 0)
        return false;
    char *why = copy_text(error_text());
    TRY(why != NULL);
    bool kept = run_save_now(run);
    kept ? fail("%s; step %" PRId64 " is saved, and --resume auto goes on from there", why, run->step)
         : fail_in("%s; and saving the last finished step failed", why);
    free(why);
    return false;
}

bool run_stop(Run *run)
{
    char checkpoint[80];
    TRY(run_settle(run, true));
    const char *by = run->open ? run_stopped_by(run) : "";
    if (!run->open && run_is_first(run))
        printf("stopped by a signal before the first step; the same command begins again\n");
    else if (!run->open)
        return true;
    else if (run->updates > 0)
        log_note(&run->log,
                 "stopped by %s in the middle of step %" PRId64
                 "'s updates, of which no half is saved; %s; the same command %s",
                 by, run->step + 1, checkpoint_text(run, checkpoint), run->saved > 0 ? "goes on" : "begins again");
    else if (run->step == 0)
        log_note(&run->log, "stopped by %s before the end of the first step; the same command begins again", by);
    else {
        TRY(run_save_now(run));
        log_note(&run->log, "stopped by %s and saved after step %" PRId64 "; the same command goes on", by, run->step);
    }
    return true;
}
