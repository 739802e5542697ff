// When a run saves, evaluates and gives up: by its steps, by the clock, and by what a signal leaves.
#include "run/run.h"
#include "system/signals.h"

bool run_goes_on(const Run *run) { return run->step < run->steps; }

// As if another step as long as the last one came before the next question: what a kill can cost is an interval, not a step more.
bool run_saves(const Run *run)
{
    if (run->step == run->steps)
        return run->saved != run->step;
    bool by_steps = run->o.save_every > 0 && run->step % run->o.save_every == 0;
    double since = clock_seconds() - run->saved_at;
    return by_steps || (run->o.save_minutes > 0 && since + run->step_seconds > 60 * run->o.save_minutes);
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
    return since < 0 || since + seconds + run->save_seconds <= run->o.stop_within;
}

void run_updates_begin(Run *run, int64_t updates)
{
    run->updates = 0;
    run->updates_all = updates;
    run->updates_begin = clock_seconds();
}

bool run_update_goes_on(void *context, int64_t done, int64_t all)
{
    Run *run = context;
    double share = ((double)run->updates + (double)done / (double)all) / (double)run->updates_all;
    double left = share > 0 ? (clock_seconds() - run->updates_begin) / share * (1 - share) : run->updates_seconds;
    if (run->updates_all > 1)
        log_live(&run->log, run->step + 1, "update %" PRId64 "/%" PRId64 ", micro-batch %" PRId64 "/%" PRId64, run->updates + 1,
                 run->updates_all, done + 1, all);
    else
        log_live(&run->log, run->step + 1, "micro-batch %" PRId64 "/%" PRId64, done + 1, all);
    return run_has_time(run, left) || signal_checked("");
}

void run_updates_end(Run *run)
{
    run->updates_seconds = clock_seconds() - run->updates_begin;
    run->updates = 0;
    run->step++;
}

bool run_take_signals(double stop_within)
{
    static char answer[256]; // stays where it is
    snprintf(answer, sizeof answer,
             "stopping: a step that is not done within %g seconds is given up, the last whole state is saved "
             "(again: at once)\n",
             stop_within);
    return signals_install(answer);
}
