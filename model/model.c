// Opening a model: its parameters and its memory (planned in plan.c). Copying weights, or drawing random ones.
#include "base/elementary.h"
#include "model/paged.h"
#include "model/model_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool head_width_is_known(const Model *m)
{
    const int64_t *known = m->kernels->head_widths;
    char list[64] = "";
    for (int i = 0; known != NULL && known[i] != 0; i++) {
        if (known[i] == m->config.head_width)
            return true;
        size_t size = strlen(list);
        snprintf(list + size, sizeof list - size, "%s%" PRId64, i == 0 ? "" : ", ", known[i]);
    }
    return known == NULL ||
           fail("config.json: head_dim is %" PRId64 ", and %s has attention for %s only; use --device cpu",
                m->config.head_width, m->kernels->name, list);
}

// A GPU moves 16 bytes at a time and multiplies tiles: every row and tensor must begin at a multiple of that.
static bool widths_are_multiples(const Model *m)
{
    const ModelConfig *c = &m->config;
    const struct {
        const char *name;
        int64_t width;
    } widths[] = {{"hidden_size", c->width},
                  {"intermediate_size", c->feed_forward},
                  {"num_attention_heads x head_dim", c->heads * c->head_width},
                  {"num_key_value_heads x head_dim", c->kv_heads * c->head_width}};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        if (widths[i].width % m->kernels->column_multiple != 0)
            return fail("config.json: %s is %" PRId64 ", and %s computes with multiples of %" PRId64
                        "; use --device cpu",
                        widths[i].name, widths[i].width, m->kernels->name, m->kernels->column_multiple);
    return c->width <= m->kernels->widest ||
           fail("config.json: hidden_size is %" PRId64 ", and %s knows up to %" PRId64 "; use --device cpu", c->width,
                m->kernels->name, m->kernels->widest);
}

static bool suits_adapters(const Model *m)
{
    int64_t rank = m->limits.adapters.rank, multiple = m->kernels->column_multiple;
    if (m->limits.division.weights)
        return fail("--lora: the weights that lie still are whole on every rank; give --shard state");
    return rank % multiple == 0 ||
           fail("--lora %" PRId64 ": %s computes with multiples of %" PRId64 "; give --lora %" PRId64, rank,
                m->kernels->name, multiple, ceil_divide(rank, multiple) * multiple);
}

// What learns, and what lies still.
static bool make_parameters(Model *m)
{
    const Adapters *adapters = &m->limits.adapters;
    if (adapters->rank == 0)
        return parameters_make(&m->parameters, &m->config);
    return suits_adapters(m) && parameters_make(&m->frozen, &m->config) &&
           adapters_make(&m->parameters, adapters, &m->frozen, m->config.layers);
}

static bool open_parts(Model *m, bool plan_only)
{
    TRY(head_width_is_known(m) && widths_are_multiples(m) && make_parameters(m));
    static const Division WHOLE = {.ranks = 1};
    TRY(sharding_open(&m->sharding, &m->parameters, m->limits.training ? &m->limits.division : &WHOLE));
    TRY(plan_memory(m));
    if (plan_only)
        return true;
    TRY(arena_allocate(&m->state));
    TRY(arena_allocate(&m->activations));
    if (has_fp32_weights(m) && m->sharding.weights)
        m->own_weights = m->master;
    else if (has_fp32_weights(m))
        m->master = m->weights;
    if (m->sharding.size == 1)
        m->sums = m->gradients;
    share_layers(m);
    if (m->limits.cache.tokens > 0)
        cached_open(m);
    m->kernels->rope_table(NULL, m->cosine, m->sine, m->table_positions, m->config.head_width, m->config.rope_theta);
    return true;
}

bool model_open(Model *m, const ModelConfig *config, const ModelLimits *limits, const Kernels *kernels, bool plan_only)
{
    *m = (Model){.config = *config, .limits = *limits, .kernels = kernels};
    if (open_parts(m, plan_only))
        return true;
    model_close(m);
    return false;
}

void model_close(Model *m)
{
    cached_close(m);
    arena_free(&m->state);
    arena_free(&m->activations);
    parameters_free(&m->parameters);
    parameters_free(&m->frozen);
    sharding_close(&m->sharding);
    free(m->squares_host);
    free(m->row_host);
    free(m->a.layers);
    free(m->cached.layers);
    *m = (Model){0};
}

// ---- new weights, one piece at a time in host memory

enum { PIECE = 1 << 22 }; // elements

// One normal number per element (Box & Muller 1958), with the logarithm and cosine of base/elementary.h.
static float random_normal(uint64_t seed, int64_t tensor, int64_t element)
{
    Philox bits = random_bits(seed, RANDOM_WEIGHTS, (uint32_t)tensor, (uint32_t)element, (uint32_t)(element >> 32));
    double sine, cosine;
    d_sine_cosine(6.28318530717958648 * random_uniform(bits.v[0]), &sine, &cosine);
    return (float)(sqrt(-2 * d_log(random_uniform(bits.v[1]))) * cosine);
}

static void initialise_tensor(Model *m, uint64_t seed, int64_t tensor, float *host)
{
    const Parameter *p = &model_own(m)->list[tensor];
    int64_t count = parameter_elements(p);
    for (int64_t first = 0; first < count; first += PIECE) {
        int64_t n = count - first < PIECE ? count - first : PIECE;
#pragma omp parallel for schedule(static)
        for (int64_t e = 0; e < n; e++)
            host[e] =
                p->matrix ? (float)m->config.initializer_range * random_normal(seed, tensor, first + e) : p->initial;
        model_write_own(m, p->offset + first, n, host);
    }
}

bool model_initialise(Model *m, uint64_t seed)
{
    float *host = allocate(PIECE, sizeof *host);
    TRY(host != NULL);
    for (int64_t i = 0; i < model_own(m)->count; i++)
        initialise_tensor(m, seed, i, host);
    free(host);
    return true;
}
