// What travels between ranks, and when: see sharded.h. On devices it travels by the link, where that is open; where it
// is not, memory of the host lies in between.
#include "sharded/sharded.h"
#include <stdlib.h>

static int64_t owned(const ShardUnit *u, int rank) { return u->edges[rank + 1] - u->edges[rank]; }

// ---- gradients, unit after unit

// What this rank owns of the unit, from every rank that is active, in the order of micro-batches.
static bool add_up(const Sharded *s, const ShardUnit *u)
{
    Model *m = s->model;
    const Kernels *k = m->kernels;
    float *sent = m->gradients + (m->sharding.once ? u->first : 0);
    int64_t count = owned(u, m->sharding.rank);
    for (int r = 0; r < s->active && count > 0; r++) {
        const float *one = s->receive[r].data;
        if (k->on_gpu) { // what was there has been sent
            k->upload(NULL, sent, one, (size_t)count * sizeof(float));
            one = sent;
        }
        k->accumulate(NULL, m->sums + u->local, one, count);
    }
    if (!m->sharding.once)
        k->zero(NULL, sent, (size_t)u->count * sizeof(float));
    return true;
}

// What the unit's owners get of this rank's gradient, which begins at `from`, and what it gets of theirs.
static void pieces_of(const Sharded *s, const ShardUnit *u, float *from, float *received)
{
    const Sharding *d = &s->model->sharding;
    for (int r = 0; r < d->size; r++) {
        size_t mine = d->rank < s->active ? (size_t)owned(u, r) * sizeof(float) : 0;
        size_t others = r < s->active ? (size_t)owned(u, d->rank) * sizeof(float) : 0;
        s->send[r] = (Piece){from + (u->edges[r] - u->first), mine};
        s->receive[r] = (Piece){received + r * d->largest_own, others};
    }
}

// The next unit's gradients get the other buffer, whose own have been sent.
static bool take_turns(Sharded *s)
{
    Model *m = s->model;
    float *next = m->gradients_next;
    m->gradients_next = m->gradients;
    m->gradients = next;
    s->buffer = 1 - s->buffer;
    return link_wait(&s->link, &s->transfers[s->buffer]);
}

static bool send_by_link(Sharded *s, const ShardUnit *u, int64_t layer)
{
    Model *m = s->model;
    const Kernels *k = m->kernels;
    DeviceLink *l = &s->link;
    int rank = m->sharding.rank;
    float *gradients = m->gradients + (m->sharding.once ? u->first : 0);
    TRY(link_begin(l, &s->transfers[s->buffer], "the gradients of layer %" PRId64, layer));
    pieces_of(s, u, gradients, m->gradients_received);
    TRY(link_all_to_all(l, s->send, s->receive));
    for (int r = 0; r < s->active && owned(u, rank) > 0; r++)
        k->accumulate(l->stream, m->sums + u->local, r == rank ? s->send[r].data : s->receive[r].data, owned(u, rank));
    if (!m->sharding.once)
        k->zero(l->stream, gradients, (size_t)u->count * sizeof(float));
    link_end(l, &s->transfers[s->buffer]);
    return m->sharding.once || take_turns(s);
}

static bool gradients_are_summed(void *context)
{
    Sharded *s = context;
    for (int i = 0; i < TRANSFERS; i++)
        TRY(link_wait(&s->link, &s->transfers[i]));
    return true;
}

static bool send_gradient(void *context, int64_t layer)
{
    Sharded *s = context;
    Model *m = s->model;
    const ShardUnit *u = &m->sharding.units[layer + 1];
    float *from = m->gradients + (m->sharding.once ? u->first : 0);
    if (s->link.open)
        return send_by_link(s, u, layer);
    if (s->host != NULL && m->sharding.rank < s->active) {
        TRY(m->kernels->download(NULL, s->host, from, (size_t)u->count * sizeof(float)));
        from = (float *)(void *)s->host;
    }
    pieces_of(s, u, from, s->received);
    return comm_all_to_all(s->ranks, s->send, s->receive) && add_up(s, u);
}

