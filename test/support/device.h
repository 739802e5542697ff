// Device memory as fp32 in host memory: tests read it through these and never through a model's own pointers.
#ifndef TEST_DEVICE_H
#define TEST_DEVICE_H

#include "test/support/check.h"
#include "model/model.h"

// Elements of fp32 arrays on the device; free() it.
static inline float *downloaded(const Kernels *kernels, const float *device, int64_t count)
{
    float *host = allocate((size_t)count, sizeof *host);
    assert_non_null(host);
    assert_ok(kernels->download(NULL, host, device, (size_t)count * sizeof *host));
    return host;
}

static inline float *gradients_of(const Model *m)
{
    return downloaded(m->kernels, m->gradients, m->parameters.elements);
}

static inline float *weights_of(const Model *m) // the master where there is one
{
    float *host = allocate((size_t)m->parameters.elements, sizeof *host);
    assert_non_null(host);
    assert_ok(model_read_weights(m, 0, m->parameters.elements, host));
    return host;
}

static inline float *moments_of(const Optimizer *o, Moment which, int64_t count)
{
    float *host = allocate((size_t)count, sizeof *host);
    assert_non_null(host);
    assert_ok(optimizer_read_moments(o, which, 0, count, host));
    return host;
}

#endif
