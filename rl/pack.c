// Deals responses to micro-batches, the longest first, each into the emptiest, and adds micro-batches until all fit. Then fills
// one at a time as the ragged batch that the model takes.
#include "rl/pack.h"
#include <stdlib.h>
#include <string.h>

int64_t pack_item_tokens(const PackItem *item) { return (int64_t)item->group->prompt.prompt + item->response->count; }

static int longest_first(const void *x, const void *y)
{
    const PackItem *a = *(PackItem *const *)x, *b = *(PackItem *const *)y;
    int64_t n = pack_item_tokens(a), m = pack_item_tokens(b);
    return n != m ? (n > m ? -1 : 1) : (a > b) - (a < b);
}

// Gives each document a micro-batch; false if `bins` are too few.
static bool deal(int64_t *bin, int64_t *load, PackItem *const *order, int64_t count, int64_t bins, int64_t most)
{
    memset(load, 0, (size_t)bins * sizeof *load);
    for (int64_t i = 0; i < count; i++) {
        int64_t tokens = pack_item_tokens(order[i]), best = -1;
        for (int64_t b = 0; b < bins; b++)
            if ((load[b] == 0 || load[b] + tokens <= most) && (best < 0 || load[b] < load[best]))
                best = b;
        if (best < 0)
            return false;
        bin[i] = best;
        load[best] += tokens;
    }
    return true;
}

static void lay_out(Pack *p, PackItem *const *order, const int64_t *bin, int64_t count)
{
    int64_t at = 0;
    for (int64_t b = 0; b < p->micro_batches; b++) {
        p->first[b] = at;
        for (int64_t i = 0; i < count; i++)
            if (bin[i] == b)
                p->items[at++] = order[i];
    }
    p->first[p->micro_batches] = at;
}

static bool room_for_one(Pack *p, const int64_t *load)
{
    int64_t tokens = 1, documents = p->first[p->micro_batches];
    for (int64_t b = 0; b < p->micro_batches; b++)
        tokens = load[b] > tokens ? load[b] : tokens;
    int32_t **arrays[] = {&p->ids, &p->positions, &p->rows, &p->targets, &p->starts, &p->contexts};
    for (int i = 0; i < 6; i++) {
        *arrays[i] = allocate((size_t)(i < 4 ? tokens : documents + 1), sizeof(int32_t));
        TRY(*arrays[i] != NULL);
    }
    return true;
}

bool pack_open(Pack *p, PackItem *items, int64_t count, int64_t micro_batch_tokens, int64_t slots)
{
    *p = (Pack){0};
    PackItem **order = allocate((size_t)count + 1, sizeof(PackItem *));
    int64_t *bin = allocate((size_t)count + 1, sizeof *bin), *load = allocate((size_t)(count + slots), sizeof *load), kept = 0;
    p->first = allocate((size_t)(count + slots + 1), sizeof *p->first);
    p->items = allocate((size_t)count + 1, sizeof(PackItem *));
    bool ok = order != NULL && bin != NULL && load != NULL && p->first != NULL && p->items != NULL;
    for (int64_t i = 0; ok && i < count; i++)
        if (items[i].weight != 0 && items[i].response->count > 0) {
            order[kept++] = &items[i];
            p->tokens += pack_item_tokens(&items[i]);
        }
    if (ok) {
        qsort(order, (size_t)kept, sizeof *order, longest_first);
        int64_t least = (p->tokens + micro_batch_tokens - 1) / micro_batch_tokens;
        least = least < kept ? least : kept; // a document that is too long has one of its own
        p->micro_batches = (least + slots - 1) / slots * slots;
        p->micro_batches = p->micro_batches > 0 ? p->micro_batches : slots;
        while (!deal(bin, load, order, kept, p->micro_batches, micro_batch_tokens))
            p->micro_batches += slots;
        lay_out(p, order, bin, kept);
        ok = room_for_one(p, load);
    }
    free(order);
    free(bin);
    free(load);
    if (!ok)
        pack_close(p);
    return ok;
}

void pack_close(Pack *p)
{
    free(p->first);
    free(p->items);
    free(p->owned);
    free(p->ids);
    free(p->positions);
    free(p->starts);
    free(p->contexts);
    free(p->rows);
    free(p->targets);
    *p = (Pack){0};
}

void pack_micro_batch(Pack *p, int64_t m, Ragged *batch)
{
    int64_t tokens = 0, trained = 0, documents = p->first[m + 1] - p->first[m];
    for (int64_t d = 0; d < documents; d++) {
        const PackItem *item = p->items[p->first[m] + d];
        int64_t prompt = item->group->prompt.prompt, count = item->response->count;
        p->starts[d] = (int32_t)tokens;
        p->contexts[d] = 0;
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
                      .contexts = p->contexts,
                      .trained = trained,
                      .rows = p->rows,
                      .targets = p->targets};
}