void sharded_round(Sharded *s, int active) { s->active = active; }

// Division.once: all units, of which every rank has the gradient of its own micro-batches.
static bool share_gradients(void *context)
{
    Sharded *s = context;
    s->active = s->ranks->size;
    for (int64_t i = 0; i < s->model->sharding.unit_count; i++)
        TRY(send_gradient(s, i - 1));
    return true;
}

// ---- pieces that every rank has a part of

static bool share_squares(void *context)
{
    Sharded *s = context;
    Model *m = s->model;
    for (int64_t i = 0; i < m->sharding.unit_count; i++) {
        const ShardUnit *u = &m->sharding.units[i];
        for (int r = 0; r < m->sharding.size; r++)
            s->receive[r] = (Piece){m->squares_host + u->block_edges[r],
                                    (size_t)(u->block_edges[r + 1] - u->block_edges[r]) * sizeof(float)};
        TRY(comm_all_gather(s->ranks, s->receive));
    }
    return true;
}

// A unit's weights at their place, of which this rank has its own part there, or among own_weights.
static bool gather(Sharded *s, const ShardUnit *u)
{
    const Model *m = s->model;
    size_t size = m->kernels->activation_size;
    int rank = m->sharding.rank;
    char *place = (char *)m->weights + (size_t)u->place * size, *unit = s->host != NULL ? s->host : place;
    char *own = m->sharding.weights ? (char *)m->own_weights + (size_t)u->local * size
                                    : place + (size_t)(u->edges[rank] - u->first) * size;
    for (int r = 0; r < m->sharding.size; r++)
        s->receive[r] = (Piece){unit + (size_t)(u->edges[r] - u->first) * size, (size_t)owned(u, r) * size};
    if (s->link.open)
        return link_all_gather(&s->link, s->receive, own);
    if (own != s->receive[rank].data)
        TRY(m->kernels->download(NULL, s->receive[rank].data, own, s->receive[rank].size));
    TRY(comm_all_gather(s->ranks, s->receive));
    if (s->host != NULL)
        m->kernels->upload(NULL, place, unit, (size_t)u->count * size);
    return true;
}

// Layers whose weights are divided are gathered when they are used.
static bool share_weights(void *context)
{
    Sharded *s = context;
    Model *m = s->model;
    int64_t last = m->sharding.unit_count - 1;
    Transfer *t = &s->transfers[OUTER_WEIGHTS];
    s->held[0] = s->held[1] = -1;
    TRY(!s->link.open || link_begin(&s->link, t, "the updated weights"));
    for (int64_t i = 0; i <= last; i++)
        if (!m->sharding.weights || i == 0 || i == last)
            TRY(gather(s, &m->sharding.units[i]));
    if (s->link.open)
        link_end(&s->link, t);
    return s->link.open ? link_wait(&s->link, t) : m->kernels->synchronize(NULL);
}

// A layer's weights into its place, which no kernel reads any more that is queued from here on.
static bool fetch(Sharded *s, int64_t layer)
{
    Transfer *t = &s->transfers[LAYER_WEIGHTS + layer % 2];
    if (layer < 0 || layer == s->model->config.layers || s->held[layer % 2] == layer)
        return true;
    s->held[layer % 2] = layer;
    TRY(!s->link.open || link_begin(&s->link, t, "the weights of layer %" PRId64, layer));
    TRY(gather(s, &s->model->sharding.units[layer + 1]));
    if (s->link.open)
        link_end(&s->link, t);
    return true;
}

