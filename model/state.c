// The state of a run between the device and the host. On the host it is fp32, whatever its type on the device: loading,
// exporting and checkpoints all use this, piece by piece, so that host memory never holds more than a piece.
#include "model/model_internal.h"
#include <string.h>

// What this rank owns of elements first .. first+count-1, unit after unit: `from` of them are before it.
typedef struct Own {
    int64_t local, from, count;
} Own;

static bool next_own(const Sharding *s, int64_t *unit, int64_t first, int64_t count, Own *own)
{
    for (; *unit < s->unit_count; ++*unit) {
        const ShardUnit *u = &s->units[*unit];
        int64_t begin = u->edges[s->rank] > first ? u->edges[s->rank] : first;
        int64_t end = u->edges[s->rank + 1] < first + count ? u->edges[s->rank + 1] : first + count;
        if (begin >= end)
            continue;
        *own = (Own){u->local + begin - u->edges[s->rank], begin - first, end - begin};
        ++*unit;
        return true;
    }
    return false;
}

static bool has_own_master(const Model *m) { return m->master != NULL && (void *)m->master != m->weights; }

static char *element_at(const Model *m, void *array, int64_t element)
{
    return (char *)array + (size_t)element * m->kernels->activation_size;
}

// Division.weights: of an outer unit, all; of a layer, what this rank owns, until it is gathered.
static void write_divided(Model *m, int64_t first, int64_t count, const float *host)
{
    const ShardUnit *outer[2] = {&m->sharding.units[0], &m->sharding.units[m->sharding.unit_count - 1]};
    Own own;
    for (int i = 0; i < 2; i++) {
        int64_t from = larger(first, outer[i]->first), to = smaller(first + count, outer[i]->first + outer[i]->count);
        if (from < to)
            m->kernels->upload_rounded(NULL, element_at(m, m->weights, outer[i]->place + from - outer[i]->first),
                                       host + (from - first), to - from);
    }
    for (int64_t unit = 0; next_own(&m->sharding, &unit, first, count, &own);)
        m->kernels->upload_rounded(NULL, element_at(m, m->own_weights, own.local), host + own.from, own.count);
}

void model_write_weights(Model *m, int64_t first, int64_t count, const float *host)
{
    Own own;
    for (int64_t unit = 0; has_own_master(m) && next_own(&m->sharding, &unit, first, count, &own);)
        m->kernels->upload(NULL, m->master + own.local, host + own.from, (size_t)own.count * sizeof(float));
    if (m->sharding.weights)
        write_divided(m, first, count, host);
    else
        m->kernels->upload_rounded(NULL, element_at(m, m->weights, first), host, count);
}

bool model_read_own_weights(const Model *m, int64_t first, int64_t count, float *host)
{
    Own own;
    phase_progress();
    if (m->master == NULL)
        return m->kernels->download_widened(NULL, host, element_at(m, m->weights, first), count);
    if (!has_own_master(m))
        return m->kernels->download(NULL, host, m->master + first, (size_t)count * sizeof(float));
    for (int64_t unit = 0; next_own(&m->sharding, &unit, first, count, &own);)
        TRY(m->kernels->download(NULL, host + own.from, m->master + own.local, (size_t)own.count * sizeof(float)));
    return true;
}

bool model_read_weights(const Model *m, int64_t first, int64_t count, float *host)
{
    return model_read_own_weights(m, first, count, host) &&
           (!has_own_master(m) || share_elements(m, first, count, host));
}

// ---- the model's own tensors

const Parameters *model_own(const Model *m) { return m->frozen.count > 0 ? &m->frozen : &m->parameters; }

void model_write_own(Model *m, int64_t first, int64_t count, const float *host)
{
    if (m->frozen.count > 0)
        m->kernels->upload_rounded(NULL, element_at(m, m->frozen_weights, first), host, count);
    else
        model_write_weights(m, first, count, host);
}

bool model_read_own(const Model *m, int64_t first, int64_t count, float *host)
{
    phase_progress();
    return m->frozen.count > 0
               ? m->kernels->download_widened(NULL, host, element_at(m, m->frozen_weights, first), count)
               : model_read_weights(m, first, count, host);
}

bool model_share_weights(const Model *m)
{
    return m->hooks.share_weights == NULL || m->hooks.share_weights(m->hooks.context);
}

// ---- moments. Between fp32 and bf16 the array is its own scratch: numbers move to the front, or from the back.

static bool to_bf16(float *host, int64_t count)
{
    uint32_t lost = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &host[i], sizeof bits);
        uint16_t half = (uint16_t)(bits >> 16);
        lost |= bits & 0xffff;
        memcpy((char *)host + 2 * i, &half, sizeof half);
    }
    return lost == 0 || fail("these moments are not bf16 numbers, but --moments is bf16");
}

static void from_bf16(float *host, const char *halves, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, halves + 2 * i, sizeof half);
        uint32_t bits = (uint32_t)half << 16;
        memcpy(&host[i], &bits, sizeof bits);
    }
}

bool optimizer_write_moments(Optimizer *o, Moment which, int64_t first, int64_t count, float *host)
{
    size_t size = o->bf16_moments ? sizeof(uint16_t) : sizeof(float);
    Own own;
    TRY(!o->bf16_moments || to_bf16(host, count));
    for (int64_t unit = 0; next_own(&o->model->sharding, &unit, first, count, &own);)
        o->state.kernels->upload(NULL, moments_at(o, which, own.local), (char *)host + (size_t)own.from * size,
                                 (size_t)own.count * size);
    return true;
}

bool optimizer_read_own_moments(const Optimizer *o, Moment which, int64_t first, int64_t count, float *host)
{
    size_t size = o->bf16_moments ? sizeof(uint16_t) : sizeof(float);
    char *place = (char *)host + (size_t)count * (sizeof(float) - size);
    Own own;
    phase_progress();
    for (int64_t unit = 0; next_own(&o->model->sharding, &unit, first, count, &own);)
        TRY(o->state.kernels->download(NULL, place + (size_t)own.from * size, moments_at(o, which, own.local),
                                       (size_t)own.count * size));
    if (o->bf16_moments)
        from_bf16(host, place, count);
    return true;
}

bool optimizer_read_moments(const Optimizer *o, Moment which, int64_t first, int64_t count, float *host)
{
    return optimizer_read_own_moments(o, which, first, count, host) && share_elements(o->model, first, count, host);
}
