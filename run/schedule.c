// What a run's learning rates were, and whether it may go on with more steps, or fewer, than it began with: when those that are
// made had the same rates, bit by bit. So it may under a constant rate, and under wsd before either one's decay.
#include "run/run_internal.h"

json_t *schedule_state(const Run *run)
{
    json_t *state =
        json_pack("{s:I, s:I}", "steps", (json_int_t)run->schedule->steps, "warmup", (json_int_t)run->schedule->warmup);
    if (state == NULL)
        fail_as(ERROR_SYSTEM, "no memory for the state of a checkpoint");
    return state;
}

bool schedule_goes_on(Run *run, const json_t *saved, const char *where)
{
    Schedule before = *run->schedule;
    TRY(json_need_int(&before.steps, saved, "steps", 0, INT64_MAX, where) &&
        json_need_int(&before.warmup, saved, "warmup", 0, INT64_MAX, where));
    run->schedule->warmup =
        before.warmup; // given, it is the same: the options were compared; else a share of the steps that were
    if (run->step > run->steps)
        return fail("%s: has %" PRId64 " steps already, and the run is to have %" PRId64 "; give more --steps or --epochs", where,
                    run->step, run->steps);
    for (int64_t step = 0; step < run->step; step++)
        if (learning_rate(&before, step) != learning_rate(run->schedule, step))
            return fail("%s: was made on the way to %" PRId64 " steps, and with %" PRId64 " the learning rate of step %" PRId64
                        " is another one; give --steps %" PRId64 ", or begin a new run from the model of this one (only "
                        "--lr-schedule constant, and wsd before its decay, can be made longer)",
                        where, before.steps, run->steps, step + 1, before.steps);
    run->longer = before.steps != run->steps ? before.steps : 0;
    return true;
}
