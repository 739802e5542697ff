// What a step of AdamW has in common for all elements, in double precision until it is rounded once: the fast backends'
// own. An element's part is update() in kernels/cuda/optimizer.cu, and adamw_lanes() in kernels/cpu/optimizer.c.
#ifndef KERNELS_ADAMW_H
#define KERNELS_ADAMW_H

#include "base/elementary.h"
#include "kernels/kernels.h"
#include <math.h>

typedef struct AdamWStep {
    float shrink, scale, keep2, new1, new2, epsilon, rate, root;
} AdamWStep;

static inline AdamWStep adamw_step(const AdamW *a)
{
    double correction1 = 1 - d_power(a->beta1, (double)a->step), correction2 = 1 - d_power(a->beta2, (double)a->step);
    AdamWStep step; // field by field: C++17 has no designated initialisers
    step.shrink = (float)(1 - a->learning_rate * a->weight_decay);
    step.scale = (float)a->gradient_scale;
    step.keep2 = (float)a->beta2;
    step.new1 = (float)(1 - a->beta1);
    step.new2 = (float)(1 - a->beta2);
    step.epsilon = (float)a->epsilon;
    step.rate = (float)(a->learning_rate / correction1);
    step.root = (float)(1 / sqrt(correction2));
    return step;
}

#endif
