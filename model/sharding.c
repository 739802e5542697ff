// Dividing the units: see sharding.h. A function of the parameters' shapes and the number of ranks alone.
#include "model/sharding.h"
#include "kernels/exactness.h"
#include <stdlib.h>

int64_t unit_of_tensor(const Parameters *p, int64_t tensor)
{
    if (tensor < p->first_layer)
        return 0;
    return tensor < p->final_norm ? 1 + (tensor - p->first_layer) / p->per_layer
                                  : 1 + (p->final_norm - p->first_layer) / p->per_layer;
}

// Where a tensor's elements begin; behind the last tensor, where they end.
static int64_t offset_of(const Parameters *p, int64_t tensor)
{
    return tensor < p->count ? p->list[tensor].offset : p->elements;
}

static int64_t blocks_of(const Parameter *p) { return (parameter_elements(p) + SQUARES_BLOCK - 1) / SQUARES_BLOCK; }

// The first element of block `block` of those of tensors first .. last - 1; of their end, where there are no more.
static int64_t element_of_block(const Parameters *p, int64_t first, int64_t last, int64_t block)
{
    int64_t tensor = first;
    for (; tensor < last && block >= blocks_of(&p->list[tensor]); tensor++)
        block -= blocks_of(&p->list[tensor]);
    return offset_of(p, tensor) + (tensor < last ? block * SQUARES_BLOCK : 0);
}

static bool divide(Sharding *s, ShardUnit *u, const Parameters *p, int64_t first, int64_t last)
{
    int64_t blocks = 0;
    for (int64_t t = first; t < last; t++)
        blocks += blocks_of(&p->list[t]);
    u->edges = allocate((size_t)s->size + 1, sizeof *u->edges);
    u->block_edges = allocate((size_t)s->size + 1, sizeof *u->block_edges);
    TRY(u->edges != NULL && u->block_edges != NULL);
    for (int r = 0; r <= s->size; r++) {
        int64_t block = blocks * r / s->size;
        u->edges[r] = element_of_block(p, first, last, block);
        u->block_edges[r] = s->blocks + block;
    }
    u->first = offset_of(p, first);
    u->count = u->edges[s->size] - u->first;
    u->local = s->own;
    s->own += u->edges[s->rank + 1] - u->edges[s->rank];
    s->blocks += blocks;
    s->largest = u->count > s->largest ? u->count : s->largest;
    for (int r = 0; r < s->size; r++)
        s->largest_own =
            u->edges[r + 1] - u->edges[r] > s->largest_own ? u->edges[r + 1] - u->edges[r] : s->largest_own;
    return true;
}

static void find_parts(Sharding *s, const Parameters *p)
{
    for (int64_t t = 0, block = 0; t < p->count; block += blocks_of(&p->list[t++])) {
        const ShardUnit *u = &s->units[unit_of_tensor(p, t)];
        int64_t begin = p->list[t].offset, end = begin + parameter_elements(&p->list[t]);
        int64_t from = u->edges[s->rank] > begin ? u->edges[s->rank] : begin,
                to = u->edges[s->rank + 1] < end ? u->edges[s->rank + 1] : end;
        if (from < to)
            s->parts[s->part_count++] = (ShardPart){.tensor = t,
                                                    .first = from - begin,
                                                    .count = to - from,
                                                    .local = u->local + from - u->edges[s->rank],
                                                    .block = block + (from - begin) / SQUARES_BLOCK};
    }
}

// All of them one after another; or the outer units, and then two places for layers, which take turns.
static void place_weights(Sharding *s)
{
    ShardUnit *first = &s->units[0], *last = &s->units[s->unit_count - 1];
    int64_t layer = s->unit_count > 2 ? s->units[1].count : 0;
    for (int64_t i = 0; i < s->unit_count; i++)
        s->units[i].place = s->weights ? first->count + last->count + (i - 1) % 2 * layer : s->units[i].first;
    s->held = last->first + last->count;
    if (s->weights) {
        first->place = 0;
        last->place = first->count;
        s->held = first->count + last->count + 2 * layer;
    }
}

bool sharding_open(Sharding *s, const Parameters *p, const Division *d)
{
    *s = (Sharding){.rank = d->rank,
                    .size = d->ranks > 0 ? d->ranks : 1,
                    .weights = d->weights && d->ranks > 1,
                    .once = d->once && d->ranks > 1,
                    .unit_count = unit_of_tensor(p, p->final_norm) + 1};
    s->units = allocate((size_t)s->unit_count, sizeof *s->units);
    s->parts = allocate((size_t)p->count, sizeof *s->parts);
    bool ok = s->units != NULL && s->parts != NULL;
    for (int64_t u = 0, first = 0, last; ok && u < s->unit_count; u++, first = last) {
        for (last = first; last < p->count && unit_of_tensor(p, last) == u; last++)
            ;
        ok = divide(s, &s->units[u], p, first, last);
    }
    if (!ok) {
        sharding_close(s);
        return false;
    }
    place_weights(s);
    find_parts(s, p);
    return true;
}

void sharding_close(Sharding *s)
{
    for (int64_t u = 0; s->units != NULL && u < s->unit_count; u++) {
        free(s->units[u].edges);
        free(s->units[u].block_edges);
    }
    free(s->units);
    free(s->parts);
    *s = (Sharding){0};
}
