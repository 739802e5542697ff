// Deals responses to micro-batches, the longest first, each into the emptiest, and adds micro-batches until all fit.
// Then fills one at a time as the ragged batch that the model takes.
#include "rl/pack.h"
#include <stdlib.h>
#include <string.h>

// What is dealt as one: a response with its prompt, or several of a group behind one copy of theirs.
typedef struct Unit {
    int64_t first, count; // of the items, in the order of places
    int64_t tokens, micro_batch;
} Unit;

static int64_t prompt_tokens(const PackItem *item, bool shared)
{
    return item->group->prompt.prompt - (shared ? 1 : 0);
}

static int longest_first(const void *x, const void *y)
{
    const Unit *a = x, *b = y;
    return a->tokens != b->tokens ? (a->tokens < b->tokens) - (a->tokens > b->tokens)
                                  : (a->first > b->first) - (a->first < b->first);
}

// The responses to pack, in the order of their places; how many.
static int64_t gather(PackItem *items, const Rollout *rollout, const PackPart *part)
{
    int64_t count = 0, all = part->count * rollout->samples;
    for (int64_t i = 0; i < all; i++) {
        Group *g = &rollout->groups[part->first + i / rollout->samples];
        Response *r = &g->responses[i % rollout->samples];
        if (r->weight != 0 && r->count > 0)
            items[count++] = (PackItem){g, r};
    }
    return count;
}

// Units of at most `most` tokens, or one response that is longer; how many. *tokens: of all.
static int64_t cut_units(Unit *units, const PackItem *items, int64_t count, bool shared, int64_t most, int64_t *tokens)
{
    int64_t n = 0;
    *tokens = 0;
    for (int64_t i = 0; i < count; i++) {
        Unit *last = n > 0 ? &units[n - 1] : NULL;
        int64_t own = items[i].response->count, prompt = prompt_tokens(&items[i], shared);
        bool joins = shared && last != NULL && items[i].group == items[i - 1].group && last->tokens + own <= most;
        if (!joins)
            units[n++] = (Unit){.first = i, .tokens = prompt};
        last = &units[n - 1];
        last->count++;
        last->tokens += own;
        *tokens += own + (joins ? 0 : prompt);
    }
    return n;
}

// Gives each unit a micro-batch; false if there are too few. load: tokens of each micro-batch.
static bool deal(Unit *units, int64_t count, int64_t *load, int64_t micro_batches, int64_t most)
{
    memset(load, 0, (size_t)micro_batches * sizeof *load);
    for (int64_t i = 0; i < count; i++) {
        int64_t best = -1;
        for (int64_t m = 0; m < micro_batches; m++)
            if ((load[m] == 0 || load[m] + units[i].tokens <= most) && (best < 0 || load[m] < load[best]))
                best = m;
        if (best < 0)
            return false;
        units[i].micro_batch = best;
        load[best] += units[i].tokens;
    }
    return true;
}

// The items in the order of micro-batches; in each, its units as they were dealt, the longest first.
static bool order(Pack *p, const Unit *units, int64_t unit_count, int64_t count)
{
    PackItem *dealt = allocate((size_t)count + 1, sizeof *dealt);
    int64_t at = 0;
    TRY(dealt != NULL);
    for (int64_t m = 0; m < p->micro_batches; m++) {
        for (int64_t u = 0; u < unit_count; u++)
            for (int64_t i = 0; units[u].micro_batch == m && i < units[u].count; i++)
                dealt[at++] = p->items[units[u].first + i];
        p->first[m + 1] = at;
    }
    free(p->items);
    p->items = dealt;
    return true;
}

// Deals all items; *largest: the tokens of the largest micro-batch.
static bool cut(Pack *p, Unit *units, int64_t count, const PackPart *part, int64_t *load, int64_t *largest)
{
    int64_t tokens, most = part->micro_batch_tokens,
                    n = cut_units(units, p->items, count, p->share_prompts, most, &tokens);
    if (p->share_prompts && part->slots > 1) // no slot waits for one that has a group more
        n = cut_units(units, p->items, count, true, smaller(most, ceil_divide(tokens, part->slots)), &tokens);
    qsort(units, (size_t)n, sizeof *units, longest_first);
    int64_t least = smaller(ceil_divide(tokens, most), n); // a unit that is too long has one of its own
    p->micro_batches = larger(ceil_divide(least, part->slots), 1) * part->slots;
    while (!deal(units, n, load, p->micro_batches, most))
        p->micro_batches += part->slots;
    *largest = 1;
    for (int64_t m = 0; m < p->micro_batches; m++)
        *largest = larger(*largest, load[m]);
    return order(p, units, n, count);
}

