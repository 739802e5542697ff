// The learning rate, a pure function of the step: nothing to save, nothing to restore. Warm-up rises linearly to the
// peak.
#include "base/elementary.h"
#include "model/model.h"

// from 1 at progress 0 to `end` at progress 1
static double decayed(const Schedule *s, double progress)
{
    double sine, cosine, shape = 1 - progress;
    if (s->shape == SCHEDULE_COSINE) {
        d_sine_cosine(progress * 3.14159265358979324, &sine, &cosine);
        shape = 0.5 * (1 + cosine);
    }
    return s->end + (1 - s->end) * shape;
}

double learning_rate(const Schedule *s, int64_t step)
{
    if (step < s->warmup)
        return s->peak * (double)(step + 1) / (double)s->warmup;
    if (s->shape == SCHEDULE_CONSTANT)
        return s->peak;
    double first = (double)s->warmup, last = (double)s->steps;
    if (s->shape == SCHEDULE_WSD) {
        double start = last - s->decay * last;
        first = start > first ? start : first;
    }
    if ((double)step < first)
        return s->peak;
    double progress = last > first ? ((double)step - first) / (last - first) : 1;
    return s->peak * decayed(s, progress > 1 ? 1 : progress);
}
