// Longest processing time first (Graham 1969), ties in the documents' order; then documents move, or change places,
// from the most expensive micro-batch to another as long as that lowers the larger of the two costs. All in integers,
// so that every machine deals alike.
#include "data/deal.h"
#include <stdlib.h>
#include <string.h>

enum { CLOSE = 1000, CHANGES_MOST = 64 }; // when to stop: largest cost within 1/CLOSE of the mean

static int64_t length_of(const Loader *l, int64_t place) { return l->documents->list[l->numbers[place]].length; }

static int64_t cost_of(const Loader *l, int64_t place) // doubled, to stay an integer
{
    int64_t length = length_of(l, place);
    return length * (2 * l->options.linear_cost + length);
}

// ---- longest first

static int compare_cost(const void *x, const void *y, void *loader) // most costly first, then in step order
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y, cost_a = cost_of(loader, a), cost_b = cost_of(loader, b);
    return cost_a != cost_b ? (cost_a > cost_b ? -1 : 1) : (a > b) - (a < b);
}

// The cheapest micro-batch with room for `tokens`, the first of several; -1: none. An empty one takes any document.
static int64_t cheapest(const Loader *l, int64_t count, int64_t length)
{
    int64_t best = -1;
    for (int64_t m = 0; m < count; m++)
        if ((l->micro_tokens[m] == 0 || l->micro_tokens[m] + length <= l->options.micro_batch_tokens) &&
            (best < 0 || l->micro_cost[m] < l->micro_cost[best]))
            best = m;
    return best;
}

static void put(Loader *l, int64_t place, int64_t m)
{
    l->micro[place] = m;
    l->micro_tokens[m] += length_of(l, place);
    l->micro_cost[m] += cost_of(l, place);
}

// Gives every document of the step, the most expensive first, one of count micro-batches; false if they are too few.
static bool deal(Loader *l, int64_t documents, int64_t count)
{
    memset(l->micro_tokens, 0, (size_t)count * sizeof *l->micro_tokens);
    memset(l->micro_cost, 0, (size_t)count * sizeof *l->micro_cost);
    for (int64_t i = 0; i < documents; i++) {
        int64_t m = cheapest(l, count, length_of(l, l->order[i]));
        if (m < 0)
            return false;
        put(l, l->order[i], m);
    }
    return true;
}

// ---- then improved by exchanges

typedef struct Change { // document `from` leaves the most expensive micro-batch for `to`; `back`, if not -1, returns
    int64_t from, to, back;
    int64_t dearer; // the larger cost of the two afterwards
} Change;

static void consider(const Loader *l, Change *best, int64_t dearest, int64_t from, int64_t to, int64_t back)
{
    int64_t less = cost_of(l, from) - (back < 0 ? 0 : cost_of(l, back));
    int64_t left = l->micro_cost[dearest] - less, right = l->micro_cost[to] + less,
            dearer = left > right ? left : right;
    int64_t tokens = l->micro_tokens[to] + length_of(l, from) - (back < 0 ? 0 : length_of(l, back));
    if (dearer < best->dearer && tokens <= l->options.micro_batch_tokens)
        *best = (Change){from, to, back, dearer};
}

static Change best_change(const Loader *l, int64_t documents, int64_t count, int64_t dearest)
{
    Change best = {-1, -1, -1, l->micro_cost[dearest]};
    for (int64_t i = 0; i < documents; i++) {
        int64_t from = l->order[i];
        if (l->micro[from] != dearest)
            continue;
        for (int64_t to = 0; to < count; to++)
            if (to != dearest)
                consider(l, &best, dearest, from, to, -1);
        for (int64_t j = i + 1; j < documents; j++) // only a cheaper one in return can be worth it
            if (l->micro[l->order[j]] != dearest)
                consider(l, &best, dearest, from, l->micro[l->order[j]], l->order[j]);
    }
    return best;
}

static void make_change(Loader *l, const Change *c)
{
    int64_t dearest = l->micro[c->from];
    l->micro_tokens[dearest] -= length_of(l, c->from);
    l->micro_cost[dearest] -= cost_of(l, c->from);
    put(l, c->from, c->to);
    if (c->back >= 0) {
        l->micro_tokens[c->to] -= length_of(l, c->back);
        l->micro_cost[c->to] -= cost_of(l, c->back);
        put(l, c->back, dearest);
    }
}

// Each change lowers the largest cost and raises no other to it, so this ends, where no single change helps.
static void improve(Loader *l, int64_t documents, int64_t count)
{
    int64_t sum = 0;
    for (int64_t m = 0; m < count; m++)
        sum += l->micro_cost[m];
    for (int change = 0; change < CHANGES_MOST; change++) {
        int64_t dearest = 0, mean = sum / count;
        for (int64_t m = 1; m < count; m++)
            dearest = l->micro_cost[m] > l->micro_cost[dearest] ? m : dearest;
        if (l->micro_cost[dearest] - mean <= mean / CLOSE)
            return;
        Change best = best_change(l, documents, count, dearest);
        if (best.from < 0)
            return;
        make_change(l, &best);
    }
}

// A lower bound on the micro-batches: one for each document over the limit, plus the larger of what the others' tokens
// need and the number of documents of more than half the limit, of which no two fit together.
static int64_t fewest(const Loader *l, int64_t documents)
{
    int64_t tokens = 0, own = 0, large = 0, most = l->options.micro_batch_tokens;
    for (int64_t i = 0; i < documents; i++) {
        int64_t length = length_of(l, i);
        tokens += length <= most ? length : 0;
        own += length > most;
        large += length <= most && 2 * length > most;
    }
    int64_t full = (tokens + most - 1) / most;
    return own + (large > full ? large : full);
}

static int64_t round_up(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }

int64_t deal_step(Loader *l, int64_t documents)
{
    int64_t slots = l->options.slots, most = round_up(documents, slots), count = round_up(fewest(l, documents), slots);
    for (int64_t i = 0; i < documents; i++)
        l->order[i] = i;
    qsort_r(l->order, (size_t)documents, sizeof *l->order, compare_cost, l);
    while (!deal(l, documents, count)) // ends: one micro-batch per document always has room
        count = smaller(count + slots + count / (64 * slots) * slots, most);
    improve(l, documents, count);
    return count;
}
