// What travels between ranks, and when: see sharded.h. On a device, memory of the host lies in between.
#include "model/sharded.h"
#include "model/model_internal.h"
#include <stdlib.h>

struct Exchange {
    Communicator *ranks;
    int active;      // ranks that have a micro-batch in this round: 0 .. active - 1
    char *host;      // a unit's gradient or weights, of a device; NULL: they are read and written where they lie
    float *received; // (active, largest_own) what the others have made of this rank's part
    Piece *send, *receive;
};

static int64_t owned(const ShardUnit *u, int rank) { return u->edges[rank + 1] - u->edges[rank]; }

// ---- gradients, unit after unit

// What this rank owns of the unit, from every rank that is active, in the order of micro-batches.
static bool add_up(Model *m, const ShardUnit *u)
{
    const Kernels *k = m->kernels;
    const Exchange *x = m->exchange;
    int64_t count = owned(u, m->sharding.rank);
    for (int r = 0; r < x->active && count > 0; r++) {
        const float *one = x->receive[r].data;
        if (k->on_gpu) { // what was there has been sent
            k->upload(NULL, m->gradients, one, (size_t)count * sizeof(float));
            one = m->gradients;
        }
        k->accumulate(NULL, m->sums + u->local, one, count);
    }
    k->zero(NULL, m->gradients, (size_t)m->sharding.largest * sizeof(float));
    return true;
}

static bool send_gradient(void *context, int64_t layer)
{
    Model *m = context;
    Exchange *x = m->exchange;
    const ShardUnit *u = &m->sharding.units[layer + 1];
    int rank = m->sharding.rank;
    char *from = (char *)m->gradients;
    if (x->host != NULL && rank < x->active) {
        TRY(m->kernels->download(NULL, x->host, m->gradients, (size_t)u->count * sizeof(float)));
        from = x->host;
    }
    for (int r = 0; r < m->sharding.size; r++) {
        size_t mine = rank < x->active ? (size_t)owned(u, r) * sizeof(float) : 0;
        size_t others = r < x->active ? (size_t)owned(u, rank) * sizeof(float) : 0;
        x->send[r] = (Piece){from + (size_t)(u->edges[r] - u->first) * sizeof(float), mine};
        x->receive[r] = (Piece){x->received + r * m->sharding.largest_own, others};
    }
    return comm_all_to_all(x->ranks, x->send, x->receive) && add_up(m, u);
}

void sharded_round(Model *m, int active)
{
    if (m->exchange != NULL)
        m->exchange->active = active;
}

// ---- pieces that every rank has a part of

bool sharded_squares(Model *m)
{
    for (int64_t i = 0; m->exchange != NULL && i < m->sharding.unit_count; i++) {
        const ShardUnit *u = &m->sharding.units[i];
        for (int r = 0; r < m->sharding.size; r++)
            m->exchange->receive[r] = (Piece){m->squares_host + u->block_edges[r],
                                              (size_t)(u->block_edges[r + 1] - u->block_edges[r]) * sizeof(float)};
        TRY(comm_all_gather(m->exchange->ranks, m->exchange->receive));
    }
    return true;
}

bool sharded_weights(Model *m)
{
    size_t size = m->kernels->activation_size;
    for (int64_t i = 0; m->exchange != NULL && i < m->sharding.unit_count; i++) {
        Exchange *x = m->exchange;
        const ShardUnit *u = &m->sharding.units[i];
        int rank = m->sharding.rank;
        char *unit = x->host != NULL ? x->host : weight_at(m, u->first);
        for (int r = 0; r < m->sharding.size; r++)
            x->receive[r] = (Piece){unit + (size_t)(u->edges[r] - u->first) * size, (size_t)owned(u, r) * size};
        if (x->host != NULL)
            TRY(m->kernels->download(NULL, x->receive[rank].data, weight_at(m, u->edges[rank]), x->receive[rank].size));
        TRY(comm_all_gather(x->ranks, x->receive));
        if (x->host != NULL)
            m->kernels->upload(NULL, weight_at(m, u->first), unit, (size_t)u->count * size);
    }
    return m->kernels->synchronize(NULL);
}

bool sharded_gather(const Model *m, int64_t first, int64_t count, float *host)
{
    for (int64_t i = 0; m->exchange != NULL && i < m->sharding.unit_count; i++) {
        const ShardUnit *u = &m->sharding.units[i];
        if (u->first + u->count <= first || u->first >= first + count)
            continue;
        for (int r = 0; r < m->sharding.size; r++) {
            int64_t from = u->edges[r] > first ? u->edges[r] : first, to = u->edges[r + 1];
            to = to < first + count ? to : first + count;
            m->exchange->receive[r] =
                (Piece){host + (from - first), from < to ? (size_t)(to - from) * sizeof(float) : 0};
        }
        TRY(comm_all_gather(m->exchange->ranks, m->exchange->receive));
    }
    return true;
}

// ---- opening

bool sharded_open(Model *m, Communicator *ranks)
{
    if (ranks->size == 1)
        return true;
    Exchange *x = m->exchange = allocate(1, sizeof *x);
    TRY(x != NULL);
    x->ranks = ranks;
    x->active = ranks->size;
    if (m->kernels->on_gpu)
        TRY((x->host = allocate((size_t)m->sharding.largest, sizeof(float))) != NULL);
    x->received = allocate((size_t)(m->sharding.size * m->sharding.largest_own), sizeof *x->received);
    x->send = allocate((size_t)m->sharding.size, sizeof *x->send);
    x->receive = allocate((size_t)m->sharding.size, sizeof *x->receive);
    TRY(x->received != NULL && x->send != NULL && x->receive != NULL);
    m->hooks = (ModelHooks){.context = m, .gradient_ready = send_gradient};
    return true;
}

void sharded_close(Model *m)
{
    Exchange *x = m->exchange;
    if (x == NULL)
        return;
    free(x->host);
    free(x->received);
    free(x->send);
    free(x->receive);
    free(x);
    m->exchange = NULL;
}

ShardedBytes sharded_bytes(const Model *m)
{
    const Sharding *s = &m->sharding;
    ShardedBytes bytes = {0};
    for (int64_t i = 0; i < s->unit_count; i++) {
        const ShardUnit *u = &s->units[i];
        uint64_t mine = (uint64_t)owned(u, s->rank),
                 blocks = (uint64_t)(u->block_edges[s->rank + 1] - u->block_edges[s->rank]);
        bytes.round += ((uint64_t)u->count - mine) * sizeof(float);
        bytes.update += (uint64_t)(s->size - 1) * (mine * m->kernels->activation_size + blocks * sizeof(float));
    }
    return bytes;
}
