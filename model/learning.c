// From learning options to optimizer and schedule: see learning.h.
#include "model/learning.h"
#include <math.h>

Optimizer learning_optimizer(const LearningOptions *o, uint64_t seed)
{
    return (Optimizer){.beta1 = o->beta1,
                       .beta2 = o->beta2,
                       .epsilon = o->eps,
                       .weight_decay = o->weight_decay,
                       .bf16_moments = o->moments.place == MOMENTS_BF16,
                       .seed = seed};
}

Schedule learning_schedule(const LearningOptions *o, int64_t steps)
{
    return (Schedule){.shape = (ScheduleShape)o->lr_schedule.place,
                      .peak = o->lr,
                      .end = o->lr_end,
                      .steps = steps,
                      .warmup = o->warmup_steps >= 0 ? o->warmup_steps : steps / 10,
                      .decay = o->wsd_decay};
}

bool learning_update(const LearningOptions *o, Optimizer *optimizer, Model *model, double rate, double *norm)
{
    TRY(gradient_norm(model, norm));
    if (!isfinite(*norm))
        return true;
    bool clip = o->grad_clip > 0 && *norm > o->grad_clip;
    return optimizer_step(optimizer, model, rate, clip ? o->grad_clip / *norm : 1);
}
