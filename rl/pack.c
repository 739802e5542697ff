// Deals responses to micro-batches, the longest first, each into the emptiest, and adds micro-batches until all fit.
// Then fills one at a time as the ragged batch that the model takes.
#include "rl/pack.h"
#include <stdlib.h>
#include <string.h>

static int64_t item_tokens(const PackItem *item) { return (int64_t)item->group->prompt.prompt + item->response->count; }
static int longest_first(const void *x, const void *y)
{
    const PackItem *a = x, *b = y;
    int64_t n = item_tokens(a), m = item_tokens(b);
    return n != m ? (n < m) - (n > m) : (a->place > b->place) - (a->place < b->place);
}

static int by_micro_batch(const void *x, const void *y)
{
    const PackItem *a = x, *b = y;
    return a->micro_batch != b->micro_batch ? (a->micro_batch > b->micro_batch ? 1 : -1) : longest_first(x, y);
}

// The responses to pack, the longest first; how many.
static int64_t gather(PackItem *items, const Rollout *rollout, const PackPart *part)
{
    int64_t count = 0, all = part->count * rollout->samples;
    for (int64_t i = 0; i < all; i++) {
        Group *g = &rollout->groups[part->first + i / rollout->samples];
        Response *r = &g->responses[i % rollout->samples];
        if (r->weight != 0 && r->count > 0)
            items[count++] = (PackItem){g, r, i, 0};
    }
    qsort(items, (size_t)count, sizeof *items, longest_first);
    return count;
}

// Gives each item a micro-batch; false if there are too few. load: tokens of each micro-batch.
static bool deal(PackItem *items, int64_t count, int64_t *load, int64_t micro_batches, int64_t most)
{
    memset(load, 0, (size_t)micro_batches * sizeof *load);
    for (int64_t i = 0; i < count; i++) {
        int64_t tokens = item_tokens(&items[i]), best = -1;
        for (int64_t m = 0; m < micro_batches; m++)
            if ((load[m] == 0 || load[m] + tokens <= most) && (best < 0 || load[m] < load[best]))
                best = m;
        if (best < 0)
            return false;
        items[i].micro_batch = best;
        load[best] += tokens;
    }
    return true;
}

// Deals all items; returns the tokens of the largest micro-batch.
static int64_t cut(Pack *p, int64_t count, const PackPart *part, int64_t *load)
{
    int64_t tokens = 0, largest = 1;
    for (int64_t i = 0; i < count; i++)
        tokens += item_tokens(&p->items[i]);
    int64_t least = (tokens + part->micro_batch_tokens - 1) / part->micro_batch_tokens;
    least = least < count ? least : count; // a document that is too long has one of its own
    p->micro_batches = larger((least + part->slots - 1) / part->slots, 1) * part->slots;
    while (!deal(p->items, count, load, p->micro_batches, part->micro_batch_tokens))
        p->micro_batches += part->slots;
    qsort(p->items, (size_t)count, sizeof *p->items, by_micro_batch);
    for (int64_t m = 0, i = 0; m < p->micro_batches; m++) {
        while (i < count && p->items[i].micro_batch == m)
            i++;
        p->first[m + 1] = i;
        largest = larger(largest, load[m]);
    }
    return largest;
}

static bool open_batch(Pack *p, int64_t tokens, int64_t documents)
{
    int32_t **arrays[] = {&p->ids, &p->positions, &p->rows, &p->targets, &p->starts, &p->contexts};
    for (int i = 0; i < 6; i++)
        TRY((*arrays[i] = allocate((size_t)(i < 4 ? tokens : documents + 1), sizeof(int32_t))) != NULL);
    return true;
}

bool pack_open(Pack *p, const Rollout *rollout, const PackPart *part)
{
    size_t room = (size_t)(part->count * rollout->samples + part->slots) + 1;
    int64_t *load = allocate(room, sizeof *load);
    *p = (Pack){.first = allocate(room, sizeof *p->first), .items = allocate(room, sizeof *p->items)};
    bool ok = load != NULL && p->first != NULL && p->items != NULL;
    if (ok) {
        int64_t count = gather(p->items, rollout, part);
        ok = open_batch(p, cut(p, count, part, load), count);
    }
    free(load);
    if (!ok)
        pack_close(p);
    return ok;
}

void pack_close(Pack *p)
{
    void *arrays[] = {p->first, p->items, p->ids, p->positions, p->starts, p->contexts, p->rows, p->targets};
    for (int i = 0; i < 8; i++)
        free(arrays[i]);
    *p = (Pack){0};
}

void pack_micro_batch(Pack *p, int64_t m, Ragged *batch)
{
    int64_t tokens = 0, trained = 0, documents = p->first[m + 1] - p->first[m];
    for (int64_t d = 0; d < documents; d++) {
        const PackItem *item = &p->items[p->first[m] + d];
        int64_t prompt = item->group->prompt.prompt, count = item->response->count;
        p->starts[d] = (int32_t)tokens;
        memcpy(p->ids + tokens, item->group->prompt.ids, (size_t)prompt * sizeof *p->ids);
        memcpy(p->ids + tokens + prompt, item->response->ids, (size_t)count * sizeof *p->ids);
        for (int64_t t = 0; t < prompt + count; t++)
            p->positions[tokens + t] = (int32_t)t;
        for (int64_t t = 0; t < count; t++, trained++) { // row t predicts token t + 1
            p->rows[trained] = (int32_t)(tokens + prompt - 1 + t);
            p->targets[trained] = item->response->ids[t];
        }
        tokens += prompt + count;
    }
    p->starts[documents] = (int32_t)tokens;
    *batch = (Ragged){.tokens = tokens,
                      .sequences = documents,
                      .ids = p->ids,
                      .positions = p->positions,
                      .starts = p->starts,
                      .contexts = p->contexts, // zeros: nothing is in pages
                      .trained = trained,
                      .rows = p->rows,
                      .targets = p->targets};
}