static bool open_batch(Pack *p, int64_t tokens, int64_t documents)
{
    int32_t **arrays[] = {&p->ids,    &p->positions, &p->rows,         &p->targets,
                          &p->starts, &p->contexts,  &p->context_rows, &p->seen_until};
    for (int i = 0; i < 8; i++)
        TRY((*arrays[i] = allocate((size_t)(i < 4 ? tokens : documents + 1), sizeof(int32_t))) != NULL);
    return true;
}

bool pack_open(Pack *p, const Rollout *rollout, const PackPart *part)
{
    size_t room = (size_t)(part->count * rollout->samples + part->slots) + 1;
    int64_t *load = allocate(room, sizeof *load), largest = 1, count = 0;
    Unit *units = allocate(room, sizeof *units);
    *p = (Pack){.first = allocate(room, sizeof *p->first),
                .items = allocate(room, sizeof *p->items),
                .share_prompts = part->share_prompts};
    bool ok = load != NULL && units != NULL && p->first != NULL && p->items != NULL;
    if (ok) {
        count = gather(p->items, rollout, part);
        ok = cut(p, units, count, part, load, &largest) &&
             open_batch(p, largest, 2 * count); // a prompt to each, at most
    }
    free(load);
    free(units);
    if (!ok)
        pack_close(p);
    return ok;
}

void pack_close(Pack *p)
{
    void *arrays[] = {p->first,    p->items,        p->ids,        p->positions, p->starts,
                      p->contexts, p->context_rows, p->seen_until, p->rows,      p->targets};
    for (int i = 0; i < 10; i++)
        free(arrays[i]);
    *p = (Pack){0};
}

// ---- a micro-batch

// A sequence from `first` of the item's prompt on, as many of its tokens as there are up to `end`, then `count` of the
// response; context: the row where the prompt's sequence begins, which it goes on from, or -1.
static void add_sequence(Pack *p, Ragged *b, const PackItem *item, int64_t first, int64_t end, int64_t count,
                         int64_t context)
{
    int64_t s = b->sequences++, tokens = b->tokens, prompt = end - first;
    p->starts[s] = (int32_t)tokens;
    p->contexts[s] = context < 0 ? 0 : (int32_t)first;
    p->context_rows[s] = (int32_t)(context < 0 ? tokens : context);
    memcpy(p->ids + tokens, item->group->prompt.ids + first, (size_t)prompt * sizeof *p->ids);
    memcpy(p->ids + tokens + prompt, item->response->ids, (size_t)count * sizeof *p->ids);
    for (int64_t t = 0; t < prompt + count; t++)
        p->positions[tokens + t] = (int32_t)(first + t);
    b->tokens += prompt + count;
    p->starts[s + 1] = p->seen_until[s] = (int32_t)b->tokens;
}

// The rows from the prompt's last token on, each of which predicts a token of the response.
static void train(Pack *p, Ragged *b, const Response *r, int64_t first)
{
    for (int64_t t = 0; t < r->count; t++, b->trained++) {
        p->rows[b->trained] = (int32_t)(first + t);
        p->targets[b->trained] = r->ids[t];
    }
}

static void add_copied(Pack *p, Ragged *b, const PackItem *item)
{
    int64_t prompt = item->group->prompt.prompt, begin = b->tokens;
    add_sequence(p, b, item, 0, prompt, item->response->count, -1);
    train(p, b, item->response, begin + prompt - 1);
}

// prompt: the sequence of its group's prompt, where that stands already, or -1; returns it.
static int64_t add_shared(Pack *p, Ragged *b, const PackItem *item, int64_t prompt)
{
    int64_t before = item->group->prompt.prompt - 1;
    if (prompt < 0 && before > 0) {
        prompt = b->sequences;
        add_sequence(p, b, item, 0, before, 0, -1);
    }
    train(p, b, item->response, b->tokens);
    add_sequence(p, b, item, before, before + 1, item->response->count - 1, before > 0 ? p->starts[prompt] : -1);
    if (before > 0)
        p->seen_until[prompt] = (int32_t)b->tokens;
    return prompt;
}

void pack_micro_batch(Pack *p, int64_t m, Ragged *batch)
{
    Ragged b = {0};
    int64_t prompt = -1;
    p->starts[0] = 0;
    for (int64_t i = p->first[m]; i < p->first[m + 1]; i++) {
        const PackItem *item = &p->items[i];
        if (i == p->first[m] || item->group != item[-1].group)
            prompt = -1;
        if (p->share_prompts)
            prompt = add_shared(p, &b, item, prompt);
        else
            add_copied(p, &b, item);
    }
    b.ids = p->ids;
    b.positions = p->positions;
    b.starts = p->starts;
    b.contexts = p->contexts;
    b.context_rows = p->share_prompts ? p->context_rows : NULL;
    b.seen_until = p->share_prompts ? p->seen_until : NULL;
    b.rows = p->rows;
    b.targets = p->targets;
    *batch = b;
}
