// The global gradient norm and AdamW over all named tensors. Both visit the tensors in the order of the manifest.
#include "model/model_internal.h"
#include <math.h>

static void clear(const Model *model, float *gradients, int64_t count)
{
    if (count > 0)
        model->kernels->zero(NULL, gradients, (size_t)count * sizeof(float));
}

// All but the matrices of layers, which are the products' to write.
static void clear_what_is_added_to(const Model *model)
{
    const Parameters *all = &model->parameters;
    int64_t from = 0;
    for (int64_t i = 0; i < all->count; i++) {
        const Parameter *p = &all->list[i];
        if (!p->matrix || i == all->embedding || i == all->head)
            continue;
        clear(model, model->gradients + from, p->offset - from);
        from = p->offset + parameter_elements(p);
    }
    clear(model, model->gradients + from, all->elements - from);
}

bool gradients_clear(Model *model)
{
    TRY(gradients_summed(model)); // also those of a step that was given up
    model->unwritten = model->sharding.size == 1;
    if (model->unwritten) {
        clear_what_is_added_to(model);
        return true;
    }
    clear(model, model->sums, model->sharding.own); // on several ranks a buffer is one unit's after the other's
    clear(model, model->gradients, model->sharding.once ? model->parameters.elements : model->sharding.largest);
    return true;
}

// A step whose micro-batches had nothing to learn from
static void write_nothing(Model *model)
{
    if (model->unwritten)
        clear(model, model->gradients, model->parameters.elements);
    model->unwritten = false;
}

// Squares are summed per block of SQUARES_BLOCK elements of each tensor, then block after block in double precision:
// the same number whoever owns which block.
bool gradient_norm(Model *model, double *norm)
{
    double total = 0;
    phase_is("the gradient's norm", -1);
    TRY(model->hooks.share_gradients == NULL || model->hooks.share_gradients(model->hooks.context));
    TRY(gradients_summed(model));
    write_nothing(model);
    for (int64_t i = 0; i < model->sharding.part_count; i++) {
        const ShardPart *part = &model->sharding.parts[i];
        model->kernels->square_sums(NULL, model->squares + part->block, model->sums + part->local, part->count);
    }
    TRY(model->kernels->download(NULL, model->squares_host, model->squares,
                                 (size_t)model->sharding.blocks * sizeof(float)));
    TRY(model->hooks.share_squares == NULL || model->hooks.share_squares(model->hooks.context));
    for (int64_t b = 0; b < model->sharding.blocks; b++)
        total += model->squares_host[b];
    *norm = sqrt(total);
    return true;
}

bool optimizer_open(Optimizer *optimizer, const Model *model, bool plan_only)
{
    optimizer->model = model;
    optimizer->state = (Arena){.name = "optimizer", .kernels = model->kernels};
    size_t size = optimizer->bf16_moments ? sizeof(uint16_t) : sizeof(float);
    TRY(arena_add(&optimizer->state, "first moments", &optimizer->m, model->sharding.own, size));
    TRY(arena_add(&optimizer->state, "second moments", &optimizer->v, model->sharding.own, size));
    return plan_only || arena_allocate(&optimizer->state);
}

// Where an update writes a part's weights in the type that passes read.
static void *updated(const Model *m, const ShardPart *part)
{
    const Parameter *p = &m->parameters.list[part->tensor];
    return m->sharding.weights ? (char *)m->own_weights + (size_t)part->local * m->kernels->activation_size
                               : weight_at(m, p, p->offset + part->first);
}

bool optimizer_step(Optimizer *o, Model *model, double rate, double gradient_scale)
{
    assert(!model->unwritten); // gradient_norm was asked for
    AdamW settings = {.learning_rate = rate, .beta1 = o->beta1, .beta2 = o->beta2, .epsilon = o->epsilon};
    settings.gradient_scale = gradient_scale;
    phase_is("the optimizer's step", -1);
    settings.step = ++o->step;
    settings.bf16_moments = o->bf16_moments;
    settings.seed = o->seed;
    for (int64_t i = 0; i < model->sharding.part_count; i++) {
        const ShardPart *part = &model->sharding.parts[i];
        const Parameter *p = &model->parameters.list[part->tensor];
        settings.weight_decay = p->matrix ? o->weight_decay : 0;
        model->kernels->adamw(NULL, updated(model, part), master_of(model, part),
                              moments_at(o, FIRST_MOMENT, part->local), moments_at(o, SECOND_MOMENT, part->local),
                              model->sums + part->local, part->count, &settings, part->tensor, part->first);
    }
    TRY(model->kernels->synchronize(NULL));
    return model_share_weights(model);
}

void optimizer_close(Optimizer *optimizer) { arena_free(&optimizer->state); }
