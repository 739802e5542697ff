// What a user asks of a run by files in OUT, from anywhere that sees the folder: SAVE, a checkpoint after this step;
// STOP, an end as after a signal. Rank 0 looks, and removes what it has done. STOP becomes STOPPED, so that a script
// that starts the run again after status 75 can tell that it should not.
#include "run/run_internal.h"
#include "system/signals.h"
#include <stdlib.h>
#include <unistd.h>

static bool is_there(const Run *run, const char *name)
{
    char *path = run_is_first(run) && run->o.out != NULL ? path_join(run->o.out, name) : NULL;
    bool there = path != NULL && file_exists(path);
    free(path);
    return there;
}

static void take_away(const Run *run, const char *name)
{
    char *path = path_join(run->o.out, name);
    if (path != NULL)
        unlink(path); // one that stays is done again
    free(path);
}

bool run_is_asked_to_save(const Run *run) { return is_there(run, "SAVE"); }
bool run_is_asked_to_stop(const Run *run) { return is_there(run, "STOP"); }

void run_has_saved(Run *run, int64_t step)
{
    take_away(run, "SAVE");
    log_note(&run->log, "saved after step %" PRId64 ", as %s/SAVE asked for", step, run->o.out);
}

const char *run_stopped_by(const Run *run)
{
    char *stop = path_join(run->o.out, "STOP"), *stopped = path_join(run->o.out, "STOPPED");
    bool file = signal_received() == 0 && run_is_asked_to_stop(run);
    if (file && stop != NULL && stopped != NULL)
        rename(stop, stopped);
    free(stop);
    free(stopped);
    return file ? "STOP in its folder, which is STOPPED now," : "a signal";
}

void run_begins(const Run *run)
{
    if (run_is_first(run))
        take_away(run, "STOPPED");
}

void run_is_finished(const Run *run)
{
    if (run_is_asked_to_stop(run))
        take_away(run, "STOP");
    if (run_is_asked_to_save(run))
        take_away(run, "SAVE");
}
