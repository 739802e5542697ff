// The global gradient norm and AdamW over all named tensors. Both visit the tensors in the order of the manifest.
#include "model/model_internal.h"
#include <math.h>

bool gradients_clear(Model *model)
{
    model->kernels->zero(NULL, model->gradients, (size_t)model->parameters.elements * sizeof(float));
    return true;
}

// Squares are summed per block of SQUARES_BLOCK elements of each tensor, then over the blocks in double precision: the
// same number whichever rank owns a block.
bool gradient_norm(Model *model, double *norm)
{
    double total = 0;
    int64_t blocks = 0;
    for (int64_t i = 0; i < model->parameters.count; i++) {
        const Parameter *p = &model->parameters.list[i];
        model->kernels->square_sums(NULL, model->squares + blocks, model->gradients + p->offset, parameter_elements(p));
        blocks += ceil_divide(parameter_elements(p), SQUARES_BLOCK);
    }
    TRY(model->kernels->download(NULL, model->squares_host, model->squares, (size_t)blocks * sizeof(float)));
    for (int64_t b = 0; b < blocks; b++)
        total += model->squares_host[b];
    *norm = sqrt(total);
    return true;
}

bool optimizer_open(Optimizer *optimizer, const Model *model, bool plan_only)
{
    optimizer->state = (Arena){.name = "optimizer", .kernels = model->kernels};
    size_t size = optimizer->bf16_moments ? sizeof(uint16_t) : sizeof(float);
    TRY(arena_add(&optimizer->state, "first moments", &optimizer->m, model->parameters.elements, size));
    TRY(arena_add(&optimizer->state, "second moments", &optimizer->v, model->parameters.elements, size));
    return plan_only || arena_allocate(&optimizer->state);
}

bool optimizer_step(Optimizer *o, Model *model, double rate, double gradient_scale)
{
    AdamW settings = {.learning_rate = rate, .beta1 = o->beta1, .beta2 = o->beta2, .epsilon = o->epsilon};
    settings.gradient_scale = gradient_scale;
    settings.step = ++o->step;
    settings.bf16_moments = o->bf16_moments;
    settings.seed = o->seed;
    for (int64_t i = 0; i < model->parameters.count; i++) {
        const Parameter *p = &model->parameters.list[i];
        settings.weight_decay = p->matrix ? o->weight_decay : 0;
        model->kernels->adamw(NULL, weight_at(model, p->offset), model->master + p->offset,
                              moments_at(o, FIRST_MOMENT, p->offset), moments_at(o, SECOND_MOMENT, p->offset),
                              model->gradients + p->offset, parameter_elements(p), &settings, i, 0);
    }
    return model->kernels->synchronize(NULL);
}

void optimizer_close(Optimizer *optimizer) { arena_free(&optimizer->state); }
