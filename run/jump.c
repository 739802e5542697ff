// A step that is unlike those before it: its loss or its gradient's norm has jumped. Training goes on (norms are
// clipped), but the user wants to know, and to look. It is compared with steps of this process only.
#include "run/run.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENOUGH = 16, TOLD_AGAIN = 50 };              // steps to compare with; between two notes
static const double LOSS_JUMP = 1.5, NORM_JUMP = 8; // times the median

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The median of the values before, if this one has jumped; else 0.
static double jumped_from(double value, const double *before, int64_t count, double times)
{
    double sorted[RECENT_STEPS];
    memcpy(sorted, before, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    double median = sorted[count / 2], largest = sorted[count - 1];
    return value > times * median && value > largest ? median : 0;
}

bool jump_seen(Recent *recent, double loss, double norm, JumpFacts *facts)
{
    int64_t count = recent->steps < RECENT_STEPS ? recent->steps : RECENT_STEPS, place = recent->steps++ % RECENT_STEPS;
    *facts = (JumpFacts){0};
    if (count >= ENOUGH) {
        facts->loss = jumped_from(loss, recent->loss, count, LOSS_JUMP);
        facts->norm = jumped_from(norm, recent->norm, count, NORM_JUMP);
    }
    recent->loss[place] = loss;
    recent->norm[place] = norm;
    return facts->loss > 0 || facts->norm > 0;
}

void run_tell_jump(Run *run, double loss, double norm, const char *advice)
{
    JumpFacts usual;
    char loss_text[80] = "", norm_text[40] = "";
    if (!isfinite(loss) || !isfinite(norm) || !jump_seen(&run->recent, loss, norm, &usual) ||
        (run->told_jump > 0 && run->step < run->told_jump + TOLD_AGAIN))
        return;
    run->told_jump = run->step;
    if (usual.loss > 0)
        snprintf(loss_text, sizeof loss_text, "the loss has jumped to %.4g from some %.4g, ", loss, usual.loss);
    if (usual.norm > 0)
        snprintf(norm_text, sizeof norm_text, " instead of some %.4g", usual.norm);
    log_note(&run->log, "step %" PRId64 ": %sthe gradient norm is %.4g%s; %s", run->step, loss_text, norm, norm_text,
             advice);
}
