// See scoring.h.
#include "difficulty/scoring.h"

static bool choose_temperature(ScoringOptions *o) // -1 stands for what suits the method
{
    if (o->temperature < 0 && o->temperature != -1)
        return fail_as(ERROR_USAGE, "--temperature %g: 0 is greedy, and -1 what suits the method", o->temperature);
    if (o->temperature < 0)
        o->temperature = o->method.place == BY_PASS_RATE ? 1 : 0;
    return true;
}

bool scoring_check(ScoringOptions *o, const Options *given, bool remote)
{
    bool by_pass_rate = o->method.place == BY_PASS_RATE;
    TRY(choose_temperature(o));
    if (!by_pass_rate && option_on_command_line(given, "instruction"))
        return fail_as(ERROR_USAGE, "--instruction: is for --method pass-rate; a rubric is asked without one");
    if (by_pass_rate && o->rubric[0] != 0)
        return fail_as(ERROR_USAGE, "--rubric: --method pass-rate asks the problems themselves; drop one of the two");
    if (remote && o->samples > 1 && !by_pass_rate)
        return fail_as(ERROR_USAGE, "--samples is for a model folder; a server is asked once for each problem");
    if (o->samples > 1 && (o->method.place == BY_DIGITS || o->temperature == 0))
        return fail_as(ERROR_USAGE,
                       "--samples %" PRId64 ": several answers are for --method generate or pass-rate with a "
                       "--temperature above 0",
                       o->samples);
    if (by_pass_rate && o->samples < 2)
        return fail_as(ERROR_USAGE,
                       "--method pass-rate: of one response the rate is 0 or 1; give --samples, 2 or more");
    return true;
}
