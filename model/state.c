// The state of a run between the device and the host. On the host it is fp32, whatever its type on the device: loading,
// exporting and checkpoints all use this, piece by piece, so that host memory never holds more than a piece.
#include "model/model_internal.h"
#include <string.h>

void model_write_weights(Model *m, int64_t first, int64_t count, const float *host)
{
    if (m->master != NULL && (void *)m->master != m->weights)
        m->kernels->upload(NULL, m->master + first, host, (size_t)count * sizeof(float));
    m->kernels->upload_rounded(NULL, weight_at(m, first), host, count);
}

bool model_read_weights(const Model *m, int64_t first, int64_t count, float *host)
{
    if (m->master != NULL)
        return m->kernels->download(NULL, host, m->master + first, (size_t)count * sizeof(float));
    return m->kernels->download_widened(NULL, host, weight_at(m, first), count);
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
    size_t bytes = (size_t)count * sizeof(float);
    if (o->bf16_moments) {
        TRY(to_bf16(host, count));
        bytes /= 2;
    }
    o->state.kernels->upload(NULL, moments_at(o, which, first), host, bytes);
    return true;
}

bool optimizer_read_moments(const Optimizer *o, Moment which, int64_t first, int64_t count, float *host)
{
    size_t bytes = (size_t)count * sizeof(float);
    if (!o->bf16_moments)
        return o->state.kernels->download(NULL, host, moments_at(o, which, first), bytes);
    char *halves = (char *)host + bytes / 2;
    TRY(o->state.kernels->download(NULL, halves, moments_at(o, which, first), bytes / 2));
    from_bf16(host, halves, count);
    return true;
}