// Division.weights: a layer's weights, which may still lie at their place. By the link those of the layer after it, in
// the direction of the pass, begin to come too: the other place's layer is behind what is queued.
static bool acquire_weights(void *context, int64_t layer)
{
    Sharded *s = context;
    if (layer < 0 || layer == s->model->config.layers)
        return true;
    int64_t next = layer >= s->acquired ? layer + 1 : layer - 1;
    s->acquired = layer;
    TRY(fetch(s, layer));
    return !s->link.open || (link_wait(&s->link, &s->transfers[LAYER_WEIGHTS + layer % 2]) && fetch(s, next));
}

static bool share_elements(void *context, int64_t first, int64_t count, float *host)
{
    Sharded *s = context;
    const Model *m = s->model;
    for (int64_t i = 0; i < m->sharding.unit_count; i++) {
        const ShardUnit *u = &m->sharding.units[i];
        if (u->first + u->count <= first || u->first >= first + count)
            continue;
        for (int r = 0; r < m->sharding.size; r++) {
            int64_t from = u->edges[r] > first ? u->edges[r] : first, to = u->edges[r + 1];
            to = to < first + count ? to : first + count;
            s->receive[r] = (Piece){host + (from - first), from < to ? (size_t)(to - from) * sizeof(float) : 0};
        }
        TRY(comm_all_gather(s->ranks, s->receive));
    }
    return true;
}

// ---- opening

bool sharded_open(Sharded *s, Model *m, Communicator *ranks)
{
    *s = (Sharded){.model = m, .ranks = ranks, .active = ranks->size, .held = {-1, -1}};
    if (ranks->size == 1)
        return true;
    TRY(link_open(&s->link, m->kernels, ranks));
    if (m->kernels->on_gpu && !s->link.open)
        TRY((s->host = allocate((size_t)m->sharding.largest, sizeof(float))) != NULL);
    if (!s->link.open)
        TRY((s->received = allocate((size_t)(m->sharding.size * m->sharding.largest_own), sizeof *s->received)) !=
            NULL);
    s->send = allocate((size_t)m->sharding.size, sizeof *s->send);
    s->receive = allocate((size_t)m->sharding.size, sizeof *s->receive);
    TRY(s->send != NULL && s->receive != NULL);
    m->hooks = (ModelHooks){.context = s,
                            .weights_acquire = m->sharding.weights ? acquire_weights : NULL,
                            .gradient_ready = m->sharding.once ? NULL : send_gradient,
                            .gradients_summed = gradients_are_summed,
                            .share_gradients = m->sharding.once ? share_gradients : NULL,
                            .share_squares = share_squares,
                            .share_weights = share_weights,
                            .share_elements = share_elements};
    return true;
}

void sharded_close(Sharded *s)
{
    link_close(&s->link, s->transfers, TRANSFERS);
    free(s->host);
    free(s->received);
    free(s->send);
    free(s->receive);
    *s = (Sharded){0};
}

Division division_of(const ShardedOptions *o, const Communicator *ranks)
{
    return (Division){ranks->rank, ranks->size, o->shard.place == DIVIDED_WEIGHTS, o->fast_reduce};
}

ShardedBytes sharded_bytes(const Model *m)
{
    const Sharding *s = &m->sharding;
    ShardedBytes bytes = {0};
    for (int64_t i = 0; i < s->unit_count; i++) {
        const ShardUnit *u = &s->units[i];
        uint64_t mine = (uint64_t)owned(u, s->rank),
                 blocks = (uint64_t)(u->block_edges[s->rank + 1] - u->block_edges[s->rank]);
        uint64_t gradient = ((uint64_t)u->count - mine) * sizeof(float),
                 weights = (uint64_t)(s->size - 1) * mine * m->kernels->activation_size;
        bool layer = i > 0 && i < s->unit_count - 1;
        *(s->once ? &bytes.update : &bytes.gradients) += gradient;
        bytes.update += (uint64_t)(s->size - 1) * blocks * sizeof(float);
        if (!s->weights || !layer || i <= 2)
            bytes.update += weights;
        if (s->weights && layer && i > 2)
            bytes.weights += 2 * weights;
    }
    return bytes;
}
