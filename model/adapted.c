// What adapters add to a layer's products, and their gradients: adapters.h says in which order it is rounded. The A of
// a site's matrices lie one behind the other, so that one product makes what all of them keep of x.
#include "model/model_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// A site of a layer: its matrices that have adapters, and which columns of what the site makes are theirs.
typedef struct Site {
    int count;
    Tensor a; // (count·rank, in) of all of them
    struct {
        const Parameter *a, *b; // (rank, in), (out, rank)
        int64_t from, to;
    } of[SITE_MATRICES];
} Site;

static Site site_of_layer(const Model *m, int64_t layer, AdapterSite site)
{
    const Adapters *adapters = &m->limits.adapters;
    Site s = {0};
    int64_t from = 0;
    for (int i = (int)site_first(site); i <= (int)site_last(site); i++) {
        LayerTensor which = (LayerTensor)i;
        int64_t rows = parameter_of_layer(&m->frozen, layer, which)->rows;
        const Parameter *a = adapter_a(&m->parameters, layer, which);
        if (a != NULL) {
            s.of[s.count].a = a;
            s.of[s.count].b = adapter_b(&m->parameters, adapters, layer, which);
            s.of[s.count].from = from;
            s.of[s.count++].to = from + rows;
        }
        from += rows;
    }
    s.a = weight_tensor(m, s.of[0].a);
    s.a.rows *= s.count;
    return s;
}

bool adapters_add_to(const Model *m, AdapterSite site)
{
    return m->frozen.count > 0 && !m->without_adapters && adapters_at(&m->limits.adapters, site) > 0;
}

static Tensor share_of(const Model *m, Tensor all, int i)
{
    int64_t rank = m->limits.adapters.rank;
    return columns_of(all, i * rank, (i + 1) * rank, m->kernels->activation_size);
}

static void scale(const Model *m, Tensor low)
{
    if (m->limits.adapters.scale != 1)
        m->kernels->rows_scale(NULL, low, (float)m->limits.adapters.scale);
}

void adapters_forward(const Model *m, const LayerActivations *l, int64_t layer, AdapterSite site, Tensor y, Tensor x)
{
    const Kernels *k = m->kernels;
    if (!adapters_add_to(m, site))
        return;
    Site s = site_of_layer(m, layer, site);
    Tensor low = tensor(l->low[site], x.rows, s.a.rows);
    k->matmul_forward(NULL, low, x, s.a, false);
    scale(m, low);
    for (int i = 0; i < s.count; i++)
        k->matmul_forward(NULL, columns_of(y, s.of[i].from, s.of[i].to, k->activation_size), share_of(m, low, i),
                          weight_tensor(m, s.of[i].b), true);
}

void adapters_backward(const Model *m, const LayerActivations *l, int64_t layer, AdapterSite site, Tensor dx, Tensor dy,
                       Tensor x)
{
    const Kernels *k = m->kernels;
    int64_t room = m->limits.tokens;
    if (!adapters_add_to(m, site))
        return;
    Site s = site_of_layer(m, layer, site);
    Tensor low = tensor(l->low[site], x.rows, s.a.rows), dlow = tensor(m->a.dlow, x.rows, s.a.rows);
    for (int i = 0; i < s.count; i++) {
        Tensor dy_of = columns_of(dy, s.of[i].from, s.of[i].to, k->activation_size);
        k->matmul_backward_weight(NULL, gradient_at(m, s.of[i].b, layer), dy_of, share_of(m, low, i), room,
                                  !m->unwritten);
        k->matmul_backward_input(NULL, share_of(m, dlow, i), dy_of, weight_tensor(m, s.of[i].b), false);
    }
    scale(m, dlow);
    k->matmul_backward_weight(NULL, gradient_at(m, s.of[0].a, layer), dlow, x, room, !m->unwritten);
    k->matmul_backward_input(NULL, dx, dlow, s.a, true);
}

// ---- how they begin: PEFT's Kaiming-uniform A (He et al. 2015; a = sqrt 5, which leaves ±1/sqrt(in)), and B zero, so
// that the model begins as its base

static void draw(float *host, const Parameter *p, int64_t tensor, uint64_t seed)
{
    double bound = 1 / sqrt((double)p->columns);
    for (int64_t e = 0; e < parameter_elements(p); e++) {
        Philox bits = random_bits(seed, RANDOM_WEIGHTS, (uint32_t)tensor, (uint32_t)e, (uint32_t)(e >> 32));
        host[e] = (float)(bound * (2 * random_uniform(bits.v[0]) - 1));
    }
}

bool model_begin_adapters(Model *m, uint64_t seed)
{
    for (int64_t i = 0; i < m->parameters.count; i++) {
        const Parameter *p = &m->parameters.list[i];
        float *host = allocate((size_t)parameter_elements(p), sizeof *host); // zeros
        TRY(host != NULL);
        if (strstr(p->name, ".lora_A.") != NULL)
            draw(host, p, i, seed);
        model_write_weights(m, p->offset, parameter_elements(p), host);
        free(host);
    }
    return true;
}
