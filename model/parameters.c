// Names, shapes and offsets of the parameters: see parameters.h.
#include "model/parameters.h"
#include <stdlib.h>

int64_t parameter_elements(const Parameter *p) { return p->rows * p->columns; }

const Parameter *parameter_of_layer(const Parameters *parameters, int64_t layer, LayerTensor which)
{
    int64_t place = parameters->in_layer[which];
    return place < 0 ? NULL : &parameters->list[parameters->first_layer + layer * parameters->per_layer + place];
}

static bool is_bias(LayerTensor which) { return which == Q_BIAS || which == K_BIAS || which == V_BIAS; }

static bool is_in(const Family *family, LayerTensor which)
{
    if (is_bias(which))
        return family->qkv_bias;
    return family->qk_norm || (which != Q_NORM && which != K_NORM);
}

bool parameter_place(Parameters *all, Parameter *p, int64_t rows, int64_t columns, bool matrix)
{
    size_t elements, end;
    TRY(size_multiply(&elements, (size_t)rows, (size_t)columns));
    TRY(size_add(&end, (size_t)all->elements, elements));
    if (end > INT64_MAX / 64)
        return fail("a model of %zu parameters is too large for this program", end);
    p->rows = rows;
    p->columns = columns;
    p->matrix = matrix;
    p->initial = 1; // unless it is a bias
    p->offset = all->elements;
    all->elements = (int64_t)end;
    return true;
}

static bool place_layer(Parameters *all, const ModelConfig *c, int64_t layer)
{
    int64_t q = c->heads * c->head_width, kv = c->kv_heads * c->head_width, C = c->width, F = c->feed_forward,
            D = c->head_width;
    const struct {
        const char *name;
        int64_t rows, columns;
        bool matrix;
    } tensors[LAYER_TENSORS] = {
        [INPUT_NORM] = {"input_layernorm.weight", 1, C, false},
        [Q_PROJ] = {"self_attn.q_proj.weight", q, C, true},
        [K_PROJ] = {"self_attn.k_proj.weight", kv, C, true},
        [V_PROJ] = {"self_attn.v_proj.weight", kv, C, true},
        [Q_BIAS] = {"self_attn.q_proj.bias", 1, q, false},
        [K_BIAS] = {"self_attn.k_proj.bias", 1, kv, false},
        [V_BIAS] = {"self_attn.v_proj.bias", 1, kv, false},
        [O_PROJ] = {"self_attn.o_proj.weight", C, q, true},
        [Q_NORM] = {"self_attn.q_norm.weight", 1, D, false},
        [K_NORM] = {"self_attn.k_norm.weight", 1, D, false},
        [POST_NORM] = {"post_attention_layernorm.weight", 1, C, false},
        [GATE_PROJ] = {"mlp.gate_proj.weight", F, C, true},
        [UP_PROJ] = {"mlp.up_proj.weight", F, C, true},
        [DOWN_PROJ] = {"mlp.down_proj.weight", C, F, true},
    };
    for (int i = 0; i < LAYER_TENSORS; i++) {
        if (all->in_layer[i] < 0)
            continue;
        Parameter *p = &all->list[all->first_layer + layer * all->per_layer + all->in_layer[i]];
        snprintf(p->name, sizeof p->name, "model.layers.%" PRId64 ".%s", layer, tensors[i].name);
        TRY(parameter_place(all, p, tensors[i].rows, tensors[i].columns, tensors[i].matrix));
        if (is_bias((LayerTensor)i))
            p->initial = 0;
    }
    return true;
}

static bool place_all(Parameters *all, const ModelConfig *c)
{
    TRY(parameter_place(all, &all->list[all->embedding], c->vocabulary, c->width, true));
    snprintf(all->list[all->embedding].name, sizeof all->list->name, "model.embed_tokens.weight");
    for (int64_t layer = 0; layer < c->layers; layer++)
        TRY(place_layer(all, c, layer));
    TRY(parameter_place(all, &all->list[all->final_norm], 1, c->width, false));
    snprintf(all->list[all->final_norm].name, sizeof all->list->name, "model.norm.weight");
    if (c->tied)
        return true;
    snprintf(all->list[all->head].name, sizeof all->list->name, "lm_head.weight");
    return parameter_place(all, &all->list[all->head], c->vocabulary, c->width, true);
}

bool parameters_make(Parameters *all, const ModelConfig *c)
{
    *all = (Parameters){.embedding = 0, .first_layer = 1};
    for (int i = 0; i < LAYER_TENSORS; i++)
        all->in_layer[i] = is_in(family_of(c), (LayerTensor)i) ? all->per_layer++ : -1;
    all->final_norm = all->first_layer + c->layers * all->per_layer;
    all->head = c->tied ? all->embedding : all->final_norm + 1;
    all->count = all->final_norm + (c->tied ? 1 : 2);
    all->list = allocate((size_t)all->count, sizeof *all->list);
    TRY(all->list != NULL);
    if (place_all(all, c))
        return true;
    parameters_free(all);
    return false;
}

void parameters_free(Parameters *parameters)
{
    free(parameters->list);
    *parameters = (Parameters){0};
}
